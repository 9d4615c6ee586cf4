#include "sasl/known.h"

#include "base/check.h"
#include <stdlib.h>

enum { SLOTS = 256, LIFE_MS = 5000 };

struct known {
    uint64_t generation;
    struct slot {
        uint64_t until_ms; /* 0: empty */
        size_t n;
        char address[AUTH_NAME_MAX];
        struct auth_target target;
    } slot[SLOTS];
};

struct known *known_new(void)
{
    struct known *k = calloc(1, sizeof *k);

    CHECK(k);
    return k;
}

void known_free(struct known *k)
{
    free(k);
}

bool known_get(const struct known *k, struct span address, uint64_t now_ms, struct auth_target *ret)
{
    const struct slot *s = &k->slot[span_hash(address) % SLOTS];

    if (s->until_ms <= now_ms || s->n != address.n || memcmp(s->address, address.p, s->n) != 0)
        return false;
    *ret = s->target;
    return true;
}

uint64_t known_generation(const struct known *k)
{
    return k->generation;
}

void known_put(struct known *k, uint64_t generation, struct span address, uint64_t now_ms,
               const struct auth_target *t)
{
    struct slot *s = &k->slot[span_hash(address) % SLOTS];

    /* A grant to send on has a life of its own. */
    if (generation != k->generation || t->kind == TARGET_REMOTE || address.n == 0 ||
        address.n > sizeof s->address)
        return;
    memcpy(s->address, address.p, address.n);
    s->n = address.n;
    s->target = *t;
    s->until_ms = now_ms + LIFE_MS;
}

void known_forget(struct known *k)
{
    k->generation++;
    for (size_t i = 0; i < SLOTS; i++)
        k->slot[i].until_ms = 0;
}
