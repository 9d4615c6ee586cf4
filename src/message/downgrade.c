#include "message/downgrade.h"

#include "base/base64.h"
#include "message/header.h"
#include "message/mime.h"
#include "message/summary.h"
#include "message/transfer.h"

#include <errno.h>
#include <string.h>

enum { QP_LINE = 76, BASE64_LINE_BYTES = 57 };

struct work {
    struct span raw;
    struct mime mime;
    struct buf *out;
};

bool downgrade_is_8bit(struct span s)
{
    uint64_t all = 0, word;
    size_t i = 0;

    for (; i + sizeof(word) <= s.n; i += sizeof(word)) {
        memcpy(&word, s.p + i, sizeof(word));
        all |= word;
    }
    for (; i < s.n; i++)
        all |= (unsigned char)s.p[i];
    return all & UINT64_C(0x8080808080808080);
}

static struct span range(const struct work *w, uint32_t from, uint32_t to)
{
    return (struct span){w->raw.p + from, to - from};
}

/* ---- bodies ------------------------------------------------------------------------------ */

static bool qp_is_plain(unsigned char b)
{
    return (b >= 32 && b < 127 && b != '=') || b == '\t';
}

/* Bytes of the line end that s starts with: CR LF, or LF alone, which becomes one. */
static size_t line_end(struct span s)
{
    return span_starts(s, SPAN("\r\n")) ? 2 : s.n > 0 && s.p[0] == '\n' ? 1 : 0;
}

static void put_qp(struct span s, struct buf *out)
{
    size_t column = 0;

    while (s.n > 0) {
        size_t end = line_end(s);
        unsigned char b = (unsigned char)s.p[0];
        if (end > 0) {
            buf_put_cstr(out, "\r\n");
            s = span_skip(s, end);
            column = 0;
            continue;
        }
        s = span_skip(s, 1);
        /* a blank at the end of a line would not live, "From " at its start would be quoted and a
         * lone dot could be taken for the end */
        bool plain = qp_is_plain(b) &&
                     !((b == ' ' || b == '\t') && (s.n == 0 || line_end(s) > 0)) &&
                     !(column == 0 && (b == 'F' || b == '.'));
        if (column + (plain ? 1 : 3) > QP_LINE - 1) {
            buf_put_cstr(out, "=\r\n");
            column = 0;
            plain = plain && b != 'F' && b != '.';
        }
        if (plain)
            buf_putc(out, (char)b);
        else
            buf_printf(out, "=%02X", b);
        column += plain ? 1 : 3;
    }
}

static void put_base64(struct span s, struct buf *out)
{
    while (s.n > 0) {
        size_t n = s.n < BASE64_LINE_BYTES ? s.n : BASE64_LINE_BYTES;
        base64_encode(out, span_head(s, n));
        s = span_skip(s, n);
        if (s.n > 0)
            buf_put_cstr(out, "\r\n");
    }
}

/* Text stays readable unless most of it is not ASCII. */
static bool wants_base64(struct span s)
{
    size_t special = 0;

    for (size_t i = 0; i < s.n; i++)
        special += !qp_is_plain((unsigned char)s.p[i]) && s.p[i] != '\n' && s.p[i] != '\r';
    return special > s.n / 6;
}

/* Outside all parts: read by nobody who knows MIME. */
static void put_ascii(struct span s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++)
        buf_putc(out, (unsigned char)s.p[i] > 127 ? '?' : s.p[i]);
}

/* ---- headers ----------------------------------------------------------------------------- */

/* Bytes of the empty line that a header block ends with, 0 if it has none. */
static size_t empty_line(struct span block)
{
    size_t end = block.n >= 2 && block.p[block.n - 2] == '\r' ? 2 : 1;

    if (block.n < end || block.p[block.n - 1] != '\n')
        return 0;
    return block.n == end || block.p[block.n - end - 1] == '\n' ? end : 0;
}

/* The header of a part with another Content-Transfer-Encoding; lines that are no field stay. */
static void put_header(struct work *w, const struct mime_node *n, const char *encoding)
{
    struct span block = range(w, n->header_at, n->header_end), rest;
    struct header_field f;
    bool has_version = false;

    block.n -= empty_line(block);
    rest = block;
    while (header_next(&rest, &f)) {
        has_version = has_version || span_is(f.name, "MIME-Version");
        if (!span_is(f.name, "Content-Transfer-Encoding"))
            continue;
        buf_put_span(w->out, span_head(block, (size_t)(f.whole.p - block.p)));
        block = span_skip(block, (size_t)(f.whole.p - block.p) + f.whole.n);
    }
    buf_put_span(w->out, block);
    if (block.n > 0 && block.p[block.n - 1] != '\n')
        buf_put_cstr(w->out, "\r\n");
    if (n->is_message && !has_version)
        buf_put_cstr(w->out, "MIME-Version: 1.0\r\n");
    if (n->kind == MIME_LEAF && mime_content(n, FIELD_CONTENT_TYPE).p == NULL)
        buf_put_cstr(w->out, "Content-Type: text/plain; charset=unknown-8bit\r\n");
    buf_printf(w->out, "Content-Transfer-Encoding: %s\r\n\r\n", encoding);
}

/* ---- parts ------------------------------------------------------------------------------- */

static void put_leaf(struct work *w, const struct mime_node *n)
{
    struct span body = range(w, n->body_at, n->body_end);
    bool base64 = wants_base64(body);

    put_header(w, n, base64 ? "base64" : "quoted-printable");
    if (base64)
        put_base64(body, w->out);
    else
        put_qp(body, w->out);
}

/* Depth is limited by mime.h. */
static void put_node(struct work *w, uint32_t index)
{
    const struct mime_node *n = &w->mime.nodes[index];
    struct span body = range(w, n->body_at, n->body_end);
    uint32_t at = n->body_at;

    if (!downgrade_is_8bit(body)) {
        buf_put_span(w->out, range(w, n->header_at, n->body_end));
        return;
    }
    if (n->kind == MIME_LEAF && transfer_kind(mime_encoding(n)) == TRANSFER_IDENTITY) {
        put_leaf(w, n);
        return;
    }
    if (n->kind == MIME_LEAF) { /* 8-bit bytes in what says it is encoded mean nothing */
        buf_put_span(w->out, range(w, n->header_at, n->header_end));
        put_ascii(body, w->out);
        return;
    }
    put_header(w, n, "7bit");
    for (uint32_t c = n->first_child; c != 0; c = w->mime.nodes[c].next) {
        put_ascii(range(w, at, w->mime.nodes[c].header_at), w->out);
        put_node(w, c);
        at = w->mime.nodes[c].body_end;
    }
    put_ascii(range(w, at, n->body_end), w->out);
}

int downgrade(struct span raw, struct buf *out)
{
    struct work w = {.raw = raw, .out = out};
    int r = 0;

    mime_parse(raw, &message_limits_default, &w.mime);
    if (w.mime.truncated)
        r = -E2BIG;
    else
        put_node(&w, 0);
    mime_done(&w.mime);
    return r == 0 && out->overflow ? -ENOBUFS : r;
}

bool downgrade_headers_8bit(struct span raw)
{
    struct work w = {.raw = raw};
    bool found;

    mime_parse(raw, &message_limits_default, &w.mime);
    found = w.mime.truncated;
    for (uint32_t i = 0; i < w.mime.count && !found; i++)
        found = downgrade_is_8bit(range(&w, w.mime.nodes[i].header_at, w.mime.nodes[i].header_end));
    mime_done(&w.mime);
    return found;
}
