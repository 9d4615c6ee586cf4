/* deliver.c: where each recipient's mail goes (connector or MX), and trying the hosts in turn. */
#include "proc/relayd/relayd.h"

#include "base/check.h"
#include "base/log.h"
#include "base/map.h"
#include "base/parse.h"
#include "smtp/route.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

/* Recipients of one domain, delivered together. */
struct group {
    char domain[DNS_NAME_MAX + 1];
    size_t *members; /* indices of item->recipients */
    size_t count;
};

struct attempt {
    struct relay *r;
    const struct queue_item *item;
    const struct group *g;
    const struct conf_connector *via; /* NULL: by MX */
    int body_fd;
    struct smtp_recipient_result *results; /* of the group's members */
    struct smtp_outgoing out;
};

static void all_results(struct attempt *a, enum queue_outcome o, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void all_results(struct attempt *a, enum queue_outcome o, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < a->g->count; i++) {
        a->results[i].outcome = o;
        snprintf(a->results[i].text, sizeof(a->results[i].text), "%s", text);
    }
}

/* ------------------------------------------------------------------ one domain at a time */

static void domain_enter(struct relay *r, const char *domain)
{
    for (;;) {
        uintptr_t open = (uintptr_t)map_get(r->busy_domains, span_cstr(domain));
        if (open < r->child->conf->outbound_per_domain) {
            map_set(r->busy_domains, span_cstr(domain), (void *)(open + 1));
            return;
        }
        fiber_cond_wait(&r->domain_free, 60000);
    }
}

static void domain_leave(struct relay *r, const char *domain)
{
    uintptr_t open = (uintptr_t)map_get(r->busy_domains, span_cstr(domain));
    if (open > 1)
        map_set(r->busy_domains, span_cstr(domain), (void *)(open - 1));
    else
        map_remove(r->busy_domains, span_cstr(domain));
    fiber_cond_broadcast(&r->domain_free);
}

/* ------------------------------------------------------------------ hosts */

static const char *password_of(const struct relay *r, const struct conf_connector *k)
{
    for (size_t i = 0; i < r->secret_count; i++)
        if (strcmp(r->secrets[i].connector, k->name) == 0)
            return r->secrets[i].password;
    return NULL;
}

static void set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)a)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)a)->sin_port = htons(port);
}

/* True: the host decided. A host whose TLS is broken gets the mail in clear where nothing asks for
 * TLS, as a host without TLS would. */
static bool try_address(struct attempt *a, const char *name, const struct sockaddr_storage *address,
                        uint16_t port)
{
    struct relay *r = a->r;
    const struct conf_connector *k = a->via;
    struct smtp_host h = {.loop = r->child->loop,
                          .address = *address,
                          .name = name,
                          .ehlo = r->child->conf->hostname,
                          .tls = r->tls};
    bool tls_failed = false;

    set_port(&h.address, port);
    h.tls_required = (k && k->tls_required) || a->item->require_tls;
    if (k && k->tls_name[0])
        h.tls_verify_name = k->tls_name;
    if (k && k->user[0]) {
        h.user = k->user;
        h.password = password_of(r, k);
        if (!h.password) {
            all_results(a, QUEUE_DEFERRED, "connector %s: its password cannot be read", k->name);
            return true;
        }
    }
    r->connections++;
    enum smtp_attempt at = smtp_send(&h, &a->out, a->results, &tls_failed);
    if (at == SMTP_UNREACHABLE && tls_failed && !h.tls_required && !h.tls_verify_name && !h.user) {
        log_warn("queue %llu: TLS with %s failed, trying in clear: %s",
                 (unsigned long long)a->item->id, name, log_quote(span_cstr(a->results[0].text)));
        h.tls = NULL;
        r->plain++;
        at = smtp_send(&h, &a->out, a->results, &tls_failed);
    }
    return at == SMTP_ANSWERED;
}

static bool try_host(struct attempt *a, const char *host, uint16_t port)
{
    struct dns_addresses found = {0};
    enum dns_result d = DNS_FOUND;

    if (!route_literal(host, &found.a[0]))
        d = dns_addresses(a->r->resolver, host, &found);
    else
        found.count = 1;
    if (d != DNS_FOUND) {
        all_results(a, QUEUE_DEFERRED, "%s: %s", host,
                    d == DNS_NO_NAME   ? "there is no such host"
                    : d == DNS_NO_DATA ? "the host has no address"
                    : d == DNS_BOGUS   ? "its address fails DNSSEC validation"
                                       : "its address cannot be looked up at the moment");
        return false;
    }
    for (size_t i = 0; i < found.count; i++)
        if (try_address(a, host, &found.a[i], port))
            return true;
    return false;
}

static bool is_self(const struct relay *r, const char *host)
{
    return span_eq_nocase(span_cstr(host), span_cstr(r->child->conf->hostname));
}

