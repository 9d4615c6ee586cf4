/*
 * The disk is full, or does half of what it is asked, or fails: at every kind of write. What was
 * not acknowledged has not happened, nothing that was is lost, and when there is room again the
 * same process goes on. Only what a disk has failed to keep ends it.
 */
#include "store/check.h"
#include "store/engine_testing.h"

#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum target { IN_LOG = 1, IN_INDEX = 2, IN_OTHER = 4 };
static unsigned target;   /* writes that fail */
static int failure;       /* with this errno */
static size_t before;     /* after so many bytes more */
static unsigned times;    /* so often; 0: for ever */
static bool halves;       /* every write does a part only */
static bool full_renames; /* of log files */

static enum target target_of(int fd)
{
    char link[64], path[300];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = 0;
    return strstr(path, "/store/log/") ? IN_LOG : strstr(path, "data.mdb") ? IN_INDEX : IN_OTHER;
}

/* How much of n bytes may be written; 0: none, errno is set. */
static size_t allowed(int fd, size_t n)
{
    if (failure && (target & target_of(fd))) {
        if (n <= before) {
            before -= n;
            return n;
        }
        if (before > 0) {
            n = before;
            before = 0;
        } else {
            n = 0;
        }
        errno = failure;
        if (times && --times == 0)
            failure = 0;
        return n;
    }
    return halves && n > 1 && target_of(fd) != IN_INDEX ? 1 + n / 2 : n;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    size_t may = n ? allowed(fd, n) : 0;
    return may || !n ? syscall(SYS_pwrite64, fd, p, may, at) : -1;
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    return pwrite(fd, p, n, at);
}

ssize_t write(int fd, const void *p, size_t n)
{
    size_t may = n && fd > 2 ? allowed(fd, n) : n;
    return may || !n ? syscall(SYS_write, fd, p, may) : -1;
}

ssize_t pwritev(int fd, const struct iovec *v, int vn, off_t at)
{
    ssize_t all = 0;

    for (int i = 0; i < vn; i++) {
        ssize_t done = pwrite(fd, v[i].iov_base, v[i].iov_len, at + all);
        if (done < 0)
            return all ? all : done;
        all += done;
    }
    return all;
}

ssize_t pwritev64(int fd, const struct iovec *v, int vn, off64_t at)
{
    return pwritev(fd, v, vn, at);
}

