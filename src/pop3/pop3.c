/* pop3.c: the commands of POP3. One small protocol, one file; the messages themselves are in
 * maildrop.c. */
#include "pop3/pop3.h"

#include "base/check.h"
#include "base/parse.h"
#include "line/worker.h"
#include "pop3/maildrop.h"

#include <errno.h>
#include <inttypes.h>

enum { AUTHORIZATION = 1, TRANSACTION = 2 };
enum { NAME_MAX_BYTES = AUTH_NAME_MAX, CHUNK_BYTES = 32 << 10 };

struct pop3 {
    struct maildrop drop;
    char user[NAME_MAX_BYTES + 1]; /* from USER */
};

/* ------------------------------------------------------------------ words */

static void say(struct session *s, enum session_event e, const struct command_line *c,
                struct span detail)
{
    switch (e) {
    case SESSION_UNKNOWN_COMMAND:
        session_puts(s, "-ERR Unknown command\r\n");
        break;
    case SESSION_BAD_STATE:
        session_puts(s, s->state == TRANSACTION ? "-ERR Not after login\r\n"
                                                : "-ERR Log in first\r\n");
        break;
    case SESSION_NEED_TLS:
        session_puts(s, "-ERR [AUTH] Secure channel required: use STLS first\r\n");
        break;
    case SESSION_LOGIN_CLEAR:
        session_puts(s, session_can_start_tls(s)
                            ? "-ERR [AUTH] No login without TLS: use STLS first\r\n"
                            : "-ERR [AUTH] No login without TLS\r\n");
        break;
    case SESSION_BAD_ARGS:
        if (detail.n)
            session_printf(s, "-ERR Usage: %s %.*s\r\n", c->row->verb, SPAN_ARG(detail));
        else
            session_printf(s, "-ERR %s takes no argument\r\n", c->row->verb);
        break;
    case SESSION_TOO_LONG:
        session_puts(s, "-ERR Line too long\r\n");
        break;
    case SESSION_TOO_MANY_ERRORS:
        session_puts(s, "-ERR Too many bad commands, closing\r\n");
        break;
    case SESSION_TIMEOUT:
        session_puts(s, "-ERR [SYS/TEMP] Timed out, closing\r\n");
        break;
    case SESSION_SHUTDOWN:
        session_printf(s, "-ERR [SYS/TEMP] Closing: %.*s\r\n", SPAN_ARG(detail));
        break;
    case SESSION_BUSY:
        session_puts(s, "-ERR [SYS/TEMP] Too many connections, try again later\r\n");
        break;
    case SESSION_WEAK:
        session_puts(s, "-ERR [AUTH] 128-bit encryption required\r\n");
        break;
    }
}

/* All that may stand outside TLS: the words above, the greeting and the answers to CAPA, STLS and
 * QUIT. */
static bool plain_allowed(struct span line)
{
    static const char *const whole[] = {
        ".\r\n",
        "TOP\r\n",
        "UIDL\r\n",
        "RESP-CODES\r\n",
        "AUTH-RESP-CODE\r\n",
        "PIPELINING\r\n",
        "STLS\r\n",
        "EXPIRE NEVER\r\n",
        "UTF8 USER\r\n",
        "IMPLEMENTATION sealpost\r\n",
        "+OK Capability list follows\r\n",
        "+OK Begin TLS\r\n",
        "+OK Bye\r\n",
    };
    if (span_starts(line, SPAN("-ERR ")) || span_starts(line, SPAN("+OK sealpost POP3 ")))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(whole); i++)
        if (span_eq_cstr(line, whole[i]))
            return true;
    return false;
}

/* ------------------------------------------------------------------ before login */

static bool open_session(struct session *s)
{
    session_printf(s, "+OK sealpost POP3 %s ready\r\n",
                   s->vserver->names.n ? s->vserver->names.v[0] : s->conf->hostname);
    return true;
}

static void close_session(struct session *s)
{
    struct pop3 *p = session_data(s);
    maildrop_close(&p->drop);
}

static void tls_started(struct session *s)
{
    struct pop3 *p = session_data(s);
    p->user[0] = 0;
}

