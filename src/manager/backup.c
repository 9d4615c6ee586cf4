/*
 * backup.c: sealpost backup: hot, consistent, incremental.
 *
 * stored makes a checkpoint and keeps its pages while our link lives (STORE_BACKUP); the index is
 * copied as it lies there and the checkpoint's page is put into the copy. The log is copied up to
 * the checkpoint: bytes before it never change, so a later backup copies only what came behind.
 * Log files are opened at once: what compaction removes meanwhile is read all the same.
 */
#include "manager/backup.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "manager/control.h"
#include "manager/import_store.h"
#include "manager/text.h"
#include "store/engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { META_LAST_AT = 136, META_PAGE = 4096, DEPTH_MAX = 8, SHOW_MS = 200, RATE_MAX = 1000000 };

struct log_file {
    uint32_t number;
    int fd;
    uint64_t bytes;
};

struct job {
    struct call *call;
    struct control *control;
    char root[BACKUP_PATH_MAX];
    struct backup old, now;
    bool has_old;
    struct file_checkpoint image;
    struct log_file *logs;
    size_t log_count, log_cap;
    struct backup_pace pace;
    uint64_t written, shown_ms, verified;
    struct buf fresh; /* paths written by this run, for the look at the end */
};

/* ---- progress ---------------------------------------------------------------------------- */

static void show(void *arg, uint64_t bytes)
{
    struct job *j = arg;
    uint64_t now = clock_mono_ms();

    if (has_option(j->call, OPT_JSON) || !isatty(STDERR_FILENO) || now - j->shown_ms < SHOW_MS)
        return;
    j->shown_ms = now;
    fprintf(stderr, "\r%.1f MB read\033[K", (double)bytes / 1e6);
}

static int failed(const char *path, int r, struct err *e)
{
    if (r == -ECANCELED)
        return err_set(e, r, "interrupted; the same command goes on");
    return err_set(e, r, "%s: %s", text_quote(span_cstr(path)), strerror(-r));
}

/* ---- the folder -------------------------------------------------------------------------- */

static int make_at(int dir, const char *path, struct err *e)
{
    if (mkdirat(dir, path, 0700) == 0 || errno == EEXIST)
        return 0;
    return err_set(e, -errno, "the folder %s cannot be made: %s", text_quote(span_cstr(path)),
                   strerror(errno));
}

static bool is_ours(int dir, bool *ret_empty)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *n;
    bool ours = d != NULL;

    *ret_empty = true;
    while (d != NULL && (n = readdir(d)) != NULL) {
        if (strcmp(n->d_name, ".") == 0 || strcmp(n->d_name, "..") == 0)
            continue;
        *ret_empty = false;
        ours = ours && (strcmp(n->d_name, "log") == 0 || strncmp(n->d_name, "set-", 4) == 0 ||
                        strncmp(n->d_name, BACKUP_MANIFEST, strlen(BACKUP_MANIFEST)) == 0);
    }
    if (d != NULL)
        closedir(d);
    return ours;
}

static int open_target(struct job *j, struct err *e)
{
    const char *to = j->call->option[OPT_TO];
    bool incremental = has_option(j->call, OPT_INCREMENTAL), empty;
    struct err why;
    int r;

    if (mkdir(to, 0700) != 0 && errno != EEXIST)
        return err_set(e, -errno, "the folder %s cannot be made: %s", text_quote(span_cstr(to)),
                       strerror(errno));
    j->now.dir = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->now.dir < 0)
        return failed(to, -errno, e);
    j->old.dir = fcntl(j->now.dir, F_DUPFD_CLOEXEC, 0);
    if (!is_ours(j->now.dir, &empty))
        return err_set(e, -EEXIST, "%s holds other files; a backup needs a folder of its own",
                       text_quote(span_cstr(to)));
    r = backup_load(&j->old, &why);
    j->has_old = r == 0;
    if (r != 0 && r != -ENOENT)
        return err_set(e, r, "%s: %s", text_quote(span_cstr(to)), why.text);
    if (j->has_old && !incremental)
        return err_set(e, -EEXIST,
                       "%s holds a backup already: --incremental adds to it, or name another "
                       "folder",
                       text_quote(span_cstr(to)));
    if (!j->has_old && incremental && empty)
        return err_set(e, -ENOENT,
                       "%s holds no backup that could be added to; leave --incremental out for "
                       "the first one",
                       text_quote(span_cstr(to)));
    return make_at(j->now.dir, "log", e);
}

