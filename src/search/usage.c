/* usage.c: which accounts are in use, and so are indexed. In memory, and as a row in each index. */
#include "search/searcher_parts.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_SECONDS = 86400, END_AT_ONCE = 256 };

uint32_t usage_today(void)
{
    return (uint32_t)(clock_seconds() / DAY_SECONDS);
}

bool usage_is(const struct searcher *s, uint64_t account)
{
    return s->policy == SEARCH_POLICY_ALWAYS ||
           (s->policy == SEARCH_POLICY_USED && map64_get(s->usages, account));
}

static void add(struct searcher *s, uint64_t account, uint32_t day)
{
    struct usage *u = calloc(1, sizeof(*u));

    CHECK(u);
    u->account = account;
    u->day = day;
    list_init(&u->watched);
    map64_set(s->usages, account, u);
}

bool usage_begin(struct searcher *s, uint64_t account)
{
    struct usage *u = map64_get(s->usages, account);

    if (s->policy != SEARCH_POLICY_USED)
        return false;
    if (u) {
        u->day = usage_today();
        return false;
    }
    add(s, account, usage_today());
    return true;
}

int usage_write(struct searcher *s, struct account *a)
{
    const struct usage *u = map64_get(s->usages, a->id);

    if (!u && s->policy != SEARCH_POLICY_ALWAYS)
        return 0; /* it has ended meanwhile */
    uint32_t day = u ? u->day : usage_today();
    int e = a->day == day ? 0 : search_index_used_put(a->index, day);

    if (e == 0)
        a->day = day;
    return e;
}

/* ------------------------------------------------------------------ watching */

/* store_follow tells of it. */
static void on_told(void *arg)
{
}

bool usage_watch(struct searcher *s, uint64_t account, uint64_t mailbox)
{
    struct usage *u = map64_get(s->usages, account);

    if (!u || s->stopping || map64_get(s->watched, mailbox))
        return false;
    struct watched *w = calloc(1, sizeof(*w));
    CHECK(w);
    w->mailbox = mailbox;
    w->watch = store_watch(s->store, mailbox, on_told, NULL);
    map64_set(s->watched, mailbox, w);
    list_append(&u->watched, &w->node);
    return true;
}

void usage_unwatch(struct searcher *s, uint64_t mailbox)
{
    struct watched *w = map64_remove(s->watched, mailbox);

    if (!w)
        return;
    list_remove(&w->node);
    store_unwatch(w->watch);
    free(w);
}

void usage_end(struct searcher *s, uint64_t account)
{
    struct usage *u = map64_remove(s->usages, account);

    if (!u)
        return;
    while (!list_empty(&u->watched))
        usage_unwatch(s, list_item(u->watched.next, struct watched, node)->mailbox);
    free(u);
}

/* ------------------------------------------------------------------ what is kept, and for how long */

static bool is_over(const struct searcher *s, uint32_t day)
{
    return (uint64_t)day + s->days < usage_today();
}

static void load_one(struct searcher *s, uint64_t id)
{
    struct account *a = account_enter(s, id, false);

    if (!a)
        return;
    if (a->day && !is_over(s, a->day) && !map64_get(s->usages, id))
        add(s, id, a->day);
    account_leave(s, a, 0);
}

void usage_load(struct searcher *s)
{
    DIR *d = opendir(s->folder);
    struct dirent *entry;

    s->loaded = true;
    while (d && s->loaded && !s->stopping && s->policy == SEARCH_POLICY_USED &&
           (entry = readdir(d))) {
        char *end;
        uint64_t id = strtoull(entry->d_name, &end, 10);
        if (id && strcmp(end, ".db") == 0) {
            load_one(s, id);
            fiber_yield();
        }
    }
    if (d)
        closedir(d);
}

struct ends {
    struct searcher *s;
    bool all;
    size_t n;
    uint64_t account[END_AT_ONCE];
};

static bool on_usage(uint64_t account, void *value, void *arg)
{
    const struct usage *u = value;
    struct ends *e = arg;

    if (e->all || is_over(e->s, u->day))
        e->account[e->n++] = account;
    return e->n < END_AT_ONCE;
}

static void end(struct searcher *s, bool all)
{
    struct ends e = {.s = s, .all = all};

    do {
        e.n = 0;
        map64_each(s->usages, on_usage, &e);
        for (size_t i = 0; i < e.n; i++) {
            if (!all)
                log_info("search: account %" PRIu64 " is not searched any more: its index rests",
                         e.account[i]);
            usage_end(s, e.account[i]);
        }
    } while (e.n == END_AT_ONCE);
}

void usage_expire(struct searcher *s)
{
    uint32_t today = usage_today();

    if (s->expired == today)
        return;
    s->expired = today;
    end(s, false);
}

void usage_done(struct searcher *s)
{
    end(s, true);
}
