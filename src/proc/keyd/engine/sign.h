/* sign.h: making signatures. Never anything that undoes an encryption: texts are hashed here,
 * whole. */
#ifndef KEYD_SIGN_H
#define KEYD_SIGN_H

#include "proc/keyd/engine/keystore.h"

/* Does the key make such signatures at all? */
bool sign_suits(const struct keyd_key *k, const struct key_sign_request *r);
/* 0 and the signature, or -EIO. On the loop's thread; keeps a context with the key. */
int sign_inline(struct keyd_key *k, const struct key_sign_request *r,
                unsigned char ret[KEY_SIGNATURE_MAX], size_t *ret_bytes);
/* The same on any thread, while a reference to k is held. */
int sign_anywhere(const struct keyd_key *k, const struct key_sign_request *r,
                  unsigned char ret[KEY_SIGNATURE_MAX], size_t *ret_bytes);

#endif
