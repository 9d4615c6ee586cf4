/* envelope.h: what SORT and THREAD need of an ENVELOPE text (RFC 9051 7.5.2) of a summary. */
#ifndef IMAP_ENVELOPE_H
#define IMAP_ENVELOPE_H

#include "base/buf.h"

enum envelope_field { /* in their order */
                      ENVELOPE_DATE,
                      ENVELOPE_SUBJECT,
                      ENVELOPE_FROM,
                      ENVELOPE_SENDER,
                      ENVELOPE_REPLY_TO,
                      ENVELOPE_TO,
                      ENVELOPE_CC,
};
/* The addr-mailbox of the first address, in upper case; nothing where there is none. */
void envelope_first_mailbox(struct span envelope, enum envelope_field f, struct buf *out);
/* Is the subject that of a reply or of something forwarded (RFC 5256 section 2.1)? */
bool envelope_is_reply(struct span envelope);

#endif
