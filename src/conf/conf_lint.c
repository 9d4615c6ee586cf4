/* conf_lint.c: what is possible, but wiser done otherwise: warnings, each with its remedy. */
#include "conf/check.h"

#include "conf/lint.h"
#include "conf/mta_sts.h"

#include <libconfig.h>

/* ---- places ------------------------------------------------------------------------------ */

static const config_setting_t *element(const config_setting_t *s, const char *list, uint32_t i)
{
    const config_setting_t *l = s ? config_setting_get_member(s, list) : NULL;

    return l ? config_setting_get_elem(l, i) : NULL;
}

static unsigned line_at(const config_setting_t *group, const char *option)
{
    const config_setting_t *s = group ? config_setting_get_member(group, option) : NULL;

    return s ? config_setting_source_line(s) : group ? config_setting_source_line(group) : 0;
}

/* ---- rows -------------------------------------------------------------------------------- */

/* Trusted networks are exempt from throttling: a whole eighth of the Internet is nobody's own. */
static void lint_trusted(const struct conf *c, const config_setting_t *root, struct report *r)
{
    for (uint32_t i = 0; i < c->trusted.n; i++) {
        const struct conf_network *n = &c->trusted.v[i];
        bool four = IN6_IS_ADDR_V4MAPPED(&n->address);
        unsigned bits = four ? n->bits - 96u : n->bits;
        struct buf text BUF_AUTO = BUF(64);
        if (n->bits == 0 || (four && n->bits <= 96) || bits >= (four ? 8u : 16u))
            continue;
        conf_network_print(n, &text);
        report_warning(r, line_at(root, "trusted"),
                       "'trusted' names %s, more than any one owner has: passwords could be "
                       "guessed from there without a brake. Name your own networks only",
                       buf_cstr(&text));
    }
}

static bool has_policy(const struct conf_vserver *v, enum conf_policy p)
{
    for (uint32_t i = 0; i < v->endpoint_count; i++)
        if (v->endpoints[i].policy == p)
            return true;
    return false;
}

static void lint_secure(const struct conf_vserver *v, const config_setting_t *group,
                        struct report *r)
{
    if (!v->require_secure_channel && has_policy(v, POLICY_STARTTLS_REQUIRED))
        report_warning(r, line_at(group, "require_secure_channel"),
                       "virtual server %s does not require a secure channel: what is done without "
                       "a login may go in clear. Set require_secure_channel = true",
                       v->name);
    if (v->protocol == PROTOCOL_NNTP && v->anonymous_post && has_policy(v, POLICY_OPPORTUNISTIC))
        report_warning(r, line_at(group, "anonymous_post"),
                       "virtual server %s takes articles in clear without a login. Set the policy "
                       "\"starttls\" or \"tls\"",
                       v->name);
}

/* The first name is said in greetings and EHLO, and other servers look it up. */
static void lint_names(const struct conf *c, const struct conf_vserver *v,
                       const config_setting_t *group, struct report *r)
{
    struct conf_network address;
    const char *first = v->names.n > 0 ? v->names.v[0] : c->hostname;

    if (v->protocol == PROTOCOL_HTTP)
        return;
    if (conf_network_parse(span_cstr(first), &address))
        report_warning(r, line_at(group, "names"),
                       "virtual server %s greets with the address %s. Put a DNS name first in "
                       "'names'",
                       v->name, first);
    else if (first[0] == '*')
        report_warning(r, line_at(group, "names"),
                       "virtual server %s greets with %s, which is no host. Put a DNS name first "
                       "in 'names'",
                       v->name, first);
}

