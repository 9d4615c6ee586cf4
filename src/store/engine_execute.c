/* From a request to its record. */
#include "store/engine.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

enum { GRANT_CACHE = 256, FREE_CHECK_MS = 1000 };

/* ------------------------------------------------------------------ what may be changed by whom */
struct grant_cache {
    struct {
        unsigned char token[STORE_GRANT_MAX];
        size_t n;
        struct grant grant;
    } slot[GRANT_CACHE];
};

/* A session sends the same token with each request: its MAC is computed once. */
int grant_check(struct engine *e, struct span token, struct grant *ret)
{
    if (token.n == 0 || token.n > STORE_GRANT_MAX || !e->options.grant_secret)
        return -EACCES;
    if (!e->grants) {
        e->grants = calloc(1, sizeof(*e->grants));
        CHECK(e->grants);
    }
    size_t at = span_hash(token) % GRANT_CACHE;
    bool known = e->grants->slot[at].n == token.n &&
                 memcmp(e->grants->slot[at].token, token.p, token.n) == 0 &&
                 e->grants->slot[at].grant.expires_seconds > e->now;
    if (!known) {
        struct grant g;
        if (!grant_open(token, e->options.grant_secret, e->now, &g))
            return -EACCES;
        memcpy(e->grants->slot[at].token, token.p, token.n);
        e->grants->slot[at].n = token.n;
        e->grants->slot[at].grant = g;
    }
    *ret = e->grants->slot[at].grant;
    /* An account that stored was not told of has no mailboxes either. */
    const struct account *a = account_get(e, ret->account, false);
    if (!a || a->row.state != ACCOUNT_ENABLED || ret->epoch < a->row.epoch)
        return -EACCES;
    return 0;
}

/* ------------------------------------------------------------------ records */
void record_begin(struct engine *e)
{
    buf_clear(&e->effects);
    journal_record_begin(&e->journal);
    e->record_sequence = e->journal.end.sequence + 1;
}

void record_cancel(struct engine *e)
{
    journal_record_cancel(&e->journal);
}

int record_end(struct engine *e, const struct intent *i, int status)
{
    struct buf *b = &e->commit;

    CHECK(!e->effects.overflow);
    if (e->effects.n == 0) {
        record_cancel(e);
        return status;
    }
    buf_clear(b);
    wr_span(b, buf_span(&e->effects));
    struct rd head = rd_of(i->payload);
    uint64_t counter = i->client ? rd_u64(&head) : 0;
    wr_u64(b, i->client);
    wr_u64(b, counter);
    wr_i64(b, e->now);
    wr_u32(b, (uint32_t)status);
    wr_bool(b, i->more);
    wr_u64(b, i->progress);
    wr_span(b, i->answer ? buf_span(i->answer) : SPAN_EMPTY);
    CHECK(!b->overflow);
    struct answer_at at = {counter, e->record_sequence, e->journal.end.file,
                           e->journal.batch_at + (uint32_t)e->journal.head_at};
    journal_record_end(&e->journal, buf_span(b));
    if (counter)
        answers_put(&e->answers, i->client, &at);
    e->stats.records++;
    return status;
}

/* Was this request done before stored was restarted? Then its answer stands in its record. */
static bool answered(struct engine *e, struct intent *i, int *ret_status)
{
    struct buf b = BUF(16 << 20);
    struct rd head = rd_of(i->payload);
    struct answer_at at;
    bool done = false;

    if (i->progress || !answers_find(&e->answers, i->client, rd_u64(&head), &at))
        return false;
    if (journal_commit_part(&e->journal, at.file, at.at, at.sequence, &b) == 0) {
        struct rd r = rd_of(buf_span(&b));
        rd_span(&r, SIZE_MAX);
        rd_u64(&r);
        rd_u64(&r);
        rd_i64(&r);
        int status = (int)rd_u32(&r);
        bool more = rd_bool(&r);
        uint64_t progress = rd_u64(&r);
        struct span answer = rd_span(&r, SIZE_MAX);
        if (rd_done(&r)) {
            buf_clear(i->answer);
            buf_put_span(i->answer, answer);
            i->progress = more ? progress : 0;
            i->more = more;
            *ret_status = status;
            done = !more; /* else: go on where it stopped */
        }
    }
    buf_done(&b);
    e->stats.repeats++;
    return done;
}

