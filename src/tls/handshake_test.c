/* handshake_test.c: who agrees on what: versions, ciphers, names, certificates, tickets. */
#include "tls/ends_test.h"

/* --- handshakes */

TEST(handshake_of_each_key)
{
    static const char *const types[] = {"p256", "p384", "ed25519", "rsa2048"};
    struct setting s;

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        unit_case(types[i]);
        begin(types[i], &s);
        run(&s, echo_server, echo_client);
        EXPECT_INT(t.server_result, 0); /* close_notify */
        EXPECT_INT(t.client_result, 0);
        EXPECT(t.server_info.on && !t.server_info.resumed);
        EXPECT_STR(t.server_info.version, "TLSv1.3");
        EXPECT_STR(t.server_info.cipher, "TLS_AES_128_GCM_SHA256");
        EXPECT_STR(t.server_info.group, "x25519");
        EXPECT_INT(t.server_info.cipher_bits, 128);
        EXPECT_STR(t.server_info.sni, "imap.example.org");
        EXPECT(t.client_info.verified);
        EXPECT_STR(t.server_info.serial, t.client_info.serial);
        EXPECT(t.server_info.serial[0] != '\0');
        EXPECT_INT(tls_context_counters(t.context)->handshakes, 1);
        EXPECT_INT(tls_context_counters(t.context)->failed, 0);
        finish();
    }
    unit_case(NULL);
}

TEST(name_and_trust_are_checked)
{
    struct setting s;
    struct err e;

    begin("p256", &s);
    t.how.name = "other.example.org";
    run(&s, echo_server, echo_client);
    EXPECT_INT(t.client_result, -EPROTO);
    EXPECT_INT(t.server_result, -EPROTO);
    EXPECT_INT(tls_context_counters(t.context)->failed, 1);
    finish();

    begin("p256", &s);
    t.how.name = "other.example.org";
    t.how.verify = false;
    run(&s, echo_server, echo_client);
    EXPECT_INT(t.client_result, 0);
    EXPECT(!t.client_info.verified);
    finish();

    begin("p256", &s);
    tls_client_context_free(t.client);
    t.client = tls_client_context_new(SPAN_EMPTY, &e);
    t.how.context = t.client;
    run(&s, echo_server, echo_client);
    EXPECT_INT(t.client_result, -EPROTO);
    finish();

    begin("p256", &s);
    t.how.name = "127.0.0.1";
    run(&s, echo_server, echo_client);
    EXPECT(t.client_info.verified);
    EXPECT_STR(t.server_info.sni, "");
    finish();
    EXPECT(tls_client_context_new(SPAN("-----BEGIN CERTIFICATE-----\nx\n"), &e) == NULL);
}

struct sni_seen {
    uint64_t covered, other;
};

static void count_sni(const char *name, uint64_t count, bool covered, void *arg)
{
    struct sni_seen *n = arg;
    if (covered && strcmp(name, "imap.example.org") == 0)
        n->covered += count;
    else if (!covered && strcmp(name, "other.example.org") == 0)
        n->other += count;
}

TEST(names_asked_for_are_counted)
{
    struct setting s;
    struct sni_seen n = {0, 0};

    begin("p256", &s);
    run(&s, echo_server, echo_client);
    t.how.name = "IMAP.example.ORG";
    run(&s, echo_server, echo_client);
    t.how.name = "other.example.org";
    t.how.verify = false;
    run(&s, echo_server, echo_client);
    tls_context_sni_each(t.context, count_sni, &n);
    EXPECT_INT(n.covered, 2);
    EXPECT_INT(n.other, 1);
    finish();
}

TEST(alpn_is_agreed)
{
    static const char *const ours[] = {"imap", NULL}, *const theirs[] = {"pop3", NULL};
    struct setting s;

    for (int strict = 0; strict < 2; strict++) {
        for (int same = 0; same < 2; same++) {
            begin("p256", &s);
            STACK_OF(X509) *chain = sk_X509_new_null();
            struct err e;
            EVP_PKEY *key = tls_harness_key("p256");
            X509 *x = tls_harness_certificate(key, &vserver);
            tls_context_unref(t.context);
            t.context = s.server.tls = tls_context_new(&vserver, ours, strict == 1);
            sk_X509_push(chain, x);
            REQUIRE(tls_context_identity_pkey(t.context, TLS_SLOT_CURRENT, chain, key, &e) == 0);
            sk_X509_pop_free(chain, X509_free);
            t.how.verify = false;
            t.how.alpn = same ? ours : theirs;
            run(&s, echo_server, echo_client);
            EXPECT_INT(t.client_result, strict && !same ? -EPROTO : 0);
            EXPECT_STR(t.server_info.alpn, same ? "imap" : "");
            finish();
        }
    }
}

