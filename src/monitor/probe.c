/* probe.c: targets, trust, and all checks of all targets side by side. */
#include "base/check.h"
#include "base/clock.h"
#include "monitor/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define P(policy) (1u << POLICY_##policy)
#define P_(protocol) (1u << PROTOCOL_##protocol)
#define ALL_POLICIES 0xffu
#define HAS_TLS (P(TLS_ONLY) | P(STARTTLS_REQUIRED) | P(OPPORTUNISTIC))
#define ALL_PROTOCOLS 0xffu
#define TEXT (ALL_PROTOCOLS & ~P_(HTTP))
#define LOGINS TEXT

const struct check_row probe_checks[] = {
#define CHECK_ROW(name, protocols, policies, needs, handler, doc, remedy, rfc)                     \
    {name, protocols, policies, needs, handler, doc, remedy, rfc},
#include "monitor/checks.def"
#undef CHECK_ROW
};
const unsigned probe_check_count = ARRAY_LEN(probe_checks);

const char *probe_verdict_name(enum probe_verdict v)
{
    return v == PROBE_PASS ? "PASS" : v == PROBE_FAIL ? "FAIL" : "SKIP";
}

/* ---- trust ------------------------------------------------------------------------------- */

int probe_trust_init(struct probe_trust *t, struct span pem, struct err *e)
{
    int r;

    *t = (struct probe_trust){.store = X509_STORE_new(), .pem = BUF(CERTIFICATE_TEXT_MAX)};
    CHECK(t->store != NULL);
    if (!buf_put_span(&t->pem, pem))
        r = err_set(e, -EMSGSIZE, "more than %d bytes of root certificates", CERTIFICATE_TEXT_MAX);
    else
        r = chain_parse_file(pem, &t->roots, e);
    for (size_t i = 0; r == 0 && i < t->roots.n; i++)
        X509_STORE_add_cert(t->store, t->roots.v[i]->x509);
    ERR_clear_error();
    if (r != 0)
        probe_trust_done(t);
    return r;
}

int probe_trust_system(struct probe_trust *t, struct err *e)
{
    *t = (struct probe_trust){.store = X509_STORE_new(), .pem = BUF(1)};
    CHECK(t->store != NULL);
    if (X509_STORE_set_default_paths(t->store) == 1)
        return 0;
    ERR_clear_error();
    probe_trust_done(t);
    return err_set(e, -ENOENT, "this machine has no roots to trust; name some with --root FILE");
}

void probe_trust_done(struct probe_trust *t)
{
    if (t == NULL)
        return;
    X509_STORE_free(t->store);
    chain_done(&t->roots);
    buf_done(&t->pem);
    *t = (struct probe_trust){.store = NULL};
}

void probe_client_done(struct probe_client *c)
{
    EVP_PKEY_free(c->key);
    chain_done(&c->chain);
    *c = (struct probe_client){.key = NULL};
}

/* ---- targets ----------------------------------------------------------------------------- */

bool probe_target_init(struct probe_target *t, const struct conf_vserver *v,
                       const struct conf_endpoint *p)
{
    struct sockaddr_in *a4 = (struct sockaddr_in *)(void *)&t->to;
    struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)(void *)&t->to;

    *t = (struct probe_target){.vserver = v, .endpoint = p, .wanted = true};
    if (inet_pton(AF_INET, p->address, &a4->sin_addr) == 1) {
        a4->sin_family = AF_INET;
        a4->sin_port = htons(p->port);
        if (a4->sin_addr.s_addr == htonl(INADDR_ANY))
            a4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return true;
    }
    if (inet_pton(AF_INET6, p->address, &a6->sin6_addr) == 1) {
        a6->sin6_family = AF_INET6;
        a6->sin6_port = htons(p->port);
        if (IN6_IS_ADDR_UNSPECIFIED(&a6->sin6_addr))
            a6->sin6_addr = in6addr_loopback;
        return true;
    }
    return false;
}

