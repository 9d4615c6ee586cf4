/* queue.c: from the queue to the deliveries: leases, how many at once, when to try again. */
#include "proc/relayd/relayd.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/random.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { ITEM_ARENA_MAX = 8 << 20, POLL_MS = 30000, SECONDS_A_DAY = 86400 };

struct job {
    struct relay *relay;
    struct arena *arena;
    struct queue_item item;
};

/* The pause after this try: the row of the schedule, and up to a tenth more, so that many do not
 * come back at once. */
static int64_t pause_seconds(const struct conf *c, uint32_t tries)
{
    uint64_t seconds = 900;
    uint32_t row = tries < c->retry.n ? tries : c->retry.n - 1;
    if (c->retry.n)
        span_to_u64(span_cstr(c->retry.v[row]), 7 * SECONDS_A_DAY, &seconds);
    return (int64_t)(seconds + random_below(seconds / 10 + 1));
}

static void count(struct relay *r, const struct relay_verdict *v)
{
    if (v->result->outcome == QUEUE_DELIVERED)
        r->delivered++;
    else if (v->result->outcome == QUEUE_FAILED || v->expired)
        r->failed++;
    else
        r->deferred++;
}

static void trace(const struct queue_item *item, const struct relay_verdict *v)
{
    static const char *const words[] = {
        [QUEUE_DELIVERED] = "delivered", [QUEUE_FAILED] = "failed", [QUEUE_DEFERRED] = "deferred"};
    log_info("queue %" PRIu64 ": to <%s> %s%s: %s", item->id, log_quote(v->recipient->address),
             words[v->result->outcome], v->expired ? " for too long, given up" : "",
             log_quote(span_cstr(v->result->text)));
}

static void finish(struct job *j, struct relay_verdict *v, bool reported)
{
    struct queue_item *item = &j->item;
    struct queue_result *results = calloc(item->count, sizeof(*results));
    CHECK(results);

    for (size_t i = 0; i < item->count; i++) {
        enum queue_outcome o = v[i].expired ? QUEUE_FAILED : v[i].result->outcome;
        /* A failure is final only when its report is safely in the store. */
        if (!reported && o == QUEUE_FAILED)
            o = QUEUE_DEFERRED;
        results[i] = (struct queue_result){.index = v[i].recipient->index,
                                           .outcome = o,
                                           .text = span_cstr(v[i].result->text),
                                           .delay_notified = v[i].delay_notified};
    }
    int64_t next = clock_seconds() + pause_seconds(j->relay->child->conf, item->tries);
    int err = store_queue_done(j->relay->store, item->id, results, item->count, next);
    if (err < 0)
        log_error("queue %" PRIu64 ": its result could not be stored (%s); it will be tried again",
                  item->id, strerror(-err));
    free(results);
}

static void run_job(void *arg)
{
    struct job *j = arg;
    struct relay *r = j->relay;
    struct queue_item *item = &j->item;
    size_t n = item->count;
    struct smtp_recipient_result *results = calloc(n ? n : 1, sizeof(*results));
    struct relay_verdict *v = calloc(n ? n : 1, sizeof(*v));
    int64_t oldest = clock_seconds() - (int64_t)r->child->conf->queue_days * SECONDS_A_DAY;
    FD_AUTO body = -1;

    CHECK(results && v);
    int err = store_queue_body(r->store, item->id, &body);
    if (err < 0) {
        log_error("queue %" PRIu64 ": its message cannot be read (%s)", item->id, strerror(-err));
        store_queue_done(r->store, item->id, NULL, 0,
                         clock_seconds() + pause_seconds(r->child->conf, item->tries));
    } else {
        relay_deliver(r, item, body, results);
        for (size_t i = 0; i < n; i++) {
            v[i] = (struct relay_verdict){.recipient = &item->recipients[i],
                                          .result = &results[i],
                                          .delay_notified = item->recipients[i].delay_notified};
            v[i].expired = results[i].outcome == QUEUE_DEFERRED && item->queued_seconds < oldest;
            trace(item, &v[i]);
            count(r, &v[i]);
        }
        finish(j, v, relay_report(r, item, body, v, n) == 0);
    }
    free(v);
    free(results);
    arena_free(j->arena);
    free(j);
    r->active--;
    fiber_cond_broadcast(&r->work);
}

/* One more item under way; false: none is due, and the next one is at *ret_due (0: none). */
static bool start_one(struct relay *r, int64_t *ret_due)
{
    struct job *j = calloc(1, sizeof(*j));
    CHECK(j);
    j->relay = r;
    j->arena = arena_new(ITEM_ARENA_MAX);
    int err = store_queue_lease(r->store, j->arena, &j->item, ret_due);
    if (err == 0) {
        r->active++;
        fiber_start(r->child->loop, run_job, j, "delivery");
        return true;
    }
    if (err != -EAGAIN) /* stored is away: look again soon */
        *ret_due = clock_seconds() + 1;
    arena_free(j->arena);
    free(j);
    return false;
}

void relay_dispatch(void *arg)
{
    struct relay *r = arg;

    for (;;) {
        int64_t due = 0;
        while (r->active < r->child->conf->outbound_connections && start_one(r, &due))
            ;
        uint64_t wait = POLL_MS;
        int64_t now = clock_seconds();
        if (due && due <= now)
            wait = 1000;
        else if (due && (uint64_t)(due - now) * 1000 < wait)
            wait = (uint64_t)(due - now) * 1000;
        fiber_cond_wait(&r->work, wait);
    }
}
