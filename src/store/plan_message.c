/* Appending, flags, expunging, copying. A planner looks first, may refuse, and only then writes
 * effects; past that point a failure is the store's own. */
#include "store/plan.h"

#include "base/log.h"
#include "store/acl.h"
#include "store/marks.h"
#include <errno.h>

/* ------------------------------------------------------------------ what planners share */
bool area_span(const struct intent *i, const struct msg_blob *b, struct span *ret)
{
    const struct area *a = &i->areas[b->area];

    if (b->bytes == 0) {
        *ret = SPAN_EMPTY;
        return true;
    }
    if (!a->p || b->at > a->n || b->bytes > a->n - b->at)
        return false;
    *ret = span_of(a->p + b->at, b->bytes);
    return true;
}

static bool quota_over(struct engine *e, uint64_t account, uint64_t more)
{
    const struct account *a = account ? account_get(e, account, false) : NULL;

    return a && a->row.quota_bytes && a->row.used_bytes + more > a->row.quota_bytes;
}

int quota_check(struct engine *e, uint64_t account, uint64_t more)
{
    const struct account *a = account_get(e, account, false);

    return quota_over(e, account, more) || quota_over(e, a ? a->domain : 0, more) ? -EDQUOT : 0;
}

static unsigned keyword_names(struct engine *e, uint64_t mailbox,
                              struct span names[STORE_KEYWORDS_MAX])
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

/* Names that the table of a mailbox lacks, each once. */
struct lacking {
    struct span have[STORE_KEYWORDS_MAX], name[STORE_KEYWORDS_MAX];
    unsigned n, missing;
    bool full;
};

static void lacking_add(struct lacking *l, const struct span *k, size_t count)
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

static struct lacking lacking_of(struct engine *e, const struct mbox *m)
{
    struct lacking l = {.missing = 0};

    l.n = keyword_names(e, m->id, l.have);
    return l;
}

static int keywords_room(struct engine *e, const struct mbox *m, const struct span *k, size_t count)
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

static uint64_t system_flags(uint64_t flags)
{
    return flags & (STORE_SEEN | STORE_ANSWERED | STORE_FLAGGED | STORE_DELETED | STORE_DRAFT);
}

int uid_room(const struct mbox *m, uint64_t count)
{
    return m->row.uidnext + count > STORE_NUMBER_MAX ? -EOVERFLOW : 0;
}

/* An effect failed: what was applied cannot be taken back one by one. */
int plan_broken(struct engine *e, int err)
{
    if (engine_no_room(err)) {
        e->no_room = true; /* whoever runs the batch takes it back */
        return err;
    }
    return engine_fail(e, err, "cannot apply a change to the index");
}

/* The flags that somebody with these rights may change; keywords are flags from 1 << 8 on. */
static uint64_t flags_allowed(uint32_t rights)
{
    return (rights & ACL_SEEN ? STORE_SEEN : 0) | (rights & ACL_TRASH ? STORE_DELETED : 0) |
           (rights & ACL_WRITE ? ~(uint64_t)(STORE_SEEN | STORE_DELETED) : 0);
}

static bool is_public(const struct mbox *m)
{
    return m->row.account == STORE_ACCOUNT_PUBLIC;
}

/* One message is read by its one reader, as of the mailbox's highest modseq. */
static int read_one(struct engine *e, const struct mbox *m, uint64_t account, uint32_t uid)
{
    struct effect_read r = {.mailbox = m->id,
                            .account = account,
                            .modseq = m->row.highestmodseq,
                            .seen = true,
                            .uids = &uid,
                            .count = 1};
    return effect_read(e, &r);
}

/* ------------------------------------------------------------------ APPEND */
struct appending {
    struct mbox *m;
    struct grant g;
    uint64_t allowed;      /* flags */
    struct mbox *replaced; /* the mailbox of the message that goes; NULL: none does */
    uint32_t replaced_bytes;
};

/* REPLACE takes a message away. */
static int replace_check(struct engine *e, const struct msg_append *a, struct appending *ret)
{
    struct mbox *m = mbox_get(e, a->replace_mailbox);
    struct key k = key_message(a->replace_mailbox, a->replace_uid);
    struct row_message row;
    int err = m ? mailbox_allows(e, a->grant, m, ACL_TRASH | ACL_EXPUNGE) : -ENOENT;

    if (!err)
        err = index_get_row(&e->index, e->txn, INDEX_MESSAGE, &k, &row, sizeof(row));
    if (err)
        return err;
    ret->replaced = m;
    if (m->row.account == ret->m->row.account)
        ret->replaced_bytes = row.prefix_bytes + row.body_bytes;
    return 0;
}

