/*
 * buf.h: a growing run of bytes, born with its greatest size. Going past it sets `overflow`, which stays set; nothing
 * more is added. Out of memory below the limit aborts. The buffer owns its bytes.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/span.h"
#include <stdarg.h>

struct buf {
    char *p;
    size_t n, cap, max;
    bool overflow;
};

#define BUF(max_bytes) ((struct buf){NULL, 0, 0, (max_bytes), false})

void buf_init(struct buf *b, size_t max);
void buf_done(
    struct buf *b); /* frees the bytes, leaves an empty buffer with the same limit; NULL is fine */
void buf_clear(struct buf *b);  /* empty again, keeps the memory, clears overflow */
void buf_shrink(struct buf *b); /* gives the memory back if empty */
bool buf_put(struct buf *b, const void *p, size_t n);
bool buf_put_span(struct buf *b, struct span s);
bool buf_put_cstr(struct buf *b, const char *s);
bool buf_putc(struct buf *b, char c);
bool buf_put_u64(struct buf *b, uint64_t v); /* decimal */
bool buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* Room for n more bytes at the end; NULL over the limit. What was written there counts after buf_commit. */
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);
void buf_consume(struct buf *b, size_t n);  /* drops n bytes from the front */
void buf_truncate(struct buf *b, size_t n); /* keeps the first n */
static inline struct span buf_span(const struct buf *b)
{
    return (struct span){b->p, b->n};
}
const char *
buf_cstr(struct buf *b); /* its bytes with a NUL behind them, valid until the next change */

#define BUF_AUTO __attribute__((cleanup(buf_done)))

#endif
