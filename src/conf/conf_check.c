#include "conf/check.h"

#include "conf/lint.h"
#include "conf/syntax.h"

#include <arpa/inet.h>
#include <libconfig.h>

/* ---- places ---- */

/* The i-th group of a list; NULL where there is no file. */
static const config_setting_t *group_at(const config_setting_t *s, const char *list, uint32_t i)
{
    const config_setting_t *l = s ? config_setting_get_member(s, list) : NULL;

    return l ? config_setting_get_elem(l, i) : NULL;
}

/* The option's line, or its group's where the default speaks. */
static unsigned line_of(const config_setting_t *group, const char *option)
{
    const config_setting_t *s = group ? config_setting_get_member(group, option) : NULL;

    return s ? config_setting_source_line(s) : group ? config_setting_source_line(group) : 0;
}

/* Of two options that contradict each other the one that the file gives. */
static unsigned line_of_either(const config_setting_t *group, const char *a, const char *b)
{
    return line_of(group, group && config_setting_get_member(group, a) ? a : b);
}

/* ---- the server ---- */

static void check_lives(const struct conf *c, const config_setting_t *root, struct report *r)
{
    if (c->cert_days > c->ca_days)
        report_error(r, line_of_either(root, "cert_days", "ca_days"),
                     "cert_days (%u) is longer than ca_days (%u), but no certificate outlives its "
                     "issuer. Lower cert_days or raise ca_days",
                     c->cert_days, c->ca_days);
    if (c->ca_days > c->root_days)
        report_error(
            r, line_of_either(root, "ca_days", "root_days"),
            "ca_days (%u) is longer than root_days (%u), but no CA outlives its root. Lower "
            "ca_days or raise root_days",
            c->ca_days, c->root_days);
}

/* Does one of the networks hold all addresses that begin as `a` does, or do several together? What
 * is left below `deepest` bits is one owner's. */
static bool holds_all(const struct conf_networks *v, struct in6_addr a, unsigned bits,
                      unsigned deepest)
{
    struct in6_addr upper = a;

    for (uint32_t i = 0; i < v->n; i++)
        if (v->v[i].bits <= bits && conf_networks_match(&(struct conf_networks){&v->v[i], 1}, &a))
            return true;
    if (bits == deepest)
        return false;
    upper.s6_addr[bits / 8] |= (uint8_t)(0x80 >> bits % 8);
    return holds_all(v, a, bits + 1, deepest) && holds_all(v, upper, bits + 1, deepest);
}

/* All of IPv4, or of the IPv6 that is given out: ::/0, 2000::/3, 0.0.0.0/0, or 0.0.0.0/1 with
 * 128.0.0.0/1. */
static bool is_everybody(const struct conf_networks *v)
{
    static const struct in6_addr four = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}}},
                                 six = {{{0x20}}};

    return holds_all(v, four, 96, 104) || holds_all(v, six, 3, 11);
}

static void check_server(const struct conf *c, const config_setting_t *root, struct report *r)
{
    check_lives(c, root, r);
    if (is_everybody(&c->trusted))
        report_error(r, line_of(root, "trusted"),
                     "'trusted' names every address, so nobody would be throttled. Name your own "
                     "networks only");
    if (c->delay_notice_hours > c->queue_days * 24)
        report_warning(r, line_of_either(root, "delay_notice_hours", "queue_days"),
                       "delay_notice_hours lies after queue_days: nobody is ever told. Lower it");
    if (c->vserver_count == 0)
        report_warning(r, line_of(root, "vservers"),
                       "there is no virtual server: nothing will listen. Add one to 'vservers'");
}

/* ---- virtual servers ---- */

#define BIT(policy) (1u << (policy))

/* What a protocol's endpoints may do in clear. A login is possible in neither of the last two. */
static unsigned policies_allowed(const struct conf_vserver *v)
{
    unsigned secure = BIT(POLICY_TLS_ONLY) | BIT(POLICY_STARTTLS_REQUIRED);

    switch ((enum conf_protocol)v->protocol) {
    case PROTOCOL_SMTP:
        return v->smtp_kind == SMTP_MX ? secure | BIT(POLICY_OPPORTUNISTIC) : secure;
    case PROTOCOL_NNTP:
        return secure | BIT(POLICY_OPPORTUNISTIC);
    case PROTOCOL_HTTP:
        return BIT(POLICY_TLS_ONLY) | BIT(POLICY_PUBLIC_HTTP);
    default:
        return secure;
    }
}

