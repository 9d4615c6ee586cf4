/* check_ca_test.c: what may be signed of X.509: certificates within a CA's profile, requests, CRLs,
 * OCSP answers, the certificates that answer a challenge. */
#include "pki/certificate.h"
#include "proc/keyd/engine/check_fixture.h"
#include "unit/unit.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

/* --- certificates */

static struct key_ca_profile profile_of(const char *cn, bool root, uint8_t levels)
{
    struct key_ca_profile p = {.root = root, .levels = levels};
    X509_NAME *n = X509_NAME_new();
    unsigned char *out = p.name;

    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
    p.name_bytes = (unsigned)i2d_X509_NAME(n, &out);
    X509_NAME_free(n);
    return p;
}

struct wanted {
    const char *what;
    const char *subject, *issuer;
    const char *basic, *usage, *extended;
    bool own;
    int days;
    long serial;
    int version;
};

static void add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e;

    if (value == NULL)
        return;
    e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    CHECK(e != NULL && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static void set_name(X509 *x, const char *cn, bool issuer)
{
    X509_NAME *n = X509_NAME_new();

    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
    CHECK((issuer ? X509_set_issuer_name(x, n) : X509_set_subject_name(x, n)) == 1);
    X509_NAME_free(n);
}

static X509_ALGOR *ecdsa_sha256(void)
{
    X509_ALGOR *a = X509_ALGOR_new();
    X509_ALGOR_set0(a, OBJ_nid2obj(NID_ecdsa_with_SHA256), V_ASN1_UNDEF, NULL);
    return a;
}

/* The text that would be signed. */
static void tbs(const struct wanted *w, EVP_PKEY *own, EVP_PKEY *other, struct buf *out)
{
    X509 *x = X509_new();
    X509_ALGOR *a = ecdsa_sha256();
    unsigned char *der = NULL;
    int n;

    X509_set_version(x, w->version);
    ASN1_INTEGER_set(X509_get_serialNumber(x), w->serial);
    set_name(x, w->subject, false);
    set_name(x, w->issuer, true);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400L * w->days);
    X509_set_pubkey(x, w->own ? own : other);
    add_extension(x, NID_basic_constraints, w->basic);
    add_extension(x, NID_key_usage, w->usage);
    add_extension(x, NID_ext_key_usage, w->extended);
    CHECK(X509_ALGOR_copy((X509_ALGOR *)(uintptr_t)X509_get0_tbs_sigalg(x), a) == 1);
    n = i2d_re_X509_tbs(x, &der);
    CHECK(n > 0);
    buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    X509_ALGOR_free(a);
    X509_free(x);
}

#define LEAF(what_, ...)                                                                           \
    {                                                                                              \
        .what = what_, .subject = "leaf", .issuer = "ca", .usage = "critical,digitalSignature",    \
        .extended = "serverAuth", .days = 90, .serial = 77, .version = X509_VERSION_3, __VA_ARGS__ \
    }
#define SUBCA(what_, ...)                                                                          \
    {                                                                                              \
        .what = what_, .subject = "sub", .issuer = "ca", .basic = "critical,CA:TRUE,pathlen:0",    \
        .usage = "critical,keyCertSign,cRLSign", .days = 900, .serial = 77,                        \
        .version = X509_VERSION_3, __VA_ARGS__                                                     \
    }
#define OWN(what_, ...)                                                                            \
    {                                                                                              \
        .what = what_, .subject = "ca", .issuer = "ca", .basic = "critical,CA:TRUE",               \
        .usage = "critical,keyCertSign,cRLSign", .days = 900, .serial = 77, .own = true,           \
        .version = X509_VERSION_3, __VA_ARGS__                                                     \
    }

enum { ROOT_CA = 1, ISSUING_CA = 2, CLIENT_CA = 4 };

