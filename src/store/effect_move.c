/* Effects of compaction: bytes that lie somewhere else from now on. What a message is, its number
 * and its modseq stay as they are; the id of its body, too, though that was its first place. */
#include "store/effect_parts.h"

#include <errno.h>

/* ------------------------------------------------------------------ a copy was made */
static int apply_copied(struct engine *e, struct place from, struct place to)
{
    if (from.bytes != to.bytes)
        return -EBADMSG;
    live_add(e, from.file, -blob_cost(from.bytes));
    live_add(e, to.file, blob_cost(to.bytes));
    return 0;
}

int effect_copied(struct engine *e, struct place from, struct place to)
{
    wr_u8(&e->effects, EFFECT_COPIED);
    wr_place(&e->effects, from);
    wr_place(&e->effects, to);
    return apply_copied(e, from, to);
}

int read_copied(struct engine *e, struct rd *r)
{
    struct place from = rd_place(r), to = rd_place(r);
    return r->bad ? -EBADMSG : apply_copied(e, from, to);
}

/* ------------------------------------------------------------------ a row refers to it */
static void set_places(const struct effect_moved *m, uint32_t body[2], uint32_t summary[2],
                       uint32_t prefix[2])
{
    if (m->what & MOVED_BODY) {
        body[0] = m->body.file;
        body[1] = m->body.at;
    }
    if (m->what & MOVED_SUMMARY) {
        summary[0] = m->summary.file;
        summary[1] = m->summary.at;
    }
    if (m->what & MOVED_PREFIX) {
        prefix[0] = m->prefix.file;
        prefix[1] = m->prefix.at;
    }
}

static bool sizes_fit(const struct effect_moved *m, uint32_t body, uint32_t summary,
                      uint32_t prefix)
{
    return (!(m->what & MOVED_BODY) || m->body.bytes == body) &&
           (!(m->what & MOVED_SUMMARY) || m->summary.bytes == summary) &&
           (!(m->what & MOVED_PREFIX) || m->prefix.bytes == prefix);
}

/* Each row counts its prefix by itself, whether it shares the bytes or not. */
static void count_prefix(struct engine *e, const struct effect_moved *m, uint32_t old)
{
    if (!(m->what & MOVED_PREFIX))
        return;
    live_add(e, old, -blob_cost(m->prefix.bytes));
    live_add(e, m->prefix.file, blob_cost(m->prefix.bytes));
}

static int move_message(struct engine *e, const struct effect_moved *m)
{
    struct key k = key_message(m->mailbox, (uint32_t)m->number);
    struct row_message row;
    int err = index_get_row(&e->index, e->txn, INDEX_MESSAGE, &k, &row, sizeof(row));

    if (err)
        return err == -ENOENT ? -EBADMSG : err;
    if (!sizes_fit(m, row.body_bytes, row.summary_bytes, row.prefix_bytes))
        return -EBADMSG;
    count_prefix(e, m, row.prefix_file);
    uint32_t body[2] = {row.body_file, row.body_at};
    uint32_t summary[2] = {row.summary_file, row.summary_at};
    uint32_t prefix[2] = {row.prefix_file, row.prefix_at};
    set_places(m, body, summary, prefix);
    row.body_file = body[0];
    row.body_at = body[1];
    row.summary_file = summary[0];
    row.summary_at = summary[1];
    row.prefix_file = prefix[0];
    row.prefix_at = prefix[1];
    return index_put(&e->index, e->txn, INDEX_MESSAGE, &k, &row, sizeof(row));
}

static int move_queued(struct engine *e, const struct effect_moved *m)
{
    struct key k = key_u64(m->number);
    struct row_queue row;
    struct span old;
    struct buf b = BUF(8 << 20);
    int err = index_get(&e->index, e->txn, INDEX_QUEUE, &k, &old);

    if (err || old.n < sizeof(row))
        return err && err != -ENOENT ? err : -EBADMSG;
    buf_put_span(&b, old);
    memcpy(&row, b.p, sizeof(row));
    if (b.overflow || !sizes_fit(m, row.body_bytes, row.summary_bytes, row.prefix_bytes)) {
        buf_done(&b);
        return -EBADMSG;
    }
    count_prefix(e, m, row.prefix_file);
    uint32_t body[2] = {row.body_file, row.body_at};
    uint32_t summary[2] = {row.summary_file, row.summary_at};
    uint32_t prefix[2] = {row.prefix_file, row.prefix_at};
    set_places(m, body, summary, prefix);
    row.body_file = body[0];
    row.body_at = body[1];
    row.summary_file = summary[0];
    row.summary_at = summary[1];
    row.prefix_file = prefix[0];
    row.prefix_at = prefix[1];
    memcpy(b.p, &row, sizeof(row));
    err = index_put(&e->index, e->txn, INDEX_QUEUE, &k, b.p, b.n);
    buf_done(&b);
    return err;
}

