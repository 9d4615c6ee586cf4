/* searcher_parts.h: the files of the searcher among themselves. */
#ifndef SEARCH_SEARCHER_PARTS_H
#define SEARCH_SEARCHER_PARTS_H

#include "base/list.h"
#include "base/map.h"
#include "search/index.h"
#include "search/searcher.h"

struct account {
    struct list node; /* of those that are open, the one used last at the end */
    uint64_t id;
    struct search_index *index;
    struct fiber_lock lock; /* held while the index is read over more than one turn, or written */
    unsigned users;
    uint32_t day; /* of the last search, as its row says */
};

/* A mailbox to look at. */
struct dirty {
    struct list node;
    uint64_t mailbox, due_ms;
    unsigned changes;
    bool gathers; /* in `gather` */
};

/* An account in use, under SEARCH_POLICY_USED. */
struct usage {
    uint64_t account;
    uint32_t day; /* of the last search */
    struct list watched;
};
struct watched {
    struct list node;
    uint64_t mailbox;
    struct store_watch *watch;
};

struct searcher {
    struct loop *loop;
    struct store *store;
    char folder[300];
    uint64_t min_free_bytes;
    struct map64 *accounts; /* open ones */
    struct list open;
    unsigned open_count;
    struct map64 *dirty; /* mailbox → struct dirty */
    struct list queue,
        gather; /* at once; as they are due: what comes soon after is done with them */
    enum search_policy policy;
    uint32_t days, expired; /* expired: the day on which it was looked who is in use no longer */
    struct map64 *usages;   /* account → struct usage */
    struct map64 *watched;  /* mailbox → struct watched */
    bool loaded;            /* usages are what the files say */
    bool sweep;
    uint64_t walked; /* all mailboxes up to this id have been looked at */
    struct fiber_cond work;
    struct searcher_counts count;
    bool stopping, busy; /* busy: a mailbox is being looked at */
    unsigned fibers;
};

/* accounts.c: the index of an account, opened (and made) as needed; account_leave is due. NULL: it
 * cannot be had at the moment. With make false only if there is one. suspends */
struct account *account_enter(struct searcher *s, uint64_t id, bool make);
/* status: what went wrong, if something did; a damaged index is removed and will be made anew. */
void account_leave(struct searcher *s, struct account *a, int status);
/* Between: others may use it. True if the index is still there when it is locked again. suspends */
void account_pause(struct account *a);
bool account_resume(struct account *a);
/* Removes the index. The account must not be entered by this fiber. suspends */
void account_forget(struct searcher *s, uint64_t id);
void accounts_close(struct searcher *s); /* those that nobody has entered */
void account_path(const struct searcher *s, uint64_t id, char *path, size_t size);
/* Removes indexes of accounts that have no mailbox (any more). */
void accounts_sweep(struct searcher *s);

/* usage.c: which accounts are in use, and so are indexed. */
uint32_t usage_today(void);
bool usage_is(const struct searcher *s, uint64_t account);
/* Somebody searches it. True: it was not in use. */
bool usage_begin(struct searcher *s, uint64_t account);
void usage_end(struct searcher *s, uint64_t account);
/* The row of the account, if it says something else. 0 or negative errno */
int usage_write(struct searcher *s, struct account *a);
/* True: it has not been watched before, what was read of it may be of before. */
bool usage_watch(struct searcher *s, uint64_t account, uint64_t mailbox);
void usage_unwatch(struct searcher *s, uint64_t mailbox);
/* Reads what the files say. suspends */
void usage_load(struct searcher *s);
/* Ends the use by those whom nobody searched for `days`. */
void usage_expire(struct searcher *s);
void usage_done(struct searcher *s);

/* follow.c */
void follow_changed(struct searcher *s, uint64_t mailbox); /* look at it within half a second */
void follow_mailbox(struct searcher *s, uint64_t mailbox); /* look at it soon */
void follow_account(struct searcher *s, uint64_t account); /* at all of its mailboxes */
void follow_all(struct searcher *s);
void follow_new(struct searcher *s); /* mailboxes made since */
void follow_done(struct searcher *s);
void follow_fiber(void *arg);

#endif
