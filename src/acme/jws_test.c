#include "acme/jws.h"
#include "base/base64.h"
#include "base/check.h"
#include "unit/unit.h"

#include <errno.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>

static EVP_PKEY *key_of(const char *kind)
{
    if (strcmp(kind, "RSA") == 0)
        return EVP_RSA_gen(2048);
    if (strcmp(kind, "ED25519") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return EVP_EC_gen(kind);
}

static const struct {
    const char *kind, *alg;
} kinds[] = {
    {"P-256",   "ES256"},
    {"P-384",   "ES384"},
    {"P-521",   "ES512"},
    {"RSA",     "RS256"},
    {"ED25519", "EdDSA"},
};

/* What one end signs, the other verifies with the key out of the message; no bit of it may change. */
TEST(messages_round)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        EVP_PKEY *key = key_of(kinds[i].kind), *other = key_of(kinds[i].kind), *seen = NULL;
        struct buf header BUF_AUTO = BUF(8192), text BUF_AUTO = BUF(JWS_TEXT_MAX);
        struct err e = {""};
        struct jws j;

        unit_case(kinds[i].kind);
        EXPECT_STR(jws_algorithm(key), kinds[i].alg);
        buf_printf(&header, "{\"alg\":\"%s\",\"nonce\":\"n-1\",\"url\":\"https://ca/x\",\"jwk\":",
                   kinds[i].alg);
        REQUIRE(jwk_put(&header, key));
        buf_putc(&header, '}');
        REQUIRE(jws_sign(key, buf_span(&header), SPAN("{\"a\":1}"), &text, &e) == 0);
        REQUIRE(jws_read(buf_span(&text), &j, &e) == 0);
        EXPECT_STR(j.alg, kinds[i].alg);
        EXPECT_STR(j.nonce, "n-1");
        EXPECT_STR(j.url, "https://ca/x");
        EXPECT_STR(j.kid, "");
        EXPECT(span_eq_cstr(buf_span(&j.payload), "{\"a\":1}"));
        REQUIRE(j.jwk && jwk_read(j.jwk, &seen, &e) == 0);
        EXPECT(EVP_PKEY_eq(seen, key) == 1);
        EXPECT(jws_verify(&j, seen));
        EXPECT(!jws_verify(&j, other));
        j.input.p[j.input.n - 1] ^= 1;
        EXPECT(!jws_verify(&j, seen));
        j.input.p[j.input.n - 1] ^= 1;
        j.signature.p[3] ^= 1;
        EXPECT(!jws_verify(&j, seen));
        j.signature.p[3] ^= 1;
        j.alg[0] = 'X';
        EXPECT(!jws_verify(&j, seen));
        jws_done(&j);
        EVP_PKEY_free(key);
        EVP_PKEY_free(other);
        EVP_PKEY_free(seen);
    }
    unit_case(NULL);
}

TEST(hmac_binds)
{
    struct buf text BUF_AUTO = BUF(4096);
    struct err e = {""};
    struct jws j;

    REQUIRE(jws_sign_hmac(SPAN("secret"), SPAN("{\"alg\":\"HS256\",\"kid\":\"k\"}"), SPAN("{}"),
                          &text, &e) == 0);
    REQUIRE(jws_read(buf_span(&text), &j, &e) == 0);
    EXPECT_STR(j.kid, "k");
    EXPECT(jws_verify_hmac(&j, SPAN("secret")));
    EXPECT(!jws_verify_hmac(&j, SPAN("secreT")));
    EXPECT(!jws_verify_hmac(&j, SPAN_EMPTY));
    jws_done(&j);
    EXPECT(jws_sign_hmac(SPAN_EMPTY, SPAN("{}"), SPAN("{}"), &text, &e) == -EINVAL);
}

