#include "pki/world_test.h"

#include "base/codec.h"
#include "pki/crl.h"
#include "pki/request.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

static struct certificate *leaf_of(struct world *w)
{
    struct err e;
    struct certificate *c =
        world_issue(&(struct world_cert){.profile = PROFILE_SERVER,
                                         .cn = "mail.example.org",
                                         .names = "mail.example.org localhost 127.0.0.1 ::1",
                                         .issuer = w->issuing,
                                         .key = w->leaf_key,
                                         .signer = w->issuing_key},
                    &e);
    CHECK(c);
    return c;
}

TEST(certificate_facts)
{
    struct world w;
    struct certificate *c;
    struct buf text BUF_AUTO = BUF(8192), spki BUF_AUTO = BUF(4096);

    world_init(&w, "p256");
    c = leaf_of(&w);
    EXPECT_STR(c->subject, "CN=mail.example.org,O=Example");
    EXPECT_STR(c->issuer, "CN=Example Issuing 1,O=Example");
    EXPECT_STR(c->common_name, "mail.example.org");
    EXPECT_STR(c->key_type, "p256");
    EXPECT_INT(c->key_security, 128);
    EXPECT_INT(c->signature_security, 128);
    EXPECT_INT(c->not_before, WORLD_NOW - WORLD_DAY);
    EXPECT_INT(c->not_after, WORLD_NOW + 30 * WORLD_DAY);
    EXPECT_INT(c->key_usage, KU_DIGITAL_SIGNATURE);
    EXPECT_INT(c->ext_usage, XKU_SSL_SERVER);
    EXPECT(!c->is_ca && !c->self_issued && !c->has_permitted);
    EXPECT(w.root->is_ca && w.root->self_issued && w.root->path_len == 2);
    EXPECT(w.issuing->is_ca && !w.issuing->self_issued && w.issuing->path_len == 0);
    EXPECT(permitted_complete(&w.issuing->permitted));
    EXPECT(permitted_covers(&w.root->permitted, &w.issuing->permitted));
    EXPECT(strlen(c->serial) >= 24 && strlen(c->sha256) == 64 && strlen(c->spki_sha256) == 64);
    world_spki(w.leaf_key, &spki);
    EXPECT(certificate_has_spki(c, buf_span(&spki)));
    certificate_print(c, WORLD_NOW, &text);
    EXPECT(strstr(buf_cstr(&text), "Names        mail.example.org, localhost, 127.0.0.1, ::1\n"));
    EXPECT(strstr(buf_cstr(&text), "(30 days left)"));
    EXPECT(strstr(buf_cstr(&text), "TLS server"));
    buf_clear(&text);
    certificate_json(c, &text);
    EXPECT(strstr(buf_cstr(&text), "\"names\":[\"mail.example.org\",\"localhost\""));
    certificate_free(c);
    world_done(&w);
}

TEST(certificate_garbage)
{
    struct world w;
    struct certificate *c, *never = NULL;
    struct err e;
    struct span der;
    char *bytes, *big;
    const size_t big_bytes = 10 << 20;
    struct chain chain;

    world_init(&w, "p256");
    c = leaf_of(&w);
    der = certificate_der(c);
    EXPECT_INT(certificate_parse(SPAN_EMPTY, &never, &e), -EBADMSG);
    EXPECT_INT(certificate_parse(SPAN("not a certificate"), &never, &e), -EBADMSG);
    for (size_t n = 1; n < der.n; n++)
        EXPECT_INT(certificate_parse(span_head(der, n), &never, &e), -EBADMSG);
    bytes = malloc(der.n + 1);
    memcpy(bytes, der.p, der.n);
    bytes[der.n] = 0;
    EXPECT_INT(certificate_parse(span_of(bytes, der.n + 1), &never, &e), -EBADMSG);
    EXPECT(strstr(e.text, "behind its end"));
    for (size_t i = 0; i < der.n; i++) { /* any one byte changed: an answer, whichever */
        bytes[i] ^= (char)(1 + unit_random() % 255);
        if (certificate_parse(span_of(bytes, der.n), &never, &e) == 0)
            certificate_free(never);
        bytes[i] = der.p[i];
    }
    big = calloc(1, big_bytes);
    memcpy(big, "\x30\x84\x00\x9f\xff\xf0", 6);
    EXPECT_INT(certificate_parse(span_of(big, big_bytes), &never, &e), -EMSGSIZE);
    EXPECT_INT(chain_parse_file(span_of(big, big_bytes), &chain, &e), -EMSGSIZE);
    EXPECT(strstr(e.text, "10485760 bytes"));
    free(big);
    free(bytes);
    certificate_free(c);
    world_done(&w);
}

