/* After a start: the log tells what the index does not know yet, and which requests were answered
 * lately. */
#include "store/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { REPLAY_COMMIT_RECORDS = 1000 };

struct commit_part {
    struct span effects, answer;
    uint64_t client, counter;
};

static bool rd_commit(struct span s, struct commit_part *ret)
{
    struct rd r = rd_of(s);

    ret->effects = rd_span(&r, SIZE_MAX);
    ret->client = rd_u64(&r);
    ret->counter = rd_u64(&r);
    return !r.bad;
}

static int64_t commit_seconds(struct span s)
{
    struct rd r = rd_of(s);

    rd_span(&r, SIZE_MAX);
    rd_u64(&r);
    rd_u64(&r);
    return rd_i64(&r);
}

static void remember(struct engine *e, const struct commit_part *c,
                     const struct journal_record *rec)
{
    struct answer_at at = {c->counter, rec->sequence, rec->file, rec->at};

    if (c->client && c->counter)
        answers_put(&e->answers, c->client, &at);
}

static int commit_replayed(struct engine *e, const struct journal_position *at)
{
    int err;

    e->state.sequence = at->sequence;
    e->state.chain = at->chain;
    e->state.file = at->file;
    e->state.at = at->at;
    err = engine_flush(e);
    if (!err) {
        err = index_error(mdb_txn_commit(e->txn));
        e->txn = NULL;
    }
    mbox_trim(e);
    return err;
}

static int replay_record(struct engine *e, const struct journal_record *rec)
{
    struct commit_part c;

    if (rec->type == LOG_FILE)
        return 0;
    if (rec->type != LOG_COMMIT || !rd_commit(rec->commit, &c))
        return -EBADMSG;
    e->now = commit_seconds(rec->commit);
    e->record_sequence = rec->sequence;
    remember(e, &c, rec);
    e->stats.replayed++;
    return effects_apply(e, c.effects);
}

/* Records from before the index's own place: only their answers. */
static void replay_answers(struct engine *e)
{
    struct journal_position from = {e->state.answers_file, e->state.answers_at,
                                    e->state.answers_sequence, e->state.answers_chain};
    struct journal_reader r;
    struct journal_record rec;
    struct commit_part c;

    journal_reader_init(&r, &e->journal, &from, true);
    r.commits_only = true; /* half a minute of a busy server's log is read here at each start */
    while (r.at.sequence < e->state.sequence && journal_next(&r, &rec) == 1)
        if (rec.type == LOG_COMMIT && rd_commit(rec.commit, &c))
            remember(e, &c, &rec);
    journal_reader_done(&r);
}

static int replay_all(struct engine *e, struct journal_reader *r, struct err *err)
{
    struct journal_record rec;
    unsigned pending = 0;
    int got, x = index_error(mdb_txn_begin(e->index.env, NULL, 0, &e->txn));

    if (x)
        return err_set(err, x, "cannot begin a transaction of the index: %s", strerror(-x));
    while ((got = journal_next(r, &rec)) == 1) {
        x = replay_record(e, &rec);
        if (x)
            return err_set(err, x,
                           "record %llu of the log (file %u at %u) does not fit the index: %s",
                           (unsigned long long)rec.sequence, rec.file, rec.at, strerror(-x));
        if (++pending == REPLAY_COMMIT_RECORDS) {
            pending = 0;
            x = commit_replayed(e, &r->at);
            if (!x)
                x = index_error(mdb_txn_begin(e->index.env, NULL, 0, &e->txn));
            if (x)
                return err_set(err, x, "cannot write the index: %s", strerror(-x));
        }
    }
    if (got < 0)
        return err_set(err, got, "cannot read the log: %s", strerror(-got));
    x = commit_replayed(e, &r->at);
    return x ? err_set(err, x, "cannot write the index: %s", strerror(-x)) : 0;
}

/* What was read may lie in memory only: it is made durable before anybody is told about it. It is
 * written anew because after a failed sync the kernel takes pages for clean that never reached the
 * disk. */
static int settle(struct engine *e, const struct journal_position *from,
                  const struct journal_position *to)
{
    enum { STEP = 1 << 20 };
    char *b = malloc(STEP);
    int err = b ? 0 : -ENOMEM;

    for (uint32_t file = from->file; file <= to->file && !err; file++) {
        int fd = journal_fd(&e->journal, file);
        uint64_t at = file == from->file ? from->at : 0;
        if (fd < 0)
            continue;
        for (;;) {
            uint64_t want = file == to->file ? to->at - at : STEP;
            ssize_t n = want ? pread(fd, b, want < STEP ? want : STEP, (off_t)at) : 0;
            if (n <= 0)
                break;
            if (pwrite(fd, b, (size_t)n, (off_t)at) != n) {
                err = -EIO;
                break;
            }
            at += (uint64_t)n;
        }
        if (!err && fdatasync(fd) < 0)
            err = -errno;
    }
    free(b);
    return err;
}

static int first_start(struct engine *e, struct err *err)
{
    unsigned char uuid[16];
    int r;

    random_bytes(uuid, sizeof(uuid));
    r = journal_create(&e->journal, uuid);
    if (r)
        return err_set(err, r, "cannot create the first log file: %s", strerror(-r));
    memcpy(e->state.uuid, uuid, sizeof(uuid));
    r = index_error(mdb_txn_begin(e->index.env, NULL, 0, &e->txn));
    if (!r)
        r = commit_replayed(e, &e->journal.end);
    return r ? err_set(err, r, "cannot write the index: %s", strerror(-r)) : 0;
}

