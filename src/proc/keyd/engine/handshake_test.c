/* handshake_test.c: the provider, libssl and a real engine over a link: what each process does with
 * its keys. */
#include "base/clock.h"
#include "pki/key.h"
#include "pki/keyd_msg.h"
#include "proc/keyd/engine/fixture.h"
#include "tls/conn.h"
#include "tls/context_internal.h"
#include "tls/harness.h"
#include "unit/unit.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static const struct conf_endpoint tls_only = {"127.0.0.1", 993, POLICY_TLS_ONLY};
static struct conf_vserver vserver = {.name = "imap4-test"};

/* --- many handshakes at once */

enum { HANDSHAKES = 32 };

struct many {
    struct fixture *f;
    struct tls_context *context;
    struct tls_client_context *client;
    unsigned ended, good;
    const char *version;
    struct fiber_cond done;
};

struct one {
    struct many *m;
    int fd;
    bool server;
};

static void one_end(void *arg)
{
    struct one *o = arg;
    struct many *m = o->m;
    struct conn_params p = {.loop = m->f->loop};
    struct conn_client_tls how = {.context = m->client, .name = "localhost", .verify = true};
    struct conn_tls_info info;
    struct conn *c;
    int r;

    if (o->server) {
        p.tls = m->context;
        p.endpoint = &tls_only;
    }
    c = conn_new(o->fd, &p);
    r = o->server ? conn_accept_tls(c, 20000) : conn_connect_tls(c, &how, 20000);
    if (r == 0) {
        EXPECT_INT(conn_put(c, o->server ? SPAN("from server\n") : SPAN("from client\n")), 0);
        while (r >= 0 && conn_peek(c).n < 12)
            r = conn_fill(c, 20000) > 0 ? 0 : -EPROTO;
        EXPECT_SPAN(conn_peek(c), o->server ? SPAN("from client\n") : SPAN("from server\n"));
    }
    conn_tls_info(c, &info);
    if (r == 0 && strcmp(info.version, m->version) == 0 && (o->server || info.verified))
        m->good++;
    else
        unit_fail(__FILE__, __LINE__, "%s: %d %s %s", o->server ? "server" : "client", r,
                  conn_error(c), info.version);
    conn_shutdown(c);
    conn_free(c);
    m->ended++;
    fiber_cond_signal(&m->done);
}

/* A certificate of that key in keyd, signed by a harness key, as a chain. */
static void chain_of(const struct key_info *k, struct buf *chain)
{
    const unsigned char *p = k->spki;
    EVP_PKEY *pub = d2i_PUBKEY(NULL, &p, k->spki_bytes);
    X509 *x = tls_harness_issued(pub, &vserver);
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);

    wr_span(chain, span_of(der, (size_t)n));
    OPENSSL_free(der);
    X509_free(x);
    EVP_PKEY_free(pub);
}

static void many_handshakes(struct fixture *f, const struct key_info *k, bool v13)
{
    struct buf chain BUF_AUTO = BUF(65536);
    struct many m = {.f = f, .done = FIBER_COND_INIT, .version = v13 ? "TLSv1.3" : "TLSv1.2"};
    struct one ends[HANDSHAKES][2];
    struct err e = {""};

    vserver.tls_min = v13 ? TLS_MIN_1_3 : TLS_MIN_1_2;
    chain_of(k, &chain);
    m.context = tls_context_new(&vserver, NULL, false);
    m.client = tls_harness_client();
    if (!v13) { /* the SSL_CTX is the context's */
        SSL *ssl = tls_client_context_ssl(m.client);
        SSL_CTX_set_max_proto_version(SSL_get_SSL_CTX(ssl), TLS1_2_VERSION);
        SSL_free(ssl);
    }
    EXPECT_INT(tls_context_identity(m.context, TLS_SLOT_CURRENT, buf_span(&chain), k->id, &e), 0);
    for (int i = 0; i < HANDSHAKES; i++) {
        int fds[2];
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        for (int j = 0; j < 2; j++) {
            ends[i][j] = (struct one){&m, fds[j], j == 0};
            fiber_start(f->loop, one_end, &ends[i][j], "end");
        }
    }
    while (m.ended < 2 * HANDSHAKES)
        fiber_cond_wait(&m.done, 30000);
    EXPECT_INT(m.good, 2 * HANDSHAKES);
    EXPECT_INT(tls_context_counters(m.context)->failed, 0);
    tls_context_unref(m.context);
    tls_client_context_free(m.client);
}

