/* Batches that are durable and answered, and in the index only with a later commit. */
#include "store/engine_testing.h"

/* Flags of a message; *ret_told: the answer says what it is now. */
static int execute_flags(uint32_t uid, uint64_t flags, uint64_t known, bool *ret_told)
{
    static struct buf answer = BUF(1 << 16);
    struct rangeset one = uids(uid, uid);
    struct msg_flags f = {
        .head = {++counter, counter},
        .grant = buf_span(&grant),
        .mailbox = 1,
        .uids = one,
        .op = FLAGS_SET,
        .flags = flags,
        .unchanged_since = UINT64_MAX,
        .known = known
    };
    struct buf b = BUF(4096);

    wr_flags(&b, &f);
    struct intent i = {.role = ROLE_ACCESS,
                       .kind = MSG_STORE_FLAGS,
                       .client = 7,
                       .payload = buf_span(&b),
                       .answer = &answer};
    int status = engine_execute(engine, &i);
    *ret_told = i.told;
    buf_done(&answer);
    buf_done(&b);
    rangeset_done(&one);
    return status;
}

static uint64_t flags_of(uint32_t uid)
{
    struct key k = key_message(1, uid);
    struct row_message row = {0};
    MDB_txn *t;

    CHECK(mdb_txn_begin(engine->index.env, NULL, MDB_RDONLY, &t) == 0);
    index_get_row(&engine->index, t, INDEX_MESSAGE, &k, &row, sizeof(row));
    mdb_txn_abort(t);
    return row.flags;
}

/* What a reader of the index sees. */
static uint32_t visible(void)
{
    struct row_mailbox row = {0};
    struct key k = key_u64(1);
    MDB_txn *t;

    CHECK(mdb_txn_begin(engine->index.env, NULL, MDB_RDONLY, &t) == 0);
    CHECK(index_get_row(&engine->index, t, INDEX_MAILBOX, &k, &row, sizeof(row)) == 0);
    mdb_txn_abort(t);
    return row.messages;
}

TEST(catch_up)
{
    begin();
    EXPECT_INT(engine_catch_up(engine), 0); /* nothing is kept */
    keep_one(1);
    keep_one(2);
    EXPECT_INT(visible(), 0);
    EXPECT_INT(engine_catch_up(engine), 0);
    EXPECT(!engine->behind);
    EXPECT_INT(visible(), 2);
    end();
}

TEST(a_later_commit_brings_all)
{
    begin();
    keep_one(1);
    keep_one(2);
    EXPECT_INT(append(3), 0);
    EXPECT_INT(visible(), 3);
    keep_one(4);
    /* a batch that came to nothing leaves what is kept alone */
    EXPECT_INT(engine_batch_begin(engine, 0), 0);
    engine_batch_drop(engine);
    EXPECT(engine->behind);
    EXPECT_INT(visible(), 3);
    engine_housekeep(engine);
    EXPECT_INT(engine_catch_up(engine), 0);
    EXPECT_INT(visible(), 4);
    end();
}

/* Flags as well: each time who asks knows of the one before, which no reader of the index sees. */
TEST(flags_are_kept)
{
    bool told;

    begin();
    EXPECT_INT(append(1), 0);
    uint64_t known = mbox_get(engine, 1)->row.highestmodseq;
    for (uint64_t flags = 1; flags <= 16; flags++) {
        EXPECT_INT(engine_batch_begin(engine, 0), 0);
        EXPECT_INT(execute_flags(1, flags, known++, &told), 0);
        EXPECT(told);
        EXPECT_INT(engine_batch_sync(engine), 0);
        engine_batch_keep(engine);
    }
    /* somebody who knows less has to read */
    EXPECT_INT(engine_batch_begin(engine, 0), 0);
    EXPECT_INT(execute_flags(1, 16, known - 1, &told), 0);
    EXPECT(!told);
    EXPECT_INT(execute_flags(1, 16, 0, &told), 0);
    EXPECT(!told);
    engine_batch_drop(engine);
    EXPECT_INT(flags_of(1), 0);
    EXPECT_INT(engine_catch_up(engine), 0);
    EXPECT_INT(flags_of(1), 16);
    /* killed before the commit */
    EXPECT_INT(engine_batch_begin(engine, 0), 0);
    EXPECT_INT(execute_flags(1, STORE_SEEN, known, &told), 0);
    EXPECT(told);
    EXPECT_INT(engine_batch_sync(engine), 0);
    engine_batch_keep(engine);
    engine_close(engine, false);
    start();
    EXPECT_INT(flags_of(1), STORE_SEEN);
    EXPECT_INT((int64_t)mbox_get(engine, 1)->row.highestmodseq, (int64_t)known + 1);
    end();
}

TEST(a_checkpoint_has_all)
{
    struct checkpoint c;

    begin();
    keep_one(1);
    EXPECT_INT(checkpoint_begin(engine, &c), 0);
    EXPECT_INT(visible(), 1);
    EXPECT_INT((int64_t)c.held.position.sequence, (int64_t)engine->journal.end.sequence);
    checkpoint_write(&c);
    EXPECT_INT(checkpoint_done(engine, &c), 0);
    end();
}

/* There is no room for a batch: it is taken back, and what was answered before is not. */
TEST(undo_takes_back_only_its_own)
{
    begin();
    EXPECT_INT(append(1), 0);
    keep_one(2);
    keep_one(3);
    EXPECT_INT(engine_batch_begin(engine, 0), 0);
    EXPECT_INT(execute_append(4), 0);
    EXPECT_INT(engine_batch_undo(engine), 0);
    EXPECT(!engine->behind);
    EXPECT_INT(visible(), 3);
    EXPECT_INT(append(5), 0);
    EXPECT_INT(visible(), 4);
    engine_close(engine, false);
    start();
    EXPECT_INT(visible(), 4);
    end();
}

/* The process was killed before the commit: the log has it. */
TEST(killed)
{
    begin();
    EXPECT_INT(append(1), 0);
    for (uint32_t i = 2; i < 60; i++) /* over more than one log file */
        keep_one(i);
    EXPECT_INT(visible(), 1);
    engine_close(engine, false);
    start();
    EXPECT_INT(visible(), 59);
    end();
}

/* The same when the machine went down: the index of the last checkpoint, and the log. */
TEST(power_cut)
{
    begin();
    state_fake_boot("one");
    engine_close(engine, true);
    start();
    keep_one(1);
    keep_one(2);
    engine_close(engine, false);
    state_fake_boot("two");
    start();
    EXPECT_INT(visible(), 2);
    end();
    state_fake_boot(NULL);
}
