/*
 * jobs.h: signatures that take long (RSA; those written to the log) on helper threads. Each link
 * has a queue of its own and they take turns: a worker that asks for a thousand waits for its
 * thousand, the others do not.
 */
#ifndef KEYD_JOBS_H
#define KEYD_JOBS_H

#include "base/list.h"
#include "ipc/link.h"
#include "proc/keyd/engine/keystore.h"

enum { JOBS_PER_LINK = 1024, JOBS_THREADS = 2 };

struct jobs {
    struct loop *loop;
    int log_fd;
    struct list turns; /* queues with something in them */
    struct map64 *queues;
    unsigned running;
    uint64_t done, failed;
};

void jobs_init(struct jobs *j, struct loop *l, int log_fd);
void jobs_done(struct jobs *j); /* nothing may be running */
/* Answers m later. k is referenced, the text copied. -EBUSY: that link has too many under way. */
int jobs_add(struct jobs *j, const struct msg *m, struct keyd_key *k,
             const struct key_sign_request *r);
bool jobs_idle(const struct jobs *j);

#endif
