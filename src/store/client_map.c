/*
 * The bytes of messages: log files seen through memory.
 *
 * A row of the index leads only to what is durable, nothing durable is ever cut off a log file, and
 * a file that is removed stays whole for those who have it open: so what a row leads to can be
 * mapped, and reading a summary costs no system call. What remains is a disk that cannot be read,
 * which a mapping tells by SIGBUS where pread says EIO. Then a page of zeros takes the place of the
 * one that cannot be had, the file is not looked at through memory any more, and pread says what is
 * wrong. Long pieces are read by pread at once: there the call is what costs least, and pages that
 * are looked at once need not be in our tables.
 */
#include "store/client.h"

#include "base/check.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { PAGE_BYTES = 4096, MAP_READ_MAX = 32 << 10 };

struct mapping {
    struct mapping *next;
    char *p;
    size_t n;
    volatile sig_atomic_t broken;
};
/* Of the process: a signal knows no store. It comes while one of these is read, never while the
 * list is changed. */
static struct mapping *mappings;

static void on_bus(int signo, siginfo_t *info, void *context)
{
    char *at = info->si_addr;

    for (struct mapping *m = mappings; m; m = m->next) {
        if (at < m->p || at >= m->p + m->n)
            continue;
        m->broken = 1;
        at -= (uintptr_t)at % PAGE_BYTES;
        if (mmap(at, PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
            MAP_FAILED)
            break;
        return;
    }
    signal(signo, SIG_DFL); /* it comes again, and ends us */
}

static void watch_for_bus(void)
{
    static bool done;
    struct sigaction a = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};

    if (done)
        return;
    done = true;
    sigemptyset(&a.sa_mask);
    CHECK(sigaction(SIGBUS, &a, NULL) == 0);
}

void client_unmap(struct log_view *f)
{
    struct mapping **at = &mappings;

    if (!f->map)
        return;
    while (*at != f->map)
        at = &(*at)->next;
    *at = f->map->next;
    munmap(f->map->p, f->map->n);
    free(f->map);
    f->map = NULL;
}

/* As far as the file goes now; a file grows when there was no room to fill it beforehand. */
static bool map_up_to(struct log_view *f, uint64_t end)
{
    struct stat st;

    if (f->map && f->map->broken)
        return false;
    if (f->map && end <= f->map->n)
        return true;
    if (fstat(f->fd, &st) < 0 || (uint64_t)st.st_size < end)
        return false;
    client_unmap(f);
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, f->fd, 0);
    if (p == MAP_FAILED)
        return false;
    watch_for_bus();
    f->map = malloc(sizeof(*f->map));
    CHECK(f->map);
    *f->map = (struct mapping){mappings, p, (size_t)st.st_size, 0};
    mappings = f->map;
    return true;
}

static struct log_view *view_of(struct store *s, uint32_t number)
{
    size_t lo = 0, hi = s->file_count;

    if (s->file_last < hi && s->files[s->file_last].number == number)
        return &s->files[s->file_last];
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (s->files[mid].number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == s->file_count || s->files[lo].number != number)
        return NULL;
    s->file_last = lo;
    return &s->files[lo];
}

int client_file(struct store *s, uint32_t number)
{
    const struct log_view *f = view_of(s, number);
    return f ? f->fd : -1;
}

/* ------------------------------------------------------------------ blobs */
static int read_at(int fd, struct iovec *v, int count, uint64_t at)
{
    while (count > 0) {
        ssize_t got = preadv(fd, v, count, (off_t)at);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (got == 0)
            return -EBADMSG;
        at += (uint64_t)got;
        while (count > 0 && (size_t)got >= v->iov_len) {
            got -= (ssize_t)v->iov_len;
            v++;
            count--;
        }
        if (count > 0) {
            v->iov_base = (char *)v->iov_base + got;
            v->iov_len -= (size_t)got;
        }
    }
    return 0;
}

static bool proved(const struct blob_head *h, const char *p, size_t n)
{
    return h->bytes == n && h->sum == XXH3_64bits(p, n);
}

/*
 * Bytes [at, at + n) of a log file to `to`. whole: they are a blob, and are proved by the head in
 * front of it.
 */
static int read_bytes(struct log_view *f, uint64_t at, size_t n, bool whole, char *to)
{
    struct blob_head h;
    uint64_t from = whole ? at - sizeof(h) : at;

    if (whole && at < sizeof(h))
        return -EBADMSG;
    if (n <= MAP_READ_MAX && map_up_to(f, at + n)) {
        memcpy(to, f->map->p + at, n);
        if (whole)
            memcpy(&h, f->map->p + from, sizeof(h));
        if (!f->map->broken && (!whole || proved(&h, to, n)))
            return 0;
    }
    struct iovec v[2] = {
        {&h, sizeof(h)},
        {to, n        }
    };
    int err = read_at(f->fd, whole ? v : v + 1, whole ? 2 : 1, from);
    return !err && whole && !proved(&h, to, n) ? -EBADMSG : err;
}

