/* relayd.c: what relayd is made of, and its peers. */
#include "proc/relayd/relayd.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/map.h"
#include "base/random.h"
#include "pki/key.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROOTS_WAIT_MS = 5000,
    TRUST_MAX_BYTES = 4 << 20,
    CONF_MAX_BYTES = 16 << 20,
    RELOAD_DRAIN_MS = 20000
};
#define SYSTEM_TRUST "/etc/ssl/certs/ca-certificates.crt"

static struct relay *relay_of(struct child *c)
{
    return c->state;
}

static struct link *keyd_link(void *arg)
{
    return child_peer(arg, ROLE_KEYD);
}

/* A connector's own CA certificates, instead of the machine's. */
static void read_connector_trust(struct route_secret *s, const struct conf_connector *k)
{
    struct buf pem BUF_AUTO = BUF(TRUST_MAX_BYTES);
    struct err e = {""};

    if (file_read(AT_FDCWD, k->tls_ca_file, TRUST_MAX_BYTES / 2, &pem, &e) == 0)
        s->tls = tls_client_context_new(buf_span(&pem), &e);
    if (!s->tls)
        log_error("connector %s: the certificates in %s cannot be read; mail over it will wait: %s",
                  k->name, k->tls_ca_file, e.text);
}

/* One line in a file that nobody but this process' user needs to read. */
static void read_connector_password(struct route_secret *s, const struct conf_connector *k)
{
    struct buf text BUF_AUTO = BUF(300);
    struct err e = {""};

    if (file_read(AT_FDCWD, k->password_file, 256, &text, &e) < 0 ||
        !span_to_cstr(span_trim(buf_span(&text)), s->password, sizeof(s->password)) ||
        !s->password[0]) {
        s->password[0] = 0;
        log_error("connector %s: the password in %s cannot be read; mail over it will wait: %s",
                  k->name, k->password_file, e.text);
    }
    secret_wipe(text.p, text.n);
}

static void read_secrets(struct relay *r)
{
    const struct conf *conf = r->conf;

    r->secrets = calloc(conf->connector_count ? conf->connector_count : 1, sizeof(*r->secrets));
    CHECK(r->secrets);
    for (uint32_t i = 0; i < conf->connector_count; i++) {
        const struct conf_connector *k = &conf->connectors[i];
        struct route_secret *s = &r->secrets[r->secret_count++];

        snprintf(s->connector, sizeof(s->connector), "%s", k->name);
        if (k->user[0])
            read_connector_password(s, k);
        if (k->tls_ca_file[0])
            read_connector_trust(s, k);
    }
}

static void name_roots(const struct child *c, char ret[320])
{
    snprintf(ret, 320, "%s/ca/root.pem", c->root);
}

/* Which file it is now. The jail forbids to read it, not to ask for it. */
static struct stat roots_now(const struct child *c)
{
    char own[320];
    struct stat st;

    name_roots(c, own);
    if (stat(own, &st) < 0)
        memset(&st, 0, sizeof(st));
    return st;
}

static void read_trust(struct relay *r, struct child *c)
{
    struct buf pem BUF_AUTO = BUF(TRUST_MAX_BYTES);
    struct err e = {""};
    char own[320];

    name_roots(c, own);
    r->roots = roots_now(c);
    file_read(AT_FDCWD, SYSTEM_TRUST, TRUST_MAX_BYTES / 2, &pem, &e);
    file_read(AT_FDCWD, own, 65536, &pem, &e);
    r->tls = tls_client_context_new(buf_span(&pem), &e);
    if (!r->tls)
        child_fatal("no TLS for outgoing mail: %s", e.text);
}

static void write_conf(const struct conf *c, struct buf *out)
{
    conf_wr(c, out);
    CHECK(!out->overflow);
}

static const struct conf *copy_conf(const struct conf *c)
{
    struct buf bytes BUF_AUTO = BUF(CONF_MAX_BYTES);
    write_conf(c, &bytes);
    const struct conf *copy = conf_rd(buf_span(&bytes));
    CHECK(copy);
    return copy;
}

