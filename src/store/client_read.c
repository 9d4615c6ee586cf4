/*
 * Reading. The index is read without LMDB's lock file (a process that can write that file can
 * destroy data), so the pages of a snapshot are kept by another agreement: the reader publishes the
 * snapshot it is about to use and then looks at stored's floor; stored raises the floor and then
 * looks at what is published. One of the two always sees the other.
 */
#include "store/client.h"
#include "store/marks.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>

enum { BEGIN_TRIES = 1000 };

uint64_t client_snapshot(const struct store *s)
{
    MDB_envinfo info;

    if (!s->index.env || mdb_env_info(s->index.env, &info) != 0)
        return 0;
    return info.me_last_txnid;
}

static int begin_txn(struct store *s)
{
    if (s->txn)
        return mdb_txn_renew(s->txn);
    return mdb_txn_begin(s->index.env, NULL, MDB_RDONLY, &s->txn);
}

static int snapshot_begin(struct store *s, uint64_t *ret)
{
    for (int tries = 0; tries < BEGIN_TRIES; tries++) {
        uint64_t want = client_snapshot(s);
        __atomic_store_n(&s->pin->pinned_ms, clock_mono_ms(), __ATOMIC_RELAXED);
        __atomic_store_n(&s->pin->pin, want, __ATOMIC_SEQ_CST);
        uint64_t floor = __atomic_load_n(&s->pin->floor, __ATOMIC_SEQ_CST);
        if (floor == PIN_GIVEN_UP)
            break;
        if (floor > want)
            continue;
        if (begin_txn(s) != 0)
            break;
        /* Were the meta page changed under our copying of it, a newer one would be there. */
        *ret = mdb_txn_id(s->txn);
        if (*ret >= want && client_snapshot(s) == *ret)
            return 0;
        mdb_txn_reset(s->txn);
    }
    __atomic_store_n(&s->pin->pin, 0, __ATOMIC_SEQ_CST);
    return -EAGAIN;
}

static int read_begin(struct store *s, bool messages, struct store_read *ret)
{
    uint64_t snapshot;

    CHECK(!s->reading);
    if (!s->tables)
        return -EAGAIN;
    if (!s->attached && clock_mono_ms() - s->detached_ms > DETACHED_MAX_MS)
        return -EAGAIN;
    int err = messages ? client_catch_up(s) : 0;
    if (!err)
        err = snapshot_begin(s, &snapshot);
    if (err)
        return err;
    s->reading = true;
    *ret = (struct store_read){.store = s, .txn = s->txn, .snapshot = snapshot};
    return 0;
}

int store_read_begin(struct store *s, struct store_read *ret)
{
    return read_begin(s, true, ret);
}

int store_read_begin_names(struct store *s, struct store_read *ret)
{
    return read_begin(s, false, ret);
}

void store_read_end(struct store_read *r)
{
    struct store *s = r->store;

    if (!s)
        return;
    mdb_txn_reset(s->txn);
    __atomic_store_n(&s->pin->pin, 0, __ATOMIC_SEQ_CST);
    s->reading = false;
    r->store = NULL;
    if (__atomic_load_n(&s->pin->floor, __ATOMIC_SEQ_CST) == PIN_GIVEN_UP) {
        log_error(
            "store: a snapshot was held for too long; what was read from it cannot be trusted");
        abort();
    }
}

int client_tables(struct store *s, uint64_t hash_seed)
{
    struct row_state state;
    struct key k = {.n = 5};
    uint64_t snapshot;
    int err;

    if (s->tables && s->hash_seed == hash_seed)
        return 0;
    err = snapshot_begin(s, &snapshot);
    if (err)
        return err;
    err = index_tables(&s->index, s->txn, false);
    memcpy(k.b, "state", 5);
    if (!err)
        err = index_get_row(&s->index, s->txn, INDEX_STATE, &k, &state, sizeof(state));
    /* Committed, so that the handles stay; begun anew by the next reader. */
    if (!err)
        err = index_error(mdb_txn_commit(s->txn));
    else
        mdb_txn_abort(s->txn);
    s->txn = NULL;
    __atomic_store_n(&s->pin->pin, 0, __ATOMIC_SEQ_CST);
    if (!err && state.hash_seed != hash_seed) {
        log_error("store: the index was made anew; this process still has the former one open");
        abort();
    }
    if (!err) {
        s->tables = true;
        s->hash_seed = hash_seed;
    }
    return err;
}

