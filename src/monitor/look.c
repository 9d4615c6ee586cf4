/* look.c: one handshake, and what the certificate that it shows is worth. */
#include "base/check.h"
#include "base/clock.h"
#include "base/codec.h"
#include "monitor/run.h"
#include "pki/chain.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

enum { STAPLE_MAX = 64 << 10 };

void probe_seen_done(struct probe_seen *s)
{
    chain_done(&s->chain);
    buf_done(&s->staple);
}

/* As the server sent it, parsed by the code that judges certificates before they are installed. */
static int take_chain(SSL *ssl, struct chain *ret, struct err *e)
{
    STACK_OF(X509) *sent = SSL_get_peer_cert_chain(ssl);
    struct buf bytes BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);

    for (int i = 0; i < sk_X509_num(sent); i++) {
        unsigned char *der = NULL;
        int n = i2d_X509(sk_X509_value(sent, i), &der);
        if (n > 0)
            wr_span(&bytes, span_of(der, (size_t)n));
        OPENSSL_free(der);
    }
    ERR_clear_error();
    if (bytes.n == 0 || bytes.overflow)
        return err_set(e, -EBADMSG, "the server shows no certificate, or far too long a chain");
    return chain_parse(buf_span(&bytes), ret, e);
}

static void cut(char *dst, size_t size, const char *src)
{
    snprintf(dst, size, "%.*s", (int)size - 1, src != NULL ? src : "");
}

void probe_group(SSL *ssl, char ret[PROBE_GROUP_BYTES])
{
    EVP_PKEY *peer = NULL;
    size_t n;

    ret[0] = '\0';
    if (SSL_get_peer_tmp_key(ssl, &peer) != 1)
        return;
    if (EVP_PKEY_get_group_name(peer, ret, PROBE_GROUP_BYTES, &n) != 1)
        cut(ret, PROBE_GROUP_BYTES, EVP_PKEY_get0_type_name(peer));
    EVP_PKEY_free(peer);
}

static void take_group(SSL *ssl, struct probe_seen *ret)
{
    const unsigned char *answer;
    long n_answer;

    probe_group(ssl, ret->group);
    n_answer = SSL_get_tlsext_status_ocsp_resp(ssl, &answer);
    ret->stapled = n_answer > 0;
    ret->staple = BUF(STAPLE_MAX);
    if (ret->stapled)
        buf_put(&ret->staple, answer, (size_t)n_answer);
    ERR_clear_error();
}

void probe_seen_facts(const struct probe_seen *s, struct probe_facts *ret)
{
    struct buf names BUF_AUTO = BUF(65536);
    const struct certificate *leaf;

    *ret = (struct probe_facts){.known = s->chain.n > 0};
    if (s->chain.n == 0)
        return;
    leaf = s->chain.v[0];
    cut(ret->version, sizeof ret->version, s->version);
    cut(ret->cipher, sizeof ret->cipher, s->cipher);
    cut(ret->group, sizeof ret->group, s->group);
    cut(ret->subject, sizeof ret->subject, leaf->subject);
    cut(ret->issuer, sizeof ret->issuer, leaf->issuer);
    cert_names_print(&leaf->names, &names);
    cut(ret->names, sizeof ret->names, buf_cstr(&names));
    cut(ret->serial, sizeof ret->serial, leaf->serial);
    cut(ret->sha256, sizeof ret->sha256, leaf->sha256);
    cut(ret->spki_sha256, sizeof ret->spki_sha256, leaf->spki_sha256);
    cut(ret->key_type, sizeof ret->key_type, leaf->key_type);
    ret->not_before = leaf->not_before;
    ret->not_after = leaf->not_after;
    ret->chain_length = (unsigned)s->chain.n;
    ret->stapled = s->stapled;
}

bool probe_look(const struct probe_trust *trust, const struct probe_client *client,
                const struct probe_target *target, struct probe_seen *ret)
{
    struct talk *t = malloc(sizeof *t);
    bool ok;

    CHECK(t != NULL);
    ret->looked = true;
    talk_init(t, target, trust);
    t->client = client;
    t->staple = true;
    ok = talk_starttls(t);
    if (ok) {
        SSL *ssl = wire_ssl(t->wire);
        ret->verify = SSL_get_verify_result(ssl);
        cut(ret->version, sizeof ret->version, SSL_get_version(ssl));
        cut(ret->cipher, sizeof ret->cipher, SSL_get_cipher_name(ssl));
        take_group(ssl, ret);
        ok = take_chain(ssl, &ret->chain, &ret->error) == 0;
    } else {
        ret->error = t->error;
        ret->remedy = remedy_of(t);
        ret->silent |= talk_was_silent(t);
    }
    talk_done(t);
    free(t);
    return ok;
}

const struct probe_seen *run_look(struct probe_run *p)
{
    if (!p->seen->looked)
        probe_look(run_trust(p), NULL, p->target, p->seen);
    if (p->seen->chain.n == 0) {
        run_fail(p, "%s", p->seen->error.text);
        run_remedy(p, p->seen->remedy);
        return NULL;
    }
    return p->seen;
}

