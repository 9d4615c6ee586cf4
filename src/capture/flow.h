/* flow.h: one connection of a watched endpoint and how far it is understood (observe.c, flow.c). */
#ifndef CAPTURE_FLOW_H
#define CAPTURE_FLOW_H

#include "base/list.h"
#include "capture/observe.h"

enum { FLOW_MARKS = 32 };

enum flow_phase {
    FLOW_CLEAR,  /* lines */
    FLOW_TLS,    /* records */
    FLOW_LOST,   /* bytes that are no records where records must be */
    FLOW_UNSYNC, /* begun before the capture, or a gap: nothing is known until a record begins */
};

/* The last places where packets began: a secret may lie across several. */
struct mark {
    uint64_t at;
    struct origin origin;
};

struct flow_side {
    struct stream stream;
    enum flow_phase phase;
    struct tls_side tls;
    struct secret_scan scan;
    struct buf line;
    bool line_cut; /* the rest of a line that is too long is dropped */
    struct origin line_origin;
    uint64_t line_at;
    struct mark marks[FLOW_MARKS];
    uint64_t mark_n;
    bool told_lost;
};

struct flow {
    struct list in_order; /* of use */
    struct observe *observe;
    unsigned endpoint;
    struct packet_end client, server;
    struct flow_side side[2]; /* [1]: what the server sends */
    struct grammar grammar;
    struct tls_facts facts;
    bool told_tls, told_behind, reset;
};

struct flow *flow_new(struct observe *o, unsigned endpoint, const struct packet_end *client,
                      const struct packet_end *server);
void flow_free(struct flow *f);
void flow_packet(struct flow *f, bool from_server, const struct packet *p, const struct origin *o);
void flow_finish(struct flow *f); /* tells what waits, adds the counts of its streams */

/* Of observe.c, for flow.c. */
const struct observe_endpoint *observe_endpoint(const struct observe *o, unsigned i);
struct observe_counts *observe_counts_of(struct observe *o, unsigned i);
const struct secrets *observe_secrets(const struct observe *o);
void observe_tell(struct observe *o, const struct observe_event *e);

#endif
