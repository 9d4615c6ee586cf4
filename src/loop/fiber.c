#include "loop/fiber.h"

#include "base/check.h"
#include "base/list.h"
#include "loop/loop_internal.h"
#include "loop/watch.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if LOOP_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

/* Boost.Context's assembly, through its C entry points. */
struct transfer {
    void *from; /* the context that jumped here */
    void *data;
};
struct transfer jump_fcontext(void *to, void *data);
void *make_fcontext(void *stack_top, size_t size, void (*fn)(struct transfer));

enum fiber_state { FIBER_READY, FIBER_RUNNING, FIBER_PARKED, FIBER_ENDED };

struct fiber_waiter {
    struct fiber_waiter *next, *prev;
    struct fiber *fiber;
    bool woken;
};

/* Lies at the top of its own stack. tools/gdb_fibers.py knows these names. */
struct fiber {
    struct list node; /* in fibers or in pool */
    struct fiber *next_ready;
    void *context; /* where it is parked */
    struct loop *loop;
    fiber_fn fn;
    void *arg;
    const char *name;
    enum fiber_state state;
    char *stack; /* lowest usable address; the guard page is below */
    size_t stack_bytes;
    struct timer *timer; /* made on first use, kept with the stack */
    struct loop *timer_loop;
    bool timed_out;
    struct fiber_waiter waiter; /* in a condition, while it waits for one */
    void *fake_stack;           /* AddressSanitizer's */
};

enum { SWITCHES_PER_TURN = 512 };

enum { DEFAULT_BYTES = 256 * 1024 };

/* One thread a process runs fibers, so this is that thread's. */
static struct {
    struct list all, pool;
    bool set_up;
    size_t stack_bytes;
    unsigned pool_max;
    struct fiber *self;
    struct fiber *ready_head, *ready_tail;
    bool draining, deferred;
    void *loop_context;
    const void *loop_stack; /* for AddressSanitizer */
    size_t loop_stack_bytes;
    void *loop_fake_stack;
    void (*on_resume)(void);
    struct fiber_stats stats;
} fibers = {.stack_bytes = DEFAULT_BYTES, .pool_max = 64};

/* ---- stacks ----------------------------------------------------------------------------- */

/* libunbound has a frame of 64 KiB: it would step over a single page into a neighbour. */
enum { GUARD_BYTES = 128 * 1024 };

static size_t page_bytes(void)
{
    static size_t n;
    if (n == 0)
        n = (size_t)sysconf(_SC_PAGESIZE);
    return n;
}

static void fibers_set_up(void)
{
    if (fibers.set_up)
        return;
    fibers.set_up = true;
    list_init(&fibers.all);
    list_init(&fibers.pool);
}

void fiber_config(size_t stack_bytes, unsigned pool)
{
    size_t page = page_bytes();

    fibers_set_up();
    CHECK(fibers.stats.started == 0);
    CHECK(stack_bytes >= 16 * 1024 && stack_bytes <= (size_t)64 << 20);
    if (LOOP_ASAN && stack_bytes < DEFAULT_BYTES)
        stack_bytes = DEFAULT_BYTES; /* sanitizers need more room */
    fibers.stack_bytes = (stack_bytes + page - 1) / page * page;
    fibers.pool_max = pool;
}

static struct fiber *stack_new(void)
{
    size_t n = fibers.stack_bytes;
    char *p = mmap(NULL, n + GUARD_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    struct fiber *f;

    CHECK(p != MAP_FAILED);
    /* running over the end of the stack faults here instead of writing into a neighbour */
    CHECK(mprotect(p, GUARD_BYTES, PROT_NONE) == 0);
    f = (struct fiber *)(void *)(p + GUARD_BYTES + n - (sizeof *f + 63) / 64 * 64);
    *f = (struct fiber){.stack = p + GUARD_BYTES};
    f->stack_bytes = (size_t)((char *)f - f->stack);
    list_init(&f->node);
#if LOOP_ASAN
    __lsan_register_root_region(f->stack, n);
#endif
    return f;
}

static void stack_free(struct fiber *f)
{
    char *p = f->stack - GUARD_BYTES;

    list_remove(&f->node);
    timer_free(f->timer);
#if LOOP_ASAN
    __lsan_unregister_root_region(f->stack, fibers.stack_bytes);
    __asan_unpoison_memory_region(f->stack, fibers.stack_bytes);
#endif
    munmap(p, fibers.stack_bytes + GUARD_BYTES);
}

static struct fiber *stack_take(void)
{
    struct fiber *f;