/* --- clients that do what ours would not: OpenSSL, blocking, on a helper thread */

static void raw_handshake(void *arg)
{
    struct end *e = arg;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl;

    SSL_CTX_set_security_level(ctx, 0);
    t.raw_setup(ctx);
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, e->fd);
    t.client_result = SSL_connect(ssl) == 1 ? 0 : -EPROTO;
    if (t.client_result == 0 && SSL_version(ssl) == TLS1_2_VERSION) {
        char byte;
        /* the server answers a renegotiation with no_renegotiation and goes on, or ends the
         * connection */
        SSL_renegotiate(ssl);
        if (SSL_do_handshake(ssl) == 1 && SSL_renegotiate_pending(ssl) == 0)
            t.client_result = 1;
        SSL_write(ssl, "x", 1);
        if (SSL_read(ssl, &byte, 1) == 1 && SSL_num_renegotiations(ssl) > 1)
            t.client_result = 2;
    }
    ERR_clear_error();
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    fd_close(&e->fd);
}

static void raw_client(struct end *e)
{
    fiber_offload(raw_handshake, e);
}

static void old_versions(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
}

static void cbc_ciphers(SSL_CTX *ctx)
{
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384");
}

static void static_rsa(SSL_CTX *ctx)
{
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(ctx, "AES128-GCM-SHA256");
}

static void small_group(SSL_CTX *ctx)
{
    SSL_CTX_set1_groups_list(ctx, "P-521");
}

static void plain_12(SSL_CTX *ctx)
{
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
}

static void plain_13(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
}

TEST(rules_of_versions_ciphers_and_groups)
{
    static const struct {
        const char *name, *key;
        void (*setup)(SSL_CTX *ctx);
        uint8_t min;
        bool ok;
    } rows[] = {
        {"TLS 1.1",                        "p256",    old_versions, TLS_MIN_1_2, false},
        {"CBC",                            "p256",    cbc_ciphers,  TLS_MIN_1_2, false},
        {"no forward secrecy",             "rsa2048", static_rsa,   TLS_MIN_1_2, false},
        {"P-521",                          "p256",    small_group,  TLS_MIN_1_2, false},
        {"TLS 1.2",                        "p256",    plain_12,     TLS_MIN_1_2, true },
        {"TLS 1.2, RSA",                   "rsa2048", plain_12,     TLS_MIN_1_2, true },
        {"TLS 1.2 where 1.3 is the least", "p256",    plain_12,     TLS_MIN_1_3, false},
        {"TLS 1.3",                        "p256",    plain_13,     TLS_MIN_1_3, true },
    };
    struct setting s;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].name);
        vserver.tls_min = rows[i].min;
        begin(rows[i].key, &s);
        t.raw_setup = rows[i].setup;
        s.raw_client = true;
        run(&s, echo_server, raw_client);
        EXPECT_INT(t.client_result, rows[i].ok ? 0 : -EPROTO); /* 1, 2: renegotiated */
        EXPECT_INT(t.server_info.on, rows[i].ok);
        finish();
    }
    vserver.tls_min = TLS_MIN_1_2;
    unit_case(NULL);
}

/* --- tickets */

