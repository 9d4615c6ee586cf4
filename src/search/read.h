/* read.h: the grams of a message in the store, from the same texts as message/search.h looks through. */
#ifndef SEARCH_READ_H
#define SEARCH_READ_H

#include "search/gram.h"
#include "store/store.h"

/* The hash of a message's prefix, part of what a document is. 0, or negative: it cannot be read. */
int read_prefix_hash(struct store *s, const struct message_info *m, uint64_t *ret);
/* Adds the grams of a message; where it cannot be read the set becomes full: whoever searches tries
 * it again. Of large messages only text parts and headers are read. */
void read_grams(struct store *s, const struct message_info *m, struct gram_set *set);
/* The same of bytes: prefix and body, the body's first at `body_at`. */
void read_grams_of(struct span raw, size_t body_at, const struct summary *s, struct gram_set *set);

#endif
