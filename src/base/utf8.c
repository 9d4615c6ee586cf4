#include "base/utf8.h"

#define REPLACEMENT 0xfffdu

/* Length of the run of ASCII bytes at the front, eight at a time. */
static size_t ascii_run(struct span s)
{
    size_t n = 0;

    for (; n + 8 <= s.n; n += 8) {
        uint64_t word;
        memcpy(&word, s.p + n, 8);
        if (word & 0x8080808080808080u)
            break;
    }
    while (n < s.n && (unsigned char)s.p[n] < 0x80)
        n++;
    return n;
}

/* Bytes of the valid sequence at the front (s is not empty), 0 if there is none. RFC 3629
 * section 4. */
static size_t sequence(struct span s, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)s.p;
    unsigned char lo = 0x80, hi = 0xbf; /* bounds of the second byte */
    uint32_t v;
    size_t n;

    if (p[0] < 0x80) {
        *ret = p[0];
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
        v = p[0] & 0x1f;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        v = p[0] & 0x0f;
        lo = p[0] == 0xe0 ? 0xa0 : 0x80; /* shortest form */
        hi = p[0] == 0xed ? 0x9f : 0xbf; /* no surrogates */
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        v = p[0] & 0x07;
        lo = p[0] == 0xf0 ? 0x90 : 0x80;
        hi = p[0] == 0xf4 ? 0x8f : 0xbf; /* nothing over U+10FFFF */
    } else {
        return 0;
    }
    if (s.n < n || p[1] < lo || p[1] > hi)
        return 0;
    v = v << 6 | (p[1] & 0x3f);
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3f);
    }
    *ret = v;
    return n;
}

bool utf8_valid(struct span s)
{
    for (;;) {
        s = span_skip(s, ascii_run(s));
        if (s.n == 0)
            return true;

        uint32_t v;
        size_t n = sequence(s, &v);
        if (n == 0)
            return false;
        s = span_skip(s, n);
    }
}

bool utf8_is_ascii(struct span s)
{
    return ascii_run(s) == s.n;
}

bool utf8_next(struct span *s, uint32_t *ret)
{
    uint32_t v = REPLACEMENT;

    if (s->n == 0)
        return false;
    size_t n = sequence(*s, &v);
    *s = span_skip(*s, n ? n : 1);
    *ret = v;
    return true;
}

bool utf8_put(struct buf *b, uint32_t c)
{
    char raw[4];
    size_t n;

    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        c = REPLACEMENT;
    if (c < 0x80) {
        raw[0] = (char)c;
        n = 1;
    } else if (c < 0x800) {
        raw[0] = (char)(0xc0 | c >> 6);
        n = 2;
    } else if (c < 0x10000) {
        raw[0] = (char)(0xe0 | c >> 12);
        n = 3;
    } else {
        raw[0] = (char)(0xf0 | c >> 18);
        n = 4;
    }
    for (size_t i = 1; i < n; i++)
        raw[i] = (char)(0x80 | (c >> (6 * (n - 1 - i)) & 0x3f));
    return buf_put(b, raw, n);
}

bool utf8_scrub(struct buf *b, struct span s)
{
    while (s.n) {
        size_t run = ascii_run(s), nul = span_find(span_head(s, run), '\0');
        if (nul != SPAN_NONE)
            run = nul;
        buf_put_span(b, span_head(s, run));
        s = span_skip(s, run);

        uint32_t v;
        if (utf8_next(&s, &v))
            utf8_put(b, v ? v : REPLACEMENT);
        if (b->overflow)
            return false;
    }
    return !b->overflow;
}
