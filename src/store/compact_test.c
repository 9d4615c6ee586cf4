/* Compaction at the engine: what lives survives with its own text, numbers and counters; dead files
 * go; a start in the midst of it, or of a copy of the index that is older, leads to the same. */
#include "store/compact_drive.h"
#include "store/store_harness.h"
#include "unit/unit.h"

#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ALICE UINT64_C(16)
enum { MESSAGES = 300, BODY = 4000 };

static char root[64];
static struct engine *engine;
static struct buf grant = BUF(STORE_GRANT_MAX);
static uint64_t counter;
static char memory[1 << 20];

static void start(void)
{
    struct engine_options o = {.root = root,
                               .map_bytes = 256 << 20,
                               .log_file_bytes = 128 << 10,
                               .grant_secret = store_harness_secret,
                               .answers_ms = 1,
                               .compact_percent = 60};
    struct err err;

    if (engine_open(&engine, &o, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

static int request(unsigned kind, enum role role, const struct buf *b)
{
    static struct buf answer = BUF(1 << 20);
    struct intent i = {.role = role,
                       .kind = kind,
                       .client = 7,
                       .areas = {{memory, sizeof(memory)}},
                       .payload = buf_span(b),
                       .answer = &answer};
    int status = engine_run(engine, &i);

    buf_done(&answer);
    return status;
}

/* The text of a message begins where its number says. */
static uint32_t text_at(uint32_t number)
{
    return number * 37 % 100000;
}

static int append(uint32_t number)
{
    struct msg_item item = {
        .body.body = {AREA_RING, text_at(number), BODY}
    };
    struct msg_append a = {
        {++counter, counter},
        buf_span(&grant), 1, &item, 1
    };
    struct buf b = BUF(4096);

    item.prefix = SPAN("X-Trace: here\r\n");
    wr_append(&b, &a);
    int status = request(MSG_STORE_APPEND, ROLE_ACCESS, &b);
    buf_done(&b);
    return status;
}

static struct rangeset uids(uint32_t lo, uint32_t hi)
{
    struct rangeset s = RANGESET_EMPTY;
    rangeset_add(&s, lo, hi);
    return s;
}

static int expunge(uint64_t mailbox, uint32_t lo, uint32_t hi)
{
    struct rangeset s = uids(lo, hi);
    struct msg_expunge x = {
        {++counter, counter},
        buf_span(&grant), mailbox, false, s
    };
    struct buf b = BUF(4096);

    wr_expunge(&b, &x);
    int status = request(MSG_STORE_EXPUNGE, ROLE_ACCESS, &b);
    buf_done(&b);
    rangeset_done(&s);
    return status;
}

static int copy(uint64_t from, uint32_t lo, uint32_t hi, uint64_t to, bool move)
{
    struct rangeset s = uids(lo, hi);
    struct msg_copy c = {
        {++counter, counter},
        buf_span(&grant), from, to, move, s
    };
    struct buf b = BUF(4096);

    wr_copy(&b, &c);
    int status = request(MSG_STORE_COPY, ROLE_ACCESS, &b);
    buf_done(&b);
    rangeset_done(&s);
    return status;
}

static void begin(void)
{
    struct grant g = {
        .account = ALICE, .rights = GRANT_MAIL, .epoch = 1, .expires_seconds = INT64_MAX};
    struct msg_account a = {
        {1, 1},
        ALICE, 1, 0, ACCOUNT_ENABLED
    };
    struct buf b = BUF(256);

    for (size_t i = 0; i < sizeof(memory); i++)
        memory[i] = (char)('a' + (i * i / 7) % 26);
    counter = 1;
    strcpy(root, "/tmp/sealpost-compact-XXXXXX");
    CHECK(mkdtemp(root));
    buf_clear(&grant);
    grant_seal(&g, store_harness_secret, &grant);
    start();
    wr_account(&b, &a);
    CHECK(request(MSG_STORE_ACCOUNT, ROLE_AUTHD, &b) == 0);
    buf_done(&b);
}

static void end(void)
{
    char command[100];

    engine_close(engine, true);
    snprintf(command, sizeof(command), "rm -rf %s", root);
    CHECK(system(command) == 0);
}

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

static uint64_t live_sum(void)
{
    uint64_t sum = 0;
    MDB_val key, v;
    MDB_cursor *c;
    MDB_txn *t;

    CHECK(mdb_txn_begin(engine->index.env, NULL, MDB_RDONLY, &t) == 0);
    CHECK(mdb_cursor_open(t, engine->index.dbi[INDEX_FILE], &c) == 0);
    while (mdb_cursor_get(c, &key, &v, MDB_NEXT) == 0) {
        struct row_file row;
        memcpy(&row, v.mv_data, sizeof(row));
        sum += row.live_bytes;
    }
    mdb_cursor_close(c);
    mdb_txn_abort(t);
    return sum;
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
