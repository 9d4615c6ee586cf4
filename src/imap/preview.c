#include "imap/preview.h"

#include "base/check.h"
#include "message/charset.h"
#include "message/transfer.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { TEXT_MAX = 64 << 10 };

/* ------------------------------------------------------------------ one line of text */
struct line {
    struct buf *out;
    size_t chars;
    bool gap; /* blanks stand before the next character */
};

/* One character, its bytes whole; what cannot be seen is a blank. */
static void put_char(struct line *l, const char *p, size_t n)
{
    unsigned char c = (unsigned char)p[0];

    if (c <= ' ' || c == 0x7f) {
        l->gap = l->chars > 0;
        return;
    }
    if (l->gap && l->chars < PREVIEW_CHARS) {
        buf_putc(l->out, ' ');
        l->chars++;
    }
    l->gap = false;
    if (l->chars < PREVIEW_CHARS) {
        buf_put(l->out, p, n);
        l->chars++;
    }
}

static size_t char_bytes(const char *p, size_t left)
{
    unsigned char c = (unsigned char)p[0];
    size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    return n <= left ? n : 0;
}

/* Past a tag, a comment, or an element whose text nobody sees. */
static size_t skip_tag(struct span text, size_t at)
{
    static const char *const hidden[] = {"style", "script", "head", "title"};
    struct span rest = span_skip(text, at);

    if (span_starts(rest, SPAN("<!--"))) {
        for (size_t i = at + 4; i + 2 < text.n; i++)
            if (memcmp(text.p + i, "-->", 3) == 0)
                return i + 3;
        return text.n;
    }
    for (size_t h = 0; h < ARRAY_LEN(hidden); h++) {
        struct span name = span_cstr(hidden[h]), tag = span_skip(rest, 1);
        bool whole = span_starts_nocase(tag, name) && tag.n > name.n &&
                     (tag.p[name.n] == '>' || tag.p[name.n] <= ' ');
        if (!whole)
            continue;
        for (size_t i = at + name.n; i + name.n + 2 < text.n; i++)
            if (text.p[i] == '<' && text.p[i + 1] == '/' &&
                span_starts_nocase(span_skip(text, i + 2), name))
                return skip_tag(text, i);
        return text.n;
    }
    size_t end = span_find(rest, '>');
    return end == SPAN_NONE ? text.n : at + end + 1;
}

/* The few entities that mail is full of; others stay as they are. */
static size_t put_entity(struct line *l, struct span rest)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"&nbsp;", " " },
        {"&amp;",  "&" },
        {"&lt;",   "<" },
        {"&gt;",   ">" },
        {"&quot;", "\""},
        {"&#39;",  "'" },
        {"&zwnj;", " " },
        {"&shy;",  " " },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (span_starts_nocase(rest, span_cstr(rows[i].name))) {
            put_char(l, rows[i].text, 1);
            return strlen(rows[i].name);
        }
    put_char(l, "&", 1);
    return 1;
}

void preview_text(struct span text, bool html, struct buf *out)
{
    struct line l = {.out = out};

    for (size_t at = 0; at < text.n && l.chars < PREVIEW_CHARS;) {
        if (html && text.p[at] == '<') {
            at = skip_tag(text, at);
            put_char(&l, " ", 1);
        } else if (html && text.p[at] == '&') {
            at += put_entity(&l, span_skip(text, at));
        } else {
            size_t n = char_bytes(text.p + at, text.n - at);
            if (n == 0)
                break;
            put_char(&l, text.p + at, n);
            at += n;
        }
    }
}

/* ------------------------------------------------------------------ of a message */
static bool first_text(const struct summary *s, struct part_range *ret, bool *ret_html)
{
    struct part_range p;
    bool found = false;

    for (uint32_t i = 0; i < s->part_count && i < 100 && summary_part_at(s, i, &p); i++) {
        if (span_eq(p.type, SPAN("text/plain")) && p.body_bytes) {
            *ret = p;
            *ret_html = false;
            return true;
        }
        if (!found && span_eq(p.type, SPAN("text/html")) && p.body_bytes) {
            *ret = p;
            *ret_html = found = true;
        }
    }
    return found;
}

static void put_quoted(struct span text, struct buf *out)
{
    /* no line end and no NUL is in it; bytes over 127 may stand in a quoted string only where the
     * client has asked for UTF-8: a literal always can */
    buf_printf(out, "{%zu}\r\n", text.n);
    buf_put_span(out, text);
}

bool preview_put(struct store *s, const struct message_info *m, const struct summary *summary,
                 struct buf *out)
{
    struct buf raw BUF_AUTO = BUF(PREVIEW_READ), plain BUF_AUTO = BUF(PREVIEW_READ),
                   text BUF_AUTO = BUF(TEXT_MAX), line BUF_AUTO = BUF(8 * PREVIEW_CHARS);
    struct part_range part;
    bool html;

    if (!first_text(summary, &part, &html)) {
        buf_put_cstr(out, "NIL");
        return true;
    }
    size_t n = part.body_bytes < PREVIEW_READ ? part.body_bytes : PREVIEW_READ;
    if (store_message_read(s, m, (uint64_t)m->prefix_bytes + part.body_at, n, &raw) < 0) {
        buf_put_cstr(out, "NIL");
        return false;
    }
    struct transfer t = {.kind = transfer_kind(part.encoding)};
    struct span in = buf_span(&raw);
    char *room = buf_reserve(&plain, PREVIEW_READ);
    if (t.kind == TRANSFER_UNKNOWN || !room) {
        buf_put_cstr(out, "NIL");
        return true;
    }
    buf_commit(&plain, transfer_decode(&t, &in, room, PREVIEW_READ));
    if (!charset_to_utf8(part.charset, buf_span(&plain), &text) && text.n == 0) {
        buf_put_cstr(out, "NIL");
        return true;
    }
    preview_text(buf_span(&text), html, &line);
    if (line.n)
        put_quoted(buf_span(&line), out);
    else
        buf_put_cstr(out, "\"\"");
    return true;
}

/* ------------------------------------------------------------------ names that stay */
bool objectid_email(struct store *s, const struct message_info *m, struct buf *out)
{
    struct buf prefix BUF_AUTO = BUF(2 * STORE_PREFIX_MAX);

    buf_printf(out, "M%016llx", (unsigned long long)m->body);
    if (m->prefix_bytes == 0)
        return true;
    if (store_message_read(s, m, 0, m->prefix_bytes, &prefix) < 0 || prefix.n != m->prefix_bytes)
        return false;
    buf_printf(out, "-%016llx", (unsigned long long)XXH3_64bits(prefix.p, prefix.n));
    return true;
}

void objectid_thread(const struct message_info *m, struct buf *out)
{
    if (m->thread)
        buf_printf(out, "T%016llx", (unsigned long long)m->thread);
}

void objectid_mailbox(uint64_t id, struct buf *out)
{
    buf_printf(out, "F%llx", (unsigned long long)id);
}
