/* deliver.c: where the mail for a domain goes (connector or MX), and trying the hosts in turn. */
#include "proc/relayd/relayd.h"

#include "base/check.h"
#include "base/log.h"
#include "smtp/route.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

/* RFC 5321 section 5.1 asks for two at least; each may take its time. */
enum { ADDRESSES_MAX = 8, TRANSACTIONS_MAX = 50 };

struct attempt {
    struct relay *r;
    struct job *job;
    const struct queue_item *item;
    const struct policy_group *g;
    const struct conf_connector *via; /* NULL: by MX */
    int body_fd;
    struct relay_verdict *v; /* of all recipients of the item */
    size_t *open;            /* those still to be decided: indices */
    size_t open_count;
    unsigned addresses; /* tried */
    bool connected;     /* somebody was there */
    bool over;          /* no other host is to be asked now */
};

static void all_open(struct attempt *a, enum queue_outcome o, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void all_open(struct attempt *a, enum queue_outcome o, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < a->open_count; i++) {
        struct relay_verdict *v = &a->v[a->open[i]];
        if (o == QUEUE_DEFERRED && v->result.replied)
            continue; /* a server's own word says more */
        v->host[0] = 0;
        v->result = (struct smtp_recipient_result){.outcome = o};
        snprintf(v->result.text, sizeof(v->result.text), "%s", text);
    }
}

/* ------------------------------------------------------------------ one host */
static const struct route_secret *secret_of(const struct relay *r, const struct conf_connector *k)
{
    for (size_t i = 0; k && i < r->secret_count; i++)
        if (strcmp(r->secrets[i].connector, k->name) == 0)
            return &r->secrets[i];
    return NULL;
}

static void set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)a)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)a)->sin_port = htons(port);
}

static const char *address_text(const struct sockaddr_storage *a, char text[NI_MAXHOST])
{
    socklen_t n =
        a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    return getnameinfo((const struct sockaddr *)(const void *)a, n, text, NI_MAXHOST, NULL, 0,
                       NI_NUMERICHOST) == 0
               ? text
               : "?";
}

/* What the host is to be like; false: the route cannot be used at the moment, and that is said. */
static bool host_of(struct attempt *a, const char *name, const struct sockaddr_storage *address,
                    uint16_t port, struct smtp_host *ret)
{
    struct relay *r = a->r;
    const struct conf_connector *k = a->via;
    const struct route_secret *secret = secret_of(r, k);
    struct smtp_host h = {.loop = r->child->loop,
                          .address = *address,
                          .name = name,
                          .ehlo = r->conf->hostname,
                          .tls = secret && secret->tls ? secret->tls : r->tls};

    set_port(&h.address, port);
    h.tls_required = (k && k->tls_required) || a->item->require_tls;
    if (k && k->tls_name[0])
        h.tls_verify_name = k->tls_name;
    if (k && k->tls_ca_file[0] && !(secret && secret->tls)) {
        all_open(a, QUEUE_DEFERRED, "connector %s: its tls_ca_file cannot be read", k->name);
        return false;
    }
    if (k && k->user[0]) {
        if (!secret || !secret->password[0]) {
            all_open(a, QUEUE_DEFERRED, "connector %s: its password cannot be read", k->name);
            return false;
        }
        h.user = k->user;
        h.password = secret->password;
    }
    *ret = h;
    return true;
}

static void count_facts(struct relay *r, const struct smtp_facts *f, enum smtp_attempt at)
{
    r->count.connections++;
    r->count.unreachable += at == SMTP_UNREACHABLE;
    r->count.tls_failed += f->tls_failed;
    if (at != SMTP_ANSWERED)
        return;
    if (f->tls)
        r->count.tls++;
    else
        r->count.plain++;
    r->count.tls_verified += f->verified;
}

static void log_attempt(const struct attempt *a, const struct smtp_host *h,
                        const struct smtp_facts *f, enum smtp_attempt at,
                        const struct smtp_recipient_result *results)
{
    char address[NI_MAXHOST], tls[100] = "in clear";

    if (f->tls)
        snprintf(tls, sizeof(tls), "%s %s, certificate %s", f->version, f->cipher,
                 f->verified ? "verified" : "not verified");
    if (at == SMTP_ANSWERED)
        log_info("queue %" PRIu64 ": %s [%s] answered, %s, %zu recipients", a->item->id, h->name,
                 address_text(&h->address, address), tls, a->open_count);
    else
        log_info("queue %" PRIu64 ": %s [%s] is of no use: %s", a->item->id, h->name,
                 address_text(&h->address, address), log_quote(span_cstr(results[0].text)));
}

