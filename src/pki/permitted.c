/* Name constraints as sets, and their comparison. */
#include "base/check.h"
#include "pki/names.h"

#include <arpa/inet.h>
#include <errno.h>

void permitted_done(struct permitted *p)
{
    if (!p)
        return;
    cert_names_done(&p->dns);
    cert_names_done(&p->email);
    p->network_count = 0;
}

int permitted_add_dns(struct permitted *p, struct span domain)
{
    if (domain.n && domain.p[0] == '.')
        domain = span_skip(domain, 1);
    if (domain.n && domain.p[0] == '*')
        return -EINVAL;
    return cert_names_add(&p->dns, CERT_NAME_DNS, domain);
}

int permitted_add_email(struct permitted *p, struct span domain)
{
    if (domain.n && domain.p[0] == '*')
        return -EINVAL;
    return cert_names_add(&p->email, CERT_NAME_DNS, domain);
}

static bool host_bits_zero(const struct permitted_network *n)
{
    for (unsigned bit = n->bits; bit < n->bytes * 8u; bit++)
        if (n->address[bit / 8] & (0x80u >> bit % 8))
            return false;
    return true;
}

/* Does the network `outer` hold all addresses of `inner`? */
static bool network_covers(const struct permitted_network *outer,
                           const struct permitted_network *inner)
{
    if (outer->bytes != inner->bytes || outer->bits > inner->bits)
        return false;
    for (unsigned bit = 0; bit < outer->bits; bit++)
        if ((outer->address[bit / 8] ^ inner->address[bit / 8]) & (0x80u >> bit % 8))
            return false;
    return true;
}

static bool any_network_covers(const struct permitted *p, const struct permitted_network *inner)
{
    for (uint32_t i = 0; i < p->network_count; i++)
        if (network_covers(&p->networks[i], inner))
            return true;
    return false;
}

int permitted_add_network(struct permitted *p, struct span text)
{
    struct permitted_network n = {.bytes = 0};
    struct span address = text;
    char out[CERT_NAME_TEXT_MAX];
    size_t slash = span_find(text, '/');
    uint64_t bits = SPAN_NONE;

    if (slash != SPAN_NONE) {
        address = span_head(text, slash);
        if (!span_to_u64(span_skip(text, slash + 1), 128, &bits))
            return -EINVAL;
    }
    if (!span_to_cstr(address, out, sizeof(out)))
        return -EINVAL;
    n.bytes = (uint8_t)cert_name_ip_bytes(out, n.address);
    if (slash == SPAN_NONE)
        bits = n.bytes * 8u;
    if (n.bytes == 0 || bits > n.bytes * 8u)
        return -EINVAL;
    n.bits = (uint8_t)bits;
    if (!host_bits_zero(&n))
        return -EINVAL;
    for (uint32_t i = 0; i < p->network_count; i++)
        if (network_covers(&p->networks[i], &n) && network_covers(&n, &p->networks[i]))
            return 0;
    if (p->network_count == PERMITTED_MAX)
        return -E2BIG;
    p->networks[p->network_count++] = n;
    return 0;
}

static bool below(const char *name, const char *domain)
{
    size_t n = strlen(name), d = strlen(domain);

    if (n < d || strcmp(name + n - d, domain) != 0)
        return false;
    return n == d || name[n - d - 1] == '.';
}

static bool dns_permitted(const struct permitted *p, const char *name)
{
    for (uint32_t i = 0; i < p->dns.n; i++)
        if (below(name, p->dns.v[i].text))
            return true;
    return false;
}

bool permitted_name(const struct permitted *p, const struct cert_name *n)
{
    struct permitted_network address = {.bytes = 0};
    const char *at;

    switch ((enum cert_name_type)n->type) {
    case CERT_NAME_DNS:
        return dns_permitted(p, strncmp(n->text, "*.", 2) == 0 ? n->text + 2 : n->text);
    case CERT_NAME_IP:
        address.bytes = (uint8_t)cert_name_ip_bytes(n->text, address.address);
        address.bits = (uint8_t)(address.bytes * 8);
        return address.bytes && any_network_covers(p, &address);
    case CERT_NAME_EMAIL:
        at = strrchr(n->text, '@');
        return at && cert_names_has(&p->email, CERT_NAME_DNS, span_cstr(at + 1));
    case CERT_NAME_TYPES:
        break;
    }
    return false;
}

bool permitted_covers(const struct permitted *outer, const struct permitted *inner)
{
    for (uint32_t i = 0; i < inner->dns.n; i++)
        if (!dns_permitted(outer, inner->dns.v[i].text))
            return false;
    for (uint32_t i = 0; i < inner->email.n; i++)
        if (!cert_names_has(&outer->email, CERT_NAME_DNS, span_cstr(inner->email.v[i].text)))
            return false;
    for (uint32_t i = 0; i < inner->network_count; i++)
        if (!any_network_covers(outer, &inner->networks[i]))
            return false;
    return true;
}

bool permitted_complete(const struct permitted *p)
{
    bool v4 = false, v6 = false;

    for (uint32_t i = 0; i < p->network_count; i++) {
        v4 |= p->networks[i].bytes == 4;
        v6 |= p->networks[i].bytes == 16;
    }
    return p->dns.n && p->email.n && v4 && v6;
}

void permitted_print(const struct permitted *p, struct buf *out)
{
    char text[64];

    cert_names_print(&p->dns, out);
    for (uint32_t i = 0; i < p->email.n; i++)
        buf_printf(out, ", @%s", p->email.v[i].text);
    for (uint32_t i = 0; i < p->network_count; i++) {
        const struct permitted_network *n = &p->networks[i];
        if (!inet_ntop(n->bytes == 4 ? AF_INET : AF_INET6, n->address, text, sizeof(text)))
            text[0] = '\0';
        buf_printf(out, ", %s/%u", text, n->bits);
    }
}