TEST(chain_files)
{
    struct world w;
    struct err e;
    struct chain out = CHAIN_NONE, in = CHAIN_NONE;
    struct buf pem BUF_AUTO = BUF(65536), bytes BUF_AUTO = BUF(65536), odd BUF_AUTO = BUF(65536);

    world_init(&w, "p256");
    in.v[in.n++] = leaf_of(&w);
    in.v[in.n++] = w.issuing;
    chain_write_pem(&in, &pem);
    REQUIRE(chain_parse_file(buf_span(&pem), &out, &e) == 0);
    EXPECT_INT(out.n, 2);
    EXPECT_SPAN(certificate_der(out.v[1]), certificate_der(w.issuing));
    chain_done(&out);
    /* as mailed: CRLF, blanks at line ends, text between the blocks */
    buf_put_cstr(&odd, "Dear customer,\r\n");
    for (size_t i = 0; i < pem.n; i++)
        buf_put_cstr(&odd, pem.p[i] == '\n' ? " \r\n" : (char[]){pem.p[i], 0});
    REQUIRE(chain_parse_file(buf_span(&odd), &out, &e) == 0);
    EXPECT_INT(out.n, 2);
    chain_done(&out);
    REQUIRE(chain_parse_file(certificate_der(in.v[0]), &out, &e) == 0);
    EXPECT_INT(out.n, 1);
    chain_done(&out);
    chain_write(&in, &bytes);
    REQUIRE(chain_parse(buf_span(&bytes), &out, &e) == 0);
    EXPECT_INT(out.n, 2);
    chain_done(&out);
    for (size_t n = 1; n < bytes.n; n++)
        if (n != certificate_der(in.v[0]).n + 4)
            EXPECT(chain_parse(span_head(buf_span(&bytes), n), &out, &e) < 0);
    EXPECT(chain_parse_file(span_head(buf_span(&pem), pem.n - 30), &out, &e) < 0);
    EXPECT(strstr(e.text, "certificate 2"));
    pem.p[40] = '!';
    EXPECT(chain_parse_file(buf_span(&pem), &out, &e) < 0);
    EXPECT(chain_parse_file(SPAN("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
                            &out, &e) < 0);
    EXPECT(strstr(e.text, "private key"));
    EXPECT(chain_parse_file(SPAN("-----BEGIN NOTHING-----\n"), &out, &e) < 0);
    certificate_free(in.v[0]);
    world_done(&w);
}

TEST(chain_of_too_many)
{
    struct world w;
    struct err e;
    struct chain out = CHAIN_NONE, one = CHAIN_NONE;
    struct buf pem BUF_AUTO = BUF(65536);

    world_init(&w, "p256");
    one.v[one.n++] = w.root;
    for (int i = 0; i < CERTIFICATE_CHAIN_MAX; i++)
        chain_write_pem(&one, &pem);
    EXPECT_INT(chain_parse_file(buf_span(&pem), &out, &e), 0);
    chain_done(&out);
    chain_write_pem(&one, &pem);
    EXPECT_INT(chain_parse_file(buf_span(&pem), &out, &e), -E2BIG);
    world_done(&w);
}

TEST(issue_refusals)
{
    static const struct {
        const char *name;
        enum profile_id profile;
        const char *cn, *names, *says;
        const char *key;
    } cases[] = {
        {"no name",               PROFILE_SERVER,  "x",                        NULL,                        "at least one name", "p256"   },
        {"mail name of a server", PROFILE_SERVER,  "x",                        "bob@example.org",           "no place",          "p256"   },
        {"address of an account", PROFILE_ACCOUNT, "x",                        "bob@example.org 127.0.0.1", "no place",
         "p256"                                                                                                                           },
        {"long common name",      PROFILE_SERVER,
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a.example.org",
         "common name",                                                                                                          "p256"   },
        {"weak key",              PROFILE_SERVER,  "x",                        "a.example.org",             "public key",        "rsa1024"},
    };
    struct world w;

    world_init(&w, "p256");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = {""};
        EVP_PKEY *key = world_key(cases[i].key);
        unit_case(cases[i].name);
        EXPECT(!world_issue(&(struct world_cert){.profile = cases[i].profile,
                                                 .cn = cases[i].cn,
                                                 .names = cases[i].names,
                                                 .issuer = w.issuing,
                                                 .key = key,
                                                 .signer = w.issuing_key},
                            &e));
        if (!strstr(e.text, cases[i].says))
            unit_fail(__FILE__, __LINE__, "the sentence is <%s>", e.text);
        EVP_PKEY_free(key);
    }
    world_done(&w);
}

TEST(leaf_never_outlives_issuer)
{
    struct world w;
    struct err e;
    struct certificate *c;

    world_init(&w, "p256");
    c = world_issue(&(struct world_cert){.profile = PROFILE_SERVER,
                                         .cn = "x",
                                         .names = "a.example.org",
                                         .from = WORLD_NOW,
                                         .to = w.issuing->not_after + 99,
                                         .issuer = w.issuing,
                                         .key = w.leaf_key,
                                         .signer = w.issuing_key},
                    &e);
    REQUIRE(c);
    EXPECT_INT(c->not_after, w.issuing->not_after);
    certificate_free(c);
    EXPECT(!world_issue(&(struct world_cert){.profile = PROFILE_SERVER,
                                             .cn = "x",
                                             .names = "a.example.org",
                                             .from = w.issuing->not_after + 1,
                                             .to = w.issuing->not_after + 99,
                                             .issuer = w.issuing,
                                             .key = w.leaf_key,
                                             .signer = w.issuing_key},
                        &e));
    EXPECT(strstr(e.text, "expired"));
    world_done(&w);
}

