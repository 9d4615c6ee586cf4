#include "proc/searchd/searchd.h"

#include "base/check.h"
#include "search/searcher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    RING_BYTES = 64 << 10,   /* nothing is written through it, but every reader has one */
    STACK_BYTES = 256 << 10, /* SQLite wants more than a session */
    STACKS = 16,
    REPLY_MAX = 128 << 10,
    STOP_LOOK_MS = 5,
};

struct searchd {
    struct store *store;
    struct searcher *searcher;
    struct timer *stopping;
};

static struct searchd *searchd_of(struct child *c)
{
    return c->state;
}

void searchd_open(struct child *c)
{
    struct searchd *d = calloc(1, sizeof(*d));

    CHECK(d);
    c->state = d;
    fiber_config(STACK_BYTES, STACKS);
    d->store = store_open(c->loop, c->root, c->conf->index_map_bytes, RING_BYTES, 0);
    if (!d->store)
        child_fatal("the store below %s cannot be opened", c->root);
}

static enum search_policy policy_of(const struct conf *c)
{
    static const enum search_policy policies[] = {
        [SEARCH_INDEX_OF_USED] = SEARCH_POLICY_USED,
        [SEARCH_INDEX_OF_ALL] = SEARCH_POLICY_ALWAYS,
        [SEARCH_INDEX_OF_NONE] = SEARCH_POLICY_NEVER,
    };
    return policies[c->search_index];
}

void searchd_begin(struct child *c)
{
    struct searchd *d = searchd_of(c);
    char folder[sizeof(c->root) + 16];

    snprintf(folder, sizeof(folder), "%s/search", c->root);
    d->searcher = searcher_new(&(struct searcher_options){
        .loop = c->loop,
        .store = d->store,
        .folder = folder,
        .min_free_bytes = c->conf->reserve_bytes,
        .policy = policy_of(c->conf),
        .days = c->conf->search_index_days,
    });
}

static void on_conf(struct child *c, const struct conf *old)
{
    searcher_policy(searchd_of(c)->searcher, policy_of(c->conf), c->conf->search_index_days);
}

void searchd_done(struct child *c)
{
    struct searchd *d = searchd_of(c);

    timer_free(d->stopping);
    /* what is under way when the time is up is done again at the next start */
    if (searcher_idle(d->searcher)) {
        searcher_free(d->searcher);
        store_close(d->store);
        free(d);
    }
}

static void on_peer(struct child *c, struct link *l)
{
    if (link_peer(l) == ROLE_STORED)
        store_attach(searchd_of(c)->store, l);
}

static void on_peer_gone(struct child *c, struct link *l)
{
    if (link_peer(l) == ROLE_STORED)
        store_attach(searchd_of(c)->store, NULL);
}

static void stop_when_idle(void *arg)
{
    struct child *c = arg;

    if (searcher_idle(searchd_of(c)->searcher))
        loop_stop(c->loop);
}

static void on_stop(struct child *c, uint64_t drain_ms)
{
    struct searchd *d = searchd_of(c);

    searcher_stop(d->searcher);
    d->stopping = timer_new(c->loop, stop_when_idle, c);
    timer_repeat(d->stopping, STOP_LOOK_MS);
}

static void on_status(struct child *c, struct buf *json)
{
    struct searcher_counts n = searcher_counts(searchd_of(c)->searcher);

    buf_printf(json,
               "\"queries\":%" PRIu64 ",\"misses\":%" PRIu64 ",\"messages\":%" PRIu64
               ",\"batches\":%" PRIu64 ",\"waiting\":%" PRIu64 ",\"in_use\":%" PRIu64
               ",\"walking\":%s,\"paused\":%s,\"damaged\":%" PRIu64 ",\"rebuilt\":%" PRIu64,
               n.queries, n.misses, n.messages, n.batches, n.waiting, n.in_use,
               n.walking ? "true" : "false", n.paused ? "true" : "false", n.damaged, n.rebuilt);
}

static void on_metrics(struct child *c, struct buf *text)
{
    struct searcher_counts n = searcher_counts(searchd_of(c)->searcher);

    buf_printf(text,
               "sealpost_search_queries_total %" PRIu64 "\nsealpost_search_misses_total %" PRIu64
               "\nsealpost_search_messages_total %" PRIu64 "\nsealpost_search_waiting %" PRIu64
               "\nsealpost_search_paused %d\n"
               "sealpost_search_damaged_total %" PRIu64 "\n",
               n.queries, n.misses, n.messages, n.waiting, n.paused, n.damaged);
}

static void msg_find(void *arg, struct msg *m)
{
    struct buf reply BUF_AUTO = BUF(REPLY_MAX);
    uint64_t link = link_id(m->link);
    struct search_find f;

    if (!rd_search_find(m->body, &f)) {
        msg_reply(m, -EINVAL, SPAN_EMPTY);
        return;
    }
    searcher_find(searchd_of(arg)->searcher, &f, &reply);
    link_reply(link, m->id, m->call, 0, buf_span(&reply), NULL, 0);
}

static void msg_index(void *arg, struct msg *m)
{
    struct buf json BUF_AUTO = BUF(4096);
    uint64_t link = link_id(m->link), account;
    enum search_op_index op;
    int e = -EINVAL;

    if (rd_search_index(m->body, &op, &account))
        e = searcher_index(searchd_of(arg)->searcher, op, account, &json);
    link_reply(link, m->id, m->call, e, e < 0 ? SPAN_EMPTY : buf_span(&json), NULL, 0);
}

static void to_store(void *arg, struct msg *m)
{
    store_message(searchd_of(arg)->store, m);
}

static const struct msg_handler handlers[] = {
    {MSG_SEARCH_FIND,      msg_find,  true },
    {MSG_SEARCH_INDEX,     msg_index, true },
    {MSG_STORE_FILES,      to_store,  false},
    {MSG_STORE_FILES_GONE, to_store,  false},
    {MSG_STORE_CHANGED,    to_store,  false},
    {0,                    NULL,      false},
};

const struct child_ops searchd_ops = {
    .handlers = handlers,
    .on_peer = on_peer,
    .on_peer_gone = on_peer_gone,
    .on_conf = on_conf,
    .on_stop = on_stop,
    .on_status = on_status,
    .on_metrics = on_metrics,
};
