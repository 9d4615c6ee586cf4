#include "search/gram.h"
#include "search/search_msg.h"
#include "unit/unit.h"

TEST(find)
{
    struct search_find f = {77, 5, 1u << GRAM_BODY, SPAN("needle")}, g = {0};
    struct buf b BUF_AUTO = BUF(4096);

    wr_search_find(&b, &f);
    EXPECT(rd_search_find(buf_span(&b), &g));
    EXPECT(g.mailbox == 77 && g.from == 5 && g.places == f.places);
    EXPECT_SPAN(g.needle, SPAN("needle"));
    for (size_t n = 0; n < b.n; n++)
        EXPECT(!rd_search_find(span_of(b.p, n), &g));
    b.p[12] = 0; /* no place */
    EXPECT(!rd_search_find(buf_span(&b), &g));
    b.p[12] = (char)(1u << GRAM_PLACES);
    EXPECT(!rd_search_find(buf_span(&b), &g));
}

/* Whatever the room: pages put together are the whole. */
TEST(found_in_pages)
{
    for (int round = 0; round < 200; round++) {
        struct rangeset uids = RANGESET_EMPTY, all = RANGESET_EMPTY;
        uint32_t next = 1, from = 1;
        unsigned n = (unsigned)(unit_random() % 300), pages = 0;
        for (unsigned i = 0; i < n; i++) {
            uint32_t lo = next + (uint32_t)(unit_random() % 500);
            next = lo + 1 + (uint32_t)(unit_random() % 3);
            rangeset_add(&uids, lo, next - 1);
        }
        next += (uint32_t)(unit_random() % 10);
        size_t room = 20 + unit_random() % 400;
        while (pages++ < 1000) {
            struct buf b BUF_AUTO = BUF(room);
            struct rangeset rest = RANGESET_EMPTY;
            struct search_found f = {.uids = RANGESET_EMPTY};
            rangeset_copy(&rest, &uids);
            if (from > 1)
                rangeset_remove(&rest, 1, from - 1);
            wr_search_found(&b, next, &rest);
            rangeset_done(&rest);
            EXPECT(rd_search_found(buf_span(&b), &f) && f.next_uid == next);
            for (size_t i = 0; i < f.uids.n; i++)
                rangeset_add(&all, f.uids.r[i].lo, f.uids.r[i].hi);
            rangeset_done(&f.uids);
            from = f.upto;
            if (f.upto == next)
                break;
        }
        struct buf a BUF_AUTO = BUF(1 << 20), b BUF_AUTO = BUF(1 << 20);
        rangeset_print(&uids, &a);
        rangeset_print(&all, &b);
        EXPECT_SPAN(buf_span(&b), buf_span(&a));
        rangeset_done(&uids);
        rangeset_done(&all);
    }
}

TEST(found_that_lies)
{
    static const struct {
        const char *name, *bytes;
        size_t n;
        bool ok;
    } rows[] = {
        {"nothing is known",  "\0\0\0\0\0\0\0\0",                                         8,  true },
        {"none",              "\5\0\0\0\5\0\0\0",                                         8,  true },
        {"one",               "\5\0\0\0\5\0\0\0\1\0",                                     10, true },
        {"too short",         "\5\0\0\0\5\0\0",                                           7,  false},
        {"upto past the end", "\5\0\0\0\6\0\0\0",                                         8,  false},
        {"past upto",         "\5\0\0\0\5\0\0\0\5\0",                                     10, false},
        {"reaches past upto", "\5\0\0\0\5\0\0\0\1\4",                                     10, false},
        {"number 0",          "\5\0\0\0\5\0\0\0\0\0",                                     10, false},
        {"half a range",      "\5\0\0\0\5\0\0\0\1",                                       9,  false},
        {"wraps",             "\5\0\0\0\5\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 19, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct search_found f = {.uids = RANGESET_EMPTY};
        unit_case(rows[i].name);
        EXPECT(rd_search_found(span_of(rows[i].bytes, rows[i].n), &f) == rows[i].ok);
        rangeset_done(&f.uids);
    }
    unit_case(NULL);
}

TEST(index_request)
{
    struct buf b BUF_AUTO = BUF(100);
    enum search_op_index op;
    uint64_t account;

    wr_search_index(&b, SEARCH_INDEX_REBUILD, 16);
    EXPECT(rd_search_index(buf_span(&b), &op, &account) && op == SEARCH_INDEX_REBUILD &&
           account == 16);
    b.p[0] = SEARCH_INDEX_OPS;
    EXPECT(!rd_search_index(buf_span(&b), &op, &account));
    EXPECT(!rd_search_index(SPAN_EMPTY, &op, &account));
}
