/* check_index.c: the index against itself and against the log, table after table. */
#include "store/check_parts.h"

#include "base/check.h"
#include <errno.h>
#include <stdlib.h>

void check_each(struct check *c, enum index_table table, const char *what, row_fn fn)
{
    MDB_val key, v;
    MDB_cursor *cursor;
    MDB_stat st = {0};
    uint64_t n = 0;
    struct key k;
    int err;

    if (c->err || c->index->dbi[table] == INDEX_NO_TABLE)
        return;
    mdb_stat(c->txn, c->index->dbi[table], &st);
    err = mdb_cursor_open(c->txn, c->index->dbi[table], &cursor);
    if (err) {
        c->err = index_error(err);
        return;
    }
    while (!c->err && (err = mdb_cursor_get(cursor, &key, &v, MDB_NEXT)) == 0) {
        if (key.mv_size > sizeof(k.b)) {
            err = EBADMSG;
            break;
        }
        memcpy(k.b, key.mv_data, key.mv_size);
        k.n = key.mv_size;
        /* A copy: a repair may move the page. */
        buf_clear(&c->room);
        buf_put_span(&c->room, span_of(v.mv_data, v.mv_size));
        fn(c, &k, buf_span(&c->room));
        if (++n % 1000 == 0 && c->progress)
            c->progress(c->arg, what, n, st.ms_entries);
    }
    mdb_cursor_close(cursor);
    if (err && err != MDB_NOTFOUND && !c->err)
        c->err = index_error(err);
}

void check_put(struct check *c, enum index_table t, const struct key *k, const void *p, size_t n)
{
    int err = c->repair ? index_put(c->index, c->txn, t, k, p, n) : 0;
    if (err)
        c->err = err;
}

void check_del(struct check *c, enum index_table t, const struct key *k)
{
    int err = c->repair ? index_del(c->index, c->txn, t, k) : 0;
    if (err)
        c->err = err;
}

void check_sum_add(struct map64 *m, uint64_t key, int64_t n)
{
    struct sum *s = map64_get(m, key);

    if (!s) {
        s = calloc(1, sizeof(*s));
        CHECK(s);
        map64_set(m, key, s);
    }
    s->n += n;
}

int64_t check_sum_of(const struct map64 *m, uint64_t key)
{
    const struct sum *s = map64_get(m, key);
    return s ? s->n : 0;
}

void check_index(struct check *c)
{
    struct key k = {.n = 5};
    int err;

    c->boxes = map64_new();
    c->accounts = map64_new();
    c->shared = map64_new();
    c->files_live = map64_new();
    buf_init(&c->room, 64 << 20);
    memcpy(k.b, "state", 5);
    err = index_get_row(c->index, c->txn, INDEX_STATE, &k, &c->state, sizeof(c->state));
    if (err) {
        c->err = err;
        return;
    }
    check_each(c, INDEX_MAILBOX, "mailboxes", check_on_mailbox);
    check_each(c, INDEX_DOOMED, "removed mailboxes", check_on_doomed);
    check_each(c, INDEX_NAME, "names", check_on_name);
    check_each(c, INDEX_KEYWORD, "keywords", check_on_keyword);
    check_each(c, INDEX_MESSAGE, "messages", check_on_message);
    check_each(c, INDEX_QUEUE, "queue", check_on_queue);
    check_each(c, INDEX_DUE, "queue", check_on_due);
    check_each(c, INDEX_CHANGE, "change log", check_on_change);
    check_each(c, INDEX_READ, "read marks", check_on_read);
    if (!c->err)
        map64_each(c->boxes, check_sum_mailbox, c);
    check_each(c, INDEX_ADDRESS, "addresses", check_on_address);
    check_each(c, INDEX_NAMED, "addresses", check_on_named);
    check_each(c, INDEX_ACCOUNT, "accounts", check_on_account);
    check_each(c, INDEX_SHARED, "references", check_on_shared);
    if (!c->err)
        map64_each(c->shared, check_shared_has_row, c);
    check_lone(c);
    check_each(c, INDEX_FILE, "log files", check_on_file);
    if (!c->err)
        map64_each(c->files_live, check_file_has_row, c);
    check_each(c, INDEX_HISTORY, "history", check_on_history);
    check_each(c, INDEX_ARRIVED, "history", check_on_arrived);
    check_each(c, INDEX_SEEN, "deliveries", check_on_seen);
    check_each(c, INDEX_SUBSCRIPTION, "subscriptions", check_on_subscription);
    check_each(c, INDEX_MARK, "newsgroups", check_on_mark);
    check_each(c, INDEX_ACL, "rights", check_on_acl);
    check_each(c, INDEX_GRANTED, "rights", check_on_granted);
    check_each(c, INDEX_NOTE, "annotations", check_on_note);
}

static bool free_box(uint64_t key, void *value, void *arg)
{
    struct box *b = value;
    free(b->name);
    free(b);
    return true;
}

static bool free_sum(uint64_t key, void *value, void *arg)
{
    free(value);
    return true;
}

void check_done(struct check *c)
{
    struct map64 *sums[] = {c->accounts, c->shared, c->files_live};

    if (c->boxes)
        map64_each(c->boxes, free_box, NULL);
    map64_free(c->boxes);
    for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
        if (sums[i])
            map64_each(sums[i], free_sum, NULL);
        map64_free(sums[i]);
    }
    check_proved_done(c);
    free(c->lone);
    buf_done(&c->room);
    c->boxes = c->accounts = c->shared = c->files_live = NULL;
    c->lone = NULL;
    c->lone_count = c->lone_cap = 0;
}
