/*
 * watch.h: one registration with the kernel a descriptor, shared by all watches of it, so that a
 * fiber may wait for a descriptor that a session watches as well.
 */
#ifndef LOOP_WATCH_H
#define LOOP_WATCH_H

#include "loop/loop.h"
#include <stddef.h>

struct poll;
struct poll_table {
    struct poll **v; /* by descriptor */
    size_t n;
    uint32_t serial; /* of the last poll */
};

void poll_table_done(struct poll_table *t);

int loop_epoll(struct loop *l);
struct poll_table *loop_polls(struct loop *l);
/* What epoll says about one of ours: `data` as registered. */
void poll_event(struct loop *l, uint64_t data, uint32_t events);
#define POLL_DATA_NONE UINT64_MAX /* no poll's data */

#endif
