/*
 * moved.h: a message whose bytes were moved while a session was suspended: compaction copies what
 * lives out of old log files, and then a message_info of an earlier snapshot points into a file
 * that is gone.
 */
#ifndef IMAP_MOVED_H
#define IMAP_MOVED_H

#include "store/store.h"

/* After a read failed: looks the message up again. True: it lies elsewhere now, *m has its new
 * place, and reading can go on where it was. */
bool message_moved(struct store *s, struct message_info *m);
/* store_message_read and store_summary, once more where the message has moved. Nothing is appended
 * on failure, nor when bytes are missing
 * (-EIO). Not inside a snapshot. */
int moved_message_read(struct store *s, struct message_info *m, uint64_t at, size_t n,
                       struct buf *out);
int moved_summary(struct store *s, struct message_info *m, struct arena *a, struct summary *ret);

#endif
