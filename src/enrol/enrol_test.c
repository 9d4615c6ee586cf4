#include "enrol/world_test.h"

#include "ca/enrol_policy.h"
#include "unit/unit.h"

static bool says(struct world *w, const char *text)
{
    return strstr(buf_cstr(&w->body), text) != NULL;
}

#define SAYS(w, text) EXPECT(says(w, text))

/* ------------------------------------------------------------------ nonces */

TEST(nonces_once)
{
    static struct nonces n, other;
    char a[64], b[64];

    nonces_init(&n);
    nonces_init(&other);
    nonce_make(&n, a);
    nonce_make(&n, b);
    EXPECT(strcmp(a, b) != 0);
    EXPECT(nonce_use(&n, b) && !nonce_use(&n, b));
    EXPECT(nonce_use(&n, a) && !nonce_use(&n, a));
    EXPECT(!nonce_use(&other, a));
    nonce_make(&n, a);
    a[0] = a[0] == 'A' ? 'B' : 'A';
    EXPECT(!nonce_use(&n, a));
    EXPECT(!nonce_use(&n, "") && !nonce_use(&n, "AAAA") && !nonce_use(&n, "?"));
}

TEST(nonces_end)
{
    static struct nonces n;
    char oldest[64], second[64], one[64];

    nonces_init(&n);
    nonce_make(&n, oldest);
    nonce_make(&n, second);
    for (int i = 0; i < NONCE_WINDOW - 1; i++)
        nonce_make(&n, one);
    EXPECT(!nonce_use(&n, oldest)); /* its bit belongs to another now */
    EXPECT(nonce_use(&n, second));
    EXPECT(nonce_use(&n, one) && !nonce_use(&n, one));
}

/* ------------------------------------------------------------------ what may be enrolled */

TEST(policy)
{
    static const struct {
        const char *name;
        bool acme;
    } cases[] = {
        {"a.test",        true },
        {"www.a.test",    true },
        {"*.a.test",      true },
        {"*.b.a.test",    true },
        {"A.TEST",        true },
        {"xa.test",       false},
        {"a.test.b",      false},
        {"test",          false},
        {"*.test",        false},
        {"10.1.2.3",      true },
        {"11.1.2.3",      false},
        {"::1",           false},
        {"alice@a.test",  false},
        {"10.1.2.3.test", false},
    };
    struct world w;

    world_open(&w, "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cert_names names = CERT_NAMES_EMPTY;
        unit_case(cases[i].name);
        REQUIRE(cert_names_add_any(&names, span_cstr(cases[i].name)) == 0);
        EXPECT_INT(enrol_acme_name(w.conf, &names.v[0]), cases[i].acme);
        cert_names_done(&names);
    }
    unit_case(NULL);
    world_close(&w);
}

TEST(policy_of_cad)
{
    static const struct {
        const char *profile, *names;
        bool ok;
    } cases[] = {
        {"server",    "www.a.test",              true },
        {"server",    "www.a.test,10.0.0.1",     true },
        {"server",    "www.a.test,www.b.test",   false},
        {"server",    "",                        false},
        {"server",    "alice@a.test",            false},
        {"account",   "alice@a.test",            true },
        {"account",   "alice@b.test",            false},
        {"account",   "alice@a.test,www.a.test", false},
        {"smime",     "alice@a.test",            false},
        {"news-peer", "www.a.test",              false},
    };
    struct world w;
    struct err e;

    world_open(&w, "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cert_names names = CERT_NAMES_EMPTY;
        const struct profile *p = cert_profile_by_name(span_cstr(cases[i].profile));
        unit_case(cases[i].names);
        REQUIRE(p && read_names(cases[i].names, &names));
        EXPECT_INT(enrol_may_issue(w.conf, p, &names, &e) == 0, cases[i].ok);
        cert_names_done(&names);
    }
    unit_case(NULL);
    w.conf->acme_server.enabled = w.conf->est_server.enabled = false;
    struct cert_names names = CERT_NAMES_EMPTY;
    REQUIRE(read_names("www.a.test", &names));
    EXPECT(enrol_may_issue(w.conf, cert_profile_get(PROFILE_SERVER), &names, &e) == -EPERM);
    cert_names_done(&names);
    EXPECT(enrol_requester("acme: account 1") && enrol_requester("est: x"));
    EXPECT(!enrol_requester("alice") && !enrol_requester("acme") && !enrol_requester(""));
    world_close(&w);
}

