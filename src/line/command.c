/* command.c: from bytes to one complete command, and from its verb to the handler. */
#include "line/engine.h"

#include "base/log.h"
#include "base/parse.h"

#include <errno.h>

/* ------------------------------------------------------------------ reading */

/* "{123}" or "{123+}" at the end of a line: RFC 9051 section 4.3, RFC 7888. */
static bool literal_announced(struct span line, uint64_t *ret_bytes, bool *ret_sync)
{
    if (line.n < 3 || line.p[line.n - 1] != '}')
        return false;
    size_t open = span_rfind(line, '{');
    if (open == SPAN_NONE)
        return false;
    struct span digits = span_sub(line, open + 1, line.n - open - 2);
    bool sync = !(digits.n && digits.p[digits.n - 1] == '+');
    if (!sync)
        digits.n--;
    if (!span_to_u64(digits, UINT32_MAX, ret_bytes))
        return false;
    *ret_sync = sync;
    return true;
}

static uint64_t idle_ms(const struct session *s)
{
    return UINT64_C(1000) * s->vserver->limits.idle_timeout;
}

/* The next line of what has arrived, its end taken off; consumed from the connection by
 * `*ret_whole` bytes. */
static bool buffered_line(struct session *s, struct span *ret, size_t *ret_whole)
{
    struct span in = conn_peek(s->conn);
    size_t nl = span_find(in, '\n');
    if (nl == SPAN_NONE)
        return false;
    *ret_whole = nl + 1;
    *ret = span_head(in, nl && in.p[nl - 1] == '\r' ? nl - 1 : nl);
    return true;
}

/* Throws the rest of a line away that is longer than allowed. */
static bool skip_line(struct session *s)
{
    for (;;) {
        struct span in = conn_peek(s->conn);
        size_t nl = span_find(in, '\n');
        conn_consume(s->conn, nl == SPAN_NONE ? in.n : nl + 1);
        if (nl != SPAN_NONE)
            return true;
        if (!session_fill(s, idle_ms(s)))
            return false;
    }
}

static bool skip_bytes(struct session *s, uint64_t n)
{
    while (n) {
        struct span in = conn_peek(s->conn);
        if (in.n == 0) {
            if (!session_fill(s, idle_ms(s)))
                return false;
            continue;
        }
        size_t take = in.n < n ? in.n : (size_t)n;
        conn_consume(s->conn, take);
        n -= take;
    }
    return true;
}

/* A line inside a command or an exchange: waits for it. -1: session over, 0: too long (skipped), 1:
 * there. */
static int wait_line(struct session *s, size_t max, struct span *ret, size_t *ret_whole)
{
    while (!buffered_line(s, ret, ret_whole)) {
        if (conn_peek(s->conn).n > max)
            return skip_line(s) ? 0 : -1;
        if (!session_fill(s, idle_ms(s)))
            return -1;
    }
    if (ret->n > max) {
        conn_consume(s->conn, *ret_whole);
        return 0;
    }
    return 1;
}

static void split_tag(struct session *s, struct command_line *c)
{
    struct span rest = c->whole;
    if (s->protocol->tagged && !parse_word(&rest, 200, &c->tag))
        c->tag = SPAN_EMPTY;
}

static enum command_result refuse_too_long(struct session *s, struct span begin)
{
    struct command_line c = {.whole = begin};
    split_tag(s, &c);
    s->protocol->say(s, SESSION_TOO_LONG, &c, SPAN_EMPTY);
    session_error(s);
    return COMMAND_REFUSED;
}

/* The rest of a command after a literal that is not wanted was announced without waiting (n+): it
 * is on its way already. */
static bool skip_unwanted(struct session *s, uint64_t bytes)
{
    for (;;) {
        struct span line;
        size_t whole;
        bool sync;
        if (bytes > 2 * (uint64_t)s->vserver->limits.message_bytes || !skip_bytes(s, bytes))
            return false;
        int r = wait_line(s, s->vserver->limits.line_bytes, &line, &whole);
        if (r < 0)
            return false;
        if (r == 0)
            return true;
        bool more = literal_announced(line, &bytes, &sync) && !sync;
        conn_consume(s->conn, whole);
        if (!more)
            return true;
    }
}

