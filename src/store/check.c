#include "store/check_parts.h"

#include "base/check.h"
#include "base/fd.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const struct {
    const char *name;
    bool fixed;
    const char *how;
} findings[] = {
#define X(id, name, fixed, how) {name, fixed, how},
    CHECK_FINDINGS(X)
#undef X
};

const char *finding_name(enum finding f)
{
    return findings[f].name;
}

const char *finding_repair(enum finding f)
{
    return findings[f].how;
}

void check_finding(struct check *c, enum finding kind, bool repaired, const char *fmt, ...)
{
    char text[2000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    repaired = repaired && c->repair && findings[kind].fixed;
    c->findings[kind]++;
    c->all++;
    c->repaired += repaired;
    if (c->found)
        c->found(c->arg, kind, repaired, text);
}

/* ------------------------------------------------------------------ the log */
static void on_file_record(struct check *c, const struct journal_record *r)
{
    uint32_t number = 0;

    c->files++;
    if (r->commit.n >= 20)
        memcpy(&number, r->commit.p + 16, sizeof(number));
    if (r->at != 0 || number != r->file || memcmp(r->commit.p, c->journal->uuid, 16) != 0)
        check_finding(c, FINDING_LOG, false, "log file %u is not file %u of this store", r->file,
                      r->file);
}

static bool begins_with_record(const struct journal_file *f, struct log_head *ret)
{
    return pread(f->fd, ret, sizeof(*ret), 0) == (ssize_t)sizeof(*ret) && ret->magic == LOG_MAGIC;
}

static void on_blob(void *arg, struct place at, bool sound)
{
    if (sound)
        check_proved_add(arg, at);
}

/* From the first record of a file as far as records follow each other; where that ends. */
static struct journal_position check_run(struct check *c, const struct journal_file *f,
                                         const struct log_head *first, uint64_t total)
{
    struct journal_position at = {f->number, 0, first->sequence - 1, 0};
    struct journal_record rec;
    struct journal_reader r;
    int got = 0;

    /* A body that nothing refers to may be wrong; not one of a record that a start would read
     * again. */
    journal_reader_init(&r, c->journal, &at, true);
    r.on_blob = on_blob;
    r.arg = c;
    r.any_chain = true;
    while (!(c->running && r.at.sequence >= c->state.sequence) &&
           (got = journal_next(&r, &rec)) == 1) {
        r.skip_blobs = r.at.sequence < c->state.sequence;
        c->records++;
        c->log_bytes += rec.bytes;
        if (rec.type == LOG_FILE)
            on_file_record(c, &rec);
        if (c->records % 256 == 0 && c->progress)
            c->progress(c->arg, "log", c->log_bytes, total);
    }
    if (got < 0)
        check_finding(c, FINDING_LOG, false, "log file %u cannot be read at %u: %s", r.at.file,
                      r.at.at, strerror(-got));
    else if (!c->running && journal_damaged_file(&r))
        check_finding(c, FINDING_LOG, false,
                      "log file %u is damaged at %u: record %llu is not whole, and there are later "
                      "ones",
                      r.at.file, r.at.at, (unsigned long long)r.at.sequence + 1);
    at = r.at;
    journal_reader_done(&r);
    return at;
}

void check_log(struct check *c)
{
    struct journal *j = c->journal;
    uint64_t total = 0;
    struct stat st;
    struct journal_position end = {0, 0, 0, 0};

    for (size_t i = 0; i < j->file_count; i++)
        if (fstat(j->files[i].fd, &st) == 0)
            total += (uint64_t)st.st_size;
    for (size_t i = 0; i < j->file_count;) {
        const struct journal_file *f = &j->files[i];
        struct log_head h;
        bool begins = begins_with_record(f, &h);
        if (c->running && end.sequence >= c->state.sequence)
            break;
        if (begins && end.file && f->number == end.file + 1)
            check_finding(c, FINDING_LOG, false,
                          "log file %u does not go on where file %u ends (record %llu)", f->number,
                          end.file, (unsigned long long)end.sequence);
        if (begins)
            end = check_run(c, f, &h, total);
        else if (f->number <= c->state.file)
            check_finding(c, FINDING_LOG, false, "log file %u does not begin with a record",
                          f->number);
        while (i < j->file_count && (j->files[i].number <= end.file || &j->files[i] == f))
            i++;
    }
    if (c->state.sequence > end.sequence)
        check_finding(c, FINDING_LOG, false,
                      "the log ends with record %llu, the index knows record %llu",
                      (unsigned long long)end.sequence, (unsigned long long)c->state.sequence);
}

/* ------------------------------------------------------------------ a copy of the index */
static int copy_file(const char *from, const char *to)
{
    enum { STEP = 1 << 20 };
    int in = open(from, O_RDONLY | O_CLOEXEC), err = 0;
    int out = in < 0 ? -1 : open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char *b = malloc(STEP);
    ssize_t n;

    CHECK(b);
    if (out < 0)
        err = -errno;
    while (!err && (n = read(in, b, STEP)) != 0) {
        if (n < 0) {
            err = -errno;
            break;
        }
        for (ssize_t at = 0; at < n && !err;) {
            ssize_t done = write(out, b + at, (size_t)(n - at));
            if (done < 0)
                err = -errno;
            else
                at += done;
        }
    }
    free(b);
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return err;
}

static const char *const copy_folders[] = {"", "/store", "/store/index"};

static void copy_remove(const char *copy)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char path[600];

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/store/index/%s", copy, files[i]);
        unlink(path);
    }
    for (size_t i = ARRAY_LEN(copy_folders); i > 0; i--) {
        snprintf(path, sizeof(path), "%s%s", copy, copy_folders[i - 1]);
        rmdir(path);
    }
}

