/* Effects of messages: bodies, adding, flags, expunging. Each is written and applied, or read and
 * applied; the same function applies. */
#include "store/effect_parts.h"

#include "store/compact.h"
#include <errno.h>

uint64_t body_id(struct place body)
{
    return (uint64_t)body.file << 32 | body.at;
}

void wr_place(struct buf *b, struct place p)
{
    wr_u32(b, p.file);
    wr_u32(b, p.at);
    wr_u32(b, p.bytes);
}

struct place rd_place(struct rd *r)
{
    struct place p = {rd_u32(r), rd_u32(r), rd_u32(r)};
    return p;
}

/* ------------------------------------------------------------------ guard */
int apply_guard(struct engine *e, uint64_t mailbox, uint64_t modseq)
{
    struct mbox *m = mbox_get(e, mailbox);
    return m && m->row.highestmodseq == modseq ? 0 : -EBADMSG;
}

int effect_guard(struct engine *e, uint64_t mailbox, uint64_t modseq)
{
    wr_u8(&e->effects, EFFECT_GUARD);
    wr_u64(&e->effects, mailbox);
    wr_u64(&e->effects, modseq);
    return 0;
}

int read_guard(struct engine *e, struct rd *r)
{
    uint64_t mailbox = rd_u64(r), modseq = rd_u64(r);
    return r->bad ? -EBADMSG : apply_guard(e, mailbox, modseq);
}

/* ------------------------------------------------------------------ bodies */
int64_t blob_cost(uint32_t bytes)
{
    return bytes ? (int64_t)bytes + (int64_t)sizeof(struct blob_head) : 0;
}

int shared_put(struct engine *e, uint64_t body, uint32_t references)
{
    struct key k = key_u64(body);

    if (references < 2)
        return index_del(&e->index, e->txn, INDEX_SHARED, &k);
    return index_put(&e->index, e->txn, INDEX_SHARED, &k, &references, sizeof(references));
}

static int apply_body(struct engine *e, const struct effect_body *b)
{
    live_add(e, b->body.file, blob_cost(b->body.bytes));
    live_add(e, b->summary.file, blob_cost(b->summary.bytes));
    return b->references > 1 ? shared_put(e, body_id(b->body), b->references) : 0;
}

int effect_body(struct engine *e, const struct effect_body *b)
{
    wr_u8(&e->effects, EFFECT_BODY);
    wr_place(&e->effects, b->body);
    wr_place(&e->effects, b->summary);
    wr_u32(&e->effects, b->references);
    return apply_body(e, b);
}

int read_body(struct engine *e, struct rd *r)
{
    struct effect_body b;

    b.body = rd_place(r);
    b.summary = rd_place(r);
    b.references = rd_u32(r);
    return r->bad ? -EBADMSG : apply_body(e, &b);
}

/* One row less uses the body; with the last it is dead weight in its log file. */
int body_release(struct engine *e, uint64_t body, bool maybe_shared, struct place at,
                 struct place summary)
{
    struct key k = key_u64(body);
    uint32_t references;

    if (maybe_shared &&
        index_get_row(&e->index, e->txn, INDEX_SHARED, &k, &references, sizeof(references)) == 0)
        return shared_put(e, body, references - 1);
    live_add(e, at.file, -blob_cost(at.bytes));
    live_add(e, summary.file, -blob_cost(summary.bytes));
    return 0;
}

static int apply_share(struct engine *e, const struct effect_share *s)
{
    struct key k = key_message(s->mailbox, s->uid);
    struct row_message row;
    uint32_t references = 1;
    int err = index_get_row(&e->index, e->txn, INDEX_MESSAGE, &k, &row, sizeof(row));

    if (err)
        return err == -ENOENT ? -EBADMSG : err;
    if (!(row.marks & ROW_SHARED)) {
        row.marks |= ROW_SHARED;
        err = index_put(&e->index, e->txn, INDEX_MESSAGE, &k, &row, sizeof(row));
        if (err)
            return err;
    } else {
        struct key b = key_u64(row.body);
        err = index_get_row(&e->index, e->txn, INDEX_SHARED, &b, &references, sizeof(references));
        if (err && err != -ENOENT)
            return err;
    }
    return shared_put(e, row.body, references + 1);
}

int effect_share(struct engine *e, const struct effect_share *s)
{
    wr_u8(&e->effects, EFFECT_SHARE);
    wr_u64(&e->effects, s->mailbox);
    wr_u32(&e->effects, s->uid);
    return apply_share(e, s);
}

int read_share(struct engine *e, struct rd *r)
{
    struct effect_share s = {rd_u64(r), rd_u32(r)};
    return r->bad ? -EBADMSG : apply_share(e, &s);
}

