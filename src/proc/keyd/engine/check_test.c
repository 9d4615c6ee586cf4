/* check_test.c: what may be signed for which purpose. Each text that passes is also the root of
 * many that must not. */
#include "proc/keyd/engine/check_fixture.h"
#include "unit/unit.h"

#include "base/base64.h"
#include "proc/keyd/engine/rights.h"

/* --- TLS */

static size_t tls13_text(char *p, bool server, size_t hash)
{
    static const char *const context[] = {"TLS 1.3, client CertificateVerify",
                                          "TLS 1.3, server CertificateVerify"};
    memset(p, ' ', 64);
    memcpy(p + 64, context[server], 34);
    for (size_t i = 0; i < hash; i++)
        p[98 + i] = (char)unit_random();
    return 98 + hash;
}

static size_t tls12_text(char *p, unsigned group, unsigned point, int first)
{
    for (size_t i = 0; i < 64 + 4 + point; i++)
        p[i] = (char)unit_random();
    p[64] = 3;
    p[65] = (char)(group >> 8);
    p[66] = (char)group;
    p[67] = (char)point;
    if (first >= 0)
        p[68] = (char)first;
    return 64 + 4 + point;
}

/* Every byte before `free_from`, changed in every way; every length but its own and those in
 * `also`. */
static void mutate(struct keyd_key *k, unsigned purpose, const char *text, size_t n, size_t from,
                   size_t free_from, size_t also)
{
    char copy[512];

    for (size_t i = from; i < free_from; i++) {
        for (int x = 1; x < 256; x++) {
            memcpy(copy, text, n);
            copy[i] = (char)(copy[i] ^ x);
            if (passes(k, purpose, span_of(copy, n)))
                unit_fail(__FILE__, __LINE__, "byte %zu xor %d passes", i, x);
        }
    }
    memset(copy, 0, sizeof copy);
    memcpy(copy, text, n);
    for (size_t len = 0; len < n + 60; len++)
        EXPECT_INT(passes(k, purpose, span_of(copy, len)), len == n || len == also);
}

TEST(tls13_texts)
{
    struct keyd_key *k = make("p256", KEY_TLS_SERVER | KEY_TLS_CLIENT, NULL);
    char text[512];

    for (size_t hash = 32; hash <= 48; hash += 16) {
        size_t n = tls13_text(text, true, hash);
        EXPECT(passes(k, KEY_TLS_SERVER, span_of(text, n)));
        EXPECT(!passes(k, KEY_TLS_CLIENT, span_of(text, n)));
        for (unsigned purpose = KEY_CA; purpose <= KEY_PURPOSE_LAST; purpose <<= 1)
            EXPECT(!passes(k, purpose, span_of(text, n)));
        mutate(k, KEY_TLS_SERVER, text, n, 0, 98, hash == 32 ? n + 16 : n - 16);
        n = tls13_text(text, false, hash);
        EXPECT(passes(k, KEY_TLS_CLIENT, span_of(text, n)));
        EXPECT(!passes(k, KEY_TLS_SERVER, span_of(text, n)));
        mutate(k, KEY_TLS_CLIENT, text, n, 0, 98, hash == 32 ? n + 16 : n - 16);
    }
    keyd_key_unref(k);
}

TEST(tls12_texts)
{
    static const struct {
        unsigned group, point;
        int first;
        bool ok;
    } rows[] = {
        {23,  65,  4,  true },
        {24,  97,  4,  true },
        {29,  32,  -1, true },
        {23,  65,  2,  false},
        {23,  33,  2,  false},
        {25,  133, 4,  false},
        {30,  56,  -1, false},
        {23,  97,  4,  false},
        {24,  65,  4,  false},
        {29,  65,  4,  false},
        {256, 32,  -1, false},
        {29,  31,  -1, false},
    };
    struct keyd_key *k = make("p256", KEY_TLS_SERVER, NULL);
    char text[512];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = tls12_text(text, rows[i].group, rows[i].point, rows[i].first);
        EXPECT_INT(passes(k, KEY_TLS_SERVER, span_of(text, n)), rows[i].ok);
        EXPECT(!passes(k, KEY_TLS_CLIENT, span_of(text, n))); /* TLS 1.3 only */
        if (rows[i].ok)
            mutate(k, KEY_TLS_SERVER, text, n, 64, rows[i].first >= 0 ? 69 : 68, n);
    }
    keyd_key_unref(k);
}

