/* The outgoing queue: leases (in memory only), results, and what an administrator asks and does.
 * Also the other lists that the manager asks for. */
#include "store/annex.h"
#include "store/plan.h"

#include "base/check.h"
#include "base/json.h"
#include "store/queue_item.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct lease {
    struct list node;
    uint64_t id, link;
    bool ending; /* its result is decided; until that is committed nobody else may have the item */
};

enum { PAGE_JSON_MAX = 100000 };

static struct lease *lease_find(struct engine *e, uint64_t id)
{
    list_for_each (&e->leases, struct lease, node, l) {
        if (l->id == id)
            return l;
    }
    return NULL;
}

static void lease_end(struct lease *l)
{
    if (!l)
        return;
    list_remove(&l->node);
    free(l);
}

void queue_leases_done(struct engine *e)
{
    list_for_each (&e->leases, struct lease, node, l) {
        lease_end(l);
    }
}

void engine_link_gone(struct engine *e, uint64_t link)
{
    list_for_each (&e->leases, struct lease, node, l) {
        if (l->link == link && !l->ending)
            lease_end(l);
    }
}

void queue_undone(struct engine *e)
{
    list_for_each (&e->leases, struct lease, node, l) {
        l->ending = false;
    }
}

void queue_committed(struct engine *e)
{
    list_for_each (&e->leases, struct lease, node, l) {
        if (l->ending)
            lease_end(l);
    }
}

static void lease_ending(struct lease *l)
{
    if (l)
        l->ending = true;
}

/* Reads what is committed; while a batch is on its way to the disk its changes are not to be seen.
 */
static int read_begin(struct engine *e, MDB_txn **ret)
{
    return index_error(mdb_txn_begin(e->index.env, NULL, MDB_RDONLY, ret));
}

static int entry_get(struct engine *e, MDB_txn *t, uint64_t id, struct queue_entry *ret)
{
    struct key k = key_u64(id);
    struct span row;
    int err = index_get(&e->index, t, INDEX_QUEUE, &k, &row);

    if (err)
        return err;
    /* A copy: effects move pages. */
    row = arena_span(e->arena, row);
    return row.n && rd_queue_entry(row, e->arena, ret) ? 0 : -EIO;
}

static void item_of(uint64_t id, const struct queue_entry *q, struct queue_item *ret,
                    struct queue_recipient *to)
{
    *ret = (struct queue_item){
        .id = id,
        .sender = q->sender,
        .envid = q->envid,
        .ret_headers = q->row.bits & QUEUE_RET_HEADERS,
        .ret_full = q->row.bits & QUEUE_RET_FULL,
        .body_8bit = q->row.bits & QUEUE_8BIT,
        .smtputf8 = q->row.bits & QUEUE_SMTPUTF8,
        .require_tls = q->row.bits & QUEUE_REQUIRE_TLS,
        .queued_seconds = q->row.queued,
        .tries = q->row.tries,
        .recipients = to,
        .size = q->row.prefix_bytes + q->row.body_bytes,
    };
    for (size_t i = 0; i < q->count; i++) {
        const struct queue_entry_recipient *t = &q->recipients[i];
        if (t->state == QUEUE_OPEN)
            to[ret->count++] = (struct queue_recipient){t->index,  t->address,        t->orcpt,
                                                        t->notify, t->delay_notified, t->delivered};
    }
}

int ask_queue_lease(struct engine *e, struct intent *i, int *ret_fd)
{
    int64_t due = 0;
    uint64_t id = 0;
    MDB_cursor *c;
    MDB_val key, v;
    MDB_txn *t;
    int err = read_begin(e, &t);

    if (err)
        return err;
    err = index_error(mdb_cursor_open(t, e->index.dbi[INDEX_DUE], &c));
    if (!err) {
        for (int x = mdb_cursor_get(c, &key, &v, MDB_FIRST); x == 0 && key.mv_size == 16;
             x = mdb_cursor_get(c, &key, &v, MDB_NEXT)) {
            uint64_t candidate = key_get_u64((const char *)key.mv_data + 8);
            if (lease_find(e, candidate))
                continue;
            due = (int64_t)key_get_u64(key.mv_data);
            if (due <= e->now)
                id = candidate;
            break;
        }
        mdb_cursor_close(c);
    }
    if (!err && !id) {
        wr_i64(i->answer, due);
        err = -EAGAIN;
    } else if (!err) {
        struct queue_entry q;
        struct queue_item item;
        err = entry_get(e, t, id, &q);
        struct queue_recipient *to =
            err ? NULL : arena_try_array(e->arena, sizeof(*to), q.count + 1);
        if (!err && !to)
            err = -ENOMEM;
        if (!err) {
            struct lease *l = calloc(1, sizeof(*l));
            CHECK(l);
            l->id = id;
            l->link = i->link;
            list_append(&e->leases, &l->node);
            item_of(id, &q, &item, to);
            wr_queue_item(i->answer, &item);
        }
    }
    mdb_txn_abort(t);
    return err;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done <= 0)
            return -errno;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

