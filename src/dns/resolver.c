#include "dns/resolver.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/span.h"
#include "dns/answer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unbound.h>
#include <unistd.h>

enum { TYPE_A = 1, TYPE_MX = 15, TYPE_TXT = 16, TYPE_AAAA = 28, TYPE_TLSA = 52, CLASS_IN = 1 };

struct resolver {
    struct loop *loop;
    struct ub_ctx *ub;
    struct watch *watch;
    uint64_t patience_ms; /* 0: no end */
};

static void on_answers(void *arg, int events)
{
    struct resolver *r = arg;
    (void)events;
    int err = ub_process(r->ub);
    if (err)
        log_error("dns: %s", ub_strerror(err));
}

/* libunbound looks at them only when it is asked something, and then fails everything. */
static bool is_anchor(struct span line)
{
    struct span word;
    unsigned n = 0;
    bool type = false;

    while (span_split(&line, ' ', &word)) {
        word = span_trim(word);
        n += word.n > 0;
        type |= span_is(word, "DS") || span_is(word, "DNSKEY");
    }
    return type && n >= 5;
}

int resolver_add_anchor(struct resolver *r, struct span text, struct err *e)
{
    struct span line;
    unsigned n = 0;

    while (span_split(&text, '\n', &line)) {
        struct buf record BUF_AUTO = BUF(4096);
        line = span_trim(span_head(line, span_has(line, ';') ? span_find(line, ';') : line.n));
        if (line.n == 0)
            continue;
        if (!buf_put_span(&record, line))
            return err_set(e, -EMSGSIZE, "it has a line of more than %zu bytes", record.max);
        for (size_t i = 0; i < record.n; i++)
            record.p[i] = record.p[i] == '\t' ? ' ' : record.p[i];
        if (!is_anchor(buf_span(&record)) || ub_ctx_add_ta(r->ub, buf_cstr(&record)) != 0)
            return err_set(e, -EINVAL, "it has a line that is no DS or DNSKEY record: %s",
                           log_quote(span_head(line, 80)));
        n++;
    }
    return n ? 0 : err_set(e, -EINVAL, "it has no DS or DNSKEY record");
}

/* libunbound would open it at the first question only, when we may be in a jail. */
static int add_anchor_file(struct resolver *r, const char *file, struct err *e)
{
    struct buf text BUF_AUTO = BUF(DNS_ANCHOR_MAX);
    int rc = file_read(AT_FDCWD, file, DNS_ANCHOR_MAX - 1, &text, e);

    if (rc == 0)
        rc = resolver_add_anchor(r, buf_span(&text), e);
    return rc < 0 ? err_wrap(e, rc, "dns_trust_anchor: %s", file) : 0;
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
    /* libunbound denies these itself (RFC 6761, RFC 8375); servers of one's own may well know them.
     * As options: ub_ctx_zone_add would end the setting up before ub_ctx_async. */
    static const char *const ours[] = {"test. transparent", "home.arpa. transparent"};
    for (size_t i = 0; i < ARRAY_LEN(ours) && server_count; i++)
        CHECK(ub_ctx_set_option(r->ub, "local-zone:", ours[i]) == 0);
    if (!server_count)
        ub_ctx_resolvconf(r->ub, NULL); /* none there: libunbound asks the root servers itself */
    ub_ctx_hosts(r->ub, NULL);
    if (trust_anchor[0] && (err = add_anchor_file(r, trust_anchor, e)) < 0)
        return err;
    /* questions to servers on this machine are what tests and local resolvers need */
    ub_ctx_set_option(r->ub, "do-not-query-localhost:", "no");
    CHECK(ub_ctx_async(r->ub, 1) == 0); /* threads, not processes: the jail allows no fork */
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
    struct fiber_cond answered;
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
    fiber_cond_signal(&q->answered);
}

static enum dns_result ask(struct resolver *r, const char *name, int type, struct ub_result **ret)
{
    struct question q = {0};
    int id, err = ub_resolve_async(r->ub, name, type, CLASS_IN, &q, on_answer, &id);
    if (err == UB_SYNTAX) /* no name at all: nobody has it */
        return DNS_NO_NAME;
    if (err)
        return DNS_TEMPORARY;
    while (!q.done)
        if (!fiber_cond_wait(&q.answered, r->patience_ms ? r->patience_ms : UINT64_MAX)) {
            ub_cancel(r->ub, id); /* it does not call back any more */
            return DNS_TEMPORARY;
        }
    if (q.err == UB_SYNTAX)
        return DNS_NO_NAME;
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

static struct dns_records records(const struct ub_result *res)
{
    return (struct dns_records){res->data, res->len};
}

/* ------------------------------------------------------------------ the questions */

enum dns_result dns_mx(struct resolver *r, const char *domain, struct dns_mx_answer *ret)
{
    struct dns_mx_answer a = {0};
    struct ub_result *res;
    enum dns_result d = ask(r, domain, TYPE_MX, &res);
    if (d != DNS_FOUND)
        return d;
    a.secure = res->secure;
    answer_mx(records(res), &a);
    ub_resolve_free(res);
    *ret = a;
    return DNS_FOUND; /* also when none is usable: the domain's address is no way round its MX */
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
            answer_addresses(records(res), types[i] == TYPE_A ? AF_INET : AF_INET6, &a);
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

enum dns_result dns_tlsa(struct resolver *r, const char *name, struct dns_tlsa_answer *ret)
{
    struct dns_tlsa_answer a = {0};
    struct ub_result *res;
    enum dns_result d = ask(r, name, TYPE_TLSA, &res);
    if (d != DNS_FOUND)
        return d;
    a.secure = res->secure;
    a.ttl_s = res->ttl > 0 ? (uint32_t)res->ttl : 0;
    answer_tlsa(records(res), &a);
    ub_resolve_free(res);
    *ret = a;
    return a.count ? DNS_FOUND : DNS_NO_DATA;
}

enum dns_result dns_txt(struct resolver *r, const char *name, struct dns_txt_answer *ret)
{
    struct ub_result *res;
    enum dns_result d = ask(r, name, TYPE_TXT, &res);

    ret->count = 0;
    if (d != DNS_FOUND)
        return d;
    ret->secure = res->secure;
    answer_txt(records(res), ret);
    ub_resolve_free(res);
    return ret->count ? DNS_FOUND : DNS_NO_DATA;
}

void resolver_patience(struct resolver *r, uint64_t ms)
{
    r->patience_ms = ms;
}

void resolver_uncached(struct resolver *r)
{
    CHECK(ub_ctx_set_option(r->ub, "cache-max-ttl:", "0") == 0);
    CHECK(ub_ctx_set_option(r->ub, "cache-max-negative-ttl:", "0") == 0);
}
