/* search_msg.h: what is asked of searchd. */
#ifndef SEARCH_SEARCH_MSG_H
#define SEARCH_SEARCH_MSG_H

#include "base/codec.h"
#include "base/rangeset.h"

enum { SEARCH_NEEDLE_MAX = 3072 };

/* SEARCH_FIND: mailbox, the least UID that is asked for, places (bits 1 << GRAM_…), the folded needle. */
struct search_find {
    uint64_t mailbox;
    uint32_t from;
    uint8_t places;
    struct span needle;
};
void wr_search_find(struct buf *b, const struct search_find *f);
bool rd_search_find(struct span s, struct search_find *ret);

/*
 * The answer. `next_uid`: messages from there on are not indexed yet (0: nothing is; or nothing can
 * be said of this needle): each may hold it. Of those before `upto` only `uids` may; of those
 * between `upto` and next_uid nothing is said: ask again from there.
 */
struct search_found {
    uint32_t next_uid, upto;
    struct rangeset uids;
};
/* As many ranges as fit in b, and sets upto by that. */
void wr_search_found(struct buf *b, uint32_t next_uid, const struct rangeset *uids);
/* uids must be a set already; they are added. */
bool rd_search_found(struct span s, struct search_found *ret);

/* SEARCH_INDEX */
enum search_op_index {
    SEARCH_INDEX_SHOW,
    SEARCH_INDEX_REBUILD,
    SEARCH_INDEX_CHECK,
    SEARCH_INDEX_OPS
};
void wr_search_index(struct buf *b, enum search_op_index op, uint64_t account);
bool rd_search_index(struct span s, enum search_op_index *ret_op, uint64_t *ret_account);

#endif
