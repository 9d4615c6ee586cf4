/* pages.c: what the HTTP virtual server has to show; one row a path. */
#include "http/request.h"

#include "base/base64.h"
#include "base/check.h"
#include "conf/mta_sts.h"

#include <inttypes.h>
#include <stdio.h>

void html_put(struct buf *b, struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        switch (text.p[i]) {
        case '<':
            buf_put_cstr(b, "&lt;");
            break;
        case '>':
            buf_put_cstr(b, "&gt;");
            break;
        case '&':
            buf_put_cstr(b, "&amp;");
            break;
        case '"':
            buf_put_cstr(b, "&quot;");
            break;
        default:
            buf_putc(b, text.p[i]);
        }
}

static void page_health(struct session *s, const struct http_request *q, struct http_answer *a)
{
    struct store_read r;
    bool store = store_read_begin(s->worker->store, &r) == 0;
    (void)q;
    if (store)
        store_read_end(&r);
    bool login = s->worker->peer(s->worker, ROLE_AUTHD) != NULL;
    a->status = store && login ? 200 : 503;
    a->type = "application/json";
    buf_printf(&a->body, "{\"status\":\"%s\",\"store\":%s,\"login\":%s}\n",
               a->status == 200 ? "ok" : "degraded", store ? "true" : "false",
               login ? "true" : "false");
}

static void page_metrics(struct session *s, const struct http_request *q, struct http_answer *a)
{
    (void)q;
    if (!session_is_trusted(s)) {
        a->status = 403;
        buf_put_cstr(&a->body, "Metrics are for trusted networks (option `trusted`).\n");
        return;
    }
    a->type = "text/plain; version=0.0.4; charset=utf-8";
    if (link_call(s->worker->peer(s->worker, ROLE_SUPERVISOR), MSG_CONTROL_METRICS, SPAN_EMPTY,
                  NULL, 0, 5000, &a->body, NULL) < 0) {
        buf_clear(&a->body);
        worker_metrics(s->worker, &a->body); /* better its own than none */
    }
}

/* Who it is that the client's certificate stands for. */
static void page_account(struct session *s, const struct http_request *q, struct http_answer *a)
{
    enum auth_outcome outcome = session_external(s);

    (void)q;
    a->status = outcome == LOGIN_OK ? 200 : outcome == LOGIN_TEMPORARY ? 503 : 403;
    if (outcome == LOGIN_OK) {
        a->type = "application/json";
        buf_printf(&a->body, "{\"account\":\"%s\"}\n", s->user.address);
    } else if (outcome == LOGIN_TEMPORARY) {
        buf_put_cstr(&a->body, "Logins are not possible at the moment.\n");
    } else {
        buf_put_cstr(&a->body, "Only with a client certificate that stands for an account.\n");
    }
}

/* The root certificate, asked of certd; PEM. */
static bool root_pem(struct session *s, struct buf *pem)
{
    return link_call(s->worker->peer(s->worker, ROLE_CERTD), MSG_CERT_CA_PEM, SPAN_EMPTY, NULL, 0,
                     5000, pem, NULL) == 0 &&
           pem->n;
}

static void no_root(struct http_answer *a)
{
    a->status = 503;
    buf_clear(&a->body);
    buf_put_cstr(&a->body, "The certificate is not available at the moment.\n");
}

static void page_ca_pem(struct session *s, const struct http_request *q, struct http_answer *a)
{
    (void)q;
    a->type = "application/x-pem-file";
    a->disposition = "attachment; filename=\"sealpost-ca.pem\"";
    if (!root_pem(s, &a->body))
        no_root(a);
}