void client_read_done(struct store *s)
{
    if (s->cursor)
        mdb_cursor_close(s->cursor);
    if (s->txn)
        mdb_txn_abort(s->txn);
    s->cursor = NULL;
    s->txn = NULL;
}

/* ------------------------------------------------------------------ mailboxes */
int store_mailbox_get(struct store_read *r, uint64_t mailbox, struct mailbox_info *ret)
{
    struct key k = key_u64(mailbox);
    struct span row;
    int err = index_get(&r->store->index, r->txn, INDEX_MAILBOX, &k, &row);

    if (err)
        return err;
    return index_mailbox_info(mailbox, row, ret) ? 0 : -EIO;
}

int store_mailbox_find(struct store_read *r, uint64_t account, struct span name,
                       struct mailbox_info *ret)
{
    char room[STORE_NAME_MAX];
    uint64_t id;

    if (name.n > STORE_NAME_MAX)
        return -ENOENT;
    struct key k = key_name(account, store_name_canonical(account, name, room));
    int err = index_get_row(&r->store->index, r->txn, INDEX_NAME, &k, &id, sizeof(id));
    return err ? err : store_mailbox_get(r, id, ret);
}

int store_mailbox_each(struct store_read *r, uint64_t account,
                       bool (*fn)(const struct mailbox_info *m, void *arg), void *arg)
{
    struct key k = key_u64(account);
    MDB_val key = {k.n, k.b}, v;
    struct mailbox_info m;
    MDB_cursor *c;
    int err;

    if (account != STORE_ACCOUNT_PUBLIC &&
        store_mailbox_find(r, account, SPAN(STORE_INBOX), &m) == 0 && !fn(&m, arg))
        return 0;
    err = mdb_cursor_open(r->txn, r->store->index.dbi[INDEX_NAME], &c);
    if (err)
        return index_error(err);
    err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    while (err == 0 && key.mv_size > 8 && memcmp(key.mv_data, k.b, 8) == 0) {
        uint64_t id;
        if (v.mv_size == sizeof(id)) {
            memcpy(&id, v.mv_data, sizeof(id));
            bool inbox = account != STORE_ACCOUNT_PUBLIC && key.mv_size == 13 &&
                         memcmp((const char *)key.mv_data + 8, STORE_INBOX, 5) == 0;
            if (!inbox && store_mailbox_get(r, id, &m) == 0 && !fn(&m, arg))
                break;
        }
        err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
    }
    mdb_cursor_close(c);
    return err == 0 || err == MDB_NOTFOUND ? 0 : index_error(err);
}

unsigned store_mailbox_keywords(struct store_read *r, uint64_t mailbox,
                                struct span ret_names[STORE_KEYWORDS_MAX])
{
    struct key k = key_u64(mailbox);
    struct span row;

    if (index_get(&r->store->index, r->txn, INDEX_KEYWORD, &k, &row) != 0)
        return 0;
    return index_keywords(row, ret_names);
}

bool store_is_subscribed(struct store_read *r, uint64_t account, uint64_t folder_account,
                         struct span name)
{
    char room[STORE_NAME_MAX];
    struct key k = key_u64(account);
    struct span row;

    if (name.n > STORE_NAME_MAX)
        return false;
    key_add_u64(&k, folder_account);
    key_add_name(&k, store_name_canonical(folder_account, name, room));
    return index_get(&r->store->index, r->txn, INDEX_SUBSCRIPTION, &k, &row) == 0;
}

int store_subscription_each(struct store_read *r, uint64_t account,
                            bool (*fn)(uint64_t folder_account, struct span name, void *arg),
                            void *arg)
{
    struct key k = key_u64(account);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;
    int err = mdb_cursor_open(r->txn, r->store->index.dbi[INDEX_SUBSCRIPTION], &c);

    if (err)
        return index_error(err);
    err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    while (err == 0 && key.mv_size > 16 && memcmp(key.mv_data, k.b, 8) == 0) {
        if (!fn(key_get_u64((const char *)key.mv_data + 8), span_of(v.mv_data, v.mv_size), arg))
            break;
        err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
    }
    mdb_cursor_close(c);
    return err == 0 || err == MDB_NOTFOUND ? 0 : index_error(err);
}

