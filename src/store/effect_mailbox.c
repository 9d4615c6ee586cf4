/* Effects on mailboxes: names, keywords, subscriptions, the history of Message-IDs, removal in
 * pieces. */
#include "store/effect_parts.h"

#include "base/check.h"
#include <errno.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ mailboxes and their names */
static int name_put(struct engine *e, const struct mbox *m)
{
    struct key k = key_name(m->row.account, mbox_name(m));
    return index_put(&e->index, e->txn, INDEX_NAME, &k, &m->id, sizeof(m->id));
}

static int name_del(struct engine *e, const struct mbox *m)
{
    struct key k = key_name(m->row.account, mbox_name(m));
    return index_del(&e->index, e->txn, INDEX_NAME, &k);
}

static uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static int apply_mailbox_put(struct engine *e, const struct effect_mailbox *p)
{
    struct mbox *m = mbox_get(e, p->id);
    int err = 0;

    if (p->name.n == 0 || p->name.n > STORE_NAME_MAX)
        return -EBADMSG;
    if (m) {
        err = name_del(e, m);
        m->row.attributes = p->row.attributes;
        /* Numbers only rise. */
        m->row.uidnext = max_u32(m->row.uidnext, p->row.uidnext);
        m->row.first_number = max_u32(m->row.first_number, p->row.first_number);
        m->row.uidvalidity = max_u32(m->row.uidvalidity, p->row.uidvalidity);
    } else {
        m = mbox_new(e, p->id);
        m->row = p->row;
        if (p->id >= e->state.next_mailbox)
            e->state.next_mailbox = p->id + 1;
        engine_note_changed(e, STORE_MAILBOXES);
    }
    e->state.last_uidvalidity = max_u32(e->state.last_uidvalidity, p->row.uidvalidity);
    memmove(m->name, p->name.p, p->name.n);
    m->row.name_bytes = (uint16_t)p->name.n;
    mbox_dirty(e, m);
    engine_note_changed(e, p->id);
    return err ? err : name_put(e, m);
}

int effect_mailbox_put(struct engine *e, const struct effect_mailbox *p)
{
    wr_u8(&e->effects, EFFECT_MAILBOX_PUT);
    wr_u64(&e->effects, p->id);
    wr_raw(&e->effects, &p->row, sizeof(p->row));
    wr_span(&e->effects, p->name);
    return apply_mailbox_put(e, p);
}

int read_mailbox_put(struct engine *e, struct rd *r)
{
    struct effect_mailbox p = {.id = rd_u64(r)};
    struct span row = rd_raw(r, sizeof(p.row));

    p.name = rd_span(r, STORE_NAME_MAX);
    if (r->bad)
        return -EBADMSG;
    memcpy(&p.row, row.p, sizeof(p.row));
    return apply_mailbox_put(e, &p);
}

static int apply_mailbox_gone(struct engine *e, uint64_t id)
{
    struct mbox *m = mbox_get(e, id);
    struct key k = key_u64(id);
    int err;

    if (!m)
        return 0;
    err = name_del(e, m);
    if (!err)
        err = index_del(&e->index, e->txn, INDEX_MAILBOX, &k);
    if (!err)
        err = index_put(&e->index, e->txn, INDEX_DOOMED, &k, &m->row.account, sizeof(uint64_t));
    if (!err)
        err = acl_drop_mailbox(e, id);
    account_use(e, m->row.account, -(int64_t)m->row.bytes);
    e->leftovers = true;
    engine_note_changed(e, id);
    map64_remove(e->mailboxes, id);
    list_remove(&m->lru);
    free(m);
    return err;
}

int effect_mailbox_gone(struct engine *e, uint64_t mailbox)
{
    wr_u8(&e->effects, EFFECT_MAILBOX_GONE);
    wr_u64(&e->effects, mailbox);
    return apply_mailbox_gone(e, mailbox);
}

int read_mailbox_gone(struct engine *e, struct rd *r)
{
    uint64_t id = rd_u64(r);
    return r->bad ? -EBADMSG : apply_mailbox_gone(e, id);
}

