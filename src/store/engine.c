/* Opening the store and making batches durable. */
#include "store/engine.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/leftover.h"
#include "base/log.h"
#include "base/random.h"
#include "store/compact.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int engine_fail(struct engine *e, int err, const char *what)
{
    if (!e->failed)
        log_error("store: %s: %s; nothing is acknowledged any more until stored is started anew",
                  what, strerror(-err));
    e->failed = true;
    if (e->txn)
        mdb_txn_abort(e->txn);
    e->txn = NULL;
    e->behind = false;
    return err ? err : -EIO;
}

/* ------------------------------------------------------------------ batches */
int engine_batch_begin(struct engine *e, uint64_t bytes)
{
    bool rotated;
    int err;

    if (e->failed)
        return -EIO;
    CHECK(!e->txn || e->behind);
    err = e->txn ? 0 : index_error(mdb_txn_begin(e->index.env, NULL, 0, &e->txn));
    if (err)
        return engine_fail(e, err, "cannot begin a transaction of the index");
    e->no_room = false;
    err = journal_batch_begin(&e->journal, bytes, &rotated);
    if (engine_no_room(err)) {
        engine_batch_drop(e);
        return err;
    }
    if (err)
        return engine_fail(e, err, "cannot take the next log file");
    e->changed_count = 0;
    e->queue_changed = false;
    return 0;
}

bool engine_batch_empty(const struct engine *e)
{
    return journal_batch_empty(&e->journal);
}

uint64_t engine_batch_bytes(const struct engine *e)
{
    return e->journal.n;
}

int engine_batch_sync(struct engine *e)
{
    int err = journal_write(&e->journal);

    /* Kept for this: deleting and sending on are what makes room. */
    if (engine_no_room(err) && ballast_drop(e->options.root))
        err = journal_write(&e->journal);
    if (err)
        return err;
    err = journal_sync(&e->journal);
    /* What a sync could not write is lost, for whatever reason. */
    return engine_no_room(err) ? -EIO : err;
}

bool engine_no_room(int err)
{
    return err == -ENOSPC || err == -EDQUOT;
}

/* The state as it is in the index; the places of answers belong to this run. */
static int reload_state(struct engine *e)
{
    struct row_state old = e->state;
    struct key k = {.n = 5};
    MDB_txn *t;
    int err = index_error(mdb_txn_begin(e->index.env, NULL, MDB_RDONLY, &t));

    if (err)
        return err;
    memcpy(k.b, "state", 5);
    err = index_get_row(&e->index, t, INDEX_STATE, &k, &e->state, sizeof(e->state));
    mdb_txn_abort(t);
    e->state.answers_file = old.answers_file;
    e->state.answers_at = old.answers_at;
    e->state.answers_sequence = old.answers_sequence;
    e->state.answers_chain = old.answers_chain;
    return err;
}

int engine_batch_undo(struct engine *e)
{
    bool behind = e->behind;
    int err;

    if (e->failed)
        return -EIO;
    if (e->txn)
        mdb_txn_abort(e->txn);
    e->txn = NULL;
    e->behind = e->no_room = false;
    engine_forget(e);
    e->changed_count = 0;
    e->queue_changed = false;
    e->leftovers = true;
    queue_undone(e);
    err = journal_batch_undo(&e->journal);
    answers_undo(&e->answers, e->journal.end.sequence);
    if (!err)
        err = reload_state(e);
    if (!err && behind) { /* what was kept before it went with the transaction */
        ballast_drop(e->options.root);
        err = replay_rest(e);
    }
    if (err)
        return engine_fail(e, err, "cannot take back what there was no room for");
    log_error("store: no room for a batch on the disk of %s; nothing of it was kept",
              e->options.root);
    return 0;
}

/* The log has the batch, the index could not be written, for want of room perhaps (LMDB calls a
 * short write EIO): once more, with the ballast thrown off. */
static int commit_again(struct engine *e)
{
    int err;

    if (e->txn)
        mdb_txn_abort(e->txn);
    e->txn = NULL;
    engine_forget(e);
    ballast_drop(e->options.root);
    err = reload_state(e);
    return err ? err : replay_rest(e);
}