static int apply_moved(struct engine *e, const struct effect_moved *m)
{
    return m->mailbox ? move_message(e, m) : move_queued(e, m);
}

int effect_moved(struct engine *e, const struct effect_moved *m)
{
    wr_u8(&e->effects, EFFECT_MOVED);
    wr_u64(&e->effects, m->mailbox);
    wr_u64(&e->effects, m->number);
    wr_u8(&e->effects, m->what);
    if (m->what & MOVED_BODY)
        wr_place(&e->effects, m->body);
    if (m->what & MOVED_SUMMARY)
        wr_place(&e->effects, m->summary);
    if (m->what & MOVED_PREFIX)
        wr_place(&e->effects, m->prefix);
    return apply_moved(e, m);
}

int read_moved(struct engine *e, struct rd *r)
{
    struct effect_moved m = {.mailbox = rd_u64(r)};

    m.number = rd_u64(r);
    m.what = rd_u8(r);
    if (m.what & MOVED_BODY)
        m.body = rd_place(r);
    if (m.what & MOVED_SUMMARY)
        m.summary = rd_place(r);
    if (m.what & MOVED_PREFIX)
        m.prefix = rd_place(r);
    return r->bad || m.what == 0 || m.what > 7 || (m.mailbox && m.number > UINT32_MAX)
               ? -EBADMSG
               : apply_moved(e, &m);
}

/* ------------------------------------------------------------------ Message-IDs of long ago */
static int apply_forgotten(struct engine *e, const struct arrived *a)
{
    struct key k = key_u64(a->seconds);
    struct span id;
    int err;

    key_add_u64(&k, a->sequence);
    err = index_get(&e->index, e->txn, INDEX_ARRIVED, &k, &id);
    if (err)
        return err == -ENOENT ? 0 : err;
    struct key h = key_message_id(e->state.hash_seed, 0, id);
    err = index_del(&e->index, e->txn, INDEX_HISTORY, &h);
    return err ? err : index_del(&e->index, e->txn, INDEX_ARRIVED, &k);
}

int effect_forget(struct engine *e, const struct arrived *a, size_t count)
{
    int err = 0;

    wr_u8(&e->effects, EFFECT_FORGET);
    wr_varint(&e->effects, count);
    for (size_t i = 0; i < count && !err; i++) {
        wr_u64(&e->effects, a[i].seconds);
        wr_u64(&e->effects, a[i].sequence);
        err = apply_forgotten(e, &a[i]);
    }
    return err;
}

int read_forget(struct engine *e, struct rd *r)
{
    uint64_t count = rd_varint(r);
    int err = 0;

    for (uint64_t i = 0; i < count && !err; i++) {
        struct arrived a = {rd_u64(r), rd_u64(r)};
        err = r->bad ? -EBADMSG : apply_forgotten(e, &a);
    }
    return err;
}

/* ------------------------------------------------------------------ a file that nobody refers to
 */
static int apply_file_gone(struct engine *e, uint32_t file)
{
    struct key k = key_u64(file);

    live_forget(e, file);
    return index_del(&e->index, e->txn, INDEX_FILE, &k);
}

int effect_file_gone(struct engine *e, uint32_t file)
{
    wr_u8(&e->effects, EFFECT_FILE_GONE);
    wr_u32(&e->effects, file);
    return apply_file_gone(e, file);
}

int read_file_gone(struct engine *e, struct rd *r)
{
    uint32_t file = rd_u32(r);
    return r->bad || file == 0 ? -EBADMSG : apply_file_gone(e, file);
}