TEST(tls13_algorithms)
{
    static const struct {
        const char *type;
        enum key_algorithm a;
        enum key_digest d;
        bool v12, v13;
    } rows[] = {
        {"p256",    KEY_ECDSA,     KEY_SHA256,      true,  true },
        {"p256",    KEY_ECDSA,     KEY_SHA384,      true,  false},
        {"p384",    KEY_ECDSA,     KEY_SHA384,      true,  true },
        {"p384",    KEY_ECDSA,     KEY_SHA256,      true,  false},
        {"p256",    KEY_RSA_PSS,   KEY_SHA256,      false, false},
        {"p256",    KEY_EDDSA,     KEY_DIGEST_NONE, false, false},
        {"p256",    KEY_ECDSA,     KEY_DIGEST_NONE, false, false},
        {"ed25519", KEY_EDDSA,     KEY_DIGEST_NONE, true,  true },
        {"ed25519", KEY_EDDSA,     KEY_SHA256,      false, false},
        {"ed25519", KEY_ECDSA,     KEY_SHA256,      false, false},
        {"rsa2048", KEY_RSA_PKCS1, KEY_SHA256,      true,  false},
        {"rsa2048", KEY_RSA_PSS,   KEY_SHA512,      true,  true },
        {"rsa2048", KEY_RSA_PSS,   KEY_DIGEST_NONE, false, false},
        {"rsa2048", KEY_ECDSA,     KEY_SHA256,      false, false},
    };
    char v13[200], v12[200];
    size_t n13 = tls13_text(v13, true, 32), n12 = tls12_text(v12, 29, 32, -1);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct keyd_key *k = make(rows[i].type, KEY_TLS_SERVER, NULL);
        struct key_sign_request r = request(KEY_TLS_SERVER, span_of(v13, n13));
        r.algorithm = rows[i].a;
        r.digest = rows[i].d;
        unit_case(rows[i].type);
        EXPECT_INT(sign_suits(k, &r) && check_tls(k, &r) == NULL, rows[i].v13);
        r.text = span_of(v12, n12);
        EXPECT_INT(sign_suits(k, &r) && check_tls(k, &r) == NULL, rows[i].v12);
        keyd_key_unref(k);
    }
    unit_case(NULL);
}

/* --- text purposes */

TEST(jws_texts)
{
    static const struct {
        const char *header, *payload;
        bool ok;
    } rows[] = {
        {"{\"alg\":\"ES256\",\"nonce\":\"x\",\"url\":\"https://ca/\"}",            "{}", true },
        {"{\"alg\":\"ES256\",\"jwk\":{},\"nonce\":\"x\",\"url\":\"https://ca/\"}", "",   true },
        {"{\"alg\":\"ES256\",\"nonce\":\"x\"}",                                    "{}", false},
        {"{\"nonce\":\"x\",\"url\":\"u\"}",                                        "{}", false},
        {"\"alg\" \"url\"",                                                        "{}", false},
        {"",                                                                       "{}", false},
    };
    struct keyd_key *k = make("p256", KEY_ACME, NULL);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b BUF_AUTO = BUF(4096);
        base64url_encode(&b, span_cstr(rows[i].header));
        buf_putc(&b, '.');
        base64url_encode(&b, span_cstr(rows[i].payload));
        EXPECT_INT(passes(k, KEY_ACME, buf_span(&b)), rows[i].ok);
        buf_putc(&b, '.'); /* nothing trailing */
        EXPECT(!passes(k, KEY_ACME, buf_span(&b)));
    }
    EXPECT(!passes(k, KEY_ACME, SPAN_EMPTY));
    EXPECT(!passes(k, KEY_ACME, SPAN(".")));
    keyd_key_unref(k);
}

TEST(dkim_and_evidence_texts)
{
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {"from:a@b\r\nsubject:x\r\ndkim-signature:v=1; a=rsa-sha256; bh=abc=; b=", true },
        {"From: a@b\r\nDKIM-Signature: v=1; bh=abc=;\r\n b=; h=from",              true },
        {"from:a@b\r\ndkim-signature:v=1; bh=abc=; b=xyz",                         false},
        {"from:a@b\r\ndkim-signature:v=1; b=",                                     false},
        {"from:a@b\r\ndkim-signature:v=1; bh=abc=; b=\r\n",                        false},
        {"dkim-signature:v=1; bh=abc=; b=\r\nfrom:a@b",                            false},
        {"from:a@b",                                                               false},
        {"from:a@b\ndkim-signature:v=1; bh=abc=; b=",                              false},
        {KEY_EVIDENCE_PREFIX "\r\ndkim-signature:v=1; bh=abc=; b=",                false},
        {"",                                                                       false},
    };
    struct keyd_key *k = make("p256", KEY_DKIM, NULL);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].text);
        EXPECT_INT(passes(k, KEY_DKIM, span_cstr(rows[i].text)), rows[i].ok);
    }
    unit_case(NULL);
    EXPECT(passes(k, KEY_EVIDENCE, SPAN(KEY_EVIDENCE_PREFIX "x")));
    EXPECT(!passes(k, KEY_EVIDENCE, SPAN(KEY_EVIDENCE_PREFIX "x\0y")));
    EXPECT(!passes(k, KEY_EVIDENCE, SPAN("sealpost evidence 2\nx")));
    keyd_key_unref(k);
}