/* ------------------------------------------------------------------ keywords */
static int apply_keyword(struct engine *e, uint64_t mailbox, struct span name)
{
    struct mbox *m = mbox_get(e, mailbox);
    struct key k = key_u64(mailbox);
    char row[STORE_KEYWORDS_MAX * (STORE_KEYWORD_BYTES_MAX + 1)];
    struct span old = SPAN_EMPTY;
    int err = index_get(&e->index, e->txn, INDEX_KEYWORD, &k, &old);

    if (err && err != -ENOENT)
        return err;
    if (!m || name.n == 0 || name.n > STORE_KEYWORD_BYTES_MAX || old.n + 1 + name.n > sizeof(row) ||
        m->row.keywords >= STORE_KEYWORDS_MAX)
        return -EBADMSG;
    if (old.n)
        memcpy(row, old.p, old.n);
    row[old.n] = (char)name.n;
    memcpy(row + old.n + 1, name.p, name.n);
    m->row.keywords++;
    mbox_dirty(e, m);
    engine_note_changed(e, mailbox);
    return index_put(&e->index, e->txn, INDEX_KEYWORD, &k, row, old.n + 1 + name.n);
}

int effect_keyword(struct engine *e, uint64_t mailbox, struct span name)
{
    wr_u8(&e->effects, EFFECT_KEYWORD);
    wr_u64(&e->effects, mailbox);
    wr_span(&e->effects, name);
    return apply_keyword(e, mailbox, name);
}

int read_keyword(struct engine *e, struct rd *r)
{
    uint64_t mailbox = rd_u64(r);
    struct span name = rd_span(r, STORE_KEYWORD_BYTES_MAX);
    return r->bad ? -EBADMSG : apply_keyword(e, mailbox, name);
}

/* ------------------------------------------------------------------ subscriptions */
static int apply_subscribe(struct engine *e, const struct effect_subscribe *s)
{
    struct key k = key_u64(s->account);
    struct mbox *m;

    key_add_u64(&k, s->folder_account);
    key_add_name(&k, s->name);
    if (s->account == s->folder_account && (m = mbox_find(e, s->folder_account, s->name, true))) {
        m->row.attributes &= ~(uint32_t)MAILBOX_SUBSCRIBED;
        m->row.attributes |= s->on ? MAILBOX_SUBSCRIBED : 0;
        mbox_dirty(e, m);
    }
    return s->on ? index_put(&e->index, e->txn, INDEX_SUBSCRIPTION, &k, s->name.p, s->name.n)
                 : index_del(&e->index, e->txn, INDEX_SUBSCRIPTION, &k);
}

int effect_subscribe(struct engine *e, const struct effect_subscribe *s)
{
    wr_u8(&e->effects, EFFECT_SUBSCRIBE);
    wr_u64(&e->effects, s->account);
    wr_u64(&e->effects, s->folder_account);
    wr_span(&e->effects, s->name);
    wr_bool(&e->effects, s->on);
    return apply_subscribe(e, s);
}

int read_subscribe(struct engine *e, struct rd *r)
{
    struct effect_subscribe s = {.account = rd_u64(r), .folder_account = rd_u64(r)};

    s.name = rd_span(r, STORE_NAME_MAX);
    s.on = rd_bool(r);
    return r->bad || s.name.n == 0 ? -EBADMSG : apply_subscribe(e, &s);
}

/* ------------------------------------------------------------------ Message-IDs */
static int apply_history(struct engine *e, const struct effect_history *h)
{
    enum { PLACES_MAX = 100 };
    struct key k = key_message_id(e->state.hash_seed, 0, h->message_id);
    char row[sizeof(struct row_history) + PLACES_MAX * sizeof(struct row_place) + 1000];
    struct row_history head = {.arrived = h->arrived, .id_bytes = (uint16_t)h->message_id.n};
    struct row_place place = {h->mailbox, h->number};
    struct span old;
    size_t n = sizeof(head);
    int err = index_get(&e->index, e->txn, INDEX_HISTORY, &k, &old);

    if ((err && err != -ENOENT) || h->message_id.n > 1000)
        return err ? err : -EBADMSG;
    if (!err) {
        if (old.n < sizeof(head))
            return -EIO;
        memcpy(&head, old.p, sizeof(head));
        if (old.n != sizeof(head) + head.count * sizeof(place) + head.id_bytes)
            return -EIO;
        if (head.count >= PLACES_MAX || h->mailbox == 0)
            return 0;
        memcpy(row + n, old.p + n, head.count * sizeof(place));
        n += head.count * sizeof(place);
    } else {
        struct key a = key_u64((uint64_t)h->arrived);
        key_add_u64(&a, e->record_sequence);
        err = index_put(&e->index, e->txn, INDEX_ARRIVED, &a, h->message_id.p, h->message_id.n);
        if (err)
            return err;
    }
    if (h->mailbox) {
        memcpy(row + n, &place, sizeof(place));
        n += sizeof(place);
        head.count++;
    }
    memcpy(row, &head, sizeof(head));
    memcpy(row + n, h->message_id.p, h->message_id.n);
    return index_put(&e->index, e->txn, INDEX_HISTORY, &k, row, n + h->message_id.n);
}