static bool is_any(const char *address)
{
    return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

static bool same_family(const char *a, const char *b)
{
    return !strchr(a, ':') == !strchr(b, ':');
}

/* Whoever has all addresses of a port has that one, too: the second cannot be had. */
static void lint_overlap(const struct conf *c, uint32_t vi, const config_setting_t *root,
                         struct report *r)
{
    const struct conf_vserver *v = &c->vservers[vi];

    for (uint32_t i = 0; i < v->endpoint_count; i++)
        for (uint32_t k = 0; k < c->vserver_count; k++)
            for (uint32_t j = 0; j < c->vservers[k].endpoint_count; j++) {
                const struct conf_endpoint *a = &v->endpoints[i], *b = &c->vservers[k].endpoints[j];
                if (!c->vservers[k].enabled || a->port != b->port || is_any(a->address) ||
                    !is_any(b->address) || !same_family(a->address, b->address))
                    continue;
                report_error(
                    r, line_at(element(element(root, "vservers", vi), "endpoints", i), "address"),
                    "%s port %u cannot be had: virtual server %s takes that port at all addresses "
                    "(%s). Name the addresses one by one there, or choose another port",
                    a->address, a->port, c->vservers[k].name, b->address);
            }
}

/* More than the own CA lets clients in: whoever gets a certificate from there is believed. */
static void lint_client_trust(const struct conf_vserver *v, const config_setting_t *group,
                              struct report *r)
{
    for (uint32_t i = 0; i < v->client_trust.n; i++)
        if (strcmp(v->client_trust.v[i], "own-ca") != 0)
            report_warning(r, line_at(group, "client_trust"),
                           "virtual server %s believes certificates of %s: whoever that CA says "
                           "somebody is can log in as them. Keep \"own-ca\" only, unless that CA "
                           "issues to your people alone",
                           v->name, v->client_trust.v[i]);
}

/* ---- MTA-STS ----------------------------------------------------------------------------- */

static bool takes_mail(const struct conf_vserver *v)
{
    return v->enabled && v->protocol == PROTOCOL_SMTP && v->smtp_kind == SMTP_MX;
}

/* The names that its certificate has. */
static bool is_named(const struct conf *c, const struct conf_mta_sts *p,
                     const struct conf_vserver *v)
{
    for (uint32_t i = 0; i < v->names.n; i++)
        if (conf_mta_sts_names(c, p, span_cstr(v->names.v[i])))
            return true;
    return false;
}

/* Senders that keep to a policy pass a server by whose name it does not have. */
static void lint_mta_sts_servers(const struct conf *c, const struct conf_mta_sts *p,
                                 const config_setting_t *group, struct report *r)
{
    bool any = false;

    for (uint32_t i = 0; i < c->vserver_count; i++) {
        const struct conf_vserver *v = &c->vservers[i];
        if (!takes_mail(v))
            continue;
        any = true;
        if (is_named(c, p, v))
            continue;
        if (p->mode == MTA_STS_ENFORCE)
            report_error(r, line_at(group, "mx"),
                         "the MTA-STS policy of %s has none of the names of virtual server %s: "
                         "senders would not deliver to it. Add the name that stands in the MX "
                         "record to 'mx', or leave 'mx' out",
                         p->domain, v->name);
        else
            report_warning(r, line_at(group, "mx"),
                           "the MTA-STS policy of %s has none of the names of virtual server %s. "
                           "Add the name that stands in the MX record to 'mx', or leave 'mx' out",
                           p->domain, v->name);
    }
    if (!any)
        report_error(r, line_at(group, "domain"),
                     "there is an MTA-STS policy for %s, but no virtual server of kind mx takes "
                     "its mail. Add one, or set mode = \"none\"",
                     p->domain);
}

/* It is asked for at a host of its own. */
static void lint_mta_sts_host(const struct conf *c, const struct conf_mta_sts *p,
                              const config_setting_t *group, struct report *r)
{
    struct buf host BUF_AUTO = BUF(300);

    buf_printf(&host, "mta-sts.%s", p->domain);
    for (uint32_t i = 0; i < c->vserver_count; i++) {
        const struct conf_vserver *v = &c->vservers[i];
        if (!v->enabled || v->protocol != PROTOCOL_HTTP || !has_policy(v, POLICY_TLS_ONLY))
            continue;
        for (uint32_t k = 0; k < v->names.n; k++)
            if (span_is(buf_span(&host), v->names.v[k]))
                return;
    }
    report_warning(r, line_at(group, "domain"),
                   "the MTA-STS policy of %s is asked for at https://%s, which is no name of an "
                   "HTTP virtual server with a TLS endpoint. Add it to the 'names' of one",
                   p->domain, buf_cstr(&host));
}

static void lint_mta_sts(const struct conf *c, uint32_t pi, const config_setting_t *root,
                         struct report *r)
{
    const struct conf_mta_sts *p = &c->mta_sts[pi];
    const config_setting_t *group = element(root, "mta_sts", pi);

    if (!conf_domain_is_local(c, span_cstr(p->domain)))
        report_error(r, line_at(group, "domain"),
                     "there is an MTA-STS policy for %s, which is no local domain. Add it to "
                     "local_domains, or remove the policy",
                     p->domain);
    if (conf_mta_sts_of(c, span_cstr(p->domain)) != p)
        report_error(r, line_at(group, "domain"),
                     "there already is an MTA-STS policy for %s. Remove one of them", p->domain);
    lint_mta_sts_host(c, p, group, r);
    if (p->mode != MTA_STS_NONE)
        lint_mta_sts_servers(c, p, group, r);
}

void conf_lint(const struct conf *c, const struct config_setting_t *root, struct report *r)
{
    lint_trusted(c, root, r);
    for (uint32_t i = 0; i < c->vserver_count; i++) {
        const struct conf_vserver *v = &c->vservers[i];
        const config_setting_t *group = element(root, "vservers", i);
        if (!v->enabled)
            continue;
        lint_secure(v, group, r);
        lint_names(c, v, group, r);
        lint_overlap(c, i, root, r);
        lint_client_trust(v, group, r);
    }
    for (uint32_t i = 0; i < c->mta_sts_count; i++)
        lint_mta_sts(c, i, root, r);
}
