/* check_dns.c: does what the server shows fit what DNS says of it: TLSA records and MTA-STS? */
#include "base/check.h"
#include "base/clock.h"
#include "monitor/fetch.h"
#include "monitor/run.h"
#include "monitor/sts.h"
#include "monitor/tlsa.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAMES_MAX = 8, DOMAINS_MAX = 20 };

/* ---- names ------------------------------------------------------------------------------- */

/* RFC 6761: no server of the Internet has them; one of our own, named in dns_servers, may. */
static bool in_dns(const struct probe_plan *plan, const char *name)
{
    static const char *const special[] = {".localhost", ".test", ".invalid", ".example"};
    struct span s = span_cstr(name);

    if (span_is(s, "localhost") || span_find(s, '.') == SPAN_NONE)
        return false;
    for (size_t i = 0; plan->dns_server_count == 0 && i < ARRAY_LEN(special); i++)
        if (span_ends_nocase(s, span_cstr(special[i])))
            return false;
    return true;
}

/* The DNS names under which the target is known. */
static unsigned names_of(const struct probe_run *p, const char *ret[NAMES_MAX])
{
    const struct cert_names *n = p->target->names;
    unsigned count = 0;

    for (uint32_t i = 0; n != NULL && i < n->n && count < NAMES_MAX; i++)
        if (n->v[i].type == CERT_NAME_DNS && n->v[i].text[0] != '*' &&
            in_dns(p->plan, n->v[i].text))
            ret[count++] = n->v[i].text;
    return count;
}

/* DNS answers for the name itself: it is not away as a whole. */
static bool answers(struct probe_run *p, struct resolver *r, const char *name)
{
    struct dns_mx_answer *a = malloc(sizeof *a);
    enum dns_result d;

    CHECK(a != NULL);
    d = dns_mx(r, name, a);
    free(a);
    p->shared->dns_away = d == DNS_TEMPORARY;
    return d != DNS_TEMPORARY;
}

/* NULL: the verdict is made. */
static struct resolver *ask_dns(struct probe_run *p)
{
    struct resolver *r = NULL;
    struct err e;

    if (p->shared->dns_away)
        run_skip(p, "DNS does not answer");
    else if ((r = run_resolver(p, &e)) == NULL)
        run_skip(p, "DNS cannot be asked: %.350s", e.text);
    return r;
}

/* ---- TLSA -------------------------------------------------------------------------------- */

struct tlsa_tally {
    unsigned secure, insecure, none, away;
    char example[160]; /* a record that fits, or the name that has none */
};

