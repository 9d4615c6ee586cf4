/* command.c: from bytes to one complete command, and from its verb to the handler. */
#include "line/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"

#include <errno.h>

enum {
    TAIL_BYTES = 16, /* "{4294967295+}" fits */
    TAG_BYTES = 64,
};

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

/* Takes a line off, however long. *ret_bytes: of a literal that it announces without waiting (n+)
 * and that is on its way, so that its bytes must not be read as commands; -1: none. False: the
 * session is over. */
static bool take_off_line(struct session *s, int64_t *ret_bytes)
{
    char tail[TAIL_BYTES];
    size_t n = 0;
    struct pace pace = {.began_ms = clock_mono_ms()};

    for (;;) {
        struct span in = conn_peek(s->conn);
        size_t nl = span_find(in, '\n');
        struct span part = nl == SPAN_NONE ? in : span_head(in, nl);
        struct span last = part.n > TAIL_BYTES ? span_skip(part, part.n - TAIL_BYTES) : part;
        size_t keep = n + last.n > TAIL_BYTES ? TAIL_BYTES - last.n : n;
        memmove(tail, tail + n - keep, keep);
        if (last.n)
            memcpy(tail + keep, last.p, last.n);
        n = keep + last.n;
        conn_consume(s->conn, nl == SPAN_NONE ? in.n : nl + 1);
        if (nl != SPAN_NONE)
            break;
        if (!session_fill_paced(s, &pace))
            return false;
    }
    uint64_t bytes;
    bool sync;
    struct span end = span_of(tail, n - (n && tail[n - 1] == '\r'));
    *ret_bytes = -1;
    if (s->protocol->literals && !s->engine->diverted && literal_announced(end, &bytes, &sync) &&
        !sync)
        *ret_bytes = (int64_t)bytes;
    return true;
}

static bool skip_bytes(struct session *s, uint64_t n)
{
    struct pace pace = {.began_ms = clock_mono_ms()};
    while (n) {
        struct span in = conn_peek(s->conn);
        if (in.n == 0) {
            if (!session_fill_paced(s, &pace))
                return false;
            continue;
        }
        size_t take = in.n < n ? in.n : (size_t)n;
        conn_consume(s->conn, take);
        n -= take;
    }
    return true;
}

/* The rest of a command after a literal of so many bytes that is not wanted and on its way. False:
 * the session is over. */
static bool skip_unwanted(struct session *s, int64_t bytes)
{
    while (bytes >= 0) {
        if ((uint64_t)bytes > 2 * (uint64_t)s->vserver->limits.message_bytes) {
            session_end(s);
            return false;
        }
        if (!skip_bytes(s, (uint64_t)bytes) || !take_off_line(s, &bytes))
            return false;
    }
    return true;
}

/* The rest of a command whose line at hand is refused. */
static bool skip_line(struct session *s)
{
    int64_t bytes;
    return take_off_line(s, &bytes) && skip_unwanted(s, bytes);
}

/* A line inside a command or an exchange: waits for it. -1: session over, 0: too long (skipped), 1:
 * there. */
static int wait_line(struct session *s, size_t max, struct span *ret, size_t *ret_whole)
{
    uint64_t deadline = clock_mono_ms() + session_patience_ms(s);

    while (!buffered_line(s, ret, ret_whole)) {
        if (conn_peek(s->conn).n > max + 1) /* a CR may be the first half of the end */
            return skip_line(s) ? 0 : -1;
        uint64_t now = clock_mono_ms();
        if (!session_fill(s, deadline > now ? deadline - now : 1))
            return -1;
    }
    if (ret->n > max)
        return skip_line(s) ? 0 : -1;
    return 1;
}

static bool tag_valid(const struct session *s, struct span tag)
{
    return tag.n && (!s->protocol->tag_valid || s->protocol->tag_valid(tag));
}

static void split_tag(struct session *s, struct command_line *c)
{
    struct span rest = c->whole;
    if (s->protocol->tagged && (!parse_word(&rest, 200, &c->tag) || !tag_valid(s, c->tag)))
        c->tag = SPAN_EMPTY;
}