/* ------------------------------------------------------------------ messages */
static void count_in(struct mbox *m, uint32_t uid, const struct row_message *row)
{
    m->row.messages++;
    m->row.bytes += row->prefix_bytes + row->body_bytes;
    m->row.deleted += (row->flags & STORE_DELETED) != 0;
    if (!(row->flags & STORE_SEEN)) {
        if (m->row.unseen++ == 0)
            m->row.first_unseen = uid;
    }
}

static void count_out(struct mbox *m, uint32_t uid, const struct row_message *row)
{
    m->row.messages--;
    m->row.bytes -= row->prefix_bytes + row->body_bytes;
    m->row.deleted -= (row->flags & STORE_DELETED) != 0;
    if (!(row->flags & STORE_SEEN)) {
        m->row.unseen--;
        m->find_unseen |= m->row.first_unseen == uid;
    }
}

static int apply_add(struct engine *e, uint64_t mailbox, uint32_t uid,
                     const struct row_message *row)
{
    struct mbox *m = mbox_get(e, mailbox);
    struct key k = key_message(mailbox, uid);

    if (!m || uid < m->row.uidnext || row->modseq < m->row.highestmodseq)
        return -EBADMSG;
    count_in(m, uid, row);
    if (m->row.first_number == 0)
        m->row.first_number = uid;
    m->row.uidnext = uid + 1;
    m->row.highestmodseq = row->modseq;
    live_add(e, row->prefix_file, blob_cost(row->prefix_bytes));
    if (e->compact)
        compact_note(e->compact, mailbox, uid, row->body,
                     (const uint32_t[3]){row->body_file, row->summary_file, row->prefix_file});
    account_use(e, m->row.account, (int64_t)row->prefix_bytes + row->body_bytes);
    mbox_dirty(e, m);
    engine_note_changed(e, mailbox);
    return index_put(&e->index, e->txn, INDEX_MESSAGE, &k, row, sizeof(*row));
}

int effect_add(struct engine *e, uint64_t mailbox, uint32_t uid, const struct row_message *row)
{
    wr_u8(&e->effects, EFFECT_ADD);
    wr_u64(&e->effects, mailbox);
    wr_u32(&e->effects, uid);
    wr_raw(&e->effects, row, sizeof(*row));
    return apply_add(e, mailbox, uid, row);
}

int read_add(struct engine *e, struct rd *r)
{
    struct row_message row;
    uint64_t mailbox = rd_u64(r);
    uint32_t uid = rd_u32(r);
    struct span raw = rd_raw(r, sizeof(row));

    if (r->bad)
        return -EBADMSG;
    memcpy(&row, raw.p, sizeof(row));
    return apply_add(e, mailbox, uid, &row);
}

static int change_put(struct engine *e, uint64_t mailbox, uint64_t modseq, uint32_t uid, bool gone)
{
    struct key k = key_change(mailbox, modseq, uid);
    struct row_change row = {gone, e->now};
    return index_put(&e->index, e->txn, INDEX_CHANGE, &k, &row, sizeof(row));
}

static int change_del(struct engine *e, uint64_t mailbox, uint32_t uid,
                      const struct row_message *row)
{
    struct key k = key_change(mailbox, row->modseq, uid);
    return row->modseq == row->born ? 0 : index_del(&e->index, e->txn, INDEX_CHANGE, &k);
}

static void count_flags(struct mbox *m, uint32_t uid, uint64_t before, uint64_t after)
{
    if ((before ^ after) & STORE_SEEN) {
        if (after & STORE_SEEN) {
            m->row.unseen--;
            m->find_unseen |= m->row.first_unseen == uid;
        } else {
            if (m->row.unseen++ == 0 || (m->row.first_unseen && uid < m->row.first_unseen)) {
                m->row.first_unseen = uid;
                m->find_unseen = false;
            }
        }
    }
    if ((before ^ after) & STORE_DELETED)
        m->row.deleted += (after & STORE_DELETED) ? 1 : (uint32_t)-1;
}

static int apply_flag(struct engine *e, struct mbox *m, uint64_t modseq, uint32_t uid,
                      uint64_t flags)
{
    struct key k = key_message(m->id, uid);
    struct row_message row;
    int err = index_get_row(&e->index, e->txn, INDEX_MESSAGE, &k, &row, sizeof(row));

    if (err)
        return err == -ENOENT ? 0 : err;
    err = change_del(e, m->id, uid, &row);
    if (err)
        return err;
    count_flags(m, uid, row.flags, flags);
    row.flags = flags;
    row.modseq = modseq;
    err = index_put(&e->index, e->txn, INDEX_MESSAGE, &k, &row, sizeof(row));
    return err ? err : change_put(e, m->id, modseq, uid, false);
}

static struct mbox *changing(struct engine *e, uint64_t mailbox, uint64_t modseq)
{
    struct mbox *m = mbox_get(e, mailbox);

    if (!m || modseq < m->row.highestmodseq)
        return NULL;
    m->row.highestmodseq = modseq;
    mbox_dirty(e, m);
    engine_note_changed(e, mailbox);
    return m;
}

