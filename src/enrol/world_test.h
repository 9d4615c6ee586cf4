/* world_test.h: an enrol with a CA that answers at once, for tests and the fuzz harness; a client
 * that signs. */
#ifndef ENROL_WORLD_TEST_H
#define ENROL_WORLD_TEST_H

#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "enrol/server.h"
#include "pki/request.h"

#include <errno.h>
#include <stdlib.h>

#define BASE "https://ca.test"

struct world {
    struct conf *conf;
    struct enrol *enrol;
    EVP_PKEY *ca_key, *key; /* of the CA, of the account */
    char account[128];      /* its address; "": by key */
    struct buf body;        /* of the last answer */
    struct enrol_answer answer;
    int issue_says;                /* 0: a certificate */
    enum enrol_problem check_says; /* of every check */
    unsigned issued, checks;
    struct enrol_check checked; /* the last one */
    /* checks that wait until the test runs them */
    void (*waiting)(void *arg);
    void *waiting_arg;
};

static inline EVP_PKEY *make_key(void)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    CHECK(k);
    return k;
}

/* A certificate for the request's key and the names of the order, signed by the world's CA. */
static inline int world_issue(void *arg, const struct ca_issue_msg *m, struct buf *reply,
                              struct err *e)
{
    struct world *w = arg;
    struct buf chain BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);
    struct ca_issued_msg out;
    struct request *r = NULL;
    X509 *x = X509_new();
    const unsigned char *at;
    unsigned char *der = NULL;
    EVP_PKEY *key;
    int rc = request_parse(m->request, &r, e), n;

    CHECK(x);
    if (rc == 0 && w->issue_says)
        rc = err_set(e, w->issue_says, "the CA says no");
    if (rc == 0) {
        at = r->spki;
        key = d2i_PUBKEY(NULL, &at, (long)r->spki_bytes);
        CHECK(key && X509_set_version(x, 2) == 1 && X509_set_pubkey(x, key) == 1);
        CHECK(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), 1000 + ++w->issued) == 1);
        X509_gmtime_adj(X509_getm_notBefore(x), 0);
        X509_gmtime_adj(X509_getm_notAfter(x), 90 * 86400);
        CHECK(X509_sign(x, w->ca_key, EVP_sha256()) > 0);
        n = i2d_X509(x, &der);
        CHECK(n > 0);
        wr_span(&chain, span_of(der, (size_t)n));
        snprintf(out.serial, sizeof(out.serial), "%04x", 1000 + w->issued);
        out.chain = buf_span(&chain);
        wr_ca_issued(reply, &out);
        OPENSSL_free(der);
        EVP_PKEY_free(key);
    }
    X509_free(x);
    request_free(r);
    return rc;
}

static inline int world_revoke(void *arg, const struct ca_revoke_msg *m, struct err *e)
{
    (void)arg;
    (void)m;
    (void)e;
    return 0;
}

static inline int world_state(void *arg, const char *serial, struct ca_state_msg *ret)
{
    (void)arg;
    (void)serial;
    *ret = (struct ca_state_msg){.revoked = false};
    return 0;
}

static inline int world_roots(void *arg, struct buf *ret_chain, struct err *e)
{
    (void)arg;
    (void)ret_chain;
    return err_set(e, -EAGAIN, "no root in this world");
}

static inline enum enrol_problem world_check(void *arg, const struct enrol_check *k, struct err *e)
{
    struct world *w = arg;
    w->checks++;
    w->checked = *k;
    err_set(e, -EACCES, "the check says no");
    return w->check_says;
}

/* One at a time waits. */
static inline void world_run_waiting(struct world *w)
{
    void (*fn)(void *arg) = w->waiting;
    w->waiting = NULL;
    if (fn)
        fn(w->waiting_arg);
}

static inline void world_spawn(void *arg, void (*fn)(void *fn_arg), void *fn_arg)
{
    struct world *w = arg;
    world_run_waiting(w);
    w->waiting = fn;
    w->waiting_arg = fn_arg;
}

static inline void world_sleep(void *arg, uint64_t ms)
{
    (void)arg;
    (void)ms;
}

static inline void world_open(struct world *w, const char *more)
{
    struct enrol_hooks hooks = {world_issue, world_revoke, world_state, world_roots,
                                world_check, world_spawn,  world_sleep, w};
    struct buf text BUF_AUTO = BUF(4096), problems BUF_AUTO = BUF(4096);
    struct err e;

    memset(w, 0, sizeof(*w));
    buf_printf(&text,
               "domain = \"a.test\"; hostname = \"ca.test\";"
               "acme_server = { enabled = true; names = ( \"a.test\" ); networks = ( "
               "\"10.0.0.0/8\" ); %s };"
               "est_server = { enabled = true; accounts = true; names = ( \"a.test\" ); };",
               more);
    w->conf = conf_parse(buf_span(&text), "world", &problems);
    CHECK(w->conf);
    w->ca_key = make_key();
    w->key = make_key();
    w->body = BUF(ENROL_ANSWER_MAX);
    CHECK(enrol_new(":memory:", w->conf, &hooks, &w->enrol, &e) == 0);
}

static inline void world_close(struct world *w)
{
    world_run_waiting(w);
    enrol_free(w->enrol);
    conf_free(w->conf);
    EVP_PKEY_free(w->ca_key);
    EVP_PKEY_free(w->key);
    buf_done(&w->body);
}

static inline void world_ask(struct world *w, const char *method, const char *path,
                             const char *type, struct span body)
{
    struct enrol_request q = {.body = body, .peer = {[15] = 1}};

    snprintf(q.method, sizeof(q.method), "%s", method);
    snprintf(q.path, sizeof(q.path), "%s", path);
    snprintf(q.base, sizeof(q.base), BASE);
    snprintf(q.content_type, sizeof(q.content_type), "%s", type);
    buf_clear(&w->body);
    enrol_handle(w->enrol, &q, &w->answer, &w->body);
}

/* A signed POST; payload "" is POST-as-GET. The status. */
static inline unsigned world_post(struct world *w, const char *path, const char *payload)
{
    struct buf header BUF_AUTO = BUF(4096), body BUF_AUTO = BUF(ENROL_BODY_MAX);
    struct err e;

    world_ask(w, "HEAD", "/acme/new-nonce", "", SPAN_EMPTY);
    buf_printf(&header, "{\"alg\":\"ES256\",\"nonce\":\"%s\",\"url\":\"" BASE "%s\",",
               w->answer.nonce, path);
    if (w->account[0]) {
        buf_printf(&header, "\"kid\":\"%s\"}", w->account);
    } else {
        buf_put_cstr(&header, "\"jwk\":");
        CHECK(jwk_put(&header, w->key));
        buf_putc(&header, '}');
    }
    CHECK(jws_sign(w->key, buf_span(&header), span_cstr(payload), &body, &e) == 0);
    world_ask(w, "POST", path, "application/jose+json", buf_span(&body));
    return w->answer.status;
}

static inline const char *world_path(const char *url)
{
    CHECK(strncmp(url, BASE, sizeof(BASE) - 1) == 0);
    return url + sizeof(BASE) - 1;
}

static inline void world_register(struct world *w)
{
    CHECK(world_post(w, "/acme/new-account", "{\"termsOfServiceAgreed\":true}") == 201);
    snprintf(w->account, sizeof(w->account), "%.127s", w->answer.location);
}

#endif