/* --- rights */

TEST(rights)
{
    static const struct {
        enum role who;
        const char *label;
        unsigned purposes;
        bool ok;
    } rows[] = {
        {ROLE_CERTD,   "vserver/imap4-default", KEY_TLS_SERVER | KEY_CSR,                  true },
        {ROLE_CERTD,   "vserver/a",             KEY_TLS_SERVER | KEY_TLS_CLIENT | KEY_CSR, true },
        {ROLE_CERTD,   "acme/account",          KEY_ACME,                                  true },
        {ROLE_CERTD,   "acme/account",          KEY_ACME | KEY_TLS_SERVER,                 false},
        {ROLE_CERTD,   "acme/challenge",        KEY_CHALLENGE | KEY_TLS_SERVER,            true },
        {ROLE_CERTD,   "acme/challenge",        KEY_CHALLENGE | KEY_CSR,                   false},
        {ROLE_CERTD,   "acme/challenge",        KEY_CHALLENGE | KEY_TLS_SERVER | KEY_CSR,  false},
        {ROLE_CAD,     "ca/root",               KEY_CA | KEY_CHALLENGE,                    false},
        {ROLE_CERTD,   "vserver/a",             KEY_CA,                                    false},
        {ROLE_CERTD,   "ca/root",               KEY_TLS_SERVER,                            false},
        {ROLE_CERTD,   "vserver/a",             0,                                         false},
        {ROLE_CERTD,   "vserver/a",             1u << 20,                                  false},
        {ROLE_CERTD,   "",                      KEY_TLS_SERVER,                            false},
        {ROLE_CERTD,   "a\nb",                  KEY_TLS_SERVER,                            false},
        {ROLE_CAD,     "ca/root",               KEY_CA | KEY_CRL | KEY_OCSP | KEY_CSR,     true },
        {ROLE_CAD,     "ca/root",               KEY_CA | KEY_TLS_SERVER,                   false},
        {ROLE_CAD,     "vserver/a",             KEY_CA,                                    false},
        {ROLE_ACCESS,  "vserver/a",             KEY_TLS_SERVER,                            false},
        {ROLE_MANAGER, "vserver/a",             KEY_TLS_SERVER,                            false},
        {ROLE_MANAGER, "vserver/a",             KEY_TLS_CLIENT,                            false},
        {ROLE_MANAGER, "account/anna",          KEY_TLS_CLIENT,                            true },
        {ROLE_MANAGER, "account/anna",          KEY_TLS_CLIENT | KEY_TLS_SERVER,           false},
        {ROLE_CERTD,   "account/anna",          KEY_TLS_CLIENT,                            false},
    };
    static const unsigned may_sign[] = {
        /* in the order of enum key_purpose */
        ROLE_SESSIOND,
        ROLE_RELAYD | ROLE_CERTD,
        ROLE_CAD,
        ROLE_CAD,
        ROLE_CAD,
        ROLE_CERTD | ROLE_CAD,
        ROLE_CERTD,
        ROLE_RELAYD,
        ROLE_WATCHD | ROLE_CERTD | ROLE_MANAGER,
        ROLE_CERTD,
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct key_create_request r = {.purposes = rows[i].purposes};
        snprintf(r.label, sizeof r.label, "%s", rows[i].label);
        unit_case(rows[i].label);
        EXPECT_INT(right_to_create(rows[i].who, &r), rows[i].ok);
    }
    unit_case(NULL);
    for (unsigned p = 0; p < ARRAY_LEN(may_sign); p++)
        for (unsigned who = 1; who < ROLE_ANY; who <<= 1)
            EXPECT_INT(right_to_sign((enum role)who, 1u << p), (may_sign[p] & who) != 0);
    EXPECT(!right_to_sign(ROLE_ACCESS, KEY_TLS_SERVER | KEY_CA)); /* one purpose at a time */
    EXPECT(!right_to_sign(ROLE_ACCESS, 0));
    EXPECT(right_to_delete(ROLE_CAD, "ca/x") && !right_to_delete(ROLE_CERTD, "ca/x"));
    EXPECT(right_to_delete(ROLE_CERTD, "vserver/x") && !right_to_delete(ROLE_CAD, "vserver/x"));
    EXPECT(!right_to_delete(ROLE_ACCESS, "vserver/x"));
    EXPECT(right_to_delete(ROLE_MANAGER, "account/x") && !right_to_delete(ROLE_CERTD, "account/x"));
    EXPECT(!right_to_delete(ROLE_MANAGER, "vserver/x") && !right_to_delete(ROLE_MANAGER, "ca/x"));
}
