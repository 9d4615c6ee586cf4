#include "dns/resolver.h"

#include "base/check.h"
#include "base/log.h"
#include "base/random.h"
#include "base/span.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unbound.h>
#include <unistd.h>

enum { TYPE_A = 1, TYPE_MX = 15, TYPE_AAAA = 28, TYPE_TLSA = 52, CLASS_IN = 1 };

struct resolver {
    struct loop *loop;
    struct ub_ctx *ub;
    struct watch *watch;
};

static void on_answers(void *arg, int events)
{
    struct resolver *r = arg;
    (void)events;
    int err = ub_process(r->ub);
    if (err)
        log_error("dns: %s", ub_strerror(err));
}

static int configure(struct resolver *r, const char *const *servers, size_t server_count,
                     const char *trust_anchor, struct err *e)
{
    int err = 0;
    for (size_t i = 0; i < server_count && !err; i++) {
        err = ub_ctx_set_fwd(r->ub, servers[i]);
        if (err)
            return err_set(e, -EINVAL,
                           "dns_servers: \"%s\": %s. Give a numeric address, or address@port.",
                           servers[i], ub_strerror(err));
    }
    /* libunbound denies these itself (RFC 6761, RFC 8375); servers of one's own may well know them
     */
    static const char *const ours[] = {"test.", "home.arpa."};
    for (size_t i = 0; i < ARRAY_LEN(ours) && server_count; i++)
        ub_ctx_zone_add(r->ub, ours[i], "nodefault");
    if (!server_count)
        ub_ctx_resolvconf(r->ub, NULL); /* none there: libunbound asks the root servers itself */
    ub_ctx_hosts(r->ub, NULL);
    if (trust_anchor[0]) {
        /* libunbound opens it at the first question only, and then fails all of them */
        if (access(trust_anchor, R_OK) < 0)
            return err_set(e, -errno, "dns_trust_anchor: %s: %s.", trust_anchor, strerror(errno));
        err = ub_ctx_add_ta_file(r->ub, trust_anchor);
        if (err)
            return err_set(e, -EINVAL,
                           "dns_trust_anchor: %s: %s. Give a file with DS or DNSKEY records.",
                           trust_anchor, ub_strerror(err));
    }
    /* questions to servers on this machine are what tests and local resolvers need */
    ub_ctx_set_option(r->ub, "do-not-query-localhost:", "no");
    ub_ctx_async(r->ub, 1); /* threads, not processes: the jail allows no fork */
    return 0;
}

struct resolver *resolver_new(struct loop *l, const char *const *servers, size_t server_count,
                              const char *trust_anchor, struct err *e)
{
    struct resolver *r = calloc(1, sizeof(*r));
    CHECK(r);
    r->loop = l;
    r->ub = ub_ctx_create();
    if (!r->ub) {
        err_set(e, -ENOMEM, "dns: libunbound cannot start");
        free(r);
        return NULL;
    }
    if (configure(r, servers, server_count, trust_anchor, e) < 0) {
        ub_ctx_delete(r->ub);
        free(r);
        return NULL;
    }
    r->watch = watch_new(l, ub_fd(r->ub), on_answers, r);
    watch_set(r->watch, WATCH_READ);
    return r;
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    watch_free(r->watch);
    ub_ctx_delete(r->ub);
    free(r);
}

/* ------------------------------------------------------------------ one question */

struct question {
    struct fiber *fiber;
    struct ub_result *result;
    int err;
    bool done;
};

static void on_answer(void *arg, int err, struct ub_result *result)
{
    struct question *q = arg;
    q->err = err;
    q->result = result;
    q->done = true;
    if (q->fiber)
        fiber_resume(q->fiber);
}

static enum dns_result ask(struct resolver *r, const char *name, int type, struct ub_result **ret)
{
    struct question q = {0};
    int err = ub_resolve_async(r->ub, name, type, CLASS_IN, &q, on_answer, NULL);
    if (err)
        return DNS_TEMPORARY;
    q.fiber = fiber_self();
    while (!q.done)
        fiber_suspend();
    if (q.err || !q.result)
        return DNS_TEMPORARY;
    enum dns_result d = q.result->bogus        ? DNS_BOGUS
                        : q.result->havedata   ? DNS_FOUND
                        : q.result->nxdomain   ? DNS_NO_NAME
                        : q.result->rcode == 0 ? DNS_NO_DATA
                                               : DNS_TEMPORARY;
    if (d == DNS_FOUND)
        *ret = q.result;
    else
        ub_resolve_free(q.result);
    return d;
}

/* A domain name in wire form to text, lower-cased; only letters, digits, '-', '_' pass. False: not
 * such a name. */
