/* update.c: what happened to the selected mailbox since the client was last told. */
#include "imap/arg.h"
#include "imap/batch.h"
#include "imap/changes.h"
#include "imap/modseq.h"
#include "imap/state.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>

enum { REPLY_CHUNK = 32 << 10, REPLY_MAX = 64 << 10 };

void imap_own_change(struct imap *m, uint64_t modseq)
{
    struct own_changes *o = &m->own;

    if (modseq == 0)
        return;
    if (o->n == o->cap) {
        o->cap = o->cap ? o->cap * 2 : 8;
        o->v = reallocarray(o->v, o->cap, sizeof *o->v);
        CHECK(o->v);
    }
    o->v[o->n++] = modseq;
}

bool imap_is_own_change(const struct imap *m, uint64_t modseq)
{
    for (size_t i = m->own.n; i--;)
        if (m->own.v[i] == modseq)
            return true;
    return false;
}

static void forget_own_changes(struct imap *m)
{
    free(m->own.v);
    m->own = (struct own_changes){0};
}

void imap_unselect(struct session *s)
{
    struct imap *m = imap_of(s);

    store_unwatch(m->watch);
    store_unwatch(m->watch_marks);
    m->watch = m->watch_marks = NULL;
    view_unref(m->view);
    m->view = NULL;
    rangeset_done(&m->gone);
    rangeset_done(&m->saved);
    forget_own_changes(m);
    m->mailbox = 0;
    if (s->state == IMAP_SELECTED)
        s->state = IMAP_AUTHED;
}

bool imap_is_uid(const struct command_line *c)
{
    return span_starts_nocase(c->verb, SPAN("UID "));
}

bool imap_messages(struct imap *m, struct span set, bool uid, struct rangeset *ret)
{
    struct rangeset numbers = RANGESET_EMPTY;
    uint32_t star = uid ? view_last_uid(m->view) : m->view->count;

    if (span_eq(set, SPAN("$"))) {
        ranges_intersect(&m->saved, &m->view->uids, ret);
        return true;
    }
    if (!rangeset_parse(set, star, ARG_SET_RANGES_MAX, &numbers))
        return false;
    if (uid) {
        ranges_intersect(&numbers, &m->view->uids, ret);
    } else {
        /* a number past the end is an error (RFC 9051 section 9); "5:*" of three messages is 3:5,
         * and taken as 3 */
        if (rangeset_max(&numbers) > m->view->count && !span_has(set, '*')) {
            rangeset_done(&numbers);
            return false;
        }
        rangeset_clear(ret);
        view_uids_of(m->view, &numbers, ret);
    }
    rangeset_done(&numbers);
    return true;
}

/* ------------------------------------------------------------------ flags of the mailbox */

static void put_flag_names(const struct keywords *k, bool permanent, uint64_t allowed,
                           struct buf *out)
{
    static const struct {
        const char *name;
        uint64_t flag;
    } rows[] = {
        {" \\Answered", STORE_ANSWERED},
        {" \\Flagged",  STORE_FLAGGED },
        {" \\Deleted",  STORE_DELETED },
        {" \\Seen",     STORE_SEEN    },
        {" \\Draft",    STORE_DRAFT   },
    };
    size_t from = out->n;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (allowed & rows[i].flag)
            buf_put_cstr(out, rows[i].name);
    for (unsigned i = 0; i < k->n && allowed >> 8; i++) {
        buf_putc(out, ' ');
        buf_put_span(out, k->name[i]);
    }
    if (permanent && allowed >> 8 && k->n < STORE_KEYWORDS_MAX)
        buf_put_cstr(out, " \\*");
    if (out->n == from)
        buf_putc(out, ' ');
    if (!out->overflow)
        out->p[from] = '(';
    buf_putc(out, ')');
}

void imap_put_flags(struct session *s, struct store_read *r, bool permanent, struct buf *out)
{
    struct imap *m = imap_of(s);
    struct keywords *k = malloc(sizeof *k);

    CHECK(k);
    keywords_read(r, m->mailbox, k);
    m->keyword_hash = keywords_hash(k);
    buf_put_cstr(out, "* FLAGS ");
    put_flag_names(k, false, UINT64_MAX, out);
    buf_put_cstr(out, "\r\n");
    if (permanent) {
        buf_put_cstr(out, "* OK [PERMANENTFLAGS ");
        put_flag_names(k, true, m->read_only ? 0 : imap_flags_allowed(m->rights), out);
        buf_put_cstr(out, "] Flags that are kept\r\n");
    }
    free(k);
}

