#include "search/index.h"
#include "search/sums.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], path[100];

static bool begin(struct search_index **ret)
{
    snprintf(folder, sizeof folder, "/tmp/search_index_XXXXXX");
    if (!mkdtemp(folder))
        return false;
    snprintf(path, sizeof path, "%s/7.db", folder);
    return search_index_open(path, ret) == 0;
}

static void end(struct search_index *x)
{
    search_index_close(x);
    search_index_remove(path);
    EXPECT_INT(rmdir(folder), 0); /* nothing is left beside it */
}

static int add(struct search_index *x, uint64_t mailbox, uint32_t uid, uint64_t body,
               const char *text)
{
    struct gram_text t = gram_text_begin(GRAM_BODY);
    struct gram_set set;
    uint64_t doc = 0;
    int e = search_index_doc(x, body, 0, &doc);

    gram_set_init(&set);
    gram_text_add(&t, span_cstr(text), &set);
    set.full = text[0] == '*';
    if (e == -ENOENT)
        e = search_index_doc_add(x, body, 0, &set, &doc);
    gram_set_done(&set);
    return e < 0 ? e : search_index_place_add(x, mailbox, uid, doc);
}

static bool finds(struct search_index *x, uint64_t mailbox, const char *text, const char *want)
{
    struct rangeset found = RANGESET_EMPTY;
    struct buf b BUF_AUTO = BUF(1000);
    int e = search_index_find(x, mailbox, 1, 1u << GRAM_BODY, span_cstr(text), NULL, NULL, &found);

    rangeset_print(&found, &b);
    rangeset_done(&found);
    bool same = e == 0 && strcmp(buf_cstr(&b), want) == 0;
    if (!same)
        printf("%s: %d, %s\n", text, e, buf_cstr(&b));
    return same;
}

static int fill(struct search_index *x)
{
    int e = search_index_begin(x);
    struct search_mailbox m = {.id = 1, .uidvalidity = 5, .next_uid = 6, .modseq = 9};

    e = e ? e : search_index_mailbox_put(x, &m);
    m.id = 2;
    e = e ? e : search_index_mailbox_put(x, &m);
    e = e ? e : add(x, 1, 1, 100, "the quick brown fox");
    e = e ? e : add(x, 1, 2, 101, "jumps over the lazy dog");
    e = e ? e : add(x, 1, 3, 102, "*");
    e = e ? e : add(x, 1, 5, 103, "a \"quoted\" quick thing");
    e = e ? e : add(x, 2, 1, 100, "the quick brown fox");
    return e ? e : search_index_commit(x);
}

TEST(index_finds)
{
    struct search_index *x = NULL;
    struct search_mailbox m;

    REQUIRE(begin(&x));
    EXPECT_INT(fill(x), 0);
    EXPECT(finds(x, 1, "quick", "1,3,5"));
    EXPECT(finds(x, 1, "uick br", "1,3"));
    EXPECT(finds(x, 1, "the", "1:3"));
    EXPECT(finds(x, 1, "\"quoted\"", "3,5"));
    EXPECT(finds(x, 1, "elsewhere", "3"));
    EXPECT(finds(x, 2, "quick", "1"));
    EXPECT(finds(x, 9, "quick", ""));
    struct rangeset none = RANGESET_EMPTY;
    EXPECT_INT(search_index_find(x, 1, 1, 1u << GRAM_BODY, SPAN("ab"), NULL, NULL, &none),
               -ENODATA);
    EXPECT_INT(search_index_find(x, 1, 4, 1u << GRAM_BODY, SPAN("quick"), NULL, NULL, &none), 0);
    EXPECT(rangeset_count(&none) == 1 && rangeset_has(&none, 5));
    rangeset_done(&none);
    EXPECT_INT(search_index_mailbox(x, 1, &m), 0);
    EXPECT(m.uidvalidity == 5 && m.next_uid == 6 && m.modseq == 9 && m.places == 4);
    EXPECT_INT(search_index_mailbox(x, 3, &m), -ENOENT);
    EXPECT_INT(search_index_check(x), 0);
    end(x);
}

