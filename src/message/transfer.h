/*
 * transfer.h: Content-Transfer-Encoding taken off, bit by bit (RFC 2045 section 6). Damage is
 * passed over: foreign bytes in base64 are skipped, "=" that starts no quoted-printable sequence
 * stands for itself.
 */
#ifndef MESSAGE_TRANSFER_H
#define MESSAGE_TRANSFER_H

#include "base/buf.h"

enum transfer_kind { TRANSFER_IDENTITY, TRANSFER_QP, TRANSFER_BASE64, TRANSFER_UNKNOWN };
/* "7bit", "8bit", "binary" and their misspellings are identity. */
enum transfer_kind transfer_kind(struct span encoding);

struct transfer {
    enum transfer_kind kind;
    uint32_t bits; /* base64: what is gathered */
    unsigned have; /* base64: characters gathered, 0 to 3 */
};
/* Takes encoded bytes off `in`, which is all that is left, until it is empty or `room` bytes were
 * written; returns how many. */
size_t transfer_decode(struct transfer *t, struct span *in, char *out, size_t room);

#endif