int ask_queue_body(struct engine *e, struct intent *i, int *ret_fd)
{
    struct rd r = rd_of(i->payload);
    uint64_t id = rd_u64(&r);
    struct buf b = BUF(UINT32_MAX);
    struct key k = key_u64(id);
    const struct lease *l = lease_find(e, id);
    struct row_queue q;
    MDB_txn *t;
    int err, fd = -1;

    if (!rd_done(&r))
        return -EINVAL;
    if (!l || l->link != i->link)
        return -EACCES;
    err = read_begin(e, &t);
    if (err)
        return err;
    err = index_get_row(&e->index, t, INDEX_QUEUE, &k, &q, sizeof(q));
    mdb_txn_abort(t);
    if (!err && q.prefix_bytes)
        err = blob_read(journal_fd(&e->journal, q.prefix_file), q.prefix_at, q.prefix_bytes, true,
                        &b);
    if (!err)
        err = blob_read(journal_fd(&e->journal, q.body_file), q.body_at, q.body_bytes, true, &b);
    if (!err) {
        fd = memfd_create("queue body", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        err = fd < 0 ? -errno : write_all(fd, b.p, b.n);
    }
    if (!err &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        err = -errno;
    buf_done(&b);
    if (err && fd >= 0)
        close(fd);
    if (!err)
        *ret_fd = fd;
    return err;
}

static int entry_put(struct engine *e, uint64_t id, const struct queue_entry *q)
{
    struct buf b = BUF(8 << 20);
    int err;

    wr_queue_entry(&b, q);
    err = b.overflow ? -E2BIG : effect_queue_put(e, id, buf_span(&b));
    buf_done(&b);
    return err;
}

int plan_queue_done(struct engine *e, struct intent *i)
{
    struct msg_queue_done d;
    struct queue_entry q;
    size_t open = 0;
    int err;

    if (!rd_queue_done(i->payload, e->arena, &d))
        return -EINVAL;
    err = entry_get(e, e->txn, d.id, &q);
    if (err)
        return err;
    for (size_t k = 0; k < d.count; k++) {
        const struct queue_result *res = &d.results[k];
        for (size_t n = 0; n < q.count; n++) {
            struct queue_entry_recipient *t = &q.recipients[n];
            if (t->index != res->index || t->state != QUEUE_OPEN)
                continue;
            t->text = res->text;
            t->delay_notified |= res->delay_notified;
            if (res->outcome != QUEUE_DEFERRED)
                t->state = res->outcome == QUEUE_DELIVERED ? QUEUE_IS_DELIVERED : QUEUE_IS_FAILED;
        }
    }
    for (size_t n = 0; n < q.count; n++)
        open += q.recipients[n].state == QUEUE_OPEN;
    bool progress = d.next_try_seconds == 0;
    if (!progress) {
        q.row.tries++;
        q.row.next_try = d.next_try_seconds;
    }
    record_begin(e);
    err = open ? entry_put(e, d.id, &q) : effect_queue_gone(e, d.id, false);
    if (!progress || !open)
        lease_ending(lease_find(e, d.id));
    return err ? plan_broken(e, err) : record_end(e, i, 0);
}

/* ------------------------------------------------------------------ for the manager */
static void json_entry(struct buf *b, struct engine *e, uint64_t id, const struct queue_entry *q,
                       bool all)
{
    size_t open = 0;
    const char *sep = "";

    for (size_t n = 0; n < q->count; n++)
        open += q->recipients[n].state == QUEUE_OPEN;
    buf_printf(b, "{\"id\":%llu,\"sender\":", (unsigned long long)id);
    json_put_string(b, q->sender);
    buf_printf(b,
               ",\"queued\":%lld,\"next_try\":%lld,\"tries\":%u,\"frozen\":%s,\"leased\":%s,"
               "\"size\":%u,\"recipients\":%zu,\"open\":%zu",
               (long long)q->row.queued, (long long)q->row.next_try, q->row.tries,
               q->row.frozen ? "true" : "false", lease_find(e, id) ? "true" : "false",
               q->row.prefix_bytes + q->row.body_bytes, q->count, open);
    buf_printf(b, ",\"to\":[");
    for (size_t n = 0; n < q->count && (all || n < 5); n++) {
        static const char *const states[] = {"open", "delivered", "failed"};
        const struct queue_entry_recipient *t = &q->recipients[n];
        buf_printf(b, "%s{\"address\":", sep);
        json_put_string(b, t->address);
        buf_printf(b, ",\"state\":\"%s\",\"text\":",
                   t->delivered ? "to be reported" : states[t->state <= 2 ? t->state : 0]);
        json_put_string(b, t->text);
        buf_printf(b, "}");
        sep = ",";
    }
    buf_printf(b, "]}");
}

/* {"items":[…],"next":id}: next is 0 when there are no more. */
int ask_queue_list(struct engine *e, struct intent *i)
{
    struct msg_queue_admin q;
    MDB_cursor *c;
    MDB_val key, v;
    MDB_txn *t;
    uint64_t next = 0;
    const char *sep = "";
    int err;

    if (!rd_queue_admin(i->payload, &q))
        return -EINVAL;
    err = read_begin(e, &t);
    if (err)
        return err;
    if (q.op == QUEUE_SHOW) {
        struct queue_entry entry;
        err = entry_get(e, t, q.id, &entry);
        if (!err)
            json_entry(i->answer, e, q.id, &entry, true);
        mdb_txn_abort(t);
        return err ? err : i->answer->overflow ? -E2BIG : 0;
    }
    struct key k = key_u64(q.id + 1);
    key = (MDB_val){k.n, k.b};
    err = index_error(mdb_cursor_open(t, e->index.dbi[INDEX_QUEUE], &c));
    if (!err) {
        buf_printf(i->answer, "{\"items\":[");
        for (int x = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE); x == 0 && key.mv_size == 8;
             x = mdb_cursor_get(c, &key, &v, MDB_NEXT)) {
            struct queue_entry entry;
            arena_reset(e->arena);
            if (!rd_queue_entry(span_of(v.mv_data, v.mv_size), e->arena, &entry))
                continue;
            buf_printf(i->answer, "%s", sep);
            sep = ",";
            json_entry(i->answer, e, key_get_u64(key.mv_data), &entry, false);
            if (i->answer->n > PAGE_JSON_MAX) {
                next = key_get_u64(key.mv_data);
                break;
            }
        }
        buf_printf(i->answer, "],\"next\":%llu}", (unsigned long long)next);
        mdb_cursor_close(c);
    }
    mdb_txn_abort(t);
    return err;
}

static int admin_one(struct engine *e, const struct msg_queue_admin *q, uint64_t id)
{
    struct queue_entry entry;
    int err = entry_get(e, e->txn, id, &entry);

    if (err)
        return err == -ENOENT ? 0 : err;
    switch (q->op) {
    case QUEUE_DELETE:
        lease_ending(lease_find(e, id));
        return effect_queue_gone(e, id, false);
    case QUEUE_FREEZE:
        entry.row.frozen = 1;
        break;
    case QUEUE_THAW:
        entry.row.frozen = 0;
        break;
    default:
        entry.row.next_try = e->now;
    }
    return entry_put(e, id, &entry);
}

/* All of them: 200 a record, and on. */
int plan_queue_admin(struct engine *e, struct intent *i)
{
    enum { PIECE = 200 };
    struct msg_queue_admin q;
    uint64_t ids[PIECE];
    size_t count = 0;
    int err = 0;

    if (!rd_queue_admin(i->payload, &q) || q.op <= QUEUE_SHOW || (q.op == QUEUE_DELETE && !q.id))
        return -EINVAL;
    if (q.id) {
        struct key k = key_u64(q.id);
        struct span row;
        if (index_get(&e->index, e->txn, INDEX_QUEUE, &k, &row) != 0)
            return -ENOENT;
        ids[count++] = q.id;
    } else {
        struct key k = key_u64(i->progress);
        MDB_val key = {k.n, k.b}, v;
        MDB_cursor *c;
        err = index_error(mdb_cursor_open(e->txn, e->index.dbi[INDEX_QUEUE], &c));
        if (err)
            return err;
        for (int x = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE); x == 0 && count < PIECE;
             x = mdb_cursor_get(c, &key, &v, MDB_NEXT))
            ids[count++] = key_get_u64(key.mv_data);
        mdb_cursor_close(c);
        i->more = count == PIECE;
        i->progress = i->more ? ids[count - 1] + 1 : 0;
    }
    record_begin(e);
    for (size_t n = 0; n < count && !err; n++)
        err = admin_one(e, &q, ids[n]);
    return err ? plan_broken(e, err) : record_end(e, i, 0);
}

