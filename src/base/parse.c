#include "base/parse.h"

bool parse_char(struct span *c, char want)
{
    if (c->n == 0 || c->p[0] != want)
        return false;
    *c = span_skip(*c, 1);
    return true;
}

bool parse_lit(struct span *c, const char *want)
{
    struct span w = span_cstr(want);

    if (!span_starts(*c, w))
        return false;
    *c = span_skip(*c, w.n);
    return true;
}

bool parse_lit_nocase(struct span *c, const char *want)
{
    struct span w = span_cstr(want);

    if (!span_starts_nocase(*c, w))
        return false;
    *c = span_skip(*c, w.n);
    return true;
}

bool parse_until(struct span *c, char stop, size_t max, struct span *ret)
{
    size_t at = span_find(max < c->n ? span_head(*c, max + 1) : *c, stop);

    if (at == SPAN_NONE)
        return false;
    *ret = span_head(*c, at);
    *c = span_skip(*c, at);
    return true;
}

bool parse_while(struct span *c, bool (*is)(unsigned char), size_t min, size_t max,
                 struct span *ret)
{
    size_t n = 0;

    while (n < c->n && is((unsigned char)c->p[n]))
        if (++n > max)
            return false;
    if (n < min)
        return false;
    *ret = span_head(*c, n);
    *c = span_skip(*c, n);
    return true;
}

static size_t count_blanks(struct span s)
{
    size_t n = 0;

    while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
        n++;
    return n;
}

size_t parse_blanks(struct span *c)
{
    size_t n = count_blanks(*c);

    *c = span_skip(*c, n);
    return n;
}

bool parse_u64(struct span *c, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    size_t n = 0;

    for (; n < c->n && ascii_is_digit(c->p[n]); n++) {
        unsigned d = (unsigned char)c->p[n] - (unsigned)'0';
        if (d > max || v > (max - d) / 10)
            return false;
        v = v * 10 + d;
    }
    if (n == 0)
        return false;
    *ret = v;
    *c = span_skip(*c, n);
    return true;
}

bool parse_u32(struct span *c, uint32_t max, uint32_t *ret)
{
    uint64_t v;

    if (!parse_u64(c, max, &v))
        return false;
    *ret = (uint32_t)v;
    return true;
}

bool parse_fixed_digits(struct span *c, unsigned digits, unsigned *ret)
{
    uint64_t v;

    if (c->n < digits || !span_to_u64(span_head(*c, digits), UINT32_MAX, &v))
        return false;
    if (c->n > digits && ascii_is_digit(c->p[digits]))
        return false;
    *ret = (unsigned)v;
    *c = span_skip(*c, digits);
    return true;
}

bool parse_end(const struct span *c)
{
    return c->n == 0;
}

bool parse_word(struct span *c, size_t max, struct span *ret)
{
    struct span at = span_skip(*c, count_blanks(*c));
    size_t n = 0;

    while (n < at.n && at.p[n] != ' ' && at.p[n] != '\t')
        if (++n > max)
            return false;
    if (n == 0)
        return false;
    *ret = span_head(at, n);
    *c = span_skip(at, n);
    return true;
}
