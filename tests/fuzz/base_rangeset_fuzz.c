/* Sequence sets and cursor parsers: what is accepted is sorted, disjoint, prints and reads back the
 * same. */
#include "base/check.h"
#include "base/parse.h"
#include "base/rangeset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_lower(unsigned char c)
{
    return c >= 'a' && c <= 'z';
}

/* A parser moves its cursor only on success, and never past the end. */
static void cursors(struct span s)
{
    struct span c = s, got = SPAN_EMPTY;
    uint64_t number;
    unsigned fixed;

    while (c.n) {
        struct span before = c;
        bool moved = parse_word(&c, 20, &got) || parse_u64(&c, 1000, &number) ||
                     parse_fixed_digits(&c, 3, &fixed) || parse_while(&c, is_lower, 1, 5, &got) ||
                     parse_until(&c, ';', 7, &got);
        CHECK(c.p + c.n == s.p + s.n);
        CHECK(moved || (c.p == before.p && c.n == before.n));
        if (c.n)
            c = span_skip(c, 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span s = span_of(data, size);
    struct rangeset set = RANGESET_EMPTY, back = RANGESET_EMPTY;
    BUF_AUTO struct buf b = BUF(1 << 16);

    cursors(s);
    if (rangeset_parse(s, 1000, 500, &set)) {
        for (size_t i = 0; i < set.n; i++) {
            CHECK(set.r[i].lo > 0 && set.r[i].lo <= set.r[i].hi);
            CHECK(i == 0 || set.r[i - 1].hi + (uint64_t)1 < set.r[i].lo);
        }
        CHECK(rangeset_print(&set, &b) && rangeset_parse(buf_span(&b), 0, 500, &back));
        CHECK(back.n == set.n && memcmp(back.r, set.r, set.n * sizeof *set.r) == 0);
    }
    rangeset_done(&set);
    rangeset_done(&back);
    return 0;
}
