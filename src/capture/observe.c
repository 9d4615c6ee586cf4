#include "capture/observe.h"

#include "base/check.h"
#include "base/map.h"
#include "capture/flow.h"

#include <stdlib.h>

enum { KEY_BYTES = 36 };

struct observe {
    const struct observe_endpoint *endpoints;
    unsigned endpoint_count;
    const struct secrets *secrets;
    observe_fn fn;
    void *arg;
    struct observe_counts *counts;
    struct observe_totals totals;
    uint64_t kept;
    struct map *flows;
    struct list in_order; /* the one used last at the end */
};

struct observe *observe_new(const struct observe_endpoint *endpoints, unsigned count,
                            const struct secrets *secrets, observe_fn fn, void *arg)
{
    struct observe *o = calloc(1, sizeof *o);

    CHECK(o != NULL);
    *o = (struct observe){.endpoints = endpoints,
                          .endpoint_count = count,
                          .secrets = secrets,
                          .fn = fn,
                          .arg = arg,
                          .counts = calloc(count + 1u, sizeof *o->counts),
                          .flows = map_new()};
    CHECK(o->counts != NULL);
    list_init(&o->in_order);
    return o;
}

const struct observe_endpoint *observe_endpoint(const struct observe *o, unsigned i)
{
    return &o->endpoints[i];
}

struct observe_counts *observe_counts_of(struct observe *o, unsigned i)
{
    return &o->counts[i];
}

const struct observe_counts *observe_counts(const struct observe *o, unsigned i)
{
    return &o->counts[i];
}

const struct observe_totals *observe_totals(const struct observe *o)
{
    return &o->totals;
}

const struct secrets *observe_secrets(const struct observe *o)
{
    return o->secrets;
}

void observe_tell(struct observe *o, const struct observe_event *e)
{
    if (o->fn != NULL)
        o->fn(o->arg, e);
}

/* ---- flows ------------------------------------------------------------------------------- */

static struct span flow_key(const struct packet_end *client, const struct packet_end *server,
                            char key[KEY_BYTES])
{
    memcpy(key, &client->address, 16);
    memcpy(key + 16, &client->port, 2);
    memcpy(key + 18, &server->address, 16);
    memcpy(key + 34, &server->port, 2);
    return span_of(key, KEY_BYTES);
}

static void end_flow(struct observe *o, struct flow *f)
{
    char key[KEY_BYTES];

    flow_finish(f);
    map_remove(o->flows, flow_key(&f->client, &f->server, key));
    list_remove(&f->in_order);
    flow_free(f);
}

/* -1: none of ours. */
static int find_endpoint(const struct observe *o, const struct packet_end *e)
{
    for (unsigned i = 0; i < o->endpoint_count; i++) {
        const struct packet_end *own = &o->endpoints[i].end;
        if (own->port != e->port)
            continue;
        if (IN6_IS_ADDR_UNSPECIFIED(&own->address) ||
            memcmp(&own->address, &e->address, sizeof e->address) == 0)
            return (int)i;
    }
    return -1;
}

static bool begins_anew(const struct flow *f, const struct packet *p)
{
    return (p->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && f->side[0].stream.begun &&
           f->side[0].stream.at + f->side[1].stream.at > 0;
}

/* Nothing more can come: it is kept for late packets only. */
static bool is_over(const struct flow *f)
{
    return f->reset || (stream_ended(&f->side[0].stream) && stream_ended(&f->side[1].stream));
}

static struct flow *flow_of(struct observe *o, unsigned endpoint, const struct packet_end *client,
                            const struct packet_end *server, const struct packet *p)
{
    char key[KEY_BYTES];
    struct span k = flow_key(client, server, key);
    struct flow *f = map_get(o->flows, k);

    if (f != NULL && begins_anew(f, p)) {
        end_flow(o, f);
        f = NULL;
    }
    if (f == NULL) {
        /* an end without a beginning tells nothing */
        if (p->payload.n == 0 && p->missing == 0 && !(p->flags & TCP_SYN))
            return NULL;
        if (map_size(o->flows) >= OBSERVE_FLOWS_MAX) {
            struct flow *oldest = list_item(o->in_order.next, struct flow, in_order);
            o->totals.flows_forgotten += !is_over(oldest);
            end_flow(o, oldest);
        }
        f = flow_new(o, endpoint, client, server);
        map_set(o->flows, k, f);
        o->counts[endpoint].connections++;
    }
    list_remove(&f->in_order);
    list_append(&o->in_order, &f->in_order);
    return f;
}

/* ---- packets ----------------------------------------------------------------------------- */

bool observe_packet(struct observe *o, int link, struct span frame, uint32_t wire_bytes,
                    int64_t time_us)
{
    struct packet p;
    enum packet_kind kind = packet_parse(link, frame, &p);
    struct origin origin = {0, time_us, 0};
    struct flow *f;
    bool from_server;
    int endpoint;

    o->totals.packets++;
    o->totals.fragments += kind == PACKET_FRAGMENT;
    o->totals.broken += kind == PACKET_BROKEN;
    o->totals.other += kind == PACKET_OTHER;
    if (kind != PACKET_TCP)
        return false;
    o->totals.cut += p.missing > 0;
    endpoint = find_endpoint(o, &p.to);
    from_server = endpoint < 0;
    if (from_server)
        endpoint = find_endpoint(o, &p.from);
    if (endpoint < 0) {
        o->totals.other++;
        return false;
    }
    (void)wire_bytes;
    o->counts[endpoint].packets++;
    /* as a file of what was kept numbers them */
    origin.packet = ++o->kept;
    origin.at = p.payload_at;
    f = from_server ? flow_of(o, (unsigned)endpoint, &p.to, &p.from, &p)
                    : flow_of(o, (unsigned)endpoint, &p.from, &p.to, &p);
    if (f != NULL)
        flow_packet(f, from_server, &p, &origin);
    return true;
}

void observe_finish(struct observe *o)
{
    while (!list_empty(&o->in_order))
        end_flow(o, list_item(o->in_order.next, struct flow, in_order));
}

void observe_free(struct observe *o)
{
    if (o == NULL)
        return;
    while (!list_empty(&o->in_order)) {
        struct flow *f = list_item(o->in_order.next, struct flow, in_order);
        list_remove(&f->in_order);
        flow_free(f);
    }
    map_free(o->flows);
    free(o->counts);
    free(o);
}
