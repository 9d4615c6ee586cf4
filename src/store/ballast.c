/* Room that is kept for the moment when there is none: for starting, for deleting, for sending on.
 */
#include "store/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { LOOK_MS = 10000 };

static bool path_of(const char *root, char out[512])
{
    return (size_t)snprintf(out, 512, "%s/store/ballast", root) < 512;
}

void ballast_make(const char *root, uint64_t reserve)
{
    static uint64_t looked_ms;
    uint64_t now = clock_mono_ms();
    char path[512];
    struct stat st;
    struct statvfs v;

    if ((looked_ms && now - looked_ms < LOOK_MS) || reserve == 0 || !path_of(root, path))
        return;
    looked_ms = now | 1;
    if ((stat(path, &st) == 0 && st.st_size == BALLAST_BYTES) || statvfs(root, &v) < 0 ||
        (uint64_t)v.f_bavail * v.f_frsize < reserve + 4 * (uint64_t)BALLAST_BYTES)
        return;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return;
    /* Given by the file system at once, or not at all. */
    if (posix_fallocate(fd, 0, BALLAST_BYTES) != 0)
        unlink(path);
    close(fd);
}

/* Blocks behind the end of the file, so that the file looks as it did. */
void index_reserve(struct engine *e)
{
    enum { AHEAD = 16 << 20 };
    struct statvfs v;
    struct stat st;
    int fd;

    if (e->options.min_free_bytes == 0 || mdb_env_get_fd(e->index.env, &fd) != 0 ||
        fstat(fd, &st) < 0 || (uint64_t)st.st_size + AHEAD / 2 <= e->index_reserved ||
        fstatvfs(fd, &v) < 0 ||
        (uint64_t)v.f_bavail * v.f_frsize < e->options.min_free_bytes + 4 * (uint64_t)AHEAD)
        return;
    /* Where the file system cannot do that there is no more to be done. */
    fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size, AHEAD);
    e->index_reserved = (uint64_t)st.st_size + AHEAD;
}

bool ballast_drop(const char *root)
{
    char path[512];

    if (!path_of(root, path) || unlink(path) < 0)
        return false;
    log_warn("store: no room on the disk of %s; the %d MiB kept for this are given back", root,
             BALLAST_BYTES >> 20);
    return true;
}
