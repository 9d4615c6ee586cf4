/* server.c: SMTP as receiver: greeting, extensions, login, and the envelope. The message itself:
 * receive.c. */
#include "smtp/smtp.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "smtp/transaction.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TRANSACTION_ARENA_MAX = 4 << 20,
    DELIVERY_BYTES_MAX =
        LINK_PAYLOAD_MAX - STORE_PREFIX_MAX - (8 << 10), /* one request to stored */
    GROUP_FIELDS_BYTES = 1024,                           /* of a copy for a newsgroup */
};

bool smtp_is_submission(const struct session *s)
{
    return s->vserver->smtp_kind == SMTP_SUBMISSION;
}

const char *smtp_own_name(const struct session *s)
{
    return s->vserver->names.n ? s->vserver->names.v[0] : s->conf->hostname;
}

/* ------------------------------------------------------------------ words */

static void say(struct session *s, enum session_event e, const struct command_line *c,
                struct span detail)
{
    switch (e) {
    case SESSION_UNKNOWN_COMMAND:
        session_puts(s, "500 5.5.1 Unknown command\r\n");
        break;
    case SESSION_BAD_STATE:
        session_puts(s, s->state == START ? "503 5.5.1 Send EHLO first\r\n"
                                          : "503 5.5.1 Not now: bad sequence of commands\r\n");
        break;
    case SESSION_NEED_TLS:
        session_puts(s, "530 5.7.0 Secure channel required: send STARTTLS first\r\n");
        break;
    case SESSION_LOGIN_CLEAR:
        session_puts(s, session_can_start_tls(s)
                            ? "538 5.7.11 No login without TLS: send STARTTLS first\r\n"
                            : "538 5.7.11 No login without TLS\r\n");
        break;
    case SESSION_BAD_ARGS:
        if (detail.n)
            session_printf(s, "501 5.5.4 Usage: %s %.*s\r\n", c->row->verb, SPAN_ARG(detail));
        else
            session_printf(s, "501 5.5.4 %s takes no argument\r\n", c->row->verb);
        break;
    case SESSION_TOO_LONG:
        session_puts(s, "500 5.5.2 Line too long\r\n");
        break;
    case SESSION_TOO_MANY_ERRORS:
        session_printf(s, "421 4.7.0 %s Too many bad commands, closing\r\n", smtp_own_name(s));
        break;
    case SESSION_TIMEOUT:
        session_printf(s, "421 4.4.2 %s Timed out, closing\r\n", smtp_own_name(s));
        break;
    case SESSION_SHUTDOWN:
        session_printf(s, "421 4.3.2 %s Closing: %.*s\r\n", smtp_own_name(s), SPAN_ARG(detail));
        break;
    case SESSION_BUSY:
        session_printf(s, "421 4.3.2 %s Too many connections, try again later\r\n",
                       smtp_own_name(s));
        break;
    case SESSION_WEAK:
        session_puts(s, "554 5.7.10 128-bit encryption required\r\n");
        break;
    }
}

/* Before TLS an SMTP server says reply lines and nothing else; what a reply may hold is up to the
 * policy: with a secure channel required the dispatcher lets no command through that could make it
 * say more. */
static bool plain_allowed(struct span line)
{
    return line.n >= 5 && ascii_is_digit(line.p[0]) && ascii_is_digit(line.p[1]) &&
           ascii_is_digit(line.p[2]) && (line.p[3] == ' ' || line.p[3] == '-') &&
           span_ends_nocase(line, SPAN("\r\n"));
}

/* ------------------------------------------------------------------ course */

void transaction_reset(struct session *s)
{
    struct smtp *t = session_data(s);

    for (struct smtp_recipient *r = t->first; r; r = r->next)
        free(r->targets);
    store_body_free(t->body);
    t->body = NULL;
    t->first = NULL;
    t->last = &t->first;
    t->recipient_count = 0;
    t->target_count = t->delivery_bytes = 0;
    t->sender = t->envid = SPAN_EMPTY;
    t->ret_headers = t->ret_full = t->body_8bit = t->smtputf8 = false;
    t->bare_cr = t->bare_lf = t->chunk_cr = t->nul = false;
    t->size = 0;
    t->failed = 0;
    if (t->arena)
        arena_reset(t->arena);
    if (s->state != START)
        s->state = GREETED;
}

