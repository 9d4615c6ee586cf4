/* worker.c: listening, connection control, and what the sessions of one process share. */
#include "line/engine.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/map.h"
#include "ipc/tally.h"
#include "tls/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_TURN = 64,
    REST_MS = 2000, /* looks that often whether connections have become few: */
    REST_OPENED = 20,
};

struct listener {
    struct list in_worker;
    struct worker *worker;
    int fd;
    unsigned burst; /* so many connections are taken at once */
    uint64_t last_ms;
    struct watch *watch;
    char vserver[64];
    const struct conf_endpoint *endpoint; /* in worker->conf */
    bool waiting;                         /* for a certificate */
};

/* ------------------------------------------------------------------ configurations */

static struct held_conf *held_conf_new(struct worker *w, const struct conf *c)
{
    struct held_conf *h = calloc(1, sizeof(*h));
    struct buf bytes BUF_AUTO = BUF(64 << 20);

    CHECK(h);
    conf_wr(c, &bytes);
    h->conf = conf_rd(buf_span(&bytes));
    CHECK(h->conf);
    h->refs = 1;
    list_append(&w->confs, &h->in_worker);
    return h;
}

static void held_conf_unref(struct held_conf *h)
{
    if (--h->refs)
        return;
    list_remove(&h->in_worker);
    conf_free(h->conf);
    free(h);
}

static struct held_conf *newest_conf(struct worker *w)
{
    return list_item(w->confs.prev, struct held_conf, in_worker);
}

/* ------------------------------------------------------------------ virtual servers */

struct worker_vserver *worker_vserver(struct worker *w, const char *name)
{
    for (unsigned i = 0; i < w->vserver_count; i++)
        if (strcmp(w->vservers[i]->name, name) == 0)
            return w->vservers[i];
    return NULL;
}

static void vserver_free(struct worker_vserver *v)
{
    tls_context_unref(v->tls);
    buf_done(&v->trust);
    free(v);
}

/* The list comes from certd, perhaps before the configuration that asks for it. */
static void apply_trust(struct worker_vserver *v)
{
    struct err e = {""};
    struct span pem = buf_span(&v->trust);

    if (span_find_span(pem, SPAN("-----BEGIN ")) == SPAN_NONE)
        pem = SPAN_EMPTY; /* certd says that there is nobody to trust */
    if (!v->conf || v->conf->client_certificates == CLIENT_CERTIFICATES_IGNORE || !v->trust.n)
        return;
    if (tls_context_trust(v->tls, pem, v->trust_epoch, &e) < 0)
        log_error("%s: the trust list cannot be used: %s", v->name, e.text);
    else
        log_info("%s: a trust list for client certificates", v->name);
}

void worker_trust(struct worker_vserver *v, struct span pem, uint64_t epoch)
{
    buf_done(&v->trust);
    buf_init(&v->trust, WORKER_TRUST_MAX);
    buf_put_span(&v->trust, pem);
    v->trust_epoch = epoch;
    apply_trust(v);
}

/* The rows of the new configuration, in its order; running counters and contexts go on by name. */
static void take_vservers(struct worker *w)
{
    const struct conf *c = w->conf;
    unsigned most = c->vserver_count + w->vserver_count, n = 0;
    struct worker_vserver **rows = calloc(most ? most : 1, sizeof(struct worker_vserver *));

    CHECK(rows);
    for (unsigned i = 0; i < c->vserver_count; i++) {
        const struct conf_vserver *vc = &c->vservers[i];
        struct worker_vserver *v = worker_vserver(w, vc->name), *old = v;
        if (!v) {
            v = calloc(1, sizeof(*v));
            CHECK(v);
            snprintf(v->name, sizeof(v->name), "%s", vc->name);
        }
        bool same = old && old->protocol == w->protocols[vc->protocol];
        v->protocol = w->protocols[vc->protocol];
        if (!same || old->conf == NULL || old->conf->tls_min != vc->tls_min ||
            old->conf->client_certificates != vc->client_certificates) {
            struct tls_context *before = v->tls;
            v->tls = tls_context_new(vc, v->protocol ? v->protocol->alpn : NULL, false);
            if (before)
                tls_context_take_identities(v->tls, before);
            tls_context_unref(before);
        }
        v->conf = vc;
        if (!tls_context_asks_clients(v->tls)) /* a new context, or asked from now on */
            apply_trust(v);
        rows[n++] = v;
    }
    for (unsigned i = 0; i < w->vserver_count; i++) {
        struct worker_vserver *v = w->vservers[i];
        if (conf_vserver_by_name(c, v->name))
            continue;
        v->conf = NULL;
        if (v->sessions)
            rows[n++] = v;
        else
            vserver_free(v);
    }
    free(w->vservers);
    w->vservers = rows;
    w->vserver_count = n;
}