TEST(a_ticket_of_one_worker_is_good_at_another)
{
    struct setting s;
    SSL_SESSION *session;
    struct tls_context *other;

    tls_harness_tickets();
    begin("p256", &s);
    run(&s, echo_server, echo_client);
    EXPECT(!t.client_info.resumed);
    EXPECT_INT(tls_context_counters(t.context)->tickets_issued, 1);
    session = t.session;
    t.session = NULL;
    finish();
    REQUIRE(session != NULL);

    begin("p256", &s); /* a new context: another worker, even another certificate */
    t.how.session = session;
    run(&s, echo_server, echo_client);
    EXPECT(t.client_info.resumed && t.server_info.resumed);
    EXPECT(t.client_info.verified);
    EXPECT_INT(tls_context_counters(t.context)->resumed, 1);
    SSL_SESSION_free(session);
    session = t.session; /* tickets are for one use: a resumed session brings the next */
    t.session = NULL;
    finish();
    REQUIRE(session != NULL);

    vserver.name = "pop3-test"; /* another virtual server: a full handshake */
    begin("p256", &s);
    t.how.session = session;
    run(&s, echo_server, echo_client);
    EXPECT(t.client_info.on && !t.client_info.resumed);
    vserver.name = "imap4-test";
    finish();

    begin("p256", &s); /* another trust list */
    struct err e;
    EXPECT_INT(tls_context_trust(t.context, tls_harness_trust_pem(), 7, &e), 0);
    t.how.session = session;
    run(&s, echo_server, echo_client);
    EXPECT(t.client_info.on && !t.client_info.resumed);
    finish();

    tls_harness_tickets(); /* other keys */
    begin("p256", &s);
    other = t.context;
    t.how.session = session;
    run(&s, echo_server, echo_client);
    EXPECT(t.client_info.on && !t.client_info.resumed);
    EXPECT_INT(tls_context_counters(other)->resumed, 0);
    SSL_SESSION_free(session);
    finish();
    tls_ticket_keys(NULL, 0);

    begin("p256", &s); /* no keys: no ticket at all */
    run(&s, echo_server, echo_client);
    EXPECT(t.client_info.on);
    EXPECT(t.session == NULL);
    finish();
}

TEST(an_older_ticket_key_still_opens)
{
    unsigned char k[2][TLS_TICKET_KEY_BYTES], swapped[2][TLS_TICKET_KEY_BYTES];
    struct setting s;
    SSL_SESSION *session;

    random_bytes(k, sizeof k);
    memcpy(swapped[0], k[1], sizeof k[1]);
    memcpy(swapped[1], k[0], sizeof k[0]);
    tls_ticket_keys((const unsigned char(*)[TLS_TICKET_KEY_BYTES])k, 2);
    begin("p256", &s);
    run(&s, echo_server, echo_client);
    session = t.session;
    t.session = NULL;
    finish();
    tls_ticket_keys((const unsigned char(*)[TLS_TICKET_KEY_BYTES])swapped, 2);
    begin("p256", &s);
    t.how.session = session;
    run(&s, echo_server, echo_client);
    EXPECT(t.server_info.resumed);
    EXPECT_INT(tls_context_counters(t.context)->tickets_issued, 1);
    SSL_SESSION_free(session);
    finish();
    tls_ticket_keys(NULL, 0);
}

/* --- client certificates */

