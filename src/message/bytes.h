/* bytes.h: what is asked of every byte of every message that arrives, sixteen at a time. */
#ifndef MESSAGE_BYTES_H
#define MESSAGE_BYTES_H

#include "base/span.h"

uint32_t bytes_count(struct span s, char c); /* how many are c */
/* Is one over 127; is one zero. */
void bytes_look(struct span s, bool *ret_eight, bool *ret_nul);

#endif
