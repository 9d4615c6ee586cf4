#include "loop/watch.h"

#include "base/check.h"
#include "base/list.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

struct watch {
    struct list node;  /* in poll.watches */
    struct poll *poll; /* NULL once the loop is gone */
    watch_fn fn;
    void *arg;
    int events;
    bool freed;
    bool fresh; /* made while callbacks ran: what they were told may be stale for it */
};

/*
 * Interest is given up lazily: a session that stops looking while a command runs and looks again
 * afterwards costs no system call unless something arrived in between.
 */
struct poll {
    uv_poll_t uv;
    struct loop *loop;
    int fd;
    int registered; /* what the kernel was asked for */
    struct list watches;
    unsigned running; /* callbacks on the stack: watches are unlinked, not freed */
    bool dying;
    bool deaf; /* the kernel does not watch such a descriptor: no callback ever */
};

static const int uv_event[4] = {0, UV_READABLE, UV_WRITABLE, UV_READABLE | UV_WRITABLE};

static int poll_wanted(struct poll *p)
{
    int wanted = 0;
    for (struct list *n = p->watches.next; n != &p->watches; n = n->next) {
        struct watch *w = list_item(n, struct watch, node);
        if (!w->freed)
            wanted |= w->events;
    }
    return wanted;
}

static void on_poll(uv_poll_t *h, int status, int uv_events);

static void poll_register(struct poll *p, int events)
{
    int r;

    if (p->deaf)
        return;
    r = events ? uv_poll_start(&p->uv, uv_event[events], on_poll) : uv_poll_stop(&p->uv);

    p->registered = r == 0 ? events : 0;
    if (r != 0)
        log_error("descriptor %d cannot be watched: %s", p->fd, uv_strerror(r));
}

static void on_poll_closed(uv_handle_t *h)
{
    free(h->data);
}

static void poll_drop(struct poll *p)
{
    struct poll_table *t = loop_polls(p->loop);

    if (p->dying)
        return;
    p->dying = true;
    CHECK(t->v[p->fd] == p);
    t->v[p->fd] = NULL;
    if (p->deaf) {
        free(p);
        return;
    }
    uv_poll_stop(&p->uv);
    uv_close((uv_handle_t *)&p->uv, on_poll_closed);
}

static void poll_sweep(struct poll *p)
{
    list_for_each (&p->watches, struct watch, node, w) {
        w->fresh = false;
        if (w->freed) {
            list_remove(&w->node);
            free(w);
        }
    }
    if (list_empty(&p->watches))
        poll_drop(p);
}

static void on_poll(uv_poll_t *h, int status, int uv_events)
{
    struct poll *p = h->data;
    int events = 0, wanted = poll_wanted(p);

    if (status < 0) {
        /* libuv has stopped the handle; the owner learns of it by reading or writing */
        p->registered = 0;
        events = wanted;
    } else {
        events = (uv_events & UV_READABLE ? WATCH_READ : 0) |
                 (uv_events & UV_WRITABLE ? WATCH_WRITE : 0);
    }
    if (wanted == 0 || (events & wanted) == 0) {
        if (p->registered != wanted)
            poll_register(p, wanted);
        return;
    }
    p->running++;
    for (struct list *n = p->watches.next; n != &p->watches; n = n->next) {
        struct watch *w = list_item(n, struct watch, node);
        if (!w->freed && !w->fresh && (w->events & events))
            w->fn(w->arg, w->events & events);
    }
    p->running--;
    poll_sweep(p);
    if (!p->dying && (wanted = poll_wanted(p)) & ~p->registered)
        poll_register(p, wanted);
}

static struct poll *poll_get(struct loop *l, int fd)
{
    struct poll_table *t = loop_polls(l);
    struct poll *p;
    int r;

    CHECK(fd >= 0);
    if ((size_t)fd >= t->n) {
        size_t n = t->n ? t->n : 64;
        while (n <= (size_t)fd)
            n *= 2;
        t->v = realloc(t->v, n * sizeof *t->v);
        CHECK(t->v != NULL);
        for (size_t i = t->n; i < n; i++)
            t->v[i] = NULL;
        t->n = n;
    }
    if (t->v[fd] != NULL)
        return t->v[fd];
    p = loop_alloc(sizeof *p);
    r = uv_poll_init(loop_uv(l), &p->uv, fd);
    if (r != 0) {
        /* a regular file: a peer may have handed it over in place of a socket, and then waits for
         * ever for what it wants */
        log_error("descriptor %d cannot be watched: %s", fd, uv_strerror(r));
        p->deaf = true;
    }
    p->uv.data = p;
    p->loop = l;
    p->fd = fd;
    list_init(&p->watches);
    t->v[fd] = p;
    return p;
}

struct watch *watch_new(struct loop *l, int fd, watch_fn fn, void *arg)
{
    struct watch *w = loop_alloc(sizeof *w);

    w->poll = poll_get(l, fd);
    w->fn = fn;
    w->arg = arg;
    w->fresh = w->poll->running > 0;
    list_append(&w->poll->watches, &w->node);
    return w;
}

void watch_set(struct watch *w, int events)
{
    int wanted;

    w->events = events & (WATCH_READ | WATCH_WRITE);
    if (w->poll == NULL || w->poll->running)
        return; /* looked at again when the callbacks are through */
    wanted = poll_wanted(w->poll);
    if (wanted & ~w->poll->registered)
        poll_register(w->poll, wanted);
}

void watch_free(struct watch *w)
{
    struct poll *p;

    if (w == NULL)
        return;
    CHECK(!w->freed);
    p = w->poll;
    if (p == NULL) {
        free(w);
        return;
    }
    if (p->running) {
        w->freed = true;
        /* the descriptor may be closed and its number used again before the callbacks are through
         */
        for (struct list *n = p->watches.next; n != &p->watches; n = n->next)
            if (!list_item(n, struct watch, node)->freed)
                return;
        poll_drop(p);
        return;
    }
    list_remove(&w->node);
    free(w);
    if (list_empty(&p->watches))
        poll_drop(p);
}

void poll_table_done(struct poll_table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct poll *p = t->v[i];
        if (p == NULL)
            continue;
        list_for_each (&p->watches, struct watch, node, w) {
            list_remove(&w->node);
            w->poll = NULL;
        }
        poll_drop(p);
    }
    free(t->v);
    *t = (struct poll_table){NULL, 0};
}
