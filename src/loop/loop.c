#include "loop/loop.h"

#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "loop/loop_internal.h"
#include "loop/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct deferred {
    void (*fn)(void *arg);
    void *arg;
};

struct deferred_queue {
    struct deferred *v;
    size_t n, cap;
};

struct loop {
    uv_loop_t uv;
    uv_idle_t idle;  /* active while something is deferred */
    uv_async_t keep; /* never sent: keeps uv_run from returning for want of handles */
    struct deferred_queue now, next;
    struct poll_table polls;
    bool stop;
};

struct timer {
    uv_timer_t uv;
    struct loop *loop; /* NULL once the loop is gone */
    timer_fn fn;
    void *arg;
    bool freed;
};

struct signal_watch {
    uv_signal_t uv;
    signal_fn fn;
    void *arg;
};

static struct loop *running;

void *loop_alloc(size_t n)
{
    void *p = calloc(1, n);
    CHECK(p != NULL);
    return p;
}

/* ---- the loop --------------------------------------------------------------------------- */

static void run_deferred(struct loop *l)
{
    struct deferred_queue q = l->next;

    /* what is deferred from here on belongs to the next turn */
    l->next = l->now;
    l->next.n = 0;
    l->now = (struct deferred_queue){NULL, 0, 0};
    for (size_t i = 0; i < q.n; i++)
        q.v[i].fn(q.v[i].arg);
    q.n = 0;
    l->now = q;
    if (l->next.n == 0)
        uv_idle_stop(&l->idle);
}

static void on_idle(uv_idle_t *h)
{
    run_deferred(h->data);
}

static void on_never(uv_async_t *h)
{
}

struct loop *loop_new(void)
{
    struct loop *l = loop_alloc(sizeof *l);

    CHECK(uv_loop_init(&l->uv) == 0);
    l->uv.data = l;
    CHECK(uv_idle_init(&l->uv, &l->idle) == 0);
    l->idle.data = l;
    CHECK(uv_async_init(&l->uv, &l->keep, on_never) == 0);
    return l;
}

static void on_signal_closed(uv_handle_t *h)
{
    free(h);
}

static void on_timer_closed(uv_handle_t *h)
{
    struct timer *t = h->data;

    if (t->freed)
        free(t);
    else
        t->loop = NULL; /* the loop went first: the owner still calls timer_free */
}

static void close_handle(uv_handle_t *h, void *arg)
{
    if (uv_is_closing(h))
        return;
    if (h->type == UV_TIMER)
        uv_close(h, on_timer_closed);
    else if (h->type == UV_SIGNAL)
        uv_close(h, on_signal_closed);
    else if (h->type != UV_POLL)
        uv_close(h, NULL);
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    fiber_loop_gone(l);
    poll_table_done(&l->polls);
    uv_walk(&l->uv, close_handle, NULL);
    while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0)
        ;
    CHECK(uv_loop_close(&l->uv) == 0);
    free(l->now.v);
    free(l->next.v);
    free(l);
}

void loop_run(struct loop *l)
{
    struct loop *outer = running;

    running = l;
    while (!l->stop)
        uv_run(&l->uv, UV_RUN_DEFAULT);
    l->stop = false;
    running = outer;
}

void loop_stop(struct loop *l)
{
    l->stop = true;
    uv_stop(&l->uv);
}

struct loop *loop_current(void)
{
    return running;
}

uint64_t loop_now_ms(struct loop *l)
{
    return uv_now(&l->uv);
}

void loop_defer(struct loop *l, void (*fn)(void *arg), void *arg)
{
    struct deferred_queue *q = &l->next;

    if (q->n == q->cap) {
        q->cap = q->cap ? q->cap * 2 : 64;
        q->v = realloc(q->v, q->cap * sizeof *q->v);
        CHECK(q->v != NULL);
    }
    q->v[q->n++] = (struct deferred){fn, arg};
    if (q->n == 1)
        uv_idle_start(&l->idle, on_idle);
}

struct uv_loop_s *loop_uv(struct loop *l)
{
    return &l->uv;
}

struct poll_table *loop_polls(struct loop *l)
{
    return &l->polls;
}

/* ---- timers ----------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *h)
{
    struct timer *t = h->data;
    t->fn(t->arg);
}

struct timer *timer_new(struct loop *l, timer_fn fn, void *arg)
{
    struct timer *t = loop_alloc(sizeof *t);

    CHECK(uv_timer_init(&l->uv, &t->uv) == 0);
    t->uv.data = t;
    t->loop = l;
    t->fn = fn;
    t->arg = arg;
    return t;
}

static void timer_set(struct timer *t, uint64_t ms, uint64_t again_ms)
{
    if (t->loop == NULL)
        return;
    /* from now, not from the beginning of a turn that may have been long */
    uv_update_time(&t->loop->uv);
    uv_timer_start(&t->uv, on_timer, ms, again_ms);
}

void timer_start(struct timer *t, uint64_t ms)
{
    timer_set(t, ms, 0);
}

void timer_repeat(struct timer *t, uint64_t ms)
{
    timer_set(t, ms, ms ? ms : 1);
}

void timer_stop(struct timer *t)
{
    if (t->loop != NULL)
        uv_timer_stop(&t->uv);
}

void timer_free(struct timer *t)
{
    if (t == NULL)
        return;
    CHECK(!t->freed);
    if (t->loop == NULL) {
        free(t);
        return;
    }
    t->freed = true;
    uv_timer_stop(&t->uv);
    uv_close((uv_handle_t *)&t->uv, on_timer_closed);
}

/* ---- signals ---------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *h, int signo)
{
    struct signal_watch *s = h->data;
    s->fn(s->arg, signo);
}

void loop_signal(struct loop *l, int signo, signal_fn fn, void *arg)
{
    struct signal_watch *s = loop_alloc(sizeof *s);

    CHECK(uv_signal_init(&l->uv, &s->uv) == 0);
    s->uv.data = s;
    s->fn = fn;
    s->arg = arg;
    CHECK(uv_signal_start(&s->uv, on_signal, signo) == 0);
}

/* ---- helper threads --------------------------------------------------------------------- */

struct offload {
    uv_work_t uv;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static bool threads_set;

void loop_threads(unsigned threads)
{
    char text[16];

    CHECK(threads > 0 && threads <= 1024);
    snprintf(text, sizeof text, "%u", threads);
    CHECK(setenv("UV_THREADPOOL_SIZE", text, 1) == 0);
    threads_set = true;
}

static void on_work(uv_work_t *w)
{
    struct offload *o = w->data;
    o->work(o->arg);
}

static void on_work_done(uv_work_t *w, int status)
{
    struct offload *o = w->data;
    void (*done)(void *) = o->done;
    void *arg = o->arg;

    free(o);
    if (done != NULL)
        done(arg);
}

void loop_offload(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    struct offload *o = loop_alloc(sizeof *o);

    if (!threads_set)
        loop_threads(1);
    *o = (struct offload){.work = work, .done = done, .arg = arg};
    o->uv.data = o;
    CHECK(uv_queue_work(&l->uv, &o->uv, on_work, on_work_done) == 0);
}
