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

static inline char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static inline char upper(char c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
}

static size_t ascii_run(struct span s)
{
    size_t n = 0;
    for (uint64_t word; n + 8 <= s.n; n += 8) {
        memcpy(&word, s.p + n, 8);
        if (word & 0x8080808080808080u)
            break;
    }
    while (n < s.n && (unsigned char)s.p[n] < 128)
        n++;
    return n;
}

/* ASCII runs go by themselves: almost all text is that. Inlined, so that their loop becomes a few
 * wide instructions. */
static inline __attribute__((always_inline)) bool
map_utf8(struct span s, char (*ascii)(char), uint32_t (*other)(uint32_t), struct buf *out)
{
    while (s.n) {
        size_t run = ascii_run(s);
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

bool fold_utf8(struct span utf8, struct buf *out)
{
    return map_utf8(utf8, lower, fold_code_point, out);
}

bool upper_utf8(struct span utf8, struct buf *out)
{
    return map_utf8(utf8, upper, upper_code_point, out);
}