/* Asked before anything is written: on a disk that is nearly full the copy would take what mail that
 * is read, deleted and sent needs. */
static int copy_has_room(const char *from, const char *copy, uint64_t keep, struct err *err)
{
    struct statvfs v;
    struct stat st;

    if (stat(from, &st) < 0 || statvfs(copy, &v) < 0)
        return -errno;
    uint64_t need = (uint64_t)st.st_size, room = (uint64_t)v.f_bavail * v.f_frsize;
    if (room >= keep && room - keep >= need)
        return 0;
    return err_set(
        err, -ENOSPC,
        "a copy of the index needs %llu MiB in %s, where %llu MiB are free and %llu of them "
        "are kept for mail. Name a folder on another disk with --tmp DIR",
        (unsigned long long)(need >> 20) + 1, copy, (unsigned long long)(room >> 20),
        (unsigned long long)(keep >> 20));
}

static int copy_make(const char *root, const struct file_checkpoint *image, const char *copy,
                     uint64_t keep, struct err *err)
{
    char from[600], to[600];

    for (size_t i = 0; i < ARRAY_LEN(copy_folders); i++) {
        snprintf(to, sizeof(to), "%s%s", copy, copy_folders[i]);
        if (mkdir(to, 0700) < 0 && errno != EEXIST)
            return -errno;
    }
    snprintf(from, sizeof(from), "%s/store/index/data.mdb", root);
    snprintf(to, sizeof(to), "%s/store/index/data.mdb", copy);
    int r = copy_has_room(from, copy, keep, err);
    if (!r)
        r = copy_file(from, to);
    return r || !image ? r : checkpoint_install(to, image);
}

static int read_state(struct check *c)
{
    struct key k = {.n = 5};

    memcpy(k.b, "state", 5);
    return index_get_row(c->index, c->txn, INDEX_STATE, &k, &c->state, sizeof(c->state));
}

/* What the log has more than the index (stored was killed; mail is answered when the log has it) is
 * read again at the next start. What that makes of the index is what is looked at. */
