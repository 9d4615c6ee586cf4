/* flags.h: flags of messages as text. */
#ifndef IMAP_FLAGS_H
#define IMAP_FLAGS_H

#include "store/store.h"

/* Keyword names of one mailbox, copied out of a snapshot. */
struct keywords {
    unsigned n;
    struct span name[STORE_KEYWORDS_MAX];
    char text[STORE_KEYWORDS_MAX * STORE_KEYWORD_BYTES_MAX];
};
void keywords_read(struct store_read *r, uint64_t mailbox, struct keywords *ret);
/* The bit of a keyword (without case); 0: the mailbox has none of that name. */
uint64_t keywords_bit(const struct keywords *k, struct span name);
uint64_t keywords_hash(const struct keywords *k);

/* "(\Seen $Forwarded)"; k may be NULL where no keyword bit is set. */
void flags_print(uint64_t flags, const struct keywords *k, struct buf *out);

#endif
