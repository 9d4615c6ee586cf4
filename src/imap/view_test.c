#include "imap/view.h"

#include "base/check.h"
#include "unit/unit.h"

#include <stdlib.h>

enum { TOP = 56 };

/* A random set below TOP, as ranges and as bits. */
static uint64_t random_set(struct rangeset *s)
{
    uint64_t bits = 0;

    rangeset_clear(s);
    for (unsigned n = (unsigned)(unit_random() % 8); n; n--) {
        uint32_t lo = (uint32_t)(unit_random() % TOP) + 1, hi = lo + (uint32_t)(unit_random() % 6);
        rangeset_add(s, lo, hi);
    }
    for (uint32_t i = 1; i < 64; i++)
        if (rangeset_has(s, i))
            bits |= UINT64_C(1) << i;
    return bits;
}

static uint64_t bits_of(const struct rangeset *s)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (s->r[i].lo > s->r[i].hi || (i && s->r[i].lo <= s->r[i - 1].hi + 1))
            return UINT64_MAX; /* not normal */
        for (uint32_t v = s->r[i].lo; v <= s->r[i].hi; v++)
            bits |= UINT64_C(1) << v;
    }
    return bits;
}

TEST(arithmetic)
{
    struct rangeset a = RANGESET_EMPTY, b = RANGESET_EMPTY, r = RANGESET_EMPTY;

    for (unsigned i = 0; i < 5000; i++) {
        uint64_t x = random_set(&a), y = random_set(&b);
        ranges_intersect(&a, &b, &r);
        EXPECT(bits_of(&r) == (x & y));
        ranges_subtract(&a, &b, &r);
        EXPECT(bits_of(&r) == (x & ~y));
        ranges_unite(&a, &b);
        EXPECT(bits_of(&a) == (x | y));
    }
    rangeset_clear(&a);
    rangeset_add(&a, 1, UINT32_MAX);
    rangeset_clear(&b);
    rangeset_add(&b, 5, UINT32_MAX);
    ranges_subtract(&a, &b, &r);
    EXPECT_INT(rangeset_max(&r), 4);
    rangeset_done(&a);
    rangeset_done(&b);
    rangeset_done(&r);
}

TEST(numbers)
{
    struct rangeset uids = RANGESET_EMPTY, set = RANGESET_EMPTY, got = RANGESET_EMPTY;

    for (unsigned i = 0; i < 2000; i++) {
        random_set(&uids);
        struct view *v = view_new(1, 1, &uids);
        uint64_t asked = random_set(&set), want = 0, walked = 0;
        uint32_t number, uid, last = 0;

        for (uint32_t u = 1; u < 64; u++) {
            number = view_number(v, u);
            EXPECT_INT(number != 0, rangeset_has(&v->uids, u));
            if (number)
                EXPECT_INT(view_uid(v, number), u);
        }
        EXPECT_INT(view_uid(v, v->count + 1), 0);
        EXPECT_INT(view_uid(v, 0), 0);

        struct view_walk w = view_walk(v, &set);
        while (view_walk_next(&w, &number, &uid)) {
            EXPECT(uid > last);
            EXPECT_INT(number, view_number(v, uid));
            walked |= UINT64_C(1) << uid;
            last = uid;
        }
        EXPECT(walked == (bits_of(&v->uids) & asked));

        /* the set as sequence numbers */
        for (uint32_t n = 1; n <= v->count; n++)
            if (asked & UINT64_C(1) << n)
                want |= UINT64_C(1) << view_uid(v, n);
        rangeset_clear(&got);
        view_uids_of(v, &set, &got);
        EXPECT(bits_of(&got) == want);
        view_unref(v);
    }
    rangeset_done(&set);
    rangeset_done(&got);
}

TEST(shared)
{
    struct rangeset uids = RANGESET_EMPTY;

    rangeset_add(&uids, 1, 5);
    struct view *v = view_new(7, 100, &uids);
    EXPECT_INT(uids.n, 0);
    EXPECT(!view_shared(7, 100));
    view_publish(v);
    EXPECT(!view_shared(7, 99));
    EXPECT(!view_shared(8, 100));
    struct view *same = view_shared(7, 100);
    REQUIRE(same == v);

    rangeset_add(&uids, 1, 6);
    struct view *newer = view_new(7, 101, &uids);
    view_publish(newer);
    view_publish(v); /* an older one does not come back */
    EXPECT(!view_shared(7, 100));
    view_unref(v);
    view_unref(same);
    same = view_shared(7, 101);
    EXPECT(same == newer);
    view_unref(same);
    view_unref(newer);
    /* kept without a session, until there are too many */
    same = view_shared(7, 101);
    EXPECT(same == newer);
    view_unref(same);
    for (uint64_t box = 100; box < 1000; box++) {
        rangeset_add(&uids, 1, 1);
        struct view *other = view_new(box, 5, &uids);
        view_publish(other);
        view_unref(other);
    }
    EXPECT(!view_newest(7));
    EXPECT(!view_newest(100));
    same = view_newest(999);
    EXPECT(same && same->modseq == 5);
    view_unref(same);
    view_forget_all();
    EXPECT(!view_newest(999));
}

/* A view that was overtaken goes with its last session; one that is kept goes when it is overtaken.
 */
TEST(overtaken)
{
    struct rangeset uids = RANGESET_EMPTY;

    rangeset_add(&uids, 1, 5);
    struct view *v = view_new(7, 1, &uids);
    view_publish(v);
    view_unref(v);
    rangeset_add(&uids, 1, 6);
    v = view_new(7, 2, &uids);
    view_publish(v);
    struct view *found = view_newest(7);
    EXPECT(found == v);
    view_unref(found);
    rangeset_add(&uids, 1, 7);
    struct view *w = view_new(7, 3, &uids);
    view_publish(w);
    view_unref(w);
    view_unref(v);
    found = view_newest(7);
    EXPECT(found == w && found->count == 7);
    view_unref(found);
    view_forget_all();
}