static bool wire_name(const unsigned char *p, size_t n, char ret[DNS_NAME_MAX + 1])
{
    size_t at = 0, out = 0;
    while (at < n && p[at]) {
        size_t label = p[at++];
        if (label > 63 || at + label > n || out + label + 1 > DNS_NAME_MAX)
            return false;
        if (out)
            ret[out++] = '.';
        for (size_t i = 0; i < label; i++) {
            char c = ascii_lower((char)p[at + i]);
            if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_')
                return false;
            ret[out++] = c;
        }
        at += label;
    }
    ret[out] = 0;
    return at < n;
}

/* ------------------------------------------------------------------ MX */

static int by_preference(const void *a, const void *b)
{
    const struct dns_mx *x = a, *y = b;
    return (x->preference > y->preference) - (x->preference < y->preference);
}

/* RFC 5321 section 5.1: hosts of equal preference in random order. */
static void shuffle(struct dns_mx *mx, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = random_below(i);
        struct dns_mx t = mx[i - 1];
        mx[i - 1] = mx[k];
        mx[k] = t;
    }
}

enum dns_result dns_mx(struct resolver *r, const char *domain, struct dns_mx_answer *ret)
{
    struct dns_mx_answer a = {0};
    struct ub_result *res;
    enum dns_result d = ask(r, domain, TYPE_MX, &res);
    if (d != DNS_FOUND)
        return d;
    a.secure = res->secure;
    for (size_t i = 0; res->data[i] && a.count < DNS_MX_MAX; i++) {
        const unsigned char *p = (const unsigned char *)res->data[i];
        size_t n = (size_t)res->len[i];
        struct dns_mx *mx = &a.mx[a.count];
        if (n < 3 || !wire_name(p + 2, n - 2, mx->host))
            continue;
        mx->preference = (uint16_t)(p[0] << 8 | p[1]);
        if (!mx->host[0])
            a.null_mx = true;
        else
            a.count++;
    }
    ub_resolve_free(res);
    shuffle(a.mx, a.count);
    for (size_t i = 1; i < a.count; i++) /* stable, so that equal ones stay shuffled; at most 20 */
        for (size_t k = i; k && by_preference(&a.mx[k - 1], &a.mx[k]) > 0; k--) {
            struct dns_mx t = a.mx[k];
            a.mx[k] = a.mx[k - 1];
            a.mx[k - 1] = t;
        }
    *ret = a;
    return a.count || a.null_mx ? DNS_FOUND : DNS_NO_DATA;
}

/* ------------------------------------------------------------------ addresses */

static void add_addresses(const struct ub_result *res, int type, struct dns_addresses *a)
{
    for (size_t i = 0; res->data[i] && a->count < DNS_ADDRESSES_MAX; i++) {
        struct sockaddr_storage *s = &a->a[a->count];
        if (type == TYPE_AAAA && res->len[i] == 16) {
            struct sockaddr_in6 *in = (struct sockaddr_in6 *)(void *)s;
            in->sin6_family = AF_INET6;
            memcpy(&in->sin6_addr, res->data[i], 16);
            a->count++;
        } else if (type == TYPE_A && res->len[i] == 4) {
            struct sockaddr_in *in = (struct sockaddr_in *)(void *)s;
            in->sin_family = AF_INET;
            memcpy(&in->sin_addr, res->data[i], 4);
            a->count++;
        }
    }
}

enum dns_result dns_addresses(struct resolver *r, const char *host, struct dns_addresses *ret)
{
    static const int types[] = {TYPE_AAAA, TYPE_A};
    struct dns_addresses a = {.secure = true};
    enum dns_result worst = DNS_NO_DATA;

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct ub_result *res;
        enum dns_result d = ask(r, host, types[i], &res);
        if (d == DNS_FOUND) {
            add_addresses(res, types[i], &a);
            a.secure = a.secure && res->secure;
            ub_resolve_free(res);
        } else if (d > worst) {
            worst = d;
        }
    }
    if (!a.count)
        return worst;
    *ret = a;
    return DNS_FOUND;
}

/* ------------------------------------------------------------------ TLSA */

enum dns_result dns_tlsa(struct resolver *r, const char *name, struct dns_tlsa_answer *ret)
{
    struct dns_tlsa_answer a = {0};
    struct ub_result *res;
    enum dns_result d = ask(r, name, TYPE_TLSA, &res);
    if (d != DNS_FOUND)
        return d;
    a.secure = res->secure;
    for (size_t i = 0; res->data[i] && a.count < DNS_TLSA_MAX; i++) {
        struct dns_tlsa *t = &a.v[a.count];
        size_t n = (size_t)res->len[i];
        if (n < 4 || n - 3 > sizeof(t->data))
            continue;
        const unsigned char *p = (const unsigned char *)res->data[i];
        *t = (struct dns_tlsa){.usage = p[0], .selector = p[1], .matching = p[2], .bytes = n - 3};
        memcpy(t->data, p + 3, n - 3);
        a.count++;
    }
    ub_resolve_free(res);
    *ret = a;
    return a.count ? DNS_FOUND : DNS_NO_DATA;
}