static bool open_session(struct session *s)
{
    struct smtp *t = session_data(s);
    t->last = &t->first;
    session_printf(s, "220 %s ESMTP sealpost\r\n", smtp_own_name(s));
    return true;
}

static void close_session(struct session *s)
{
    struct smtp *t = session_data(s);
    transaction_reset(s);
    arena_free(t->arena);
}

static void tls_started(struct session *s)
{
    struct smtp *t = session_data(s);
    transaction_reset(s);
    t->helo[0] = 0;
}

static bool greet(struct session *s, struct command_line *c)
{
    struct smtp *t = session_data(s);
    struct span host = span_trim(c->args);

    if (!smtp_host_valid(host) || !span_to_cstr(host, t->helo, sizeof(t->helo))) {
        session_printf(s, "501 5.5.4 Usage: %s host\r\n", c->row->verb);
        session_error(s);
        return false;
    }
    s->state = GREETED;
    transaction_reset(s);
    return true;
}

static void cmd_helo(struct session *s, struct command_line *c)
{
    struct smtp *t = session_data(s);
    if (!greet(s, c))
        return;
    t->esmtp = false;
    session_printf(s, "250 %s\r\n", smtp_own_name(s));
}

static bool login_offered(const struct session *s)
{
    return smtp_is_submission(s) && s->tls && !s->user.account;
}

static void cmd_ehlo(struct session *s, struct command_line *c)
{
    struct smtp *t = session_data(s);
    if (!greet(s, c))
        return;
    t->esmtp = true;
    session_printf(s,
                   "250-%s\r\n250-PIPELINING\r\n250-SIZE %" PRIu32
                   "\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n"
                   "250-ENHANCEDSTATUSCODES\r\n",
                   smtp_own_name(s), s->vserver->limits.message_bytes);
    if (session_can_start_tls(s))
        session_puts(s, "250-STARTTLS\r\n");
    if (login_offered(s))
        session_printf(s, "250-AUTH %s\r\n", session_mechanisms(s));
    session_puts(s, "250 CHUNKING\r\n");
}

static void cmd_starttls(struct session *s, struct command_line *c)
{
    (void)c;
    if (s->tls) {
        session_puts(s, "503 5.5.1 TLS is on already\r\n");
        session_error(s);
        return;
    }
    if (!session_can_start_tls(s)) {
        session_puts(s, "454 4.7.0 TLS is not available\r\n");
        return;
    }
    session_puts(s, "220 2.0.0 Begin TLS\r\n");
    session_start_tls(s);
}

static void cmd_auth(struct session *s, struct command_line *c)
{
    static const struct sasl_words words = {.challenge = "334 ", .line_max = 12288};
    struct span rest = c->args, mechanism, initial = SPAN_EMPTY;

    if (!smtp_is_submission(s)) {
        session_puts(s, "502 5.5.1 No login here: use the submission service\r\n");
        session_error(s);
        return;
    }
    if (s->user.account) {
        session_puts(s, "503 5.5.1 Logged in already\r\n");
        session_error(s);
        return;
    }
    if (!parse_word(&rest, 64, &mechanism) || (rest.n && !parse_word(&rest, 12288, &initial)) ||
        span_trim(rest).n) {
        say(s, SESSION_BAD_ARGS, c, span_cstr(c->row->syntax));
        session_error(s);
        return;
    }
    switch (session_sasl(s, mechanism, initial, &words, NULL)) {
    case LOGIN_OK:
        session_puts(s, "235 2.7.0 Logged in\r\n");
        break;
    case LOGIN_FAILED:
        session_puts(s, "535 5.7.8 Authentication failed\r\n");
        break;
    case LOGIN_TEMPORARY:
        session_puts(s, "454 4.7.0 Login is not available, try again later\r\n");
        break;
    case LOGIN_BAD_BASE64:
        session_puts(s, "501 5.5.2 Not base64\r\n");
        session_error(s);
        break;
    case LOGIN_CANCELLED:
        session_puts(s, "501 5.7.0 Authentication cancelled\r\n");
        session_error(s);
        break;
    case LOGIN_UNKNOWN_MECHANISM:
        session_puts(s, "504 5.5.4 Unknown authentication mechanism\r\n");
        session_error(s);
        break;
    case LOGIN_INVALID:
        session_puts(s, "501 5.5.2 Malformed authentication exchange\r\n");
        session_error(s);
        break;
    case LOGIN_GONE:
        break;
    }
}