/* ------------------------------------------------------------------ changes */

/* Others may give and take rights while the mailbox is open. False: the user may not read there any
 * more. */
static bool rights_now(struct session *s, struct store_read *r, const struct mailbox_info *info,
                       struct buf *out)
{
    struct imap *m = imap_of(s);

    if (info->account == s->user.account)
        return true;
    uint32_t rights = imap_rights(s, r, info);
    if (!(rights & ACL_READ))
        return false;
    bool other = imap_flags_allowed(rights) != imap_flags_allowed(m->rights);
    m->rights = rights;
    if (other)
        imap_put_flags(s, r, true, out);
    return true;
}

/* What changed since the view; false: nothing, or the store is away. Lines about new keywords go to
 * `out`. */
static bool read_changes(struct session *s, struct changes *d, struct buf *out)
{
    struct imap *m = imap_of(s);
    struct store_read r;
    struct mailbox_info info;

    if (imap_read_begin(s, &r) < 0)
        return false;
    bool there = store_mailbox_get(&r, m->mailbox, &info) == 0;
    if (!there || !rights_now(s, &r, &info, out)) {
        /* deleted, or not his to read any more: its messages are gone */
        rangeset_copy(&d->gone, &m->view->uids);
        d->modseq = UINT64_MAX;
        d->anything = m->view->count > 0;
    } else if (info.highestmodseq > m->view->modseq) {
        struct keywords *k = malloc(sizeof *k);
        CHECK(k);
        d->anything = true;
        d->modseq = info.highestmodseq;
        changes_find(&r, m->view, d);
        keywords_read(&r, m->mailbox, k);
        if (keywords_hash(k) != m->keyword_hash)
            imap_put_flags(s, &r, true, out);
        free(k);
    }
    store_read_end(&r);
    return d->anything || out->n;
}

/* The view that follows from the changes; shared if another session came to the same. `told`:
 * expunges have been applied. */
static struct view *next_view(struct imap *m, const struct changes *d, bool told)
{
    struct view *v = told ? view_shared(m->mailbox, d->modseq) : NULL;
    struct rangeset uids = RANGESET_EMPTY;

    if (v)
        return v;
    if (told && m->view->refs == 1 && m->gone.n == 0 && d->added.n == 0) {
        /* only flags have changed, and nobody else looks at this view: no copy */
        m->view->modseq = d->modseq;
        view_publish(m->view);
        return view_ref(m->view);
    }
    if (told)
        ranges_subtract(&m->view->uids, &m->gone, &uids);
    else
        rangeset_copy(&uids, &m->view->uids);
    ranges_unite(&uids, &d->added);
    v = view_new(m->mailbox, d->modseq, &uids);
    if (told)
        view_publish(v);
    return v;
}

static void put_chunk(struct session *s, struct buf *out, size_t from)
{
    if (out->n < from || out->n == 0)
        return;
    session_put(s, buf_span(out));
    buf_clear(out);
}

void imap_put_set(struct session *s, const struct rangeset *set, struct buf *out)
{
    for (size_t i = 0; i < set->n; i++) {
        if (i)
            buf_putc(out, ',');
        buf_put_u64(out, set->r[i].lo);
        if (set->r[i].hi != set->r[i].lo) {
            buf_putc(out, ':');
            buf_put_u64(out, set->r[i].hi);
        }
        put_chunk(s, out, REPLY_CHUNK);
    }
}

uint64_t imap_highest(const struct imap *m)
{
    return m->told <= INT64_MAX ? m->told : 0;
}

void imap_put_highest(struct session *s, const char *text)
{
    struct buf out BUF_AUTO = BUF(1024);
    uint64_t highest = imap_highest(imap_of(s));

    if (!highest)
        return;
    buf_put_cstr(&out, "* OK [HIGHESTMODSEQ ");
    buf_put_u64(&out, highest);
    buf_put_cstr(&out, "] ");
    buf_put_cstr(&out, text);
    buf_put_cstr(&out, "\r\n");
    session_put(s, buf_span(&out));
}