/* ------------------------------------------------------------------ the course of an order */

static void put_csr(struct buf *payload, EVP_PKEY *key, const char *name)
{
    struct buf der BUF_AUTO = BUF(REQUEST_DER_MAX);
    struct cert_names names = CERT_NAMES_EMPTY;
    unsigned char *spki = NULL;
    int n = i2d_PUBKEY(key, &spki);
    struct err e;

    CHECK(n > 0 && read_names(name, &names));
    CHECK(request_make(key, span_of(spki, (size_t)n), &(struct cert_subject){.common_name = NULL},
                       &names, &der, &e) == 0);
    buf_put_cstr(payload, "{\"csr\":\"");
    base64url_encode(payload, buf_span(&der));
    buf_put_cstr(payload, "\"}");
    cert_names_done(&names);
    OPENSSL_free(spki);
}

static unsigned finalize(struct world *w, EVP_PKEY *key, const char *name)
{
    struct buf payload BUF_AUTO = BUF(ENROL_BODY_MAX);

    put_csr(&payload, key, name);
    return world_post(w, "/acme/order/1/finalize", buf_cstr(&payload));
}

#define ORDER "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"www.a.test\"}]}"

TEST(order_to_certificate)
{
    struct world w;
    EVP_PKEY *key = make_key();

    world_open(&w, "require_eab = false;");
    world_register(&w);
    EXPECT_INT(world_post(&w, "/acme/new-order", ORDER), 201);
    SAYS(&w, "\"status\":\"pending\"");
    EXPECT_STR(w.answer.location, BASE "/acme/order/1");
    EXPECT_INT(finalize(&w, key, "www.a.test"), 403);
    SAYS(&w, "orderNotReady");
    /* http-01, dns-01 and tls-alpn-01 of the one authorization */
    EXPECT_INT(world_post(&w, "/acme/authz/1", ""), 200);
    SAYS(&w, "\"http-01\"");
    SAYS(&w, "\"dns-01\"");
    SAYS(&w, "\"tls-alpn-01\"");
    EXPECT_INT(world_post(&w, "/acme/challenge/1", ""), 200);
    SAYS(&w, "\"pending\""); /* looking is not asking for the check */
    EXPECT(!w.waiting);
    EXPECT_INT(world_post(&w, "/acme/challenge/1", "{}"), 200);
    SAYS(&w, "\"processing\"");
    EXPECT(strstr(w.answer.link, "<" BASE "/acme/authz/1>;rel=\"up\""));
    EXPECT(w.waiting && w.checks == 0);
    /* another challenge of the same name does not start beside it */
    EXPECT_INT(world_post(&w, "/acme/challenge/2", "{}"), 200);
    SAYS(&w, "\"pending\"");
    world_run_waiting(&w);
    EXPECT_INT(w.checks, 1);
    EXPECT_STR(w.checked.name, "www.a.test");
    EXPECT(strncmp(w.checked.proof, w.checked.token, strlen(w.checked.token)) == 0);
    EXPECT_INT(world_post(&w, "/acme/order/1", ""), 200);
    SAYS(&w, "\"status\":\"ready\"");
    EXPECT_INT(finalize(&w, w.key, "www.a.test"), 400); /* the account's key */
    SAYS(&w, "badCSR");
    EXPECT_INT(finalize(&w, key, "other.a.test"), 400);
    EXPECT_INT(finalize(&w, key, "www.a.test,other.a.test"), 400);
    EXPECT_INT(w.issued, 0);
    EXPECT_INT(finalize(&w, key, "www.a.test"), 200);
    SAYS(&w, "\"status\":\"valid\"");
    SAYS(&w, "\"certificate\":\"" BASE "/acme/certificate/03e9\"");
    EXPECT_INT(world_post(&w, "/acme/certificate/03e9", ""), 200);
    SAYS(&w, "-----BEGIN CERTIFICATE-----");
    EXPECT_INT(world_post(&w, "/acme/certificate/03ea", ""), 403);
    /* once valid it is not issued again */
    EXPECT_INT(finalize(&w, key, "www.a.test"), 403);
    EXPECT_INT(w.issued, 1);
    /* believed for a while: the next order is ready at once */
    EXPECT_INT(world_post(&w, "/acme/new-order", ORDER), 201);
    SAYS(&w, "\"status\":\"ready\"");
    EVP_PKEY_free(key);
    world_close(&w);
}

