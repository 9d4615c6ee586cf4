#include "acme/web.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "tls/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <http_parser.h>
#include <stdio.h>

enum { RETRY_AFTER_MAX = 86400 };

/* --- URLs and addresses */

static bool visible(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= 32 || (unsigned char)s.p[i] >= 127 || s.p[i] == '"' ||
            s.p[i] == '\\')
            return false;
    return s.n > 0;
}

static struct span part(struct span s, const struct http_parser_url *u, unsigned field)
{
    return u->field_set & 1u << field
               ? span_sub(s, u->field_data[field].off, u->field_data[field].len)
               : SPAN_EMPTY;
}

bool web_url_parse(struct span s, struct web_url *ret)
{
    struct http_parser_url u;
    struct span scheme, path, query;
    struct web_url w = {.tls = true};

    http_parser_url_init(&u);
    if (s.n > WEB_URL_MAX || !visible(s) || http_parser_parse_url(s.p, s.n, 0, &u) != 0 ||
        u.field_set & 1u << UF_USERINFO)
        return false;
    scheme = part(s, &u, UF_SCHEMA);
    if (!span_is(scheme, "https") && !span_is(scheme, "http"))
        return false;
    w.tls = span_is(scheme, "https");
    if (!span_to_cstr(part(s, &u, UF_HOST), w.host, sizeof(w.host)) || w.host[0] == '\0')
        return false;
    w.port = u.field_set & 1u << UF_PORT ? u.port : w.tls ? 443 : 80;
    path = part(s, &u, UF_PATH);
    query = part(s, &u, UF_QUERY);
    snprintf(w.target, sizeof(w.target), "%.*s%s%.*s", SPAN_ARG(path.n ? path : SPAN("/")),
             query.n ? "?" : "", SPAN_ARG(query));
    if (w.port == 0)
        return false;
    *ret = w;
    return true;
}

/* RFC 6890 and its successors: what is not out in the Internet. */
static bool v4_is_private(uint32_t a)
{
    static const struct {
        uint32_t net;
        unsigned bits;
    } nets[] = {
        {0x00000000, 8 },
        {0x0a000000, 8 },
        {0x64400000, 10},
        {0x7f000000, 8 },
        {0xa9fe0000, 16},
        {0xac100000, 12},
        {0xc0000000, 24},
        {0xc0000200, 24},
        {0xc0a80000, 16},
        {0xc6120000, 15},
        {0xc6336400, 24},
        {0xcb007100, 24},
        {0xe0000000, 4 },
        {0xf0000000, 4 },
    };

    for (size_t i = 0; i < ARRAY_LEN(nets); i++)
        if ((a ^ nets[i].net) >> (32 - nets[i].bits) == 0)
            return true;
    return false;
}

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

bool web_address_is_private(const struct sockaddr_storage *a)
{
    const struct sockaddr_in *v4 = (const void *)a;
    const unsigned char *p = ((const struct sockaddr_in6 *)(const void *)a)->sin6_addr.s6_addr;
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b};

    if (a->ss_family == AF_INET)
        return v4_is_private(ntohl(v4->sin_addr.s_addr));
    if (a->ss_family != AF_INET6)
        return true;
    if (memcmp(p, mapped, 12) == 0 || memcmp(p, nat64, 12) == 0)
        return v4_is_private(be32(p + 12));
    if (p[0] == 0x20 && p[1] == 0x02) /* 6to4 */
        return v4_is_private(be32(p + 2));
    if (p[0] == 0x20 && p[1] == 0x01 && (p[2] < 2 || (p[2] == 0x0d && p[3] == 0xb8)))
        return true;
    return (p[0] & 0xe0) != 0x20; /* all but global unicast */
}

static int take_literal(const char *host, struct dns_addresses *ret)
{
    struct sockaddr_in *v4 = (void *)&ret->a[0];
    struct sockaddr_in6 *v6 = (void *)&ret->a[0];

    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1)
        v4->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)
        v6->sin6_family = AF_INET6;
    else
        return -1;
    ret->count = 1;
    return 0;
}

static void set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)a)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)(void *)a)->sin6_port = htons(port);
}

/* --- reading an answer */

struct reading {
    struct web_answer *a;
    char field[64], value[WEB_URL_MAX + 1];
    bool in_value, complete, too_large;
    size_t header_bytes;
};

uint32_t web_retry_after(struct span s, int64_t now)
{
    struct date d;
    uint64_t n;

    s = span_trim(s);
    if (!span_to_u64(s, UINT64_MAX, &n)) {
        if (s.n == 0 || ascii_is_digit(s.p[0]))
            n = s.n ? RETRY_AFTER_MAX : 0; /* more digits than a number has */
        else
            n = date_parse_rfc5322(s, &d) && d.seconds > now ? (uint64_t)(d.seconds - now) : 0;
    }
    return n > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : (uint32_t)n;
}

static void lower(char *s)
{
    for (; *s; s++)
        *s = ascii_lower(*s);
}