static void handshakes(struct fixture *f)
{
    static const char *const types[] = {"p256", "p384", "ed25519", "rsa2048"};
    struct key_info k;

    key_provider_init(fixture_link, f);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        unit_case(types[i]);
        fixture_role(f, ROLE_CERTD);
        REQUIRE(key_create("vserver/imap4-test", types[i], KEY_TLS_SERVER | KEY_CSR, false, &k) ==
                0);
        fixture_role(f, ROLE_ACCESS);
        many_handshakes(f, &k, true);
        many_handshakes(f, &k, false);
    }
    unit_case(NULL);
}

TEST(interleaved_handshakes)
{
    fixture_run(handshakes);
}

/* --- keyd away, keyd back */

static void come_back(void *arg)
{
    fixture_role(arg, ROLE_ACCESS);
}

static void restart(struct fixture *f)
{
    struct timer *timer;
    struct key_info k;

    key_provider_init(fixture_link, f);
    fixture_role(f, ROLE_CERTD);
    REQUIRE(key_create("vserver/imap4-test", "p256", KEY_TLS_SERVER, false, &k) == 0);
    link_free(f->client);
    f->client = NULL;
    timer = timer_new(f->loop, come_back, f);
    timer_start(timer, 150);
    many_handshakes(f, &k, true);
    timer_free(timer);
}

TEST(handshakes_wait_for_a_keyd_that_restarts)
{
    fixture_run(restart);
}

/* --- what keyd refuses fails the handshake, cleanly */

static void refused(struct fixture *f)
{
    struct buf chain BUF_AUTO = BUF(65536);
    struct tls_context *context = tls_context_new(&vserver, NULL, false);
    struct tls_client_context *client;
    struct key_info k;
    struct err e;
    int fds[2];

    key_provider_init(fixture_link, f);
    fixture_role(f, ROLE_CERTD);
    REQUIRE(key_create("vserver/imap4-test", "p256", KEY_TLS_CLIENT, false, &k) == 0);
    fixture_role(f, ROLE_ACCESS);
    chain_of(&k, &chain);
    client = tls_harness_client();
    REQUIRE(tls_context_identity(context, TLS_SLOT_CURRENT, buf_span(&chain), k.id, &e) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    struct conn_params p = {.loop = f->loop},
                       q = {.loop = f->loop, .tls = context, .endpoint = &tls_only};
    struct conn *a = conn_new(fds[0], &p), *b = conn_new(fds[1], &q);
    struct conn_client_tls how = {.context = client};
    /* the client's first flight, then its patience ends */
    EXPECT_INT(conn_connect_tls(a, &how, 1), -ETIMEDOUT);
    EXPECT_INT(conn_accept_tls(b, 5000), -EPROTO);
    EXPECT(strstr(conn_error(b), "sign") != NULL || conn_error(b)[0] != '\0');
    conn_free(a);
    conn_free(b);
    tls_context_unref(context);
    tls_client_context_free(client);
}

TEST(a_refused_signature_fails_the_handshake)
{
    fixture_run(refused);
}

/* --- X.509 through handles */

static X509_NAME *name_of(const char *cn)
{
    X509_NAME *n = X509_NAME_new();
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
    return n;
}

static void add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    CHECK(e != NULL && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static X509 *certificate(EVP_PKEY *subject, const char *subject_cn, const char *issuer_cn, bool ca)
{
    X509 *x = X509_new();
    X509_NAME *s = name_of(subject_cn), *i = name_of(issuer_cn);

    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), 0x1122334455667788);
    X509_set_subject_name(x, s);
    X509_set_issuer_name(x, i);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    CHECK(X509_set_pubkey(x, subject) == 1);
    if (ca) {
        add_extension(x, NID_basic_constraints, "critical,CA:TRUE,pathlen:1");
        add_extension(x, NID_key_usage, "critical,keyCertSign,cRLSign");
    } else {
        add_extension(x, NID_key_usage, "critical,digitalSignature");
        add_extension(x, NID_ext_key_usage, "serverAuth");
    }
    X509_NAME_free(s);
    X509_NAME_free(i);
    return x;
}

