#include "message/address.h"
#include "base/utf8.h"

#include <arpa/inet.h>

void address_scan_init(struct address_scan *s, struct span value, struct buf *scratch)
{
    *s = (struct address_scan){.at = cursor_of(value), .scratch = scratch};
    buf_clear(scratch);
    /* no item unquotes to more than its raw bytes; a display name, or comment, and an address may
     * both be kept */
    scratch->max = 2 * value.n + 64;
    s->text = s->used = buf_reserve(scratch, 2 * value.n + 64);
}

/* A run of what is neither blank, comment, quote nor one of `stop`: an atom, or what stands for one
 * in damaged text. */
static void take_atom(struct address_scan *s, struct cursor *c, const char *stop)
{
    while (c->p < c->end && !is_lwsp(*c->p) && *c->p != '(' && *c->p != '"' &&
           (*c->p == 0 || !strchr(stop, *c->p))) {
        if (*c->p != 0)
            *s->used++ = *c->p;
        c->p++;
    }
}

/* domain-literal = "[" *dtext "]" */
static void take_literal(struct address_scan *s, struct cursor *c)
{
    while (c->p < c->end && *c->p != ']' && !is_lwsp(*c->p) && *c->p != '<' && *c->p != ',') {
        if (*c->p != 0)
            *s->used++ = *c->p;
        c->p++;
    }
    if (cursor_at(c, ']'))
        *s->used++ = *c->p++;
}

/* route = 1*("@" domain ",") ":" (obsolete); taken only if its colon is there */
static void parse_route(struct address_scan *s, struct cursor *c, struct address *ret)
{
    const char *colon = c->p, *start = s->used;
    while (colon < c->end && !strchr(":><\"(", *colon))
        colon++;
    if (colon == c->end || *colon != ':')
        return;
    while (c->p < colon) {
        take_atom(s, c, ":");
        token_skip_cfws(c, NULL);
    }
    ret->route = span_between(start, s->used);
    c->p++;
}

static bool spec_ends(const struct address_scan *s, const struct cursor *c)
{
    return c->p == c->end || *c->p == '>' || *c->p == ',' || *c->p == '<' ||
           (*c->p == ';' && s->in_group);
}

/* Blanks between two words that neither "." nor "@" joins. */
static bool is_break(const struct cursor *c, const char *before, const char *start,
                     const char *used)
{
    return c->p > before && used > start && *c->p != '.' && *c->p != '@' && used[-1] != '.' &&
           used[-1] != '@';
}

/*
 * [route] local "@" domain. Blanks and comments between the parts vanish; the last "@" that is not
 * quoted divides. Of several words before the "@" the last one is the local part and those before
 * it a name; words behind the domain are dropped. Stops at ">", at "," and, in a group, at ";".
 */
static void parse_addr_spec(struct address_scan *s, struct cursor *c, struct address *ret,
                            struct span *comment)
{
    token_skip_cfws(c, comment);
    if (cursor_at(c, '@'))
        parse_route(s, c, ret);
    const char *start = s->used, *word = start, *at = NULL;
    for (const char *before = c->p;; before = c->p) {
        token_skip_cfws(c, comment);
        if (spec_ends(s, c))
            break;
        if (is_break(c, before, start, s->used)) {
            if (at)
                break;
            *s->used++ = ' ';
            word = s->used;
        }
        if (*c->p == '@') {
            at = s->used;
            *s->used++ = *c->p++;
        } else if (*c->p == '"') {
            s->used = token_quoted(c, s->used);
        } else if (*c->p == '[' && at && s->used == at + 1) {
            take_literal(s, c);
        } else {
            take_atom(s, c, s->in_group ? "@>,<;" : "@>,<");
        }
    }
    const char *end = s->used;
    while (!spec_ends(s, c))
        c->p++;
    if (!at && word > start) /* words only: a name without an address */
        word = end;
    ret->local = span_between(word, at ? at : end);
    ret->domain = at ? span_between(at + 1, end) : SPAN_EMPTY;
    ret->display = span_trim(span_between(start, word));
}

/*
 * The words before "<", ":" or the end of an item, joined by single blanks: a display name, the
 * name of a group, or (the caller then reads the bytes again) an address without brackets.
 */
