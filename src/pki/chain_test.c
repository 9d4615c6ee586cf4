#include "base/codec.h"
#include "pki/world_test.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

/* A copy, so that a chain can own it. */
static struct certificate *dup(const struct certificate *c)
{
    struct certificate *out;
    struct err e;

    CHECK(certificate_parse(certificate_der(c), &out, &e) == 0);
    return out;
}

enum shape { FULL, NO_ISSUING, WITH_ROOT, SWAPPED, TWICE_LEAF, OTHER_ISSUING };

struct fault_case {
    const char *name;
    enum profile_id profile;
    const char *names;
    int from_days, to_days;
    enum shape shape;
    const char *want_name;
    enum chain_purpose purpose;
    bool other_key;
    enum chain_fault want;
    const char *says; /* stands in the sentence */
};

static const struct fault_case cases[] = {
    {"good",                    PROFILE_SERVER,    "mail.example.org localhost 127.0.0.1 ::1", -1, 30, FULL,
     "mail.example.org",                                                                                                                  CHAIN_SERVER, false, CHAIN_FAULT_NONE,       ""                     },
    {"good, root included",     PROFILE_SERVER,    "mail.example.org",                         -1, 30, WITH_ROOT,
     "mail.example.org",                                                                                                                  CHAIN_SERVER, false, CHAIN_FAULT_NONE,       ""                     },
    {"good address",            PROFILE_SERVER,    "localhost 127.0.0.1 ::1",                  -1, 30, FULL,          "0:0::1",
     CHAIN_SERVER,                                                                                                                                      false, CHAIN_FAULT_NONE,       ""                     },
    {"good wildcard",           PROFILE_SERVER,    "*.example.org",                            -1, 30, FULL,          "imap.example.org",
     CHAIN_SERVER,                                                                                                                                      false, CHAIN_FAULT_NONE,       ""                     },
    {"good account",            PROFILE_ACCOUNT,   "bob@example.org",                          -1, 30, FULL,          "bob@example.org",
     CHAIN_CLIENT,                                                                                                                                      false, CHAIN_FAULT_NONE,       ""                     },
    {"good S/MIME",             PROFILE_SMIME,     "bob@example.org",                          -1, 30, FULL,          "bob@example.org",  CHAIN_EMAIL,
     false,                                                                                                                                                    CHAIN_FAULT_NONE,       ""                     },
    {"good code",               PROFILE_CODE,      "bob@example.org",                          -1, 30, FULL,          "bob@example.org",  CHAIN_CODE,
     false,                                                                                                                                                    CHAIN_FAULT_NONE,       ""                     },
    {"good OCSP",               PROFILE_OCSP,      "ocsp.example.org",                         -1, 30, FULL,          "ocsp.example.org", CHAIN_OCSP,
     false,                                                                                                                                                    CHAIN_FAULT_NONE,       ""                     },
    {"good peers",              PROFILE_NEWS_PEER, "news.example.org",                         -1, 30, FULL,          "news.example.org",
     CHAIN_CLIENT,                                                                                                                                      false, CHAIN_FAULT_NONE,       ""                     },
    {"wrong key",               PROFILE_SERVER,    "mail.example.org",                         -1, 30, FULL,          "mail.example.org",
     CHAIN_SERVER,                                                                                                                                      true,  CHAIN_FAULT_KEY,        "another key"          },
    {"expired",                 PROFILE_SERVER,    "mail.example.org",                         -9, -1, FULL,          "mail.example.org", CHAIN_SERVER,
     false,                                                                                                                                                    CHAIN_FAULT_EXPIRED,    "expired on 2026-11-23"},
    {"not yet valid",           PROFILE_SERVER,    "mail.example.org",                         2,  30, FULL,          "mail.example.org",
     CHAIN_SERVER,                                                                                                                                      false, CHAIN_FAULT_NOT_YET,    "2026-11-26"           },
    {"wrong name",              PROFILE_SERVER,    "mail.example.org",                         -1, 30, FULL,          "imap.example.org",
     CHAIN_SERVER,                                                                                                                                      false, CHAIN_FAULT_NAME,       "imap.example.org"     },
    {"wrong address",           PROFILE_SERVER,    "mail.example.org 127.0.0.1",               -1, 30, FULL,          "::1",
     CHAIN_SERVER,                                                                                                                                      false, CHAIN_FAULT_NAME,       "IP name ::1"          },
    {"wildcard is one label",   PROFILE_SERVER,    "*.example.org",                            -1, 30, FULL,          "a.b.example.org",
     CHAIN_SERVER,                                                                                                                                      false, CHAIN_FAULT_NAME,       "a.b.example.org"      },
    {"client as server",        PROFILE_NEWS_PEER, "news.example.org",                         -1, 30, FULL,          "news.example.org",
     CHAIN_SERVER,                                                                                                                                      false, CHAIN_FAULT_PURPOSE,    "TLS server"           },
    {"server as client",        PROFILE_SERVER,    "mail.example.org",                         -1, 30, FULL,          "mail.example.org",
     CHAIN_CLIENT,                                                                                                                                      false, CHAIN_FAULT_PURPOSE,    "TLS client"           },
    {"server as CA",            PROFILE_SERVER,    "mail.example.org",                         -1, 30, FULL,          NULL,               CHAIN_CA,     false,
     CHAIN_FAULT_PURPOSE,                                                                                                                                                              "CA"                   },
    {"issuer missing",          PROFILE_SERVER,    "mail.example.org",                         -1, 30, NO_ISSUING,    "mail.example.org",
     CHAIN_SERVER,                                                                                                                                      false, CHAIN_FAULT_UNTRUSTED,  "Example Issuing 1"    },
    {"issuer first",            PROFILE_SERVER,    "mail.example.org",                         -1, 30, SWAPPED,       "mail.example.org",
     CHAIN_SERVER,                                                                                                                                      false, CHAIN_FAULT_ORDER,      "number 2"             },
    {"leaf behind leaf",        PROFILE_SERVER,    "mail.example.org",                         -1, 30, TWICE_LEAF,    "mail.example.org",
     CHAIN_SERVER,                                                                                                                                      false, CHAIN_FAULT_ORDER,      "missing issuer"       },
    {"issuer of the same name", PROFILE_SERVER,    "mail.example.org",                         -1, 30, OTHER_ISSUING,
     "mail.example.org",                                                                                                                  CHAIN_SERVER, false, CHAIN_FAULT_SIGNATURE,  "signature"            },
    {"constraint: DNS",         PROFILE_SERVER,    "mail.example.com",                         -1, 30, FULL,          "mail.example.com",
     CHAIN_SERVER,                                                                                                                                      false, CHAIN_FAULT_CONSTRAINT, "constraints"          },
    {"constraint: IPv4",        PROFILE_SERVER,    "localhost 192.0.2.1",                      -1, 30, FULL,          "192.0.2.1",
     CHAIN_SERVER,                                                                                                                                      false, CHAIN_FAULT_CONSTRAINT, "constraints"          },
    {"constraint: IPv6",        PROFILE_SERVER,    "localhost 2001:db8::1",                    -1, 30, FULL,          "localhost",
     CHAIN_SERVER,                                                                                                                                      false, CHAIN_FAULT_CONSTRAINT, "constraints"          },
    {"constraint: e-mail",      PROFILE_ACCOUNT,   "bob@example.com",                          -1, 30, FULL,          "bob@example.com",
     CHAIN_CLIENT,                                                                                                                                      false, CHAIN_FAULT_CONSTRAINT, "constraints"          },
};

