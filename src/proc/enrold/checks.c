/* Goes to a name and looks: HTTP, DNS, TLS. Where it may connect to is configured; what comes back
 * is a stranger's. */
#include "proc/enrold/enrold.h"

#include "base/check.h"
#include "base/clock.h"
#include "tls/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHECK_MS = 10000 };

/* ------------------------------------------------------------------ where to */

static bool is_own_network(const struct in6_addr *a)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    const unsigned char *p = a->s6_addr;

    if (memcmp(p, mapped, 12) == 0) {
        p += 12;
        return p[0] == 0 || p[0] == 127 || (p[0] == 169 && p[1] == 254) || p[0] >= 224;
    }
    return IN6_IS_ADDR_UNSPECIFIED(a) || IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_LINKLOCAL(a) ||
           IN6_IS_ADDR_MULTICAST(a) || IN6_IS_ADDR_V4COMPAT(a);
}

static bool may_connect(void *arg, const struct sockaddr_storage *a)
{
    struct enrold *d = arg;
    const struct conf_acme_server *s = &d->child->conf->acme_server;
    struct in6_addr to = {
        .s6_addr = {[10] = 0xff, [11] = 0xff}
    };
    uint16_t port;

    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
        memcpy(to.s6_addr + 12, &v4->sin_addr, 4);
        port = ntohs(v4->sin_port);
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;
        to = v6->sin6_addr;
        port = ntohs(v6->sin6_port);
    }
    if (port != s->http_port && port != s->tls_port) /* also of a redirection */
        return false;
    return s->connect_to.n ? conf_networks_match(&s->connect_to, &to) : !is_own_network(&to);
}

/* ------------------------------------------------------------------ http-01 */

static enum enrol_problem problem_of(int rc)
{
    return rc == -EHOSTUNREACH || rc == -ETIMEDOUT || rc == -EACCES ? PROBLEM_CONNECTION
                                                                    : PROBLEM_INCORRECT_RESPONSE;
}

static enum enrol_problem check_http(struct enrold *d, const struct enrol_check *k, struct err *e)
{
    struct web w = {.loop = d->child->loop,
                    .resolver = d->resolver,
                    .tls = d->tls,
                    .clear = true,
                    .unverified = true,
                    .may_connect = may_connect,
                    .may_connect_arg = d};
    struct web_answer a;
    char url[WEB_URL_MAX + 1];
    bool v6 = k->address && strchr(k->name, ':');
    enum enrol_problem p = PROBLEM_NONE;
    uint16_t port = d->child->conf->acme_server.http_port;
    int n = port == 80
                ? snprintf(url, sizeof(url), "http://%s%s%s/.well-known/acme-challenge/%s",
                           v6 ? "[" : "", k->name, v6 ? "]" : "", k->token)
                : snprintf(url, sizeof(url), "http://%s%s%s:%u/.well-known/acme-challenge/%s",
                           v6 ? "[" : "", k->name, v6 ? "]" : "", port, k->token);
    int rc;

    CHECK(n > 0 && (size_t)n < sizeof(url));
    rc = web_ask(&w, &(struct web_request){.url = url, .timeout_ms = CHECK_MS}, &a, e);
    if (rc < 0)
        return problem_of(rc);
    if (a.status != 200) {
        err_set(e, -EPROTO, "%s answers with %u", url, a.status);
        p = PROBLEM_UNAUTHORIZED;
    } else if (!enrol_http_holds(buf_span(&a.body), k)) {
        err_set(e, -EPROTO, "%s answers with something else than the key authorization", url);
        p = PROBLEM_UNAUTHORIZED;
    }
    web_answer_done(&a);
    return p;
}

/* ------------------------------------------------------------------ dns-01 */

static enum enrol_problem check_dns(struct enrold *d, const struct enrol_check *k, struct err *e)
{
    struct buf want BUF_AUTO = BUF(64);
    struct dns_txt_answer *txt = calloc(1, sizeof(*txt)); /* too large for a stack */
    char name[DNS_NAME_MAX + 1];
    enum enrol_problem p = PROBLEM_UNAUTHORIZED;
    int n = snprintf(name, sizeof(name), "_acme-challenge.%s", k->name);
    enum dns_result r;

    CHECK(txt);
    r = n > 0 && (size_t)n < sizeof(name) ? dns_txt(d->resolver, name, txt) : DNS_NO_NAME;
    enrol_dns_value(k->proof, &want);
    if (r == DNS_TEMPORARY || r == DNS_BOGUS) {
        err_set(e, -EAGAIN, "%.255s cannot be looked up in DNS at the moment", name);
        p = PROBLEM_DNS;
    } else {
        for (size_t i = 0; i < txt->count; i++)
            if (span_eq_cstr(buf_span(&want), txt->v[i]))
                p = PROBLEM_NONE;
        err_set(e, -ENOENT, "none of the %zu TXT records of %.255s is the one that was asked for",
                txt->count, name);
    }
    free(txt);
    return p;
}

