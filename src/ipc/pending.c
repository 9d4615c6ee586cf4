#include "ipc/pending.h"

#include "base/check.h"

#include <stdlib.h>

uint32_t pending_add(struct pending_table *t, unsigned id, link_done_fn done, void *arg)
{
    struct pending *p;
    uint32_t slot;

    if (t->first_free != 0) {
        slot = t->first_free - 1;
        t->first_free = t->v[slot].next_free;
    } else {
        if (t->n == PENDING_MAX)
            return 0;
        if (t->n == t->cap) {
            t->cap = t->cap ? t->cap * 2 : 32;
            t->v = realloc(t->v, t->cap * sizeof *t->v);
            CHECK(t->v != NULL);
        }
        slot = t->n++;
        t->v[slot].generation = 0;
    }
    p = &t->v[slot];
    if (++p->generation == 0)
        p->generation = 1;
    p->used = true;
    p->id = id;
    p->done = done;
    p->arg = arg;
    t->used++;
    return (uint32_t)p->generation << 16 | slot;
}

static struct pending *pending_find(struct pending_table *t, uint32_t call)
{
    uint32_t slot = call & 0xffff;
    return slot < t->n && t->v[slot].used && t->v[slot].generation == call >> 16 ? &t->v[slot]
                                                                                 : NULL;
}

bool pending_take(struct pending_table *t, uint32_t call, unsigned id, struct pending *ret)
{
    struct pending *p = pending_find(t, call);

    if (p == NULL || p->id != id)
        return false;
    *ret = *p;
    p->used = false;
    p->next_free = t->first_free;
    t->first_free = (call & 0xffff) + 1;
    t->used--;
    return true;
}

void pending_abandon(struct pending_table *t, uint32_t call)
{
    struct pending *p = pending_find(t, call);
    if (p != NULL)
        p->done = NULL;
}

void pending_end_all(struct pending_table *t, int status)
{
    for (uint32_t i = 0; i < t->n; i++) {
        struct pending *p = &t->v[i];
        link_done_fn done = p->done;
        if (!p->used)
            continue;
        p->used = false;
        t->used--;
        if (done != NULL)
            done(p->arg, status, SPAN_EMPTY, NULL, 0);
    }
}

void pending_done(struct pending_table *t)
{
    free(t->v);
    *t = (struct pending_table){NULL, 0, 0, 0, 0};
}
