#include "base/log.h"
#include "proc/certd/certd.h"

#include <arpa/inet.h>

/* Can a client on this machine reach it by a loopback address? */
static bool on_loopback(const struct conf_endpoint *e)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, e->address, &v4) == 1)
        return v4.s_addr == htonl(INADDR_ANY) || ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, e->address, &v6) == 1 &&
           (IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6));
}

static void add(struct cert_names *n, const char *text, const char *vserver)
{
    if (cert_names_add_any(n, span_cstr(text)) < 0)
        log_warn(
            "certificate of %s: the name %s is left out: it is none, or there are more than %d",
            vserver, log_quote(span_cstr(text)), CERT_NAMES_MAX);
}

void names_public(const struct conf *c, const struct conf_vserver *v, struct cert_names *ret)
{
    for (uint32_t i = 0; i < v->names.n; i++)
        add(ret, v->names.v[i], v->name);
    if (ret->n == 0)
        add(ret, c->hostname, v->name);
}

void names_wanted(const struct conf *c, const struct conf_vserver *v, struct cert_names *ret)
{
    static const char *const loopback[] = {"localhost", "127.0.0.1", "::1"};
    bool local = false;

    for (uint32_t i = 0; i < v->names.n; i++)
        add(ret, v->names.v[i], v->name);
    add(ret, c->hostname, v->name);
    for (uint32_t i = 0; i < v->endpoint_count; i++)
        local |= on_loopback(&v->endpoints[i]);
    for (unsigned i = 0; local && i < 3; i++)
        add(ret, loopback[i], v->name);
}