int effect_history(struct engine *e, const struct effect_history *h)
{
    wr_u8(&e->effects, EFFECT_HISTORY);
    wr_span(&e->effects, h->message_id);
    wr_i64(&e->effects, h->arrived);
    wr_u64(&e->effects, h->mailbox);
    wr_u32(&e->effects, h->number);
    return apply_history(e, h);
}

int read_history(struct engine *e, struct rd *r)
{
    struct effect_history h = {.message_id = rd_span(r, 1000)};

    h.arrived = rd_i64(r);
    h.mailbox = rd_u64(r);
    h.number = rd_u32(r);
    return r->bad || h.message_id.n == 0 ? -EBADMSG : apply_history(e, &h);
}

static int apply_seen(struct engine *e, uint64_t mailbox, struct span id)
{
    struct key k = key_message_id(e->state.hash_seed, mailbox, id);
    return index_put(&e->index, e->txn, INDEX_SEEN, &k, &e->now, sizeof(e->now));
}

int effect_seen(struct engine *e, uint64_t mailbox, struct span message_id)
{
    wr_u8(&e->effects, EFFECT_SEEN);
    wr_u64(&e->effects, mailbox);
    wr_span(&e->effects, message_id);
    return apply_seen(e, mailbox, message_id);
}

int read_seen(struct engine *e, struct rd *r)
{
    uint64_t mailbox = rd_u64(r);
    struct span id = rd_span(r, 1000);
    return r->bad || mailbox == 0 ? -EBADMSG : apply_seen(e, mailbox, id);
}

/* ------------------------------------------------------------------ marks of newsgroup names */
static int apply_mark(struct engine *e, struct span name, uint32_t low, uint32_t high)
{
    struct row_mark row = {low, high}, old;
    struct key k = {.n = 0};

    key_add_name(&k, name);
    if (index_get_row(&e->index, e->txn, INDEX_MARK, &k, &old, sizeof(old)) == 0) {
        row.low = max_u32(row.low, old.low);
        row.high = max_u32(row.high, old.high);
    }
    return index_put(&e->index, e->txn, INDEX_MARK, &k, &row, sizeof(row));
}

int effect_mark(struct engine *e, struct span name, uint32_t low, uint32_t high)
{
    wr_u8(&e->effects, EFFECT_MARK);
    wr_span(&e->effects, name);
    wr_u32(&e->effects, low);
    wr_u32(&e->effects, high);
    return apply_mark(e, name, low, high);
}

int read_mark(struct engine *e, struct rd *r)
{
    struct span name = rd_span(r, STORE_NAME_MAX);
    uint32_t low = rd_u32(r), high = rd_u32(r);
    return r->bad || name.n == 0 ? -EBADMSG : apply_mark(e, name, low, high);
}

/* ------------------------------------------------------------------ what is left of a deleted
 * mailbox, piece by piece */
