#include "imap/moved.h"

#include <errno.h>

static bool same_place(const struct message_info *a, const struct message_info *b)
{
    return a->body_file == b->body_file && a->body_at == b->body_at &&
           a->summary_file == b->summary_file && a->summary_at == b->summary_at &&
           a->prefix_file == b->prefix_file && a->prefix_at == b->prefix_at;
}

bool message_moved(struct store *s, struct message_info *m)
{
    struct message_info now;
    struct store_read r;
    int e = store_read_begin(s, &r);

    if (e < 0)
        return false;
    e = store_message_get(&r, m->mailbox, m->uid, &now);
    store_read_end(&r);
    if (e < 0 || now.body != m->body || now.size != m->size || same_place(&now, m))
        return false;
    now.flags = m->flags; /* what the answer has begun with */
    now.modseq = m->modseq;
    *m = now;
    return true;
}

static int read_once(struct store *s, const struct message_info *m, uint64_t at, size_t n,
                     struct buf *out)
{
    size_t before = out->n;
    int e = store_message_read(s, m, at, n, out);

    if (e == 0 && out->n - before == n)
        return 0;
    buf_truncate(out, before);
    return e < 0 ? e : -EIO;
}

int moved_message_read(struct store *s, struct message_info *m, uint64_t at, size_t n,
                       struct buf *out)
{
    int e = read_once(s, m, at, n, out);

    return e < 0 && message_moved(s, m) ? read_once(s, m, at, n, out) : e;
}

int moved_summary(struct store *s, struct message_info *m, struct arena *a, struct summary *ret)
{
    int e = store_summary(s, m, a, ret);

    return e < 0 && message_moved(s, m) ? store_summary(s, m, a, ret) : e;
}