/* ------------------------------------------------------------------ tls-alpn-01 */

/* RFC 8738 section 6: the name that stands for an address in DNS. */
static void reverse_name(const char *text, char *ret, size_t size)
{
    unsigned char b[16];
    unsigned n = cert_name_ip_bytes(text, b);
    size_t at = 0;

    ret[0] = '\0';
    if (n == 4) {
        snprintf(ret, size, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
        return;
    }
    for (unsigned i = n; i-- > 0 && at + 8 < size;)
        at += (size_t)snprintf(ret + at, size - at, "%x.%x.", b[i] & 15, b[i] >> 4);
    snprintf(ret + at, size - at, "ip6.arpa");
}

static int addresses_of(struct enrold *d, const struct enrol_check *k, struct dns_addresses *ret)
{
    unsigned char b[16];
    unsigned n = k->address ? cert_name_ip_bytes(k->name, b) : 0;

    *ret = (struct dns_addresses){.count = n != 0};
    if (n == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&ret->a[0];
        v4->sin_family = AF_INET;
        memcpy(&v4->sin_addr, b, 4);
    } else if (n == 16) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&ret->a[0];
        v6->sin6_family = AF_INET6;
        memcpy(&v6->sin6_addr, b, 16);
    } else if (dns_addresses(d->resolver, k->name, ret) != DNS_FOUND) {
        return -EHOSTUNREACH;
    }
    return 0;
}

static void set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)a)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)(void *)a)->sin6_port = htons(port);
}

static enum enrol_problem look_at_tls(struct enrold *d, int take_fd, const struct enrol_check *k,
                                      struct err *e)
{
    static const char *const alpn[] = {"acme-tls/1", NULL};
    struct conn_params p = {.loop = d->child->loop, .write_timeout_ms = CHECK_MS};
    struct conn *c = conn_new(take_fd, &p);
    char sni[256];
    struct conn_client_tls t = {.context = d->tls, .name = k->name, .alpn = alpn};
    struct conn_tls_info info;
    enum enrol_problem ret = PROBLEM_NONE;

    if (k->address) {
        reverse_name(k->name, sni, sizeof(sni));
        t.name = sni;
    }
    if (conn_connect_tls(c, &t, CHECK_MS) < 0) {
        err_set(e, -EPROTO, "the TLS handshake with %.200s failed: %.200s", k->name, conn_error(c));
        ret = PROBLEM_TLS;
    } else {
        conn_tls_info(c, &info);
        if (strcmp(info.alpn, alpn[0]) != 0 || !conn_peer_certificate(c)) {
            err_set(e, -EPROTO, "%.200s does not speak acme-tls/1", k->name);
            ret = PROBLEM_UNAUTHORIZED;
        } else if (!enrol_alpn_holds(conn_peer_certificate(c), k, e)) {
            ret = PROBLEM_UNAUTHORIZED;
        }
    }
    conn_free(c);
    return ret;
}

static enum enrol_problem check_alpn(struct enrold *d, const struct enrol_check *k, struct err *e)
{
    uint16_t port = d->child->conf->acme_server.tls_port;
    struct dns_addresses to;

    if (addresses_of(d, k, &to) < 0) {
        err_set(e, -EHOSTUNREACH, "the name %.200s has no address in DNS", k->name);
        return PROBLEM_DNS;
    }
    err_set(e, -EACCES, "%.200s has no address that may be connected to", k->name);
    for (size_t i = 0; i < to.count; i++) {
        int fd = -1, rc;
        set_port(&to.a[i], port);
        if (!may_connect(d, &to.a[i]))
            continue;
        rc = conn_dial(d->child->loop, &to.a[i], CHECK_MS, &fd);
        if (rc == 0)
            return look_at_tls(d, fd, k, e);
        err_set(e, rc, "%.200s port %u cannot be reached: %s", k->name, port, strerror(-rc));
    }
    return PROBLEM_CONNECTION;
}

enum enrol_problem enrold_check(void *arg, const struct enrol_check *k, struct err *e)
{
    if (strcmp(k->kind, "http-01") == 0)
        return check_http(arg, k, e);
    if (strcmp(k->kind, "dns-01") == 0)
        return check_dns(arg, k, e);
    return check_alpn(arg, k, e);
}
