/* base64.h: RFC 4648 base64 and hex. Decoding is strict unless it says lenient. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

bool base64_encode(struct buf *b, struct span s); /* one line, padded */
bool base64_decode(struct buf *b, struct span s); /* strict: padding right, no foreign byte */
/* For mail bodies: skips foreign bytes, ends at padding; never fails but for the limit. */
bool base64_decode_lenient(struct buf *b, struct span s);
bool base64url_encode(struct buf *b, struct span s); /* RFC 4648 section 5, no padding */
bool base64url_decode(struct buf *b, struct span s);
bool hex_encode(struct buf *b, struct span s); /* lower case */
bool hex_decode(struct buf *b, struct span s);

#endif