static void take_field(struct reading *r)
{
    struct span v = span_trim(span_cstr(r->value)), name = span_cstr(r->field);
    struct web_answer *a = r->a;

    if (span_is(name, "location")) {
        span_to_cstr(v, a->location, sizeof(a->location));
    } else if (span_is(name, "replay-nonce")) {
        span_to_cstr(v, a->nonce, sizeof(a->nonce));
    } else if (span_is(name, "retry-after")) {
        a->retry_after = web_retry_after(v, clock_seconds());
    } else if (span_is(name, "content-transfer-encoding")) {
        span_to_cstr(v, a->encoding, sizeof(a->encoding));
        lower(a->encoding);
    } else if (span_is(name, "content-type")) {
        span_to_cstr(span_trim(span_head(v, span_has(v, ';') ? span_find(v, ';') : v.n)), a->type,
                     sizeof(a->type));
        lower(a->type);
    }
}

/* Longer than its room: the rest is left out, and the value is none that is looked at. */
static void append(char *dst, size_t size, const char *at, size_t n)
{
    size_t have = strlen(dst);

    if (n >= size - have)
        n = size - have - 1;
    memcpy(dst + have, at, n);
    dst[have + n] = '\0';
}

static int on_field(http_parser *p, const char *at, size_t n)
{
    struct reading *r = p->data;

    if (r->in_value) {
        take_field(r);
        r->field[0] = r->value[0] = '\0';
        r->in_value = false;
    }
    append(r->field, sizeof(r->field), at, n);
    r->header_bytes += n;
    return r->header_bytes > WEB_HEADER_MAX ? -1 : 0;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
    struct reading *r = p->data;

    r->in_value = true;
    append(r->value, sizeof(r->value), at, n);
    r->header_bytes += n;
    return r->header_bytes > WEB_HEADER_MAX ? -1 : 0;
}

static int on_headers(http_parser *p)
{
    struct reading *r = p->data;

    if (r->in_value)
        take_field(r);
    r->in_value = false;
    r->a->status = p->status_code;
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
    struct reading *r = p->data;

    r->too_large = !buf_put(&r->a->body, at, n);
    return r->too_large ? -1 : 0;
}

static int on_complete(http_parser *p)
{
    struct reading *r = p->data;

    if (p->status_code < 200) { /* an interim answer: another follows */
        r->a->status = 0;
        return 0;
    }
    r->complete = true;
    http_parser_pause(p, 1);
    return 0;
}

static const http_parser_settings settings = {.on_header_field = on_field,
                                              .on_header_value = on_value,
                                              .on_headers_complete = on_headers,
                                              .on_body = on_body,
                                              .on_message_complete = on_complete};

static int read_answer(struct conn *c, const char *host, uint64_t deadline, bool head,
                       struct web_answer *a, struct err *e)
{
    struct reading r = {.a = a};
    http_parser p;

    http_parser_init(&p, HTTP_RESPONSE);
    p.data = &r;
    if (head)
        p.flags |= F_SKIPBODY;
    while (!r.complete) {
        struct span in = conn_peek(c);
        uint64_t now = clock_mono_ms();
        size_t used;
        int rc = 1;

        if (in.n == 0) {
            rc = now < deadline ? conn_fill(c, deadline - now) : -ETIMEDOUT;
            if (rc == -ETIMEDOUT)
                return err_set(e, -ETIMEDOUT, "%s did not answer in time", host);
            if (rc > 0)
                continue;
        }
        /* without bytes: the end, which some answers have instead of a length */
        used = http_parser_execute(&p, &settings, in.p, in.n);
        /* at the end it may count a byte that is not there */
        conn_consume(c, used < in.n ? used : in.n);
        if (r.complete)
            break;
        if (r.too_large)
            return err_set(e, -EMSGSIZE, "the answer of %s has more than %zu bytes", host,
                           a->body.max);
        if (rc <= 0)
            return err_set(e, -EPROTO, "%s broke the connection off before its answer was whole",
                           host);
        if (HTTP_PARSER_ERRNO(&p) != HPE_OK || p.upgrade)
            return err_set(e, -EPROTO, "%s does not answer as HTTP has it (%s)", host,
                           http_errno_description(HTTP_PARSER_ERRNO(&p)));
    }
    return a->status ? 0 : err_set(e, -EPROTO, "%s does not answer as HTTP has it", host);
}

/* --- one request */

static int send_request(struct conn *c, const struct web_url *u, const struct web_request *q,
                        const char *method)
{
    struct buf top BUF_AUTO = BUF(8192);
    bool v6 = strchr(u->host, ':') != NULL;

    buf_printf(&top, "%s %s HTTP/1.1\r\nHost: %s%s%s", method, u->target, v6 ? "[" : "", u->host,
               v6 ? "]" : "");
    if (u->port != (u->tls ? 443 : 80))
        buf_printf(&top, ":%u", u->port);
    buf_printf(&top, "\r\nUser-Agent: sealpost/%s\r\nConnection: close\r\n", SEALPOST_VERSION);
    if (q->accept)
        buf_printf(&top, "Accept: %s\r\n", q->accept);
    if (q->authorization)
        buf_printf(&top, "Authorization: %s\r\n", q->authorization);
    if (q->encoding)
        buf_printf(&top, "Content-Transfer-Encoding: %s\r\n", q->encoding);
    if (q->type)
        buf_printf(&top, "Content-Type: %s\r\n", q->type);
    if (q->type || q->body.n)
        buf_printf(&top, "Content-Length: %zu\r\n", q->body.n);
    buf_put_cstr(&top, "\r\n");
    if (top.overflow)
        return -EMSGSIZE;
    conn_put(c, buf_span(&top));
    conn_put(c, q->body);
    return conn_flush(c);
}