/* Both judges: the code of this server and OpenSSL. */
static int judge(const struct probe_trust *trust, const struct probe_seen *s,
                 const struct cert_names *names, struct err *e)
{
    struct chain_want want = {
        .purpose = CHAIN_SERVER, .names = names, .roots = &trust->roots, .now = clock_seconds()};

    /* where the machine's roots are trusted, OpenSSL holds them */
    if (trust->roots.n > 0 && chain_check(&s->chain, &want, e) != CHAIN_FAULT_NONE)
        return -EKEYREJECTED;
    if (s->verify != X509_V_OK)
        return err_set(e, -EKEYREJECTED, "OpenSSL does not trust it: %s",
                       X509_verify_cert_error_string(s->verify));
    return 0;
}

void check_chain(struct probe_run *p)
{
    const struct probe_seen *s = run_look(p);
    struct err e;

    if (s == NULL)
        return;
    if (judge(run_trust(p), s, NULL, &e) != 0)
        run_fail(p, "%.380s", e.text);
    else
        run_pass(p, "%zu certificates, %lld days left", s->chain.n,
                 (long long)(s->chain.v[0]->not_after - clock_seconds()) / 86400);
}

/* A certificate is worth nothing after its issuer has ended, whatever it says itself. */
void check_issuer_life(struct probe_run *p)
{
    const struct probe_seen *s = run_look(p);

    if (s == NULL)
        return;
    for (size_t i = 1; i < s->chain.n; i++) {
        const struct certificate *c = s->chain.v[i - 1], *issuer = s->chain.v[i];
        if (issuer->not_after >= c->not_after)
            continue;
        run_fail(p, "%.150s ends %lld days before %.150s, which it has issued", issuer->subject,
                 (long long)(c->not_after - issuer->not_after + 86399) / 86400, c->subject);
        return;
    }
    run_pass(p, "%zu certificates", s->chain.n);
}

void check_names(struct probe_run *p)
{
    const struct probe_seen *s = run_look(p);
    struct buf text BUF_AUTO = BUF(65536);

    if (s == NULL)
        return;
    for (uint32_t i = 0; p->target->names != NULL && i < p->target->names->n; i++) {
        const struct cert_name *n = &p->target->names->v[i];
        X509 *leaf = s->chain.v[0]->x509;
        bool openssl =
            n->type == CERT_NAME_IP
                ? X509_check_ip_asc(leaf, n->text, 0) == 1
                : X509_check_host(leaf, n->text, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
        if (openssl && certificate_name_matches(s->chain.v[0], n))
            continue;
        run_fail(p, "the certificate does not have the name %s", n->text);
        return;
    }
    cert_names_print(&s->chain.v[0]->names, &text);
    run_pass(p, "%.300s", buf_cstr(&text));
}

void check_register(struct probe_run *p)
{
    const struct probe_seen *s = run_look(p);
    const struct probe_target *t = p->target;

    if (s == NULL)
        return;
    const struct certificate *leaf = s->chain.v[0];
    if (t->serial[0] == '\0')
        run_skip(p, "certd does not say what this virtual server should show");
    else if (strcmp(t->serial, leaf->serial) != 0)
        run_fail(p,
                 "it shows %s, but %s is in service. `sealpost status` shows workers that have not "
                 "heard of it",
                 leaf->serial, t->serial);
    else if (t->spki_sha256[0] != '\0' && strcmp(t->spki_sha256, leaf->spki_sha256) != 0)
        run_fail(p, "its key is not the one in the register");
    else if (t->register_state[0] != '\0' && strcmp(t->register_state, "valid") != 0)
        run_fail(p, "the register calls it %s. `sealpost cert issue %s` replaces it",
                 t->register_state, t->vserver->name);
    else
        run_pass(p, "%s, %s", leaf->serial, leaf->key_type);
}

/* ---- the standing probe ------------------------------------------------------------------ */

void probe_handshake(const struct probe_trust *trust, const struct probe_target *target,
                     struct probe_handshake *ret)
{
    struct probe_seen s = {.looked = false};
    struct err e;

    *ret = (struct probe_handshake){.up = false};
    if (!probe_look(trust, NULL, target, &s)) {
        snprintf(ret->detail, sizeof ret->detail, "%.390s", s.error.text);
        probe_seen_done(&s);
        return;
    }
    ret->up = true;
    ret->fits = judge(trust, &s, target->names, &e) == 0;
    if (!ret->fits)
        snprintf(ret->detail, sizeof ret->detail, "%.390s", e.text);
    const struct certificate *leaf = s.chain.v[0];
    cut(ret->serial, sizeof ret->serial, leaf->serial);
    cut(ret->spki_sha256, sizeof ret->spki_sha256, leaf->spki_sha256);
    cut(ret->version, sizeof ret->version, s.version);
    ret->not_before = leaf->not_before;
    ret->not_after = leaf->not_after;
    probe_seen_done(&s);
}

static const unsigned life_parts[PROBE_LIFE_STEPS] = {3, 6, 12};

unsigned probe_life_step(int64_t not_before, int64_t not_after, int64_t now)
{
    int64_t life = not_after - not_before, left = not_after - now;
    unsigned step = 0;

    while (step < PROBE_LIFE_STEPS && left < life / (int64_t)life_parts[step])
        step++;
    return step;
}

unsigned probe_life_part(unsigned step)
{
    CHECK(step >= 1 && step <= PROBE_LIFE_STEPS);
    return life_parts[step - 1];
}
