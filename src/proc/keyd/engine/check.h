/*
 * check.h: does a text have the form of the purpose that it is to be signed for? This is what a
 * taken-over process meets: it may ask for signatures of its own purpose's form and nothing else.
 * No text passes for two purposes that one key may have.
 */
#ifndef KEYD_CHECK_H
#define KEYD_CHECK_H

#include "proc/keyd/engine/keystore.h"

/* NULL: it may be signed. Else why not (a literal, for the log). *ret_learned: the name that this
 * CA key signs for was not known; it is the text's, in k->profile already when this returns; the
 * caller writes the key or takes it back with check_forget. */
const char *check_text(struct keyd_key *k, const struct key_sign_request *r, bool *ret_learned);
void check_forget(struct keyd_key *k);

/* The parts, one a purpose. */
const char *check_tls(const struct keyd_key *k, const struct key_sign_request *r);
const char *check_jws(const struct keyd_key *k, const struct key_sign_request *r);
const char *check_dkim(const struct keyd_key *k, const struct key_sign_request *r);
const char *check_evidence(const struct keyd_key *k, const struct key_sign_request *r);
const char *check_csr(const struct keyd_key *k, const struct key_sign_request *r, struct buf *name);
const char *check_certificate(const struct keyd_key *k, const struct key_sign_request *r,
                              struct buf *name);
const char *check_challenge_certificate(const struct keyd_key *k, const struct key_sign_request *r);
const char *check_crl(const struct keyd_key *k, const struct key_sign_request *r, struct buf *name);
const char *check_ocsp(const struct keyd_key *k, const struct key_sign_request *r,
                       struct buf *name);

#endif
