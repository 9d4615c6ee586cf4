#include "base/random.h"

#include "base/check.h"

#include <errno.h>
#include <sys/random.h>

void random_bytes(void *p, size_t n)
{
    char *at = p;

    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        CHECK(got > 0);
        at += got;
        n -= (size_t)got;
    }
}

uint64_t random_u64(void)
{
    uint64_t v;

    random_bytes(&v, sizeof v);
    return v;
}

uint64_t random_below(uint64_t limit)
{
    CHECK(limit > 0);

    /* 2^64 mod limit values at the bottom would make some results likelier than others */
    uint64_t biased = (UINT64_MAX - limit + 1) % limit;
    uint64_t v;

    do {
        v = random_u64();
    } while (v < biased);
    return v % limit;
}

void random_token(struct buf *b, size_t n)
{
    static const char digits[36] = "0123456789abcdefghijklmnopqrstuvwxyz";
    unsigned char pool[64];
    size_t left = 0;
    char *at = buf_reserve(b, n);

    if (!at)
        return;
    for (size_t i = 0; i < n;) {
        if (left == 0) {
            random_bytes(pool, sizeof pool);
            left = sizeof pool;
        }
        unsigned char byte = pool[--left];
        if (byte < 252) /* 7 * 36: no bias */
            at[i++] = digits[byte % 36];
    }
    buf_commit(b, n);
    secret_wipe(pool, sizeof pool);
}

bool secret_eq(const void *a, const void *b, size_t n)
{
    const volatile unsigned char *x = a, *y = b;
    unsigned char diff = 0;

    for (size_t i = 0; i < n; i++)
        diff |= x[i] ^ y[i];
    return diff == 0;
}

void secret_wipe(void *p, size_t n)
{
    if (n)
        explicit_bzero(p, n);
}