static struct span parse_phrase(struct address_scan *s, struct span *comment, bool *ret_at)
{
    const char *stop = s->in_group ? ",<;@" : ",<:@";
    char *start = s->used;
    bool has_at = false;
    for (;;) {
        const char *before = s->at.p;
        token_skip_cfws(&s->at, comment);
        bool gap = s->at.p > before && s->used > start;
        if (s->at.p == s->at.end)
            break;
        char c = *s->at.p;
        if (c == '@' || (c == ':' && has_at)) {
            has_at |= c == '@';
            *s->used++ = *s->at.p++;
            continue;
        }
        if (c == ',' || c == '<' || c == ':' || (c == ';' && s->in_group)) {
            if (c != ':' || !s->in_group)
                break;
        }
        if (gap)
            *s->used++ = ' ';
        if (c == '"')
            s->used = token_quoted(&s->at, s->used);
        else if (c == ':')
            *s->used++ = *s->at.p++;
        else
            take_atom(s, &s->at, stop);
    }
    *ret_at = has_at;
    return span_between(start, s->used);
}

static struct span comment_as_name(struct address_scan *s, struct span comment)
{
    char *start = s->used;
    s->used = token_comment_text(comment, s->used);
    return span_between(start, s->used);
}

/* "<" addr-spec ">", whose closing bracket may lack */
static void parse_angle(struct address_scan *s, struct address *ret, struct span *comment)
{
    s->at.p++;
    parse_addr_spec(s, &s->at, ret, NULL);
    if (cursor_at(&s->at, '>'))
        s->at.p++;
    s->after_angle = true;
    token_skip_cfws(&s->at, comment);
}

static void skip_separators(struct address_scan *s)
{
    for (;;) {
        token_skip_cfws(&s->at, NULL);
        if (cursor_at(&s->at, ',') || (cursor_at(&s->at, ';') && !s->in_group) ||
            cursor_at(&s->at, '>')) {
            s->after_angle &= *s->at.p == '>';
            s->at.p++;
        } else {
            return;
        }
    }
}

static bool is_something(const struct address *a)
{
    return a->local.n || a->domain.n || a->display.n;
}

enum address_event address_scan_next(struct address_scan *s, struct address *ret)
{
    for (;;) {
        *ret = (struct address){0};
        skip_separators(s);
        if (s->at.p == s->at.end || *s->at.p == ';') {
            bool was = s->in_group;
            s->at.p += s->at.p < s->at.end;
            s->in_group = s->after_angle = false;
            return was ? ADDRESS_GROUP_END : ADDRESS_END;
        }
        s->used = s->text;
        struct cursor start = s->at;
        struct span comment = SPAN_EMPTY;
        bool has_at, trailing = s->after_angle;
        struct span phrase = parse_phrase(s, &comment, &has_at);
        s->after_angle = false;
        if (cursor_at(&s->at, ':')) {
            s->at.p++;
            s->in_group = true;
            ret->group = phrase;
            return ADDRESS_GROUP;
        }
        if (cursor_at(&s->at, '<')) {
            parse_angle(s, ret, &comment);
            ret->display = phrase.n ? phrase : comment_as_name(s, comment);
            if (is_something(ret))
                return ADDRESS_MAILBOX;
            continue; /* <> */
        }
        if (trailing && !has_at)
            continue; /* words behind "<…>" */
        s->used = s->text;
        start.end = s->at.p;
        comment = SPAN_EMPTY;
        do /* `a@b> c@d`: what follows the stray bracket is dropped */
            parse_addr_spec(s, &start, ret, &comment);
        while (start.p < start.end && !is_something(ret) && start.p++);
        if (!is_something(ret))
            continue;
        if (ret->display.n == 0)
            ret->display = comment_as_name(s, comment);
        return ADDRESS_MAILBOX;
    }
}

static bool address_copy(struct arena *a, const struct address *from, struct address *to)
{
    const struct span *src[] = {&from->display, &from->route, &from->local, &from->domain};
    struct span *dst[] = {&to->display, &to->route, &to->local, &to->domain};
    for (size_t i = 0; i < 4; i++) {
        *dst[i] = arena_span(a, *src[i]);
        if (dst[i]->n != src[i]->n)
            return false;
    }
    return true;
}

