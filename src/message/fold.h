/* fold.h: simple case folding (Unicode's C and S mappings), for search and for keys that sort. */
#ifndef MESSAGE_FOLD_H
#define MESSAGE_FOLD_H

#include "base/buf.h"

/* Appends valid UTF-8 folded, or in upper case. Invalid bytes become U+FFFD. False past the limit.
 */
bool fold_utf8(struct span utf8, struct buf *out);
bool upper_utf8(struct span utf8, struct buf *out);

#endif