static int append_check(struct engine *e, struct intent *i, struct msg_append *a,
                        struct appending *ret)
{
    struct mbox *m = mbox_get(e, a->mailbox);
    struct lacking l;
    uint64_t bytes = 0;
    uint32_t rights;
    int err;

    if (!m)
        return -ENOENT;
    err = mailbox_rights(e, a->grant, m, &ret->g, &rights);
    if (err || !(rights & ACL_INSERT))
        return err ? err : -EACCES;
    if (m->row.attributes & MAILBOX_NOSELECT)
        return -ENOENT;
    ret->m = m;
    ret->allowed = flags_allowed(rights);
    l = lacking_of(e, m);
    for (size_t k = 0; k < a->count; k++) {
        struct msg_item *t = &a->items[k];
        err = body_check(e, i, &t->body);
        if (err)
            return err;
        if ((m->row.attributes & MAILBOX_NEWSGROUP) && t->body.message_id.n &&
            article_known(e, t->body.message_id, m->id))
            return -EEXIST;
        if (!(rights & ACL_WRITE)) /* flags that one may not set are left out (RFC 4314 4) */
            t->keyword_count = 0;
        lacking_add(&l, t->keywords, t->keyword_count);
        if (l.full)
            return -E2BIG;
        bytes += (uint64_t)t->body.body.bytes + t->prefix.n;
    }
    if (a->replace_mailbox) {
        err = replace_check(e, a, ret);
        if (err)
            return err;
    }
    if (bytes > ret->replaced_bytes)
        err = quota_check(e, m->row.account, bytes - ret->replaced_bytes);
    return err ? err : uid_room(m, a->count);
}

int body_check(struct engine *e, const struct intent *i, struct msg_body *b)
{
    struct span bytes, block;

    if (!area_span(i, &b->body, &bytes) || !area_span(i, &b->summary, &block))
        return -EINVAL;
    if (block.n == 0) /* readers make it */
        return 0;
    if (block.n > message_limits_default.summary_bytes)
        return -EBADMSG;
    b->block = arena_span(e->arena, block);
    if (!b->block.p)
        return -ENOMEM;
    if (summary_vet(b->block, b->body.bytes))
        return 0;
    log_error("store: refused a message of %s: the block beside it was not made by summary_make; "
              "the worker is broken or in wrong hands",
              role_name(i->role));
    return -EBADMSG;
}

int body_put(struct engine *e, const struct intent *i, const struct msg_body *b,
             uint32_t references, struct row_message *row)
{
    struct effect_body body = {.references = references};
    struct span bytes;

    if (!area_span(i, &b->body, &bytes))
        return -EINVAL;
    body.body = journal_blob(&e->journal, BLOB_BODY, bytes);
    if (b->block.n)
        body.summary = journal_blob(&e->journal, BLOB_SUMMARY, b->block);
    row->body = body_id(body.body);
    row->thread = b->thread;
    row->body_file = body.body.file;
    row->body_at = body.body.at;
    row->body_bytes = body.body.bytes;
    row->summary_file = body.summary.file;
    row->summary_at = body.summary.at;
    row->summary_bytes = body.summary.bytes;
    row->marks = references > 1 ? ROW_SHARED : 0;
    return effect_body(e, &body);
}

void prefix_set(struct row_message *row, struct place p)
{
    row->prefix_file = p.bytes ? p.file : 0;
    row->prefix_at = p.bytes ? p.at : 0;
    row->prefix_bytes = p.bytes;
}

