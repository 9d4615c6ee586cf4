/*
 * fiber.h: straight-line code over the event loop. A fiber has its own stack (guard page below it, from a pool) and gives the
 * thread back only in functions marked "suspends". Fibers never change threads. What a fiber needs across a suspension must
 * not be owned by somebody who may go away meanwhile.
 */
#ifndef LOOP_FIBER_H
#define LOOP_FIBER_H

#include "loop/loop.h"
#include <stddef.h>

struct fiber;
typedef void (*fiber_fn)(void *arg);

/* Once per process before the first fiber; defaults: 256 KiB stacks, of which only what is touched is memory; 64 kept in the pool.
 * A question to libunbound alone needs 70 KiB. */
void fiber_config(size_t stack_bytes, unsigned pool);

/* Starts fn(arg) at once, up to its first suspension, when called from the loop; queued when called from a fiber. `name` is a
 * literal, for the debugger and `session list`. */
void fiber_start(struct loop *l, fiber_fn fn, void *arg, const char *name);

struct fiber *fiber_self(void); /* NULL on the loop's stack */

/* Parks the running fiber until fiber_resume. suspends */
void fiber_suspend(void);
/* Continues a parked fiber: at once when called from the loop, else after the running fiber parks or ends. */
void fiber_resume(struct fiber *f);

/* suspends; returns the events that are true, or 0 after timeout_ms (UINT64_MAX: never). The caller owns fd. */
int fiber_wait_fd(int fd, int events, uint64_t timeout_ms);
void fiber_sleep_ms(uint64_t ms); /* suspends */
/* Lets other fibers and the loop run. suspends */
void fiber_yield(void);

/* Runs work(arg) on a helper thread (loop_offload) and waits. suspends */
void fiber_offload(void (*work)(void *arg), void *arg);

/* Waiting for something that somebody else announces. */
struct fiber_waiter;
struct fiber_cond {
    struct fiber_waiter *head, *tail;
};
#define FIBER_COND_INIT ((struct fiber_cond){NULL, NULL})
bool fiber_cond_wait(struct fiber_cond *c, uint64_t timeout_ms); /* suspends; false: timed out */
void fiber_cond_signal(struct fiber_cond *c);                    /* wakes the first */
void fiber_cond_broadcast(struct fiber_cond *c);

/* A fiber-aware lock: first come, first served. */
struct fiber_lock {
    struct fiber *owner;
    struct fiber_cond waiters;
};
void fiber_lock(struct fiber_lock *l); /* suspends */
void fiber_unlock(struct fiber_lock *l);

struct fiber_stats {
    unsigned running, parked, pooled;
    uint64_t started;
};
struct fiber_stats fiber_stats(void);
/* Called on every switch into a fiber (OpenSSL's error queue must be emptied there). One hook, set once. */
void fiber_on_resume(void (*hook)(void));

#endif
