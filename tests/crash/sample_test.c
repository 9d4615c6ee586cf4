/*
 * Stores as each version of the format wrote them, kept in store-v1.tar.gz and store-v2.tar.gz: the
 * code of today opens them, with their index and without, finds what was put there, and works on
 * them. When the format changes these files stay as they are and one of the new version joins them.
 * The second holds the same as the first, and rights, annotations, read marks, an address and the
 * quota of a domain.
 *
 * `SAMPLE_MAKE=FILE crash.sample` writes a new one.
 */
#include "store/annex.h"
#include "store/check.h"
#include "store/engine_testing.h"

#include "base/clock.h"

#define NOW_MS INT64_C(1795500000000)
#ifndef SAMPLES
#define SAMPLES "."
#endif

static const char *const samples[] = {"store-v1.tar.gz", "store-v2.tar.gz"};
static const char *sample;

/* The messages, then how many rows each table has. */
#define MESSAGES                                                                                   \
    "1/2 flags 101 modseq 7 bytes 15+4000\n"                                                       \
    "1/3 flags 0 modseq 4 bytes 15+4000\n"                                                         \
    "1/5 flags 0 modseq 6 bytes 15+4000\n"                                                         \
    "1/6 flags 0 modseq 10 bytes 17+4000\n"                                                        \
    "5/1 flags 0 modseq 2 bytes 15+4000\n"                                                         \
    "6/1 flags 101 modseq 2 bytes 15+4000\n"                                                       \
    "6/2 flags 0 modseq 2 bytes 15+4000\n"                                                         \
    "7/1 flags 0 modseq 2 bytes 17+4000\n"
static const char *const want[] = {
    MESSAGES "0:1 1:7 2:7 3:8 4:3 5:3 6:2 7:1 8:1 9:1 10:6 11:1 12:1 13:1 14:0 15:1 16:0 "
             "17:0 18:0 19:0 20:0 21:0 22:0 ",
    MESSAGES "0:1 1:7 2:7 3:8 4:3 5:3 6:2 7:1 8:1 9:1 10:6 11:1 12:1 13:2 14:0 15:1 16:0 "
             "17:2 18:2 19:2 20:1 21:1 22:1 ",
};

static void say(struct buf *out)
{
    MDB_val key, v;
    MDB_cursor *c;
    MDB_txn *t;

    CHECK(mdb_txn_begin(engine->index.env, NULL, MDB_RDONLY, &t) == 0);
    CHECK(mdb_cursor_open(t, engine->index.dbi[INDEX_MESSAGE], &c) == 0);
    while (mdb_cursor_get(c, &key, &v, MDB_NEXT) == 0) {
        struct row_message m;
        struct buf b = BUF(10000);
        memcpy(&m, v.mv_data, sizeof(m));
        EXPECT_INT(
            blob_read(journal_fd(&engine->journal, m.body_file), m.body_at, m.body_bytes, true, &b),
            0);
        uint32_t uid = key_get_u32((const char *)key.mv_data + 8);
        bool ours = false;
        for (uint32_t n = 1; n <= 5; n++)
            ours |= b.n == BODY && memcmp(b.p, memory + text_at(n), BODY) == 0;
        buf_printf(out, "%llu/%u flags %llx modseq %llu bytes %u+%u%s\n",
                   (unsigned long long)key_get_u64(key.mv_data), uid, (unsigned long long)m.flags,
                   (unsigned long long)m.modseq, m.prefix_bytes, m.body_bytes,
                   ours ? "" : " of another text");
        buf_done(&b);
    }
    mdb_cursor_close(c);
    MDB_stat s;
    for (int i = 0; i < INDEX_TABLE_COUNT; i++) {
        CHECK(mdb_stat(t, engine->index.dbi[i], &s) == 0);
        buf_printf(out, "%d:%zu ", i, s.ms_entries);
    }
    mdb_txn_abort(t);
}

/* What came with version 2. */
static void make_annex(void)
{
    struct store_note notes[] = {
        {.entry = SPAN("/comment"), .value = SPAN("What it is about"), .shared = true},
        {.entry = SPAN("/vendor/x"),                         .value = SPAN("my own")                                },
    };
    struct rangeset one = uids(1, 1);
    struct buf b = BUF(10000);
    struct msg_account named = {
        {++counter, counter},
        ALICE, 1, 0, ACCOUNT_ENABLED, SPAN("alice@example.org")
    };
    wr_account(&b, &named);
    CHECK(request(MSG_STORE_ACCOUNT, ROLE_AUTHD, &b) == 0);
    buf_clear(&b);
    struct msg_domain d = {
        {++counter, counter},
        SPAN("example.org"), 1000000
    };
    wr_domain(&b, &d);
    CHECK(request(MSG_STORE_DOMAIN, ROLE_AUTHD, &b) == 0);
    static const char *const who[] = {"anyone", "$staff@example.org"};
    for (int i = 0; i < 2; i++) {
        buf_clear(&b);
        struct msg_acl a = {
            {++counter, counter},
            buf_span(&grant), 6,
            span_cstr(who[i]),    ACL_SET,          ACL_LOOKUP | ACL_READ
        };
        wr_acl(&b, &a);
        CHECK(request(MSG_STORE_ACL, ROLE_ACCESS, &b) == 0);
    }
    buf_clear(&b);
    struct msg_note n = {
        {++counter, counter},
        buf_span(&grant), 7, notes, 2
    };
    wr_note(&b, &n);
    CHECK(request(MSG_STORE_NOTE, ROLE_ACCESS, &b) == 0);
    buf_clear(&b);
    struct msg_flags f = {
        .head = {++counter, counter},
        .grant = buf_span(&grant),
        .mailbox = 7,
        .uids = one,
        .op = FLAGS_ADD,
        .flags = STORE_SEEN,
        .unchanged_since = UINT64_MAX
    };
    wr_flags(&b, &f);
    CHECK(request(MSG_STORE_FLAGS, ROLE_ACCESS, &b) == 0);
    rangeset_done(&one);
    buf_done(&b);
}

