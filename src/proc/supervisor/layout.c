#include "proc/supervisor/supervisor.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#define PID_FILE "supervisor.pid"

static int lock_fd = -1;

/* Relative names are relative to the configuration file. */
static int name_root(struct supervisor *s, struct err *e)
{
    char path[2200];
    const char *data = s->conf->data, *slash = strrchr(s->conf_file, '/');
    char *real;

    if (data[0] == '/' || slash == NULL)
        snprintf(path, sizeof path, "%s", data);
    else
        snprintf(path, sizeof path, "%.*s/%s", (int)(slash - s->conf_file), s->conf_file, data);
    if (mkdir(path, 0711) != 0 && errno != EEXIST)
        return err_set(e, -errno, "data folder %s: %s", path, strerror(errno));
    real = realpath(path, NULL);
    if (real == NULL)
        return err_set(e, -errno, "data folder %s: %s", path, strerror(errno));
    if (strlen(real) >= sizeof s->root) {
        free(real);
        return err_set(e, -ENAMETOOLONG, "data folder %s: its full name is longer than %zu bytes",
                       path, sizeof s->root - 1);
    }
    memcpy(s->root, real, strlen(real) + 1);
    free(real);
    return 0;
}

static int take_lock(struct supervisor *s, struct err *e)
{
    char pid[32] = "";
    ssize_t n;

    lock_fd = openat(s->root_fd, PID_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (lock_fd < 0)
        return err_set(e, -errno, "%s/" PID_FILE ": %s", s->root, strerror(errno));
    if (flock(lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    n = pread(lock_fd, pid, sizeof pid - 1, 0);
    pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
    return err_set(e, -EBUSY,
                   "data folder %s is in use by another supervisor (process %s). Stop it first.",
                   s->root, pid[0] ? pid : "unknown");
}

int layout_root(struct supervisor *s, struct err *e)
{
    int r = name_root(s, e);

    if (r != 0)
        return r;
    s->root_fd = open(s->root, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (s->root_fd < 0)
        return err_set(e, -errno, "data folder %s: %s", s->root, strerror(errno));
    return take_lock(s, e);
}

int layout_pid(struct supervisor *s, struct err *e)
{
    char pid[32];
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());

    if (ftruncate(lock_fd, 0) != 0 || pwrite(lock_fd, pid, (size_t)n, 0) != n)
        return err_set(e, -errno, "%s/" PID_FILE ": %s", s->root, strerror(errno));
    return 0;
}

/* A folder that belonged to somebody else: the server was run without users before, or was restored
 * from a backup. */
static int give_tree(const char *path, uid_t uid, gid_t gid, struct err *e)
{
    char *name = strdup(path), *paths[] = {name, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_XDEV, NULL);
    FTSENT *entry;
    int r = 0;

    CHECK(name != NULL);
    while (walk != NULL && r == 0 && (entry = fts_read(walk)) != NULL) {
        if (entry->fts_info == FTS_DP)
            continue;
        if (lchown(entry->fts_path, uid, gid) != 0)
            r = err_set(e, -errno, "%s: %s", entry->fts_path, strerror(errno));
    }
    if (walk != NULL)
        fts_close(walk);
    free(name);
    return r;
}

static const struct passwd *user_of(const struct supervisor *s, const char *suffix)
{
    char name[64];

    if (geteuid() != 0 || s->conf->user_prefix[0] == '\0')
        return NULL;
    snprintf(name, sizeof name, "%s%s", s->conf->user_prefix, suffix);
    return getpwnam(name);
}

static int make_folder(struct supervisor *s, const char *name, uid_t uid, gid_t gid, mode_t mode,
                       struct err *e)
{
    char path[CHILD_ROOT_BYTES + 32];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", s->root, name);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return err_set(e, -errno, "%s: %s", path, strerror(errno));
    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_set(e, -ENOTDIR, "%s: is not a folder", path);
    if (geteuid() == 0 && (st.st_uid != uid || st.st_gid != gid)) {
        int r = give_tree(path, uid, gid, e);
        if (r != 0)
            return r;
    }
    /* after the owner: changing that takes the set-group-id bit away */
    if (chmod(path, mode) != 0)
        return err_set(e, -errno, "%s: %s", path, strerror(errno));
    return 0;
}

static bool passes(const char *path, size_t n)
{
    char name[CHILD_ROOT_BYTES + 32];
    FD_AUTO fd = -1;

    snprintf(name, sizeof name, "%.*s", (int)n, path);
    fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 || errno != EACCES;
}

/* Names the folder that keeps a process's user out of its own, before that process fails with less. */
static int reach_folder(const struct supervisor *s, const char *name, const struct passwd *pw,
                        struct err *e)
{
    char path[CHILD_ROOT_BYTES + 32];
    size_t n = (size_t)snprintf(path, sizeof path, "%s/%s/", s->root, name), closed = 0;

    if (pw == NULL)
        return 0;
    setfsgid(pw->pw_gid);
    setfsuid(pw->pw_uid); /* takes root's way round permissions along */
    for (size_t i = 1; i < n && closed == 0; i++)
        if (path[i] == '/' && !passes(path, i)) {
            while (i > 1 && path[i - 1] != '/')
                i--;
            closed = i > 1 ? i - 1 : 1;
        }
    setfsuid(geteuid());
    setfsgid(getegid());
    return closed == 0
               ? 0
               : err_set(e, -EACCES,
                         "data folder %s: user %s cannot pass through %.*s. Open it (chmod o+x), "
                         "or choose another data folder.",
                         s->root, pw->pw_name, (int)closed, path);
}

int layout_folders(struct supervisor *s, struct err *e)
{
    static const char *const profiles[] = {"keyd",  "stored", "authd",  "cad",
                                           "certd", "enrold", "searchd"};
    int r;

    if (chmod(s->root, geteuid() == 0 ? 0711 : 0700) != 0)
        return err_set(e, -errno, "data folder %s: %s", s->root, strerror(errno));
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        const struct passwd *pw = user_of(s, sandbox_profile_user(profiles[i]));
        uid_t uid = pw ? pw->pw_uid : geteuid();
        gid_t gid = pw ? pw->pw_gid : getegid();
        mode_t mode = 0700;

        if (strcmp(profiles[i], "stored") == 0) {
            /* access workers read the store: files made in it get their group */
            const struct passwd *reader = user_of(s, sandbox_profile_user("sessiond-access"));
            gid = reader ? reader->pw_gid : gid;
            mode = reader ? 02750 : 0700;
        }
        if ((r = make_folder(s, sandbox_profile_folder(profiles[i]), uid, gid, mode, e)) != 0 ||
            (r = reach_folder(s, sandbox_profile_folder(profiles[i]), pw, e)) != 0)
            return r;
    }
    return make_folder(s, "log", geteuid(), getegid(), 0700, e);
}

int layout_log(struct supervisor *s, struct err *e)
{
    FD_AUTO fd = openat(s->root_fd, "log/sealpost.log",
                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);

    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
        return err_set(e, -errno, "%s/log/sealpost.log: %s", s->root, strerror(errno));
    return 0;
}

void layout_done(struct supervisor *s)
{
    /* emptied, not removed: another supervisor may be waiting with the old file open */
    if (lock_fd >= 0 && ftruncate(lock_fd, 0) != 0)
        log_warn("%s/" PID_FILE ": %s", s->root, strerror(errno));
    fd_close(&lock_fd);
    fd_close(&s->root_fd);
}
