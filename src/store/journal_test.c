#include "store/journal.h"
#include "unit/unit.h"

#include "base/check.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES = 64 << 10 };
static const unsigned char uuid[16] = "a store's number";
static char root[64];

static void make_root(void)
{
    char path[128];

    strcpy(root, "/tmp/sealpost-journal-XXXXXX");
    CHECK(mkdtemp(root));
    snprintf(path, sizeof(path), "%s/store", root);
    CHECK(mkdir(path, 0750) == 0);
    snprintf(path, sizeof(path), "%s/store/log", root);
    CHECK(mkdir(path, 0750) == 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    return remove(path);
}

static void drop_root(void)
{
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void record(struct journal *j, struct span body, struct span commit)
{
    journal_record_begin(j);
    journal_blob(j, BLOB_BODY, body);
    journal_record_end(j, commit);
}

static void batch_end(struct journal *j)
{
    REQUIRE(journal_write(j) == 0);
    REQUIRE(journal_sync(j) == 0);
    journal_batch_done(j);
}

static void one(struct journal *j, const char *body, const char *commit)
{
    bool rotated;

    REQUIRE(journal_batch_begin(j, 0, &rotated) == 0);
    record(j, span_cstr(body), span_cstr(commit));
    batch_end(j);
}

static struct journal open_again(void)
{
    struct journal j;

    CHECK(journal_open(&j, root, FILE_BYTES) == 0);
    memcpy(j.uuid, uuid, 16);
    return j;
}

/* The commit parts from the beginning, joined by blanks; the position behind them. */
static void expect_log(struct journal *j, const char *want, struct journal_position *ret_end,
                       bool *ret_damaged)
{
    struct journal_position start = {1, 0, 0, 0};
    struct buf got = BUF(1 << 20);
    struct journal_reader r;
    struct journal_record rec;

    journal_reader_init(&r, j, &start, false);
    while (journal_next(&r, &rec) == 1) {
        if (rec.type != LOG_COMMIT)
            continue;
        buf_put_span(&got, rec.commit);
        buf_putc(&got, ' ');
    }
    EXPECT_SPAN(buf_span(&got), span_cstr(want));
    *ret_damaged = journal_damaged(&r);
    *ret_end = r.at;
    journal_reader_done(&r);
    buf_done(&got);
}

TEST(written_and_read)
{
    struct journal_position end;
    struct journal j;
    bool damaged;

    make_root();
    j = open_again();
    REQUIRE(journal_create(&j, uuid) == 0);
    one(&j, "body", "first");
    one(&j, "", "second");
    EXPECT_INT(j.end.sequence, 3);
    journal_close(&j);
    j = open_again();
    expect_log(&j, "first second ", &end, &damaged);
    EXPECT(!damaged);
    EXPECT_INT(end.sequence, 3);
    journal_close(&j);
    drop_root();
}

TEST(many_files)
{
    static char big[20000];
    struct journal_position end;
    struct buf want = BUF(1 << 16);
    struct journal j;
    bool damaged, rotated;

    make_root();
    memset(big, 'b', sizeof(big));
    j = open_again();
    REQUIRE(journal_create(&j, uuid) == 0);
    for (int i = 0; i < 30; i++) {
        char commit[16];
        snprintf(commit, sizeof(commit), "c%d", i);
        buf_printf(&want, "%s ", commit);
        /* Some with a prepared file, some without. */
        if (i % 2 && journal_wants_file(&j)) {
            struct journal_prepare p = journal_prepare_begin(&j);
            journal_prepare(&p);
            EXPECT_INT(p.err, 0);
            journal_prepared(&j, &p);
        }
        REQUIRE(journal_batch_begin(&j, sizeof(big), &rotated) == 0);
        record(&j, span_of(big, (size_t)(i * 600)), span_cstr(commit));
        batch_end(&j);
    }
    EXPECT(j.end.file > 3);
    journal_close(&j);
    j = open_again();
    expect_log(&j, buf_cstr(&want), &end, &damaged);
    EXPECT(!damaged);
    journal_close(&j);
    buf_done(&want);
    drop_root();
}

static void flip(uint32_t at)
{
    char path[128], c;

    snprintf(path, sizeof(path), "%s/store/log/00000001.log", root);
    int fd = open(path, O_RDWR);
    CHECK(fd >= 0 && pread(fd, &c, 1, at) == 1);
    c ^= 1;
    CHECK(pwrite(fd, &c, 1, at) == 1);
    close(fd);
}

/* A bit that turns in what was durable is told from the torn end of the last batch, wherever it
 * lies in the record. */
TEST(damage)
{
    for (unsigned k = 0; k < 40; k++) {
        struct journal_position end;
        struct journal j;
        bool damaged;
        make_root();
        j = open_again();
        REQUIRE(journal_create(&j, uuid) == 0);
        one(&j, "the body of the first", "first");
        uint32_t from = j.end.at;
        /* Without padding: every byte counts. */
        one(&j, "the body of the second record, of 48 bytes size.", "second of commit");
        uint32_t to = j.end.at;
        one(&j, "x", "third");
        journal_close(&j);
        flip(from + (uint32_t)(unit_random() % (to - from)));
        j = open_again();
        expect_log(&j, "first ", &end, &damaged);
        EXPECT(damaged);
        journal_close(&j);
        drop_root();
    }
}

TEST(torn_batch_is_no_damage)
{
    struct journal_position end;
    struct journal j;
    bool damaged, rotated;

    make_root();
    j = open_again();
    REQUIRE(journal_create(&j, uuid) == 0);
    one(&j, "body", "first");
    REQUIRE(journal_batch_begin(&j, 0, &rotated) == 0);
    uint32_t torn = j.end.at;
    record(&j, SPAN("body of second"), SPAN("second"));
    record(&j, SPAN("body of third!"), SPAN("third!"));
    REQUIRE(journal_write(&j) == 0);
    journal_close(&j);
    flip(torn + 80);
    j = open_again();
    expect_log(&j, "first ", &end, &damaged);
    EXPECT(!damaged);
    /* Written anew with a record of the same length: what lies behind it is not its continuation.
     */
    REQUIRE(journal_resume(&j, &end, uuid) == 0);
    one(&j, "BODY OF SECOND", "SECOND");
    journal_close(&j);
    j = open_again();
    expect_log(&j, "first SECOND ", &end, &damaged);
    EXPECT(!damaged);
    journal_close(&j);
    drop_root();
}

/* A mail that looks like a record of the log is a mail. */
TEST(forged_heads_are_no_damage)
{
    struct journal_position end;
    struct log_head forged[8];
    struct journal j;
    bool damaged, rotated;

    memset(forged, 0, sizeof(forged));
    for (size_t i = 0; i < 8; i++) {
        forged[i].magic = LOG_MAGIC;
        forged[i].version = STORE_FORMAT_VERSION;
        forged[i].sequence = 1000;
        forged[i].synced = 999;
        forged[i].bytes = 64;
    }
    make_root();
    j = open_again();
    REQUIRE(journal_create(&j, uuid) == 0);
    REQUIRE(journal_batch_begin(&j, 0, &rotated) == 0);
    uint32_t torn = j.end.at;
    record(&j, span_of(forged, sizeof(forged)), SPAN("mail"));
    REQUIRE(journal_write(&j) == 0);
    journal_close(&j);
    flip(torn);
    j = open_again();
    expect_log(&j, "", &end, &damaged);
    EXPECT(!damaged);
    journal_close(&j);
    drop_root();
}

/* Any bytes may lie in a file. */
TEST(random_bytes)
{
    for (unsigned k = 0; k < 200; k++) {
        struct journal_position start = {1, 0, 0, 0};
        struct journal_reader r;
        struct journal_record rec;
        struct journal j;
        make_root();
        j = open_again();
        REQUIRE(journal_create(&j, uuid) == 0);
        one(&j, "some body", "first");
        one(&j, "some other body", "second");
        uint32_t end = j.end.at;
        journal_close(&j);
        for (unsigned n = 0; n < 1 + k % 8; n++)
            flip((uint32_t)(unit_random() % end));
        j = open_again();
        for (int skip = 0; skip < 3; skip++) {
            journal_reader_init(&r, &j, &start, skip);
            r.commits_only = skip == 2;
            while (journal_next(&r, &rec) == 1)
                ;
            journal_damaged(&r);
            journal_reader_done(&r);
        }
        journal_close(&j);
        drop_root();
    }
}

/* The same commit parts, without a look at what lies between; a changed one ends it. */
TEST(commit_parts_alone)
{
    static const char *const texts[] = {"first", "second, of sixteen", ""};
    struct journal_position start = {1, 0, 0, 0};
    struct journal_reader r;
    struct journal_record rec;
    struct journal j;

    make_root();
    j = open_again();
    REQUIRE(journal_create(&j, uuid) == 0);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        one(&j, "some body", texts[i]);
    journal_reader_init(&r, &j, &start, true);
    r.commits_only = true;
    REQUIRE(journal_next(&r, &rec) == 1 && rec.type == LOG_FILE);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        REQUIRE(journal_next(&r, &rec) == 1);
        EXPECT_SPAN(rec.commit, span_cstr(texts[i]));
        EXPECT_INT(rec.blob_count, 0);
    }
    EXPECT_INT(journal_next(&r, &rec), 0);
    EXPECT_INT(r.at.at, j.end.at);
    journal_reader_done(&r);
    journal_close(&j);
    drop_root();
}

/* Of each blob is said where it lies and whether it is what was written; in large steps, whose ends
 * fall anywhere. */
struct seen {
    struct place places[64];
    bool sound[64];
    unsigned n;
};

static void on_blob(void *arg, struct place at, bool sound)
{
    struct seen *s = arg;
    REQUIRE(s->n < ARRAY_LEN(s->places));
    s->places[s->n] = at;
    s->sound[s->n++] = sound;
}

static uint64_t look_at_blobs(struct journal *j, bool skip, struct seen *ret)
{
    struct journal_position start = {1, 0, 0, 0};
    struct journal_reader r;
    struct journal_record rec;

    ret->n = 0;
    journal_reader_init(&r, j, &start, skip);
    r.on_blob = on_blob;
    r.arg = ret;
    while (journal_next(&r, &rec) == 1)
        ;
    journal_reader_done(&r);
    return r.at.sequence;
}

TEST(every_blob_in_large_steps)
{
    static const uint32_t bytes[] = {100,     0,       900000, 300000,  1 << 20, 1,
                                     3000000, 1048575, 17,     1048577, 64,      500000};
    enum { COUNT = ARRAY_LEN(bytes), WRONG = 4 };
    char *text = malloc(3000000);
    struct place want[COUNT];
    static struct seen seen;
    struct journal j;
    bool rotated;

    make_root();
    CHECK(text);
    for (size_t i = 0; i < 3000000; i++)
        text[i] = (char)(i * i / 7);
    j = open_again();
    REQUIRE(journal_create(&j, uuid) == 0);
    for (size_t i = 0; i < COUNT; i++) {
        REQUIRE(journal_batch_begin(&j, bytes[i], &rotated) == 0);
        journal_record_begin(&j);
        want[i] =
            journal_blob(&j, BLOB_BODY, span_of(text + i, bytes[i] - (i && bytes[i] > i ? i : 0)));
        journal_record_end(&j, SPAN("commit"));
        batch_end(&j);
    }
    uint64_t last = j.end.sequence;
    for (int skip = 0; skip < 2; skip++) {
        EXPECT_INT(look_at_blobs(&j, skip, &seen), last);
        EXPECT_INT(seen.n, COUNT);
        for (size_t i = 0; i < COUNT; i++)
            EXPECT(memcmp(&seen.places[i], &want[i], sizeof(want[i])) == 0 && seen.sound[i]);
    }
    /* A wrong one ends the log where blobs count, and else is only said. */
    CHECK(pwrite(journal_fd(&j, want[WRONG].file), "!!!", 3, want[WRONG].at + bytes[WRONG] / 2) ==
          3);
    EXPECT_INT(look_at_blobs(&j, true, &seen), last);
    EXPECT_INT(seen.n, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        EXPECT(seen.sound[i] == (i != WRONG));
    EXPECT(look_at_blobs(&j, false, &seen) < last);
    EXPECT_INT(seen.n, WRONG + 1);
    journal_close(&j);
    drop_root();
    free(text);
}
