#include "store/store_msg.h"

#include "base/check.h"
#include "store/queue_item.h"
#include "unit/unit.h"

#include <stdlib.h>

/* Each codec by one name: write a full example; read, and write what was read. */
static struct rangeset uids;
static struct arena *arena;
static struct span words[] = {SPAN("one"), SPAN("two")};
static const struct msg_head head = {1000, 17};
static const struct msg_body body = {
    {AREA_RING, 4096, 10},
    {AREA_SPOOL,         9000,    20},
    77, SPAN("<a@b>"), {NULL,       0       },
};

static void wr_1(struct buf *b)
{
    struct msg_item items[2] = {
        {body,   3, words, 2, -5, -90, SPAN("prefix")},
        {.body = body}
    };
    struct msg_append a = {head, SPAN("grant"), 5, items, 2, 9, 77};
    wr_append(b, &a);
}
static bool again_1(struct span s, struct buf *b)
{
    struct msg_append a;
    bool ok = rd_append(s, arena, &a);
    if (ok)
        wr_append(b, &a);
    return ok;
}

static void wr_2(struct buf *b)
{
    struct store_recipient to[] = {
        {RECIPIENT_INBOX,  16, SPAN("x@y"), SPAN_EMPTY,         2, SPAN("p: q\r\n"), SPAN_EMPTY},
        {RECIPIENT_REMOTE, 0,  SPAN("r@z"), SPAN("rfc822;r@z"), 4, SPAN_EMPTY,       SPAN("g") }
    };
    struct msg_deliver d = {.head = head, .body = body};
    d.d = (struct store_delivery){.grant = SPAN("g"),
                                  .sender = SPAN("a@b"),
                                  .envid = SPAN("e"),
                                  .ret_full = true,
                                  .smtputf8 = true,
                                  .news = true,
                                  .prefix = SPAN("P: 1\r\n"),
                                  .received_seconds = 12,
                                  .recipients = to,
                                  .count = 2,
                                  .message_id = SPAN("<a@b>")};
    wr_deliver(b, &d);
}
static bool again_2(struct span s, struct buf *b)
{
    struct msg_deliver d;
    bool ok = rd_deliver(s, arena, &d);
    if (ok)
        wr_deliver(b, &d);
    return ok;
}

static void wr_3(struct buf *b)
{
    struct msg_flags f = {head, SPAN("g"), 4, uids, FLAGS_REMOVE, 5, words, 2, UINT64_MAX, 77};
    wr_flags(b, &f);
}
static bool again_3(struct span s, struct buf *b)
{
    struct msg_flags f;
    bool ok = rd_flags(s, arena, &f);
    if (ok)
        wr_flags(b, &f);
    rangeset_done(&f.uids);
    return ok;
}

static void wr_4(struct buf *b)
{
    struct msg_expunge x = {head, SPAN("g"), 4, true, uids};
    wr_expunge(b, &x);
}
static bool again_4(struct span s, struct buf *b)
{
    struct msg_expunge x;
    bool ok = rd_expunge(s, &x);
    if (ok)
        wr_expunge(b, &x);
    rangeset_done(&x.uids);
    return ok;
}

static void wr_5(struct buf *b)
{
    struct msg_copy c = {head, SPAN("g"), 4, 5, true, uids};
    wr_copy(b, &c);
}
static bool again_5(struct span s, struct buf *b)
{
    struct msg_copy c;
    bool ok = rd_copy(s, &c);
    if (ok)
        wr_copy(b, &c);
    rangeset_done(&c.uids);
    return ok;
}

static void wr_6(struct buf *b)
{
    struct msg_mailbox m = {head, SPAN("g"), 4, 5, SPAN("a/b"), SPAN("c"), 32, true};
    wr_mailbox(b, &m);
}
static bool again_6(struct span s, struct buf *b)
{
    struct msg_mailbox m;
    bool ok = rd_mailbox(s, &m);
    if (ok)
        wr_mailbox(b, &m);
    return ok;
}

static void wr_7(struct buf *b)
{
    struct queue_result r[] = {
        {3, QUEUE_FAILED,    SPAN("550 no"), true },
        {4, QUEUE_DELIVERED, SPAN_EMPTY,     false}
    };
    struct msg_queue_done d = {head, 9, 12345, r, 2};
    wr_queue_done(b, &d);
}
static bool again_7(struct span s, struct buf *b)
{
    struct msg_queue_done d;
    bool ok = rd_queue_done(s, arena, &d);
    if (ok)
        wr_queue_done(b, &d);
    return ok;
}

