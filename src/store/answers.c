#include "store/answers.h"

#include "base/check.h"
#include "store/store_msg.h"
#include <stdlib.h>

enum { FIRST_SLOTS = 16 };

struct client {
    uint64_t slots;       /* a power of two, up to STORE_WINDOW */
    struct answer_at *at; /* counter modulo slots */
};

void answers_init(struct answers *a)
{
    a->clients = map64_new();
}

static bool free_client(uint64_t key, void *value, void *arg)
{
    struct client *c = value;

    free(c->at);
    free(c);
    return true;
}

void answers_done(struct answers *a)
{
    if (a->clients)
        map64_each(a->clients, free_client, NULL);
    map64_free(a->clients);
    a->clients = NULL;
}

/* Requests within one window never share a slot once the table has its full size; before that a
 * collision makes it grow. */
static void grow(struct client *c)
{
    uint64_t slots = c->slots ? c->slots * 2 : FIRST_SLOTS;
    struct answer_at *at = calloc(slots, sizeof(*at));

    CHECK(at);
    for (uint64_t i = 0; i < c->slots; i++)
        if (c->at[i].counter)
            at[c->at[i].counter & (slots - 1)] = c->at[i];
    free(c->at);
    c->at = at;
    c->slots = slots;
}

void answers_put(struct answers *a, uint64_t client, const struct answer_at *at)
{
    struct client *c = map64_get(a->clients, client);

    if (!c) {
        c = calloc(1, sizeof(*c));
        CHECK(c);
        grow(c);
        map64_set(a->clients, client, c);
    }
    for (;;) {
        struct answer_at *slot = &c->at[at->counter & (c->slots - 1)];
        if (slot->counter == 0 || slot->counter == at->counter || c->slots == STORE_WINDOW) {
            *slot = *at;
            return;
        }
        grow(c);
    }
}

bool answers_find(const struct answers *a, uint64_t client, uint64_t counter, struct answer_at *ret)
{
    const struct client *c = map64_get(a->clients, client);

    if (!c || counter == 0)
        return false;
    const struct answer_at *slot = &c->at[counter & (c->slots - 1)];
    if (slot->counter != counter)
        return false;
    *ret = *slot;
    return true;
}

static bool undo_client(uint64_t key, void *value, void *arg)
{
    const uint64_t *sequence = arg;
    struct client *c = value;

    for (uint64_t i = 0; i < c->slots; i++)
        if (c->at[i].sequence > *sequence)
            c->at[i] = (struct answer_at){0};
    return true;
}

void answers_undo(struct answers *a, uint64_t sequence)
{
    map64_each(a->clients, undo_client, &sequence);
}

void answers_forget(struct answers *a, uint64_t client)
{
    struct client *c = map64_remove(a->clients, client);

    if (c)
        free_client(client, c, NULL);
}