static void cmd_capa(struct session *s, struct command_line *c)
{
    (void)c;
    session_puts(s, "+OK Capability list follows\r\n"
                    "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n");
    if (session_can_start_tls(s))
        session_puts(s, "STLS\r\n");
    if (s->tls)
        session_printf(s, "USER\r\nSASL %s\r\n", session_mechanisms(s));
    session_puts(s, "EXPIRE NEVER\r\nUTF8 USER\r\nIMPLEMENTATION sealpost\r\n.\r\n");
}

static void cmd_stls(struct session *s, struct command_line *c)
{
    (void)c;
    if (s->tls) {
        session_puts(s, "-ERR TLS is on already\r\n");
        return;
    }
    if (!session_can_start_tls(s)) {
        session_puts(s, "-ERR [SYS/TEMP] TLS is not available\r\n");
        return;
    }
    session_puts(s, "+OK Begin TLS\r\n");
    session_start_tls(s);
}

/* After a login: the maildrop as it is now. */
static void enter_transaction(struct session *s)
{
    struct pop3 *p = session_data(s);
    uint32_t count;
    uint64_t bytes;
    int r = maildrop_open(&p->drop, s->worker->store, s->user.account);

    if (r < 0) {
        session_puts(s, "-ERR [SYS/TEMP] The mailbox is not available, try again later\r\n");
        session_end(s);
        return;
    }
    s->state = TRANSACTION;
    maildrop_totals(&p->drop, &count, &bytes);
    session_printf(s, "+OK %" PRIu32 " messages (%" PRIu64 " octets)\r\n", count, bytes);
}

static void login_answer(struct session *s, enum auth_outcome o)
{
    switch (o) {
    case LOGIN_OK:
        enter_transaction(s);
        break;
    case LOGIN_TEMPORARY:
        session_puts(s, "-ERR [SYS/TEMP] Login is not available, try again later\r\n");
        break;
    case LOGIN_BAD_BASE64:
    case LOGIN_INVALID:
        session_puts(s, "-ERR Malformed authentication exchange\r\n");
        session_error(s);
        break;
    case LOGIN_CANCELLED:
        session_puts(s, "-ERR Authentication cancelled\r\n");
        break;
    case LOGIN_UNKNOWN_MECHANISM:
        session_puts(s, "-ERR Unknown authentication mechanism\r\n");
        session_error(s);
        break;
    case LOGIN_FAILED:
        session_puts(s, "-ERR [AUTH] Authentication failed\r\n");
        break;
    case LOGIN_GONE:
        break;
    }
}

static void cmd_user(struct session *s, struct command_line *c)
{
    struct pop3 *p = session_data(s);
    if (!span_to_cstr(c->args, p->user, sizeof(p->user))) {
        session_puts(s, "-ERR Name too long\r\n");
        session_error(s);
        return;
    }
    session_puts(s, "+OK Send PASS\r\n");
}

static void cmd_pass(struct session *s, struct command_line *c)
{
    struct pop3 *p = session_data(s);
    if (!p->user[0]) {
        session_puts(s, "-ERR USER comes first\r\n");
        session_error(s);
        return;
    }
    enum auth_outcome o = session_password(s, span_cstr(p->user), c->args);
    p->user[0] = 0;
    login_answer(s, o);
}

static void cmd_auth(struct session *s, struct command_line *c)
{
    static const struct sasl_words words = {.challenge = "+ ", .line_max = 12 << 10};
    struct span rest = c->args, mechanism, initial = SPAN_EMPTY;

    if (!rest.n) { /* RFC 5034 leaves it to CAPA; older clients ask so */
        session_puts(s, "+OK Mechanisms follow\r\n");
        struct span all = span_cstr(session_mechanisms(s));
        while (parse_word(&all, 64, &mechanism))
            session_printf(s, "%.*s\r\n", SPAN_ARG(mechanism));
        session_puts(s, ".\r\n");
        return;
    }
    if (!parse_word(&rest, 64, &mechanism) || (rest.n && !parse_word(&rest, 8192, &initial)) ||
        span_trim(rest).n) {
        say(s, SESSION_BAD_ARGS, c, span_cstr(c->row->syntax));
        session_error(s);
        return;
    }
    login_answer(s, session_sasl(s, mechanism, initial, &words, NULL));
}

