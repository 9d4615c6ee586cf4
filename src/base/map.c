#include "base/map.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdlib.h>

/*
 * Open addressing with linear probing; a removal shifts its followers back, so there are no
 * tombstones and a table that lives for years does not decay. At most 3/4 full.
 */

struct entry {
    struct span key;
    uint64_t hash;
    void *value; /* NULL: free */
};

struct map {
    struct entry *e;
    size_t n, cap; /* cap is 0 or a power of two */
};

struct map *map_new(void)
{
    struct map *m = calloc(1, sizeof *m);

    CHECK(m);
    return m;
}

/* Keys are copies of our own; spans are const because they are borrowed everywhere else. */
static void free_key(struct span key)
{
    free((void *)(uintptr_t)key.p);
}

void map_free(struct map *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->cap; i++)
        if (m->e[i].value)
            free_key(m->e[i].key);
    free(m->e);
    free(m);
}

/* The slot of key, or the free one where it belongs. cap > 0. */
static size_t slot_of(const struct map *m, struct span key, uint64_t hash)
{
    size_t i = hash & (m->cap - 1);

    while (m->e[i].value && (m->e[i].hash != hash || !span_eq(m->e[i].key, key)))
        i = (i + 1) & (m->cap - 1);
    return i;
}

void *map_get(const struct map *m, struct span key)
{
    return m->n ? m->e[slot_of(m, key, hash_span(key))].value : NULL;
}

static void map_resize(struct map *m, size_t cap)
{
    struct map bigger = {calloc(cap, sizeof *bigger.e), m->n, cap};

    CHECK(bigger.e);
    for (size_t i = 0; i < m->cap; i++)
        if (m->e[i].value)
            bigger.e[slot_of(&bigger, m->e[i].key, m->e[i].hash)] = m->e[i];
    free(m->e);
    *m = bigger;
}

void *map_set(struct map *m, struct span key, void *value)
{
    CHECK(value);
    if ((m->n + 1) * 4 > m->cap * 3)
        map_resize(m, m->cap ? m->cap * 2 : 8);

    uint64_t hash = hash_span(key);
    struct entry *e = &m->e[slot_of(m, key, hash)];
    void *old = e->value;

    if (!old) {
        e->key = span_of(span_dup(key), key.n);
        e->hash = hash;
        m->n++;
    }
    e->value = value;
    return old;
}

void *map_remove(struct map *m, struct span key)
{
    if (m->n == 0)
        return NULL;

    size_t mask = m->cap - 1, hole = slot_of(m, key, hash_span(key));
    void *old = m->e[hole].value;
    if (!old)
        return NULL;

    free_key(m->e[hole].key);
    for (size_t i = (hole + 1) & mask; m->e[i].value; i = (i + 1) & mask) {
        size_t home = m->e[i].hash & mask;
        /* it may move into the hole only if that lies between its home and where it is */
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->e[hole] = m->e[i];
            hole = i;
        }
    }
    m->e[hole] = (struct entry){.value = NULL};
    m->n--;
    return old;
}

size_t map_size(const struct map *m)
{
    return m->n;
}

void map_each(const struct map *m, bool (*fn)(struct span key, void *value, void *arg), void *arg)
{
    for (size_t i = 0; i < m->cap; i++)
        if (m->e[i].value && !fn(m->e[i].key, m->e[i].value, arg))
            return;
}
