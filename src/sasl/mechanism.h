/*
 * mechanism.h: the server side of SASL mechanisms (RFC 4422) as pure state machines: no I/O, no
 * clock, no look-up. authd drives them:
 *
 *     sasl_begin(&x, m, initial, &challenge) or, with the state of the step before,
 * sasl_respond(&x, response, &challenge)
 *
 * and does what the outcome says. Between two steps the exchange is bytes (wr_/rd_sasl_exchange),
 * which travel sealed with the answer and come back with the response, so authd keeps nothing and
 * may be restarted meanwhile.
 */
#ifndef SASL_MECHANISM_H
#define SASL_MECHANISM_H

#include "base/codec.h"
#include "directory/credential.h"
#include "directory/name.h"

enum {
    SASL_RESPONSE_MAX = 8192,
    SASL_CHALLENGE_MAX = 2048,
    SASL_FIRST_MAX = 1024, /* SCRAM: client-first-message-bare */
    SASL_GS2_MAX = 512,
    SASL_NONCE_MAX = 256, /* of the client, and of the server */
};

enum sasl_outcome {
    SASL_CONTINUE,   /* challenge goes out; keep the exchange */
    SASL_PASSWORD,   /* is x->password the one of x->user? That decides */
    SASL_CREDENTIAL, /* look up the keys of x->user (or make some up) and call sasl_credential */
    SASL_PROOF,      /* the same, and it decides: a try in the sense of the throttle */
    SASL_EXTERNAL,   /* does the certificate that the client has shown stand for x->authzid (empty:
                        for whom)? */
    SASL_PROVEN,     /* the client has the password of x->user; challenge is the last word */
    SASL_FAILED,     /* it has not, or refuses what it must not refuse */
    SASL_INVALID,    /* not the grammar of the mechanism */
};

struct sasl_exchange;
struct sasl_mechanism {
    const char *name;
    uint8_t id;
    bool binds, certificate;
    const char *first_challenge;
    enum sasl_outcome (*respond)(struct sasl_exchange *x, struct span response,
                                 struct buf *challenge);
    enum sasl_outcome (*credential)(struct sasl_exchange *x, const struct scram_credential *c,
                                    struct buf *challenge);
};
/* NULL: none of that name, or not to be used with what this connection has; whether it has shown a
 * certificate is the caller's to compare. */
const struct sasl_mechanism *sasl_mechanism_find(struct span name, bool tls, bool binding);

struct sasl_exchange {
    const struct sasl_mechanism *mechanism;
    uint8_t step;
    char user[NAME_ADDRESS_MAX + 1];    /* who, prepared; not folded */
    char authzid[NAME_ADDRESS_MAX + 1]; /* as whom; empty: the same */
    struct buf password;                /* prepared; PLAIN and LOGIN */
    /* set by the caller before every step */
    struct span binding_exporter, binding_endpoint;
    /* SCRAM */
    char first_bare[SASL_FIRST_MAX + 1];
    char gs2[SASL_GS2_MAX + 1];
    char nonce[2 * SASL_NONCE_MAX + 1];    /* both parts */
    char server_nonce[SASL_NONCE_MAX + 1]; /* ours; made when needed unless already set */
    struct buf without_proof;
    unsigned char proof[32];
};
void sasl_exchange_init(struct sasl_exchange *x, const struct sasl_mechanism *m);
void sasl_exchange_done(struct sasl_exchange *x); /* wipes */

/* initial.p NULL: the client sent none. */
enum sasl_outcome sasl_begin(struct sasl_exchange *x, struct span initial, struct buf *challenge);
enum sasl_outcome sasl_respond(struct sasl_exchange *x, struct span response,
                               struct buf *challenge);
/* After SASL_CREDENTIAL and SASL_PROOF. */
enum sasl_outcome sasl_credential(struct sasl_exchange *x, const struct scram_credential *c,
                                  struct buf *challenge);

void wr_sasl_exchange(struct buf *b, const struct sasl_exchange *x);
bool rd_sasl_exchange(
    struct rd *r,
    struct sasl_exchange *ret); /* sasl_exchange_done it in any case; rd_done is the caller's */

/* Mechanisms' own (mech_*.c). */
enum sasl_outcome plain_respond(struct sasl_exchange *x, struct span response,
                                struct buf *challenge);
enum sasl_outcome external_respond(struct sasl_exchange *x, struct span response,
                                   struct buf *challenge);
enum sasl_outcome login_respond(struct sasl_exchange *x, struct span response,
                                struct buf *challenge);
enum sasl_outcome scram_respond(struct sasl_exchange *x, struct span response,
                                struct buf *challenge);
enum sasl_outcome scram_prove(struct sasl_exchange *x, const struct scram_credential *c,
                              struct buf *challenge);
bool sasl_put_user(char dst[NAME_ADDRESS_MAX + 1], struct span user); /* prepared */

#endif
