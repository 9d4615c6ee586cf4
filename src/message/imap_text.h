/*
 * imap_text.h: the answers of FETCH ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 section 7.4.2, RFC
 * 9051 section 7.5.2), ready to send. A string that cannot be quoted (8-bit, over 1,000 bytes) is a
 * literal "{n}" CRLF; CR, LF, NUL are never in one.
 */
#ifndef MESSAGE_IMAP_TEXT_H
#define MESSAGE_IMAP_TEXT_H

#include "message/mime.h"

/* quoted or literal */
void imap_string(struct buf *out, struct span s);
/* An unstructured field body: folds taken off. NIL if p is NULL. `scratch` is used and left empty.
 */
void imap_field(struct buf *out, struct span value, struct buf *scratch);

/* The envelope of a header block; at most limits' addresses a field. False if some were left out.
 */
bool envelope_print(struct buf *out, const struct fields *f, const struct message_limits *limits,
                    struct buf *scratch);

/* Both texts of the tree's root; `basic` gets the one without extension data. False if something
 * was left out. */
bool bodystructure_print(struct buf *full, struct buf *basic, struct span raw, const struct mime *m,
                         const struct message_limits *limits, struct buf *scratch);

#endif
