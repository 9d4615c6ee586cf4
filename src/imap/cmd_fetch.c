/* cmd_fetch.c: FETCH and UID FETCH. */
#include "imap/arg.h"
#include "imap/batch.h"
#include "imap/commands.h"
#include "imap/fetch.h"
#include "imap/modseq.h"

#include "loop/fiber.h"

enum {
    BODIES_AT_ONCE = 64, /* so many messages get \Seen in one record */
    AHEAD = 3,           /* messages between asking memory for a summary and looking at it */
};

/* \Seen for `uids`, whose modseqs were at most `since` when they were read; *ret_later are those
 * that somebody has changed meanwhile. The modseq of the change; 0: it could not be made. */
static uint64_t add_seen(struct session *s, const struct rangeset *uids, uint64_t since,
                         struct rangeset *ret_later)
{
    struct imap *m = imap_of(s);
    struct store_flags f = {
        .grant = imap_grant(s),
        .mailbox = m->mailbox,
        .uids = uids,
        .op = FLAGS_ADD,
        .flags = STORE_SEEN,
        .unchanged_since = since,
    };
    uint64_t modseq = 0;

    if (store_flags(imap_store(s), &f, ret_later, &modseq) < 0)
        return 0;
    if (ret_later->n) {
        /* no change of our own: imap_update tells these flags, all of them */
        uint64_t ignored = 0;
        f.uids = ret_later;
        f.unchanged_since = UINT64_MAX;
        store_flags(imap_store(s), &f, NULL, &ignored);
    }
    imap_own_change(m, modseq);
    return modseq;
}

/* \Seen for the messages of the batch that lack it, before they are sent; `changed` marks them. If
 * it cannot be set, a message is still shown, as it is. */
static void set_seen(struct session *s, struct batch *b, bool *changed)
{
    struct rangeset unseen = RANGESET_EMPTY, later = RANGESET_EMPTY;
    uint64_t since = 0, modseq = 0;

    for (size_t i = 0; i < b->n; i++) {
        changed[i] = !(b->message[i].flags & STORE_SEEN);
        if (changed[i])
            rangeset_add(&unseen, b->message[i].uid, b->message[i].uid);
        if (changed[i] && b->message[i].modseq > since)
            since = b->message[i].modseq;
    }
    if (unseen.n)
        modseq = add_seen(s, &unseen, since, &later);
    for (size_t i = 0; i < b->n; i++) {
        changed[i] = changed[i] && modseq && !rangeset_has(&later, b->message[i].uid);
        if (changed[i]) {
            b->message[i].flags |= STORE_SEEN;
            b->message[i].modseq = modseq;
        }
    }
    rangeset_done(&unseen);
    rangeset_done(&later);
}

static size_t drop_unchanged(struct batch *b, uint64_t since)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++)
        if (b->message[i].modseq > since) {
            b->number[n] = b->number[i];
            b->message[n++] = b->message[i];
        }
    return n;
}

/* The UIDs that the command names, also of messages that are no more: "*" is the last that could
 * have been. */
static void named_uids(const struct imap *m, struct span set, uint32_t uidnext,
                       struct rangeset *ret)
{
    if (span_eq(set, SPAN("$")))
        rangeset_copy(ret, &m->saved);
    else
        rangeset_parse(set, uidnext - 1, ARG_SET_RANGES_MAX, ret);
}

/*
 * CHANGEDSINCE and VANISHED: *uids are narrowed to what has changed, and what is gone is told, but
 * for messages that the client still counts: imap_update will tell of these.
 */
static int only_changed(struct session *s, const struct fetch_plan *plan, struct span set,
                        struct rangeset *uids)
{
    struct imap *m = imap_of(s);
    struct rangeset changed = RANGESET_EMPTY, gone = RANGESET_EMPTY, t = RANGESET_EMPTY;
    struct buf out BUF_AUTO = BUF(64 << 10);
    struct mailbox_info info;
    struct store_read r;
    int e = imap_read_begin(s, &r);