/* ------------------------------------------------------------------ envelope */

static bool path_refused(struct session *s, enum smtp_path_error e, const struct command_line *c)
{
    switch (e) {
    case PATH_OK:
        return false;
    case PATH_SYNTAX:
        session_printf(s, "501 5.5.4 Usage: %s %s\r\n", c->row->verb, c->row->syntax);
        break;
    case PATH_ADDRESS:
        session_puts(s, "501 5.1.3 That is not an address\r\n");
        break;
    case PATH_NOT_ASCII:
        session_puts(s, "553 5.6.7 An address that is not ASCII needs the SMTPUTF8 parameter\r\n");
        break;
    case PATH_PARAMETERS:
        session_puts(s, "501 5.5.4 Malformed or too many parameters\r\n");
        break;
    }
    session_error(s);
    return true;
}

enum parameter { PARAMETER_OK, PARAMETER_UNKNOWN, PARAMETER_VALUE, PARAMETER_TOO_LARGE };

/* size-value = 1*20DIGIT (RFC 1870 section 3): it need not fit 64 bits */
static bool is_size(struct span v)
{
    for (size_t i = 0; i < v.n; i++)
        if (!ascii_is_digit(v.p[i]))
            return false;
    return v.n && v.n <= 20;
}

static enum parameter mail_parameter(struct session *s, const struct smtp_parameter *p)
{
    struct smtp *t = session_data(s);

    if (span_is(p->keyword, "SIZE")) {
        if (!is_size(p->value))
            return PARAMETER_VALUE;
        if (!span_to_u64(p->value, UINT64_MAX / 2, &t->size))
            return PARAMETER_TOO_LARGE;
        return t->size > s->vserver->limits.message_bytes ? PARAMETER_TOO_LARGE : PARAMETER_OK;
    }
    if (span_is(p->keyword, "BODY")) {
        t->body_8bit = span_is(p->value, "8BITMIME");
        return t->body_8bit || span_is(p->value, "7BIT") ? PARAMETER_OK : PARAMETER_VALUE;
    }
    if (span_is(p->keyword, "SMTPUTF8")) {
        t->smtputf8 = true;
        return p->value.p ? PARAMETER_VALUE : PARAMETER_OK;
    }
    if (span_is(p->keyword, "RET")) {
        t->ret_headers = span_is(p->value, "HDRS");
        t->ret_full = span_is(p->value, "FULL");
        return t->ret_headers || t->ret_full ? PARAMETER_OK : PARAMETER_VALUE;
    }
    if (span_is(p->keyword, "ENVID")) {
        struct buf envid BUF_AUTO = BUF(100);
        if (!p->value.n || !xtext_decode(p->value, &envid))
            return PARAMETER_VALUE;
        t->envid = arena_span(t->arena, buf_span(&envid));
        return PARAMETER_OK;
    }
    /* RFC 4954 section 5: who first submitted it; known and not used */
    if (span_is(p->keyword, "AUTH") && smtp_is_submission(s))
        return p->value.n ? PARAMETER_OK : PARAMETER_VALUE;
    return PARAMETER_UNKNOWN;
}

