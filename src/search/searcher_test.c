/* The searcher beside a whole store: what changes there is found here soon, and what goes is gone. */
#include "store/store_testing.h"

#include "base/clock.h"
#include "search/gram.h"
#include "search/index.h"
#include "search/searcher.h"

#include <dirent.h>
#include <fcntl.h>

enum { WAIT_MS = 20000, QUIET_MS = 1500, DAYS = 30 };

static struct searcher *x;
static char folder[64];

static void searcher_begin_as(enum search_policy policy, uint64_t min_free)
{
    x = searcher_new(&(struct searcher_options){.loop = loop_current(),
                                                .store = s,
                                                .folder = folder,
                                                .min_free_bytes = min_free,
                                                .policy = policy,
                                                .days = DAYS});
}

static void searcher_begin(uint64_t min_free)
{
    searcher_begin_as(SEARCH_POLICY_USED, min_free);
}

static void searcher_end(void)
{
    searcher_stop(x);
    while (!searcher_idle(x))
        fiber_sleep_ms(1);
    searcher_free(x);
    x = NULL;
}

static void on_told(void *arg)
{
}

/* "next_uid: uids", as the index has it now. */
static void ask(uint64_t box, const char *needle, unsigned places, struct buf *out)
{
    struct search_find f = {box, 1, (uint8_t)places, span_cstr(needle)};
    struct search_found found = {.uids = RANGESET_EMPTY};
    struct buf reply BUF_AUTO = BUF(100000);

    searcher_find(x, &f, &reply);
    EXPECT(rd_search_found(buf_span(&reply), &found));
    buf_clear(out);
    buf_printf(out, "%u:", found.next_uid);
    if (found.uids.n)
        buf_putc(out, ' ');
    rangeset_print(&found.uids, out);
    rangeset_done(&found.uids);
}

static bool becomes(uint64_t box, const char *needle, const char *want)
{
    struct buf b BUF_AUTO = BUF(4096);

    for (uint64_t until = clock_mono_ms() + WAIT_MS; clock_mono_ms() < until; fiber_sleep_ms(5)) {
        ask(box, needle, 1u << GRAM_BODY, &b);
        if (strcmp(buf_cstr(&b), want) == 0)
            return true;
    }
    printf("%s: %s, wanted %s\n", needle, buf_cstr(&b), want);
    return false;
}

static void add(uint64_t box, const char *subject)
{
    struct store_appended done;
    EXPECT_INT(append(box, subject, 0, &done), 0);
}

static void take_away(uint64_t box, const char *uids)
{
    struct rangeset gone = set(uids);
    EXPECT_INT(store_expunge(s, buf_span(&alice), box, &gone, false, NULL), 0);
    rangeset_done(&gone);
}

static void move_to(uint64_t from, const char *uids, uint64_t to, bool move)
{
    struct store_copied done = {0};
    struct rangeset u = set(uids);

    EXPECT_INT(store_copy(s, buf_span(&alice), from, &u, to, move, &done), 0);
    rangeset_done(&u);
    rangeset_done(&done.from);
    rangeset_done(&done.to);
}

static void account_file(char *path, size_t size)
{
    snprintf(path, size, "%s/%u.db", folder, (unsigned)ALICE);
}

static bool has_file(uint64_t account)
{
    char path[100];

    snprintf(path, sizeof path, "%s/%u.db", folder, (unsigned)account);
    return access(path, F_OK) == 0;
}

/* How many messages of an account are in, without asking as one who searches does. */
static uint64_t indexed(uint64_t account)
{
    struct buf json BUF_AUTO = BUF(4096);
    const char *at;

    EXPECT_INT(searcher_index(x, SEARCH_INDEX_SHOW, account, &json), 0);
    at = strstr(buf_cstr(&json), "\"indexed\":");
    return at ? strtoull(at + 10, NULL, 10) : UINT64_MAX;
}

