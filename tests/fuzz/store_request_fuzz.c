/*
 * What a worker that was taken over may send to stored: any bytes as any request, with a valid
 * grant in front where one belongs, into a real engine. The engine must go on; what it wrote must
 * be readable again.
 */
#include "store/engine.h"
#include "store/store_harness.h"

#include "base/check.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct engine *engine;
static struct buf grant = BUF(STORE_GRANT_MAX);
static char root[] = "/dev/shm/sealpost-fuzz-XXXXXX";
static char memory[65536];
static unsigned runs;

static const unsigned kinds[] = {
    MSG_STORE_APPEND,         MSG_STORE_DELIVER,        MSG_STORE_FLAGS,
    MSG_STORE_EXPUNGE,        MSG_STORE_COPY,           MSG_STORE_MAILBOX_CREATE,
    MSG_STORE_MAILBOX_DELETE, MSG_STORE_MAILBOX_RENAME, MSG_STORE_SUBSCRIBE,
    MSG_STORE_QUEUE_DONE,     MSG_STORE_QUEUE_ADMIN,    MSG_STORE_ACCOUNT,
    MSG_STORE_NEWSGROUP,
};
static const unsigned questions[] = {MSG_STORE_QUEUE_LEASE, MSG_STORE_QUEUE_BODY,
                                     MSG_STORE_QUEUE_ADMIN, MSG_STORE_NEWSGROUP, MSG_STORE_STAT};

static void start(void)
{
    struct engine_options o = {.root = root,
                               .map_bytes = 64 << 20,
                               .log_file_bytes = 1 << 20,
                               .change_log_seconds = 1,
                               .grant_secret = store_harness_secret};
    struct err err;

    if (engine_open(&engine, &o, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

static void clear(void)
{
    char command[100];

    snprintf(command, sizeof(command), "rm -rf %s/store", root);
    CHECK(system(command) == 0);
}

static void account(void)
{
    struct msg_account a = {
        {1,    1},
        16, 1, 0, ACCOUNT_ENABLED, {NULL, 0}
    };
    struct buf b = BUF(256), answer = BUF(256);

    wr_account(&b, &a);
    struct intent i = {
        .role = ROLE_AUTHD, .kind = MSG_STORE_ACCOUNT, .payload = buf_span(&b), .answer = &answer};
    CHECK(engine_run(engine, &i) == 0);
    buf_done(&b);
    buf_done(&answer);
}

static void begin(void)
{
    struct grant g = {.account = 16,
                      .rights = GRANT_MAIL | GRANT_SUBMIT | GRANT_POST | GRANT_ADMIN,
                      .epoch = 1,
                      .expires_seconds = INT64_MAX};

    log_open("fuzz", LOG_LEVEL_ERROR);
    grant_seal(&g, store_harness_secret, &grant);
    CHECK(mkdtemp(root));
    start();
    account();
}

/* The answer to a change of flags: whole, and what it tells of messages is what they are. */
static void flags_answer(struct span request, struct span answer)
{
    struct arena *a = arena_new(1 << 20);
    struct rangeset modified = RANGESET_EMPTY;
    struct store_told told;
    struct msg_flags f;
    uint64_t modseq;

    CHECK(rd_flagged_told(answer, &modseq, &modified, &told));
    CHECK(rd_flags(request, a, &f) && (told.count == 0 || f.known));
    CHECK(told.count == 0 || told.count == rangeset_count(&f.uids));
    for (size_t i = 0; i < told.count; i++) {
        struct key k = key_message(f.mailbox, told.message[i].uid);
        struct row_message row;
        MDB_txn *t;
        CHECK(rangeset_has(&f.uids, told.message[i].uid));
        CHECK(mdb_txn_begin(engine->index.env, NULL, MDB_RDONLY, &t) == 0);
        CHECK(index_get_row(&engine->index, t, INDEX_MESSAGE, &k, &row, sizeof(row)) == 0);
        CHECK(row.flags == told.message[i].flags && row.modseq == told.message[i].modseq);
        mdb_txn_abort(t);
    }
    rangeset_done(&modified);
    rangeset_done(&f.uids);
    arena_free(a);
}

/* Any bytes as such an answer. */
static void any_answer(struct span s)
{
    struct rangeset modified = RANGESET_EMPTY;
    struct store_told told;
    uint64_t modseq;

    if (!rd_flagged_told(s, &modseq, &modified, &told))
        CHECK(told.count == 0);
    rangeset_done(&modified);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf payload = BUF(1 << 17), answer = BUF(1 << 17);

    if (!engine)
        begin();
    if (size < 2 || size > 100000)
        return 0;
    if (++runs % 2000 == 0) {
        /* A growing store would only make it slow. Now and then its log is read again first. */
        engine_close(engine, false);
        start();
        engine_close(engine, true);
        clear();
        start();
        account();
    }
    struct intent i = {
        .role = ROLE_ACCESS,
        .kind = kinds[data[0] % ARRAY_LEN(kinds)],
        .client = 5,
        .areas = {{memory, sizeof(memory)}, {memory, 4096}},
        .answer = &answer
    };
    if (data[1] & 1) {
        wr_u64(&payload, runs);
        wr_u64(&payload, runs);
    }
    if (data[1] & 2)
        wr_span(&payload, buf_span(&grant));
    wr_raw(&payload, data + 2, size - 2);
    any_answer(span_of(data + 2, size - 2));
    i.payload = buf_span(&payload);
    if (data[1] & 4) {
        int fd;
        i.kind = questions[data[0] % ARRAY_LEN(questions)];
        engine_ask(engine, &i, &fd);
        if (fd >= 0)
            close(fd);
    } else {
        uint64_t repeats =
            engine->stats.repeats; /* then the answer may be that of another request */
        int status = engine_run(engine, &i);
        /* The account may have been disabled or deleted by now; the engine may not have failed. */
        CHECK(status <= 0 && !engine->failed);
        if (i.kind == MSG_STORE_FLAGS && status == 0 && engine->stats.repeats == repeats)
            flags_answer(i.payload, buf_span(&answer));
    }
    if (runs % 50 == 0)
        engine_housekeep(engine);
    buf_done(&payload);
    buf_done(&answer);
    return 0;
}
