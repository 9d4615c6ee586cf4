#include "monitor/fetch.h"

#include "base/clock.h"
#include "base/parse.h"
#include "monitor/reply.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { FIELDS_MAX = 100 };

/* ---- the address ------------------------------------------------------------------------- */

static bool split_port(struct span *authority, struct span *ret_port)
{
    size_t end;

    *ret_port = SPAN_EMPTY;
    if (authority->n > 0 && authority->p[0] == '[') {
        if ((end = span_find(*authority, ']')) == SPAN_NONE)
            return false;
        *ret_port = span_skip(*authority, end + 1);
        *authority = span_sub(*authority, 1, end - 1);
    } else if ((end = span_find(*authority, ':')) != SPAN_NONE) {
        *ret_port = span_skip(*authority, end);
        *authority = span_head(*authority, end);
    }
    return ret_port->n == 0 || ret_port->p[0] == ':';
}

static bool is_visible(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= 32 || (unsigned char)s.p[i] >= 127)
            return false;
    return true;
}

int fetch_url_parse(struct span url, struct fetch_url *ret, struct err *e)
{
    struct fetch_url u = {.port = 80, .path = "/"};
    struct span host, port;
    uint64_t n;
    size_t end;

    if (url.n > FETCH_URL_MAX || !is_visible(url))
        return err_set(e, -EINVAL, "an address that is none");
    if (span_starts_nocase(url, SPAN("https://")))
        u.tls = true, u.port = 443;
    else if (!span_starts_nocase(url, SPAN("http://")))
        return err_set(e, -ENOTSUP, "%.*s is neither http:// nor https://", SPAN_ARG(url));
    host = span_skip(url, u.tls ? 8 : 7);
    if ((end = span_find(host, '/')) != SPAN_NONE) {
        span_to_cstr(span_skip(host, end), u.path, sizeof u.path);
        host = span_head(host, end);
    }
    if (!split_port(&host, &port) || host.n == 0 || span_has(host, '@') ||
        !span_to_cstr(host, u.host, sizeof u.host))
        return err_set(e, -EINVAL, "%.*s names no host", SPAN_ARG(url));
    if (port.n > 0) {
        if (!span_to_u64(span_skip(port, 1), 65535, &n) || n == 0)
            return err_set(e, -EINVAL, "%.*s has a port that is none", SPAN_ARG(url));
        u.port = (uint16_t)n;
    }
    *ret = u;
    return 0;
}

static bool numeric(const char *host, struct sockaddr_storage *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)ret;

    *ret = (struct sockaddr_storage){.ss_family = AF_INET};
    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1)
        return true;
    ret->ss_family = AF_INET6;
    return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1;
}

static void set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)a)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)(void *)a)->sin6_port = htons(port);
}

static int dial_any(struct resolver *resolver, const struct fetch_url *u, struct wire **ret,
                    struct err *e)
{
    struct dns_addresses all = {.count = 1};
    int r = -EHOSTUNREACH;

    if (!numeric(u->host, &all.a[0])) {
        if (resolver == NULL)
            return err_set(e, r, "%s: nobody to ask for its address", u->host);
        if (dns_addresses(resolver, u->host, &all) != DNS_FOUND)
            return err_set(e, r, "%s: DNS has no address of it", u->host);
    }
    for (size_t i = 0; r != 0 && i < all.count && i < FETCH_ADDRESSES_MAX; i++) {
        set_port(&all.a[i], u->port);
        r = wire_dial(&all.a[i], NULL, FETCH_DEADLINE_MS, ret, e);
    }
    return r;
}

/* ---- TLS --------------------------------------------------------------------------------- */