/* ------------------------------------------------------------------ messages */
int store_message_get(struct store_read *r, uint64_t mailbox, uint32_t uid,
                      struct message_info *ret)
{
    struct key k = key_message(mailbox, uid);
    struct span row;
    int err = index_get(&r->store->index, r->txn, INDEX_MESSAGE, &k, &row);

    if (err)
        return err;
    if (row.n < sizeof(struct row_message))
        return -EIO;
    index_message_info(mailbox, uid, row.p, ret);
    if (r->reader) {
        struct marks_reader marks = client_marks(r, mailbox);
        marks_show(&marks, ret);
    }
    return 0;
}

int store_cursor_open(struct store_read *r, uint64_t mailbox, uint32_t uid,
                      struct store_cursor *ret)
{
    struct store *s = r->store;
    struct key k = key_message(mailbox, uid);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c = s->cursor;
    int err;

    if (c && !s->cursor_used)
        err = mdb_cursor_renew(r->txn, c);
    else
        err = mdb_cursor_open(r->txn, s->index.dbi[INDEX_MESSAGE], &c);
    if (err)
        return index_error(err);
    if (!s->cursor || c == s->cursor) {
        s->cursor = c;
        s->cursor_used = true;
    }
    err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    /* At the end of the table there is nothing to go on from. */
    *ret = (struct store_cursor){.cursor = c, .mailbox = err ? 0 : mailbox, .at_key = true};
    if (r->reader)
        ret->marks = client_marks(r, mailbox);
    return 0;
}

bool store_cursor_next(struct store_cursor *c, struct message_info *ret)
{
    uint64_t be = __builtin_bswap64(c->mailbox);
    MDB_val key, v;

    if (c->mailbox == 0 ||
        mdb_cursor_get(c->cursor, &key, &v, c->at_key ? MDB_GET_CURRENT : MDB_NEXT) != 0)
        return false;
    c->at_key = false;
    if (key.mv_size != 12 || memcmp(key.mv_data, &be, 8) != 0 ||
        v.mv_size < sizeof(struct row_message)) {
        c->mailbox = 0;
        return false;
    }
    index_message_info(c->mailbox, key_get_u32((const char *)key.mv_data + 8), v.mv_data, ret);
    if (c->marks.index)
        marks_show(&c->marks, ret);
    return true;
}

static void cursor_close(struct store *s, MDB_cursor *c)
{
    if (c == s->cursor)
        s->cursor_used = false;
    else
        mdb_cursor_close(c);
}

void store_cursor_close(struct store_cursor *c)
{
    if (!c->cursor)
        return;
    struct store *s = mdb_env_get_userctx(mdb_txn_env(mdb_cursor_txn(c->cursor)));
    cursor_close(s, c->cursor);
    c->cursor = NULL;
}

static bool of_mailbox(const MDB_val *key, const struct key *k, uint32_t *ret_uid)
{
    if (key->mv_size != 12 || memcmp(key->mv_data, k->b, 8) != 0)
        return false;
    *ret_uid = key_get_u32((const char *)key->mv_data + 8);
    return true;
}

/* Without gaps, the first and the last tell all. False: there are gaps. */
static bool uids_without_gaps(struct store_read *r, MDB_cursor *c, uint64_t mailbox,
                              struct rangeset *ret)
{
    struct key k = key_message(mailbox, 0), end = key_message(mailbox, UINT32_MAX);
    MDB_val key = {k.n, k.b}, v;
    struct mailbox_info m;
    uint32_t first, last;

    if (store_mailbox_get(r, mailbox, &m) != 0 || m.messages == 0 ||
        mdb_cursor_get(c, &key, &v, MDB_SET_RANGE) != 0 || !of_mailbox(&key, &k, &first))
        return false;
    key = (MDB_val){end.n, end.b};
    int err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    if (mdb_cursor_get(c, &key, &v, err ? MDB_LAST : MDB_PREV) != 0 ||
        !of_mailbox(&key, &k, &last) || last - first != m.messages - 1)
        return false;
    rangeset_add(ret, first, last);
    return true;
}