static bool gets(uint64_t account, uint64_t want)
{
    for (uint64_t until = clock_mono_ms() + WAIT_MS; clock_mono_ms() < until; fiber_sleep_ms(5))
        if (indexed(account) == want)
            return true;
    printf("%u, wanted %u\n", (unsigned)indexed(account), (unsigned)want);
    return false;
}

static void follows(void *arg)
{
    uint64_t box = mailbox(ALICE, "INBOX"), trash = mailbox(ALICE, "Trash");
    struct store_watch *w = store_watch(s, box, on_told, NULL),
                       *w2 = store_watch(s, trash, on_told, NULL);

    add(box, "first");
    add(box, "second");
    searcher_begin(0);
    EXPECT(becomes(box, "text of first", "3: 1"));
    EXPECT(becomes(box, "text of", "3: 1:2"));
    EXPECT(becomes(box, "elsewhere", "3:"));
    uint64_t began = clock_mono_ms();
    add(box, "third");
    EXPECT(becomes(box, "text of third", "4: 3"));
    printf("found after %u ms\n", (unsigned)(clock_mono_ms() - began));
    take_away(box, "2");
    EXPECT(becomes(box, "text of", "4: 1,3"));
    /* copied and moved: the same document at another place */
    uint64_t batches = searcher_counts(x).messages;
    move_to(box, "1", trash, false);
    EXPECT(becomes(trash, "text of", "2: 1"));
    move_to(box, "3", trash, true);
    EXPECT(becomes(trash, "text of", "3: 1:2"));
    EXPECT(becomes(box, "text of", "4: 1"));
    EXPECT(searcher_counts(x).messages > batches);
    struct buf json BUF_AUTO = BUF(4096);
    EXPECT_INT(searcher_index(x, SEARCH_INDEX_CHECK, ALICE, &json), 0);
    EXPECT(strstr(buf_cstr(&json), "\"indexed\":3,\"documents\":2,\"dead\":1") != NULL);
    EXPECT(strstr(buf_cstr(&json), "\"sound\":true") != NULL);
    buf_clear(&json);
    EXPECT_INT(searcher_index(x, SEARCH_INDEX_SHOW, 4711, &json), -ENOENT);
    searcher_end();
    store_unwatch(w);
    store_unwatch(w2);
}

/* Nobody is indexed before somebody searches; from then on all that is new is. */
static void used(void *arg)
{
    uint64_t box = mailbox(ALICE, "INBOX"), of_bob = mailbox(BOB, "INBOX"), made = 0;
    struct buf b BUF_AUTO = BUF(100);
    struct store_appended done;
    struct store_body *body;

    add(box, "first");
    searcher_begin(0);
    add(box, "second");
    body = body_in(s, SPAN("Subject: of bob\r\n\r\ntext of bob\r\n"));
    struct store_append to_bob = {.grant = buf_span(&bob), .mailbox = of_bob};
    EXPECT_INT(store_append(s, body, &to_bob, &done), 0);
    store_body_free(body);
    fiber_sleep_ms(QUIET_MS);
    EXPECT_INT(searcher_counts(x).messages, 0);
    EXPECT_INT(searcher_counts(x).in_use, 0);
    EXPECT(!has_file(ALICE) && !has_file(BOB));
    ask(box, "text of", 1u << GRAM_BODY, &b);
    EXPECT_STR(buf_cstr(&b), "0:"); /* all may have it: they are looked at */
    EXPECT(gets(ALICE, 2));
    EXPECT_INT(searcher_counts(x).in_use, 1);
    /* nobody asks */
    add(box, "third");
    EXPECT(gets(ALICE, 3));
    EXPECT_INT(store_mailbox_create(s, buf_span(&alice), ALICE, SPAN("Made"), 0, &made), 0);
    add(made, "other");
    EXPECT(gets(ALICE, 4));
    add(made, "one more");
    EXPECT(gets(ALICE, 5));
    EXPECT(!has_file(BOB));
    searcher_end();
    /* it is known after a restart */
    searcher_begin(0);
    add(box, "fourth");
    EXPECT(gets(ALICE, 6));
    EXPECT_INT(searcher_counts(x).in_use, 1);
    EXPECT(!has_file(BOB));
    /* named by whoever administers */
    struct buf json BUF_AUTO = BUF(4096);
    EXPECT_INT(searcher_index(x, SEARCH_INDEX_SHOW, BOB, &json), 0);
    EXPECT(strstr(buf_cstr(&json), "\"used\":false") != NULL);
    buf_clear(&json);
    EXPECT_INT(searcher_index(x, SEARCH_INDEX_CHECK, BOB, &json), 0);
    EXPECT(strstr(buf_cstr(&json), "\"used\":true") != NULL);
    EXPECT(gets(BOB, 1));
    searcher_end();
}

