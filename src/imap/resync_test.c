#include "imap/modseq.h"

#include "base/check.h"
#include "unit/unit.h"

/* ------------------------------------------------------------------ a store of this test's making
 */

static struct {
    bool reaches_back;
    const struct change_info *changes;
    size_t change_count;
    const char *uids;
    uint64_t modseq_of_odd;
} fake;

bool store_changes_each(struct store_read *r, uint64_t mailbox, uint64_t modseq,
                        bool (*fn)(const struct change_info *c, void *arg), void *arg)
{
    for (size_t i = 0; i < fake.change_count; i++)
        if (fake.changes[i].modseq > modseq && !fn(&fake.changes[i], arg))
            break;
    return fake.reaches_back;
}

int store_uids(struct store_read *r, uint64_t mailbox, struct rangeset *ret)
{
    CHECK(rangeset_parse(span_cstr(fake.uids), 0, 100, ret));
    return 0;
}

static uint32_t at;
int store_cursor_open(struct store_read *r, uint64_t mailbox, uint32_t uid,
                      struct store_cursor *ret)
{
    at = uid;
    return 0;
}
bool store_cursor_next(struct store_cursor *c, struct message_info *ret)
{
    struct rangeset all = RANGESET_EMPTY;

    store_uids(NULL, 1, &all);
    while (at < 100 && !rangeset_has(&all, at))
        at++;
    *ret = (struct message_info){.uid = at, .modseq = at % 2 ? fake.modseq_of_odd : 3};
    rangeset_done(&all);
    return at++ < 100;
}
void store_cursor_close(struct store_cursor *c)
{
}

static void expect_set(const struct rangeset *s, const char *want)
{
    struct buf b BUF_AUTO = BUF(1000);

    rangeset_print(s, &b);
    EXPECT_SPAN(buf_span(&b), span_cstr(want));
}

/* ------------------------------------------------------------------ */

TEST(changes_from_the_log_in_any_order)
{
    static const struct change_info changes[] = {
        {5,  9, false},
        {6,  2, false},
        {7,  4, true },
        {8,  3, false},
        {9,  2, true },
        {10, 1, false}
    };
    struct mailbox_info info = {.id = 1, .uidnext = 12};
    struct rangeset changed = RANGESET_EMPTY, gone = RANGESET_EMPTY;

    fake.reaches_back = true;
    fake.changes = changes;
    fake.change_count = ARRAY_LEN(changes);
    fake.uids = "1";
    modseq_changes(NULL, &info, 5, &changed, &gone);
    expect_set(&changed, "1,3");
    expect_set(&gone, "2,4");
    modseq_changes(NULL, &info, 10, &changed, &gone);
    EXPECT(changed.n == 0 && gone.n == 0);
    rangeset_done(&changed);
    rangeset_done(&gone);
}

TEST(changes_past_the_log_are_all_that_could_have_been)
{
    static const struct change_info changes[] = {
        {9, 7,  true },
        {9, 50, false}
    };
    struct mailbox_info info = {.id = 1, .uidnext = 12};
    struct rangeset changed = RANGESET_EMPTY, gone = RANGESET_EMPTY;

    fake.reaches_back = false;
    fake.changes = changes;
    fake.change_count = ARRAY_LEN(changes);
    fake.uids = "2:5,9";
    fake.modseq_of_odd = 8;
    modseq_changes(NULL, &info, 5, &changed, &gone);
    expect_set(&changed, "3,5,9");
    expect_set(&gone, "1,6:8,10:11");
    rangeset_done(&changed);
    rangeset_done(&gone);
}

