/*
 * Checkpoints. The index is written without syncing. Now and then a read transaction is opened on
 * its newest state, so that no page of that state is reused, the file is synced, and the meta page
 * that leads to it is saved in a file of its own. After the machine went down that page is put
 * back; whatever was written later is not reachable from it, and the log tells the rest.
 */
#include "store/engine.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* Of LMDB's file format (version 1, pages of 4,096 bytes): a page head of 16 bytes, then the meta
 * block. */
enum { META_PAGE = 4096, META_MAGIC_AT = 16, META_LAST_AT = 136, META_TXN_AT = 144 };
#define META_MAGIC UINT32_C(0xBEEFC0DE)

static char fake_boot[40];

void state_fake_boot(const char *boot)
{
    snprintf(fake_boot, sizeof(fake_boot), "%s", boot ? boot : "");
}

/* Read once: later on the jail hides it. */
void state_boot_id(char out[40])
{
    static char known[40];
    struct buf b = BUF(128);
    struct err e;

    if (!known[0] && file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128, &b, &e) == 0)
        memcpy(known, b.p, b.n < 36 ? b.n : 36);
    memcpy(out, fake_boot[0] ? fake_boot : known, 40);
    buf_done(&b);
}

int state_write(const char *root, bool clean, bool failed)
{
    struct file_state s = {.magic = "SPSTATE", .clean = clean, .failed = failed};
    char path[512];
    struct err e;

    state_boot_id(s.boot);
    s.sum = XXH3_64bits(&s, offsetof(struct file_state, sum));
    snprintf(path, sizeof(path), "%s/store/state", root);
    return file_write(AT_FDCWD, path, span_of(&s, sizeof(s)), 0640, &e);
}

enum store_trust state_trust(const char *root)
{
    enum store_trust trust = TRUST_CHECKPOINT;
    struct buf b = BUF(sizeof(struct file_state));
    char path[512], boot[40];
    struct file_state s;
    struct err e;

    state_boot_id(boot);
    snprintf(path, sizeof(path), "%s/store/state", root);
    if (file_read(AT_FDCWD, path, sizeof(s), &b, &e) == 0 && b.n == sizeof(s)) {
        memcpy(&s, b.p, sizeof(s));
        if (s.sum == XXH3_64bits(&s, offsetof(struct file_state, sum)) && !s.failed &&
            (s.clean || (boot[0] && memcmp(boot, s.boot, sizeof(boot)) == 0)))
            trust = TRUST_INDEX;
    }
    buf_done(&b);
    return trust;
}

static int read_meta(struct engine *e, uint64_t txn, unsigned char page[META_PAGE])
{
    uint64_t found;
    uint32_t magic;
    int fd;

    if (mdb_env_get_fd(e->index.env, &fd) != 0)
        return -EIO;
    if (pread(fd, page, META_PAGE, (off_t)((txn & 1) * META_PAGE)) != META_PAGE)
        return -EIO;
    memcpy(&magic, page + META_MAGIC_AT, sizeof(magic));
    memcpy(&found, page + META_TXN_AT, sizeof(found));
    return magic == META_MAGIC && found == txn ? 0 : -EIO;
}

bool checkpoint_due(const struct engine *e)
{
    uint64_t now = clock_mono_ms();

    if (e->failed || e->journal.synced == e->last_checkpoint.sequence)
        return false;
    if (now - e->checkpoint_ms >= e->options.checkpoint_ms)
        return true;
    return e->journal.end.file != e->last_checkpoint.file ||
           e->journal.end.at - e->last_checkpoint.at >= ENGINE_CHECKPOINT_BYTES;
}

int checkpoint_begin(struct engine *e, struct checkpoint *c)
{
    int err = engine_catch_up(e);

    CHECK(!e->txn);
    *c = (struct checkpoint){.e = e};
    if (!err)
        err = index_error(mdb_txn_begin(e->index.env, NULL, MDB_RDONLY, &c->held.txn));
    if (err)
        return err;
    c->held.id = mdb_txn_id(c->held.txn);
    c->held.position =
        (struct journal_position){e->state.file, e->state.at, e->state.sequence, e->state.chain};
    c->answers_file = e->answers_committed;
    err = read_meta(e, c->held.id, c->page);
    if (err)
        mdb_txn_abort(c->held.txn);
    e->checkpoint_ms = clock_mono_ms();
    return err;
}

void checkpoint_image(const struct checkpoint *c, struct file_checkpoint *ret)
{
    *ret = (struct file_checkpoint){
        .magic = "SPCHECK",
        .txn = c->held.id,
        .sequence = c->held.position.sequence,
        .chain = c->held.position.chain,
        .file = c->held.position.file,
        .at = c->held.position.at,
    };
    memcpy(ret->page, c->page, sizeof(ret->page));
    ret->sum = XXH3_64bits(ret, offsetof(struct file_checkpoint, sum));
}

void checkpoint_write(struct checkpoint *c)
{
    struct file_checkpoint f;
    char path[512];
    struct err e;

    c->err = index_error(mdb_env_sync(c->e->index.env, 1));
    if (c->err)
        return;
    checkpoint_image(c, &f);
    snprintf(path, sizeof(path), "%s/store/checkpoint", c->e->options.root);
    c->err = file_write(AT_FDCWD, path, span_of(&f, sizeof(f)), 0640, &e);
    /* The one before stands, and its pages are kept. */
    c->skipped = engine_no_room(c->err);
}

