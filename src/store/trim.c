/* What is kept for a time only: expunged messages in the change log, Message-IDs in the history of
 * news and in the table of deliveries. A little each time, beside the requests. */
#include "store/plan.h"

#include "base/check.h"
#include <errno.h>

enum { TRIM_LOOK = 2000, FORGET_MAX = 200 };

/* ------------------------------------------------------------------ the change log */
static bool next_mailbox(struct engine *e, uint64_t from, uint64_t *ret)
{
    struct key k = key_u64(from);
    MDB_val key = {k.n, k.b}, v;
    bool found = false;
    MDB_cursor *c;

    if (mdb_cursor_open(e->txn, e->index.dbi[INDEX_MAILBOX], &c) != 0)
        return false;
    if (mdb_cursor_get(c, &key, &v, MDB_SET_RANGE) == 0 && key.mv_size == 8) {
        *ret = key_get_u64(key.mv_data);
        found = true;
    }
    mdb_cursor_close(c);
    return found;
}

/*
 * Up to which modseq are there expunged messages from before the time that is kept? 0: none. Rows
 * of messages that are still there stay, and there may be many: *ret_on is where the next look at
 * this mailbox goes on, 0: it is done.
 */
static uint64_t trim_until(struct engine *e, uint64_t mailbox, uint64_t from, uint64_t *ret_on)
{
    struct key k = key_change(mailbox, from, 0);
    int64_t oldest = e->now - (int64_t)e->options.change_log_seconds;
    MDB_val key = {k.n, k.b}, v;
    uint64_t until = 0, modseq = 0;
    MDB_cursor *c;
    int n = 0;

    *ret_on = 0;
    if (mdb_cursor_open(e->txn, e->index.dbi[INDEX_CHANGE], &c) != 0)
        return 0;
    for (int err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE); err == 0;
         err = mdb_cursor_get(c, &key, &v, MDB_NEXT)) {
        struct row_change row;
        if (key.mv_size != 20 || memcmp(key.mv_data, k.b, 8) != 0 || v.mv_size != sizeof(row))
            break;
        memcpy(&row, v.mv_data, sizeof(row));
        if (row.seconds >= oldest)
            break;
        /* All rows of one modseq together. */
        if (n++ >= TRIM_LOOK && modseq != key_get_u64((const char *)key.mv_data + 8)) {
            *ret_on = modseq + 1;
            break;
        }
        modseq = key_get_u64((const char *)key.mv_data + 8);
        if (row.expunged)
            until = modseq;
    }
    mdb_cursor_close(c);
    return until;
}

/* One mailbox each time, round and round. */
int plan_trim(struct engine *e, const struct intent *i)
{
    uint64_t mailbox, until, on;
    const struct mbox *m;
    int err;

    if (e->options.change_log_seconds == 0)
        return 0;
    if (!next_mailbox(e, e->trim_next, &mailbox) || !(m = mbox_get(e, mailbox))) {
        e->trim_next = e->trim_modseq = 0;
        return 0;
    }
    if (mailbox != e->trim_next || e->trim_modseq <= m->row.change_floor)
        e->trim_modseq = m->row.change_floor + 1;
    until = trim_until(e, mailbox, e->trim_modseq, &on);
    e->trim_next = on ? mailbox : mailbox + 1;
    e->trim_modseq = on;
    if (!until)
        return 0;
    record_begin(e);
    err = effect_trim(e, mailbox, until);
    return err ? plan_broken(e, err) : record_end(e, i, 0);
}

/* ------------------------------------------------------------------ the history of news */
static bool has_article(struct engine *e, struct span id)
{
    struct key k = key_message_id(e->state.hash_seed, 0, id);
    struct row_history head;
    struct span row, message;

    if (index_get(&e->index, e->txn, INDEX_HISTORY, &k, &row) != 0 || row.n < sizeof(head))
        return false;
    memcpy(&head, row.p, sizeof(head));
    if (row.n != sizeof(head) + head.count * sizeof(struct row_place) + head.id_bytes)
        return false;
    for (unsigned n = 0; n < head.count; n++) {
        struct row_place place;
        memcpy(&place, row.p + sizeof(head) + n * sizeof(place), sizeof(place));
        struct key mk = key_message(place.mailbox, place.number);
        if (index_get(&e->index, e->txn, INDEX_MESSAGE, &mk, &message) == 0)
            return true;
    }
    return false;
}

