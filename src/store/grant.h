/*
 * grant.h: what lets a request change the store. authd makes a grant at login and MACs it with the
 * secret that it shares with stored (one per run); stored checks it with every request. A worker
 * can carry grants, it cannot make one.
 */
#ifndef STORE_GRANT_H
#define STORE_GRANT_H

#include "base/codec.h"

enum {
    GRANT_MAIL = 1,     /* read-write of the account's own mailboxes and subscriptions */
    GRANT_SUBMIT = 2,   /* remote recipients */
    GRANT_POST = 4,     /* append to public folders that take posts */
    GRANT_ADMIN = 8,    /* make, rename and delete public folders */
    GRANT_FORWARD = 16, /* of no account: one remote address, to which an alias leads */
};
enum { GRANT_SECRET_BYTES = 32, GRANT_ADDRESS_BYTES = 16, GRANT_GROUPS_MAX = 20 };
struct grant {
    uint64_t account;
    uint32_t rights;
    uint32_t worker_generation; /* of the worker the login came through */
    uint64_t session;
    int64_t expires_seconds;
    uint64_t epoch; /* raised when the account's password changes or it is disabled */
    unsigned char address[GRANT_ADDRESS_BYTES]; /* GRANT_FORWARD: grant_address of it; else zeros */
    uint8_t group_count;
    uint64_t groups[GRANT_GROUPS_MAX]; /* that the account is a member of: grant_group */
};
/* Appends the token (at most STORE_GRANT_MAX bytes). */
void grant_seal(const struct grant *g, const unsigned char secret[GRANT_SECRET_BYTES],
                struct buf *out);
/* False: not ours, changed, or expired at `now`. */
bool grant_open(struct span token, const unsigned char secret[GRANT_SECRET_BYTES], int64_t now,
                struct grant *ret);
/* The number that stands for a group: of its address, ASCII letters without case. The highest bit is
 * set, as in no account's number. */
uint64_t grant_group(struct span address);
/* What it says, proved by nobody: for a worker that carries it. */
bool grant_peek(struct span token, struct grant *ret);
/* What a grant to forward is bound to: a hash of the address, ASCII letters without case. */
void grant_address(struct span address, unsigned char ret[GRANT_ADDRESS_BYTES]);
/* True: the token lets mail go to that address, at `now`, whoever brings it. */
bool grant_forwards(struct span token, const unsigned char secret[GRANT_SECRET_BYTES], int64_t now,
                    struct span address);

#endif