    if (list_empty(&fibers.pool))
        return stack_new();
    f = list_item(fibers.pool.prev, struct fiber, node);
    list_remove(&f->node);
    fibers.stats.pooled--;
#if LOOP_ASAN
    __asan_unpoison_memory_region(f->stack, f->stack_bytes);
#endif
    return f;
}

static void stack_give(struct fiber *f)
{
    list_remove(&f->node);
    if (fibers.stats.pooled >= fibers.pool_max) {
        stack_free(f);
        return;
    }
    list_append(&fibers.pool, &f->node);
    fibers.stats.pooled++;
}

void fiber_loop_gone(struct loop *l)
{
    fibers_set_up();
    fibers.deferred = false; /* what was deferred went with the loop */
    list_for_each (&fibers.pool, struct fiber, node, f) {
        if (f->timer_loop == l) {
            timer_free(f->timer);
            f->timer = NULL;
        }
    }
    list_for_each (&fibers.all, struct fiber, node, parked) {
        /* it will never run again; what it holds on its stack cannot be given back */
        if (parked->timer_loop == l) {
            timer_free(parked->timer);
            parked->timer = NULL;
        }
    }
}

/* ---- switching -------------------------------------------------------------------------- */

static void fiber_main(struct transfer t);

/* From the loop's stack into f, until it parks or ends. */
static void switch_into(struct fiber *f)
{
    struct transfer t;

    CHECK(fibers.self == NULL);
    if (fibers.on_resume != NULL)
        fibers.on_resume();
    f->state = FIBER_RUNNING;
    fibers.self = f;
    fibers.stats.running = 1;
#if LOOP_ASAN
    __sanitizer_start_switch_fiber(&fibers.loop_fake_stack, f->stack, f->stack_bytes);
#endif
    t = jump_fcontext(f->context, f);
#if LOOP_ASAN
    __sanitizer_finish_switch_fiber(fibers.loop_fake_stack, NULL, NULL);
#endif
    fibers.self = NULL;
    fibers.stats.running = 0;
    f->context = t.from;
    if (f->state == FIBER_ENDED)
        stack_give(f);
    else
        fibers.stats.parked++;
}

/* From the running fiber back to the loop's stack. */
static void switch_out(struct fiber *f)
{
    struct transfer t;

#if LOOP_ASAN
    __sanitizer_start_switch_fiber(f->state == FIBER_ENDED ? NULL : &f->fake_stack,
                                   fibers.loop_stack, fibers.loop_stack_bytes);
#endif
    t = jump_fcontext(fibers.loop_context, NULL);
#if LOOP_ASAN
    __sanitizer_finish_switch_fiber(f->fake_stack, &fibers.loop_stack, &fibers.loop_stack_bytes);
#endif
    fibers.loop_context = t.from;
}

static void fiber_main(struct transfer t)
{
    struct fiber *f = t.data;

#if LOOP_ASAN
    __sanitizer_finish_switch_fiber(NULL, &fibers.loop_stack, &fibers.loop_stack_bytes);
#endif
    fibers.loop_context = t.from;
    f->fn(f->arg);
    f->state = FIBER_ENDED;
    switch_out(f);
    CHECK(false);
}

static void make_ready(struct fiber *f)
{
    f->state = FIBER_READY;
    f->next_ready = NULL;
    if (fibers.ready_tail != NULL)
        fibers.ready_tail->next_ready = f;
    else
        fibers.ready_head = f;
    fibers.ready_tail = f;
}

static void drain(void *arg);

/* On the loop's stack: runs f (if any), then those that became ready meanwhile. Two fibers that
 * wake each other for ever must not keep the loop from its descriptors: past a bound the rest waits
 * for the next turn. */
static void run_ready(struct fiber *f)
{
    unsigned budget = SWITCHES_PER_TURN;

    if (f != NULL)
        switch_into(f);
    if (fibers.draining)
        return;
    fibers.draining = true;
    while (fibers.ready_head != NULL && budget-- > 0) {
        struct fiber *next = fibers.ready_head;
        fibers.ready_head = next->next_ready;
        if (fibers.ready_head == NULL)
            fibers.ready_tail = NULL;
        fibers.stats.parked--;
        switch_into(next);
    }
    fibers.draining = false;
    if (fibers.ready_head != NULL && !fibers.deferred) {
        fibers.deferred = true;
        loop_defer(fibers.ready_head->loop, drain, NULL);
    }
}

static void drain(void *arg)
{
    fibers.deferred = false;
    run_ready(NULL);
}

void fiber_start(struct loop *l, fiber_fn fn, void *arg, const char *name)
{
    struct fiber *f;

    fibers_set_up();
    f = stack_take();
    f->loop = l;
    f->fn = fn;
    f->arg = arg;
    f->name = name;
    f->fake_stack = NULL;
    f->context = make_fcontext(f, f->stack_bytes, fiber_main);
    list_append(&fibers.all, &f->node);
    fibers.stats.started++;
    if (fibers.self != NULL) {
        make_ready(f);
        fibers.stats.parked++;
    } else {
        run_ready(f);
    }
}

struct fiber *fiber_self(void)
{
    return fibers.self;
}

void fiber_suspend(void)
{
    struct fiber *f = fibers.self;

    CHECK(f != NULL);
    f->state = FIBER_PARKED;
    switch_out(f);
}

void fiber_resume(struct fiber *f)
{
    if (f->state == FIBER_READY)
        return; /* it will run and look again */
    CHECK(f->state == FIBER_PARKED);
    if (fibers.self != NULL) {
        make_ready(f);
        return;
    }
    fibers.stats.parked--;
    run_ready(f);
}

void fiber_on_resume(void (*hook)(void))
{
    CHECK(fibers.on_resume == NULL || fibers.on_resume == hook);
    fibers.on_resume = hook;
}

struct fiber_stats fiber_stats(void)
{
    return fibers.stats;
}

/* ---- waiting ---------------------------------------------------------------------------- */

static void on_fiber_timer(void *arg)
{
    struct fiber *f = arg;
    f->timed_out = true;
    fiber_resume(f);
}

static void fiber_timer_start(struct fiber *f, uint64_t ms)
{
    f->timed_out = false;
    if (ms == UINT64_MAX)
        return;
    if (f->timer != NULL && f->timer_loop != f->loop) {
        timer_free(f->timer);
        f->timer = NULL;
    }
    if (f->timer == NULL) {
        f->timer = timer_new(f->loop, on_fiber_timer, f);
        f->timer_loop = f->loop;
    }
    timer_start(f->timer, ms);
}

static void fiber_timer_stop(struct fiber *f, uint64_t ms)
{
    if (ms != UINT64_MAX)
        timer_stop(f->timer);
}

void fiber_sleep_ms(uint64_t ms)
{
    struct fiber *f = fibers.self;

    CHECK(f != NULL);
    fiber_timer_start(f, ms);
    while (!f->timed_out)
        fiber_suspend();
}

struct fd_wait {
    struct fiber *fiber;
    int events;
};

static void on_fd(void *arg, int events)
{
    struct fd_wait *w = arg;
    w->events |= events;
    fiber_resume(w->fiber);
}

int fiber_wait_fd(int fd, int events, uint64_t timeout_ms)
{
    struct fd_wait w = {.fiber = fibers.self};
    struct watch *watch;

    CHECK(w.fiber != NULL);
    watch = watch_new(w.fiber->loop, fd, on_fd, &w);
    watch_set(watch, events);
    fiber_timer_start(w.fiber, timeout_ms);
    while (w.events == 0 && !w.fiber->timed_out)
        fiber_suspend();
    fiber_timer_stop(w.fiber, timeout_ms);
    watch_free(watch);
    return w.events;
}

struct yield {
    struct fiber *fiber;
    bool done;
};

static void on_yielded(void *arg)
{
    struct yield *y = arg;
    y->done = true;
    fiber_resume(y->fiber);
}

void fiber_yield(void)
{
    struct yield y = {.fiber = fibers.self};

    CHECK(y.fiber != NULL);
    loop_defer(y.fiber->loop, on_yielded, &y);
    while (!y.done)
        fiber_suspend();
}

struct fiber_job {
    void (*work)(void *arg);
    void *arg;
    struct yield wait;
};

static void job_work(void *arg)
{
    struct fiber_job *j = arg;
    j->work(j->arg);
}

static void job_done(void *arg)
{
    struct fiber_job *j = arg;
    on_yielded(&j->wait);
}

void fiber_offload(void (*work)(void *arg), void *arg)
{
    struct fiber_job j = {.work = work, .arg = arg, .wait = {.fiber = fibers.self}};

    CHECK(j.wait.fiber != NULL);
    loop_offload(j.wait.fiber->loop, job_work, job_done, &j);
    while (!j.wait.done)
        fiber_suspend();
}

/* ---- conditions and locks --------------------------------------------------------------- */

static void cond_unlink(struct fiber_cond *c, struct fiber_waiter *w)
{
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        c->head = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    else
        c->tail = w->prev;
}

bool fiber_cond_wait(struct fiber_cond *c, uint64_t timeout_ms)
{
    struct fiber *f = fibers.self;
    struct fiber_waiter *w;

    CHECK(f != NULL);
    w = &f->waiter;
    *w = (struct fiber_waiter){.fiber = f, .prev = c->tail};
    if (c->tail != NULL)
        c->tail->next = w;
    else
        c->head = w;
    c->tail = w;
    fiber_timer_start(f, timeout_ms);
    while (!w->woken && !f->timed_out)
        fiber_suspend();
    fiber_timer_stop(f, timeout_ms);
    if (!w->woken)
        cond_unlink(c, w);
    return w->woken;
}

void fiber_cond_signal(struct fiber_cond *c)
{
    struct fiber_waiter *w = c->head;

    if (w == NULL)
        return;
    cond_unlink(c, w);
    w->woken = true;
    fiber_resume(w->fiber);
}

void fiber_cond_broadcast(struct fiber_cond *c)
{
    /* All are made ready before the first one runs: it may wait again (and is not meant then) or
     * free the condition. */
    while (c->head != NULL) {
        struct fiber_waiter *w = c->head;
        cond_unlink(c, w);
        w->woken = true;
        if (w->fiber->state == FIBER_PARKED)
            make_ready(w->fiber);
    }
    if (fibers.self == NULL)
        run_ready(NULL);
}

void fiber_lock(struct fiber_lock *l)
{
    CHECK(fibers.self != NULL && l->owner != fibers.self);
    if (l->owner == NULL) {
        l->owner = fibers.self;
        return;
    }
    fiber_cond_wait(&l->waiters, UINT64_MAX); /* fiber_unlock made us the owner */
    CHECK(l->owner == fibers.self);
}

void fiber_unlock(struct fiber_lock *l)
{
    struct fiber_waiter *w = l->waiters.head;

    CHECK(l->owner == fibers.self);
    l->owner = w ? w->fiber : NULL;
    fiber_cond_signal(&l->waiters);
}
