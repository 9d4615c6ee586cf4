#include "imap/arg.h"

/* ATOM-CHAR = <any CHAR except atom-specials>
 * atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials */
bool arg_is_atom_char(unsigned char c)
{
    return c > ' ' && c < 0x7f && !memchr("(){%*\"\\]", c, 8);
}

/* ASTRING-CHAR = ATOM-CHAR / resp-specials */
bool arg_is_astring_char(unsigned char c)
{
    return c == ']' || arg_is_atom_char(c);
}

/* list-char = ATOM-CHAR / list-wildcards / resp-specials */
static bool is_list_char(unsigned char c)
{
    return c == '%' || c == '*' || arg_is_astring_char(c);
}

static bool is_set_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || c == ':' || c == ',' || c == '*';
}

bool arg_sp(struct span *c)
{
    return parse_char(c, ' ');
}

bool arg_atom(struct span *c, size_t max, struct span *ret)
{
    return parse_while(c, arg_is_atom_char, 1, max, ret);
}

bool arg_word(struct span *c, const char *word)
{
    struct span at = *c, got;

    if (!arg_atom(&at, ARG_ATOM_MAX, &got) || !span_is(got, word))
        return false;
    *c = at;
    return true;
}

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE ; QUOTED-CHAR = TEXT-CHAR without quoted-specials / "\"
 * quoted-specials / UTF8 */
static bool parse_quoted(struct span *c, struct arena *a, size_t max, struct span *ret)
{
    struct span at = *c;
    size_t n = 0, pairs = 0;

    if (!parse_char(&at, '"'))
        return false;
    for (; n < at.n && at.p[n] != '"'; n++) {
        if (at.p[n] == '\\') {
            if (++n == at.n || (at.p[n] != '"' && at.p[n] != '\\'))
                return false;
            pairs++;
        } else if (at.p[n] == '\0' || at.p[n] == '\r' || at.p[n] == '\n') {
            return false;
        }
    }
    if (n == at.n || n - pairs > max)
        return false;

    struct span got = span_head(at, n);
    if (pairs) {
        char *copy = arena_try(a, n);
        if (!copy)
            return false;
        size_t out = 0;
        for (size_t i = 0; i < n; i++) {
            if (at.p[i] == '\\')
                i++;
            copy[out++] = at.p[i];
        }
        got = span_of(copy, out);
    }
    if (!got.p)
        got.p = "";
    *ret = got;
    *c = span_skip(at, n + 1);
    return true;
}

/* literal = "{" number64 ["+"] "}" CRLF *CHAR8 */
static bool parse_literal(struct span *c, size_t max, struct span *ret)
{
    struct span at = *c;
    uint64_t n;

    if (!parse_char(&at, '{') || !parse_u64(&at, max, &n))
        return false;
    parse_char(&at, '+');
    if (!parse_lit(&at, "}\r\n") || at.n < n)
        return false;

    struct span got = span_head(at, (size_t)n);
    if (span_has(got, '\0'))
        return false;
    if (!got.p)
        got.p = "";
    *ret = got;
    *c = span_skip(at, (size_t)n);
    return true;
}

bool arg_string(struct span *c, struct arena *a, size_t max, struct span *ret)
{
    return parse_quoted(c, a, max, ret) || parse_literal(c, max, ret);
}

bool arg_astring(struct span *c, struct arena *a, size_t max, struct span *ret)
{
    return parse_while(c, arg_is_astring_char, 1, max, ret) || arg_string(c, a, max, ret);
}

bool arg_nstring(struct span *c, struct arena *a, size_t max, struct span *ret)
{
    if (arg_string(c, a, max, ret))
        return true;
    if (!arg_word(c, "NIL"))
        return false;
    *ret = SPAN_EMPTY;
    return true;
}

bool arg_list_mailbox(struct span *c, struct arena *a, size_t max, struct span *ret)
{
    return parse_while(c, is_list_char, 1, max, ret) || arg_string(c, a, max, ret);
}

bool arg_set(struct span *c, struct span *ret)
{
    struct span at = *c;

    if (parse_char(&at, '$')) {
        *ret = span_head(*c, 1);
        *c = at;
        return true;
    }
    return parse_while(c, is_set_char, 1, SIZE_MAX - 1, ret);
}

