#include "acme/alpn.h"
#include "base/check.h"
#include "unit/unit.h"

#include <openssl/ec.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

/* As a CA looks at it (RFC 8737 section 3): signed by its own key, the name alone, the digest in a critical extension. */
TEST(certificates)
{
    static const struct {
        const char *name;
        bool is_address;
        int type;
    } rows[] = {
        {"mail.example.org", false, GEN_DNS  },
        {"192.0.2.7",        true,  GEN_IPADD},
        {"2001:db8::1",      true,  GEN_IPADD},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        struct buf der BUF_AUTO = BUF(4096);
        unsigned char *spki = NULL, hash[34] = {4, 32};
        int n = i2d_PUBKEY(key, &spki);
        struct err e = {""};
        const unsigned char *p;
        X509 *x;

        unit_case(rows[i].name);
        REQUIRE(acme_alpn_certificate(key, span_of(spki, (size_t)n), rows[i].name,
                                      rows[i].is_address, "token.thumbprint", &der, &e) == 0);
        p = (const unsigned char *)der.p;
        x = d2i_X509(NULL, &p, (long)der.n);
        REQUIRE(x != NULL);
        EXPECT(X509_verify(x, key) == 1);
        EXPECT(X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(x)) == 0);
        GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
        REQUIRE(names && sk_GENERAL_NAME_num(names) == 1);
        EXPECT_INT(sk_GENERAL_NAME_value(names, 0)->type, rows[i].type);
        GENERAL_NAMES_free(names);
        ASN1_OBJECT *what = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
        X509_EXTENSION *ext = X509_get_ext(x, X509_get_ext_by_OBJ(x, what, -1));
        ASN1_OBJECT_free(what);
        REQUIRE(ext != NULL);
        EXPECT(X509_EXTENSION_get_critical(ext) == 1);
        SHA256((const unsigned char *)"token.thumbprint", 16, hash + 2);
        EXPECT_SPAN(span_of(X509_EXTENSION_get_data(ext)->data,
                            (size_t)X509_EXTENSION_get_data(ext)->length),
                    span_of(hash, sizeof(hash)));
        X509_free(x);
        OPENSSL_free(spki);
        EVP_PKEY_free(key);
    }
    unit_case(NULL);
}

TEST(names_in_sni)
{
    static const struct {
        const char *name;
        bool is_address;
        const char *want;
    } rows[] = {
        {"mail.example.org", false, "mail.example.org"                             },
        {"192.0.2.7",        true,  "7.2.0.192.in-addr.arpa"                       },
        {"2001:db8::1",      true,
         "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char got[256];
        unit_case(rows[i].name);
        EXPECT(acme_alpn_sni(rows[i].name, rows[i].is_address, got, sizeof(got)));
        EXPECT_STR(got, rows[i].want);
    }
    unit_case(NULL);
}

/* echo -n token.thumbprint | openssl dgst -sha256 -binary | basenc --base64url */
TEST(text_of_the_record)
{
    struct buf out BUF_AUTO = BUF(64);

    EXPECT(acme_dns_text("token.thumbprint", &out));
    EXPECT_STR(buf_cstr(&out), "61rBZ_4knHblO0MNoxFsXZ_eTFUHum0B6IVRbhvUn5I");
}