static uint32_t day_of_row(uint32_t put)
{
    struct search_index *index = NULL;
    uint32_t day = 0;
    char path[100];

    account_file(path, sizeof path);
    EXPECT_INT(search_index_open(path, &index), 0);
    if (!index)
        return 0;
    EXPECT_INT(search_index_used(index, &day), 0);
    if (put)
        EXPECT_INT(search_index_used_put(index, put), 0);
    search_index_close(index);
    return day;
}

static void rests(void *arg)
{
    uint64_t box = mailbox(ALICE, "INBOX");
    uint32_t today = (uint32_t)(clock_seconds() / 86400);
    struct buf b BUF_AUTO = BUF(100);

    add(box, "first");
    searcher_begin(0);
    EXPECT(becomes(box, "text of", "2: 1"));
    searcher_end();
    EXPECT(day_of_row(today - DAYS) >= today);
    /* the last day */
    searcher_begin(0);
    add(box, "second");
    EXPECT(gets(ALICE, 2));
    searcher_end();
    EXPECT_INT(day_of_row(today - DAYS - 1), today - DAYS);
    /* over */
    searcher_begin(0);
    add(box, "third");
    fiber_sleep_ms(QUIET_MS);
    EXPECT_INT(indexed(ALICE), 2);
    EXPECT_INT(searcher_counts(x).in_use, 0);
    /* what is in is true yet, what is behind may have it */
    ask(box, "text of", 1u << GRAM_BODY, &b);
    EXPECT_STR(buf_cstr(&b), "3: 1:2");
    EXPECT(becomes(box, "text of", "4: 1:3"));
    searcher_end();
    EXPECT(day_of_row(today - 10) >= today);
    /* over while it runs */
    searcher_begin(0);
    add(box, "fourth");
    EXPECT(gets(ALICE, 4));
    searcher_policy(x, SEARCH_POLICY_USED, 9);
    add(box, "fifth");
    fiber_sleep_ms(QUIET_MS);
    EXPECT_INT(indexed(ALICE), 4);
    EXPECT_INT(searcher_counts(x).in_use, 0);
    searcher_end();
}

static void policies(void *arg)
{
    uint64_t box = mailbox(ALICE, "INBOX");
    struct store_watch *w = store_watch(s, box, on_told, NULL); /* only searchd is told of all */
    struct buf b BUF_AUTO = BUF(100);

    add(box, "first");
    searcher_begin_as(SEARCH_POLICY_NEVER, 0);
    ask(box, "text of", 1u << GRAM_BODY, &b);
    EXPECT_STR(buf_cstr(&b), "0:");
    add(box, "second");
    fiber_sleep_ms(QUIET_MS);
    EXPECT_INT(searcher_counts(x).messages, 0);
    EXPECT(!has_file(ALICE));
    /* by a reload */
    searcher_policy(x, SEARCH_POLICY_ALWAYS, DAYS);
    EXPECT(gets(ALICE, 2));
    add(box, "third");
    EXPECT(gets(ALICE, 3));
    searcher_policy(x, SEARCH_POLICY_USED, DAYS);
    add(box, "fourth");
    fiber_sleep_ms(QUIET_MS);
    EXPECT_INT(indexed(ALICE), 3); /* nobody has ever searched */
    EXPECT(becomes(box, "text of", "5: 1:4"));
    searcher_policy(x, SEARCH_POLICY_NEVER, DAYS);
    add(box, "fifth");
    fiber_sleep_ms(QUIET_MS);
    EXPECT_INT(searcher_counts(x).messages, 4);
    searcher_policy(x, SEARCH_POLICY_USED, DAYS);
    EXPECT(gets(ALICE, 5)); /* in use: its row says so */
    searcher_end();
    store_unwatch(w);
}

