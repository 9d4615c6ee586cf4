/* scram.h: the client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding. */
#ifndef MONITOR_SCRAM_H
#define MONITOR_SCRAM_H

#include "base/buf.h"

struct scram {
    const char *user, *password; /* borrowed */
    struct buf first_bare;
    unsigned char server_signature[32];
};

void scram_init(struct scram *s, const char *user, const char *password);
void scram_done(struct scram *s);
void scram_first(struct scram *s, struct buf *out);
/* For server-first-message; false: it breaks the grammar, the nonce is not ours, or more than a
 * million rounds. */
bool scram_final(struct scram *s, struct span server_first, struct buf *out);
bool scram_server_proved(const struct scram *s, struct span server_final);
/* Tests: a fixed nonce of the client. */
void scram_first_with(struct scram *s, const char *nonce, struct buf *out);

#endif
