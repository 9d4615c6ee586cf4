/*
 * challenge.h: tls-alpn-01 (RFC 8737): a CA that offers "acme-tls/1" and nothing else gets the certificate that proves
 * the name it asks for, at every TLS endpoint of this process, and then the connection ends. Nobody else sees it.
 */
#ifndef TLS_CHALLENGE_H
#define TLS_CHALLENGE_H

#include "base/err.h"
#include "base/span.h"

enum { TLS_CHALLENGES_MAX = 200 };
#define TLS_CHALLENGE_ALPN "acme-tls/1"

/* certificate: DER, its key at keyd (KEY_TLS_SERVER); empty: the challenge of that name is over. -EINVAL, -ENOSPC. */
int tls_challenge_set(const char *name, struct span certificate, const char *key_id, struct err *e);
unsigned tls_challenge_count(void);

#endif