static void drop_gone_vservers(struct worker *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w->vserver_count; i++) {
        struct worker_vserver *v = w->vservers[i];
        if (v->conf || v->sessions)
            w->vservers[n++] = v;
        else
            vserver_free(v);
    }
    w->vserver_count = n;
}

/* ------------------------------------------------------------------ connection control */

static void peer_address(const struct sockaddr_storage *from, struct in6_addr *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (from->ss_family == AF_INET6) {
        *ret = ((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
    } else {
        ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
        if (from->ss_family == AF_INET)
            memcpy(ret->s6_addr + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr,
                   4);
        else /* a socketpair: taken as loopback */
            memcpy(ret->s6_addr + 12, "\x7f\x00\x00\x01", 4);
    }
}

static struct span address_key(const struct in6_addr *a)
{
    return span_of(a->s6_addr, sizeof(a->s6_addr));
}

static uintptr_t address_count(struct worker *w, const struct in6_addr *a)
{
    return (uintptr_t)map_get(w->by_address, address_key(a));
}

static void address_count_change(struct worker *w, const struct in6_addr *a, bool more)
{
    uintptr_t n = address_count(w, a) + (more ? 1 : -1);

    if (w->by_address_all && more)
        tally_add(w->by_address_all, a);
    else if (w->by_address_all)
        tally_remove(w->by_address_all, a);
    if (n)
        map_set(w->by_address, address_key(a), (void *)n);
    else
        map_remove(w->by_address, address_key(a));
}

/* Here and at the other workers. */
static uintptr_t address_count_all(struct worker *w, const struct in6_addr *a)
{
    return address_count(w, a) + (w->by_address_all ? tally_others(w->by_address_all, a) : 0);
}

enum admission { ADMIT, ADMIT_AS_BUSY, ADMIT_NOT };

/* Limits are of all workers together: this one's share, rounded up. */
static uint32_t share(const struct worker *w, uint32_t limit)
{
    return w->instances > 1 ? (limit + w->instances - 1) / w->instances : limit;
}

static enum admission admit(struct worker *w, const struct worker_vserver *v,
                            const struct in6_addr *peer, bool trusted)
{
    const struct conf_vserver *c = v->conf;

    if (conf_networks_match(&c->deny, peer) ||
        (c->allow.n && !conf_networks_match(&c->allow, peer)))
        return ADMIT_NOT;
    if (w->draining || v->stopped)
        return ADMIT_NOT;
    if (v->sessions >= share(w, c->limits.connections))
        return v->sessions >= 2 * share(w, c->limits.connections) ? ADMIT_NOT : ADMIT_AS_BUSY;
    if (!trusted && address_count_all(w, peer) >= c->limits.connections_per_address)
        return address_count_all(w, peer) >= 2 * (uintptr_t)c->limits.connections_per_address
                   ? ADMIT_NOT
                   : ADMIT_AS_BUSY;
    return ADMIT;
}

/* Where clear is accepted anything may be said in it; elsewhere the protocol knows what may. */
static bool (*plain_grammar(const struct worker_vserver *v,
                            const struct conf_endpoint *e))(struct span line)
{
    return e->policy == POLICY_OPPORTUNISTIC && !v->conf->require_secure_channel
               ? NULL
               : v->protocol->plain_allowed;
}

static void on_rest(void *arg)
{
    struct worker *w = arg;
    bool busy = w->opened >= REST_OPENED;

    w->opened = 0;
    w->rest_awaited = busy;
    if (busy)
        timer_start(w->rest_timer, REST_MS);
    else
        tls_memory_rest();
}

/* Memory that many handshakes have left behind is worth giving back when they are over. */
static void opened_one(struct worker *w)
{
    w->opened++;
    if (w->rest_awaited)
        return;
    if (!w->rest_timer)
        w->rest_timer = timer_new(w->loop, on_rest, w);
    w->rest_awaited = true;
    timer_start(w->rest_timer, REST_MS);
}

static struct session *open_session(struct worker *w, struct worker_vserver *v,
                                    const struct conf_endpoint *endpoint, int take_fd,
                                    bool accepted, const struct sockaddr_storage *peer,
                                    const enum tls_slot *probe)
{
    struct in6_addr address;
    peer_address(peer, &address);
    bool trusted = conf_networks_match(&w->conf->trusted, &address);
    enum admission a = probe ? ADMIT : admit(w, v, &address, trusted);

    if (a != ADMIT)
        v->refused++;
    if (a == ADMIT_NOT) {
        close(take_fd);
        return NULL;
    }
    struct conn_params p = {
        .loop = w->loop,
        .vserver = v->conf,
        .endpoint = endpoint,
        .tls = v->tls,
        .slot = probe ? *probe : TLS_SLOT_CURRENT,
        .plain_allowed = plain_grammar(v, endpoint),
        .in_max = (size_t)v->conf->limits.line_bytes + (64 << 10),
        .out_max = v->conf->limits.session_bytes,
        .write_timeout_ms = UINT64_C(1000) * v->conf->limits.write_timeout,
        .accepted = accepted,
        .peer = *peer,
    };
    struct conn *c = conn_new(take_fd, &p);
    if (!c)
        return NULL;
    v->accepted++;
    opened_one(w);
    address_count_change(w, &address, true);
    struct session *s =
        session_new(w, v, newest_conf(w), endpoint, c, &address, trusted, a == ADMIT_AS_BUSY);
    session_start(s);
    return s;
}

void session_left(struct worker *w, struct worker_vserver *v, const struct in6_addr *peer,
                  struct held_conf *h)
{
    address_count_change(w, peer, false);
    w->session_count--;
    v->sessions--;
    if (!v->conf && v->sessions == 0)
        drop_gone_vservers(w);
    held_conf_unref(h);
    if (w->draining && w->session_count == 0 && w->drained) {
        void (*done)(void *) = w->drained;
        w->drained = NULL;
        done(w->drained_arg);
    }
}

/* ------------------------------------------------------------------ listening */

static bool may_accept(const struct listener *l, const struct worker_vserver *v)
{
    return tls_context_has_identity(v->tls) || l->endpoint->policy == POLICY_PUBLIC_HTTP;
}

static void on_connection(void *arg, int events)
{
    struct listener *l = arg;
    struct worker *w = l->worker;
    struct worker_vserver *v = worker_vserver(w, l->vserver);

    (void)events;
    if (!v || !may_accept(l, v)) {
        l->waiting = true;
        watch_set(l->watch, 0);
        return;
    }
    /* the call that finds nobody is saved while connections come one by one */
    uint64_t now = loop_now_ms(w->loop);
    l->burst = now - l->last_ms > 1              ? 1
               : l->burst < ACCEPTS_PER_TURN / 2 ? 2 * l->burst
                                                 : ACCEPTS_PER_TURN;
    l->last_ms = now;
    for (unsigned i = 0; i < l->burst; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t n = sizeof(peer);
        int fd = accept4(l->fd, (struct sockaddr *)&peer, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
                log_error("%s: accept on %s port %u: %s", v->name, l->endpoint->address,
                          l->endpoint->port, strerror(errno));
            l->burst = 1;
            return;
        }
        open_session(w, v, l->endpoint, fd, true, &peer, NULL);
    }
}

static void listener_free(struct listener *l)
{
    watch_free(l->watch);
    close(l->fd);
    list_remove(&l->in_worker);
    free(l);
}

void worker_listen(struct worker *w, unsigned vserver, unsigned endpoint, int take_fd)
{
    if (vserver >= w->conf->vserver_count ||
        endpoint >= w->conf->vservers[vserver].endpoint_count || !w->vservers[vserver]->protocol) {
        log_error("a listening socket for an endpoint that does not exist (%u/%u)", vserver,
                  endpoint);
        close(take_fd);
        return;
    }
    const struct conf_endpoint *e = &w->conf->vservers[vserver].endpoints[endpoint];
    list_for_each (&w->listeners, struct listener, in_worker, old)
        if (old->endpoint == e)
            listener_free(old);
    struct listener *l = calloc(1, sizeof(*l));
    CHECK(l);
    l->worker = w;
    l->fd = take_fd;
    l->endpoint = e;
    snprintf(l->vserver, sizeof(l->vserver), "%s", w->conf->vservers[vserver].name);
    fd_nonblock(take_fd);
    l->watch = watch_new(w->loop, take_fd, on_connection, l);
    l->waiting = !may_accept(l, w->vservers[vserver]);
    watch_set(l->watch, l->waiting ? 0 : WATCH_READ);
    list_append(&w->listeners, &l->in_worker);
}

void worker_identities(struct worker *w)
{
    list_for_each (&w->listeners, struct listener, in_worker, l) {
        struct worker_vserver *v = worker_vserver(w, l->vserver);
        if (!l->waiting || !v || !may_accept(l, v))
            continue;
        l->waiting = false;
        watch_set(l->watch, WATCH_READ);
    }
}

bool worker_serving(const struct worker *w)
{
    list_for_each (&w->listeners, struct listener, in_worker, l)
        if (l->waiting)
            return false;
    return true;
}

struct session *worker_inject(struct worker *w, unsigned vserver, unsigned endpoint, int take_fd,
                              const struct sockaddr_storage *peer)
{
    if (vserver >= w->conf->vserver_count ||
        endpoint >= w->conf->vservers[vserver].endpoint_count || !w->vservers[vserver]->protocol) {
        close(take_fd);
        return NULL;
    }
    fd_nonblock(take_fd);
    return open_session(w, w->vservers[vserver], &w->conf->vservers[vserver].endpoints[endpoint],
                        take_fd, false, peer, NULL);
}

bool worker_probe(struct worker *w, const char *vserver, unsigned endpoint, enum tls_slot slot,
                  int take_fd)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNIX};
    struct worker_vserver *v = worker_vserver(w, vserver);

    if (!v || !v->conf || !v->protocol || endpoint >= v->conf->endpoint_count || w->draining) {
        close(take_fd);
        return false;
    }
    fd_nonblock(take_fd);
    return open_session(w, v, &v->conf->endpoints[endpoint], take_fd, false, &peer, &slot) != NULL;
}