/* version 14 dies of these rows */
/* clang-format off */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
static const struct {
    struct wanted w;
    unsigned by; /* the CAs that may sign it */
} certificates[] = {
    {LEAF("a server", .own = false), ROOT_CA | ISSUING_CA},
    {LEAF("a client", .extended = "clientAuth"), ROOT_CA | ISSUING_CA | CLIENT_CA},
    {LEAF("both", .extended = "serverAuth,clientAuth"), ROOT_CA | ISSUING_CA},
    {LEAF("any use", .extended = "anyExtendedKeyUsage"), 0},
    {LEAF("no extended use", .extended = NULL), 0},
    {LEAF("a signer of evidence", .extended = CERTIFICATE_OID_DOCUMENT), ROOT_CA | ISSUING_CA},
    {LEAF("a client that signs evidence too", .extended = "clientAuth," CERTIFICATE_OID_DOCUMENT), 0},
    {LEAF("evidence and something unknown", .extended = CERTIFICATE_OID_DOCUMENT ",1.2.3.4"), 0},
    {LEAF("not a CA, said so", .basic = "critical,CA:FALSE"), ROOT_CA | ISSUING_CA},
    {LEAF("a leaf that signs", .usage = "keyCertSign"), 0},
    {LEAF("a leaf with CRLs", .usage = "digitalSignature,cRLSign"), 0},
    {LEAF("another issuer", .issuer = "other"), 0},
    {LEAF("serial 0", .serial = 0), 0},
    {LEAF("serial -5", .serial = -5), 0},
    {LEAF("version 1", .version = X509_VERSION_1), 0},
    {LEAF("ends at once", .days = 0), 0},
    {LEAF("ends before", .days = -1), 0},
    {LEAF("too long for the issuing CA", .days = 101), ROOT_CA},
    {LEAF("the CA's key as a leaf", .own = true), 0},
    {SUBCA("a CA below", .own = false), ROOT_CA},
    {SUBCA("without a path length", .basic = "critical,CA:TRUE"), 0},
    {SUBCA("with too long a path", .basic = "critical,CA:TRUE,pathlen:1"), 0},
    {SUBCA("not critical", .basic = "CA:TRUE,pathlen:0"), 0},
    {SUBCA("without key usage", .usage = NULL), 0},
    {SUBCA("that may not sign", .usage = "critical,cRLSign"), 0},
    {OWN("a root", .version = X509_VERSION_3), ROOT_CA},
    {OWN("a root of another name", .subject = "x", .issuer = "x"), 0},
    {OWN("the own key below itself", .subject = "x"), 0},
    {OWN("a root with a long path", .basic = "critical,CA:TRUE,pathlen:2"), 0},
    {OWN("a root that is no CA", .basic = "critical,CA:FALSE", .usage = "digitalSignature",
         .extended = "clientAuth"),
     0},
};
#pragma GCC diagnostic pop
/* clang-format on */

static struct keyd_key *ca_key(unsigned which)
{
    struct key_ca_profile p = profile_of("ca", which == ROOT_CA, which == ROOT_CA ? 1 : 0);

    p.max_days = which == ROOT_CA ? 0 : 100;
    p.client_only = which == CLIENT_CA;
    return make("p256", KEY_CA | KEY_CRL | KEY_OCSP | KEY_CSR, &p);
}

TEST(certificates_against_the_profile)
{
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

    for (unsigned which = ROOT_CA; which <= CLIENT_CA; which <<= 1) {
        struct keyd_key *k = ca_key(which);
        for (size_t i = 0; i < ARRAY_LEN(certificates); i++) {
            struct buf text BUF_AUTO = BUF(65536);
            unit_case(certificates[i].w.what);
            tbs(&certificates[i].w, k->pkey, other, &text);
            EXPECT_INT(passes(k, KEY_CA, buf_span(&text)), (certificates[i].by & which) != 0);
            EXPECT(!passes(k, KEY_CRL, buf_span(&text)));
            EXPECT(!passes(k, KEY_OCSP, buf_span(&text)));
            EXPECT(!passes(k, KEY_CSR, buf_span(&text)));
            EXPECT(!passes(k, KEY_TLS_SERVER, buf_span(&text)));
        }
        keyd_key_unref(k);
    }
    unit_case(NULL);
    EVP_PKEY_free(other);
}

/* Of all one-byte changes of a certificate some are other good certificates (a serial, a key); but
 * none may crash, trail or lie about its length. */
