#include "manager/verify_foreign.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/parse.h"
#include "dns/resolver.h"
#include "manager/command.h"
#include "manager/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROOT_BYTES_MAX = CERTIFICATE_TEXT_MAX, RESOLVE_MS = 10000 };

static const struct foreign_scheme schemes[] = {
    {"smtp",        PROTOCOL_SMTP,  POLICY_OPPORTUNISTIC,     SMTP_MX,         25 },
    {"submission",  PROTOCOL_SMTP,  POLICY_STARTTLS_REQUIRED, SMTP_SUBMISSION, 587},
    {"submissions", PROTOCOL_SMTP,  POLICY_TLS_ONLY,          SMTP_SUBMISSION, 465},
    {"smtps",       PROTOCOL_SMTP,  POLICY_TLS_ONLY,          SMTP_SUBMISSION, 465},
    {"pop3",        PROTOCOL_POP3,  POLICY_STARTTLS_REQUIRED, SMTP_MX,         110},
    {"pop3s",       PROTOCOL_POP3,  POLICY_TLS_ONLY,          SMTP_MX,         995},
    {"imap",        PROTOCOL_IMAP4, POLICY_STARTTLS_REQUIRED, SMTP_MX,         143},
    {"imaps",       PROTOCOL_IMAP4, POLICY_TLS_ONLY,          SMTP_MX,         993},
    {"nntp",        PROTOCOL_NNTP,  POLICY_STARTTLS_REQUIRED, SMTP_MX,         119},
    {"nntps",       PROTOCOL_NNTP,  POLICY_TLS_ONLY,          SMTP_MX,         563},
    {"https",       PROTOCOL_HTTP,  POLICY_TLS_ONLY,          SMTP_MX,         443},
};

bool is_foreign(const char *argument)
{
    return strstr(argument, "://") != NULL;
}

/* ---- URLs -------------------------------------------------------------------------------- */

static const struct foreign_scheme *scheme_by_name(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (span_is(name, schemes[i].name))
            return &schemes[i];
    return NULL;
}

int foreign_parse(struct span url, struct foreign_url *ret, struct err *e)
{
    size_t at = span_find_span(url, SPAN("://")), end;
    struct span host, port = SPAN_EMPTY;
    uint64_t n;

    *ret =
        (struct foreign_url){.scheme = at == SPAN_NONE ? NULL : scheme_by_name(span_head(url, at))};
    if (ret->scheme == NULL)
        return err_set(e, -EINVAL,
                       "%s: smtp://, submission://, submissions://, pop3://, pop3s://, imap://, "
                       "imaps://, nntp://, nntps:// or https:// and a host",
                       text_quote(url));
    host = span_skip(url, at + 3);
    if ((end = span_find(host, '/')) != SPAN_NONE)
        host = span_head(host, end);
    if (host.n > 0 && host.p[0] == '[' && (end = span_find(host, ']')) != SPAN_NONE) {
        port = span_skip(host, end + 1);
        host = span_sub(host, 1, end - 1);
    } else if ((end = span_rfind(host, ':')) != SPAN_NONE) {
        port = span_skip(host, end);
        host = span_head(host, end);
    }
    ret->port = ret->scheme->port;
    if (port.n > 0) {
        if (port.p[0] != ':' || !span_to_u64(span_skip(port, 1), 65535, &n) || n == 0)
            return err_set(e, -EINVAL, "%s: the port is none", text_quote(url));
        ret->port = (uint16_t)n;
    }
    if (host.n == 0 || !span_to_cstr(host, ret->host, sizeof ret->host))
        return err_set(e, -EINVAL, "%s: the host is none", text_quote(url));
    return 0;
}

/* ---- addresses --------------------------------------------------------------------------- */

struct place {
    struct conf_vserver vserver;
    struct conf_endpoint endpoints[FOREIGN_ADDRESSES_MAX];
    char name[FOREIGN_HOST_MAX + 32], addresses[FOREIGN_ADDRESSES_MAX][INET6_ADDRSTRLEN];
};

struct foreign { /* behind a verify_plan that it makes */
    struct conf conf;
    struct place *places;
};

static void add_address(const struct foreign_url *u, struct place *p, const struct sockaddr *a,
                        socklen_t bytes)
{
    uint32_t i = p->vserver.endpoint_count;

    if (i == FOREIGN_ADDRESSES_MAX ||
        getnameinfo(a, bytes, p->addresses[i], sizeof p->addresses[i], NULL, 0, NI_NUMERICHOST) !=
            0 ||
        strchr(p->addresses[i], '%') != NULL)
        return;
    for (uint32_t k = 0; k < i; k++)
        if (strcmp(p->addresses[k], p->addresses[i]) == 0)
            return;
    p->endpoints[i] = (struct conf_endpoint){p->addresses[i], u->port, (uint8_t)u->scheme->policy};
    p->vserver.endpoint_count++;
}

/* As this machine resolves names. */
static int resolve_here(const struct foreign_url *u, struct place *p, struct err *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all = NULL;
    int r = getaddrinfo(u->host, NULL, &hints, &all);

    if (r != 0)
        return err_set(e, -EHOSTUNREACH, "%s: %s", u->host, gai_strerror(r));
    for (const struct addrinfo *a = all; a != NULL; a = a->ai_next)
        add_address(u, p, a->ai_addr, a->ai_addrlen);
    freeaddrinfo(all);
    return 0;
}

/* As the server of --resolver says. */
struct asking {
    struct loop *loop;
    struct resolver *resolver;
    const char *host;
    struct dns_addresses all;
};

static void ask(void *arg)
{
    struct asking *a = arg;

    if (dns_addresses(a->resolver, a->host, &a->all) != DNS_FOUND)
        a->all.count = 0;
    loop_stop(a->loop);
}

