/* Compaction at the engine: what lives survives with its own text, numbers and counters; dead files
 * go; a start in the midst of it, or of a copy of the index that is older, leads to the same. */
#include "store/engine_testing.h"

/* Checkpoints and answers move on only with changes. */
static void settle(void)
{
    while (engine_housekeep(engine))
        ;
    for (int i = 0; i < 4; i++) {
        usleep(3000);
        CHECK(append(1) == 0);
        drive_checkpoint(engine);
    }
}

static void compact_all(void)
{
    settle();
    compact_request(engine->compact, 60);
    for (int i = 0; i < 10000; i++) {
        if (drive_compact(engine))
            continue;
        enum compact_phase p = compact_stats(engine->compact).phase;
        if (p == COMPACT_IDLE)
            return;
        drive_checkpoint(engine);
    }
    EXPECT(!"compaction comes to an end");
}

/* Every row of a mailbox leads to its own text; returns how many. */
static unsigned proved(uint64_t mailbox, bool own_numbers)
{
    struct key k = key_message(mailbox, 0);
    MDB_val key = {k.n, k.b}, v;
    unsigned n = 0;
    MDB_cursor *c;
    MDB_txn *t;

    CHECK(mdb_txn_begin(engine->index.env, NULL, MDB_RDONLY, &t) == 0);
    CHECK(mdb_cursor_open(t, engine->index.dbi[INDEX_MESSAGE], &c) == 0);
    for (int err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
         err == 0 && memcmp(key.mv_data, k.b, 8) == 0;
         err = mdb_cursor_get(c, &key, &v, MDB_NEXT)) {
        struct buf b = BUF(BODY + 100);
        struct row_message m;
        uint32_t uid = key_get_u32((const char *)key.mv_data + 8);
        memcpy(&m, v.mv_data, sizeof(m));
        EXPECT_INT(
            blob_read(journal_fd(&engine->journal, m.body_file), m.body_at, m.body_bytes, true, &b),
            0);
        if (own_numbers && uid <= MESSAGES)
            EXPECT(b.n == BODY && memcmp(b.p, memory + text_at(uid), BODY) == 0);
        buf_clear(&b);
        EXPECT_INT(blob_read(journal_fd(&engine->journal, m.prefix_file), m.prefix_at,
                             m.prefix_bytes, true, &b),
                   0);
        EXPECT_SPAN(buf_span(&b), SPAN("X-Trace: here\r\n"));
        buf_done(&b);
        n++;
    }
    mdb_cursor_close(c);
    mdb_txn_abort(t);
    return n;
}

static bool has_file(unsigned number)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/store/log/%08u.log", root, number);
    return access(path, F_OK) == 0;
}

static void fill(void)
{
    for (uint32_t i = 1; i <= MESSAGES; i++)
        EXPECT_INT(append(i), 0);
}

TEST(what_lives_is_moved_and_dead_files_go)
{
    begin();
    fill();
    /* Most of the first two thirds is gone; of the last third nothing. */
    for (uint32_t i = 1; i <= 200; i++)
        if (i % 10)
            EXPECT_INT(expunge(1, i, i), 0);
    EXPECT_INT(copy(1, 100, 150, 6, false), 0);
    EXPECT_INT(copy(1, 50, 70, 5, true), 0);
    uint64_t highest = mbox_get(engine, 1)->row.highestmodseq;
    EXPECT(has_file(2) && has_file(3));
    compact_all();
    struct compact_stats s = compact_stats(engine->compact);
    EXPECT(s.files_removed >= 4 && s.rows_moved >= 20);
    EXPECT(!has_file(1) && !has_file(2) && !has_file(3));
    /* A second look finds nothing to do: no message is moved again and again. */
    uint64_t moved = s.rows_moved;
    compact_all();
    EXPECT_INT(compact_stats(engine->compact).rows_moved, moved);
    EXPECT_INT(proved(1, true), 300 - 180 - 3 + 8);
    EXPECT_INT(proved(6, false), 6);
    EXPECT_INT(proved(5, false), 3);
    CHECK(mbox_get(engine, 1)->row.highestmodseq >= highest);
    uint64_t live = live_sum();
    engine_close(engine, false);
    start();
    EXPECT_INT(live_sum(), live);
    EXPECT_INT(proved(1, true), 300 - 180 - 3 + 8);
    /* With the last reference the bytes are dead: counted once, however many rows there were. */
    EXPECT_INT(expunge(1, 1, 100000), 0);
    EXPECT_INT(expunge(6, 1, 100000), 0);
    EXPECT_INT(expunge(5, 1, 100000), 0);
    EXPECT_INT(live_sum(), 0);
    end();
}