/* Steady delivery is written in pieces of half a second. */
static void gathers(void *arg)
{
    uint64_t box = mailbox(ALICE, "INBOX");

    searcher_begin(0);
    add(box, "first");
    EXPECT(becomes(box, "text of", "2: 1"));
    uint64_t before = searcher_counts(x).batches;
    uint64_t until = clock_mono_ms() + 2000;
    unsigned n = 1;
    for (; clock_mono_ms() < until; n++) {
        add(box, "more");
        fiber_sleep_ms(20);
    }
    EXPECT(gets(ALICE, n));
    uint64_t batches = searcher_counts(x).batches - before;
    printf("%u messages in %u batches\n", n - 1, (unsigned)batches);
    EXPECT(batches <= 6);
    searcher_end();
}

/* What happened while it was away is found when it comes back; nothing is done twice. */
static void comes_back(void *arg)
{
    uint64_t box = mailbox(ALICE, "INBOX"), made = 0;

    EXPECT_INT(store_mailbox_create(s, buf_span(&alice), ALICE, SPAN("Made"), 0, &made), 0);
    add(box, "first");
    add(box, "second");
    add(made, "other");
    searcher_begin(0);
    EXPECT(becomes(box, "text of", "3: 1:2"));
    EXPECT(becomes(made, "text of", "2: 1"));
    searcher_end();
    take_away(box, "1");
    add(box, "third");
    EXPECT_INT(store_mailbox_delete(s, buf_span(&alice), made), 0);
    searcher_begin(0);
    EXPECT(becomes(box, "text of", "4: 2:3"));
    EXPECT_INT(searcher_counts(x).messages, 1);
    struct buf json BUF_AUTO = BUF(4096);
    EXPECT_INT(searcher_index(x, SEARCH_INDEX_CHECK, ALICE, &json), 0);
    EXPECT(strstr(buf_cstr(&json), "\"indexed\":2,\"documents\":2,\"dead\":2") != NULL);
    buf_clear(&json);
    EXPECT_INT(searcher_index(x, SEARCH_INDEX_REBUILD, ALICE, &json), 0);
    EXPECT(becomes(box, "text of", "4: 2:3"));
    buf_clear(&json);
    EXPECT_INT(searcher_index(x, SEARCH_INDEX_CHECK, ALICE, &json), 0);
    EXPECT(strstr(buf_cstr(&json), "\"indexed\":2,\"documents\":2,\"dead\":0") != NULL);
    buf_clear(&json);
    EXPECT_INT(searcher_index(x, SEARCH_INDEX_REBUILD, 0, &json), 0);
    EXPECT(becomes(box, "text of", "4: 2:3"));
    searcher_end();
}

/* While it runs and while it does not: the file is replaced by something else. */
static void damaged(void *arg)
{
    uint64_t box = mailbox(ALICE, "INBOX");
    struct store_watch *w = store_watch(s, box, on_told, NULL);
    char path[100], junk[4096];

    account_file(path, sizeof path);
    memset(junk, 'x', sizeof junk);
    for (int i = 0; i < 100; i++)
        add(box, "same");
    searcher_begin(0);
    EXPECT(becomes(box, "text of", "101: 1:100"));
    searcher_end();
    for (off_t at = 0; at <= 8192; at += 4096) {
        int fd = open(path, O_WRONLY);
        REQUIRE(fd >= 0 && pwrite(fd, junk, sizeof junk, at) == (ssize_t)sizeof junk);
        close(fd);
        searcher_begin(0);
        EXPECT(becomes(box, "text of", "101: 1:100"));
        EXPECT_INT(searcher_counts(x).damaged, 1);
        searcher_end();
    }
    searcher_begin(0);
    EXPECT(becomes(box, "text of", "101: 1:100"));
    EXPECT_INT(searcher_counts(x).damaged, 0);
    searcher_end();
    store_unwatch(w);
}

