/*
 * seal.h: the state of an exchange between two steps, encrypted and authenticated
 * (XSalsa20-Poly1305), so that a worker can carry it and neither read nor change it. The key comes
 * from the secret that authd gets at every start of one run: a new authd opens what the one before
 * sealed.
 */
#ifndef SASL_SEAL_H
#define SASL_SEAL_H

#include "sasl/mechanism.h"

enum { SEAL_SECRET_BYTES = 32, SEAL_SECONDS = 300, SEAL_MAX = 4096 };

/* `session` is whose exchange it is; the state opens for it only. */
void sasl_seal(const struct sasl_exchange *x, uint64_t session,
               const unsigned char secret[SEAL_SECRET_BYTES], int64_t now_seconds, struct buf *out);
/* False: not ours, changed, another session's, or too old. sasl_exchange_done *ret in any case. */
bool sasl_open(struct span sealed, uint64_t session, const unsigned char secret[SEAL_SECRET_BYTES],
               int64_t now_seconds, struct sasl_exchange *ret);

#endif