static void make_chain(const struct world *w, const struct world *other, const struct fault_case *c,
                       struct certificate *leaf, struct chain *out)
{
    *out = CHAIN_NONE;
    if (c->shape == SWAPPED)
        out->v[out->n++] = dup(w->issuing);
    out->v[out->n++] = leaf;
    if (c->shape == FULL || c->shape == WITH_ROOT)
        out->v[out->n++] = dup(w->issuing);
    if (c->shape == WITH_ROOT)
        out->v[out->n++] = dup(w->root);
    if (c->shape == TWICE_LEAF)
        out->v[out->n++] = dup(leaf);
    if (c->shape == OTHER_ISSUING)
        out->v[out->n++] = dup(other->issuing);
}

static void run_case(const struct world *w, const struct world *other, const struct fault_case *c)
{
    struct buf spki BUF_AUTO = BUF(4096);
    struct cert_names want = CERT_NAMES_EMPTY;
    struct chain chain, roots = {{w->root}, 1};
    struct err e = {""};
    struct certificate *leaf =
        world_issue(&(struct world_cert){.profile = c->profile,
                                         .cn = "leaf",
                                         .names = c->names,
                                         .from = WORLD_NOW + c->from_days * INT64_C(86400),
                                         .to = WORLD_NOW + c->to_days * INT64_C(86400),
                                         .issuer = w->issuing,
                                         .key = w->leaf_key,
                                         .signer = w->issuing_key},
                    &e);

    unit_case(c->name);
    if (!leaf) {
        unit_fail(__FILE__, __LINE__, "not made: %s", e.text);
        return;
    }
    if (c->want_name)
        world_names(&want, c->want_name);
    world_spki(c->other_key ? other->leaf_key : w->leaf_key, &spki);
    make_chain(w, other, c, leaf, &chain);
    EXPECT_STR(chain_fault_name(chain_check(&chain,
                                            &(struct chain_want){.purpose = c->purpose,
                                                                 .spki = buf_span(&spki),
                                                                 .names = &want,
                                                                 .roots = &roots,
                                                                 .now = WORLD_NOW},
                                            &e)),
               chain_fault_name(c->want));
    if (c->want != CHAIN_FAULT_NONE && !strstr(e.text, c->says))
        unit_fail(__FILE__, __LINE__, "the sentence is <%s>", e.text);
    chain_done(&chain);
    cert_names_done(&want);
}