static int commit_index(struct engine *e)
{
    int err;

    e->state.sequence = e->journal.end.sequence;
    e->state.chain = e->journal.end.chain;
    e->state.file = e->journal.end.file;
    e->state.at = e->journal.end.at;
    e->behind = false;
    err = engine_flush(e);
    if (!err) {
        err = index_error(mdb_txn_commit(e->txn));
        e->txn = NULL;
    }
    if (err)
        err = commit_again(e);
    if (err) {
        engine_fail(e, err, "cannot commit to the index");
        return -EIO;
    }
    e->answers_committed = e->state.answers_file;
    mbox_trim(e);
    return 0;
}

static void batch_durable(struct engine *e)
{
    e->stats.batches++;
    e->stats.bytes += e->journal.n;
    journal_batch_done(&e->journal);
}

int engine_batch_commit(struct engine *e)
{
    if (e->failed || commit_index(e) != 0)
        return -EIO;
    batch_durable(e);
    queue_committed(e);
    return 0;
}

void engine_batch_keep(struct engine *e)
{
    CHECK(e->txn && !e->failed && !e->queue_changed);
    batch_durable(e);
    e->behind = true;
}

int engine_catch_up(struct engine *e)
{
    if (!e->behind)
        return 0;
    CHECK(journal_batch_empty(&e->journal));
    return commit_index(e);
}

/* Nothing came of it: the index is as before. */
void engine_batch_drop(struct engine *e)
{
    if (e->behind)
        return;
    if (e->txn)
        mdb_txn_abort(e->txn);
    e->txn = NULL;
}

static int batch_finish(struct engine *e)
{
    int err;

    if (e->failed)
        return -EIO;
    if (e->no_room)
        return engine_batch_undo(e) ? -EIO : -ENOSPC;
    if (engine_batch_empty(e)) {
        engine_batch_drop(e);
        return 0;
    }
    err = engine_batch_sync(e);
    if (engine_no_room(err))
        return engine_batch_undo(e) ? -EIO : err;
    if (err) {
        state_write(e->options.root, false, true);
        return engine_fail(e, err, "cannot make the log durable");
    }
    return engine_batch_commit(e);
}

int engine_run(struct engine *e, struct intent *i)
{
    int status, err;

    do {
        err = engine_batch_begin(e, 0);
        if (err)
            return err;
        status = engine_execute(e, i);
        err = batch_finish(e);
        if (err)
            return err;
    } while (i->more);
    return status;
}

bool engine_housekeep(struct engine *e)
{
    struct intent none = {.role = ROLE_STORED};
    bool found = false;
    int err;

    if (engine_batch_begin(e, 0) != 0)
        return false;
    e->now = clock_seconds();
    err = e->leftovers ? plan_leftovers(e, &none, &found) : 0;
    e->leftovers = found;
    if (!err && !found)
        err = plan_trim(e, &none);
    if (!err && !found)
        err = plan_forget(e, &none);
    if (!err)
        err = batch_finish(e);
    if (!err && !found)
        forget_seen(e);
    ballast_make(e->options.root, e->options.min_free_bytes);
    index_reserve(e);
    return !err && found;
}

/* ------------------------------------------------------------------ opening */
static int make_folders(const char *root)
{
    static const char *const folders[] = {"store", "store/index", "store/log"};
    char path[512];

    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", root, folders[i]) >= sizeof(path))
            return -ENAMETOOLONG;
        if (mkdir(path, 0750) < 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

/* The names of what was made in them: without that of the index the log would have to tell all, and
 * after compaction it no longer does. */
static int sync_folders(const char *root)
{
    static const char *const folders[] = {"", "/store", "/store/index", "/store/log"};
    char path[512];

    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        if ((size_t)snprintf(path, sizeof(path), "%s%s", root, folders[i]) >= sizeof(path))
            return -ENAMETOOLONG;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        /* The data folder itself may be closed to us; whoever made the store's made it durable. */
        if (fd < 0 && i == 0)
            continue;
        int r = fd < 0 || fsync(fd) < 0 ? -errno : 0;
        if (fd >= 0)
            close(fd);
        if (r)
            return r;
    }
    return 0;
}

static int take_lock(struct engine *e, struct err *err)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/store/lock", e->options.root);
    e->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (e->lock_fd < 0)
        return err_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
    /* The one before may still be on its way out. */
    for (int tries = 0; flock(e->lock_fd, LOCK_EX | LOCK_NB) < 0; tries++) {
        if (tries == 500)
            return err_set(err, -EBUSY, "another stored holds %s; stop it first", path);
        usleep(10000);
    }
    return 0;
}

