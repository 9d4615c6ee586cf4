/*
 * recent.h: what the directory says of accounts that logged in before, so that one that comes again
 * costs no query. It holds only as long as nothing is written: authd_write forgets all of it when
 * the change is durable and before anybody is told of it; other writers (there should be none) show
 * in directory_version, which is asked every RECENT_LOOK_MS. Bounded: when it is full, all of it
 * goes. For the thread of its connection.
 */
#ifndef PROC_AUTHD_RECENT_H
#define PROC_AUTHD_RECENT_H

#include "directory/directory.h"
#include "store/grant.h"

enum { RECENT_LOOK_MS = 100 };

struct recent_account {
    struct directory_account account;
    struct credential credential;
    uint8_t group_count;
    uint64_t groups[GRANT_GROUPS_MAX]; /* grant_group of each */
};

struct recent;

struct recent *recent_new(struct directory *d, uint32_t entries_max);
void recent_free(struct recent *r);   /* wipes; NULL is fine */
void recent_forget(struct recent *r); /* something was, or may have been, written */
size_t recent_size(const struct recent *r);
/* As directory_login and directory_groups_of, of a name with its domain, folded. *ret is borrowed
 * until the next call: never over a wait. 0, -ENOENT (not remembered), -EIO. */
int recent_login(struct recent *r, struct span name, const struct recent_account **ret);

#endif