/* ------------------------------------------------------------------ the table of requests */
static const struct {
    unsigned kind;
    plan_fn plan;
    bool adds;
} plans[] = {
    {MSG_STORE_APPEND,         plan_append,         true },
    {MSG_STORE_DELIVER,        plan_deliver,        true },
    {MSG_STORE_FLAGS,          plan_flags,          false},
    {MSG_STORE_EXPUNGE,        plan_expunge,        false},
    {MSG_STORE_COPY,           plan_copy,           false},
    {MSG_STORE_MAILBOX_CREATE, plan_mailbox_create, true },
    {MSG_STORE_MAILBOX_DELETE, plan_mailbox_delete, false},
    {MSG_STORE_MAILBOX_RENAME, plan_mailbox_rename, false},
    {MSG_STORE_SUBSCRIBE,      plan_subscribe,      false},
    {MSG_STORE_QUEUE_DONE,     plan_queue_done,     false},
    {MSG_STORE_QUEUE_ADMIN,    plan_queue_admin,    false},
    {MSG_STORE_ACCOUNT,        plan_account,        false},
    {MSG_STORE_NEWSGROUP,      plan_newsgroup,      false},
    {MSG_STORE_ACL,            plan_acl,            true },
    {MSG_STORE_NOTE,           plan_note,           true },
    {MSG_STORE_DOMAIN,         plan_domain,         false},
};

static bool disk_full(struct engine *e)
{
    uint64_t now = clock_mono_ms();
    struct statvfs v;

    if (e->free_checked_ms == 0 || now - e->free_checked_ms >= FREE_CHECK_MS) {
        e->free_checked_ms = now | 1;
        bool full = statvfs(e->options.root, &v) == 0 &&
                    (uint64_t)v.f_bavail * v.f_frsize < e->options.min_free_bytes;
        if (full && !e->disk_full)
            log_error("store: the disk of %s is nearly full: no new mail is taken",
                      e->options.root);
        e->disk_full = full;
    }
    return e->disk_full;
}

int engine_execute(struct engine *e, struct intent *i)
{
    int status;

    e->now = clock_seconds();
    e->stats.requests++;
    i->more = i->told = false;
    arena_reset(e->arena);
    if (answered(e, i, &status))
        return status;
    for (size_t k = 0; k < ARRAY_LEN(plans); k++) {
        if (plans[k].kind != i->kind)
            continue;
        i->more = false;
        status = plans[k].adds && disk_full(e) ? -ENOSPC : plans[k].plan(e, i);
        if (e->failed || e->no_room)
            i->more = false;
        return e->failed ? -EIO : status;
    }
    return -ENOSYS;
}

int engine_ask(struct engine *e, struct intent *i, int *ret_fd)
{
    *ret_fd = -1;
    if (e->failed)
        return -EIO;
    arena_reset(e->arena);
    e->now = clock_seconds();
    switch (i->kind) {
    case MSG_STORE_QUEUE_LEASE:
        return ask_queue_lease(e, i, ret_fd);
    case MSG_STORE_QUEUE_BODY:
        return ask_queue_body(e, i, ret_fd);
    case MSG_STORE_QUEUE_ADMIN:
        return ask_queue_list(e, i);
    case MSG_STORE_NEWSGROUP:
        return ask_newsgroups(e, i);
    case MSG_STORE_STAT:
        return ask_stat(e, i);
    case MSG_STORE_COMPACT:
        return ask_compact(e, i);
    case MSG_STORE_GRANT:
        return ask_grant(e, i);
    case MSG_STORE_ROOM:
        return ask_room(e, i);
    case MSG_STORE_USED:
        return ask_used(e, i);
    default:
        return -ENOSYS;
    }
}
