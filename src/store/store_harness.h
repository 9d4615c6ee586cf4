/*
 * store_harness.h: the real store for tests: engine, stored's service and a worker's end over
 * socketpairs, all in one process and one loop, on a temporary folder. Link with sp_store_harness.
 *
 *     struct loop *l = loop_new();
 *     struct store_harness *h = store_harness_new(l);
 *     store_harness_account(h, 16);                      // with INBOX, Drafts, Sent, Trash, Junk,
 * Archive store_harness_run(h, test, arg);                   // test(arg) in a fiber, with
 * store_harness_store(h) attached store_harness_free(h); loop_free(l);
 *
 * If something else runs the loop, store_harness_wait (suspends) waits for the attachment instead.
 */
#ifndef STORE_STORE_HARNESS_H
#define STORE_STORE_HARNESS_H

#include "store/grant.h"
#include "store/store.h"

struct store_harness;

struct store_harness *store_harness_new(struct loop *l);
/* On a folder of the caller's, which stays. */
struct store_harness *store_harness_new_at(struct loop *l, const char *root);
void store_harness_free(struct store_harness *h); /* not from a fiber; NULL is fine */
void store_harness_run(struct store_harness *h, void (*fn)(void *arg), void *arg);
bool store_harness_wait(struct store_harness *h, uint64_t timeout_ms); /* suspends */

struct store *store_harness_store(struct store_harness *h); /* role access */
struct store *store_harness_mx(struct store_harness *h);    /* role mx: delivers only. Made at the
                                                               first call, before the loop runs */
struct store *store_harness_relay(struct store_harness *h); /* role relayd: the queue. As above */

/* These suspend when called from a fiber, else they are done at once. 0 or negative errno. */
int store_harness_account(struct store_harness *h, uint64_t account);
int store_harness_account_set(struct store_harness *h, uint64_t account, unsigned state,
                              uint64_t epoch, uint64_t quota_bytes);
/* The same, with its address. */
int store_harness_account_named(struct store_harness *h, uint64_t account, unsigned state,
                                uint64_t epoch, uint64_t quota_bytes, const char *address);
int store_harness_domain(struct store_harness *h, const char *domain, uint64_t quota_bytes);
int store_harness_newsgroup(struct store_harness *h, const char *name, uint32_t attributes,
                            uint64_t *ret_id);
/* As `sealpost newsgroup set --description`. */
int store_harness_describe(struct store_harness *h, const char *newsgroup, const char *text);
/* As `sealpost store compact`. For this, answers are kept for a moment only. */
extern uint64_t store_harness_answers_ms;
int store_harness_compact(struct store_harness *h);
/* A grant as authd makes it, valid for an hour. */
void store_harness_grant(struct store_harness *h, uint64_t account, uint32_t rights,
                         struct buf *out);
extern const unsigned char store_harness_secret[GRANT_SECRET_BYTES];
const char *store_harness_root(const struct store_harness *h);

/* As if stored were killed and started anew: nothing is finished or marked, links break, workers
 * attach again. suspends */
void store_harness_restart(struct store_harness *h);
/* stored is away until _back. suspend */
void store_harness_away(struct store_harness *h);
void store_harness_back(struct store_harness *h);

#endif