static bool exists(const char *root, const char *name)
{
    char path[512];
    struct stat st;

    snprintf(path, sizeof(path), "%s/store/%s", root, name);
    return stat(path, &st) == 0;
}

static void remove_index(const char *root)
{
    static const char *const files[] = {"index/data.mdb", "index/lock.mdb"};
    char path[512];

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/store/%s", root, files[i]);
        unlink(path);
    }
}

/* Decides whether the index as it lies there can be believed; if not, makes it the one of the last
 * checkpoint, or none. */
static int recover_index(struct engine *e, struct err *err)
{
    const char *root = e->options.root;
    enum store_trust trust = state_trust(root);
    uint64_t txn;
    int r;

    if (trust == TRUST_INDEX && exists(root, "index/data.mdb"))
        return 0;
    r = checkpoint_restore(root, &txn);
    if (r == 0) {
        log_info("store: the index cannot be believed (the machine went down, or a sync failed); "
                 "restored to its checkpoint %llu",
                 (unsigned long long)txn);
        return 0;
    }
    if (r != -ENOENT && r != -EBADMSG)
        return err_set(err, r, "cannot restore the index from %s/store/checkpoint: %s", root,
                       strerror(-r));
    /* Nothing else says what the index says: it stays as it lies. */
    if (e->journal.file_count > 0 && journal_fd(&e->journal, 1) < 0)
        return replay_refuse(e, err);
    if (e->journal.file_count > 0)
        log_warn("store: no usable checkpoint; the index is made anew from the log");
    remove_index(root);
    return 0;
}

static int load_state(struct engine *e, struct err *err)
{
    struct key k = {.n = 5};
    int r = index_error(mdb_txn_begin(e->index.env, NULL, 0, &e->txn));

    if (!r)
        r = index_tables(&e->index, e->txn, true);
    memcpy(k.b, "state", 5);
    if (!r)
        r = index_get_row(&e->index, e->txn, INDEX_STATE, &k, &e->state, sizeof(e->state));
    if (r == -ENOENT) {
        memset(&e->state, 0, sizeof(e->state));
        e->state.version = STORE_FORMAT_VERSION;
        e->state.next_mailbox = 1;
        e->state.next_queue = 1;
        e->state.hash_seed = random_u64();
        e->state.file = 1;
        e->state.answers_file = 1;
        r = 0;
    }
    if (!r && (e->state.version < STORE_FORMAT_OLDEST || e->state.version > STORE_FORMAT_VERSION))
        r = err_set(err, -EPROTO, "%s/store has format %u; this stored knows %u", e->options.root,
                    e->state.version, (unsigned)STORE_FORMAT_VERSION);
    /* The first checkpoint has the new version: no older program takes the log that follows for its
     * own. */
    if (!r && e->state.version < STORE_FORMAT_VERSION && e->state.sequence) {
        log_info("store: format %u becomes %u", e->state.version, (unsigned)STORE_FORMAT_VERSION);
        e->state.version = STORE_FORMAT_VERSION;
        r = index_put(&e->index, e->txn, INDEX_STATE, &k, &e->state, sizeof(e->state));
    }
    if (!r) {
        r = index_error(mdb_txn_commit(e->txn));
        e->txn = NULL;
    }
    if (r && r != -EPROTO)
        err_set(err, r, "cannot open the index in %s/store/index: %s", e->options.root,
                strerror(-r));
    return r;
}

static int first_checkpoint(struct engine *e)
{
    struct checkpoint c;
    int r = checkpoint_begin(e, &c);

    if (r)
        return r;
    checkpoint_write(&c);
    return checkpoint_done(e, &c);
}

/* checkpoint.TOKEN.tmp and state.TOKEN.tmp of a death in the middle of a write. */
static void remove_leftovers(const char *root)
{
    char path[512];
    int dir;

    snprintf(path, sizeof(path), "%s/store", root);
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0 && leftovers_remove(dir) > 0)
        log_info("store: removed what a write that was interrupted has left in %s", path);
    fd_close(&dir);
}