TEST(index_forgets)
{
    struct search_index *x = NULL;
    struct search_mailbox m;
    struct search_stat st;

    REQUIRE(begin(&x));
    EXPECT_INT(fill(x), 0);
    EXPECT_INT(search_index_begin(x), 0);
    EXPECT_INT(search_index_place_remove(x, 1, 1), 0);
    EXPECT_INT(search_index_place_remove(x, 1, 3), 0);
    EXPECT_INT(search_index_place_remove(x, 1, 77), 0);
    EXPECT_INT(search_index_commit(x), 0);
    EXPECT(finds(x, 1, "quick", "5"));
    EXPECT(finds(x, 2, "quick", "1"));
    search_index_stat(x, &st);
    EXPECT(st.docs == 3 && st.dead == 1 && st.bytes > 4096);
    EXPECT_INT(search_index_mailbox(x, 1, &m), 0);
    EXPECT_INT(m.places, 2);
    /* its number is not used again while its grams are there */
    EXPECT_INT(search_index_begin(x), 0);
    EXPECT_INT(search_index_mailbox_drop(x, 1), 0);
    EXPECT_INT(add(x, 2, 2, 200, "something else"), 0);
    EXPECT_INT(search_index_commit(x), 0);
    EXPECT(finds(x, 2, "lazy dog", ""));
    EXPECT(finds(x, 1, "quick", ""));
    EXPECT_INT(search_index_check(x), 0);
    /* what is not committed is not there */
    EXPECT_INT(search_index_begin(x), 0);
    EXPECT_INT(add(x, 2, 3, 201, "never written"), 0);
    search_index_rollback(x);
    EXPECT(finds(x, 2, "never written", ""));
    end(x);
}

TEST(index_stays)
{
    struct search_index *x = NULL;

    REQUIRE(begin(&x));
    EXPECT_INT(fill(x), 0);
    search_index_close(x);
    x = NULL;
    EXPECT_INT(search_index_open(path, &x), 0);
    REQUIRE(x);
    EXPECT(finds(x, 1, "quick", "1,3,5"));
    end(x);
}

static int fill_many(struct search_index *x, uint32_t first, uint32_t n)
{
    char text[200];
    struct search_mailbox m = {.id = 1, .uidvalidity = 1, .next_uid = first + n};
    int e = search_index_begin(x);

    e = e ? e : search_index_mailbox_put(x, &m);
    for (uint32_t i = first; e == 0 && i < first + n; i++) {
        snprintf(text, sizeof text, "message #%u# of many, %08llx %08llx rest", i,
                 (unsigned long long)unit_random() & 0xffffffff,
                 (unsigned long long)unit_random() & 0xffffffff);
        e = add(x, 1, i, i, text);
    }
    return e ? e : search_index_commit(x);
}

/* All merges are by and by, and change nothing. */
TEST(index_is_tidied)
{
    struct search_index *x = NULL;
    int e = 0, steps = 0;

    REQUIRE(begin(&x));
    for (uint32_t i = 0; i < 40; i++)
        EXPECT_INT(fill_many(x, 1 + i * 5, 5), 0);
    EXPECT(finds(x, 1, "message #17# ", "17"));
    while ((e = search_index_tidy(x)) > 0)
        steps++;
    EXPECT_INT(e, 0);
    EXPECT(steps > 0);
    EXPECT(finds(x, 1, "message #17# ", "17"));
    EXPECT_INT(search_index_check(x), 0);
    end(x);
}

/* Any byte of the file: it is seen, or it does not matter. */
TEST(damage_is_found)
{
    struct search_index *x = NULL;
    struct stat st;
    int seen = 0, same = 0, silent = 0;

    REQUIRE(begin(&x));
    EXPECT_INT(fill_many(x, 1, 300), 0);
    search_index_close(x);
    REQUIRE(stat(path, &st) == 0);
    for (int round = 0; round < 60; round++) {
        int fd = open(path, O_RDWR);
        off_t at = (off_t)(unit_random() % (uint64_t)st.st_size);
        unsigned char was, is;
        REQUIRE(fd >= 0 && pread(fd, &was, 1, at) == 1);
        is = was ^ (unsigned char)(1 + unit_random() % 255);
        REQUIRE(pwrite(fd, &is, 1, at) == 1);
        x = NULL;
        int e = search_index_open(path, &x);
        if (e == 0)
            e = search_index_check(x);
        if (e == -EBADMSG)
            seen++;
        else if (e == 0 && finds(x, 1, "message #17# ", "17"))
            same++; /* a page that nothing is in */
        else
            silent++;
        search_index_close(x);
        /* a header that cannot be read may have been replaced by nothing but its own: put back */
        REQUIRE(pwrite(fd, &was, 1, at) == 1);
        close(fd);
    }
    EXPECT_INT(silent, 0);
    EXPECT(seen > 50);
    EXPECT_INT(search_index_open(path, &x), 0);
    EXPECT(finds(x, 1, "message #17# ", "17"));
    end(x);
}

