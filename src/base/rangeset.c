#include "base/rangeset.h"

#include "base/check.h"
#include "base/parse.h"

#include <stdlib.h>

void rangeset_done(struct rangeset *s)
{
    if (!s)
        return;
    free(s->r);
    *s = RANGESET_EMPTY;
}

void rangeset_clear(struct rangeset *s)
{
    s->n = 0;
}

static void make_room(struct rangeset *s, size_t n)
{
    if (n <= s->cap)
        return;

    size_t cap = s->cap * 2 > n ? s->cap * 2 : n;
    struct range *r = reallocarray(s->r, cap, sizeof *r);
    CHECK(r);
    s->r = r;
    s->cap = cap;
}

/* Index of the first range whose hi is at least v; n if there is none. */
static size_t first_reaching(const struct rangeset *s, uint32_t v)
{
    size_t lo = 0, hi = s->n;

    if (hi && s->r[hi - 1].hi < v)
        return hi;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->r[mid].hi < v)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Ranges [from, to) give way to `count` others (written by the caller). */
static void replace(struct rangeset *s, size_t from, size_t to, size_t count)
{
    size_t tail = s->n - to;

    make_room(s, from + count + tail);
    if (tail && to != from + count)
        memmove(s->r + from + count, s->r + to, tail * sizeof *s->r);
    s->n = from + count + tail;
}

void rangeset_add(struct rangeset *s, uint32_t lo, uint32_t hi)
{
    if (lo == 0)
        lo = 1;
    if (lo > hi)
        return;

    /* lo - 1 >= 0 and touching neighbours melt into the new range */
    size_t from = first_reaching(s, lo - 1), to = from;
    while (to < s->n && s->r[to].lo - 1 <= hi) {
        if (s->r[to].lo < lo)
            lo = s->r[to].lo;
        if (s->r[to].hi > hi)
            hi = s->r[to].hi;
        to++;
    }
    replace(s, from, to, 1);
    s->r[from] = (struct range){lo, hi};
}

void rangeset_remove(struct rangeset *s, uint32_t lo, uint32_t hi)
{
    if (lo == 0)
        lo = 1;
    if (lo > hi)
        return;

    struct range keep[2];
    size_t count = 0, from = first_reaching(s, lo), to = from;
    for (; to < s->n && s->r[to].lo <= hi; to++) {
        if (s->r[to].lo < lo)
            keep[count++] = (struct range){s->r[to].lo, lo - 1};
        if (s->r[to].hi > hi)
            keep[count++] = (struct range){hi + 1, s->r[to].hi};
    }
    if (from == to)
        return;
    replace(s, from, to, count);
    memcpy(s->r + from, keep, count * sizeof *keep);
}

bool rangeset_has(const struct rangeset *s, uint32_t v)
{
    size_t i = first_reaching(s, v);

    return i < s->n && s->r[i].lo <= v;
}

static uint64_t range_count(struct range r)
{
    return (uint64_t)r.hi - r.lo + 1;
}

uint64_t rangeset_count(const struct rangeset *s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += range_count(s->r[i]);
    return n;
}

uint32_t rangeset_nth(const struct rangeset *s, uint64_t index)
{
    for (size_t i = 0; i < s->n; i++) {
        uint64_t here = range_count(s->r[i]);
        if (index < here)
            return s->r[i].lo + (uint32_t)index;
        index -= here;
    }
    return 0;
}

uint64_t rangeset_rank(const struct rangeset *s, uint32_t v)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s->n && s->r[i].lo < v; i++)
        n += s->r[i].hi < v ? range_count(s->r[i]) : v - s->r[i].lo;
    return n;
}

uint32_t rangeset_min(const struct rangeset *s)
{
    return s->n ? s->r[0].lo : 0;
}

uint32_t rangeset_max(const struct rangeset *s)
{
    return s->n ? s->r[s->n - 1].hi : 0;
}

void rangeset_copy(struct rangeset *dst, const struct rangeset *src)
{
    if (dst == src)
        return;
    make_room(dst, src->n);
    if (src->n)
        memcpy(dst->r, src->r, src->n * sizeof *src->r);
    dst->n = src->n;
}

bool rangeset_print(const struct rangeset *s, struct buf *out)
{
    for (size_t i = 0; i < s->n; i++) {
        if (i)
            buf_putc(out, ',');
        buf_put_u64(out, s->r[i].lo);
        if (s->r[i].hi != s->r[i].lo) {
            buf_putc(out, ':');
            buf_put_u64(out, s->r[i].hi);
        }
    }
    return !out->overflow;
}

/* seq-number = nz-number / "*" */
static bool parse_number(struct span *c, uint32_t star, uint32_t *ret)
{
    if (parse_char(c, '*')) {
        *ret = star;
        return true;
    }
    return c->n && c->p[0] != '0' && parse_u32(c, UINT32_MAX, ret);
}

static int by_lo(const void *a, const void *b)
{
    const struct range *x = a, *y = b;

    return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Sorts and melts what was appended in any order. */
static void normalise(struct rangeset *s)
{
    size_t out = 0;

    qsort(s->r, s->n, sizeof *s->r, by_lo);
    for (size_t i = 1; i < s->n; i++) {
        struct range *last = &s->r[out];
        if (s->r[i].lo - 1 > last->hi)
            s->r[++out] = s->r[i];
        else if (s->r[i].hi > last->hi)
            last->hi = s->r[i].hi;
    }
    s->n = out + 1;
}

/* sequence-set = (seq-number / seq-range) *("," sequence-set) ; seq-range = seq-number ":"
 * seq-number */
static bool parse_parts(struct span c, uint32_t star, size_t max_ranges, struct rangeset *s)
{
    size_t parts = 0;
    bool sorted = true;

    do {
        uint32_t a, b;
        if (++parts > max_ranges || !parse_number(&c, star, &a))
            return false;
        b = a;
        if (parse_char(&c, ':') && !parse_number(&c, star, &b))
            return false;
        if (a == 0 || b == 0)
            continue;

        struct range r = a < b ? (struct range){a, b} : (struct range){b, a};
        /* ascending parts, which is nearly all there is, need no sorting */
        if (s->n && r.lo <= s->r[s->n - 1].hi + (uint64_t)1)
            sorted = false;
        make_room(s, s->n + 1);
        s->r[s->n++] = r;
    } while (parse_char(&c, ','));

    if (!parse_end(&c))
        return false;
    if (!sorted)
        normalise(s);
    return true;
}

bool rangeset_parse(struct span text, uint32_t star, size_t max_ranges, struct rangeset *ret)
{
    struct rangeset s = RANGESET_EMPTY;

    if (!parse_parts(text, star, max_ranges, &s)) {
        rangeset_done(&s);
        return false;
    }
    rangeset_done(ret);
    *ret = s;
    return true;
}
