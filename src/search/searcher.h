/*
 * searcher.h: keeps the indexes of all accounts up to date with the store, and answers what sessions
 * ask. It follows the store as any reader does; nothing waits for it, and nothing is lost with it: a
 * message that is not indexed yet is looked at by the session itself.
 *
 * An account is in use from the first search on until nobody has searched it for `days`. Under
 * SEARCH_POLICY_USED only the indexes of accounts in use are kept up to date; stored tells of no other, and the
 * others' cost nothing.
 *
 * Files: FOLDER/ACCOUNT.db, one an account (the public folders and newsgroups are one), written by nobody else.
 */
#ifndef SEARCH_SEARCHER_H
#define SEARCH_SEARCHER_H

#include "search/search_msg.h"
#include "store/store.h"

enum search_policy { SEARCH_POLICY_USED, SEARCH_POLICY_ALWAYS, SEARCH_POLICY_NEVER };

struct searcher_options {
    struct loop *loop;
    struct store *store; /* role searchd or access, reading */
    const char *folder;
    uint64_t min_free_bytes; /* of the disk; below, indexing pauses */
    enum search_policy policy;
    uint32_t days;
};

struct searcher *searcher_new(const struct searcher_options *o);
void searcher_policy(struct searcher *s, enum search_policy policy, uint32_t days);
/* No more work is begun; searcher_free is due once searcher_idle says so. */
void searcher_stop(struct searcher *s);
bool searcher_idle(const struct searcher *s);
void searcher_free(struct searcher *s);

/* Into a struct search_found's bytes. suspends */
void searcher_find(struct searcher *s, const struct search_find *f, struct buf *reply);
/* SEARCH_INDEX: a JSON object. Rebuilt or checked, an account is in use. 0, -ENOENT (no such account). suspends */
int searcher_index(struct searcher *s, enum search_op_index op, uint64_t account, struct buf *json);

struct searcher_counts {
    uint64_t queries, misses; /* misses: the index could not tell */
    uint64_t messages, batches, rebuilt, damaged, unreadable;
    uint64_t waiting; /* mailboxes to look at */
    uint64_t in_use;  /* accounts; not counted where all are indexed */
    bool walking;     /* all mailboxes are being looked at, as after a start */
    bool paused;      /* the disk is full */
};
struct searcher_counts searcher_counts(const struct searcher *s);

#endif
