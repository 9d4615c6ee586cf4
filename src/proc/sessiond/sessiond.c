/* sessiond.c: what a worker is made of, and how it follows its peers, its configuration and its
 * end. */
#include "proc/sessiond/sessiond.h"

#include "base/check.h"
#include "base/log.h"
#include "http/http.h"
#include "imap/imap.h"
#include "ipc/tally.h"
#include "nntp/nntp.h"
#include "pki/key.h"
#include "pki/keyd_msg.h"
#include "pop3/pop3.h"
#include "proc/child/child_msg.h"
#include "smtp/smtp.h"
#include "tls/tap.h"

#include <fcntl.h>
#include <stdlib.h>

/* Which protocols which profile serves: strangers reach nothing but the receiving side of SMTP. */
static const struct protocol *const access_protocols[PROTOCOL_COUNT] = {
    [PROTOCOL_POP3] = &pop3_protocol, [PROTOCOL_IMAP4] = &imap_protocol,
    [PROTOCOL_SMTP] = &smtp_protocol, [PROTOCOL_NNTP] = &nntp_protocol,
    [PROTOCOL_HTTP] = &http_protocol,
};
static const struct protocol *const mx_protocols[PROTOCOL_COUNT] = {
    [PROTOCOL_SMTP] = &smtp_protocol,
};

static struct worker *worker_of(struct child *c)
{
    return c->state;
}

static struct link *peer_link(struct worker *w, enum role role)
{
    struct child *c = w->peer_arg;
    return role == ROLE_SUPERVISOR ? c->supervisor : child_peer(c, role);
}

static struct link *keyd_link(void *arg)
{
    return child_peer(arg, ROLE_KEYD);
}

void sessiond_open(struct child *c)
{
    const struct conf *conf = c->conf;
    struct worker *w = worker_new(c->loop, conf, c->role, c->instance, c->generation,
                                  c->role == ROLE_MX ? mx_protocols : access_protocols);

    w->instances = c->instance_count;
    if (c->instance_count > 1 && fcntl(CHILD_TALLY_FD, F_GET_SEALS) >= 0)
        w->by_address_all = tally_join(CHILD_TALLY_FD, c->instance, c->instance_count);
    w->auth = auth_client_new();
    auth_client_remember(w->auth);
    w->peer = peer_link;
    w->peer_arg = c;
    w->store = store_open(c->loop, c->role == ROLE_ACCESS ? c->root : NULL, conf->index_map_bytes,
                          conf->ring_bytes, conf->spool_bytes);
    if (!w->store)
        child_fatal("the store below %s cannot be opened", c->root);
    key_provider_init(keyd_link, c);
    c->state = w;
}

/* ------------------------------------------------------------------ peers */

void sessiond_tickets(struct span body)
{
    unsigned char keys[TLS_TICKET_KEYS_MAX][TLS_TICKET_KEY_BYTES];
    struct rd r = rd_of(body);
    unsigned n = rd_u8(&r);

    if (n > TLS_TICKET_KEYS_MAX)
        return;
    for (unsigned i = 0; i < n; i++) {
        struct span k = rd_raw(&r, TLS_TICKET_KEY_BYTES);
        if (!r.bad)
            memcpy(keys[i], k.p, k.n);
    }
    if (rd_done(&r) && n)
        tls_ticket_keys((const unsigned char(*)[TLS_TICKET_KEY_BYTES])keys, n);
    explicit_bzero(keys, sizeof(keys));
}

static void on_tickets(void *arg, int status, struct span body, int *fds, unsigned fd_count)
{
    (void)arg;
    (void)fds;
    (void)fd_count;
    if (status == 0)
        sessiond_tickets(body);
    else
        log_warn("no session ticket keys: sessions will not resume until keyd answers");
}

static void on_peer(struct child *c, struct link *l)
{
    struct worker *w = worker_of(c);
    switch (link_peer(l)) {
    case ROLE_STORED:
        store_attach(w->store, l);
        break;
    case ROLE_AUTHD:
        auth_client_attach(w->auth, l);
        break;
    case ROLE_KEYD:
        link_call_async(l, MSG_KEY_TICKETS, SPAN_EMPTY, NULL, 0, on_tickets, c);
        break;
    default:
        break;
    }
}

static void on_peer_gone(struct child *c, struct link *l)
{
    struct worker *w = worker_of(c);
    if (link_peer(l) == ROLE_MANAGER)
        tls_tap_close(link_id(l), NULL);
    else if (link_peer(l) == ROLE_STORED)
        store_attach(w->store, NULL);
    else if (link_peer(l) == ROLE_AUTHD)
        auth_client_attach(w->auth, NULL);
}

static void on_listen(struct child *c, unsigned vserver, unsigned endpoint, int take_fd)
{
    worker_listen(worker_of(c), vserver, endpoint, take_fd);
}

/* ------------------------------------------------------------------ course */

/* How long a worker that lacks a certificate holds up the start of the others. */
enum { IDENTITY_WAIT_MS = 20000 };
static struct timer *identity_timer;

static void ready(struct child *c)
{
    if (!identity_timer)
        return;
    timer_free(identity_timer);
    identity_timer = NULL;
    child_ready(c);
}

static void on_identity_late(void *arg)
{
    log_warn("some virtual servers have no certificate yet: their endpoints do not accept");
    ready(arg);
}

void sessiond_identities(struct child *c)
{
    worker_identities(worker_of(c));
    if (worker_serving(worker_of(c)))
        ready(c);
}

static void on_ready(struct child *c)
{
    identity_timer = timer_new(c->loop, on_identity_late, c);
    timer_start(identity_timer, IDENTITY_WAIT_MS);
}

static void on_conf(struct child *c, const struct conf *old)
{
    (void)old; /* the worker keeps copies of its own for the sessions that run */
    worker_conf(worker_of(c), c->conf);
    log_set_level(c->conf->log_level);
}

static void on_drained(void *arg)
{
    struct child *c = arg;
    loop_stop(c->loop);
}

static void on_stop(struct child *c, uint64_t drain_ms)
{
    worker_drain(worker_of(c), drain_ms, on_drained, c);
}

static void on_status(struct child *c, struct buf *json)
{
    worker_status(worker_of(c), json);
}

static void on_metrics(struct child *c, struct buf *text)
{
    worker_metrics(worker_of(c), text);
}

const struct child_ops sessiond_ops = {
    .handlers = sessiond_handlers,
    .ready_later = true,
    .on_ready = on_ready,
    .on_peer = on_peer,
    .on_peer_gone = on_peer_gone,
    .on_listen = on_listen,
    .on_conf = on_conf,
    .on_stop = on_stop,
    .on_status = on_status,
    .on_metrics = on_metrics,
};
