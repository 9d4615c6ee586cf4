#include "base/fd.h"

#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 64 * 1024, PATH_BYTES = 4096 };

void fd_close(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

int fd_steal(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

int fd_write_all(int fd, const void *p, size_t n)
{
    const char *at = p;

    while (n) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

int fd_read_all(int fd, void *p, size_t n)
{
    char *at = p;

    while (n) {
        ssize_t got = read(fd, at, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return -ENODATA;
        at += got;
        n -= (size_t)got;
    }
    return 0;
}

/* Reads to the end; at most `max` bytes may come. */
static int read_to_end(int fd, size_t max, struct buf *out)
{
    size_t start = out->n;

    for (;;) {
        size_t left = max - (out->n - start), room = out->max - out->n;
        size_t step = left < READ_STEP ? left : READ_STEP;
        if (step > room)
            step = room;

        /* at the limit one more byte tells "exactly full" from "too long" */
        char probe;
        char *at = step ? buf_reserve(out, step) : &probe;
        if (!at)
            return -EFBIG;
        ssize_t got = read(fd, at, step ? step : 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return 0;
        if (step == 0)
            return -EFBIG;
        buf_commit(out, (size_t)got);
    }
}

int file_read(int dir, const char *path, size_t max, struct buf *out, struct err *e)
{
    FD_AUTO fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t start = out->n;

    if (fd < 0)
        return err_set(e, -errno, "%s: cannot be opened: %s", path, strerror(errno));

    int r = read_to_end(fd, max, out);
    if (r == 0)
        return 0;
    buf_truncate(out, start);
    if (r == -EFBIG)
        return err_set(e, r, "%s: is longer than the %zu bytes allowed here", path,
                       max < out->max ? max : out->max);
    return err_set(e, r, "%s: cannot be read: %s", path, strerror(-r));
}

/* The folder that holds path, opened for fsync. */
static int open_folder(int dir, const char *path)
{
    char folder[PATH_BYTES];
    const char *slash = strrchr(path, '/');

    if (!slash)
        return openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t n = slash == path ? 1 : (size_t)(slash - path);
    if (n >= sizeof folder)
        return errno = ENAMETOOLONG, -1;
    memcpy(folder, path, n);
    folder[n] = '\0';
    return openat(dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Fills a temporary file and makes it durable; the caller renames or unlinks it. */
static int write_temporary(int dir, const char *temporary, struct span data, unsigned mode)
{
    FD_AUTO fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return -errno;
    int r = fd_write_all(fd, data.p, data.n);
    if (r == 0 && fchmod(fd, mode) < 0) /* exactly this mode, whatever the umask */
        r = -errno;
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    return r;
}

int file_write(int dir, const char *path, struct span data, unsigned mode, struct err *e)
{
    char temporary[PATH_BYTES];
    BUF_AUTO struct buf token = BUF(16);

    random_token(&token, 12);
    if (snprintf(temporary, sizeof temporary, "%s.%s.tmp", path, buf_cstr(&token)) >=
        (int)sizeof temporary)
        return err_set(e, -ENAMETOOLONG, "%s: the path is too long", path);

    FD_AUTO folder = open_folder(dir, path);
    if (folder < 0)
        return err_set(e, -errno, "%s: its folder cannot be opened: %s", path, strerror(errno));

    int r = write_temporary(dir, temporary, data, mode);
    if (r == 0 && renameat(dir, temporary, dir, path) < 0)
        r = -errno;
    if (r < 0) {
        if (r != -EEXIST)
            unlinkat(dir, temporary, 0);
        return err_set(e, r, "%s: cannot be written: %s", path, strerror(-r));
    }
    if (fsync(folder) < 0)
        return err_set(e, -errno, "%s: written, but its folder cannot be synced: %s", path,
                       strerror(errno));
    return 0;
}

int fd_nonblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

int fd_cloexec(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFD);

    if (flags < 0)
        return -errno;
    flags = on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC;
    return fcntl(fd, F_SETFD, flags) < 0 ? -errno : 0;
}