/* ------------------------------------------------------------------ life */

struct worker *worker_new(struct loop *l, const struct conf *c, enum role role, unsigned instance,
                          uint32_t generation,
                          const struct protocol *const protocols[PROTOCOL_COUNT])
{
    struct worker *w = calloc(1, sizeof(*w));
    CHECK(w);
    w->loop = l;
    w->role = role;
    w->instance = instance;
    w->generation = generation;
    w->protocols = protocols;
    w->by_address = map_new();
    list_init(&w->sessions);
    list_init(&w->confs);
    list_init(&w->listeners);
    w->conf = held_conf_new(w, c)->conf;
    take_vservers(w);
    return w;
}

static const struct conf_endpoint *same_endpoint(const struct conf *c, const struct listener *l)
{
    const struct conf_vserver *v = conf_vserver_by_name(c, l->vserver);
    for (unsigned i = 0; v && v->enabled && i < v->endpoint_count; i++)
        if (v->endpoints[i].port == l->endpoint->port &&
            strcmp(v->endpoints[i].address, l->endpoint->address) == 0)
            return &v->endpoints[i];
    return NULL;
}

void worker_conf(struct worker *w, const struct conf *c)
{
    struct held_conf *old = newest_conf(w);

    w->conf = held_conf_new(w, c)->conf;
    list_for_each (&w->listeners, struct listener, in_worker, l) {
        l->endpoint = same_endpoint(w->conf, l);
        if (!l->endpoint)
            listener_free(l);
    }
    take_vservers(w);
    held_conf_unref(old);
    worker_identities(w);
}