bool arg_announcement(struct span *c, uint64_t *ret_bytes, bool *ret_binary)
{
    struct span at = *c;
    uint64_t n;
    bool binary = parse_char(&at, '~');

    if (!parse_char(&at, '{') || !parse_u64(&at, UINT64_MAX, &n))
        return false;
    parse_char(&at, '+');
    if (!parse_char(&at, '}'))
        return false;
    parse_lit(&at, "\r\n");
    *ret_bytes = n;
    *ret_binary = binary;
    *c = at;
    return true;
}

/* date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE */
bool arg_date_time(struct span *c, struct date *ret)
{
    struct span at = *c, text;

    if (!parse_char(&at, '"') || !parse_until(&at, '"', 40, &text) || !parse_char(&at, '"') ||
        !date_parse_imap(text, ret))
        return false;
    *c = at;
    return true;
}

static bool is_day_char(unsigned char c)
{
    return c == '-' || ascii_is_digit((char)c) || ascii_is_alpha((char)c);
}

/* date = date-text / DQUOTE date-text DQUOTE */
bool arg_day(struct span *c, int64_t *ret_day)
{
    struct span at = *c, text;
    bool quoted = parse_char(&at, '"');

    if (!parse_while(&at, is_day_char, 1, 20, &text) || (quoted && !parse_char(&at, '"')) ||
        !date_parse_imap_day(text, ret_day))
        return false;
    *c = at;
    return true;
}

static void add_keyword(struct arg_flags *f, struct span word)
{
    for (size_t i = 0; i < f->keyword_count; i++)
        if (span_eq_nocase(f->keywords[i], word))
            return;
    if (f->keyword_count < STORE_KEYWORDS_MAX)
        f->keywords[f->keyword_count++] = word;
    else
        f->too_many = true;
}

bool arg_flag(struct span *c, struct arg_flags *f)
{
    static const struct {
        const char *name;
        uint64_t bit;
    } rows[] = {
        {"Seen",     STORE_SEEN    },
        {"Answered", STORE_ANSWERED},
        {"Flagged",  STORE_FLAGGED },
        {"Deleted",  STORE_DELETED },
        {"Draft",    STORE_DRAFT   },
    };
    struct span at = *c, word;
    bool system = parse_char(&at, '\\');

    if (!arg_atom(&at, STORE_KEYWORD_BYTES_MAX, &word))
        return false;
    if (!system) {
        add_keyword(f, word);
        *c = at;
        return true;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (span_is(word, rows[i].name)) {
            f->system |= rows[i].bit;
            *c = at;
            return true;
        }
    return false;
}

bool arg_flag_list(struct span *c, struct arg_flags *f)
{
    struct span at = *c;

    if (!parse_char(&at, '('))
        return false;
    if (!parse_char(&at, ')')) {
        do
            if (!arg_flag(&at, f))
                return false;
        while (arg_sp(&at));
        if (!parse_char(&at, ')'))
            return false;
    }
    *c = at;
    return true;
}

bool arg_store_flags(struct span *c, struct arg_flags *f)
{
    struct span at = *c;

    if (at.n && at.p[0] == '(')
        return arg_flag_list(c, f);
    do
        if (!arg_flag(&at, f))
            return false;
    while (arg_sp(&at));
    *c = at;
    return true;
}

bool print_quoted(struct buf *b, struct span s)
{
    buf_putc(b, '"');
    while (s.n) {
        size_t n = 0;
        while (n < s.n && s.p[n] != '"' && s.p[n] != '\\')
            n++;
        buf_put(b, s.p, n);
        s = span_skip(s, n);
        if (s.n) {
            buf_putc(b, '\\');
            buf_putc(b, s.p[0]);
            s = span_skip(s, 1);
        }
    }
    return buf_putc(b, '"');
}

bool print_astring(struct buf *b, struct span s)
{
    bool atom = s.n && s.n < 100 && !span_is(s, "NIL");

    for (size_t i = 0; atom && i < s.n; i++)
        atom = arg_is_atom_char((unsigned char)s.p[i]);
    return atom ? buf_put_span(b, s) : print_quoted(b, s);
}
