/*
 * index.h: the search index of one account: which messages may hold these grams. A SQLite database
 * with an FTS5 table; nobody else opens it. It is derived: whoever finds it damaged removes it
 * (search_index_remove) and has it made anew; pages carry checksums, so damage is found.
 *
 * A document is a body with its prefix: a message that is copied or moved stays the same one, and
 * only has another place. Documents without a place are gone for every search; their grams stay in
 * the file until it is made anew (see search_index_stat).
 *
 * Calls return 0 or a negative errno: -EBADMSG damaged, -ENOSPC, -EIO. Changes stand between begin
 * and commit. Nothing suspends.
 */
#ifndef SEARCH_INDEX_H
#define SEARCH_INDEX_H

#include "base/rangeset.h"
#include "search/gram.h"

struct search_index;

/* -ESTALE: it is of another release. */
int search_index_open(const char *path, struct search_index **ret);
void search_index_close(struct search_index *x); /* NULL is fine */
/* Removes the file and what SQLite keeps beside it. */
void search_index_remove(const char *path);

int search_index_begin(struct search_index *x);
int search_index_commit(struct search_index *x);
void search_index_rollback(struct search_index *x); /* also when nothing was begun */

/* The day (since 1970) on which somebody searched last; 0: nobody ever did. */
int search_index_used(struct search_index *x, uint32_t *ret_day);
int search_index_used_put(struct search_index *x, uint32_t day);

/* How far a mailbox is indexed: all its messages with smaller UIDs than next_uid are. */
struct search_mailbox {
    uint64_t id;
    uint32_t uidvalidity, next_uid;
    uint64_t modseq; /* messages expunged up to this one are gone from the index */
    uint32_t places;
};
int search_index_mailbox(struct search_index *x, uint64_t id,
                         struct search_mailbox *ret); /* -ENOENT */
/* `places` is counted by the index itself, from the first put on. */
int search_index_mailbox_put(struct search_index *x, const struct search_mailbox *m);
int search_index_mailbox_drop(struct search_index *x, uint64_t id);
int search_index_mailbox_each(struct search_index *x,
                              bool (*fn)(const struct search_mailbox *m, void *arg), void *arg);

/* The document of a body with a prefix of that hash; -ENOENT. */
int search_index_doc(struct search_index *x, uint64_t body, uint64_t prefix, uint64_t *ret_doc);
/* A set that is full makes a document that is a candidate of every search. */
int search_index_doc_add(struct search_index *x, uint64_t body, uint64_t prefix,
                         const struct gram_set *grams, uint64_t *ret_doc);
int search_index_place_add(struct search_index *x, uint64_t mailbox, uint32_t uid, uint64_t doc);
int search_index_place_remove(struct search_index *x, uint64_t mailbox, uint32_t uid);
/* UIDs that the index has of a mailbox, added to ret. */
int search_index_uids(struct search_index *x, uint64_t mailbox, struct rangeset *ret);

/*
 * UIDs of a mailbox, from `from` on, that may hold the needle in one of the places (bits 1 <<
 * GRAM_…), added to ret; -ENODATA: the index cannot tell, it may be any. `turn` (may be NULL) is called each
 * so often and may suspend; the index must not change meanwhile.
 */
int search_index_find(struct search_index *x, uint64_t mailbox, uint32_t from, unsigned places,
                      struct span folded, void (*turn)(void *arg), void *arg, struct rangeset *ret);

/* A step of tidying up, of some milliseconds. 1: there is more to do; 0; or a negative errno. */
int search_index_tidy(struct search_index *x);

struct search_stat {
    uint64_t docs, dead; /* dead: documents whose grams only take room */
    uint64_t bytes;      /* of the files */
};
void search_index_stat(struct search_index *x, struct search_stat *ret);
/* Every page, every row, every reference. 0 or -EBADMSG. Takes as long as reading all of it. */
int search_index_check(struct search_index *x);

#endif
