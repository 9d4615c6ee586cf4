/*
 * text.h: the decoded text of a part, piece by piece: transfer encoding and charset taken off,
 * UTF-8 given out. Memory does not depend on the part's size. An unknown charset is guessed at
 * (charset_guess).
 */
#ifndef MESSAGE_TEXT_H
#define MESSAGE_TEXT_H

#include "base/buf.h"

struct text_source;
/* `body` is borrowed until text_close. */
struct text_source *text_open(struct span body, struct span encoding, struct span charset);
/* The next piece, whole characters, valid until the next call. False at the end. */
bool text_next(struct text_source *t, struct span *ret);
void text_close(struct text_source *t); /* NULL is fine */

#endif
