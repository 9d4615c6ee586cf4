/*
 * import_store.h: the command line's own end of the store, for commands that move mail: attached
 * like a worker, with a grant that stored makes for it (STORE_GRANT). Reads what lies in the data
 * folder itself, so it must run as root or as the user who runs the server.
 *
 * The work is done in a fiber (import_store_run); a link that breaks because stored is started anew
 * is made again, and calls that were under way are then answered once.
 */
#ifndef MANAGER_IMPORT_STORE_H
#define MANAGER_IMPORT_STORE_H

#include "manager/directory.h"
#include "store/store.h"

enum {
    IMPORT_RING_BYTES = 16 << 20,
    IMPORT_SPOOL_BYTES = 1 << 30,
    IMPORT_MESSAGE_MAX = 256 << 20,
};

struct import_store {
    struct call *call;
    struct control *control;
    struct loop *loop;
    struct store *store;
    struct link *link;
    struct link_ops ops;
    struct timer *again;
    struct directory_account account;
    struct buf grant;
    uint64_t grant_until_ms;
    bool interrupted; /* SIGINT or SIGTERM came */
    void (*on_interrupt)(void *arg);
    void *on_interrupt_arg;
    bool lost; /* the server is gone */
    void (*work)(void *arg);
    void *work_arg;
};

/* 0, or the reason. */
int import_store_open(struct call *c, const char *account, struct import_store **ret,
                      struct err *e);
void import_store_free(struct import_store *s); /* NULL is fine */
/* work(arg) in a fiber, attached to stored; returns when it has returned. 0, or the reason why it
 * was never begun. */
int import_store_run(struct import_store *s, void (*work)(void *arg), void *arg, struct err *e);
/* The data folder of the configuration that the command line means. Appended. */
int import_store_root(const struct call *c, struct buf *ret, struct err *e);
/* Of the account, fresh enough. suspends. 0 or negative errno. */
int import_store_grant(struct import_store *s, struct span *ret);
/* "the account is over its quota", … */
const char *import_store_reason(int error);
/* Whether standard error is a terminal that progress may be shown on. */
bool import_store_shows_progress(const struct import_store *s);

#endif
