#include "loop/watch.h"

#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "loop/loop_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

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
    struct loop *loop;
    int fd;
    uint32_t serial; /* an event may be older than the descriptor that now has its number */
    int registered;  /* what the kernel was asked for; 0: it knows nothing of this one */
    struct list watches;
    unsigned running; /* callbacks on the stack: watches are unlinked, not freed */
    bool dying;
    bool deaf; /* the kernel does not watch such a descriptor: no callback ever */
};

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

static void poll_register(struct poll *p, int events)
{
    struct epoll_event e = {
        .events = (events & WATCH_READ ? EPOLLIN : 0u) | (events & WATCH_WRITE ? EPOLLOUT : 0u),
        .data.u64 = (uint64_t)p->serial << 32 | (uint32_t)p->fd,
    };
    int op = events == 0 ? EPOLL_CTL_DEL : p->registered == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

    if (p->deaf || events == p->registered)
        return;
    if (epoll_ctl(loop_epoll(p->loop), op, p->fd, &e) == 0) {
        p->registered = events;
        return;
    }
    if (events == 0) { /* its owner closed it before the watch */
        p->registered = 0;
        return;
    }
    /* a regular file: a peer may have handed it over in place of a socket, and then waits for ever
     * for what it wants */
    log_error("descriptor %d cannot be watched: %s", p->fd, strerror(errno));
    p->deaf = true;
}

static void poll_drop(struct poll *p)
{
    struct poll_table *t = loop_polls(p->loop);

    CHECK(t->v[p->fd] == p);
    t->v[p->fd] = NULL;
    poll_register(p, 0);
    if (p->running > 0)
        p->dying = true; /* freed when its callbacks are through */
    else
        free(p);
}

/* The watches that were freed meanwhile; and the poll, if none is left. */
static void poll_sweep(struct poll *p)
{
    list_for_each (&p->watches, struct watch, node, w) {
        w->fresh = false;
        if (w->freed) {
            list_remove(&w->node);
            free(w);
        }
    }
    if (p->dying)
        free(p);
    else if (list_empty(&p->watches))
        poll_drop(p);
    else if (poll_wanted(p) & ~p->registered)
        poll_register(p, poll_wanted(p));
}

static void poll_call(struct poll *p, int events)
{
    int wanted = poll_wanted(p);

    if ((events & wanted) == 0) {
        poll_register(p, wanted); /* interest that was given up: now it is worth a system call */
        return;
    }
    p->running++;
    for (struct list *n = p->watches.next; n != &p->watches; n = n->next) {
        struct watch *w = list_item(n, struct watch, node);
        if (!w->freed && !w->fresh && (w->events & events))
            w->fn(w->arg, w->events & events);
    }
    if (--p->running == 0)
        poll_sweep(p);
}

void poll_event(struct loop *l, uint64_t data, uint32_t events)
{
    struct poll_table *t = loop_polls(l);
    struct poll *p = (uint32_t)data < t->n ? t->v[(uint32_t)data] : NULL;
    int what = (events & EPOLLIN ? WATCH_READ : 0) | (events & EPOLLOUT ? WATCH_WRITE : 0);

    if (p == NULL || p->serial != data >> 32)
        return;
    if (events & (EPOLLERR | EPOLLHUP)) /* the owner learns of it by reading or writing */
        what = WATCH_READ | WATCH_WRITE;
    poll_call(p, what);
}

static struct poll *poll_get(struct loop *l, int fd)
{
    struct poll_table *t = loop_polls(l);
    struct poll *p;

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
    p->loop = l;
    p->fd = fd;
    p->serial = ++t->serial;
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
    *t = (struct poll_table){.n = 0};
}
