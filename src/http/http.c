/* http.c: a connection of HTTP/1.1: requests one after the other, each read whole within its
 * limits, each answered whole. */
#include "http/http.h"

#include "base/clock.h"
#include "base/date.h"
#include "http/request.h"

#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ reading */

enum { FIELD_BYTES = 4 }; /* ": " and the line end */

struct reading {
    struct http_request q;
    struct buf target;
    char field[64];
    size_t header_bytes, body_bytes;
    unsigned hosts; /* fields of that name */
    bool in_value, complete, too_large;
};

static int on_url(http_parser *p, const char *at, size_t n)
{
    struct reading *r = p->data;
    return buf_put(&r->target, at, n) ? 0 : -1;
}

static bool count_header(struct reading *r, size_t n)
{
    r->header_bytes += n;
    if (r->header_bytes > HTTP_HEADER_MAX)
        r->too_large = true;
    return !r->too_large;
}

static int on_field(http_parser *p, const char *at, size_t n)
{
    struct reading *r = p->data;
    /* RFC 9112 section 5.1: a blank before the colon, which hides a field from some and not from
     * others. http_parser lets it pass. */
    if (n && memchr(at, ' ', n))
        return -1;
    if (r->in_value) {
        r->field[0] = 0;
        r->in_value = false;
    }
    size_t have = strlen(r->field);
    if (have + n < sizeof(r->field)) {
        memcpy(r->field + have, at, n);
        r->field[have + n] = 0;
    }
    return count_header(r, n) ? 0 : -1;
}

/* A piece of a field's value; with `anew` the last of several fields counts. One that is too long is
 * empty. */
static bool add_value(char *dst, size_t size, bool anew, const char *at, size_t n)
{
    size_t have = anew ? 0 : strlen(dst);

    if (have + n >= size) {
        dst[0] = 0;
        return false;
    }
    memcpy(dst + have, at, n);
    dst[have + n] = 0;
    return true;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
    struct reading *r = p->data;
    bool host = span_is(span_cstr(r->field), "host"), first = !r->in_value;
    if (first) {
        r->hosts += host;
        r->header_bytes += FIELD_BYTES;
    }
    r->in_value = true;
    if (host) {
        if (!add_value(r->q.host, sizeof(r->q.host), false, at, n))
            return -1;
    } else if (span_is(span_cstr(r->field), "content-type")) {
        add_value(r->q.content_type, sizeof(r->q.content_type), first, at, n);
    } else if (span_is(span_cstr(r->field), "authorization")) {
        add_value(r->q.authorization, sizeof(r->q.authorization), first, at, n);
    }
    return count_header(r, n) ? 0 : -1;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
    struct reading *r = p->data;
    r->body_bytes += n;
    if (r->body_bytes > HTTP_BODY_MAX)
        r->too_large = true;
    else if (p->method == HTTP_POST)
        buf_put(&r->q.body, at, n);
    return r->too_large ? -1 : 0;
}

static int on_complete(http_parser *p)
{
    struct reading *r = p->data;
    r->complete = true;
    r->q.keep_alive = http_should_keep_alive(p);
    snprintf(r->q.method, sizeof(r->q.method), "%s", http_method_str((enum http_method)p->method));
    r->q.head = p->method == HTTP_HEAD;
    http_parser_pause(p, 1); /* what follows is the next request */
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

static bool take_path(struct reading *r)
{
    struct http_parser_url u;
    http_parser_url_init(&u);
    if (http_parser_parse_url(r->target.p, r->target.n, 0, &u) != 0 ||
        !(u.field_set & 1 << UF_PATH))
        return false;
    struct span path = span_of(r->target.p + u.field_data[UF_PATH].off, u.field_data[UF_PATH].len);
    return span_to_cstr(path, r->q.path, sizeof(r->q.path)) && r->q.path[0] == '/';
}

/* RFC 9112 section 3.2: exactly one Host, from 1.1 on. */
static unsigned problem_of(const struct reading *r, const http_parser *p)
{
    if (p->http_major != 1)
        return 505;
    return r->hosts > 1 || (!r->hosts && p->http_minor > 0) ? 400 : 0;
}

static unsigned parse_problem(const struct reading *r, const http_parser *p)
{
    if (r->too_large)
        return r->body_bytes > HTTP_BODY_MAX ? 413 : 431;
    if (r->target.overflow)
        return 414;
    return HTTP_PARSER_ERRNO(p) == HPE_HEADER_OVERFLOW ? 431 : 400;
}

/* 0: a request; >0: the status to refuse with, the connection ends; -1: the connection is over. */
static int read_request(struct session *s, struct http_request *ret)
{
    struct reading r = {.target = BUF(HTTP_TARGET_MAX), .q.body = BUF(HTTP_BODY_MAX)};
    uint64_t deadline = clock_mono_ms() + UINT64_C(1000) * s->vserver->limits.idle_timeout;
    http_parser p;
    int status = 0;

    http_parser_init(&p, HTTP_REQUEST);
    p.data = &r;
    bool begun = false;
    while (!r.complete && status == 0) {
        struct span in = conn_peek(s->conn);
        if (in.n == 0) {
            uint64_t now = clock_mono_ms();
            if (!session_rest(s, !begun)) {
                status = -1; /* it is to end */
                break;
            }
            int got = now < deadline ? conn_fill(s->conn, deadline - now) : -ETIMEDOUT;
            session_rest(s, false);
            if (got <= 0)
                status = got == -ETIMEDOUT && begun ? 408 : -1;
            continue;
        }
        begun = true;
        size_t used = http_parser_execute(&p, &settings, in.p, in.n);
        conn_consume(s->conn, used);
        if (HTTP_PARSER_ERRNO(&p) == HPE_PAUSED)
            break;
        if (HTTP_PARSER_ERRNO(&p) != HPE_OK)
            status = (int)parse_problem(&r, &p);
        else if (p.upgrade)
            status = 400;
    }
    if (status == 0)
        status = (int)problem_of(&r, &p);
    if (status == 0 && !take_path(&r))
        status = 400;
    buf_done(&r.target);
    if (status == 0)
        *ret = r.q;
    else
        buf_done(&r.q.body);
    return status;
}

/* ------------------------------------------------------------------ answering */

static const char *reason(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 301:
        return "Moved Permanently";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 505:
        return "HTTP Version Not Supported";
    case 503:
        return "Service Unavailable";
    default:
        return "Error";
    }
}

