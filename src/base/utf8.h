/* utf8.h: UTF-8 as RFC 3629 has it: no surrogates, nothing over U+10FFFF, shortest form only. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"

bool utf8_valid(struct span s);
bool utf8_is_ascii(struct span s);
/* Takes one code point off s; an invalid byte gives U+FFFD and moves one byte. False at the end. */
bool utf8_next(struct span *s, uint32_t *ret);
bool utf8_put(struct buf *b, uint32_t code_point);
/* s with every invalid sequence replaced by U+FFFD and every NUL by U+FFFD. */
bool utf8_scrub(struct buf *b, struct span s);
/* IMAP modified UTF-7 mailbox names, RFC 3501 section 5.1.3. False: not valid. */
bool utf7_imap_decode(struct buf *b, struct span s);
bool utf7_imap_encode(struct buf *b, struct span utf8);

#endif