static void make(void)
{
    struct grant all = {.account = ALICE,
                        .rights = GRANT_MAIL | GRANT_SUBMIT | GRANT_POST | GRANT_ADMIN,
                        .epoch = 1,
                        .expires_seconds = INT64_MAX};
    struct span word = SPAN("$Work");
    struct rangeset some = uids(1, 2);
    struct msg_newsgroup g = {
        {2,    2},
        NEWSGROUP_CREATE, SPAN("test.group"), MAILBOX_NEWSGROUP, false, {NULL, 0}
    };
    struct store_recipient to[] = {
        {.kind = RECIPIENT_INBOX,  .id = ALICE                     },
        {.kind = RECIPIENT_FOLDER, .id = 7                         },
        {.kind = RECIPIENT_REMOTE, .address = SPAN("x@example.net")},
    };
    struct buf b = BUF(10000);

    clock_fake(NOW_MS);
    begin();
    buf_clear(&grant);
    grant_seal(&all, store_harness_secret, &grant);
    wr_newsgroup(&b, &g);
    CHECK(request(MSG_STORE_NEWSGROUP, ROLE_MANAGER, &b) == 0);
    counter = 2;
    for (uint32_t i = 1; i <= 5; i++)
        CHECK(append(i) == 0);
    buf_clear(&b);
    struct msg_flags f = {
        .head = {++counter, counter},
        .grant = buf_span(&grant),
        .mailbox = 1,
        .uids = some,
        .op = FLAGS_SET,
        .flags = STORE_SEEN,
        .keywords = &word,
        .keyword_count = 1,
        .unchanged_since = UINT64_MAX
    };
    wr_flags(&b, &f);
    CHECK(request(MSG_STORE_FLAGS, ROLE_ACCESS, &b) == 0);
    rangeset_done(&some);
    CHECK(copy(1, 2, 3, 6, false) == 0 && copy(1, 4, 4, 5, true) == 0);
    CHECK(expunge(1, 1, 1) == 0);
    buf_clear(&b);
    struct msg_deliver d = {
        .head = {++counter,   counter},
          .body.body = { AREA_RING, text_at(2),    BODY}
    };
    d.d = (struct store_delivery){.grant = buf_span(&grant),
                                  .sender = SPAN("a@example.org"),
                                  .prefix = SPAN("Received: today\r\n"),
                                  .recipients = to,
                                  .count = 3,
                                  .news = true,
                                  .message_id = SPAN("<one@example.org>")};
    wr_deliver(&b, &d);
    CHECK(request(MSG_STORE_DELIVER, ROLE_ACCESS, &b) == 0);
    buf_done(&b);
    make_annex();
    engine_close(engine, true);
}

static void unpack(void)
{
    char command[1000];

    for (size_t i = 0; i < sizeof(memory); i++)
        memory[i] = (char)('a' + (i * i / 7) % 26);
    strcpy(root, "/tmp/sealpost-sample-XXXXXX");
    CHECK(mkdtemp(root));
    snprintf(command, sizeof(command), "tar -xzf '%s/%s' -C %s", SAMPLES, sample, root);
    CHECK(system(command) == 0);
}

static void expect_sample(void)
{
    size_t version = sample == samples[0] ? 0 : 1;

    struct buf b = BUF(20000);

    start();
    say(&b);
    EXPECT_SPAN(buf_span(&b), span_cstr(want[version]));
    buf_done(&b);
}

static void expect_whole(void)
{
    struct check c = {0};
    struct err err;

    EXPECT_INT(store_check(root, 256 << 20, &c, &err), 0);
    EXPECT_INT(c.all, 0);
}

static void with_its_index(void)
{
    if (getenv("SAMPLE_MAKE")) {
        char command[1000];
        make();
        snprintf(command, sizeof(command), "tar -czf '%s' --sparse -C %s store",
                 getenv("SAMPLE_MAKE"), root);
        CHECK(system(command) == 0);
        return;
    }
    unpack();
    expect_whole();
    expect_sample();
    /* It goes on. */
    struct grant g = {
        .account = ALICE, .rights = GRANT_MAIL, .epoch = 1, .expires_seconds = INT64_MAX};
    buf_clear(&grant);
    grant_seal(&g, store_harness_secret, &grant);
    counter = 100;
    EXPECT_INT(append(6), 0);
    engine_close(engine, true);
    expect_whole();
    start();
    end();
}

/* From the log alone: every kind of record of then is understood. */
static void without_it(void)
{
    char path[128];

    if (getenv("SAMPLE_MAKE"))
        return;
    unpack();
    snprintf(path, sizeof(path), "%s/store/index/data.mdb", root);
    CHECK(unlink(path) == 0);
    snprintf(path, sizeof(path), "%s/store/checkpoint", root);
    CHECK(unlink(path) == 0);
    expect_sample();
    engine_close(engine, true);
    expect_whole();
    start();
    end();
}

TEST(version_1)
{
    sample = samples[0];
    with_its_index();
    without_it();
}

TEST(version_2)
{
    sample = samples[1];
    if (!getenv("SAMPLE_MAKE"))
        with_its_index();
    without_it();
}
