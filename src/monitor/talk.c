#include "monitor/talk.h"

#include "base/check.h"
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { COMMAND_MAX = 8192, LITERALS_MAX = 64, SILENCE_MS = 2500 };

static const struct {
    const char *starttls, *quit, *auth;
} words[PROTOCOL_COUNT] = {
    [PROTOCOL_POP3] = {"STLS",     "QUIT",   "AUTH"         },
    [PROTOCOL_IMAP4] = {"STARTTLS", "LOGOUT", "AUTHENTICATE" },
    [PROTOCOL_SMTP] = {"STARTTLS", "QUIT",   "AUTH"         },
    [PROTOCOL_NNTP] = {"STARTTLS", "QUIT",   "AUTHINFO SASL"},
    [PROTOCOL_HTTP] = {NULL,       NULL,     NULL           },
};

const char *talk_auth_words(enum conf_protocol p)
{
    return words[p].auth;
}

void talk_init(struct talk *t, const struct probe_target *target, const struct probe_trust *trust)
{
    *t = (struct talk){.target = target,
                       .trust = trust,
                       .protocol = (enum conf_protocol)target->vserver->protocol};
    t->lines = BUF(TALK_LINES_MAX);
    t->literal = BUF(TALK_BLOCK_MAX);
}

void talk_done(struct talk *t)
{
    wire_free(t->wire);
    t->wire = NULL;
    buf_done(&t->lines);
    buf_done(&t->literal);
}

void talk_fail(struct talk *t, const char *fmt, ...)
{
    va_list ap;

    if (t->failed)
        return;
    t->failed = true;
    va_start(ap, fmt);
    vsnprintf(t->error.text, sizeof t->error.text, fmt, ap);
    va_end(ap);
}

/* r < 0: `error` says why already. */
static bool result(struct talk *t, int r)
{
    if (r < 0) {
        t->failed = true;
        t->reason = r;
    }
    return r >= 0;
}

/* ---- replies ----------------------------------------------------------------------------- */

static void keep(char dst[TALK_REPLY_MAX], struct span line)
{
    struct span s = span_head(line, TALK_REPLY_MAX - 1);

    memcpy(dst, s.p ? s.p : "", s.n);
    dst[s.n] = '\0';
    for (char *p = dst; *p; p++) /* it becomes text on a terminal */
        if ((unsigned char)*p < 32 || (unsigned char)*p == 127)
            *p = '?';
    for (size_t i = 0; i < s.n; i++)
        if (dst[i] == '\0')
            dst[i] = '?';
}

/* A line of IMAP may go on behind a literal. */
static bool take_literals(struct talk *t, struct span line)
{
    for (unsigned i = 0; i < LITERALS_MAX; i++) {
        uint64_t n;
        buf_put_span(&t->lines, line);
        if (!reply_literal(line, TALK_BLOCK_MAX, &n))
            break;
        buf_clear(&t->literal);
        if (!result(t, wire_bytes(t->wire, n, &t->literal, &t->error)) ||
            !result(t, wire_line(t->wire, &line, &t->error)))
            return false;
    }
    if (!buf_putc(&t->lines, '\n'))
        talk_fail(t, "a reply of more than %d bytes", TALK_LINES_MAX);
    return !t->failed;
}

static enum reply_kind read_reply(struct talk *t, const char *tag)
{
    struct span line;

    buf_clear(&t->lines);
    buf_clear(&t->literal);
    while (!t->failed && result(t, wire_line(t->wire, &line, &t->error))) {
        enum reply_kind kind = reply_line(t->protocol, line, tag, &t->code);
        if (kind == REPLY_PARTIAL) {
            take_literals(t, line);
            continue;
        }
        /* the tag says nothing to a reader */
        keep(t->last, kind != REPLY_CONTINUE && span_starts(line, span_cstr(tag)) &&
                              t->protocol == PROTOCOL_IMAP4
                          ? span_skip(line, strlen(tag) + 1)
                          : line);
        if (kind == REPLY_NONSENSE)
            talk_fail(t, "not a reply of %s: %s", conf_protocol_name(t->protocol), t->last);
        return kind;
    }
    return REPLY_NONSENSE;
}

enum reply_kind talk_reply(struct talk *t)
{
    return read_reply(t, t->tag);
}

bool talk_put(struct talk *t, struct span bytes)
{
    return !t->failed && result(t, wire_put(t->wire, bytes, &t->error));
}

