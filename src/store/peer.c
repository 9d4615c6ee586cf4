#include "store/peer.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WATCHES_MAX = 1 << 20, CHANGES_BYTES_MAX = 60000 };

struct watchers {
    struct peer **p;
    size_t n, cap;
};

void peers_init(struct peers *p)
{
    list_init(&p->list);
    p->by_link = map64_new();
    p->watches = map64_new();
}

static void unmap(struct peer *p)
{
    for (size_t i = 0; i < STORE_AREAS; i++) {
        if (p->areas[i].p)
            munmap((void *)(uintptr_t)p->areas[i].p, p->areas[i].n);
        p->areas[i] = (struct area){NULL, 0};
    }
    if (p->pin)
        munmap(p->pin, PIN_PAGE_BYTES);
    p->pin = NULL;
}

void peer_free(struct peers *ps, struct peer *p)
{
    list_remove(&p->node);
    unmap(p);
    buf_done(&p->changes);
    free(p);
}

static bool free_watchers(uint64_t key, void *value, void *arg)
{
    struct watchers *w = value;
    free(w->p);
    free(w);
    return true;
}

void peers_done(struct peers *ps)
{
    list_for_each (&ps->list, struct peer, node, p) {
        peer_free(ps, p);
    }
    map64_each(ps->watches, free_watchers, NULL);
    map64_free(ps->watches);
    map64_free(ps->by_link);
}

struct peer *peer_of(struct peers *ps, struct link *l)
{
    struct peer *p = map64_get(ps->by_link, link_id(l));

    if (p)
        return p;
    p = calloc(1, sizeof(*p));
    CHECK(p);
    p->link = link_id(l);
    p->role = link_peer(l);
    buf_init(&p->changes, CHANGES_BYTES_MAX);
    list_append(&ps->list, &p->node);
    map64_set(ps->by_link, p->link, p);
    return p;
}

