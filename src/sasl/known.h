/*
 * known.h: where addresses led a moment ago. A worker asks authd for every recipient of every
 * message; the answer is nearly always the same account as before. Only what leads to one account or
 * newsgroup here is kept, a bounded number of them and for a few seconds, and all of it is forgotten
 * when authd says that something has changed (AUTH_CHANGED) or when it is started anew.
 */
#ifndef SASL_KNOWN_H
#define SASL_KNOWN_H

#include "sasl/auth.h"

struct known;
struct known *known_new(void);
void known_free(struct known *k); /* NULL is fine */
bool known_get(const struct known *k, struct span address, uint64_t now_ms,
               struct auth_target *ret);
/* What authd was asked while `generation` was the current one: an answer from before a change is not
 * kept after it. */
uint64_t known_generation(const struct known *k);
void known_put(struct known *k, uint64_t generation, struct span address, uint64_t now_ms,
               const struct auth_target *t);
void known_forget(struct known *k);

#endif
