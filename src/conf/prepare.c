#include "conf/prepare.h"

#include "base/log.h"

/* No true configuration comes near these; libconfig's time grows with the square of a group's
 * settings. */
enum { FILE_MAX = 1 << 20, DEPTH_MAX = 16, SETTINGS_MAX = 500 };

struct lexer {
    struct span rest;
    unsigned line;
    struct buf *out;
    unsigned depth, settings[DEPTH_MAX]; /* of each bracket that is open */
};

/* Copies n bytes as they are. */
static void copy(struct lexer *l, size_t n)
{
    struct span s = span_head(l->rest, n);

    for (size_t i = 0; i < s.n; i++)
        l->line += s.p[i] == '\n';
    buf_put_span(l->out, s);
    l->rest = span_skip(l->rest, n);
}

/* A text at the front with its quotes; SPAN_NONE where it has no end. */
static size_t string_length(struct span s)
{
    size_t n = 1;

    while (n < s.n && s.p[n] != '"')
        n += s.p[n] == '\\' ? 2 : 1;
    return n < s.n ? n + 1 : SPAN_NONE;
}

/* A comment at the front; 0 where there is none, SPAN_NONE where it has no end. */
static size_t comment_length(struct span s)
{
    if (s.p[0] == '#' || span_starts(s, SPAN("//"))) {
        size_t end = span_find(s, '\n');
        return end == SPAN_NONE ? s.n : end;
    }
    if (span_starts(s, SPAN("/*"))) {
        size_t end = span_find_span(span_skip(s, 2), SPAN("*/"));
        return end == SPAN_NONE ? SPAN_NONE : end + 4;
    }
    return 0;
}

/* Names, numbers and what could be taken for part of one. */
static size_t word_length(struct span s)
{
    size_t n = 0;

    while (n < s.n && (ascii_is_alpha(s.p[n]) || ascii_is_digit(s.p[n]) ||
                       (s.p[n] != '\0' && strchr("_-+.*", s.p[n]))))
        n++;
    return n;
}

static bool copy_word(struct lexer *l, size_t n, struct report *r)
{
    struct span word = span_head(l->rest, n), digits = word;
    uint64_t v;

    if (digits.p[0] == '-' || digits.p[0] == '+')
        digits = span_skip(digits, 1);
    if (span_starts_nocase(digits, SPAN("0x"))) {
        report_error(r, l->line, "%s is hexadecimal. Write the number in decimal", log_quote(word));
        return false;
    }
    bool integer = digits.n > 0;
    for (size_t i = 0; i < digits.n; i++)
        integer = integer && ascii_is_digit(digits.p[i]);

    copy(l, n);
    if (!integer || (span_to_u64(digits, INT32_MAX, &v)))
        return true;
    if (!span_to_u64(digits, INT64_MAX, &v)) {
        report_error(r, l->line, "%s is too large for any option. Write a smaller number",
                     log_quote(word));
        return false;
    }
    buf_putc(l->out, 'L');
    return true;
}

/* A byte outside of words, texts and comments; false: refused and reported. */
static bool copy_mark(struct lexer *l, struct report *r)
{
    switch (l->rest.p[0]) {
    case '@':
        report_error(r, l->line, "@include is not supported. Put everything into this file");
        return false;
    case '{':
    case '(':
    case '[':
        if (++l->depth == DEPTH_MAX) {
            report_error(r, l->line, "the brackets are nested too deeply. Close some of them");
            return false;
        }
        l->settings[l->depth] = 0;
        break;
    case '}':
    case ')':
    case ']':
        l->depth -= l->depth > 0;
        break;
    case '=':
    case ':':
        if (++l->settings[l->depth] > SETTINGS_MAX) {
            report_error(r, l->line, "there are more than %d settings in one group. Remove some",
                         SETTINGS_MAX);
            return false;
        }
        break;
    default:
        break;
    }
    copy(l, 1);
    return true;
}

/* The next piece; false: refused and reported. */
static bool step(struct lexer *l, struct report *r)
{
    size_t n;

    if (l->rest.p[0] == '"') {
        n = string_length(l->rest);
        if (n == SPAN_NONE)
            report_error(r, l->line, "the text that begins here never ends. Add its closing quote");
    } else if ((n = comment_length(l->rest)) > 0) {
        if (n == SPAN_NONE)
            report_error(r, l->line, "the comment that begins here never ends. Add its */");
    } else if ((n = word_length(l->rest)) > 0) {
        return copy_word(l, n, r);
    } else {
        return copy_mark(l, r);
    }
    if (n == SPAN_NONE)
        return false;
    copy(l, n);
    return true;
}

bool conf_prepare(struct span text, struct report *r, struct buf *ret)
{
    struct lexer l = {.rest = text, .line = 1, .out = ret};

    if (text.n > FILE_MAX) {
        report_error(r, 0, "the file is %zu bytes long. At most %d are allowed: shorten it", text.n,
                     FILE_MAX);
        return false;
    }
    size_t nul = span_find(text, '\0');
    if (nul != SPAN_NONE) {
        for (size_t i = 0; i < nul; i++)
            l.line += text.p[i] == '\n';
        report_error(r, l.line, "the line holds a NUL byte. Remove it");
        return false;
    }
    while (l.rest.n)
        if (!step(&l, r))
            return false;
    return buf_putc(ret, '\0');
}
