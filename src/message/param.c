/* param.c: MIME parameters: parameter = attribute "=" value, and what mail programs make of that.
 */
#include "message/charset.h"
#include "message/words.h"

void param_scan_init(struct param_scan *s, struct span params, struct buf *scratch)
{
    *s = (struct param_scan){cursor_of(params), scratch};
}

static bool is_name_end(char c)
{
    return c == '=' || c == ';' || c == '"' || c == '(' || is_lwsp(c);
}

static struct span quoted_value(struct param_scan *s)
{
    struct cursor probe = s->at;
    struct span raw = token_quoted_raw(&probe);
    struct span inside = span_sub(raw, 1, raw.n - (raw.n > 1 && raw.p[raw.n - 1] == '"' ? 2 : 1));
    bool plain = true;
    for (size_t i = 0; i < inside.n && plain; i++)
        plain = inside.p[i] != '\\' && inside.p[i] != '\r' && inside.p[i] != '\n' && inside.p[i];
    if (plain) { /* almost always: no copy */
        s->at = probe;
        return inside;
    }
    buf_clear(s->scratch);
    s->scratch->max = raw.n + 1;
    char *dst = buf_reserve(s->scratch, raw.n + 1);
    return span_between(dst, token_quoted(&s->at, dst));
}

/*
 * A token, or words up to ";" (file names with blanks that nobody quoted). A comment, or a line end
 * that no ";" precedes, ends it.
 */
static struct span bare_value(struct param_scan *s)
{
    const char *start = s->at.p, *p = start;
    while (p < s->at.end && *p != ';' && *p != '\r' && *p != '\n' && *p != 0 &&
           !(*p == '(' && p > start && is_lwsp(p[-1])))
        p++;
    s->at.p = p;
    return span_trim(span_between(start, p));
}

bool param_next(struct param_scan *s, struct span *ret_name, struct span *ret_value)
{
    for (;;) {
        token_skip_cfws(&s->at, NULL);
        if (s->at.p == s->at.end)
            return false;
        const char *start = s->at.p;
        while (s->at.p < s->at.end && !is_name_end(*s->at.p) && *s->at.p != 0)
            s->at.p++;
        struct span name = span_between(start, s->at.p);
        token_skip_cfws(&s->at, NULL);
        if (!cursor_at(&s->at, '=')) {
            if (cursor_at(&s->at, '"'))
                token_quoted_raw(&s->at);
            else if (cursor_at(&s->at, ';') || name.n == 0)
                s->at.p += s->at.p < s->at.end;
            continue;
        }
        s->at.p++;
        token_skip_cfws(&s->at, NULL);
        struct span value = cursor_at(&s->at, '"') ? quoted_value(s) : bare_value(s);
        if (name.n == 0)
            continue;
        *ret_name = name;
        *ret_value = value;
        return true;
    }
}

bool param_find(struct span params, const char *name, struct buf *scratch, struct span *ret_value)
{
    struct param_scan s;
    struct span n, v;
    param_scan_init(&s, params, scratch);
    while (param_next(&s, &n, &v))
        if (span_is(n, name)) {
            *ret_value = v;
            return true;
        }
    return false;
}

/* "name*", "name*7", "name*7*": the number (0 without one) and whether the value is percent-encoded
 */
static bool parse_extended_name(struct span n, const char *name, uint64_t *ret_part,
                                bool *ret_coded)
{
    struct span base = span_cstr(name);
    if (!span_starts_nocase(n, base) || n.n == base.n || n.p[base.n] != '*')
        return false;
    struct span rest = span_skip(n, base.n + 1);
    *ret_part = 0;
    *ret_coded = rest.n == 0 || rest.p[rest.n - 1] == '*';
    if (rest.n && *ret_coded)
        rest = span_head(rest, rest.n - 1);
    return rest.n == 0 || span_to_u64(rest, 999, ret_part);
}

static int hex_value(char c)
{
    c = ascii_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void put_percent_decoded(struct span v, struct buf *out)
{
    for (size_t i = 0; i < v.n; i++) {
        int hi = v.p[i] == '%' && i + 2 < v.n ? hex_value(v.p[i + 1]) : -1;
        int lo = hi >= 0 ? hex_value(v.p[i + 2]) : -1;
        if (lo >= 0)
            i += 2;
        buf_putc(out, lo >= 0 ? (char)(hi << 4 | lo) : v.p[i]);
    }
}

/* initial value = [charset] "'" [language] "'" text */
static struct span take_charset(struct span *v)
{
    struct span charset, language, rest = *v;
    if (!span_split(&rest, '\'', &charset) || !span_has(rest, '\''))
        return SPAN_EMPTY;
    span_split(&rest, '\'', &language);
    *v = rest;
    return charset;
}

enum { PARTS_MAX = 100, CHARSET_MAX = 40 };

bool param_decode(struct span params, const char *name, struct buf *out)
{
    struct buf scratch BUF_AUTO = BUF(0), bytes BUF_AUTO = BUF(params.n + 1);
    char charset[CHARSET_MAX];
    size_t charset_n = 0;
    struct param_scan s;
    struct span n, v;
    uint64_t part;
    bool coded;
    /* Parts come in order in all but hostile mail; another order costs a pass each, and the passes
     * are bounded. */
    uint64_t want = 0;
    for (bool found = true; found && want < PARTS_MAX;) {
        found = false;
        param_scan_init(&s, params, &scratch);
        while (param_next(&s, &n, &v)) {
            if (!parse_extended_name(n, name, &part, &coded) || part != want)
                continue;
            struct span cs = coded && want == 0 ? take_charset(&v) : SPAN_EMPTY;
            if (cs.n && cs.n <= CHARSET_MAX) {
                memcpy(charset, cs.p, cs.n);
                charset_n = cs.n;
            }
            if (coded)
                put_percent_decoded(v, &bytes);
            else
                buf_put_span(&bytes, v);
            found = true;
            want++;
        }
    }
    if (want > 0) {
        if (!charset_to_utf8(span_of(charset, charset_n), buf_span(&bytes), out))
            charset_guess(buf_span(&bytes), out);
        return true;
    }
    if (!param_find(params, name, &scratch, &v))
        return false;
    words_decode(v, out);
    return true;
}