/* Takes over what a host said: what is decided is open no more. *ret_more: it took some, and has no
 * room for the others in the same transaction (RFC 5321 section 4.5.3.1.10). */
static void take_results(struct attempt *a, const char *host,
                         const struct smtp_recipient_result *results, bool *ret_more)
{
    size_t left = 0, delivered = 0, crowded = 0;

    for (size_t i = 0; i < a->open_count; i++) {
        struct relay_verdict *v = &a->v[a->open[i]];
        const struct smtp_recipient_result *res = &results[i];
        struct span text = span_cstr(res->text);

        if (res->outcome != QUEUE_DEFERRED || res->replied || !v->result.replied) {
            v->result = *res;
            snprintf(v->host, sizeof(v->host), "%s", res->replied ? host : "");
        }
        delivered += res->outcome == QUEUE_DELIVERED;
        if (res->outcome != QUEUE_DEFERRED)
            continue;
        crowded +=
            res->replied && (span_starts(text, SPAN("452")) || span_starts(text, SPAN("552")));
        a->open[left++] = a->open[i];
    }
    a->open_count = left;
    *ret_more = delivered && crowded;
}

static enum smtp_attempt send_open(struct attempt *a, struct smtp_host *h, struct smtp_facts *f,
                                   bool *ret_more)
{
    struct smtp_outgoing_recipient *to = calloc(a->open_count, sizeof(*to));
    struct smtp_recipient_result *results = calloc(a->open_count, sizeof(*results));
    const struct queue_item *item = a->item;

    CHECK(to && results);
    for (size_t i = 0; i < a->open_count; i++) {
        const struct queue_recipient *q = &item->recipients[a->open[i]];
        to[i] = (struct smtp_outgoing_recipient){
            .address = q->address,
            .orcpt = q->orcpt,
            .notify = q->notify,
        };
    }
    struct smtp_outgoing m = {.sender = item->sender,
                              .envid = item->envid,
                              .ret_headers = item->ret_headers,
                              .ret_full = item->ret_full,
                              .smtputf8 = item->smtputf8,
                              .recipients = to,
                              .count = a->open_count,
                              .body_fd = a->body_fd,
                              .size = item->size};
    enum smtp_attempt at = smtp_send(h, &m, results, f);
    count_facts(a->r, f, at);
    log_attempt(a, h, f, at, results);
    take_results(a, h->name, results, ret_more);
    free(results);
    free(to);
    return at;
}

/* A host whose TLS is broken gets the mail in clear where nothing asks for TLS, as a host without
 * TLS would. True: this host decided about what it was asked. */
static bool try_address(struct attempt *a, const char *name, const struct sockaddr_storage *address,
                        uint16_t port)
{
    struct smtp_host h;
    struct smtp_facts f = {0};
    enum smtp_attempt at;
    bool more;

    if (!host_of(a, name, address, port, &h)) {
        a->over = true;
        return true;
    }
    a->addresses++;
    for (int i = 0; i < TRANSACTIONS_MAX; i++) {
        at = send_open(a, &h, &f, &more);
        if (at == SMTP_UNREACHABLE && f.tls_failed && !h.tls_required && !h.tls_verify_name &&
            !h.user) {
            log_warn("queue %" PRIu64 ": TLS with %s failed, trying in clear", a->item->id, name);
            h.tls = NULL;
            at = send_open(a, &h, &f, &more);
        }
        a->connected = a->connected || f.connected;
        a->over = a->over || f.body_sent || !a->open_count;
        if (at != SMTP_ANSWERED || a->over || !more)
            break;
    }
    return at == SMTP_ANSWERED;
}

/* False: another host may be tried. */
static void try_host(struct attempt *a, const char *host, uint16_t port)
{
    struct dns_addresses found = {0};
    enum dns_result d = DNS_FOUND;

    if (route_literal(host, &found.a[0]))
        found.count = 1;
    else
        d = dns_addresses(a->r->resolver, host, &found);
    if (d != DNS_FOUND) {
        all_open(a, QUEUE_DEFERRED, "%s %s: %s",
                 d == DNS_BOGUS       ? "451 4.7.5"
                 : d == DNS_TEMPORARY ? "451 4.4.3"
                                      : "451 4.4.4",
                 host,
                 d == DNS_NO_NAME   ? "there is no such host"
                 : d == DNS_NO_DATA ? "the host has no address"
                 : d == DNS_BOGUS   ? "its address fails DNSSEC validation"
                                    : "its address cannot be looked up at the moment");
        return;
    }
    for (size_t i = 0; i < found.count && a->addresses < ADDRESSES_MAX && !a->over; i++)
        if (try_address(a, host, &found.a[i], port))
            return;
}

