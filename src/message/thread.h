/* thread.h: the keys of THREAD and SORT (RFC 5256): base subject, references, first sender. */
#ifndef MESSAGE_THREAD_H
#define MESSAGE_THREAD_H

#include "message/fields.h"

enum { BASE_SUBJECT_RAW_MAX = 4096, REFERENCES_MAX = 1000 };

/* RFC 5256 section 2.1; `value` is the field as it stands, of which the first 4 KiB count. False
 * past the limit. */
bool thread_base_subject(struct span value, struct buf *out);
/* The same on decoded text, without the change to upper case. Points into `text`. */
struct span thread_strip_subject(struct span text);
/* Message-IDs of References, or else the first of In-Reply-To; at most 1,000, the first one and the
 * last ones. */
void thread_references(const struct fields *f, struct buf *out);
/* "local@domain" of the first From address in lower case, if it is a whole one. */
void thread_sender(const struct fields *f, struct buf *out, struct buf *scratch);

#endif
