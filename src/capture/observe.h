/*
 * observe.h: packets in, what they mean out: connections of the watched endpoints put together, their clear part judged line by line, their TLS
 * part record by record, marked secrets looked for in every byte, each offence with the packet it stands in.
 *
 * Nothing here does I/O or keeps what belongs to other ports; everything has a limit. A connection that had begun before the capture did
 * is looked at from its first TLS record on; what came before is counted as `unsynced` and searched for secrets only.
 */
#ifndef CAPTURE_OBSERVE_H
#define CAPTURE_OBSERVE_H

#include "capture/grammar.h"
#include "capture/packet.h"
#include "capture/secret.h"
#include "capture/stream.h"
#include "capture/tls_record.h"

enum { OBSERVE_FLOWS_MAX = 8192, OBSERVE_NAME_MAX = 63 };

struct observe_endpoint {
    char vserver[OBSERVE_NAME_MAX + 1];
    enum conf_protocol protocol;
    enum conf_policy policy;
    bool require_secure;
    struct packet_end end; /* an unspecified address: any */
};

enum observe_kind {
    OBSERVE_LINE,    /* a line in clear */
    OBSERVE_TLS,     /* handshake: all that can be seen of it */
    OBSERVE_OFFENCE, /* text: more words, may be empty */
};

struct observe_event {
    enum observe_kind kind;
    const struct observe_endpoint *endpoint;
    struct packet_end client, server;
    bool from_server;
    struct origin origin;
    uint64_t at;      /* in the stream */
    struct span text; /* untrusted */
    enum offence offence;
    const struct tls_facts *tls;
};
typedef void (*observe_fn)(void *arg, const struct observe_event *e);

struct observe_counts {                   /* of one endpoint */
    uint64_t packets, connections, bytes; /* bytes: payload of both directions, each once */
    uint64_t tls_bytes, clear_bytes, unsynced_bytes;
    uint64_t lines;
    uint64_t gaps, gap_bytes, again, out_of_order, differing;
    uint64_t handshakes[TLS_VERSIONS]; /* by chosen version */
    struct tls_counts tls;
    uint64_t offences[OFFENCE_COUNT];
    uint64_t client_no_sni;
};

struct observe_totals {
    uint64_t packets, other, fragments, broken, cut; /* other: of no watched endpoint */
    uint64_t flows_forgotten;                        /* the table was full */
};

struct observe;
/* Endpoints and secrets are borrowed; secrets may be NULL. */
struct observe *observe_new(const struct observe_endpoint *endpoints, unsigned count,
                            const struct secrets *secrets, observe_fn fn, void *arg);
void observe_free(struct observe *o);
/* True: it belongs to a watched endpoint. */
bool observe_packet(struct observe *o, int link, struct span frame, uint32_t wire_bytes,
                    int64_t time_us);
void observe_finish(struct observe *o); /* nothing more comes */
const struct observe_counts *observe_counts(const struct observe *o, unsigned endpoint);
const struct observe_totals *observe_totals(const struct observe *o);

#endif
