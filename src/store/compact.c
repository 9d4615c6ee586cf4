#include "store/compact.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/plan.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WAIT_SPARE_MS = 5000,
    ROUND_LIVE_BYTES = 256 << 20,
    DAMAGED_MAX = 64,
    LATE_LOOK = 256,
    WARM_STEP = 256 << 10
};

struct ref { /* a row that refers to one of the files */
    uint64_t body;
    uint64_t mailbox, number; /* mailbox 0: an item of the queue */
};

struct refs {
    struct ref *r;
    size_t n, cap;
};

struct moving { /* bytes of a row, read and written anew */
    struct place from, to;
    size_t at; /* in bytes */
};

struct compact {
    struct engine *e;
    enum compact_phase phase;
    bool helping, put;
    uint32_t files[COMPACT_FILES_MAX];
    unsigned file_count;
    struct refs refs, late;
    size_t at, piece_end; /* of refs */
    MDB_txn *txn;         /* of the scan */
    int scan_err;
    uint64_t scan_ms, next_ms;
    struct {
        int fd;
        uint32_t at, bytes;
    } warm[COMPACT_PIECE_PLACES];
    unsigned warm_count;
    uint64_t piece_bytes;
    int64_t tokens;
    uint64_t tokens_ms;
    uint64_t settle_sequence, rows_before;
    unsigned requested; /* percent */
    uint64_t requested_ms, nudged_ms;
    uint32_t damaged[DAMAGED_MAX];
    unsigned damaged_count;
    struct buf bytes; /* of the body at hand */
    struct moving *moving;
    size_t moving_count, moving_cap;
    struct compact_stats stats;
};

const char *compact_phase_name(enum compact_phase p)
{
    static const char *const names[] = {"idle", "scan",   "pick",   "read",
                                        "copy", "forget", "settle", "wait"};
    return names[p];
}

struct compact *compact_new(struct engine *e)
{
    struct compact *c = calloc(1, sizeof(*c));

    CHECK(c);
    c->e = e;
    c->tokens_ms = clock_mono_ms();
    buf_init(&c->bytes, (size_t)UINT32_MAX);
    return c;
}

void compact_free(struct compact *c)
{
    if (!c)
        return;
    if (c->txn)
        mdb_txn_abort(c->txn);
    free(c->refs.r);
    free(c->late.r);
    free(c->moving);
    buf_done(&c->bytes);
    free(c);
}

static void refs_add(struct refs *s, const struct ref *r)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->r = realloc(s->r, s->cap * sizeof(*s->r));
        CHECK(s->r);
    }
    s->r[s->n++] = *r;
}

