/*
 * hash.h: SipHash-1-3 under a random key of this process, for tables whose keys strangers may
 * choose. The value differs in every process: it is never written to disk or sent.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/span.h"

struct hash_key {
    uint64_t k0, k1;
};

/* SipHash-1-3 under a given key. */
uint64_t hash_siphash13(struct hash_key key, struct span s);
/* Under the key of this process. */
uint64_t hash_span(struct span s);
uint64_t hash_u64(uint64_t v);

#endif
