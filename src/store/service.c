#include "store/service.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/compact.h"
#include "store/peer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    BATCH_REQUESTS = 512,
    BATCH_GUESS_BYTES = 1 << 20,
    POOL_MAX = 256,
    PIN_MAX_MS = 10000,
    ANSWER_MAX = 131072,
    ALONE_BYTES = 128 << 10,
    /* What is kept from the index for a while, so that one commit serves many requests. */
    LATE_MS = 20,
    LATE_BATCHES = 64,
    LATE_BYTES = 4 << 20,
    LATE_QUIET_MS = 200, /* none while somebody reads: he would wait, for a sync at times */
};

struct work {
    struct list node;
    struct peer *peer; /* NULL: it went; ref'd by the count in peer */
    uint64_t link;
    uint32_t call;
    unsigned kind; /* 0: the peer is gone, let go of it */
    struct buf payload, answer;
    uint64_t progress;
    int status;
    bool more;
};

struct service {
    struct loop *loop;
    struct engine *engine;
    struct peers peers;
    struct list queue, batch, pool;
    unsigned pooled;
    struct timer *tick;
    uint64_t started_ms;
    bool tick_missed;
    bool scheduled, syncing, checkpointing, preparing, compacting, closing;
    bool copy_due;     /* compaction has a piece for the next batch */
    bool quiet;        /* no more compaction is begun */
    bool backup_asked; /* a peer waits for a checkpoint of its own */
    bool late;         /* commits may be late at all */
    bool small;        /* the batch at hand is one request, after which who asked need not read */
    struct kept {      /* answered, and not in the index yet */
        unsigned batches;
        uint64_t bytes;
        struct timer *timer;
    } kept;
    int sync_err;
    struct checkpoint checkpoint;
    struct journal_prepare prepare;
};

static void schedule(struct service *s);

struct engine *service_engine(struct service *s)
{
    return s->engine;
}

/* ------------------------------------------------------------------ work items */
static struct work *work_new(struct service *s, struct peer *p, uint64_t link, uint32_t call,
                             unsigned kind, struct span payload)
{
    struct work *w;

    if (!list_empty(&s->pool)) {
        w = list_item(s->pool.next, struct work, node);
        list_remove(&w->node);
        s->pooled--;
    } else {
        w = calloc(1, sizeof(*w));
        CHECK(w);
        list_init(&w->node);
        buf_init(&w->payload, MSG_INDIRECT_MAX);
        buf_init(&w->answer, ANSWER_MAX);
    }
    buf_clear(&w->payload);
    buf_clear(&w->answer);
    buf_put_span(&w->payload, payload);
    w->peer = p;
    w->link = link;
    w->call = call;
    w->kind = kind;
    w->progress = 0;
    w->more = false;
    list_append(&s->queue, &w->node);
    return w;
}

static void work_free(struct work *w)
{
    list_remove(&w->node);
    buf_done(&w->payload);
    buf_done(&w->answer);
    free(w);
}

static void work_release(struct service *s, struct work *w)
{
    /* Small ones are kept with their buffers: no allocation for a request in the common case. */
    if (s->pooled >= POOL_MAX || w->payload.cap > 16384 || w->answer.cap > 16384) {
        work_free(w);
        return;
    }
    list_remove(&w->node);
    list_append(&s->pool, &w->node);
    s->pooled++;
}

static void work_answer(struct service *s, struct work *w)
{
    struct span body = w->status == 0 && !w->answer.overflow ? buf_span(&w->answer) : SPAN_EMPTY;

    if (w->kind)
        link_reply(w->link, (enum msg_id)w->kind, w->call, w->status, body, NULL, 0);
    work_release(s, w);
}

/* ------------------------------------------------------------------ notes */
static void tell_changes(struct service *s)
{
    struct engine *e = s->engine;

    for (size_t i = 0; i < e->changed_count; i++)
        peers_changed(&s->peers, e->changed[i]);
    peers_send_changes(&s->peers);
    e->changed_count = 0;
    if (e->queue_changed)
        peers_send_queue_due(&s->peers);
    e->queue_changed = false;
}

/* ------------------------------------------------------------------ batches */
static void execute(struct service *s, struct work *w)
{
    struct intent i = {
        .role = w->peer->role,
        .kind = w->kind,
        .client = w->peer->client,
        .link = w->link,
        .payload = buf_span(&w->payload),
        .progress = w->progress,
        .answer = &w->answer,
    };

    memcpy(i.areas, w->peer->areas, sizeof(i.areas));
    w->status = engine_execute(s->engine, &i);
    s->small = s->small && (w->kind != MSG_STORE_FLAGS || i.told);
    w->more = i.more && w->status == 0;
    w->progress = i.progress;
}

