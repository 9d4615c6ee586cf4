#include "base/codec.h"

#include "base/check.h"

/* Byte by byte, so that the order is the same on every machine; compilers make one store of it. */
static void wr_le(struct buf *b, uint64_t v, size_t bytes)
{
    unsigned char raw[8];

    for (size_t i = 0; i < bytes; i++)
        raw[i] = (unsigned char)(v >> (8 * i));
    buf_put(b, raw, bytes);
}

void wr_u8(struct buf *b, uint8_t v)
{
    wr_le(b, v, 1);
}

void wr_u16(struct buf *b, uint16_t v)
{
    wr_le(b, v, 2);
}

void wr_u32(struct buf *b, uint32_t v)
{
    wr_le(b, v, 4);
}

void wr_u64(struct buf *b, uint64_t v)
{
    wr_le(b, v, 8);
}

void wr_i64(struct buf *b, int64_t v)
{
    wr_le(b, (uint64_t)v, 8);
}

void wr_bool(struct buf *b, bool v)
{
    wr_le(b, v, 1);
}

void wr_varint(struct buf *b, uint64_t v)
{
    unsigned char raw[10];
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        raw[n++] = (unsigned char)(v | 0x80);
    raw[n++] = (unsigned char)v;
    buf_put(b, raw, n);
}

void wr_span(struct buf *b, struct span s)
{
    CHECK(s.n <= UINT32_MAX);
    /* Both or neither: a length without its bytes would look like a shorter record. */
    char *at = buf_reserve(b, 4 + s.n);
    if (!at)
        return;
    wr_u32(b, (uint32_t)s.n);
    buf_put_span(b, s);
}

void wr_cstr(struct buf *b, const char *s)
{
    wr_span(b, span_cstr(s));
}

void wr_raw(struct buf *b, const void *p, size_t n)
{
    buf_put(b, p, n);
}

struct rd rd_of(struct span s)
{
    return (struct rd){(const unsigned char *)s.p, s.n, false};
}

void rd_fail(struct rd *r)
{
    r->bad = true;
    r->n = 0;
}

/* The next n bytes, or NULL and the sticky error. */
static const unsigned char *take(struct rd *r, size_t n)
{
    if (r->bad || n > r->n) {
        rd_fail(r);
        return NULL;
    }

    const unsigned char *p = r->p;
    if (n) {
        r->p += n;
        r->n -= n;
    }
    return p;
}

static uint64_t rd_le(struct rd *r, size_t bytes)
{
    const unsigned char *p = take(r, bytes);
    uint64_t v = 0;

    if (!p)
        return 0;
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint8_t rd_u8(struct rd *r)
{
    return (uint8_t)rd_le(r, 1);
}

uint16_t rd_u16(struct rd *r)
{
    return (uint16_t)rd_le(r, 2);
}

uint32_t rd_u32(struct rd *r)
{
    return (uint32_t)rd_le(r, 4);
}

uint64_t rd_u64(struct rd *r)
{
    return rd_le(r, 8);
}

int64_t rd_i64(struct rd *r)
{
    return (int64_t)rd_le(r, 8);
}

bool rd_bool(struct rd *r)
{
    uint8_t v = rd_u8(r);

    if (v > 1)
        rd_fail(r);
    return v == 1;
}

uint64_t rd_varint(struct rd *r)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        const unsigned char *p = take(r, 1);
        if (!p)
            return 0;
        uint64_t part = *p & 0x7f;
        if (shift == 63 && part > 1)
            break;
        v |= part << shift;
        if (*p < 0x80) {
            /* one encoding for one value: no zero group at the end */
            if (part == 0 && shift)
                break;
            return v;
        }
    }
    rd_fail(r);
    return 0;
}

struct span rd_raw(struct rd *r, size_t n)
{
    const unsigned char *p = take(r, n);

    return p && n ? span_of(p, n) : SPAN_EMPTY;
}

struct span rd_span(struct rd *r, size_t max)
{
    size_t n = rd_u32(r);

    if (n > max)
        rd_fail(r);
    return r->bad ? SPAN_EMPTY : rd_raw(r, n);
}

void rd_cstr(struct rd *r, char *dst, size_t size)
{
    CHECK(size > 0);
    if (!span_to_cstr(rd_span(r, size - 1), dst, size))
        rd_fail(r);
}

bool rd_done(const struct rd *r)
{
    return !r->bad && r->n == 0;
}
