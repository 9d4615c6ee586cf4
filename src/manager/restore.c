/*
 * restore.c: sealpost restore: a whole server from a backup, into an empty data folder, while none
 * runs; or (restore_account.c) an account's mail into a running one.
 *
 * Every checksum of the manifest is proved on the way. Until the last step a mark stands in the
 * data folder: what was interrupted is recognized and begun anew.
 */
#include "manager/restore.h"

#include "base/check.h"
#include "base/fd.h"
#include "manager/control.h"
#include "manager/import_store.h"
#include "manager/text.h"
#include "store/restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NUMBER_GAP = 10000, PLACE_MAX = BACKUP_PATH_MAX };
#define MAP_BYTES (UINT64_C(1) << 40)
static const char mark_name[] = "restore-is-incomplete";

struct job {
    struct call *call;
    struct backup backup;
    char root[BACKUP_PATH_MAX];
    int dir;
    struct backup_pace pace;
    uint64_t bytes;
};

int restore_open_backup(struct call *c, struct backup *b, struct err *e)
{
    const char *from = c->option[OPT_FROM];
    struct err why;
    int r;

    backup_init(b);
    b->dir = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (b->dir < 0)
        return err_set(e, -errno, "%s cannot be opened: %s", text_quote(span_cstr(from)),
                       strerror(errno));
    r = backup_load(b, &why);
    return r != 0 ? err_set(e, r, "%s: %s", text_quote(span_cstr(from)), why.text) : 0;
}

/* Does a server run with this data folder? */
static int check_stopped(struct job *j, struct err *e)
{
    struct control *control = NULL;
    struct err ignored;

    if (control_open(call_config(j->call), &control, &ignored) != 0)
        return 0;
    control_free(control);
    return err_set(e, -EBUSY,
                   "a server runs with %s. A whole restore needs it stopped (`sealpost stop`) and "
                   "its data folder empty; --account restores one account while it runs",
                   text_quote(span_cstr(j->root)));
}

static bool is_empty(int dir, bool *ret_marked)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *n;
    bool empty = d != NULL;

    *ret_marked = false;
    while (d != NULL && (n = readdir(d)) != NULL) {
        *ret_marked = *ret_marked || strcmp(n->d_name, mark_name) == 0;
        empty = empty && (strcmp(n->d_name, ".") == 0 || strcmp(n->d_name, "..") == 0);
    }
    if (d != NULL)
        closedir(d);
    return empty;
}

static int open_root(struct job *j, struct err *e)
{
    bool marked;

    if (mkdir(j->root, 0711) != 0 && errno != EEXIST)
        return err_set(e, -errno, "the data folder %s cannot be made: %s",
                       text_quote(span_cstr(j->root)), strerror(errno));
    j->dir = open(j->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->dir < 0)
        return err_set(e, -errno, "the data folder %s cannot be opened: %s",
                       text_quote(span_cstr(j->root)), strerror(errno));
    if (!is_empty(j->dir, &marked) && !marked)
        return err_set(e, -EEXIST,
                       "the data folder %s is not empty: move what is there out of the way first",
                       text_quote(span_cstr(j->root)));
    return file_write(j->dir, mark_name, SPAN("sealpost restore has begun and not ended.\n"), 0600,
                      e);
}

/* Where a file of the backup belongs, below the data folder; false: nowhere. */
static bool place_of(const struct backup *b, const char *path, char place[PLACE_MAX])
{
    struct span p = span_cstr(path), set = span_cstr(b->set);

    if (span_starts(p, SPAN("log/")))
        return snprintf(place, PLACE_MAX, "store/%s", path) < PLACE_MAX;
    if (!span_starts(p, set) || p.n <= set.n || p.p[set.n] != '/')
        return false;
    p = span_skip(p, set.n + 1);
    if (span_eq_cstr(p, "index.mdb"))
        return snprintf(place, PLACE_MAX, "store/index/data.mdb") < PLACE_MAX;
    return span_starts(p, SPAN("data/")) &&
           snprintf(place, PLACE_MAX, "%.*s", SPAN_ARG(span_skip(p, 5))) < PLACE_MAX;
}

static int make_parents(int dir, const char *place)
{
    char path[PLACE_MAX];

    snprintf(path, sizeof path, "%s", place);
    for (char *p = path; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        /* workers read the store as its group; the supervisor gives each folder to its user */
        bool store = strncmp(path, "store", 5) == 0;
        if (mkdirat(dir, path, 0700) != 0 && errno != EEXIST)
            return -errno;
        if (store && fchmodat(dir, path, 02750, 0) != 0)
            return -errno;
        *p = '/';
    }
    return 0;
}

int restore_damaged(const char *path, int r, struct err *e)
{
    if (r == -ECANCELED)
        return err_set(e, r, "interrupted; the same command begins anew");
    if (r == -EBADMSG)
        return err_set(e, r,
                       "%s is not what the manifest says: the backup is damaged. Use an earlier "
                       "one",
                       text_quote(span_cstr(path)));
    return err_set(e, r, "%s: %s", text_quote(span_cstr(path)), strerror(-r));
}

