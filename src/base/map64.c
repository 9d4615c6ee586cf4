#include "base/map.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdlib.h>

/* As map.c, with the number itself in the slot. */

struct entry {
    uint64_t key;
    void *value; /* NULL: free */
};

struct map64 {
    struct entry *e;
    size_t n, cap; /* cap is 0 or a power of two */
};

struct map64 *map64_new(void)
{
    struct map64 *m = calloc(1, sizeof *m);

    CHECK(m);
    return m;
}

void map64_free(struct map64 *m)
{
    if (!m)
        return;
    free(m->e);
    free(m);
}

static size_t home_of(const struct map64 *m, uint64_t key)
{
    return hash_u64(key) & (m->cap - 1);
}

static size_t slot_of(const struct map64 *m, uint64_t key)
{
    size_t i = home_of(m, key);

    while (m->e[i].value && m->e[i].key != key)
        i = (i + 1) & (m->cap - 1);
    return i;
}

void *map64_get(const struct map64 *m, uint64_t key)
{
    return m->n ? m->e[slot_of(m, key)].value : NULL;
}

static void map64_resize(struct map64 *m, size_t cap)
{
    struct map64 bigger = {calloc(cap, sizeof *bigger.e), m->n, cap};

    CHECK(bigger.e);
    for (size_t i = 0; i < m->cap; i++)
        if (m->e[i].value)
            bigger.e[slot_of(&bigger, m->e[i].key)] = m->e[i];
    free(m->e);
    *m = bigger;
}

void *map64_set(struct map64 *m, uint64_t key, void *value)
{
    CHECK(value);
    if ((m->n + 1) * 4 > m->cap * 3)
        map64_resize(m, m->cap ? m->cap * 2 : 8);

    struct entry *e = &m->e[slot_of(m, key)];
    void *old = e->value;

    *e = (struct entry){key, value};
    m->n += !old;
    return old;
}

void *map64_remove(struct map64 *m, uint64_t key)
{
    if (m->n == 0)
        return NULL;

    size_t mask = m->cap - 1, hole = slot_of(m, key);
    void *old = m->e[hole].value;
    if (!old)
        return NULL;

    for (size_t i = (hole + 1) & mask; m->e[i].value; i = (i + 1) & mask) {
        if (((i - home_of(m, m->e[i].key)) & mask) >= ((i - hole) & mask)) {
            m->e[hole] = m->e[i];
            hole = i;
        }
    }
    m->e[hole].value = NULL;
    m->n--;
    return old;
}

size_t map64_size(const struct map64 *m)
{
    return m->n;
}

void map64_each(const struct map64 *m, bool (*fn)(uint64_t key, void *value, void *arg), void *arg)
{
    for (size_t i = 0; i < m->cap; i++)
        if (m->e[i].value && !fn(m->e[i].key, m->e[i].value, arg))
            return;
}
