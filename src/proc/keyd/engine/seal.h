/*
 * seal.h: blobs that only this machine's secret opens. AES-256-GCM under a key of its own for each
 * blob: HMAC-SHA256(secret, salt), so the nonce never repeats under one key.
 *
 *   blob: "sealpost key 1\n", 32 bytes salt, 12 bytes nonce, ciphertext, 16 bytes tag; the name of
 * the blob is authenticated with it.
 */
#ifndef KEYD_SEAL_H
#define KEYD_SEAL_H

#include "base/buf.h"
#include "base/err.h"

enum { SEAL_SECRET_BYTES = 32 };

/* Reads DIR/secret, or makes it when `may_make` and there is none. */
int seal_secret_load(int dir, bool may_make, unsigned char ret[SEAL_SECRET_BYTES], struct err *e);
void seal_wrap(const unsigned char secret[SEAL_SECRET_BYTES], struct span name, struct span plain,
               struct buf *out);
/* 0 or -EBADMSG: of another version, damaged, or sealed on another machine. `out` holds secrets:
 * wipe it. */
int seal_open(const unsigned char secret[SEAL_SECRET_BYTES], struct span name, struct span blob,
              struct buf *out);

#endif
