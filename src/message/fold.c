#include "message/fold.h"
#include "base/utf8.h"
#include <unicode/uchar.h>

static uint32_t fold_code_point(uint32_t c)
{
    return (uint32_t)u_foldCase((UChar32)c, U_FOLD_CASE_DEFAULT);
}

static uint32_t upper_code_point(uint32_t c)
{
    return (uint32_t)u_toupper((UChar32)c);
}

/* ASCII runs go by themselves: almost all text is that */
static bool map_utf8(struct span s, char (*ascii)(char), uint32_t (*other)(uint32_t),
                     struct buf *out)
{
    while (s.n) {
        size_t run = 0;
        while (run < s.n && (unsigned char)s.p[run] < 128)
            run++;
        char *to = run ? buf_reserve(out, run) : NULL;
        if (run && !to)
            return false;
        for (size_t i = 0; i < run; i++)
            to[i] = ascii(s.p[i]);
        if (run)
            buf_commit(out, run);
        s = span_skip(s, run);
        uint32_t c;
        while (s.n && (unsigned char)*s.p >= 128 && utf8_next(&s, &c))
            utf8_put(out, other(c));
    }
    return !out->overflow;
}

static inline char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

bool fold_utf8(struct span utf8, struct buf *out)
{
    return map_utf8(utf8, lower, fold_code_point, out);
}

bool upper_utf8(struct span utf8, struct buf *out)
{
    return map_utf8(utf8, ascii_upper, upper_code_point, out);
}
