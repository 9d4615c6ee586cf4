/* check_tls.c: the way into TLS: what is said before it, which versions, what crosses the border.
 */
#include "base/check.h"
#include "monitor/run.h"

#include <stdio.h>
#include <stdlib.h>

enum { CLOSE_WAIT_MS = 3000, REPLY_WAIT_MS = 500 };

/* A talk is large; it lives on the heap, not on the stack of a fiber. */
static struct talk *talk_new(struct probe_run *p)
{
    struct talk *t = malloc(sizeof *t);

    CHECK(t != NULL);
    run_talk(p, t);
    return t;
}

static void talk_free(struct talk *t)
{
    talk_done(t);
    free(t);
}

void check_greeting(struct probe_run *p)
{
    struct talk *t = talk_new(p);
    const char *name = run_own_name(p->plan, p->target);
    bool open = p->target->endpoint->policy == POLICY_TLS_ONLY ? talk_open(t) : talk_open_clear(t);

    if (!open)
        run_fail_talk(p, t);
    else if (!p->target->foreign && !reply_has_word(span_cstr(t->greeting), name))
        run_fail(p,
                 "it greets with \"%.200s\", not with the name %s. The first of the virtual "
                 "server's names must stand there",
                 t->greeting, name);
    else
        run_pass(p, "%.300s", t->greeting);
    talk_quit(t);
    talk_free(t);
}

/* A TLS endpoint says nothing to one who begins in clear but an alert. */
void check_tls_only(struct probe_run *p)
{
    struct talk *t = talk_new(p);
    struct buf said BUF_AUTO = BUF(4096);
    bool closed;

    if (!talk_ask_tls(t) || !talk_put(t, SPAN("NOOP\r\nQUIT\r\nGET / HTTP/1.0\r\n\r\n"))) {
        run_fail_talk(p, t);
        talk_free(t);
        return;
    }
    closed = wire_closes(t->wire, CLOSE_WAIT_MS, &said);
    if (said.n > 0 && (said.n < 3 || said.p[0] != 0x15 || said.p[1] != 3))
        run_fail(p, "it answers in clear (%zu bytes); the policy of this endpoint is tls", said.n);
    else if (!closed)
        run_fail(p, "it keeps a connection that began in clear");
    else
        run_pass(p, "%s", said.n > 0 ? "an alert, and the end" : "closed without a word");
    talk_free(t);
}

/* ---- versions ---------------------------------------------------------------------------- */

static void check_version(struct probe_run *p, int version, bool works, const char *name)
{
    struct talk *t = talk_new(p);
    char group[PROBE_GROUP_BYTES];
    enum wire_tls_end end = WIRE_TLS_LOCAL;

    if (talk_ask_tls(t) && talk_handshake(t, version, version, &end)) {
        probe_group(wire_ssl(t->wire), group);
        if (works)
            run_pass(p, "%s, %s", SSL_get_cipher_name(wire_ssl(t->wire)), group);
        else
            run_fail(p, "%s is taken (%s)", name, SSL_get_cipher_name(wire_ssl(t->wire)));
    } else if (works && t->stage == TALK_HANDSHAKE && end != WIRE_TLS_SILENT) {
        run_fail(p, "%s is refused (%.200s)", name, t->error.text);
    } else if (end == WIRE_TLS_REFUSED) {
        run_pass(p, "refused (%.200s)", t->error.text);
    } else {
        run_fail_talk(p, t);
    }
    talk_free(t);
}

void check_tls13(struct probe_run *p)
{
    check_version(p, TLS1_3_VERSION, true, "TLS 1.3");
}

void check_tls12(struct probe_run *p)
{
    check_version(p, TLS1_2_VERSION, p->target->vserver->tls_min != TLS_MIN_1_3, "TLS 1.2");
}

/* Offers no more than an old version, with every suite there was: a hello made by hand, for this
 * machine's OpenSSL may have none of it. False: the verdict is made. */
