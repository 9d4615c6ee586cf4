/*
 * follow.c: one fiber brings the indexes up to date, mailbox by mailbox: first those that changed
 * half a second ago (what came since is written with it), then those that have more or were not indexed yet, then,
 * after a start, all others. What it takes of the processor is bounded by pauses; others have
 * their turn after each message.
 */
#include "search/searcher_parts.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "search/read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/statvfs.h>

enum {
    BATCH_MESSAGES = 64,
    BATCH_GRAMS = 150000,
    BATCH_BYTES = 8 << 20,
    GONE_MAX = 2000,
    GATHER_MS = 500,     /* what comes together is written together */
    GATHER_CHANGES = 64, /* so many do not wait longer */
    LOOK_MS = 100,
    TICK_MS = 3600 * 1000, /* for those that are not in use any longer */
    PAUSE_MAX_MS = 200,
    RETRY_MS = 1000,
    FULL_MS = 5000,
    DEAD_MIN = 1000, /* documents; below, an index is not made anew for the room */
};

/* ------------------------------------------------------------------ what is to be looked at */

static struct dirty *dirty_new(struct searcher *s, uint64_t mailbox)
{
    struct dirty *d = calloc(1, sizeof(*d));

    CHECK(d);
    list_init(&d->node);
    d->mailbox = mailbox;
    map64_set(s->dirty, mailbox, d);
    return d;
}

void follow_mailbox(struct searcher *s, uint64_t mailbox)
{
    struct dirty *d = map64_get(s->dirty, mailbox);

    if (mailbox == 0 || (d && !d->gathers))
        return;
    if (!d)
        d = dirty_new(s, mailbox);
    d->gathers = false;
    list_remove(&d->node);
    list_append(&s->queue, &d->node);
    fiber_cond_signal(&s->work);
}

void follow_changed(struct searcher *s, uint64_t mailbox)
{
    struct dirty *d = map64_get(s->dirty, mailbox);
    bool sooner = false; /* than the fiber waits for */

    if (!d) {
        sooner = list_empty(&s->gather);
        d = dirty_new(s, mailbox);
        d->due_ms = clock_mono_ms() + GATHER_MS;
        d->gathers = true;
        list_append(&s->gather, &d->node);
    }
    if (d->gathers && ++d->changes == GATHER_CHANGES) {
        d->due_ms = 0;
        list_remove(&d->node);
        list_prepend(&s->gather, &d->node);
        sooner = true;
    }
    if (sooner)
        fiber_cond_signal(&s->work); /* the fiber may run at once: all is set by now */
}

static uint64_t take(struct searcher *s, struct dirty *d)
{
    uint64_t mailbox = d->mailbox;

    map64_remove(s->dirty, mailbox);
    list_remove(&d->node);
    free(d);
    return mailbox;
}

void follow_done(struct searcher *s)
{
    while (!list_empty(&s->queue))
        take(s, list_item(s->queue.next, struct dirty, node));
    while (!list_empty(&s->gather))
        take(s, list_item(s->gather.next, struct dirty, node));
    s->count.walking = false;
}

/* Milliseconds until something is due; 0: something is. */
static uint64_t due_in(const struct searcher *s)
{
    uint64_t now = clock_mono_ms(), due;

    if (!list_empty(&s->queue) || s->count.walking)
        return 0;
    if (list_empty(&s->gather))
        return TICK_MS;
    due = list_item(s->gather.next, struct dirty, node)->due_ms;
    return due > now ? due - now : 0;
}

static bool follow_one(const struct mailbox_info *m, void *arg)
{
    follow_mailbox(arg, m->id);
    return true;
}

void follow_account(struct searcher *s, uint64_t account)
{
    struct store_read r;

    if (store_read_begin(s->store, &r) < 0) {
        follow_all(s);
        return;
    }
    store_mailbox_each(&r, account, follow_one, s);
    store_read_end(&r);
}

void follow_all(struct searcher *s)
{
    s->walked = 0;
    s->sweep = true;
    follow_new(s);
}

/* Their numbers rise: those behind what was walked. */
void follow_new(struct searcher *s)
{
    s->count.walking = true;
    fiber_cond_signal(&s->work);
}

