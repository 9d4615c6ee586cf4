/* relayd.c: what relayd is made of, and its peers. */
#include "proc/relayd/relayd.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/map.h"
#include "pki/key.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRUST_MAX_BYTES = 4 << 20 };
#define SYSTEM_TRUST "/etc/ssl/certs/ca-certificates.crt"

static struct relay *relay_of(struct child *c)
{
    return c->state;
}

static struct link *keyd_link(void *arg)
{
    return child_peer(arg, ROLE_KEYD);
}

/* Passwords of connectors: one line in a file of root's. */
static void read_secrets(struct relay *r, const struct conf *conf)
{
    r->secrets = calloc(conf->connector_count ? conf->connector_count : 1, sizeof(*r->secrets));
    CHECK(r->secrets);
    for (uint32_t i = 0; i < conf->connector_count; i++) {
        const struct conf_connector *k = &conf->connectors[i];
        struct buf text BUF_AUTO = BUF(300);
        struct err e;
        struct secret *s = &r->secrets[r->secret_count];

        if (!k->user[0])
            continue;
        if (file_read(AT_FDCWD, k->password_file, 256, &text, &e) < 0 ||
            !span_to_cstr(span_trim(buf_span(&text)), s->password, sizeof(s->password))) {
            log_error("connector %s: the password in %s cannot be read; mail over it will wait",
                      k->name, k->password_file);
            continue;
        }
        snprintf(s->connector, sizeof(s->connector), "%s", k->name);
        r->secret_count++;
    }
}

static void read_trust(struct relay *r, struct child *c)
{
    struct buf pem BUF_AUTO = BUF(TRUST_MAX_BYTES);
    struct err e = {""};
    char own[320];

    snprintf(own, sizeof(own), "%s/ca/root.pem", c->root);
    file_read(AT_FDCWD, SYSTEM_TRUST, TRUST_MAX_BYTES / 2, &pem, &e);
    file_read(AT_FDCWD, own, 65536, &pem, &e);
    r->tls = tls_client_context_new(buf_span(&pem), &e);
    if (!r->tls)
        child_fatal("no TLS for outgoing mail: %s", e.text);
}

void relay_open(struct child *c)
{
    struct relay *r = calloc(1, sizeof(*r));
    struct err e;

    CHECK(r);
    r->child = c;
    c->state = r;
    r->busy_domains = map_new();
    r->resolver = resolver_new(c->loop, c->conf->dns_servers.v, c->conf->dns_servers.n,
                               c->conf->dns_trust_anchor, &e);
    if (!r->resolver)
        child_fatal("%s", e.text);
    read_secrets(r, c->conf);
    key_provider_init(keyd_link, c);
    read_trust(r, c);
    r->store = store_open(c->loop, NULL, 0, c->conf->ring_bytes, c->conf->spool_bytes);
    if (!r->store)
        child_fatal("no room for messages in flight");
    r->auth = auth_client_new();
}

static void on_queue(void *arg)
{
    struct relay *r = arg;
    fiber_cond_broadcast(&r->work);
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
        fiber_cond_broadcast(&r->work);
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

static void on_status(struct child *c, struct buf *json)
{
    struct relay *r = relay_of(c);
    buf_printf(json,
               "\"active\":%u,\"delivered\":%" PRIu64 ",\"failed\":%" PRIu64
               ",\"deferred\":%" PRIu64 ",\"connections\":%" PRIu64 ",\"plain\":%" PRIu64,
               r->active, r->delivered, r->failed, r->deferred, r->connections, r->plain);
}

static void on_metrics(struct child *c, struct buf *text)
{
    struct relay *r = relay_of(c);
    buf_printf(text,
               "sealpost_outgoing_active %u\nsealpost_outgoing_delivered_total %" PRIu64
               "\nsealpost_outgoing_failed_total %" PRIu64
               "\nsealpost_outgoing_deferred_total %" PRIu64
               "\nsealpost_outgoing_connections_total %" PRIu64
               "\nsealpost_outgoing_plaintext_connections_total %" PRIu64 "\n",
               r->active, r->delivered, r->failed, r->deferred, r->connections, r->plain);
}

static const struct msg_handler handlers[] = {
    {MSG_STORE_QUEUE_DUE, to_store, false},
    {0,                   NULL,     false},
};

const struct child_ops relayd_ops = {
    .handlers = handlers,
    .on_ready = on_ready,
    .on_peer = on_peer,
    .on_peer_gone = on_peer_gone,
    .on_status = on_status,
    .on_metrics = on_metrics,
};