static int append_one(struct engine *e, struct intent *i, const struct appending *to,
                      const struct msg_item *t, struct store_appended *ret)
{
    struct row_message row = {
        .received = t->received_seconds, .zone = t->received_zone, .saved = e->now};
    struct mbox *m = to->m;
    uint64_t bits = 0;
    int err = keyword_bits(e, m, t->keywords, t->keyword_count, true, &bits);

    if (err)
        return err;
    err = body_put(e, i, &t->body, 1, &row);
    if (err)
        return err;
    if (t->prefix.n)
        prefix_set(&row, journal_blob(&e->journal, BLOB_PREFIX, t->prefix));
    row.flags = (system_flags(t->flags) | bits) & to->allowed;
    bool read = is_public(m) && row.flags & STORE_SEEN;
    if (read)
        row.flags &= ~(uint64_t)STORE_SEEN;
    row.modseq = row.born = m->row.highestmodseq + 1;
    *ret = (struct store_appended){m->row.uidvalidity, m->row.uidnext, row.modseq};
    err = effect_add(e, m->id, m->row.uidnext, &row);
    if (!err && read)
        err = read_one(e, m, to->g.account, ret->uid);
    if (err || !(m->row.attributes & MAILBOX_NEWSGROUP) || t->body.message_id.n == 0)
        return err;
    struct effect_history h = {t->body.message_id, e->now, m->id, ret->uid};
    return effect_history(e, &h);
}

int plan_append(struct engine *e, struct intent *i)
{
    struct store_appended done[STORE_BODIES_MAX];
    struct appending to = {.m = NULL};
    struct msg_append a;
    int err;

    if (!rd_append(i->payload, e->arena, &a))
        return -EINVAL;
    err = append_check(e, i, &a, &to);
    if (err)
        return err;
    record_begin(e);
    effect_guard(e, to.m->id, to.m->row.highestmodseq);
    if (to.replaced && to.replaced != to.m)
        effect_guard(e, to.replaced->id, to.replaced->row.highestmodseq);
    for (size_t k = 0; k < a.count; k++) {
        err = append_one(e, i, &to, &a.items[k], &done[k]);
        if (err)
            return plan_broken(e, err);
    }
    if (to.replaced) {
        err = effect_expunge(e, to.replaced->id, to.replaced->row.highestmodseq + 1, false,
                             &a.replace_uid, 1);
        if (err)
            return plan_broken(e, err);
    }
    wr_appended(i->answer, done, a.count);
    return record_end(e, i, 0);
}

/* ------------------------------------------------------------------ walking over messages */
struct walk {
    MDB_cursor *c;
    uint64_t mailbox;
    const struct rangeset *uids;
    size_t range;
    bool started;
};

static int walk_begin(struct engine *e, uint64_t mailbox, const struct rangeset *uids,
                      uint32_t from, struct walk *ret)
{
    *ret = (struct walk){.mailbox = mailbox, .uids = uids};
    while (ret->range < uids->n && uids->r[ret->range].hi < from)
        ret->range++;
    return index_error(mdb_cursor_open(e->txn, e->index.dbi[INDEX_MESSAGE], &ret->c));
}

/* The next message of the set at or above `from`; the row is copied. */
static bool walk_next(struct walk *w, uint32_t from, uint32_t *ret_uid, struct row_message *ret)
{
    while (w->range < w->uids->n) {
        const struct range *r = &w->uids->r[w->range];
        struct key k = key_message(w->mailbox, r->lo > from ? r->lo : from);
        MDB_val key = {k.n, k.b}, v;
        int err = mdb_cursor_get(w->c, &key, &v, w->started ? MDB_NEXT : MDB_SET_RANGE);
        w->started = true;
        if (err || key.mv_size != 12 || memcmp(key.mv_data, k.b, 8) != 0 ||
            v.mv_size < sizeof(*ret))
            return false;
        uint32_t uid = key_get_u32((const char *)key.mv_data + 8);
        if (uid > r->hi) {
            while (w->range < w->uids->n && w->uids->r[w->range].hi < uid)
                w->range++;
            if (w->range == w->uids->n)
                return false;
            if (w->uids->r[w->range].lo > uid) {
                w->started = false;
                continue;
            }
        }
        memcpy(ret, v.mv_data, sizeof(*ret));
        *ret_uid = uid;
        return true;
    }
    return false;
}

/* Which messages it was is a courtesy; a set too ragged to be told is left out. */
static const struct rangeset *tellable(const struct rangeset *s)
{
    static const struct rangeset none;
    return s->n > STORE_RANGES_MAX ? &none : s;
}

/* ------------------------------------------------------------------ STORE */
static uint64_t new_flags(const struct msg_flags *f, uint64_t old, uint64_t wanted)
{
    switch (f->op) {
    case FLAGS_ADD:
        return old | wanted;
    case FLAGS_REMOVE:
        return old & ~wanted;
    default:
        return wanted;
    }
}