static void finish_batch(struct service *s, int err)
{
    list_for_each (&s->batch, struct work, node, w) {
        if (err)
            w->status = err;
        if (w->more && !err) {
            list_remove(&w->node);
            list_append(&s->queue, &w->node);
            continue;
        }
        work_answer(s, w);
    }
    if (!err)
        tell_changes(s);
}

static void background(struct service *s);
static void on_tick(void *arg);

/* The engine has committed, whoever made it. */
static void kept_is_visible(struct service *s)
{
    if (s->kept.batches == 0 || s->engine->behind)
        return;
    s->kept.batches = 0;
    s->kept.bytes = 0;
    timer_stop(s->kept.timer);
    peers_visible(&s->peers, s->engine->journal.synced);
}

/* While a batch is on its way to the disk, its own commit brings what was kept along. */
static void catch_up(struct service *s)
{
    if (s->kept.batches == 0 || s->syncing)
        return;
    engine_catch_up(s->engine);
    kept_is_visible(s);
}

static void on_late(void *arg)
{
    struct service *s = arg;

    catch_up(s);
    if (!s->syncing)
        background(s);
}

/* Nobody has to be told, and nobody is likely to look. */
static bool may_be_late(struct service *s)
{
    const struct engine *e = s->engine;

    if (!s->late || !s->small || s->closing || s->backup_asked || e->queue_changed ||
        s->kept.batches >= LATE_BATCHES || s->kept.bytes + e->journal.n > LATE_BYTES)
        return false;
    for (size_t i = 0; i < e->changed_count; i++)
        if (peers_is_watched(&s->peers, e->changed[i]))
            return false;
    return !peers_reading(&s->peers, clock_mono_ms(), LATE_QUIET_MS);
}

static void keep(struct service *s)
{
    if (s->kept.batches++ == 0)
        timer_start(s->kept.timer, LATE_MS);
    s->kept.bytes += s->engine->journal.n;
    engine_batch_keep(s->engine);
    peers_told(&s->peers, s->engine->journal.synced);
}

static void on_synced(void *arg)
{
    struct service *s = arg;
    int err = s->sync_err;

    s->syncing = false;
    if (engine_no_room(err)) {
        err = engine_batch_undo(s->engine) ? -EIO : -ENOSPC;
    } else if (err) {
        state_write(s->engine->options.root, false, true);
        engine_fail(s->engine, err, "cannot make the log durable");
        err = -EIO;
    } else if (may_be_late(s)) {
        keep(s);
    } else {
        err = engine_batch_commit(s->engine) ? -EIO : 0;
    }
    kept_is_visible(s);
    compact_committed(s->engine->compact, !err);
    finish_batch(s, err);
    background(s);
    if (s->tick_missed && !s->closing)
        on_tick(s);
    schedule(s);
}

static void sync_work(void *arg)
{
    struct service *s = arg;
    s->sync_err = engine_batch_sync(s->engine);
}

static void refuse_all(struct service *s, int status)
{
    list_for_each (&s->queue, struct work, node, w) {
        struct peer *p = w->kind ? NULL : w->peer;
        w->status = status;
        work_answer(s, w);
        if (p)
            peer_free(&s->peers, p);
    }
}

static bool list_is_single(const struct list *l)
{
    return l->next != l && l->next == l->prev;
}

/* Of a request that waits alone: does it add one message and nothing else, or change flags (of a few:
 * execute looks at that)? A large one is not meant: its sync takes long. */
static bool is_small(const struct service *s)
{
    const struct work *w = list_item(s->queue.next, struct work, node);
    struct span body = buf_span(&w->payload);

    if (!list_is_single(&s->queue) || s->copy_due)
        return false;
    if (w->kind == MSG_STORE_FLAGS)
        return true;
    return (w->kind == MSG_STORE_APPEND || w->kind == MSG_STORE_DELIVER) &&
           bodies_bytes((enum msg_id)w->kind, body) <= ALONE_BYTES / 2;
}