int effect_flags(struct engine *e, uint64_t mailbox, uint64_t modseq, const struct flag_change *c,
                 size_t count)
{
    struct mbox *m = changing(e, mailbox, modseq);
    uint32_t before = 0;

    if (!m)
        return -EBADMSG;
    wr_u8(&e->effects, EFFECT_FLAGS);
    wr_u64(&e->effects, mailbox);
    wr_u64(&e->effects, modseq);
    wr_varint(&e->effects, count);
    for (size_t i = 0; i < count; i++) {
        wr_varint(&e->effects, c[i].uid - before);
        wr_varint(&e->effects, c[i].flags);
        before = c[i].uid;
        int err = apply_flag(e, m, modseq, c[i].uid, c[i].flags);
        if (err)
            return err;
    }
    return 0;
}

int read_flags(struct engine *e, struct rd *r)
{
    uint64_t mailbox = rd_u64(r), modseq = rd_u64(r), count = rd_varint(r);
    struct mbox *m = r->bad ? NULL : changing(e, mailbox, modseq);
    uint32_t uid = 0;

    if (!m)
        return -EBADMSG;
    for (uint64_t i = 0; i < count; i++) {
        uid += (uint32_t)rd_varint(r);
        uint64_t flags = rd_varint(r);
        int err = r->bad ? -EBADMSG : apply_flag(e, m, modseq, uid, flags);
        if (err)
            return err;
    }
    return 0;
}

static int apply_gone(struct engine *e, struct mbox *m, uint64_t modseq, uint32_t uid,
                      bool keep_bodies)
{
    struct key k = key_message(m->id, uid);
    struct row_message row;
    int err = index_get_row(&e->index, e->txn, INDEX_MESSAGE, &k, &row, sizeof(row));

    if (err)
        return err == -ENOENT ? 0 : err;
    count_out(m, uid, &row);
    account_use(e, m->row.account, -((int64_t)row.prefix_bytes + row.body_bytes));
    err = message_remove(e, m->id, uid, &row, keep_bodies);
    return err ? err : change_put(e, m->id, modseq, uid, true);
}

int message_remove(struct engine *e, uint64_t mailbox, uint32_t uid, const struct row_message *row,
                   bool keep_body)
{
    struct key k = key_message(mailbox, uid);
    int err = change_del(e, mailbox, uid, row);

    live_add(e, row->prefix_file, -blob_cost(row->prefix_bytes));
    if (!err && !keep_body)
        err = body_release(e, row->body, row->marks & ROW_SHARED,
                           (struct place){row->body_file, row->body_at, row->body_bytes},
                           (struct place){row->summary_file, row->summary_at, row->summary_bytes});
    return err ? err : index_del(&e->index, e->txn, INDEX_MESSAGE, &k);
}

/* The low water mark of a newsgroup rises with its first article. */
static void raise_first_number(struct engine *e, struct mbox *m)
{
    struct key k = key_message(m->id, m->row.first_number);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;

    if (mdb_cursor_open(e->txn, e->index.dbi[INDEX_MESSAGE], &c) != 0)
        return;
    if (mdb_cursor_get(c, &key, &v, MDB_SET_RANGE) == 0 && key.mv_size == 12 &&
        memcmp(key.mv_data, k.b, 8) == 0)
        m->row.first_number = key_get_u32((const char *)key.mv_data + 8);
    else
        m->row.first_number = m->row.uidnext;
    mdb_cursor_close(c);
}

int effect_expunge(struct engine *e, uint64_t mailbox, uint64_t modseq, bool keep_bodies,
                   const uint32_t *uids, size_t count)
{
    struct mbox *m = changing(e, mailbox, modseq);
    uint32_t before = 0;

    if (!m)
        return -EBADMSG;
    wr_u8(&e->effects, EFFECT_EXPUNGE);
    wr_u64(&e->effects, mailbox);
    wr_u64(&e->effects, modseq);
    wr_bool(&e->effects, keep_bodies);
    wr_varint(&e->effects, count);
    for (size_t i = 0; i < count; i++) {
        wr_varint(&e->effects, uids[i] - before);
        before = uids[i];
        int err = apply_gone(e, m, modseq, uids[i], keep_bodies);
        if (err)
            return err;
    }
    raise_first_number(e, m);
    return 0;
}

int read_expunge(struct engine *e, struct rd *r)
{
    uint64_t mailbox = rd_u64(r), modseq = rd_u64(r);
    bool keep = rd_bool(r);
    uint64_t count = rd_varint(r);
    struct mbox *m = r->bad ? NULL : changing(e, mailbox, modseq);
    uint32_t uid = 0;

    if (!m)
        return -EBADMSG;
    for (uint64_t i = 0; i < count; i++) {
        uid += (uint32_t)rd_varint(r);
        int err = r->bad ? -EBADMSG : apply_gone(e, m, modseq, uid, keep);
        if (err)
            return err;
    }
    raise_first_number(e, m);
    return 0;
}