static void on_drain_over(void *arg)
{
    struct worker *w = arg;
    if (w->drained) {
        void (*done)(void *) = w->drained;
        w->drained = NULL;
        done(w->drained_arg);
    }
}

void worker_drain(struct worker *w, uint64_t ms, void (*done)(void *arg), void *arg)
{
    w->draining = true;
    w->drained = done;
    w->drained_arg = arg;
    list_for_each (&w->listeners, struct listener, in_worker, l)
        listener_free(l);
    if (!w->drain_timer)
        w->drain_timer = timer_new(w->loop, on_drain_over, w);
    timer_start(w->drain_timer, w->session_count ? ms : 1);
    list_for_each (&w->sessions, struct session, in_worker, s)
        session_farewell(s, "the server stops");
}

void worker_confirm(struct worker *w, uint64_t account)
{
    list_for_each (&w->sessions, struct session, in_worker, s)
        if (s->user.account == account)
            session_confirm_soon(s);
}

bool worker_kill(struct worker *w, uint64_t number, const char *reason)
{
    list_for_each (&w->sessions, struct session, in_worker, s)
        if (s->number == number) {
            session_kill(s, reason);
            return true;
        }
    return false;
}

unsigned worker_drain_sessions(struct worker *w, const char *vserver, const char *serial,
                               const char *reason)
{
    unsigned n = 0;

    list_for_each (&w->sessions, struct session, in_worker, s) {
        struct conn_tls_info t = {.serial = ""};
        if (strcmp(s->vserver->name, vserver) != 0)
            continue;
        if (serial[0] && s->tls)
            conn_tls_info(s->conn, &t);
        if (serial[0] && strcmp(t.serial, serial) != 0)
            continue;
        session_farewell(s, reason);
        n++;
    }
    return n;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    CHECK(list_empty(&w->sessions));
    list_for_each (&w->listeners, struct listener, in_worker, l)
        listener_free(l);
    for (unsigned i = 0; i < w->vserver_count; i++)
        vserver_free(w->vservers[i]);
    free(w->vservers);
    list_for_each (&w->confs, struct held_conf, in_worker, h) {
        conf_free(h->conf);
        free(h);
    }
    timer_free(w->rest_timer);
    timer_free(w->drain_timer);
    map_free(w->by_address);
    tally_free(w->by_address_all);
    free(w);
}