static size_t forgettable(struct engine *e, struct arrived *a)
{
    MDB_val key = {e->forget_next.n, e->forget_next.b}, v;
    int64_t oldest = e->now - (int64_t)e->options.history_seconds;
    size_t count = 0;
    MDB_cursor *c;

    if (mdb_cursor_open(e->txn, e->index.dbi[INDEX_ARRIVED], &c) != 0)
        return 0;
    int err = mdb_cursor_get(c, &key, &v, key.mv_size ? MDB_SET_RANGE : MDB_FIRST);
    int n = 0;
    for (; err == 0 && n < TRIM_LOOK && count < FORGET_MAX; n++) {
        struct arrived at;
        if (key.mv_size != 16)
            break;
        at.seconds = key_get_u64(key.mv_data);
        at.sequence = key_get_u64((const char *)key.mv_data + 8);
        if ((int64_t)at.seconds >= oldest)
            break;
        if (!has_article(e, span_of(v.mv_data, v.mv_size)))
            a[count++] = at;
        err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
    }
    e->forget_next.n = 0;
    if (err == 0 && (n == TRIM_LOOK || count == FORGET_MAX)) {
        memcpy(e->forget_next.b, key.mv_data, key.mv_size);
        e->forget_next.n = key.mv_size;
    }
    mdb_cursor_close(c);
    return count;
}

/* An article that is still there is remembered, however old it is. */
int plan_forget(struct engine *e, const struct intent *i)
{
    struct arrived a[FORGET_MAX];
    size_t count = e->options.history_seconds ? forgettable(e, a) : 0;
    int err;

    if (count == 0)
        return 0;
    record_begin(e);
    err = effect_forget(e, a, count);
    return err ? plan_broken(e, err) : record_end(e, i, 0);
}

/* ------------------------------------------------------------------ deliveries */
/*
 * Message-IDs that were delivered long ago. They are no part of what was acknowledged, so this goes
 * without a record: read again from the log, some may come back, to be forgotten again.
 */
void forget_seen(struct engine *e)
{
    MDB_val key = {e->seen_next.n, e->seen_next.b}, v;
    struct key old[64];
    size_t count = 0;
    MDB_cursor *c;
    MDB_txn *t;

    if (mdb_txn_begin(e->index.env, NULL, MDB_RDONLY, &t) != 0)
        return;
    if (mdb_cursor_open(t, e->index.dbi[INDEX_SEEN], &c) == 0) {
        int err = mdb_cursor_get(c, &key, &v, key.mv_size ? MDB_SET_RANGE : MDB_FIRST);
        for (int n = 0; err == 0 && n < TRIM_LOOK && count < ARRAY_LEN(old); n++) {
            int64_t seconds = e->now;
            if (v.mv_size == sizeof(seconds))
                memcpy(&seconds, v.mv_data, sizeof(seconds));
            if (e->now - seconds > ENGINE_SEEN_SECONDS) {
                memcpy(old[count].b, key.mv_data, key.mv_size);
                old[count++].n = key.mv_size;
            }
            err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
        }
        e->seen_next.n = 0;
        if (err == 0) {
            memcpy(e->seen_next.b, key.mv_data, key.mv_size);
            e->seen_next.n = key.mv_size;
        }
        mdb_cursor_close(c);
    }
    mdb_txn_abort(t);
    if (count == 0 || mdb_txn_begin(e->index.env, NULL, 0, &t) != 0)
        return;
    for (size_t n = 0; n < count; n++)
        index_del(&e->index, t, INDEX_SEEN, &old[n]);
    mdb_txn_commit(t);
}
