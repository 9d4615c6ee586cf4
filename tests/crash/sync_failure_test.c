/*
 * A sync fails: of that batch nothing is acknowledged, nor of any later one, whatever the disk says
 * then. After a start everything that was acknowledged before is there, although the index cannot
 * be believed. The same for the sync of a checkpoint.
 */
#include "store/engine.h"
#include "store/store_harness.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "unit/unit.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALICE UINT64_C(16)

static bool broken;
static char root[64];
static struct engine *engine;
static struct buf grant = BUF(STORE_GRANT_MAX);
static uint64_t counter;

/* All libraries of this program call this one. */
int fdatasync(int fd)
{
    if (broken) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static void start(void)
{
    struct engine_options o = {.root = root,
                               .map_bytes = 64 << 20,
                               .log_file_bytes = 1 << 20,
                               .grant_secret = store_harness_secret};
    struct err err;

    engine = NULL;
    if (engine_open(&engine, &o, &err) != 0)
        fprintf(stderr, "%s\n", err.text);
}

static int request(unsigned kind, enum role role, const struct buf *b)
{
    static char memory[4096];
    struct buf answer = BUF(1 << 16);
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

static int append_again(uint64_t number)
{
    struct msg_item item = {
        .body.body = {AREA_RING, 0, 1000}
    };
    struct msg_append a = {
        {number, number},
        buf_span(&grant), 1, &item, 1, 0, 0
    };
    struct buf b = BUF(4096);

    wr_append(&b, &a);
    int status = request(MSG_STORE_APPEND, ROLE_ACCESS, &b);
    buf_done(&b);
    return status;
}

static int append(void)
{
    return append_again(++counter);
}

static uint32_t messages(void)
{
    struct key k = key_u64(1);
    struct row_mailbox row = {0};
    MDB_txn *t;

    CHECK(mdb_txn_begin(engine->index.env, NULL, MDB_RDONLY, &t) == 0);
    index_get_row(&engine->index, t, INDEX_MAILBOX, &k, &row, sizeof(row));
    mdb_txn_abort(t);
    return row.messages;
}

static void begin(void)
{
    struct grant g = {
        .account = ALICE, .rights = GRANT_MAIL, .epoch = 1, .expires_seconds = INT64_MAX};
    struct msg_account a = {
        {1,    1},
        ALICE, 1, 0, ACCOUNT_ENABLED, {NULL, 0}
    };
    struct buf b = BUF(256);

    broken = false;
    counter = 1;
    strcpy(root, "/tmp/sealpost-sync-XXXXXX");
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

TEST(log_cannot_be_synced)
{
    begin();
    for (int i = 0; i < 20; i++)
        EXPECT_INT(append(), 0);
    broken = true;
    uint64_t lost = counter + 1;
    EXPECT_INT(append(), -EIO);
    broken = false; /* the kernel reports it once: that must be enough */
    EXPECT_INT(append(), -EIO);
    EXPECT_INT(messages(), 20);
    engine_close(engine, true);
    start();
    REQUIRE(engine);
    /* The unacknowledged one may be there. If so its repetition is known, if not it is done: once
     * in any case. */
    EXPECT(messages() == 20 || messages() == 21);
    EXPECT_INT(append_again(lost), 0);
    EXPECT_INT(messages(), 21);
    EXPECT_INT(append(), 0);
    end();
}

TEST(checkpoint_cannot_be_synced)
{
    struct checkpoint c;

    begin();
    for (int i = 0; i < 20; i++)
        EXPECT_INT(append(), 0);
    REQUIRE(checkpoint_begin(engine, &c) == 0);
    broken = true;
    checkpoint_write(&c);
    broken = false;
    EXPECT(checkpoint_done(engine, &c) < 0);
    EXPECT_INT(append(), -EIO);
    engine_close(engine, true);
    EXPECT_INT(state_trust(root), TRUST_CHECKPOINT);
    start();
    REQUIRE(engine);
    EXPECT_INT(messages(), 20);
    EXPECT_INT(append(), 0);
    end();
}

/* The index is gone, or its checkpoint: the log has it all. */
TEST(index_is_lost)
{
    char path[128];

    begin();
    for (int i = 0; i < 20; i++)
        EXPECT_INT(append(), 0);
    engine_close(engine, true);
    snprintf(path, sizeof(path), "%s/store/index/data.mdb", root);
    CHECK(unlink(path) == 0);
    start();
    REQUIRE(engine);
    EXPECT_INT(messages(), 20);
    EXPECT_INT(append(), 0);
    engine_close(engine, true);
    /* And with the beginning of the log gone too, it is refused rather than begun anew. */
    CHECK(unlink(path) == 0);
    snprintf(path, sizeof(path), "%s/store/log/00000001.log", root);
    char elsewhere[128];
    snprintf(elsewhere, sizeof(elsewhere), "%s/store/log/00000002.log", root);
    CHECK(rename(path, elsewhere) == 0);
    start();
    EXPECT(!engine);
    CHECK(rename(elsewhere, path) == 0);
    start();
    REQUIRE(engine);
    EXPECT_INT(messages(), 21);
    end();
}

/* Only one stored at a time. */
TEST(two_writers)
{
    struct engine_options o = {.root = root,
                               .map_bytes = 64 << 20,
                               .log_file_bytes = 1 << 20,
                               .grant_secret = store_harness_secret};
    struct engine *second = NULL;
    struct err err;

    begin();
    EXPECT_INT(engine_open(&second, &o, &err), -EBUSY);
    EXPECT_INT(append(), 0);
    end();
}
