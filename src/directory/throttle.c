#include "directory/throttle.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"

#include <stdlib.h>

enum { DIGESTS = 4, FRIEND_DAYS = 30 };

enum kind { BY_PEER = 'p', BY_USER = 'u', FRIEND = 'f' };

/* A key is its kind, the network, and the user's hash under the key of this process: of fixed size,
 * whatever the name. */
struct key {
    unsigned char kind;
    unsigned char net[16];
    unsigned char user[16];
};

struct entry {
    struct list used; /* in throttle.used, the latest last */
    struct key key;
    uint32_t failures, under_way;
    uint64_t last_ms;
    uint64_t digests[DIGESTS]; /* of wrong tries, BY_PEER only */
    unsigned turn;
};

struct throttle {
    struct throttle_limits limits;
    struct map *entries;
    struct list used;
};

struct throttle *throttle_new(const struct throttle_limits *limits)
{
    struct throttle *t = calloc(1, sizeof *t);

    CHECK(t);
    t->limits = *limits;
    t->entries = map_new();
    list_init(&t->used);
    return t;
}

static struct span key_span(const struct key *k)
{
    return span_of(k, sizeof *k);
}

static void entry_free(struct throttle *t, struct entry *e)
{
    map_remove(t->entries, key_span(&e->key));
    list_remove(&e->used);
    free(e);
}

void throttle_free(struct throttle *t)
{
    if (!t)
        return;
    list_for_each (&t->used, struct entry, used, e)
        entry_free(t, e);
    map_free(t->entries);
    free(t);
}

void throttle_set_limits(struct throttle *t, const struct throttle_limits *limits)
{
    t->limits = *limits;
}

static struct key key_of(enum kind kind, const struct throttle_try *y)
{
    struct key k = {.kind = (unsigned char)kind};

    if (kind != BY_USER) {
        /* who has one IPv6 address has all of its /64 */
        size_t n = IN6_IS_ADDR_V4MAPPED(&y->peer) ? 16 : 8;
        memcpy(k.net, &y->peer, n);
    }
    if (kind != BY_PEER) {
        uint64_t hash = hash_span(y->user);
        memcpy(k.user, &hash, sizeof hash);
    }
    return k;
}

static uint64_t lifetime_ms(const struct throttle *t, const struct entry *e)
{
    return e->key.kind == FRIEND ? (uint64_t)FRIEND_DAYS * 86400 * 1000
                                 : (uint64_t)t->limits.window_seconds * 1000;
}

static struct entry *find(const struct throttle *t, enum kind kind, const struct throttle_try *y)
{
    struct key k = key_of(kind, y);
    struct entry *e = map_get(t->entries, key_span(&k));

    if (e && clock_mono_ms() - e->last_ms >= lifetime_ms(t, e)) {
        e->failures = 0;
        memset(e->digests, 0, sizeof e->digests);
        if (kind == FRIEND)
            return NULL;
    }
    return e;
}

static void make_room(struct throttle *t)
{
    while (map_size(t->entries) >= t->limits.entries_max && !list_empty(&t->used)) {
        struct entry *idle = NULL;
        list_for_each (&t->used, struct entry, used, e) {
            if (e->under_way == 0) {
                idle = e;
                break;
            }
        }
        if (!idle)
            return; /* tries under way are bounded elsewhere */
        entry_free(t, idle);
    }
}

static struct entry *get(struct throttle *t, enum kind kind, const struct throttle_try *y)
{
    struct entry *e = find(t, kind, y);

    if (!e) {
        struct key k = key_of(kind, y);
        e = map_get(t->entries, key_span(&k)); /* a friend of old */
    }
    if (!e) {
        make_room(t);
        e = calloc(1, sizeof *e);
        CHECK(e);
        e->key = key_of(kind, y);
        list_init(&e->used);
        map_set(t->entries, key_span(&e->key), e);
    }
    list_remove(&e->used);
    list_append(&t->used, &e->used);
    return e;
}

/* UINT32_MAX: refused. */
static uint32_t delay_of(const struct throttle *t, const struct entry *e)
{
    if (!e)
        return 0;
    uint64_t count = (uint64_t)e->failures + e->under_way, limit = t->limits.failures;
    if (count < limit)
        return 0;
    if (count >= limit * THROTTLE_REFUSED_AT)
        return UINT32_MAX;
    uint64_t doublings = count - limit;
    if (doublings > 5)
        return THROTTLE_DELAY_MAX_MS;
    uint32_t ms = (uint32_t)THROTTLE_DELAY_FIRST_MS << doublings;
    return ms < THROTTLE_DELAY_MAX_MS ? ms : THROTTLE_DELAY_MAX_MS;
}

static bool is_exempt(const struct throttle *t, const struct throttle_try *y)
{
    return y->trusted || t->limits.failures == 0;
}

bool throttle_begin(struct throttle *t, const struct throttle_try *y, uint32_t *ret_delay_ms)
{
    uint32_t by_peer, by_user = 0;

    *ret_delay_ms = 0;
    if (is_exempt(t, y))
        return true;
    by_peer = delay_of(t, find(t, BY_PEER, y));
    if (!find(t, FRIEND, y))
        by_user = delay_of(t, find(t, BY_USER, y));
    if (by_peer == UINT32_MAX || by_user == UINT32_MAX)
        return false;
    get(t, BY_PEER, y)->under_way++;
    get(t, BY_USER, y)->under_way++;
    *ret_delay_ms = by_peer > by_user ? by_peer : by_user;
    return true;
}

static void leave(struct entry *e)
{
    if (e && e->under_way)
        e->under_way--;
}

static bool has_digest(const struct entry *e, uint64_t digest)
{
    for (size_t i = 0; digest && i < DIGESTS; i++)
        if (e->digests[i] == digest)
            return true;
    return false;
}

static void count_failure(struct throttle *t, const struct throttle_try *y, uint64_t digest)
{
    struct entry *peer = get(t, BY_PEER, y), *user = get(t, BY_USER, y);
    uint64_t now = clock_mono_ms();

    if (has_digest(peer, digest))
        return;
    peer->digests[peer->turn++ % DIGESTS] = digest;
    peer->failures++;
    user->failures++;
    peer->last_ms = user->last_ms = now;
}

static void drop_if_empty(struct throttle *t, enum kind kind, const struct throttle_try *y)
{
    struct entry *e = find(t, kind, y);

    if (e && e->failures == 0 && e->under_way == 0)
        entry_free(t, e);
}

void throttle_end(struct throttle *t, const struct throttle_try *y, enum throttle_outcome outcome,
                  uint64_t digest)
{
    if (is_exempt(t, y))
        return;
    leave(find(t, BY_PEER, y));
    leave(find(t, BY_USER, y));
    if (outcome == THROTTLE_BAD)
        count_failure(t, y, digest);
    else if (outcome == THROTTLE_GOOD)
        get(t, FRIEND, y)->last_ms = clock_mono_ms();
    /* logins that went well leave the friend only */
    drop_if_empty(t, BY_PEER, y);
    drop_if_empty(t, BY_USER, y);
}

bool throttle_is_repeat(const struct throttle *t, const struct throttle_try *y, uint64_t digest)
{
    if (is_exempt(t, y))
        return false;
    const struct entry *e = find(t, BY_PEER, y);
    return e && has_digest(e, digest);
}

void throttle_forget_user(struct throttle *t, struct span user)
{
    const struct throttle_try y = {.user = user};
    struct entry *e = find(t, BY_USER, &y);

    if (e)
        e->failures = 0;
}

size_t throttle_size(const struct throttle *t)
{
    return map_size(t->entries);
}