/* Twice over the value: the array is asked for once, at its size. */
size_t address_list_parse(struct span value, struct arena *a, size_t max, struct address **ret)
{
    struct buf scratch BUF_AUTO = BUF(0);
    struct address_scan s;
    struct address at;
    enum address_event event;
    size_t count = 0, n = 0;
    address_scan_init(&s, value, &scratch);
    while (count < max && (event = address_scan_next(&s, &at)) != ADDRESS_END)
        count += event == ADDRESS_MAILBOX;
    struct address *list = count ? ARENA_ARRAY(a, struct address, count) : NULL;
    struct span group = SPAN_EMPTY;
    address_scan_init(&s, value, &scratch);
    while (list && n < count && (event = address_scan_next(&s, &at)) != ADDRESS_END) {
        if (event == ADDRESS_GROUP)
            group = arena_span(a, at.group);
        else if (event == ADDRESS_GROUP_END)
            group = SPAN_EMPTY;
        else if (!address_copy(a, &at, &list[n]))
            break;
        else
            list[n++].group = group;
    }
    *ret = list;
    return n;
}

static bool is_atext(unsigned char c, bool utf8)
{
    return (c > 127 && utf8) || ascii_is_alpha((char)c) || ascii_is_digit((char)c) ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* dot-string = atom *("." atom) */
static bool parse_dot_string(struct cursor *c, bool utf8)
{
    do {
        const char *start = c->p;
        while (c->p < c->end && is_atext((unsigned char)*c->p, utf8))
            c->p++;
        if (c->p == start)
            return false;
    } while (cursor_at(c, '.') && c->p++);
    return true;
}

/* quoted-string = DQUOTE *(qtextSMTP / quoted-pairSMTP) DQUOTE: printable bytes only */
static bool parse_smtp_quoted(struct cursor *c, bool utf8)
{
    for (c->p++; c->p < c->end && *c->p != '"'; c->p++) {
        if (*c->p == '\\')
            c->p++;
        unsigned char b = c->p < c->end ? (unsigned char)*c->p : 0;
        if (b < 32 || b == 127 || (b > 127 && !utf8))
            return false;
    }
    if (c->p >= c->end)
        return false;
    c->p++;
    return true;
}

/* domain = sub-domain *("." sub-domain), sub-domain = let-dig [ldh-str] */
static bool is_domain(struct span s, bool utf8)
{
    size_t label = 0;
    for (size_t i = 0; i <= s.n; i++) {
        unsigned char c = i < s.n ? (unsigned char)s.p[i] : '.';
        if (c == '.') {
            if (label == 0 || label > 63 || s.p[i - 1] == '-')
                return false;
            label = 0;
        } else if ((c > 127 && utf8) || ascii_is_alpha((char)c) || ascii_is_digit((char)c) ||
                   c == '_' || (c == '-' && label)) {
            label++;
        } else {
            return false;
        }
    }
    return true;
}

/* address-literal = "[" (IPv4 / "IPv6:" IPv6) "]"; no other tag was ever registered (RFC 5321 4.1.3) */
static bool is_address_literal(struct span s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    struct span in = span_sub(s, 1, s.n - 2);

    if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']')
        return false;
    if (!span_starts_nocase(in, span_cstr("IPv6:")))
        return span_to_cstr(in, text, sizeof(text)) && inet_pton(AF_INET, text, &address) == 1;
    return span_to_cstr(span_skip(in, 5), text, sizeof(text)) &&
           inet_pton(AF_INET6, text, &address) == 1;
}

bool address_parse_mailbox(struct span s, bool utf8, struct span *ret_local,
                           struct span *ret_domain)
{
    if (s.n == 0 || s.n > 320 || (utf8 && !utf8_valid(s)))
        return false;
    struct cursor c = cursor_of(s);
    if (!(*c.p == '"' ? parse_smtp_quoted(&c, utf8) : parse_dot_string(&c, utf8)))
        return false;
    struct span local = span_between(s.p, c.p);
    if (!cursor_at(&c, '@') || local.n > 64)
        return false;
    struct span domain = span_between(c.p + 1, c.end);
    if (domain.n == 0 || domain.n > 255 || !(is_domain(domain, utf8) || is_address_literal(domain)))
        return false;
    *ret_local = local;
    *ret_domain = domain;
    return true;
}
