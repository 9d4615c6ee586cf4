/*
 * transaction.h: one message on its way in: the envelope, then the body, then one durable delivery.
 * Shared by the files of the receiving side.
 */
#ifndef SMTP_TRANSACTION_H
#define SMTP_TRANSACTION_H

#include "line/worker.h"
#include "smtp/path.h"

enum { START = 1, GREETED = 2, SENDER = 4, RECIPIENTS = 8, CHUNKS = 16 };

struct smtp_recipient {
    struct smtp_recipient *next;
    struct span address; /* as given in RCPT */
    struct span orcpt;   /* decoded, "rfc822;…" or empty */
    uint8_t notify;
    struct auth_target *targets; /* malloc'ed by auth_resolve; NULL for a remote one */
    size_t target_count;
    uint64_t resolved_ms; /* when, on the clock that never goes back */
};

struct smtp {
    char helo[256];
    bool esmtp;
    unsigned messages; /* taken in this session */
    /* the transaction; all spans in its arena */
    struct arena *arena;
    struct span sender, envid;
    bool ret_headers, ret_full, body_8bit, smtputf8;
    uint64_t size; /* as announced, 0: not */
    struct smtp_recipient *first, **last;
    unsigned recipient_count;
    size_t target_count;   /* behind the recipients */
    size_t delivery_bytes; /* about what the request to stored takes up */
    struct store_body *body;
    int failed;                 /* of the body so far: a negative errno */
    bool bare_cr, bare_lf, nul; /* seen in chunks */
    bool chunk_cr;              /* the last chunk ended with CR */
};

/* Forgets the transaction; the session is GREETED (or START) again. */
void transaction_reset(struct session *s);
bool smtp_is_submission(const struct session *s);
const char *smtp_own_name(const struct session *s); /* what we call ourselves to the client */

/* About what the delivery to one target adds to the request to stored, but for the group's fields.
 */
size_t delivery_target_bytes(const struct smtp *t, const struct smtp_recipient *r);
/* The reply where a mailbox has no room, as the virtual server's quota_reply says. */
void transaction_full(struct session *s);
/* delivery.c: the body is complete. Says the final reply and resets. suspends */
void transaction_deliver(struct session *s);

void cmd_data(struct session *s, struct command_line *c);
void cmd_bdat(struct session *s, struct command_line *c);

#endif
