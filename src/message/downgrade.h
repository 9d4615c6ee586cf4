/*
 * downgrade.h: a message made fit for a server without 8BITMIME (RFC 6152 section 3): bodies that
 * hold 8-bit bytes become quoted-printable or base64, whichever is shorter; everything else stays as
 * it stands. Raw 8-bit bytes in header fields stay too: no encoding is right for all of them.
 */
#ifndef MESSAGE_DOWNGRADE_H
#define MESSAGE_DOWNGRADE_H

#include "base/buf.h"

bool downgrade_is_8bit(struct span bytes);
/* Appends `raw` with 7-bit bodies. 0; -E2BIG when its structure is past the limits of mime.h, so
 * that its parts are not known; -ENOBUFS when `out` is full. */
int downgrade(struct span raw, struct buf *out);
/* Is there an 8-bit byte in a header, that of a part or of a message within as well? Also where the
 * structure is past the limits of mime.h. */
bool downgrade_headers_8bit(struct span raw);

#endif
