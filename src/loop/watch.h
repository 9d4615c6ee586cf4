/*
 * watch.h: one libuv poll handle a descriptor, shared by all watches of it, so that a fiber may
 * wait for a descriptor that a session watches as well.
 */
#ifndef LOOP_WATCH_H
#define LOOP_WATCH_H

#include "loop/loop.h"
#include <stddef.h>

struct poll;
struct poll_table {
    struct poll **v; /* by descriptor */
    size_t n;
};

void poll_table_done(struct poll_table *t);

struct uv_loop_s *loop_uv(struct loop *l);
struct poll_table *loop_polls(struct loop *l);
void *loop_alloc(size_t n); /* zeroed, never NULL */

#endif
