/*
 * proof.h: proofs of passwords verified a short while ago, so that a client that logs in every
 * minute costs a MAC and not an Argon2id hash. A proof is HMAC-SHA-256(random key of this process,
 * account, epoch, password): of no use outside. It is worthless once the epoch is raised. Bounded:
 * the oldest gives way. Times come from clock_mono_ms.
 */
#ifndef DIRECTORY_PROOF_H
#define DIRECTORY_PROOF_H

#include "base/span.h"

struct proofs;

struct proofs *proofs_new(uint32_t seconds, uint32_t entries_max); /* seconds 0: keeps nothing */
void proofs_free(struct proofs *p);                                /* wipes; NULL is fine */
void proofs_set_seconds(struct proofs *p, uint32_t seconds);
void proofs_add(struct proofs *p, uint64_t account, uint64_t epoch,
                struct span password); /* it was just verified */
bool proofs_has(struct proofs *p, uint64_t account, uint64_t epoch, struct span password);
void proofs_forget(struct proofs *p, uint64_t account);
size_t proofs_size(const struct proofs *p);
/* A keyed fingerprint of what was tried, never 0 (see throttle.h). */
uint64_t proofs_digest(const struct proofs *p, struct span user, uint64_t epoch,
                       struct span password);

#endif