static EVP_PKEY *handle(const struct key_info *k, enum key_purpose purpose)
{
    return key_handle(k->id, purpose, span_of(k->spki, k->spki_bytes));
}

static void sign_all(struct fixture *f, const char *type)
{
    const EVP_MD *md = strcmp(type, "ed25519") == 0 ? NULL : EVP_sha256();
    struct key_info ca, leaf;
    EVP_PKEY *ca_key, *crl_key, *csr_key, *ca_pub;
    X509 *root, *x;

    fixture_role(f, ROLE_CAD);
    REQUIRE(key_create("ca/root", type, KEY_CA | KEY_CRL | KEY_CSR, false, &ca) == 0);
    ca_key = handle(&ca, KEY_CA);
    crl_key = handle(&ca, KEY_CRL);
    REQUIRE(ca_key != NULL && crl_key != NULL);
    root = certificate(ca_key, "root", "root", true);
    EXPECT(X509_sign(root, ca_key, md) > 0);
    ca_pub = X509_get_pubkey(root);
    EXPECT_INT(X509_verify(root, ca_pub), 1);
    EXPECT(X509_check_private_key(root, ca_key) == 1);
    x = certificate(tls_harness_key("p256"), "leaf", "root", false);
    EXPECT(X509_sign(x, ca_key, md) > 0);
    EXPECT_INT(X509_verify(x, ca_pub), 1);
    X509_free(x);
    x = certificate(tls_harness_key("p256"), "leaf", "another", false); /* not its name */
    EXPECT_INT(X509_sign(x, ca_key, md), 0);
    ERR_clear_error();
    X509_free(x);

    X509_CRL *crl = X509_CRL_new();
    X509_NAME *n = name_of("root");
    ASN1_TIME *t = X509_gmtime_adj(NULL, 0), *u = X509_gmtime_adj(NULL, 3600);
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ASN1_INTEGER_set(number, 1);
    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl, n);
    X509_CRL_set1_lastUpdate(crl, t);
    X509_CRL_set1_nextUpdate(crl, u);
    X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0);
    EXPECT(X509_CRL_sign(crl, crl_key, md) > 0);
    EXPECT_INT(X509_CRL_verify(crl, ca_pub), 1);
    EXPECT_INT(X509_CRL_sign(crl, ca_key, md), 0); /* the handle is for certificates */
    ERR_clear_error();

    fixture_role(f, ROLE_CERTD);
    REQUIRE(key_create("vserver/x", type, KEY_TLS_SERVER | KEY_CSR, false, &leaf) == 0);
    csr_key = handle(&leaf, KEY_CSR);
    X509_REQ *req = X509_REQ_new();
    X509_REQ_set_subject_name(req, n);
    EXPECT_INT(X509_REQ_set_pubkey(req, csr_key), 1);
    EXPECT(X509_REQ_sign(req, csr_key, md) > 0);
    EVP_PKEY *req_pub = X509_REQ_get_pubkey(req);
    EXPECT_INT(X509_REQ_verify(req, req_pub), 1);
    X509_REQ_set_pubkey(req, ca_pub); /* somebody else's key */
    EXPECT_INT(X509_REQ_sign(req, csr_key, md), 0);
    ERR_clear_error();

    EVP_PKEY_free(req_pub);
    X509_REQ_free(req);
    X509_CRL_free(crl);
    X509_NAME_free(n);
    ASN1_TIME_free(t);
    ASN1_TIME_free(u);
    ASN1_INTEGER_free(number);
    X509_free(root);
    EVP_PKEY_free(ca_pub);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(crl_key);
    EVP_PKEY_free(csr_key);
}

