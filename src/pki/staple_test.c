/* staple_test.c: which OCSP answers may be shown. Made here with OpenSSL, so that they may be wrong in every way. */
#include "pki/staple.h"
#include "pki/world_test.h"

#include <errno.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

static struct world w;
static struct certificate *leaf, *other_leaf;
static struct {
    EVP_PKEY *key;
    struct certificate *cert;
} delegate, old_delegate, no_eku, foreign, foreign_delegate;

static struct certificate *made(const struct world_cert *how)
{
    struct err e = {""};
    struct certificate *c = world_issue(how, &e);

    CHECK(c);
    return c;
}

static void setup(void)
{
    world_init(&w, "p256");
    leaf = made(&(struct world_cert){.profile = PROFILE_SERVER,
                                     .cn = "a",
                                     .names = "a.example.org",
                                     .issuer = w.issuing,
                                     .key = w.leaf_key,
                                     .signer = w.issuing_key});
    other_leaf = made(&(struct world_cert){.profile = PROFILE_SERVER,
                                           .cn = "b",
                                           .names = "b.example.org",
                                           .issuer = w.issuing,
                                           .key = w.leaf_key,
                                           .signer = w.issuing_key});
    delegate.key = world_key("p256");
    delegate.cert = made(&(struct world_cert){.profile = PROFILE_OCSP,
                                              .cn = "Responder",
                                              .names = "r.example.org",
                                              .issuer = w.issuing,
                                              .key = delegate.key,
                                              .signer = w.issuing_key});
    old_delegate.key = world_key("p256");
    old_delegate.cert = made(&(struct world_cert){.profile = PROFILE_OCSP,
                                                  .cn = "Responder",
                                                  .names = "r.example.org",
                                                  .from = WORLD_NOW - 5 * WORLD_DAY,
                                                  .to = WORLD_NOW - WORLD_DAY,
                                                  .issuer = w.issuing,
                                                  .key = old_delegate.key,
                                                  .signer = w.issuing_key});
    no_eku.key = world_key("p256");
    no_eku.cert = made(&(struct world_cert){.profile = PROFILE_SERVER,
                                            .cn = "c",
                                            .names = "c.example.org",
                                            .issuer = w.issuing,
                                            .key = no_eku.key,
                                            .signer = w.issuing_key});
    /* the same name, another key */
    foreign.key = world_key("p256");
    foreign.cert = made(&(struct world_cert){.profile = PROFILE_ISSUING,
                                             .cn = "Example Issuing 1",
                                             .issuer = w.root,
                                             .key = foreign.key,
                                             .signer = w.root_key});
    foreign_delegate.key = world_key("p256");
    foreign_delegate.cert = made(&(struct world_cert){.profile = PROFILE_OCSP,
                                                      .cn = "Responder",
                                                      .names = "r.example.org",
                                                      .issuer = foreign.cert,
                                                      .key = foreign_delegate.key,
                                                      .signer = foreign.key});
}

static void teardown(void)
{
    certificate_free(leaf);
    certificate_free(other_leaf);
    certificate_free(delegate.cert);
    certificate_free(old_delegate.cert);
    certificate_free(no_eku.cert);
    certificate_free(foreign.cert);
    certificate_free(foreign_delegate.cert);
    EVP_PKEY_free(delegate.key);
    EVP_PKEY_free(old_delegate.key);
    EVP_PKEY_free(no_eku.key);
    EVP_PKEY_free(foreign.key);
    EVP_PKEY_free(foreign_delegate.key);
    world_done(&w);
}

enum signer { ISSUER, DELEGATE, OLD_DELEGATE, NO_EKU, FOREIGN, FOREIGN_DELEGATE, LEAF };

struct plan {
    const char *name;
    enum signer by;
    int status;          /* V_OCSP_CERTSTATUS_ */
    int64_t from, until; /* of WORLD_NOW */
    bool endless;        /* no nextUpdate */
    bool other;          /* about other_leaf */
    bool both;           /* about other_leaf first */
    bool sha256;         /* names the issuer by it */
    int rc;
    enum ocsp_state state;
};

