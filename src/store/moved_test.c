/* A worker whose messages are moved by compaction: what it knew of them leads to them still, at
 * first by the descriptors that it keeps, then because it looks again. */
#include "base/fd.h"
#include "store/client.h"
#include "store/store_testing.h"
#include <fcntl.h>

enum { BIG = 200000, MESSAGES = 60 };

static int append_big(uint64_t box, char fill)
{
    char *text = malloc(BIG);
    int n = snprintf(text, BIG, "From: a@example.org\r\nSubject: large\r\n\r\n");
    memset(text + n, fill, (size_t)(BIG - n));
    struct store_body *b = body_in(s, span_of(text, BIG));
    struct store_append a = {.grant = buf_span(&alice), .mailbox = box};
    struct store_appended done;
    int err = store_append(s, b, &a, &done);

    store_body_free(b);
    free(text);
    return err;
}

static bool reads(const struct message_info *m, char fill)
{
    struct buf b = BUF(2 * BIG), part = BUF(2 * BIG);
    struct arena *a = arena_new(1 << 20);
    struct summary sum;
    bool good = store_message_read_all(s, m, &b) == 0 && b.n == BIG && b.p[BIG - 1] == fill &&
                store_message_read(s, m, BIG - 10, 100, &part) == 0 && part.n == 10 &&
                part.p[0] == fill && store_summary(s, m, a, &sum) == 0;

    arena_free(a);
    buf_done(&b);
    buf_done(&part);
    return good;
}

static void moved(void *arg)
{
    uint64_t box = mailbox(ALICE, "INBOX"), trash = mailbox(ALICE, "Trash");
    struct message_info before, now;
    struct rangeset gone = RANGESET_EMPTY;
    char path[300];

    for (int i = 1; i <= MESSAGES; i++)
        EXPECT_INT(append_big(box, (char)('a' + i % 26)), 0);
    REQUIRE(message(box, 7, &before));
    EXPECT(reads(&before, 'h'));
    rangeset_add(&gone, 1, 6);
    rangeset_add(&gone, 8, 50);
    EXPECT_INT(store_expunge(s, buf_span(&alice), box, &gone, false, NULL), 0);
    rangeset_done(&gone);
    snprintf(path, sizeof(path), "%s/store/log/%08u.log", store_harness_root(h), before.body_file);
    for (int i = 0; i < 100 && access(path, F_OK) == 0; i++) {
        EXPECT_INT(store_harness_compact(h), 0);
        /* Checkpoints go on with what is written. */
        struct store_appended done;
        EXPECT_INT(append(trash, "another", 0, &done), 0);
        fiber_sleep_ms(200);
    }
    EXPECT(access(path, F_OK) < 0);
    REQUIRE(message(box, 7, &now));
    EXPECT(now.body_file != before.body_file);
    EXPECT(now.body == before.body && now.modseq == before.modseq);
    EXPECT(reads(&now, 'h'));
    /* The file is gone and still read from. */
    EXPECT(client_file(s, before.body_file) >= 0);
    EXPECT(reads(&before, 'h'));
    client_files_expire(s, UINT64_MAX);
    EXPECT(client_file(s, before.body_file) < 0);
    EXPECT(reads(&before, 'h'));
    /* Within a snapshot, too. */
    struct store_read r;
    REQUIRE(store_read_begin(s, &r) == 0);
    EXPECT(reads(&before, 'h'));
    store_read_end(&r);
    /* What is not there any more cannot be read. */
    EXPECT_INT(store_expunge(s, buf_span(&alice), box,
                             &(struct rangeset){
                                 &(struct range){7, 7},
                                  1, 1
    },
                             false, NULL),
               0);
    EXPECT(!reads(&before, 'h'));
}

/* A byte of the log is another one: whoever reads the whole body is told. */
static void damaged(void *arg)
{
    uint64_t box = mailbox(ALICE, "INBOX");
    struct message_info m;
    struct buf b = BUF(2 * BIG);
    char path[300];

    EXPECT_INT(append_big(box, 'x'), 0);
    REQUIRE(message(box, 1, &m));
    EXPECT_INT(store_message_read(s, &m, 0, BIG, &b), 0);
    snprintf(path, sizeof(path), "%s/store/log/%08u.log", store_harness_root(h), m.body_file);
    FILE *f = fopen(path, "r+");
    REQUIRE(f);
    fseek(f, (long)m.body_at + 5000, SEEK_SET);
    fputc('y', f);
    fclose(f);
    buf_clear(&b);
    EXPECT_INT(store_message_read_all(s, &m, &b), -EBADMSG);
    EXPECT_INT(store_message_read(s, &m, 0, BIG, &b), -EBADMSG);
    buf_clear(&b);
    EXPECT_INT(store_message_read(s, &m, 100, 1000, &b), 0);
    EXPECT_INT(b.n, 1000);
    buf_done(&b);
}

/* A disk that cannot be read tells through memory by a signal: the message cannot be read, and that
 * is all. */
static void unreadable(void *arg)
{
    uint64_t box = mailbox(ALICE, "INBOX");
    struct buf file = BUF(64 << 20), block = BUF(1 << 20), b = BUF(1 << 20);
    struct store_appended done;
    struct message_info m;
    struct summary sum;
    struct err e;
    char path[300];

    EXPECT_INT(append(box, "short", 0, &done), 0);
    REQUIRE(message(box, done.uid, &m));
    EXPECT_INT(store_summary_read(s, &m, &block, &sum), 0);
    snprintf(path, sizeof(path), "%s/store/log/%08u.log", store_harness_root(h), m.body_file);
    REQUIRE(file_read(AT_FDCWD, path, file.max, &file, &e) == 0);
    REQUIRE(truncate(path, 0) == 0);
    store_summary_ahead(s, &m);
    EXPECT_INT(store_summary_read(s, &m, &block, &sum), -EIO);
    EXPECT_INT(store_message_read(s, &m, 0, m.size, &b), -EBADMSG);
    EXPECT_INT(store_message_read(s, &m, 2, 5, &b), -EBADMSG);
    EXPECT_INT(b.n, 0);
    FILE *f = fopen(path, "r+");
    REQUIRE(f && fwrite(file.p, 1, file.n, f) == file.n && fclose(f) == 0);
    EXPECT_INT(store_summary_read(s, &m, &block, &sum), 0);
    EXPECT_INT(store_message_read(s, &m, 0, m.size, &b), 0);
    EXPECT_INT(b.n, m.size);
    buf_done(&file);
    buf_done(&block);
    buf_done(&b);
}

TEST(a_disk_that_cannot_be_read)
{
    with_store(unreadable);
}

TEST(a_body_that_is_damaged)
{
    with_store(damaged);
}

TEST(a_message_that_was_moved)
{
    store_harness_answers_ms = 100;
    with_store(moved);
    store_harness_answers_ms = 0;
}