int store_uids(struct store_read *r, uint64_t mailbox, struct rangeset *ret)
{
    struct key k = key_message(mailbox, 0);
    MDB_val key = {k.n, k.b}, v;
    uint32_t lo = 0, hi = 0;
    MDB_cursor *c;
    int err = mdb_cursor_open(r->txn, r->store->index.dbi[INDEX_MESSAGE], &c);

    if (err)
        return index_error(err);
    if (uids_without_gaps(r, c, mailbox, ret)) {
        mdb_cursor_close(c);
        return 0;
    }
    err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    while (err == 0 && key.mv_size == 12 && memcmp(key.mv_data, k.b, 8) == 0) {
        uint32_t uid = key_get_u32((const char *)key.mv_data + 8);
        if (lo && uid == hi + 1) {
            hi = uid;
        } else {
            if (lo)
                rangeset_add(ret, lo, hi);
            lo = hi = uid;
        }
        err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
    }
    if (lo)
        rangeset_add(ret, lo, hi);
    mdb_cursor_close(c);
    return err == 0 || err == MDB_NOTFOUND ? 0 : index_error(err);
}

/* ------------------------------------------------------------------ changes */
/*
 * Two sorted rows of changes are merged: change rows (flags, expunges), and messages that are new
 * and unchanged since, which have no change row: their modseqs rise with their UIDs, so the first
 * of them is found from the end of the mailbox.
 */
struct fresh {
    MDB_cursor *c;
    uint64_t mailbox, since, modseq;
    uint32_t uid;
    bool has;
};

static bool fresh_load(struct fresh *f, const MDB_val *key, const MDB_val *v, uint64_t *ret_born)
{
    struct row_message row;
    uint64_t be = __builtin_bswap64(f->mailbox);

    if (key->mv_size != 12 || memcmp(key->mv_data, &be, 8) != 0 || v->mv_size < sizeof(row))
        return false;
    memcpy(&row, v->mv_data, sizeof(row));
    f->uid = key_get_u32((const char *)key->mv_data + 8);
    f->modseq = row.modseq;
    *ret_born = row.born;
    return true;
}

static void fresh_next(struct fresh *f, MDB_cursor_op op)
{
    MDB_val key, v;
    uint64_t born;

    f->has = false;
    while (mdb_cursor_get(f->c, &key, &v, op) == 0 && fresh_load(f, &key, &v, &born)) {
        op = MDB_NEXT;
        if (born > f->since && f->modseq == born) {
            f->has = true;
            return;
        }
    }
}

static void fresh_begin(struct fresh *f)
{
    struct key k = key_message(f->mailbox, UINT32_MAX);
    MDB_val key = {k.n, k.b}, v;
    uint64_t born;
    int err = mdb_cursor_get(f->c, &key, &v, MDB_SET_RANGE);

    err = mdb_cursor_get(f->c, &key, &v, err ? MDB_LAST : MDB_PREV);
    bool any = false, past = false;
    while (err == 0 && fresh_load(f, &key, &v, &born)) {
        any = true;
        past = born <= f->since;
        if (past)
            break;
        err = mdb_cursor_get(f->c, &key, &v, MDB_PREV);
    }
    f->has = false;
    if (!any)
        return;
    if (past) {
        fresh_next(f, MDB_NEXT);
        return;
    }
    /* Went out at the front of the mailbox: its first message is the first. */
    k = key_message(f->mailbox, 0);
    key = (MDB_val){k.n, k.b};
    if (mdb_cursor_get(f->c, &key, &v, MDB_SET_RANGE) == 0)
        fresh_next(f, MDB_GET_CURRENT);
}