static void signer_of(enum signer by, X509 **ret, EVP_PKEY **ret_key)
{
    const struct {
        struct certificate *c;
        EVP_PKEY *key;
    } all[] = {
        [ISSUER] = {w.issuing,             w.issuing_key       },
        [DELEGATE] = {delegate.cert,         delegate.key        },
        [OLD_DELEGATE] = {old_delegate.cert,     old_delegate.key    },
        [NO_EKU] = {no_eku.cert,           no_eku.key          },
        [FOREIGN] = {foreign.cert,          foreign.key         },
        [FOREIGN_DELEGATE] = {foreign_delegate.cert, foreign_delegate.key},
        [LEAF] = {leaf,                  w.leaf_key          },
    };

    *ret = all[by].c->x509;
    *ret_key = all[by].key;
}

static void say(OCSP_BASICRESP *basic, const struct plan *p, const struct certificate *about,
                int status)
{
    OCSP_CERTID *id =
        OCSP_cert_to_id(p->sha256 ? EVP_sha256() : EVP_sha1(), about->x509, w.issuing->x509);
    ASN1_TIME *from = ASN1_TIME_set(NULL, WORLD_NOW + p->from),
              *until = ASN1_TIME_set(NULL, WORLD_NOW + p->until),
              *revoked = ASN1_TIME_set(NULL, WORLD_NOW - 7200);

    CHECK(OCSP_basic_add1_status(basic, id, status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
                                 status == V_OCSP_CERTSTATUS_REVOKED ? revoked : NULL, from,
                                 p->endless ? NULL : until));
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    ASN1_TIME_free(revoked);
}

static void answer(const struct plan *p, struct buf *out)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_RESPONSE *r;
    unsigned char *der = NULL;
    EVP_PKEY *key;
    X509 *x;
    int n;

    signer_of(p->by, &x, &key);
    if (p->both)
        say(basic, p, other_leaf, V_OCSP_CERTSTATUS_REVOKED);
    say(basic, p, p->other ? other_leaf : leaf, p->status);
    CHECK(OCSP_basic_sign(basic, x, key, EVP_sha256(), NULL, 0));
    CHECK((r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic)) != NULL);
    CHECK((n = i2d_OCSP_RESPONSE(r, &der)) > 0);
    buf_put(out, der, (size_t)n);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(r);
    OCSP_BASICRESP_free(basic);
}

enum { GOOD = V_OCSP_CERTSTATUS_GOOD };

static const struct plan plans[] = {
    {.name = "good",             .from = -60,            .until = 3600,                                      .state = OCSP_GOOD                                                                                    },
    {.name = "good, by SHA-256", .sha256 = true,         .from = -60,                                        .until = 3600,                                                                                          .state = OCSP_GOOD},
    {.name = "revoked",
     .status = V_OCSP_CERTSTATUS_REVOKED,
     .from = -60,
     .until = 3600,
     .state = OCSP_REVOKED},
    {.name = "unknown",
     .status = V_OCSP_CERTSTATUS_UNKNOWN,
     .from = -60,
     .until = 3600,
     .state = OCSP_UNKNOWN},
    {.name = "another serial number",              .other = true,                              .from = -60,                                                                                .until = 3600,                                                                                                                                                        .rc = -EBADMSG},
    {.name = "behind that of another",
     .both = true,
     .from = -60,
     .until = 3600,
     .state = OCSP_GOOD},
    {.name = "a delegate",               .by = DELEGATE,                                        .from = -60,                                                                                          .until = 3600,                                                                                                                                                                                             .state = OCSP_GOOD},
    {.name = "a delegate that has ended",
     .by = OLD_DELEGATE,
     .from = -60,
     .until = 3600,
     .rc = -EKEYREJECTED},
    {.name = "the issuer's, but not for OCSP",
     .by = NO_EKU,
     .from = -60,
     .until = 3600,
     .rc = -EKEYREJECTED},
    {.name = "itself",        .by = LEAF,                              .from = -60,                                         .until = 3600,                                                                                                                                                                                                   .rc = -EKEYREJECTED},
    {.name = "a CA of the same name",
     .by = FOREIGN,
     .from = -60,
     .until = 3600,
     .rc = -EKEYREJECTED},
    {.name = "its delegate",
     .by = FOREIGN_DELEGATE,
     .from = -60,
     .until = 3600,
     .rc = -EKEYREJECTED},
    {.name = "ended",              .from = -3600,                                        .until = -1,                                                                                          .rc = -ESTALE                                                                                                                                                                                           },
    {.name = "ends now",     .from = -3600,                             .until = 0,                                                                                            .rc = -ESTALE                                                                                                                                                                                                 },
    {.name = "ends in a second",                          .from = -3600,                                  .until = 1,                                                          .state = OCSP_GOOD                                                                                                             },
    {.name = "tomorrow's",                          .from = 86400,                               .until = 2 * 86400,                                                                .rc = -ESTALE},
    {.name = "a clock a little ahead",
     .from = STAPLE_SKEW_SECONDS,
     .until = 3600,
     .state = OCSP_GOOD},
    {.name = "a clock too far ahead",
     .from = STAPLE_SKEW_SECONDS + 1,
     .until = 3600,
     .rc = -ESTALE},
    {.name = "ends before it begins",                          .from = 200,                 .until = 100,                                                                            .rc = -ESTALE                                                                                                                                                                                                 },
    {.name = "without an end",                          .from = -60,                  .endless = true,                                                                        .rc = -EBADMSG                                                                                                                                                                                                 },
};

