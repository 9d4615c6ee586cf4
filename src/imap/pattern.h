/*
 * pattern.h: the wildcards of LIST (RFC 9051 section 6.3.9): "*" stands for any bytes, "%" for any
 * but the hierarchy separator "/". "INBOX" as the first level matches without case.
 */
#ifndef IMAP_PATTERN_H
#define IMAP_PATTERN_H

#include "base/span.h"

/* Time is bounded by the product of both lengths. */
bool pattern_match(struct span pattern, struct span name);

#endif
