#include "pki/client.h"

#include "pki/world_test.h"
#include <openssl/x509v3.h>

static X509 *made(const char *sans)
{
    X509 *x = X509_new();
    EVP_PKEY *key = world_key("p256");
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 0xab12);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)"Anna", -1, -1, 0);
    X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)"Some CA", -1, -1, 0);
    CHECK(X509_set_pubkey(x, key) == 1);
    if (sans != NULL) {
        X509V3_set_ctx_nodb(&ctx);
        ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, sans);
        CHECK(ext != NULL && X509_add_ext(x, ext, -1) == 1);
        X509_EXTENSION_free(ext);
    }
    CHECK(X509_sign(x, key, EVP_sha256()) > 0);
    EVP_PKEY_free(key);
    return x;
}

static const struct {
    const char *name, *sans, *email, *upn;
    unsigned emails, upns;
} rows[] = {
    {"none",                       NULL,                                                          "",                 "",      0,                0},
    {"a mail address, lower case", "email:Anna@Example.Org",                                      "anna@example.org", "",      1,                0},
    {"a user principal name",      "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:Anna@Corp.Example",     "",
     "anna@corp.example",                                                                                                      0,                1},
    {"both",                       "email:a@b.c,otherName:msUPN;UTF8:d@e.f,DNS:x.example",        "a@b.c",            "d@e.f", 1,                1},
    {"another kind of other name", "otherName:1.2.3.4;UTF8:root@example.org",                     "",                 "",      0,                0},
    {"not UTF8String",             "otherName:msUPN;IA5:root@example.org",                        "",                 "",      0,                0},
    {"a blank inside",             "otherName:msUPN;UTF8:ro ot@example.org",                      "",                 "",      0,                0},
    {"more than are taken",        "email:1@b.c,email:2@b.c,email:3@b.c,email:4@b.c,email:5@b.c", "1@b.c",
     "",                                                                                                                       CLIENT_NAMES_MAX, 0},
};

TEST(names)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client_certificate c;
        X509 *x = made(rows[i].sans);
        unit_case(rows[i].name);
        EXPECT(client_certificate_of(x, &c));
        EXPECT_INT(c.email_count, rows[i].emails);
        EXPECT_INT(c.upn_count, rows[i].upns);
        EXPECT_STR(c.email[0], rows[i].email);
        EXPECT_STR(c.upn[0], rows[i].upn);
        EXPECT_STR(c.serial, "ab12");
        EXPECT_STR(c.subject, "CN=Anna");
        EXPECT_STR(c.issuer, "CN=Some CA");
        EXPECT_INT(strlen(c.issuer_sha256), 64);
        EXPECT(strcmp(c.issuer_sha256, c.subject_sha256) != 0);
        EXPECT_INT(c.not_after - c.not_before, 7200);
        X509_free(x);
    }
}

/* The digest of the key is the one that openssl(1) prints. */
TEST(key)
{
    struct client_certificate c;
    struct buf spki BUF_AUTO = BUF(4096);
    unsigned char md[32], *got;
    X509 *x = made(NULL);
    long n;

    EXPECT(client_certificate_of(x, &c));
    world_spki(X509_get0_pubkey(x), &spki);
    CHECK(EVP_Digest(spki.p, spki.n, md, NULL, EVP_sha256(), NULL) == 1);
    got = OPENSSL_hexstr2buf(c.spki_sha256, &n);
    EXPECT(n == 32 && memcmp(got, md, 32) == 0);
    OPENSSL_free(got);
    X509_free(x);
}