/* How many messages of the set one record changes at most: memory for a thousand is much to clear
 * for one. */
static size_t piece_max(const struct rangeset *uids)
{
    uint64_t n = rangeset_count(uids);
    return n < ENGINE_PIECE_MAX ? (size_t)n + 1 : ENGINE_PIECE_MAX;
}

struct flags_plan {
    const struct msg_flags *f;
    struct mbox *m;
    uint64_t account, allowed, wanted; /* who; flags */
    size_t max;                        /* of each of these */
    struct flag_change *change;
    size_t count;
    /* of a public folder: what its reader has or has not seen any more */
    uint32_t *read;
    size_t read_count;
    struct rangeset modified;
    uint32_t next; /* where to go on; 0: all done */
};

static bool flags_full(const struct flags_plan *p)
{
    return p->count == p->max || p->read_count == p->max;
}

static void flags_one(struct flags_plan *p, uint32_t uid, const struct row_message *row,
                      const struct mark *mark)
{
    uint64_t old = row->flags, modseq = row->modseq, seen = 0;

    if (is_public(p->m)) { /* the flag in the row is nobody's */
        seen = STORE_SEEN;
        old = (old & ~seen) | (mark->seen ? seen : 0);
        modseq = mark->modseq > modseq ? mark->modseq : modseq;
    }
    if (modseq > p->f->unchanged_since) {
        rangeset_add(&p->modified, uid, uid);
        return;
    }
    uint64_t flags = (old & ~p->allowed) | (new_flags(p->f, old, p->wanted) & p->allowed);
    if ((flags ^ old) & seen)
        p->read[p->read_count++] = uid;
    if ((flags ^ old) & ~seen)
        p->change[p->count++] = (struct flag_change){uid, (flags & ~seen) | (row->flags & seen)};
}

static void flags_collect(struct engine *e, uint32_t from, struct flags_plan *p)
{
    struct marks_reader marks = marks_reader(&e->index, e->txn, p->m->id, p->account);
    struct row_message row;
    struct walk w;
    uint32_t uid;

    if (walk_begin(e, p->m->id, &p->f->uids, from, &w) != 0)
        return;
    while (walk_next(&w, from, &uid, &row)) {
        if (flags_full(p)) {
            p->next = uid;
            break;
        }
        struct mark mark = {false, 0};
        if (is_public(p->m))
            mark = marks_of(&marks, uid);
        flags_one(p, uid, &row, &mark);
    }
    mdb_cursor_close(w.c);
}

static int flags_apply(struct engine *e, struct flags_plan *p, uint64_t *modseq)
{
    struct effect_read r = {.mailbox = p->m->id,
                            .account = p->account,
                            .modseq = p->m->row.highestmodseq + 1,
                            .seen = p->f->op != FLAGS_REMOVE && p->wanted & STORE_SEEN,
                            .uids = p->read,
                            .count = p->read_count};
    int err = 0;

    if (p->count + p->read_count)
        *modseq = r.modseq;
    if (p->count)
        err = effect_flags(e, p->m->id, r.modseq, p->change, p->count);
    return err || !p->read_count ? err : effect_read(e, &r);
}

static int flags_piece(struct engine *e, struct intent *i, const struct msg_flags *f,
                       struct mbox *m, uint64_t account, uint64_t allowed)
{
    struct flags_plan *p = &(struct flags_plan){
        .f = f, .m = m, .account = account, .allowed = allowed, .max = piece_max(&f->uids)};
    uint64_t modseq = 0; /* of the change, if there is one */
    bool make = f->op != FLAGS_REMOVE && allowed >> 8;
    int err;

    p->change = ARENA_ARRAY(e->arena, struct flag_change, p->max);
    p->read = ARENA_ARRAY(e->arena, uint32_t, p->max);
    if (!p->change || !p->read)
        return -ENOMEM;
    if (i->answer->n && !rd_flagged(buf_span(i->answer), &modseq, &p->modified)) {
        rangeset_done(&p->modified);
        return -EIO;
    }
    record_begin(e);
    effect_guard(e, m->id, m->row.highestmodseq);
    size_t none = e->effects.n;
    err = keyword_bits(e, m, f->keywords, f->keyword_count, make, &p->wanted);
    p->wanted |= system_flags(f->flags);
    if (!err)
        flags_collect(e, (uint32_t)i->progress, p);
    if (!err)
        err = flags_apply(e, p, &modseq);
    if (e->effects.n == none)
        buf_clear(&e->effects); /* nothing to do: no record */
    i->more = p->next != 0;
    i->progress = p->next;
    buf_clear(i->answer);
    wr_flagged(i->answer, modseq, tellable(&p->modified));
    rangeset_done(&p->modified);
    return err ? plan_broken(e, err) : record_end(e, i, 0);
}