static int read_rest(struct check *c, struct engine *e)
{
    struct err why;

    e->state = c->state;
    mdb_txn_abort(c->txn);
    c->txn = NULL;
    int err = replay_copy(e, &why);
    if (err)
        check_finding(c, FINDING_INDEX, false, "%s", why.text);
    return index_error(mdb_txn_begin(e->index.env, NULL, MDB_RDONLY, &c->txn));
}

/* Of a store in its first second the checkpoint knows nothing; the log has all of it. */
static int state_of_nothing(struct check *c, struct engine *e)
{
    e->state = (struct row_state){.version = STORE_FORMAT_VERSION,
                                  .file = 1,
                                  .answers_file = 1,
                                  .next_mailbox = 1,
                                  .next_queue = 1,
                                  .hash_seed = 1};
    if (!replay_learn_uuid(e))
        return -ENOENT;
    c->state = e->state;
    return 0;
}

/* Log and copy of the index, both open. */
static int check_both(struct check *c, struct engine *e)
{
    int err = read_state(c);

    if (err == -ENOENT && !c->running)
        err = state_of_nothing(c, e);
    if (err)
        return err;
    memcpy(c->journal->uuid, c->state.uuid, 16);
    check_log(c);
    err = c->running ? 0 : read_rest(c, e);
    if (!err) {
        check_index(c);
        err = c->err;
    }
    c->checkpoint = c->state.sequence;
    check_done(c);
    return err;
}

static int open_copy(struct check *c, struct engine *e, const char *copy)
{
    int r = index_open(&e->index, copy, e->options.map_bytes, true);

    c->index = &e->index;
    c->journal = &e->journal;
    if (!r)
        r = index_error(mdb_txn_begin(e->index.env, NULL, 0, &c->txn));
    if (!r)
        r = index_tables(&e->index, c->txn, true);
    if (!r) {
        r = index_error(mdb_txn_commit(c->txn));
        c->txn = NULL;
    }
    return r ? r : index_error(mdb_txn_begin(e->index.env, NULL, MDB_RDONLY, &c->txn));
}

int store_check_copy(const char *root, const struct file_checkpoint *image, const char *copy,
                     uint64_t map_bytes, struct check *c, struct err *err)
{
    struct engine_options o = {.root = root, .map_bytes = map_bytes};
    struct engine *e = engine_new(&o);
    int r = journal_open_read(&e->journal, root);

    if (r) {
        engine_close(e, false);
        return err_set(err, r, "cannot open the log in %s/store/log: %s", root, strerror(-r));
    }
    err->text[0] = 0;
    if (strlen(copy) > 500)
        r = -ENAMETOOLONG;
    if (!r)
        r = copy_make(root, image, copy, c->keep_bytes, err);
    if (r && err->text[0])
        ; /* it is said what to do */
    else if (r && r != -ENOENT)
        r = err_set(err, r, "cannot copy the index to %s: %s", copy, strerror(-r));
    else {
        c->repair = false;
        c->err = 0;
        r = r ? r : open_copy(c, e, copy);
        if (!r)
            r = check_both(c, e);
        if (r) {
            check_finding(c, FINDING_INDEX, false, "the index cannot be read: %s", strerror(-r));
            r = 0;
        }
    }
    if (c->txn)
        mdb_txn_abort(c->txn);
    c->txn = NULL;
    engine_close(e, false);
    copy_remove(copy);
    return r;
}

/* ------------------------------------------------------------------ a store that is not in use */
static int lock_store(const char *root, int *ret, struct err *err)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/store/lock", root);
    *ret = open(path, O_RDWR | O_CLOEXEC);
    if (*ret < 0)
        return err_set(err, -errno, "there is no store below %s: %s", root, strerror(errno));
    if (flock(*ret, LOCK_EX | LOCK_NB) == 0)
        return 0;
    fd_close(ret);
    return err_set(err, -EBUSY, "the store below %s is in use", root);
}