static void run_batch(void *arg)
{
    struct service *s = arg;
    struct engine *e = s->engine;
    /* Small files must not each be left for one batch. */
    uint64_t part = e->options.log_file_bytes / 8;
    uint64_t bytes =
        (part < BATCH_GUESS_BYTES ? part : BATCH_GUESS_BYTES) + compact_piece_bytes(e->compact);
    unsigned count = 0;

    s->scheduled = false;
    if (s->syncing || (list_empty(&s->queue) && !s->copy_due))
        return;
    s->small = is_small(s);
    if (!s->small)
        catch_up(s);
    int err = engine_batch_begin(e, bytes);
    if (err) {
        s->copy_due = false;
        kept_is_visible(s);
        refuse_all(s, engine_no_room(err) ? err : -EIO);
        return;
    }
    while (!list_empty(&s->queue) && count++ < BATCH_REQUESTS &&
           engine_batch_bytes(e) < ENGINE_BATCH_BYTES && !e->failed && !e->no_room) {
        struct work *w = list_item(s->queue.next, struct work, node);
        list_remove(&w->node);
        if (w->kind == 0) {
            engine_link_gone(e, w->link);
            peer_free(&s->peers, w->peer);
            work_release(s, w);
            continue;
        }
        list_append(&s->batch, &w->node);
        execute(s, w);
    }
    if (s->copy_due && !e->failed && !e->no_room)
        compact_put(e->compact);
    s->copy_due = false;
    if (e->failed) {
        kept_is_visible(s);
        finish_batch(s, -EIO);
        return;
    }
    if (e->no_room) {
        int why = engine_batch_undo(e) ? -EIO : -ENOSPC;
        kept_is_visible(s);
        finish_batch(s, why);
        compact_committed(e->compact, false);
        return;
    }
    /* Whoever sees the new rows must be able to read what they lead to. */
    peers_send_files(&s->peers, &e->journal);
    if (engine_batch_empty(e)) {
        engine_batch_drop(e);
        compact_committed(e->compact, true);
        finish_batch(s, 0);
        schedule(s);
        return;
    }
    s->syncing = true;
    /* One alone waits for nobody: a thread would only cost its switches. What arrives meanwhile
     * waits in its socket, and is the next batch. */
    if (list_is_single(&s->batch) && e->journal.n <= ALONE_BYTES) {
        sync_work(s);
        on_synced(s);
        return;
    }
    s->small = false;
    loop_offload(s->loop, sync_work, on_synced, s);
}

static void schedule(struct service *s)
{
    if (s->scheduled || s->syncing || s->closing || (list_empty(&s->queue) && !s->copy_due))
        return;
    s->scheduled = true;
    loop_defer(s->loop, run_batch, s);
}

/* ------------------------------------------------------------------ what goes on beside the
 * batches */
static void release_pages(struct service *s)
{
    uint64_t floor = checkpoint_floor(s->engine), oldest;

    peers_publish_floor(&s->peers, floor);
    oldest = peers_oldest_pin(&s->peers, clock_mono_ms(), PIN_MAX_MS);
    /* A worker from before this start may still read without being attached. */
    if (clock_mono_ms() - s->started_ms < s->engine->options.start_hold_ms)
        oldest = 0;
    checkpoint_release(s->engine, oldest);
}

static void on_checkpoint(void *arg)
{
    struct service *s = arg;

    s->checkpointing = false;
    /* A batch in flight keeps its transaction open; failing now would tear it away under the sync.
     */
    int err = checkpoint_done(s->engine, &s->checkpoint);
    peers_backup(&s->peers, &s->checkpoint, err);
    if (err == 0)
        release_pages(s);
}

static void checkpoint_work(void *arg)
{
    struct service *s = arg;
    checkpoint_write(&s->checkpoint);
}

static void on_prepared(void *arg)
{
    struct service *s = arg;

    s->preparing = false;
    journal_prepared(&s->engine->journal, &s->prepare);
    peers_send_files(&s->peers, &s->engine->journal);
}

static void prepare_work(void *arg)
{
    struct service *s = arg;
    journal_prepare(&s->prepare);
}

static void on_compact_helped(void *arg)
{
    struct service *s = arg;

    s->compacting = false;
    compact_helped(s->engine->compact);
    if (!s->syncing) {
        background(s);
        schedule(s);
    }
}

static void compact_work(void *arg)
{
    struct service *s = arg;
    compact_help(s->engine->compact);
}

static void compact(struct service *s)
{
    struct engine *e = s->engine;
    uint32_t gone[COMPACT_FILES_MAX];

    if (s->compacting || s->copy_due || s->quiet)
        return;
    switch (compact_next(e->compact)) {
    case COMPACT_SCAN:
    case COMPACT_WARM:
        s->compacting = true;
        loop_offload(s->loop, compact_work, on_compact_helped, s);
        break;
    case COMPACT_COPY:
    case COMPACT_FORGET:
    case COMPACT_NUDGE:
        s->copy_due = true;
        schedule(s);
        break;
    case COMPACT_SETTLE: {
        unsigned n = peers_backup_running(&s->peers) ? 0 : compact_unlink(e->compact, gone);
        if (n)
            peers_send_files_gone(&s->peers, gone, n);
        break;
    }
    default:
        break;
    }
}