/* A number that no set there has. */
static int make_set(struct job *j, struct err *e)
{
    unsigned number = 1;

    if (j->has_old)
        number = (unsigned)strtoul(j->old.set + 4, NULL, 10) + 1;
    snprintf(j->now.set, sizeof j->now.set, "set-%06u", number);
    return make_at(j->now.dir, j->now.set, e);
}

/* ---- files ------------------------------------------------------------------------------- */

static void remember(struct job *j, const char *path, uint64_t bytes, uint64_t sum, unsigned mode,
                     bool fresh)
{
    backup_add(&j->now, path, bytes, sum, mode);
    if (fresh) {
        buf_put_cstr(&j->fresh, path);
        buf_putc(&j->fresh, '\n');
    }
}

/* From `in` as `path`, the first `bytes` of it. */
static int copy_in(struct job *j, int in, const char *path, uint64_t bytes, struct err *e)
{
    FD_AUTO out = openat(j->now.dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    uint64_t got, sum;
    struct stat st;
    int r = out < 0 || fstat(in, &st) != 0 ? -errno : 0;

    if (r == 0)
        r = backup_copy(in, out, 0, bytes, &j->pace, &got, NULL, &sum);
    if (r == 0 && fsync(out) != 0)
        r = -errno;
    if (r != 0)
        return failed(path, r, e);
    j->written += got;
    remember(j, path, got, sum, st.st_mode, true);
    return 0;
}

/* A register that another process writes to. */
static int copy_register(struct job *j, const char *from, const char *path, struct err *e)
{
    char to[2 * BACKUP_PATH_MAX];
    sqlite3 *in = NULL, *out = NULL;
    sqlite3_backup *b = NULL;
    uint64_t bytes, sum;
    int r = 0, rc;

    snprintf(to, sizeof to, "/proc/self/fd/%d/%s", j->now.dir, path);
    unlinkat(j->now.dir, path, 0);
    rc = sqlite3_open_v2(from, &in, SQLITE_OPEN_READONLY, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(in, 10000);
        rc = sqlite3_open_v2(to, &out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    }
    if (rc == SQLITE_OK && (b = sqlite3_backup_init(out, "main", in, "main")) != NULL) {
        rc = sqlite3_backup_step(b, -1);
        rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
        sqlite3_backup_finish(b);
    }
    if (rc != SQLITE_OK || b == NULL)
        r = err_set(e, -EIO, "the register %s cannot be copied: %s", text_quote(span_cstr(from)),
                    rc != SQLITE_OK ? sqlite3_errstr(rc) : sqlite3_errmsg(out));
    sqlite3_close(out);
    sqlite3_close(in);
    if (r != 0)
        return r;
    FD_AUTO fd = openat(j->now.dir, path, O_RDONLY | O_CLOEXEC);
    r = fd < 0 || fchmod(fd, 0600) != 0 || fsync(fd) != 0 ? -errno : 0;
    if (r == 0)
        r = backup_copy(fd, -1, 0, UINT64_MAX, &j->pace, &bytes, NULL, &sum);
    if (r != 0)
        return failed(path, r, e);
    j->written += bytes;
    remember(j, path, bytes, sum, 0600, true);
    return 0;
}

static bool ends_with(const char *name, const char *ending)
{
    return span_ends_nocase(span_cstr(name), span_cstr(ending));
}

static bool left_out(const char *name, unsigned depth)
{
    /* the search index is derived, and changes while it is copied */
    static const char *const top[] = {"store", "log", "search"};

    for (size_t k = 0; depth == 0 && k < ARRAY_LEN(top); k++)
        if (strcmp(name, top[k]) == 0)
            return true;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || ends_with(name, "-wal") ||
           ends_with(name, "-shm") || ends_with(name, "-journal") || ends_with(name, ".pid") ||
           ends_with(name, ".tmp");
}

/* All of the data folder but the store: registers, keys, certificates. */
static int copy_tree(struct job *j, const char *from, const char *to, unsigned depth, struct err *e)
{
    DIR *d = opendir(from);
    const struct dirent *n;
    int r = d != NULL ? make_at(j->now.dir, to, e) : failed(from, -errno, e);

    while (r == 0 && (n = readdir(d)) != NULL) {
        char source[BACKUP_PATH_MAX], path[BACKUP_PATH_MAX];
        struct stat st;
        if (left_out(n->d_name, depth))
            continue;
        if ((size_t)snprintf(source, sizeof source, "%s/%s", from, n->d_name) >= sizeof source ||
            (size_t)snprintf(path, sizeof path, "%s/%s", to, n->d_name) >= sizeof path) {
            r = failed(from, -ENAMETOOLONG, e);
            break;
        }
        if (lstat(source, &st) != 0)
            continue; /* a temporary file that has become another */
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
            r = copy_tree(j, source, path, depth + 1, e);
        } else if (S_ISREG(st.st_mode) && ends_with(n->d_name, ".db")) {
            r = copy_register(j, source, path, e);
        } else if (S_ISREG(st.st_mode)) {
            FD_AUTO in = open(source, O_RDONLY | O_CLOEXEC);
            if (in >= 0)
                r = copy_in(j, in, path, UINT64_MAX, e);
            else if (errno != ENOENT)
                r = failed(source, -errno, e);
        }
    }
    if (d != NULL)
        closedir(d);
    return r;
}

/* ---- the store --------------------------------------------------------------------------- */

static int ask_checkpoint(struct job *j, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(8192);
    int r = control_call(j->control, ROLE_STORED, 0, MSG_STORE_BACKUP, SPAN_EMPTY, &reply, e);

    if (r < 0)
        return r;
    if (reply.n != sizeof j->image)
        return err_set(e, -EBADMSG, "the answer of stored cannot be read");
    memcpy(&j->image, reply.p, sizeof j->image);
    j->now.sequence = j->image.sequence;
    j->now.file = j->image.file;
    j->now.at = j->image.at;
    j->now.taken = clock_seconds();
    return 0;
}

/* Every log file up to the checkpoint, open. */
static int open_logs(struct job *j, struct err *e)
{
    char path[BACKUP_PATH_MAX + 40];
    const struct dirent *n;
    struct rlimit files = {0};
    int r = 0;
    DIR *d;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    snprintf(path, sizeof path, "%s/store/log", j->root);
    if ((d = opendir(path)) == NULL)
        return failed(path, -errno, e);
    while (r == 0 && (n = readdir(d)) != NULL) {
        struct log_file f = {.fd = -1};
        struct stat st;
        char want[24];
        if (sscanf(n->d_name, "%8u.log", &f.number) != 1 || f.number > j->image.file)
            continue;
        snprintf(want, sizeof want, "%08u.log", f.number);
        if (strcmp(want, n->d_name) != 0)
            continue;
        f.fd = openat(dirfd(d), n->d_name, O_RDONLY | O_CLOEXEC);
        if (f.fd < 0 || fstat(f.fd, &st) != 0) {
            r = failed(n->d_name, errno == ENOENT ? -EAGAIN : -errno, e);
            fd_close(&f.fd);
            break;
        }
        f.bytes = f.number == j->image.file ? j->image.at : (uint64_t)st.st_size;
        if (j->log_count == j->log_cap) {
            j->log_cap = j->log_cap ? j->log_cap * 2 : 64;
            j->logs = realloc(j->logs, j->log_cap * sizeof *j->logs);
            CHECK(j->logs != NULL);
        }
        j->logs[j->log_count++] = f;
    }
    closedir(d);
    return r;
}

static void close_logs(struct job *j)
{
    while (j->log_count > 0)
        fd_close(&j->logs[--j->log_count].fd);
}

static int copy_index(struct job *j, struct err *e)
{
    char from[BACKUP_PATH_MAX + 40], path[BACKUP_PATH_MAX], full[2 * BACKUP_PATH_MAX];
    uint64_t last, bytes, sum;
    int r;

    snprintf(from, sizeof from, "%s/store/index/data.mdb", j->root);
    snprintf(path, sizeof path, "%s/index.mdb", j->now.set);
    snprintf(full, sizeof full, "/proc/self/fd/%d/%s", j->now.dir, path);
    memcpy(&last, j->image.page + META_LAST_AT, sizeof last);
    FD_AUTO in = open(from, O_RDONLY | O_CLOEXEC);
    FD_AUTO out = openat(j->now.dir, path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (in < 0 || out < 0)
        return failed(in < 0 ? from : path, -errno, e);
    r = backup_copy(in, out, 0, (last + 1) * META_PAGE, &j->pace, &bytes, NULL, &sum);
    if (r == -ENODATA) /* pages that were never written to are not in the file */
        r = 0;
    if (r == 0)
        r = checkpoint_install(full, &j->image);
    if (r == 0 && fsync(out) != 0)
        r = -errno;
    if (r == 0)
        r = backup_copy(out, -1, 0, UINT64_MAX, &j->pace, &bytes, NULL, &sum);
    if (r != 0)
        return failed(path, r, e);
    /* were stored started anew in between, pages of that state may have been written over */
    r = control_call(j->control, ROLE_STORED, 0, MSG_STORE_STAT, SPAN_EMPTY, NULL, e);
    if (r < 0)
        return err_set(e, r, "stored was started anew while its index was copied; try again");
    j->written += bytes;
    remember(j, path, bytes, sum, 0600, true);
    return 0;
}

static int diverged(const char *path, struct err *e)
{
    return err_set(e, -EEXIST,
                   "%s of this backup does not go on in the server's log: the backup is of another "
                   "history (of another server, or from after a state that was restored). Make a "
                   "new one in another folder",
                   path);
}

static int copy_log(struct job *j, const struct log_file *f, struct err *e)
{
    char path[40];
    const struct backup_file *old;
    uint64_t from = 0, bytes, before, sum;
    struct stat st;
    int r;

    snprintf(path, sizeof path, "log/%08u.log", f->number);
    old = j->has_old ? backup_find(&j->old, path) : NULL;
    FD_AUTO out = openat(j->now.dir, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (out < 0 || fstat(out, &st) != 0)
        return failed(path, -errno, e);
    if (old != NULL) {
        if (old->bytes > f->bytes || (uint64_t)st.st_size < old->bytes)
            return diverged(path, e);
        from = old->bytes;
        if (from == f->bytes && f->number != j->old.file) { /* finished before */
            remember(j, path, old->bytes, old->sum, 0600, false);
            return 0;
        }
    }
    r = ftruncate(out, (off_t)from) != 0 ? -errno : 0;
    if (r == 0)
        r = backup_copy(f->fd, out, from, f->bytes, &j->pace, &bytes, &before, &sum);
    if (r == 0 && fsync(out) != 0)
        r = -errno;
    if (r != 0)
        return failed(path, r, e);
    if (old != NULL && before != old->sum)
        return diverged(path, e);
    j->written += bytes - from;
    remember(j, path, bytes, sum, 0600, true);
    return 0;
}

static int check_history(struct job *j, struct err *e)
{
    if (!j->has_old)
        return 0;
    if (strcmp(j->old.store, j->now.store) != 0)
        return err_set(e, -EEXIST, "the backup in that folder is of another server's store");
    if (j->old.sequence > j->now.sequence)
        return diverged("the log", e);
    return 0;
}

/* The seed of the index's hashes: made once with a store. */
static int identify(struct job *j, struct err *e)
{
    struct index x;
    char folder[BACKUP_PATH_MAX + 40];
    struct row_state state;
    struct key k = {.n = 5};
    MDB_txn *t = NULL;
    const struct conf *conf = control_conf(j->control, e);
    int r;

    if (conf == NULL)
        return -EPIPE;
    snprintf(folder, sizeof folder, "%s", j->root);
    r = index_open(&x, folder, conf->index_map_bytes, false);
    if (r == 0)
        r = index_error(mdb_txn_begin(x.env, NULL, MDB_RDONLY, &t));
    if (r == 0)
        r = index_tables(&x, t, false);
    memcpy(k.b, "state", 5);
    if (r == 0)
        r = index_get_row(&x, t, INDEX_STATE, &k, &state, sizeof state);
    if (t != NULL)
        mdb_txn_abort(t);
    index_close(&x);
    if (r != 0)
        return err_set(e, r,
                       "the store in %s cannot be read: %s. A backup needs root, or the user who "
                       "runs the server",
                       text_quote(span_cstr(j->root)), strerror(-r));
    snprintf(j->now.store, sizeof j->now.store, "%016" PRIx64, state.hash_seed);
    return 0;
}

static int copy_store(struct job *j, struct err *e)
{
    int r = -EAGAIN;

    for (unsigned tries = 0; tries < 5 && r == -EAGAIN; tries++) {
        close_logs(j);
        r = ask_checkpoint(j, e);
        if (r == 0)
            r = open_logs(j, e);
    }
    if (r == 0)
        r = identify(j, e);
    if (r == 0)
        r = check_history(j, e);
    if (r == 0)
        r = copy_index(j, e);
    for (size_t k = 0; k < j->log_count && r == 0; k++)
        r = copy_log(j, &j->logs[k], e);
    return r;
}

/* ---- the end ----------------------------------------------------------------------------- */

/* What was written is read again, from the disk where the kernel lets go of its copy. */
static int verify(struct job *j, struct err *e)
{
    struct span rest = buf_span(&j->fresh), line;
    int r = 0;

    while (r == 0 && span_split(&rest, '\n', &line)) {
        char path[BACKUP_PATH_MAX];
        uint64_t bytes = 0, sum = 0;
        const struct backup_file *f;
        CHECK(span_to_cstr(line, path, sizeof path));
        f = backup_find(&j->now, path);
        FD_AUTO fd = openat(j->now.dir, path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        r = fd < 0 ? -errno : backup_copy(fd, -1, 0, UINT64_MAX, &j->pace, &bytes, NULL, &sum);
        if (r != 0)
            return failed(path, r, e);
        if (f == NULL || f->bytes != bytes || f->sum != sum)
            return err_set(e, -EIO,
                           "%s was written but reads back differently: is the disk of the backup "
                           "in order? The backup is not complete",
                           path);
        j->verified += bytes;
    }
    return r;
}

static void remove_tree(int dir, const char *path, unsigned depth)
{
    int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *n;

    while (d != NULL && (n = readdir(d)) != NULL) {
        if (strcmp(n->d_name, ".") == 0 || strcmp(n->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(d), n->d_name, 0) != 0 && depth < DEPTH_MAX + 2)
            remove_tree(dirfd(d), n->d_name, depth + 1);
    }
    if (d != NULL)
        closedir(d);
    unlinkat(dir, path, AT_REMOVEDIR);
}

/* Sets that no manifest names, log files that compaction has removed. */
static void remove_old(struct job *j)
{
    int fd = openat(j->now.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *n;

    while (d != NULL && (n = readdir(d)) != NULL)
        if (strncmp(n->d_name, "set-", 4) == 0 && strcmp(n->d_name, j->now.set) != 0)
            remove_tree(j->now.dir, n->d_name, 0);
    if (d != NULL)
        closedir(d);
    for (size_t k = 0; j->has_old && k < j->old.n; k++)
        if (strncmp(j->old.files[k].path, "log/", 4) == 0 &&
            backup_find(&j->now, j->old.files[k].path) == NULL)
            unlinkat(j->now.dir, j->old.files[k].path, 0);
}

static int copy_config(struct job *j, struct err *e)
{
    char path[BACKUP_PATH_MAX];
    FD_AUTO in = open(call_config(j->call), O_RDONLY | O_CLOEXEC);

    snprintf(path, sizeof path, "%s/sealpost.conf", j->now.set);
    return in < 0 ? failed(call_config(j->call), -errno, e) : copy_in(j, in, path, UINT64_MAX, e);
}

static int run(struct job *j, struct err *e)
{
    char data[BACKUP_PATH_MAX];
    int r = open_target(j, e);

    if (r == 0)
        r = make_set(j, e);
    if (r == 0)
        r = copy_store(j, e);
    snprintf(data, sizeof data, "%s/data", j->now.set);
    if (r == 0)
        r = copy_tree(j, j->root, data, 0, e);
    if (r == 0)
        r = copy_config(j, e);
    if (r == 0 && syncfs(j->now.dir) != 0)
        r = failed(j->call->option[OPT_TO], -errno, e);
    if (r == 0)
        r = verify(j, e);
    if (r == 0)
        r = backup_save(&j->now, e);
    if (r == 0)
        remove_old(j);
    return r;
}

int cmd_backup(struct call *c, struct err *e)
{
    struct job j = {.call = c, .fresh = BUF(64 << 20)};
    struct buf root BUF_AUTO = BUF(BACKUP_PATH_MAX - 64);
    uint64_t rate = 0;
    int r;

    if (!has_option(c, OPT_TO))
        return usage_error(e, "where to? --to DIR");
    if (has_option(c, OPT_RATE) &&
        (!span_to_u64(span_cstr(c->option[OPT_RATE]), RATE_MAX, &rate) || rate == 0))
        return usage_error(e, "--rate is a number of megabytes a second");
    if ((j.control = call_control(c, e)) == NULL)
        return -ENOTCONN;
    if ((r = import_store_root(c, &root, e)) != 0)
        return r;
    snprintf(j.root, sizeof j.root, "%s", buf_cstr(&root));
    backup_init(&j.old);
    backup_init(&j.now);
    j.pace = (struct backup_pace){.bytes_per_second = rate * 1000000,
                                  .progress = show,
                                  .arg = &j,
                                  .stop = backup_interrupts()};
    /* the server's own reading and writing goes first: class idle */
    syscall(SYS_ioprio_set, 1, 0, 3 << 13);
    r = run(&j, e);
    if (!has_option(c, OPT_JSON) && isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
    if (r == 0)
        r = view_done(c,
                      json_pack("{s:s,s:b,s:I,s:I,s:I,s:I,s:I}", "to", c->option[OPT_TO],
                                "incremental", j.has_old, "files", (json_int_t)j.now.n, "written",
                                (json_int_t)j.written, "verified", (json_int_t)j.verified, "taken",
                                (json_int_t)j.now.taken, "sequence", (json_int_t)j.now.sequence),
                      "Backup in %s is complete and verified: %zu files, %.1f MB written%s. It "
                      "holds everything that makes this server, its keys (encrypted) and what "
                      "opens them among it: keep it as safe as the server.",
                      c->option[OPT_TO], j.now.n, (double)j.written / 1e6,
                      j.has_old ? " to what was there" : "");
    close_logs(&j);
    free(j.logs);
    buf_done(&j.fresh);
    backup_done(&j.old);
    backup_done(&j.now);
    return r;
}
