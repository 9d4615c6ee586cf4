/* queue_item.h: a message in the outgoing queue as a row of the index: row_queue, then what is
 * below. */
#ifndef STORE_QUEUE_ITEM_H
#define STORE_QUEUE_ITEM_H

#include "store/format.h"
#include "store/store.h"

enum {
    QUEUE_RET_HEADERS = 1,
    QUEUE_8BIT = 2,
    QUEUE_SMTPUTF8 = 4,
    QUEUE_REQUIRE_TLS = 8,
    QUEUE_RET_FULL = 16
};
/* In the row `notify` has one bit more: delivered here, only its report is open. */
enum { QUEUE_ROW_DELIVERED = 128 };
enum queue_state { QUEUE_OPEN, QUEUE_IS_DELIVERED, QUEUE_IS_FAILED };

struct queue_entry {
    struct row_queue row;
    struct span sender, envid;
    struct queue_entry_recipient {
        uint32_t index;
        struct span address, orcpt, text;
        uint8_t notify, state;
        bool delay_notified, delivered;
    } * recipients;
    size_t count;
};
void wr_queue_entry(struct buf *b, const struct queue_entry *q);
/* Spans point into s, the array comes from the arena. */
bool rd_queue_entry(struct span s, struct arena *a, struct queue_entry *ret);

#endif
