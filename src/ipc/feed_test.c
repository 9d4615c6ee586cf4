#include "ipc/feed.h"

#include "base/check.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned char room[FEED_RECORD_MAX];

struct two {
    struct feed *reader, *writer;
};

static struct two ends(size_t bytes)
{
    struct two t;
    struct err e;

    CHECK(feed_make(bytes, &t.reader, &e) == 0);
    CHECK(feed_join(dup(feed_fd(t.reader)), &t.writer, &e) == 0);
    return t;
}

static void ends_free(struct two *t)
{
    feed_free(t->reader);
    feed_free(t->writer);
}

TEST(records_come_as_they_went)
{
    struct two t = ends(FEED_BYTES_MIN);

    EXPECT_INT(feed_get(t.reader, room), 0);
    EXPECT(feed_put(t.writer, SPAN("ab"), SPAN("cde")));
    EXPECT(feed_put(t.writer, SPAN("x"), SPAN_EMPTY));
    REQUIRE(feed_get(t.reader, room) == 5);
    EXPECT_SPAN(span_of(room, 5), SPAN("abcde"));
    REQUIRE(feed_get(t.reader, room) == 1);
    EXPECT_INT(room[0], 'x');
    EXPECT_INT(feed_get(t.reader, room), 0);
    ends_free(&t);
}

/* Lengths at random, over the end of the memory many times; what is dropped is dropped whole. */
TEST(wraps_and_drops)
{
    struct two t = ends(FEED_BYTES_MIN);
    static char bytes[FEED_RECORD_MAX];
    uint64_t put = 0, got = 0, refused = 0, records, n_bytes, refused_bytes = 0;
    uint32_t sizes[100000];

    for (unsigned i = 0; i < 20000; i++) {
        if (unit_random() % 3 != 0) {
            size_t n = 4 + unit_random() % (unit_random() % 8 == 0 ? 60000 : 500);
            memset(bytes, (int)(put & 255), n);
            if (feed_put(t.writer, span_of(bytes, 3), span_of(bytes + 3, n - 3))) {
                sizes[put++] = (uint32_t)n;
            } else {
                refused++;
                refused_bytes += n;
            }
        } else {
            int n = feed_get(t.reader, room);
            REQUIRE(n >= 0);
            if (n == 0)
                continue;
            EXPECT_INT(n, sizes[got]);
            EXPECT(room[0] == (got & 255) && room[n - 1] == (got & 255));
            got++;
        }
    }
    while (feed_get(t.reader, room) > 0)
        got++;
    EXPECT_INT(got, put);
    feed_dropped(t.reader, &records, &n_bytes);
    EXPECT(refused > 0 && records == refused && n_bytes == refused_bytes);
    ends_free(&t);
}

TEST(full_to_the_last_byte)
{
    struct two t = ends(FEED_BYTES_MIN);
    static char bytes[1020];
    unsigned n = 0;

    while (feed_put(t.writer, span_of(bytes, 1020), SPAN_EMPTY))
        n++;
    EXPECT_INT(n, FEED_BYTES_MIN / 1024);
    EXPECT_INT(feed_get(t.reader, room), 1020);
    EXPECT(feed_put(t.writer, span_of(bytes, 1020), SPAN_EMPTY));
    EXPECT(!feed_put(t.writer, span_of(bytes, 1), SPAN_EMPTY));
    ends_free(&t);
}

/* Each side may write what it wants into the memory. */
TEST(lies)
{
    struct two t = ends(FEED_BYTES_MIN);
    uint64_t *shared =
        mmap(NULL, 4096 + FEED_BYTES_MIN, PROT_READ | PROT_WRITE, MAP_SHARED, feed_fd(t.reader), 0);
    uint64_t *head = shared + 8, *tail = shared + 16;
    uint32_t *length = (uint32_t *)(void *)((char *)shared + 4096);

    CHECK(shared != MAP_FAILED);
    EXPECT(feed_put(t.writer, SPAN("abcdef"), SPAN_EMPTY));
    EXPECT_INT(*head, 16);
    for (uint32_t n = 1; n != 0; n *= 2)
        if (n > 12) {
            *length = n;
            EXPECT_INT(feed_get(t.reader, room), -EBADMSG);
        }
    *length = 0;
    EXPECT_INT(feed_get(t.reader, room), -EBADMSG);
    *length = 6;
    *head = FEED_BYTES_MIN + 8;
    EXPECT_INT(feed_get(t.reader, room), -EBADMSG);
    *head = UINT64_MAX;
    EXPECT_INT(feed_get(t.reader, room), -EBADMSG);
    *head = 3;
    EXPECT_INT(feed_get(t.reader, room), -EBADMSG);
    *head = 16;
    EXPECT_INT(feed_get(t.reader, room), 6);
    /* a reader that is ahead of the writer, or behind by more than there is: nothing goes in */
    *tail = 24;
    EXPECT(!feed_put(t.writer, SPAN("a"), SPAN_EMPTY));
    *tail = 16 - (uint64_t)FEED_BYTES_MIN - 8;
    EXPECT(!feed_put(t.writer, SPAN("a"), SPAN_EMPTY));
    *tail = 16;
    EXPECT(feed_put(t.writer, SPAN("a"), SPAN_EMPTY));
    munmap(shared, 4096 + FEED_BYTES_MIN);
    ends_free(&t);
}

TEST(memory_that_is_no_feed)
{
    static const struct {
        const char *name;
        off_t bytes;
        int seals;
    } rows[] = {
        {"not sealed", 4096 + FEED_BYTES_MIN,            0                                        },
        {"may shrink", 4096 + FEED_BYTES_MIN,            F_SEAL_GROW | F_SEAL_SEAL                },
        {"empty",      0,                                F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL},
        {"no power",   4096 + FEED_BYTES_MIN + 8,        F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL},
        {"too small",  4096 + FEED_BYTES_MIN / 2,        F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL},
        {"too large",  4096 + 2 * (off_t)FEED_BYTES_MAX, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL},
        {"no feed",    4096 + FEED_BYTES_MIN,            F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL},
    };
    struct feed *f;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        CHECK(fd >= 0 && ftruncate(fd, rows[i].bytes) == 0);
        CHECK(rows[i].seals == 0 || fcntl(fd, F_ADD_SEALS, rows[i].seals) == 0);
        unit_case(rows[i].name);
        EXPECT_INT(feed_join(fd, &f, &e), -EINVAL);
        EXPECT(fcntl(fd, F_GETFD) < 0); /* taken */
    }
    unit_case(NULL);
    EXPECT_INT(feed_join(-1, &f, &e), -EINVAL);
}
