#include "store/restore.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/client.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 500, LOG_BYTES = 256 << 20 };

/* ------------------------------------------------------------------ a store of its own */
static int finish(struct engine *e)
{
    int err;

    if (engine_batch_empty(e)) {
        engine_batch_drop(e);
        return 0;
    }
    err = engine_batch_sync(e);
    return err ? err : engine_batch_commit(e);
}

/* Ids of a table of u64 keys from `from` on. */
static int next_ids(struct engine *e, enum index_table table, uint64_t from, uint64_t *ids,
                    size_t *ret)
{
    struct key k = key_u64(from);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;
    int err = index_error(mdb_cursor_open(e->txn, e->index.dbi[table], &c));

    *ret = 0;
    if (err)
        return err;
    for (int x = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
         x == 0 && key.mv_size == 8 && *ret < PIECE; x = mdb_cursor_get(c, &key, &v, MDB_NEXT))
        ids[(*ret)++] = key_get_u64(key.mv_data);
    mdb_cursor_close(c);
    return 0;
}

static int raise_one(struct engine *e, uint64_t id, uint32_t uidvalidity, uint32_t gap,
                     struct restored *ret)
{
    const struct mbox *m = mbox_get(e, id);
    char name[STORE_NAME_MAX];

    if (!m)
        return 0;
    struct effect_mailbox p = {.id = id, .row = m->row, .name = span_of(name, m->row.name_bytes)};
    memcpy(name, m->name, m->row.name_bytes);
    p.row.uidvalidity = uidvalidity;
    if (m->row.account == STORE_ACCOUNT_PUBLIC) {
        if (p.row.uidnext <= STORE_NUMBER_MAX - gap)
            p.row.uidnext += gap;
        if (m->row.messages == 0)
            p.row.first_number = p.row.uidnext;
        ret->newsgroups++;
    }
    ret->mailboxes++;
    return effect_mailbox_put(e, &p);
}

static int raise_all(struct engine *e, uint32_t gap, struct restored *ret)
{
    struct intent none = {.role = ROLE_STORED};
    uint64_t ids[PIECE], from = 0;
    size_t n = PIECE;
    int err = 0;

    while (!err && n == PIECE) {
        err = engine_batch_begin(e, 0);
        if (err)
            return err;
        e->now = clock_seconds();
        uint32_t now = (uint32_t)(e->now & STORE_NUMBER_MAX);
        err = next_ids(e, INDEX_MAILBOX, from, ids, &n);
        record_begin(e);
        for (size_t k = 0; k < n && !err; k++) {
            uint32_t last = e->state.last_uidvalidity;
            err = raise_one(e, ids[k], now > last ? now : last + 1, gap, ret);
        }
        if (n > 0)
            from = ids[n - 1] + 1;
        if (!err)
            err = record_end(e, &none, 0);
        if (!err)
            err = finish(e);
    }
    return err;
}

static int drop_queue(struct engine *e, bool keep, struct restored *ret)
{
    uint64_t ids[PIECE], from = 0;
    size_t n = PIECE;
    int err = 0;

    while (!err && n == PIECE) {
        err = engine_batch_begin(e, 0);
        if (err)
            return err;
        err = next_ids(e, INDEX_QUEUE, from, ids, &n);
        engine_batch_drop(e);
        for (size_t k = 0; k < n && !err && !keep; k++) {
            struct msg_queue_admin q = {.head = {.counter = 1}, .op = QUEUE_DELETE, .id = ids[k]};
            struct buf payload = BUF(64), answer = BUF(4096);
            wr_queue_admin(&payload, &q);
            struct intent i = {.role = ROLE_MANAGER,
                               .kind = MSG_STORE_QUEUE_ADMIN,
                               .payload = buf_span(&payload),
                               .answer = &answer};
            err = engine_run(e, &i);
            buf_done(&payload);
            buf_done(&answer);
        }
        if (n > 0)
            from = ids[n - 1] + 1;
        *(keep ? &ret->queued : &ret->queue_left_out) += n;
    }
    return err;
}

int restore_store(const char *root, uint64_t map_bytes, uint32_t number_gap, bool with_queue,
                  struct restored *ret, struct err *err)
{
    struct engine_options o = {.root = root, .map_bytes = map_bytes, .log_file_bytes = LOG_BYTES};
    struct engine *e;
    int r = state_write(root, true, false);

    *ret = (struct restored){0};
    if (r)
        return err_set(err, r, "%s/store/state cannot be written: %s", root, strerror(-r));
    r = engine_open(&e, &o, err);
    if (r)
        return r;
    r = raise_all(e, number_gap, ret);
    if (!r)
        r = drop_queue(e, with_queue, ret);
    engine_close(e, r == 0);
    return r ? err_set(err, r, "the restored store cannot be written: %s", strerror(-r)) : 0;
}

/* ------------------------------------------------------------------ a store in a backup */
static int open_logs(struct store *s, int log)
{
    int fd = openat(log, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *n;
    size_t cap = 0;
    int err = 0;

    if (!d)
        return -errno;
    while (!err && (n = readdir(d)) != NULL) {
        unsigned number;
        char want[24];
        if (sscanf(n->d_name, "%8u.log", &number) != 1)
            continue;
        snprintf(want, sizeof(want), "%08u.log", number);
        if (strcmp(want, n->d_name) != 0)
            continue;
        if (s->file_count == cap) {
            cap = cap ? cap * 2 : 64;
            s->files = realloc(s->files, cap * sizeof(*s->files));
            CHECK(s->files);
        }
        size_t at = s->file_count;
        while (at > 0 && s->files[at - 1].number > number) {
            s->files[at] = s->files[at - 1];
            at--;
        }
        s->files[at] = (struct log_view){number, openat(log, want, O_RDONLY | O_CLOEXEC), NULL};
        s->file_count++;
        err = s->files[at].fd < 0 ? -errno : 0;
    }
    closedir(d);
    return err;
}

int restore_open(const char *root, int log, uint64_t map_bytes, struct store **ret,
                 struct store_read *ret_read, struct err *err)
{
    struct store *s = calloc(1, sizeof(*s));
    struct row_state state;
    struct key k = {.n = 5};
    int r;

    CHECK(s);
    s->pin_fd = s->ring.fd = s->spool.fd = -1;
    s->watches = map64_new();
    list_init(&s->calls);
    list_init(&s->abandoned);
    r = index_open(&s->index, root, map_bytes, false);
    if (!r) {
        mdb_env_set_userctx(s->index.env, s);
        r = index_error(mdb_txn_begin(s->index.env, NULL, MDB_RDONLY, &s->txn));
    }
    if (!r)
        r = index_tables(&s->index, s->txn, false);
    memcpy(k.b, "state", 5);
    if (!r)
        r = index_get_row(&s->index, s->txn, INDEX_STATE, &k, &state, sizeof(state));
    if (!r && (state.version < STORE_FORMAT_OLDEST || state.version > STORE_FORMAT_VERSION))
        r = -EPROTO;
    if (!r) {
        s->hash_seed = state.hash_seed;
        s->tables = true;
        r = open_logs(s, log);
    }
    if (r) {
        store_close(s);
        return err_set(err, r, "the index of the backup cannot be opened: %s", strerror(-r));
    }
    *ret_read = (struct store_read){.store = s, .txn = s->txn};
    *ret = s;
    return 0;
}

void restore_close(struct store *s, struct store_read *r)
{
    r->store = NULL;
    store_close(s);
}