static void x509(struct fixture *f)
{
    static const char *const types[] = {"p256", "p384", "ed25519", "rsa2048"};

    key_provider_init(fixture_link, f);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        unit_case(types[i]);
        sign_all(f, types[i]);
    }
    unit_case(NULL);
}

TEST(certificates_crls_and_requests)
{
    fixture_run(x509);
}

/* PSS and its AlgorithmIdentifier. */
static void pss(struct fixture *f)
{
    struct key_info ca;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    EVP_PKEY *key, *pub;
    X509 *root;

    key_provider_init(fixture_link, f);
    fixture_role(f, ROLE_CAD);
    REQUIRE(key_create("ca/root", "rsa2048", KEY_CA, false, &ca) == 0);
    key = handle(&ca, KEY_CA);
    root = certificate(key, "root", "root", true);
    REQUIRE(EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, key) == 1);
    EXPECT_INT(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
    EXPECT_INT(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, 20), 0); /* of the digest's length only */
    EXPECT_INT(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST), 1);
    EXPECT(X509_sign_ctx(root, ctx) > 0);
    pub = X509_get_pubkey(root);
    EXPECT_INT(X509_verify(root, pub), 1);
    EXPECT_INT(X509_get_signature_nid(root), NID_rsassaPss);
    EVP_MD_CTX_free(ctx);
    X509_free(root);
    EVP_PKEY_free(key);
    EVP_PKEY_free(pub);
}

TEST(pss_signatures)
{
    fixture_run(pss);
}

/* --- handles keep the private half where it is */

static void handles(struct fixture *f)
{
    struct key_info k;
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key, *twin;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char *der = NULL, junk[16] = {0}, sig[256];
    size_t n = 0;

    key_provider_init(fixture_link, f);
    fixture_role(f, ROLE_CERTD);
    REQUIRE(key_create("vserver/x", "p256", KEY_TLS_SERVER, false, &k) == 0);
    key = handle(&k, KEY_TLS_SERVER);
    twin = handle(&k, KEY_CSR);
    REQUIRE(key != NULL && twin != NULL);
    EXPECT(EVP_PKEY_is_a(key, "EC"));
    EXPECT_INT(EVP_PKEY_get_bits(key), 256);
    EXPECT_INT(EVP_PKEY_eq(key, twin), 1);
    EXPECT_INT(EVP_PKEY_eq(key, tls_harness_key("p256")), 0);
    EXPECT_INT(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params), 0);
    EXPECT(i2d_PrivateKey(key, &der) <= 0);
    EXPECT(EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &params) == 1);
    OSSL_PARAM_free(params);
    /* the size is answered without keyd, whatever the text */
    EXPECT_INT(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    EXPECT_INT(EVP_DigestSign(ctx, NULL, &n, junk, sizeof junk), 1);
    EXPECT_INT(n, 72);
    n = sizeof sig;
    EXPECT_INT(EVP_DigestSign(ctx, sig, &n, junk, sizeof junk), 0);
    EXPECT(EVP_DigestSignInit(ctx, NULL, EVP_sha1(), NULL, key) != 1);
    EXPECT(key_handle(k.id, KEY_TLS_SERVER, SPAN("junk")) == NULL);
    EXPECT(key_handle("zz", KEY_TLS_SERVER, span_of(k.spki, k.spki_bytes)) == NULL);
    ERR_clear_error();
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    EVP_PKEY_free(twin);
}

TEST(the_private_half_stays_in_keyd)
{
    fixture_run(handles);
}
