/*
 * token.h: the lexical level that addresses and MIME parameters share: blanks, comments, quoted
 * strings (RFC 5322 section 3.2). What is not closed ends with the text. Every call moves the
 * cursor forward or leaves it, so loops are linear.
 */
#ifndef MESSAGE_TOKEN_H
#define MESSAGE_TOKEN_H

#include "base/span.h"

struct cursor {
    const char *p, *end;
};

static inline struct cursor cursor_of(struct span s)
{
    return s.n ? (struct cursor){s.p, s.p + s.n} : (struct cursor){"", ""};
}

static inline bool cursor_at(const struct cursor *c, char want)
{
    return c->p < c->end && *c->p == want;
}

static inline bool is_lwsp(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Skips blanks and comments; *comment (may be NULL) becomes the inside of the last comment, if
 * there was one. */
void token_skip_cfws(struct cursor *c, struct span *comment);
/*
 * A quoted string: its content without quotes and backslashes goes to dst, which has room for as
 * many bytes as the cursor has left. CR, LF and NUL are dropped. Returns the end of what was
 * written.
 */
char *token_quoted(struct cursor *c, char *dst);
/* As it stands, quotes included. */
struct span token_quoted_raw(struct cursor *c);
/* A comment's content without backslashes, under the same terms. */
char *token_comment_text(struct span comment, char *dst);

#endif
