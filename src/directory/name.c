#include "directory/name.h"

#include "base/check.h"
#include "base/utf8.h"

#include <stdio.h>

struct code_range {
    uint32_t lo, hi;
};

static bool in_ranges(uint32_t c, const struct code_range *r, size_t n)
{
    for (size_t i = 0; i < n && c >= r[i].lo; i++)
        if (c <= r[i].hi)
            return true;
    return false;
}

/* RFC 3454 table B.1: mapped to nothing */
static const struct code_range to_nothing[] = {
    {0x00ad, 0x00ad},
    {0x034f, 0x034f},
    {0x1806, 0x1806},
    {0x180b, 0x180d},
    {0x200b, 0x200d},
    {0x2060, 0x2060},
    {0xfe00, 0xfe0f},
    {0xfeff, 0xfeff},
};
/* RFC 3454 table C.1.2: blanks other than SP (U+200B stands above) */
static const struct code_range to_blank[] = {
    {0x00a0, 0x00a0},
    {0x1680, 0x1680},
    {0x2000, 0x200a},
    {0x202f, 0x202f},
    {0x205f, 0x205f},
    {0x3000, 0x3000},
};
/* RFC 3454 tables C.2 to C.9: controls, private use, non-characters, what changes direction, tags.
 * Surrogates are no UTF-8. */
static const struct code_range prohibited[] = {
    {0x0000,  0x001f  },
    {0x007f,  0x009f  },
    {0x0340,  0x0341  },
    {0x06dd,  0x06dd  },
    {0x070f,  0x070f  },
    {0x180e,  0x180e  },
    {0x200c,  0x200f  },
    {0x2028,  0x202e  },
    {0x2060,  0x2063  },
    {0x2066,  0x206f  },
    {0x2ff0,  0x2ffb  },
    {0xd800,  0xf8ff  },
    {0xfdd0,  0xfdef  },
    {0xfeff,  0xfeff  },
    {0xfff9,  0xffff  },
    {0x1d173, 0x1d17a },
    {0xe0001, 0xe0001 },
    {0xe0020, 0xe007f },
    {0xf0000, 0x10ffff},
};

#define IN(c, table) in_ranges((c), (table), ARRAY_LEN(table))

static bool is_prohibited(uint32_t c)
{
    return IN(c, prohibited) || (c & 0xfffe) == 0xfffe;
}

static bool is_visible_text(struct span s, bool blanks)
{
    uint32_t c;

    if (!utf8_valid(s))
        return false;
    while (utf8_next(&s, &c))
        if (is_prohibited(c) || IN(c, to_nothing) || (!blanks && (c == ' ' || IN(c, to_blank))))
            return false;
    return true;
}

static bool is_atext(char c)
{
    return (unsigned char)c >= 0x80 || ascii_is_alpha(c) || ascii_is_digit(c) ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_dot_atom(struct span s)
{
    bool dot = true;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' ? dot : !is_atext(s.p[i]))
            return false;
        dot = s.p[i] == '.';
    }
    return !dot && is_visible_text(s, false);
}

/* "…" with \x: appends what it means. */
static bool unquote(struct span s, struct buf *out)
{
    if (s.n < 3 || s.p[0] != '"' || s.p[s.n - 1] != '"')
        return false;
    for (size_t i = 1; i < s.n - 1; i++) {
        if (s.p[i] == '"' || (s.p[i] == '\\' && ++i == s.n - 1))
            return false;
        buf_putc(out, s.p[i]);
    }
    return !out->overflow && is_visible_text(buf_span(out), true);
}

static bool is_literal(struct span s)
{
    if (s.n < 4 || s.p[0] != '[' || s.p[s.n - 1] != ']')
        return false;
    for (size_t i = 1; i < s.n - 1; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && !strchr(".:-", s.p[i]))
            return false;
    return true;
}

bool name_domain_valid(struct span s)
{
    struct span label;
    bool any = false;

    if (s.n > NAME_DOMAIN_MAX || (s.n && s.p[s.n - 1] == '.') || !is_visible_text(s, false))
        return false;
    while (span_split(&s, '.', &label)) {
        if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++) {
            char c = label.p[i];
            if ((unsigned char)c < 0x80 && !ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' &&
                c != '_')
                return false;
        }
        any = true;
    }
    return any;
}

