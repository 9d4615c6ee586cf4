/* random.h: random bytes of the kernel. Aborts if there are none. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include "base/buf.h"

void random_bytes(void *p, size_t n);
uint64_t random_u64(void);
uint64_t random_below(uint64_t limit); /* uniform in [0, limit) */
/* A printable token of n random characters [0-9a-z]. */
void random_token(struct buf *b, size_t n);
/* Same time whatever the bytes. */
bool secret_eq(const void *a, const void *b, size_t n);
void secret_wipe(void *p, size_t n);

#endif
