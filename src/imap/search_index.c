/* search_index.c: what the search index (searchd) knows of a search program. */
#include "imap/search.h"
#include "imap/state.h"

#include "base/clock.h"
#include "search/gram.h"
#include "search/search_msg.h"

#include <errno.h>

enum {
    ASK_FROM = 100, /* messages; of fewer each is looked at faster */
    ASK_TIMEOUT_MS = 1000,
    AWAY_MS = 10000, /* so long nobody is asked who has not answered */
    ASKS_MAX = 64,   /* keys of one search; a list of more is looked at */
    PAGES_MAX = 64,
    REPLY_MAX = 128 << 10,
};

static uint64_t away_until_ms; /* of this worker's searchd */

/* 0: not a matter of the index. */
static unsigned places_of(const struct search_node *n)
{
    switch (n->op) {
    case SEARCH_HEADER:
        return 1u << gram_place_of(span_cstr(n->name));
    case SEARCH_BODY:
        return 1u << GRAM_BODY;
    case SEARCH_TEXT:
        return (1u << GRAM_PLACES) - 1;
    default:
        return 0;
    }
}

static bool has_grams(struct span needle)
{
    struct gram_set set;

    gram_set_init(&set);
    uint32_t n = gram_needle(needle, GRAM_BODY, &set);
    gram_set_done(&set);
    return n > 0;
}

/* One page of the answer. False: there is none. */
static bool ask(struct session *s, const struct search_find *f, struct search_found *ret)
{
    struct link *l = s->worker->peer ? s->worker->peer(s->worker, ROLE_SEARCHD) : NULL;
    struct buf q BUF_AUTO = BUF(SEARCH_NEEDLE_MAX + 64), reply BUF_AUTO = BUF(REPLY_MAX);

    if (!l || clock_mono_ms() < away_until_ms)
        return false;
    wr_search_find(&q, f);
    int e = link_call(l, MSG_SEARCH_FIND, buf_span(&q), NULL, 0, ASK_TIMEOUT_MS, &reply, NULL);
    if (e == -ETIMEDOUT)
        away_until_ms = clock_mono_ms() + AWAY_MS;
    return e == 0 && rd_search_found(buf_span(&reply), ret);
}

static void ask_node(struct session *s, struct search_node *n, unsigned places)
{
    struct search_find f = {imap_of(s)->mailbox, 1, (uint8_t)places, needle_folded(n->needle)};
    struct search_found found = {.uids = RANGESET_EMPTY};

    for (unsigned pages = 0; pages < PAGES_MAX; pages++) {
        if (!ask(s, &f, &found) || found.upto <= f.from)
            break;
        n->next_uid = f.from = found.upto;
        if (found.upto == found.next_uid)
            break;
    }
    ranges_swap(&n->maybe, &found.uids);
    rangeset_done(&found.uids);
}

void search_ask(struct session *s, struct search_program *p)
{
    if (imap_of(s)->view->count < ASK_FROM || s->worker->conf->search_index == SEARCH_INDEX_OF_NONE)
        return;
    for (size_t i = 0, asks = 0; i < p->count && asks < ASKS_MAX && !s->closing; i++) {
        struct search_node *n = p->all[i];
        unsigned places = places_of(n);
        if (!places || !has_grams(needle_folded(n->needle)))
            continue;
        ask_node(s, n, places);
        asks++;
    }
}

/* ------------------------------------------------------------------ what is left to look at */

static bool of_and(const struct search_node *n, struct rangeset *ret)
{
    struct rangeset one = RANGESET_EMPTY, both = RANGESET_EMPTY;
    bool known = false;

    for (const struct search_node *i = n->child; i; i = i->next) {
        rangeset_clear(&one);
        if (!search_candidates(i, &one))
            continue;
        if (known) {
            ranges_intersect(ret, &one, &both);
            ranges_swap(ret, &both);
        } else {
            ranges_swap(ret, &one);
        }
        known = true;
    }
    rangeset_done(&one);
    rangeset_done(&both);
    return known;
}

static bool of_or(const struct search_node *n, struct rangeset *ret)
{
    struct rangeset one = RANGESET_EMPTY;
    bool known = true;

    for (const struct search_node *i = n->child; i && known; i = i->next) {
        rangeset_clear(&one);
        known = search_candidates(i, &one);
        ranges_unite(ret, &one);
    }
    rangeset_done(&one);
    return known;
}

bool search_candidates(const struct search_node *n, struct rangeset *ret)
{
    rangeset_clear(ret);
    switch (n->op) {
    case SEARCH_NONE:
        return true;
    case SEARCH_UIDS:
        rangeset_copy(ret, &n->uids);
        return true;
    case SEARCH_AND:
        return of_and(n, ret);
    case SEARCH_OR:
        return of_or(n, ret);
    default:
        if (n->next_uid == 0)
            return false;
        rangeset_copy(ret, &n->maybe);
        rangeset_add(ret, n->next_uid, UINT32_MAX);
        return true;
    }
}