const char *probe_target_name(const struct probe_target *t, char ret[80])
{
    bool six = strchr(t->endpoint->address, ':') != NULL;

    snprintf(ret, 80, "%s%s%s:%u", six ? "[" : "", t->endpoint->address, six ? "]" : "",
             t->endpoint->port);
    return ret;
}

const struct probe_target *run_helper(const struct probe_plan *plan, enum conf_protocol protocol,
                                      enum conf_smtp_kind kind)
{
    const struct probe_target *found = NULL;

    for (unsigned i = 0; i < plan->target_count; i++) {
        const struct probe_target *t = &plan->targets[i];
        if (t->vserver->protocol != protocol || t->endpoint->policy == POLICY_PUBLIC_HTTP ||
            (protocol == PROTOCOL_SMTP && t->vserver->smtp_kind != kind))
            continue;
        if (found == NULL || (t->wanted && !found->wanted))
            found = t;
    }
    return found;
}

const char *run_own_name(const struct probe_plan *plan, const struct probe_target *t)
{
    return t->vserver->names.n > 0 ? t->vserver->names.v[0] : plan->conf->hostname;
}

/* ---- verdicts ---------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 0))) static void
set_verdict(struct probe_run *p, enum probe_verdict v, const char *fmt, va_list ap)
{
    p->result->verdict = v;
    vsnprintf(p->result->detail, sizeof p->result->detail, fmt, ap);
}

void run_pass(struct probe_run *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set_verdict(p, PROBE_PASS, fmt, ap);
    va_end(ap);
}

void run_fail(struct probe_run *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set_verdict(p, PROBE_FAIL, fmt, ap);
    va_end(ap);
}

void run_skip(struct probe_run *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set_verdict(p, PROBE_SKIP, fmt, ap);
    va_end(ap);
}

void run_remedy(struct probe_run *p, const char *remedy)
{
    if (remedy != NULL)
        p->result->remedy = remedy;
}

bool talk_was_silent(const struct talk *t)
{
    return t->failed && (t->wire == NULL || t->reason == -ETIMEDOUT);
}

void run_fail_talk(struct probe_run *p, const struct talk *t)
{
    run_fail(p, "%s", t->error.text);
    run_remedy(p, remedy_of(t));
    if (t->target == p->target)
        p->seen->silent |= talk_was_silent(t);
}

/* ---- running ----------------------------------------------------------------------------- */

/* NULL: all that it needs is there; else what is missing and what to do. */
static const char *missing(const struct check_row *c, const struct probe_plan *plan)
{
    if (c->needs & NEEDS_LOGIN && plan->logins[0].user[0] == '\0')
        return "no account to log in with: give USER1 and PASS1 in a file with --settings";
    if (c->needs & NEEDS_CLIENT && plan->client == NULL)
        return "client certificates are ignored here, or the account is not the probe's own";
    if (c->needs & NEEDS_NEWSGROUP && plan->newsgroup[0] == '\0')
        return "no newsgroup to post to: give NEWSGROUP in the file of --settings";
    if (c->needs & NEEDS_READER && run_helper(plan, PROTOCOL_IMAP4, SMTP_MX) == NULL)
        return "no IMAP4 endpoint to fetch the message through";
    if (c->needs & NEEDS_SUBMISSION && run_helper(plan, PROTOCOL_SMTP, SMTP_SUBMISSION) == NULL)
        return "no submission endpoint to send a message through";
    return NULL;
}

static bool is_for(const struct check_row *c, const struct probe_target *t,
                   const struct probe_plan *plan)
{
    /* of a server that is not ours only what every server must do; with logins where there are some */
    if (t->foreign &&
        (c->needs & NEEDS_OWN || (c->needs & NEEDS_LOGIN && plan->logins[0].user[0] == '\0') ||
         (c->needs && missing(c, plan) != NULL)))
        return false;
    if (!(c->protocols >> t->vserver->protocol & 1) || !(c->policies >> t->endpoint->policy & 1))
        return false;
    /* MX takes no logins */
    if (t->vserver->protocol == PROTOCOL_SMTP) {
        bool mx = t->vserver->smtp_kind == SMTP_MX;
        if (c->fn == check_relay)
            return mx;
        if (!mx && c->fn == check_mta_sts)
            return false;
        if (mx && (c->fn == check_login || c->fn == check_login_needed ||
                   c->fn == check_login_certificate))
            return false;
    }
    return !(c->fn == check_login_needed && t->vserver->anonymous_read);
}