/* A store that is not the one that was indexed. */
static void went_back(void *arg)
{
    uint64_t box = mailbox(ALICE, "INBOX");
    struct search_index *index = NULL;
    struct search_mailbox m;
    char path[100];

    account_file(path, sizeof path);
    add(box, "first");
    searcher_begin(0);
    EXPECT(becomes(box, "text of", "2: 1"));
    searcher_end();
    for (int i = 0; i < 3; i++) {
        REQUIRE(search_index_open(path, &index) == 0);
        EXPECT_INT(search_index_mailbox(index, box, &m), 0);
        m.uidvalidity += i == 0;
        m.next_uid += i == 1 ? 10 : 0;
        m.modseq += i == 2 ? 10 : 0;
        EXPECT_INT(search_index_begin(index), 0);
        EXPECT_INT(search_index_mailbox_put(index, &m), 0);
        EXPECT_INT(search_index_commit(index), 0);
        search_index_close(index);
        searcher_begin(0);
        EXPECT(becomes(box, "text of", "2: 1"));
        EXPECT_INT(searcher_counts(x).rebuilt, 1);
        searcher_end();
    }
}

static void full_disk(void *arg)
{
    uint64_t box = mailbox(ALICE, "INBOX");
    struct buf b BUF_AUTO = BUF(100);

    add(box, "first");
    searcher_begin(UINT64_MAX);
    ask(box, "text of", 1u << GRAM_BODY, &b);
    fiber_sleep_ms(300);
    EXPECT(searcher_counts(x).paused);
    ask(box, "text of", 1u << GRAM_BODY, &b);
    EXPECT_STR(buf_cstr(&b), "0:");
    searcher_end();
}

/* Longer than a batch, and a text that has too many grams to be worth it. */
static void many(void *arg)
{
    uint64_t box = mailbox(ALICE, "INBOX");
    struct buf big BUF_AUTO = BUF(4 << 20);

    for (int i = 0; i < 200; i++) {
        char name[40];
        snprintf(name, sizeof name, "number#%d#", i + 1);
        add(box, name);
    }
    buf_put_cstr(&big, "Subject: noise\r\n\r\n");
    for (unsigned i = 0; i < 100000; i++)
        buf_printf(&big, "%c%c%c\r\n", 0x21 + i % 64, 0x21 + i / 64 % 64, 0x21 + i / 4096);
    struct store_body *body = body_in(s, buf_span(&big));
    struct store_append a = {.grant = buf_span(&alice), .mailbox = box};
    struct store_appended done;
    EXPECT_INT(store_append(s, body, &a, &done), 0);
    store_body_free(body);
    searcher_begin(0);
    EXPECT(becomes(box, "#17#", "202: 17,201"));
    EXPECT(becomes(box, "the text", "202: 1:201"));
    searcher_end();
}

static void run(void (*fn)(void *arg))
{
    DIR *d;
    struct dirent *entry;

    snprintf(folder, sizeof folder, "/tmp/searcher_XXXXXX");
    CHECK(mkdtemp(folder));
    with_store(fn);
    d = opendir(folder);
    while (d && (entry = readdir(d)))
        unlinkat(dirfd(d), entry->d_name, 0);
    closedir(d);
    rmdir(folder);
}

TEST(searcher_follows)
{
    run(follows);
}
TEST(searcher_of_accounts_in_use)
{
    run(used);
}
TEST(searcher_lets_rest)
{
    run(rests);
}
TEST(searcher_policies)
{
    run(policies);
}
TEST(searcher_gathers)
{
    run(gathers);
}
TEST(searcher_comes_back)
{
    run(comes_back);
}
TEST(searcher_mends_damage)
{
    run(damaged);
}
TEST(searcher_of_a_store_that_went_back)
{
    run(went_back);
}
TEST(searcher_waits_for_room)
{
    run(full_disk);
}
TEST(searcher_of_many)
{
    run(many);
}