TEST(answers)
{
    setup();
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        const struct plan *p = &plans[i];
        struct buf b BUF_AUTO = BUF(OCSP_ANSWER_MAX);
        struct staple_answer a = {.state = (enum ocsp_state)77};
        struct err e = {""};
        unit_case(p->name);
        answer(p, &b);
        EXPECT_INT(staple_check(buf_span(&b), leaf, w.issuing, WORLD_NOW, &a, &e), p->rc);
        if (p->rc < 0) {
            EXPECT(e.text[0] && (int)a.state == 77);
            continue;
        }
        EXPECT_INT(a.state, p->state);
        EXPECT_INT(a.this_update, WORLD_NOW + p->from);
        EXPECT_INT(a.next_update, WORLD_NOW + p->until);
    }
    unit_case(NULL);
    teardown();
}

static int check_bytes(struct span s)
{
    struct staple_answer a;
    struct err e = {""};
    int rc = staple_check(s, leaf, w.issuing, WORLD_NOW, &a, &e);

    EXPECT(rc == 0 || e.text[0]);
    return rc;
}

/* Cut anywhere, one bit turned anywhere, longer: never taken. */
TEST(damaged_answers)
{
    struct buf b BUF_AUTO = BUF(OCSP_ANSWER_MAX + 100);
    static char big[OCSP_ANSWER_MAX + 1];
    unsigned taken = 0;

    setup();
    answer(&plans[6], &b);
    REQUIRE(check_bytes(buf_span(&b)) == 0);
    for (size_t n = 0; n < b.n; n++)
        EXPECT_INT(check_bytes(span_head(buf_span(&b), n)), -EBADMSG);
    for (size_t i = 0; i < b.n; i++) {
        ((unsigned char *)b.p)[i] ^= 1u << i % 8;
        taken += check_bytes(buf_span(&b)) == 0;
        ((unsigned char *)b.p)[i] ^= 1u << i % 8;
    }
    /* nobody signs the certificates beside it as parts of the answer, nor how a signature's algorithm has no parameters */
    EXPECT(taken < 4);
    buf_putc(&b, '\0');
    EXPECT_INT(check_bytes(buf_span(&b)), -EBADMSG);
    memcpy(big, b.p, b.n - 1);
    EXPECT_INT(check_bytes(span_of(big, sizeof(big))), -EBADMSG);
    EXPECT_INT(check_bytes(SPAN_EMPTY), -EBADMSG);
    EXPECT_INT(check_bytes(SPAN("<html>404</html>")), -EBADMSG);
    teardown();
}

TEST(refusals)
{
    static const struct {
        enum ocsp_refused why;
        int rc;
    } rows[] = {
        {OCSP_REFUSED_MALFORMED,    -EAGAIN},
        {OCSP_REFUSED_INTERNAL,     -EAGAIN},
        {OCSP_REFUSED_TRY_LATER,    -EAGAIN},
        {OCSP_REFUSED_UNAUTHORIZED, -ENOENT},
    };

    setup();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b BUF_AUTO = BUF(100);
        REQUIRE(ocsp_refusal(rows[i].why, &b));
        EXPECT_INT(check_bytes(buf_span(&b)), rows[i].rc);
    }
    teardown();
}

