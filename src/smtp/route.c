#include "smtp/route.h"

#include "base/parse.h"

#include <arpa/inet.h>
#include <stdio.h>

/* How well an address space fits: 0 not at all; more is better. */
static size_t fit(const char *space, struct span domain)
{
    struct span s = span_cstr(space);

    if (span_eq(s, SPAN("*")))
        return 1;
    if (s.n && s.p[0] == '.')
        return domain.n > s.n && span_ends_nocase(domain, s) ? 1 + s.n : 0;
    return span_eq_nocase(s, domain) ? 1000 : 0;
}

const struct conf_connector *route_find(const struct conf *c, struct span domain)
{
    const struct conf_connector *best = NULL;
    size_t best_fit = 0;

    for (uint32_t i = 0; i < c->connector_count; i++) {
        const struct conf_connector *k = &c->connectors[i];
        size_t f = fit(k->address_space, domain);
        if (f > best_fit || (f && f == best_fit && k->cost < best->cost)) {
            best = k;
            best_fit = f;
        }
    }
    return best;
}

bool route_literal(const char *text, struct sockaddr_storage *ret)
{
    struct span c = span_cstr(text), inner;
    char address[64];
    struct sockaddr_storage a = {0};

    if (!parse_char(&c, '[') || !parse_until(&c, ']', 60, &inner))
        return false;
    parse_lit_nocase(&inner, "IPv6:");
    if (!span_to_cstr(inner, address, sizeof(address)))
        return false;
    if (inet_pton(AF_INET, address, &((struct sockaddr_in *)(void *)&a)->sin_addr) == 1)
        a.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, address, &((struct sockaddr_in6 *)(void *)&a)->sin6_addr) == 1)
        a.ss_family = AF_INET6;
    else
        return false;
    *ret = a;
    return true;
}

static bool is_address(const char *text)
{
    struct in6_addr a;

    return inet_pton(AF_INET, text, &a) == 1 || inet_pton(AF_INET6, text, &a) == 1;
}

bool route_host_parse(const char *text, uint16_t default_port, struct route_host *ret)
{
    struct span s = span_cstr(text), name = s, port = SPAN_EMPTY;
    struct route_host h = {.port = default_port};
    uint64_t number;

    size_t bracket = span_rfind(s, ']'), colon = span_rfind(s, ':');
    if (colon != SPAN_NONE && !is_address(text) && (bracket == SPAN_NONE || colon > bracket)) {
        name = span_head(s, colon);
        port = span_skip(s, colon + 1);
        if (!span_to_u64(port, 65535, &number) || !number)
            return false;
        h.port = (uint16_t)number;
    }
    if (!name.n || !span_to_cstr(name, h.name, sizeof(h.name)))
        return false;
    if (is_address(h.name)) /* no host has such a name */
        snprintf(h.name, sizeof(h.name), "[%.*s]", SPAN_ARG(name));
    *ret = h;
    return true;
}
