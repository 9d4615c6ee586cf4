#include "ipc/feed.h"

#include "base/check.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, MAGIC = 0x53504631, LENGTH = 4 };
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* The first page. Each side writes its own cache line only. */
struct counters {
    uint32_t magic;
    char pad0[60];
    uint64_t head, dropped, dropped_bytes; /* the writer's */
    char pad1[40];
    uint64_t tail; /* the reader's */
};
_Static_assert(sizeof(struct counters) == 136, "two sides, two cache lines");

struct feed {
    int fd;
    struct counters *shared;
    unsigned char *ring;
    size_t bytes;
    uint64_t at; /* writer: head; reader: tail. What the other side may see of it is a copy */
    uint64_t dropped, dropped_bytes;
};

static size_t padded(size_t n)
{
    return (LENGTH + n + 7) & ~(size_t)7;
}

static int map(int fd, size_t bytes, struct feed **ret, struct err *e)
{
    void *p = mmap(NULL, PAGE + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct feed *f;

    if (p == MAP_FAILED)
        return err_set(e, -errno, "shared memory: %s", strerror(errno));
    f = calloc(1, sizeof *f);
    CHECK(f != NULL);
    f->fd = fd;
    f->shared = p;
    f->ring = (unsigned char *)p + PAGE;
    f->bytes = bytes;
    *ret = f;
    return 0;
}

int feed_make(size_t bytes, struct feed **ret, struct err *e)
{
    FD_AUTO fd = memfd_create("feed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r;

    CHECK(bytes >= FEED_BYTES_MIN && bytes <= FEED_BYTES_MAX && (bytes & (bytes - 1)) == 0);
    if (fd < 0 || ftruncate(fd, (off_t)(PAGE + bytes)) != 0 || fcntl(fd, F_ADD_SEALS, SEALS) != 0)
        return err_set(e, -errno, "shared memory: %s", strerror(errno));
    if ((r = map(fd, bytes, ret, e)) != 0)
        return r;
    (*ret)->shared->magic = MAGIC;
    fd = -1;
    return 0;
}

int feed_join(int take_fd, struct feed **ret, struct err *e)
{
    FD_AUTO fd = take_fd;
    struct stat st;
    int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS), r;
    size_t bytes;

    /* what can be cut short under us ends us */
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) != 0)
        return err_set(e, -EINVAL, "the memory is not sealed against resizing");
    bytes = st.st_size > PAGE ? (size_t)st.st_size - PAGE : 0;
    if (bytes < FEED_BYTES_MIN || bytes > FEED_BYTES_MAX || (bytes & (bytes - 1)) != 0)
        return err_set(e, -EINVAL, "the memory has no size that a feed can have");
    if ((r = map(fd, bytes, ret, e)) != 0)
        return r;
    fd = -1;
    if ((*ret)->shared->magic != MAGIC) {
        feed_free(*ret);
        return err_set(e, -EINVAL, "the memory is no feed");
    }
    (*ret)->at = __atomic_load_n(&(*ret)->shared->head, __ATOMIC_ACQUIRE);
    return 0;
}

void feed_free(struct feed *f)
{
    if (f == NULL)
        return;
    munmap(f->shared, PAGE + f->bytes);
    fd_close(&f->fd);
    free(f);
}

int feed_fd(const struct feed *f)
{
    return f->fd;
}

/* ---- the writer -------------------------------------------------------------------------- */

static void copy_in(struct feed *f, uint64_t at, const void *p, size_t n)
{
    size_t place = (size_t)(at & (f->bytes - 1)), first = f->bytes - place;

    if (n == 0)
        return;
    if (first > n)
        first = n;
    memcpy(f->ring + place, p, first);
    memcpy(f->ring, (const char *)p + first, n - first);
}

static bool drop(struct feed *f, size_t n)
{
    __atomic_store_n(&f->shared->dropped, ++f->dropped, __ATOMIC_RELAXED);
    __atomic_store_n(&f->shared->dropped_bytes, f->dropped_bytes += n, __ATOMIC_RELAXED);
    return false;
}

bool feed_put(struct feed *f, struct span head, struct span rest)
{
    uint64_t tail = __atomic_load_n(&f->shared->tail, __ATOMIC_ACQUIRE), used = f->at - tail;
    uint32_t n = (uint32_t)(head.n + rest.n);

    CHECK(n > 0 && head.n + rest.n <= FEED_RECORD_MAX);
    if (used > f->bytes || f->bytes - used < padded(n))
        return drop(f, n);
    copy_in(f, f->at, &n, LENGTH);
    copy_in(f, f->at + LENGTH, head.p, head.n);
    copy_in(f, f->at + LENGTH + head.n, rest.p, rest.n);
    f->at += padded(n);
    __atomic_store_n(&f->shared->head, f->at, __ATOMIC_RELEASE);
    return true;
}

/* ---- the reader -------------------------------------------------------------------------- */

static void copy_out(const struct feed *f, uint64_t at, void *p, size_t n)
{
    size_t place = (size_t)(at & (f->bytes - 1)), first = f->bytes - place;

    if (first > n)
        first = n;
    memcpy(p, f->ring + place, first);
    memcpy((char *)p + first, f->ring, n - first);
}

int feed_get(struct feed *f, void *room)
{
    uint64_t there = __atomic_load_n(&f->shared->head, __ATOMIC_ACQUIRE) - f->at;
    uint32_t n; /* read once: it may change under us */

    if (there == 0)
        return 0;
    if (there > f->bytes || there < LENGTH)
        return -EBADMSG;
    copy_out(f, f->at, &n, LENGTH);
    if (n == 0 || n > FEED_RECORD_MAX || padded(n) > there)
        return -EBADMSG;
    copy_out(f, f->at + LENGTH, room, n);
    f->at += padded(n);
    __atomic_store_n(&f->shared->tail, f->at, __ATOMIC_RELEASE);
    return (int)n;
}

void feed_dropped(const struct feed *f, uint64_t *ret_records, uint64_t *ret_bytes)
{
    *ret_records = __atomic_load_n(&f->shared->dropped, __ATOMIC_RELAXED);
    *ret_bytes = __atomic_load_n(&f->shared->dropped_bytes, __ATOMIC_RELAXED);
}
