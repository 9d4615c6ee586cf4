/*
 * parse.h: cursor parsers. Each takes a span by pointer, moves it past what it read only on success, and has a
 * limit where the input decides a length. Grammars are chains: parse_token(&c, ...) && parse_char(&c, ' ') && ...
 */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include "base/span.h"

bool parse_char(struct span *c, char want);
bool parse_lit(struct span *c, const char *want);        /* exact */
bool parse_lit_nocase(struct span *c, const char *want); /* ASCII without case */
/* Up to `stop` (not consumed), at most max bytes before it; false when there is no `stop` within them. */
bool parse_until(struct span *c, char stop, size_t max, struct span *ret);
/* The longest run of bytes for which is() holds: between min and max bytes, else false. */
bool parse_while(struct span *c, bool (*is)(unsigned char), size_t min, size_t max,
                 struct span *ret);
size_t parse_blanks(struct span *c); /* skips SP and HT, returns how many */
bool parse_u32(struct span *c, uint32_t max, uint32_t *ret);
bool parse_u64(struct span *c, uint64_t max, uint64_t *ret);
bool parse_fixed_digits(struct span *c, unsigned digits,
                        unsigned *ret); /* exactly that many digits */
bool parse_end(const struct span *c);   /* nothing left */
/* Next word up to blanks; skips the blanks before it. False when nothing is left or it exceeds max. */
bool parse_word(struct span *c, size_t max, struct span *ret);

#endif
