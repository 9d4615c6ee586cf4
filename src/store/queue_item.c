#include "store/queue_item.h"

#include "store/store_msg.h"

void wr_queue_entry(struct buf *b, const struct queue_entry *q)
{
    wr_raw(b, &q->row, sizeof(q->row));
    wr_span(b, q->sender);
    wr_span(b, q->envid);
    wr_u16(b, (uint16_t)q->count);
    for (size_t i = 0; i < q->count; i++) {
        const struct queue_entry_recipient *t = &q->recipients[i];
        wr_u32(b, t->index);
        wr_span(b, t->address);
        wr_span(b, t->orcpt);
        wr_span(b, t->text);
        wr_u8(b, (uint8_t)((t->notify & (QUEUE_ROW_DELIVERED - 1)) |
                           (t->delivered ? QUEUE_ROW_DELIVERED : 0)));
        wr_u8(b, t->state);
        wr_bool(b, t->delay_notified);
    }
}

bool rd_queue_entry(struct span s, struct arena *a, struct queue_entry *ret)
{
    struct queue_entry q;
    struct rd r = rd_of(s);
    struct span row = rd_raw(&r, sizeof(q.row));

    q.sender = rd_span(&r, STORE_ADDRESS_MAX);
    q.envid = rd_span(&r, STORE_ADDRESS_MAX);
    q.count = rd_u16(&r);
    if (r.bad || q.count > STORE_RECIPIENTS_MAX)
        return false;
    memcpy(&q.row, row.p, sizeof(q.row));
    q.recipients = ARENA_ARRAY(a, struct queue_entry_recipient, q.count + 1);
    if (!q.recipients)
        return false;
    for (size_t i = 0; i < q.count; i++) {
        struct queue_entry_recipient *t = &q.recipients[i];
        t->index = rd_u32(&r);
        t->address = rd_span(&r, STORE_ADDRESS_MAX);
        t->orcpt = rd_span(&r, STORE_ADDRESS_MAX);
        t->text = rd_span(&r, STORE_TEXT_MAX);
        uint8_t notify = rd_u8(&r);
        t->notify = notify & (QUEUE_ROW_DELIVERED - 1);
        t->delivered = notify & QUEUE_ROW_DELIVERED;
        t->state = rd_u8(&r);
        t->delay_notified = rd_bool(&r);
    }
    if (!rd_done(&r))
        return false;
    *ret = q;
    return true;
}