/* Some of the flags must be ones that he may change; the others stay as they are (RFC 4314 4). */
static bool may_flag(const struct msg_flags *f, uint64_t allowed)
{
    uint64_t asked = system_flags(f->flags) | (f->keyword_count ? UINT64_C(1) << 8 : 0);

    return f->op == FLAGS_SET && !asked ? allowed != 0 : (asked & allowed) != 0 || !asked;
}

int plan_flags(struct engine *e, struct intent *i)
{
    struct msg_flags f;
    struct grant g;
    uint32_t rights = 0;
    int err = -EINVAL;

    if (rd_flags(i->payload, e->arena, &f)) {
        struct mbox *m = mbox_get(e, f.mailbox);
        err = m ? mailbox_rights(e, f.grant, m, &g, &rights) : -ENOENT;
        uint64_t allowed = flags_allowed(rights);
        if (!err && !(rights && may_flag(&f, allowed)))
            err = -EACCES;
        if (!err && f.op != FLAGS_REMOVE && rights & ACL_WRITE)
            err = keywords_room(e, m, f.keywords, f.keyword_count);
        if (!err)
            err = flags_piece(e, i, &f, m, g.account, allowed);
    }
    rangeset_done(&f.uids);
    return err;
}

/* ------------------------------------------------------------------ EXPUNGE */
static int expunge_piece(struct engine *e, struct intent *i, const struct msg_expunge *x,
                         struct mbox *m)
{
    uint32_t gone[ENGINE_PIECE_MAX], uid, from = (uint32_t)i->progress, next = 0;
    struct rangeset all = RANGESET_EMPTY;
    uint64_t modseq = m->row.highestmodseq;
    struct row_message row;
    size_t count = 0;
    struct walk w;
    int err;

    if (i->answer->n && !rd_flagged(buf_span(i->answer), &modseq, &all)) {
        rangeset_done(&all);
        return -EIO;
    }
    err = walk_begin(e, m->id, &x->uids, from, &w);
    if (err) {
        rangeset_done(&all);
        return err;
    }
    while (walk_next(&w, from, &uid, &row)) {
        if (x->only_deleted && !(row.flags & STORE_DELETED))
            continue;
        if (count == ENGINE_PIECE_MAX) {
            next = uid;
            break;
        }
        gone[count++] = uid;
        rangeset_add(&all, uid, uid);
    }
    mdb_cursor_close(w.c);
    i->more = next != 0;
    i->progress = next;
    if (count) {
        record_begin(e);
        effect_guard(e, m->id, m->row.highestmodseq);
        modseq = m->row.highestmodseq + 1;
        err = effect_expunge(e, m->id, modseq, false, gone, count);
    }
    buf_clear(i->answer);
    wr_flagged(i->answer, modseq, tellable(&all));
    rangeset_done(&all);
    if (err)
        return plan_broken(e, err);
    return count ? record_end(e, i, 0) : 0;
}

int plan_expunge(struct engine *e, struct intent *i)
{
    struct msg_expunge x;
    int err = -EINVAL;

    if (rd_expunge(i->payload, &x)) {
        struct mbox *m = mbox_get(e, x.mailbox);
        uint32_t rights = ACL_EXPUNGE | (x.only_deleted ? 0 : ACL_TRASH);
        err = m ? mailbox_allows(e, x.grant, m, rights) : -ENOENT;
        if (!err)
            err = expunge_piece(e, i, &x, m);
    }
    rangeset_done(&x.uids);
    return err;
}

/* ------------------------------------------------------------------ COPY and MOVE */
/* Two sets in one answer. */
enum { COPIED_RANGES_MAX = STORE_RANGES_MAX / 2 };

