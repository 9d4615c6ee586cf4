#include "search/gram.h"

#include "base/check.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 1024, SLOTS_KEEP = 16384 };
#define RADIX UINT64_C(0x110000) /* characters; three and a place fit into 64 bits */
#define WIDE_FROM 0x2e80         /* CJK radicals and all behind them */

enum gram_place gram_place_of(struct span name)
{
    static const struct {
        const char *name;
        enum gram_place place;
    } rows[] = {
        {"subject",     GRAM_SUBJECT},
        {"from",        GRAM_FROM   },
        {"sender",      GRAM_FROM   },
        {"reply-to",    GRAM_FROM   },
        {"to",          GRAM_TO     },
        {"cc",          GRAM_TO     },
        {"bcc",         GRAM_TO     },
        {"message-id",  GRAM_IDS    },
        {"in-reply-to", GRAM_IDS    },
        {"references",  GRAM_IDS    },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (span_is(name, rows[i].name))
            return rows[i].place;
    return GRAM_OTHER;
}

/* ------------------------------------------------------------------ sets */

static void set_room(struct gram_set *s, uint32_t slots)
{
    s->slot = calloc(slots, sizeof(*s->slot));
    CHECK(s->slot);
    s->mask = slots - 1;
    s->n = 0;
}

void gram_set_init(struct gram_set *s)
{
    *s = (struct gram_set){0};
    set_room(s, SLOTS_FIRST);
}

void gram_set_done(struct gram_set *s)
{
    free(s->slot);
    *s = (struct gram_set){0};
}

void gram_set_clear(struct gram_set *s)
{
    if (s->mask >= SLOTS_KEEP) {
        free(s->slot);
        set_room(s, SLOTS_KEEP / 2);
    } else if (s->n) {
        memset(s->slot, 0, (s->mask + 1) * sizeof(*s->slot));
    }
    s->n = 0;
    s->full = false;
}

static uint32_t slot_of(const struct gram_set *s, uint32_t gram)
{
    uint32_t i = gram & s->mask; /* a hash itself */

    while (s->slot[i] && s->slot[i] != gram)
        i = (i + 1) & s->mask;
    return i;
}

static void set_grow(struct gram_set *s)
{
    struct gram_set old = *s;
    uint32_t gram;

    set_room(s, (old.mask + 1) * 2);
    for (uint32_t at = 0; gram_set_next(&old, &at, &gram); s->n++)
        s->slot[slot_of(s, gram)] = gram;
    free(old.slot);
}

static void set_add(struct gram_set *s, uint32_t gram)
{
    uint32_t i = slot_of(s, gram);

    if (s->slot[i])
        return;
    if (s->n >= GRAMS_OF_MESSAGE) {
        s->full = true;
        return;
    }
    s->slot[i] = gram;
    if (++s->n > s->mask - s->mask / 4)
        set_grow(s);
}

bool gram_set_next(const struct gram_set *s, uint32_t *at, uint32_t *ret_gram)
{
    while (*at <= s->mask)
        if (s->slot[(*at)++]) {
            *ret_gram = s->slot[*at - 1];
            return true;
        }
    return false;
}

/* ------------------------------------------------------------------ texts */

static inline bool is_control(uint32_t c)
{
    return c < 0x20 || c == 0x7f;
}

static inline uint32_t hash(enum gram_place place, uint32_t a, uint32_t b, uint32_t c)
{
    uint64_t key = ((place * RADIX + a) * RADIX + b) * RADIX + c;
    uint64_t h = (key ^ key >> 31) * UINT64_C(0x9e3779b97f4a7c15);

    h = (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    h >>= 40;
    return h ? (uint32_t)h : 1;
}

/* The gram that begins with a, or 0. */
static inline uint32_t gram_of(enum gram_place place, uint32_t a, uint32_t b, uint32_t c)
{
    if (is_control(a) || is_control(b) || a == ' ')
        return 0;
    if (a >= WIDE_FROM || b >= WIDE_FROM)
        return b == ' ' ? 0 : hash(place, a, b, 0);
    if (is_control(c) || c >= WIDE_FROM || c == ' ')
        return 0;
    return hash(place, a, b, c);
}

void gram_text_add(struct gram_text *t, struct span s, struct gram_set *set)
{
    uint32_t a = t->last[0], b = t->last[1], c;

    while (utf8_next(&s, &c)) {
        uint32_t gram = gram_of(t->place, a, b, c);
        if (gram)
            set_add(set, gram);
        a = b;
        b = c;
    }
    t->last[0] = a;
    t->last[1] = b;
    /* a pair at the end of the text; if it goes on, the same one is found again */
    uint32_t pair = a >= WIDE_FROM || b >= WIDE_FROM ? gram_of(t->place, a, b, 0) : 0;
    if (pair)
        set_add(set, pair);
}

void gram_put(uint32_t gram, char *out)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (int i = 0; i < GRAM_BYTES; i++)
        out[i] = letters[gram >> 6 * i & 63];
}

uint32_t gram_needle(struct span folded, enum gram_place place, struct gram_set *set)
{
    struct gram_text t = gram_text_begin(place);
    uint32_t before = set->n;

    gram_text_add(&t, folded, set);
    return set->n - before;
}
