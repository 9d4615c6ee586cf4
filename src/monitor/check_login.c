/* check_login.c: who gets in, and where. */
#include "base/check.h"
#include "monitor/http.h"
#include "monitor/run.h"

#include <stdlib.h>

static struct talk *talk_new(struct probe_run *p)
{
    struct talk *t = malloc(sizeof *t);

    CHECK(t != NULL);
    run_talk(p, t);
    return t;
}

static void talk_free(struct talk *t)
{
    talk_quit(t);
    talk_done(t);
    free(t);
}

/* ---- in clear ---------------------------------------------------------------------------- */

/* What is tried in clear, with a made-up name, and how it must be refused. */
static const struct clear_login {
    enum conf_protocol protocol;
    const char *command;
    unsigned codes[5];
    const char *word; /* a response code that the refusal must hold */
} clear_logins[] = {
    {PROTOCOL_POP3,  "USER probe",                           {0},                     "AUTH"           },
    {PROTOCOL_POP3,  "AUTH PLAIN AHByb2JlAHByb2Jl",          {0},                     "AUTH"           },
    {PROTOCOL_IMAP4, "LOGIN probe probe",                    {0},                     "PRIVACYREQUIRED"},
    {PROTOCOL_IMAP4, "AUTHENTICATE PLAIN AHByb2JlAHByb2Jl",  {0},                     "PRIVACYREQUIRED"},
    {PROTOCOL_SMTP,  "AUTH PLAIN AHByb2JlAHByb2Jl",          {530, 538, 502, 503, 0}, NULL             },
    {PROTOCOL_NNTP,  "AUTHINFO USER probe",                  {483, 0},                NULL             },
    {PROTOCOL_NNTP,  "AUTHINFO SASL PLAIN AHByb2JlAHByb2Jl", {483, 0},                NULL             },
};

static bool refused_rightly(const struct clear_login *l, enum reply_kind kind, const struct talk *t)
{
    if (kind != REPLY_NO)
        return false;
    if (t->target->foreign) /* how it says so is its own affair */
        return true;
    if (l->word != NULL)
        return reply_has_word(span_cstr(t->last), l->word);
    for (unsigned i = 0; i < ARRAY_LEN(l->codes) && l->codes[i] != 0; i++)
        if (t->code == l->codes[i])
            return true;
    return false;
}

/* Capabilities as lines in t->lines (SMTP: EHLO was the last reply). */
static bool ask_capabilities(struct talk *t, struct buf *out)
{
    switch (t->protocol) {
    case PROTOCOL_POP3:
        return talk_expect(t, REPLY_OK, "CAPA", "CAPA") && talk_block(t, out);
    case PROTOCOL_NNTP:
        return talk_expect(t, REPLY_OK, "CAPABILITIES", "CAPABILITIES") && talk_block(t, out);
    case PROTOCOL_IMAP4:
        if (!talk_expect(t, REPLY_OK, "CAPABILITY", "CAPABILITY"))
            return false;
        buf_put_span(out, buf_span(&t->lines));
        return true;
    default:
        if (!talk_expect(t, REPLY_OK, "EHLO", "EHLO probe.invalid"))
            return false;
        buf_put_span(out, buf_span(&t->lines));
        buf_put_cstr(out, t->last);
        buf_putc(out, '\n');
        return true;
    }
}

/* A list without anything in it offers nothing (RFC 2449 section 6.3, RFC 4643 section 2.1). */
static bool is_list(const char *word)
{
    return strcmp(word, "SASL") == 0 || strcmp(word, "AUTHINFO") == 0;
}

/* Is there a line (IMAP: a word) that begins with it? SMTP lines have their code in front. */
static bool offers(const struct talk *t, struct span lines, const char *word)
{
    struct span line;

    while (span_split(&lines, '\n', &line)) {
        line = span_trim(line);
        if (t->protocol == PROTOCOL_SMTP)
            line = span_skip(line, 4);
        if (t->protocol == PROTOCOL_IMAP4) {
            struct span one;
            while (span_split(&line, ' ', &one))
                if (span_starts_nocase(one, span_cstr(word)))
                    return true;
        } else if (span_starts_nocase(line, span_cstr(word)) &&
                   (line.n == strlen(word) ? !is_list(word) : line.p[strlen(word)] == ' ')) {
            return true;
        }
    }
    return false;
}

static const char *const login_words[PROTOCOL_COUNT][3] = {
    [PROTOCOL_POP3] = {"USER",  "SASL"},
    [PROTOCOL_IMAP4] = {"AUTH="},
    [PROTOCOL_SMTP] = {"AUTH"      },
    [PROTOCOL_NNTP] = {"AUTHINFO",       "SASL"      },
};

static const char *starttls_word(enum conf_protocol p)
{
    return p == PROTOCOL_POP3 ? "STLS" : "STARTTLS";
}

