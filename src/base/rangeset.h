/*
 * rangeset.h: a set of 32-bit numbers (UIDs, article numbers, sequence numbers) kept as sorted, disjoint, non-adjacent ranges.
 * Memory grows with the number of ranges. 0 is never a member.
 */
#ifndef BASE_RANGESET_H
#define BASE_RANGESET_H

#include "base/buf.h"

struct range {
    uint32_t lo, hi; /* both inside, lo <= hi */
};

struct rangeset {
    struct range *r;
    size_t n, cap;
};

#define RANGESET_EMPTY ((struct rangeset){NULL, 0, 0})

void rangeset_done(struct rangeset *s);
void rangeset_clear(struct rangeset *s);
void rangeset_add(struct rangeset *s, uint32_t lo, uint32_t hi); /* lo > hi: nothing */
void rangeset_remove(struct rangeset *s, uint32_t lo, uint32_t hi);
bool rangeset_has(const struct rangeset *s, uint32_t v);
uint64_t rangeset_count(const struct rangeset *s); /* members */
uint32_t rangeset_nth(const struct rangeset *s,
                      uint64_t index);                        /* index from 0; 0 if there is none */
uint64_t rangeset_rank(const struct rangeset *s, uint32_t v); /* members below v */
uint32_t rangeset_min(const struct rangeset *s);              /* 0 if empty */
uint32_t rangeset_max(const struct rangeset *s);
void rangeset_copy(struct rangeset *dst, const struct rangeset *src);
/* "1:4,7,9:12" (IMAP sequence-set without *). False past the buffer's limit. */
bool rangeset_print(const struct rangeset *s, struct buf *out);
/*
 * IMAP sequence-set, RFC 9051 section 9; "*" stands for `star`; where star is 0 (nothing there) a part with "*" adds nothing.
 * At most max_ranges parts. ret must be a set already and is replaced.
 */
bool rangeset_parse(struct span text, uint32_t star, size_t max_ranges, struct rangeset *ret);

#endif
