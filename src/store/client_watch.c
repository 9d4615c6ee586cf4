#include "store/client.h"

#include "base/check.h"
#include <stdlib.h>

struct store_watch {
    struct list node; /* all watches of the mailbox, one ring */
    struct store *store;
    uint64_t mailbox;
    void (*fn)(void *arg);
    void *arg;
};

/* One head a mailbox, so that watches may come and go while they are called. */
struct head {
    struct list ring;
    bool calling;
};

static void send_watch(struct store *s, uint64_t mailbox, bool on)
{
    struct buf b = BUF(32);

    if (!s->attached)
        return;
    wr_u64(&b, mailbox);
    wr_bool(&b, on);
    wr_u64(&b, client_snapshot(s));
    link_send(s->link, MSG_STORE_WATCH, buf_span(&b), NULL, 0);
    buf_done(&b);
}

struct store_watch *store_watch(struct store *s, uint64_t mailbox, void (*fn)(void *arg), void *arg)
{
    struct head *h = map64_get(s->watches, mailbox);
    struct store_watch *w = calloc(1, sizeof(*w));

    CHECK(w);
    if (!h) {
        h = calloc(1, sizeof(*h));
        CHECK(h);
        list_init(&h->ring);
        map64_set(s->watches, mailbox, h);
        send_watch(s, mailbox, true);
    }
    w->store = s;
    w->mailbox = mailbox;
    w->fn = fn;
    w->arg = arg;
    list_append(&h->ring, &w->node);
    return w;
}

static void head_drop(struct store *s, uint64_t mailbox, struct head *h)
{
    if (!list_empty(&h->ring) || h->calling)
        return;
    map64_remove(s->watches, mailbox);
    free(h);
    send_watch(s, mailbox, false);
}

void store_unwatch(struct store_watch *w)
{
    if (!w)
        return;
    struct head *h = map64_get(w->store->watches, w->mailbox);
    list_remove(&w->node);
    if (h)
        head_drop(w->store, w->mailbox, h);
    free(w);
}

void watch_changed(struct store *s, uint64_t mailbox)
{
    struct head *h;
    struct list todo;

    if (s->on_any) /* it may take the last watch of the mailbox away, and its head with it */
        s->on_any(s->on_any_arg, mailbox);
    h = map64_get(s->watches, mailbox);
    if (!h || h->calling)
        return;
    /* Each is moved back before it is called: it may unwatch itself and any other. */
    list_init(&todo);
    h->calling = true;
    while (!list_empty(&h->ring)) {
        struct list *n = h->ring.next;
        list_remove(n);
        list_append(&todo, n);
    }
    while (!list_empty(&todo)) {
        struct store_watch *w = list_item(todo.next, struct store_watch, node);
        list_remove(&w->node);
        list_append(&h->ring, &w->node);
        w->fn(w->arg);
    }
    h->calling = false;
    head_drop(s, mailbox, h);
}

static bool watch_again(uint64_t mailbox, void *value, void *arg)
{
    send_watch(arg, mailbox, true);
    return true;
}

void watch_all_again(struct store *s)
{
    follow_again(s);
    map64_each(s->watches, watch_again, s);
}