static void make_ready(struct world *w)
{
    world_register(w);
    CHECK(world_post(w, "/acme/new-order", ORDER) == 201);
    CHECK(world_post(w, "/acme/challenge/1", "{}") == 200);
    world_run_waiting(w);
}

TEST(checks_that_fail)
{
    static const struct {
        enum enrol_problem says;
        unsigned challenge, tries;
    } cases[] = {
        {PROBLEM_UNAUTHORIZED, 1, 1          }, /* http-01: something else answers */
        {PROBLEM_CONNECTION,   1, CHECK_TRIES},
        {PROBLEM_UNAUTHORIZED, 2, CHECK_TRIES}, /* dns-01: may take a while to get about */
        {PROBLEM_UNAUTHORIZED, 3, 1          },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w;
        char path[64];
        unit_case(problem_name(cases[i].says));
        world_open(&w, "require_eab = false;");
        w.check_says = cases[i].says;
        world_register(&w);
        CHECK(world_post(&w, "/acme/new-order", ORDER) == 201);
        snprintf(path, sizeof(path), "/acme/challenge/%u", cases[i].challenge);
        EXPECT_INT(world_post(&w, path, "{}"), 200);
        world_run_waiting(&w);
        EXPECT_INT(w.checks, cases[i].tries);
        EXPECT_INT(world_post(&w, path, ""), 200);
        SAYS(&w, "\"status\":\"invalid\"");
        SAYS(&w, problem_name(cases[i].says));
        SAYS(&w, "the check says no");
        EXPECT_INT(world_post(&w, "/acme/order/1", ""), 200);
        SAYS(&w, "\"status\":\"invalid\"");
        /* it is decided: asking again starts nothing */
        EXPECT_INT(world_post(&w, path, "{}"), 200);
        EXPECT(!w.waiting);
        world_close(&w);
    }
    unit_case(NULL);
}

