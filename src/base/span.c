#include "base/span.h"

#include "base/check.h"

#include <stdlib.h>

bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static bool eq_nocase(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ascii_lower(a[i]) != ascii_lower(b[i]))
            return false;
    return true;
}

bool span_eq_nocase(struct span a, struct span b)
{
    return a.n == b.n && eq_nocase(a.p, b.p, a.n);
}

bool span_eq_cstr(struct span a, const char *b)
{
    return span_eq(a, span_cstr(b));
}

bool span_is(struct span a, const char *b)
{
    return span_eq_nocase(a, span_cstr(b));
}

static int by_length(struct span a, struct span b)
{
    return (a.n > b.n) - (a.n < b.n);
}

int span_cmp(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;

    return c ? c : by_length(a, b);
}

int span_cmp_nocase(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;

    for (size_t i = 0; i < n; i++) {
        int c = (unsigned char)ascii_lower(a.p[i]) - (unsigned char)ascii_lower(b.p[i]);
        if (c)
            return c;
    }
    return by_length(a, b);
}

bool span_starts(struct span s, struct span prefix)
{
    return s.n >= prefix.n && span_eq(span_head(s, prefix.n), prefix);
}

bool span_starts_nocase(struct span s, struct span prefix)
{
    return s.n >= prefix.n && eq_nocase(s.p, prefix.p, prefix.n);
}

bool span_ends_nocase(struct span s, struct span suffix)
{
    return s.n >= suffix.n && span_eq_nocase(span_skip(s, s.n - suffix.n), suffix);
}

size_t span_find(struct span s, char c)
{
    const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;

    return hit ? (size_t)(hit - s.p) : SPAN_NONE;
}

size_t span_rfind(struct span s, char c)
{
    const char *hit = s.n ? memrchr(s.p, c, s.n) : NULL;

    return hit ? (size_t)(hit - s.p) : SPAN_NONE;
}

size_t span_find_span(struct span s, struct span needle)
{
    if (needle.n == 0)
        return 0;
    if (s.n < needle.n)
        return SPAN_NONE;

    const char *hit = memmem(s.p, s.n, needle.p, needle.n);
    return hit ? (size_t)(hit - s.p) : SPAN_NONE;
}

bool span_has(struct span s, char c)
{
    return span_find(s, c) != SPAN_NONE;
}

struct span span_skip(struct span s, size_t n)
{
    if (n > s.n)
        n = s.n;
    return n ? (struct span){s.p + n, s.n - n} : s;
}

struct span span_head(struct span s, size_t n)
{
    return (struct span){s.p, n < s.n ? n : s.n};
}

struct span span_sub(struct span s, size_t from, size_t n)
{
    return span_head(span_skip(s, from), n);
}

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
    while (s.n && is_white(s.p[s.n - 1]))
        s.n--;
    while (s.n && is_white(s.p[0])) {
        s.p++;
        s.n--;
    }
    return s;
}

struct span span_chomp(struct span s)
{
    if (s.n && s.p[s.n - 1] == '\n') {
        s.n--;
        if (s.n && s.p[s.n - 1] == '\r')
            s.n--;
    }
    return s;
}

bool span_to_u64(struct span s, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = (unsigned char)s.p[i] - (unsigned)'0';
        if (d > 9 || v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    if (v > max)
        return false;
    *ret = v;
    return true;
}

bool span_to_cstr(struct span s, char *dst, size_t size)
{
    CHECK(size > 0);
    dst[0] = '\0';
    if (s.n >= size || span_has(s, '\0'))
        return false;
    if (s.n)
        memcpy(dst, s.p, s.n);
    dst[s.n] = '\0';
    return true;
}

char *span_dup(struct span s)
{
    char *copy = malloc(s.n + 1);

    CHECK(copy);
    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}

bool span_split(struct span *s, char sep, struct span *ret_head)
{
    if (s->n == 0)
        return false;

    size_t at = span_find(*s, sep);
    if (at == SPAN_NONE) {
        *ret_head = *s;
        *s = span_skip(*s, s->n);
    } else {
        *ret_head = span_head(*s, at);
        *s = span_skip(*s, at + 1);
    }
    return true;
}
