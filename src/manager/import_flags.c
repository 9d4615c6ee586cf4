/* import_flags.c: keywords and line ends as the store has them. */
#include "manager/import.h"

#include <string.h>

bool import_keyword_valid(struct span s)
{
    if (s.n == 0 || s.n > STORE_KEYWORD_BYTES_MAX)
        return false;
    for (size_t k = 0; k < s.n; k++)
        if (s.p[k] <= ' ' || s.p[k] > '~' || strchr("(){%*\"\\]", s.p[k]) != NULL)
            return false;
    return true;
}

void import_flags_keyword(struct import_flags *f, struct span name)
{
    for (size_t k = 0; k < f->keyword_count; k++)
        if (span_eq_nocase(f->keywords[k], name))
            return;
    if (name.n > 0 && f->keyword_count < IMPORT_KEYWORDS_MAX)
        f->keywords[f->keyword_count++] = name;
}

void import_crlf(struct span s, struct buf *out)
{
    while (s.n > 0) {
        size_t at = span_find(s, '\n');
        if (at == SPAN_NONE) {
            buf_put_span(out, s);
            return;
        }
        buf_put_span(out, span_head(s, at));
        buf_put_cstr(out, at > 0 && s.p[at - 1] == '\r' ? "\n" : "\r\n");
        s = span_skip(s, at + 1);
    }
}