/* What the CA says decides whether an order is over or waits. */
TEST(what_the_ca_says)
{
    static const struct {
        int says;
        const char *status;
    } cases[] = {
        {-EPERM,        "invalid"   },
        {-EKEYREJECTED, "invalid"   },
        {-EKEYREVOKED,  "invalid"   },
        {-EINVAL,       "invalid"   },
        {-EINPROGRESS,  "processing"},
        {-EPIPE,        "processing"},
        {-EAGAIN,       "processing"},
        {-ETIMEDOUT,    "processing"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf want BUF_AUTO = BUF(64);
        struct world w;
        EVP_PKEY *key = make_key();
        int64_t now = clock_ms();
        unit_case(cases[i].status);
        world_open(&w, "require_eab = false;");
        make_ready(&w);
        w.issue_says = cases[i].says;
        EXPECT_INT(finalize(&w, key, "www.a.test"), 200);
        buf_printf(&want, "\"status\":\"%s\"", cases[i].status);
        SAYS(&w, buf_cstr(&want));
        if (strcmp(cases[i].status, "processing") == 0) {
            EXPECT(w.answer.retry_after > 0);
            /* asked again when the client looks again, though not each time */
            w.issue_says = 0;
            clock_fake(now + 60000);
            EXPECT_INT(world_post(&w, "/acme/order/1", ""), 200);
            SAYS(&w, "\"status\":\"valid\"");
            clock_fake(0);
        } else {
            SAYS(&w, "the CA says no");
        }
        EVP_PKEY_free(key);
        world_close(&w);
    }
    unit_case(NULL);
}

TEST(orders_end)
{
    struct world w;
    EVP_PKEY *key = make_key();
    int64_t now = clock_ms();

    world_open(&w, "require_eab = false; order_hours = 1; authorization_days = 0;");
    make_ready(&w);
    clock_fake(now + 2 * 3600 * 1000);
    EXPECT_INT(world_post(&w, "/acme/order/1", ""), 200);
    SAYS(&w, "\"status\":\"invalid\"");
    EXPECT_INT(finalize(&w, key, "www.a.test"), 403);
    EXPECT_INT(world_post(&w, "/acme/authz/1", ""), 200);
    SAYS(&w, "\"status\":\"expired\"");
    /* control is not believed beyond its order */
    EXPECT_INT(world_post(&w, "/acme/new-order", ORDER), 201);
    SAYS(&w, "\"status\":\"pending\"");
    enrol_clean(w.enrol);
    clock_fake(now + INT64_C(200) * 86400 * 1000);
    enrol_clean(w.enrol);
    EXPECT_INT(world_post(&w, "/acme/order/1", ""), 403); /* forgotten */
    clock_fake(0);
    EVP_PKEY_free(key);
    world_close(&w);
}

/* A check that was under way when the process ended is made after the start. */
TEST(resume)
{
    struct world w;
    void (*lost)(void *arg);
    void *lost_arg;

    world_open(&w, "require_eab = false;");
    world_register(&w);
    CHECK(world_post(&w, "/acme/new-order", ORDER) == 201);
    CHECK(world_post(&w, "/acme/challenge/1", "{}") == 200);
    lost = w.waiting;
    lost_arg = w.waiting_arg;
    w.waiting = NULL;
    enrol_resume(w.enrol);
    EXPECT(w.waiting == lost && w.waiting_arg != lost_arg);
    world_run_waiting(&w);
    EXPECT_INT(world_post(&w, "/acme/order/1", ""), 200);
    SAYS(&w, "\"status\":\"ready\"");
    free(lost_arg);
    world_close(&w);
}

/* ------------------------------------------------------------------ limits and switches */

TEST(limits)
{
    struct world w;

    world_open(&w, "require_eab = false; orders_per_hour = 2; names_per_order = 1; "
                   "accounts_per_hour = 2; challenges = ( \"dns-01\" );");
    world_register(&w);
    EXPECT_INT(world_post(&w, "/acme/new-order",
                          "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"1.a.test\"},"
                          "{\"type\":\"dns\",\"value\":\"2.a.test\"}]}"),
               400);
    /* an address cannot be shown by DNS, and nothing else is on */
    EXPECT_INT(world_post(&w, "/acme/new-order",
                          "{\"identifiers\":[{\"type\":\"ip\",\"value\":\"10.0.0.1\"}]}"),
               403);
    EXPECT_INT(world_post(&w, "/acme/new-order", ORDER), 201);
    EXPECT_INT(world_post(&w, "/acme/authz/1", ""), 200);
    EXPECT(says(&w, "dns-01") && !says(&w, "http-01") && !says(&w, "tls-alpn-01"));
    EXPECT_INT(world_post(&w, "/acme/new-order", ORDER), 201);
    EXPECT_INT(world_post(&w, "/acme/new-order", ORDER), 429);
    EXPECT(w.answer.retry_after > 0 && w.answer.nonce[0]);
    for (int i = 0; i < 2; i++) {
        EVP_PKEY_free(w.key);
        w.key = make_key();
        w.account[0] = '\0';
        EXPECT_INT(world_post(&w, "/acme/new-account", "{}"), i == 0 ? 201 : 429);
    }
    world_close(&w);
}

TEST(switched_off)
{
    struct world w;

    world_open(&w, "require_eab = true; terms = \"https://ca.test/terms\";");
    world_ask(&w, "GET", "/acme/directory", "", SPAN_EMPTY);
    EXPECT_INT(w.answer.status, 200);
    SAYS(&w, "\"termsOfService\":\"https://ca.test/terms\"");
    SAYS(&w, "\"externalAccountRequired\":true");
    EXPECT_INT(world_post(&w, "/acme/new-account", "{}"), 403);
    SAYS(&w, "userActionRequired");
    EXPECT_INT(world_post(&w, "/acme/new-account", "{\"termsOfServiceAgreed\":true}"), 403);
    SAYS(&w, "externalAccountRequired");
    w.conf->acme_server.enabled = w.conf->est_server.enabled = false;
    world_ask(&w, "GET", "/acme/directory", "", SPAN_EMPTY);
    EXPECT_INT(w.answer.status, 404);
    world_ask(&w, "GET", "/.well-known/est/csrattrs", "", SPAN_EMPTY);
    EXPECT_INT(w.answer.status, 404);
    world_close(&w);
}

/* ------------------------------------------------------------------ what proves control */

TEST(proofs)
{
    struct enrol_check k = {.kind = "http-01", .name = "www.a.test", .proof = "token.print"};
    struct buf value BUF_AUTO = BUF(64);
    struct err e;
    X509 *x = X509_new();

    EXPECT(enrol_http_holds(SPAN("token.print"), &k));
    EXPECT(enrol_http_holds(SPAN("token.print \r\n"), &k));
    EXPECT(!enrol_http_holds(SPAN(" token.print"), &k));
    EXPECT(!enrol_http_holds(SPAN("token.printx"), &k));
    EXPECT(!enrol_http_holds(SPAN("token.prin"), &k));
    EXPECT(!enrol_http_holds(SPAN_EMPTY, &k));
    enrol_dns_value("token.print", &value);
    EXPECT_INT(value.n, 43);
    REQUIRE(x);
    EXPECT(!enrol_alpn_holds(x, &k, &e));
    X509_free(x);
}

TEST(cert_ids)
{
    char akid[64], serial[CERTIFICATE_SERIAL_MAX];

    /* the example of RFC 9773 section 4.1 */
    EXPECT(read_cert_id(SPAN("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"), akid, serial));
    EXPECT_STR(akid, "69885b6b87464041e1b37b847ba0ae2cde01c8d4");
    EXPECT_STR(serial, "87654321");
    EXPECT(!read_cert_id(SPAN("AAAA"), akid, serial));
    EXPECT(!read_cert_id(SPAN("."), akid, serial));
    EXPECT(!read_cert_id(SPAN("?.?"), akid, serial));
    EXPECT(!read_cert_id(SPAN("AAAA."), akid, serial));
}

/* ------------------------------------------------------------------ messages */

TEST(messages)
{
    struct enrol_request q = {.method = "POST", .path = "/acme/x", .trusted = true, .user = "u"}, p;
    struct enrol_answer a = {.status = 201, .type = "t", .nonce = "n", .retry_after = 7}, b;
    struct buf text BUF_AUTO = BUF(8192);

    q.body = SPAN("body");
    wr_enrol_request(&text, &q);
    REQUIRE(rd_enrol_request(buf_span(&text), &p));
    EXPECT(strcmp(p.path, q.path) == 0 && p.trusted && strcmp(p.user, "u") == 0);
    EXPECT(span_eq(p.body, q.body));
    for (size_t n = 0; n < text.n; n++)
        EXPECT(!rd_enrol_request(span_head(buf_span(&text), n), &p));
    buf_clear(&text);
    a.body = SPAN("body");
    wr_enrol_answer(&text, &a);
    REQUIRE(rd_enrol_answer(buf_span(&text), &b));
    EXPECT(b.status == 201 && b.retry_after == 7 && span_eq(b.body, a.body));
    for (size_t n = 0; n < text.n; n++)
        EXPECT(!rd_enrol_answer(span_head(buf_span(&text), n), &b));
    /* nothing that would end a field of the HTTP answer */
    buf_clear(&text);
    snprintf(a.location, sizeof(a.location), "https://a\r\nX: y");
    wr_enrol_answer(&text, &a);
    EXPECT(!rd_enrol_answer(buf_span(&text), &b));
}
