#include "manager/ca_backup_head.h"

#define MAGIC "sealpost CA backup 1\n"

void wr_ca_backup_head(struct buf *b, const struct ca_backup_head *h)
{
    buf_put_cstr(b, MAGIC);
    wr_span(b, h->salt);
    wr_u32(b, h->rounds);
    wr_i64(b, h->when);
    wr_u16(b, h->count);
    for (unsigned i = 0; i < h->count; i++) {
        wr_cstr(b, h->keys[i].name);
        wr_bool(b, h->keys[i].root);
        wr_cstr(b, h->keys[i].id);
        wr_span(b, h->keys[i].sealed);
    }
    wr_u64(b, h->register_bytes);
}

bool rd_ca_backup_head(struct span bytes, struct ca_backup_head *ret, uint64_t *ret_register_at)
{
    struct ca_backup_head h = {.count = 0};
    struct rd r;

    if (!span_starts(bytes, SPAN(MAGIC)))
        return false;
    r = rd_of(span_skip(bytes, sizeof(MAGIC) - 1));
    h.salt = rd_span(&r, CA_BACKUP_SALT_MAX);
    h.rounds = rd_u32(&r);
    h.when = rd_i64(&r);
    h.count = rd_u16(&r);
    if (h.count > CA_RESTORE_KEYS_MAX || h.rounds == 0 || h.rounds > CA_BACKUP_ROUNDS_MAX)
        return false;
    for (unsigned i = 0; i < h.count; i++) {
        struct ca_backup_key *k = &h.keys[i];
        rd_cstr(&r, k->name, sizeof(k->name));
        k->root = rd_bool(&r);
        rd_cstr(&r, k->id, sizeof(k->id));
        k->sealed = rd_span(&r, CA_BACKUP_SEALED_MAX);
    }
    h.register_bytes = rd_u64(&r);
    /* what is larger would wrap round when it is added to an offset */
    if (r.bad || h.register_bytes == 0 || h.register_bytes > CA_BACKUP_REGISTER_MAX)
        return false;
    *ret = h;
    *ret_register_at = bytes.n - r.n;
    return true;
}
