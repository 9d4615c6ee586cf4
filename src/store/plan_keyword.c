/* Keywords of a mailbox: names to bits, and room for new ones. */
#include "store/plan.h"

#include <errno.h>

unsigned keyword_names(struct engine *e, uint64_t mailbox, struct span names[STORE_KEYWORDS_MAX])
{
    struct key k = key_u64(mailbox);
    struct span row;

    if (index_get(&e->index, e->txn, INDEX_KEYWORD, &k, &row) != 0)
        return 0;
    return index_keywords(row, names);
}

static bool keyword_find(const struct span *names, unsigned n, struct span name, unsigned *ret)
{
    for (unsigned i = 0; i < n; i++) {
        if (span_eq_nocase(names[i], name)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

void lacking_add(struct lacking *l, const struct span *k, size_t count)
{
    unsigned at;

    for (size_t i = 0; i < count && !l->full; i++) {
        if (keyword_find(l->have, l->n, k[i], &at) || keyword_find(l->name, l->missing, k[i], &at))
            continue;
        l->full = l->n + l->missing >= STORE_KEYWORDS_MAX;
        if (!l->full)
            l->name[l->missing++] = k[i];
    }
}

struct lacking lacking_of(struct engine *e, const struct mbox *m)
{
    struct lacking l = {.missing = 0};

    l.n = keyword_names(e, m->id, l.have);
    return l;
}

int keywords_room(struct engine *e, const struct mbox *m, const struct span *k, size_t count)
{
    struct lacking l = lacking_of(e, m);

    lacking_add(&l, k, count);
    return l.full ? -E2BIG : 0;
}

int keyword_bits(struct engine *e, struct mbox *m, const struct span *k, size_t count, bool make,
                 uint64_t *ret)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < count; i++) {
        struct span names[STORE_KEYWORDS_MAX];
        unsigned n = keyword_names(e, m->id, names), at;
        if (!keyword_find(names, n, k[i], &at)) {
            if (!make)
                continue;
            int err = effect_keyword(e, m->id, k[i]);
            if (err)
                return err;
            at = n;
        }
        bits |= STORE_KEYWORD(at);
    }
    *ret = bits;
    return 0;
}
