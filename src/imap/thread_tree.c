#include "imap/thread_tree.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"

#include <stdlib.h>

enum {
    BYTES_MAX = 256 << 20,
    NODES_MAX = 2000000,
    /* So far up it is looked whether a link would close a circle; where that does not tell, none is
     * made. */
    ANCESTORS_MAX = 1000,
};

/* A message, or one that is only known from References ("dummy"). */
struct node {
    struct node *parent, *child, *last, *next;
    bool real, reply;
    uint32_t number, order;
    int64_t date;
    struct span subject;
};

struct threads {
    enum thread_kind kind;
    struct arena *arena;
    struct map *by_id;
    struct node **all; /* the real ones first in their order, after sorting by date */
    size_t n, cap, nodes, id_bytes;
};

struct threads *threads_new(enum thread_kind kind)
{
    struct threads *t = calloc(1, sizeof *t);

    CHECK(t);
    t->kind = kind;
    t->arena = arena_new(BYTES_MAX);
    t->by_id = map_new();
    return t;
}

void threads_free(struct threads *t)
{
    if (!t)
        return;
    arena_free(t->arena);
    map_free(t->by_id);
    free(t->all);
    free(t);
}

static struct node *node_new(struct threads *t)
{
    struct node *x = t->nodes < NODES_MAX ? ARENA_ARRAY(t->arena, struct node, 1) : NULL;

    t->nodes += x != NULL;
    return x;
}

static struct node *node_of_id(struct threads *t, struct span id)
{
    struct node *x = map_get(t->by_id, id);

    if (x)
        return x;
    t->id_bytes += id.n;
    x = t->id_bytes < BYTES_MAX ? node_new(t) : NULL;
    if (x)
        map_set(t->by_id, id, x);
    return x;
}

/* ------------------------------------------------------------------ step 1: who answers whom */

/* Would it close a circle if `child` hung below `parent`? */
static bool may_hang(const struct node *child, const struct node *parent)
{
    unsigned steps = 0;

    for (const struct node *x = parent; x; x = x->parent)
        if (x == child || ++steps > ANCESTORS_MAX)
            return false;
    return true;
}

static bool link_references(struct threads *t, struct node *self, struct span references)
{
    struct node *before = NULL, *x;
    struct span id;

    while (span_split(&references, ' ', &id)) {
        if (id.n == 0)
            continue;
        x = node_of_id(t, id);
        if (!x)
            return false;
        if (before && !x->parent && may_hang(x, before))
            x->parent = before;
        before = x;
    }
    /* what the message itself says counts more than what others have said of it */
    if (before != self->parent) {
        self->parent = NULL;
        if (before && may_hang(self, before))
            self->parent = before;
    }
    return true;
}

bool threads_add(struct threads *t, const struct thread_message *m)
{
    struct node *x = NULL;

    if (t->kind == THREAD_REFERENCES && m->message_id.n) {
        x = node_of_id(t, m->message_id);
        if (!x)
            return false;
    }
    if (!x || x->real) /* none, or one that another message has already */
        x = node_new(t);
    if (!x)
        return false;
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 256;
        t->all = reallocarray(t->all, t->cap, sizeof *t->all);
        CHECK(t->all);
    }
    t->all[t->n] = x;
    x->real = true;
    x->reply = m->reply;
    x->number = m->number;
    x->order = (uint32_t)t->n++;
    x->date = m->date;
    x->subject = arena_span(t->arena, m->subject);
    if (m->subject.n && !x->subject.p)
        return false;
    return t->kind != THREAD_REFERENCES || link_references(t, x, m->references);
}

/* ------------------------------------------------------------------ lists in order */