    if (e < 0)
        return e;
    e = store_mailbox_get(&r, m->mailbox, &info);
    if (e == 0)
        modseq_changes(&r, &info, plan->since, &changed, &gone);
    store_read_end(&r);
    ranges_intersect(uids, &changed, &t);
    ranges_swap(uids, &t);
    if (e == 0 && plan->vanished) {
        named_uids(m, set, info.uidnext, &changed);
        ranges_intersect(&gone, &changed, &t);
        ranges_subtract(&t, &m->view->uids, &gone);
        modseq_put_vanished(s, &gone, true, &out);
        session_put(s, buf_span(&out));
    }
    rangeset_done(&changed);
    rangeset_done(&gone);
    rangeset_done(&t);
    return 0; /* of a mailbox that is deleted nothing has changed but that */
}

/* Answers for all messages of the set; how many of them are gone. *ret_error: the store is away. */
static size_t put_messages(struct session *s, const struct fetch_plan *plan, struct fetch_run *run,
                           const struct rangeset *uids, int *ret_error)
{
    struct imap *m = imap_of(s);
    struct view_walk w = view_walk(m->view, uids);
    size_t max = plan->section_count ? BODIES_AT_ONCE : BATCH_MAX, missing;
    struct batch *b = batch_new();
    bool changed[BATCH_MAX] = {false};
    int e;

    while ((e = batch_next(s, &w, max, b)) > 0 && !s->closing) {
        if (plan->changed_since)
            b->n = drop_unchanged(b, plan->since);
        if (plan->sets_seen && !m->read_only && m->rights & ACL_SEEN)
            set_seen(s, b, changed);
        for (size_t i = 0; i < b->n && !s->closing; i++) {
            if (i + AHEAD < b->n)
                fetch_ahead(run, &b->message[i + AHEAD]);
            fetch_put(run, b->number[i], &b->message[i], &b->keywords, changed[i]);
        }
        if (plan->changed_since || b->n == max)
            fiber_yield(); /* others have their turn between batches */
    }
    fetch_flush(run);
    *ret_error = e < 0 ? e : 0;
    missing = b->missing;
    batch_free(b);
    return missing;
}

static void answer(struct session *s, const struct command_line *c, const struct fetch_run *run,
                   size_t missing, int error)
{
    bool uid = imap_is_uid(c);

    if (s->closing) /* a literal may be open: nothing fits there */
        return;
    imap_update(s, uid);
    if (error < 0)
        imap_fail(s, c, error);
    else if (fetch_unreadable(run))
        imap_no(s, c, "[SERVERBUG] Some of the messages could not be read");
    else if (fetch_undecodable(run))
        imap_no(s, c, "[UNKNOWN-CTE] The encoding of a part is not known");
    else if (missing && !uid) /* by UID they are passed over, and EXPUNGE has told of them */
        imap_no(s, c, "[EXPUNGEISSUED] Some of the messages are gone");
    else
        imap_ok(s, c, "Fetch completed");
}

void cmd_fetch(struct session *s, struct command_line *c)
{
    struct imap *m = imap_of(s);
    struct fetch_plan *plan = ARENA_NEW(s->scratch, struct fetch_plan);
    struct rangeset uids = RANGESET_EMPTY;
    struct span args = c->args, set;
    int error = 0;

    if (!arg_set(&args, &set) || !arg_sp(&args) || !fetch_parse(&args, s->scratch, plan) ||
        !imap_messages(m, set, imap_is_uid(c), &uids)) {
        rangeset_done(&uids);
        imap_syntax(s, c);
        return;
    }
    if (plan->vanished && (!m->qresync || !imap_is_uid(c))) {
        rangeset_done(&uids);
        imap_bad(s, c, "VANISHED is of UID FETCH, after ENABLE QRESYNC");
        return;
    }
    if (imap_is_uid(c))
        plan->items |= FETCH_UID;
    if (plan->items & FETCH_MODSEQ)
        modseq_enable(s);
    if (m->condstore)
        plan->seen_items |= FETCH_UID | FETCH_MODSEQ;
    if (plan->changed_since)
        error = only_changed(s, plan, set, &uids);

    struct fetch_run *run = fetch_run_new(s, plan);
    size_t missing = error < 0 ? 0 : put_messages(s, plan, run, &uids, &error);
    answer(s, c, run, missing, error);
    fetch_run_free(run);
    rangeset_done(&uids);
}