TEST(client_certificates_never_break_a_handshake)
{
    struct setting s;
    struct err e;
    EVP_PKEY *key = tls_harness_key("p384");

    for (int known = 0; known < 2; known++) {
        begin("p256", &s);
        X509 *x = tls_harness_certificate(key, NULL);
        SSL *probe = tls_client_context_ssl(t.client); /* the SSL_CTX of a context is its own */
        SSL_CTX *ctx = SSL_get_SSL_CTX(probe);
        REQUIRE(SSL_CTX_use_certificate(ctx, x) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
        SSL_free(probe);
        if (known) {
            tls_harness_trust(x);
        }
        EXPECT_INT(tls_context_trust(t.context, tls_harness_trust_pem(), (uint64_t)known, &e), 0);
        run(&s, echo_server, echo_client);
        EXPECT_INT(t.client_result, 0);
        EXPECT_INT(t.server_info.verified, known);
        EXPECT_INT(strlen(t.server_info.peer_spki), 64);
        X509_free(x);
        finish();
    }
    begin("p256", &s);
    EXPECT_INT(tls_context_trust(t.context, SPAN("nonsense"), 1, &e), -EINVAL);
    EXPECT_INT(tls_context_trust(t.context, tls_harness_trust_pem(), 1, &e), 0);
    run(&s, echo_server, echo_client); /* none shown */
    EXPECT_INT(t.client_result, 0);
    EXPECT_STR(t.server_info.peer_spki, "");
    EXPECT(!t.server_info.verified);
    finish();
}

/* Required: none and an unknown one end the handshake, and so does everything before the list is
 * known; the server says why. */
static X509 *shown_by_client(const char *key_type)
{
    SSL *probe = tls_client_context_ssl(t.client);
    SSL_CTX *ctx = SSL_get_SSL_CTX(probe);
    X509 *x = tls_harness_certificate(tls_harness_key(key_type), NULL);

    CHECK(SSL_CTX_use_certificate(ctx, x) == 1 &&
          SSL_CTX_use_PrivateKey(ctx, tls_harness_key(key_type)) == 1);
    SSL_free(probe);
    return x;
}

static char why[160];

static void refusing_server(struct end *e)
{
    t.server_result = conn_accept_tls(e->c, 5000);
    snprintf(why, sizeof why, "%s", conn_error(e->c));
}

static void refused_client(struct end *e)
{
    /* in TLS 1.3 the client is done before the server has looked at its certificate */
    t.client_result = conn_connect_tls(e->c, &t.how, 5000);
    if (t.client_result == 0)
        t.client_result = conn_fill(e->c, 5000);
}

TEST(required_client_certificates)
{
    static const struct {
        const char *name, *want;
        bool list, shown;
    } rows[] = {
        {"no list yet",    "not known yet",                false, true },
        {"none shown",     "did not return a certificate", true,  false},
        {"an unknown one", "self-signed certificate",      true,  true },
    };
    struct setting s;
    struct err e;

    vserver.client_certificates = CLIENT_CERTIFICATES_REQUIRE;
    for (int v = 0; v < 2; v++) {
        vserver.tls_min = TLS_MIN_1_2;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            X509 *x = NULL;
            unit_case(rows[i].name);
            begin("p256", &s);
            if (v == 0) {
                SSL *probe = tls_client_context_ssl(t.client);
                SSL_CTX_set_max_proto_version(SSL_get_SSL_CTX(probe), TLS1_2_VERSION);
                SSL_free(probe);
            }
            if (rows[i].list)
                EXPECT_INT(tls_context_trust(t.context, tls_harness_trust_pem(), 1, &e), 0);
            if (rows[i].shown)
                x = shown_by_client("p384");
            run(&s, refusing_server, refused_client);
            EXPECT_INT(t.server_result, -EPROTO);
            EXPECT(t.client_result < 0);
            if (strstr(why, rows[i].want) == NULL)
                EXPECT_STR(why, rows[i].want);
            X509_free(x);
            finish();
        }
    }
    unit_case("a known one");
    begin("p256", &s);
    X509 *x = shown_by_client("p384");
    tls_harness_trust(x);
    EXPECT_INT(tls_context_trust(t.context, tls_harness_trust_pem(), 1, &e), 0);
    run(&s, echo_server, echo_client);
    EXPECT_INT(t.client_result, 0);
    EXPECT(t.server_info.verified);
    X509_free(x);
    finish();
    vserver.client_certificates = CLIENT_CERTIFICATES_IGNORE;
    unit_case(NULL);
}

/* --- channel binding */

static char bindings[2][2][80];
static size_t binding_bytes[2][2];

static void bind_end(struct conn *c, int who)
{
    static const char *const types[] = {"tls-exporter", "tls-server-end-point"};

    for (int i = 0; i < 2; i++) {
        struct buf b BUF_AUTO = BUF(sizeof bindings[0][0]);
        EXPECT(conn_channel_binding(c, types[i], &b));
        binding_bytes[who][i] = b.n;
        memcpy(bindings[who][i], b.p, b.n);
    }
    struct buf none BUF_AUTO = BUF(64);
    EXPECT(!conn_channel_binding(c, "tls-unique", &none));
}

static void bind_server(struct end *e)
{
    REQUIRE(conn_accept_tls(e->c, 5000) == 0);
    bind_end(e->c, 0);
    EXPECT_INT(conn_fill(e->c, 5000), 0);
}

static void bind_client(struct end *e)
{
    struct buf none BUF_AUTO = BUF(64);
    EXPECT(!conn_channel_binding(e->c, "tls-exporter", &none));
    REQUIRE(conn_connect_tls(e->c, &t.how, 5000) == 0);
    bind_end(e->c, 1);
    conn_shutdown(e->c);
}

TEST(both_ends_have_the_same_channel_binding)
{
    struct setting s;

    begin("p384", &s);
    run(&s, bind_server, bind_client);
    for (int i = 0; i < 2; i++) {
        EXPECT_INT(binding_bytes[0][i], 32);
        EXPECT_SPAN(span_of(bindings[0][i], binding_bytes[0][i]),
                    span_of(bindings[1][i], binding_bytes[1][i]));
    }
    EXPECT(memcmp(bindings[0][0], bindings[0][1], 32) != 0);
    finish();
}

/* --- identities */

