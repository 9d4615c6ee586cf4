/* What is kept for a time: expunged messages in the change log go when they are old, and the
 * mailbox says from where on the log is whole; Message-IDs of news go when their article is gone.
 */
#include "store/engine_testing.h"

#include "base/clock.h"

#define DAY_MS INT64_C(86400000)
#define NOW_MS INT64_C(1795500000000)

static unsigned count(enum index_table table)
{
    MDB_stat st = {0};
    MDB_txn *t;

    CHECK(mdb_txn_begin(engine->index.env, NULL, MDB_RDONLY, &t) == 0);
    mdb_stat(t, engine->index.dbi[table], &st);
    mdb_txn_abort(t);
    return (unsigned)st.ms_entries;
}

static uint64_t change_floor(void)
{
    struct key k = key_u64(1);
    struct row_mailbox m = {0};
    MDB_txn *t;

    CHECK(mdb_txn_begin(engine->index.env, NULL, MDB_RDONLY, &t) == 0);
    index_get_row(&engine->index, t, INDEX_MAILBOX, &k, &m, sizeof(m));
    mdb_txn_abort(t);
    return m.change_floor;
}

static int flag(uint32_t lo, uint32_t hi, uint64_t flags)
{
    struct msg_flags f = {
        .head = {++counter, counter},
        .grant = buf_span(&grant),
        .mailbox = 1,
        .uids = uids(lo, hi),
        .op = FLAGS_SET,
        .flags = flags,
        .unchanged_since = UINT64_MAX
    };
    struct buf b = BUF(4096);

    wr_flags(&b, &f);
    int status = request(MSG_STORE_FLAGS, ROLE_ACCESS, &b);
    buf_done(&b);
    rangeset_done(&f.uids);
    return status;
}

static void housekeep(void)
{
    for (int i = 0; i < 40; i++)
        engine_housekeep(engine);
}

TEST(the_change_log)
{
    begin();
    clock_fake(NOW_MS);
    for (uint32_t i = 1; i <= 30; i++)
        EXPECT_INT(append(i), 0);
    EXPECT_INT(flag(1, 10, STORE_SEEN), 0); /* modseq 32 */
    EXPECT_INT(expunge(1, 11, 20), 0);      /* 33 */
    clock_fake(NOW_MS + DAY_MS / 2);
    EXPECT_INT(expunge(1, 21, 22), 0); /* 33 */
    EXPECT_INT(count(INDEX_CHANGE), 22);
    housekeep();
    EXPECT_INT(count(INDEX_CHANGE), 22);
    EXPECT_INT(change_floor(), 0);
    /* The first are older than a day now: they go, what lives stays, and so do the later ones. */
    clock_fake(NOW_MS + DAY_MS + 10000);
    housekeep();
    EXPECT_INT(count(INDEX_CHANGE), 12);
    EXPECT_INT(change_floor(), 33);
    clock_fake(NOW_MS + 2 * DAY_MS);
    housekeep();
    EXPECT_INT(count(INDEX_CHANGE), 10);
    EXPECT_INT(change_floor(), 34);
    state_fake_boot("other");
    engine_close(engine, false);
    start();
    EXPECT_INT(count(INDEX_CHANGE), 10);
    EXPECT_INT(change_floor(), 34);
    state_fake_boot(NULL);
    clock_fake(0);
    end();
}

/* Many changes that stay in front do not keep the later ones from being looked at. */
TEST(behind_many_that_stay)
{
    begin();
    clock_fake(NOW_MS);
    for (uint32_t i = 1; i <= 2600; i++)
        EXPECT_INT(append(i), 0);
    EXPECT_INT(flag(1, 2500, STORE_SEEN), 0);
    EXPECT_INT(flag(1, 2500, STORE_SEEN | STORE_FLAGGED), 0);
    EXPECT_INT(expunge(1, 2501, 2600), 0);
    EXPECT_INT(count(INDEX_CHANGE), 2600);
    clock_fake(NOW_MS + 2 * DAY_MS);
    housekeep();
    EXPECT_INT(count(INDEX_CHANGE), 2500);
    clock_fake(0);
    end();
}

static int post(uint64_t group, const char *id)
{
    struct msg_item item = {
        .body.body = {AREA_RING, 0, 500}
    };
    struct msg_append a = {
        {++counter, counter},
        buf_span(&grant), group, &item, 1, 0, 0
    };
    struct buf b = BUF(4096);

    item.body.message_id = span_cstr(id);
    wr_append(&b, &a);
    int status = request(MSG_STORE_APPEND, ROLE_ACCESS, &b);
    buf_done(&b);
    return status;
}

TEST(the_history_of_news)
{
    struct msg_newsgroup g = {
        {2,    2},
        NEWSGROUP_CREATE, SPAN("test.group"), MAILBOX_NEWSGROUP, false, {NULL, 0}
    };
    struct grant all = {.account = ALICE,
                        .rights = GRANT_MAIL | GRANT_POST | GRANT_ADMIN,
                        .epoch = 1,
                        .expires_seconds = INT64_MAX};
    struct buf b = BUF(4096);

    begin();
    clock_fake(NOW_MS);
    buf_clear(&grant);
    grant_seal(&all, store_harness_secret, &grant);
    wr_newsgroup(&b, &g);
    CHECK(request(MSG_STORE_NEWSGROUP, ROLE_MANAGER, &b) == 0);
    buf_done(&b);
    counter = 2;
    EXPECT_INT(post(7, "<one@example.org>"), 0);
    EXPECT_INT(post(7, "<two@example.org>"), 0);
    EXPECT_INT(post(7, "<one@example.org>"), -EEXIST);
    EXPECT_INT(expunge(7, 1, 1), 0);
    EXPECT_INT(count(INDEX_HISTORY), 2);
    clock_fake(NOW_MS + DAY_MS / 2);
    housekeep();
    EXPECT_INT(count(INDEX_HISTORY), 2);
    clock_fake(NOW_MS + 2 * DAY_MS);
    housekeep();
    EXPECT_INT(count(INDEX_HISTORY), 1);
    EXPECT_INT(count(INDEX_ARRIVED), 1);
    /* The one that is still there is remembered. */
    EXPECT_INT(post(7, "<two@example.org>"), -EEXIST);
    EXPECT_INT(post(7, "<one@example.org>"), 0);
    clock_fake(0);
    end();
}