static void wr_8(struct buf *b)
{
    struct queue_recipient to[] = {
        {1, SPAN("a@b"), SPAN("rfc822;a@b"), 7, true, true}
    };
    struct queue_item q = {.id = 3,
                           .sender = SPAN("s@t"),
                           .envid = SPAN("id"),
                           .ret_full = true,
                           .body_8bit = true,
                           .queued_seconds = 4,
                           .tries = 2,
                           .recipients = to,
                           .count = 1,
                           .size = 99};
    wr_queue_item(b, &q);
}
static bool again_8(struct span s, struct buf *b)
{
    struct queue_item q;
    bool ok = rd_queue_item(s, arena, &q);
    if (ok)
        wr_queue_item(b, &q);
    return ok;
}

static void wr_9(struct buf *b)
{
    struct queue_entry_recipient to[] = {
        {1, SPAN("a@b"), SPAN("o"), SPAN("451 later"), 7, QUEUE_OPEN, true, true}
    };
    struct queue_entry q = {
        .row = {.body = 5, .next_try = 8},
          .sender = SPAN("s@t"), .recipients = to, .count = 1
    };
    wr_queue_entry(b, &q);
}
static bool again_9(struct span s, struct buf *b)
{
    struct queue_entry q;
    bool ok = rd_queue_entry(s, arena, &q);
    if (ok)
        wr_queue_entry(b, &q);
    return ok;
}

static void wr_10(struct buf *b)
{
    struct msg_account a = {head, 16, 3, 1000, ACCOUNT_DISABLED, SPAN("a@b.example")};
    wr_account(b, &a);
}
static bool again_10(struct span s, struct buf *b)
{
    struct msg_account a;
    bool ok = rd_account(s, &a);
    if (ok)
        wr_account(b, &a);
    return ok;
}

static void wr_11(struct buf *b)
{
    struct store_copied c = {7, uids, uids};
    wr_copied(b, &c);
}
static bool again_11(struct span s, struct buf *b)
{
    struct store_copied c = {.from = RANGESET_EMPTY, .to = RANGESET_EMPTY};
    bool ok = rd_copied(s, &c);
    if (ok)
        wr_copied(b, &c);
    rangeset_done(&c.from);
    rangeset_done(&c.to);
    return ok;
}

static void wr_12(struct buf *b)
{
    struct store_delivered d = {
        .queue_id = 4, .tracking = "abc", .numbers = {1, 0, 3}
    };
    wr_delivered(b, &d);
}
static bool again_12(struct span s, struct buf *b)
{
    struct store_delivered d;
    bool ok = rd_delivered(s, &d);
    if (ok)
        wr_delivered(b, &d);
    return ok;
}

static const struct store_told told = {
    3, {{5, STORE_SEEN, 7}, {6, 0, 1}, {STORE_NUMBER_MAX, UINT64_MAX, UINT64_MAX}}
};
static void wr_13(struct buf *b)
{
    wr_flagged(b, 8, &uids);
    wr_told(b, &told);
}
static bool again_13(struct span s, struct buf *b)
{
    struct rangeset modified = RANGESET_EMPTY;
    struct store_told t;
    uint64_t modseq;
    bool ok = rd_flagged_told(s, &modseq, &modified, &t) && t.count > 0;
    if (ok) {
        wr_flagged(b, modseq, &modified);
        wr_told(b, &t);
    }
    rangeset_done(&modified);
    return ok;
}

static const struct {
    const char *name;
    void (*write)(struct buf *b);
    bool (*again)(struct span s, struct buf *b);
} codecs[] = {
    {"append",      wr_1,  again_1 },
    {"deliver",     wr_2,  again_2 },
    {"flags",       wr_3,  again_3 },
    {"expunge",     wr_4,  again_4 },
    {"copy",        wr_5,  again_5 },
    {"mailbox",     wr_6,  again_6 },
    {"queue done",  wr_7,  again_7 },
    {"queue item",  wr_8,  again_8 },
    {"queue entry", wr_9,  again_9 },
    {"account",     wr_10, again_10},
    {"copied",      wr_11, again_11},
    {"delivered",   wr_12, again_12},
    {"told",        wr_13, again_13},
};

TEST(there_and_back)
{
    arena = arena_new(1 << 20);
    uids = RANGESET_EMPTY;
    rangeset_add(&uids, 1, 1);
    rangeset_add(&uids, 5, 900000);
    rangeset_add(&uids, UINT32_MAX, UINT32_MAX);
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
        struct buf b = BUF(1 << 16), c = BUF(1 << 16);
        unit_case(codecs[i].name);
        codecs[i].write(&b);
        EXPECT(codecs[i].again(buf_span(&b), &c));
        EXPECT_SPAN(buf_span(&c), buf_span(&b));
        /* Cut short anywhere, or with something behind it: refused. */
        for (size_t n = 0; n < b.n; n++) {
            char *cut = malloc(n ? n : 1); /* its own end, for the sanitizer */
            CHECK(cut);
            memcpy(cut, b.p, n);
            EXPECT(!codecs[i].again(span_of(cut, n), &c));
            free(cut);
        }
        buf_putc(&b, '\0');
        EXPECT(!codecs[i].again(buf_span(&b), &c));
        /* With bytes changed: no matter, as long as nothing breaks. */
        for (int k = 0; k < 2000; k++) {
            char *p = malloc(b.n);
            CHECK(p);
            memcpy(p, b.p, b.n - 1);
            for (int x = 0; x < 3; x++)
                p[unit_random() % (b.n - 1)] = (char)unit_random();
            buf_clear(&c);
            arena_reset(arena);
            codecs[i].again(span_of(p, b.n - 1), &c);
            free(p);
        }
        buf_done(&b);
        buf_done(&c);
    }
    rangeset_done(&uids);
    arena_free(arena);
}

