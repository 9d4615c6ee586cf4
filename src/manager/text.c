#include "manager/text.h"

#include "base/utf8.h"

#include <wchar.h>

#define ELLIPSIS "\xe2\x80\xa6"

/* What changes what a terminal shows without being seen: controls (C0, C1), direction marks, line
 * separators, byte order mark. */
static bool is_hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff0 && c <= 0xfffb) ||
           (c >= 0xe0000 && c <= 0xe0fff);
}

void text_put_safe(struct buf *b, struct span s, bool lines)
{
    uint32_t c;

    while (utf8_next(&s, &c)) {
        if (c == '\n' && lines)
            buf_putc(b, '\n');
        else if (c == '\n')
            buf_put_cstr(b, "\\n");
        else if (c == '\t')
            buf_putc(b, ' ');
        else if (is_hidden(c))
            buf_printf(b, c < 0x100 ? "\\x%02x" : "\\u{%x}", c);
        else
            utf8_put(b, c);
    }
}

static unsigned cells_of(uint32_t c)
{
    int w = wcwidth((wchar_t)c);

    return w < 0 ? 1 : (unsigned)w;
}

unsigned text_width(struct span safe)
{
    unsigned n = 0;
    uint32_t c;

    while (utf8_next(&safe, &c))
        n += cells_of(c);
    return n;
}

/* The longest head of at most that many cells. */
static size_t head_of(struct span safe, unsigned cells, unsigned *ret_cells)
{
    struct span rest = safe;
    unsigned n = 0;
    size_t at = 0;
    uint32_t c;

    while (utf8_next(&rest, &c) && n + cells_of(c) <= cells) {
        n += cells_of(c);
        at = safe.n - rest.n;
    }
    *ret_cells = n;
    return at;
}

unsigned text_put_cut(struct buf *b, struct span safe, unsigned cells)
{
    unsigned used;
    size_t n = head_of(safe, cells, &used);

    if (n == safe.n || cells == 0) {
        buf_put(b, safe.p, n);
        return used;
    }
    n = head_of(safe, cells - 1, &used);
    buf_put(b, safe.p, n);
    buf_put_cstr(b, ELLIPSIS);
    return used + 1;
}

size_t text_wrap(struct span safe, unsigned cells, size_t *ret_skip)
{
    unsigned used;
    size_t n = head_of(safe, cells, &used), at;

    *ret_skip = 0;
    if (n == safe.n)
        return n;
    /* at a blank; a word that is longer than the line is broken anywhere */
    at = safe.p[n] == ' ' ? n : span_rfind(span_head(safe, n), ' ');
    if (at == SPAN_NONE || at == 0) {
        /* nothing fits (a wide character in a narrow column): at least one goes out */
        struct span rest = safe;
        uint32_t c;
        if (n == 0 && utf8_next(&rest, &c))
            n = safe.n - rest.n;
        return n;
    }
    while (at > 1 && safe.p[at - 1] == ' ')
        at--;
    while (at + *ret_skip < safe.n && safe.p[at + *ret_skip] == ' ')
        ++*ret_skip;
    return at;
}

const char *text_quote(struct span s)
{
    enum { BUFFERS = 4, BYTES = 200 };
    static char ring[BUFFERS][BYTES * 8 + 8];
    static unsigned next;
    char *dst = ring[next++ % BUFFERS];
    struct buf b BUF_AUTO = BUF(BYTES * 8);

    text_put_safe(&b, span_head(s, BYTES), false);
    if (s.n > BYTES)
        buf_put_cstr(&b, ELLIPSIS);
    memcpy(dst, b.p ? b.p : "", b.n);
    dst[b.n] = '\0';
    return dst;
}
