#include "ca/ca.h"

#include <errno.h>

static int add_names(struct permitted *p, const struct conf_strings *names, const char *option,
                     struct err *e)
{
    for (uint32_t i = 0; i < names->n; i++)
        if (permitted_add_dns(p, span_cstr(names->v[i])) < 0)
            return err_set(
                e, -EINVAL,
                "%s: \"%.100s\" is no DNS name that a CA could be permitted (no \"*\", at most %d "
                "in all)",
                option, names->v[i], CERT_NAMES_MAX);
    return 0;
}

static int add_networks(struct permitted *p, const struct conf_strings *networks, struct err *e)
{
    for (uint32_t i = 0; i < networks->n; i++)
        if (permitted_add_network(p, span_cstr(networks->v[i])) < 0)
            return err_set(e, -EINVAL,
                           "ca_ip: \"%.60s\" is no network such as 192.0.2.0/24 or 2001:db8::/32 "
                           "with all host "
                           "bits zero (at most %d in all)",
                           networks->v[i], PERMITTED_MAX);
    return 0;
}

static int add_defaults(struct permitted *p, const struct conf *c, struct err *e)
{
    struct conf_strings domain = {(const char *[]){c->domain}, 1},
                        host = {(const char *[]){c->hostname}, 1};
    int rc = add_names(p, &domain, "domain", e);

    if (rc == 0)
        rc = add_names(p, &c->local_domains, "local_domains", e);
    return rc == 0 ? add_names(p, &host, "hostname", e) : rc;
}

/* What every permitted set has, whatever is configured: loopback does no harm, and bounds both
 * kinds of addresses. */
static int add_always(struct permitted *p, const struct conf *c, struct err *e)
{
    static const char *const networks[] = {"127.0.0.1/32", "::1/128"};
    int rc = permitted_add_dns(p, SPAN("localhost"));

    for (size_t i = 0; rc == 0 && i < 2; i++)
        rc = permitted_add_network(p, span_cstr(networks[i]));
    if (rc == 0)
        rc = permitted_add_email(p, span_cstr(c->domain));
    for (uint32_t i = 0; rc == 0 && i < c->local_domains.n; i++)
        rc = permitted_add_email(p, span_cstr(c->local_domains.v[i]));
    return rc < 0
               ? err_set(e, -E2BIG, "ca_dns, ca_ip and local_domains together list too many names")
               : 0;
}

static int permitted_of(const struct conf *c, bool root, struct permitted *p, struct err *e)
{
    int rc = add_names(p, &c->ca_dns, "ca_dns", e);

    if (rc == 0 && (root || c->ca_dns.n == 0))
        rc = add_defaults(p, c, e);
    if (rc == 0)
        rc = add_networks(p, &c->ca_ip, e);
    return rc == 0 ? add_always(p, c, e) : rc;
}

/* Room for "Issuing CA 100" behind it in a common name of 64 characters; never half a character. */
static void set_organization(struct ca_settings *s, struct span name)
{
    size_t n = name.n < 48 ? name.n : 48;

    while (n > 0 && n < name.n && ((unsigned char)name.p[n] & 0xc0) == 0x80)
        n--;
    span_to_cstr(span_head(name, n), s->organization, sizeof(s->organization));
}

int ca_settings_init(struct ca_settings *s, const struct conf *c, struct err *e)
{
    int rc;

    memset(s, 0, sizeof(*s));
    set_organization(s, span_cstr(c->organization[0] ? c->organization : c->domain));
    s->root_days = c->root_days;
    s->ca_days = c->ca_days;
    s->cert_days = c->cert_days;
    rc = permitted_of(c, false, &s->issuing, e);
    if (rc == 0)
        rc = permitted_of(c, true, &s->root, e);
    if (rc < 0)
        ca_settings_done(s);
    return rc;
}

void ca_settings_done(struct ca_settings *s)
{
    permitted_done(&s->issuing);
    permitted_done(&s->root);
}
