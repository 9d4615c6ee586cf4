/* A worker's end of the store: opening, the link to stored, calls that survive a restart of stored.
 */
#include "store/client.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/random.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RING_PAGE = 4096, SPOOL_PAGE = 65536, OPEN_WAIT_MS = 10000 };

struct call {
    struct list node;
    uint64_t counter;
};

struct abandoned {
    struct list node;
    struct region region;
    uint64_t counter;
};

/* ------------------------------------------------------------------ opening */
static int make_pin(struct store *s)
{
    s->pin_fd = memfd_create("store pin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (s->pin_fd < 0)
        return -errno;
    if (ftruncate(s->pin_fd, PIN_PAGE_BYTES) < 0 ||
        fcntl(s->pin_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    void *p = mmap(NULL, PIN_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, s->pin_fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    s->pin = p;
    return 0;
}

/* At the very first start stored makes the index while workers start: it is waited for, since after
 * the jail no path can be opened. */
static int open_index(struct store *s, const char *root, uint64_t map_bytes)
{
    uint64_t until = clock_mono_ms() + OPEN_WAIT_MS;
    char path[512];
    struct stat st;
    int err;

    snprintf(path, sizeof(path), "%s/store/index/data.mdb", root);
    for (;;) {
        err = stat(path, &st) == 0 && st.st_size >= 8192
                  ? index_open(&s->index, root, map_bytes, false)
                  : -ENOENT;
        if (!err || clock_mono_ms() >= until)
            return err;
        usleep(10000);
    }
}

struct store *store_open(struct loop *l, const char *root, uint64_t map_bytes, uint32_t ring_bytes,
                         uint32_t spool_bytes)
{
    struct store *s = calloc(1, sizeof(*s));
    int err;

    CHECK(s);
    s->loop = l;
    s->reads = root != NULL;
    s->pin_fd = s->ring.fd = s->spool.fd = -1;
    s->client = random_u64() | 1;
    s->watches = map64_new();
    list_init(&s->calls);
    list_init(&s->abandoned);
    err = ring_init(&s->ring, AREA_RING, ring_bytes, RING_PAGE);
    if (!err)
        err = ring_init(&s->spool, AREA_SPOOL, spool_bytes, SPOOL_PAGE);
    if (!err && root)
        err = make_pin(s);
    if (!err && root)
        err = open_index(s, root, map_bytes);
    if (!err && root)
        mdb_env_set_userctx(s->index.env, s);
    if (err) {
        log_error("store: cannot open %s/store for reading: %s", root ? root : "(none)",
                  strerror(-err));
        store_close(s);
        return NULL;
    }
    return s;
}

static void file_close(struct store *s, uint32_t number)
{
    for (size_t i = 0; i < s->file_count; i++) {
        if (s->files[i].number != number)
            continue;
        client_unmap(&s->files[i]);
        close(s->files[i].fd);
        memmove(s->files + i, s->files + i + 1, (s->file_count - i - 1) * sizeof(*s->files));
        s->file_count--;
        return;
    }
}

void store_close(struct store *s)
{
    if (!s)
        return;
    CHECK(!s->reading);
    s->closing = true;
    if (s->fibers) {
        log_warn("store: closed while it attaches");
        return; /* the fiber still looks at us */
    }
    client_read_done(s);
    index_close(&s->index);
    ring_done(&s->ring);
    ring_done(&s->spool);
    if (s->pin)
        munmap(s->pin, PIN_PAGE_BYTES);
    fd_close(&s->pin_fd);
    while (s->file_count > 0)
        file_close(s, s->files[s->file_count - 1].number);
    free(s->files);
    free(s->gone);
    timer_free(s->gone_timer);
    list_for_each (&s->abandoned, struct abandoned, node, a) {
        free(a);
    }
    map64_free(s->watches);
    free(s);
}

/* ------------------------------------------------------------------ the link */
static void give_abandoned(struct store *s, uint64_t below)
{
    list_for_each (&s->abandoned, struct abandoned, node, a) {
        if (a->counter >= below)
            continue;
        ring_give(&s->ring, &a->region);
        list_remove(&a->node);
        free(a);
        fiber_cond_signal(&s->room);
    }
}

static void attach_fiber(void *arg)
{
    struct store *s = arg;
    struct link *l = s->link;
    uint64_t id = l ? link_id(l) : 0;
    struct msg_attach a = {s->client, s->ring.pages * s->ring.page_bytes,
                           s->spool.pages * s->spool.page_bytes, s->reads};
    int fds[3] = {s->ring.fd, s->spool.fd, s->pin_fd};
    struct buf b = BUF(64), reply = BUF(64);
    struct msg_attached done;
    int err = -EPIPE;

    if (a.spool_bytes == 0)
        fds[1] = s->ring.fd; /* a place holder: descriptors are told by their place */
    wr_attach(&b, &a);
    while (l && link_by_id(id) == l && s->link == l && !s->closing) {
        buf_clear(&reply);
        err = link_call(l, MSG_STORE_ATTACH, buf_span(&b), fds, a.ring_bytes ? 2U + s->reads : 0,
                        CALL_TIMEOUT_MS, &reply, NULL);
        if (err != -EBUSY)
            break;
        fiber_sleep_ms(20); /* our former link is not gone over there yet */
    }
    if (!err && !rd_attached(buf_span(&reply), &done))
        err = -EPROTO;
    if (!err && s->reads)
        err = client_tables(s, done.hash_seed);
    buf_done(&b);
    buf_done(&reply);
    s->fibers--;
    s->attaching = false;
    if (s->link != l || s->closing) {
        if (s->link && !s->closing)
            store_attach(s, s->link);
        return;
    }
    if (err) {
        log_error("store: cannot attach to stored: %s", strerror(-err));
        return;
    }
    s->attached = true;
    give_abandoned(s, UINT64_MAX);
    watch_all_again(s);
    fiber_cond_broadcast(&s->changed);
}

void store_attach(struct store *s, struct link *l)
{
    if (s->attached)
        s->detached_ms = clock_mono_ms();
    s->attached = false;
    s->link = l;
    if (!l || s->attaching)
        return;
    s->attaching = true;
    s->fibers++;
    fiber_start(s->loop, attach_fiber, s, "store attach");
}

bool store_is_attached(const struct store *s)
{
    return s->attached;
}

/* ------------------------------------------------------------------ calls */
void wr_head_room(struct buf *b)
{
    wr_u64(b, 0);
    wr_u64(b, 0);
}

static void put_u64(char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (char)(v >> (8 * i));
}

static uint64_t floor_of(const struct store *s)
{
    return list_item(s->calls.next, struct call, node)->counter;
}

static bool wait_attached(struct store *s, uint64_t until)
{
    while (!s->attached) {
        uint64_t now = clock_mono_ms();
        if (now >= until || s->closing)
            return false;
        fiber_cond_wait(&s->changed, until - now);
    }
    return true;
}

static int call_once(struct store *s, enum msg_id id, struct buf *payload, const struct region *far,
                     struct buf *reply, const struct call *c, uint64_t until)
{
    uint64_t now = clock_mono_ms();
    size_t before = reply ? reply->n : 0;
    struct buf stub = BUF(64);
    struct span body = buf_span(payload);
    int err;

    put_u64(payload->p, c->counter);
    put_u64(payload->p + 8, floor_of(s));
    if (far->pages) {
        struct msg_blob at = {AREA_RING, region_at(&s->ring, far), (uint32_t)payload->n};
        memcpy(s->ring.p + at.at, payload->p, payload->n);
        wr_indirect(&stub, &at);
        body = buf_span(&stub);
    }
    err = link_call(s->link, id, body, NULL, 0, until > now ? until - now : 1, reply, NULL);
    buf_done(&stub);
    if (err && reply)
        buf_truncate(reply, before);
    return err;
}

int client_call(struct store *s, enum msg_id id, struct buf *payload, struct buf *reply)
{
    uint64_t until = clock_mono_ms() + CALL_TIMEOUT_MS;
    struct region far = {0, 0};
    struct call c;
    int err;

    if (payload->overflow || payload->n > MSG_INDIRECT_MAX)
        return -E2BIG;
    if (payload->n > msg_row(id)->max_request) {
        err = client_room(s, payload->n, &far);
        if (err)
            return err;
    }
    while (!list_empty(&s->calls) && s->counter + 1 - floor_of(s) >= STORE_WINDOW - 1) {
        if (!fiber_cond_wait(&s->window, CALL_TIMEOUT_MS)) {
            client_give(s, &far, 0);
            return -ETIMEDOUT;
        }
    }
    c.counter = ++s->counter;
    list_append(&s->calls, &c.node);
    do {
        err = wait_attached(s, until) ? call_once(s, id, payload, &far, reply, &c, until)
                                      : -ETIMEDOUT;
        /* The link broke: stored starts anew, and knows by the number what it has done already. */
        if (err == -EPIPE && s->attached)
            fiber_yield();
    } while (err == -EPIPE && clock_mono_ms() < until && !s->closing);
    list_remove(&c.node);
    fiber_cond_signal(&s->window);
    client_give(s, &far, err);
    if (err != -ETIMEDOUT && err != -EPIPE)
        give_abandoned(s, c.counter);
    return err;
}

/* ------------------------------------------------------------------ ring memory of calls */
int client_room(struct store *s, uint64_t bytes, struct region *ret)
{
    uint64_t until = clock_mono_ms() + ROOM_TIMEOUT_MS;

    if (bytes > (uint64_t)s->ring.pages * s->ring.page_bytes)
        return -EMSGSIZE;
    while (!ring_take(&s->ring, bytes, ret)) {
        uint64_t now = clock_mono_ms();
        if (now >= until || s->closing)
            return -ETIMEDOUT;
        fiber_cond_wait(&s->room, until - now);
    }
    return 0;
}

void client_give(struct store *s, struct region *g, int status)
{
    if (g->pages == 0)
        return;
    if (status == -ETIMEDOUT || status == -EPIPE) {
        /* stored may come to that request yet: these pages must not hold another message then. */
        struct abandoned *a = calloc(1, sizeof(*a));
        CHECK(a);
        a->region = *g;
        a->counter = s->counter;
        list_append(&s->abandoned, &a->node);
        *g = (struct region){0, 0};
        return;
    }
    ring_give(&s->ring, g);
    fiber_cond_broadcast(&s->room);
}

/* ------------------------------------------------------------------ what stored tells */
static void file_add(struct store *s, uint32_t number, int take_fd)
{
    size_t i = s->file_count;

    while (i > 0 && s->files[i - 1].number >= number)
        i--;
    if (i < s->file_count && s->files[i].number == number) {
        /* Told again after a restart; after a crash of the machine it may be another file of that
         * number. */
        client_unmap(&s->files[i]);
        close(s->files[i].fd);
        s->files[i].fd = take_fd;
        return;
    }
    s->files = realloc(s->files, (s->file_count + 1) * sizeof(*s->files));
    CHECK(s->files);
    memmove(s->files + i + 1, s->files + i, (s->file_count - i) * sizeof(*s->files));
    s->files[i] = (struct log_view){number, take_fd, NULL};
    s->file_count++;
}

static void on_files(void *arg, struct msg *m)
{
    struct store *s = arg;
    struct rd r = rd_of(m->body);

    for (unsigned i = 0; i < m->fd_count; i++) {
        uint32_t number = rd_u32(&r);
        if (r.bad || m->fds[i] < 0)
            return;
        file_add(s, number, m->fds[i]);
        m->fds[i] = -1;
    }
}

void client_files_expire(struct store *s, uint64_t now_ms)
{
    size_t keep = 0;

    for (size_t i = 0; i < s->gone_count; i++) {
        if (s->gone[i].until_ms > now_ms)
            s->gone[keep++] = s->gone[i];
        else
            file_close(s, s->gone[i].number);
    }
    s->gone_count = keep;
    if (keep == 0) {
        timer_free(s->gone_timer);
        s->gone_timer = NULL;
    }
}

static void on_gone_timer(void *arg)
{
    client_files_expire(arg, clock_mono_ms());
}

static void on_files_gone(void *arg, struct msg *m)
{
    struct store *s = arg;
    struct rd r = rd_of(m->body);

    while (r.n > 0 && !r.bad) {
        uint32_t number = rd_u32(&r);
        if (r.bad || client_file(s, number) < 0)
            continue;
        s->gone = realloc(s->gone, (s->gone_count + 1) * sizeof(*s->gone));
        CHECK(s->gone);
        s->gone[s->gone_count++] = (struct gone){number, clock_mono_ms() + FILE_GRACE_MS};
    }
    if (s->gone_count && !s->gone_timer) {
        s->gone_timer = timer_new(s->loop, on_gone_timer, s);
        timer_repeat(s->gone_timer, FILE_GRACE_MS / 10);
    }
}

static void on_changed(void *arg, struct msg *m)
{
    struct store *s = arg;
    struct rd r = rd_of(m->body);

    while (r.n > 0 && !r.bad) {
        uint64_t mailbox = rd_u64(&r);
        if (!r.bad)
            watch_changed(s, mailbox);
    }
}

static void on_queue_due(void *arg, struct msg *m)
{
    struct store *s = arg;

    if (s->on_queue)
        s->on_queue(s->on_queue_arg);
}

void store_on_queue(struct store *s, void (*fn)(void *arg), void *arg)
{
    s->on_queue = fn;
    s->on_queue_arg = arg;
}

const struct msg_handler store_client_handlers[] = {
    {MSG_STORE_FILES,      on_files,      false},
    {MSG_STORE_FILES_GONE, on_files_gone, false},
    {MSG_STORE_CHANGED,    on_changed,    false},
    {MSG_STORE_QUEUE_DUE,  on_queue_due,  false},
    {0,                    NULL,          false},
};

bool store_message(struct store *s, struct msg *m)
{
    for (const struct msg_handler *h = store_client_handlers; h->id; h++) {
        if (h->id == m->id) {
            h->fn(s, m);
            return true;
        }
    }
    return false;
}
