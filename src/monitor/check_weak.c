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

static const struct {
    const char *what, *ciphers;
    bool own; /* only of our own servers: others may have their reasons (RFC 9325 section 4.1) */
} weak[] = {
    {"no authentication",                      "aNULL:!eNULL:@SECLEVEL=0",                         false},
    {"no encryption",                          "eNULL:@SECLEVEL=0",                                false},
    {"RSA key exchange, no forward secrecy",   "kRSA:!eNULL:@SECLEVEL=0",                          false},
    {"ciphers of 64 bits and RC4",             "3DES:RC4:DES:IDEA:SEED:!aNULL:!eNULL:@SECLEVEL=0", false},
    {"ciphers of less than 128 bits",          "LOW:EXPORT:!aNULL:!eNULL:@SECLEVEL=0",             false},
    {"Diffie-Hellman without elliptic curves", "kDHE:!aNULL:!eNULL:@SECLEVEL=0",                   true },
};

/* -1: the run has its verdict; 0: refused; 1: not to be had on this machine. */
static int try_weak(struct probe_run *p, const char *what, const char *ciphers)
{
    struct talk *t = talk_new(p);
    enum wire_tls_end end;
    int r = 0;

    t->ciphers = ciphers;
    if (!talk_ask_tls(t)) {
        run_fail_talk(p, t);
        r = -1;
    } else if (talk_handshake(t, TLS1_2_VERSION, TLS1_2_VERSION, &end)) {
        run_fail(p, "%s: the server takes %s", what, SSL_get_cipher_name(wire_ssl(t->wire)));
        r = -1;
    } else if (end == WIRE_TLS_SILENT) {
        run_fail_talk(p, t);
        r = -1;
    } else if (end == WIRE_TLS_LOCAL) {
        r = 1;
    }
    talk_free(t);
    return r;
}

void check_weak(struct probe_run *p)
{
    unsigned refused = 0;

    for (unsigned i = 0; i < ARRAY_LEN(weak); i++) {
        int r = weak[i].own && p->target->foreign ? 1 : try_weak(p, weak[i].what, weak[i].ciphers);
        if (r < 0)
            return;
        refused += r == 0;
    }
    if (refused == 0)
        run_skip(p, "this machine's OpenSSL has no weak ciphers to offer");
    else
        run_pass(p, "%u kinds of weak ciphers refused", refused);
}

/* ---- renegotiation, compression ----------------------------------------------------------- */

void check_renegotiation(struct probe_run *p)
{
    struct talk *t = talk_new(p);
    enum wire_tls_end end;
    struct err e;
    int r;

    if (!talk_ask_tls(t)) {
        run_fail_talk(p, t);
    } else if (!talk_handshake(t, TLS1_2_VERSION, TLS1_2_VERSION, &end)) {
        if (end == WIRE_TLS_REFUSED)
            run_pass(p, "TLS 1.3 only: there is none");
        else
            run_fail_talk(p, t);
    } else if (SSL_get_current_compression(wire_ssl(t->wire)) != NULL) {
        run_fail(p, "data are compressed: their length gives them away (CVE-2012-4929)");
    } else if (!SSL_get_secure_renegotiation_support(wire_ssl(t->wire))) {
        run_fail(p, "the handshake is not bound to its session (RFC 5746, CVE-2009-3555)");
    } else if (p->target->endpoint->policy == POLICY_TLS_ONLY && !talk_greeting(t)) {
        run_fail_talk(p, t); /* what the server says by itself would stand in between */
    } else {
        r = wire_renegotiate(t->wire, &end, &e);
        if (r == 0)
            run_fail(p, "a client may ask for as many handshakes as it likes: they cost the server "
                        "more than the client");
        else
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
