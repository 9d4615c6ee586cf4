/*
 * restore.h: stores made from a backup. What numbers the lost run of the server has given after the
 * backup nobody knows: every mailbox gets a new UIDVALIDITY, so that clients begin anew instead of
 * taking one message for another; newsgroups, whose numbers have no such thing, go on a gap higher.
 */
#ifndef STORE_RESTORE_H
#define STORE_RESTORE_H

#include "store/engine.h"

/* The store below `root`, just put there (index as of its checkpoint, log up to it), becomes one
 * that stored can open. Nobody else may have it open. */
struct restored {
    uint64_t mailboxes, newsgroups, queued, queue_left_out;
};
int restore_store(const char *root, uint64_t map_bytes, uint32_t number_gap, bool with_queue,
                  struct restored *ret, struct err *err);

/* A store that lies in a backup, for reading only, without stored: the index below `root` (a folder
 * with store/index/data.mdb), log files in `log`. All that reads a snapshot works with `ret_read`;
 * it is held until restore_close. */
int restore_open(const char *root, int log, uint64_t map_bytes, struct store **ret,
                 struct store_read *ret_read, struct err *err);
void restore_close(struct store *s, struct store_read *r);

#endif