static bool parameter_refused(struct session *s, enum parameter p, struct span keyword)
{
    switch (p) {
    case PARAMETER_OK:
        return false;
    case PARAMETER_UNKNOWN:
        session_printf(s, "555 5.5.4 Unknown parameter %.*s\r\n", SPAN_ARG(keyword));
        break;
    case PARAMETER_VALUE:
        session_printf(s, "501 5.5.4 Malformed value of %.*s\r\n", SPAN_ARG(keyword));
        break;
    case PARAMETER_TOO_LARGE:
        session_printf(s, "552 5.3.4 Messages of more than %" PRIu32 " bytes are not taken\r\n",
                       s->vserver->limits.message_bytes);
        return true; /* a polite question, no bad command */
    }
    session_error(s);
    return true;
}

static bool mail_allowed(struct session *s)
{
    struct smtp *t = session_data(s);

    if (s->state != GREETED) {
        session_puts(s, s->state == START ? "503 5.5.1 Send EHLO first\r\n"
                                          : "503 5.5.1 A message has been begun already\r\n");
        session_error(s);
        return false;
    }
    if (smtp_is_submission(s) && !s->user.account) {
        session_puts(s, "530 5.7.0 Log in first\r\n");
        session_error(s);
        return false;
    }
    if (t->messages >= s->vserver->limits.messages) {
        session_printf(s, "421 4.7.0 %s Too many messages in one session\r\n", smtp_own_name(s));
        session_end(s);
        return false;
    }
    return true;
}

static void cmd_mail(struct session *s, struct command_line *c)
{
    struct smtp *t = session_data(s);
    struct smtp_path path;

    if (!mail_allowed(s) ||
        path_refused(s, smtp_path_parse(c->args, "FROM:", false, false, &path), c))
        return;
    if (!t->arena)
        t->arena = arena_new(TRANSACTION_ARENA_MAX);
    for (size_t i = 0; i < path.parameter_count; i++)
        if (parameter_refused(s, mail_parameter(s, &path.parameters[i]),
                              path.parameters[i].keyword)) {
            transaction_reset(s);
            return;
        }
    if (smtp_is_submission(s) && path.address.n &&
        !auth_may_send_as(s->worker->auth, s->user.account, path.address)) {
        session_puts(s, "553 5.7.1 That sender address is not yours\r\n");
        transaction_reset(s);
        return;
    }
    t->sender = arena_span(t->arena, path.address);
    s->state = SENDER;
    session_settled(s);
    session_puts(s, "250 2.1.0 Ok\r\n");
}

static bool parse_notify(struct span v, uint8_t *ret)
{
    struct span one;
    uint8_t notify = 0;

    if (span_is(v, "NEVER")) {
        *ret = NOTIFY_NEVER;
        return true;
    }
    if (v.n && v.p[v.n - 1] == ',')
        return false;
    while (span_split(&v, ',', &one)) {
        if (span_is(one, "SUCCESS"))
            notify |= NOTIFY_SUCCESS;
        else if (span_is(one, "FAILURE"))
            notify |= NOTIFY_FAILURE;
        else if (span_is(one, "DELAY"))
            notify |= NOTIFY_DELAY;
        else
            return false;
    }
    *ret = notify;
    return true;
}

/* ORCPT=addr-type;xtext, RFC 3461 section 4.2 (6533 for utf-8) */
static bool parse_orcpt(struct span v, bool utf8, struct arena *a, struct span *ret)
{
    struct buf text BUF_AUTO = BUF(600);
    struct span type;
    if (!parse_until(&v, ';', 40, &type) || !type.n || !parse_char(&v, ';') || !v.n)
        return false;
    for (size_t i = 0; i < type.n; i++)
        if (!ascii_is_alpha(type.p[i]) && !ascii_is_digit(type.p[i]) && type.p[i] != '-')
            return false;
    buf_put_span(&text, type);
    buf_putc(&text, ';');
    if (!(utf8 && span_is(type, "utf-8") ? xtext_decode_utf8 : xtext_decode)(v, &text))
        return false;
    *ret = arena_span(a, buf_span(&text));
    return true;
}