static const char *policy_remedy(const struct conf_vserver *v)
{
    switch ((enum conf_protocol)v->protocol) {
    case PROTOCOL_SMTP:
        return v->smtp_kind == SMTP_MX ? "\"opportunistic\", \"starttls\" or \"tls\""
                                       : "\"starttls\" or \"tls\": logins need TLS";
    case PROTOCOL_NNTP:
        return "\"tls\", \"starttls\" or, without logins, \"opportunistic\"";
    case PROTOCOL_HTTP:
        return "\"tls\" or \"public\"";
    default:
        return "\"tls\" or \"starttls\": logins need TLS";
    }
}

static const struct {
    uint16_t port;
    uint8_t protocol;
    uint8_t policy; /* what clients expect there */
} usual[] = {
    {993, PROTOCOL_IMAP4, POLICY_TLS_ONLY         },
    {995, PROTOCOL_POP3,  POLICY_TLS_ONLY         },
    {465, PROTOCOL_SMTP,  POLICY_TLS_ONLY         },
    {563, PROTOCOL_NNTP,  POLICY_TLS_ONLY         },
    {443, PROTOCOL_HTTP,  POLICY_TLS_ONLY         },
    {143, PROTOCOL_IMAP4, POLICY_STARTTLS_REQUIRED},
    {110, PROTOCOL_POP3,  POLICY_STARTTLS_REQUIRED},
    {587, PROTOCOL_SMTP,  POLICY_STARTTLS_REQUIRED},
};

static void check_endpoint(const struct conf_vserver *v, const struct conf_endpoint *e,
                           const config_setting_t *group, struct report *r)
{
    const char *policy = conf_policy_name(e->policy);

    if (!(policies_allowed(v) & BIT(e->policy)))
        report_error(r, line_of(group, "policy"),
                     "policy \"%s\" is not possible for %s%s (virtual server %s). Use %s", policy,
                     conf_protocol_name(v->protocol),
                     v->protocol != PROTOCOL_SMTP ? ""
                     : v->smtp_kind == SMTP_MX    ? " of kind mx"
                                                  : " of kind submission",
                     v->name, policy_remedy(v));
    else if (v->require_secure_channel &&
             (e->policy == POLICY_OPPORTUNISTIC || e->policy == POLICY_PUBLIC_HTTP))
        report_error(
            r, line_of(group, "policy"),
            "policy \"%s\" answers in clear, but virtual server %s requires a secure channel. "
            "Use %s, or set require_secure_channel = false",
            policy, v->name, v->protocol == PROTOCOL_HTTP ? "\"tls\"" : "\"starttls\"");
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (usual[i].port == e->port && usual[i].protocol == v->protocol &&
            usual[i].policy != e->policy)
            report_warning(
                r, line_of(group, "policy"),
                "clients expect policy \"%s\" on port %u, not \"%s\". Change one of them",
                conf_policy_name(usual[i].policy), e->port, policy);
}

static bool same_socket(const struct conf_endpoint *a, const struct conf_endpoint *b)
{
    struct conf_network x, y;

    return a->port == b->port && conf_network_parse(span_cstr(a->address), &x) &&
           conf_network_parse(span_cstr(b->address), &y) &&
           memcmp(&x.address, &y.address, sizeof x.address) == 0;
}

/* Refused where an endpoint before it, of this or another virtual server, has the same address and
 * port. */
static void check_socket(const struct conf *c, uint32_t vi, uint32_t ei,
                         const config_setting_t *root, struct report *r)
{
    const struct conf_endpoint *e = &c->vservers[vi].endpoints[ei];

    for (uint32_t i = 0; i <= vi; i++) {
        const struct conf_vserver *v = &c->vservers[i];
        for (uint32_t j = 0; j < (i == vi ? ei : v->endpoint_count); j++) {
            if (!same_socket(e, &v->endpoints[j]))
                continue;
            report_error(
                r, line_of(group_at(group_at(root, "vservers", vi), "endpoints", ei), "port"),
                "%s port %u is already taken by virtual server %s. Choose another address or "
                "port",
                e->address, e->port, v->name);
            return;
        }
    }
}

