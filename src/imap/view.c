#include "imap/view.h"

#include "base/check.h"
#include "base/map.h"

#include <stdlib.h>

/*
 * The newest complete view of each mailbox that some session holds, and of some that none holds any
 * more. One table a process: a process has one worker, and a view means the same to all its
 * sessions.
 */
static struct map64 *newest;
static struct list kept = {&kept, &kept}; /* views without a session, the latest first */
static unsigned kept_count;

enum { KEPT_MAX = 256, KEPT_RANGES_MAX = 2048 };

struct view *view_new(uint64_t mailbox, uint64_t modseq, struct rangeset *take_uids)
{
    struct view *v = calloc(1, sizeof *v);

    CHECK(v);
    *v = (struct view){.refs = 1, .mailbox = mailbox, .modseq = modseq, .uids = *take_uids};
    *take_uids = RANGESET_EMPTY;
    list_init(&v->kept);
    v->count = (uint32_t)rangeset_count(&v->uids);
    return v;
}

static void unkeep(struct view *v)
{
    if (!list_empty(&v->kept)) {
        list_remove(&v->kept);
        kept_count--;
    }
}

struct view *view_ref(struct view *v)
{
    if (v->refs++ == 0)
        unkeep(v);
    return v;
}

static void view_free(struct view *v)
{
    unkeep(v);
    if (newest && map64_get(newest, v->mailbox) == v) {
        map64_remove(newest, v->mailbox);
        if (map64_size(newest) == 0) {
            map64_free(newest);
            newest = NULL;
        }
    }
    rangeset_done(&v->uids);
    free(v);
}

void view_unref(struct view *v)
{
    if (!v || --v->refs)
        return;
    if (!newest || map64_get(newest, v->mailbox) != v || v->uids.n > KEPT_RANGES_MAX) {
        view_free(v);
        return;
    }
    list_prepend(&kept, &v->kept);
    if (++kept_count > KEPT_MAX)
        view_free(list_item(kept.prev, struct view, kept));
}

void view_forget_all(void)
{
    while (!list_empty(&kept))
        view_free(list_item(kept.next, struct view, kept));
}

struct view *view_newest(uint64_t mailbox)
{
    struct view *v = newest ? map64_get(newest, mailbox) : NULL;

    return v ? view_ref(v) : NULL;
}

struct view *view_shared(uint64_t mailbox, uint64_t modseq)
{
    struct view *v = newest ? map64_get(newest, mailbox) : NULL;

    return v && v->modseq == modseq ? view_ref(v) : NULL;
}

void view_publish(struct view *v)
{
    if (!newest)
        newest = map64_new();

    struct view *old = map64_get(newest, v->mailbox);
    if (old && old->modseq >= v->modseq)
        return;
    map64_set(newest, v->mailbox, v);
    if (old && old->refs == 0)
        view_free(old);
}

uint32_t view_number(const struct view *v, uint32_t uid)
{
    return rangeset_has(&v->uids, uid) ? (uint32_t)rangeset_rank(&v->uids, uid) + 1 : 0;
}

uint32_t view_uid(const struct view *v, uint32_t number)
{
    return number ? rangeset_nth(&v->uids, number - 1) : 0;
}

uint32_t view_last_uid(const struct view *v)
{
    return rangeset_max(&v->uids);
}

void view_uids_of(const struct view *v, const struct rangeset *numbers, struct rangeset *ret)
{
    uint64_t before = 0;
    size_t j = 0;

    for (size_t i = 0; i < v->uids.n && j < numbers->n; i++) {
        struct range r = v->uids.r[i];
        uint64_t here = (uint64_t)r.hi - r.lo + 1;
        while (j < numbers->n && numbers->r[j].lo <= before + here) {
            /* numbers before+1 … before+here are the UIDs lo … hi */
            uint64_t a = numbers->r[j].lo > before + 1 ? numbers->r[j].lo : before + 1;
            uint64_t b = numbers->r[j].hi < before + here ? numbers->r[j].hi : before + here;
            if (a <= b)
                rangeset_add(ret, r.lo + (uint32_t)(a - before - 1),
                             r.lo + (uint32_t)(b - before - 1));
            if (numbers->r[j].hi > before + here)
                break;
            j++;
        }
        before += here;
    }
}

struct view_walk view_walk(const struct view *v, const struct rangeset *set)
{
    return (struct view_walk){.view = v, .set = set};
}

bool view_walk_next(struct view_walk *w, uint32_t *ret_number, uint32_t *ret_uid)
{
    const struct rangeset *v = &w->view->uids;

    while (w->i < v->n && w->j < w->set->n) {
        struct range a = v->r[w->i], b = w->set->r[w->j];
        uint32_t lo = a.lo > b.lo ? a.lo : b.lo, hi = a.hi < b.hi ? a.hi : b.hi;
        if (lo < w->from)
            lo = w->from;
        if (lo <= hi) {
            *ret_uid = lo;
            *ret_number = w->before + (lo - a.lo) + 1;
            w->from = lo + 1;
            return true;
        }
        if (a.hi <= b.hi) {
            w->before += a.hi - a.lo + 1;
            w->i++;
        } else {
            w->j++;
        }
    }
    return false;
}

void view_walk_back(struct view_walk *w, uint32_t uid)
{
    w->from = uid;
}

void view_numbers_of(const struct view *v, const struct rangeset *uids, struct rangeset *ret)
{
    struct view_walk w = view_walk(v, uids);
    uint32_t number, uid;

    while (view_walk_next(&w, &number, &uid))
        rangeset_add(ret, number, number);
}

static void append(struct rangeset *s, uint32_t lo, uint32_t hi)
{
    if (lo <= hi)
        rangeset_add(s, lo, hi); /* at the end: constant time */
}

void ranges_intersect(const struct rangeset *a, const struct rangeset *b, struct rangeset *ret)
{
    size_t i = 0, j = 0;

    rangeset_clear(ret);
    while (i < a->n && j < b->n) {
        uint32_t lo = a->r[i].lo > b->r[j].lo ? a->r[i].lo : b->r[j].lo;
        uint32_t hi = a->r[i].hi < b->r[j].hi ? a->r[i].hi : b->r[j].hi;
        append(ret, lo, hi);
        if (a->r[i].hi < b->r[j].hi)
            i++;
        else
            j++;
    }
}

void ranges_subtract(const struct rangeset *a, const struct rangeset *b, struct rangeset *ret)
{
    size_t j = 0;

    rangeset_clear(ret);
    for (size_t i = 0; i < a->n; i++) {
        uint64_t lo = a->r[i].lo;
        while (j < b->n && b->r[j].hi < lo)
            j++;
        for (size_t k = j; k < b->n && b->r[k].lo <= a->r[i].hi; k++) {
            if (b->r[k].lo > lo)
                append(ret, (uint32_t)lo, b->r[k].lo - 1);
            lo = (uint64_t)b->r[k].hi + 1;
            j = k;
        }
        if (lo <= a->r[i].hi)
            append(ret, (uint32_t)lo, a->r[i].hi);
    }
}

void ranges_unite(struct rangeset *a, const struct rangeset *b)
{
    for (size_t i = 0; i < b->n; i++)
        rangeset_add(a, b->r[i].lo, b->r[i].hi);
}

void ranges_swap(struct rangeset *a, struct rangeset *b)
{
    struct rangeset t = *a;
    *a = *b;
    *b = t;
}
