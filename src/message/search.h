/*
 * search.h: does a message contain this text? Charset-aware: words (RFC 2047), transfer encodings
 * and charsets are decoded to Unicode, case folded (simple folding) on both sides. Needles are
 * UTF-8.
 */
#ifndef MESSAGE_SEARCH_H
#define MESSAGE_SEARCH_H

#include "message/summary.h"

struct needle;                               /* a folded search text, made once per search */
struct needle *needle_new(struct span utf8); /* NULL if not valid UTF-8 or over 1,024 bytes */
void needle_free(struct needle *n);

/* In the field bodies named `name` of a header block. An empty needle matches where the field
 * exists. */
bool search_header(struct span block, const char *name, const struct needle *n);
/* In all field bodies and names of the block. */
bool search_header_any(struct span block, const struct needle *n);
/* In the decoded text parts of a message (and header fields of message/rfc822 parts). raw is the
 * whole body. */
bool search_body(struct span raw, const struct summary *s, const struct needle *n);

/* Decoded text of one part, UTF-8, as many characters as `out` has room for: previews, full-text
 * indexes. False: no text part. */
bool part_text(struct span raw, const struct part_range *part, struct buf *out);

#endif