/* False: the verdict is made. */
static bool judge_records(struct probe_run *p, const char *owner, const char *host,
                          const struct dns_tlsa_answer *a, struct tlsa_tally *tally)
{
    struct tlsa_question q = {.chain = &p->seen->chain,
                              .host = host,
                              .smtp = p->target->vserver->protocol == PROTOCOL_SMTP,
                              .trusted =
                                  p->seen->verify == X509_V_OK &&
                                  X509_check_host(p->seen->chain.v[0]->x509, host, 0,
                                                  X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1,
                              .now = clock_seconds()};
    struct buf wanted BUF_AUTO = BUF(300), got BUF_AUTO = BUF(300);
    unsigned usable = 0;
    struct dns_tlsa right;

    for (size_t i = 0; i < a->count; i++) {
        enum tlsa_fit fit = tlsa_judge(&q, &a->v[i]);
        usable += fit != TLSA_UNUSABLE;
        if (fit != TLSA_FITS)
            continue;
        snprintf(tally->example, sizeof tally->example, "%u %u %u of %.120s", a->v[i].usage,
                 a->v[i].selector, a->v[i].matching, owner);
        tally->secure += a->secure;
        tally->insecure += !a->secure;
        return true;
    }
    tlsa_of(p->seen->chain.v[0], &right);
    tlsa_print(&right, &wanted);
    tlsa_print(&a->v[0], &got);
    if (usable == 0)
        run_fail(p,
                 "none of the %zu TLSA records of %.100s is of a kind that senders take (3 1 1, "
                 "2 1 1). \"%s\" is right",
                 a->count, owner, buf_cstr(&wanted));
    else
        run_fail(p,
                 "no TLSA record of %.100s fits the certificate: \"%.80s\" is there, \"%s\" would "
                 "fit%s",
                 owner, buf_cstr(&got), buf_cstr(&wanted),
                 a->secure ? "" : " (the answer is not secured by DNSSEC)");
    return false;
}

/* False: the verdict is made. */
static bool judge_name(struct probe_run *p, struct resolver *r, const char *host,
                       struct tlsa_tally *tally)
{
    struct dns_tlsa_answer a = {.count = 0};
    char owner[DNS_NAME_MAX + 32];

    snprintf(owner, sizeof owner, "_%u._tcp.%s", p->target->endpoint->port, host);
    switch (dns_tlsa(r, owner, &a)) {
    case DNS_FOUND:
        return judge_records(p, owner, host, &a, tally);
    case DNS_BOGUS:
        run_fail(p, "the answer for %s is forged or wrongly signed (DNSSEC): no mail comes", owner);
        return false;
    case DNS_TEMPORARY:
        if (answers(p, r, host)) {
            run_fail(p,
                     "DNS answers for %.100s, but not for %.120s: senders that ask for TLSA "
                     "records keep their mail back (RFC 7672 section 2.1.2)",
                     host, owner);
            return false;
        }
        tally->away++;
        return true;
    case DNS_NO_DATA:
    case DNS_NO_NAME:
        break;
    }
    if (tally->none++ == 0 && tally->secure + tally->insecure == 0)
        snprintf(tally->example, sizeof tally->example, "%.150s", owner);
    return true;
}

void check_tlsa(struct probe_run *p)
{
    const char *names[NAMES_MAX];
    unsigned n = names_of(p, names);
    struct tlsa_tally tally = {.secure = 0};
    struct resolver *r;

    if (run_look(p) == NULL)
        return;
    if (n == 0) {
        run_skip(p, "it has no name that could stand in DNS");
        return;
    }
    if ((r = ask_dns(p)) == NULL)
        return;
    for (unsigned i = 0; i < n; i++)
        if (!judge_name(p, r, names[i], &tally))
            return;
    if (tally.secure > 0)
        run_pass(p, "%s fits, secured by DNSSEC", tally.example);
    else if (tally.insecure > 0)
        run_pass(p, "%s fits, but the answer is not secured by DNSSEC%s: senders pass it over",
                 tally.example,
                 p->plan->dns_trust_anchor != NULL && p->plan->dns_trust_anchor[0]
                     ? ""
                     : " (there is no dns_trust_anchor to prove it)");
    else if (tally.none > 0)
        run_skip(p, "no TLSA record is published at %s", tally.example);
    else
        run_skip(p, "DNS does not answer");
}

/* ---- MTA-STS ----------------------------------------------------------------------------- */

struct sts_run {
    struct probe_run *run;
    struct resolver *resolver;
    struct dns_mx_answer mx;
    struct dns_txt_answer txt;
    struct sts_policy policy;
    unsigned none, away;
    struct buf good; /* "example.org: enforce, …" */
};

/* What this endpoint is called as a mail server of that domain: its names that stand in the MX
 * records; else all that it could be. */
static unsigned hosts_of(struct sts_run *s, const char *domain, const char *ret[NAMES_MAX])
{
    const char *names[NAMES_MAX];
    unsigned n = names_of(s->run, names), count = 0;
    bool asked = dns_mx(s->resolver, domain, &s->mx) == DNS_FOUND;

    for (unsigned i = 0; i < n; i++)
        for (size_t k = 0; asked && k < s->mx.count; k++)
            if (span_is(span_cstr(names[i]), s->mx.mx[k].host)) {
                ret[count++] = names[i];
                break;
            }
    if (count > 0 || n == 0)
        return count;
    ret[0] = names[0];
    return 1;
}

static bool fits_policy(struct sts_run *s, const char *domain)
{
    const char *hosts[NAMES_MAX];
    unsigned n = hosts_of(s, domain, hosts);
    X509 *leaf = s->run->seen->chain.v[0]->x509;

    for (unsigned i = 0; i < n; i++) {
        if (!sts_policy_names(&s->policy, span_cstr(hosts[i]))) {
            run_fail(s->run,
                     "the MTA-STS policy of %.100s (%s) does not have the mail server %.100s",
                     domain, conf_mta_sts_mode_name(s->policy.mode), hosts[i]);
            return false;
        }
        if (X509_check_host(leaf, hosts[i], 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) != 1 ||
            s->run->seen->verify != X509_V_OK) {
            run_fail(s->run,
                     "the MTA-STS policy of %.100s (%s) demands a trusted certificate for %.100s, "
                     "and this one is not",
                     domain, conf_mta_sts_mode_name(s->policy.mode), hosts[i]);
            return false;
        }
    }
    return true;
}

/* Of a domain of ours: is it the policy of the configuration that is served, and its record that
 * stands in DNS? */
static bool is_ours(struct sts_run *s, const char *domain, const char *id, struct span served)
{
    const struct conf_mta_sts *own = conf_mta_sts_of(s->run->plan->conf, span_cstr(domain));
    struct buf text BUF_AUTO = BUF(MTA_STS_TEXT_MAX);
    char right[MTA_STS_ID_MAX + 1];

    if (own == NULL)
        return true;
    conf_mta_sts_print(s->run->plan->conf, own, &text);
    conf_mta_sts_id(buf_span(&text), right);
    if (!span_eq(buf_span(&text), served))
        run_fail(s->run, "https://mta-sts.%.100s serves another policy than the configured one",
                 domain);
    else if (strcmp(id, right) != 0)
        run_fail(s->run,
                 "the record at _mta-sts.%.100s has the id %s, which is not that of the policy: "
                 "senders keep the old one. \"v=STSv1; id=%s\" belongs there",
                 domain, id, right);
    else
        return true;
    return false;
}

static bool judge_policy(struct sts_run *s, const char *domain, const char *id)
{
    char url[DNS_NAME_MAX + 64];
    const struct fetched *got;
    const char *wrong;
    struct err e;

    snprintf(url, sizeof url, "https://mta-sts.%s/.well-known/mta-sts.txt", domain);
    if ((got = run_fetch(s->run, url, STS_POLICY_MAX, &e)) == NULL)
        run_fail(s->run, "%.180s: %.200s", url, e.text);
    else if (got->status != 200)
        run_fail(s->run, "%.250s is answered with %u", url, got->status);
    else if (!span_is(span_cstr(got->type), "text/plain"))
        run_fail(s->run, "%.200s is of type \"%.50s\", not text/plain: senders do not take it", url,
                 got->type);
    else if ((wrong = sts_policy_parse(buf_span(&got->body), &s->policy)) != NULL)
        run_fail(s->run, "the policy at %.200s cannot be used: %s", url, wrong);
    else if (!is_ours(s, domain, id, buf_span(&got->body)))
        return false;
    else if (s->policy.mode != MTA_STS_NONE && !fits_policy(s, domain))
        return false;
    else {
        buf_printf(&s->good, "%s%s: %s", s->good.n > 0 ? ", " : "", domain,
                   conf_mta_sts_mode_name(s->policy.mode));
        return true;
    }
    return false;
}

/* There is none in DNS: is there to be one? */
static bool judge_absence(struct sts_run *s, const char *domain, bool away)
{
    const struct conf_mta_sts *own = conf_mta_sts_of(s->run->plan->conf, span_cstr(domain));
    struct buf text BUF_AUTO = BUF(MTA_STS_TEXT_MAX);
    char id[MTA_STS_ID_MAX + 1];

    s->away += away;
    s->none += !away;
    if (own == NULL || own->mode == MTA_STS_NONE || away)
        return true;
    conf_mta_sts_print(s->run->plan->conf, own, &text);
    conf_mta_sts_id(buf_span(&text), id);
    run_fail(s->run,
             "%.100s has an MTA-STS policy (%s), but senders do not learn of it: publish the TXT "
             "record \"v=STSv1; id=%s\" at _mta-sts.%.100s",
             domain, conf_mta_sts_mode_name((enum conf_mta_sts_mode)own->mode), id, domain);
    return false;
}

/* False: the verdict is made. */
static bool judge_domain(struct sts_run *s, const char *domain)
{
    char owner[DNS_NAME_MAX + 16], id[MTA_STS_ID_MAX + 1] = "", one[MTA_STS_ID_MAX + 1];
    enum dns_result d;
    unsigned good = 0;
    bool broken = false;

    snprintf(owner, sizeof owner, "_mta-sts.%s", domain);
    d = dns_txt(s->resolver, owner, &s->txt);
    for (size_t i = 0; d == DNS_FOUND && i < s->txt.count; i++) {
        bool this_broken;
        if (sts_record_parse(span_cstr(s->txt.v[i]), one, &this_broken)) {
            memcpy(id, one, sizeof id);
            good++;
        }
        broken |= this_broken;
    }
    if (broken || good > 1)
        run_fail(s->run, "the TXT record at %.120s is %s: senders take it as none", owner,
                 good > 1 ? "there more than once" : "none of MTA-STS (v=STSv1; id=…;)");
    else if (d == DNS_BOGUS)
        run_fail(s->run, "the answer for %s is forged or wrongly signed (DNSSEC)", owner);
    else if (good == 0)
        return judge_absence(s, domain, d == DNS_TEMPORARY);
    else
        return judge_policy(s, domain, id);
    return false;
}

/* Whose mail does a server elsewhere take? Of the domains above its name the first with an MX
 * record that names it. */
static const char *domain_above(struct sts_run *s, const char *host)
{
    for (const char *d = host; d != NULL && strchr(d, '.') != NULL;
         d = strchr(d, '.') != NULL ? strchr(d, '.') + 1 : NULL) {
        if (dns_mx(s->resolver, d, &s->mx) != DNS_FOUND)
            continue;
        for (size_t i = 0; i < s->mx.count; i++)
            if (span_is(span_cstr(host), s->mx.mx[i].host))
                return d;
    }
    return NULL;
}

static unsigned domains_of(struct sts_run *s, const char *ret[DOMAINS_MAX])
{
    const struct probe_plan *plan = s->run->plan;
    const char *names[NAMES_MAX];
    unsigned n = 0;

    if (!s->run->target->foreign) {
        for (uint32_t i = 0; i < plan->conf->local_domains.n && n < DOMAINS_MAX; i++)
            if (in_dns(plan, plan->conf->local_domains.v[i]))
                ret[n++] = plan->conf->local_domains.v[i];
        return n;
    }
    if (plan->domain != NULL)
        ret[0] = plan->domain;
    else
        ret[0] = names_of(s->run, names) > 0 ? domain_above(s, names[0]) : NULL;
    return ret[0] != NULL;
}

static void judge_domains(struct sts_run *s)
{
    const char *domains[DOMAINS_MAX];
    unsigned n = domains_of(s, domains);

    for (unsigned i = 0; i < n; i++)
        if (!judge_domain(s, domains[i]))
            return;
    if (s->good.n > 0)
        run_pass(s->run, "%.380s", buf_cstr(&s->good));
    else if (s->none > 0)
        run_skip(s->run, "no MTA-STS policy is published for %.200s", domains[0]);
    else if (s->away > 0)
        run_skip(s->run, "DNS does not answer");
    else
        run_skip(s->run, "%s",
                 s->run->target->foreign ? "no MX record says whose mail it takes; --domain does"
                                         : "no local domain could stand in DNS");
}

void check_mta_sts(struct probe_run *p)
{
    struct resolver *r;
    struct sts_run *s;

    if (run_look(p) == NULL || (r = ask_dns(p)) == NULL)
        return;
    s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    *s = (struct sts_run){.run = p, .resolver = r, .good = BUF(4096)};
    judge_domains(s);
    buf_done(&s->good);
    free(s);
}