static void check_anonymous(const struct conf_vserver *v, const config_setting_t *group,
                            struct report *r)
{
    if (v->protocol != PROTOCOL_NNTP && v->anonymous_read)
        report_error(r, line_of(group, "anonymous_read"),
                     "anonymous_read is for news (nntp) only: mail is never read without login. "
                     "Remove it from virtual server %s",
                     v->name);
    if (v->protocol == PROTOCOL_SMTP && v->anonymous_post)
        report_error(r, line_of(group, "anonymous_post"),
                     "anonymous_post would make virtual server %s an open relay: mail of strangers "
                     "for others is never taken without login. Remove it; who sends mail logs in "
                     "at a virtual server with smtp_kind = \"submission\"",
                     v->name);
    else if (v->protocol != PROTOCOL_NNTP && v->anonymous_post)
        report_error(r, line_of(group, "anonymous_post"),
                     "anonymous_post is for news (nntp) only: mail is never relayed without login. "
                     "Remove it from virtual server %s",
                     v->name);
    if (v->protocol == PROTOCOL_NNTP && v->anonymous_post &&
        (v->allow.n == 0 || is_everybody(&v->allow)))
        report_error(r, line_of(group, "anonymous_post"),
                     "anonymous_post would let every stranger post. Name the networks that may in "
                     "'allow' of virtual server %s, or remove it",
                     v->name);
}

/* Is the name one that the server's own CA may put into a certificate? */
static bool ca_permits(const struct conf *c, struct span name)
{
    struct conf_network address;

    if (conf_network_parse(name, &address)) {
        for (uint32_t i = 0; i < c->ca_ip.n; i++) {
            struct conf_network permitted;
            if (conf_network_parse(span_cstr(c->ca_ip.v[i]), &permitted) &&
                conf_networks_match(&(struct conf_networks){&permitted, 1}, &address.address))
                return true;
        }
        return false;
    }
    for (uint32_t i = 0; i < c->ca_dns.n; i++) {
        struct span base = span_cstr(c->ca_dns.v[i]);
        if (span_eq_nocase(name, base) ||
            (name.n > base.n && span_ends_nocase(name, base) && name.p[name.n - base.n - 1] == '.'))
            return true;
    }
    return false;
}

static void check_vserver(const struct conf *c, uint32_t vi, const config_setting_t *root,
                          struct report *r)
{
    const struct conf_vserver *v = &c->vservers[vi];
    const config_setting_t *group = group_at(root, "vservers", vi);
    uint64_t in_flight = c->ring_bytes > c->spool_bytes ? c->ring_bytes : c->spool_bytes;

    for (uint32_t i = 0; i < vi; i++)
        if (span_is(span_cstr(v->name), c->vservers[i].name))
            report_error(r, line_of(group, "name"),
                         "there already is a virtual server %s. Give this one another name",
                         v->name);
    if (v->quota_reply != QUOTA_REPLY_PERMANENT && v->protocol != PROTOCOL_SMTP)
        report_error(r, line_of(group, "quota_reply"),
                     "quota_reply is for smtp only. Remove it from virtual server %s", v->name);
    if (v->smtp_kind != SMTP_MX && v->protocol != PROTOCOL_SMTP)
        report_error(r, line_of(group, "smtp_kind"),
                     "smtp_kind is for smtp only. Remove it from virtual server %s", v->name);
    for (uint32_t i = 0; i < v->endpoint_count; i++) {
        check_endpoint(v, &v->endpoints[i], group_at(group, "endpoints", i), r);
        check_socket(c, vi, i, root, r);
    }
    check_anonymous(v, group, r);
    if (v->limits.message_bytes > in_flight)
        report_error(r, line_of(group, "limits"),
                     "message_bytes of virtual server %s is more than spool_bytes can carry to the "
                     "store. Lower it or raise spool_bytes",
                     v->name);
    for (uint32_t i = 0; i < v->names.n; i++)
        if (!ca_permits(c, span_cstr(v->names.v[i])))
            report_warning(r, line_of(group, "names"),
                           "the own CA may not issue for %s. Add it to ca_dns or ca_ip, unless the "
                           "certificate comes from elsewhere",
                           v->names.v[i]);
}

/* ---- connectors ---- */