static void begin_ask(void *arg)
{
    struct asking *a = arg;

    fiber_start(a->loop, ask, a, "resolve");
}

static int resolve_by(const char *server, const struct foreign_url *u, struct place *p,
                      struct err *e)
{
    struct asking a = {.loop = loop_new(), .host = u->host};

    a.resolver = resolver_new(a.loop, &server, 1, "", e);
    if (a.resolver != NULL) {
        resolver_patience(a.resolver, RESOLVE_MS);
        loop_defer(a.loop, begin_ask, &a);
        loop_run(a.loop);
    }
    for (size_t i = 0; i < a.all.count; i++)
        add_address(u, p, (const struct sockaddr *)(const void *)&a.all.a[i],
                    a.all.a[i].ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                     : sizeof(struct sockaddr_in));
    bool asked = a.resolver != NULL;
    resolver_free(a.resolver);
    loop_free(a.loop);
    return asked ? 0 : -EINVAL;
}

static int resolve(const struct call *c, const struct foreign_url *u, struct place *p,
                   struct err *e)
{
    struct in6_addr address;
    bool numeric =
        inet_pton(AF_INET, u->host, &address) == 1 || inet_pton(AF_INET6, u->host, &address) == 1;
    int r = has_option(c, OPT_RESOLVER) && !numeric && strcmp(u->host, "localhost") != 0
                ? resolve_by(c->option[OPT_RESOLVER], u, p, e)
                : resolve_here(u, p, e);

    if (r != 0 || p->vserver.endpoint_count > 0)
        return r;
    return err_set(e, -EHOSTUNREACH, "%s has no address", u->host);
}

/* ---- trust ------------------------------------------------------------------------------- */

static int read_roots(struct verify_plan *v, struct err *e)
{
    const char *file = v->call->option[OPT_ROOT];
    struct buf pem BUF_AUTO = BUF(ROOT_BYTES_MAX);
    int r;

    if (file == NULL)
        file = settings_get(&v->settings, "CA_FILE");
    if (file == NULL)
        return probe_trust_system(&v->trust, e);
    r = file_read(AT_FDCWD, file, ROOT_BYTES_MAX, &pem, e);
    return r < 0 ? r : probe_trust_init(&v->trust, buf_span(&pem), e);
}

/* ---- the plan ---------------------------------------------------------------------------- */

static void add_place(struct verify_plan *v, const struct foreign_url *u, struct place *p,
                      struct cert_names *names)
{
    bool six = strchr(u->host, ':') != NULL;

    snprintf(p->name, sizeof p->name, "%s://%s%s%s", u->scheme->name, six ? "[" : "", u->host,
             six ? "]" : "");
    p->vserver.name = p->name;
    p->vserver.protocol = (uint8_t)u->scheme->protocol;
    p->vserver.smtp_kind = (uint8_t)u->scheme->kind;
    p->vserver.enabled = true;
    p->vserver.endpoints = p->endpoints;
    cert_names_add_any(names, span_cstr(u->host));
    for (uint32_t k = 0; k < p->vserver.endpoint_count; k++) {
        struct probe_target *t = &v->targets[v->target_count];
        if (!probe_target_init(t, &p->vserver, &p->endpoints[k]))
            continue;
        t->names = names;
        t->foreign = true;
        v->target_count++;
    }
}

static int fill(struct verify_plan *v, struct foreign *f, struct err *e)
{
    struct call *c = v->call;
    int r =
        has_option(c, OPT_SETTINGS) ? settings_read(c->option[OPT_SETTINGS], &v->settings, e) : 0;

    for (unsigned i = 0; r == 0 && i < c->arg_count; i++) {
        struct foreign_url u;
        if (!is_foreign(c->args[i]))
            return usage_error(e, "either virtual servers of this machine or URLs, not both");
        if ((r = foreign_parse(span_cstr(c->args[i]), &u, e)) == 0 &&
            (r = resolve(c, &u, &f->places[i], e)) == 0)
            add_place(v, &u, &f->places[i], &v->names[i]);
    }
    if (r == 0)
        r = read_roots(v, e);
    return r != 0 ? r : verify_plan_logins(v, e);
}

/* Of Debian's dns-root-data. */
static const char *default_anchor(void)
{
    static const char file[] = "/usr/share/dns/root.key";

    return access(file, R_OK) == 0 ? file : "";
}

int verify_foreign_make(struct call *c, struct verify_plan **ret, struct err *e)
{
    struct verify_plan *v = calloc(1, sizeof *v);
    struct foreign *f = calloc(1, sizeof *f);
    int r;

    CHECK(v != NULL && f != NULL);
    v->call = c;
    f->places = calloc(c->arg_count + 1u, sizeof *f->places);
    v->names = calloc(c->arg_count + 1u, sizeof *v->names);
    v->targets = calloc((size_t)c->arg_count * FOREIGN_ADDRESSES_MAX + 1, sizeof *v->targets);
    CHECK(f->places != NULL && v->names != NULL && v->targets != NULL);
    f->conf.hostname = "";
    f->conf.user_prefix = "";
    f->conf.dns_trust_anchor = default_anchor();
    f->conf.vserver_count = c->arg_count;
    v->conf = &f->conf;
    v->take_places = f->places;
    v->take_conf = f;
    r = fill(v, f, e);
    if (r != 0) {
        verify_plan_free(v);
        return r;
    }
    v->plan.trust = &v->trust;
    v->plan.conf = v->conf;
    v->plan.targets = v->targets;
    v->plan.target_count = v->target_count;
    verify_plan_dns(v);
    *ret = v;
    return 0;
}
