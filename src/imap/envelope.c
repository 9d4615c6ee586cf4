#include "imap/envelope.h"

#include "base/parse.h"
#include "message/header.h"
#include "message/thread.h"

enum { TEXT_MAX = 4096 };

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE */
static bool parse_quoted(struct span *c, struct buf *out)
{
    while (c->n && c->p[0] != '"') {
        if (c->p[0] == '\\' && c->n > 1)
            *c = span_skip(*c, 1);
        buf_putc(out, c->p[0]); /* what is past the limit is left out */
        *c = span_skip(*c, 1);
    }
    return parse_char(c, '"');
}

/* nstring = string / "NIL"; its text, or nothing, in `out` */
static bool parse_nstring(struct span *c, struct buf *out)
{
    uint32_t n;

    buf_clear(out);
    if (parse_char(c, '"'))
        return parse_quoted(c, out);
    if (!parse_char(c, '{'))
        return parse_lit(c, "NIL");
    if (!parse_u32(c, UINT32_MAX, &n) || !parse_lit(c, "}\r\n") || n > c->n)
        return false;
    buf_put_span(out, span_head(*c, n < TEXT_MAX ? n : TEXT_MAX));
    *c = span_skip(*c, n);
    return true;
}

/* address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")" */
static bool parse_address(struct span *c, struct buf *mailbox)
{
    struct buf other BUF_AUTO = BUF(TEXT_MAX);

    return parse_char(c, '(') && parse_nstring(c, &other) && parse_char(c, ' ') &&
           parse_nstring(c, &other) && parse_char(c, ' ') && parse_nstring(c, mailbox) &&
           parse_char(c, ' ') && parse_nstring(c, &other) && parse_char(c, ')');
}

/* "(" 1*address ")" / "NIL"; the mailbox of the first one in `out` */
static bool parse_addresses(struct span *c, struct buf *out)
{
    struct buf other BUF_AUTO = BUF(TEXT_MAX);

    buf_clear(out);
    if (!parse_char(c, '('))
        return parse_lit(c, "NIL");
    if (!parse_address(c, out))
        return false;
    while (c->n && c->p[0] == '(')
        if (!parse_address(c, &other))
            return false;
    return parse_char(c, ')');
}

static bool parse_field(struct span envelope, enum envelope_field f, struct buf *out)
{
    struct span c = envelope;

    if (!parse_char(&c, '('))
        return false;
    for (enum envelope_field i = ENVELOPE_DATE;; i++) {
        if (!(i <= ENVELOPE_SUBJECT ? parse_nstring(&c, out) : parse_addresses(&c, out)))
            return false;
        if (i == f)
            return true;
        if (!parse_char(&c, ' '))
            return false;
    }
}

void envelope_first_mailbox(struct span envelope, enum envelope_field f, struct buf *out)
{
    if (!parse_field(envelope, f, out))
        buf_clear(out);
    for (size_t i = 0; i < out->n; i++)
        out->p[i] = ascii_upper(out->p[i]);
}

/* Is there more in what was stripped off than blanks and "[list]"? */
static bool says_reply(struct span before, struct span after)
{
    while (before.n) {
        size_t end;
        if (before.p[0] == ' ' || before.p[0] == '\t') {
            before = span_skip(before, 1);
        } else if (before.p[0] == '[' && !span_starts_nocase(before, SPAN("[fwd:")) &&
                   (end = span_find(before, ']')) != SPAN_NONE) {
            before = span_skip(before, end + 1);
        } else {
            return true;
        }
    }
    return span_has(after, '(');
}

bool envelope_is_reply(struct span envelope)
{
    struct buf raw BUF_AUTO = BUF(TEXT_MAX), text BUF_AUTO = BUF(4 * TEXT_MAX);
    struct span all, rest;

    if (!parse_field(envelope, ENVELOPE_SUBJECT, &raw) || raw.n == 0)
        return false;
    header_decode(buf_span(&raw), &text);
    all = buf_span(&text);
    rest = thread_strip_subject(all);
    if (!rest.p)
        return false;
    size_t before = (size_t)(rest.p - all.p);
    return says_reply(span_head(all, before), span_skip(all, before + rest.n));
}
