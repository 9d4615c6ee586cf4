#include "base/check.h"
#include "loop/loop_internal.h"

#include <limits.h>
#include <stdlib.h>

enum { NOT_RUNNING = -1 };

struct timer {
    struct list node;  /* in all */
    struct loop *loop; /* NULL once the loop is gone */
    timer_fn fn;
    void *arg;
    uint64_t due_ms, again_ms, serial;
    ptrdiff_t at; /* in the heap */
};

void timer_table_init(struct timer_table *t)
{
    *t = (struct timer_table){.n = 0};
    list_init(&t->all);
}

void timer_table_done(struct timer_table *t)
{
    list_for_each (&t->all, struct timer, node, timer) {
        list_remove(&timer->node);
        timer->loop = NULL; /* the loop went first: the owner still calls timer_free */
        timer->at = NOT_RUNNING;
    }
    free(t->heap);
    timer_table_init(t);
}

/* ---- the heap --------------------------------------------------------------------------- */

static bool before(const struct timer *a, const struct timer *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->serial < b->serial;
}

static void put(struct timer_table *t, struct timer *timer, size_t at)
{
    t->heap[at] = timer;
    timer->at = (ptrdiff_t)at;
}

static void rise(struct timer_table *t, struct timer *timer, size_t at)
{
    while (at > 0 && before(timer, t->heap[(at - 1) / 2])) {
        put(t, t->heap[(at - 1) / 2], at);
        at = (at - 1) / 2;
    }
    put(t, timer, at);
}

static void sink(struct timer_table *t, struct timer *timer, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < t->n; at = child) {
        if (child + 1 < t->n && before(t->heap[child + 1], t->heap[child]))
            child++;
        if (!before(t->heap[child], timer))
            break;
        put(t, t->heap[child], at);
    }
    put(t, timer, at);
}

static void settle(struct timer_table *t, struct timer *timer, size_t at)
{
    if (at > 0 && before(timer, t->heap[(at - 1) / 2]))
        rise(t, timer, at);
    else
        sink(t, timer, at);
}

static void heap_add(struct timer_table *t, struct timer *timer)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->heap = realloc(t->heap, t->cap * sizeof(struct timer *));
        CHECK(t->heap != NULL);
    }
    rise(t, timer, t->n++);
}

static void heap_remove(struct timer_table *t, struct timer *timer)
{
    size_t at = (size_t)timer->at;
    struct timer *last = t->heap[--t->n];

    timer->at = NOT_RUNNING;
    if (last != timer)
        settle(t, last, at);
}

/* ---- timers ----------------------------------------------------------------------------- */

struct timer *timer_new(struct loop *l, timer_fn fn, void *arg)
{
    struct timer *t = loop_alloc(sizeof *t);

    t->loop = l;
    t->fn = fn;
    t->arg = arg;
    t->at = NOT_RUNNING;
    list_append(&loop_timers(l)->all, &t->node);
    return t;
}

static void timer_set(struct timer *t, uint64_t now_ms, uint64_t ms)
{
    struct timer_table *table = loop_timers(t->loop);

    t->due_ms = ms > UINT64_MAX - now_ms ? UINT64_MAX : now_ms + ms;
    t->serial = ++table->serial;
    if (t->at == NOT_RUNNING)
        heap_add(table, t);
    else
        settle(table, t, (size_t)t->at);
}

void timer_start(struct timer *t, uint64_t ms)
{
    t->again_ms = 0;
    if (t->loop != NULL) /* from now, not from the beginning of a turn that may have been long */
        timer_set(t, loop_clock(t->loop), ms);
}

void timer_repeat(struct timer *t, uint64_t ms)
{
    timer_start(t, ms);
    t->again_ms = ms ? ms : 1;
}

void timer_stop(struct timer *t)
{
    if (t->at != NOT_RUNNING)
        heap_remove(loop_timers(t->loop), t);
}

void timer_free(struct timer *t)
{
    if (t == NULL)
        return;
    timer_stop(t);
    list_remove(&t->node);
    free(t);
}

void timers_run(struct loop *l)
{
    struct timer_table *table = loop_timers(l);
    uint64_t now = loop_now_ms(l), last = table->serial;

    /* what a callback starts belongs to the next turn, or the descriptors might never have theirs;
     * it is no earlier than what is due now, so the first such at the top ends this one */
    while (table->n > 0 && table->heap[0]->due_ms <= now && table->heap[0]->serial <= last) {
        struct timer *t = table->heap[0];
        if (t->again_ms > 0)
            timer_set(t, now, t->again_ms);
        else
            heap_remove(table, t);
        t->fn(t->arg); /* t may be gone now */
    }
}

int timers_wait_ms(const struct timer_table *t, uint64_t now_ms)
{
    if (t->n == 0)
        return -1;
    uint64_t due = t->heap[0]->due_ms;
    return due <= now_ms ? 0 : due - now_ms > INT_MAX ? INT_MAX : (int)(due - now_ms);
}
