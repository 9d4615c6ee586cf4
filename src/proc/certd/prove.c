/*
 * prove.c: what a virtual server is about to show, or shows, seen as a client sees it. Before a
 * certificate goes live each endpoint of each worker gets a connection of ours, injected with the
 * next slot; afterwards each endpoint is dialled over TCP. With a server name in the handshake and
 * without; the greeting must come.
 *
 * -EKEYREJECTED: what was shown is wrong. -EAGAIN: it is live, and nothing could be seen of it; it
 * is looked at again. Any other failure says nothing about the certificate (a
 * worker that is away, connection control that keeps us out): it is logged, and no reason to stay
 * without a new one.
 */
#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include "pki/cert_msg.h"
#include "proc/certd/certd.h"
#include "tls/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

enum { PROVE_MS = 5000, DIAL_MS = 2000, SETTLE_MS = 250, SETTLE_TRIES = 12, PEM_MAX = 512 << 10 };

struct proof {
    struct certd *certd;
    const struct conf_vserver *v; /* an own copy's row */
    struct tls_client_context *trust;
    const char *serial, *name; /* name: one of the certificate's; "": none */
    bool greets;               /* false: without a client certificate there is no session */
};

/* What stands before TLS at a STARTTLS endpoint, and what comes first inside. */
static const struct dialogue {
    const char *greeting, *ask, *go;
} dialogues[PROTOCOL_COUNT] = {
    [PROTOCOL_POP3] = {"+OK",     "STLS\r\n",       "+OK" },
    [PROTOCOL_IMAP4] = {"* OK",    "a STARTTLS\r\n", "a OK"},
    [PROTOCOL_SMTP] = {"220",     "STARTTLS\r\n",   "220" },
    [PROTOCOL_NNTP] = {"20",      "STARTTLS\r\n",   "382" },
    [PROTOCOL_HTTP] = {"HTTP/1.", NULL,             NULL  },
};

/* The last line of a reply must begin so ("250-" goes on). suspends */
static int expect(struct conn *c, const char *begin, const char *what, struct err *e)
{
    for (;;) {
        struct span in = conn_peek(c);
        size_t nl = span_find(in, '\n');
        int r;
        if (nl != SPAN_NONE) {
            struct span line = span_head(in, nl);
            bool goes_on = line.n > 3 && line.p[3] == '-' && ascii_is_digit(line.p[0]);
            bool fits = span_starts(line, span_cstr(begin));
            if (!fits)
                err_set(e, -EPROTO, "%s: it said %s", what, log_quote(span_head(line, 80)));
            conn_consume(c, nl + 1);
            if (!fits)
                return -EPROTO;
            if (!goes_on)
                return 0;
            continue;
        }
        r = conn_fill(c, PROVE_MS);
        if (r <= 0)
            return err_set(e, r == 0 ? -ECONNRESET : r, "%s: %s", what,
                           r == 0 ? "it closed the connection" : strerror(-r));
    }
}

static int say(struct conn *c, const char *text, struct err *e)
{
    int r = conn_put(c, span_cstr(text));

    if (r == 0)
        r = conn_flush(c);
    return r < 0 ? err_set(e, r, "it does not listen: %s", strerror(-r)) : 0;
}

/* suspends */
static int before_tls(const struct proof *p, struct conn *c, struct err *e)
{
    const struct dialogue *d = &dialogues[p->v->protocol];
    int r = expect(c, d->greeting, "greeting", e);

    if (r == 0 && p->v->protocol == PROTOCOL_SMTP && (r = say(c, "EHLO localhost\r\n", e)) == 0)
        r = expect(c, "250", "EHLO", e);
    if (r == 0)
        r = say(c, d->ask, e);
    return r == 0 ? expect(c, d->go, "STARTTLS", e) : r;
}

/* suspends */
static int inside_tls(const struct proof *p, struct conn *c, bool implicit, struct err *e)
{
    const struct dialogue *d = &dialogues[p->v->protocol];
    int r;

    if (!p->greets)
        return 0;
    if (p->v->protocol == PROTOCOL_HTTP) {
        r = say(c, "GET /health HTTP/1.0\r\n\r\n", e);
        return r == 0 ? expect(c, d->greeting, "GET /health", e) : r;
    }
    if (implicit)
        return expect(c, d->greeting, "greeting inside TLS", e);
    r = say(c, p->v->protocol == PROTOCOL_IMAP4 ? "b NOOP\r\n" : "QUIT\r\n", e);
    return r == 0 ? expect(c,
                           p->v->protocol == PROTOCOL_IMAP4  ? "b OK"
                           : p->v->protocol == PROTOCOL_POP3 ? "+OK"
                                                             : "2",
                           "a command inside TLS", e)
                  : r;
}

