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

struct span needle_folded(const struct needle *n)
{
    return span_of(n->folded, n->n);
}

static bool is_in(struct span hay, const struct needle *n)
{
    return n->n == 0 || (hay.n >= n->n && memmem(hay.p, hay.n, n->folded, n->n));
}

/* A field's body in UTF-8, folded in both senses, after `prefix`. */
static struct span field_fold(struct span prefix, struct span value, struct buf *text,
                              struct buf *folded)
{
    buf_clear(text);
    buf_clear(folded);
    /* a charset may make up to three bytes of one; RFC 2047 always makes it less */
    text->max = prefix.n + 3 * value.n + 16;
    folded->max = 3 * text->max;
    buf_put_span(text, prefix);
    header_decode(value, text);
    fold_utf8(buf_span(text), folded);
    return buf_span(folded);
}

bool search_header(struct span block, const char *name, const struct needle *n)
{
    struct buf text BUF_AUTO = BUF(0), folded BUF_AUTO = BUF(0);
    struct header_field f;
    while (header_next(&block, &f))
        if (span_is(f.name, name) &&
            (n->n == 0 || is_in(field_fold(SPAN_EMPTY, f.value, &text, &folded), n)))
            return true;
    return false;
}

/* "name: value" of the next field, folded. */
struct fields {
    struct span block;
    struct buf prefix, text, folded;
};

static bool fields_next(struct fields *f, struct span *ret_name, struct span *ret_folded)
{
    struct header_field h;

    if (!header_next(&f->block, &h))
        return false;
    buf_clear(&f->prefix);
    buf_put_span(&f->prefix, h.name);
    buf_put_cstr(&f->prefix, ": ");
    *ret_name = h.name;
    *ret_folded = field_fold(buf_span(&f->prefix), h.value, &f->text, &f->folded);
    return true;
}

static struct fields fields_begin(struct span block)
{
    return (struct fields){block, BUF(block.n + 2), BUF(0), BUF(0)};
}

static void fields_done(struct fields *f)
{
    buf_done(&f->prefix);
    buf_done(&f->text);
    buf_done(&f->folded);
}

bool search_header_any(struct span block, const struct needle *n)
{
    struct fields f = fields_begin(block);
    struct span name, folded;
    bool found = false;

    while (!found && fields_next(&f, &name, &folded))
        found = is_in(folded, n);
    fields_done(&f);
    return found;
}

void search_header_each(struct span block, search_piece_fn fn, void *arg)
{
    struct fields f = fields_begin(block);
    struct span name, folded;

    while (fields_next(&f, &name, &folded))
        fn(arg, name, true, folded);
    fields_done(&f);
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

static void each_text(struct span body, const struct part_range *part, search_piece_fn fn,
                      void *arg)
{
    struct text_source *t = text_open(body, part->encoding, part->charset);
    struct buf folded BUF_AUTO = BUF(1024 * 1024);
    struct span piece;

    for (bool first = true; text_next(t, &piece); first = false) {
        buf_clear(&folded);
        fold_utf8(piece, &folded);
        fn(arg, SPAN_EMPTY, first, buf_span(&folded));
    }
    text_close(t);
}

void search_body_each(struct span raw, const struct summary *s, search_piece_fn fn, void *arg)
{
    struct part_range part;

    for (uint32_t i = 0; i < s->part_count; i++) {
        if (!summary_part_at(s, i, &part))
            continue;
        search_header_each(span_sub(raw, part.inner_header_at, part.inner_header_bytes), fn, arg);
        if (is_text(&part))
            each_text(span_sub(raw, part.body_at, part.body_bytes), &part, fn, arg);
    }
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
