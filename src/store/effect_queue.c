/* Effects on the queue and on accounts, and the table by which a record is read again. */
#include "store/effect_parts.h"

#include "store/compact.h"
#include "store/queue_item.h"
#include <errno.h>

static struct key due_key(int64_t next_try, uint64_t id)
{
    struct key k = key_u64(next_try < 0 ? 0 : (uint64_t)next_try);
    key_add_u64(&k, id);
    return k;
}

static int apply_queue_put(struct engine *e, uint64_t id, struct span item)
{
    struct key k = key_u64(id);
    struct row_queue row, old;
    int err;

    if (item.n < sizeof(row))
        return -EBADMSG;
    memcpy(&row, item.p, sizeof(row));
    if (id >= e->state.next_queue)
        e->state.next_queue = id + 1;
    err = index_get_row(&e->index, e->txn, INDEX_QUEUE, &k, &old, sizeof(old));
    if (!err) {
        struct key due = due_key(old.next_try, id);
        err = index_del(&e->index, e->txn, INDEX_DUE, &due);
    } else if (err == -ENOENT) {
        live_add(e, row.prefix_file, blob_cost(row.prefix_bytes));
        if (e->compact)
            compact_note(e->compact, 0, id, row.body,
                         (const uint32_t[3]){row.body_file, row.summary_file, row.prefix_file});
        err = 0;
    }
    if (!err)
        err = index_put(&e->index, e->txn, INDEX_QUEUE, &k, item.p, item.n);
    if (!err && !row.frozen) {
        struct key due = due_key(row.next_try, id);
        err = index_put(&e->index, e->txn, INDEX_DUE, &due, "", 0);
    }
    e->queue_changed = true;
    return err;
}

int effect_queue_put(struct engine *e, uint64_t id, struct span item)
{
    wr_u8(&e->effects, EFFECT_QUEUE_PUT);
    wr_u64(&e->effects, id);
    wr_span(&e->effects, item);
    return apply_queue_put(e, id, item);
}

int read_queue_put(struct engine *e, struct rd *r)
{
    uint64_t id = rd_u64(r);
    struct span item = rd_span(r, 8 << 20);
    return r->bad ? -EBADMSG : apply_queue_put(e, id, item);
}

static int apply_queue_gone(struct engine *e, uint64_t id, bool keep_body)
{
    struct key k = key_u64(id);
    struct row_queue q;
    int err = index_get_row(&e->index, e->txn, INDEX_QUEUE, &k, &q, sizeof(q));

    if (err)
        return err == -ENOENT ? 0 : err;
    struct key due = due_key(q.next_try, id);
    err = index_del(&e->index, e->txn, INDEX_DUE, &due);
    live_add(e, q.prefix_file, -blob_cost(q.prefix_bytes));
    if (!err && !keep_body)
        err = body_release(e, q.body, q.marks & ROW_SHARED,
                           (struct place){q.body_file, q.body_at, q.body_bytes},
                           (struct place){q.summary_file, q.summary_at, q.summary_bytes});
    return err ? err : index_del(&e->index, e->txn, INDEX_QUEUE, &k);
}

int effect_queue_gone(struct engine *e, uint64_t id, bool keep_body)
{
    wr_u8(&e->effects, EFFECT_QUEUE_GONE);
    wr_u64(&e->effects, id);
    wr_bool(&e->effects, keep_body);
    return apply_queue_gone(e, id, keep_body);
}

int read_queue_gone(struct engine *e, struct rd *r)
{
    uint64_t id = rd_u64(r);
    bool keep = rd_bool(r);
    return r->bad ? -EBADMSG : apply_queue_gone(e, id, keep);
}

/* ------------------------------------------------------------------ accounts */
static int apply_account(struct engine *e, uint64_t id, const struct row_account *set)
{
    struct account *a = account_get(e, id, true);

    if (a->row.created == 0)
        a->row.created = e->now;
    e->leftovers |= set->state == ACCOUNT_DELETED;
    a->row.state = set->state;
    a->row.epoch = set->epoch;
    a->row.quota_bytes = set->quota_bytes;
    if (set->inbox)
        a->row.inbox = set->inbox;
    account_dirty(e, a);
    return 0;
}