/* An alert, or a certificate that does not hold; a worker that went away meanwhile is neither. */
static bool is_refusal(int r, const char *why)
{
    return r == -EPROTO && (strstr(why, "alert") || strstr(why, "certificate"));
}

/* One connection, whichever way it has come about. suspends */
static int look(const struct proof *p, unsigned endpoint, int take_fd, bool sni, struct err *e)
{
    const struct conf_endpoint *at = &p->v->endpoints[endpoint];
    struct conn_params params = {.loop = p->certd->child->loop, .write_timeout_ms = PROVE_MS};
    struct conn_client_tls tls = {
        .context = p->trust, .name = sni && p->name[0] ? p->name : NULL, .verify = true};
    struct conn *c = conn_new(take_fd, &params);
    bool implicit = at->policy == POLICY_TLS_ONLY;
    struct conn_tls_info info;
    int r = implicit ? 0 : before_tls(p, c, e);

    if (r == 0 && (r = conn_connect_tls(c, &tls, PROVE_MS)) < 0)
        r = err_set(e, is_refusal(r, conn_error(c)) ? -EKEYREJECTED : r, "%s", conn_error(c));
    if (r == 0) {
        conn_tls_info(c, &info);
        if (strcmp(info.serial, p->serial) != 0)
            r = err_set(e, -EKEYREJECTED, "it shows certificate %s", info.serial);
    }
    if (r == 0)
        r = inside_tls(p, c, implicit, e);
    conn_free(c);
    return r;
}

/* ------------------------------------------------------------------ the two ways */
static int inject(struct link *l, const struct proof *p, unsigned endpoint, int *ret_fd)
{
    struct cert_probe_msg n = {.endpoint = (uint8_t)endpoint, .slot = TLS_SLOT_NEXT};
    struct buf body BUF_AUTO = BUF(256);
    int fds[2], r;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return -errno;
    snprintf(n.vserver, sizeof n.vserver, "%s", p->v->name);
    wr_cert_probe(&body, &n);
    r = link_send(l, MSG_CERT_PROBE, buf_span(&body), &fds[1], 1);
    fd_close(&fds[1]);
    if (r < 0)
        fd_close(&fds[0]);
    else
        *ret_fd = fds[0];
    return r;
}

/* Endpoints on all addresses are dialled on loopback. */
static bool address_of(const struct conf_endpoint *at, struct sockaddr_storage *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)ret;

    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, at->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(at->port);
        if (v4->sin_addr.s_addr == htonl(INADDR_ANY))
            v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return true;
    }
    if (inet_pton(AF_INET6, at->address, &v6->sin6_addr) != 1)
        return false;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(at->port);
    if (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
        v6->sin6_addr = in6addr_loopback;
    return true;
}

static int connect_to(const struct proof *p, unsigned endpoint, int *ret_fd)
{
    struct sockaddr_storage to;

    return address_of(&p->v->endpoints[endpoint], &to)
               ? conn_dial(p->certd->child->loop, &to, DIAL_MS, ret_fd)
               : -EINVAL;
}

/* l NULL: over TCP. suspends */
static int look_at(struct link *l, const struct proof *p, unsigned endpoint, bool sni,
                   struct err *e)
{
    int fd = -1, r = l ? inject(l, p, endpoint, &fd) : connect_to(p, endpoint, &fd);

    return r < 0 ? err_set(e, r, "no connection: %s", strerror(-r)) : look(p, endpoint, fd, sni, e);
}

