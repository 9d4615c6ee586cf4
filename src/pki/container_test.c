#include "base/random.h"
#include "pki/container.h"
#include "pki/world_test.h"
#include "unit/unit.h"

#include <errno.h>
#include <openssl/pkcs12.h>
#include <stdio.h>

static const struct span word = {"a long passphrase", 17};

/* A PKCS#12 as other programs write it. */
static void make_p12(struct world *w, int nid_key, int nid_cert, int iterations, struct buf *out)
{
    STACK_OF(X509) *more = sk_X509_new_null();
    unsigned char *der = NULL;
    PKCS12 *p12;
    int n;

    CHECK(more && sk_X509_push(more, w->issuing->x509) > 0);
    p12 = PKCS12_create(word.p, "From elsewhere", w->issuing_key, w->issuing->x509, NULL, nid_key,
                        nid_cert, iterations, -1, 0);
    CHECK(p12 && PKCS12_set_mac(p12, word.p, -1, NULL, 0, iterations, EVP_sha256()) == 1);
    n = i2d_PKCS12(p12, &der);
    CHECK(n > 0);
    buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    PKCS12_free(p12);
    sk_X509_free(more);
}

static int open_it(struct span file, struct span pass, bool legacy, struct container_key *k,
                   struct err *e)
{
    container_key_init(k);
    return container_open(file, pass, legacy, k, e);
}

TEST(pkcs12_of_others)
{
    static const struct {
        int nid, iterations;
        bool legacy;
        struct span pass;
        int status;
        const char *saying;
    } rows[] = {
        {NID_aes_256_cbc,                        100,     false, {"a long passphrase", 17}, 0,         ""          },
        {NID_aes_256_cbc,                        100,     false, {"a lonG passphrase", 17}, -EACCES,   "wrong"     },
        {NID_aes_256_cbc,                        100,     false, {NULL, 0},                 -EACCES,   "none was"  },
        {NID_aes_256_cbc,                        4000001, false, {"a long passphrase", 17}, -EMSGSIZE, "iterations"},
        {NID_aes_256_cbc,                        3000000, false, {NULL, 0},                 -EACCES,   "none was"  },
        {NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
         100,                                             false,
         {"a long passphrase", 17},
         -EPERM,
         "--legacy"                                                                                                },
        {NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 100,     true,  {"a long passphrase", 17}, 0,         ""          },
    };
    struct world w;
    struct err e = {""};

    world_init(&w, "p256");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf p12 BUF_AUTO = BUF(65536);
        struct container_key k;
        char name[20];
        snprintf(name, sizeof name, "row %zu", i);
        unit_case(name);
        /* what is refused for its cost must not be paid for by the test either: the number alone */
        if (rows[i].iterations > 1000) {
            make_p12(&w, rows[i].nid, rows[i].nid, 0x010203, &p12);
            for (size_t at = 0; at + 5 <= p12.n; at++)
                if (memcmp(p12.p + at, "\x02\x03\x01\x02\x03", 5) == 0) {
                    p12.p[at + 2] = (char)(rows[i].iterations >> 16);
                    p12.p[at + 3] = (char)(rows[i].iterations >> 8);
                    p12.p[at + 4] = (char)rows[i].iterations;
                }
        } else {
            make_p12(&w, rows[i].nid, rows[i].nid, rows[i].iterations, &p12);
        }
        EXPECT_INT(open_it(buf_span(&p12), rows[i].pass, rows[i].legacy, &k, &e), rows[i].status);
        EXPECT(strstr(rows[i].status ? e.text : "", rows[i].saying));
        EXPECT(k.needs_passphrase == (rows[i].status == -EACCES && !rows[i].pass.p));
        EXPECT((k.pkcs8.n > 0) == (rows[i].status == 0));
        if (rows[i].status == 0) {
            EXPECT_INT(k.chain.n, 1);
            EXPECT(certificate_has_spki(w.issuing, buf_span(&k.spki)));
            EXPECT_STR(k.name, "From elsewhere");
            EXPECT_STR(k.key_type, "p256");
        }
        container_key_done(&k);
        for (size_t n = 0; n < p12.n; n += 7) {
            EXPECT(open_it(span_head(buf_span(&p12), n), rows[i].pass, true, &k, &e) < 0);
            container_key_done(&k);
        }
    }
    unit_case(NULL);
    world_done(&w);
}

