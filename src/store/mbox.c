/* Mailboxes, accounts and log files as the batch at hand sees them: read once, changed in memory,
 * written when the batch ends. */
#include "store/engine.h"

#include "base/check.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>

enum { MBOX_CACHE_MAX = 20000, UNSEEN_SCAN_MAX = 256 };

struct live {
    int64_t bytes;
    bool dirty;
};

struct span mbox_name(const struct mbox *m)
{
    return span_of(m->name, m->row.name_bytes);
}

struct mbox *mbox_new(struct engine *e, uint64_t id)
{
    struct mbox *m = calloc(1, sizeof(*m));

    CHECK(m);
    m->id = id;
    list_init(&m->lru);
    list_append(&e->lru, &m->lru);
    map64_set(e->mailboxes, id, m);
    return m;
}

struct mbox *mbox_get(struct engine *e, uint64_t id)
{
    struct mbox *m = map64_get(e->mailboxes, id);
    struct key k = key_u64(id);
    struct span row;

    if (m)
        return m;
    if (index_get(&e->index, e->txn, INDEX_MAILBOX, &k, &row) != 0)
        return NULL;
    struct row_mailbox r;
    if (row.n < sizeof(r))
        return NULL;
    memcpy(&r, row.p, sizeof(r));
    if (row.n != sizeof(r) + r.name_bytes || r.name_bytes > STORE_NAME_MAX)
        return NULL;
    m = mbox_new(e, id);
    m->row = r;
    memcpy(m->name, row.p + sizeof(r), r.name_bytes);
    return m;
}

struct mbox *mbox_find(struct engine *e, uint64_t account, struct span name, bool exact)
{
    char room[STORE_NAME_MAX];
    struct key k = key_name(account, exact ? name : store_name_canonical(account, name, room));
    uint64_t id;

    if (index_get_row(&e->index, e->txn, INDEX_NAME, &k, &id, sizeof(id)) != 0)
        return NULL;
    return mbox_get(e, id);
}

void mbox_dirty(struct engine *e, struct mbox *m)
{
    if (m->dirty)
        return;
    m->dirty = true;
    m->changed_txn = mdb_txn_id(e->txn);
    if (e->dirty_count == e->dirty_cap) {
        e->dirty_cap = e->dirty_cap ? e->dirty_cap * 2 : 64;
        e->dirty_mailboxes = realloc(e->dirty_mailboxes, e->dirty_cap * sizeof(uint64_t));
        CHECK(e->dirty_mailboxes);
    }
    e->dirty_mailboxes[e->dirty_count++] = m->id;
    list_remove(&m->lru);
    list_append(&e->lru, &m->lru);
}

static void mbox_free(struct engine *e, struct mbox *m)
{
    map64_remove(e->mailboxes, m->id);
    list_remove(&m->lru);
    free(m);
}

void mbox_trim(struct engine *e)
{
    while (map64_size(e->mailboxes) > MBOX_CACHE_MAX) {
        struct mbox *m = list_item(e->lru.next, struct mbox, lru);
        if (m->dirty)
            return;
        mbox_free(e, m);
    }
}

struct account *account_get(struct engine *e, uint64_t id, bool create)
{
    struct account *a = map64_get(e->accounts, id);
    struct key k = key_u64(id);
    struct row_account row;

    if (a)
        return a;
    if (index_get_row(&e->index, e->txn, INDEX_ACCOUNT, &k, &row, sizeof(row)) != 0) {
        if (!create)
            return NULL;
        memset(&row, 0, sizeof(row));
    }
    a = calloc(1, sizeof(*a));
    CHECK(a);
    a->id = id;
    a->row = row;
    struct row_address address;
    if (index_get_row(&e->index, e->txn, INDEX_ADDRESS, &k, &address, sizeof(address)) == 0)
        a->domain = address.domain;
    map64_set(e->accounts, id, a);
    return a;
}

void account_dirty(struct engine *e, struct account *a)
{
    if (a->dirty)
        return;
    a->dirty = true;
    if (e->dirty_account_count == e->dirty_account_cap) {
        e->dirty_account_cap = e->dirty_account_cap ? e->dirty_account_cap * 2 : 64;
        e->dirty_accounts =
            realloc(e->dirty_accounts, e->dirty_account_cap * sizeof(struct account *));
        CHECK(e->dirty_accounts);
    }
    e->dirty_accounts[e->dirty_account_count++] = a;
}

void live_add(struct engine *e, uint32_t file, int64_t bytes)
{
    struct live *l;

    if (file == 0 || bytes == 0)
        return;
    l = map64_get(e->files, file);
    if (!l) {
        struct key k = key_u64(file);
        struct row_file row = {0};
        l = calloc(1, sizeof(*l));
        CHECK(l);
        if (index_get_row(&e->index, e->txn, INDEX_FILE, &k, &row, sizeof(row)) == 0)
            l->bytes = (int64_t)row.live_bytes;
        map64_set(e->files, file, l);
    }
    l->bytes += bytes;
    l->dirty = true;
}

void live_forget(struct engine *e, uint32_t file)
{
    free(map64_remove(e->files, file));
}

