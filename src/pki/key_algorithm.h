/* key_algorithm.h: signature algorithms of keyd as X.509 names them. */
#ifndef PKI_KEY_ALGORITHM_H
#define PKI_KEY_ALGORITHM_H

#include "pki/keyd_msg.h"

#include <openssl/x509.h>

/* The AlgorithmIdentifier that goes into what is signed; X509_ALGOR_free it. NULL: there is none
 * for that pair. */
X509_ALGOR *key_algorithm_identifier(enum key_algorithm a, enum key_digest d);
unsigned key_digest_bytes(enum key_digest d);   /* 0: none */
int key_digest_nid(enum key_digest d);          /* NID_undef: none */
const char *key_digest_name(enum key_digest d); /* "SHA2-256" …; "" none */
bool key_digest_by_name(const char *name, enum key_digest *ret);

#endif