/* l NULL: over TCP. suspends */
static int each_endpoint(const struct proof *p, struct link *l, unsigned *count, struct err *e)
{
    uint64_t id = l ? link_id(l) : 0;

    for (unsigned i = 0; i < p->v->endpoint_count; i++)
        for (int sni = 0; sni < 2; sni++) {
            struct err why = {""};
            int r;
            if (p->v->endpoints[i].policy == POLICY_PUBLIC_HTTP)
                continue;
            l = id ? link_by_id(id) : NULL;
            if (id && !l)
                return 0; /* that worker is gone: the next one is shown the same certificate */
            r = look_at(l, p, i, sni, &why);
            /* over TCP a connection may be accepted before the word of the swap was read */
            for (unsigned tries = 0; !id && r == -EKEYREJECTED && tries < SETTLE_TRIES; tries++) {
                fiber_sleep_ms(SETTLE_MS);
                r = look_at(NULL, p, i, sni, &why);
            }
            if (r == -EKEYREJECTED)
                return err_set(e, r, "%s port %u, %s%s: %s", p->v->endpoints[i].address,
                               p->v->endpoints[i].port, id ? "before it goes live" : "over TCP",
                               sni ? "" : ", without a server name", why.text);
            if (r < 0) {
                log_warn("certificate of %s: port %u cannot be looked at%s: %s", p->v->name,
                         p->v->endpoints[i].port, id ? " before the swap" : "", why.text);
                break;
            }
            ++*count;
        }
    return 0;
}

static int each_worker(const struct proof *p, unsigned *count, struct err *e)
{
    bool strangers = p->v->protocol == PROTOCOL_SMTP && p->v->smtp_kind == SMTP_MX;
    unsigned role = role_index(strangers ? ROLE_MX : ROLE_ACCESS);
    int r = 0;

    for (unsigned i = 0; r == 0 && i < CHILD_INSTANCES_MAX; i++)
        if (p->certd->child->peers[role][i])
            r = each_endpoint(p, p->certd->child->peers[role][i], count, e);
    return r;
}

/* ------------------------------------------------------------------ */
static struct tls_client_context *trust_for(struct certd *d, const struct identity_slot *s,
                                            struct err *e)
{
    struct buf pem BUF_AUTO = BUF(PEM_MAX);
    struct chain given = CHAIN_NONE;
    bool ok;

    if (s->roots_bytes > 0 && chain_parse(identity_roots(s), &given, e) < 0)
        return NULL;
    ok = chain_write_pem(given.n > 0 ? &given : &d->roots, &pem);
    chain_done(&given);
    if (!ok || pem.n == 0) {
        err_set(e, -EAGAIN, "the roots are not known");
        return NULL;
    }
    return tls_client_context_new(buf_span(&pem), e);
}

static void name_of(const struct identity_slot *s, char ret[256])
{
    struct chain chain = CHAIN_NONE;
    struct err e;

    ret[0] = '\0';
    if (chain_parse(identity_chain(s), &chain, &e) == 0 && chain.n > 0)
        for (uint32_t i = 0; i < chain.v[0]->names.n && !ret[0]; i++) {
            const struct cert_name *n = &chain.v[0]->names.v[i];
            if (n->type == CERT_NAME_DNS && n->text[0] != '*')
                snprintf(ret, 256, "%s", n->text);
        }
    chain_done(&chain);
}

static bool has_tls(const struct conf_vserver *v)
{
    bool has = false;

    for (unsigned i = 0; v && i < v->endpoint_count; i++)
        has |= v->endpoints[i].policy != POLICY_PUBLIC_HTTP;
    return has;
}

int certd_prove(void *arg, const char *vserver, bool live, const struct identity_slot *s,
                struct err *e)
{
    struct vserver_life *life = arg;
    struct certd *d = life->certd;
    struct buf bytes BUF_AUTO = BUF(64 << 20);
    struct proof p = {.certd = d, .serial = s->serial};
    unsigned count = 0;
    struct conf *copy;
    char name[256];
    int rc = 0;

    conf_wr(d->child->conf, &bytes); /* a reload may come while we wait */
    copy = conf_rd(buf_span(&bytes));
    CHECK(copy);
    p.v = conf_vserver_by_name(copy, vserver);
    p.trust = p.v ? trust_for(d, s, e) : NULL;
    p.name = name;
    name_of(s, name);
    if (p.trust) {
        p.greets = p.v->client_certificates != CLIENT_CERTIFICATES_REQUIRE;
        rc = live ? each_endpoint(&p, NULL, &count, e) : each_worker(&p, &count, e);
        log_info("certificate of %s: %s %s in %u connections%s", vserver, s->serial,
                 rc == 0 ? "is fine" : "does not pass", count, live ? " over TCP" : "");
    }
    if (rc == 0 && live && count == 0 && has_tls(p.v))
        rc = err_set(e, -EAGAIN, "no endpoint of %s could be looked at", vserver);
    tls_client_context_free(p.trust);
    conf_free(copy);
    return rc;
}
