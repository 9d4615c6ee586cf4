/*
 * signlog.h: DATA/keys/sign.log, append-only, one line for each certificate, CRL and request that
 * was signed:
 *
 *     2026-01-31T12:00:00Z cad 0123…(key id) ca sha256=…
 *
 * and one for each key that was imported or exported. Signatures of handshakes and the like are
 * only counted.
 */
#ifndef KEYD_SIGNLOG_H
#define KEYD_SIGNLOG_H

#include "base/err.h"
#include "ipc/role.h"
#include "proc/keyd/engine/keystore.h"

int signlog_open(int dir, struct err *e); /* the descriptor, or a negative errno */
bool signlog_wants(unsigned purpose);
/* Written and synced before the signature leaves. Any thread. 0 or negative errno. */
int signlog_write(int fd, enum role who, const struct keyd_key *k,
                  const struct key_sign_request *r);

/* "export", "import": what the administrator did with the key itself. */
int signlog_event(int fd, enum role who, const struct keyd_key *k, const char *event);

#endif
