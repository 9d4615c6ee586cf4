/*
 * pending.h: the calls of a link that wait for their answer. The number on the wire is a slot and
 * its generation, so that an answer given twice, or to a call never made, is told from a right one.
 */
#ifndef IPC_PENDING_H
#define IPC_PENDING_H

#include "ipc/link.h"

enum { PENDING_MAX = 65535 };

struct pending {
    uint16_t generation;
    bool used;
    unsigned id;       /* the message that was sent */
    link_done_fn done; /* NULL: nobody waits any more; the answer is dropped */
    void *arg;
    uint32_t next_free; /* slot + 1 */
};

struct pending_table {
    struct pending *v;
    uint32_t n, cap, first_free;
    uint32_t used;
};

uint32_t pending_add(struct pending_table *t, unsigned id, link_done_fn done,
                     void *arg); /* 0: full */
/* The call that an answer with this number and message belongs to, taken out of the table. */
bool pending_take(struct pending_table *t, uint32_t call, unsigned id, struct pending *ret);
void pending_abandon(struct pending_table *t, uint32_t call);
/* Ends all with that status. Callbacks may look at the table but not add. */
void pending_end_all(struct pending_table *t, int status);
void pending_done(struct pending_table *t);

#endif