static int dial(const struct web *w, const struct web_url *u, uint64_t deadline, int *ret_fd,
                struct err *e)
{
    struct dns_addresses to = {.count = 0};
    enum dns_result found = DNS_FOUND;
    int rc = -EHOSTUNREACH, allowed = 0;

    if (take_literal(u->host, &to) < 0)
        found = dns_addresses(w->resolver, u->host, &to);
    if (found != DNS_FOUND)
        return err_set(e, -EHOSTUNREACH, "the name %s %s", u->host,
                       found == DNS_NO_NAME || found == DNS_NO_DATA
                           ? "is not known in DNS"
                           : "cannot be looked up in DNS at the moment");
    for (size_t i = 0; i < to.count && clock_mono_ms() < deadline; i++) {
        set_port(&to.a[i], u->port);
        if (w->may_connect ? !w->may_connect(w->may_connect_arg, &to.a[i])
                           : !w->private && web_address_is_private(&to.a[i]))
            continue;
        allowed++;
        rc = conn_dial(w->loop, &to.a[i], (deadline - clock_mono_ms()) / (to.count - i), ret_fd);
        if (rc == 0)
            return 0;
    }
    if (!allowed && to.count && w->may_connect)
        return err_set(e, -EACCES, "%s port %u has no address that may be connected to", u->host,
                       u->port);
    if (!allowed && to.count)
        return err_set(e, -EACCES,
                       "%s has only addresses of private networks, which are not asked unless "
                       "the CA is configured with private = true",
                       u->host);
    return err_set(e, rc == -ETIMEDOUT ? rc : -EHOSTUNREACH, "%s port %u cannot be reached: %s",
                   u->host, u->port, strerror(-rc));
}

static int ask_once(const struct web *w, const struct web_request *q, struct web_answer *a,
                    struct err *e)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    uint64_t deadline = clock_mono_ms() + (q->timeout_ms ? q->timeout_ms : WEB_TIMEOUT_MS);
    const char *method = q->method ? q->method : "GET";
    struct conn_params p = {.loop = w->loop, .write_timeout_ms = WEB_TIMEOUT_MS};
    struct web_url u;
    struct conn *c;
    int fd = -1, rc;

    if (!web_url_parse(span_cstr(q->url), &u))
        return err_set(e, -EINVAL, "%s is no URL", log_quote(span_cstr(q->url)));
    if (!u.tls && !w->clear)
        return err_set(e, -EINVAL, "%s is not an https URL", log_quote(span_cstr(q->url)));
    rc = dial(w, &u, deadline, &fd, e);
    if (rc < 0)
        return rc;
    c = conn_new(fd, &p);
    if (u.tls) {
        struct conn_client_tls t = {
            .context = w->tls, .name = u.host, .verify = !w->unverified, .alpn = alpn};
        uint64_t now = clock_mono_ms();
        rc = conn_connect_tls(c, &t, now < deadline ? deadline - now : 1);
        if (rc < 0)
            rc = err_set(e, -EPROTO, "%s: %s", u.host, conn_error(c));
    }
    if (rc == 0 && send_request(c, &u, q, method) < 0)
        rc = err_set(e, -EPROTO, "the request cannot be sent to %s", u.host);
    if (rc == 0)
        rc = read_answer(c, u.host, deadline, strcmp(method, "HEAD") == 0, a, e);
    conn_free(c);
    return rc;
}

static bool is_redirection(const struct web_answer *a)
{
    return (a->status == 301 || a->status == 302 || a->status == 303 || a->status == 307 ||
            a->status == 308) &&
           a->location[0];
}

int web_ask(const struct web *w, const struct web_request *q, struct web_answer *ret, struct err *e)
{
    struct web_request now = *q;
    char url[WEB_URL_MAX + 1];

    for (unsigned hops = 0;; hops++) {
        struct web_answer a = {.body = BUF(WEB_BODY_MAX)};
        int rc = ask_once(w, &now, &a, e);
        if (rc < 0) {
            web_answer_done(&a);
            return rc;
        }
        if (q->method || !is_redirection(&a)) {
            *ret = a;
            return 0;
        }
        if (hops == WEB_REDIRECTS_MAX) {
            web_answer_done(&a);
            return err_set(e, -EPROTO, "%s leads from one address to the next without end",
                           log_quote(span_cstr(q->url)));
        }
        memcpy(url, a.location, sizeof(url));
        now.url = url;
        now.authorization = NULL; /* meant for the first server only */
        web_answer_done(&a);
    }
}

void web_answer_done(struct web_answer *a)
{
    if (a)
        buf_done(&a->body);
}