static void send_answer(struct session *s, const struct http_answer *a, bool head, bool keep)
{
    struct buf date BUF_AUTO = BUF(64), top BUF_AUTO = BUF(8192);

    date_print_rfc5322(&date, (struct date){.seconds = clock_seconds()});
    struct span day = buf_span(&date);
    size_t zone = span_rfind(day, ' ');
    buf_printf(&top, "HTTP/1.1 %u %s\r\nDate: %.*s GMT\r\nServer: sealpost\r\n", a->status,
               reason(a->status), SPAN_ARG(span_head(day, zone)));
    if (a->status != 204) /* RFC 9110 section 8.6 */
        buf_printf(&top, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                   a->type ? a->type : "text/plain; charset=utf-8", a->body.n);
    if (a->link)
        buf_printf(&top, "Link: %s\r\n", a->link);
    if (a->nonce)
        buf_printf(&top, "Replay-Nonce: %s\r\n", a->nonce);
    if (a->encoding)
        buf_printf(&top, "Content-Transfer-Encoding: %s\r\n", a->encoding);
    if (a->retry_after)
        buf_printf(&top, "Retry-After: %u\r\n", a->retry_after);
    if (a->authenticate)
        buf_put_cstr(&top, "WWW-Authenticate: Basic realm=\"sealpost\", charset=\"UTF-8\"\r\n");
    if (a->location)
        buf_printf(&top, "Location: %s\r\n", a->location);
    if (a->disposition)
        buf_printf(&top, "Content-Disposition: %s\r\n", a->disposition);
    if (a->status == 405)
        buf_put_cstr(&top, a->posted ? "Allow: GET, HEAD, POST\r\n" : "Allow: GET, HEAD\r\n");
    buf_put_cstr(&top, "X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n");
    if (a->cache_seconds)
        buf_printf(&top, "Cache-Control: public, max-age=%u\r\n", a->cache_seconds);
    else
        buf_put_cstr(&top, "Cache-Control: no-store\r\n");
    buf_put_cstr(&top, "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
                       "form-action 'none'; frame-ancestors 'none'\r\n");
    if (s->tls)
        buf_put_cstr(&top, "Strict-Transport-Security: max-age=31536000\r\n");
    buf_put_cstr(&top, keep ? "\r\n" : "Connection: close\r\n\r\n");
    session_put(s, buf_span(&top));
    if (!head && a->status != 204)
        session_put(s, buf_span(&a->body));
}

static void run(struct session *s)
{
    struct http_request q;

    while (!s->closing) {
        struct http_answer a = {.status = 200, .body = BUF(HTTP_ANSWER_MAX)};
        int refused = read_request(s, &q);
        if (refused < 0)
            return;
        s->commands++;
        if (refused) {
            q = (struct http_request){0};
            a.status = (unsigned)refused;
            buf_printf(&a.body, "%s\n", reason(a.status));
        } else {
            http_route(s, &q, &a);
        }
        send_answer(s, &a, q.head, q.keep_alive);
        buf_done(&a.body);
        buf_done(&q.body);
        arena_reset(s->scratch);
        session_give_turn(s);
        if (session_flush(s) < 0 || !q.keep_alive)
            return;
    }
}

static void say(struct session *s, enum session_event e, const struct command_line *c,
                struct span detail)
{
    (void)c;
    (void)detail;
    if (e == SESSION_BUSY)
        session_puts(
            s,
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

static const char *const alpn[] = {"http/1.1", NULL};

const struct protocol http_protocol = {
    .name = "http",
    .alpn = alpn,
    .initial_state = 1,
    .say = say,
    .run = run,
};