/* Would this smart host be ourselves? Then mail would go round for ever. */
static bool is_own_endpoint(const struct conf *c, struct span host, uint16_t port)
{
    struct conf_network a, own;

    if (!conf_network_parse(host, &a))
        return false;
    bool loopback = IN6_IS_ADDR_LOOPBACK(&a.address) ||
                    (IN6_IS_ADDR_V4MAPPED(&a.address) && a.address.s6_addr[12] == 127);
    for (uint32_t i = 0; i < c->vserver_count; i++) {
        const struct conf_vserver *v = &c->vservers[i];
        for (uint32_t j = 0; v->protocol == PROTOCOL_SMTP && j < v->endpoint_count; j++) {
            const struct conf_endpoint *e = &v->endpoints[j];
            bool all = strcmp(e->address, "0.0.0.0") == 0 || strcmp(e->address, "::") == 0;
            if (e->port != port || !conf_network_parse(span_cstr(e->address), &own))
                continue;
            if ((all && loopback) || memcmp(&own.address, &a.address, sizeof a.address) == 0)
                return true;
        }
    }
    return false;
}

static void check_smart_host_login(const struct conf_connector *k, const config_setting_t *group,
                                   struct report *r)
{
    if (!k->user[0] != !k->password_file[0])
        report_error(r, line_of(group, k->user[0] ? "user" : "password_file"),
                     "connector %s has only one of user and password_file. Give both or none",
                     k->name);
    if (!k->user[0])
        return;
    if (!k->smart_host[0])
        report_error(r, line_of(group, "user"),
                     "connector %s logs in, but has no smart_host to do it at. Add smart_host or "
                     "remove user",
                     k->name);
    if (!k->tls_required || !k->tls_name[0])
        report_error(
            r, line_of(group, "user"),
            "connector %s would send its password to whoever answers. Set tls_required = true "
            "and tls_name to the name in the smart host's certificate",
            k->name);
}

static void check_connector(const struct conf *c, uint32_t ki, const config_setting_t *root,
                            struct report *r)
{
    const struct conf_connector *k = &c->connectors[ki];
    const config_setting_t *group = group_at(root, "connectors", ki);
    struct span space = span_cstr(k->address_space), host;
    uint16_t port;

    for (uint32_t i = 0; i < ki; i++)
        if (span_is(span_cstr(k->name), c->connectors[i].name))
            report_error(r, line_of(group, "name"),
                         "there already is a connector %s. Give this one another name", k->name);
    if (conf_domain_is_local(c, space))
        report_error(
            r, line_of(group, "address_space"),
            "%s is a local domain: its mail is delivered here. Remove it from local_domains or "
            "choose another address space for connector %s",
            k->address_space, k->name);
    if (k->smart_host[0] && smart_host_split(span_cstr(k->smart_host), &host, &port) &&
        is_own_endpoint(c, host, port ? port : c->outbound_port))
        report_error(
            r, line_of(group, "smart_host"),
            "smart_host %s of connector %s is this server itself: mail would go round. Name "
            "another host",
            k->smart_host, k->name);
    if (k->smart_host[0] && k->tls_required && !k->tls_name[0])
        report_warning(
            r, line_of(group, "tls_required"),
            "connector %s encrypts, but to whoever answers. Set tls_name to the name in the "
            "smart host's certificate",
            k->name);
    check_smart_host_login(k, group, r);
}

/* ---- authorities ---- */

/* What each way of proving a name needs. */
static void check_challenge_means(const struct conf_authority *a, const config_setting_t *group,
                                  struct report *r)
{
    if (a->challenge == CHALLENGE_DNS_COMMAND && !a->dns_command[0])
        report_error(r, line_of(group, "challenge"),
                     "authority %s proves names by a command, but names none. Add dns_command",
                     a->name);
    if (a->challenge == CHALLENGE_DNS_UPDATE && !a->dns_server[0])
        report_error(r, line_of(group, "challenge"),
                     "authority %s proves names by updates of DNS, but names no server. Add "
                     "dns_server",
                     a->name);
    if (a->challenge == CHALLENGE_DNS_UPDATE && !a->tsig_name[0] != !a->tsig_key_file[0])
        report_error(r, line_of(group, "tsig_name"),
                     "authority %s has only one of tsig_name and tsig_key_file. Give both or none",
                     a->name);
}

static void check_authority(const struct conf *c, uint32_t ai, const config_setting_t *root,
                            struct report *r)
{
    const struct conf_authority *a = &c->authorities[ai];
    const config_setting_t *group = group_at(root, "authorities", ai);

