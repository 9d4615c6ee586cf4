/* special_use.h: what a mailbox is for (RFC 6154, RFC 8457). */
#ifndef IMAP_SPECIAL_USE_H
#define IMAP_SPECIAL_USE_H

#include "store/store.h"

#define SPECIAL_USE_ALL                                                                            \
    (MAILBOX_ARCHIVE | MAILBOX_DRAFTS | MAILBOX_FLAGGED | MAILBOX_JUNK | MAILBOX_SENT |            \
     MAILBOX_TRASH | MAILBOX_ALL | MAILBOX_IMPORTANT)

/* `name` without its backslash. */
bool special_use_bit(struct span name, uint32_t *ret);
/* The attributes' names, each with " \" before it. */
void special_use_print(uint32_t attributes, struct buf *out);

#endif