static bool refuses(struct probe_run *p, unsigned version, struct buf *how)
{
    struct hello_offer offer = {.version = version, .groups = UINT32_MAX};
    struct talk *t = talk_new(p);
    struct hello_answer a;
    struct err why;
    bool taken = false, ok;

    ok = talk_ask_tls(t) && talk_hello(t, &offer, version <= HELLO_SSL_3, &taken, &a, &why);
    if (!ok) {
        run_fail_talk(p, t);
    } else if (taken && a.version == version) {
        run_fail(p, "%s is still taken%s%s", hello_version_name(version), a.suite ? ", with " : "",
                 a.suite ? hello_suite_name(a.suite) ?: "an unknown cipher" : "");
        ok = false;
    } else if (taken) {
        buf_printf(how, "refused (%s is taken in its place)", hello_version_name(a.version));
    } else {
        buf_printf(how, "refused (%.200s)", why.text);
    }
    talk_free(t);
    return ok;
}

static void check_old(struct probe_run *p, unsigned version)
{
    struct buf how BUF_AUTO = BUF(300);

    if (refuses(p, version, &how))
        run_pass(p, "%s", buf_cstr(&how));
}

void check_tls11(struct probe_run *p)
{
    check_old(p, HELLO_TLS_1_1);
}

void check_tls10(struct probe_run *p)
{
    check_old(p, HELLO_TLS_1_0);
}

void check_ssl(struct probe_run *p)
{
    struct buf how BUF_AUTO = BUF(300);

    if (!refuses(p, HELLO_SSL_3, &how))
        return;
    buf_clear(&how);
    if (refuses(p, HELLO_SSL_2, &how))
        run_pass(p, "SSL 3.0 and 2.0 are refused");
}

/* ---- STARTTLS ---------------------------------------------------------------------------- */

/* In one packet: the way into TLS, and a command behind it that must never be looked at; and how an
 * answer to it would begin. */
static const struct {
    const char *text, *answer;
} injected[PROTOCOL_COUNT] = {
    [PROTOCOL_POP3] = {"STLS\r\nCAPA\r\n",                 "+OK"         },
    [PROTOCOL_IMAP4] = {"p1 STARTTLS\r\np2 CAPABILITY\r\n", "* CAPABILITY"},
    [PROTOCOL_SMTP] = {"STARTTLS\r\nNOOP\r\n",             "250"         },
    [PROTOCOL_NNTP] = {"STARTTLS\r\nCAPABILITIES\r\n",     "101"         },
};

/* The handshake came about although there were bytes behind STARTTLS. */
static void judge_open(struct probe_run *p, struct talk *t)
{
    struct buf said BUF_AUTO = BUF(65536);

    wire_closes(t->wire, REPLY_WAIT_MS, &said);
    if (said.n == 0 && p->target->foreign) {
        run_pass(p, "they are thrown away");
        return;
    }
    if (said.n > 0)
        run_fail(p,
                 "a command sent in clear behind STARTTLS is answered inside TLS (CVE-2011-0411): "
                 "whoever sits on the line can speak for the client");
    else
        run_fail(p,
                 "it shakes hands although there were bytes in clear behind STARTTLS; it must end "
                 "the session");
}

/* The way into TLS was answered, and the session goes on. */
static void judge_reply(struct probe_run *p, struct talk *t)
{
    struct buf said BUF_AUTO = BUF(65536);
    enum wire_tls_end end;
    bool closed = wire_closes(t->wire, REPLY_WAIT_MS, &said);

    if (span_find_span(buf_span(&said), span_cstr(injected[t->protocol].answer)) != SPAN_NONE)
        run_fail(p, "the command behind STARTTLS is answered in clear");
    else if (closed)
        run_pass(p, "the session ends");
    else if (said.n > 0)
        run_fail(p, "it goes on talking in clear");
    else if (talk_handshake(t, TLS1_2_VERSION, 0, &end))
        judge_open(p, t);
    else if (end == WIRE_TLS_REFUSED)
        run_pass(p, "the session ends in place of the handshake");
    else
        run_fail(p, "neither a handshake nor the end of the session: %.200s", t->error.text);
}

void check_injection(struct probe_run *p)
{
    struct talk *t = talk_new(p);

    if (!talk_open_clear(t) || !talk_put(t, span_cstr(injected[t->protocol].text))) {
        run_fail_talk(p, t);
        talk_free(t);
        return;
    }
    snprintf(t->tag, sizeof t->tag, "p1");
    talk_reply(t); /* the way into TLS may be opened or refused, or the session ended */
    if (!t->failed)
        judge_reply(p, t);
    else if (wire_closes(t->wire, CLOSE_WAIT_MS, NULL))
        run_pass(p, "the session ends");
    else
        run_fail_talk(p, t);
    talk_free(t);
}