enum literal_course {
    LITERAL_NONE,
    LITERAL_READ,
    LITERAL_TO_STREAM,
    LITERAL_TOO_LARGE,
    LITERAL_OVER
};

/* e->command ends with a line that may announce a literal: decides and, if it is taken, reads it.
 */
static enum literal_course command_literal(struct session *s, struct command_line *c)
{
    struct session_engine *e = s->engine;
    uint64_t bytes, left;
    bool sync;
    enum literal_answer answer = LITERAL_TAKE;

    if (!s->protocol->literals || e->diverted ||
        !literal_announced(buf_span(&e->command), &bytes, &sync))
        return LITERAL_NONE;
    if (s->protocol->literal)
        answer = s->protocol->literal(s, buf_span(&e->command), bytes, sync);
    if (answer == LITERAL_STREAM) {
        c->streaming = true;
        c->stream_sync = e->stream_sync = sync;
        c->stream_bytes = e->stream_left = bytes;
        return LITERAL_TO_STREAM;
    }
    if (answer == LITERAL_REFUSE || e->command.n + 2 + bytes > e->command.max) {
        if (!sync && !skip_unwanted(s, bytes)) {
            session_end(s);
            return LITERAL_OVER;
        }
        return LITERAL_TOO_LARGE;
    }
    buf_put_cstr(&e->command, "\r\n");
    if (sync) {
        session_puts(s, "+ Ready for literal data\r\n");
        if (session_flush(s) < 0)
            return LITERAL_OVER;
    }
    for (left = bytes; left;) {
        struct span in = span_head(conn_peek(s->conn), left);
        if (in.n == 0) {
            if (!session_fill(s, idle_ms(s)))
                return LITERAL_OVER;
            continue;
        }
        buf_put_span(&e->command, in);
        conn_consume(s->conn, in.n);
        left -= in.n;
    }
    return LITERAL_READ;
}

enum command_result command_read(struct session *s, struct command_line *c)
{
    struct session_engine *e = s->engine;
    size_t max = s->vserver->limits.line_bytes, whole;
    struct span line;

    *c = (struct command_line){0};
    if (!buffered_line(s, &line, &whole)) {
        struct span in = conn_peek(s->conn);
        if (in.n <= max)
            return COMMAND_MORE;
        char begin[64];
        struct span kept = span_head(in, sizeof(begin));
        memcpy(begin, kept.p, kept.n);
        if (!skip_line(s))
            return COMMAND_OVER;
        return refuse_too_long(s, span_of(begin, kept.n));
    }
    buf_clear(&e->command);
    for (;;) {
        bool fits = line.n <= max && buf_put_span(&e->command, line);
        conn_consume(s->conn, whole);
        if (!fits)
            return refuse_too_long(s, span_head(buf_span(&e->command), 64));
        switch (command_literal(s, c)) {
        case LITERAL_NONE:
        case LITERAL_TO_STREAM:
            c->whole = buf_span(&e->command);
            return COMMAND_READY;
        case LITERAL_TOO_LARGE:
            return refuse_too_long(s, buf_span(&e->command));
        case LITERAL_OVER:
            return COMMAND_OVER;
        case LITERAL_READ:
            break;
        }
        int r = wait_line(s, max, &line, &whole);
        if (r < 0)
            return COMMAND_OVER;
        if (r == 0)
            return refuse_too_long(s, buf_span(&e->command));
    }
}

void command_skip_stream(struct session *s)
{
    struct session_engine *e = s->engine;
    uint64_t left = e->stream_left;

    e->stream_left = 0;
    if (left == 0 || s->closing || e->stream_sync) /* nobody asked for it: it does not come */
        return;
    if (!skip_unwanted(s, left))
        session_end(s);
}

/* ------------------------------------------------------------------ reading inside a handler */

int session_read_line(struct session *s, size_t max, struct span *ret)
{
    struct session_engine *e = s->engine;
    struct span line;
    size_t whole;
    int r = wait_line(s, max, &line, &whole);

    if (r < 0)
        return -ECONNRESET;
    if (r == 0)
        return -EMSGSIZE;
    buf_clear(&e->line);
    bool fits = buf_put_span(&e->line, line);
    conn_consume(s->conn, whole);
    if (!fits)
        return -EMSGSIZE;
    *ret = buf_span(&e->line);
    return 0;
}