void relay_open(struct child *c)
{
    struct relay *r = calloc(1, sizeof(*r));
    struct err e;

    CHECK(r);
    r->child = c;
    c->state = r;
    r->conf = copy_conf(c->conf);
    r->domains = map_new();
    r->items = map64_new();
    r->resolver = resolver_new(c->loop, r->conf->dns_servers.v, r->conf->dns_servers.n,
                               r->conf->dns_trust_anchor, &e);
    if (!r->resolver)
        child_fatal("%s", e.text);
    read_secrets(r);
    key_provider_init(keyd_link, c);
    read_trust(r, c);
    r->store = store_open(c->loop, NULL, 0, r->conf->ring_bytes, r->conf->spool_bytes);
    if (!r->store)
        child_fatal("no room for messages in flight");
    r->auth = auth_client_new();
}

static void on_queue(void *arg)
{
    relay_kick(arg);
}

static void on_ready(struct child *c)
{
    struct relay *r = relay_of(c);
    store_on_queue(r->store, on_queue, r);
    fiber_start(c->loop, relay_dispatch, r, "dispatch");
}

static void on_peer(struct child *c, struct link *l)
{
    struct relay *r = relay_of(c);
    if (link_peer(l) == ROLE_STORED) {
        store_attach(r->store, l);
        relay_kick(r);
    } else if (link_peer(l) == ROLE_AUTHD) {
        auth_client_attach(r->auth, l);
    }
}

static void on_peer_gone(struct child *c, struct link *l)
{
    struct relay *r = relay_of(c);
    if (link_peer(l) == ROLE_STORED)
        store_attach(r->store, NULL);
    else if (link_peer(l) == ROLE_AUTHD)
        auth_client_attach(r->auth, NULL);
}

/* Handlers of the store's client, called with the store. */
static void to_store(void *arg, struct msg *m)
{
    struct relay *r = relay_of(arg);
    for (const struct msg_handler *h = store_client_handlers; h->fn; h++)
        if (h->id == m->id) {
            h->fn(r->store, m);
            return;
        }
}

/* What is under way may end; what ends before its reply came is tried again after the start. */
static void drain(void *arg)
{
    struct relay *r = arg;
    uint64_t until = clock_mono_ms() + r->drain_ms, now;

    while (r->active && (now = clock_mono_ms()) < until)
        fiber_cond_wait(&r->work, until - now);
    loop_stop(r->child->loop);
}

static void on_stop(struct child *c, uint64_t drain_ms)
{
    struct relay *r = relay_of(c);
    if (r->stopping)
        return;
    r->stopping = true;
    r->drain_ms = drain_ms;
    fiber_start(c->loop, drain, r, "drain");
}

/* Passwords, CA certificates and the resolver were made before the jail: another configuration
 * needs another process, and the supervisor starts it when this one has come to its end. */
static void on_conf(struct child *c, const struct conf *old)
{
    struct relay *r = relay_of(c);
    struct buf now BUF_AUTO = BUF(CONF_MAX_BYTES), before BUF_AUTO = BUF(CONF_MAX_BYTES);

    (void)old;
    write_conf(c->conf, &now);
    write_conf(r->conf, &before);
    if (span_eq(buf_span(&now), buf_span(&before)))
        return;
    log_info("another configuration: starting anew when %u messages are done", r->active);
    on_stop(c, RELOAD_DRAIN_MS);
}

/* We were started before the CA was made; the jail forbids the file, certd has the same. suspends */
static bool take_first_roots(struct relay *r)
{
    struct buf pem BUF_AUTO = BUF(TRUST_MAX_BYTES);
    struct stat now = roots_now(r->child);
    struct err e = {""};
    int rc;

    if (now.st_ino == 0)
        return false;
    rc = link_call(child_peer(r->child, ROLE_CERTD), MSG_CERT_CA_PEM, SPAN_EMPTY, NULL, 0,
                   ROOTS_WAIT_MS, &pem, NULL);
    if (rc < 0) /* certd does not have it yet, or is away */
        return false;
    r->roots = now;
    if (tls_client_context_trust_more(r->tls, buf_span(&pem), &e) < 0)
        log_error("the root of our own CA cannot be trusted: %s", e.text);
    else
        log_info("the root of our own CA is there: servers that it has certified are trusted");
    return true;
}