/* Between batches. */
static void background(struct service *s)
{
    struct engine *e = s->engine;

    if (e->failed || s->closing)
        return;
    if (s->kept.batches && (s->backup_asked || checkpoint_due(e)))
        catch_up(s);
    if (!s->checkpointing && (s->backup_asked || checkpoint_due(e)) &&
        checkpoint_begin(e, &s->checkpoint) == 0) {
        s->checkpointing = true;
        if (s->backup_asked)
            peers_backup_begin(&s->peers, &s->checkpoint);
        s->backup_asked = false;
        loop_offload(s->loop, checkpoint_work, on_checkpoint, s);
    }
    if (!s->preparing && journal_wants_file(&e->journal)) {
        s->preparing = true;
        s->prepare = journal_prepare_begin(&e->journal);
        loop_offload(s->loop, prepare_work, on_prepared, s);
    }
    /* Compaction looks at the index; on_late is soon. */
    if (s->kept.batches == 0)
        compact(s);
}

static void on_tick(void *arg)
{
    struct service *s = arg;

    /* Under load there is always a batch on its way: then it is done right behind one. */
    s->tick_missed = s->syncing;
    if (s->syncing || s->engine->failed)
        return;
    catch_up(s);
    background(s);
    release_pages(s);
    engine_housekeep(s->engine);
    tell_changes(s);
}

/* ------------------------------------------------------------------ messages */
static bool is_question(const struct msg *m)
{
    switch (m->id) {
    case MSG_STORE_QUEUE_LEASE:
    case MSG_STORE_QUEUE_BODY:
    case MSG_STORE_STAT:
    case MSG_STORE_COMPACT:
    case MSG_STORE_GRANT:
    case MSG_STORE_ROOM:
    case MSG_STORE_USED:
        return true;
    case MSG_STORE_QUEUE_ADMIN: {
        struct msg_queue_admin q;
        return rd_queue_admin(m->body, &q) && q.op <= QUEUE_SHOW;
    }
    case MSG_STORE_NEWSGROUP: {
        struct msg_newsgroup q;
        return rd_newsgroup(m->body, &q) && q.op == NEWSGROUP_LIST;
    }
    default:
        return false;
    }
}

static void answer_question(struct service *s, struct msg *m, struct peer *p)
{
    struct buf answer = BUF(ANSWER_MAX);
    struct intent i = {
        .role = p->role,
        .kind = m->id,
        .client = p->client,
        .link = link_id(m->link),
        .payload = m->body,
        .answer = &answer,
    };
    int fd, status;

    catch_up(s);
    status = engine_ask(s->engine, &i, &fd);
    uint32_t max = msg_row(m->id)->max_reply;

    if (answer.overflow || answer.n > max) {
        status = -E2BIG;
        buf_clear(&answer);
    }
    link_reply(link_id(m->link), m->id, m->call, status, buf_span(&answer), &fd, fd >= 0);
    if (fd >= 0)
        close(fd);
    buf_done(&answer);
}

static void on_attach(struct service *s, struct msg *m, struct peer *p)
{
    struct msg_attached a;
    struct buf b = BUF(64);
    int err = peer_attach(&s->peers, p, m);

    catch_up(s);
    if (!err && s->kept.batches)
        peers_told(&s->peers, s->engine->journal.synced);
    if (!err) {
        memcpy(a.uuid, s->engine->state.uuid, 16);
        a.txn = checkpoint_floor(s->engine);
        a.hash_seed = s->engine->state.hash_seed;
        if (p->pin)
            __atomic_store_n(&p->pin->floor, a.txn, __ATOMIC_SEQ_CST);
        peers_send_files(&s->peers, &s->engine->journal);
        wr_attached(&b, &a);
    }
    msg_reply(m, err, buf_span(&b));
    buf_done(&b);
}

static void on_watch(struct service *s, struct msg *m, struct peer *p)
{
    struct rd r = rd_of(m->body);
    uint64_t mailbox = rd_u64(&r);
    bool on = rd_bool(&r);
    uint64_t snapshot = rd_u64(&r);

    if (!rd_done(&r))
        return;
    peer_watch(&s->peers, p, mailbox, on);
    if (!on)
        return;
    catch_up(s);
    /* What changed between the reader's last look and now would be told to nobody. */
    const struct mbox *b = map64_get(s->engine->mailboxes, mailbox);
    if (!b || b->dirty || b->changed_txn == 0 || b->changed_txn > snapshot) {
        peers_changed(&s->peers, mailbox);
        peers_send_changes(&s->peers);
    }
}

