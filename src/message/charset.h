/*
 * charset.h: text in the charsets of mail as UTF-8. ICU converters whose tables are in the library:
 * no file is opened, ever. Names come from outside; names that ICU does not know, or that are no
 * mail charset, are unknown. Bytes that do not fit the charset become U+FFFD. Work is linear in the
 * bytes given.
 */
#ifndef MESSAGE_CHARSET_H
#define MESSAGE_CHARSET_H

#include "base/buf.h"

/*
 * All of `bytes`; as many characters as `out` has room for. False, and nothing appended, if the
 * charset is unknown. An empty name, us-ascii and utf-8 are one: bytes that are no UTF-8 are then
 * taken as windows-1252.
 */
bool charset_to_utf8(struct span name, struct span bytes, struct buf *out);
bool charset_known(struct span name);

struct charset; /* a decoder at work on one text */
struct charset *
charset_open(struct span name); /* NULL: unknown, or one of the ASCII kind, which needs none */
void charset_close(struct charset *c); /* NULL is fine */
/* The next bytes of the text, UTF-8 appended to out. What is incomplete waits for the next call; at
 * `last` it becomes U+FFFD. */
void charset_feed(struct charset *c, struct span bytes, bool last, struct buf *out);
/* us-ascii, utf-8 and no name at all */
bool charset_is_ascii_kind(struct span name);
/* A text of the ASCII kind: valid UTF-8 as it is, anything else as windows-1252. NUL becomes
 * U+FFFD. */
void charset_guess(struct span bytes, struct buf *out);

/* Closes the converters this thread has kept: for threads that end. */
void charset_forget(void);

#endif