static void page_ca_der(struct session *s, const struct http_request *q, struct http_answer *a)
{
    struct buf pem BUF_AUTO = BUF(65536);
    struct span begin = SPAN("-----BEGIN CERTIFICATE-----"),
                end = SPAN("-----END CERTIFICATE-----");
    (void)q;

    a->type = "application/pkix-cert";
    a->disposition = "attachment; filename=\"sealpost-ca.crt\"";
    if (!root_pem(s, &pem)) {
        no_root(a);
        return;
    }
    size_t from = span_find_span(buf_span(&pem), begin);
    size_t to = span_find_span(buf_span(&pem), end);
    if (from == SPAN_NONE || to == SPAN_NONE || to < from + begin.n ||
        !base64_decode_lenient(&a->body,
                               span_sub(buf_span(&pem), from + begin.n, to - from - begin.n)))
        no_root(a);
}

/* RFC 8461 section 3.2: the host that was asked for says whose policy it is. */
static void page_mta_sts(struct session *s, const struct http_request *q, struct http_answer *a)
{
    struct span host = span_cstr(q->host);
    const struct conf_mta_sts *p = NULL;

    host = span_head(host, span_find(host, ':'));
    if (span_starts_nocase(host, SPAN("mta-sts.")))
        p = conf_mta_sts_of(s->conf, span_skip(host, strlen("mta-sts.")));
    if (p == NULL) {
        a->status = 404;
        buf_put_cstr(&a->body, "Nothing here.\n");
        return;
    }
    a->type = "text/plain; charset=utf-8";
    conf_mta_sts_print(s->conf, p, &a->body);
}

static void put_endpoints(struct session *s, struct buf *b)
{
    const struct conf *c = s->conf;

    for (unsigned i = 0; i < c->vserver_count; i++) {
        const struct conf_vserver *v = &c->vservers[i];
        if (!v->enabled)
            continue;
        for (unsigned k = 0; k < v->endpoint_count; k++) {
            const struct conf_endpoint *e = &v->endpoints[k];
            buf_put_cstr(b, "<tr><td>");
            html_put(b, span_cstr(k ? "" : v->name));
            buf_printf(b, "</td><td>%s</td><td class=n>%u</td><td>",
                       k ? "" : conf_protocol_name(v->protocol), e->port);
            buf_put_cstr(b, e->policy == POLICY_TLS_ONLY            ? "TLS"
                            : e->policy == POLICY_STARTTLS_REQUIRED ? "STARTTLS, required"
                            : e->policy == POLICY_OPPORTUNISTIC     ? "STARTTLS, offered"
                                                                : "in clear, public answers only");
            buf_put_cstr(b, "</td></tr>\n");
        }
    }
}

static void page_status(struct session *s, const struct http_request *q, struct http_answer *a)
{
    struct buf *b = &a->body;
    (void)q;

    a->type = "text/html; charset=utf-8";
    buf_put_cstr(b, "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
                    "content=\"width=device-width\"><title>sealpost on ");
    html_put(b, span_cstr(s->conf->hostname));
    buf_put_cstr(
        b, "</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem "
           "auto;padding:0 1rem;color:#1c2733}"
           "h1{font-size:1.5rem;margin-bottom:.2rem}p.s{color:#5a6b7b;margin-top:0}table{border-"
           "collapse:collapse;width:100%;margin:1.5rem 0}"
           "th,td{text-align:left;padding:.35rem .8rem .35rem 0;border-bottom:1px solid "
           "#dde4ea}th{font-weight:600;color:#5a6b7b}"
           ".n{font-variant-numeric:tabular-nums}a{color:#0a5c8f}code{background:#f1f4f7;padding:."
           "1rem .3rem}</style><h1>sealpost</h1><p class=s>");
    html_put(b, span_cstr(s->conf->organization));
    buf_put_cstr(b, " &middot; mail and news for ");
    html_put(b, span_cstr(s->conf->domain));
    buf_put_cstr(b, "</p><table><tr><th>Virtual "
                    "server</th><th>Protocol</th><th>Port</th><th>Secure channel</th></tr>\n");
    put_endpoints(s, b);
    buf_put_cstr(b, "</table><p>Certificates here come from this server's own certification "
                    "authority. Install its root to trust them: "
                    "<a href=/ca.crt>ca.crt</a> (DER), <a href=/ca.pem>ca.pem</a> (PEM).</p>"
                    "<p><a href=/health>Health</a> &middot; <a href=/metrics>Metrics</a> (trusted "
                    "networks)</p></html>\n");
}

