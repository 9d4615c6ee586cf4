/* tickets.h: session ticket keys of one profile of sessiond, made here, in memory only, rotated. A
 * profile never sees another's. */
#ifndef KEYD_TICKETS_H
#define KEYD_TICKETS_H

#include "pki/keyd_msg.h"

enum {
    TICKETS_ROTATE_MS = 4 * 3600 * 1000
}; /* a ticket lives 8 hours: it outlives its key's first place, not the third */

struct tickets {
    unsigned char keys[KEY_TICKETS_MAX][KEY_TICKET_BYTES];
    unsigned count;
};

void tickets_rotate(struct tickets *t); /* a new first key; the last falls out */
void tickets_wr(const struct tickets *t, struct buf *b);
void tickets_wipe(struct tickets *t);

#endif