uint64_t live_bytes(struct engine *e, MDB_txn *t, uint32_t file)
{
    const struct live *l = map64_get(e->files, file);
    struct key k = key_u64(file);
    struct row_file row = {0};

    if (l)
        return l->bytes > 0 ? (uint64_t)l->bytes : 0;
    index_get_row(&e->index, t, INDEX_FILE, &k, &row, sizeof(row));
    return row.live_bytes;
}

void engine_note_changed(struct engine *e, uint64_t mailbox)
{
    if (e->replaying || (e->changed_count > 0 && e->changed[e->changed_count - 1] == mailbox))
        return;
    if (e->changed_count == e->changed_cap) {
        e->changed_cap = e->changed_cap ? e->changed_cap * 2 : 64;
        e->changed = realloc(e->changed, e->changed_cap * sizeof(uint64_t));
        CHECK(e->changed);
    }
    e->changed[e->changed_count++] = mailbox;
}

/* The least unseen message was seen or went: the next one is mostly near. Else it is unknown, and
 * readers look themselves. */
static void find_unseen(struct engine *e, struct mbox *m)
{
    struct key k = key_message(m->id, m->row.first_unseen);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;
    uint32_t found = 0;

    m->find_unseen = false;
    if (m->row.unseen > 0 && m->row.first_unseen > 0 &&
        mdb_cursor_open(e->txn, e->index.dbi[INDEX_MESSAGE], &c) == 0) {
        int err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
        for (int n = 0; err == 0 && n < UNSEEN_SCAN_MAX; n++) {
            uint64_t flags;
            if (key.mv_size != 12 || memcmp(key.mv_data, k.b, 8) != 0)
                break;
            memcpy(&flags, v.mv_data, sizeof(flags));
            if (!(flags & STORE_SEEN)) {
                found = key_get_u32((const char *)key.mv_data + 8);
                break;
            }
            err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
        }
        mdb_cursor_close(c);
    }
    m->row.first_unseen = found;
}

static int by_id(const void *a, const void *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

static int flush_mailboxes(struct engine *e)
{
    char row[sizeof(struct row_mailbox) + STORE_NAME_MAX];

    if (e->dirty_count > 1)
        qsort(e->dirty_mailboxes, e->dirty_count, sizeof(uint64_t), by_id);
    for (size_t i = 0; i < e->dirty_count; i++) {
        struct mbox *m = map64_get(e->mailboxes, e->dirty_mailboxes[i]);
        struct key k = key_u64(e->dirty_mailboxes[i]);
        if (!m || !m->dirty)
            continue; /* gone */
        if (m->find_unseen)
            find_unseen(e, m);
        m->dirty = false;
        memcpy(row, &m->row, sizeof(m->row));
        memcpy(row + sizeof(m->row), m->name, m->row.name_bytes);
        int err = index_put(&e->index, e->txn, INDEX_MAILBOX, &k, row,
                            sizeof(m->row) + m->row.name_bytes);
        if (err)
            return err;
    }
    e->dirty_count = 0;
    return 0;
}

static int flush_accounts(struct engine *e)
{
    for (size_t i = 0; i < e->dirty_account_count; i++) {
        struct account *a = e->dirty_accounts[i];
        struct key k = key_u64(a->id);
        int err = index_put(&e->index, e->txn, INDEX_ACCOUNT, &k, &a->row, sizeof(a->row));
        if (err)
            return err;
        a->dirty = false;
    }
    e->dirty_account_count = 0;
    return 0;
}

struct flush_files {
    struct engine *e;
    int err;
};

static bool flush_file(uint64_t number, void *value, void *arg)
{
    struct flush_files *f = arg;
    struct live *l = value;
    struct key k = key_u64(number);
    struct row_file row = {l->bytes > 0 ? (uint64_t)l->bytes : 0};

    if (l->dirty)
        f->err = index_put(&f->e->index, f->e->txn, INDEX_FILE, &k, &row, sizeof(row));
    l->dirty = false;
    return f->err == 0;
}

int engine_flush(struct engine *e)
{
    struct flush_files files = {e, 0};
    struct key k;
    int err = flush_mailboxes(e);

    if (!err)
        err = flush_accounts(e);
    if (!err) {
        map64_each(e->files, flush_file, &files);
        err = files.err;
    }
    if (!err) {
        k.n = 5;
        memcpy(k.b, "state", 5);
        err = index_put(&e->index, e->txn, INDEX_STATE, &k, &e->state, sizeof(e->state));
    }
    return err;
}

static bool free_value(uint64_t key, void *value, void *arg)
{
    free(value);
    return true;
}

void engine_forget(struct engine *e)
{
    map64_each(e->mailboxes, free_value, NULL);
    map64_each(e->accounts, free_value, NULL);
    map64_each(e->files, free_value, NULL);
    map64_free(e->mailboxes);
    map64_free(e->accounts);
    map64_free(e->files);
    e->mailboxes = map64_new();
    e->accounts = map64_new();
    e->files = map64_new();
    list_init(&e->lru);
    e->dirty_count = 0;
    e->dirty_account_count = 0;
}