static void visible(struct pin_page *pin, uint64_t sequence)
{
    __atomic_store_n(&pin->visible, sequence, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&pin->bell, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&pin->waiting, __ATOMIC_SEQ_CST))
        syscall(SYS_futex, &pin->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void peers_told(struct peers *ps, uint64_t sequence)
{
    list_for_each (&ps->list, struct peer, node, p) {
        if (p->pin)
            __atomic_store_n(&p->pin->told, sequence, __ATOMIC_SEQ_CST);
    }
}

void peers_visible(struct peers *ps, uint64_t sequence)
{
    list_for_each (&ps->list, struct peer, node, p) {
        if (p->pin)
            visible(p->pin, sequence);
    }
}

bool peers_reading(struct peers *ps, uint64_t now_ms, uint64_t within_ms)
{
    list_for_each (&ps->list, struct peer, node, p) {
        uint64_t at = p->pin ? __atomic_load_n(&p->pin->read_ms, __ATOMIC_RELAXED) : 0;
        if (at && at + within_ms > now_ms)
            return true;
    }
    return false;
}

/* A memfd that can change its size could make any access to it a crash. */
static int map_sealed(int fd, size_t bytes, int prot, void **ret)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat st;

    if (seals < 0 || (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW))
        return -EPERM;
    if (fstat(fd, &st) < 0 || (uint64_t)st.st_size < bytes)
        return -EINVAL;
    void *p = mmap(NULL, bytes, prot, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    *ret = p;
    return 0;
}

int peer_attach(struct peers *ps, struct peer *p, struct msg *m)
{
    struct msg_attach a;
    void *map = NULL;
    int err = 0;

    if (!rd_attach(m->body, &a) || p->client)
        return -EINVAL;
    list_for_each (&ps->list, struct peer, node, other) {
        if (other->client == a.client && !other->gone)
            return -EBUSY;
    }
    if (a.reads && !(p->role & (ROLE_ACCESS | ROLE_MANAGER | ROLE_SEARCHD)))
        return -EACCES;
    const uint32_t sizes[STORE_AREAS] = {a.ring_bytes, a.spool_bytes};
    for (unsigned i = 0; i < STORE_AREAS && i < m->fd_count && !err; i++) {
        if (sizes[i] == 0)
            continue;
        err = map_sealed(m->fds[i], sizes[i], PROT_READ, &map);
        if (!err)
            p->areas[i] = (struct area){map, sizes[i]};
    }
    if (!err && a.reads) {
        err = m->fd_count == 3 ? map_sealed(m->fds[2], PIN_PAGE_BYTES, PROT_READ | PROT_WRITE, &map)
                               : -EINVAL;
        if (!err)
            p->pin = map;
    }
    /* A former stored may have ended before what it answered was in the index; it is now. */
    if (p->pin)
        visible(p->pin, __atomic_load_n(&p->pin->told, __ATOMIC_SEQ_CST));
    if (err) {
        log_warn("store: %s cannot attach: %s", role_name(p->role), strerror(-err));
        unmap(p);
        return err;
    }
    p->client = a.client;
    return 0;
}

/* ------------------------------------------------------------------ watching */
void peer_watch(struct peers *ps, struct peer *p, uint64_t mailbox, bool on)
{
    struct watchers *w = map64_get(ps->watches, mailbox);

    if (p->gone || (!w && (!on || map64_size(ps->watches) >= WATCHES_MAX)))
        return;
    if (mailbox == 0 && p->role != ROLE_SEARCHD)
        return; /* 0: all of them */
    if (!w) {
        w = calloc(1, sizeof(*w));
        CHECK(w);
        map64_set(ps->watches, mailbox, w);
    }
    for (size_t i = 0; i < w->n; i++) {
        if (w->p[i] != p)
            continue;
        if (!on)
            w->p[i] = w->p[--w->n];
        if (w->n == 0) {
            map64_remove(ps->watches, mailbox);
            free_watchers(mailbox, w, NULL);
        }
        return;
    }
    if (!on)
        return;
    if (w->n == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 4;
        w->p = realloc(w->p, w->cap * sizeof(*w->p));
        CHECK(w->p);
    }
    w->p[w->n++] = p;
}

static bool is_watched(const struct peers *ps, uint64_t mailbox)
{
    const struct watchers *w = map64_get(ps->watches, mailbox);
    return w && w->n > 0;
}

bool peers_is_watched(const struct peers *ps, uint64_t mailbox)
{
    return is_watched(ps, mailbox) || is_watched(ps, STORE_ALL);
}

static bool forget_watcher(uint64_t key, void *value, void *arg)
{
    struct watchers *w = value;

    for (size_t i = 0; i < w->n; i++) {
        if (w->p[i] == arg) {
            w->p[i] = w->p[--w->n];
            break;
        }
    }
    return true; /* an empty one is kept for the next */
}

struct peer *peer_gone(struct peers *ps, struct link *l)
{
    struct peer *p = map64_remove(ps->by_link, link_id(l));

    if (!p)
        return NULL;
    p->gone = true;
    map64_each(ps->watches, forget_watcher, p);
    if (p->pin)
        munmap(p->pin, PIN_PAGE_BYTES);
    p->pin = NULL;
    return p;
}

static void send_changes(struct peer *p)
{
    struct link *l = link_by_id(p->link);

    if (l && p->changes.n)
        link_send(l, MSG_STORE_CHANGED, buf_span(&p->changes), NULL, 0);
    buf_clear(&p->changes);
}

static void changed_for(const struct watchers *w, uint64_t mailbox)
{

    for (size_t i = 0; w && i < w->n; i++) {
        struct buf *b = &w->p[i]->changes;
        /* Told together; the same one twice in a row once. */
        uint64_t last = 0;
        if (b->n >= 8)
            memcpy(&last, b->p + b->n - 8, 8);
        if (last == mailbox)
            continue;
        if (b->n + 8 > CHANGES_BYTES_MAX)
            send_changes(w->p[i]);
        wr_u64(b, mailbox);
    }
}

void peers_changed(struct peers *ps, uint64_t mailbox)
{
    changed_for(map64_get(ps->watches, mailbox), mailbox);
    changed_for(map64_get(ps->watches, 0), mailbox);
}

void peers_send_changes(struct peers *ps)
{
    list_for_each (&ps->list, struct peer, node, p) {
        if (p->changes.n)
            send_changes(p);
    }
}

void peers_send_queue_due(struct peers *ps)
{
    list_for_each (&ps->list, struct peer, node, p) {
        struct link *l = p->role == ROLE_RELAYD ? link_by_id(p->link) : NULL;
        if (l && !p->gone)
            link_send(l, MSG_STORE_QUEUE_DUE, SPAN_EMPTY, NULL, 0);
    }
}

/* ------------------------------------------------------------------ log files */
void peers_send_files(struct peers *ps, const struct journal *j)
{
    uint32_t newest = j->file_count ? j->files[j->file_count - 1].number : 0;

    list_for_each (&ps->list, struct peer, node, p) {
        struct link *l = p->pin && p->files_sent < newest ? link_by_id(p->link) : NULL;
        struct buf b = BUF(64);
        int fds[LINK_FDS_MAX];
        unsigned n = 0;
        for (size_t i = 0; l && i < j->file_count; i++) {
            if (j->files[i].number <= p->files_sent)
                continue;
            wr_u32(&b, j->files[i].number);
            /* Opened anew, for reading only: what a worker holds must not be able to write. */
            char path[64];
            snprintf(path, sizeof(path), "%08u.%s", j->files[i].number, "log");
            fds[n] = openat(j->dir, path, O_RDONLY | O_CLOEXEC);
            if (fds[n] < 0) {
                snprintf(path, sizeof(path), "%08u.%s", j->files[i].number, "new");
                fds[n] = openat(j->dir, path, O_RDONLY | O_CLOEXEC);
            }
            if (fds[n] < 0)
                break;
            p->files_sent = j->files[i].number;
            if (++n == LINK_FDS_MAX || i + 1 == j->file_count) {
                link_send(l, MSG_STORE_FILES, buf_span(&b), fds, n);
                while (n > 0)
                    close(fds[--n]);
                buf_clear(&b);
            }
        }
        while (n > 0)
            close(fds[--n]);
        buf_done(&b);
    }
}

void peers_send_files_gone(struct peers *ps, const uint32_t *numbers, unsigned count)
{
    struct buf b = BUF(4096);

    for (unsigned i = 0; i < count; i++)
        wr_u32(&b, numbers[i]);
    list_for_each (&ps->list, struct peer, node, p) {
        struct link *l = p->pin ? link_by_id(p->link) : NULL;
        if (l && !p->gone)
            link_send(l, MSG_STORE_FILES_GONE, buf_span(&b), NULL, 0);
    }
    buf_done(&b);
}

/* ------------------------------------------------------------------ snapshots in use */
void peers_publish_floor(struct peers *ps, uint64_t floor)
{
    list_for_each (&ps->list, struct peer, node, p) {
        if (p->pin)
            __atomic_store_n(&p->pin->floor, floor, __ATOMIC_SEQ_CST);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

uint64_t peers_oldest_pin(struct peers *ps, uint64_t now_ms, uint64_t max_ms)
{
    uint64_t oldest = UINT64_MAX;

    list_for_each (&ps->list, struct peer, node, p) {
        if (p->backup_txn && !p->gone && p->backup_txn < oldest)
            oldest = p->backup_txn;
        if (!p->pin)
            continue;
        uint64_t pin = __atomic_load_n(&p->pin->pin, __ATOMIC_SEQ_CST);
        uint64_t since = __atomic_load_n(&p->pin->pinned_ms, __ATOMIC_SEQ_CST);
        if (pin == 0)
            continue;
        if (now_ms > since && now_ms - since > max_ms) {
            /* It finds this floor when it comes back, and ends itself. */
            log_error("store: a reader holds its snapshot for more than %llu s: it is given up",
                      (unsigned long long)max_ms / 1000);
            __atomic_store_n(&p->pin->floor, PIN_GIVEN_UP, __ATOMIC_SEQ_CST);
            munmap(p->pin, PIN_PAGE_BYTES);
            p->pin = NULL;
            continue;
        }
        if (pin < oldest)
            oldest = pin;
    }
    return oldest;
}