/* RFC 7638 section 3.1 and RFC 8037 appendix A.3 */
TEST(thumbprints)
{
    static const struct {
        const char *jwk, *want;
    } rows[] = {
        {"{\"kty\":\"RSA\",\"n\":"
         "\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
         "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
         "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
         "bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\","
         "\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
         "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",                         "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out BUF_AUTO = BUF(128);
        struct err e = {""};
        EVP_PKEY *key = NULL;
        json_t *j = NULL;

        REQUIRE(acme_json_read(span_cstr(rows[i].jwk), &j, &e) == 0);
        REQUIRE(jwk_read(j, &key, &e) == 0);
        EXPECT(jwk_thumbprint(&out, key));
        EXPECT_STR(buf_cstr(&out), rows[i].want);
        EVP_PKEY_free(key);
        json_decref(j);
    }
}

TEST(bad_keys)
{
    static const char *const rows[] = {
        "{}",
        "{\"kty\":\"oct\",\"k\":\"AAAA\"}",
        "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
        /* not on the curve */
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\","
        "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"e\":\"AQAB\"}",
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};
        EVP_PKEY *key = NULL;
        json_t *j = NULL;

        unit_case(rows[i]);
        REQUIRE(acme_json_read(span_cstr(rows[i]), &j, &e) == 0);
        EXPECT_INT(jwk_read(j, &key, &e), -EBADMSG);
        EXPECT(e.text[0] != '\0' && key == NULL);
        json_decref(j);
    }
    unit_case(NULL);
}

TEST(bad_messages)
{
#define NONE "\"payload\":\"\",\"signature\":\"AA\""
#define ES256 "\"protected\":\"eyJhbGciOiJFUzI1NiJ9\","
    static const struct {
        const char *text;
        int rc;
    } rows[] = {
        {"",                                          -EBADMSG},
        {"[]",                                        -EBADMSG},
        {"{}",                                        -EBADMSG},
        {"{" ES256 "\"payload\":\"\"}",               -EBADMSG},
        {"{\"protected\":\"e30\"," NONE "}",          -EBADMSG}, /* no alg */
        {"{\"protected\":\"e30=\"," NONE "}",         -EBADMSG},
        {"{" ES256 NONE "} x",                        -EBADMSG},
        {"{\"protected\":\"eyJhbGciOjF9\"," NONE "}", -EBADMSG}, /* alg: 1 */
        {"{" ES256 NONE ",\"header\":{}}",            -EBADMSG},
        {"{" ES256 NONE "}",                          0       },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {""};
        struct jws j;

        unit_case(rows[i].text);
        EXPECT_INT(jws_read(span_cstr(rows[i].text), &j, &e), rows[i].rc);
        if (rows[i].rc == 0)
            jws_done(&j);
    }
    unit_case(NULL);
}

TEST(times)
{
    static const struct {
        const char *text;
        int64_t want; /* -1: none */
    } rows[] = {
        {"1970-01-01T00:00:00Z",        0         },
        {"2026-11-24T05:29:00Z",        1795498140},
        {"2026-11-24T05:29:00.123456Z", 1795498140},
        {"2026-11-24T06:29:00+01:00",   1795498140},
        {"2026-11-24T00:29:00-05:00",   1795498140},
        {"2024-02-29t00:00:00z",        1709164800},
        {"2026-11-24T05:29:00",         -1        },
        {"2026-13-24T05:29:00Z",        -1        },
        {"2026-11-31T05:29:00Z",        -1        },
        {"2026-11-24 05:29:00Z",        -1        },
        {"2026-11-24T24:29:00Z",        -1        },
        {"2026-11-24T05:29:00.Z",       -1        },
        {"2026-11-24T05:29:00+0100",    -1        },
        {"2026-11-24T05:29:00Zx",       -1        },
        {"",                            -1        },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t got = -1;

        unit_case(rows[i].text);
        EXPECT(acme_json_time(span_cstr(rows[i].text), &got) == (rows[i].want >= 0));
        EXPECT_INT(got, rows[i].want);
    }
    unit_case(NULL);
}

TEST(json_limits)
{
    struct buf deep BUF_AUTO = BUF(1 << 20);
    struct err e = {""};
    json_t *j = NULL;

    EXPECT_INT(acme_json_read(SPAN("{\"a\":1,\"a\":2}"), &j, &e), -EBADMSG);
    buf_put_cstr(&deep, "{\"a\":");
    for (int i = 0; i < ACME_JSON_DEPTH; i++)
        buf_putc(&deep, '[');
    for (int i = 0; i < ACME_JSON_DEPTH; i++)
        buf_putc(&deep, ']');
    buf_putc(&deep, '}');
    EXPECT_INT(acme_json_read(buf_span(&deep), &j, &e), -EBADMSG);
    buf_clear(&deep);
    buf_put_cstr(&deep, "{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"}");
    EXPECT_INT(acme_json_read(buf_span(&deep), &j, &e), 0);
    json_decref(j);
    buf_clear(&deep);
    while (deep.n <= ACME_JSON_MAX)
        buf_put_cstr(&deep, "                                ");
    EXPECT_INT(acme_json_read(buf_span(&deep), &j, &e), -EMSGSIZE);
}
