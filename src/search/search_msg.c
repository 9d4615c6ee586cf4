#include "search/search_msg.h"

#include "search/gram.h"

void wr_search_find(struct buf *b, const struct search_find *f)
{
    wr_u64(b, f->mailbox);
    wr_u32(b, f->from);
    wr_u8(b, f->places);
    wr_span(b, f->needle);
}

bool rd_search_find(struct span s, struct search_find *ret)
{
    struct rd r = rd_of(s);
    struct search_find f = {.mailbox = rd_u64(&r), .from = rd_u32(&r), .places = rd_u8(&r)};

    f.needle = rd_span(&r, SEARCH_NEEDLE_MAX);
    if (!rd_done(&r) || f.places == 0 || f.places >> GRAM_PLACES)
        return false;
    *ret = f;
    return true;
}

/* next_uid, upto, then each range as the gap before it and its length, less one. */
void wr_search_found(struct buf *b, uint32_t next_uid, const struct rangeset *uids)
{
    enum { HEAD = 8, RANGE_MAX = 10 };
    struct buf ranges BUF_AUTO = BUF(b->max - b->n - HEAD);
    uint32_t at = 0, upto = next_uid;

    for (size_t i = 0; i < uids->n && uids->r[i].lo < next_uid; i++) {
        uint32_t hi = uids->r[i].hi < next_uid ? uids->r[i].hi : next_uid - 1;
        if (ranges.max - ranges.n < RANGE_MAX) {
            upto = uids->r[i].lo;
            break;
        }
        wr_varint(&ranges, uids->r[i].lo - at);
        wr_varint(&ranges, hi - uids->r[i].lo);
        at = hi;
    }
    wr_u32(b, next_uid);
    wr_u32(b, upto);
    buf_put_span(b, buf_span(&ranges));
}

bool rd_search_found(struct span s, struct search_found *ret)
{
    struct rd r = rd_of(s);
    uint64_t at = 0;

    ret->next_uid = rd_u32(&r);
    ret->upto = rd_u32(&r);
    while (r.n && !r.bad) {
        uint64_t lo = at + rd_varint(&r), hi = lo + rd_varint(&r);
        if (r.bad || lo <= at || hi < lo || hi >= ret->upto)
            return false;
        rangeset_add(&ret->uids, (uint32_t)lo, (uint32_t)hi);
        at = hi;
    }
    return rd_done(&r) && ret->upto <= ret->next_uid;
}

void wr_search_index(struct buf *b, enum search_op_index op, uint64_t account)
{
    wr_u8(b, (uint8_t)op);
    wr_u64(b, account);
}

bool rd_search_index(struct span s, enum search_op_index *ret_op, uint64_t *ret_account)
{
    struct rd r = rd_of(s);
    uint8_t op = rd_u8(&r);
    uint64_t account = rd_u64(&r);

    if (!rd_done(&r) || op >= SEARCH_INDEX_OPS)
        return false;
    *ret_op = (enum search_op_index)op;
    *ret_account = account;
    return true;
}