bool replay_learn_uuid(struct engine *e)
{
    static const unsigned char none[16];
    struct journal_position start = {1, 0, 0, 0};
    struct journal_record rec;
    struct journal_reader r;

    journal_reader_init(&r, &e->journal, &start, true);
    if (journal_next(&r, &rec) == 1 && rec.type == LOG_FILE && rec.commit.n == 20)
        memcpy(e->state.uuid, rec.commit.p, 16);
    journal_reader_done(&r);
    return memcmp(e->state.uuid, none, 16) != 0;
}

/* How far the log goes from the first file that is there. */
static uint64_t last_record(struct engine *e, const struct journal_file *first, uint64_t sequence)
{
    struct journal_position start = {first->number, 0, sequence - 1, 0};
    struct journal_record rec;
    struct journal_reader r;

    journal_reader_init(&r, &e->journal, &start, true);
    r.any_chain = true;
    r.commits_only = true;
    while (journal_next(&r, &rec) == 1)
        ;
    uint64_t last = r.at.sequence;
    journal_reader_done(&r);
    return last;
}

int replay_refuse(struct engine *e, struct err *err)
{
    const struct journal_file *first = &e->journal.files[0];
    struct log_head h = {0};

    /* a file's first record has no blobs; it says whose log this is */
    if (pread(first->fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || h.magic != LOG_MAGIC ||
        pread(first->fd, e->journal.uuid, sizeof(e->journal.uuid), sizeof(h)) !=
            (ssize_t)sizeof(e->journal.uuid))
        h.sequence = 0;
    if (h.sequence == 0)
        return err_set(err, -EBADMSG,
                       "the index or its checkpoint is lost, and the log in %s/store/log does not "
                       "begin with file 1 but with file %u, which is damaged: restore a backup",
                       e->options.root, first->number);
    return err_set(
        err, -EBADMSG,
        "the index or its checkpoint is lost, and the log does not lead to it: it begins with "
        "file %u and holds records %llu to %llu. What the %llu before them said - accounts, "
        "mailboxes, messages and their flags - was given up by compaction, because the index had "
        "it. Restore a backup; %s/store/log still has what came since record %llu: keep a copy",
        first->number, (unsigned long long)h.sequence,
        (unsigned long long)last_record(e, first, h.sequence), (unsigned long long)h.sequence - 1,
        e->options.root, (unsigned long long)h.sequence);
}

int replay_rest(struct engine *e)
{
    struct journal_position from = {e->state.file, e->state.at, e->state.sequence, e->state.chain};
    struct journal_reader reader;
    struct err err = {0};
    int r;

    e->replaying = true;
    journal_reader_init(&reader, &e->journal, &from, true);
    r = replay_all(e, &reader, &err);
    if (!r && reader.at.sequence != e->journal.end.sequence)
        r = -EBADMSG;
    journal_reader_done(&reader);
    e->replaying = false;
    if (r && e->txn) {
        mdb_txn_abort(e->txn);
        e->txn = NULL;
    }
    return r;
}

int replay_copy(struct engine *e, struct err *err)
{
    struct journal_position from = {e->state.file, e->state.at, e->state.sequence, e->state.chain};
    struct journal_reader reader;
    int r;

    e->replaying = true;
    journal_reader_init(&reader, &e->journal, &from, false);
    r = replay_all(e, &reader, err);
    journal_reader_done(&reader);
    e->replaying = false;
    if (e->txn)
        mdb_txn_abort(e->txn);
    e->txn = NULL;
    return r;
}

int replay(struct engine *e, struct err *err)
{
    struct journal_position from;
    struct journal_reader reader;
    bool first = e->state.sequence == 0 && e->journal.file_count == 0;
    int r;

    if (e->state.sequence == 0 && !first) {
        if (journal_fd(&e->journal, 1) < 0)
            return replay_refuse(e, err);
        /* The first file has its name but not its first record: nothing was ever acknowledged. */
        first = !replay_learn_uuid(e);
        if (first && e->journal.file_count > 1)
            return err_set(
                err, -EBADMSG,
                "the index is lost and log file 1 is damaged: restore %s/store from a backup",
                e->options.root);
    }
    if (first)
        return first_start(e, err);
    memcpy(e->journal.uuid, e->state.uuid, 16);
    from = (struct journal_position){e->state.file, e->state.at, e->state.sequence, e->state.chain};
    replay_answers(e);
    e->replaying = true;
    journal_reader_init(&reader, &e->journal, &from, false);
    r = replay_all(e, &reader, err);
    if (!r && journal_damaged(&reader))
        r = err_set(err, -EBADMSG,
                    "the log is damaged at record %llu (file %u at %u): records behind it were "
                    "acknowledged. "
                    "Restore the file from a backup, or run `sealpost store check`",
                    (unsigned long long)reader.at.sequence + 1, reader.at.file, reader.at.at);
    if (!r) {
        r = settle(e, &from, &reader.at);
        if (!r)
            r = journal_resume(&e->journal, &reader.at, e->state.uuid);
        if (r)
            err_set(err, r, "cannot go on with the log: %s", strerror(-r));
    }
    if (!r && e->stats.replayed)
        log_info("store: %llu records of the log read again",
                 (unsigned long long)e->stats.replayed);
    e->replaying = false;
    journal_reader_done(&reader);
    return r;
}