/* 0: nothing is left. */
static uint64_t next_mailbox(struct searcher *s)
{
    struct mailbox_info m;
    struct store_read r;

    if (!list_empty(&s->gather)) {
        struct dirty *d = list_item(s->gather.next, struct dirty, node);
        if (d->due_ms <= clock_mono_ms())
            return take(s, d);
    }
    if (!list_empty(&s->queue))
        return take(s, list_item(s->queue.next, struct dirty, node));
    if (!s->count.walking || store_read_begin(s->store, &r) < 0)
        return 0;
    int e = store_mailbox_next(&r, s->walked, &m);
    store_read_end(&r);
    if (e == 0)
        return s->walked = m.id;
    s->count.walking = false;
    if (s->sweep)
        accounts_sweep(s);
    s->sweep = false;
    return 0;
}

/* ------------------------------------------------------------------ one mailbox */

/* What a batch takes out of the store, and what it found. */
struct batch {
    struct mailbox_info info;
    struct search_mailbox at, next; /* where the index stands, and will stand */
    bool known, more, compare;
    struct rangeset gone;
    size_t n, made;
    struct message_info message[BATCH_MESSAGES];
    uint64_t prefix[BATCH_MESSAGES];
    struct gram_set *grams[BATCH_MESSAGES]; /* NULL: the document is there already */
};

static void batch_free(struct batch *b)
{
    for (size_t i = 0; i < BATCH_MESSAGES; i++) {
        if (b->grams[i])
            gram_set_done(b->grams[i]);
        free(b->grams[i]);
    }
    rangeset_done(&b->gone);
    free(b);
}

static bool on_change(const struct change_info *c, void *arg)
{
    struct batch *b = arg;

    if (c->expunged && c->uid < b->at.next_uid) {
        if (rangeset_count(&b->gone) >= GONE_MAX) {
            b->more = true;
            return false;
        }
        rangeset_add(&b->gone, c->uid, c->uid);
    }
    b->next.modseq = c->modseq;
    return true;
}

/* One snapshot: what is gone since, and the next messages. 0 or negative errno. */
static int look(struct searcher *s, struct batch *b)
{
    struct store_cursor c;
    struct store_read r;
    uint64_t bytes = 0;
    int e = store_read_begin(s->store, &r);

    if (e < 0)
        return e;
    if ((e = store_mailbox_get(&r, b->info.id, &b->info)) == 0) {
        b->info.name = SPAN_EMPTY;
        b->next.modseq = b->info.highestmodseq;
        if (b->known && b->at.modseq < b->info.highestmodseq)
            b->compare = !store_changes_each(&r, b->info.id, b->at.modseq, on_change, b);
        if (!b->more)
            b->next.modseq = b->info.highestmodseq;
        e = store_cursor_open(&r, b->info.id, b->next.next_uid, &c);
    }
    if (e == 0) {
        while (b->n < BATCH_MESSAGES && bytes < BATCH_BYTES &&
               store_cursor_next(&c, &b->message[b->n])) {
            bytes += b->message[b->n].size;
            b->next.next_uid = b->message[b->n++].uid + 1;
        }
        if (b->n < BATCH_MESSAGES && bytes < BATCH_BYTES)
            b->next.next_uid = b->info.uidnext;
        else
            b->more = true;
        store_cursor_close(&c);
    }
    store_read_end(&r);
    return e;
}

/* The change log does not reach back: all that the index has is compared. */
static int compare(struct searcher *s, struct account *a, struct batch *b)
{
    struct rangeset had = RANGESET_EMPTY, live = RANGESET_EMPTY;
    struct store_read r;
    int e = search_index_uids(a->index, b->info.id, &had);

    if (e == 0 && (e = store_read_begin(s->store, &r)) == 0) {
        e = store_uids(&r, b->info.id, &live);
        store_read_end(&r);
    }
    for (size_t i = 0; e == 0 && i < live.n; i++)
        rangeset_remove(&had, live.r[i].lo, live.r[i].hi);
    if (e == 0) {
        rangeset_done(&b->gone);
        b->gone = had;
        had = RANGESET_EMPTY;
    }
    rangeset_done(&had);
    rangeset_done(&live);
    return e;
}

/* Reads the messages whose documents are not there yet; queries have their turn meanwhile. -ECANCELED: the
 * index was removed. suspends */