/* ------------------------------------------------------------------ where to */
static bool is_self(const struct relay *r, const char *host)
{
    return span_eq_nocase(span_cstr(host), span_cstr(r->conf->hostname));
}

static void by_mx_hosts(struct attempt *a, const struct dns_mx_answer *mx)
{
    for (size_t i = 0; i < mx->count && !a->over && a->addresses < ADDRESSES_MAX; i++) {
        /* Hosts that are as good as this one or worse are none to go to: mail would go round. */
        if (is_self(a->r, mx->mx[i].host)) {
            if (i == 0)
                all_open(a, QUEUE_FAILED,
                         "554 5.4.6 MX of %s leads back to this server, which is not configured "
                         "for it",
                         a->g->domain);
            return;
        }
        try_host(a, mx->mx[i].host, a->r->conf->outbound_port);
    }
}

/* RFC 5321 section 5.1 */
static void by_mx(struct attempt *a)
{
    struct dns_mx_answer mx = {0};
    struct dns_addresses own;
    const char *domain = a->g->domain;
    uint16_t port = a->r->conf->outbound_port;
    struct sockaddr_storage literal;

    if (domain[0] == '[' && route_literal(domain, &literal)) {
        try_host(a, domain, port);
        return;
    }
    switch (dns_mx(a->r->resolver, domain, &mx)) {
    case DNS_FOUND:
        if (mx.null_mx && !mx.count)
            all_open(a, QUEUE_FAILED, "556 5.1.10 The domain %s takes no mail (null MX)", domain);
        else if (!mx.count)
            all_open(a, QUEUE_DEFERRED, "451 4.4.4 MX of %s names no host that can be one", domain);
        else
            by_mx_hosts(a, &mx);
        return;
    case DNS_NO_NAME:
        all_open(a, QUEUE_FAILED, "550 5.1.2 The domain %s does not exist", domain);
        return;
    case DNS_NO_DATA: { /* no MX: the domain itself, if it has an address */
        enum dns_result d = dns_addresses(a->r->resolver, domain, &own);
        if (d == DNS_NO_DATA || d == DNS_NO_NAME)
            all_open(a, QUEUE_FAILED, "550 5.1.2 The domain %s has neither MX nor address", domain);
        else
            try_host(a, domain, port);
        return;
    }
    case DNS_TEMPORARY:
        all_open(a, QUEUE_DEFERRED, "451 4.4.3 MX of %s cannot be looked up at the moment", domain);
        return;
    case DNS_BOGUS:
        all_open(a, QUEUE_DEFERRED, "451 4.7.5 MX of %s fails DNSSEC validation", domain);
        return;
    }
}

static void by_connector(struct attempt *a)
{
    struct route_host host;
    if (!route_host_parse(a->via->smart_host, a->r->conf->outbound_port, &host))
        all_open(a, QUEUE_DEFERRED, "connector %s: smart_host \"%s\" is not host[:port]",
                 a->via->name, a->via->smart_host);
    else
        try_host(a, host.name, host.port);
}

static void go(struct attempt *a)
{
    int err = job_body(a->job, &a->body_fd);
    if (err < 0)
        all_open(a, QUEUE_DEFERRED, "451 4.3.0 The message cannot be read from the store: %s",
                 strerror(-err));
    else if (a->via && a->via->smart_host[0])
        by_connector(a);
    else
        by_mx(a);
}

void relay_deliver(struct relay *r, struct job *j, const struct policy_group *g,
                   struct relay_verdict *v)
{
    struct attempt a = {.r = r, .job = j, .item = job_item(j), .g = g, .v = v, .body_fd = -1};
    struct smtp_recipient_result why;

    a.open = calloc(g->count, sizeof(*a.open));
    CHECK(a.open);
    memcpy(a.open, g->members, g->count * sizeof(*a.open));
    a.open_count = g->count;
    if (!g->domain[0]) {
        all_open(&a, QUEUE_FAILED, "550 5.1.3 The address has no domain");
    } else if (!relay_slot_enter(r, g->domain, &why)) {
        all_open(&a, QUEUE_DEFERRED, "%s", why.text);
    } else {
        all_open(&a, QUEUE_DEFERRED, "451 4.4.1 No host of %s could be reached", g->domain);
        a.via = route_find(r->conf, span_cstr(g->domain));
        go(&a);
        relay_slot_leave(r, g->domain,
                         a.addresses && !a.connected ? &v[g->members[0]].result : NULL);
    }
    free(a.open);
}