/* From the highest number down, so that no number changes before it is told. */
static void put_expunges(struct session *s, const struct view *old, const struct rangeset *gone,
                         struct buf *out)
{
    size_t count = rangeset_count(gone), n = 0;
    uint32_t *numbers = count ? malloc(count * sizeof *numbers) : NULL, uid;
    struct view_walk w = view_walk(old, gone);

    if (!numbers)
        return;
    while (n < count && view_walk_next(&w, &numbers[n], &uid))
        n++;
    while (n--) {
        buf_put_cstr(out, "* ");
        buf_put_u64(out, numbers[n]);
        buf_put_cstr(out, " EXPUNGE\r\n");
        put_chunk(s, out, REPLY_CHUNK);
    }
    free(numbers);
}

void imap_put_batch(struct session *s, const struct batch *b, const struct imap *skip_own,
                    struct buf *out)
{
    bool modseqs = imap_of(s)->condstore;

    for (size_t i = 0; i < b->n; i++) {
        const struct message_info *info = &b->message[i];
        if (skip_own && imap_is_own_change(skip_own, info->modseq))
            continue;
        buf_put_cstr(out, "* ");
        buf_put_u64(out, b->number[i]);
        buf_put_cstr(out, " FETCH (UID ");
        buf_put_u64(out, info->uid);
        buf_put_cstr(out, " FLAGS ");
        flags_print(info->flags, &b->keywords, out);
        if (modseqs) {
            buf_putc(out, ' ');
            modseq_put(info->modseq, out);
        }
        buf_put_cstr(out, ")\r\n");
        put_chunk(s, out, REPLY_CHUNK);
    }
}

static void put_changed(struct session *s, const struct rangeset *changed, struct buf *out)
{
    struct imap *m = imap_of(s);
    struct view_walk w = view_walk(m->view, changed);
    struct batch *b;

    if (changed->n == 0)
        return;
    b = batch_new();
    while (batch_next(s, &w, BATCH_MAX, b) > 0) {
        imap_put_batch(s, b, m, out);
        put_chunk(s, out, 1);
    }
    batch_free(b);
}

static void update(struct session *s, struct changes *d, bool expunge, struct buf *out)
{
    struct imap *m = imap_of(s);
    struct view *old = m->view, *v;
    struct rangeset told = RANGESET_EMPTY;

    if (!d->anything)
        d->modseq = old->modseq;
    ranges_unite(&m->gone, &d->gone);
    v = next_view(m, d, expunge || m->gone.n == 0);
    m->view = v;
    if (expunge && m->gone.n) {
        ranges_swap(&told, &m->gone);
        if (m->qresync)
            modseq_put_vanished(s, &told, false, out);
        else
            put_expunges(s, old, &told, out);
        rangeset_done(&told);
    }
    if (m->gone.n == 0)
        m->told = v->modseq;
    if (d->added.n) {
        buf_put_cstr(out, "* ");
        buf_put_u64(out, v->count);
        buf_put_cstr(out, " EXISTS\r\n");
    }
    view_unref(old);
    put_changed(s, &d->changed, out);
    put_chunk(s, out, 1);
}

void imap_update(struct session *s, bool expunge)
{
    struct imap *m = imap_of(s);
    struct changes d = {0};
    struct buf out BUF_AUTO = BUF(REPLY_MAX);

    if (!m->view)
        return;
    if (read_changes(s, &d, &out) || (expunge && m->gone.n))
        update(s, &d, expunge, &out);
    /* what is told with a later modseq must not let the client believe it has heard of the
     * expunges as well (RFC 7162 3.2) */
    if (m->condstore && m->gone.n)
        imap_put_highest(s, "Expunges are told later");
    changes_done(&d);
    forget_own_changes(m);
}

uint64_t imap_known(const struct session *s)
{
    const struct imap *m = session_data((struct session *)(uintptr_t)s);

    return m->owner == s->user.account && m->gone.n == 0 ? m->view->modseq : 0;
}

void imap_update_told(struct session *s, uint64_t modseq)
{
    struct imap *m = imap_of(s);
    struct changes d = {.anything = true, .modseq = modseq};
    struct buf out BUF_AUTO = BUF(REPLY_MAX);

    if (modseq)
        update(s, &d, false, &out);
    forget_own_changes(m);
}

void imap_finish(struct session *s, const struct command_line *c, bool expunge, const char *text)
{
    imap_update(s, expunge);
    imap_ok(s, c, text);
}