static int by_body(const void *a, const void *b)
{
    const struct ref *x = a, *y = b;

    if (x->body != y->body)
        return x->body < y->body ? -1 : 1;
    if (x->mailbox != y->mailbox)
        return x->mailbox < y->mailbox ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void refs_sort(struct refs *s, size_t from)
{
    if (s->n > from + 1)
        qsort(s->r + from, s->n - from, sizeof(*s->r), by_body);
}

static bool is_emptied(const struct compact *c, uint32_t file)
{
    for (unsigned i = 0; i < c->file_count; i++)
        if (c->files[i] == file)
            return true;
    return false;
}

static bool is_damaged(const struct compact *c, uint32_t file)
{
    for (unsigned i = 0; i < c->damaged_count; i++)
        if (c->damaged[i] == file)
            return true;
    return false;
}

void compact_note(struct compact *c, uint64_t mailbox, uint64_t number, uint64_t body,
                  const uint32_t files[3])
{
    struct ref r = {body, mailbox, number};

    if (c->phase != COMPACT_IDLE &&
        (is_emptied(c, files[0]) || is_emptied(c, files[1]) || is_emptied(c, files[2])))
        refs_add(&c->late, &r);
}

/* ------------------------------------------------------------------ choosing */
static void round_end(struct compact *c)
{
    c->phase = COMPACT_IDLE;
    c->refs.n = c->late.n = 0;
    c->file_count = 0;
    c->next_ms = clock_mono_ms() +
                 (c->requested ? 0 : COMPACT_LOOK_MS + (uint64_t)c->scan_ms * COMPACT_REST);
}

/* Whatever starts anew from the last checkpoint looks at no file below this one. */
static uint32_t bound(const struct engine *e)
{
    uint32_t b = e->state.file;

    if (e->last_checkpoint.file < b)
        b = e->last_checkpoint.file;
    return e->answers_durable < b ? e->answers_durable : b;
}

static bool choose(struct compact *c, unsigned percent)
{
    struct engine *e = c->e;
    uint64_t live_sum = 0;
    uint32_t below = bound(e);
    MDB_txn *t;

    c->file_count = 0;
    c->stats.dead_bytes = 0;
    if (mdb_txn_begin(e->index.env, NULL, MDB_RDONLY, &t) != 0)
        return false;
    for (size_t i = 0; i < e->journal.file_count; i++) {
        const struct journal_file *f = &e->journal.files[i];
        struct stat st;
        if (f->number >= below || fstat(f->fd, &st) < 0)
            continue;
        uint64_t size = (uint64_t)st.st_size, live = live_bytes(e, t, f->number);
        c->stats.dead_bytes += size > live ? size - live : 0;
        if (is_damaged(c, f->number) || (live && live * 100 >= size * percent) ||
            c->file_count == COMPACT_FILES_MAX || (live_sum && live_sum + live > ROUND_LIVE_BYTES))
            continue;
        live_sum += live;
        c->files[c->file_count++] = f->number;
    }
    mdb_txn_abort(t);
    return c->file_count > 0;
}

void compact_request(struct compact *c, unsigned percent)
{
    c->requested = percent;
    c->requested_ms = clock_mono_ms();
    c->next_ms = 0;
}

/* ------------------------------------------------------------------ the scan */
static enum compact_phase scan_begin(struct compact *c)
{
    unsigned keep = 0;

    /* What turned out to be damaged stays as it is. */
    for (unsigned i = 0; i < c->file_count; i++)
        if (!is_damaged(c, c->files[i]))
            c->files[keep++] = c->files[i];
    c->file_count = keep;
    if (keep == 0) {
        round_end(c);
        return COMPACT_IDLE;
    }
    c->refs.n = c->late.n = 0;
    c->at = 0;
    c->scan_err = index_error(mdb_txn_begin(c->e->index.env, NULL, MDB_RDONLY, &c->txn));
    if (c->scan_err) {
        c->txn = NULL;
        round_end(c);
        return COMPACT_IDLE;
    }
    c->stats.scans++;
    c->phase = COMPACT_SCAN;
    c->helping = true;
    return COMPACT_SCAN;
}

static void scan_row(struct compact *c, uint64_t mailbox, uint64_t number, uint64_t body,
                     uint32_t a, uint32_t b, uint32_t p)
{
    struct ref r = {body, mailbox, number};

    if (is_emptied(c, a) || is_emptied(c, b) || is_emptied(c, p))
        refs_add(&c->refs, &r);
}

static int scan_table(struct compact *c, enum index_table table)
{
    MDB_val key, v;
    MDB_cursor *cursor;
    int err = index_error(mdb_cursor_open(c->txn, c->e->index.dbi[table], &cursor));

    if (err)
        return err;
    while ((err = mdb_cursor_get(cursor, &key, &v, MDB_NEXT)) == 0) {
        if (table == INDEX_MESSAGE) {
            struct row_message row;
            if (key.mv_size != 12 || v.mv_size < sizeof(row)) {
                err = EBADMSG;
                break;
            }
            memcpy(&row, v.mv_data, sizeof(row));
            scan_row(c, key_get_u64(key.mv_data), key_get_u32((const char *)key.mv_data + 8),
                     row.body, row.body_file, row.summary_file, row.prefix_file);
        } else {
            struct row_queue row;
            if (key.mv_size != 8 || v.mv_size < sizeof(row)) {
                err = EBADMSG;
                break;
            }
            memcpy(&row, v.mv_data, sizeof(row));
            scan_row(c, 0, key_get_u64(key.mv_data), row.body, row.body_file, row.summary_file,
                     row.prefix_file);
        }
    }
    mdb_cursor_close(cursor);
    return err == MDB_NOTFOUND ? 0 : index_error(err);
}

static void scan(struct compact *c)
{
    uint64_t began = clock_mono_ms();

    c->scan_err = scan_table(c, INDEX_MESSAGE);
    if (!c->scan_err)
        c->scan_err = scan_table(c, INDEX_QUEUE);
    refs_sort(&c->refs, 0);
    c->scan_ms = clock_mono_ms() - began;
}

static void scanned(struct compact *c)
{
    mdb_txn_abort(c->txn);
    c->txn = NULL;
    if (c->scan_err) {
        log_error("store: log files are not compacted, the index cannot be read: %s",
                  strerror(-c->scan_err));
        round_end(c);
        return;
    }
    c->phase = c->refs.n + c->late.n ? COMPACT_PICK : COMPACT_FORGET;
}

/* ------------------------------------------------------------------ the next piece */
struct row_places {
    struct place body, summary, prefix;
};

static bool row_places(struct engine *e, MDB_txn *t, const struct ref *r, struct row_places *ret)
{
    if (r->mailbox) {
        struct key k = key_message(r->mailbox, (uint32_t)r->number);
        struct row_message m;
        if (index_get_row(&e->index, t, INDEX_MESSAGE, &k, &m, sizeof(m)) != 0 || m.body != r->body)
            return false;
        *ret = (struct row_places){
            {m.body_file,    m.body_at,    m.body_bytes   },
            {m.summary_file, m.summary_at, m.summary_bytes},
            {m.prefix_file,  m.prefix_at,  m.prefix_bytes }
        };
    } else {
        struct key k = key_u64(r->number);
        struct row_queue q;
        if (index_get_row(&e->index, t, INDEX_QUEUE, &k, &q, sizeof(q)) != 0 || q.body != r->body)
            return false;
        *ret = (struct row_places){
            {q.body_file,    q.body_at,    q.body_bytes   },
            {q.summary_file, q.summary_at, q.summary_bytes},
            {q.prefix_file,  q.prefix_at,  q.prefix_bytes }
        };
    }
    return true;
}

static void warm_add(struct compact *c, struct place p)
{
    if (!is_emptied(c, p.file) || c->warm_count == COMPACT_PIECE_PLACES)
        return;
    if (c->warm_count && c->warm[c->warm_count - 1].at == p.at)
        return;
    c->warm[c->warm_count].fd = journal_fd(&c->e->journal, p.file);
    c->warm[c->warm_count].at = p.at;
    c->warm[c->warm_count++].bytes = p.bytes;
    c->piece_bytes += p.bytes + 2 * sizeof(struct blob_head);
}

/* Rows that came since the scan stand with the others of their body; bodies before the piece at
 * hand have no row left here, so none comes. */
static void merge_late(struct compact *c)
{
    if (c->late.n == 0)
        return;
    for (size_t i = 0; i < c->late.n; i++)
        refs_add(&c->refs, &c->late.r[i]);
    c->late.n = 0;
    refs_sort(&c->refs, c->at);
}

static bool may_copy(struct compact *c)
{
    uint64_t now = clock_mono_ms(), rate = c->e->options.compact_rate;

    if (rate == 0 || c->requested)
        return true;
    c->tokens += (int64_t)((now - c->tokens_ms) * rate / 1000);
    c->tokens_ms = now;
    /* What was not used is not saved up. */
    int64_t most = (int64_t)rate > COMPACT_PIECE_BYTES ? (int64_t)rate : COMPACT_PIECE_BYTES;
    if (c->tokens > most)
        c->tokens = most;
    return c->tokens >= 0;
}

static enum compact_phase pick(struct compact *c)
{
    MDB_txn *t;

    merge_late(c);
    if (c->at == c->refs.n)
        return scan_begin(c);
    if (!may_copy(c) || mdb_txn_begin(c->e->index.env, NULL, MDB_RDONLY, &t) != 0)
        return COMPACT_IDLE;
    c->warm_count = 0;
    c->piece_bytes = 0;
    c->piece_end = c->at;
    while (c->piece_end < c->refs.n && c->piece_bytes < COMPACT_PIECE_BYTES &&
           c->warm_count < COMPACT_PIECE_PLACES / 2) {
        uint64_t body = c->refs.r[c->piece_end].body;
        for (bool first = true; c->piece_end < c->refs.n && c->refs.r[c->piece_end].body == body;
             c->piece_end++) {
            struct row_places p;
            if (!row_places(c->e, t, &c->refs.r[c->piece_end], &p))
                continue;
            if (first) {
                warm_add(c, p.body);
                warm_add(c, p.summary);
            }
            warm_add(c, p.prefix);
            first = false;
        }
    }
    mdb_txn_abort(t);
    c->phase = COMPACT_WARM;
    c->helping = true;
    return COMPACT_WARM;
}

/* What the disk gives is thrown away; the kernel has it then. */
static void warm(struct compact *c)
{
    char *b = malloc(WARM_STEP);

    CHECK(b);
    for (unsigned i = 0; i < c->warm_count; i++) {
        uint32_t at = c->warm[i].at, left = c->warm[i].bytes;
        while (left > 0) {
            ssize_t n = pread(c->warm[i].fd, b, left < WARM_STEP ? left : WARM_STEP, (off_t)at);
            if (n <= 0)
                break;
            at += (uint32_t)n;
            left -= (uint32_t)n;
        }
    }
    free(b);
}

/* Files in which answers may still be looked for are let alone; without any requests that would be so
 * for ever. */
static bool may_wait(struct compact *c)
{
    const struct engine *e = c->e;
    uint64_t now = clock_mono_ms();

    if (!c->requested || bound(e) >= e->state.file ||
        now - c->requested_ms > e->options.answers_ms + WAIT_SPARE_MS)
        return false;
    if (now - c->nudged_ms >= COMPACT_LOOK_MS) {
        c->nudged_ms = now;
        c->phase = COMPACT_NUDGE;
    }
    return true;
}

enum compact_phase compact_next(struct compact *c)
{
    struct engine *e = c->e;
    unsigned percent = c->requested ? c->requested : e->options.compact_percent;

    CHECK(!e->txn);
    if (e->failed || c->helping)
        return COMPACT_IDLE;
    switch (c->phase) {
    case COMPACT_IDLE:
        if (percent == 0 || e->leftovers || clock_mono_ms() < c->next_ms)
            return COMPACT_IDLE;
        if (!choose(c, percent)) {
            if (may_wait(c))
                return c->phase;
            c->requested = 0;
            round_end(c);
            return COMPACT_IDLE;
        }
        c->stats.rounds++;
        c->rows_before = c->stats.rows_moved;
        return scan_begin(c);
    case COMPACT_PICK:
        return pick(c);
    case COMPACT_SETTLE:
        if (c->late.n) /* cannot be; if it is, nothing is lost by it */
            return scan_begin(c);
        return e->last_checkpoint.sequence >= c->settle_sequence ? COMPACT_SETTLE : COMPACT_IDLE;
    default:
        return c->phase;
    }
}

void compact_help(struct compact *c)
{
    if (c->phase == COMPACT_SCAN)
        scan(c);
    else
        warm(c);
}

void compact_helped(struct compact *c)
{
    c->helping = false;
    if (c->phase == COMPACT_SCAN)
        scanned(c);
    else
        c->phase = COMPACT_COPY;
}

uint64_t compact_piece_bytes(const struct compact *c)
{
    return c->phase == COMPACT_COPY ? c->piece_bytes : 0;
}

/* ------------------------------------------------------------------ copying */
static void mark_damaged(struct compact *c, struct place p, int err)
{
    if (is_damaged(c, p.file))
        return;
    log_error("store: log file %u is damaged at %u (%s): it is kept as it is; run `sealpost store "
              "check`",
              p.file, p.at, strerror(-err));
    c->stats.damaged++;
    if (c->damaged_count < DAMAGED_MAX)
        c->damaged[c->damaged_count++] = p.file;
}

static struct moving *moving_find(struct compact *c, struct place p)
{
    for (size_t i = 0; i < c->moving_count; i++)
        if (c->moving[i].from.file == p.file && c->moving[i].from.at == p.at)
            return &c->moving[i];
    return NULL;
}

static int moving_read(struct compact *c, struct place p)
{
    int err;

    if (!is_emptied(c, p.file) || moving_find(c, p))
        return 0;
    size_t at = c->bytes.n;
    err = blob_read(journal_fd(&c->e->journal, p.file), p.at, p.bytes, true, &c->bytes);
    if (err) {
        mark_damaged(c, p, err);
        return err;
    }
    if (c->moving_count == c->moving_cap) {
        c->moving_cap = c->moving_cap ? c->moving_cap * 2 : 16;
        c->moving = realloc(c->moving, c->moving_cap * sizeof(*c->moving));
        CHECK(c->moving);
    }
    c->moving[c->moving_count++] = (struct moving){.from = p, .at = at};
    return 0;
}

static void moving_write(struct compact *c, enum blob_kind kind, struct place p)
{
    struct moving *m = moving_find(c, p);

    if (!m || m->to.file)
        return;
    m->to = journal_blob(&c->e->journal, kind, span_of(c->bytes.p + m->at, p.bytes));
    c->stats.bytes_copied += p.bytes;
    c->tokens -= p.bytes;
}

/* All rows of one body. What cannot be read is found out before anything is changed. */
static int put_body(struct compact *c, size_t from, size_t to)
{
    struct engine *e = c->e;
    struct row_places p;
    bool counted = false;
    int err = 0;

    buf_clear(&c->bytes);
    c->moving_count = 0;
    for (size_t i = from; i < to; i++) {
        if (!row_places(e, e->txn, &c->refs.r[i], &p))
            continue;
        if (moving_read(c, p.body) || moving_read(c, p.summary) || moving_read(c, p.prefix))
            return 0;
    }
    for (size_t i = from; i < to && !err; i++) {
        struct effect_moved m = {.mailbox = c->refs.r[i].mailbox, .number = c->refs.r[i].number};
        if (!row_places(e, e->txn, &c->refs.r[i], &p))
            continue;
        moving_write(c, BLOB_BODY, p.body);
        moving_write(c, BLOB_SUMMARY, p.summary);
        moving_write(c, BLOB_PREFIX, p.prefix);
        const struct moving *body = moving_find(c, p.body), *summary = moving_find(c, p.summary),
                            *prefix = moving_find(c, p.prefix);
        if (body) {
            m.what |= MOVED_BODY;
            m.body = body->to;
        }
        if (summary) {
            m.what |= MOVED_SUMMARY;
            m.summary = summary->to;
        }
        if (prefix) {
            m.what |= MOVED_PREFIX;
            m.prefix = prefix->to;
        }
        if (!counted && body)
            err = effect_copied(e, p.body, m.body);
        if (!err && !counted && summary)
            err = effect_copied(e, p.summary, m.summary);
        counted = true;
        if (!err && m.what)
            err = effect_moved(e, &m);
        c->stats.rows_moved += m.what != 0;
    }
    return err;
}

static int put_piece(struct compact *c)
{
    int err = 0;

    for (size_t i = c->at; i < c->piece_end && !err;) {
        size_t to = i + 1;
        while (to < c->piece_end && c->refs.r[to].body == c->refs.r[i].body)
            to++;
        /* Copies that were made since the piece was picked go with it. */
        if (c->late.n) {
            uint64_t body = c->refs.r[i].body;
            struct refs all = {0};
            for (size_t k = i; k < to; k++)
                refs_add(&all, &c->refs.r[k]);
            for (size_t k = 0; k < c->late.n; k++)
                if (c->late.r[k].body == body)
                    refs_add(&all, &c->late.r[k]);
            struct refs whole = c->refs;
            c->refs = all;
            err = put_body(c, 0, all.n);
            c->refs = whole;
            free(all.r);
        } else {
            err = put_body(c, i, to);
        }
        i = to;
    }
    return err;
}

static int put_forget(struct compact *c)
{
    int err = 0;

    for (unsigned i = 0; i < c->file_count && !err; i++)
        if (!is_damaged(c, c->files[i]))
            err = effect_file_gone(c->e, c->files[i]);
    return err;
}

int compact_put(struct compact *c)
{
    struct engine *e = c->e;
    struct intent i = {.role = ROLE_STORED};
    int err;

    c->put = false;
    if ((c->phase != COMPACT_COPY && c->phase != COMPACT_FORGET && c->phase != COMPACT_NUDGE) ||
        e->failed)
        return 0;
    if (c->phase == COMPACT_FORGET && c->late.n) {
        c->phase = COMPACT_PICK;
        return 0;
    }
    e->now = clock_seconds();
    record_begin(e);
    err = c->phase == COMPACT_COPY     ? put_piece(c)
          : c->phase == COMPACT_FORGET ? put_forget(c)
                                       : effect_forget(e, NULL, 0);
    if (err)
        return plan_broken(e, err);
    record_end(e, &i, 0);
    c->put = true;
    return 0;
}

void compact_committed(struct compact *c, bool done)
{
    if (!c->put)
        return;
    c->put = false;
    if (c->phase == COMPACT_NUDGE)
        c->phase = COMPACT_IDLE;
    if (!done || c->phase == COMPACT_IDLE)
        return;
    if (c->phase == COMPACT_COPY) {
        c->at = c->piece_end;
        c->phase = COMPACT_PICK;
        return;
    }
    c->settle_sequence = c->e->state.sequence;
    c->phase = COMPACT_SETTLE;
}

unsigned compact_unlink(struct compact *c, uint32_t gone[COMPACT_FILES_MAX])
{
    struct engine *e = c->e;
    unsigned n = 0;

    for (unsigned i = 0; i < c->file_count; i++) {
        struct stat st;
        int fd = journal_fd(&e->journal, c->files[i]);
        if (fd < 0 || is_damaged(c, c->files[i]) || c->files[i] >= bound(e) || fstat(fd, &st) < 0)
            continue;
        int err = journal_remove(&e->journal, c->files[i]);
        if (err) {
            log_error("store: cannot remove log file %u: %s", c->files[i], strerror(-err));
            continue;
        }
        c->stats.files_removed++;
        c->stats.bytes_removed += (uint64_t)st.st_size;
        gone[n++] = c->files[i];
    }
    if (n)
        log_info("store: %u log files removed; %llu messages of them lived and were moved", n,
                 (unsigned long long)(c->stats.rows_moved - c->rows_before));
    round_end(c);
    return n;
}

struct compact_stats compact_stats(struct compact *c)
{
    struct compact_stats s = c->stats;

    s.phase = c->phase;
    s.requested = c->requested != 0;
    s.refs_left = c->phase == COMPACT_IDLE ? 0 : c->refs.n - c->at + c->late.n;
    return s;
}