enum route_flag {
    IN_CLEAR = 1, /* for everybody, also in clear */
    BELOW = 2,    /* and all paths below it */
    POSTED = 4,   /* POST too */
};

/* PATH, flags, handler */
#define ROUTES(ROW)                                                                                \
    ROW("/", 0, page_status)                                                                       \
    ROW("/health", IN_CLEAR, page_health)                                                          \
    ROW("/account", 0, page_account)                                                               \
    ROW("/metrics", 0, page_metrics)                                                               \
    ROW("/ca.pem", IN_CLEAR, page_ca_pem)                                                          \
    ROW("/ca.crt", IN_CLEAR, page_ca_der)                                                          \
    ROW("/.well-known/acme-challenge/", IN_CLEAR | BELOW, page_challenge)                          \
    ROW("/.well-known/mta-sts.txt", 0, page_mta_sts)                                               \
    ROW("/ca/", IN_CLEAR | BELOW, page_ca_file)                                                    \
    ROW("/ocsp", IN_CLEAR | POSTED, page_ocsp)                                                     \
    ROW("/ocsp/", IN_CLEAR | BELOW | POSTED, page_ocsp)                                            \
    ROW("/acme/", BELOW | POSTED, page_acme)                                                       \
    ROW("/.well-known/est/", BELOW | POSTED, page_est)

static const struct route {
    const char *path;
    unsigned flags;
    void (*page)(struct session *s, const struct http_request *q, struct http_answer *a);
} routes[] = {
#define ROW(path, flags, page) {path, flags, page},
    ROUTES(ROW)
#undef ROW
};

static const struct route *route_of(const struct http_request *q)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (routes[i].flags & BELOW ? span_starts(span_cstr(q->path), span_cstr(routes[i].path))
                                    : strcmp(routes[i].path, q->path) == 0)
            return &routes[i];
    return NULL;
}

/* The first TLS endpoint of the same virtual server. */
static uint16_t https_port(const struct session *s)
{
    for (unsigned i = 0; i < s->vserver->endpoint_count; i++)
        if (s->vserver->endpoints[i].policy == POLICY_TLS_ONLY)
            return s->vserver->endpoints[i].port;
    return 0;
}

static void redirect(struct session *s, const struct http_request *q, struct http_answer *a)
{
    uint16_t port = https_port(s);
    if (!port) {
        a->status = 403;
        buf_put_cstr(&a->body, "Secure channel required.\n");
        return;
    }
    a->status = 301;
    if (port == 443)
        a->location = arena_printf(s->scratch, "https://%s%s", s->conf->hostname, q->path);
    else
        a->location = arena_printf(s->scratch, "https://%s:%u%s", s->conf->hostname, port, q->path);
    buf_printf(&a->body, "Secure channel required: %s\n", a->location);
}

static bool printable(const char *path)
{
    for (; *path; path++)
        if ((unsigned char)*path <= 32 || (unsigned char)*path >= 127)
            return false;
    return true;
}

void http_route(struct session *s, const struct http_request *q, struct http_answer *a)
{
    const struct route *r = route_of(q);
    bool posted = span_is(span_cstr(q->method), "POST");

    if (posted ? !r || !(r->flags & POSTED) : !span_is(span_cstr(q->method), "GET") && !q->head) {
        a->status = 405;
        buf_put_cstr(&a->body, "Only GET and HEAD.\n");
    } else if (!s->tls && (r ? !(r->flags & IN_CLEAR) : printable(q->path))) {
        redirect(s, q, a);
    } else if (r) {
        r->page(s, q, a);
    } else {
        a->status = 404;
        buf_put_cstr(&a->body, "Nothing here.\n");
    }
}