static enum parameter rcpt_parameter(struct smtp *t, struct smtp_recipient *r,
                                     const struct smtp_parameter *p)
{
    if (span_is(p->keyword, "NOTIFY"))
        return p->value.n && parse_notify(p->value, &r->notify) ? PARAMETER_OK : PARAMETER_VALUE;
    if (span_is(p->keyword, "ORCPT"))
        return p->value.n && parse_orcpt(p->value, t->smtputf8, t->arena, &r->orcpt)
                   ? PARAMETER_OK
                   : PARAMETER_VALUE;
    return PARAMETER_UNKNOWN;
}

static bool may_submit(const struct session *s)
{
    return smtp_is_submission(s) && s->user.account && s->user.rights & GRANT_SUBMIT;
}

static bool relaying_refused(struct session *s, struct span address)
{
    if (may_submit(s))
        return false;
    log_info("%s %s: relaying to %s refused", s->vserver->name, conn_peer_text(s->conn),
             log_quote(address));
    session_puts(s, "550 5.7.1 Relaying denied: not a recipient of this server\r\n");
    session_error(s);
    return true;
}

/* An alias or group that leads outside makes us send mail: authd says with a grant that it is meant
 * to. */
static bool leads_outside(const struct smtp_recipient *r)
{
    for (size_t i = 0; i < r->target_count; i++)
        if (r->targets[i].kind == TARGET_REMOTE && !r->targets[i].grant_bytes)
            return true;
    return false;
}

/* Where the recipient's mail goes; false: refused, and said. */
static bool resolve_recipient(struct session *s, struct smtp_recipient *r, struct span domain)
{
    enum auth_resolved found = RESOLVE_NOT_LOCAL;

    if (domain.n == 0 || conf_domain_is_local(s->conf, domain)) /* <postmaster> alone is ours too */
        found = auth_resolve(s->worker->auth, r->address, &r->targets, &r->target_count);
    r->resolved_ms = clock_mono_ms();
    switch (found) {
    case RESOLVED:
        return !leads_outside(r) || !relaying_refused(s, r->address);
    case RESOLVE_NONE:
        session_puts(s, "550 5.1.1 No such recipient here\r\n");
        session_error(s); /* guessing addresses is a bad command like any other */
        return false;
    case RESOLVE_DISABLED:
        session_puts(s, "550 5.2.1 That mailbox is disabled\r\n");
        return false;
    case RESOLVE_TEMPFAIL:
        session_puts(s, "451 4.3.0 The directory is not available, try again later\r\n");
        return false;
    case RESOLVE_NOT_LOCAL:
        break;
    }
    return !relaying_refused(s, r->address);
}

/* Nothing is asked about a mailbox that was never seen full. suspends */
static bool rcpt_has_room(struct session *s, const struct smtp_recipient *r)
{
    struct smtp *t = session_data(s);
    struct store *store = s->worker->store;

    if (r->target_count != 1 || r->targets[0].kind != TARGET_ACCOUNT ||
        !store_was_full(store, r->targets[0].id) ||
        store_room(store, r->targets[0].id, t->size) != -EDQUOT)
        return true;
    transaction_full(s);
    return false;
}

/* One message is one request to stored, and that has a limit: whoever is beyond it comes with the
 * next message (RFC 5321 section 4.5.3.1.10). */
static bool recipient_fits(const struct session *s, const struct smtp_recipient *r,
                           size_t *ret_bytes)
{
    const struct smtp *t = session_data((struct session *)(uintptr_t)s);
    size_t one = delivery_target_bytes(t, r);
    size_t bytes = r->target_count ? 0 : one;

    for (size_t i = 0; i < r->target_count; i++)
        bytes += one + r->targets[i].grant_bytes +
                 (r->targets[i].kind == TARGET_FOLDER ? GROUP_FIELDS_BYTES : 0);
    if (t->target_count + r->target_count > STORE_RECIPIENTS_MAX ||
        t->delivery_bytes + bytes > DELIVERY_BYTES_MAX)
        return false;
    *ret_bytes = bytes;
    return true;
}