static void cmd_utf8(struct session *s, struct command_line *c)
{
    (void)c;
    session_puts(s, "+OK UTF8 enabled\r\n");
}

/* ------------------------------------------------------------------ messages */

static struct drop_message *message_arg(struct session *s, struct span arg)
{
    struct pop3 *p = session_data(s);
    uint64_t number;
    struct drop_message *m = NULL;

    if (span_to_u64(span_trim(arg), UINT32_MAX, &number))
        m = maildrop_get(&p->drop, number);
    if (!m)
        session_puts(s, "-ERR No such message\r\n");
    return m;
}

static void cmd_stat(struct session *s, struct command_line *c)
{
    struct pop3 *p = session_data(s);
    uint32_t count;
    uint64_t bytes;
    (void)c;
    maildrop_totals(&p->drop, &count, &bytes);
    session_printf(s, "+OK %" PRIu32 " %" PRIu64 "\r\n", count, bytes);
}

static void cmd_list(struct session *s, struct command_line *c)
{
    struct pop3 *p = session_data(s);
    uint32_t count;
    uint64_t bytes;

    if (c->args.n) {
        struct drop_message *m = message_arg(s, c->args);
        if (m)
            session_printf(s, "+OK %td %" PRIu32 "\r\n", m - p->drop.messages + 1, m->size);
        return;
    }
    maildrop_totals(&p->drop, &count, &bytes);
    session_printf(s, "+OK %" PRIu32 " messages (%" PRIu64 " octets)\r\n", count, bytes);
    for (uint32_t i = 0; i < p->drop.count; i++)
        if (!p->drop.messages[i].deleted)
            session_printf(s, "%" PRIu32 " %" PRIu32 "\r\n", i + 1, p->drop.messages[i].size);
    session_puts(s, ".\r\n");
}

static void cmd_uidl(struct session *s, struct command_line *c)
{
    struct pop3 *p = session_data(s);
    uint32_t validity = p->drop.uidvalidity;

    if (c->args.n) {
        struct drop_message *m = message_arg(s, c->args);
        if (m)
            session_printf(s, "+OK %td %08" PRIx32 "%08" PRIx32 "\r\n", m - p->drop.messages + 1,
                           validity, m->uid);
        return;
    }
    session_puts(s, "+OK Unique ids follow\r\n");
    for (uint32_t i = 0; i < p->drop.count; i++)
        if (!p->drop.messages[i].deleted)
            session_printf(s, "%" PRIu32 " %08" PRIx32 "%08" PRIx32 "\r\n", i + 1, validity,
                           p->drop.messages[i].uid);
    session_puts(s, ".\r\n");
}

/* The part of a message that TOP shows: the header with its empty line and `lines` lines. State
 * across chunks. */
struct top {
    bool all;
    bool in_body;
    bool line_empty; /* nothing but CR on this line so far */
    uint64_t lines;
};

/* How much of `chunk` still belongs to the answer; less than all of it: that was the last. */
static size_t top_take(struct top *t, struct span chunk)
{
    size_t i = 0;
    if (t->all)
        return chunk.n;
    while (i < chunk.n) {
        if (t->in_body && t->lines == 0)
            return i;
        const char *nl = memchr(chunk.p + i, '\n', chunk.n - i);
        size_t end = nl ? (size_t)(nl - chunk.p) : chunk.n;
        for (size_t k = i; t->line_empty && k < end; k++)
            t->line_empty = chunk.p[k] == '\r';
        if (!nl)
            return chunk.n;
        if (t->in_body)
            t->lines--;
        else if (t->line_empty)
            t->in_body = true;
        t->line_empty = true;
        i = end + 1;
    }
    return i;
}

/* Sends the message chunk by chunk: no more than one chunk of it is in memory, and no snapshot is
 * held meanwhile. */
