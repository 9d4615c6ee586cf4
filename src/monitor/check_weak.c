/* check_weak.c: what a good server must refuse, and what it must do for clients that ask for less. */
#include "base/check.h"
#include "monitor/run.h"

#include <openssl/x509v3.h>
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
    talk_done(t);
    free(t);
}

/* ---- ciphers ----------------------------------------------------------------------------- */

#define G(group) (1u << HELLO_##group)

static const struct {
    const char *what;
    unsigned groups;
    bool own; /* only of our own servers: others may have their reasons (RFC 9325 section 4.1) */
} weak[] = {
    {"no authentication",                      G(ANONYMOUS), false},
    {"no encryption",                          G(PLAIN),     false},
    {"keys of 40 or 56 bits",                  G(SHORT),     false},
    {"RC4 or blocks of 64 bits",               G(OLD),       false},
    {"RSA key exchange, no forward secrecy",   G(RSA_KEY),   false},
    {"fixed key exchange, no forward secrecy", G(FIXED_KEY), false},
    {"Diffie-Hellman without elliptic curves", G(FINITE),    true },
    {"CBC, whose padding has given much away", G(CBC),       true },
};

/* Offers these alone, in a hello made by hand: this machine's OpenSSL has few of them. */
static bool refuses(struct probe_run *p, const char *what, unsigned groups)
{
    struct hello_offer offer = {.version = HELLO_TLS_1_2, .groups = groups};
    struct talk *t = talk_new(p);
    struct hello_answer a;
    struct err why;
    bool taken = false, ok;

    ok = talk_ask_tls(t) && talk_hello(t, &offer, false, &taken, &a, &why);
    if (!ok)
        run_fail_talk(p, t);
    else if (taken)
        run_fail(p, "%s: the server takes %s in %s", what,
                 hello_suite_name(a.suite) ?: "an unknown cipher", hello_version_name(a.version));
    talk_free(t);
    return ok && !taken;
}

void check_weak(struct probe_run *p)
{
    unsigned refused = 0;

    for (unsigned i = 0; i < ARRAY_LEN(weak); i++) {
        if (weak[i].own && p->target->foreign)
            continue;
        if (!refuses(p, weak[i].what, weak[i].groups))
            return;
        refused++;
    }
    run_pass(p, "%u kinds of weak ciphers refused", refused);
}

/* ---- renegotiation, compression ----------------------------------------------------------- */

/* What the server says of compression and of the binding of a second handshake, to a hello made by
 * hand that asks for both. True: there is a TLS 1.2 (or below) to go on with. */
static bool look_at_hello(struct probe_run *p)
{
    struct hello_offer offer = {
        .version = HELLO_TLS_1_2, .groups = UINT32_MAX, .compression = true};
    struct talk *t = talk_new(p);
    struct hello_answer a;
    struct err why;
    bool taken = false, on = false;

    if (!talk_ask_tls(t) || !talk_hello(t, &offer, false, &taken, &a, &why))
        run_fail_talk(p, t);
    else if (!taken)
        run_pass(p, "TLS 1.3 only: there is none (%.200s)", why.text);
    else if (a.compressed)
        run_fail(p, "data are compressed: their length gives them away (CVE-2012-4929)");
    else if (!a.secure_renegotiation)
        run_fail(p, "the handshake is not bound to its session (RFC 5746, CVE-2009-3555)");
    else
        on = true;
    talk_free(t);
    return on;
}

void check_renegotiation(struct probe_run *p)
{
    struct talk *t;
    enum wire_tls_end end = WIRE_TLS_LOCAL;
    struct err e;

    if (!look_at_hello(p))
        return;
    t = talk_new(p);
    t->ciphers = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";
    if (!talk_ask_tls(t) || !talk_handshake(t, TLS1_VERSION, TLS1_2_VERSION, &end)) {
        if (end == WIRE_TLS_LOCAL && t->stage == TALK_HANDSHAKE)
            run_skip(p, "this machine's OpenSSL has no cipher in common with it (%.200s)",
                     t->error.text);
        else
            run_fail_talk(p, t);
    } else if (p->target->endpoint->policy == POLICY_TLS_ONLY && !talk_greeting(t)) {
        run_fail_talk(p, t); /* what the server says by itself would stand in between */
    } else if (wire_renegotiate(t->wire, &end, &e) == 0) {
        run_fail(p, "a client may ask for as many handshakes as it likes: they cost the server "
                    "more than the client");
    } else if (end == WIRE_TLS_LOCAL) {
        run_skip(p, "a second handshake cannot be tried: %.300s", e.text);
    } else {
        run_pass(p, "refused (%.200s)", e.text);
    }
    talk_free(t);
}

/* ---- names ------------------------------------------------------------------------------- */

void check_no_name(struct probe_run *p)
{
    const struct probe_seen *with = run_look(p);
    struct talk *t;
    enum wire_tls_end end;
    X509 *leaf;

    if (with == NULL)
        return;
    t = talk_new(p);
    t->no_sni = true;
    if (!talk_ask_tls(t) || !talk_handshake(t, TLS1_2_VERSION, 0, &end)) {
        run_fail_talk(p, t);
    } else {
        leaf = SSL_get0_peer_certificate(wire_ssl(t->wire));
        if (leaf == NULL)
            run_fail(p, "no certificate is shown");
        else if (X509_cmp(leaf, with->chain.v[0]->x509) == 0)
            run_pass(p, "the same certificate");
        else if (SSL_get_verify_result(wire_ssl(t->wire)) != X509_V_OK)
            run_fail(p, "another certificate is shown, and it is not trusted: %s",
                     X509_verify_cert_error_string(SSL_get_verify_result(wire_ssl(t->wire))));
        else
            run_pass(p, "another certificate, trusted as well");
    }
    talk_free(t);
}

void check_ehlo_name(struct probe_run *p)
{
    const struct probe_seen *s = run_look(p);
    struct span said, name = SPAN_EMPTY;
    char text[256] = "";
    struct talk *t;

    if (s == NULL)
        return;
    t = talk_new(p);
    if (!talk_open(t)) {
        run_fail_talk(p, t);
    } else {
        /* "250-mx.example.org at your service" */
        said = span_skip(t->lines.n > 0 ? buf_span(&t->lines) : span_cstr(t->last), 4);
        said = span_head(said, span_find(said, '\n'));
        span_split(&said, ' ', &name);
        name = span_trim(name);
        if (!span_to_cstr(name, text, sizeof text) || text[0] == '\0')
            run_fail(p, "EHLO is answered without a name");
        else if (X509_check_host(s->chain.v[0]->x509, text, 0, 0, NULL) == 1)
            run_pass(p, "%s", text);
        else
            run_fail(p, "it calls itself %s, which is not in its certificate", text);
    }
    talk_quit(t);
    talk_free(t);
}