TEST(mutated_certificates)
{
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    struct keyd_key *k = ca_key(ROOT_CA);
    struct buf text BUF_AUTO = BUF(65536);
    char copy[2000];
    struct key_sign_request r;
    size_t serial;

    tbs(&certificates[0].w, k->pkey, other, &text);
    REQUIRE(text.n < sizeof copy - 10 && passes(k, KEY_CA, buf_span(&text)));
    serial = ((unsigned char)text.p[1] == 0x81 ? 3 : 4) + 7;
    memset(copy, 0, sizeof copy);
    memcpy(copy, text.p, text.n);
    for (size_t n = 0; n < text.n + 5; n++)
        EXPECT_INT(passes(k, KEY_CA, span_of(copy, n)), n == text.n);
    for (size_t i = 0; i < text.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, text.p, text.n);
            copy[i] = (char)(copy[i] ^ 1 << bit);
            bool ok = passes(k, KEY_CA, span_of(copy, text.n));
            if (i <=
                serial) /* outer length, version, the serial's tag and length; then its value */
                EXPECT(!ok || i == serial);
        }
    }
    r = request(KEY_CA, buf_span(&text));
    r.digest = KEY_SHA384; /* the text says SHA-256 */
    bool learned;
    EXPECT(check_text(k, &r, &learned) != NULL);
    keyd_key_unref(k);
    EVP_PKEY_free(other);
}

TEST(the_first_name_is_learned)
{
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    struct keyd_key *k = make("p256", KEY_CA | KEY_CRL, NULL);
    struct buf text BUF_AUTO = BUF(65536);
    struct wanted w = certificates[0].w;
    struct key_sign_request r;
    bool learned;

    tbs(&w, k->pkey, other, &text);
    r = request(KEY_CA, buf_span(&text));
    EXPECT(check_text(k, &r, &learned) == NULL && learned);
    check_forget(k);
    EXPECT(check_text(k, &r, &learned) == NULL && learned);
    EXPECT(check_text(k, &r, &learned) == NULL && !learned);
    w.issuer = "other";
    buf_clear(&text);
    tbs(&w, k->pkey, other, &text);
    r.text = buf_span(&text);
    EXPECT(check_text(k, &r, &learned) != NULL && !learned);
    keyd_key_unref(k);
    EVP_PKEY_free(other);
}

/* --- requests, CRLs, OCSP */

static void csr_text(EVP_PKEY *key, long version, struct buf *out)
{
    X509_REQ *req = X509_REQ_new();
    X509_NAME *n = X509_NAME_new();
    unsigned char *der = NULL;
    int len;

    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)"ca", -1, -1, 0);
    X509_REQ_set_subject_name(req, n);
    X509_REQ_set_version(req, version);
    X509_REQ_set_pubkey(req, key);
    len = i2d_re_X509_REQ_tbs(req, &der);
    buf_put(out, der, (size_t)len);
    OPENSSL_free(der);
    X509_NAME_free(n);
    X509_REQ_free(req);
}

TEST(requests)
{
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    struct keyd_key *k = make("p256", KEY_TLS_SERVER | KEY_CSR, NULL);
    struct buf text BUF_AUTO = BUF(65536);
    char copy[2000] = {0};

    csr_text(k->pkey, X509_REQ_VERSION_1, &text);
    memcpy(copy, text.p, text.n);
    for (size_t n = 0; n < text.n + 5; n++)
        EXPECT_INT(passes(k, KEY_CSR, span_of(copy, n)), n == text.n);
    EXPECT(!passes(k, KEY_CA, buf_span(&text)));
    EXPECT(!passes(k, KEY_TLS_SERVER, buf_span(&text)));
    for (size_t i = 0; i < text.n; i++) { /* every byte of the key counts */
        memcpy(copy, text.p, text.n);
        copy[i] = (char)(copy[i] ^ 1);
        bool in_key = i + 91 + 2 >= text.n && i + 2 < text.n;
        if (in_key)
            EXPECT(!passes(k, KEY_CSR, span_of(copy, text.n)));
        else
            passes(k, KEY_CSR, span_of(copy, text.n));
    }
    buf_clear(&text);
    csr_text(other, X509_REQ_VERSION_1, &text);
    EXPECT(!passes(k, KEY_CSR, buf_span(&text)));
    buf_clear(&text);
    csr_text(k->pkey, 1, &text);
    EXPECT(!passes(k, KEY_CSR, buf_span(&text)));
    keyd_key_unref(k);
    EVP_PKEY_free(other);
}