static void send_message(struct session *s, const struct drop_message *m, struct top *t)
{
    struct pop3 *p = session_data(s);
    struct buf chunk BUF_AUTO = BUF(CHUNK_BYTES);
    struct store_read r;
    struct message_info info;
    struct dot_writer writer = DOT_WRITER;

    int err = store_read_begin(s->worker->store, &r);
    if (err == 0) {
        err = store_message_get(&r, p->drop.mailbox, m->uid, &info);
        store_read_end(&r);
    }
    if (err == 0)
        err = store_message_read(s->worker->store, &info, 0, CHUNK_BYTES, &chunk);
    if (err < 0) {
        session_puts(s, err == -ENOENT ? "-ERR The message has been removed elsewhere\r\n"
                                       : "-ERR [SYS/TEMP] The message cannot be read now\r\n");
        return;
    }
    session_printf(s, "+OK %" PRIu32 " octets\r\n", info.size);
    for (uint64_t at = 0; chunk.n; at += CHUNK_BYTES) {
        size_t take = top_take(t, buf_span(&chunk));
        session_put_dotted(s, span_head(buf_span(&chunk), take), &writer);
        session_give_turn(s);
        if (take < chunk.n || s->closing)
            break;
        buf_clear(&chunk);
        if (at + CHUNK_BYTES >= info.size)
            break;
        if (store_message_read(s->worker->store, &info, at + CHUNK_BYTES, CHUNK_BYTES, &chunk) <
            0) {
            session_end(s); /* half a message must not look like a whole one */
            return;
        }
    }
    session_end_dotted(s, &writer);
}

static void cmd_retr(struct session *s, struct command_line *c)
{
    struct top all = {.all = true};
    struct drop_message *m = message_arg(s, c->args);
    if (m)
        send_message(s, m, &all);
}

/* Digits; what no message can have is all of it. */
static bool count_of_lines(struct span digits, uint64_t *ret)
{
    for (size_t i = 0; i < digits.n; i++)
        if (!ascii_is_digit(digits.p[i]))
            return false;
    if (!span_to_u64(digits, UINT64_MAX, ret))
        *ret = UINT64_MAX;
    return digits.n != 0;
}

static void cmd_top(struct session *s, struct command_line *c)
{
    struct span rest = c->args, number, lines;
    struct top t = {.line_empty = true};

    if (!parse_word(&rest, 20, &number) || !parse_word(&rest, 200, &lines) || span_trim(rest).n ||
        !count_of_lines(lines, &t.lines)) {
        say(s, SESSION_BAD_ARGS, c, span_cstr(c->row->syntax));
        session_error(s);
        return;
    }
    struct drop_message *m = message_arg(s, number);
    if (m)
        send_message(s, m, &t);
}

static void cmd_dele(struct session *s, struct command_line *c)
{
    struct drop_message *m = message_arg(s, c->args);
    if (!m)
        return;
    m->deleted = true;
    session_puts(s, "+OK Marked for removal\r\n");
}

static void cmd_rset(struct session *s, struct command_line *c)
{
    struct pop3 *p = session_data(s);
    (void)c;
    for (uint32_t i = 0; i < p->drop.count; i++)
        p->drop.messages[i].deleted = false;
    session_puts(s, "+OK\r\n");
}

static void cmd_noop(struct session *s, struct command_line *c)
{
    (void)c;
    session_puts(s, "+OK\r\n");
}

static void cmd_quit(struct session *s, struct command_line *c)
{
    struct pop3 *p = session_data(s);
    int r = 0;
    (void)c;
    if (p->drop.open)
        r = maildrop_remove_marked(&p->drop, s->worker->store,
                                   span_of(s->user.grant, s->user.grant_bytes));
    session_puts(
        s, r < 0 ? "-ERR [SYS/TEMP] Deleted messages could not be removed, they are still there\r\n"
                 : "+OK Bye\r\n");
    session_end(s);
}

/* ------------------------------------------------------------------ the protocol */

#define CMD(verb, handler, states, flags, syntax, rfc, help)                                       \
    {verb, handler, states, flags, syntax, rfc, help},
static const struct command commands[] = {
#include "pop3/commands.def"
};
#undef CMD

static const char *const alpn[] = {"pop3", NULL};

const struct protocol pop3_protocol = {
    .name = "pop3",
    .commands = commands,
    .command_count = ARRAY_LEN(commands),
    .data_bytes = sizeof(struct pop3),
    .initial_state = AUTHORIZATION,
    .alpn = alpn,
    .open = open_session,
    .close = close_session,
    .tls_started = tls_started,
    .say = say,
    .plain_allowed = plain_allowed,
};