/* What is asked is understood by our own CA, as that certificate. */
TEST(question)
{
    struct buf b BUF_AUTO = BUF(OCSP_REQUEST_MAX);
    struct ocsp_question q;
    struct err e;

    setup();
    REQUIRE(staple_question(leaf, w.issuing, &b));
    REQUIRE(ocsp_question_parse(buf_span(&b), &q, &e) == 0);
    EXPECT_INT(q.id_count, 1);
    EXPECT_INT(q.nonce_bytes, 0);
    EXPECT(ocsp_id_issued_by(&q, 0, w.issuing) && !ocsp_id_issued_by(&q, 0, w.root));
    EXPECT_STR(ocsp_id_serial(&q, 0), leaf->serial);
    ocsp_question_done(&q);
    teardown();
}

static struct certificate *with_extension(int nid, const char *value)
{
    X509 *x = X509_dup(leaf->x509);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    struct certificate *c = NULL;
    unsigned char *der = NULL;
    struct err e;
    int n;

    while ((n = X509_get_ext_by_NID(x, nid, -1)) >= 0)
        X509_EXTENSION_free(X509_delete_ext(x, n));
    CHECK(ext && X509_add_ext(x, ext, -1) && X509_sign(x, w.issuing_key, EVP_sha256()) > 0);
    CHECK((n = i2d_X509(x, &der)) > 0 && certificate_parse(span_of(der, (size_t)n), &c, &e) == 0);
    OPENSSL_free(der);
    X509_EXTENSION_free(ext);
    X509_free(x);
    return c;
}

TEST(what_a_certificate_demands)
{
    static const struct {
        const char *value;
        bool must;
    } rows[] = {
        {"status_request",     true },
        {"status_request_v2",  false},
        {"23, status_request", true },
        {"23",                 false},
    };

    setup();
    EXPECT(!staple_demanded(leaf));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct certificate *c = with_extension(NID_tlsfeature, rows[i].value);
        unit_case(rows[i].value);
        EXPECT_INT(staple_demanded(c), rows[i].must);
        certificate_free(c);
    }
    unit_case(NULL);
    teardown();
}

TEST(who_is_asked)
{
    static const struct {
        const char *value, *url; /* url NULL: nobody */
    } rows[] = {
        {"OCSP;URI:http://ocsp.example.org/a",                             "http://ocsp.example.org/a"},
        {"OCSP;URI:HTTPS://ocsp.example.org/",                             "HTTPS://ocsp.example.org/"},
        {"caIssuers;URI:http://ca.example.org/",                           NULL                       },
        {"OCSP;URI:ldap://ca.example.org/,OCSP;URI:http://b.example.org/", "http://b.example.org/"    },
        {"OCSP;URI:file:///etc/passwd",                                    NULL                       },
        {"OCSP;DNS:ocsp.example.org",                                      NULL                       },
    };
    char url[STAPLE_URL_MAX + 1], value[STAPLE_URL_MAX + 40] = "OCSP;URI:http://a/";
    struct certificate *c;

    setup();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        c = with_extension(NID_info_access, rows[i].value);
        unit_case(rows[i].value);
        EXPECT_INT(staple_responder(c, url), rows[i].url != NULL);
        if (rows[i].url)
            EXPECT_STR(url, rows[i].url);
        certificate_free(c);
    }
    unit_case("too long");
    memset(value + strlen(value), 'x', STAPLE_URL_MAX);
    value[strlen("OCSP;URI:") + STAPLE_URL_MAX + 1] = '\0';
    c = with_extension(NID_info_access, value);
    EXPECT(!staple_responder(c, url));
    certificate_free(c);
    value[strlen("OCSP;URI:") + STAPLE_URL_MAX] = '\0';
    c = with_extension(NID_info_access, value);
    EXPECT(staple_responder(c, url) && strlen(url) == STAPLE_URL_MAX);
    certificate_free(c);
    unit_case(NULL);
    teardown();
}
