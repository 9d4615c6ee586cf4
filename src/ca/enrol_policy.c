#include "ca/enrol_policy.h"

#include <arpa/inet.h>
#include <errno.h>

bool enrol_name_below(struct span name, struct span base)
{
    if (base.n && base.p[0] == '.')
        base = span_skip(base, 1);
    if (!base.n || name.n < base.n || !span_ends_nocase(name, base))
        return false;
    return name.n == base.n || name.p[name.n - base.n - 1] == '.';
}

static bool dns_below(const struct conf_strings *bases, struct span name)
{
    if (span_starts(name, SPAN("*.")))
        name = span_skip(name, 2);
    for (uint32_t i = 0; i < bases->n; i++)
        if (enrol_name_below(name, span_cstr(bases->v[i])))
            return true;
    return false;
}

static bool address_in(const struct conf_networks *networks, const char *text)
{
    unsigned char bytes[16];
    struct in6_addr a = {
        .s6_addr = {[10] = 0xff, [11] = 0xff}
    };
    unsigned n = cert_name_ip_bytes(text, bytes);

    if (n == 4)
        memcpy(a.s6_addr + 12, bytes, 4);
    else if (n == 16)
        memcpy(a.s6_addr, bytes, 16);
    else
        return false;
    return conf_networks_match(networks, &a);
}

static bool permitted_by(const struct conf_strings *names, const struct conf_networks *networks,
                         const struct cert_name *n)
{
    return n->type == CERT_NAME_DNS  ? dns_below(names, span_cstr(n->text))
           : n->type == CERT_NAME_IP ? address_in(networks, n->text)
                                     : false;
}

bool enrol_acme_name(const struct conf *c, const struct cert_name *n)
{
    return permitted_by(&c->acme_server.names, &c->acme_server.networks, n);
}

bool enrol_est_name(const struct conf *c, const struct cert_name *n)
{
    return permitted_by(&c->est_server.names, &c->est_server.networks, n);
}

static bool account_name(const struct conf *c, const struct cert_name *n)
{
    struct span text = span_cstr(n->text);
    size_t at = span_rfind(text, '@');

    return n->type == CERT_NAME_EMAIL && at != SPAN_NONE &&
           conf_domain_is_local(c, span_skip(text, at + 1));
}

typedef bool (*name_check)(const struct conf *c, const struct cert_name *n);

static const struct cert_name *first_refused(const struct conf *c, const struct cert_names *names,
                                             name_check ok)
{
    for (uint32_t i = 0; i < names->n; i++)
        if (!ok(c, &names->v[i]))
            return &names->v[i];
    return NULL;
}

int enrol_may_issue(const struct conf *c, const struct profile *p, const struct cert_names *names,
                    struct err *e)
{
    struct {
        bool on;
        const char *profile;
        name_check ok;
    } ways[] = {
        {c->acme_server.enabled,                          c->acme_server.profile, enrol_acme_name},
        {c->est_server.enabled,                           c->est_server.profile,  enrol_est_name },
        {c->est_server.enabled && c->est_server.accounts, "account",              account_name   },
    };
    const struct cert_name *refused = NULL;
    bool profile = false;

    for (size_t i = 0; names->n && i < sizeof(ways) / sizeof(*ways); i++) {
        if (!ways[i].on || strcmp(ways[i].profile, p->name) != 0)
            continue;
        profile = true;
        refused = first_refused(c, names, ways[i].ok);
        if (!refused)
            return 0;
    }
    if (!profile || !refused)
        return err_set(e, -EPERM, "certificates of profile %s are not issued by ACME or EST",
                       p->name);
    return err_set(e, -EPERM,
                   "%.120s may not be enrolled; names and networks of acme_server and est_server "
                   "say what may",
                   refused->text);
}

bool enrol_requester(const char *requester)
{
    struct span s = span_cstr(requester);

    return span_starts(s, SPAN("acme: ")) || span_starts(s, SPAN("est: "));
}