static void run_cases(const char *type)
{
    struct world w, other;

    world_init(&w, type);
    world_init(&other, "p256");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        run_case(&w, &other, &cases[i]);
    world_done(&w);
    world_done(&other);
}

TEST(chain_faults_p256)
{
    run_cases("p256");
}

TEST(chain_faults_p384)
{
    run_cases("p384");
}

TEST(chain_faults_ed25519)
{
    run_cases("ed25519");
}

TEST(chain_faults_rsa)
{
    run_cases("rsa2048");
}

/* A certificate that issue.c would not make: changed by hand and signed anew. */
static struct certificate *tampered(const struct certificate *from, EVP_PKEY *signer,
                                    const EVP_MD *md, void (*change)(X509 *x, void *arg), void *arg)
{
    X509 *x = X509_dup(from->x509);
    unsigned char *der = NULL;
    struct certificate *out = NULL;
    struct err e;
    int n;

    change(x, arg);
    CHECK(X509_sign(x, signer, md) > 0);
    n = i2d_X509(x, &der);
    CHECK(n > 0 && certificate_parse(span_of(der, (size_t)n), &out, &e) == 0);
    OPENSSL_free(der);
    X509_free(x);
    return out;
}

static void change_nothing(X509 *x, void *arg)
{
}

static void change_end(X509 *x, void *arg)
{
    const int64_t *end = arg;
    ASN1_TIME_adj(X509_getm_notAfter(x), (time_t)*end, 0, 0);
}

static void change_key(X509 *x, void *arg)
{
    X509_set_pubkey(x, arg);
}

static enum chain_fault check_one(const struct world *w, struct certificate *take_leaf,
                                  struct err *e)
{
    struct chain chain =
                     {
                         {take_leaf, dup(w->issuing)},
                         2
    },
                 roots = {{w->root}, 1};
    enum chain_fault f = chain_check(
        &chain, &(struct chain_want){.purpose = CHAIN_SERVER, .roots = &roots, .now = WORLD_NOW},
        e);

    chain_done(&chain);
    return f;
}

TEST(chain_faults_by_hand)
{
    struct world w;
    struct err e = {""};
    struct certificate *leaf, *bad;
    EVP_PKEY *small = world_key("rsa1024");
    int64_t late;

    world_init(&w, "rsa2048");
    leaf = world_issue(&(struct world_cert){.profile = PROFILE_SERVER,
                                            .cn = "leaf",
                                            .names = "mail.example.org",
                                            .issuer = w.issuing,
                                            .key = w.leaf_key,
                                            .signer = w.issuing_key},
                       &e);
    REQUIRE(leaf);
    bad = tampered(leaf, w.issuing_key, EVP_sha1(), change_nothing, NULL);
    EXPECT_INT(check_one(&w, bad, &e), CHAIN_FAULT_WEAK);
    EXPECT(strstr(e.text, "sha1"));
    bad = tampered(leaf, w.issuing_key, EVP_sha256(), change_key, small);
    EXPECT_INT(check_one(&w, bad, &e), CHAIN_FAULT_WEAK);
    EXPECT(strstr(e.text, "rsa1024"));
    late = w.issuing->not_after + 1;
    bad = tampered(leaf, w.issuing_key, EVP_sha256(), change_end, &late);
    EXPECT_INT(check_one(&w, bad, &e), CHAIN_FAULT_OUTLIVES);
    EXPECT(strstr(e.text, "renew the issuer"));
    /* signed by somebody else in the issuer's name */
    bad = tampered(leaf, w.leaf_key, EVP_sha256(), change_nothing, NULL);
    EXPECT_INT(check_one(&w, bad, &e), CHAIN_FAULT_SIGNATURE);
    EVP_PKEY_free(small);
    certificate_free(leaf);
    world_done(&w);
}