ssize_t writev(int fd, const struct iovec *v, int vn)
{
    ssize_t all = 0;

    for (int i = 0; i < vn; i++) {
        ssize_t done = write(fd, v[i].iov_base, v[i].iov_len);
        if (done < 0)
            return all ? all : done;
        all += done;
        if ((size_t)done < v[i].iov_len)
            break;
    }
    return all;
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    if (full_renames && strstr(to, ".log")) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

static void fail(unsigned where, int error, size_t after, unsigned how_often)
{
    target = where;
    failure = error;
    before = after;
    times = how_often;
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

static void on_found(void *arg, enum finding kind, bool repaired, const char *text)
{
    fprintf(stderr, "store check: %s: %s\n", finding_name(kind), text);
}

static void expect_whole(void)
{
    struct check c = {.found = on_found};
    struct err err;

    EXPECT_INT(store_check(root, 256 << 20, &c, &err), 0);
    EXPECT_INT(c.all, 0);
}

/* Closed, proved, opened again, and so many messages are there. */
static void again(uint32_t want)
{
    engine_close(engine, false);
    start();
    EXPECT_INT(messages(), want);
    engine_close(engine, true);
    expect_whole();
    start();
}

TEST(no_room_in_the_log)
{
    /* Nothing of the batch is written; a part of its head; all but the end. */
    static const size_t parts[] = {0, 40, 2000, 4000};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        begin();
        for (uint32_t n = 1; n <= 10; n++)
            EXPECT_INT(append(n), 0);
        fail(IN_LOG, ENOSPC, parts[i], 2);
        EXPECT_INT(append(11), -ENOSPC);
        fail(0, 0, 0, 0);
        EXPECT_INT(messages(), 10);
        EXPECT(!engine->failed);
        /* A kill now: what was refused does not come back. */
        if (i % 2)
            again(10);
        EXPECT_INT(expunge(1, 3, 4), 0);
        EXPECT_INT(append(11), 0);
        EXPECT_INT(append(12), 0);
        EXPECT_INT(messages(), 10);
        again(10);
        end();
    }
}

/* The same number may be tried again when there is room, and is then done, once. */
TEST(the_same_request_again)
{
    begin();
    EXPECT_INT(append(1), 0);
    fail(IN_LOG, ENOSPC, 100, 2);
    EXPECT_INT(append(2), -ENOSPC);
    fail(0, 0, 0, 0);
    counter--;
    EXPECT_INT(append(2), 0);
    EXPECT_INT(messages(), 2);
    counter--;
    EXPECT_INT(append(2), 0);
    EXPECT_INT(messages(), 2);
    again(2);
    end();
}

/* In a batch of many the first is taken back with the last. */
TEST(numbers_are_taken_back)
{
    begin();
    for (uint32_t n = 1; n <= 30; n++) {
        bool full = n % 3 == 0;
        if (full)
            fail(IN_LOG, ENOSPC, n * 100, 2);
        EXPECT_INT(append(n), full ? -ENOSPC : 0);
        EXPECT_INT(copy(1, 1, 1, 6, false), full && failure ? -ENOSPC : 0);
        fail(0, 0, 0, 0);
    }
    EXPECT_INT(messages(), 20);
    EXPECT_INT(expunge(1, 1, 100), 0);
    EXPECT_INT(expunge(6, 1, 100), 0);
    EXPECT_INT(live_sum(), 0);
    again(0);
    end();
}

TEST(no_room_for_the_next_file)
{
    begin();
    uint32_t done = 0, refused = 0;
    full_renames = true;
    for (uint32_t n = 1; n <= 60 && refused < 3; n++) {
        int err = append(n);
        EXPECT(err == 0 || err == -ENOSPC);
        done += err == 0;
        refused += err != 0;
    }
    full_renames = false;
    EXPECT_INT(refused, 3);
    for (uint32_t n = 0; n < 40; n++)
        EXPECT_INT(append(n), 0);
    again(done + 40);
    end();
}

/* The log has it, the index does not: the ballast is thrown off, and the log applied again. */
TEST(no_room_in_the_index)
{
    begin();
    for (uint32_t n = 1; n <= 10; n++)
        EXPECT_INT(append(n), 0);
    for (size_t part = 0; part < 6; part++) {
        fail(IN_INDEX, ENOSPC, part * 3000, 1);
        EXPECT_INT(append((uint32_t)(11 + part)), 0);
        fail(0, 0, 0, 0);
        EXPECT_INT(messages(), 11 + part);
    }
    /* For good: nothing is acknowledged, and after a start it is there. */
    fail(IN_INDEX, ENOSPC, 0, 0);
    EXPECT_INT(append(17), -EIO);
    fail(0, 0, 0, 0);
    EXPECT_INT(append(18), -EIO);
    counter -= 2;
    again(17);
    EXPECT_INT(append(17), 0); /* repeated: known */
    EXPECT_INT(messages(), 17);
    EXPECT_INT(append(18), 0);
    again(18);
    end();
}

TEST(no_room_for_a_checkpoint)
{
    struct checkpoint c;

    begin();
    EXPECT_INT(append(1), 0);
    CHECK(checkpoint_begin(engine, &c) == 0);
    fail(IN_OTHER, ENOSPC, 10, 0);
    checkpoint_write(&c);
    fail(0, 0, 0, 0);
    EXPECT_INT(checkpoint_done(engine, &c), -ENOSPC);
    EXPECT_INT(append(2), 0);
    state_fake_boot("another");
    again(2);
    state_fake_boot(NULL);
    end();
}

/* A disk that fails is another matter. */
TEST(an_error_of_the_disk_ends_it)
{
    begin();
    for (uint32_t n = 1; n <= 10; n++)
        EXPECT_INT(append(n), 0);
    fail(IN_LOG, EIO, 1000, 2);
    EXPECT_INT(append(11), -EIO);
    EXPECT_INT(append(12), -EIO);
    fail(0, 0, 0, 0);
    engine_close(engine, true);
    start();
    EXPECT_INT(messages(), 10);
    EXPECT_INT(append(13), 0);
    again(11);
    end();
}

TEST(writes_in_parts)
{
    begin();
    halves = true;
    for (uint32_t n = 1; n <= 100; n++)
        EXPECT_INT(append(n), 0);
    drive_checkpoint(engine);
    again(100);
    halves = false;
    end();
}

/* Adding is refused while there is little room; deleting and compaction are not. */
TEST(the_reserve)
{
    begin();
    for (uint32_t n = 1; n <= 200; n++)
        EXPECT_INT(append(n), 0);
    while (engine_housekeep(engine))
        ;
    engine->options.min_free_bytes = UINT64_MAX;
    engine->free_checked_ms = 0;
    EXPECT_INT(append(201), -ENOSPC);
    for (uint32_t n = 1; n <= 200; n++)
        if (n % 10)
            EXPECT_INT(expunge(1, n, n), 0);
    for (int i = 0; i < 4; i++) {
        usleep(3000);
        EXPECT_INT(copy(1, 10, 10, 6, false), 0);
        drive_checkpoint(engine);
    }
    compact_request(engine->compact, 60);
    for (int i = 0; i < 200; i++)
        if (!drive_compact(engine))
            drive_checkpoint(engine);
    EXPECT(compact_stats(engine->compact).files_removed >= 3);
    engine->options.min_free_bytes = 0;
    engine->free_checked_ms = 0;
    EXPECT_INT(append(202), 0);
    again(21);
    end();
}