/* place NULL: only proved. */
static int copy_out(struct job *j, const struct backup_file *f, const char *place, struct err *e)
{
    FD_AUTO in = openat(j->backup.dir, f->path, O_RDONLY | O_CLOEXEC);
    FD_AUTO out = -1;
    uint64_t bytes, sum;
    int r = in < 0 ? -errno : 0;

    if (r == 0 && place != NULL) {
        r = make_parents(j->dir, place);
        out = r == 0 ? openat(j->dir, place, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                              strncmp(place, "store/", 6) == 0 ? 0640 : f->mode & 0777)
                     : -1;
        if (r == 0 && out < 0)
            r = -errno;
    }
    if (r == 0)
        r = backup_copy(in, out, 0, f->bytes, &j->pace, &bytes, NULL, &sum);
    if (r == 0 && sum != f->sum)
        r = -EBADMSG;
    if (r == -ENODATA)
        r = -EBADMSG;
    if (r == 0 && out >= 0 && fsync(out) != 0)
        r = -errno;
    j->bytes += r == 0 ? f->bytes : 0;
    return r != 0 ? restore_damaged(f->path, r, e) : 0;
}

static int copy_all(struct job *j, struct err *e)
{
    int r = 0;

    /* what an interrupted one has left, other than the mark, is written over or too much */
    for (size_t k = 0; k < j->backup.n && r == 0; k++) {
        char place[PLACE_MAX];
        bool has_place = place_of(&j->backup, j->backup.files[k].path, place);
        r = copy_out(j, &j->backup.files[k], has_place ? place : NULL, e);
    }
    return r;
}

/* Without a configuration there is no data folder to speak of: the backup's is put there. */
static int ensure_config(struct call *c, const struct backup *b, bool *ret_made, struct err *e)
{
    char path[BACKUP_PATH_MAX];
    struct buf text BUF_AUTO = BUF(16 << 20);
    int r;

    *ret_made = false;
    if (access(call_config(c), F_OK) == 0)
        return 0;
    snprintf(path, sizeof path, "%s/sealpost.conf", b->set);
    r = file_read(b->dir, path, 16 << 20, &text, e);
    if (r == 0)
        r = file_write(AT_FDCWD, call_config(c), buf_span(&text), 0644, e);
    *ret_made = r == 0;
    return r;
}

static int restore_whole(struct call *c, struct err *e)
{
    struct job j = {.call = c, .dir = -1};
    struct buf root BUF_AUTO = BUF(BACKUP_PATH_MAX - 64);
    struct restored done = {0};
    bool config_made = false;
    int r = restore_open_backup(c, &j.backup, e);

    j.pace.stop = backup_interrupts();
    if (r == 0)
        r = ensure_config(c, &j.backup, &config_made, e);
    if (r == 0)
        r = import_store_root(c, &root, e);
    if (r == 0)
        snprintf(j.root, sizeof j.root, "%s", buf_cstr(&root));
    if (r == 0)
        r = check_stopped(&j, e);
    if (r == 0)
        r = open_root(&j, e);
    if (r == 0)
        r = copy_all(&j, e);
    if (r == 0)
        r = restore_store(j.root, MAP_BYTES, NUMBER_GAP, has_option(c, OPT_WITH_QUEUE), &done, e);
    if (r == 0 && (syncfs(j.dir) != 0 || unlinkat(j.dir, mark_name, 0) != 0))
        r = restore_damaged(j.root, -errno, e);
    if (r == 0)
        r = view_done(
            c,
            json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:b}", "data", j.root, "files",
                      (json_int_t)j.backup.n, "bytes", (json_int_t)j.bytes, "taken",
                      (json_int_t)j.backup.taken, "mailboxes", (json_int_t)done.mailboxes, "queued",
                      (json_int_t)done.queued, "queue_left_out", (json_int_t)done.queue_left_out,
                      "config_made", config_made),
            "%s is restored: %.1f MB, %llu mailboxes, all with a new UIDVALIDITY; %llu outgoing "
            "message%s %s. `sealpost run` starts the server.",
            j.root, (double)j.bytes / 1e6, (unsigned long long)done.mailboxes,
            (unsigned long long)(done.queued + done.queue_left_out),
            done.queued + done.queue_left_out == 1 ? "" : "s",
            has_option(c, OPT_WITH_QUEUE) ? "wait to be sent again"
                                          : "left out, so that none is sent twice (--with-queue)");
    fd_close(&j.dir);
    backup_done(&j.backup);
    return r;
}

int cmd_restore(struct call *c, struct err *e)
{
    if (!has_option(c, OPT_FROM))
        return usage_error(e, "from which backup? --from DIR");
    if (has_option(c, OPT_MAILBOX) && !has_option(c, OPT_ACCOUNT))
        return usage_error(e, "the mailbox of which account? --account ADDRESS");
    if (has_option(c, OPT_ACCOUNT) && has_option(c, OPT_WITH_QUEUE))
        return usage_error(e, "outgoing mail belongs to no account: --with-queue goes with a whole "
                              "restore");
    if (has_option(c, OPT_WITH_RIGHTS) && !has_option(c, OPT_ACCOUNT))
        return usage_error(e, "a whole restore has all rights in it: --with-rights goes with "
                              "--account");
    return has_option(c, OPT_ACCOUNT) ? restore_account(c, e) : restore_whole(c, e);
}