bool probe_was_ended(const struct probe_plan *p)
{
    return p->ended != NULL && *p->ended != 0;
}

struct endpoint_run {
    struct probe_shared *shared;
    const struct probe_target *target;
    struct probe_result *results; /* of this endpoint */
    unsigned count;
};

static void run_endpoint(void *arg)
{
    struct endpoint_run *r = arg;
    struct probe_seen *seen = calloc(1, sizeof *seen);

    CHECK(seen != NULL);
    for (unsigned i = 0; i < r->count; i++) {
        struct probe_run p = {r->shared, r->shared->plan, r->target, &r->results[i], seen};
        const char *lacks = missing(r->results[i].check, r->shared->plan);
        uint64_t start = clock_mono_ms();
        r->results[i].untried = seen->silent;
        if (probe_was_ended(r->shared->plan))
            run_skip(&p, "not tried: the probe was ended before");
        else if (seen->silent)
            run_skip(&p, "not tried: the endpoint did not answer the check before");
        else if (lacks != NULL)
            run_skip(&p, "%s", lacks);
        else
            r->results[i].check->fn(&p);
        r->results[i].ms = (unsigned)(clock_mono_ms() - start);
    }
    if (r->shared->plan->facts != NULL)
        probe_seen_facts(seen, &r->shared->plan->facts[r->target - r->shared->plan->targets]);
    probe_seen_done(seen);
    free(seen);
    if (--r->shared->running == 0)
        loop_stop(r->shared->loop);
}

/* A row for each check of each wanted target. */
static unsigned lay_out(const struct probe_plan *p, struct probe_result *rows,
                        struct endpoint_run *runs)
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->target_count; i++) {
        runs[i] = (struct endpoint_run){.target = &p->targets[i], .results = rows + n};
        for (unsigned k = 0; p->targets[i].wanted && k < probe_check_count; k++) {
            if (!is_for(&probe_checks[k], &p->targets[i], p))
                continue;
            rows[n++] = (struct probe_result){.target = &p->targets[i],
                                              .check = &probe_checks[k],
                                              .remedy = probe_checks[k].remedy};
            runs[i].count++;
        }
    }
    return n;
}

static void start_all(void *arg)
{
    struct endpoint_run *runs = arg;
    struct probe_shared *s = runs[0].shared;

    s->running = 1; /* held until all have begun */
    for (unsigned i = 0; i < s->plan->target_count; i++) {
        if (runs[i].count == 0)
            continue;
        s->running++;
        fiber_start(s->loop, run_endpoint, &runs[i], "probe");
    }
    if (--s->running == 0)
        loop_stop(s->loop);
}

void probe_all(const struct probe_plan *p, struct probe_result **ret_results, unsigned *ret_count)
{
    struct probe_result *rows =
        calloc((size_t)p->target_count * probe_check_count + 1, sizeof *rows);
    struct endpoint_run *runs = calloc(p->target_count + 1u, sizeof *runs);
    struct probe_shared s = {.plan = p, .loop = loop_new()};
    unsigned n;

    CHECK(rows != NULL && runs != NULL);
    n = lay_out(p, rows, runs);
    for (unsigned i = 0; i < p->target_count; i++)
        runs[i].shared = &s;
    if (p->target_count > 0) {
        loop_defer(s.loop, start_all, runs);
        loop_run(s.loop);
    }
    run_shared_done(&s);
    loop_free(s.loop);
    free(runs);
    *ret_results = rows;
    *ret_count = n;
}
