#include "base/utf8.h"

/*
 * Modified UTF-7. One name has exactly one encoding: what could be written otherwise (printable
 * ASCII inside a shift, two shifts side by side, bits left over) is refused, or two spellings would
 * name one mailbox.
 */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int digit_value(char c)
{
    const char *hit = c ? memchr(digits, c, 64) : NULL;

    return hit ? (int)(hit - digits) : -1;
}

static bool is_plain(uint32_t c)
{
    return c >= 0x20 && c <= 0x7e;
}

/* One UTF-16 unit behind the other; *high is a surrogate waiting for its partner, 0 if there is
 * none. */
static bool put_unit(struct buf *b, uint32_t unit, uint32_t *high)
{
    bool is_high = unit >= 0xd800 && unit <= 0xdbff, is_low = unit >= 0xdc00 && unit <= 0xdfff;

    if ((*high != 0) != is_low)
        return false;
    if (is_high) {
        *high = unit;
        return true;
    }
    if (is_low) {
        unit = 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00);
        *high = 0;
    }
    return unit != 0 && !is_plain(unit) && utf8_put(b, unit);
}

/* What stands between '&' and '-', not empty. */
static bool decode_shift(struct buf *b, struct span s)
{
    uint32_t bits = 0, high = 0;
    unsigned have = 0;

    for (size_t i = 0; i < s.n; i++) {
        int v = digit_value(s.p[i]);
        if (v < 0)
            return false;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 16) {
            have -= 16;
            if (!put_unit(b, bits >> have & 0xffff, &high))
                return false;
        }
    }
    return have < 6 && (bits & ((1u << have) - 1)) == 0 && high == 0;
}

static bool decode(struct buf *b, struct span s)
{
    bool after_shift = false;

    while (s.n) {
        if (s.p[0] != '&') {
            if (!is_plain((unsigned char)s.p[0]) || !buf_putc(b, s.p[0]))
                return false;
            s = span_skip(s, 1);
            after_shift = false;
            continue;
        }

        struct span inside;
        s = span_skip(s, 1);
        size_t end = span_find(s, '-');
        if (end == SPAN_NONE)
            return false;
        inside = span_head(s, end);
        s = span_skip(s, end + 1);
        if (inside.n == 0) {
            if (!buf_putc(b, '&'))
                return false;
            after_shift = false;
        } else {
            if (after_shift || !decode_shift(b, inside))
                return false;
            after_shift = true;
        }
    }
    return true;
}

bool utf7_imap_decode(struct buf *b, struct span s)
{
    size_t start = b->n;

    if (decode(b, s))
        return true;
    buf_truncate(b, start);
    return false;
}

struct shift {
    struct buf *out;
    uint32_t bits;
    unsigned have;
    bool open;
};

static void shift_unit(struct shift *t, uint32_t unit)
{
    if (!t->open) {
        buf_putc(t->out, '&');
        t->open = true;
    }
    t->bits = t->bits << 16 | unit;
    t->have += 16;
    while (t->have >= 6) {
        t->have -= 6;
        buf_putc(t->out, digits[t->bits >> t->have & 63]);
    }
    t->bits &= (1u << t->have) - 1;
}

static void shift_end(struct shift *t)
{
    if (!t->open)
        return;
    if (t->have)
        buf_putc(t->out, digits[t->bits << (6 - t->have) & 63]);
    buf_putc(t->out, '-');
    *t = (struct shift){.out = t->out};
}

bool utf7_imap_encode(struct buf *b, struct span utf8)
{
    size_t start = b->n;
    struct shift t = {.out = b};
    uint32_t c;

    if (!utf8_valid(utf8) || span_has(utf8, '\0'))
        return false;
    while (utf8_next(&utf8, &c)) {
        if (is_plain(c)) {
            shift_end(&t);
            buf_put_cstr(b, c == '&' ? "&-" : (char[]){(char)c, '\0'});
        } else if (c < 0x10000) {
            shift_unit(&t, c);
        } else {
            shift_unit(&t, 0xd800 + ((c - 0x10000) >> 10));
            shift_unit(&t, 0xdc00 + ((c - 0x10000) & 0x3ff));
        }
    }
    shift_end(&t);
    if (b->overflow)
        buf_truncate(b, start);
    return !b->overflow;
}
