/*
 * dotted.c: texts that end with a line holding one dot (RFC 5321 section 4.5.2, RFC 3977
 * section 3.1.1). Only CR LF . CR LF ends a text: servers that took less have let one message
 * smuggle another.
 */
#include "line/engine.h"

#include "base/clock.h"

#include <errno.h>

enum { ENDLESS = 4 }; /* times the limit of a message */

struct dot_reader {
    bool line_start; /* after CR LF, or at the very start */
    bool after_cr;   /* the last byte was CR */
    size_t line_bytes;
    struct dotted *d;
};

/* Looks at content bytes up to where a line may start with a dot, or the end of `in`; returns how
 * many bytes are content. */
static size_t scan_content(struct dot_reader *r, struct span in)
{
    size_t i = 0;
    struct dotted *d = r->d;

    while (i < in.n) {
        if (r->line_start && in.p[i] == '.')
            return i;
        r->line_start = false;
        const char *at = in.p + i, *end = in.p + in.n;
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        const char *stop = nl ? nl : end;
        size_t n = (size_t)(stop - at);

        if (r->after_cr && n)
            d->bare_cr = true; /* the CR before this piece had no LF behind it */
        if (n) {
            const char *cr = memchr(at, '\r', n);
            if (cr && cr != stop - 1)
                d->bare_cr = true;
            r->after_cr = stop[-1] == '\r';
            r->line_bytes += n;
            if (!d->nul && memchr(at, 0, n))
                d->nul = true;
        }
        i += n;
        if (!nl)
            break;
        size_t text = r->line_bytes - (r->after_cr ? 1 : 0);
        if (text > d->longest_line)
            d->longest_line = text;
        if (r->after_cr)
            r->line_start = true;
        else
            d->bare_lf = true;
        r->after_cr = false;
        r->line_bytes = 0;
        i++;
    }
    return i;
}

/* `in` starts with a dot at the start of a line. 1: the end, 0: a stuffed dot, -1: more bytes are
 * needed to tell. */
static int dot_line(struct span in)
{
    if (in.n < 2)
        return -1;
    if (in.p[1] != '\r')
        return 0;
    if (in.n < 3)
        return -1;
    return in.p[2] == '\n';
}

int session_read_dotted(struct session *s, session_sink sink, void *arg, struct dotted *ret)
{
    struct dotted d = {0};
    struct dot_reader r = {.line_start = true, .d = &d};
    struct pace pace = {.began_ms = clock_mono_ms()};
    uint64_t most = ENDLESS * (uint64_t)s->vserver->limits.message_bytes;

    for (;;) {
        struct span in = conn_peek(s->conn);
        if (r.line_start && in.n && in.p[0] == '.') {
            int end = dot_line(in);
            if (end >= 0) {
                conn_consume(s->conn, end ? 3 : 1);
                if (end)
                    break;
                r.line_start = false;
                continue;
            }
        } else if (in.n) {
            size_t n = scan_content(&r, in);
            d.bytes += n;
            if (!d.sink && n)
                d.sink = sink(arg, span_head(in, n));
            conn_consume(s->conn, n);
            continue;
        }
        if (d.bytes > most) { /* it is refused already, and does not end */
            s->protocol->say(s, SESSION_TOO_LONG, NULL, SPAN_EMPTY);
            session_end(s);
            return -EMSGSIZE;
        }
        if (!session_fill_paced(s, &pace))
            return -ECONNRESET;
    }
    if (r.after_cr)
        d.bare_cr = true;
    *ret = d;
    return 0;
}

/* How far a text may go out as it is: to the next line that starts with a dot, or its end. */
static size_t run_bytes(struct span text)
{
    for (size_t n = 0; n < text.n;) {
        const char *nl = memchr(text.p + n, '\n', text.n - n);
        if (!nl)
            break;
        n = (size_t)(nl - text.p) + 1;
        if (n < text.n && text.p[n] == '.')
            return n;
    }
    return text.n;
}

void session_put_dotted(struct session *s, struct span text, struct dot_writer *w)
{
    while (text.n) {
        if (w->line_start && text.p[0] == '.')
            session_put(s, SPAN("."));
        size_t n = run_bytes(text);
        bool lf = text.p[n - 1] == '\n';
        bool before_cr = n > 1 ? text.p[n - 2] == '\r' : w->cr;
        w->line_start = lf;
        w->crlf = lf && before_cr;
        w->cr = text.p[n - 1] == '\r';
        session_put(s, span_head(text, n));
        text = span_skip(text, n);
    }
}

void session_end_dotted(struct session *s, struct dot_writer *w)
{
    session_puts(s, w->crlf ? ".\r\n" : "\r\n.\r\n");
    *w = DOT_WRITER;
}
