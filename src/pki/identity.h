/*
 * identity.h: what a virtual server shows, over its whole life: a current and a next slot, a
 * request that waits for another CA's answer (apart from them: it may wait for weeks, and neither
 * renewal nor service waits with it), those that were retired, and the history. The state of a slot
 * changes through one function, which traces it. An identity is one file that appears whole or not
 * at all.
 *
 * File, version 3 (base/codec): "sealpost identity 3\n", cstr virtual server, bool off, bool
 * unproved, current, next, pending, u8 count of retired, each slot; u16 count of events, each {i64
 * time, u8 slot, u8 from, u8 to, cstr serial, cstr note}; then the SHA-256 of all that. A slot: u8
 * state, i64 since, cstr key id, cstr key type, cstr serial, i64 not before, i64 not after, span
 * chain, u8 source, cstr name, cstr origin, span roots, span request. Still read: version 2, which
 * has no unproved, and version 1, which has neither off nor pending, and ends a slot behind its
 * chain.
 */
#ifndef PKI_IDENTITY_H
#define PKI_IDENTITY_H

#include "pki/certificate.h"

enum identity_state {
#define STATE(id, name, next, doc) IDENTITY_##id,
#include "pki/identity_states.def"
#undef STATE
    IDENTITY_STATE_COUNT
};
const char *identity_state_name(enum identity_state s);
bool identity_may_follow(enum identity_state from, enum identity_state to);

/* Where a certificate comes from; what is not of our own CA is never replaced by itself. */
enum identity_source {
    IDENTITY_OWN_CA,
    IDENTITY_EXTERNAL, /* another CA's answer to a request */
    IDENTITY_IMPORT,   /* came with its key */
    IDENTITY_ASSIGNED, /* another virtual server's, key and all: follows it */
    IDENTITY_SOURCE_COUNT
};
const char *identity_source_name(enum identity_source s);

enum {
    IDENTITY_NAME_MAX = 63,
    IDENTITY_KEY_ID_MAX = 64,
    IDENTITY_RETIRED_MAX = 4,
    IDENTITY_EVENTS_MAX = 100, /* the oldest are forgotten */
    IDENTITY_NOTE_MAX = 200,
    IDENTITY_LABEL_MAX = 128,
    IDENTITY_REQUEST_MAX = 16 * 1024,
    IDENTITY_FILE_MAX = 1536 * 1024,
};

struct identity_slot {
    enum identity_state state;
    int64_t since; /* of the state */
    char key_id[IDENTITY_KEY_ID_MAX + 1], key_type[16];
    char serial[CERTIFICATE_SERIAL_MAX];
    int64_t not_before, not_after;
    unsigned char *chain; /* as it travels: each certificate as wr_span, leaf first */
    size_t chain_bytes;
    enum identity_source source;
    char name[IDENTITY_LABEL_MAX + 1];  /* for people; may be "" */
    char origin[IDENTITY_NAME_MAX + 1]; /* assigned: whose it is; external: the authority */
    unsigned char *roots;               /* trusted for this one; NULL: those of our own CA */
    unsigned char *request;             /* that was sent to its CA: PKCS#10, DER; NULL: none */
    size_t roots_bytes, request_bytes;
};

struct identity_event {
    int64_t time;
    uint8_t slot; /* 0 current, 1 next, 2 retired, 3 pending */
    uint8_t from, to;
    char serial[CERTIFICATE_SERIAL_MAX];
    char note[IDENTITY_NOTE_MAX + 1];
};

struct identity {
    char vserver[IDENTITY_NAME_MAX + 1];
    bool off;      /* its certificate was removed: none is made until one is asked for */
    bool unproved; /* what is live took another's place, and was not looked at since */
    struct identity_slot current, next, pending;
    struct identity_slot retired[IDENTITY_RETIRED_MAX]; /* oldest first */
    unsigned retired_count;
    struct identity_event *events; /* oldest first */
    unsigned event_count;
};

void identity_init(struct identity *id, const char *vserver);
void identity_done(struct identity *id);

/* The only way a state changes. A step that the table does not have is a bug. `note` says why, for
 * the history; may be "". */
void identity_set(struct identity *id, struct identity_slot *s, enum identity_state to,
                  const char *note);
/* Something about a slot whose state stays: for the history. */
void identity_note(struct identity *id, const struct identity_slot *s, const char *note);
/* Takes a chain in (REQUESTED or PENDING → ISSUED): bytes as they travel, already parsed by the
 * caller. */
void identity_issued(struct identity *id, struct identity_slot *s, struct span chain,
                     const struct certificate *leaf, const char *note);
/* STAGED → LIVE: next becomes current, what was current is retired. There must be room among the
 * retired. */
void identity_swap(struct identity *id, const char *note);
/* PENDING, with the request that goes to the CA. */
void identity_await(struct identity *id, struct identity_slot *s, struct span request,
                    const char *note);
/* What was pending becomes the next slot, which must be empty. */
void identity_take_pending(struct identity *id);
/* A retired one becomes the next slot, which must be empty, STAGED. */
void identity_restore(struct identity *id, unsigned i, const char *note);
/* What is served is retired, nothing takes its place. There must be room among the retired. */
void identity_retire(struct identity *id, const char *note);
void identity_forget_retired(struct identity *id, unsigned i, const char *note);
/* The slot holds nothing again. */
void identity_drop(struct identity *id, struct identity_slot *s, const char *note);

static inline struct span identity_chain(const struct identity_slot *s)
{
    return span_of(s->chain, s->chain_bytes);
}
static inline struct span identity_roots(const struct identity_slot *s)
{
    return span_of(s->roots, s->roots_bytes);
}
static inline struct span identity_request(const struct identity_slot *s)
{
    return span_of(s->request, s->request_bytes);
}
static inline bool identity_is_served(const struct identity_slot *s)
{
    return s->state == IDENTITY_LIVE || s->state == IDENTITY_RENEWING;
}

/* How many of its slots name that key. */
unsigned identity_uses(const struct identity *id, const char *key);

bool identity_write(const struct identity *id, struct buf *out);
/* -EBADMSG with the reason: cut, damaged, another version, or a state without what belongs to it.
 */
int identity_read(struct span bytes, struct identity *ret, struct err *e);
void identity_json(const struct identity *id, int64_t now, struct buf *out);

#endif