static int read_batch(struct searcher *s, struct account *a, struct batch *b)
{
    uint64_t grams = 0, doc;
    bool there = true;

    for (size_t i = 0; there && i < b->n; i++) {
        const struct message_info *m = &b->message[i];
        if (grams > BATCH_GRAMS) { /* the rest another time */
            b->n = i;
            b->next.next_uid = m->uid;
            b->more = true;
            break;
        }
        bool readable = read_prefix_hash(s->store, m, &b->prefix[i]) == 0;
        int e = readable ? search_index_doc(a->index, m->body, b->prefix[i], &doc) : -ENOENT;
        if (e == 0)
            continue;
        if (e != -ENOENT)
            return e;
        b->grams[i] = calloc(1, sizeof(struct gram_set));
        CHECK(b->grams[i]);
        gram_set_init(b->grams[i]);
        if (readable)
            read_grams(s->store, m, b->grams[i]);
        else
            b->grams[i]->full = true;
        if (b->grams[i]->full)
            s->count.unreadable++;
        grams += b->grams[i]->n;
        b->made++;
        account_pause(a);
        fiber_yield();
        there = account_resume(a);
    }
    return there ? 0 : -ECANCELED;
}

static int write_message(struct account *a, struct batch *b, size_t i)
{
    const struct message_info *m = &b->message[i];
    uint64_t doc;
    /* the same body twice in one batch: the second finds the first */
    int e = search_index_doc(a->index, m->body, b->prefix[i], &doc);

    if (e == -ENOENT && b->grams[i])
        e = search_index_doc_add(a->index, m->body, b->prefix[i], b->grams[i], &doc);
    return e < 0 ? e : search_index_place_add(a->index, b->info.id, m->uid, doc);
}

/* All at once, without a turn for others. */
static int write_batch(struct account *a, struct batch *b)
{
    int e = search_index_begin(a->index);

    if (e == 0)
        e = search_index_mailbox_put(a->index, &b->next); /* before places are counted there */
    for (size_t i = 0; e == 0 && i < b->gone.n; i++)
        for (uint64_t uid = b->gone.r[i].lo; e == 0 && uid <= b->gone.r[i].hi; uid++)
            e = search_index_place_remove(a->index, b->info.id, (uint32_t)uid);
    for (size_t i = 0; e == 0 && i < b->n; i++)
        e = write_message(a, b, i);
    if (e == 0)
        return search_index_commit(a->index);
    search_index_rollback(a->index);
    return e;
}

/* The store is not the one that was indexed: it was restored from a copy, and numbers stand for
 * other messages now. */
static bool went_back(const struct batch *b)
{
    return b->known && (b->at.uidvalidity != b->info.uidvalidity ||
                        b->at.next_uid > b->info.uidnext || b->at.modseq > b->info.highestmodseq);
}

/* 1: there is more of this mailbox. suspends */
static int step(struct searcher *s, struct account *a, struct batch *b)
{
    int e = search_index_mailbox(a->index, b->info.id, &b->at);

    if (e < 0 && e != -ENOENT)
        return e;
    b->known = e == 0;
    b->next = b->at;
    b->next.id = b->info.id;
    b->next.uidvalidity = b->info.uidvalidity;
    if (!b->known)
        b->next.next_uid = 1;
    if (went_back(b))
        return -ESTALE;
    if (b->known && b->at.modseq == b->info.highestmodseq && b->at.next_uid >= b->info.uidnext)
        return 0;
    if ((e = look(s, b)) < 0 || (b->compare && (e = compare(s, a, b)) < 0) ||
        (e = read_batch(s, a, b)) < 0 || (e = write_batch(a, b)) < 0)
        return e;
    s->count.messages += b->n;
    s->count.batches++;
    return b->more;
}

static bool worn_out(struct account *a)
{
    struct search_stat st;

    search_index_stat(a->index, &st);
    return st.dead > DEAD_MIN && st.dead > st.docs;
}

/* suspends */
static int tidy(struct searcher *s, struct account *a)
{
    bool there = true;
    int e = 0;

    while (there && !s->stopping && (e = search_index_tidy(a->index)) > 0) {
        account_pause(a);
        fiber_yield();
        there = account_resume(a);
    }
    return there ? e : -ECANCELED;
}

/* A mailbox that is not there any more: whose it was is known by whoever has it open. */
static void mailbox_gone(struct searcher *s, uint64_t mailbox)
{
    uint64_t ids[64];
    size_t n = 0;

    usage_unwatch(s, mailbox);
    list_for_each (&s->open, struct account, node, open) {
        if (n < ARRAY_LEN(ids))
            ids[n++] = open->id;
    }
    for (size_t i = 0; i < n; i++) {
        struct search_mailbox m;
        struct account *a = account_enter(s, ids[i], false);
        if (!a)
            continue;
        int e = search_index_mailbox(a->index, mailbox, &m);
        if (e == 0 && (e = search_index_begin(a->index)) == 0) {
            e = search_index_mailbox_drop(a->index, mailbox);
            if (e == 0)
                e = search_index_commit(a->index);
            else
                search_index_rollback(a->index);
        }
        account_leave(s, a, e);
    }
}

