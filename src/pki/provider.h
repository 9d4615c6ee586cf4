/* provider.h: the OpenSSL provider whose keys are references to keys of keyd (see key.h). */
#ifndef PKI_PROVIDER_H
#define PKI_PROVIDER_H

#include "pki/keyd_msg.h"

/* Loads it, once. `sign` makes the signature: 0 and *ret_bytes <= KEY_SIGNATURE_MAX, or a negative
 * errno; it may suspend. */
typedef int (*provider_sign_fn)(const struct key_sign_request *r,
                                unsigned char ret[KEY_SIGNATURE_MAX], size_t *ret_bytes);
void provider_load(provider_sign_fn sign);
/* NULL: spki is no public key of a kind that keyd has. */
EVP_PKEY *provider_key(const unsigned char id[KEY_ID_BYTES], unsigned purpose, struct span spki);

#endif
