/*
 * batch.h: messages of the selected mailbox, read some hundred at a time under one snapshot that
 * ends before anything is sent.
 */
#ifndef IMAP_BATCH_H
#define IMAP_BATCH_H

#include "imap/flags.h"
#include "imap/view.h"

struct session;

enum { BATCH_MAX = 256 };

struct batch {
    size_t n;
    size_t missing; /* of those asked for: in the view, gone from the store; counted over all
                       batches */
    struct message_info message[BATCH_MAX];
    uint32_t number[BATCH_MAX]; /* sequence numbers */
    bool with_keywords; /* set by the caller: always read keyword names; else only where a message
                           has some */
    struct keywords keywords;
};
struct batch *batch_new(void);
void batch_free(struct batch *b);
/* Fills the batch with the next at most `max` messages of the walk through the selected mailbox. 1:
 * there are some, 0: the walk is over, or a negative errno (-EACCES: the user may not read there any
 * more). Does not suspend. */
int batch_next(struct session *s, struct view_walk *w, size_t max, struct batch *b);

#endif
