/* queue.c: from the queue to the deliveries: leases, how many at once, when to try again. */
#include "proc/relayd/relayd.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/map.h"
#include "base/random.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    ITEM_ARENA_MAX = 8 << 20,
    POLL_MS = 30000,
    ROOTS_MS = 500, /* our own CA is being made */
    /* Items leased at once: more than connections, so that those who wait for a slow domain do not
     * hold up all others. */
    ACTIVE_MAX = 1000,
    GROUPS_AT_ONCE = 20, /* domains of one item */
    STORE_AGAIN_MS = 2000,
};

struct job {
    struct relay *relay;
    struct arena *arena;
    struct queue_item item;
    struct relay_verdict *v;
    struct policy_group *groups;
    size_t group_count;
    int body;
    int body_err;
    bool leased_again; /* stored was started anew and gave the item to us once more */
    unsigned running;
    struct fiber_cond done;
};

struct group_run {
    struct job *job;
    const struct policy_group *group;
};

const struct queue_item *job_item(const struct job *j)
{
    return &j->item;
}

int job_body(struct job *j, int *ret_fd)
{
    if (j->body < 0 && j->body_err == 0) {
        int fd = -1, err = store_queue_body(j->relay->store, j->item.id, &fd);
        if (j->body >= 0) /* another domain's fiber was faster */
            fd_close(&fd);
        else if (err == 0)
            j->body = fd;
        else if (err == -EBADMSG || err == -EIO)
            j->body_err = err;
        if (err < 0 && j->body < 0) {
            log_error("queue %" PRIu64 ": its message cannot be read (%s)", j->item.id,
                      strerror(-err));
            return err;
        }
    }
    if (j->body < 0)
        return j->body_err;
    *ret_fd = j->body;
    return 0;
}

/* ------------------------------------------------------------------ what came of it */
static void count(struct relay *r, const struct relay_verdict *v)
{
    r->count.expired += v->expired;
    if (v->recipient->delivered)
        return;
    if (v->result.outcome == QUEUE_DELIVERED)
        r->count.delivered++;
    else if (v->result.outcome == QUEUE_FAILED || v->expired)
        r->count.failed++;
    else
        r->count.deferred++;
}

static void trace(const struct queue_item *item, const struct relay_verdict *v)
{
    static const char *const words[] = {
        [QUEUE_DELIVERED] = "delivered", [QUEUE_FAILED] = "failed", [QUEUE_DEFERRED] = "deferred"};
    if (v->recipient->delivered)
        return;
    log_info("queue %" PRIu64 ": to <%s> %s%s%s%s: %s", item->id, log_quote(v->recipient->address),
             words[v->result.outcome], v->expired ? " for too long, given up" : "",
             v->host[0] ? ", " : "", v->host, log_quote(span_cstr(v->result.text)));
}

/* Until it is in the store: a delivery that is forgotten is made twice. */
static void store_results(struct job *j, const struct queue_result *results, size_t n, int64_t next)
{
    struct relay *r = j->relay;
    bool said = false;

    for (;;) {
        int err = store_queue_done(r->store, j->item.id, results, n, next);
        if (err == 0 || err == -ENOENT) /* taken out of the queue meanwhile */
            return;
        if (!said)
            log_error("queue %" PRIu64 ": its result cannot be stored yet (%s)", j->item.id,
                      strerror(-err));
        said = true;
        fiber_sleep_ms(STORE_AGAIN_MS);
    }
}

static enum queue_outcome outcome_of(const struct relay_verdict *v, bool reported)
{
    if (v->recipient->delivered)
        return reported ? QUEUE_DELIVERED : QUEUE_DEFERRED;
    enum queue_outcome o = v->expired ? QUEUE_FAILED : v->result.outcome;
    /* A failure is final only when its report is safely in the store. */
    return o == QUEUE_FAILED && !reported ? QUEUE_DEFERRED : o;
}

static void finish(struct job *j, bool reported)
{
    struct queue_item *item = &j->item;
    struct queue_result *results = calloc(item->count ? item->count : 1, sizeof(*results));
    int64_t pause = policy_pause_seconds(j->relay->conf, item->tries);
    size_t open = 0;

    CHECK(results);
    /* a little more for some, so that many do not come back at once */
    pause += (int64_t)random_below((uint64_t)pause / 10 + 1);
    for (size_t i = 0; i < item->count; i++) {
        const struct relay_verdict *v = &j->v[i];
        results[i] = (struct queue_result){.index = v->recipient->index,
                                           .outcome = outcome_of(v, reported),
                                           .text = span_cstr(v->result.text),
                                           .delay_notified = v->delay_notified};
        open += results[i].outcome == QUEUE_DEFERRED;
    }
    store_results(j, results, item->count, clock_seconds() + pause);
    if (open)
        log_info("queue %" PRIu64 ": %zu of %zu recipients wait, next try in %" PRId64
                 " s; it was try %u",
                 item->id, open, item->count, pause, item->tries + 1);
    else
        log_info("queue %" PRIu64 ": done", item->id);
    free(results);
}

