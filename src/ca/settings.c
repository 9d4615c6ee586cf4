#include "base/check.h"
#include "base/log.h"
#include "ca/ca.h"

#include <errno.h>
#include <stdio.h>

/* Hundreds of domains do not fit into a certificate that every handshake carries: what is over the
 * limit is left out. */
static bool full(int rc, const char *option, const char *name)
{
    if (rc != -E2BIG)
        return false;
    log_warn("own CA: %s from \"%s\" on is not permitted: a CA lists %d names at most; name fewer "
             "in ca_dns",
             option, name, CERT_NAMES_MAX);
    return true;
}

static int add_names(struct permitted *p, const struct conf_strings *names, const char *option,
                     struct err *e)
{
    for (uint32_t i = 0; i < names->n; i++) {
        int rc = permitted_add_dns(p, span_cstr(names->v[i]));
        if (full(rc, option, names->v[i]))
            break;
        if (rc < 0)
            return err_set(e, -EINVAL,
                           "%s: \"%.100s\" is no DNS name that a CA could be permitted (no \"*\")",
                           option, names->v[i]);
    }
    return 0;
}

static int add_mailboxes(struct permitted *p, const struct conf_strings *domains,
                         const char *option, struct err *e)
{
    for (uint32_t i = 0; i < domains->n; i++) {
        int rc = permitted_add_email(p, span_cstr(domains->v[i]));
        if (full(rc, option, domains->v[i]))
            break;
        if (rc < 0)
            return err_set(e, -EINVAL, "%s: \"%.100s\" is no mail domain", option, domains->v[i]);
    }
    return 0;
}

static int add_networks(struct permitted *p, const struct conf_strings *networks, struct err *e)
{
    for (uint32_t i = 0; i < networks->n; i++)
        if (permitted_add_network(p, span_cstr(networks->v[i])) < 0)
            return err_set(e, -EINVAL,
                           "ca_ip: \"%.60s\" is no network such as 192.0.2.0/24 or 2001:db8::/32 "
                           "with all host bits "
                           "zero (at most %d in all)",
                           networks->v[i], PERMITTED_MAX);
    return 0;
}

static int permitted_of(const struct conf *c, bool root, struct permitted *p, struct err *e)
{
    /* loopback does no harm and bounds both kinds of addresses; the hostname stands in every
     * certificate of a server */
    const char *dns[] = {"localhost", c->hostname}, *ip[] = {"127.0.0.1/32", "::1/128"},
               *domain[] = {c->domain};
    struct conf_strings always = {dns, 2}, loopback = {ip, 2}, first = {domain, 1};
    int rc = add_names(p, &always, "hostname", e);

    if (rc == 0)
        rc = add_networks(p, &loopback, e);
    if (rc == 0)
        rc = add_names(p, &c->ca_dns, "ca_dns", e);
    if (rc == 0 && (root || c->ca_dns.n == 0))
        rc = add_names(p, &first, "domain", e);
    if (rc == 0 && (root || c->ca_dns.n == 0))
        rc = add_names(p, &c->local_domains, "local_domains", e);
    if (rc == 0)
        rc = add_networks(p, &c->ca_ip, e);
    if (rc == 0)
        rc = add_mailboxes(p, &first, "domain", e);
    return rc == 0 ? add_mailboxes(p, &c->local_domains, "local_domains", e) : rc;
}

/* Room for "Issuing CA 100" behind it in a common name of 64 characters; never half a character. */
static void set_organization(struct ca_settings *s, struct span name)
{
    size_t n = name.n < 48 ? name.n : 48;

    while (n > 0 && n < name.n && ((unsigned char)name.p[n] & 0xc0) == 0x80)
        n--;
    span_to_cstr(span_head(name, n), s->organization, sizeof(s->organization));
}

/* The first endpoint of an HTTP virtual server that answers everybody in clear: an address in a
 * certificate must not need a certificate. */
static void set_url(struct ca_settings *s, const struct conf *c)
{
    for (uint32_t i = 0; i < c->vserver_count; i++) {
        const struct conf_vserver *v = &c->vservers[i];
        for (uint32_t k = 0; v->enabled && k < v->endpoint_count; k++)
            if (v->protocol == PROTOCOL_HTTP && v->endpoints[k].policy == POLICY_PUBLIC_HTTP) {
                uint16_t port = v->endpoints[k].port;
                if (port == 80)
                    snprintf(s->url, sizeof(s->url), "http://%.240s", c->hostname);
                else
                    snprintf(s->url, sizeof(s->url), "http://%.240s:%u", c->hostname, port);
                return;
            }
    }
}

static bool on_loopback(const char *address)
{
    unsigned char ip[16];
    static const unsigned char any[16], v6[16] = {[15] = 1};

    switch (cert_name_ip_bytes(address, ip)) {
    case 4:
        return ip[0] == 127 || memcmp(ip, any, 4) == 0;
    case 16:
        return memcmp(ip, v6, 16) == 0 || memcmp(ip, any, 16) == 0;
    }
    return false;
}

/* What certd asks certificates for; names that are none it leaves out too. */
static void set_serves(struct ca_settings *s, const struct conf *c)
{
    static const char *const loopback[] = {"localhost", "127.0.0.1", "::1"};
    bool local = false;

    (void)cert_names_add_any(&s->serves, span_cstr(c->hostname));
    for (uint32_t i = 0; i < c->vserver_count; i++) {
        const struct conf_vserver *v = &c->vservers[i];
        for (uint32_t k = 0; v->enabled && k < v->names.n; k++)
            (void)cert_names_add_any(&s->serves, span_cstr(v->names.v[k]));
        for (uint32_t k = 0; v->enabled && k < v->endpoint_count; k++)
            local |= on_loopback(v->endpoints[k].address);
    }
    for (size_t i = 0; local && i < ARRAY_LEN(loopback); i++)
        (void)cert_names_add_any(&s->serves, span_cstr(loopback[i]));
}

static int set_officer(struct ca_settings *s, const struct conf *c, struct err *e)
{
    for (uint32_t i = 0; i < c->ca_officer.n; i++) {
        const struct profile *p = cert_profile_by_name(span_cstr(c->ca_officer.v[i]));
        if (!p || p->path >= 0)
            return err_set(
                e, -EINVAL,
                "ca_officer: there is no profile \"%.60s\"; \"sealpost ca profile list\" "
                "shows them",
                c->ca_officer.v[i]);
        s->officer |= 1u << p->id;
    }
    return 0;
}

int ca_settings_init(struct ca_settings *s, const struct conf *c, struct err *e)
{
    int rc;

    memset(s, 0, sizeof(*s));
    set_organization(s, span_cstr(c->organization[0] ? c->organization : c->domain));
    s->root_days = c->root_days;
    s->ca_days = c->ca_days;
    s->cert_days = c->cert_days;
    s->crl_hours = c->crl_hours ? c->crl_hours : 24;
    s->crl_delta = c->crl_delta;
    set_url(s, c);
    set_serves(s, c);
    rc = set_officer(s, c, e);
    if (rc == 0)
        rc = permitted_of(c, false, &s->issuing, e);
    if (rc == 0)
        rc = permitted_of(c, true, &s->root, e);
    if (rc < 0)
        ca_settings_done(s);
    return rc;
}

void ca_settings_done(struct ca_settings *s)
{
    cert_names_done(&s->serves);
    permitted_done(&s->issuing);
    permitted_done(&s->root);
}
