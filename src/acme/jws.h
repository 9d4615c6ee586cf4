/*
 * jws.h: what ACME needs of JOSE, for both its ends: public keys as JWK (RFC 7517, 8037), their thumbprints (RFC 7638),
 * and signed messages in the flattened JSON form (RFC 7515 section 7.2.2) as RFC 8555 section 6.2 wants them.
 */
#ifndef ACME_JWS_H
#define ACME_JWS_H

#include "acme/json.h"

#include <openssl/evp.h>

enum { JWS_TEXT_MAX = 128 * 1024, JWS_HEADER_MAX = 8192, JWS_PAYLOAD_MAX = 64 * 1024 };

/* "ES256", "ES384", "ES512", "RS256", "EdDSA"; NULL: none of ours for that kind of key. */
const char *jws_algorithm(EVP_PKEY *key);

/* The public half as JWK, its members in the order of RFC 7638 and without blanks. False: a kind of
 * key that JOSE has no name for. */
bool jwk_put(struct buf *out, EVP_PKEY *key);
/* base64url of the SHA-256 of that. */
bool jwk_thumbprint(struct buf *out, EVP_PKEY *key);
/* A public key out of a JWK (EC on P-256, P-384, P-521; RSA of 2048 to 8192 bits; Ed25519). The
 * caller frees it. -EBADMSG with the reason. */
int jwk_read(const json_t *jwk, EVP_PKEY **ret, struct err *e);

/* The message {protected, payload, signature}; `header` is the protected header as JSON, with the
 * "alg" that jws_algorithm gives. An empty payload is a POST-as-GET. suspends where the key is one of
 * keyd's. */
int jws_sign(EVP_PKEY *key, struct span header, struct span payload, struct buf *out,
             struct err *e);
/* The same with HMAC-SHA-256 (external account binding: RFC 8555 section 7.3.4). */
int jws_sign_hmac(struct span secret, struct span header, struct span payload, struct buf *out,
                  struct err *e);

/* A message taken apart; nothing is verified yet. */
struct jws {
    struct buf input;     /* what was signed: header "." payload, as they came */
    struct buf header;    /* decoded */
    struct buf payload;   /* decoded; empty: POST-as-GET */
    struct buf signature; /* decoded */
    json_t *fields;       /* the protected header, an object */
    char alg[16], nonce[256], url[1024], kid[1024]; /* "" where there is none */
    const json_t *jwk;                              /* into fields; NULL: none */
};
/* -EMSGSIZE, -EBADMSG with the reason. After success jws_done. Unprotected headers are refused. */
int jws_read(struct span text, struct jws *ret, struct err *e);
/* The same out of a document that is read already: the external account binding in another message. */
int jws_read_object(const json_t *object, struct jws *ret, struct err *e);
void jws_done(struct jws *j);
/* Is it signed by that key, with the algorithm of that key and of its header? */
bool jws_verify(const struct jws *j, EVP_PKEY *key);
bool jws_verify_hmac(const struct jws *j, struct span secret);

#endif