bool store_changes_each(struct store_read *r, uint64_t mailbox, uint64_t modseq,
                        bool (*fn)(const struct change_info *c, void *arg), void *arg)
{
    struct key mk = key_u64(mailbox), k = key_change(mailbox, modseq + 1, 0);
    struct fresh f = {.mailbox = mailbox, .since = modseq};
    MDB_val key = {k.n, k.b}, v;
    struct row_mailbox m;
    MDB_cursor *c = NULL;
    bool ok = false, go = true;

    if (index_get_row(&r->store->index, r->txn, INDEX_MAILBOX, &mk, &m, sizeof(m)) != 0 ||
        modseq < m.change_floor)
        return false;
    if (modseq >= m.highestmodseq)
        return true;
    if (mdb_cursor_open(r->txn, r->store->index.dbi[INDEX_MESSAGE], &f.c) != 0)
        return false;
    if (mdb_cursor_open(r->txn, r->store->index.dbi[INDEX_CHANGE], &c) == 0) {
        ok = true;
        fresh_begin(&f);
        int err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
        while (go) {
            bool change = err == 0 && key.mv_size == 20 && memcmp(key.mv_data, k.b, 8) == 0 &&
                          v.mv_size == sizeof(struct row_change);
            struct change_info i;
            if (!change && !f.has)
                break;
            if (change)
                i = (struct change_info){key_get_u64((const char *)key.mv_data + 8),
                                         key_get_u32((const char *)key.mv_data + 16),
                                         ((const unsigned char *)v.mv_data)[0] != 0};
            if (!change || (f.has && f.modseq < i.modseq)) {
                i = (struct change_info){f.modseq, f.uid, false};
                go = fn(&i, arg);
                fresh_next(&f, MDB_NEXT);
            } else {
                go = fn(&i, arg);
                err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
            }
        }
        mdb_cursor_close(c);
        if (go && r->reader)
            client_marks_changed(r, mailbox, modseq, fn, arg);
    }
    mdb_cursor_close(f.c);
    return ok;
}

int store_quota_get(struct store_read *r, uint64_t account, uint64_t *ret_used, uint64_t *ret_limit)
{
    struct key k = key_u64(account);
    struct row_account a;
    int err = index_get_row(&r->store->index, r->txn, INDEX_ACCOUNT, &k, &a, sizeof(a));

    if (err)
        return err;
    *ret_used = a.used_bytes;
    *ret_limit = a.quota_bytes;
    return 0;
}

/* ------------------------------------------------------------------ news */
int store_article_find(struct store_read *r, struct span message_id,
                       bool (*fn)(uint64_t mailbox, uint32_t number, void *arg), void *arg)
{
    struct store *s = r->store;
    struct key k = key_message_id(s->hash_seed, 0, message_id);
    struct row_history head;
    struct span row;
    int err = index_get(&s->index, r->txn, INDEX_HISTORY, &k, &row);

    if (err)
        return err;
    if (row.n < sizeof(head))
        return -EIO;
    memcpy(&head, row.p, sizeof(head));
    if (row.n != sizeof(head) + head.count * sizeof(struct row_place) + head.id_bytes)
        return -EIO;
    for (unsigned i = 0; i < head.count; i++) {
        struct row_place place;
        struct span message;
        memcpy(&place, row.p + sizeof(head) + i * sizeof(place), sizeof(place));
        struct key mk = key_message(place.mailbox, place.number), bk = key_u64(place.mailbox);
        /* Of a mailbox that was deleted rows may be left for a while. */
        if (index_get(&s->index, r->txn, INDEX_MESSAGE, &mk, &message) == 0 &&
            index_get(&s->index, r->txn, INDEX_MAILBOX, &bk, &message) == 0 &&
            !fn(place.mailbox, place.number, arg))
            break;
    }
    return 0;
}

int store_history_since(struct store_read *r, int64_t seconds,
                        bool (*fn)(struct span message_id, int64_t arrived, void *arg), void *arg)
{
    struct key k = key_u64(seconds < 0 ? 0 : (uint64_t)seconds);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;
    int err = mdb_cursor_open(r->txn, r->store->index.dbi[INDEX_ARRIVED], &c);

    if (err)
        return index_error(err);
    err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    while (err == 0 && key.mv_size == 16) {
        if (!fn(span_of(v.mv_data, v.mv_size), (int64_t)key_get_u64(key.mv_data), arg))
            break;
        err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
    }
    mdb_cursor_close(c);
    return err == 0 || err == MDB_NOTFOUND ? 0 : index_error(err);
}
