/* header.c: the field iterator and what is built on it. One pass over the bytes, whatever they are.
 */
#include "message/header.h"
#include "message/words.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Just behind the next LF, or the end. */
static const char *line_end(const char *p, const char *end)
{
    const char *lf = memchr(p, '\n', (size_t)(end - p));
    return lf ? lf + 1 : end;
}

static bool line_is_empty(const char *p, const char *end)
{
    return *p == '\n' || (*p == '\r' && end - p > 1 && p[1] == '\n');
}

/* The end of the field that starts at p: its line and all that start with a blank. */
static const char *field_end(const char *p, const char *end)
{
    p = line_end(p, end);
    while (p < end && is_blank(*p))
        p = line_end(p, end);
    return p;
}

/* field-name = 1*%d33-57,59-126; blanks before the colon are an obsolete form (RFC 5322
 * section 4.5) */
static bool field_split(const char *p, const char *end, struct header_field *ret)
{
    const char *c = p;
    while (c<end && * c> 32 && *c < 127 && *c != ':')
        c++;
    struct span name = span_between(p, c);
    while (c < end && is_blank(*c))
        c++;
    if (name.n == 0 || c == end || *c != ':')
        return false;
    ret->name = name;
    ret->value = span_chomp(span_between(c + 1, end));
    ret->whole = span_between(p, end);
    return true;
}

bool header_next(struct span *block, struct header_field *ret)
{
    if (block->n == 0)
        return false;
    const char *p = block->p, *end = p + block->n;
    while (p < end && !line_is_empty(p, end)) {
        const char *next = field_end(p, end);
        if (field_split(p, next, ret)) {
            *block = span_between(next, end);
            return true;
        }
        p = next;
    }
    *block = span_between(p, end);
    return false;
}

size_t header_block_bytes(struct span raw)
{
    if (raw.n == 0)
        return 0;
    const char *p = raw.p, *end = p + raw.n;
    while (p < end) {
        bool empty = line_is_empty(p, end);
        p = line_end(p, end);
        if (empty)
            break;
    }
    return (size_t)(p - raw.p);
}

bool header_find(struct span block, const char *name, struct header_field *ret)
{
    struct header_field f;
    while (header_next(&block, &f))
        if (span_is(f.name, name)) {
            *ret = f;
            return true;
        }
    return false;
}

size_t header_count(struct span block, const char *name)
{
    struct header_field f;
    size_t count = 0;
    while (header_next(&block, &f))
        count += span_is(f.name, name);
    return count;
}

/* A run of blanks and line ends that holds a line end, whole: what a fold is after damage, too. */
static size_t fold_bytes(struct span s)
{
    size_t n = 0;
    bool broken = false;
    while (n < s.n && (is_blank(s.p[n]) || s.p[n] == '\r' || s.p[n] == '\n')) {
        broken |= !is_blank(s.p[n]);
        n++;
    }
    return broken ? n : 0;
}

bool header_unfold(struct span value, struct buf *out)
{
    value = span_trim(value);
    size_t plain = 0, i = 0;
    while (i < value.n) {
        char c = value.p[i];
        bool blank = is_blank(c) || c == '\r' || c == '\n';
        size_t fold = blank ? fold_bytes(span_skip(value, i)) : 0;
        if (c != 0 && fold == 0) {
            i++;
            /* a run without a line end is passed over whole, so that no byte is looked at often */
            while (blank && i < value.n && is_blank(value.p[i]))
                i++;
            continue;
        }
        buf_put_span(out, span_sub(value, plain, i - plain));
        if (fold)
            buf_putc(out, ' ');
        i += fold ? fold : 1;
        plain = i;
    }
    buf_put_span(out, span_skip(value, plain));
    return !out->overflow;
}

bool header_decode(struct span value, struct buf *out)
{
    struct buf line BUF_AUTO = BUF(value.n + 1);
    header_unfold(value, &line);
    return words_decode(buf_span(&line), out);
}

static bool name_in(struct span name, const struct span *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_eq_nocase(name, names[i]))
            return true;
    return false;
}

bool header_select(struct span block, const struct span *names, size_t count, bool others,
                   struct buf *out)
{
    struct header_field f;
    while (header_next(&block, &f)) {
        if (name_in(f.name, names, count) == others)
            continue;
        buf_put_span(out, f.whole);
        if (f.whole.p[f.whole.n - 1] != '\n')
            buf_put_cstr(out, "\r\n");
    }
    buf_put_cstr(out, "\r\n");
    return !out->overflow;
}

static bool is_id_byte(unsigned char c)
{
    return c > 32 && c != 127 && c != '<' && c != '>';
}

/* msg-id = "<" left "@" right ">", no blanks but in a quoted left side. Takes the bytes read off c
 * in any case. */
static bool parse_message_id(const char **c, const char *end)
{
    const char *p = *c + 1;
    const char *at = NULL, *left = p;
    if (p < end && *p == '"') {
        for (p++; p < end && *p != '"' && *p != '\r' && *p != '\n' && *p != '<' && *p != '>'; p++)
            if (*p == '\\' && end - p > 1)
                p++;
        p += p < end && *p == '"';
    }
    for (; p < end && is_id_byte((unsigned char)*p); p++)
        if (*p == '@')
            at = p;
    *c = p;
    if (p == end || *p != '>' || !at || at == left || at + 1 == p)
        return false;
    *c = p + 1;
    return true;
}

bool message_id_next(struct span *value, struct span *ret)
{
    if (value->n == 0)
        return false;
    const char *p = value->p, *end = p + value->n;
    while (p < end && (p = memchr(p, '<', (size_t)(end - p)))) {
        const char *start = p;
        if (parse_message_id(&p, end)) {
            *ret = span_between(start, p);
            *value = span_between(p, end);
            return true;
        }
    }
    *value = span_between(end, end);
    return false;
}