/* {"groups":[…],"next":"name"} */
int ask_newsgroups(struct engine *e, struct intent *i)
{
    struct msg_newsgroup q;
    struct span next = SPAN_EMPTY;
    const char *sep = "";
    MDB_cursor *c;
    MDB_val key, v;
    MDB_txn *t;
    int err;

    if (!rd_newsgroup(i->payload, &q))
        return -EINVAL;
    err = read_begin(e, &t);
    if (err)
        return err;
    struct key k = key_name(STORE_ACCOUNT_PUBLIC, q.name), head = key_u64(STORE_ACCOUNT_PUBLIC);
    key = (MDB_val){k.n, k.b};
    err = index_error(mdb_cursor_open(t, e->index.dbi[INDEX_NAME], &c));
    if (!err) {
        buf_printf(i->answer, "{\"groups\":[");
        for (int x = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE); x == 0;
             x = mdb_cursor_get(c, &key, &v, MDB_NEXT)) {
            struct mailbox_info m;
            struct span row;
            uint64_t id;
            if (key.mv_size <= 8 || memcmp(key.mv_data, head.b, 8) != 0 || v.mv_size != 8)
                break;
            memcpy(&id, v.mv_data, 8);
            struct key mk = key_u64(id);
            if (index_get(&e->index, t, INDEX_MAILBOX, &mk, &row) != 0 ||
                !index_mailbox_info(id, row, &m))
                continue;
            if (i->answer->n > PAGE_JSON_MAX) {
                next = m.name;
                break;
            }
            buf_printf(i->answer, "%s{\"name\":", sep);
            sep = ",";
            json_put_string(i->answer, m.name);
            struct key nk = key_note(id, 0, SPAN(NOTE_DESCRIPTION));
            struct span description = SPAN_EMPTY;
            index_get(&e->index, t, INDEX_NOTE, &nk, &description);
            buf_put_cstr(i->answer, ",\"description\":");
            json_put_string(i->answer, span_head(description, STORE_DESCRIPTION_MAX));
            buf_printf(i->answer,
                       ",\"id\":%llu,\"messages\":%u,\"low\":%u,\"high\":%u,\"bytes\":%llu,"
                       "\"newsgroup\":%s,\"moderated\":%s,\"no_post\":%s}",
                       (unsigned long long)id, m.messages, m.first_number, m.uidnext - 1,
                       (unsigned long long)m.bytes,
                       m.attributes & MAILBOX_NEWSGROUP ? "true" : "false",
                       m.attributes & MAILBOX_MODERATED ? "true" : "false",
                       m.attributes & MAILBOX_NO_POST ? "true" : "false");
        }
        buf_printf(i->answer, "],\"next\":");
        json_put_string(i->answer, next);
        buf_printf(i->answer, "}");
        mdb_cursor_close(c);
    }
    mdb_txn_abort(t);
    return err;
}

