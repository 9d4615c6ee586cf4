#include "ipc/tally.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUCKETS = 16384, HASHES = 2 };

struct row {
    _Atomic uint16_t count[HASHES][BUCKETS];
};

/* What lies in the memory. */
struct shared {
    uint64_t secret[2]; /* strangers choose the keys: they must not know which meet in a bucket */
    struct row rows[];
};

struct tally {
    struct shared *shared;
    size_t bytes;
    unsigned member, members;
    uint64_t secret[2];
    uint16_t own[HASHES][BUCKETS]; /* what our row says, whoever writes into it */
};

static size_t bytes_of(unsigned members)
{
    return sizeof(struct shared) + members * sizeof(struct row);
}

int tally_make(unsigned members)
{
    uint64_t secret[2];
    FD_AUTO fd = memfd_create("tally", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -errno;
    random_bytes(secret, sizeof secret);
    if (members == 0 || members > TALLY_MEMBERS_MAX)
        return -EINVAL;
    if (ftruncate(fd, (off_t)bytes_of(members)) != 0 ||
        pwrite(fd, secret, sizeof secret, 0) != (ssize_t)sizeof secret ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return -errno;
    return fd_steal(&fd);
}

struct tally *tally_join(int take_fd, unsigned member, unsigned members)
{
    FD_AUTO fd = take_fd;
    struct tally *t;
    struct stat st;
    void *p;
    int seals = fcntl(fd, F_GET_SEALS);

    /* a memory that may shrink is a signal for who reads behind its end */
    if (members == 0 || members > TALLY_MEMBERS_MAX || member >= members || seals < 0 ||
        (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &st) != 0 ||
        st.st_size != (off_t)bytes_of(members))
        return NULL;
    p = mmap(NULL, bytes_of(members), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return NULL;
    t = calloc(1, sizeof *t);
    CHECK(t != NULL);
    t->shared = p;
    t->bytes = bytes_of(members);
    t->member = member;
    t->members = members;
    memcpy(t->secret, t->shared->secret, sizeof t->secret);
    for (unsigned i = 0; i < HASHES; i++) /* of a predecessor; only what is not 0 is touched */
        for (unsigned k = 0; k < BUCKETS; k++)
            if (atomic_load(&t->shared->rows[member].count[i][k]) != 0)
                atomic_store(&t->shared->rows[member].count[i][k], 0);
    return t;
}

void tally_free(struct tally *t)
{
    if (t == NULL)
        return;
    munmap(t->shared, t->bytes);
    free(t);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 r = (unsigned __int128)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

static void buckets_of(const struct tally *t, const struct in6_addr *key, unsigned ret[HASHES])
{
    uint64_t half[2], h;

    memcpy(half, key, sizeof half);
    h = mix(half[0] ^ t->secret[0], half[1] ^ t->secret[1]);
    h = mix(h ^ t->secret[1], t->secret[0] | 1);
    ret[0] = h % BUCKETS;
    ret[1] = (h >> 32) % BUCKETS;
}

static void change(struct tally *t, const struct in6_addr *key, int by)
{
    unsigned at[HASHES];

    buckets_of(t, key, at);
    for (unsigned i = 0; i < HASHES; i++) {
        uint16_t *own = &t->own[i][at[i]];
        CHECK(by > 0 || *own > 0);
        if (by < 0 || *own < UINT16_MAX / 2) /* no process has so many descriptors */
            *own = (uint16_t)(*own + by);
        atomic_store_explicit(&t->shared->rows[t->member].count[i][at[i]], *own,
                              memory_order_relaxed);
    }
}

void tally_add(struct tally *t, const struct in6_addr *key)
{
    change(t, key, 1);
}

void tally_remove(struct tally *t, const struct in6_addr *key)
{
    change(t, key, -1);
}

unsigned tally_others(const struct tally *t, const struct in6_addr *key)
{
    unsigned at[HASHES], sum = 0;

    buckets_of(t, key, at);
    for (unsigned m = 0; m < t->members; m++) {
        unsigned least = UINT16_MAX;
        for (unsigned i = 0; i < HASHES && m != t->member; i++) {
            unsigned n =
                atomic_load_explicit(&t->shared->rows[m].count[i][at[i]], memory_order_relaxed);
            least = n < least ? n : least;
        }
        sum += m == t->member ? 0 : least;
    }
    return sum;
}