/* RFC 5321 section 5.1 */
static void by_mx(struct attempt *a)
{
    struct relay *r = a->r;
    struct dns_mx_answer mx = {0};
    const char *domain = a->g->domain;
    uint16_t port = r->child->conf->outbound_port;
    struct sockaddr_storage literal;

    if (domain[0] == '[' && route_literal(domain, &literal)) {
        try_host(a, domain, port);
        return;
    }
    switch (dns_mx(r->resolver, domain, &mx)) {
    case DNS_FOUND:
        break;
    case DNS_NO_NAME:
        all_results(a, QUEUE_FAILED, "550 5.1.2 The domain %s does not exist", domain);
        return;
    case DNS_NO_DATA: { /* no MX: the domain itself, if it has an address */
        struct dns_addresses own;
        enum dns_result d = dns_addresses(r->resolver, domain, &own);
        if (d == DNS_NO_DATA || d == DNS_NO_NAME)
            all_results(a, QUEUE_FAILED, "550 5.1.2 The domain %s has neither MX nor address",
                        domain);
        else
            try_host(a, domain, port);
        return;
    }
    case DNS_TEMPORARY:
        all_results(a, QUEUE_DEFERRED, "451 4.4.3 MX of %s cannot be looked up at the moment",
                    domain);
        return;
    case DNS_BOGUS:
        all_results(a, QUEUE_DEFERRED, "451 4.7.5 MX of %s fails DNSSEC validation", domain);
        return;
    }
    if (mx.null_mx && !mx.count) {
        all_results(a, QUEUE_FAILED, "556 5.1.10 The domain %s takes no mail (null MX)", domain);
        return;
    }
    for (size_t i = 0; i < mx.count; i++) {
        if (is_self(r, mx.mx[i].host)) {
            if (i == 0)
                all_results(
                    a, QUEUE_FAILED,
                    "554 5.4.6 MX of %s leads back to this server, which is not configured for it",
                    domain);
            return;
        }
        if (try_host(a, mx.mx[i].host, port))
            return;
    }
}

static void by_connector(struct attempt *a)
{
    struct route_host host;
    if (!route_host_parse(a->via->smart_host, a->r->child->conf->outbound_port, &host)) {
        all_results(a, QUEUE_DEFERRED, "connector %s: smart_host \"%s\" is not host[:port]",
                    a->via->name, a->via->smart_host);
        return;
    }
    try_host(a, host.name, host.port);
}

/* ------------------------------------------------------------------ grouping */

static struct span domain_of(struct span address)
{
    size_t at = span_rfind(address, '@');
    return at == SPAN_NONE ? SPAN_EMPTY : span_skip(address, at + 1);
}

static void deliver_group(struct relay *r, const struct queue_item *item, int body_fd,
                          const struct group *g, struct smtp_recipient_result *all)
{
    struct smtp_outgoing_recipient *to = calloc(g->count, sizeof(*to));
    struct smtp_recipient_result *results = calloc(g->count, sizeof(*results));
    struct attempt a = {.r = r, .item = item, .g = g, .body_fd = body_fd, .results = results};

    CHECK(to && results);
    for (size_t i = 0; i < g->count; i++) {
        const struct queue_recipient *q = &item->recipients[g->members[i]];
        to[i] = (struct smtp_outgoing_recipient){
            .address = q->address, .orcpt = q->orcpt, .notify = q->notify};
        results[i].outcome = QUEUE_DEFERRED;
        snprintf(results[i].text, sizeof(results[i].text),
                 "451 4.4.1 No host of %s could be reached", g->domain);
    }
    a.out = (struct smtp_outgoing){.sender = item->sender,
                                   .envid = item->envid,
                                   .ret_headers = item->ret_headers,
                                   .body_8bit = item->body_8bit,
                                   .smtputf8 = item->smtputf8,
                                   .recipients = to,
                                   .count = g->count,
                                   .body_fd = body_fd,
                                   .size = item->size};
    a.via = route_find(r->child->conf, span_cstr(g->domain));
    domain_enter(r, g->domain);
    if (a.via && a.via->smart_host[0])
        by_connector(&a);
    else
        by_mx(&a);
    domain_leave(r, g->domain);
    for (size_t i = 0; i < g->count; i++)
        all[g->members[i]] = results[i];
    free(results);
    free(to);
}

void relay_deliver(struct relay *r, const struct queue_item *item, int body_fd,
                   struct smtp_recipient_result *results)
{
    bool *done = calloc(item->count ? item->count : 1, sizeof(*done));
    size_t *members = calloc(item->count ? item->count : 1, sizeof(*members));

    CHECK(done && members);
    for (size_t i = 0; i < item->count; i++) {
        struct group g = {.members = members};
        struct span domain = domain_of(item->recipients[i].address);

        if (done[i])
            continue;
        if (!span_to_cstr(domain, g.domain, sizeof(g.domain)) || !domain.n) {
            results[i].outcome = QUEUE_FAILED;
            snprintf(results[i].text, sizeof(results[i].text),
                     "550 5.1.3 The address has no domain");
            continue;
        }
        for (char *p = g.domain; *p; p++)
            *p = ascii_lower(*p);
        for (size_t k = i; k < item->count; k++)
            if (!done[k] && span_eq_nocase(domain_of(item->recipients[k].address), domain)) {
                done[k] = true;
                members[g.count++] = k;
            }
        deliver_group(r, item, body_fd, &g, results);
    }
    free(members);
    free(done);
}