int effect_account(struct engine *e, uint64_t account, uint32_t state, uint64_t epoch,
                   uint64_t quota, uint64_t inbox)
{
    struct row_account set = {.state = state, .epoch = epoch, .quota_bytes = quota, .inbox = inbox};

    wr_u8(&e->effects, EFFECT_ACCOUNT);
    wr_u64(&e->effects, account);
    wr_u32(&e->effects, state);
    wr_u64(&e->effects, epoch);
    wr_u64(&e->effects, quota);
    wr_u64(&e->effects, inbox);
    return apply_account(e, account, &set);
}

int read_account(struct engine *e, struct rd *r)
{
    struct row_account set = {0};
    uint64_t id = rd_u64(r);

    set.state = rd_u32(r);
    set.epoch = rd_u64(r);
    set.quota_bytes = rd_u64(r);
    set.inbox = rd_u64(r);
    return r->bad ? -EBADMSG : apply_account(e, id, &set);
}

static int remove_subscriptions(struct engine *e, uint64_t account)
{
    struct key k = key_u64(account);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;
    int err = mdb_cursor_open(e->txn, e->index.dbi[INDEX_SUBSCRIPTION], &c);

    if (err)
        return index_error(err);
    for (;;) {
        key = (MDB_val){k.n, k.b};
        err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
        if (err || key.mv_size < 8 || memcmp(key.mv_data, k.b, 8) != 0)
            break;
        err = mdb_cursor_del(c, 0);
        if (err)
            break;
    }
    mdb_cursor_close(c);
    return err == MDB_NOTFOUND ? 0 : index_error(err);
}

static int apply_account_gone(struct engine *e, uint64_t id)
{
    struct account *a = account_get(e, id, false);

    /* The row stays: the number is never used again. */
    if (a) {
        a->row.state = ACCOUNT_DELETED;
        a->row.inbox = 0;
        account_use(e, id, -(int64_t)a->row.used_bytes);
        account_dirty(e, a);
    }
    int err = annex_drop_account(e, id);
    return err ? err : remove_subscriptions(e, id);
}

int effect_account_gone(struct engine *e, uint64_t account)
{
    wr_u8(&e->effects, EFFECT_ACCOUNT_GONE);
    wr_u64(&e->effects, account);
    return apply_account_gone(e, account);
}

int read_account_gone(struct engine *e, struct rd *r)
{
    uint64_t id = rd_u64(r);
    return r->bad ? -EBADMSG : apply_account_gone(e, id);
}

/* ------------------------------------------------------------------ reading a record */
static int (*const readers[])(struct engine *e, struct rd *r) = {
    [EFFECT_GUARD] = read_guard,
    [EFFECT_BODY] = read_body,
    [EFFECT_ADD] = read_add,
    [EFFECT_SHARE] = read_share,
    [EFFECT_FLAGS] = read_flags,
    [EFFECT_EXPUNGE] = read_expunge,
    [EFFECT_MAILBOX_PUT] = read_mailbox_put,
    [EFFECT_MAILBOX_GONE] = read_mailbox_gone,
    [EFFECT_KEYWORD] = read_keyword,
    [EFFECT_SUBSCRIBE] = read_subscribe,
    [EFFECT_HISTORY] = read_history,
    [EFFECT_SEEN] = read_seen,
    [EFFECT_QUEUE_PUT] = read_queue_put,
    [EFFECT_QUEUE_GONE] = read_queue_gone,
    [EFFECT_ACCOUNT] = read_account,
    [EFFECT_ACCOUNT_GONE] = read_account_gone,
    [EFFECT_MARK] = read_mark,
    [EFFECT_PURGE] = read_purge,
    [EFFECT_TRIM] = read_trim,
    [EFFECT_COPIED] = read_copied,
    [EFFECT_MOVED] = read_moved,
    [EFFECT_FILE_GONE] = read_file_gone,
    [EFFECT_FORGET] = read_forget,
    [EFFECT_ACL] = read_acl,
    [EFFECT_NOTE] = read_note,
    [EFFECT_READ] = read_read,
    [EFFECT_NAMED] = read_named,
    [EFFECT_DOMAIN] = read_domain,
};

int effects_apply(struct engine *e, struct span effects)
{
    struct rd r = rd_of(effects);

    while (r.n > 0 && !r.bad) {
        uint8_t kind = rd_u8(&r);
        if (kind >= sizeof(readers) / sizeof(readers[0]) || !readers[kind])
            return -EBADMSG;
        int err = readers[kind](e, &r);
        if (err)
            return err;
    }
    return rd_done(&r) ? 0 : -EBADMSG;
}
