/* Flags, expunging, copying. A planner looks first, may refuse, and only then writes
 * effects; past that point a failure is the store's own. */
#include "store/plan.h"

#include "store/acl.h"
#include "store/marks.h"
#include <errno.h>

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
    struct store_told told;
    bool tells; /* so far nothing speaks against it */
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
        p->tells = false;
        return;
    }
    uint64_t flags = (old & ~p->allowed) | (new_flags(p->f, old, p->wanted) & p->allowed);
    if ((flags ^ old) & seen)
        p->read[p->read_count++] = uid;
    if (p->tells)
        p->told.message[p->told.count++] =
            (struct told_message){uid, flags, flags == old ? modseq : p->m->row.highestmodseq + 1};
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

/* May the answer tell what the messages are then? He who asked must know all that was before, and all
 * of it must fit. */
static bool may_tell(const struct intent *i, const struct msg_flags *f, const struct mbox *m)
{
    return f->known && f->known == m->row.highestmodseq && i->progress == 0 && !is_public(m) &&
           rangeset_count(&f->uids) <= STORE_TOLD_MAX;
}

static int flags_piece(struct engine *e, struct intent *i, const struct msg_flags *f,
                       struct mbox *m, uint64_t account, uint64_t allowed)
{
    struct flags_plan *p = &(struct flags_plan){.f = f,
                                                .m = m,
                                                .account = account,
                                                .allowed = allowed,
                                                .max = piece_max(&f->uids),
                                                .tells = may_tell(i, f, m)};
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
    /* one that is gone is not told of */
    i->told = !err && p->tells && p->told.count == rangeset_count(&f->uids);
    if (i->told)
        wr_told(i->answer, &p->told);
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
/* A set that is no longer is looked through. */
enum { DELETED_FEW = 64, DELETED_LOOK = 1024, DELETED_SHARE = 16 };

/*
 * Which messages of the set carry \Deleted, without looking at all of them: they were mostly marked
 * lately, so they are among the last of the change log, and how many there are in the mailbox is
 * known. False: not all were found near its end.
 */
static bool find_deleted(struct engine *e, const struct mbox *m, const struct rangeset *uids,
                         struct rangeset *ret)
{
    struct key k = key_change(m->id, UINT64_MAX, UINT32_MAX);
    uint32_t look = DELETED_LOOK + m->row.messages / DELETED_SHARE, left = m->row.deleted;
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;

    if (left > DELETED_LOOK || mdb_cursor_open(e->txn, e->index.dbi[INDEX_CHANGE], &c) != 0)
        return false;
    int err = left ? mdb_cursor_get(c, &key, &v, MDB_SET_RANGE) : 0;
    err = left ? mdb_cursor_get(c, &key, &v, err ? MDB_LAST : MDB_PREV) : 0;
    while (left && look-- && err == 0 && key.mv_size == 20 && memcmp(key.mv_data, k.b, 8) == 0) {
        uint32_t uid = key_get_u32((const char *)key.mv_data + 16);
        struct key mk = key_message(m->id, uid);
        struct row_message row;
        if (index_get_row(&e->index, e->txn, INDEX_MESSAGE, &mk, &row, sizeof(row)) == 0 &&
            row.flags & STORE_DELETED) {
            left--;
            if (rangeset_has(uids, uid))
                rangeset_add(ret, uid, uid);
        }
        err = mdb_cursor_get(c, &key, &v, MDB_PREV);
    }
    mdb_cursor_close(c);
    return left == 0;
}

static int expunge_piece(struct engine *e, struct intent *i, const struct msg_expunge *x,
                         struct mbox *m)
{
    uint32_t gone[ENGINE_PIECE_MAX], uid, from = (uint32_t)i->progress, next = 0;
    struct rangeset all = RANGESET_EMPTY, deleted = RANGESET_EMPTY;
    bool few = x->only_deleted && rangeset_count(&x->uids) > DELETED_FEW &&
               find_deleted(e, m, &x->uids, &deleted);
    uint64_t modseq = m->row.highestmodseq;
    struct row_message row;
    size_t count = 0;
    struct walk w;
    int err;

    err = i->answer->n && !rd_flagged(buf_span(i->answer), &modseq, &all) ? -EIO : 0;
    if (!err)
        err = walk_begin(e, m->id, few ? &deleted : &x->uids, from, &w);
    if (err) {
        rangeset_done(&all);
        rangeset_done(&deleted);
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
    rangeset_done(&deleted);
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