TEST(copies_made_meanwhile_move_along)
{
    begin();
    fill();
    for (uint32_t i = 1; i <= MESSAGES; i++)
        if (i % 10)
            EXPECT_INT(expunge(1, i, i), 0);
    settle();
    compact_request(engine->compact, 60);
    uint32_t next = 10;
    unsigned copies = 0;
    /* At every step one more is copied, one moved, one expunged. */
    for (int i = 0; i < 10000; i++) {
        bool did = drive_compact(engine);
        enum compact_phase p = compact_stats(engine->compact).phase;
        if (!did && p == COMPACT_IDLE)
            break;
        if (!did)
            drive_checkpoint(engine);
        if (next + 20 <= MESSAGES && p != COMPACT_IDLE) {
            copies += copy(1, next, next, 6, false) == 0;
            copies += copy(1, next + 10, next + 10, 6, true) == 0;
            EXPECT_INT(expunge(1, next + 20, next + 20), 0);
            next += 30;
        }
    }
    EXPECT(copies >= 8);
    EXPECT(compact_stats(engine->compact).files_removed >= 4);
    proved(1, true);
    EXPECT_INT(proved(6, false), copies);
    EXPECT_INT(expunge(1, 1, 100000), 0);
    EXPECT_INT(expunge(6, 1, 100000), 0);
    EXPECT_INT(live_sum(), 0);
    end();
}

TEST(a_start_in_the_midst)
{
    begin();
    fill();
    for (uint32_t i = 1; i <= MESSAGES; i++)
        if (i % 5)
            EXPECT_INT(expunge(1, i, i), 0);
    for (int rounds = 0; rounds < 20; rounds++) {
        settle();
        compact_request(engine->compact, 60);
        for (int i = 0; i <= rounds; i++)
            if (!drive_compact(engine))
                break;
        state_fake_boot(rounds % 2 ? "one" : "two"); /* back to the checkpoint, too */
        engine_close(engine, false);
        start();
        EXPECT_INT(proved(1, true), MESSAGES / 5 + 4 * (rounds + 1));
    }
    state_fake_boot(NULL);
    compact_all();
    EXPECT(!has_file(1) && !has_file(2));
    EXPECT_INT(proved(1, true), MESSAGES / 5 + 4 * 21);
    EXPECT_INT(expunge(1, 1, 100000), 0);
    EXPECT_INT(live_sum(), 0);
    end();
}

/* A body that is damaged is not written anew with a checksum that fits; its file stays. */
TEST(damage_is_not_copied)
{
    char path[128];

    begin();
    fill();
    for (uint32_t i = 1; i <= MESSAGES; i++)
        if (i % 10)
            EXPECT_INT(expunge(1, i, i), 0);
    struct key k = key_message(1, 30);
    struct row_message m;
    MDB_txn *t;
    CHECK(mdb_txn_begin(engine->index.env, NULL, MDB_RDONLY, &t) == 0);
    CHECK(index_get_row(&engine->index, t, INDEX_MESSAGE, &k, &m, sizeof(m)) == 0);
    mdb_txn_abort(t);
    snprintf(path, sizeof(path), "%s/store/log/%08u.log", root, m.body_file);
    int fd = open(path, O_WRONLY);
    CHECK(fd >= 0 && pwrite(fd, "#", 1, m.body_at + 100) == 1);
    close(fd);
    compact_all();
    EXPECT_INT(compact_stats(engine->compact).damaged, 1);
    EXPECT(has_file(m.body_file));
    EXPECT(compact_stats(engine->compact).files_removed >= 3);
    CHECK(mdb_txn_begin(engine->index.env, NULL, MDB_RDONLY, &t) == 0);
    struct row_message now;
    CHECK(index_get_row(&engine->index, t, INDEX_MESSAGE, &k, &now, sizeof(now)) == 0);
    mdb_txn_abort(t);
    EXPECT(now.body_file == m.body_file && now.body_at == m.body_at);
    end();
}

TEST(full_speed_and_bounded)
{
    begin();
    fill();
    for (uint32_t i = 1; i <= MESSAGES; i++)
        if (i % 10)
            EXPECT_INT(expunge(1, i, i), 0);
    settle();
    engine->options.compact_rate = 1; /* a byte a second: one piece, and then it rests */
    while (drive_compact(engine))
        ;
    EXPECT(compact_stats(engine->compact).phase == COMPACT_PICK ||
           compact_stats(engine->compact).refs_left == 0);
    uint64_t copied = compact_stats(engine->compact).bytes_copied;
    EXPECT(copied > 0);
    usleep(20000);
    EXPECT(!drive_compact(engine));
    EXPECT_INT(compact_stats(engine->compact).bytes_copied, copied);
    end();
}