/* Answered when a checkpoint that began after this is durable. */
static void on_backup(struct service *s, struct msg *m, struct peer *p)
{
    if (s->engine->failed || p->backup_call) {
        msg_reply(m, s->engine->failed ? -EIO : -EBUSY, SPAN_EMPTY);
        return;
    }
    p->backup_call = m->call;
    p->backup_txn = 0;
    s->backup_asked = true;
    if (!s->syncing)
        background(s);
}

void service_message(struct service *s, struct msg *m)
{
    struct peer *p = peer_of(&s->peers, m->link);

    switch (m->id) {
    case MSG_STORE_ATTACH:
        on_attach(s, m, p);
        return;
    case MSG_STORE_WATCH:
        on_watch(s, m, p);
        return;
    case MSG_STORE_BACKUP:
        on_backup(s, m, p);
        return;
    case MSG_STORE_CATCH_UP:
        catch_up(s);
        return;
    default:
        break;
    }
    if (s->engine->failed) {
        msg_reply(m, -EIO, SPAN_EMPTY);
        return;
    }
    if (is_question(m)) {
        answer_question(s, m, p);
        return;
    }
    /* The command line and authd say things that may be said twice; others are known by their
     * number. */
    if (p->client == 0 && !(p->role & (ROLE_MANAGER | ROLE_AUTHD))) {
        msg_reply(m, -ENOTCONN, SPAN_EMPTY);
        return;
    }
    struct span body = m->body;
    struct msg_blob at;
    if (rd_indirect(body, &at)) {
        /* Copied here and now, and only then looked at. */
        const struct area *a = &p->areas[at.area];
        if (!a->p || at.at > a->n || at.bytes > a->n - at.at) {
            msg_reply(m, -EINVAL, SPAN_EMPTY);
            return;
        }
        body = span_of(a->p + at.at, at.bytes);
    }
    work_new(s, p, link_id(m->link), m->call, m->id, body);
    schedule(s);
}

static void on_message(void *arg, struct msg *m)
{
    service_message(arg, m);
}

#define X(name) {MSG_##name, on_message, false},
/* clang-format off */
const struct msg_handler service_handlers[] = {
    SERVICE_MESSAGES(X)
    {0, NULL, false},
};
/* clang-format on */
#undef X

void service_link_gone(struct service *s, struct link *l)
{
    struct peer *p = peer_gone(&s->peers, l);

    if (!p)
        return;
    /* Behind its requests: what it asked for before is done, and its leases last until then. */
    work_new(s, p, link_id(l), 0, 0, SPAN_EMPTY);
    schedule(s);
}

/* ------------------------------------------------------------------ life */
struct service *service_new(struct loop *l, struct engine *take_engine)
{
    struct service *s = calloc(1, sizeof(*s));

    CHECK(s);
    s->loop = l;
    s->engine = take_engine;
    s->started_ms = clock_mono_ms();
    list_init(&s->queue);
    list_init(&s->batch);
    list_init(&s->pool);
    peers_init(&s->peers);
    s->kept.timer = timer_new(l, on_late, s);
    s->tick = timer_new(l, on_tick, s);
    timer_repeat(s->tick, TICK_MS);
    return s;
}

static void service_end(struct service *s, bool clean)
{
    if (!s)
        return;
    CHECK(!s->scheduled);
    /* A helper thread may be at work on our memory: the caller stops the loop only when
     * service_busy says no. */
    CHECK(!s->syncing && !s->checkpointing && !s->preparing && !s->compacting);
    s->closing = true;
    timer_free(s->tick);
    timer_free(s->kept.timer);
    refuse_all(s, -EPIPE);
    list_for_each (&s->batch, struct work, node, w) {
        work_free(w);
    }
    while (!list_empty(&s->pool))
        work_free(list_item(s->pool.next, struct work, node));
    peers_done(&s->peers);
    engine_close(s->engine, clean);
    free(s);
}

void service_free(struct service *s)
{
    service_end(s, true);
}

void service_kill(struct service *s)
{
    service_end(s, false);
}

void service_commit_late(struct service *s)
{
    s->late = true;
}

void service_quiet(struct service *s)
{
    s->quiet = true;
}

bool service_helpers_busy(const struct service *s)
{
    return s->syncing || s->checkpointing || s->preparing || s->compacting || s->scheduled;
}

bool service_busy(const struct service *s)
{
    return service_helpers_busy(s) || !list_empty(&s->queue);
}
