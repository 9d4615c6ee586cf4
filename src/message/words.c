#include "message/words.h"
#include "base/base64.h"
#include "base/utf8.h"
#include "message/charset.h"

/* encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?=" */
struct word {
    struct span charset, text;
    char encoding; /* 'q' or 'b' */
    size_t bytes;  /* of the whole word */
};

/*
 * `s` starts with "=?". *no_end remembers that no "?=" follows anywhere, so that a row of openings
 * without an end is not searched again and again.
 */
static bool parse_word(struct span s, bool *no_end, struct word *ret)
{
    struct span c = span_skip(s, 2);
    size_t q = span_find(span_head(c, 80), '?');
    if (q == SPAN_NONE || q == 0)
        return false;
    struct span charset = span_head(c, q);
    size_t star = span_find(charset, '*');
    if (star != SPAN_NONE)
        charset = span_head(charset, star);
    c = span_skip(c, q + 1);
    if (c.n < 2 || c.p[1] != '?' || (ascii_lower(c.p[0]) != 'q' && ascii_lower(c.p[0]) != 'b'))
        return false;
    char encoding = ascii_lower(c.p[0]);
    c = span_skip(c, 2);
    size_t n = *no_end ? SPAN_NONE : span_find_span(c, SPAN("?="));
    if (n == SPAN_NONE) {
        *no_end = true;
        return false;
    }
    *ret = (struct word){charset, span_head(c, n), encoding, (size_t)(c.p - s.p) + n + 2};
    return true;
}

static int hex_value(char c)
{
    c = ascii_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX or =XX at s.p[i] */
static int hex_pair(struct span s, size_t i)
{
    if (i + 2 >= s.n)
        return -1;
    int hi = hex_value(s.p[i + 1]), lo = hex_value(s.p[i + 2]);
    return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

static void decode_q(struct span s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        int v = s.p[i] == '=' ? hex_pair(s, i) : -1;
        if (v >= 0) {
            buf_putc(out, (char)v);
            i += 2;
        } else {
            buf_putc(out, s.p[i] == '_' ? ' ' : s.p[i]);
        }
    }
}

/* Header text is one line: line ends and NUL that an encoded word smuggled in become blanks. */
static void defuse(struct buf *out, size_t from)
{
    for (size_t i = from; i < out->n; i++)
        if (out->p[i] == '\r' || out->p[i] == '\n' || out->p[i] == 0)
            out->p[i] = ' ';
}

static void put_plain(struct span s, struct buf *out)
{
    if (utf8_is_ascii(s)) {
        size_t from = out->n;
        buf_put_span(out, s);
        defuse(out, from);
    } else {
        size_t from = out->n;
        charset_guess(s, out);
        defuse(out, from);
    }
}

/*
 * The word at s and those of the same charset that follow it with nothing but blanks between: their
 * bytes are one text, since many programs cut characters in two. Returns the length taken, 0 if the
 * charset is unknown.
 */
static size_t decode_run(struct span s, struct word w, bool *no_end, struct buf *out)
{
    struct buf bytes BUF_AUTO = BUF(s.n);
    struct span charset = w.charset;
    size_t taken = 0, gap = 0;
    do {
        taken += gap + w.bytes;
        if (w.encoding == 'q')
            decode_q(w.text, &bytes);
        else
            base64_decode_lenient(&bytes, w.text);
        struct span rest = span_skip(s, taken);
        for (gap = 0; gap < rest.n && is_lwsp(rest.p[gap]); gap++)
            ;
        rest = span_skip(rest, gap);
        if (!span_starts(rest, SPAN("=?")) || !parse_word(rest, no_end, &w))
            break;
    } while (span_eq_nocase(charset, w.charset));
    size_t from = out->n;
    if (!charset_to_utf8(charset, buf_span(&bytes), out))
        return 0;
    defuse(out, from);
    return taken;
}

/* Blanks only, between two words: they do not show. */
static bool is_gap(struct span s)
{
    return span_trim(s).n == 0;
}

bool words_decode(struct span line, struct buf *out)
{
    size_t plain = 0, i = 0;
    bool no_end = false, after_word = false;
    while (i < line.n) {
        size_t at = span_find_span(span_skip(line, i), SPAN("=?"));
        if (at == SPAN_NONE || no_end)
            break;
        i += at;
        struct span rest = span_skip(line, i), before = span_sub(line, plain, i - plain);
        struct word w;
        if (!parse_word(rest, &no_end, &w)) {
            i += 2;
            continue;
        }
        if (!charset_known(w.charset)) {
            i += w.bytes;
            after_word = false;
            continue;
        }
        if (!after_word || !is_gap(before))
            put_plain(before, out);
        i += decode_run(rest, w, &no_end, out);
        plain = i;
        after_word = true;
    }
    put_plain(span_skip(line, plain), out);
    return !out->overflow;
}

static bool needs_encoding(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 32 || (unsigned char)s.p[i] > 126)
            return true;
    return span_find_span(s, SPAN("=?")) != SPAN_NONE;
}

/* The longest start of s with whole characters and at most max bytes. */
static size_t whole_characters(struct span s, size_t max)
{
    if (s.n <= max)
        return s.n;
    size_t n = max;
    while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return n ? n : max; /* no UTF-8 at all: cut anywhere */
}

bool words_encode(struct span utf8, struct buf *out)
{
    if (!needs_encoding(utf8))
        return buf_put_span(out, utf8);
    struct buf clean BUF_AUTO = BUF(3 * utf8.n + 1);
    utf8_scrub(&clean, utf8);
    defuse(&clean, 0);
    struct span s = buf_span(&clean);
    for (bool first = true; s.n; first = false) {
        size_t n = whole_characters(
            s, 39); /* "=?UTF-8?B?" + 52 + "?=" = 64 bytes: "Subject: " fits before it */
        buf_put_cstr(out, first ? "=?UTF-8?B?" : " =?UTF-8?B?");
        base64_encode(out, span_head(s, n));
        buf_put_cstr(out, "?=");
        s = span_skip(s, n);
    }
    return !out->overflow;
}