TEST(identities)
{
    struct buf chain BUF_AUTO = BUF(65536);
    struct tls_context *c = tls_context_new(&vserver, NULL, false);
    EVP_PKEY *key = tls_harness_key("p256"), *other = tls_harness_key("p384");
    X509 *x = tls_harness_certificate(key, &vserver);
    STACK_OF(X509) *list = sk_X509_new_null();
    unsigned char *der = NULL;
    char serial[68];
    struct err e;
    int n = i2d_X509(x, &der);

    wr_span(&chain, span_of(der, (size_t)n));
    EXPECT(!tls_context_has_identity(c));
    EXPECT(tls_context_ssl(c, TLS_SLOT_CURRENT) == NULL);
    EXPECT_INT(tls_context_identity(c, TLS_SLOT_CURRENT, SPAN("xxxx"), "00", &e), -EINVAL);
    EXPECT_INT(tls_context_identity(c, TLS_SLOT_CURRENT, span_head(buf_span(&chain), chain.n - 1),
                                    "00", &e),
               -EINVAL);
    EXPECT_INT(tls_context_identity(c, TLS_SLOT_CURRENT, buf_span(&chain), "no id", &e), -EINVAL);
    EXPECT_INT(tls_context_identity(c, TLS_SLOT_CURRENT, buf_span(&chain),
                                    "00112233445566778899aabbccddeeff", &e),
               0);
    EXPECT(tls_context_has_identity(c));
    tls_context_serial(c, serial);
    EXPECT(serial[0] != '\0');
    sk_X509_push(list, x);
    EXPECT_INT(tls_context_identity_pkey(c, TLS_SLOT_CURRENT, list, other, &e), -EINVAL);
    EXPECT(tls_context_has_identity(c)); /* the old one stays */
    EXPECT_INT(tls_context_identity(c, TLS_SLOT_CURRENT, SPAN_EMPTY, NULL, &e), 0);
    EXPECT(!tls_context_has_identity(c));
    OPENSSL_free(der);
    sk_X509_pop_free(list, X509_free);
    tls_context_unref(c);
}

/* --- current and next */

static void serve_both(struct end *e)
{
    t.server_result = conn_accept_tls(e->c, 5000);
    if (t.server_result < 0)
        return;
    conn_tls_info(e->c, &t.server_info);
    EXPECT_INT(conn_fill(e->c, 5000), 0);
}

static void look(struct end *e)
{
    t.client_result = conn_connect_tls(e->c, &t.how, 5000);
    conn_tls_info(e->c, &t.client_info);
    conn_shutdown(e->c);
}

static void set_slot(enum tls_slot slot, char serial[68])
{
    EVP_PKEY *key = tls_harness_key("p256");
    STACK_OF(X509) *chain = sk_X509_new_null();
    struct err e;

    sk_X509_push(chain, tls_harness_certificate(key, &vserver));
    tls_serial_hex(sk_X509_value(chain, 0), serial);
    EXPECT_INT(tls_context_identity_pkey(t.context, slot, chain, key, &e), 0);
    sk_X509_pop_free(chain, X509_free);
}

/* In the middle of a handshake: the client's first flight is answered with the identity it found.
 */
static void swap_while_shaking(struct end *e)
{
    char serial[68];

    fiber_yield();
    set_slot(TLS_SLOT_CURRENT, serial);
    look(e);
}

TEST(a_staged_identity_is_shown_to_probes_only)
{
    char current[68], next[68];
    struct setting s;

    begin("p256", &s);
    t.how.verify = false;
    tls_context_serial(t.context, current);
    s.server.slot = TLS_SLOT_NEXT;
    run(&s, serve_both, look); /* nothing is staged */
    EXPECT_INT(t.server_result, -EPROTO);
    set_slot(TLS_SLOT_NEXT, next);
    run(&s, serve_both, look);
    EXPECT_STR(t.client_info.serial, next);
    s.server.slot = TLS_SLOT_CURRENT;
    run(&s, serve_both, look);
    EXPECT_STR(t.client_info.serial, current);
    /* the server's SSL was made before the swap: it keeps what it began with */
    run(&s, serve_both, swap_while_shaking);
    EXPECT_STR(t.client_info.serial, current);
    run(&s, serve_both, look);
    EXPECT(strcmp(t.client_info.serial, current) != 0 && strcmp(t.client_info.serial, next) != 0);
    finish();
}