static int info_of(struct searcher *s, uint64_t mailbox, struct mailbox_info *ret)
{
    struct store_read r;
    int e = store_read_begin(s->store, &r);

    if (e < 0)
        return e;
    e = store_mailbox_get(&r, mailbox, ret);
    store_read_end(&r);
    ret->name = SPAN_EMPTY;
    return e;
}

/* 1: there is more to do here; 0; negative: not now. suspends */
static int follow(struct searcher *s, uint64_t mailbox)
{
    struct mailbox_info info = {.id = mailbox};
    int e = info_of(s, mailbox, &info);

    if (e == 0 && !usage_is(s, info.account))
        return 0;
    if (e == 0 && usage_watch(s, info.account, mailbox))
        e = info_of(s, mailbox, &info); /* from now on changes are told */
    struct batch *b = calloc(1, sizeof(*b));
    CHECK(b);
    b->info = info;
    struct account *a =
        e == 0 && info.messages + info.uidnext > 1 ? account_enter(s, info.account, true) : NULL;
    uint64_t account = info.account;
    if (a) {
        if ((e = s->policy == SEARCH_POLICY_USED ? usage_write(s, a) : 0) == 0)
            e = step(s, a, b);
        int t = e >= 0 && b->made ? tidy(s, a) : 0;
        bool worn = e >= 0 && t == 0 && worn_out(a);
        account_leave(s, a, e < 0 ? e : t);
        if (e == -ESTALE || worn) {
            log_info("search: the index of account %" PRIu64 " is made anew: %s", account,
                     worn ? "most of it is of messages that are gone" : "the store went back");
            s->count.rebuilt++;
            account_forget(s, account);
            follow_account(s, account);
            e = 0;
        }
        if (e == -EBADMSG || e == -ECANCELED)
            e = 0; /* it is looked at again as all mailboxes of the account are */
    } else if (e == -ENOENT) {
        mailbox_gone(s, mailbox);
        e = 0;
    } else if (e == 0 && b->info.uidnext > 1) {
        e = -EIO;
    }
    batch_free(b);
    return e;
}

/* ------------------------------------------------------------------ for ever */

static bool disk_is_full(const struct searcher *s)
{
    struct statvfs v;

    return statvfs(s->folder, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < s->min_free_bytes;
}

static void pause_ms(struct searcher *s, uint64_t ms)
{
    uint64_t until = clock_mono_ms() + ms, now;

    while (!s->stopping && (now = clock_mono_ms()) < until)
        fiber_cond_wait(&s->work, until - now < LOOK_MS ? until - now : LOOK_MS);
}

static void failed(struct searcher *s, uint64_t mailbox, int e)
{
    bool full = e == -ENOSPC;

    if (full && !s->count.paused)
        log_warn("search: the disk is full: indexing pauses");
    s->count.paused = s->count.paused || full;
    follow_mailbox(s, mailbox);
    pause_ms(s, full ? FULL_MS : RETRY_MS);
}

void follow_fiber(void *arg)
{
    struct searcher *s = arg;

    while (!s->stopping) {
        uint64_t mailbox, began;
        usage_expire(s);
        uint64_t due = due_in(s);
        if (due > 0) {
            fiber_cond_wait(&s->work, due);
            continue;
        }
        if (disk_is_full(s)) {
            if (!s->count.paused)
                log_warn("search: the disk is nearly full: indexing pauses");
            s->count.paused = true;
            pause_ms(s, FULL_MS);
            continue;
        }
        s->count.paused = false;
        if (!s->loaded && s->policy == SEARCH_POLICY_USED) {
            s->busy = true;
            usage_load(s);
            s->busy = false;
            continue;
        }
        if (!store_is_attached(s->store) || !(mailbox = next_mailbox(s))) {
            if (due_in(s) == 0)
                pause_ms(s, LOOK_MS);
            continue;
        }
        began = clock_mono_ms();
        s->busy = true;
        int e = follow(s, mailbox);
        if (e > 0)
            follow_mailbox(s, mailbox);
        s->busy = false;
        uint64_t took = clock_mono_ms() - began;
        if (e < 0)
            failed(s, mailbox, e);
        else if (took > 1)
            pause_ms(s, took < PAUSE_MAX_MS ? took : PAUSE_MAX_MS);
        else
            fiber_yield();
    }
    s->fibers--;
}