static int open_parts(struct engine *e, struct err *err)
{
    const struct engine_options *o = &e->options;
    int r = make_folders(o->root);

    if (r)
        return err_set(err, r, "cannot make folders below %s: %s", o->root, strerror(-r));
    r = take_lock(e, err);
    if (r)
        return r;
    remove_leftovers(o->root);
    r = journal_open(&e->journal, o->root, o->log_file_bytes);
    if (r)
        return err_set(err, r, "cannot open the log in %s/store/log: %s", o->root, strerror(-r));
    e->journal.reserve = o->min_free_bytes;
    r = recover_index(e, err);
    if (r)
        return r;
    r = index_open(&e->index, o->root, o->map_bytes, true);
    if (r)
        return err_set(err, r, "cannot open the index in %s/store/index: %s", o->root,
                       strerror(-r));
    r = load_state(e, err);
    if (r)
        return r;
    e->answers_committed = e->state.answers_file;
    /* Answers from before this start are looked for as long again. */
    e->points[e->point_count++] = (struct checkpoint_point){
        {e->state.answers_file, e->state.answers_at, e->state.answers_sequence,
         e->state.answers_chain},
        clock_mono_ms()
    };
    /* Before the index is written to: a state to come back to whose pages are kept, and the mark
     * that this run writes. */
    r = sync_folders(o->root);
    if (r)
        return err_set(err, r, "cannot sync the folders below %s/store: %s", o->root, strerror(-r));
    r = first_checkpoint(e);
    if (engine_no_room(r) && ballast_drop(o->root))
        r = first_checkpoint(e);
    if (!r)
        r = state_write(o->root, false, false);
    if (engine_no_room(r) && ballast_drop(o->root))
        r = state_write(o->root, false, false);
    if (r)
        return err_set(err, r, "cannot write a checkpoint below %s/store: %s", o->root,
                       strerror(-r));
    return replay(e, err);
}

struct engine *engine_new(const struct engine_options *o)
{
    struct engine *e = calloc(1, sizeof(*e));

    CHECK(e);
    e->options = *o;
    if (!e->options.checkpoint_ms)
        e->options.checkpoint_ms = ENGINE_CHECKPOINT_MS;
    if (!e->options.answers_ms)
        e->options.answers_ms = ENGINE_ANSWERS_MS;
    if (!e->options.start_hold_ms)
        e->options.start_hold_ms = ENGINE_START_HOLD_MS;
    e->lock_fd = -1;
    e->leftovers = true;
    e->journal.dir = -1;
    e->mailboxes = map64_new();
    e->accounts = map64_new();
    e->files = map64_new();
    list_init(&e->lru);
    list_init(&e->leases);
    answers_init(&e->answers);
    buf_init(&e->effects, 64 << 20);
    buf_init(&e->commit, 65 << 20);
    /* the largest MULTIAPPEND: its blocks are copied */
    e->arena =
        arena_new(STORE_BODIES_MAX * (size_t)message_limits_default.summary_bytes + (4 << 20));
    return e;
}

int engine_open(struct engine **ret, const struct engine_options *o, struct err *err)
{
    struct engine *e = engine_new(o);
    int r = open_parts(e, err);

    if (r) {
        engine_close(e, false);
        return r;
    }
    e->compact = compact_new(e);
    *ret = e;
    return 0;
}

void engine_close(struct engine *e, bool clean)
{
    struct checkpoint c;

    if (!e)
        return;
    if (clean && !e->failed && checkpoint_begin(e, &c) == 0) {
        checkpoint_write(&c);
        if (checkpoint_done(e, &c) == 0)
            state_write(e->options.root, true, false);
    }
    if (e->txn)
        mdb_txn_abort(e->txn);
    compact_free(e->compact);
    for (size_t i = 0; i < e->held_count; i++)
        mdb_txn_abort(e->held[i].txn);
    free(e->held);
    index_close(&e->index);
    journal_close(&e->journal);
    engine_forget(e);
    map64_free(e->mailboxes);
    map64_free(e->accounts);
    map64_free(e->files);
    queue_leases_done(e);
    answers_done(&e->answers);
    buf_done(&e->effects);
    buf_done(&e->commit);
    rangeset_done(&e->scratch);
    arena_free(e->arena);
    free(e->dirty_mailboxes);
    free(e->dirty_accounts);
    free(e->changed);
    free(e->grants);
    fd_close(&e->lock_fd);
    free(e);
}
