/* wildmat.h: patterns for newsgroup names, RFC 3977 section 4: "comp.*,!comp.lang.*", the last
 * match decides. */
#ifndef NNTP_WILDMAT_H
#define NNTP_WILDMAT_H

#include "base/span.h"

enum { WILDMAT_MAX_BYTES = 400 };
bool wildmat_valid(struct span wildmat);
/* Time is at most name x pattern; wildmat is valid and within WILDMAT_MAX_BYTES. */
bool wildmat_match(struct span wildmat, struct span name);

#endif
