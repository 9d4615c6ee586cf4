#include "message/thread.h"
#include "message/address.h"
#include "message/fold.h"

static bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}

static struct span skip_wsp(struct span s)
{
    while (s.n && is_wsp(*s.p))
        s = span_skip(s, 1);
    return s;
}

/* subj-trailer = "(fwd)" / WSP */
static struct span strip_trailers(struct span s)
{
    for (;;) {
        if (s.n && is_wsp(s.p[s.n - 1]))
            s.n--;
        else if (span_ends_nocase(s, SPAN("(fwd)")))
            s.n -= 5;
        else
            return s;
    }
}

/* subj-blob = "[" *BLOBCHAR "]" *WSP; BLOBCHAR is anything but brackets */
static bool parse_blob(struct span *s)
{
    if (s->n == 0 || *s->p != '[')
        return false;
    size_t i = 1;
    while (i < s->n && s->p[i] != '[' && s->p[i] != ']')
        i++;
    if (i == s->n || s->p[i] == '[')
        return false;
    *s = skip_wsp(span_skip(*s, i + 1));
    return true;
}

/* subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" */
static bool parse_refwd(struct span *s)
{
    struct span c = *s;
    if (span_starts_nocase(c, SPAN("re")))
        c = span_skip(c, 2);
    else if (span_starts_nocase(c, SPAN("fwd")))
        c = span_skip(c, 3);
    else if (span_starts_nocase(c, SPAN("fw")))
        c = span_skip(c, 2);
    else
        return false;
    c = skip_wsp(c);
    parse_blob(&c);
    if (c.n == 0 || *c.p != ':')
        return false;
    *s = skip_wsp(span_skip(c, 1));
    return true;
}

/*
 * Steps 3 to 5. subj-leader = (*subj-blob subj-refwd) / WSP; then a blob is removed if something is
 * left. When no subj-refwd follows the blobs, removing them one by one makes no new one appear, so
 * each byte is looked at a few times only.
 */
static struct span strip_leaders(struct span s)
{
    for (;;) {
        s = skip_wsp(s);
        struct span c = s;
        while (parse_blob(&c))
            ;
        if (parse_refwd(&c)) {
            s = c;
            continue;
        }
        for (c = s; parse_blob(&c) && c.n;)
            s = c;
        return s;
    }
}

struct span thread_strip_subject(struct span s)
{
    for (;;) {
        s = strip_leaders(strip_trailers(s));
        if (!span_starts_nocase(s, SPAN("[fwd:")) || s.p[s.n - 1] != ']')
            return s;
        s = span_sub(s, 5, s.n - 6);
    }
}

/* What encoded words may smuggle in. */
static bool ends_line(char c)
{
    return c == '\r' || c == '\n' || c == 0;
}

/* Step 1: a run of blanks is one blank; no key ever holds a line end. */
static void squeeze_blanks(struct buf *b)
{
    size_t to = 0;
    for (size_t i = 0; i < b->n; i++) {
        char c = is_wsp(b->p[i]) || ends_line(b->p[i]) ? ' ' : b->p[i];
        if (c != ' ' || to == 0 || b->p[to - 1] != ' ')
            b->p[to++] = c;
    }
    buf_truncate(b, to);
}

bool thread_base_subject(struct span value, struct buf *out)
{
    struct buf text BUF_AUTO = BUF(4 * BASE_SUBJECT_RAW_MAX);
    header_decode(span_head(value, BASE_SUBJECT_RAW_MAX), &text);
    squeeze_blanks(&text);
    return upper_utf8(thread_strip_subject(buf_span(&text)), out);
}

static size_t count_ids(struct span value)
{
    struct span id;
    size_t n = 0;
    while (message_id_next(&value, &id))
        n++;
    return n;
}

void thread_references(const struct fields *f, struct buf *out)
{
    struct span value = f->value[FIELD_REFERENCES], id;
    size_t total = count_ids(value), start = out->n;
    if (total == 0) {
        /* section 3, REFERENCES: the first valid one of In-Reply-To */
        value = f->value[FIELD_IN_REPLY_TO];
        total = message_id_next(&value, &id);
        value = total ? id : SPAN_EMPTY;
    }
    for (size_t i = 0; message_id_next(&value, &id); i++) {
        if (i > 0 && total - i >= REFERENCES_MAX)
            continue;
        if (out->n > start)
            buf_putc(out, ' ');
        buf_put_span(out, id);
    }
}

void thread_sender(const struct fields *f, struct buf *out, struct buf *scratch)
{
    struct address_scan s;
    struct address a;
    enum address_event event;
    address_scan_init(&s, f->value[FIELD_FROM], scratch);
    do
        event = address_scan_next(&s, &a);
    while (event == ADDRESS_GROUP || event == ADDRESS_GROUP_END);
    if (event != ADDRESS_MAILBOX || a.local.n == 0 || a.domain.n == 0 ||
        a.local.n + a.domain.n > 500)
        return;
    size_t start = out->n;
    buf_put_span(out, a.local);
    buf_putc(out, '@');
    buf_put_span(out, a.domain);
    for (size_t i = start; i < out->n; i++) {
        if (ends_line(out->p[i]) || out->p[i] == '\t') { /* of a quoted word that never ended */
            buf_truncate(out, start);
            return;
        }
        out->p[i] = ascii_lower(out->p[i]);
    }
}