    for (uint32_t i = 0; i < ai; i++)
        if (span_is(span_cstr(a->name), c->authorities[i].name))
            report_error(r, line_of(group, "name"),
                         "there already is an authority %s. Give this one another name", a->name);
    if (strcmp(a->name, "own-ca") == 0 || strcmp(a->name, "none") == 0)
        report_error(r, line_of(group, "name"), "%s means something else. Choose another name",
                     a->name);
    if (a->kind == AUTHORITY_ACME && !a->eab_kid[0] != !a->eab_key_file[0])
        report_error(r, line_of(group, "eab_kid"),
                     "authority %s has only one of eab_kid and eab_key_file. Give both or none",
                     a->name);
    if (a->kind == AUTHORITY_EST && !a->user[0] != !a->password_file[0])
        report_error(r, line_of(group, "user"),
                     "authority %s has only one of user and password_file. Give both or none",
                     a->name);
    if (a->kind == AUTHORITY_ACME && a->certificate_file[0])
        report_error(r, line_of(group, "certificate_file"),
                     "authority %s is asked by ACME, which knows no certificate_file. Leave it out",
                     a->name);
    if (a->kind == AUTHORITY_ACME)
        check_challenge_means(a, group, r);
}

static void check_second_source(const struct conf *c, uint32_t vi, const config_setting_t *root,
                                struct report *r)
{
    const struct conf_vserver *v = &c->vservers[vi];

    if (strcmp(v->second_source, "own-ca") != 0 && strcmp(v->second_source, "none") != 0 &&
        !conf_authority_by_name(c, v->second_source))
        report_error(r, line_of(group_at(root, "vservers", vi), "second_source"),
                     "there is no authority %s for virtual server %s to fall back on. Write "
                     "own-ca, none, or the name of one in authorities",
                     v->second_source, v->name);
}

static bool has_name_in(const struct conf_vserver *v, const char *zone)
{
    struct span z = span_cstr(zone);

    for (uint32_t i = 0; i < v->names.n; i++) {
        struct span n = span_cstr(v->names.v[i]);
        if (span_ends_nocase(n, z) && (n.n == z.n || n.p[n.n - z.n - 1] == '.'))
            return true;
    }
    return false;
}

/* A wait that cannot end, or records that nobody publishes. */
static void check_dane(const struct conf *c, uint32_t vi, const config_setting_t *root,
                       struct report *r)
{
    const struct conf_vserver *v = &c->vservers[vi];
    unsigned line = line_of(group_at(root, "vservers", vi), "dane");

    if (v->dane == DANE_OFF)
        return;
    if (v->dane == DANE_PUBLISH && !c->dane.server[0])
        report_error(r, line,
                     "virtual server %s is to publish TLSA records, but no server takes them. Add "
                     "dane with server, or write dane = \"print\" and publish them yourself",
                     v->name);
    if (v->dane == DANE_PUBLISH && !has_name_in(v, c->dane.zone[0] ? c->dane.zone : c->domain))
        report_error(r, line,
                     "virtual server %s is to publish TLSA records, but none of its names is in "
                     "the zone %s. Set names of the virtual server, or zone of dane",
                     v->name, c->dane.zone[0] ? c->dane.zone : c->domain);
    if (!c->dns_trust_anchor[0])
        report_error(r, line,
                     "virtual server %s waits for TLSA records that DNSSEC secures, but there is "
                     "no trust anchor. Set dns_trust_anchor (Debian's dns-root-data has "
                     "/usr/share/dns/root.key)",
                     v->name);
}

void conf_check(const struct conf *c, const struct config_setting_t *root, struct report *r)
{
    if (!c->dane.tsig_name[0] != !c->dane.tsig_key_file[0])
        report_error(r, line_of(root, "dane"),
                     "dane has only one of tsig_name and tsig_key_file. Give both or none");
    for (uint32_t i = 0; i < c->vserver_count; i++)
        check_dane(c, i, root, r);
    for (uint32_t i = 0; i < c->authority_count; i++)
        check_authority(c, i, root, r);
    for (uint32_t i = 0; i < c->vserver_count; i++)
        check_second_source(c, i, root, r);
    check_server(c, root, r);
    for (uint32_t i = 0; i < c->vserver_count; i++)
        check_vserver(c, i, root, r);
    for (uint32_t i = 0; i < c->connector_count; i++)
        check_connector(c, i, root, r);
    conf_lint(c, root, r);
}
