/* staple_test.c: stapled OCSP answers in handshakes: who gets one, which, and until when. */
#include "tls/ends_test.h"

#include "base/clock.h"

enum { ANSWER_UNTIL = 1795500000 };

static struct {
    SSL_CTX *ctx;
    bool ask, done;
    char answer[64]; /* what the server sent; "": none */
} seen;

static void raw_handshake(void *arg)
{
    struct end *e = arg;
    SSL *ssl = SSL_new(seen.ctx);
    const unsigned char *p = NULL;
    long n;

    if (seen.ask)
        SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
    SSL_set_tlsext_host_name(ssl, "imap.example.org");
    SSL_set_fd(ssl, e->fd);
    seen.done = SSL_connect(ssl) == 1;
    seen.answer[0] = '\0';
    n = SSL_get_tlsext_status_ocsp_resp(ssl, &p);
    if (n > 0)
        snprintf(seen.answer, sizeof(seen.answer), "%.*s", (int)n, (const char *)p);
    SSL_shutdown(ssl);
    ERR_clear_error();
    SSL_free(ssl);
    fd_close(&e->fd);
}

static void raw_client(struct end *e)
{
    fiber_offload(raw_handshake, e);
}

/* The bytes are not looked at on either side: that is certd's, and the client's. */
static const char *shake(struct setting *s, bool ask, int version)
{
    seen.ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(seen.ctx, version);
    SSL_CTX_set_max_proto_version(seen.ctx, version);
    seen.ask = ask;
    s->raw_client = true;
    run(s, echo_server, raw_client);
    SSL_CTX_free(seen.ctx);
    EXPECT(seen.done && t.server_info.on);
    return seen.answer;
}

static void install(enum tls_slot slot, char sha256[65])
{
    EVP_PKEY *key = tls_harness_key("p256");
    STACK_OF(X509) *chain = sk_X509_new_null();
    unsigned char md[32];
    struct err e;

    sk_X509_push(chain, tls_harness_certificate(key, &vserver));
    CHECK(X509_digest(sk_X509_value(chain, 0), EVP_sha256(), md, NULL) == 1);
    for (size_t i = 0; i < sizeof(md); i++)
        snprintf(sha256 + 2 * i, 3, "%02x", md[i]);
    EXPECT_INT(tls_context_identity_pkey(t.context, slot, chain, key, &e), 0);
    sk_X509_pop_free(chain, X509_free);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

TEST(never_after_its_end_and_to_nobody_who_does_not_ask)
{
    struct setting s;
    char sha256[65];

    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        unit_case(i == 0 ? "TLS 1.2" : "TLS 1.3");
        begin("p256", &s);
        install(TLS_SLOT_CURRENT, sha256);
        EXPECT_STR(shake(&s, true, versions[i]), ""); /* there is none */
        tls_context_staple(t.context, sha256, SPAN("good"), ANSWER_UNTIL);
        clock_fake((ANSWER_UNTIL - 1) * INT64_C(1000));
        EXPECT_STR(shake(&s, true, versions[i]), "good");
        EXPECT_STR(shake(&s, false, versions[i]), "");
        clock_fake(ANSWER_UNTIL * INT64_C(1000));
        EXPECT_STR(shake(&s, true, versions[i]), "");
        clock_fake((ANSWER_UNTIL + 86400) * INT64_C(1000));
        EXPECT_STR(shake(&s, true, versions[i]), "");
        tls_context_staple(t.context, sha256, SPAN("newer"), ANSWER_UNTIL + 2 * 86400);
        EXPECT_STR(shake(&s, true, versions[i]), "newer");
        /* taken back */
        tls_context_staple(t.context, sha256, SPAN_EMPTY, 0);
        EXPECT_STR(shake(&s, true, versions[i]), "");
        clock_fake(0);
        finish();
    }
    unit_case(NULL);
}

/* Each certificate has its own, whichever slot it is in and whichever came first. */
TEST(of_the_certificate_that_is_shown)
{
    char current[65], next[65], none[65];
    struct tls_context *old;
    struct setting s;

    begin("p256", &s);
    clock_fake((ANSWER_UNTIL - 1) * INT64_C(1000));
    install(TLS_SLOT_CURRENT, current);
    install(TLS_SLOT_NEXT, next);
    tls_context_staple(t.context, next, SPAN("of next"), ANSWER_UNTIL);
    EXPECT_STR(shake(&s, true, TLS1_3_VERSION), "");
    tls_context_staple(t.context, current, SPAN("of current"), ANSWER_UNTIL);
    EXPECT_STR(shake(&s, true, TLS1_3_VERSION), "of current");
    s.server.slot = TLS_SLOT_NEXT;
    EXPECT_STR(shake(&s, true, TLS1_3_VERSION), "of next");
    s.server.slot = TLS_SLOT_CURRENT;
    /* another configuration takes over what is shown */
    old = t.context;
    t.context = s.server.tls = tls_context_new(&vserver, NULL, false);
    tls_context_take_identities(t.context, old);
    tls_context_unref(old);
    EXPECT_STR(shake(&s, true, TLS1_3_VERSION), "of current");
    install(TLS_SLOT_CURRENT, none);
    EXPECT_STR(shake(&s, true, TLS1_3_VERSION), "");
    clock_fake(0);
    finish();
}

/* That which ends first makes room; one that takes its own place takes no other's. */
TEST(room_for_a_few)
{
    char current[65], made_up[65];
    struct setting s;

    begin("p256", &s);
    clock_fake((ANSWER_UNTIL - 1) * INT64_C(1000));
    install(TLS_SLOT_CURRENT, current);
    tls_context_staple(t.context, current, SPAN("mine"), ANSWER_UNTIL + 1000);
    for (int i = 0; i < 20; i++) {
        snprintf(made_up, sizeof(made_up), "%064x", i);
        tls_context_staple(t.context, made_up, SPAN("theirs"), ANSWER_UNTIL + i);
        tls_context_staple(t.context, made_up, SPAN("theirs again"), ANSWER_UNTIL + i);
    }
    EXPECT_STR(shake(&s, true, TLS1_3_VERSION), "mine");
    clock_fake(0);
    finish();
}
