#include "proc/keyd/engine/tickets.h"

#include "base/random.h"

void tickets_rotate(struct tickets *t)
{
    memmove(t->keys[1], t->keys[0], sizeof t->keys - sizeof t->keys[0]);
    random_bytes(t->keys[0], sizeof t->keys[0]);
    if (t->count < KEY_TICKETS_MAX)
        t->count++;
}

void tickets_wr(const struct tickets *t, struct buf *b)
{
    wr_u8(b, (uint8_t)t->count);
    wr_raw(b, t->keys, (size_t)t->count * KEY_TICKET_BYTES);
}

void tickets_wipe(struct tickets *t)
{
    secret_wipe(t, sizeof *t);
}
