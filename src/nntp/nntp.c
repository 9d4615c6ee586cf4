/* nntp.c: the frame of NNTP: greeting, capabilities, login, and the table of commands. */
#include "nntp/nntp.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/parse.h"
#include "nntp/reader.h"

#include <inttypes.h>

const char *reader_host(const struct session *s)
{
    return s->vserver->names.n ? s->vserver->names.v[0] : s->conf->hostname;
}

/* ------------------------------------------------------------------ words */

static void say(struct session *s, enum session_event e, const struct command_line *c,
                struct span detail)
{
    switch (e) {
    case SESSION_UNKNOWN_COMMAND:
        session_puts(s, "500 Unknown command\r\n");
        break;
    case SESSION_BAD_STATE:
        session_puts(s, "502 Not now\r\n");
        break;
    case SESSION_NEED_TLS:
        session_puts(s, "483 Secure channel required: send STARTTLS first\r\n");
        break;
    case SESSION_LOGIN_CLEAR:
        session_puts(s, session_can_start_tls(s)
                            ? "483 No login without TLS: send STARTTLS first\r\n"
                            : "483 No login without TLS\r\n");
        break;
    case SESSION_BAD_ARGS:
        if (detail.n)
            session_printf(s, "501 Usage: %s %.*s\r\n", c->row->verb, SPAN_ARG(detail));
        else
            session_printf(s, "501 %s takes no argument\r\n", c->row->verb);
        break;
    case SESSION_TOO_LONG:
        session_puts(s, "501 Line too long\r\n");
        break;
    case SESSION_TOO_MANY_ERRORS:
        session_puts(s, "400 Too many bad commands, closing\r\n");
        break;
    case SESSION_TIMEOUT:
        session_puts(s, "400 Timed out, closing\r\n");
        break;
    case SESSION_SHUTDOWN:
        session_printf(s, "400 Closing: %.*s\r\n", SPAN_ARG(detail));
        break;
    case SESSION_BUSY:
        session_puts(s, "400 Too many connections, try again later\r\n");
        break;
    case SESSION_WEAK:
        session_puts(s, "400 128-bit encryption required\r\n");
        break;
    }
}

/* Outside TLS: status lines and the block of CAPABILITIES. */
static bool plain_allowed(struct span line)
{
    static const char *const whole[] = {
        ".\r\n",        "VERSION 2\r\n", "IMPLEMENTATION sealpost\r\n",
        "STARTTLS\r\n", "READER\r\n",    "LIST ACTIVE\r\n",
    };
    if (line.n >= 5 && ascii_is_digit(line.p[0]) && ascii_is_digit(line.p[1]) &&
        ascii_is_digit(line.p[2]) && line.p[3] == ' ')
        return true;
    for (size_t i = 0; i < ARRAY_LEN(whole); i++)
        if (span_eq_cstr(line, whole[i]))
            return true;
    return false;
}

void reader_usage(struct session *s, const struct command_line *c)
{
    session_printf(s, "501 Usage: %s %s\r\n", c->row->verb, c->row->syntax);
    session_error(s);
}

void reader_unavailable(struct session *s)
{
    session_puts(s, "403 The store is not available, try again later\r\n");
}

/* ------------------------------------------------------------------ course */

static bool may_read(const struct session *s)
{
    return s->user.account || s->vserver->anonymous_read;
}

static bool may_post(const struct session *s)
{
    return s->user.account ? (s->user.rights & GRANT_POST) != 0 : s->vserver->anonymous_post;
}

bool reader_may_read(struct session *s)
{
    if (may_read(s)) {
        session_settled(s);
        return true;
    }
    session_puts(s, "480 Log in first\r\n");
    return false;
}

static bool open_session(struct session *s)
{
    bool post = may_post(s) || !s->user.account; /* after login, usually */
    session_printf(s, "%s %s sealpost NNTP ready\r\n", post ? "200" : "201", reader_host(s));
    return true;
}

static void tls_started(struct session *s)
{
    struct reader *r = session_data(s);
    *r = (struct reader){0};
}

static void cmd_capabilities(struct session *s, struct command_line *c)
{
    (void)c;
    session_puts(s, "101 Capability list follows\r\nVERSION 2\r\nIMPLEMENTATION sealpost\r\n");
    if (session_can_start_tls(s))
        session_puts(s, "STARTTLS\r\n");
    if (s->tls && !s->user.account)
        session_printf(s, "AUTHINFO USER SASL\r\nSASL %s\r\n", session_mechanisms(s));
    if (!session_needs_tls(s)) {
        session_puts(s, "READER\r\nLIST ACTIVE ACTIVE.TIMES NEWSGROUPS COUNTS OVERVIEW.FMT HEADERS "
                        "SUBSCRIPTIONS\r\n"
                        "OVER MSGID\r\nHDR\r\nNEWNEWS\r\n");
        if (may_post(s))
            session_puts(s, "POST\r\n");
    }
    session_puts(s, ".\r\n");
}