struct copy_plan {
    struct copy_one {
        uint32_t uid;
        struct row_message row;
    } * m;
    uint32_t *gone;
    size_t count, max;
    uint32_t next;
    uint64_t bytes;
};

static struct copy_plan *copy_plan_new(struct engine *e, const struct rangeset *uids)
{
    struct copy_plan *p = arena_try(e->arena, sizeof(*p));

    if (!p)
        return NULL;
    p->max = piece_max(uids);
    p->m = ARENA_ARRAY(e->arena, struct copy_one, p->max);
    p->gone = ARENA_ARRAY(e->arena, uint32_t, p->max);
    return p->m && p->gone ? p : NULL;
}

static int copy_collect(struct engine *e, uint64_t mailbox, const struct rangeset *uids,
                        uint32_t from, struct copy_plan *p)
{
    struct row_message row;
    struct walk w;
    uint32_t uid;
    int err = walk_begin(e, mailbox, uids, from, &w);

    if (err)
        return err;
    while (walk_next(&w, from, &uid, &row)) {
        if (p->count == p->max) {
            p->next = uid;
            break;
        }
        p->m[p->count].uid = uid;
        p->gone[p->count] = uid;
        p->m[p->count++].row = row;
        p->bytes += (uint64_t)row.prefix_bytes + row.body_bytes;
    }
    mdb_cursor_close(w.c);
    return 0;
}

/* Keywords have other bits over there; those that find no room are left behind. */
static int copy_keywords(struct engine *e, struct mbox *from, struct mbox *to, uint64_t flags,
                         uint64_t *ret)
{
    struct span names[STORE_KEYWORDS_MAX];
    unsigned n = keyword_names(e, from->id, names);
    uint64_t bits = flags & 0xff;

    for (unsigned k = 0; k < n && flags >> 8; k++) {
        char room[STORE_KEYWORD_BYTES_MAX];
        uint64_t bit;
        if (!(flags & STORE_KEYWORD(k)))
            continue;
        if (names[k].n > sizeof(room))
            continue;
        memcpy(room, names[k].p, names[k].n);
        struct span name = span_of(room, names[k].n);
        bool fits = keywords_room(e, to, &name, 1) == 0;
        int err = keyword_bits(e, to, &name, 1, fits, &bit);
        if (err)
            return err;
        bits |= bit;
        n = keyword_names(e, from->id, names); /* the table's page may have moved */
    }
    *ret = bits;
    return 0;
}

/* What a copy's flags are over there. \Seen of public folders is the reader's own, *ret_read: there,
 * too. */
static int copy_flags(struct engine *e, struct mbox *from, struct mbox *to,
                      const struct copy_how *how, struct marks_reader *marks, uint32_t uid,
                      uint64_t *flags, bool *ret_read)
{
    if (is_public(from))
        *flags = (*flags & ~(uint64_t)STORE_SEEN) | (marks_of(marks, uid).seen ? STORE_SEEN : 0);
    *flags &= how->allowed;
    if (from != to) {
        uint64_t there = 0;
        int err = copy_keywords(e, from, to, *flags, &there);
        if (err)
            return err;
        *flags = there;
    }
    *ret_read = is_public(to) && *flags & STORE_SEEN;
    if (is_public(to))
        *flags &= ~(uint64_t)STORE_SEEN;
    return 0;
}

int copy_messages(struct engine *e, struct mbox *from, struct mbox *to, struct copy_plan *p,
                  const struct copy_how *how, struct store_copied *c)
{
    uint64_t modseq = to->row.highestmodseq + 1;
    int err = 0;

    for (size_t k = 0; k < p->count && !err; k++) {
        /* anew each time: what was read of the index may have moved */
        struct marks_reader marks = marks_reader(&e->index, e->txn, from->id, how->reader);
        struct row_message row = p->m[k].row;
        uint32_t uid = to->row.uidnext;
        bool read = false;
        if (!how->move) {
            struct effect_share s = {from->id, p->m[k].uid};
            err = effect_share(e, &s);
            row.marks |= ROW_SHARED;
        }
        uint64_t flags = row.flags;
        if (!err)
            err = copy_flags(e, from, to, how, &marks, p->m[k].uid, &flags, &read);
        row.flags = flags;
        row.saved = e->now;
        row.modseq = row.born = modseq;
        if (!err)
            err = effect_add(e, to->id, uid, &row);
        if (!err && read)
            err = read_one(e, to, how->reader, uid);
        rangeset_add(&c->from, p->m[k].uid, p->m[k].uid);
        rangeset_add(&c->to, uid, uid);
    }
    if (!err && how->move)
        err = effect_expunge(e, from->id, from->row.highestmodseq + 1, true, p->gone, p->count);
    return err;
}