/* As the next start would find it: the index as it lies there, if that can be believed. */
static int read_only(const char *root, uint64_t map_bytes, struct check *c, struct err *err)
{
    struct file_checkpoint image;
    char copy[512];
    int lock, r = lock_store(root, &lock, err);

    if (r)
        return r;
    if (c->copy)
        snprintf(copy, sizeof(copy), "%s", c->copy);
    else
        snprintf(copy, sizeof(copy), "%s/store/check.tmp", root);
    r = checkpoint_read(root, &image);
    if (r)
        check_finding(c, FINDING_INDEX, false, "the checkpoint cannot be read: %s", strerror(-r));
    if (state_trust(root) == TRUST_INDEX)
        r = store_check_copy(root, NULL, copy, map_bytes, c, err);
    else
        r = r ? 0 : store_check_copy(root, &image, copy, map_bytes, c, err);
    fd_close(&lock);
    return r;
}

static void remove_file(const char *root, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/store/%s", root, name);
    unlink(path);
}

/* An index that cannot be opened is made anew if the log has everything. */
static int open_or_rebuild(const char *root, const struct engine_options *o, struct engine **ret,
                           struct check *c, struct err *err)
{
    char path[512];
    int r = engine_open(ret, o, err);

    if (r == 0 || r == -EBUSY || r == -EBADMSG || r == -EPROTO)
        return r;
    snprintf(path, sizeof(path), "%s/store/log/00000001.log", root);
    if (access(path, R_OK) < 0)
        return r;
    remove_file(root, "index/data.mdb");
    remove_file(root, "index/lock.mdb");
    remove_file(root, "checkpoint");
    r = engine_open(ret, o, err);
    if (r == 0)
        check_finding(c, FINDING_INDEX, true, "the index could not be opened");
    return r;
}

/* root repairs what belongs to stored's user: what was made meanwhile is given to whom the folder it
 * lies in belongs to. */
static int give_back(const char *root)
{
    static const char *const folders[] = {"store", "store/index", "store/log"};
    char path[512];
    int err = 0;

    for (size_t i = 0; i < ARRAY_LEN(folders) && geteuid() == 0; i++) {
        struct dirent *f;
        struct stat st;
        snprintf(path, sizeof(path), "%s/%s", root, folders[i]);
        DIR *d = opendir(path);
        if (!d || fstat(dirfd(d), &st) < 0)
            err = -errno;
        while (d && !err && (f = readdir(d)) != NULL)
            if (f->d_type == DT_REG &&
                fchownat(dirfd(d), f->d_name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
                err = -errno;
        if (d)
            closedir(d);
    }
    return err;
}

static int repair(const char *root, uint64_t map_bytes, struct check *c, struct err *err)
{
    struct engine_options o = {
        .root = root, .map_bytes = map_bytes, .log_file_bytes = UINT64_C(256) << 20};
    struct engine *e;
    int r = open_or_rebuild(root, &o, &e, c, err);

    if (r)
        return r;
    c->index = &e->index;
    c->journal = &e->journal;
    c->state = e->state;
    c->checkpoint = e->state.sequence;
    check_log(c);
    r = index_error(mdb_txn_begin(e->index.env, NULL, 0, &c->txn));
    if (!r) {
        check_index(c);
        r = c->err;
        check_done(c);
        if (r)
            mdb_txn_abort(c->txn);
        else
            r = index_error(mdb_txn_commit(c->txn));
        c->txn = NULL;
    }
    if (r)
        err_set(err, r, "the index cannot be repaired: %s", strerror(-r));
    /* Its checkpoint is what a start goes back to: no record is read over what was repaired. */
    engine_close(e, r == 0);
    int given = give_back(root);
    if (!r && given)
        r = err_set(err, given, "the files below %s/store cannot be given to their user: %s", root,
                    strerror(-given));
    return r;
}

int store_check(const char *root, uint64_t map_bytes, struct check *c, struct err *err)
{
    return c->repair ? repair(root, map_bytes, c, err) : read_only(root, map_bytes, c, err);
}
