#include "message/token.h"

/* comment = "(" *(text / quoted-pair / comment) ")"; nesting is counted, not recursed into */
static struct span skip_comment(struct cursor *c)
{
    const char *start = ++c->p;
    size_t depth = 1;
    for (; c->p < c->end; c->p++) {
        if (*c->p == '\\' && c->end - c->p > 1)
            c->p++;
        else if (*c->p == '(')
            depth++;
        else if (*c->p == ')' && --depth == 0)
            return span_between(start, c->p++);
    }
    return span_between(start, c->p);
}

void token_skip_cfws(struct cursor *c, struct span *comment)
{
    while (c->p < c->end) {
        if (is_lwsp(*c->p) || *c->p == 0) {
            c->p++;
        } else if (*c->p == '(') {
            struct span inside = skip_comment(c);
            if (comment)
                *comment = inside;
        } else {
            return;
        }
    }
}

static char *put_visible(char *dst, char c)
{
    if (c != '\r' && c != '\n' && c != 0)
        *dst++ = c;
    return dst;
}

char *token_quoted(struct cursor *c, char *dst)
{
    for (c->p++; c->p < c->end && *c->p != '"'; c->p++) {
        if (*c->p == '\\' && c->end - c->p > 1)
            c->p++;
        dst = put_visible(dst, *c->p);
    }
    c->p += c->p < c->end;
    return dst;
}

struct span token_quoted_raw(struct cursor *c)
{
    const char *start = c->p;
    for (c->p++; c->p < c->end && *c->p != '"'; c->p++)
        if (*c->p == '\\' && c->end - c->p > 1)
            c->p++;
    c->p += c->p < c->end;
    return span_between(start, c->p);
}

char *token_comment_text(struct span comment, char *dst)
{
    comment = span_trim(comment);
    for (size_t i = 0; i < comment.n; i++) {
        if (comment.p[i] == '\\' && i + 1 < comment.n)
            i++;
        dst = put_visible(dst, comment.p[i]);
    }
    return dst;
}