static bool take_recipient(struct session *s, struct smtp_recipient *r,
                           const struct smtp_path *path)
{
    struct smtp *t = session_data(s);
    size_t bytes;

    for (size_t i = 0; i < path->parameter_count; i++)
        if (parameter_refused(s, rcpt_parameter(t, r, &path->parameters[i]),
                              path->parameters[i].keyword))
            return false;
    if (!resolve_recipient(s, r, path->domain))
        return false;
    if (!rcpt_has_room(s, r))
        return false;
    if (!recipient_fits(s, r, &bytes)) {
        session_puts(s, "452 4.5.3 Too many recipients\r\n");
        return false;
    }
    t->target_count += r->target_count ? r->target_count : 1;
    t->delivery_bytes += bytes;
    return true;
}

static void cmd_rcpt(struct session *s, struct command_line *c)
{
    struct smtp *t = session_data(s);
    struct smtp_path path;

    if (!(s->state & (SENDER | RECIPIENTS))) {
        session_puts(s, "503 5.5.1 Send MAIL first\r\n");
        session_error(s);
        return;
    }
    if (t->recipient_count >= s->vserver->limits.recipients) {
        session_puts(s, "452 4.5.3 Too many recipients\r\n");
        return;
    }
    if (path_refused(s, smtp_path_parse(c->args, "TO:", true, t->smtputf8, &path), c))
        return;
    struct smtp_recipient *r = arena_try(t->arena, sizeof(*r));
    if (!r) {
        session_puts(s, "452 4.5.3 Too many recipients\r\n");
        return;
    }
    r->address = arena_span(t->arena, path.address);
    if (!take_recipient(s, r, &path)) {
        free(r->targets);
        return;
    }
    *t->last = r;
    t->last = &r->next;
    t->recipient_count++;
    s->state = RECIPIENTS;
    session_puts(s, "250 2.1.5 Ok\r\n");
}

/* ------------------------------------------------------------------ the rest */

static void cmd_rset(struct session *s, struct command_line *c)
{
    (void)c;
    transaction_reset(s);
    session_puts(s, "250 2.0.0 Ok\r\n");
}

static void cmd_noop(struct session *s, struct command_line *c)
{
    (void)c;
    session_puts(s, "250 2.0.0 Ok\r\n");
}

static void cmd_vrfy(struct session *s, struct command_line *c)
{
    (void)c;
    session_puts(s, "252 2.5.2 Cannot tell, but will take mail and try\r\n");
}

static void cmd_expn(struct session *s, struct command_line *c)
{
    (void)c;
    session_puts(s, "502 5.7.0 Who is in a group is not told\r\n");
}

static void cmd_quit(struct session *s, struct command_line *c)
{
    (void)c;
    session_puts(s, "221 2.0.0 Bye\r\n");
    session_end(s);
}

static void cmd_help(struct session *s, struct command_line *c);

#define CMD(verb, handler, states, flags, syntax, rfc, help)                                       \
    {verb, handler, states, flags, syntax, rfc, help},
static const struct command commands[] = {
#include "smtp/commands.def"
};
#undef CMD

static void cmd_help(struct session *s, struct command_line *c)
{
    struct span topic = span_trim(c->args);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (!topic.n || span_is(topic, commands[i].verb))
            session_printf(s, "214-2.0.0 %s %s (%s): %s\r\n", commands[i].verb, commands[i].syntax,
                           commands[i].rfc, commands[i].help);
    session_puts(s, "214 2.0.0 End of help\r\n");
}

static const char *const alpn[] = {NULL};

const struct protocol smtp_protocol = {
    .name = "smtp",
    .commands = commands,
    .command_count = ARRAY_LEN(commands),
    .data_bytes = sizeof(struct smtp),
    .initial_state = START,
    .alpn = alpn,
    .open = open_session,
    .close = close_session,
    .tls_started = tls_started,
    .say = say,
    .plain_allowed = plain_allowed,
};