TEST(requests)
{
    static const char *const types[] = {"p256", "p384", "ed25519", "rsa2048"};

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        EVP_PKEY *key = world_key(types[i]), *other = world_key("p256");
        struct buf spki BUF_AUTO = BUF(4096), der BUF_AUTO = BUF(16384), pem BUF_AUTO = BUF(32768);
        struct cert_names names = CERT_NAMES_EMPTY;
        struct request *r = NULL;
        struct err e = {""};

        unit_case(types[i]);
        world_spki(key, &spki);
        world_names(&names, "mail.example.org 127.0.0.1 ::1 bob@example.org");
        REQUIRE(request_make(key, buf_span(&spki),
                             &(struct cert_subject){.common_name = "mail.example.org",
                                                    .organization = "Ex\xc3\xa4mple",
                                                    .country = "DE"},
                             &names, &der, &e) == 0);
        REQUIRE(request_parse(buf_span(&der), &r, &e) == 0);
        EXPECT_STR(r->key_type, types[i]);
        EXPECT_STR(r->common_name, "mail.example.org");
        EXPECT_SPAN(span_of(r->spki, r->spki_bytes), buf_span(&spki));
        EXPECT(cert_names_same(&r->names, &names));
        request_free(r);
        pem_write("CERTIFICATE REQUEST", buf_span(&der), &pem);
        REQUIRE(request_parse(buf_span(&pem), &r, &e) == 0);
        EXPECT(cert_names_same(&r->names, &names));
        request_free(r);
        for (size_t n = 0; n < der.n; n++)
            EXPECT(request_parse(span_head(buf_span(&der), n), &r, &e) < 0);
        der.p[der.n - 1] ^= 1; /* the signature no longer holds */
        EXPECT(request_parse(buf_span(&der), &r, &e) < 0);
        buf_clear(&der);
        EXPECT(request_make(key, buf_span(&spki), &(struct cert_subject){.country = "Germany"},
                            &names, &der, &e) < 0);
        EXPECT(strstr(e.text, "country"));
        /* another's key in the request */
        buf_clear(&der);
        if (i == 0) {
            REQUIRE(request_make(other, buf_span(&spki), &(struct cert_subject){.common_name = "x"},
                                 &names, &der, &e) == 0);
            EXPECT_INT(request_parse(buf_span(&der), &r, &e), -EKEYREJECTED);
        }
        cert_names_done(&names);
        EVP_PKEY_free(key);
        EVP_PKEY_free(other);
    }
}

TEST(crl)
{
    struct world w;
    struct certificate *c;
    struct err e;
    struct buf der BUF_AUTO = BUF(65536);
    struct crl_entry entries[2] = {
        {.time = WORLD_NOW, .reason = CRL_KEY_COMPROMISE},
        {.serial = "0102",  .time = WORLD_NOW - 5       }
    };
    const unsigned char *at;
    X509_CRL *crl;
    X509_REVOKED *found = NULL;
    enum crl_reason reason;

    world_init(&w, "p256");
    c = leaf_of(&w);
    memcpy(entries[0].serial, c->serial, sizeof(c->serial));
    REQUIRE(crl_make(&(struct crl_plan){.issuer = w.issuing,
                                        .signer = w.issuing_key,
                                        .number = 7,
                                        .this_update = WORLD_NOW,
                                        .next_update = WORLD_NOW + WORLD_DAY,
                                        .entries = entries,
                                        .entry_count = 2},
                     &der, &e) == 0);
    at = (const unsigned char *)der.p;
    crl = d2i_X509_CRL(NULL, &at, (long)der.n);
    REQUIRE(crl);
    EXPECT_INT(X509_CRL_verify(crl, w.issuing_key), 1);
    EXPECT_INT(X509_CRL_get0_by_cert(crl, &found, c->x509), 1);
    EXPECT_INT(X509_CRL_get0_by_cert(crl, &found, w.issuing->x509), 0);
    X509_CRL_free(crl);
    entries[1].serial[0] = 'x';
    EXPECT(crl_make(&(struct crl_plan){.issuer = w.issuing,
                                       .signer = w.issuing_key,
                                       .this_update = WORLD_NOW,
                                       .next_update = WORLD_NOW + WORLD_DAY,
                                       .entries = entries,
                                       .entry_count = 2},
                    &der, &e) < 0);
    EXPECT(crl_reason_by_name(SPAN("keycompromise"), &reason) && reason == CRL_KEY_COMPROMISE);
    EXPECT(!crl_reason_by_name(SPAN("boredom"), &reason));
    EXPECT(!crl_reason_name(8) && !crl_reason_name(200));
    certificate_free(c);
    world_done(&w);
}