TEST(chain_no_ca_above)
{
    struct world w;
    struct err e = {""};
    struct chain chain = CHAIN_NONE, roots;
    struct certificate *middle;

    world_init(&w, "p256");
    middle = world_issue(&(struct world_cert){.profile = PROFILE_SERVER,
                                              .cn = "middle",
                                              .names = "mail.example.org",
                                              .issuer = w.issuing,
                                              .key = w.leaf_key,
                                              .signer = w.issuing_key},
                         &e);
    REQUIRE(middle);
    chain.v[chain.n++] = world_issue(&(struct world_cert){.profile = PROFILE_SERVER,
                                                          .cn = "leaf",
                                                          .names = "mail.example.org",
                                                          .issuer = middle,
                                                          .key = w.root_key,
                                                          .signer = w.leaf_key},
                                     &e);
    chain.v[chain.n++] = middle;
    chain.v[chain.n++] = dup(w.issuing);
    roots = (struct chain){{w.root}, 1};
    EXPECT_INT(chain_check(
                   &chain,
                   &(struct chain_want){.purpose = CHAIN_SERVER, .roots = &roots, .now = WORLD_NOW},
                   &e),
               CHAIN_FAULT_NOT_CA);
    EXPECT_INT(chain_check(
                   &CHAIN_NONE,
                   &(struct chain_want){.purpose = CHAIN_SERVER, .roots = &roots, .now = WORLD_NOW},
                   &e),
               CHAIN_FAULT_EMPTY);
    EXPECT_INT(
        chain_check(&chain, &(struct chain_want){.purpose = CHAIN_SERVER, .now = WORLD_NOW}, &e),
        CHAIN_FAULT_NOT_CA);
    chain_done(&chain);
    world_done(&w);
}

TEST(chain_arranged)
{
    struct world w;
    struct err e;
    struct buf spki BUF_AUTO = BUF(4096), other BUF_AUTO = BUF(4096);
    struct chain chain = CHAIN_NONE;
    EVP_PKEY *stranger = world_key("p256");

    world_init(&w, "p256");
    world_spki(w.leaf_key, &spki);
    world_spki(stranger, &other);
    chain.v[chain.n++] = dup(w.root);
    chain.v[chain.n++] = dup(w.issuing);
    chain.v[chain.n++] = world_issue(&(struct world_cert){.profile = PROFILE_SERVER,
                                                          .cn = "stranger",
                                                          .names = "mail.example.org",
                                                          .issuer = w.issuing,
                                                          .key = w.root_key,
                                                          .signer = w.issuing_key},
                                     &e);
    chain.v[chain.n++] = world_issue(&(struct world_cert){.profile = PROFILE_SERVER,
                                                          .cn = "leaf",
                                                          .names = "mail.example.org",
                                                          .issuer = w.issuing,
                                                          .key = w.leaf_key,
                                                          .signer = w.issuing_key},
                                     &e);
    EXPECT(!chain_arrange(&chain, buf_span(&other)));
    EXPECT_INT(chain.n, 4);
    EXPECT(chain_arrange(&chain, buf_span(&spki)));
    EXPECT_INT(chain.n, 2);
    EXPECT_STR(chain.v[0]->common_name, "leaf");
    EXPECT_STR(chain.v[1]->common_name, "Example Issuing 1");
    chain_done(&chain);
    EVP_PKEY_free(stranger);
    world_done(&w);
}

/* ---- certificates of administrators' own making ---------------------------------------------- */

/* `openssl req -x509` and the like: signed by itself, with these extensions. */
static void self_signed(const struct world *w, const char *const (*extensions)[2],
                        struct chain *ret)
{
    struct buf bytes BUF_AUTO = BUF(8192);
    X509 *x = X509_new();
    unsigned char *der = NULL;
    X509V3_CTX ctx;
    struct err e;
    int n;

