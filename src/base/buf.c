#include "base/buf.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIRST_BYTES = 64 };

void buf_init(struct buf *b, size_t max)
{
    *b = BUF(max);
}

void buf_done(struct buf *b)
{
    if (!b)
        return;
    free(b->p);
    *b = BUF(b->max);
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->overflow = false;
}

void buf_shrink(struct buf *b)
{
    if (b->n)
        return;
    free(b->p);
    b->p = NULL;
    b->cap = 0;
}

/* Capacity for `need` bytes in all; the caller has checked the limit. */
static void grow(struct buf *b, size_t need)
{
    size_t cap = b->cap ? b->cap : FIRST_BYTES;

    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    /* One more than the limit at most: buf_cstr wants its NUL. */
    if (cap > b->max && need <= b->max)
        cap = b->max ? b->max : 1;

    char *p = realloc(b->p, cap);
    CHECK(p);
    b->p = p;
    b->cap = cap;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->overflow)
        return NULL;
    if (n > b->max || b->n > b->max - n) {
        b->overflow = true;
        return NULL;
    }
    if (b->cap - b->n < n || !b->p)
        grow(b, b->n + n);
    return b->p + b->n;
}

void buf_commit(struct buf *b, size_t n)
{
    CHECK(n <= b->cap - b->n && b->n + n <= b->max);
    b->n += n;
}

bool buf_put(struct buf *b, const void *p, size_t n)
{
    char *at = buf_reserve(b, n);

    if (!at)
        return false;
    if (n)
        memcpy(at, p, n);
    b->n += n;
    return true;
}

bool buf_put_span(struct buf *b, struct span s)
{
    return buf_put(b, s.p, s.n);
}

bool buf_put_cstr(struct buf *b, const char *s)
{
    return buf_put_span(b, span_cstr(s));
}

bool buf_putc(struct buf *b, char c)
{
    return buf_put(b, &c, 1);
}

bool buf_put_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return buf_put(b, digits + at, sizeof digits - at);
}

bool buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    if (b->overflow)
        return false;

    /* Into the room that is there already; a second pass only if it was too little. */
    va_list again;
    va_copy(again, ap);
    size_t room = b->cap - b->n;
    int n = vsnprintf(room ? b->p + b->n : NULL, room, fmt, ap);
    CHECK(n >= 0);

    bool ok = true;
    if ((size_t)n < room && b->n + (size_t)n <= b->max) {
        b->n += (size_t)n;
    } else if ((size_t)n > b->max || b->n > b->max - (size_t)n) {
        b->overflow = true;
        ok = false;
    } else {
        /* vsnprintf wants room for its NUL, which may lie one past the limit */
        grow(b, b->n + (size_t)n + 1);
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
    return ok;
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    bool ok = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return ok;
}

void buf_consume(struct buf *b, size_t n)
{
    CHECK(n <= b->n);
    b->n -= n;
    if (n && b->n)
        memmove(b->p, b->p + n, b->n);
}

void buf_truncate(struct buf *b, size_t n)
{
    if (n < b->n)
        b->n = n;
}

const char *buf_cstr(struct buf *b)
{
    if (b->cap == b->n)
        grow(b, b->n + 1);
    b->p[b->n] = '\0';
    return b->p;
}
