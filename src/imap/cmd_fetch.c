/* cmd_fetch.c: FETCH and UID FETCH. */
#include "imap/arg.h"
#include "imap/batch.h"
#include "imap/commands.h"
#include "imap/fetch.h"

#include "loop/fiber.h"

enum { BODIES_AT_ONCE = 64 }; /* so many messages get \Seen in one record */

/* \Seen for the messages of the batch that lack it, before they are sent; `changed` marks them. */
static void set_seen(struct session *s, struct batch *b, bool *changed)
{
    struct imap *m = imap_of(s);
    struct rangeset unseen = RANGESET_EMPTY;

    for (size_t i = 0; i < b->n; i++) {
        changed[i] = !(b->message[i].flags & STORE_SEEN);
        if (changed[i])
            rangeset_add(&unseen, b->message[i].uid, b->message[i].uid);
    }
    if (unseen.n) {
        struct store_flags f = {
            .grant = imap_grant(s),
            .mailbox = m->mailbox,
            .uids = &unseen,
            .op = FLAGS_ADD,
            .flags = STORE_SEEN,
            .unchanged_since = UINT64_MAX,
        };
        uint64_t modseq = 0;
        /* if it cannot be set the message is still shown, as it is */
        bool done = store_flags(imap_store(s), &f, NULL, &modseq) == 0;
        if (done)
            imap_own_change(m, modseq);
        for (size_t i = 0; i < b->n; i++) {
            changed[i] &= done;
            if (changed[i])
                b->message[i].flags |= STORE_SEEN;
        }
    }
    rangeset_done(&unseen);
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

    while ((e = batch_next(imap_store(s), m->mailbox, &w, max, b)) > 0 && !s->closing) {
        if (plan->sets_seen && !m->read_only)
            set_seen(s, b, changed);
        for (size_t i = 0; i < b->n && !s->closing; i++)
            fetch_put(run, b->number[i], &b->message[i], &b->keywords, changed[i]);
        if (b->n == max)
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
    int error;

    if (!arg_set(&args, &set) || !arg_sp(&args) || !fetch_parse(&args, s->scratch, plan) ||
        !imap_messages(m, set, imap_is_uid(c), &uids)) {
        rangeset_done(&uids);
        imap_syntax(s, c);
        return;
    }
    if (imap_is_uid(c))
        plan->items |= FETCH_UID;

    struct fetch_run *run = fetch_run_new(s, plan);
    size_t missing = put_messages(s, plan, run, &uids, &error);
    answer(s, c, run, missing, error);
    fetch_run_free(run);
    rangeset_done(&uids);
}