int session_read_bytes(struct session *s, uint64_t n, session_sink sink, void *arg, int *ret_sink)
{
    struct session_engine *e = s->engine;
    int failed = 0;

    while (n) {
        struct span in = span_head(conn_peek(s->conn), n);
        if (in.n == 0) {
            if (!session_fill(s, idle_ms(s)))
                return -ECONNRESET;
            continue;
        }
        if (!failed)
            failed = sink(arg, in);
        conn_consume(s->conn, in.n);
        n -= in.n;
        e->stream_left -= e->stream_left < in.n ? e->stream_left : in.n;
    }
    *ret_sink = failed;
    return 0;
}

/* ------------------------------------------------------------------ dispatch */

static bool verb_is(const char *verb, struct span text)
{
    size_t n = strlen(verb);
    return text.n == n && ascii_upper(text.p[0]) == verb[0] && span_is(text, verb);
}

/* The row of a verb: two-word rows first. `args` is moved past the verb. */
static const struct command *find_row(const struct protocol *p, struct span *args,
                                      struct span *ret_verb)
{
    struct span rest = *args, word, two = *args, second;

    size_t blank = span_find(rest, ' ');
    word = blank == SPAN_NONE ? rest : span_head(rest, blank);
    *ret_verb = word;
    if (word.n == 0)
        return NULL;
    if (blank != SPAN_NONE) {
        struct span after = span_skip(rest, blank + 1);
        size_t end = span_find(after, ' ');
        second = end == SPAN_NONE ? after : span_head(after, end);
        two = span_head(rest, word.n + 1 + second.n);
        for (size_t i = 0; second.n && i < p->command_count; i++)
            if (strchr(p->commands[i].verb, ' ') && verb_is(p->commands[i].verb, two)) {
                *ret_verb = two;
                *args = span_skip(rest, two.n + 1);
                return &p->commands[i];
            }
    }
    for (size_t i = 0; i < p->command_count; i++)
        if (verb_is(p->commands[i].verb, word)) {
            *args = span_skip(rest, word.n + 1);
            return &p->commands[i];
        }
    return NULL;
}

static void refuse(struct session *s, enum session_event why, const struct command_line *c,
                   const char *detail)
{
    s->protocol->say(s, why, c, span_cstr(detail));
    session_error(s);
}

void command_dispatch(struct session *s, struct command_line *c)
{
    struct span rest = c->whole;
    const struct command *row;

    if (s->protocol->tagged) {
        size_t blank = span_find(rest, ' ');
        if (blank == SPAN_NONE || blank == 0) {
            refuse(s, SESSION_UNKNOWN_COMMAND, c, "a tag and a command");
            return;
        }
        c->tag = span_head(rest, blank);
        rest = span_skip(rest, blank + 1);
    }
    row = find_row(s->protocol, &rest, &c->verb);
    c->row = row;
    c->args = rest;
    if (!row) {
        refuse(s, SESSION_UNKNOWN_COMMAND, c, NULL);
        return;
    }
    if (row->flags & COMMAND_LOGIN && !s->tls) {
        tls_context_counters(s->engine->vserver->tls)->plaintext_credentials++;
        log_warn("%s %s: login tried without TLS, refused", s->vserver->name,
                 conn_peer_text(s->conn));
        refuse(s, SESSION_LOGIN_CLEAR, c, NULL);
        return;
    }
    if (!(row->flags & COMMAND_CLEAR) && session_needs_tls(s)) {
        refuse(s, SESSION_NEED_TLS, c, NULL);
        return;
    }
    if (!(row->states & s->state)) {
        refuse(s, SESSION_BAD_STATE, c, NULL);
        return;
    }
    if ((row->flags & COMMAND_NO_ARGS && span_trim(c->args).n) ||
        (row->flags & COMMAND_ARGS && c->args.n == 0)) {
        refuse(s, SESSION_BAD_ARGS, c, row->syntax);
        return;
    }
    s->doing = row->verb;
    row->run(s, c);
}