__attribute__((format(printf, 2, 0))) static enum reply_kind command(struct talk *t,
                                                                     const char *fmt, va_list ap)
{
    struct buf line BUF_AUTO = BUF(COMMAND_MAX);

    if (t->failed)
        return REPLY_NONSENSE;
    if (t->protocol == PROTOCOL_IMAP4) {
        snprintf(t->tag, sizeof t->tag, "p%u", ++t->serial);
        buf_printf(&line, "%s ", t->tag);
    }
    buf_vprintf(&line, fmt, ap);
    buf_put_cstr(&line, "\r\n");
    CHECK(!line.overflow);
    if (!talk_put(t, buf_span(&line)))
        return REPLY_NONSENSE;
    return talk_reply(t);
}

enum reply_kind talk_command(struct talk *t, const char *fmt, ...)
{
    enum reply_kind kind;
    va_list ap;

    va_start(ap, fmt);
    kind = command(t, fmt, ap);
    va_end(ap);
    return kind;
}

bool talk_expect(struct talk *t, enum reply_kind want, const char *what, const char *fmt, ...)
{
    enum reply_kind kind;
    va_list ap;

    va_start(ap, fmt);
    kind = command(t, fmt, ap);
    va_end(ap);
    if (t->failed)
        return false;
    if (kind != want)
        talk_fail(t, "%s: the server says %s", what, t->last);
    return !t->failed;
}

bool talk_block(struct talk *t, struct buf *out)
{
    struct span line;

    while (!t->failed && result(t, wire_line(t->wire, &line, &t->error))) {
        if (!reply_block_line(line, &line))
            return true;
        buf_put_span(out, line);
        if (!buf_put_cstr(out, "\r\n"))
            talk_fail(t, "more than %zu bytes in an answer", out->max);
    }
    return false;
}

bool talk_put_message(struct talk *t, struct span message)
{
    struct buf all BUF_AUTO = BUF(TALK_BLOCK_MAX);
    struct span line;

    while (span_split(&message, '\n', &line)) {
        if (line.n > 0 && line.p[0] == '.')
            buf_putc(&all, '.');
        buf_put_span(&all, line);
        buf_putc(&all, '\n');
    }
    buf_put_cstr(&all, ".\r\n");
    CHECK(!all.overflow);
    return talk_put(t, buf_span(&all));
}

void talk_quit(struct talk *t)
{
    if (!t->failed && t->wire != NULL && words[t->protocol].quit != NULL)
        talk_command(t, "%s", words[t->protocol].quit);
}

/* ---- from TCP to TLS --------------------------------------------------------------------- */

bool talk_greeting(struct talk *t)
{
    enum reply_kind kind;

    if (t->failed || t->protocol == PROTOCOL_HTTP)
        return !t->failed;
    t->stage = TALK_GREETING;
    kind = read_reply(t, "*");
    memcpy(t->greeting, t->last, sizeof t->greeting);
    if (!t->failed && kind != REPLY_OK)
        talk_fail(t, "the greeting is a refusal: %s", t->last);
    return !t->failed;
}

static bool dial(struct talk *t)
{
    t->stage = TALK_DIAL;
    if (t->failed || !result(t, wire_dial(&t->target->to, &t->target->from, WIRE_DEADLINE_MS,
                                          &t->wire, &t->error)))
        return false;
    t->stage = TALK_DIALOGUE;
    return true;
}

static bool ehlo(struct talk *t)
{
    t->stage = t->failed ? t->stage : TALK_DIALOGUE;
    return t->protocol != PROTOCOL_SMTP || talk_expect(t, REPLY_OK, "EHLO", "EHLO probe.invalid");
}

bool talk_open_clear(struct talk *t)
{
    return dial(t) && talk_greeting(t) && ehlo(t);
}

bool talk_ask_tls(struct talk *t)
{
    const char *verb = words[t->protocol].starttls;

    if (t->target->endpoint->policy == POLICY_TLS_ONLY)
        return dial(t);
    if (!talk_open_clear(t))
        return false;
    if (verb == NULL)
        return !t->failed;
    t->stage = TALK_STARTTLS;
    /* 382 of NNTP (RFC 4642) goes on in TLS: not a continuation of the command */
    enum reply_kind kind = talk_command(t, "%s", verb);
    if (!t->failed && kind != REPLY_OK && !(kind == REPLY_CONTINUE && t->code == 382))
        talk_fail(t, "%s is refused: %s", verb, t->last);
    return !t->failed;
}

