#include "proc/stored/stored.h"

#include "base/check.h"
#include "base/log.h"
#include <inttypes.h>
#include <stdlib.h>

enum {
    HELPER_THREADS = 4, /* the sync of a batch, a checkpoint, the next log file, compaction */
    DAY_SECONDS = 86400,
    HISTORY_DAYS_MIN = 14,
    STOP_LOOK_MS = 5,
};

struct stored {
    struct service *service;
    struct timer *stopping;
};

static struct stored *stored_of(struct child *c)
{
    return c->state;
}

void stored_open(struct child *c)
{
    struct stored *d = calloc(1, sizeof(*d));
    char boot[40];

    CHECK(d);
    c->state = d;
    loop_threads(HELPER_THREADS);
    /* The boot id is outside of what the jail shows; it is looked at once, here. */
    state_boot_id(boot);
}

/* What lies in the store is parsed inside the jail. */
void stored_begin(struct child *c)
{
    struct engine_options o = {
        .root = c->root,
        .map_bytes = c->conf->index_map_bytes,
        .log_file_bytes = c->conf->log_file_bytes,
        .change_log_seconds = (uint64_t)c->conf->change_log_days * DAY_SECONDS,
        /* Other servers offer an article for some days; it must not come back. */
        .history_seconds =
            (uint64_t)(c->conf->change_log_days > HISTORY_DAYS_MIN ? c->conf->change_log_days
                                                                   : HISTORY_DAYS_MIN) *
            DAY_SECONDS,
        .min_free_bytes = c->conf->reserve_bytes,
        .compact_percent = c->conf->compact_live_percent,
        .compact_rate = c->conf->compact_rate_bytes,
        .acl_entries = c->conf->acl_entries,
        .note_entries = c->conf->metadata_entries,
        .note_bytes = c->conf->metadata_bytes,
        .grant_secret = c->grant_secret,
    };
    struct engine *engine;
    struct err err;

    if (engine_open(&engine, &o, &err) != 0)
        child_fatal("%s", err.text);
    stored_of(c)->service = service_new(c->loop, engine);
    service_commit_late(stored_of(c)->service);
}

void stored_done(struct child *c)
{
    struct stored *d = stored_of(c);

    timer_free(d->stopping);
    /* A helper that is still at work when the time is up: the log has everything, recovery does the
     * rest. */
    if (!service_busy(d->service))
        service_free(d->service);
    free(d);
}

static void on_message(void *arg, struct msg *m)
{
    service_message(stored_of(arg)->service, m);
}

static void on_peer_gone(struct child *c, struct link *l)
{
    service_link_gone(stored_of(c)->service, l);
}

static void stop_when_idle(void *arg)
{
    struct child *c = arg;

    if (!service_busy(stored_of(c)->service))
        loop_stop(c->loop);
}

static void on_stop(struct child *c, uint64_t drain_ms)
{
    struct stored *d = stored_of(c);

    service_quiet(d->service);
    d->stopping = timer_new(c->loop, stop_when_idle, c);
    timer_repeat(d->stopping, STOP_LOOK_MS);
}

static void on_status(struct child *c, struct buf *json)
{
    struct engine *e = service_engine(stored_of(c)->service);

    buf_printf(json,
               "\"requests\":%" PRIu64 ",\"records\":%" PRIu64 ",\"batches\":%" PRIu64
               ",\"log_bytes\":%" PRIu64 ",\"log_files\":%zu,\"checkpoints\":%" PRIu64
               ",\"replayed\":%" PRIu64 ",\"repeats\":%" PRIu64 ",\"failed\":%s",
               e->stats.requests, e->stats.records, e->stats.batches, e->stats.bytes,
               e->journal.file_count, e->stats.checkpoints, e->stats.replayed, e->stats.repeats,
               e->failed ? "true" : "false");
}

static void on_metrics(struct child *c, struct buf *text)
{
    struct engine *e = service_engine(stored_of(c)->service);

    buf_printf(text,
               "sealpost_store_requests_total %" PRIu64 "\nsealpost_store_records_total %" PRIu64
               "\nsealpost_store_batches_total %" PRIu64 "\nsealpost_store_log_bytes_total %" PRIu64
               "\nsealpost_store_log_files %zu\nsealpost_store_checkpoints_total %" PRIu64
               "\nsealpost_store_failed %d\n",
               e->stats.requests, e->stats.records, e->stats.batches, e->stats.bytes,
               e->journal.file_count, e->stats.checkpoints, e->failed);
}

#define X(name) {MSG_##name, on_message, false},
/* clang-format off */
static const struct msg_handler handlers[] = {
    SERVICE_MESSAGES(X)
    {0, NULL, false},
};
/* clang-format on */
#undef X

const struct child_ops stored_ops = {
    .handlers = handlers,
    .on_peer_gone = on_peer_gone,
    .on_stop = on_stop,
    .on_status = on_status,
    .on_metrics = on_metrics,
};
