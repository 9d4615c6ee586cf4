#include "conf/conf.h"

#include "base/parse.h"

#include <arpa/inet.h>
#include <string.h>

enum { V4_BITS = 96 }; /* the prefix of ::ffff:0:0/96 */

static const unsigned char v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_v4(const struct in6_addr *a)
{
    return memcmp(a->s6_addr, v4_prefix, sizeof v4_prefix) == 0;
}

static bool address_parse(struct span s, struct in6_addr *ret)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr a;

    if (!span_to_cstr(s, text, sizeof text))
        return false;
    if (inet_pton(AF_INET, text, a.s6_addr + sizeof v4_prefix) == 1)
        memcpy(a.s6_addr, v4_prefix, sizeof v4_prefix);
    else if (inet_pton(AF_INET6, text, &a) != 1)
        return false;
    *ret = a;
    return true;
}

/* Clears what lies behind the prefix, so that one network is one value. */
static void mask(struct conf_network *n)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = n->bits <= i * 8 ? 0 : n->bits - i * 8;
        if (kept < 8)
            n->address.s6_addr[i] &= (unsigned char)(0xff00u >> kept);
    }
}

bool conf_network_parse(struct span s, struct conf_network *ret)
{
    struct conf_network n = {.bits = 128};
    size_t slash = span_find(s, '/');
    struct span address = span_head(s, slash);

    if (!address_parse(address, &n.address))
        return false;
    if (slash != SPAN_NONE) {
        bool dotted = span_find(address, ':') == SPAN_NONE;
        struct span digits = span_skip(s, slash + 1);
        uint64_t bits;
        if (digits.n > 3 || !span_to_u64(digits, dotted ? 32 : 128, &bits))
            return false;
        n.bits = (uint8_t)(dotted ? bits + V4_BITS : bits);
        mask(&n);
    }
    *ret = n;
    return true;
}

bool conf_network_print(const struct conf_network *n, struct buf *out)
{
    char text[INET6_ADDRSTRLEN];
    bool v4 = n->bits >= V4_BITS && is_v4(&n->address);
    unsigned bits = v4 ? n->bits - (unsigned)V4_BITS : n->bits, whole = v4 ? 32 : 128;

    if (v4)
        inet_ntop(AF_INET, n->address.s6_addr + sizeof v4_prefix, text, sizeof text);
    else
        inet_ntop(AF_INET6, &n->address, text, sizeof text);
    buf_put_cstr(out, text);
    if (bits != whole)
        buf_printf(out, "/%u", bits);
    return !out->overflow;
}

static bool network_has(const struct conf_network *n, const struct in6_addr *a)
{
    size_t bytes = n->bits / 8;
    unsigned rest = n->bits % 8;

    if (memcmp(n->address.s6_addr, a->s6_addr, bytes) != 0)
        return false;
    return rest == 0 || ((n->address.s6_addr[bytes] ^ a->s6_addr[bytes]) >> (8 - rest)) == 0;
}

bool conf_networks_match(const struct conf_networks *n, const struct in6_addr *a)
{
    for (uint32_t i = 0; i < n->n; i++)
        if (network_has(&n->v[i], a))
            return true;
    return false;
}

bool conf_domain_is_local(const struct conf *c, struct span domain)
{
    for (uint32_t i = 0; i < c->local_domains.n; i++)
        if (span_is(domain, c->local_domains.v[i]))
            return true;
    return false;
}

const struct conf_authority *conf_authority_by_name(const struct conf *c, const char *name)
{
    for (uint32_t i = 0; i < c->authority_count; i++)
        if (strcmp(c->authorities[i].name, name) == 0)
            return &c->authorities[i];
    return NULL;
}

const struct conf_vserver *conf_vserver_by_name(const struct conf *c, const char *name)
{
    for (uint32_t i = 0; i < c->vserver_count; i++)
        if (strcmp(c->vservers[i].name, name) == 0)
            return &c->vservers[i];
    return NULL;
}

void conf_free(struct conf *c)
{
    if (c)
        arena_free(c->arena); /* c itself lies in it */
}