bool relay_follow_roots(struct relay *r)
{
    struct stat now;

    if (r->stopping || (r->roots.st_ino == 0 && !take_first_roots(r)))
        return r->stopping;
    now = roots_now(r->child);
    if (now.st_ino == 0 ||
        (now.st_ino == r->roots.st_ino && now.st_mtim.tv_sec == r->roots.st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == r->roots.st_mtim.tv_nsec))
        return true;
    log_info("our own CA has other roots: starting anew when %u messages are done", r->active);
    on_stop(r->child, RELOAD_DRAIN_MS);
    return true;
}

/* X(name, value, what Prometheus calls it) */
#define NUMBERS(X)                                                                                 \
    X("active", r->active, "sealpost_outgoing_active")                                             \
    X("open", r->connections_open, "sealpost_outgoing_connections_open")                           \
    X("delivered", r->count.delivered, "sealpost_outgoing_delivered_total")                        \
    X("failed", r->count.failed, "sealpost_outgoing_failed_total")                                 \
    X("expired", r->count.expired, "sealpost_outgoing_expired_total")                              \
    X("deferred", r->count.deferred, "sealpost_outgoing_deferred_total")                           \
    X("connections", r->count.connections, "sealpost_outgoing_connections_total")                  \
    X("unreachable", r->count.unreachable, "sealpost_outgoing_unreachable_total")                  \
    X("plain", r->count.plain, "sealpost_outgoing_plaintext_connections_total")                    \
    X("tls", r->count.tls, "sealpost_outgoing_tls_connections_total")                              \
    X("tls_verified", r->count.tls_verified, "sealpost_outgoing_tls_verified_total")               \
    X("tls_failed", r->count.tls_failed, "sealpost_outgoing_tls_failures_total")                   \
    X("reports_failed", r->count.reports[REPORT_FAILED],                                           \
      "sealpost_outgoing_reports_total{action=\"failed\"}")                                        \
    X("reports_delayed", r->count.reports[REPORT_DELAYED],                                         \
      "sealpost_outgoing_reports_total{action=\"delayed\"}")                                       \
    X("reports_relayed", r->count.reports[REPORT_RELAYED],                                         \
      "sealpost_outgoing_reports_total{action=\"relayed\"}")                                       \
    X("reports_delivered", r->count.reports[REPORT_DELIVERED],                                     \
      "sealpost_outgoing_reports_total{action=\"delivered\"}")                                     \
    X("reports_held", r->count.reports_failed, "sealpost_outgoing_reports_held_total")

static void on_status(struct child *c, struct buf *json)
{
    struct relay *r = relay_of(c);
    const char *between = "";
#define X(name, value, metric)                                                                     \
    buf_printf(json, "%s\"" name "\":%" PRIu64, between, (uint64_t)(value));                       \
    between = ",";
    NUMBERS(X)
#undef X
}

static void put_metric(struct buf *text, const char *name, uint64_t value)
{
    struct span stem = span_cstr(name);
    size_t brace = span_find(stem, '{');

    if (brace != SPAN_NONE)
        stem = span_head(stem, brace);
    buf_printf(text, "# TYPE %.*s %s\n%s %" PRIu64 "\n", SPAN_ARG(stem),
               span_ends_nocase(stem, SPAN("_total")) ? "counter" : "gauge", name, value);
}

static void on_metrics(struct child *c, struct buf *text)
{
    struct relay *r = relay_of(c);
#define X(name, value, metric) put_metric(text, metric, (uint64_t)(value));
    NUMBERS(X)
#undef X
}

static const struct msg_handler handlers[] = {
    {MSG_STORE_QUEUE_DUE, to_store,       false},
    {MSG_CERT_ALARM,      msg_cert_alarm, true },
    {0,                   NULL,           false},
};

const struct child_ops relayd_ops = {
    .handlers = handlers,
    .on_ready = on_ready,
    .on_peer = on_peer,
    .on_peer_gone = on_peer_gone,
    .on_conf = on_conf,
    .on_stop = on_stop,
    .on_status = on_status,
    .on_metrics = on_metrics,
};