TEST(written_and_read_again)
{
    struct buf enc BUF_AUTO = BUF(8192), out BUF_AUTO = BUF(65536);
    struct world w;
    struct container_key k;
    struct chain c = CHAIN_NONE;
    struct err e = {""};
    unsigned char *der = NULL;
    X509_SIG *sig;
    PKCS8_PRIV_KEY_INFO *p8;
    int n;

    world_init(&w, "p256");
    p8 = EVP_PKEY2PKCS8(w.issuing_key);
    sig = PKCS8_encrypt(-1, EVP_aes_256_cbc(), word.p, (int)word.n, NULL, 0, 100, p8);
    n = i2d_X509_SIG(sig, &der);
    REQUIRE(n > 0);
    buf_put(&enc, der, (size_t)n);
    c.v[c.n++] = w.issuing;
    c.v[c.n++] = w.root;
    EXPECT_INT(container_write(buf_span(&enc), &c, "Für Bücher", word, &out, &e), 0);
    EXPECT_INT(open_it(buf_span(&out), word, false, &k, &e), 0);
    EXPECT_INT(k.chain.n, 2);
    EXPECT_STR(k.name, "Für Bücher");
    EXPECT(certificate_has_spki(w.issuing, buf_span(&k.spki)));
    container_key_done(&k);
    OPENSSL_free(der);
    X509_SIG_free(sig);
    PKCS8_PRIV_KEY_INFO_free(p8);
    world_done(&w);
}

TEST(certificates_in_files)
{
    struct buf pem BUF_AUTO = BUF(65536), twice BUF_AUTO = BUF(65536);
    struct world w;
    struct chain c = CHAIN_NONE;
    struct err e = {""};

    world_init(&w, "p256");
    pem_write("CERTIFICATE", certificate_der(w.issuing), &pem);
    pem_write("CERTIFICATE", certificate_der(w.root), &pem);
    buf_put_span(&twice, buf_span(&pem));
    buf_put_span(&twice, buf_span(&pem));
    EXPECT_INT(container_certificates(buf_span(&twice), &c, &e), 0);
    EXPECT_INT(c.n, 2); /* repetitions count once */
    EXPECT_INT(container_certificates(certificate_der(w.root), &c, &e), 0);
    EXPECT_INT(c.n, 2);
    chain_done(&c);
    /* of many roots the one that signed */
    EXPECT_INT(container_pool(buf_span(&twice), w.issuing, &c, &e), 0);
    EXPECT(c.n == 1 && span_eq(certificate_der(c.v[0]), certificate_der(w.root)));
    chain_done(&c);
    for (size_t n = 0; n + 30 < pem.n; n += 13) {
        int rc = container_certificates(span_head(buf_span(&pem), n), &c, &e);
        EXPECT(rc < 0 || c.n > 0);
        chain_done(&c);
    }
    EXPECT(container_certificates(SPAN(""), &c, &e) < 0 && strstr(e.text, "empty"));
    EXPECT(container_certificates(SPAN("-----BEGIN PRIVATE KEY-----\n"), &c, &e) < 0);
    EXPECT(strstr(e.text, "private key"));
    EXPECT(container_certificates(SPAN("-----BEGIN CERTIFICATE REQUEST-----\n"), &c, &e) < 0);
    EXPECT(strstr(e.text, "not the answer"));
    EXPECT_INT(c.n, 0);
    world_done(&w);
}

TEST(subject_fields)
{
    static const struct {
        struct cert_subject s;
        const char *saying; /* NULL: they are fit */
    } rows[] = {
        {{.country = "DE", .organization = "Contoso"},                                         NULL      },
        {{.country = "de"},                                                                    "ISO 3166"},
        {{.country = "ZZ"},                                                                    "ISO 3166"},
        {{.country = "D\n"},                                                                   "ISO 3166"},
        {{.organization = "a\nb"},                                                             "control" },
        {{.unit = "\xff"},                                                                     "UTF-8"   },
        {{.common_name = "0123456789012345678901234567890123456789012345678901234567890123"},  NULL      },
        {{.common_name = "01234567890123456789012345678901234567890123456789012345678901234"},
         "64"                                                                                            },
        {{.state = ""},                                                                        NULL      },
    };
    struct err e = {""};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].saying)
            EXPECT(cert_subject_check(&rows[i].s, &e) == -EINVAL && strstr(e.text, rows[i].saying));
        else
            EXPECT_INT(cert_subject_check(&rows[i].s, &e), 0);
    EXPECT_STR(country_find(SPAN(" germany ")), "DE");
    EXPECT_STR(country_find(SPAN("us")), "US");
    EXPECT(country_find(SPAN("Atlantis")) == NULL);
    EXPECT_STR(country_name(SPAN("FR")), "France");
}
