/*
 * mask.h: what may be shown of a line in clear. A capture is read by others than those whose passwords cross the wire: the arguments that are
 * secrets are counted in their place, and so is everything that a client says and no command of the protocol is: it may be the rest of a login.
 */
#ifndef CAPTURE_MASK_H
#define CAPTURE_MASK_H

#include "base/buf.h"
#include "capture/grammar.h"

/* Appended. */
void mask_line(enum conf_protocol protocol, bool from_server, enum grammar_part part,
               struct span line, struct buf *out);

#endif
