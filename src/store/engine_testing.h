/* engine_testing.h: what tests of the engine share: a store with one account, messages that each
 * have a text of their own, short ways to change. */
#ifndef STORE_ENGINE_TESTING_H
#define STORE_ENGINE_TESTING_H

#include "store/compact_drive.h"
#include "store/store_harness.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HELPER __attribute__((unused)) static
#define ALICE UINT64_C(16)
enum { MESSAGES = 300, BODY = 4000 };

HELPER char root[64];
HELPER struct engine *engine;
HELPER struct buf grant = BUF(STORE_GRANT_MAX);
HELPER uint64_t counter;
HELPER char memory[1 << 20];

HELPER void start(void)
{
    struct engine_options o = {.root = root,
                               .map_bytes = 256 << 20,
                               .log_file_bytes = 128 << 10,
                               .grant_secret = store_harness_secret,
                               .answers_ms = 1,
                               .change_log_seconds = 86400,
                               .history_seconds = 86400,
                               .compact_percent = 60};
    struct err err;

    if (engine_open(&engine, &o, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

HELPER int request(unsigned kind, enum role role, const struct buf *b)
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
HELPER uint32_t text_at(uint32_t number)
{
    return number * 37 % 100000;
}

HELPER int append(uint32_t number)
{
    struct msg_item item = {
        .body.body = {AREA_RING, text_at(number), BODY}
    };
    struct msg_append a = {
        {++counter, counter},
        buf_span(&grant), 1, &item, 1, 0, 0
    };
    struct buf b = BUF(4096);

    item.prefix = SPAN("X-Trace: here\r\n");
    wr_append(&b, &a);
    int status = request(MSG_STORE_APPEND, ROLE_ACCESS, &b);
    buf_done(&b);
    return status;
}

HELPER struct rangeset uids(uint32_t lo, uint32_t hi)
{
    struct rangeset s = RANGESET_EMPTY;
    rangeset_add(&s, lo, hi);
    return s;
}

HELPER int expunge(uint64_t mailbox, uint32_t lo, uint32_t hi)
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

HELPER int copy(uint64_t from, uint32_t lo, uint32_t hi, uint64_t to, bool move)
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

HELPER void begin(void)
{
    struct grant g = {
        .account = ALICE, .rights = GRANT_MAIL, .epoch = 1, .expires_seconds = INT64_MAX};
    struct msg_account a = {
        {1,    1},
        ALICE, 1, 0, ACCOUNT_ENABLED, {NULL, 0}
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

HELPER void remove_folder(void)
{
    char command[100];

    snprintf(command, sizeof(command), "rm -rf %s", root);
    CHECK(system(command) == 0);
}

HELPER void end(void)
{
    engine_close(engine, true);
    remove_folder();
}

HELPER int execute_append(uint32_t number)
{
    static struct buf answer = BUF(1 << 16);
    struct msg_item item = {
        .body.body = {AREA_RING, text_at(number), BODY}
    };
    struct msg_append a = {
        {++counter, counter},
        buf_span(&grant), 1, &item, 1, 0, 0
    };
    struct buf b = BUF(4096);

    wr_append(&b, &a);
    struct intent i = {.role = ROLE_ACCESS,
                       .kind = MSG_STORE_APPEND,
                       .client = 7,
                       .areas = {{memory, sizeof(memory)}},
                       .payload = buf_span(&b),
                       .answer = &answer};
    int status = engine_execute(engine, &i);
    buf_done(&answer);
    buf_done(&b);
    return status;
}

/* Durable and answered; the index gets it with a later commit. */
HELPER void keep_one(uint32_t number)
{
    EXPECT_INT(engine_batch_begin(engine, 0), 0);
    EXPECT_INT(execute_append(number), 0);
    EXPECT_INT(engine_batch_sync(engine), 0);
    engine_batch_keep(engine);
    EXPECT(engine->behind);
}

HELPER uint64_t live_sum(void)
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

#endif