/* What is told of no message, of too many, of one twice, or past the last number. */
TEST(told_of_wrong_ones)
{
    static const struct {
        uint8_t count;
        uint64_t first, step;
        bool want;
    } cases[] = {
        {0,                  0,                1,          false},
        {1,                  1,                1,          true },
        {STORE_TOLD_MAX,     1,                1,          true },
        {STORE_TOLD_MAX + 1, 1,                1,          false},
        {255,                1,                1,          false},
        {2,                  0,                1,          false},
        {2,                  1,                0,          false},
        {1,                  STORE_NUMBER_MAX, 1,          true },
        {2,                  STORE_NUMBER_MAX, 1,          false},
        {2,                  1,                UINT64_MAX, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rangeset modified = RANGESET_EMPTY;
        struct buf b = BUF(4096);
        struct store_told t;
        uint64_t modseq;
        wr_flagged(&b, 3, &modified);
        EXPECT(rd_flagged_told(buf_span(&b), &modseq, &modified, &t)); /* nothing is told */
        EXPECT_INT(t.count, 0);
        wr_u8(&b, cases[i].count);
        for (unsigned k = 0; k < cases[i].count; k++) {
            wr_varint(&b, k ? cases[i].step : cases[i].first);
            wr_varint(&b, STORE_SEEN);
            wr_varint(&b, 3);
        }
        EXPECT_INT(rd_flagged_told(buf_span(&b), &modseq, &modified, &t), cases[i].want);
        EXPECT_INT(t.count, cases[i].want ? cases[i].count : 0);
        EXPECT(!rd_flagged(buf_span(&b), &modseq, &modified)); /* who did not ask gets none */
        rangeset_done(&modified);
        buf_done(&b);
    }
}

/* stored asks before it plans: is this one message, and how long is it? */
TEST(bodies)
{
    struct msg_item items[2] = {{.body = body}, {.body = body}};
    struct msg_append one = {head, SPAN("grant"), 5, items, 1, 0, 0}, two = one, replaces = one;
    struct buf b = BUF(LINK_PAYLOAD_MAX);

    wr_append(&b, &one);
    EXPECT_INT((int64_t)bodies_bytes(MSG_STORE_APPEND, buf_span(&b)), body.body.bytes);
    EXPECT(bodies_bytes(MSG_STORE_FLAGS, buf_span(&b)) == UINT64_MAX);
    EXPECT(bodies_bytes(MSG_STORE_APPEND, span_head(buf_span(&b), 40)) == UINT64_MAX);
    two.count = 2;
    buf_clear(&b);
    wr_append(&b, &two);
    EXPECT(bodies_bytes(MSG_STORE_APPEND, buf_span(&b)) == UINT64_MAX);
    replaces.replace_mailbox = 5;
    buf_clear(&b);
    wr_append(&b, &replaces);
    EXPECT(bodies_bytes(MSG_STORE_APPEND, buf_span(&b)) == UINT64_MAX);
    buf_clear(&b);
    wr_2(&b);
    EXPECT_INT((int64_t)bodies_bytes(MSG_STORE_DELIVER, buf_span(&b)), body.body.bytes);
    EXPECT(bodies_bytes(MSG_STORE_DELIVER, SPAN_EMPTY) == UINT64_MAX);
    buf_done(&b);
}

TEST(windows)
{
    static const struct {
        uint64_t counter, floor;
        bool want;
    } cases[] = {
        {0,            0,          false},
        {1,            1,          true },
        {1,            2,          false},
        {STORE_WINDOW, 1,          true },
        {STORE_WINDOW, 0,          false},
        {UINT64_MAX,   UINT64_MAX, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct msg_account a =
                               {
                                   {cases[i].counter, cases[i].floor},
                                   16,
                                   1,
                                   0,
                                   ACCOUNT_ENABLED,
                                   {NULL,             0             }
        },
                           got;
        struct buf b = BUF(256);
        wr_account(&b, &a);
        EXPECT(rd_account(buf_span(&b), &got) == cases[i].want);
        buf_done(&b);
    }
}