TEST(the_day_of_the_last_search)
{
    struct search_index *x = NULL;
    uint32_t day = 1;

    REQUIRE(begin(&x));
    EXPECT_INT(search_index_used(x, &day), 0);
    EXPECT_INT(day, 0);
    EXPECT_INT(search_index_used_put(x, 20000), 0);
    EXPECT_INT(search_index_used_put(x, 20001), 0);
    search_index_close(x);
    x = NULL;
    EXPECT_INT(search_index_open(path, &x), 0);
    EXPECT_INT(search_index_used(x, &day), 0);
    EXPECT_INT(day, 20001);
    EXPECT_INT(search_index_check(x), 0);
    end(x);
}

TEST(of_another_release)
{
    struct search_index *x = NULL;
    sqlite3 *db = NULL;

    REQUIRE(begin(&x));
    search_index_close(x);
    x = NULL;
    REQUIRE(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, SUMS_VFS) == SQLITE_OK);
    EXPECT_INT(sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA user_version = 1", NULL,
                            NULL, NULL),
               SQLITE_OK);
    sqlite3_close(db);
    EXPECT_INT(search_index_open(path, &x), -ESTALE);
    search_index_remove(path);
}

TEST(other_damage)
{
    static const struct {
        const char *name;
        off_t keep;
        const char *put;
    } rows[] = {
        {"empty",       0,     ""                   },
        {"text",        0,     "this is no database"},
        {"one page",    4096,  ""                   },
        {"half a page", 6000,  ""                   },
        {"no end",      40960, ""                   },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct search_index *x = NULL;
        unit_case(rows[i].name);
        REQUIRE(begin(&x));
        EXPECT_INT(fill_many(x, 1, 300), 0);
        search_index_close(x);
        x = NULL;
        EXPECT_INT(truncate(path, rows[i].keep), 0);
        int fd = open(path, O_WRONLY | O_APPEND);
        EXPECT(write(fd, rows[i].put, strlen(rows[i].put)) == (ssize_t)strlen(rows[i].put));
        close(fd);
        int e = search_index_open(path, &x);
        if (e == 0 && rows[i].keep)
            e = search_index_check(x);
        EXPECT_INT(e, rows[i].keep || rows[i].put[0] ? -EBADMSG : 0);
        search_index_close(x);
        search_index_remove(path);
        x = NULL;
        EXPECT_INT(search_index_open(path, &x), 0);
        EXPECT_INT(fill(x), 0);
        EXPECT(finds(x, 1, "quick", "1,3,5"));
        end(x);
        unit_case(NULL);
    }
}

/* Killed at any time: a batch is there as a whole or not at all. */
TEST(killed_writers)
{
    for (int round = 0; round < 8; round++) {
        struct search_index *x = NULL;
        REQUIRE(begin(&x));
        EXPECT_INT(fill_many(x, 1, 10), 0);
        search_index_close(x);
        pid_t child = fork();
        if (child == 0) {
            if (search_index_open(path, &x) < 0)
                _exit(1);
            for (uint32_t i = 11;; i += 10)
                if (fill_many(x, i, 10) < 0)
                    _exit(2);
        }
        usleep(5000 + (useconds_t)(unit_random() % 60000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        x = NULL;
        EXPECT_INT(search_index_open(path, &x), 0);
        REQUIRE(x);
        struct search_mailbox m = {0};
        EXPECT_INT(search_index_mailbox(x, 1, &m), 0);
        EXPECT_INT(m.places, m.next_uid - 1);
        EXPECT_INT(search_index_check(x), 0);
        EXPECT(finds(x, 1, "message #7# ", "7"));
        end(x);
    }
}