static void crl_text(const char *issuer, long version, int life, bool number, struct buf *out)
{
    X509_CRL *crl = X509_CRL_new();
    X509_NAME *n = X509_NAME_new();
    ASN1_TIME *t = X509_gmtime_adj(NULL, 0), *u = X509_gmtime_adj(NULL, life);
    ASN1_INTEGER *one = ASN1_INTEGER_new();
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    unsigned char *der = NULL;
    int len;

    ASN1_INTEGER_set(one, 1);
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)issuer, -1, -1, 0);
    X509_CRL_set_version(crl, version);
    X509_CRL_set_issuer_name(crl, n);
    X509_CRL_set1_lastUpdate(crl, t);
    X509_CRL_set1_nextUpdate(crl, u);
    if (number)
        X509_CRL_add1_ext_i2d(crl, NID_crl_number, one, 0, 0);
    X509_CRL_sign(crl, key, EVP_sha256()); /* fills in the algorithm */
    len = i2d_re_X509_CRL_tbs(crl, &der);
    buf_put(out, der, (size_t)len);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    ASN1_INTEGER_free(one);
    ASN1_TIME_free(t);
    ASN1_TIME_free(u);
    X509_NAME_free(n);
    X509_CRL_free(crl);
}

TEST(crls)
{
    static const struct {
        const char *issuer;
        long version;
        int life;
        bool number, ok;
    } rows[] = {
        {"ca",    X509_CRL_VERSION_2, 3600, true,  true },
        {"other", X509_CRL_VERSION_2, 3600, true,  false},
        {"ca",    X509_CRL_VERSION_1, 3600, false, false},
        {"ca",    X509_CRL_VERSION_2, 3600, false, false},
        {"ca",    X509_CRL_VERSION_2, -1,   true,  false},
    };
    struct keyd_key *k = ca_key(ISSUING_CA);
    char copy[2000];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf text BUF_AUTO = BUF(65536);
        struct key_sign_request r;
        bool learned;
        crl_text(rows[i].issuer, rows[i].version, rows[i].life, rows[i].number, &text);
        EXPECT_INT(passes(k, KEY_CRL, buf_span(&text)), rows[i].ok);
        EXPECT(!passes(k, KEY_CA, buf_span(&text)));
        r = request(KEY_CRL, buf_span(&text));
        r.digest = KEY_SHA384;
        EXPECT(check_text(k, &r, &learned) != NULL);
        if (!rows[i].ok)
            continue;
        memset(copy, 0, sizeof copy);
        memcpy(copy, text.p, text.n);
        for (size_t n = 0; n < text.n + 5; n++)
            EXPECT_INT(passes(k, KEY_CRL, span_of(copy, n)), n == text.n);
    }
    keyd_key_unref(k);
}

static void ocsp_text(EVP_PKEY *responder_key, const char *responder_cn, bool by_key,
                      struct buf *out)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    X509 *responder = X509_new();
    X509_NAME *n = X509_NAME_new();
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    ASN1_TIME *t = X509_gmtime_adj(NULL, 0), *u = X509_gmtime_adj(NULL, 3600);
    unsigned char *der = NULL;
    OCSP_CERTID *id;
    int len;

    ASN1_INTEGER_set(serial, 5);
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)responder_cn, -1, -1,
                               0);
    X509_set_version(responder, X509_VERSION_3);
    X509_set_subject_name(responder, n);
    X509_set_issuer_name(responder, n);
    X509_gmtime_adj(X509_getm_notBefore(responder), 0);
    X509_gmtime_adj(X509_getm_notAfter(responder), 3600);
    X509_set_pubkey(responder, responder_key);
    id = OCSP_cert_id_new(EVP_sha1(), n, X509_get0_pubkey_bitstr(responder), serial);
    CHECK(OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, t, u) != NULL);
    CHECK(OCSP_basic_sign(basic, responder, responder_key, EVP_sha256(), NULL,
                          OCSP_NOCERTS | (by_key ? OCSP_RESPID_KEY : 0)) == 1);
    len = i2d_OCSP_RESPDATA(OCSP_resp_get0_respdata(basic), &der);
    CHECK(len > 0);
    buf_put(out, der, (size_t)len);
    OPENSSL_free(der);
    OCSP_CERTID_free(id);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(t);
    ASN1_TIME_free(u);
    X509_NAME_free(n);
    X509_free(responder);
    OCSP_BASICRESP_free(basic);
}

