/* loop_internal.h: what loop/ keeps to itself. */
#ifndef LOOP_LOOP_INTERNAL_H
#define LOOP_LOOP_INTERNAL_H

#include "loop/loop.h"

#include "base/list.h"
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define LOOP_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LOOP_ASAN 1
#endif
#endif
#ifndef LOOP_ASAN
#define LOOP_ASAN 0
#endif

/* Pooled stacks keep a timer of the loop they last ran on: it is given back with the loop. */
void fiber_loop_gone(struct loop *l);

void *loop_alloc(size_t n); /* zeroed, never NULL */

/* --- timer.c: a heap, the next one to fire at its top */
struct timer_table {
    struct list all; /* running or not */
    struct timer **heap;
    size_t n, cap;
    uint64_t serial; /* of the last start: of two due at once the older goes first */
};

struct timer_table *loop_timers(struct loop *l);
uint64_t loop_clock(struct loop *l); /* reads the clock: loop_now_ms from here on */
void timer_table_init(struct timer_table *t);
void timer_table_done(struct timer_table *t); /* its timers never fire again */
void timers_run(struct loop *l);              /* those due by loop_now_ms */
/* Milliseconds until the next one; -1: none runs. */
int timers_wait_ms(const struct timer_table *t, uint64_t now_ms);

#endif
