/*
 * What may lie on the disk: any bytes as a log file, and any bytes as the effects of a record whose
 * checksums are right.
 */
#include "store/engine.h"

#include "base/check.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct engine *engine;
static char root[] = "/dev/shm/sealpost-fuzz-XXXXXX";

static void begin(void)
{
    static const unsigned char secret[GRANT_SECRET_BYTES];
    struct engine_options o = {
        .root = root, .map_bytes = 64 << 20, .log_file_bytes = 1 << 20, .grant_secret = secret};
    struct msg_account a = {
        {1,    1},
        16, 1, 0, ACCOUNT_ENABLED, {NULL, 0}
    };
    struct buf b = BUF(256), answer = BUF(256);
    struct err err;

    log_open("fuzz", LOG_LEVEL_ERROR);
    CHECK(mkdtemp(root));
    CHECK(engine_open(&engine, &o, &err) == 0);
    wr_account(&b, &a);
    struct intent i = {
        .role = ROLE_AUTHD, .kind = MSG_STORE_ACCOUNT, .payload = buf_span(&b), .answer = &answer};
    CHECK(engine_run(engine, &i) == 0);
    buf_done(&b);
    buf_done(&answer);
}

static void on_blob(void *arg, struct place at, bool sound)
{
    CHECK(at.at >= sizeof(struct log_head) + sizeof(struct blob_head));
}

static void as_file(const uint8_t *data, size_t size)
{
    struct journal_file f = {1, memfd_create("log", MFD_CLOEXEC)};
    struct journal j = {.files = &f, .file_count = 1, .dir = -1};
    struct buf b = BUF(1 << 20);

    CHECK(f.fd >= 0 && write(f.fd, data, size) == (ssize_t)size);
    for (int way = 0; way < 4; way++) {
        struct journal_position start = {1, 0, 0, 0};
        struct journal_reader r;
        struct journal_record rec;
        journal_reader_init(&r, &j, &start, way & 1);
        r.on_blob = way & 2 ? on_blob : NULL;
        while (journal_next(&r, &rec) == 1)
            ;
        journal_damaged(&r);
        journal_reader_done(&r);
    }
    journal_commit_part(&j, 1, 0, 1, &b);
    blob_read(f.fd, 16, (uint32_t)(size % 1000), true, &b);
    buf_done(&b);
    close(f.fd);
}

static void as_effects(const uint8_t *data, size_t size)
{
    CHECK(mdb_txn_begin(engine->index.env, NULL, 0, &engine->txn) == 0);
    engine->replaying = true;
    engine->now = 1000;
    effects_apply(engine, span_of(data, size));
    engine_flush(engine);
    mdb_txn_abort(engine->txn);
    engine->txn = NULL;
    engine->replaying = false;
    engine_forget(engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!engine)
        begin();
    if (size < 1 || size > 1 << 20)
        return 0;
    if (data[0] & 1)
        as_file(data + 1, size - 1);
    else
        as_effects(data + 1, size - 1);
    return 0;
}