TEST(ocsp_answers)
{
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    struct keyd_key *k = ca_key(ISSUING_CA);
    char copy[2000] = {0};

    for (int by_key = 0; by_key < 2; by_key++) {
        struct buf text BUF_AUTO = BUF(65536);
        ocsp_text(k->pkey, "ca", by_key, &text);
        EXPECT(passes(k, KEY_OCSP, buf_span(&text)));
        EXPECT(!passes(k, KEY_CA, buf_span(&text)));
        EXPECT(!passes(k, KEY_CRL, buf_span(&text)));
        memset(copy, 0, sizeof copy);
        memcpy(copy, text.p, text.n);
        for (size_t n = 0; n < text.n + 5; n++)
            EXPECT_INT(passes(k, KEY_OCSP, span_of(copy, n)), n == text.n);
        buf_clear(&text);
        ocsp_text(other, by_key ? "ca" : "other", by_key, &text);
        EXPECT(!passes(k, KEY_OCSP, buf_span(&text)));
    }
    keyd_key_unref(k);
    EVP_PKEY_free(other);
}

/* --- challenges */

struct challenge {
    const char *what;
    const char *cn, *issuer; /* NULL: as it must be */
    bool other_key, not_critical, no_name, basic, short_hash;
    int days;
    bool ok;
};

static void challenge_text(const struct challenge *c, EVP_PKEY *own, EVP_PKEY *other,
                           struct buf *out)
{
    static const char name[] = "sealpost ACME challenge";
    X509 *x = X509_new();
    X509_ALGOR *a = ecdsa_sha256();
    ASN1_OBJECT *what = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    unsigned char hash[34] = {4, 32}, *der = NULL;
    X509_EXTENSION *e;
    int n;

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    set_name(x, c->cn != NULL ? c->cn : name, false);
    set_name(x, c->issuer != NULL ? c->issuer : name, true);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400L * c->days);
    X509_set_pubkey(x, c->other_key ? other : own);
    if (!c->no_name)
        add_extension(x, NID_subject_alt_name, "DNS:mail.example.org");
    ASN1_OCTET_STRING_set(value, hash, c->short_hash ? 20 : sizeof hash);
    e = X509_EXTENSION_create_by_OBJ(NULL, what, !c->not_critical, value);
    CHECK(e != NULL && X509_add_ext(x, e, -1) == 1);
    if (c->basic)
        add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    CHECK(X509_ALGOR_copy((X509_ALGOR *)(uintptr_t)X509_get0_tbs_sigalg(x), a) == 1);
    n = i2d_re_X509_tbs(x, &der);
    CHECK(n > 0);
    buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(what);
    X509_ALGOR_free(a);
    X509_free(x);
}

TEST(challenges)
{
    static const struct challenge rows[] = {
        {.what = "as RFC 8737 has it", .days = 7,  .ok = true                          },
        {.what = "for another key",    .days = 7,  .other_key = true                   },
        {.what = "lives long",         .days = 30},
        {.what = "ends before it begins",                  .days = -1          },
        {.what = "acmeIdentifier not critical",        .days = 7,                  .not_critical = true                                    },
        {.what = "no digest",          .days = 7,                    .short_hash = true},
        {.what = "without a name",             .days = 7,                       .no_name = true},
        {.what = "a CA",               .days = 7,                         .basic = true             },
        {.what = "another subject",    .days = 7,              .cn = "mail.example.org"                                         },
        {.what = "another issuer",              .days = 7,                        .issuer = "ca"},
    };
    struct keyd_key *k = make("p256", KEY_CHALLENGE | KEY_TLS_SERVER, NULL);
    EVP_PKEY *other = EVP_EC_gen("P-256");

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf text BUF_AUTO = BUF(4096);
        unit_case(rows[i].what);
        challenge_text(&rows[i], k->pkey, other, &text);
        EXPECT_INT(passes(k, KEY_CHALLENGE, buf_span(&text)), rows[i].ok);
        EXPECT(!passes(k, KEY_TLS_SERVER, buf_span(&text)));
        buf_putc(&text, '\0');
        EXPECT(!passes(k, KEY_CHALLENGE, buf_span(&text)));
    }
    unit_case(NULL);
    EXPECT(!passes(k, KEY_CHALLENGE, SPAN_EMPTY));
    keyd_key_unref(k);
    EVP_PKEY_free(other);
}