/* ------------------------------------------------------------------ the deliveries */
/* Deliveries that nobody has to be told of are kept at once: other domains of the item may take
 * long, and what is not kept is sent again if this process dies. */
static void keep_progress(struct job *j, const struct policy_group *g)
{
    struct queue_result *results = calloc(g->count, sizeof(*results));
    size_t n = 0;

    CHECK(results);
    for (size_t i = 0; i < g->count; i++) {
        const struct relay_verdict *v = &j->v[g->members[i]];
        if (v->result.outcome == QUEUE_DELIVERED &&
            policy_report(j->relay->conf, &j->item, v, clock_seconds()) == REPORT_NONE)
            results[n++] = (struct queue_result){.index = v->recipient->index,
                                                 .outcome = QUEUE_DELIVERED,
                                                 .text = span_cstr(v->result.text)};
    }
    if (n)
        store_queue_progress(j->relay->store, j->item.id, results, n);
    free(results);
}

static void run_group(void *arg)
{
    struct group_run *run = arg;
    struct job *j = run->job;

    relay_deliver(j->relay, j, run->group, j->v);
    if (j->group_count > 1)
        keep_progress(j, run->group);
    j->running--;
    fiber_cond_broadcast(&j->done);
}

static void deliver_groups(struct job *j)
{
    struct group_run *runs = ARENA_ARRAY(j->arena, struct group_run, j->group_count + 1);

    CHECK(runs);
    for (size_t i = 0; i < j->group_count; i++) {
        while (j->running >= GROUPS_AT_ONCE)
            fiber_cond_wait(&j->done, POLL_MS);
        runs[i] = (struct group_run){j, &j->groups[i]};
        j->running++;
        if (j->group_count == 1)
            run_group(&runs[i]);
        else
            fiber_start(j->relay->child->loop, run_group, &runs[i], "delivery to a domain");
    }
    while (j->running)
        fiber_cond_wait(&j->done, POLL_MS);
}

static void judge(struct job *j)
{
    for (size_t i = 0; i < j->item.count; i++) {
        struct relay_verdict *v = &j->v[i];
        v->expired = !v->recipient->delivered && v->result.outcome == QUEUE_DEFERRED &&
                     policy_expired(j->relay->conf, &j->item, clock_seconds());
        trace(&j->item, v);
        count(j->relay, v);
    }
}

static void job_free(struct job *j)
{
    fd_close(&j->body);
    arena_free(j->arena);
    free(j->v);
    free(j);
}

static void run_job(void *arg)
{
    struct job *j = arg;
    struct relay *r = j->relay;
    struct queue_item *item = &j->item;

    j->v = calloc(item->count ? item->count : 1, sizeof(*j->v));
    CHECK(j->v);
    for (size_t i = 0; i < item->count; i++)
        j->v[i] = (struct relay_verdict){.recipient = &item->recipients[i],
                                         .delay_notified = item->recipients[i].delay_notified};
    j->group_count = policy_groups(item, j->arena, &j->groups);
    deliver_groups(j);
    judge(j);
    finish(j, relay_report(r, j, j->v) == 0);
    if (j->leased_again) /* ends that lease, too */
        store_queue_done(r->store, item->id, NULL, 0, clock_seconds() + 1);
    map64_remove(r->items, item->id);
    job_free(j);
    r->active--;
    relay_kick(r);
}

/* One more item under way; false: none is due, and the next one is at *ret_due (0: none). */
static bool start_one(struct relay *r, int64_t *ret_due)
{
    struct job *j = calloc(1, sizeof(*j)), *known;
    CHECK(j);
    j->relay = r;
    j->body = -1;
    j->arena = arena_new(ITEM_ARENA_MAX);
    int err = store_queue_lease(r->store, j->arena, &j->item, ret_due);
    if (err == 0 && (known = map64_get(r->items, j->item.id)) != NULL) {
        known->leased_again = true;
        job_free(j);
        return true;
    }
    if (err == 0) {
        r->active++;
        map64_set(r->items, j->item.id, j);
        fiber_start(r->child->loop, run_job, j, "delivery");
        return true;
    }
    if (err != -EAGAIN) /* stored is away: look again soon */
        *ret_due = clock_seconds() + 1;
    job_free(j);
    return false;
}

void relay_dispatch(void *arg)
{
    struct relay *r = arg;

    for (;;) {
        int64_t due = 0;
        r->kicked = false;
        bool roots = relay_follow_roots(r);
        while (!r->stopping && r->active < ACTIVE_MAX && start_one(r, &due))
            ;
        uint64_t wait = roots ? POLL_MS : ROOTS_MS;
        int64_t now = clock_seconds();
        if (due && due <= now)
            wait = 1000;
        else if (due && (uint64_t)(due - now) * 1000 < wait)
            wait = (uint64_t)(due - now) * 1000;
        if (!r->kicked)
            fiber_cond_wait(&r->work, wait);
    }
}

void relay_kick(struct relay *r)
{
    r->kicked = true;
    fiber_cond_broadcast(&r->work);
}
