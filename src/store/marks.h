/*
 * marks.h: which messages of a public folder an account has read. \Seen is each reader's own there;
 * all other flags are shared.
 *
 * A row holds the marks of 256 UIDs as runs; each says whether they are seen, and the modseq of the
 * mailbox at which the reader said so: what others have changed since, and what he has himself, are
 * told by one number. UIDs without a run were never touched: they are not seen.
 */
#ifndef STORE_MARKS_H
#define STORE_MARKS_H

#include "store/index.h"

enum { MARKS_CHUNK = 256, MARKS_ROW_MAX = MARKS_CHUNK * 11 };

struct mark {
    bool seen;
    uint64_t modseq; /* 0: never touched */
};

struct key key_marks(uint64_t mailbox, uint64_t account, uint32_t chunk);
/* Of one UID by its place in the chunk. */
struct mark marks_get(struct span row, unsigned at);
bool marks_sane(struct span row);
/* Sets those of `at` (ascending), in a row that may be empty. Modseqs up to `floor` become `floor`:
 * nobody can ask for what lies between. Returns the bytes of the new row. */
size_t marks_set(struct span row, const uint8_t *at, size_t count, struct mark mark, uint64_t floor,
                 char ret[MARKS_ROW_MAX]);

struct marks_reader marks_reader(const struct index *x, MDB_txn *t, uint64_t mailbox,
                                 uint64_t account);
/* Rows are looked up once where UIDs follow each other. */
struct mark marks_of(struct marks_reader *r, uint32_t uid);

#endif