static void cmd_mode_reader(struct session *s, struct command_line *c)
{
    (void)c;
    /* 201 would make readers hide their commands to post, though a login is still to come */
    session_puts(s, may_post(s) || !s->user.account ? "200 Posting allowed\r\n"
                                                    : "201 No posting\r\n");
}

static void cmd_quit(struct session *s, struct command_line *c)
{
    (void)c;
    session_puts(s, "205 Bye\r\n");
    session_end(s);
}

static void cmd_starttls(struct session *s, struct command_line *c)
{
    (void)c;
    if (s->tls) {
        session_puts(s, "502 TLS is on already\r\n");
        session_error(s);
        return;
    }
    if (!session_can_start_tls(s)) {
        session_puts(s, "580 TLS is not available\r\n");
        return;
    }
    session_puts(s, "382 Begin TLS\r\n");
    session_start_tls(s);
}

static void cmd_date(struct session *s, struct command_line *c)
{
    struct buf now BUF_AUTO = BUF(32);
    (void)c;
    date_print_nntp(&now, clock_seconds());
    session_printf(s, "111 %.*s\r\n", SPAN_ARG(buf_span(&now)));
}

/* ------------------------------------------------------------------ login */

static bool login_in_order(struct session *s)
{
    if (!s->user.account)
        return true;
    session_puts(s, "502 Logged in already\r\n");
    session_error(s);
    return false;
}

static void login_answer(struct session *s, enum auth_outcome o, struct span final)
{
    switch (o) {
    case LOGIN_OK:
        if (final.n)
            session_printf(s, "283 %.*s\r\n", SPAN_ARG(final));
        else
            session_puts(s, "281 Logged in\r\n");
        break;
    case LOGIN_FAILED:
        session_puts(s, "481 Authentication failed\r\n");
        break;
    case LOGIN_TEMPORARY:
        session_puts(s, "403 Login is not available, try again later\r\n");
        break;
    case LOGIN_BAD_BASE64:
        session_puts(s, "504 Not base64\r\n");
        session_error(s);
        break;
    case LOGIN_CANCELLED:
        session_puts(s, "481 Authentication cancelled\r\n");
        break;
    case LOGIN_UNKNOWN_MECHANISM:
        session_puts(s, "503 Unknown authentication mechanism\r\n");
        session_error(s);
        break;
    case LOGIN_INVALID:
        session_puts(s, "482 Malformed authentication exchange\r\n");
        session_error(s);
        break;
    case LOGIN_GONE:
        break;
    }
}

static void cmd_authinfo_user(struct session *s, struct command_line *c)
{
    struct reader *r = session_data(s);
    if (!login_in_order(s))
        return;
    if (!span_to_cstr(c->args, r->user, sizeof(r->user))) {
        reader_usage(s, c);
        return;
    }
    session_puts(s, "381 Send AUTHINFO PASS\r\n");
}

static void cmd_authinfo_pass(struct session *s, struct command_line *c)
{
    struct reader *r = session_data(s);
    if (!login_in_order(s))
        return;
    if (!r->user[0]) {
        session_puts(s, "482 AUTHINFO USER comes first\r\n");
        session_error(s);
        return;
    }
    enum auth_outcome o = session_password(s, span_cstr(r->user), c->args);
    r->user[0] = 0;
    login_answer(s, o, SPAN_EMPTY);
}

static void cmd_authinfo_sasl(struct session *s, struct command_line *c)
{
    static const struct sasl_words words = {
        .challenge = "383 ", .line_max = 12288, .final_in_success = true};
    struct buf final BUF_AUTO = BUF(AUTH_MESSAGE_MAX * 2);
    struct span rest = c->args, mechanism, initial = SPAN_EMPTY;

    if (!login_in_order(s))
        return;
    if (!parse_word(&rest, 64, &mechanism) || (rest.n && !parse_word(&rest, 12288, &initial)) ||
        span_trim(rest).n) {
        reader_usage(s, c);
        return;
    }
    enum auth_outcome o = session_sasl(s, mechanism, initial, &words, &final);
    login_answer(s, o, buf_span(&final));
}

/* ------------------------------------------------------------------ the protocol */

static void cmd_help(struct session *s, struct command_line *c);

#define CMD(verb, handler, states, flags, syntax, rfc, help)                                       \
    {verb, handler, states, flags, syntax, rfc, help},
static const struct command commands[] = {
#include "nntp/commands.def"
};
#undef CMD

static void cmd_help(struct session *s, struct command_line *c)
{
    (void)c;
    session_puts(s, "100 Commands\r\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        session_printf(s, "  %s %s -- %s (%s)\r\n", commands[i].verb, commands[i].syntax,
                       commands[i].help, commands[i].rfc);
    session_puts(s, ".\r\n");
}

static const char *const alpn[] = {"nntp", NULL};

const struct protocol nntp_protocol = {
    .name = "nntp",
    .commands = commands,
    .command_count = ARRAY_LEN(commands),
    .data_bytes = sizeof(struct reader),
    .initial_state = ANY,
    .alpn = alpn,
    .open = open_session,
    .tls_started = tls_started,
    .say = say,
    .plain_allowed = plain_allowed,
};