/* The first word for a login that is offered; NULL: none is. */
static const char *login_offer(const struct talk *t, struct span lines)
{
    for (unsigned i = 0; i < 3 && login_words[t->protocol][i] != NULL; i++)
        if (offers(t, lines, login_words[t->protocol][i]))
            return login_words[t->protocol][i];
    return NULL;
}

/* False: the verdict is made. */
static bool clear_offers(struct probe_run *p, struct talk *t)
{
    struct buf lines BUF_AUTO = BUF(65536);
    const char *offer;

    if (!talk_open_clear(t) || !ask_capabilities(t, &lines)) {
        run_fail_talk(p, t);
        return false;
    }
    offer = login_offer(t, buf_span(&lines));
    if (offer != NULL)
        run_fail(p, "%s is offered in clear: clients will send passwords there", offer);
    else if (!offers(t, buf_span(&lines), starttls_word(t->protocol)))
        run_fail(p, "%s is not offered: clients will not find the way into TLS",
                 starttls_word(t->protocol));
    else if (t->protocol == PROTOCOL_IMAP4 && !offers(t, buf_span(&lines), "LOGINDISABLED"))
        run_fail(p, "LOGINDISABLED is missing: clients may send LOGIN in clear (RFC 9051 section "
                    "6.2.3)");
    else
        return true;
    return false;
}

void check_login_clear(struct probe_run *p)
{
    struct talk *t = talk_new(p);
    char said[160] = "";

    if (!clear_offers(p, t)) {
        talk_free(t);
        return;
    }
    for (unsigned i = 0; i < ARRAY_LEN(clear_logins); i++) {
        const struct clear_login *l = &clear_logins[i];
        enum reply_kind kind;
        if (l->protocol != t->protocol)
            continue;
        kind = talk_command(t, "%s", l->command);
        if (t->failed || !refused_rightly(l, kind, t)) {
            struct span verb = span_cstr(l->command);
            span_split(&verb, ' ', &verb);
            if (t->failed)
                run_fail(p, "%.*s in clear: %.250s", SPAN_ARG(verb), t->error.text);
            else
                run_fail(p,
                         "%.*s in clear is answered with \"%.200s\"; it must be refused for want "
                         "of TLS before the name is looked at",
                         SPAN_ARG(verb), t->last);
            talk_free(t);
            return;
        }
        span_to_cstr(span_head(span_cstr(t->last), sizeof said - 1), said, sizeof said);
    }
    run_pass(p, "%s", said);
    talk_free(t);
}

/* ---- without login ----------------------------------------------------------------------- */

/* A command that needs TLS and login; how it must be refused in clear, and under TLS before login.
 */
static const struct locked {
    const char *command;
    unsigned clear_code, login_code;
    const char *clear_word;
} locked[PROTOCOL_COUNT] = {
    [PROTOCOL_POP3] = {"STAT",                            0,   0,   "AUTH"           },
    [PROTOCOL_IMAP4] = {"SELECT INBOX",                    0,   0,   "PRIVACYREQUIRED"},
    [PROTOCOL_SMTP] = {"MAIL FROM:<probe@probe.invalid>", 530, 530, NULL             },
    [PROTOCOL_NNTP] = {"LIST ACTIVE",                     483, 480, NULL             },
};

void check_clear(struct probe_run *p)
{
    struct talk *t = talk_new(p);
    const struct locked *l = &locked[t->protocol];
    enum reply_kind kind;

    if (!p->target->vserver->require_secure_channel) {
        run_skip(p, "require_secure_channel is off for this virtual server");
        talk_free(t);
        return;
    }
    kind = talk_open_clear(t) ? talk_command(t, "%s", l->command) : REPLY_NONSENSE;
    if (t->failed)
        run_fail_talk(p, t);
    else if (kind != REPLY_NO)
        run_fail(p, "%s is taken in clear: %.200s", l->command, t->last);
    else if ((l->clear_code != 0 && t->code != l->clear_code) ||
             (l->clear_word != NULL && !reply_has_word(span_cstr(t->last), l->clear_word)))
        run_fail(p,
                 "%s in clear is refused with \"%.200s\", which does not say that TLS is missing",
                 l->command, t->last);
    else
        run_pass(p, "%.300s", t->last);
    talk_free(t);
}

void check_login_needed(struct probe_run *p)
{
    struct talk *t = talk_new(p);
    const struct locked *l = &locked[t->protocol];
    enum reply_kind kind = talk_open(t) ? talk_command(t, "%s", l->command) : REPLY_NONSENSE;

    if (t->failed)
        run_fail_talk(p, t);
    else if (kind != REPLY_NO || (l->login_code != 0 && t->code != l->login_code))
        run_fail(p, "%s without login is answered with \"%.200s\"", l->command, t->last);
    else
        run_pass(p, "%.300s", t->last);
    talk_free(t);
}