static int copy_piece(struct engine *e, struct intent *i, const struct msg_copy *q,
                      struct mbox *from, struct mbox *to, const struct copy_how *how)
{
    struct copy_plan *p = copy_plan_new(e, &q->uids);
    struct store_copied c = {.from = RANGESET_EMPTY, .to = RANGESET_EMPTY};
    int err = p ? 0 : -ENOMEM;

    if (!err && i->answer->n && !rd_copied(buf_span(i->answer), &c))
        err = -EIO;
    if (!err)
        err = copy_collect(e, from->id, &q->uids, (uint32_t)i->progress, p);
    if (!err)
        err = uid_room(to, p->count);
    if (!err && from->row.account != to->row.account)
        err = quota_check(e, to->row.account, p->bytes);
    else if (!err && !q->move)
        err = quota_check(e, to->row.account, p->bytes);
    if (!err) {
        i->more = p->next != 0;
        i->progress = p->next;
        c.uidvalidity = to->row.uidvalidity;
        if (p->count) {
            record_begin(e);
            effect_guard(e, from->id, from->row.highestmodseq);
            if (to != from)
                effect_guard(e, to->id, to->row.highestmodseq);
            err = copy_messages(e, from, to, p, how, &c);
            if (err)
                err = plan_broken(e, err);
        }
        buf_clear(i->answer);
        /* Both or none. */
        bool both = c.from.n <= COPIED_RANGES_MAX && c.to.n <= COPIED_RANGES_MAX;
        wr_copied(i->answer, both ? &c : &(struct store_copied){.uidvalidity = c.uidvalidity});
        if (!err && p->count)
            err = record_end(e, i, 0);
    }
    rangeset_done(&c.from);
    rangeset_done(&c.to);
    return err;
}

static int copy_check(struct engine *e, const struct msg_copy *q, struct mbox *from,
                      struct mbox *to, struct copy_how *ret)
{
    uint32_t there, here, need = ACL_READ | (q->move ? ACL_TRASH | ACL_EXPUNGE : 0);
    struct grant g;
    int err = mailbox_rights(e, q->grant, to, &g, &there);

    if (!err)
        err = mailbox_rights(e, q->grant, from, &g, &here);
    if (err)
        return err;
    if (!(there & ACL_INSERT) || (here & need) != need)
        return -EACCES;
    if (to->row.attributes & MAILBOX_NOSELECT)
        return -ENOENT;
    *ret = (struct copy_how){q->move, g.account, flags_allowed(there)};
    return q->move && from == to ? -EINVAL : 0;
}

int plan_copy(struct engine *e, struct intent *i)
{
    struct copy_how how;
    struct msg_copy q;
    int err = -EINVAL;

    if (rd_copy(i->payload, &q)) {
        struct mbox *from = mbox_get(e, q.from), *to = mbox_get(e, q.to);
        err = from && to ? copy_check(e, &q, from, to, &how) : -ENOENT;
        if (!err)
            err = copy_piece(e, i, &q, from, to, &how);
    }
    rangeset_done(&q.uids);
    return err;
}

/* All messages below a UID go over to another mailbox, a piece at a time (RENAME of INBOX).
 * *ret_more: there are more. */
int move_piece(struct engine *e, struct mbox *from, struct mbox *to, bool *ret_more)
{
    struct store_copied c = {.from = RANGESET_EMPTY, .to = RANGESET_EMPTY};
    struct copy_how how = {.move = true, .reader = from->row.account, .allowed = UINT64_MAX};
    struct range everything = {1, STORE_NUMBER_MAX};
    struct rangeset uids = {&everything, 1, 1};
    struct copy_plan *p = copy_plan_new(e, &uids);
    int err = p ? copy_collect(e, from->id, &uids, 0, p) : -ENOMEM;

    if (!err && p->count)
        err = copy_messages(e, from, to, p, &how, &c);
    if (!err)
        *ret_more = p->next != 0;
    rangeset_done(&c.from);
    rangeset_done(&c.to);
    return err;
}
