#include "message/imap_text.h"

enum { QUOTED_MAX = 1000 };

/* Bytes of the span that need a backslash, or -1 if it must be a literal. */
static int quote_cost(struct span s)
{
    int escapes = 0;
    if (s.n > QUOTED_MAX)
        return -1;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c > 127 || c == 0 || c == '\r' || c == '\n')
            return -1;
        escapes += c == '"' || c == '\\';
    }
    return escapes;
}

/* A literal of the bytes that may be in one; what is left out was damage. */
static void put_literal(struct buf *out, struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] != 0;
    buf_printf(out, "{%zu}\r\n", n);
    if (n == s.n) {
        buf_put_span(out, s);
        return;
    }
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != 0)
            buf_putc(out, s.p[i]);
}

void imap_string(struct buf *out, struct span s)
{
    int escapes = quote_cost(s);
    if (escapes < 0) {
        put_literal(out, s);
        return;
    }
    char *to = buf_reserve(out, s.n + (size_t)escapes + 2);
    if (!to)
        return;
    char *start = to;
    *to++ = '"';
    if (escapes == 0 && s.n) {
        memcpy(to, s.p, s.n);
        to += s.n;
    } else {
        for (size_t i = 0; i < s.n; i++) {
            if (s.p[i] == '"' || s.p[i] == '\\')
                *to++ = '\\';
            *to++ = s.p[i];
        }
    }
    *to++ = '"';
    buf_commit(out, (size_t)(to - start));
}

void imap_field(struct buf *out, struct span value, struct buf *scratch)
{
    if (!value.p) {
        buf_put(out, "NIL", 3);
        return;
    }
    value = span_trim(value);
    if (quote_cost(value) >= 0) { /* nothing to unfold */
        imap_string(out, value);
        return;
    }
    buf_clear(scratch);
    scratch->max = value.n + 1;
    header_unfold(value, scratch);
    imap_string(out, buf_span(scratch));
    buf_clear(scratch);
}
