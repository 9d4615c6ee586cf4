#include "monitor/reply.h"

#include "base/base64.h"
#include "base/parse.h"

bool reply_code(struct span line, unsigned *ret_code, bool *ret_more)
{
    unsigned code;

    if (!parse_fixed_digits(&line, 3, &code) || code < 100 || code > 599)
        return false;
    *ret_more = line.n > 0 && line.p[0] == '-';
    if (line.n > 0 && line.p[0] != ' ' && line.p[0] != '-')
        return false;
    *ret_code = code;
    return true;
}

/* What 3yz and the two SASL codes of 3yz mean is the same in both protocols. */
static enum reply_kind by_code(unsigned code)
{
    return code / 100 == 3 ? REPLY_CONTINUE : code < 400 ? REPLY_OK : REPLY_NO;
}

static enum reply_kind imap_line(struct span line, const char *tag)
{
    struct span word;

    if (span_starts(line, SPAN("+")) && (line.n == 1 || line.p[1] == ' '))
        return REPLY_CONTINUE;
    if (!parse_word(&line, 200, &word))
        return REPLY_NONSENSE;
    if (!span_eq_cstr(word, tag))
        return span_eq(word, SPAN("*")) ? REPLY_PARTIAL : REPLY_NONSENSE;
    if (!parse_word(&line, 20, &word))
        return REPLY_NONSENSE;
    if (span_is(word, "OK") || span_is(word, "PREAUTH"))
        return REPLY_OK;
    return span_is(word, "NO") || span_is(word, "BAD") || span_is(word, "BYE") ? REPLY_NO
                                                                               : REPLY_NONSENSE;
}

enum reply_kind reply_line(enum conf_protocol p, struct span line, const char *tag,
                           unsigned *ret_code)
{
    unsigned code = 0;
    bool more = false;

    *ret_code = 0;
    switch (p) {
    case PROTOCOL_IMAP4:
        return imap_line(line, tag);
    case PROTOCOL_POP3:
        if (span_starts_nocase(line, SPAN("+OK")) && (line.n == 3 || line.p[3] == ' '))
            return REPLY_OK;
        if (span_starts_nocase(line, SPAN("-ERR")) && (line.n == 4 || line.p[4] == ' '))
            return REPLY_NO;
        return span_starts(line, SPAN("+")) && (line.n == 1 || line.p[1] == ' ') ? REPLY_CONTINUE
                                                                                 : REPLY_NONSENSE;
    default:
        if (!reply_code(line, &code, &more) || (more && p != PROTOCOL_SMTP))
            return REPLY_NONSENSE;
        *ret_code = code;
        return more ? REPLY_PARTIAL : by_code(code);
    }
}

struct span reply_text(enum conf_protocol p, struct span line)
{
    struct span word;

    if (p == PROTOCOL_SMTP || p == PROTOCOL_NNTP)
        return span_skip(line, 4);
    parse_word(&line, line.n, &word);
    if (p == PROTOCOL_IMAP4 && !span_eq(word, SPAN("+")))
        parse_word(&line, line.n, &word);
    parse_blanks(&line);
    return line;
}

static bool divides(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '[' || c == ']' || c == ',' || c == '(' ||
           c == ')' || c == '=' || c == '-';
}

/* '-' and '=' divide only where the word looked for has none. */
bool reply_has_word(struct span line, const char *word)
{
    struct span want = span_cstr(word);
    bool whole = span_has(want, '-') || span_has(want, '=') || span_has(want, '.');

    for (size_t i = 0; i < line.n;) {
        size_t end = i;
        while (end < line.n &&
               !(divides(line.p[end]) && !(whole && (line.p[end] == '-' || line.p[end] == '='))))
            end++;
        if (span_is(span_sub(line, i, end - i), word))
            return true;
        i = end + 1;
    }
    /* behind a code with a dash: "250-mail.example" */
    return whole && line.n > 4 && line.p[3] == '-' && ascii_is_digit(line.p[0]) &&
           reply_has_word(span_skip(line, 4), word);
}

bool reply_literal(struct span line, uint64_t max, uint64_t *ret_bytes)
{
    size_t at = span_rfind(line, '{');
    struct span rest;
    uint64_t n;

    if (at == SPAN_NONE)
        return false;
    rest = span_skip(line, at + 1);
    if (!parse_u64(&rest, UINT64_MAX, &n))
        return false;
    parse_char(&rest, '+');
    if (!parse_char(&rest, '}') || !parse_end(&rest) || n > max)
        return false;
    *ret_bytes = n;
    return true;
}

bool reply_block_line(struct span line, struct span *ret)
{
    if (span_eq(line, SPAN(".")))
        return false;
    *ret = line.n > 0 && line.p[0] == '.' ? span_skip(line, 1) : line;
    return true;
}

bool reply_http_status(struct span line, unsigned *ret_code)
{
    unsigned minor, code;

    if (!parse_lit(&line, "HTTP/1.") || !parse_fixed_digits(&line, 1, &minor) ||
        !parse_char(&line, ' ') || !parse_fixed_digits(&line, 3, &code) || code < 100)
        return false;
    if (line.n > 0 && line.p[0] != ' ')
        return false;
    *ret_code = code;
    return true;
}

bool reply_http_field(struct span line, const char *name, struct span *ret_value)
{
    if (!parse_lit_nocase(&line, name) || !parse_char(&line, ':'))
        return false;
    *ret_value = span_trim(line);
    return true;
}

bool reply_challenge(enum conf_protocol p, struct span line, struct buf *out)
{
    struct span text =
        p == PROTOCOL_SMTP || p == PROTOCOL_NNTP ? span_skip(line, 4) : span_skip(line, 2);

    /* RFC 4643 writes an empty challenge as "=" */
    if (span_eq(text, SPAN("=")))
        return true;
    return base64_decode(out, text);
}