static int purge_messages(struct engine *e, uint64_t mailbox, unsigned *left)
{
    while (*left > 0) {
        struct key k = key_message(mailbox, 0);
        MDB_val key = {k.n, k.b}, v;
        struct row_message row;
        MDB_cursor *c;
        int err = index_error(mdb_cursor_open(e->txn, e->index.dbi[INDEX_MESSAGE], &c));
        if (err)
            return err;
        err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
        bool ours = err == 0 && key.mv_size == 12 && memcmp(key.mv_data, k.b, 8) == 0 &&
                    v.mv_size >= sizeof(row);
        uint32_t uid = ours ? key_get_u32((const char *)key.mv_data + 8) : 0;
        if (ours)
            memcpy(&row, v.mv_data, sizeof(row));
        mdb_cursor_close(c);
        if (!ours)
            return 0;
        err = message_remove(e, mailbox, uid, &row, false);
        if (err)
            return err;
        (*left)--;
    }
    return 0;
}

static int purge_rows(struct engine *e, enum index_table table, uint64_t mailbox, unsigned *left)
{
    struct key k = key_u64(mailbox);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;
    int err = mdb_cursor_open(e->txn, e->index.dbi[table], &c);

    if (err)
        return index_error(err);
    err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    while (err == 0 && *left > 0 && key.mv_size >= 8 && memcmp(key.mv_data, k.b, 8) == 0) {
        err = mdb_cursor_del(c, 0);
        (*left)--;
        if (!err)
            err =
                mdb_cursor_get(c, &key, &v, MDB_NEXT); /* after a removal: the one that moved up */
    }
    mdb_cursor_close(c);
    return err == MDB_NOTFOUND ? 0 : index_error(err);
}

static int apply_purge(struct engine *e, uint64_t mailbox)
{
    unsigned left = ENGINE_PIECE_MAX;
    struct key k = key_u64(mailbox);
    int err = purge_messages(e, mailbox, &left);

    if (!err && left)
        err = purge_rows(e, INDEX_CHANGE, mailbox, &left);
    if (!err && left)
        err = purge_rows(e, INDEX_SEEN, mailbox, &left);
    if (!err && left)
        err = purge_rows(e, INDEX_READ, mailbox, &left);
    if (!err && left)
        err = purge_rows(e, INDEX_NOTE, mailbox, &left);
    if (!err && left)
        err = index_del(&e->index, e->txn, INDEX_KEYWORD, &k);
    if (!err && left)
        err = index_del(&e->index, e->txn, INDEX_DOOMED, &k);
    return err;
}

int effect_purge(struct engine *e, uint64_t mailbox)
{
    wr_u8(&e->effects, EFFECT_PURGE);
    wr_u64(&e->effects, mailbox);
    return apply_purge(e, mailbox);
}

int read_purge(struct engine *e, struct rd *r)
{
    uint64_t mailbox = rd_u64(r);
    return r->bad ? -EBADMSG : apply_purge(e, mailbox);
}

/* Expunged messages that nobody is expected to ask for any more leave the change log. */
static int apply_trim(struct engine *e, uint64_t mailbox, uint64_t modseq)
{
    struct mbox *m = mbox_get(e, mailbox);
    /* Below the floor only rows of messages that are there. */
    struct key k = key_change(mailbox, m ? m->row.change_floor + 1 : 0, 0);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;
    int err;

    if (!m)
        return 0;
    err = mdb_cursor_open(e->txn, e->index.dbi[INDEX_CHANGE], &c);
    if (err)
        return index_error(err);
    err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    while (err == 0 && key.mv_size == 20 && memcmp(key.mv_data, k.b, 8) == 0 &&
           key_get_u64((const char *)key.mv_data + 8) <= modseq) {
        if (((const unsigned char *)v.mv_data)[0]) {
            err = mdb_cursor_del(c, 0);
            if (err)
                break;
        }
        err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
    }
    mdb_cursor_close(c);
    if (modseq > m->row.change_floor)
        m->row.change_floor = modseq;
    mbox_dirty(e, m);
    return err == MDB_NOTFOUND ? 0 : index_error(err);
}

int effect_trim(struct engine *e, uint64_t mailbox, uint64_t modseq)
{
    wr_u8(&e->effects, EFFECT_TRIM);
    wr_u64(&e->effects, mailbox);
    wr_u64(&e->effects, modseq);
    return apply_trim(e, mailbox, modseq);
}

int read_trim(struct engine *e, struct rd *r)
{
    uint64_t mailbox = rd_u64(r), modseq = rd_u64(r);
    return r->bad ? -EBADMSG : apply_trim(e, mailbox, modseq);
}