static int by_date(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;

    if (x->date != y->date)
        return x->date < y->date ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void sort(struct node **v, size_t n)
{
    if (n)
        qsort(v, n, sizeof *v, by_date);
}

static void append_child(struct node *parent, struct node *x)
{
    x->next = NULL;
    if (parent->last)
        parent->last->next = x;
    else
        parent->child = x;
    parent->last = x;
}

/* All messages are in the order of their dates, so each list of children comes out in it. */
static void hang_children(struct threads *t)
{
    for (size_t i = 0; i < t->n; i++)
        t->all[i]->child = t->all[i]->last = NULL;
    for (size_t i = 0; i < t->n; i++)
        if (t->all[i]->parent && !t->all[i]->parent->real)
            t->all[i]->parent->child = t->all[i]->parent->last = NULL;
    for (size_t i = 0; i < t->n; i++)
        if (t->all[i]->parent)
            append_child(t->all[i]->parent, t->all[i]);
}

struct roots {
    struct node **v;
    size_t n;
};

/* A message without a parent is a root, a dummy is one when its first child comes by. */
static void collect_roots(struct threads *t, struct roots *r)
{
    r->n = 0;
    for (size_t i = 0; i < t->n; i++) {
        struct node *x = t->all[i], *p = x->parent;
        if (!p) {
            r->v[r->n++] = x;
        } else if (!p->real && p->child == x) {
            p->date = x->date;
            p->order = x->order;
            p->subject = x->subject;
            r->v[r->n++] = p;
        }
    }
    sort(r->v, r->n);
}

/* ------------------------------------------------------------------ steps 2 and 3: dummies */

/* The nearest ancestor that is a message, or else the uppermost dummy. */
static struct node *above(struct node *x)
{
    struct node *p = x->parent, *end;

    if (!p || p->real)
        return p;
    for (end = p; end->parent && !end->real;)
        end = end->parent;
    while (p != end) { /* shorter for the next one */
        struct node *up = p->parent;
        p->parent = end;
        p = up;
    }
    return end;
}

static void prune(struct threads *t)
{
    for (size_t i = 0; i < t->n; i++)
        t->all[i]->parent = above(t->all[i]);
    hang_children(t);
    for (size_t i = 0; i < t->n; i++) {
        struct node *p = t->all[i]->parent;
        if (p && !p->real && p->child == p->last)
            t->all[i]->parent = NULL;
    }
}

/* ------------------------------------------------------------------ step 5: equal subjects */

static struct map *subject_table(const struct roots *r)
{
    struct map *table = map_new();

    for (size_t i = 0; i < r->n; i++) {
        struct node *x = r->v[i], *old;
        if (x->subject.n == 0)
            continue;
        old = map_get(table, x->subject);
        if (!old || (!x->real && old->real) || (old->real && old->reply && x->real && !x->reply))
            map_set(table, x->subject, x);
    }
    return table;
}

static void merge(struct threads *t, struct map *table, struct node *x, struct node *first)
{
    if (!x->real && !first->real) {
        for (struct node *c = x->child; c; c = c->next)
            c->parent = first;
    } else if (!first->real || (x->reply && !first->reply)) {
        x->parent = first;
    } else {
        struct node *both = node_new(t);
        if (!both) /* they stay apart */
            return;
        x->parent = first->parent = both;
        map_set(table, x->subject, both);
    }
}

static void merge_subjects(struct threads *t, struct roots *r)
{
    struct map *table = subject_table(r);

    for (size_t i = 0; i < r->n; i++) {
        struct node *x = r->v[i];
        struct node *first = x->subject.n ? map_get(table, x->subject) : NULL;
        if (first && first != x && x->parent != first)
            merge(t, table, x, first);
    }
    map_free(table);
}

static void by_references(struct threads *t, struct roots *r)
{
    sort(t->all, t->n);
    prune(t);
    hang_children(t);
    collect_roots(t, r);
    merge_subjects(t, r);
    hang_children(t);
    collect_roots(t, r);
}

/* ------------------------------------------------------------------ ORDEREDSUBJECT */

static void by_subject(struct threads *t, struct roots *r)
{
    struct map *table = map_new();

    sort(t->all, t->n);
    for (size_t i = 0; i < t->n; i++) {
        struct node *first = map_get(table, t->all[i]->subject);
        if (first)
            t->all[i]->parent = first;
        else
            map_set(table, t->all[i]->subject, t->all[i]);
    }
    map_free(table);
    hang_children(t);
    collect_roots(t, r);
}

/* ------------------------------------------------------------------ output */

/* Does a list of its own begin with this node? */
static bool heads_list(const struct node *x, const struct node *root)
{
    return x == root || x->parent->child->next;
}

/* thread-list = "(" (thread-members / thread-nested) ")" ; thread-members = nz-number *(SP
 * nz-number) [SP thread-nested] ; thread-nested = 2*thread-list */
static void put_thread(const struct node *root, struct buf *out)
{
    const struct node *x = root;

    buf_putc(out, '(');
    for (;;) {
        if (x->real)
            buf_put_u64(out, x->number);
        if (x->child) {
            if (x->real)
                buf_putc(out, ' ');
            if (x->child->next)
                buf_putc(out, '(');
            x = x->child;
            continue;
        }
        for (;; x = x->parent) {
            if (heads_list(x, root))
                buf_putc(out, ')');
            if (x == root)
                return;
            if (x->next)
                break;
        }
        buf_putc(out, '(');
        x = x->next;
    }
}

void threads_put(struct threads *t, struct buf *out, void (*flush)(struct buf *out, void *arg),
                 void *arg)
{
    struct roots r = {.v = t->n ? malloc(t->n * sizeof *r.v) : NULL};

    if (!r.v)
        return;
    if (t->kind == THREAD_REFERENCES)
        by_references(t, &r);
    else
        by_subject(t, &r);
    for (size_t i = 0; i < r.n; i++) {
        put_thread(r.v[i], out);
        flush(out, arg);
    }
    free(r.v);
}