    CHECK(x && X509_set_version(x, X509_VERSION_3) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 4711);
    ASN1_TIME_set(X509_getm_notBefore(x), (time_t)WORLD_NOW - 86400);
    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)WORLD_NOW + 86400);
    CHECK(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                     (const unsigned char *)"mail.example.org", -1, -1, 0) == 1);
    CHECK(X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 &&
          X509_set_pubkey(x, w->leaf_key) == 1);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    for (unsigned i = 0; extensions[i][0]; i++) {
        X509_EXTENSION *one = X509V3_EXT_conf(NULL, &ctx, extensions[i][0], extensions[i][1]);
        CHECK(one && X509_add_ext(x, one, -1) == 1);
        X509_EXTENSION_free(one);
    }
    CHECK(X509_sign(x, w->leaf_key, EVP_sha256()) > 0);
    n = i2d_X509(x, &der);
    wr_span(&bytes, span_of(der, (size_t)n));
    OPENSSL_free(der);
    X509_free(x);
    CHECK(chain_parse(buf_span(&bytes), ret, &e) == 0);
}

TEST(signed_by_itself)
{
    static const char *const ca[][2] = {
        {"subjectKeyIdentifier",   "hash"                },
        {"authorityKeyIdentifier", "keyid"               },
        {"basicConstraints",       "critical,CA:TRUE"    },
        {"subjectAltName",         "DNS:mail.example.org"},
        {NULL,                     NULL                  }
    };
    static const char *const plain[][2] = {
        {"subjectKeyIdentifier", "hash"                },
        {"basicConstraints",     "critical,CA:FALSE"   },
        {"subjectAltName",       "DNS:mail.example.org"},
        {NULL,                   NULL                  }
    };
    static const char *const signs_only[][2] = {
        {"basicConstraints", "critical,CA:TRUE"    },
        {"keyUsage",         "critical,keyCertSign"},
        {"subjectAltName",   "DNS:mail.example.org"},
        {NULL,               NULL                  }
    };
    static const struct {
        const char *name;
        const char *const (*extensions)[2];
        bool trusted;
        enum chain_purpose purpose;
        enum chain_fault want;
        const char *says;
    } rows[] = {
        {"no usage, no CA, trusted", plain,      true,  CHAIN_SERVER, CHAIN_FAULT_NONE,      ""                       },
        {"no usage, no CA",          plain,      false, CHAIN_SERVER, CHAIN_FAULT_UNTRUSTED, "signed by itself"       },
        {"no usage, CA, trusted",    ca,         true,  CHAIN_SERVER, CHAIN_FAULT_CA_LEAF,   "a CA's own"             },
        {"no usage, CA",             ca,         false, CHAIN_SERVER, CHAIN_FAULT_UNTRUSTED, "signed by itself"       },
        {"CA as client",             ca,         true,  CHAIN_CLIENT, CHAIN_FAULT_CA_LEAF,   "none such as TLS client"},
        {"CA as CA",                 ca,         true,  CHAIN_CA,     CHAIN_FAULT_NONE,      ""                       },
        {"no usage, for code",       plain,      true,  CHAIN_CODE,   CHAIN_FAULT_PURPOSE,   "extended key usage"     },
        {"signs certificates only",  signs_only, true,  CHAIN_SERVER, CHAIN_FAULT_PURPOSE,
         "digitalSignature"                                                                                           },
    };
    struct world w;

    world_init(&w, "p256");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct chain chain, roots;
        struct err e = {""};
        unit_case(rows[i].name);
        self_signed(&w, rows[i].extensions, &chain);
        self_signed(&w, rows[i].extensions, &roots);
        if (rows[i].trusted) {
            certificate_free(roots.v[0]);
            roots.v[0] = dup(chain.v[0]);
        }
        struct chain_want want = {
            .purpose = rows[i].purpose, .roots = rows[i].trusted ? &roots : NULL, .now = WORLD_NOW};
        EXPECT_STR(chain_fault_name(chain_check(&chain, &want, &e)),
                   chain_fault_name(rows[i].want));
        EXPECT(strstr(e.text, rows[i].says) != NULL);
        if (e.text[0] != '\0' && strstr(e.text, rows[i].says) == NULL)
            unit_fail(__FILE__, __LINE__, "the sentence is <%s>", e.text);
        chain_done(&chain);
        chain_done(&roots);
    }
    unit_case(NULL);
    world_done(&w);
}
