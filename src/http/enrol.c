/* enrol.c: the way of ACME and EST to enrold. What they say is JSON, JWS and PKCS#10 from strangers:
 * it is carried, not looked at. Over TLS only; a password and a certificate of the client are judged
 * here, where TLS and authd are. */
#include "http/request.h"

#include "base/base64.h"
#include "base/log.h"
#include "base/random.h"
#include "pki/enrol_msg.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/x509.h>
#include <stdio.h>

enum { ENROLD_WAIT_MS = 45000, BASIC_MAX = 800 };

/* "https://host" as the client addressed us: what it signs begins with it. */
static bool put_base(const struct http_request *q, char ret[ENROL_BASE_MAX + 1])
{
    for (const char *p = q->host; *p; p++)
        if (!ascii_is_alpha(*p) && !ascii_is_digit(*p) && !strchr(".-_:[]", *p))
            return false;
    return q->host[0] && snprintf(ret, ENROL_BASE_MAX + 1, "https://%s", q->host) <= ENROL_BASE_MAX;
}

static void put_peer(const struct session *s, unsigned char ret[16])
{
    const struct sockaddr_storage *a = conn_peer(s->conn);

    memset(ret, 0, 16);
    if (a->ss_family == AF_INET6) {
        memcpy(ret, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 16);
    } else if (a->ss_family == AF_INET) {
        ret[10] = ret[11] = 0xff;
        memcpy(ret + 12, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
    }
}

static void away(struct http_answer *a)
{
    a->status = 503;
    a->type = NULL;
    a->retry_after = 5;
    buf_clear(&a->body);
    buf_put_cstr(&a->body, "Not available at the moment.\n");
}

/* What it answers, into what the session writes. The texts live as long as the command. */
static bool take_answer(struct session *s, struct span reply, struct http_answer *a)
{
    struct enrol_answer m;

    if (!rd_enrol_answer(reply, &m))
        return false;
    a->status = m.status;
    a->type = m.type[0] ? arena_dup(s->scratch, span_cstr(m.type)) : NULL;
    a->location = m.location[0] ? arena_dup(s->scratch, span_cstr(m.location)) : NULL;
    a->nonce = m.nonce[0] ? arena_dup(s->scratch, span_cstr(m.nonce)) : NULL;
    a->link = m.link[0] ? arena_dup(s->scratch, span_cstr(m.link)) : NULL;
    a->encoding = m.flags & ENROL_BASE64 ? "base64" : NULL;
    a->authenticate = m.flags & ENROL_AUTHENTICATE;
    a->retry_after = m.retry_after;
    return buf_put_span(&a->body, m.body);
}

static void forward(struct session *s, const struct http_request *q, struct enrol_request *m,
                    struct http_answer *a)
{
    struct buf body BUF_AUTO = BUF(LINK_PAYLOAD_MAX), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    int rc;

    a->posted = true;
    put_peer(s, m->peer);
    m->trusted = session_is_trusted(s);
    m->body = buf_span(&q->body);
    if (!span_to_cstr(span_cstr(q->method), m->method, sizeof(m->method)) ||
        !span_to_cstr(span_cstr(q->path), m->path, sizeof(m->path)) || !put_base(q, m->base)) {
        a->status = 400;
        buf_put_cstr(&a->body, "Bad Request\n");
        return;
    }
    span_to_cstr(span_cstr(q->content_type), m->content_type, sizeof(m->content_type));
    wr_enrol_request(&body, m);
    rc = link_call(s->worker->peer(s->worker, ROLE_ENROLD), MSG_ENROL_REQUEST, buf_span(&body),
                   NULL, 0, ENROLD_WAIT_MS, &reply, NULL);
    secret_wipe(body.p, body.n);
    if (rc < 0 || !take_answer(s, buf_span(&reply), a))
        away(a);
}

/* Before anything is looked at: a password, for one. */
static bool is_on(bool enabled, struct http_answer *a)
{
    if (enabled)
        return true;
    a->status = 404;
    buf_put_cstr(&a->body, "Nothing here.\n");
    return false;
}

void page_acme(struct session *s, const struct http_request *q, struct http_answer *a)
{
    struct enrol_request m = {.trusted = false};

    if (is_on(s->conf->acme_server.enabled, a))
        forward(s, q, &m, a);
}

/* ------------------------------------------------------------------ EST: who asks */

/* RFC 7617. 1: a name and a password; 0: nothing of that kind; -1: what cannot be read. */
static int read_basic(const struct http_request *q, struct enrol_request *m)
{
    struct buf text BUF_AUTO = BUF(BASIC_MAX);
    struct span v = span_cstr(q->authorization);
    size_t colon;
    bool ok;

    if (!span_starts_nocase(v, SPAN("Basic ")))
        return 0;
    ok = base64_decode(&text, span_trim(span_skip(v, 6)));
    colon = ok ? span_find(buf_span(&text), ':') : SPAN_NONE;
    ok = ok && colon != SPAN_NONE &&
         span_to_cstr(span_head(buf_span(&text), colon), m->user, sizeof(m->user)) &&
         span_to_cstr(span_skip(buf_span(&text), colon + 1), m->password, sizeof(m->password));
    secret_wipe(text.p, text.n);
    return ok ? 1 : -1;
}

static void refuse(struct http_answer *a, unsigned status, const char *text)
{
    a->status = status;
    a->authenticate = status == 401;
    buf_put_cstr(&a->body, text);
}

/* An account has an address, an enrolment password a name without '@'. */
static bool log_in(struct session *s, struct enrol_request *m, struct http_answer *a)
{
    enum auth_outcome o;

    if (!strchr(m->user, '@'))
        return true;
    o = session_password(s, span_cstr(m->user), span_cstr(m->password));
    m->user[0] = '\0';
    secret_wipe(m->password, sizeof(m->password));
    if (o == LOGIN_OK) {
        span_to_cstr(span_cstr(s->user.address), m->account, sizeof(m->account));
        return true;
    }
    if (o == LOGIN_TEMPORARY)
        away(a);
    else
        refuse(a, 401, "Wrong name or password.\n");
    return false;
}

/* Whose key the client has shown to hold. Whether it may renew anything, enrold knows, which keeps
 * all that it had issued; the trust list does not say: a server's certificate is none to log in
 * with. For a first enrolment it is what counts. */
static void put_certificate(struct session *s, struct enrol_request *m, struct buf *der)
{
    X509 *x = conn_peer_certificate(s->conn);
    struct conn_tls_info tls;
    unsigned char *p = NULL;
    int n;

    n = x ? i2d_X509(x, &p) : 0;
    if (n > 0 && buf_put(der, p, (size_t)n))
        m->certificate = buf_span(der);
    conn_tls_info(s->conn, &tls);
    m->vouched = m->certificate.n > 0 && tls.verified;
    OPENSSL_free(p);
}

void page_est(struct session *s, const struct http_request *q, struct http_answer *a)
{
    struct buf der BUF_AUTO = BUF(ENROL_CERTIFICATE_MAX);
    struct enrol_request m = {.trusted = false};
    int basic;

    if (!is_on(s->conf->est_server.enabled, a))
        return;
    basic = read_basic(q, &m);
    if (basic < 0) {
        refuse(a, 401, "Wrong name or password.\n");
        return;
    }
    if (basic > 0 && !log_in(s, &m, a))
        return;
    put_certificate(s, &m, &der);
    forward(s, q, &m, a);
    secret_wipe(m.password, sizeof(m.password));
}