static enum command_result refuse_too_long(struct session *s, struct span begin)
{
    struct command_line c = {.whole = begin};
    if (s->engine->diverted) { /* its begin is no command and has no tag */
        s->protocol->line(s, begin);
        return COMMAND_REFUSED;
    }
    split_tag(s, &c);
    s->protocol->say(s, SESSION_TOO_LONG, &c, SPAN_EMPTY);
    session_error(s);
    return COMMAND_REFUSED;
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
        e->stream_untouched = true;
        return LITERAL_TO_STREAM;
    }
    if (answer == LITERAL_REFUSE || e->command.n + 2 + bytes > e->command.max) {
        if (!sync && !skip_unwanted(s, (int64_t)bytes))
            return LITERAL_OVER;
        return LITERAL_TOO_LARGE;
    }
    buf_put_cstr(&e->command, "\r\n");
    if (sync) {
        session_puts(s, "+ Ready for literal data\r\n");
        if (session_flush(s) < 0)
            return LITERAL_OVER;
    }
    struct pace pace = {.began_ms = clock_mono_ms()};
    for (left = bytes; left;) {
        struct span in = span_head(conn_peek(s->conn), left);
        if (in.n == 0) {
            if (!session_fill_paced(s, &pace))
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
    bool there = buffered_line(s, &line, &whole);
    struct span in = conn_peek(s->conn);
    if (!there && in.n <= max + 1) /* a CR may be the first half of the end */
        return COMMAND_MORE;
    buf_clear(&e->command);
    if (!there || line.n > max) {
        buf_put_span(&e->command, span_head(in, TAG_BYTES)); /* what its answer needs */
        if (!skip_line(s))
            return COMMAND_OVER;
        return refuse_too_long(s, buf_span(&e->command));
    }
    for (;;) {
        if (!buf_put_span(&e->command, line)) {
            if (!skip_line(s))
                return COMMAND_OVER;
            return refuse_too_long(s, buf_span(&e->command));
        }
        conn_consume(s->conn, whole);
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
    if (!e->stream_untouched && left == 0)
        return;
    e->stream_untouched = false;
    if (!s->closing && !e->stream_sync) /* otherwise nobody asked for it: it does not come */
        skip_unwanted(s, (int64_t)left);
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
    struct pace pace = {.began_ms = clock_mono_ms()};
    int failed = 0;

    e->stream_untouched = false;
    while (n) {
        struct span in = span_head(conn_peek(s->conn), n);
        if (in.n == 0) {
            if (!session_fill_paced(s, &pace))
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

/* Up to the first blank. */
static struct span first_word(const struct protocol *p, struct span s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] != ' ' && (p->tagged || s.p[n] != '\t'))
        n++;
    return span_head(s, n);
}

static bool two_words_are(const char *verb, struct span first, struct span second)
{
    const char *blank = strchr(verb, ' ');
    return blank && first.n == (size_t)(blank - verb) &&
           span_eq_nocase(first, span_of(verb, first.n)) && span_is(second, blank + 1);
}

/* The row of a verb: two-word rows first. `args` is moved past the verb and one blank. Between two
 * words of a verb IMAP has one SP; NNTP any SP and TAB (RFC 3977 section 3.1). */
static const struct command *find_row(const struct protocol *p, struct span *args,
                                      struct span *ret_verb)
{
    struct span word = first_word(p, *args);
    struct span after = span_skip(*args, word.n + 1);

    *ret_verb = word;
    if (word.n == 0)
        return NULL;
    if (!p->tagged)
        parse_blanks(&after);
    struct span second = first_word(p, after);
    for (size_t i = 0; second.n && i < p->command_count; i++)
        if (two_words_are(p->commands[i].verb, word, second)) {
            *ret_verb = span_between(word.p, second.p + second.n);
            *args = span_skip(after, second.n + 1);
            return &p->commands[i];
        }
    for (size_t i = 0; i < p->command_count; i++)
        if (verb_is(p->commands[i].verb, word)) {
            *args = span_skip(*args, word.n + 1);
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
        if (blank == SPAN_NONE || !tag_valid(s, span_head(rest, blank))) {
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