/* ---- TLS ----------------------------------------------------------------------------------- */

/* The first name that can be asked for. */
static const char *sni_of(const struct probe_target *target)
{
    const struct cert_names *n = target->names;

    for (uint32_t i = 0; n != NULL && i < n->n; i++)
        if (n->v[i].type == CERT_NAME_DNS && n->v[i].text[0] != '*')
            return n->v[i].text;
    return NULL;
}

bool talk_handshake(struct talk *t, int min, int max, enum wire_tls_end *ret_end)
{
    static const char *const alpn_http[] = {"http/1.1", NULL};
    struct wire_tls tls = {.roots = t->trust->store, .min = min, .max = max, .ciphers = t->ciphers};

    X509 *chain[CERTIFICATE_CHAIN_MAX];

    if (t->client != NULL) {
        for (size_t i = 0; i < t->client->chain.n; i++)
            chain[i] = t->client->chain.v[i]->x509;
        tls.key = t->client->key;
        tls.chain = chain;
        tls.chain_length = t->client->chain.n;
    }
    tls.staple = t->staple;
    tls.name = t->no_sni ? NULL : sni_of(t->target);
    if (t->protocol == PROTOCOL_HTTP)
        tls.alpn = alpn_http;
    *ret_end = WIRE_TLS_LOCAL;
    t->stage = t->failed ? t->stage : TALK_HANDSHAKE;
    return !t->failed && result(t, wire_start_tls(t->wire, &tls, ret_end, &t->error));
}

/* The last bytes before the peer closes, or is silent. */
static int more(struct talk *t, bool silence, struct buf *in, struct err *e)
{
    size_t had = in->n;
    bool closed;

    if (!silence)
        return wire_some(t->wire, in, e);
    closed = wire_closes(t->wire, SILENCE_MS, in);
    return in->n > had ? 0
           : closed    ? err_set(e, -EPIPE, "the peer has closed the connection")
                       : err_set(e, -EPIPE, "no answer");
}

bool talk_hello(struct talk *t, struct hello_offer *o, bool silence, bool *ret_taken,
                struct hello_answer *ret, struct err *ret_why)
{
    struct buf out BUF_AUTO = BUF(HELLO_BYTES_MAX), in BUF_AUTO = BUF(4 * HELLO_BYTES_MAX);
    int r = 0;

    if (t->failed)
        return false;
    t->stage = TALK_HANDSHAKE;
    o->name = t->no_sni ? NULL : sni_of(t->target);
    o->alpn = t->protocol == PROTOCOL_HTTP ? "http/1.1" : NULL;
    hello_put(o, &out);
    *ret_taken = false;
    *ret = (struct hello_answer){.version = 0};
    if (wire_unread(t->wire) > 0)
        talk_fail(t, "%zu bytes in clear came before the handshake", wire_unread(t->wire));
    else
        r = wire_put(t->wire, buf_span(&out), ret_why);
    while (!t->failed && r == 0) {
        enum hello_kind kind = hello_parse(buf_span(&in), ret);
        if (kind == HELLO_REFUSED && ret->alert == SSL_AD_DECODE_ERROR && !silence)
            talk_fail(t, "the server cannot read the probe's hello, and so refuses nothing");
        else if (kind == HELLO_REFUSED)
            err_set(ret_why, -EPROTO, "TLS: %s", hello_alert_name(ret->alert));
        *ret_taken = kind == HELLO_TAKEN;
        if (kind == HELLO_TAKEN || kind == HELLO_REFUSED)
            return !t->failed;
        if (kind == HELLO_NONSENSE)
            talk_fail(t, "what comes in place of TLS is none (%zu bytes)", in.n);
        else
            r = more(t, silence, &in, ret_why);
    }
    if (r == -EPIPE || r == -ECONNRESET)
        return !t->failed;
    if (r != 0) {
        t->error = *ret_why;
        result(t, r);
    }
    return false;
}

bool talk_starttls(struct talk *t)
{
    enum wire_tls_end end;

    return talk_ask_tls(t) && talk_handshake(t, TLS1_2_VERSION, 0, &end);
}

bool talk_open(struct talk *t)
{
    if (t->target->endpoint->policy == POLICY_PUBLIC_HTTP)
        return dial(t);
    if (!talk_starttls(t))
        return false;
    if (t->target->endpoint->policy == POLICY_TLS_ONLY && !talk_greeting(t))
        return false;
    return ehlo(t);
}
