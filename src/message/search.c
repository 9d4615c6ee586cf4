#include "message/search.h"
#include "base/check.h"
#include "base/utf8.h"
#include "message/fold.h"
#include "message/header.h"
#include "message/text.h"
#include <stdlib.h>

enum { NEEDLE_MAX = 1024, FOLDED_MAX = 3 * NEEDLE_MAX };

struct needle {
    size_t n;
    char folded[FOLDED_MAX];
};

struct needle *needle_new(struct span utf8)
{
    if (utf8.n > NEEDLE_MAX || !utf8_valid(utf8))
        return NULL;
    struct buf b BUF_AUTO = BUF(FOLDED_MAX);
    if (!fold_utf8(utf8, &b))
        return NULL;
    struct needle *needle = malloc(sizeof(*needle));
    CHECK(needle);
    needle->n = b.n;
    if (b.n)
        memcpy(needle->folded, b.p, b.n);
    return needle;
}

void needle_free(struct needle *n)
{
    free(n);
}

static bool is_in(struct span hay, const struct needle *n)
{
    return n->n == 0 || (hay.n >= n->n && memmem(hay.p, hay.n, n->folded, n->n));
}

/* A field's body in UTF-8, folded in both senses, after `prefix`. */
static bool field_matches(struct span prefix, struct span value, const struct needle *n,
                          struct buf *text, struct buf *folded)
{
    buf_clear(text);
    buf_clear(folded);
    /* a charset may make up to three bytes of one; RFC 2047 always makes it less */
    text->max = prefix.n + 3 * value.n + 16;
    folded->max = 3 * text->max;
    buf_put_span(text, prefix);
    header_decode(value, text);
    fold_utf8(buf_span(text), folded);
    return is_in(buf_span(folded), n);
}

bool search_header(struct span block, const char *name, const struct needle *n)
{
    struct buf text BUF_AUTO = BUF(0), folded BUF_AUTO = BUF(0);
    struct header_field f;
    while (header_next(&block, &f))
        if (span_is(f.name, name) &&
            (n->n == 0 || field_matches(SPAN_EMPTY, f.value, n, &text, &folded)))
            return true;
    return false;
}

bool search_header_any(struct span block, const struct needle *n)
{
    struct buf text BUF_AUTO = BUF(0), folded BUF_AUTO = BUF(0), prefix BUF_AUTO = BUF(block.n + 2);
    struct header_field f;
    while (header_next(&block, &f)) {
        buf_clear(&prefix);
        buf_put_span(&prefix, f.name);
        buf_put_cstr(&prefix, ": ");
        if (field_matches(buf_span(&prefix), f.value, n, &text, &folded))
            return true;
    }
    return false;
}

/* Pieces overlap by the needle's length less one, so that a match over their border is seen. */
static bool search_text(struct span body, const struct part_range *part, const struct needle *n)
{
    struct text_source *t = text_open(body, part->encoding, part->charset);
    struct buf window BUF_AUTO = BUF(1024 * 1024);
    struct span piece;
    bool found = false;
    while (!found && text_next(t, &piece)) {
        fold_utf8(piece, &window);
        found = is_in(buf_span(&window), n);
        if (window.n >= n->n)
            buf_consume(&window, window.n - n->n + 1);
    }
    text_close(t);
    return found;
}

static bool is_text(const struct part_range *part)
{
    return span_starts(part->type, SPAN("text/"));
}

bool search_body(struct span raw, const struct summary *s, const struct needle *n)
{
    struct part_range part;
    if (n->n == 0)
        return true;
    for (uint32_t i = 0; i < s->part_count; i++) {
        if (!summary_part_at(s, i, &part))
            continue;
        struct span inner = span_sub(raw, part.inner_header_at, part.inner_header_bytes);
        if (inner.n && search_header_any(inner, n))
            return true;
        if (is_text(&part) && search_text(span_sub(raw, part.body_at, part.body_bytes), &part, n))
            return true;
    }
    return false;
}

bool part_text(struct span raw, const struct part_range *part, struct buf *out)
{
    if (!is_text(part))
        return false;
    struct text_source *t =
        text_open(span_sub(raw, part->body_at, part->body_bytes), part->encoding, part->charset);
    struct span piece;
    bool room = true;
    while (room && text_next(t, &piece)) {
        size_t n = piece.n, max = out->max - out->n;
        if (n > max) /* whole characters only */
            for (n = max; n > 0 && ((unsigned char)piece.p[n] & 0xc0) == 0x80; n--)
                ;
        room = n == piece.n;
        buf_put(out, piece.p, n);
    }
    text_close(t);
    return true;
}
