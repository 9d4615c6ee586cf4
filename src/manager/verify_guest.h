/*
 * verify_guest.h: what a probe needs on the server for its time only: an account, a newsgroup, a
 * certificate to log in with. They have fixed names; who makes them holds a lock, and removes what a
 * run that was killed has left.
 *
 * SIGINT, SIGTERM and SIGHUP end the probe, not the program, as long as there is a guest: the plan's
 * `ended` is set, and the caller removes the guest.
 */
#ifndef MANAGER_VERIFY_GUEST_H
#define MANAGER_VERIFY_GUEST_H

#include "manager/verify_plan.h"

#define GUEST_ACCOUNT "sealpost-verify"
#define GUEST_NEWSGROUP "sealpost.verify"

struct verify_guest;

/* The newsgroup always; the account unless the plan has logins; the certificate where a wanted
 * virtual server takes those of our own CA (it may be missing: *e says why, and 0 is returned). All
 * into the plan. On failure nothing is left. */
int verify_guest_make(struct verify_plan *v, struct verify_guest **ret, struct err *e);
/* Removes all of it; the plan has it no more. -EIO with the reason: something could not be removed.
 * NULL is fine. */
int verify_guest_remove(struct verify_guest *g, struct err *e);

#endif