/*
 * Compaction may have moved the bytes since the caller's snapshot, and the file they lay in is
 * closed when its grace is over. The message itself is the same, by the id of its body; `room` gets
 * where it lies now.
 */
static const struct message_info *where_now(struct store *s, const struct message_info *m,
                                            struct message_info *room)
{
    struct store_read r = {.store = s, .txn = s->txn};
    bool own = !s->reading;

    if (view_of(s, m->body_file) &&
        (m->summary_bytes == 0 || m->summary_file == m->body_file || view_of(s, m->summary_file)) &&
        (m->prefix_bytes == 0 || m->prefix_file == m->body_file || view_of(s, m->prefix_file)))
        return m;
    if (own && store_read_begin(s, &r) != 0)
        return m;
    int err = store_message_get(&r, m->mailbox, m->uid, room);
    if (own)
        store_read_end(&r);
    return err || room->body != m->body || room->size != m->size ? m : room;
}

/* ------------------------------------------------------------------ summaries */
static int summary_at(struct store *s, const struct message_info *m, char *to, struct summary *ret)
{
    struct log_view *f = view_of(s, m->summary_file);

    if (!f || read_bytes(f, m->summary_at, m->summary_bytes, true, to) != 0)
        return -EIO;
    return summary_open(span_of(to, m->summary_bytes), ret) ? 0 : -EIO;
}

int store_summary(struct store *s, const struct message_info *m, struct arena *a,
                  struct summary *ret)
{
    struct message_info room;
    m = where_now(s, m, &room);
    if (m->summary_bytes == 0)
        return -ENOENT;
    char *p = arena_try(a, m->summary_bytes);
    return p ? summary_at(s, m, p, ret) : -EIO;
}

int store_summary_read(struct store *s, const struct message_info *m, struct buf *out,
                       struct summary *ret)
{
    struct message_info room;
    m = where_now(s, m, &room);
    if (m->summary_bytes == 0)
        return -ENOENT;
    buf_clear(out);
    char *p = buf_reserve(out, m->summary_bytes);
    int err = p ? summary_at(s, m, p, ret) : -EIO;
    if (!err)
        buf_commit(out, m->summary_bytes);
    return err;
}

void store_summary_ahead(struct store *s, const struct message_info *m)
{
    enum { LINE = 64, LINES_MAX = 24 };
    struct log_view *f = view_of(s, m->summary_file);
    uint64_t at = m->summary_at - sizeof(struct blob_head), end = m->summary_at + m->summary_bytes;

    if (!f || !f->map || f->map->broken || end > f->map->n || at > end)
        return;
    for (unsigned i = 0; at < end && i < LINES_MAX; at += LINE, i++)
        __builtin_prefetch(f->map->p + at);
}

/* ------------------------------------------------------------------ messages */
static int read_part(struct store *s, uint32_t file, uint64_t at, uint64_t n, bool whole,
                     struct buf *out)
{
    struct log_view *f = view_of(s, file);

    if (!f)
        return -EIO;
    char *to = buf_reserve(out, (size_t)n);
    if (!to)
        return -EMSGSIZE;
    int err = read_bytes(f, at, (size_t)n, whole, to);
    if (!err)
        buf_commit(out, (size_t)n);
    return err;
}

int store_message_read(struct store *s, const struct message_info *m, uint64_t offset, size_t n,
                       struct buf *out)
{
    uint64_t end = offset + n < offset || offset + n > m->size ? m->size : offset + n;
    struct message_info room;
    int err = 0;

    if (offset >= end)
        return 0;
    m = where_now(s, m, &room);
    if (offset < m->prefix_bytes) {
        uint64_t stop = end < m->prefix_bytes ? end : m->prefix_bytes;
        err = read_part(s, m->prefix_file, m->prefix_at + offset, stop - offset,
                        offset == 0 && stop == m->prefix_bytes, out);
        offset = stop;
    }
    if (!err && offset < end)
        err = read_part(s, m->body_file, m->body_at + (offset - m->prefix_bytes), end - offset,
                        offset == m->prefix_bytes && end == m->size, out);
    return err;
}

int store_message_read_all(struct store *s, const struct message_info *m, struct buf *out)
{
    struct message_info room;
    int err = 0;

    m = where_now(s, m, &room);
    if (m->prefix_bytes)
        err = read_part(s, m->prefix_file, m->prefix_at, m->prefix_bytes, true, out);
    return err ? err : read_part(s, m->body_file, m->body_at, m->body_bytes, true, out);
}
