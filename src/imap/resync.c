/* resync.c: what a client that comes back has missed. */
#include "imap/arg.h"
#include "imap/modseq.h"

#include "base/check.h"

#include <stdlib.h>

/* The change log is in the order of modseqs; sorted before they go into a set, UIDs in any order
 * cost the same. */
struct uids {
    uint32_t *v;
    size_t n, cap;
};

static void uids_add(struct uids *u, uint32_t uid)
{
    if (u->n == u->cap) {
        u->cap = u->cap ? u->cap * 2 : 64;
        u->v = reallocarray(u->v, u->cap, sizeof *u->v);
        CHECK(u->v);
    }
    u->v[u->n++] = uid;
}

static int by_uid(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void uids_to_set(struct uids *u, struct rangeset *ret)
{
    if (u->n)
        qsort(u->v, u->n, sizeof *u->v, by_uid);
    for (size_t i = 0; i < u->n; i++)
        rangeset_add(ret, u->v[i], u->v[i]);
    free(u->v);
    *u = (struct uids){0};
}

struct missed {
    struct uids changed, gone;
};

static bool on_change(const struct change_info *c, void *arg)
{
    struct missed *m = arg;

    uids_add(c->expunged ? &m->gone : &m->changed, c->uid);
    return true;
}

static void compare_all(struct store_read *r, const struct mailbox_info *info, uint64_t modseq,
                        struct rangeset *ret_changed, struct rangeset *ret_gone)
{
    struct rangeset once = RANGESET_EMPTY, now = RANGESET_EMPTY;
    struct store_cursor c;
    struct message_info message;

    if (info->uidnext > 1)
        rangeset_add(&once, 1, info->uidnext - 1);
    store_uids(r, info->id, &now);
    ranges_subtract(&once, &now, ret_gone);
    rangeset_done(&once);
    rangeset_done(&now);
    if (store_cursor_open(r, info->id, 1, &c) < 0)
        return;
    while (store_cursor_next(&c, &message))
        if (message.modseq > modseq)
            rangeset_add(ret_changed, message.uid, message.uid);
    store_cursor_close(&c);
}

void modseq_changes(struct store_read *r, const struct mailbox_info *info, uint64_t modseq,
                    struct rangeset *ret_changed, struct rangeset *ret_gone)
{
    struct missed m = {0};
    struct rangeset changed = RANGESET_EMPTY;
    bool known = store_changes_each(r, info->id, modseq, on_change, &m);

    rangeset_clear(ret_changed);
    rangeset_clear(ret_gone);
    if (known) {
        uids_to_set(&m.changed, &changed);
        uids_to_set(&m.gone, ret_gone);
        ranges_subtract(&changed, ret_gone, ret_changed);
        rangeset_done(&changed);
    } else {
        free(m.changed.v);
        free(m.gone.v);
        compare_all(r, info, modseq, ret_changed, ret_gone);
    }
}

/* ------------------------------------------------------------------ SELECT */

/* known-uids, known-sequence-set, known-uid-set = sequence-set ; "*" is not allowed */
static bool parse_known(struct span *c, struct rangeset *ret)
{
    struct span text;

    return arg_set(c, &text) && !span_has(text, '*') && !span_eq(text, SPAN("$")) &&
           rangeset_parse(text, 0, ARG_SET_RANGES_MAX, ret);
}

/* "(" known-sequence-set SP known-uid-set ")" */
static bool parse_match(struct span *c, struct select_params *p)
{
    return parse_char(c, '(') && parse_known(c, &p->numbers) && arg_sp(c) &&
           parse_known(c, &p->uids) && parse_char(c, ')') &&
           rangeset_count(&p->numbers) == rangeset_count(&p->uids);
}

static bool parse_qresync(struct span *c, struct select_params *p)
{
    if (!arg_sp(c) || !parse_char(c, '(') || !parse_u32(c, UINT32_MAX, &p->uidvalidity) ||
        p->uidvalidity == 0 || !arg_sp(c) || !modseq_parse(c, &p->modseq) || p->modseq == 0)
        return false;
    p->qresync = true;
    if (parse_char(c, ')'))
        return true;
    if (!arg_sp(c))
        return false;
    if (c->n && c->p[0] != '(') {
        p->has_known = true;
        if (!parse_known(c, &p->known))
            return false;
        if (parse_char(c, ')'))
            return true;
        if (!arg_sp(c))
            return false;
    }
    return parse_match(c, p) && parse_char(c, ')');
}

bool select_params_parse(struct span *c, struct select_params *ret)
{
    struct span at = *c;

    *ret = (struct select_params){0};
    if (!arg_sp(&at))
        return true;
    if (!parse_char(&at, '('))
        return false;
    do {
        if (arg_word(&at, "CONDSTORE"))
            ret->condstore = true;
        else if (ret->qresync || !arg_word(&at, "QRESYNC") || !parse_qresync(&at, ret))
            return false;
    } while (arg_sp(&at));
    if (!parse_char(&at, ')'))
        return false;
    *c = at;
    return true;
}

void select_params_done(struct select_params *p)
{
    rangeset_done(&p->known);
    rangeset_done(&p->numbers);
    rangeset_done(&p->uids);
}

/* The last UID of the pairs (number + i, uid + i), i < count, that is the view's; 0: none. A
 * message's UID minus its number never falls from one message to the next, so this can be
 * bisected. */
static uint32_t last_match(const struct view *v, uint32_t number, uint32_t uid, uint64_t count)
{
    int64_t want = (int64_t)uid - number;
    uint64_t low = 0, high = count;

    if (number > v->count)
        return 0;
    if (high > (uint64_t)v->count - number + 1)
        high = (uint64_t)v->count - number + 1;
    while (low < high) { /* pairs below `low` are not past the view's, those from `high` on are */
        uint64_t middle = low + (high - low) / 2;
        uint32_t n = number + (uint32_t)middle;
        if ((int64_t)view_uid(v, n) - n <= want)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return 0;
    uint32_t n = number + (uint32_t)(low - 1);
    return (int64_t)view_uid(v, n) - n == want ? view_uid(v, n) : 0;
}

/* The client knows of all that went up to this UID (RFC 7162 3.2.5.2); 0: of nothing. */
static uint32_t known_up_to(const struct view *v, const struct select_params *p)
{
    size_t i = 0, j = 0;
    uint64_t i_used = 0, j_used = 0;
    uint32_t best = 0;

    while (i < p->numbers.n && j < p->uids.n) {
        struct range a = p->numbers.r[i], b = p->uids.r[j];
        uint64_t a_left = (uint64_t)a.hi - a.lo + 1 - i_used;
        uint64_t b_left = (uint64_t)b.hi - b.lo + 1 - j_used;
        uint64_t both = a_left < b_left ? a_left : b_left;
        uint32_t match = last_match(v, a.lo + (uint32_t)i_used, b.lo + (uint32_t)j_used, both);
        if (match > best)
            best = match;
        i_used += both;
        j_used += both;
        if (a_left == both) {
            i++;
            i_used = 0;
        }
        if (b_left == both) {
            j++;
            j_used = 0;
        }
    }
    return best;
}

void select_params_find(struct store_read *r, const struct mailbox_info *info, const struct view *v,
                        const struct select_params *p, struct rangeset *ret_changed,
                        struct rangeset *ret_gone)
{
    struct rangeset t = RANGESET_EMPTY;
    uint32_t known = known_up_to(v, p);

    modseq_changes(r, info, p->modseq, ret_changed, ret_gone);
    if (p->has_known) {
        ranges_intersect(ret_changed, &p->known, &t);
        ranges_swap(ret_changed, &t);
        ranges_intersect(ret_gone, &p->known, &t);
        ranges_swap(ret_gone, &t);
    }
    if (known)
        rangeset_remove(ret_gone, 1, known);
    rangeset_done(&t);
}
