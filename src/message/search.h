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
struct span needle_folded(const struct needle *n); /* what is looked for */

/* In the field bodies named `name` of a header block. An empty needle matches where the field
 * exists. */
bool search_header(struct span block, const char *name, const struct needle *n);
/* In all field bodies and names of the block. */
bool search_header_any(struct span block, const struct needle *n);
/* In the decoded text parts of a message (and header fields of message/rfc822 parts). raw is the
 * whole body. */
bool search_body(struct span raw, const struct summary *s, const struct needle *n);

/*
 * The texts in which the functions above look for a needle, folded as they fold them, for an index
 * that must never lose a match. A text comes in one or more pieces of whole characters; `first`
 * begins another one. name: the header field that it is, "name: value", else empty. Of
 * search_body_each the fields of messages inside have a name, too.
 */
typedef void (*search_piece_fn)(void *arg, struct span name, bool first, struct span folded);
void search_header_each(struct span block, search_piece_fn fn, void *arg);
void search_body_each(struct span raw, const struct summary *s, search_piece_fn fn, void *arg);

/* Decoded text of one part, UTF-8, as many characters as `out` has room for: previews, full-text
 * indexes. False: no text part. */
bool part_text(struct span raw, const struct part_range *part, struct buf *out);

#endif
