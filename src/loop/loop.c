#include "loop/loop.h"

#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "loop/loop_internal.h"
#include "loop/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { EVENTS_PER_TURN = 256 };

struct deferred {
    void (*fn)(void *arg);
    void *arg;
};

struct deferred_queue {
    struct deferred *v;
    size_t n, cap;
};

/*
 * Descriptors and timers are our own: a poll handle of libuv costs a connection six system calls
 * and a timer handle one more wait of the kernel, which was a tenth of a login. libuv keeps signals
 * and helper threads; its own descriptor is one of those watched.
 */
struct loop {
    int epoll;
    uv_loop_t uv;
    bool uv_news;    /* libuv has something to tell its kernel side */
    uv_async_t keep; /* never sent: libuv looks at nothing while it has no handles */
    uint64_t now_ms;
    struct deferred_queue now, next;
    struct poll_table polls;
    struct timer_table timers;
    bool stop;
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
}

static void on_never(uv_async_t *h)
{
}

uint64_t loop_clock(struct loop *l)
{
    struct timespec t;

    /* not base/clock: waiting goes on while a test has that one stopped */
    clock_gettime(CLOCK_MONOTONIC, &t);
    l->now_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    return l->now_ms;
}

struct loop *loop_new(void)
{
    struct loop *l = loop_alloc(sizeof *l);
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = POLL_DATA_NONE};

    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(l->epoll >= 0);
    CHECK(uv_loop_init(&l->uv) == 0);
    CHECK(uv_async_init(&l->uv, &l->keep, on_never) == 0);
    CHECK(epoll_ctl(l->epoll, EPOLL_CTL_ADD, uv_backend_fd(&l->uv), &e) == 0);
    l->uv_news = true;
    timer_table_init(&l->timers);
    loop_clock(l);
    return l;
}

static void on_signal_closed(uv_handle_t *h)
{
    free(h);
}

static void close_handle(uv_handle_t *h, void *arg)
{
    if (!uv_is_closing(h))
        uv_close(h, h->type == UV_SIGNAL ? on_signal_closed : NULL);
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    fiber_loop_gone(l);
    poll_table_done(&l->polls);
    timer_table_done(&l->timers);
    uv_walk(&l->uv, close_handle, NULL);
    while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0)
        ;
    CHECK(uv_loop_close(&l->uv) == 0);
    close(l->epoll);
    free(l->now.v);
    free(l->next.v);
    free(l);
}

static void run_uv(struct loop *l)
{
    l->uv_news = false;
    uv_run(&l->uv, UV_RUN_NOWAIT);
}

static void wait_events(struct loop *l)
{
    struct epoll_event e[EVENTS_PER_TURN];
    int timeout =
        l->stop || l->next.n > 0 || l->uv_news ? 0 : timers_wait_ms(&l->timers, loop_clock(l));
    int n = epoll_wait(l->epoll, e, EVENTS_PER_TURN, timeout);

    CHECK(n >= 0 || errno == EINTR);
    loop_clock(l);
    for (int i = 0; i < n; i++) {
        if (e[i].data.u64 == POLL_DATA_NONE)
            run_uv(l);
        else
            poll_event(l, e[i].data.u64, e[i].events);
    }
}

void loop_run(struct loop *l)
{
    struct loop *outer = running;

    running = l;
    loop_clock(l);
    while (!l->stop) {
        timers_run(l);
        /* twice: what deferred work has answered goes out before more questions are read */
        for (int i = 0; i < 2 && l->next.n > 0; i++)
            run_deferred(l);
        if (l->uv_news)
            run_uv(l);
        wait_events(l);
    }
    l->stop = false;
    running = outer;
}

void loop_stop(struct loop *l)
{
    l->stop = true;
}

struct loop *loop_current(void)
{
    return running;
}

uint64_t loop_now_ms(struct loop *l)
{
    return l->now_ms;
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
}

int loop_epoll(struct loop *l)
{
    return l->epoll;
}

struct timer_table *loop_timers(struct loop *l)
{
    return &l->timers;
}

struct poll_table *loop_polls(struct loop *l)
{
    return &l->polls;
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
    l->uv_news = true;
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
