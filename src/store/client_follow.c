/* Following the whole store, as the search index does. */
#include "store/client.h"

#include <errno.h>

static void send_follow(struct store *s, bool on)
{
    struct buf b BUF_AUTO = BUF(32);

    if (!s->attached)
        return;
    wr_u64(&b, s->any);
    wr_bool(&b, on);
    wr_u64(&b, client_snapshot(s));
    link_send(s->link, MSG_STORE_WATCH, buf_span(&b), NULL, 0);
}

void store_follow(struct store *s, uint64_t what, void (*fn)(void *arg, uint64_t mailbox),
                  void *arg)
{
    if (s->on_any)
        send_follow(s, false);
    s->on_any = fn;
    s->on_any_arg = arg;
    s->any = what;
    follow_again(s);
}

void follow_again(struct store *s)
{
    if (!s->on_any || !s->attached)
        return;
    send_follow(s, true);
    s->on_any(s->on_any_arg, 0);
}

int store_mailbox_next(struct store_read *r, uint64_t after, struct mailbox_info *ret)
{
    struct key k = key_u64(after + 1);
    MDB_val key = {k.n, k.b}, v;
    MDB_cursor *c;
    int err = mdb_cursor_open(r->txn, r->store->index.dbi[INDEX_MAILBOX], &c);

    if (err)
        return index_error(err);
    err = mdb_cursor_get(c, &key, &v, MDB_SET_RANGE);
    while (err == 0 &&
           (key.mv_size != 8 ||
            !index_mailbox_info(key_get_u64(key.mv_data), span_of(v.mv_data, v.mv_size), ret)))
        err = mdb_cursor_get(c, &key, &v, MDB_NEXT);
    mdb_cursor_close(c);
    return err == MDB_NOTFOUND ? -ENOENT : err ? index_error(err) : 0;
}