int ask_stat(struct engine *e, struct intent *i)
{
    static const enum index_table counted[] = {INDEX_MAILBOX, INDEX_MESSAGE, INDEX_QUEUE,
                                               INDEX_HISTORY, INDEX_ACCOUNT, INDEX_CHANGE};
    static const char *const names[] = {"mailboxes", "messages", "queue",
                                        "history",   "accounts", "changes"};
    MDB_txn *t;
    int err = read_begin(e, &t);

    if (err)
        return err;
    buf_printf(i->answer, "{");
    for (size_t k = 0; k < ARRAY_LEN(counted); k++) {
        MDB_stat s = {0};
        mdb_stat(t, e->index.dbi[counted[k]], &s);
        buf_printf(i->answer, "\"%s\":%zu,", names[k], s.ms_entries);
    }
    mdb_txn_abort(t);
    buf_printf(i->answer,
               "\"requests\":%llu,\"records\":%llu,\"batches\":%llu,\"log_bytes\":%llu,"
               "\"checkpoints\":%llu,\"replayed\":%llu,\"repeats\":%llu,\"log_files\":%zu,"
               "\"failed\":%s,",
               (unsigned long long)e->stats.requests, (unsigned long long)e->stats.records,
               (unsigned long long)e->stats.batches, (unsigned long long)e->stats.bytes,
               (unsigned long long)e->stats.checkpoints, (unsigned long long)e->stats.replayed,
               (unsigned long long)e->stats.repeats, e->journal.file_count,
               e->failed ? "true" : "false");
    compact_put_stat(e, i->answer);
    buf_printf(i->answer, "}");
    return 0;
}
