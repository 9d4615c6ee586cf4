/* json.h: writing JSON (RFC 8259). Reading is the command line's business, with a library. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

/* "…" with quotes; control bytes escaped, what is not UTF-8 as U+FFFD. */
bool json_put_string(struct buf *b, struct span s);

#endif
