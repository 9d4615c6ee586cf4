/*
 * maildrop.h: the INBOX of an account as POP3 sees it: the messages that were there at login,
 * numbered from 1, until QUIT.
 */
#ifndef POP3_MAILDROP_H
#define POP3_MAILDROP_H

#include "line/session.h"

struct drop_message {
    uint32_t uid;
    uint32_t size;
    bool deleted;
};
struct maildrop {
    uint64_t mailbox;
    uint32_t uidvalidity;
    struct drop_message *messages;
    uint32_t count;
    bool open;
};

int maildrop_open(struct maildrop *d, struct store *s, uint64_t account); /* 0 or negative errno */
void maildrop_close(struct maildrop *d);
/* Messages not marked, and their octets. */
void maildrop_totals(const struct maildrop *d, uint32_t *ret_count, uint64_t *ret_bytes);
/* A number that names a message not marked; NULL otherwise. */
struct drop_message *maildrop_get(struct maildrop *d, uint64_t number);
int maildrop_remove_marked(struct maildrop *d, struct store *s, struct span grant); /* suspends */

#endif
