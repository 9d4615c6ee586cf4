/* slots.c: how many connections are open, all in all and to one domain. Those who wait for a domain
 * where nobody can be reached do not try one after the other, each until its time is out. */
#include "proc/relayd/relayd.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/map.h"

#include <stdlib.h>

enum { LOOK_MS = 60000 };

struct domain {
    unsigned open, waiting;
    uint64_t failed_ms; /* when nobody could be reached; 0: not seen */
    struct smtp_recipient_result why;
};

static struct domain *domain_of(struct relay *r, const char *name)
{
    struct domain *d = map_get(r->domains, span_cstr(name));
    if (!d) {
        d = calloc(1, sizeof(*d));
        CHECK(d);
        map_set(r->domains, span_cstr(name), d);
    }
    return d;
}

static void domain_unused(struct relay *r, const char *name, struct domain *d)
{
    if (d->open || d->waiting)
        return;
    map_remove(r->domains, span_cstr(name));
    free(d);
}

bool relay_slot_enter(struct relay *r, const char *domain, struct smtp_recipient_result *ret_why)
{
    struct domain *d = domain_of(r, domain);
    uint64_t begin = clock_mono_ms();
    bool waited = false;

    d->waiting++;
    for (;;) {
        const struct conf *c = r->conf;
        if (waited && d->failed_ms >= begin)
            break;
        if (d->open < c->outbound_per_domain && r->connections_open < c->outbound_connections)
            break;
        waited = true;
        fiber_cond_wait(&r->slot_free, LOOK_MS);
    }
    d->waiting--;
    if (waited && d->failed_ms >= begin) {
        *ret_why = d->why;
        domain_unused(r, domain, d);
        return false;
    }
    d->open++;
    r->connections_open++;
    return true;
}

void relay_slot_leave(struct relay *r, const char *domain,
                      const struct smtp_recipient_result *unreachable)
{
    struct domain *d = domain_of(r, domain);

    CHECK(d->open && r->connections_open);
    d->open--;
    r->connections_open--;
    d->failed_ms = unreachable ? clock_mono_ms() : 0;
    if (unreachable)
        d->why = *unreachable;
    domain_unused(r, domain, d);
    fiber_cond_broadcast(&r->slot_free);
}