/* The mailbox of RFC 7162 3.2.5.2: only UIDs that three divides are left. */
TEST(sequence_match_data)
{
    static const struct {
        const char *params, *gone;
    } rows[] = {
        {" (QRESYNC (1 5 1:30))",                         "1:2,4:5,7:8,10:11,13:14,16:17,19:20,22:23,25:26,28:29"},
        {" (QRESYNC (1 5 1:30 (1 3)))",                   "4:5,7:8,10:11,13:14,16:17,19:20,22:23,25:26,28:29"    },
        {" (QRESYNC (1 5 1:30 (4,8 12,25)))",             "13:14,16:17,19:20,22:23,25:26,28:29"                  },
        {" (QRESYNC (1 5 1:30 (2,4,7:9 6,12,21,24,27)))", "28:29"                                                },
        {" (QRESYNC (1 5 (2,4,7:9 6,12,21,24,27)))",      "28:29"                                                },
        {" (QRESYNC (1 5 (1:4294967295 1:4294967295)))",
         "1:2,4:5,7:8,10:11,13:14,16:17,19:20,22:23,25:26,28:29"                                                 },
        {" (QRESYNC (1 5 (1:3,9:20 5:7,27:38)))",         "28:29"                                                },
        {" (QRESYNC (1 5 (11:12 33:34)))",                "1:2,4:5,7:8,10:11,13:14,16:17,19:20,22:23,25:26,28:29"},
        {" (CONDSTORE QRESYNC (1 5 20:22 (1 3)))",        "20,22"                                                },
    };
    struct mailbox_info info = {.id = 1, .uidnext = 31};
    struct rangeset uids = RANGESET_EMPTY;

    fake.reaches_back = false;
    fake.change_count = 0;
    fake.uids = "3,6,9,12,15,18,21,24,27,30";
    store_uids(NULL, 1, &uids);
    struct view *v = view_new(1, 9, &uids);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span c = span_cstr(rows[i].params);
        struct rangeset changed = RANGESET_EMPTY, gone = RANGESET_EMPTY;
        struct select_params p;
        unit_case(rows[i].params);
        REQUIRE(select_params_parse(&c, &p) && c.n == 0);
        EXPECT(p.qresync && p.uidvalidity == 1 && p.modseq == 5);
        select_params_find(NULL, &info, v, &p, &changed, &gone);
        expect_set(&gone, rows[i].gone);
        select_params_done(&p);
        rangeset_done(&changed);
        rangeset_done(&gone);
    }
    view_unref(v);
}

/* The pairs one by one, as the RFC puts it, against what is found by bisection. */
TEST(sequence_match_of_random_mailboxes)
{
    fake.reaches_back = false;
    fake.change_count = 0;
    for (int round = 0; round < 300; round++) {
        struct rangeset uids = RANGESET_EMPTY, numbers = RANGESET_EMPTY, known = RANGESET_EMPTY,
                        changed = RANGESET_EMPTY, gone = RANGESET_EMPTY;
        struct buf text BUF_AUTO = BUF(10000), now BUF_AUTO = BUF(1000);
        struct mailbox_info info = {.id = 1, .uidnext = 60};
        uint32_t best = 0;
        struct select_params p;

        for (uint32_t u = 1; u < 60; u++)
            if (unit_random() % 3)
                rangeset_add(&uids, u, u);
        rangeset_print(&uids, &now);
        fake.uids = buf_cstr(&now);
        struct view *v = view_new(1, 9, &uids);
        for (uint32_t n = 1, u = 1; n < 50 && u < 60; n += 1 + (uint32_t)(unit_random() % 3)) {
            u += (uint32_t)(unit_random() % 4);
            if (n <= v->count && unit_random() % 2 && view_uid(v, n) > u)
                u = view_uid(v, n);
            if (rangeset_max(&known) >= u)
                u = rangeset_max(&known) + 1;
            rangeset_add(&numbers, n, n);
            rangeset_add(&known, u, u);
            if (n <= v->count && view_uid(v, n) == u)
                best = u;
        }
        buf_put_cstr(&text, " (QRESYNC (1 5 (");
        rangeset_print(&numbers, &text);
        buf_putc(&text, ' ');
        rangeset_print(&known, &text);
        buf_put_cstr(&text, ")))");
        struct span c = buf_span(&text);
        EXPECT(select_params_parse(&c, &p) && c.n == 0);
        select_params_find(NULL, &info, v, &p, &changed, &gone);
        for (uint32_t u = 1; u < 60; u++)
            EXPECT_INT(rangeset_has(&gone, u), u > best && !rangeset_has(&v->uids, u));
        select_params_done(&p);
        view_unref(v);
        rangeset_done(&numbers);
        rangeset_done(&known);
        rangeset_done(&changed);
        rangeset_done(&gone);
    }
}

TEST(select_params_that_are_none)
{
    static const char *const rows[] = {" ",
                                       " (",
                                       " ()",
                                       " (CONDSTORE",
                                       " (condstore )",
                                       " (QRESYNC)",
                                       " (QRESYNC ())",
                                       " (QRESYNC (1))",
                                       " (QRESYNC (0 1))",
                                       " (QRESYNC (1 0))",
                                       " (QRESYNC (4294967296 1))",
                                       " (QRESYNC (1 9223372036854775808))",
                                       " (QRESYNC (1 1 *))",
                                       " (QRESYNC (1 1 $))",
                                       " (QRESYNC (1 1 1:3 ))",
                                       " (QRESYNC (1 1 1 (1)))",
                                       " (QRESYNC (1 1 1 (1:2 3)))",
                                       " (QRESYNC (1 1 1 (1 1) (1 1)))",
                                       " (QRESYNC (1 1) QRESYNC (1 1))",
                                       " (QRESYNC (1 1 0))"};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span c = span_cstr(rows[i]);
        struct select_params p;
        unit_case(rows[i]);
        EXPECT(!select_params_parse(&c, &p) || c.n);
        select_params_done(&p);
    }
}
