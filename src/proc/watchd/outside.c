/*
 * outside.c: the way clients come: the names of a virtual server lead to addresses, which need not be those that it listens on (a router, a balancer, an old
 * record). Each round asks DNS anew; every endpoint is then looked at there, too.
 */
#include "base/check.h"
#include "base/log.h"
#include "dns/resolver.h"
#include "proc/watchd/watchd.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAMES_PER_ROUND = 64, DNS_PATIENCE_MS = 3000 };

void outside_open(struct watchd *w)
{
    const struct conf *c = w->child->conf;
    struct err e;

    w->resolver = resolver_new(w->child->loop, c->dns_servers.v, c->dns_servers.n, "", &e);
    if (w->resolver == NULL)
        log_warn("endpoints are looked at from within only: %s", e.text);
    else
        resolver_patience(w->resolver, DNS_PATIENCE_MS);
}

static void print_address(const struct sockaddr_storage *a, char ret[64])
{
    const void *p = a->ss_family == AF_INET6
                        ? (const void *)&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr
                        : (const void *)&((const struct sockaddr_in *)(const void *)a)->sin_addr;

    ret[0] = '\0';
    inet_ntop(a->ss_family, p, ret, 64);
}

static void set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)a)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)a)->sin_port = htons(port);
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    char x[64], y[64];

    print_address(a, x);
    print_address(b, y);
    return a->ss_family == b->ss_family && strcmp(x, y) == 0;
}

/* An entry for that endpoint at that address; those that are there keep what was seen. */
static void want(struct watch_list *l, const struct watched *own, const char *name,
                 const struct sockaddr_storage *address)
{
    struct watched *w;
    char text[64];

    print_address(address, text);
    for (unsigned i = 0; i < l->outside_n; i++) {
        w = l->outside[i];
        if (w->target.endpoint == own->target.endpoint && strcmp(w->name, name) == 0 &&
            same_address(&w->target.to, address)) {
            w->is_wanted = true;
            return;
        }
    }
    if (l->outside_n == WATCH_OUTSIDE_MAX)
        return;
    w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    w->target = own->target;
    w->target.to = *address;
    set_port(&w->target.to, own->target.endpoint->port);
    w->is_outside = w->is_wanted = w->is_expected = true;
    snprintf(w->name, sizeof w->name, "%s", name);
    snprintf(w->address, sizeof w->address, "%s", text);
    l->outside[l->outside_n++] = w;
}

/* All endpoints of the virtual server that do not listen at just that address anyway. */
static void want_all(struct watch_list *l, const struct conf_vserver *v, const char *name,
                     const struct sockaddr_storage *address)
{
    for (unsigned i = 0; i < l->n; i++)
        if (l->v[i].target.vserver == v && !same_address(&l->v[i].target.to, address))
            want(l, &l->v[i], name, address);
}

static const char *words_of(enum dns_result r)
{
    switch (r) {
    case DNS_NO_NAME:
        return "there is no such name in DNS: no client finds it";
    case DNS_NO_DATA:
        return "it has no address in DNS: no client finds it";
    case DNS_BOGUS:
        return "DNSSEC says that its address is forged";
    default:
        return "DNS does not answer";
    }
}

static struct watch_name *name_of(struct watch_list *l, const char *vserver, const char *name)
{
    struct watch_name *n = l->dns;

    while (n < l->dns + l->dns_n &&
           (strcmp(n->vserver, vserver) != 0 || strcmp(n->name, name) != 0))
        n++;
    if (n == l->dns + WATCH_NAMES_MAX)
        return NULL;
    if (n == l->dns + l->dns_n) {
        l->dns_n++;
        n->vserver = vserver;
        n->name = name;
    }
    return n;
}

static void note(struct watch_name *n, const char *state)
{
    if (n == NULL || strcmp(n->state, state) == 0)
        return;
    /* silence of the resolver is no news about the name */
    if (strncmp(state, "leads to", 8) == 0)
        log_info("%s: the name %s %s", n->vserver, n->name, state);
    else
        log_warn("%s: the name %s: %s", n->vserver, n->name, state);
    snprintf(n->state, sizeof n->state, "%s", state);
}

/* suspends */
static void ask(struct watchd *w, struct watch_list *l, const struct conf_vserver *v,
                const char *name)
{
    struct dns_addresses a;
    struct watch_name *n = name_of(l, v->name, name);
    struct buf text BUF_AUTO = BUF(400);
    enum dns_result r = dns_addresses(w->resolver, name, &a);

    if (r != DNS_FOUND) {
        note(n, words_of(r));
        /* what DNS said before stands until it says something else */
        for (unsigned i = 0; r == DNS_TEMPORARY && i < l->outside_n; i++)
            if (l->outside[i]->target.vserver == v && strcmp(l->outside[i]->name, name) == 0)
                l->outside[i]->is_wanted = true;
        return;
    }
    buf_put_cstr(&text, "leads to");
    for (size_t i = 0; i < a.count && i < WATCH_ADDRESSES; i++) {
        char one[64];
        print_address(&a.a[i], one);
        buf_printf(&text, " %s", one);
        want_all(l, v, name, &a.a[i]);
    }
    note(n, buf_cstr(&text));
}

/* A name that is asked of DNS: not an address, not this machine's own, no wildcard. */
static bool is_public(const char *name)
{
    struct in6_addr ignored;

    return strchr(name, '.') != NULL && strchr(name, '*') == NULL &&
           inet_pton(AF_INET, name, &ignored) != 1 && inet_pton(AF_INET6, name, &ignored) != 1;
}

static void drop_unwanted(struct watch_list *l)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < l->outside_n; i++) {
        if (l->outside[i]->is_wanted)
            l->outside[kept++] = l->outside[i];
        else
            free(l->outside[i]);
    }
    l->outside_n = kept;
}

void outside_learn(struct watchd *w, struct watch_list *l)
{
    unsigned asked = 0;

    if (w->resolver == NULL)
        return;
    for (unsigned i = 0; i < l->outside_n; i++)
        l->outside[i]->is_wanted = false;
    for (uint32_t i = 0; i < l->conf->vserver_count; i++) {
        const struct conf_vserver *v = &l->conf->vservers[i];
        bool own = v->names.n > 0;
        for (uint32_t k = 0; k < (own ? v->names.n : 1) && v->enabled && !w->stopping; k++) {
            const char *name = own ? v->names.v[k] : l->conf->hostname;
            if (is_public(name) && asked++ < NAMES_PER_ROUND)
                ask(w, l, v, name);
        }
    }
    if (!w->stopping)
        drop_unwanted(l);
}
