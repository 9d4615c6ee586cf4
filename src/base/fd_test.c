#include "base/fd.h"

#include "unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder of its own for each test; entries are removed by name. */
static int make_folder(char *path)
{
    strcpy(path, "/tmp/fd_test.XXXXXX");
    if (!mkdtemp(path))
        return -1;
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int entries(int dir)
{
    DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY));
    int n = 0;

    while (d && readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

TEST(file_round_trip)
{
    char path[40];
    FD_AUTO dir = make_folder(path);
    struct err e;
    BUF_AUTO struct buf b = BUF(1 << 20);
    struct stat st;

    REQUIRE(dir >= 0);
    umask(077);
    EXPECT_INT(file_write(dir, "a", SPAN("first"), 0644, &e), 0);
    EXPECT_INT(file_write(dir, "a", SPAN("second\0x"), 0640, &e), 0);
    EXPECT(fstatat(dir, "a", &st, 0) == 0 && (st.st_mode & 07777) == 0640);
    EXPECT_INT(entries(dir), 1); /* no temporary is left */
    buf_put_cstr(&b, ">");
    EXPECT_INT(file_read(dir, "a", 8, &b, &e), 0);
    EXPECT_SPAN(buf_span(&b), SPAN(">second\0x"));

    EXPECT_INT(file_read(dir, "a", 7, &b, &e), -EFBIG);
    EXPECT_SPAN(buf_span(&b), SPAN(">second\0x"));
    EXPECT(strstr(e.text, "a: ") == e.text);
    EXPECT_INT(file_read(dir, "none", 7, &b, &e), -ENOENT);
    EXPECT_INT(file_read(dir, ".", 7, &b, &e), -EISDIR);

    BUF_AUTO struct buf small = BUF(7);
    EXPECT_INT(file_read(dir, "a", 100, &small, &e), -EFBIG);
    EXPECT_INT(small.n, 0);

    EXPECT_INT(file_write(dir, "none/a", SPAN("x"), 0600, &e), -ENOENT);
    mkdirat(dir, "sub", 0700);
    EXPECT_INT(file_write(dir, "sub/a", SPAN_EMPTY, 0600, &e), 0);
    EXPECT_INT(file_write(dir, "sub", SPAN("x"), 0600, &e), -EISDIR);
    EXPECT_INT(entries(dir), 2);
    buf_clear(&b);
    EXPECT_INT(file_read(dir, "sub/a", 0, &b, &e), 0);
    EXPECT_INT(b.n, 0);

    unlinkat(dir, "sub/a", 0);
    unlinkat(dir, "sub", AT_REMOVEDIR);
    unlinkat(dir, "a", 0);
    rmdir(path);
}

TEST(large_file)
{
    char path[40];
    FD_AUTO dir = make_folder(path);
    BUF_AUTO struct buf in = BUF(300000), out = BUF(300000);
    struct err e;

    for (int i = 0; i < 300000; i++)
        buf_putc(&in, (char)(i % 251));
    EXPECT_INT(file_write(dir, "big", buf_span(&in), 0600, &e), 0);
    EXPECT_INT(file_read(dir, "big", 300000, &out, &e), 0);
    EXPECT(span_eq(buf_span(&in), buf_span(&out)));
    unlinkat(dir, "big", 0);
    rmdir(path);
}

TEST(whole_reads_and_writes)
{
    int p[2];
    char text[8] = {0};

    REQUIRE(pipe(p) == 0);
    EXPECT_INT(fd_write_all(p[1], "abcdef", 6), 0);
    EXPECT_INT(fd_read_all(p[0], text, 4), 0);
    EXPECT_STR(text, "abcd");
    fd_close(&p[1]);
    EXPECT_INT(p[1], -1);
    EXPECT_INT(fd_read_all(p[0], text, 4), -ENODATA);
    EXPECT_INT(fd_write_all(p[0], "x", 1), -EBADF);
    EXPECT_INT(fd_read_all(p[0], text, 0), 0);

    int taken = fd_steal(&p[0]);
    EXPECT(p[0] == -1 && taken >= 0);
    errno = 77;
    fd_close(&taken);
    fd_close(&taken);
    EXPECT_INT(errno, 77);
}

TEST(flags)
{
    int p[2];

    REQUIRE(pipe(p) == 0);
    EXPECT_INT(fd_nonblock(p[0]), 0);
    EXPECT(fcntl(p[0], F_GETFL) & O_NONBLOCK);
    EXPECT_INT(fd_cloexec(p[0], true), 0);
    EXPECT(fcntl(p[0], F_GETFD) & FD_CLOEXEC);
    EXPECT_INT(fd_cloexec(p[0], false), 0);
    EXPECT(!(fcntl(p[0], F_GETFD) & FD_CLOEXEC));
    fd_close(&p[0]);
    fd_close(&p[1]);
    EXPECT_INT(fd_nonblock(-1), -EBADF);
    EXPECT_INT(fd_cloexec(-1, true), -EBADF);
}
