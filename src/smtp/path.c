#include "smtp/path.h"

#include "base/parse.h"
#include "base/utf8.h"
#include "message/header.h"

/* The path between < and >; quotes may hold a '>'. */
static bool bracketed(struct span *c, struct span *ret)
{
    bool quoted = false;
    struct span from = *c;

    for (size_t i = 0; i < from.n; i++) {
        char ch = from.p[i];
        if (quoted && ch == '\\')
            i++;
        else if (ch == '"')
            quoted = !quoted;
        else if (ch == '>' && !quoted) {
            *ret = span_head(from, i);
            *c = span_skip(from, i + 1);
            return true;
        }
    }
    return false;
}

/* "@a,@b:" in front of an address: to be accepted and ignored (RFC 5321 appendix C). */
static bool skip_route(struct span *path)
{
    if (!path->n || path->p[0] != '@')
        return true;
    size_t colon = span_find(*path, ':');
    if (colon == SPAN_NONE)
        return false;
    *path = span_skip(*path, colon + 1);
    return true;
}

static bool is_keyword(unsigned char c)
{
    return ascii_is_alpha((char)c) || ascii_is_digit((char)c) || c == '-';
}

static bool is_value(unsigned char c)
{
    return c > 32 && c != '=' && c != 127;
}

static bool has_parameter(const struct smtp_path *p, struct span keyword)
{
    for (size_t i = 0; i < p->parameter_count; i++)
        if (span_eq_nocase(p->parameters[i].keyword, keyword))
            return true;
    return false;
}

static bool parse_parameters(struct span c, struct smtp_path *p)
{
    while (c.n) {
        if (!parse_blanks(&c))
            return false;
        if (!c.n)
            break;
        struct smtp_parameter *one = &p->parameters[p->parameter_count];
        if (p->parameter_count == SMTP_PARAMETERS_MAX ||
            !parse_while(&c, is_keyword, 1, 64, &one->keyword))
            return false;
        one->value = SPAN_EMPTY;
        if (parse_char(&c, '=') && !parse_while(&c, is_value, 1, 1000, &one->value))
            return false;
        if (has_parameter(p, one->keyword)) /* RFC 5321 4.1.1.11: each once */
            return false;
        p->parameter_count++;
    }
    return true;
}

enum smtp_path_error smtp_path_parse(struct span args, const char *prefix, bool postmaster,
                                     bool utf8, struct smtp_path *ret)
{
    struct smtp_path p = {0};
    struct span c = args, path;

    if (!parse_lit_nocase(&c, prefix))
        return PATH_SYNTAX;
    parse_blanks(&c); /* not in the grammar, common in the field */
    if (!parse_char(&c, '<') || !bracketed(&c, &path) || !skip_route(&path))
        return PATH_SYNTAX;
    if (!parse_parameters(c, &p))
        return PATH_PARAMETERS;
    if (path.n > SMTP_ADDRESS_MAX)
        return PATH_ADDRESS;
    if (!utf8_is_ascii(path)) {
        if (!utf8 && !has_parameter(&p, SPAN("SMTPUTF8")))
            return PATH_NOT_ASCII;
        utf8 = true;
    }
    p.address = path;
    if (path.n == 0) {
        if (span_is(span_cstr(prefix), "TO:"))
            return PATH_ADDRESS;
    } else if (postmaster && span_is(path, "postmaster")) {
        p.local = path;
    } else if (!address_parse_mailbox(path, utf8, &p.local, &p.domain)) {
        return PATH_ADDRESS;
    }
    *ret = p;
    return PATH_OK;
}

static int hex_upper(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool xtext_decode(struct span s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c < 33 || c > 126 || c == '=')
            return false;
        if (c != '+') {
            buf_putc(out, c);
            continue;
        }
        if (i + 2 >= s.n || hex_upper(s.p[i + 1]) < 0 || hex_upper(s.p[i + 2]) < 0)
            return false;
        c = (char)(hex_upper(s.p[i + 1]) << 4 | hex_upper(s.p[i + 2]));
        if ((unsigned char)c < 32 || c == 127)
            return false;
        buf_putc(out, c);
        i += 2;
    }
    return !out->overflow;
}

bool xtext_decode_utf8(struct span s, struct buf *out)
{
    if (!utf8_valid(s))
        return false;
    while (s.n) { /* ASCII by the rules of xtext, the rest as it is */
        size_t n = 0;
        while (n < s.n && !((unsigned char)s.p[n] & 0x80))
            n++;
        if (n && !xtext_decode(span_head(s, n), out))
            return false;
        s = span_skip(s, n);
        for (n = 0; n < s.n && (unsigned char)s.p[n] & 0x80;)
            n++;
        buf_put_span(out, span_head(s, n));
        s = span_skip(s, n);
    }
    return !out->overflow;
}

bool xtext_encode(struct span s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 33 || c > 126 || c == '+' || c == '=')
            buf_printf(out, "+%02X", c);
        else
            buf_putc(out, (char)c);
    }
    return !out->overflow;
}

bool smtp_host_valid(struct span s)
{
    if (!s.n || s.n > 255)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= 32 || c >= 127 || c == '<' || c == '>' || c == '(' || c == ')' || c == '"' ||
            c == '\\')
            return false;
    }
    return true;
}