static bool leads_to(SSL *ssl, X509_STORE *roots)
{
    X509_STORE_CTX *ctx = roots == NULL ? NULL : X509_STORE_CTX_new();
    bool ok = ctx != NULL &&
              X509_STORE_CTX_init(ctx, roots, SSL_get0_peer_certificate(ssl),
                                  SSL_get_peer_cert_chain(ssl)) == 1 &&
              X509_STORE_CTX_set_default(ctx, "ssl_server") == 1 && X509_verify_cert(ctx) == 1;

    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

static int secure(const struct fetch *f, const struct fetch_url *u, struct wire *w, struct err *e)
{
    struct sockaddr_storage address;
    bool is_address = numeric(u->host, &address) && strcmp(u->host, "localhost") != 0;
    struct wire_tls tls = {.name = is_address ? NULL : u->host, .min = TLS1_2_VERSION};
    enum wire_tls_end end;
    int r = wire_start_tls(w, &tls, &end, e);
    X509 *leaf;

    if (r != 0)
        return r;
    leaf = SSL_get0_peer_certificate(wire_ssl(w));
    if (leaf == NULL ||
        (is_address
             ? X509_check_ip_asc(leaf, u->host, 0)
             : X509_check_host(leaf, u->host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL)) != 1)
        return err_set(e, -EKEYREJECTED, "the certificate of its server is not for %s", u->host);
    if (!leads_to(wire_ssl(w), f->roots[0]) && !leads_to(wire_ssl(w), f->roots[1]))
        return err_set(e, -EKEYREJECTED, "the certificate of its server is not trusted");
    return 0;
}

/* ---- request and answer ------------------------------------------------------------------ */

static int ask(const struct fetch *f, const struct fetch_url *u, struct wire *w, struct err *e)
{
    struct buf request BUF_AUTO = BUF(65536);
    bool six = strchr(u->host, ':') != NULL;

    buf_printf(&request, "%s %s HTTP/1.0\r\nHost: %s%s%s", f->type ? "POST" : "GET", u->path,
               six ? "[" : "", u->host, six ? "]" : "");
    if (u->port != (u->tls ? 443 : 80))
        buf_printf(&request, ":%u", u->port);
    buf_put_cstr(&request, "\r\nConnection: close\r\n");
    if (f->type != NULL)
        buf_printf(&request, "Content-Type: %s\r\nContent-Length: %zu\r\n", f->type, f->body.n);
    buf_put_cstr(&request, "\r\n");
    buf_put_span(&request, f->body);
    return request.overflow ? err_set(e, -EMSGSIZE, "the question is too long")
                            : wire_put(w, buf_span(&request), e);
}

/* -1 as *ret_length: it ends where the connection ends. */
static int read_fields(struct wire *w, struct fetched *ret, int64_t *ret_length, struct err *e)
{
    struct span line, value;
    uint64_t n;
    int r;

    *ret_length = -1;
    for (unsigned i = 0; i < FIELDS_MAX; i++) {
        if ((r = wire_line(w, &line, e)) != 0)
            return r;
        if (line.n == 0)
            return 0;
        if (reply_http_field(line, "Content-Length", &value)) {
            if (!span_to_u64(value, INT64_MAX, &n) || n > ret->body.max)
                return err_set(e, -EMSGSIZE, "the answer is longer than %zu bytes", ret->body.max);
            *ret_length = (int64_t)n;
        } else if (reply_http_field(line, "Content-Type", &value)) {
            value = span_trim(span_head(value, span_find(value, ';')));
            span_to_cstr(span_head(value, sizeof ret->type - 1), ret->type, sizeof ret->type);
        } else if (reply_http_field(line, "Transfer-Encoding", &value)) {
            return err_set(e, -EPROTO, "the answer comes in pieces, although HTTP/1.0 was asked");
        }
    }
    return err_set(e, -EPROTO, "more than %d header fields", FIELDS_MAX);
}

static int read_answer(struct wire *w, struct fetched *ret, struct err *e)
{
    struct span line;
    int64_t length;
    int r = wire_line(w, &line, e);

    if (r != 0)
        return r;
    if (!reply_http_status(line, &ret->status))
        return err_set(e, -EPROTO, "that is no answer of HTTP");
    if ((r = read_fields(w, ret, &length, e)) != 0)
        return r;
    if (length >= 0)
        return wire_bytes(w, (size_t)length, &ret->body, e);
    if (!wire_closes(w, FETCH_DEADLINE_MS, &ret->body))
        return err_set(e, -ETIMEDOUT, "the answer has no end");
    return ret->body.overflow
               ? err_set(e, -EMSGSIZE, "the answer is longer than %zu bytes", ret->body.max)
               : 0;
}

int fetch(const struct fetch *f, const char *url, struct fetched *ret, struct err *e)
{
    struct fetch_url u;
    struct wire *w = NULL;
    int r = fetch_url_parse(span_cstr(url), &u, e);

    if (r != 0)
        return r;
    r = dial_any(f->resolver, &u, &w, e);
    if (r == 0 && u.tls)
        r = secure(f, &u, w, e);
    if (r == 0)
        r = ask(f, &u, w, e);
    if (r == 0)
        r = read_answer(w, ret, e);
    wire_free(w);
    return r;
}