void check_offers(struct probe_run *p)
{
    struct talk *t = talk_new(p);
    struct buf lines BUF_AUTO = BUF(65536);
    const char *name = run_own_name(p->plan, p->target);
    bool mx = t->protocol == PROTOCOL_SMTP && p->target->vserver->smtp_kind == SMTP_MX;

    if (!talk_open(t) || !ask_capabilities(t, &lines))
        run_fail_talk(p, t);
    else if (offers(t, buf_span(&lines), starttls_word(t->protocol)))
        run_fail(p, "%s is offered although TLS is on", starttls_word(t->protocol));
    else if (mx && login_offer(t, buf_span(&lines)) != NULL)
        run_fail(p, "a login is offered where only strangers bring mail");
    else if (!mx && login_offer(t, buf_span(&lines)) == NULL)
        run_fail(p, "no login is offered under TLS");
    else if (t->protocol == PROTOCOL_SMTP && !p->target->foreign &&
             !reply_has_word(buf_span(&lines), name))
        run_fail(p, "the answer to EHLO does not begin with the name %s", name);
    else
        run_pass(p, mx ? "no logins" : "logins under TLS only");
    talk_free(t);
}

/* ---- with login -------------------------------------------------------------------------- */

void check_login(struct probe_run *p)
{
    struct talk *t = talk_new(p);
    bool maildrop = t->protocol == PROTOCOL_POP3;

    if (maildrop)
        fiber_lock(&p->shared->maildrop);
    if (!talk_open(t) || !talk_login_plain(t, &p->plan->logins[0]))
        run_fail_talk(p, t);
    else
        run_pass(p, "%s by PLAIN", p->plan->logins[0].user);
    talk_free(t);
    if (maildrop)
        fiber_unlock(&p->shared->maildrop);
}

void check_login_scram(struct probe_run *p)
{
    struct talk *t = talk_new(p);

    if (!talk_open(t) || !talk_login_scram(t, &p->plan->logins[0]))
        run_fail_talk(p, t);
    else
        run_pass(p, "%s; the server proved that it knows the password", p->plan->logins[0].user);
    talk_free(t);
}

/* ---- with a certificate ------------------------------------------------------------------ */

static bool takes_own_ca(const struct conf_vserver *v)
{
    for (uint32_t i = 0; i < v->client_trust.n; i++)
        if (strcmp(v->client_trust.v[i], "own-ca") == 0)
            return true;
    return false;
}

/* Where a certificate is demanded there is nothing for those who show none. */
static bool shut_without(struct probe_run *p)
{
    struct talk *t = talk_new(p);
    bool open;

    t->client = NULL;
    if (t->protocol == PROTOCOL_HTTP) {
        struct http_reply r;
        open = talk_open(t) && http_get(t, run_own_name(p->plan, p->target), "/health", &r);
        if (open)
            http_reply_done(&r);
    } else {
        open = talk_open(t) && talk_command(t, "NOOP") == REPLY_OK;
    }
    if (open)
        run_fail(p,
                 "a certificate is demanded (client_certificates), and a session goes on "
                 "without one: %.200s",
                 t->last);
    talk_free(t);
    return !open;
}

static bool by_certificate(struct probe_run *p, struct talk *t)
{
    const char *user = p->plan->logins[0].user;
    struct http_reply r;
    bool ok;

    if (!talk_open(t))
        return false;
    if (t->protocol != PROTOCOL_HTTP)
        return talk_login_external(t, user);
    ok = http_get(t, run_own_name(p->plan, p->target), "/account", &r);
    if (ok && (r.status != 200 || span_find_span(buf_span(&r.body), span_cstr(user)) == SPAN_NONE))
        talk_fail(t, "/account is answered with %u", r.status);
    http_reply_done(&r);
    return ok && !t->failed;
}

void check_login_certificate(struct probe_run *p)
{
    const struct conf_vserver *v = p->target->vserver;
    bool maildrop = v->protocol == PROTOCOL_POP3;
    struct talk *t;

    if (v->client_certificates == CLIENT_CERTIFICATES_IGNORE || !takes_own_ca(v)) {
        run_skip(p, v->client_certificates == CLIENT_CERTIFICATES_IGNORE
                        ? "client_certificates is \"ignore\" for this virtual server"
                        : "client_trust of this virtual server does not have own-ca");
        return;
    }
    if (v->client_certificates == CLIENT_CERTIFICATES_REQUIRE && !shut_without(p))
        return;
    t = talk_new(p);
    t->client = p->plan->client;
    if (maildrop)
        fiber_lock(&p->shared->maildrop);
    if (!by_certificate(p, t))
        run_fail_talk(p, t);
    else
        run_pass(p, "%s by EXTERNAL%s", p->plan->logins[0].user,
                 v->client_certificates == CLIENT_CERTIFICATES_REQUIRE
                     ? "; without a certificate there is no session"
                     : "");
    talk_free(t);
    if (maildrop)
        fiber_unlock(&p->shared->maildrop);
}