static bool put_local(struct span local, struct mail_address *a)
{
    BUF_AUTO struct buf plain = BUF(NAME_LOCAL_MAX);

    if (local.n > NAME_LOCAL_MAX)
        return false;
    if (is_dot_atom(local))
        return span_to_cstr(local, a->local, sizeof a->local);
    if (!unquote(local, &plain))
        return false;
    /* "joe"@x is joe@x: the quotes count only where they are needed */
    return span_to_cstr(is_dot_atom(buf_span(&plain)) ? buf_span(&plain) : local, a->local,
                        sizeof a->local);
}

static bool put_domain(struct span domain, struct mail_address *a)
{
    if (!name_domain_valid(domain) && !(domain.n <= NAME_DOMAIN_MAX && is_literal(domain)))
        return false;
    if (!span_to_cstr(domain, a->domain, sizeof a->domain))
        return false;
    for (char *p = a->domain; *p; p++)
        *p = ascii_lower(*p);
    return true;
}

bool name_address_parse(struct span s, struct mail_address *ret)
{
    struct mail_address a;
    size_t at = span_rfind(s, '@');

    if (at == SPAN_NONE || s.n > NAME_ADDRESS_MAX)
        return false;
    if (!put_local(span_head(s, at), &a) || !put_domain(span_skip(s, at + 1), &a))
        return false;
    *ret = a;
    return true;
}

bool name_local_parse(struct span s, const char *domain, struct mail_address *ret)
{
    struct mail_address a;

    if (span_has(s, '@')) {
        if (!name_address_parse(s, &a))
            return false;
    } else if (!put_local(s, &a) || !put_domain(span_cstr(domain), &a)) {
        return false;
    }
    name_address_fold(&a);
    *ret = a;
    return true;
}

void name_address_fold(struct mail_address *a)
{
    for (char *p = a->local; *p; p++)
        *p = ascii_lower(*p);
}

bool name_address_eq(const struct mail_address *a, const struct mail_address *b)
{
    return strcmp(a->local, b->local) == 0 && strcmp(a->domain, b->domain) == 0;
}

void name_address_print(const struct mail_address *a, char dst[NAME_ADDRESS_MAX + 1])
{
    snprintf(dst, NAME_ADDRESS_MAX + 1, "%s@%s", a->local, a->domain);
}

bool name_address_cut_detail(struct mail_address *a)
{
    char *plus = a->local[0] == '"' ? NULL : strchr(a->local, '+');

    if (!plus || plus == a->local)
        return false;
    *plus = '\0';
    return true;
}

bool name_address_is_own(const struct mail_address *a)
{
    return a->local[0] != '"' && !strchr(a->local, '+') && a->domain[0] != '[';
}

bool name_title_valid(struct span s)
{
    return s.n <= NAME_TITLE_MAX && is_visible_text(s, true);
}

bool name_newsgroup_valid(struct span s)
{
    bool dot = true;

    if (s.n > NAME_NEWSGROUP_MAX || !is_visible_text(s, false))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '.' ? dot
                     : (unsigned char)c < 0x80 && !ascii_is_alpha(c) && !ascii_is_digit(c) &&
                           !strchr("+-_", c))
            return false;
        dot = c == '.';
    }
    return !dot;
}

static bool prepare(struct span s, size_t max, struct buf *out)
{
    size_t before = out->n;
    uint32_t c;

    if (s.n > max || !utf8_valid(s))
        return false;
    while (utf8_next(&s, &c)) {
        if (IN(c, to_nothing))
            continue;
        if (is_prohibited(c))
            return false;
        utf8_put(out, IN(c, to_blank) ? ' ' : c);
    }
    return !out->overflow && out->n > before;
}

bool name_password_prepare(struct span password, struct buf *out)
{
    return prepare(password, NAME_PASSWORD_MAX, out);
}

bool name_user_prepare(struct span user, struct buf *out)
{
    return prepare(user, NAME_ADDRESS_MAX, out);
}
