/*
 * acl.h: who may do what with a mailbox (RFC 4314). The rights of an identifier stand with the
 * mailbox; identifiers are the address of an account, "$" and the address of a group, or "anyone".
 * stored looks at them with each request, and workers by the same function before they show
 * anything.
 *
 * The owner of a mailbox always has all rights, and so has everybody with GRANT_ADMIN in public
 * folders. A public folder without a row for "anyone" may be read by everybody, and posted to where
 * the folder takes posts (acl_public). Rights of several identifiers add up; there are no negative
 * ones.
 */
#ifndef STORE_ACL_H
#define STORE_ACL_H

#include "store/grant.h"
#include "store/index.h"

enum {
    ACL_LOOKUP = 1, /* l: LIST, SUBSCRIBE */
    ACL_READ = 2,   /* r: SELECT, FETCH, SEARCH, COPY from it */
    ACL_SEEN = 4,   /* s: \Seen */
    ACL_WRITE = 8,  /* w: other flags but \Deleted */
    ACL_INSERT = 16,
    ACL_POST = 32,
    ACL_CREATE = 64,  /* k: mailboxes below it */
    ACL_DELETE = 128, /* x: the mailbox itself, also as what is renamed */
    ACL_TRASH = 256,  /* t: \Deleted */
    ACL_EXPUNGE = 512,
    ACL_ADMIN = 1024, /* a: the rights themselves */
    ACL_ALL = 2047,
};
#define ACL_LETTERS "lrswipkxtea" /* by bit */
#define ACL_ANYONE UINT64_C(2)    /* grantee; accounts of people start at 16; groups: grant_group */

enum { ACL_IDENTIFIER_MAX = 321 };

/* "lrs", also the older "c" (k and x) and "d" (e and t). False: another letter. */
bool acl_parse(struct span letters, uint32_t *ret);
/* The letters, and "c" and "d" where any of what they stood for is there (RFC 4314 2.1.1). */
void acl_print(uint32_t rights, struct buf *out);

struct acl_entry {
    struct span identifier; /* valid as long as the transaction */
    uint64_t grantee;
    uint32_t rights;
};
/* Rows of a mailbox by identifier. fn returns false to stop. */
int acl_each(const struct index *x, MDB_txn *t, uint64_t mailbox,
             bool (*fn)(const struct acl_entry *a, void *arg), void *arg);
/* What everybody may in a public folder that has no row for "anyone". */
uint32_t acl_public(uint32_t attributes);
/* What the holder of this grant may do with that mailbox. */
uint32_t acl_rights(const struct index *x, MDB_txn *t, uint64_t mailbox, uint64_t account,
                    uint32_t attributes, const struct grant *g);
struct key key_acl(uint64_t mailbox, struct span identifier);
struct key key_granted(uint64_t grantee, uint64_t mailbox);

#endif