/* Answers stay findable for a while: the place in the log where that while began is kept in the
 * index. */
static void remember_point(struct engine *e, const struct journal_position *p)
{
    uint64_t now = clock_mono_ms();
    unsigned keep = 0;

    while (keep + 1 < e->point_count && e->points[keep + 1].ms + e->options.answers_ms < now)
        keep++;
    /* One a second is enough; when they are too many the eldest goes, which only shortens the
     * while. */
    if (e->point_count - keep == ARRAY_LEN(e->points))
        keep++;
    memmove(e->points, e->points + keep, (e->point_count - keep) * sizeof(e->points[0]));
    e->point_count -= keep;
    e->points[e->point_count++] = (struct checkpoint_point){*p, now};
    e->state.answers_file = e->points[0].position.file;
    e->state.answers_at = e->points[0].position.at;
    e->state.answers_sequence = e->points[0].position.sequence;
    e->state.answers_chain = e->points[0].position.chain;
}

int checkpoint_done(struct engine *e, struct checkpoint *c)
{
    if (c->skipped) {
        mdb_txn_abort(c->held.txn);
        log_warn("store: no room for a checkpoint; the log is kept back to the one before");
        return c->err;
    }
    if (c->err) {
        mdb_txn_abort(c->held.txn);
        /* Pages may be lost that no later sync would miss: this index must not be believed any
         * more. */
        state_write(e->options.root, false, true);
        return engine_fail(e, c->err, "cannot sync the index");
    }
    e->held = realloc(e->held, (e->held_count + 1) * sizeof(*e->held));
    CHECK(e->held);
    e->held[e->held_count++] = c->held;
    e->last_checkpoint = c->held.position;
    e->answers_durable = c->answers_file;
    e->stats.checkpoints++;
    remember_point(e, &c->held.position);
    return 0;
}

uint64_t checkpoint_floor(const struct engine *e)
{
    return e->held_count ? e->held[e->held_count - 1].id : 0;
}

void checkpoint_release(struct engine *e, uint64_t oldest_pin)
{
    /* The newest is the checkpoint to come back to; of the others those may go that no reader is
     * below the next of. */
    while (e->held_count > 1 && e->held[1].id <= oldest_pin) {
        mdb_txn_abort(e->held[0].txn);
        memmove(e->held, e->held + 1, (e->held_count - 1) * sizeof(*e->held));
        e->held_count--;
    }
    /* Those between add nothing while the eldest must stay. */
    while (e->held_count > 8) {
        mdb_txn_abort(e->held[1].txn);
        memmove(e->held + 1, e->held + 2, (e->held_count - 2) * sizeof(*e->held));
        e->held_count--;
    }
}

int checkpoint_read(const char *root, struct file_checkpoint *ret)
{
    struct buf b = BUF(sizeof(*ret));
    struct file_checkpoint f;
    char path[512];
    struct err e;
    int r;

    snprintf(path, sizeof(path), "%s/store/checkpoint", root);
    r = file_read(AT_FDCWD, path, sizeof(f), &b, &e);
    if (!r && b.n != sizeof(f))
        r = -EBADMSG;
    if (!r) {
        memcpy(&f, b.p, sizeof(f));
        if (f.sum != XXH3_64bits(&f, offsetof(struct file_checkpoint, sum)))
            r = -EBADMSG;
        else
            *ret = f;
    }
    buf_done(&b);
    return r;
}

int checkpoint_install(const char *mdb, const struct file_checkpoint *f)
{
    int r = 0, fd = open(mdb, O_RDWR | O_CLOEXEC);
    struct stat st;
    uint64_t last;

    if (fd < 0)
        return -errno;
    /* Both slots, so that a damaged one is never looked at; the other one looks older. */
    for (uint64_t slot = 0; slot < 2 && !r; slot++) {
        unsigned char page[META_PAGE];
        uint64_t txn = slot == (f->txn & 1) ? f->txn : f->txn - 1;
        memcpy(page, f->page, sizeof(page));
        memcpy(page, &slot, sizeof(slot)); /* the page's own number */
        memcpy(page + META_TXN_AT, &txn, sizeof(txn));
        if (pwrite(fd, page, sizeof(page), (off_t)(slot * META_PAGE)) != (ssize_t)sizeof(page))
            r = -EIO;
    }
    /* A file that was cut is full of zeros there, which LMDB refuses; pages that are not there
     * would be a crash. */
    memcpy(&last, f->page + META_LAST_AT, sizeof(last));
    if (!r && (fstat(fd, &st) < 0 || ((uint64_t)st.st_size < (last + 1) * META_PAGE &&
                                      ftruncate(fd, (off_t)((last + 1) * META_PAGE)) < 0)))
        r = -errno;
    close(fd);
    return r;
}

int checkpoint_restore(const char *root, uint64_t *ret_txn)
{
    struct file_checkpoint f;
    char path[512];
    int r = checkpoint_read(root, &f);

    if (r)
        return r;
    snprintf(path, sizeof(path), "%s/store/index/data.mdb", root);
    r = checkpoint_install(path, &f);
    snprintf(path, sizeof(path), "%s/store/index/lock.mdb", root);
    unlink(path);
    if (!r)
        *ret_txn = f.txn;
    return r;
}
