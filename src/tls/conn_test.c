#include "tls/conn.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/random.h"
#include "tls/context_internal.h"
#include "tls/harness.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- two ends, a fiber each, on one loop */

struct end;
typedef void (*end_fn)(struct end *e);
struct end {
    struct loop *loop;
    struct conn *c; /* NULL: the end works on fd itself */
    int fd;
    end_fn fn;
    unsigned *running;
};

static void end_run(void *arg)
{
    struct end *e = arg;

    e->fn(e);
    conn_free(e->c);
    fd_close(&e->fd);
    if (--*e->running == 0)
        loop_stop(e->loop);
}

static void end_start(void *arg)
{
    struct end *e = arg;
    fiber_start(e->loop, end_run, e, "test");
}

struct setting {
    struct conn_params server, client;
    bool raw_client; /* the client end gets the descriptor, blocking */
    bool raw_server;
};

static void run(struct setting *s, end_fn server, end_fn client)
{
    struct loop *l = loop_new();
    struct end ends[2] = {{.fn = server}, {.fn = client}};
    unsigned running = 2;
    int fds[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    s->server.loop = s->client.loop = l;
    for (int i = 0; i < 2; i++) {
        bool raw = i == 0 ? s->raw_server : s->raw_client;
        ends[i].loop = l;
        ends[i].running = &running;
        ends[i].fd = raw ? fds[i] : -1;
        ends[i].c = raw ? NULL : conn_new(fds[i], i == 0 ? &s->server : &s->client);
        loop_defer(l, end_start, &ends[i]);
    }
    loop_run(l);
    loop_free(l);
}

static const struct conf_endpoint starttls = {"127.0.0.1", 143, POLICY_STARTTLS_REQUIRED};
static const struct conf_endpoint tls_only = {"127.0.0.1", 993, POLICY_TLS_ONLY};
static const char *const vserver_names[] = {"imap.example.org"};
static struct conf_vserver vserver = {
    .name = "imap4-test", .names = {(const char **)(uintptr_t)vserver_names, 1}
};

/* What the two ends of a test share. */
static struct {
    struct tls_context *context;
    struct tls_client_context *client;
    struct conn_client_tls how;
    struct conn_tls_info server_info, client_info;
    int server_result, client_result;
    SSL_SESSION *session;
    void (*raw_setup)(SSL_CTX *ctx);
} t;

static void begin(const char *key_type, struct setting *s)
{
    memset(&t, 0, sizeof t);
    memset(s, 0, sizeof *s);
    t.context = tls_harness_context(&vserver, key_type, NULL);
    t.client = tls_harness_client();
    t.how =
        (struct conn_client_tls){.context = t.client, .name = "imap.example.org", .verify = true};
    s->server.tls = t.context;
    s->server.endpoint = &tls_only;
}

static void finish(void)
{
    tls_context_unref(t.context);
    tls_client_context_free(t.client);
    SSL_SESSION_free(t.session);
}

static int fill_to(struct conn *c, size_t n)
{
    while (conn_peek(c).n < n) {
        int r = conn_fill(c, 5000);
        if (r <= 0)
            return r == 0 ? -ENODATA : r;
    }
    return 0;
}

/* --- handshakes */

static void echo_server(struct end *e)
{
    t.server_result = conn_accept_tls(e->c, 5000);
    conn_tls_info(e->c, &t.server_info);
    if (t.server_result < 0)
        return;
    for (;;) {
        int r = conn_fill(e->c, 5000);
        struct span s = conn_peek(e->c);
        if (r <= 0) {
            t.server_result = r;
            break;
        }
        EXPECT_INT(conn_put(e->c, s), 0);
        conn_consume(e->c, s.n);
    }
    conn_shutdown(e->c);
}

static void echo_client(struct end *e)
{
    t.client_result = conn_connect_tls(e->c, &t.how, 5000);
    conn_tls_info(e->c, &t.client_info);
    if (t.client_result < 0)
        return;
    EXPECT_INT(conn_printf(e->c, "%s\r\n", "a NOOP"), 0);
    EXPECT_INT(fill_to(e->c, 8), 0);
    EXPECT_SPAN(conn_peek(e->c), SPAN("a NOOP\r\n"));
    conn_consume(e->c, 8);
    EXPECT_INT(conn_bytes_in(e->c), 8);
    EXPECT_INT(conn_bytes_out(e->c), 8);
    t.session = conn_client_session(e->c);
    conn_shutdown(e->c);
}

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
    session = t.session; /* tickets are for one use */
    t.session = NULL;
    finish();

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

/* --- before TLS */

static bool greeting_only(struct span line)
{
    return span_starts(line, SPAN("+OK")) && span_ends_nocase(line, SPAN("\r\n"));
}

static void starttls_server(struct end *e)
{
    REQUIRE(conn_put(e->c, SPAN("+OK hello\r\n")) == 0);
    REQUIRE(fill_to(e->c, 6) == 0);
    EXPECT(span_starts(conn_peek(e->c), SPAN("STLS\r\n")));
    conn_consume(e->c, 6);
    REQUIRE(conn_put(e->c, SPAN("+OK go\r\n")) == 0);
    t.server_result = conn_accept_tls(e->c, 5000);
    if (t.server_result < 0) {
        EXPECT(conn_error(e->c)[0] != '\0');
        EXPECT(conn_put(e->c, SPAN("x")) < 0);
        EXPECT(conn_fill(e->c, 10) < 0);
        EXPECT(conn_peek(e->c).n == 0);
        return;
    }
    EXPECT_INT(conn_put(e->c, SPAN("secret\r\n")), 0); /* the grammar holds outside TLS only */
    EXPECT_INT(conn_fill(e->c, 5000), 0);
}

static void starttls_client(struct end *e)
{
    REQUIRE(fill_to(e->c, 11) == 0);
    conn_consume(e->c, 11);
    REQUIRE(conn_put(e->c, SPAN("STLS\r\n")) == 0);
    REQUIRE(fill_to(e->c, 8) == 0);
    conn_consume(e->c, 8);
    REQUIRE(conn_connect_tls(e->c, &t.how, 5000) == 0);
    EXPECT_INT(fill_to(e->c, 8), 0);
    EXPECT_SPAN(conn_peek(e->c), SPAN("secret\r\n"));
    conn_shutdown(e->c);
}

static void injecting_client(struct end *e)
{
    REQUIRE(fill_to(e->c, 11) == 0);
    conn_consume(e->c, 11);
    REQUIRE(conn_put(e->c, SPAN("STLS\r\nUSER mallory\r\n")) == 0);
    t.client_result = fill_to(e->c, 1); /* not even "+OK go" */
    EXPECT(t.client_result < 0);
    EXPECT_INT(conn_peek(e->c).n, 0);
}

TEST(starttls)
{
    struct setting s;

    begin("p256", &s);
    s.server.endpoint = &starttls;
    s.server.plain_allowed = greeting_only;
    run(&s, starttls_server, starttls_client);
    EXPECT_INT(t.server_result, 0);
    EXPECT_INT(tls_context_counters(t.context)->plaintext_bytes, 0);
    finish();
}

TEST(bytes_after_starttls_end_the_session)
{
    struct setting s;

    begin("p256", &s);
    s.server.endpoint = &starttls;
    s.server.plain_allowed = greeting_only;
    run(&s, starttls_server, injecting_client);
    EXPECT_INT(t.server_result, -EBADMSG);
    EXPECT_INT(tls_context_counters(t.context)->handshakes, 0);
    finish();
}

static void leaking_server(struct end *e)
{
    EXPECT_INT(conn_put(e->c, SPAN("+OK he")), 0);
    EXPECT_INT(conn_put(e->c, SPAN("llo\r\n* secret")), 0); /* not the end of a line yet */
    EXPECT_INT(conn_put(e->c, SPAN(" mail\r\n+OK\r\n")), 0);
    t.server_result = conn_flush(e->c);
    EXPECT_INT(conn_plaintext_bytes(e->c), 20);
    EXPECT(conn_put(e->c, SPAN("+OK again\r\n")) < 0);
    EXPECT(conn_fill(e->c, 10) < 0);
}

static void watching_client(struct end *e)
{
    while (conn_fill(e->c, 5000) > 0)
        ;
    EXPECT_SPAN(conn_peek(e->c), t.client_result == 1 ? SPAN("+OK hello\r\n") : SPAN_EMPTY);
}

static void early_server(struct end *e)
{
    EXPECT_INT(conn_put(e->c, SPAN("+OK hello\r\n")), 0);
    t.server_result = conn_flush(e->c);
}

static void half_line_server(struct end *e)
{
    EXPECT_INT(conn_put(e->c, SPAN("+OK hel")), 0);
    t.server_result = conn_flush(e->c); /* is no line of the grammar */
}

TEST(only_the_plain_grammar_goes_out_in_clear)
{
    struct setting s;

    begin("p256", &s);
    s.server.endpoint = &starttls;
    s.server.plain_allowed = greeting_only;
    run(&s, leaking_server, watching_client);
    EXPECT_INT(t.server_result, -EPROTO);
    EXPECT_INT(tls_context_counters(t.context)->plaintext_bytes, 20);
    run(&s, half_line_server, watching_client);
    EXPECT_INT(t.server_result, -EPROTO);
    EXPECT_INT(tls_context_counters(t.context)->plaintext_bytes, 27);
    s.server.endpoint = &tls_only; /* nothing at all, whatever the grammar says */
    run(&s, early_server, watching_client);
    EXPECT_INT(t.server_result, -EPROTO);
    EXPECT_INT(tls_context_counters(t.context)->plaintext_bytes, 38);
    s.server.plain_allowed = NULL;
    run(&s, early_server, watching_client);
    EXPECT_INT(t.server_result, -EPROTO);
    finish();
}

/* --- peers that are not TLS, or cut it off */

static void garbage_client(struct end *e)
{
    unsigned char junk[600];
    size_t n = unit_random() % sizeof junk;

    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (unsigned char)unit_random();
    if (unit_random() % 2) /* looks like a record */
        memcpy(junk, "\x16\x03\x01\x00", 4);
    if (n > 0 && send(e->fd, junk, n, MSG_NOSIGNAL) < 0)
        return;
    shutdown(e->fd, SHUT_WR);
    fiber_wait_fd(e->fd, WATCH_READ, 2000);
}

TEST(garbage_is_an_error_and_nothing_more)
{
    struct setting s;

    for (int i = 0; i < 100; i++) {
        begin("p256", &s);
        s.raw_client = true;
        run(&s, echo_server, garbage_client);
        EXPECT_INT(t.server_result, -EPROTO);
        EXPECT_INT(tls_context_counters(t.context)->failed, 1);
        finish();
    }
}

static void cut_client(struct end *e)
{
    t.client_result = conn_connect_tls(e->c, &t.how, 5000);
    EXPECT_INT(t.client_result, 0);
    EXPECT_INT(conn_put(e->c, SPAN("hello")), 0);
    EXPECT_INT(fill_to(e->c, 5), 0);
    /* conn_free without conn_shutdown: FIN, no close_notify */
}

TEST(an_end_without_close_notify_is_told_apart)
{
    struct setting s;

    begin("p256", &s);
    run(&s, echo_server, cut_client);
    EXPECT_INT(t.server_result, -ECONNRESET);
    finish();
}

/* A relay that passes n bytes from the client on and then ends both ways. */
struct cut {
    int in, out;
    size_t left;
};

static void cut_relay(void *arg)
{
    struct cut *c = arg;
    char byte[64];

    while (c->left > 0) {
        size_t want = c->left < sizeof byte ? c->left : sizeof byte;
        ssize_t n = recv(c->in, byte, want, 0);
        if (n <= 0)
            break;
        if (send(c->out, byte, (size_t)n, MSG_NOSIGNAL) < 0)
            break;
        c->left -= (size_t)n;
    }
    shutdown(c->out, SHUT_WR);
    shutdown(c->in, SHUT_RD);
}

static size_t cut_at;

static void relayed_client(struct end *e)
{
    int fds[2];
    struct conn_params p = {.loop = e->loop};
    struct cut c = {.left = cut_at};
    struct conn *conn;

    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    /* a ClientHello is enough: everything that the server waits for first */
    conn = conn_new(fds[0], &p);
    EXPECT_INT(conn_connect_tls(conn, &t.how, 50), -ETIMEDOUT);
    c.in = fds[1];
    c.out = e->fd;
    shutdown(fds[0], SHUT_WR);
    fiber_offload(cut_relay, &c);
    fiber_wait_fd(e->fd, WATCH_READ, 2000);
    conn_free(conn);
    close(fds[1]);
}

TEST(a_handshake_cut_anywhere_fails)
{
    struct setting s;

    for (int i = 0; i < 8; i++) {
        begin("p256", &s);
        cut_at = unit_random() % 200;
        s.raw_client = true;
        run(&s, echo_server, relayed_client);
        EXPECT_INT(t.server_result, -EPROTO);
        finish();
    }
}

/* --- time */

static void silent_client(struct end *e)
{
    fiber_wait_fd(e->fd, WATCH_READ, 5000);
}

static void impatient_server(struct end *e)
{
    t.server_result = conn_accept_tls(e->c, 30);
    EXPECT(conn_error(e->c)[0] != '\0');
}

static void waiting_server(struct end *e)
{
    EXPECT_INT(conn_fill(e->c, 30), -ETIMEDOUT);
    EXPECT_INT(conn_fill(e->c, 0), -ETIMEDOUT);
}

static void flooding_server(struct end *e)
{
    static char block[65536];
    int r;

    REQUIRE(conn_accept_tls(e->c, 5000) == 0);
    do
        r = conn_put(e->c, span_of(block, sizeof block));
    while (r == 0);
    t.server_result = r;
    EXPECT_INT(conn_flush(e->c), r); /* it stays */
    EXPECT(conn_error(e->c)[0] != '\0');
}

static void deaf_client(struct end *e)
{
    REQUIRE(conn_connect_tls(e->c, &t.how, 5000) == 0);
    fiber_sleep_ms(300);
}

TEST(slow_peers_meet_deadlines)
{
    struct setting s;

    begin("p256", &s);
    s.raw_client = true;
    run(&s, impatient_server, silent_client);
    EXPECT_INT(t.server_result, -ETIMEDOUT);
    run(&s, waiting_server, silent_client);
    s.raw_client = false;
    s.server.write_timeout_ms = 50;
    run(&s, flooding_server, deaf_client);
    EXPECT_INT(t.server_result, -ETIMEDOUT);
    finish();
}

static struct conn *victim;

static void abort_victim(void *arg)
{
    conn_abort(victim);
}

static void aborted_server(struct end *e)
{
    struct timer *timer = timer_new(e->loop, abort_victim, NULL);

    victim = e->c;
    timer_start(timer, 20);
    EXPECT_INT(conn_fill(e->c, 5000), -ECONNABORTED);
    EXPECT_INT(conn_fill(e->c, 5000), -ECONNABORTED);
    EXPECT_INT(conn_put(e->c, SPAN("x")), -ECONNABORTED);
    EXPECT_INT(conn_accept_tls(e->c, 5000), -ECONNABORTED);
    timer_free(timer);
}

TEST(abort_wakes_who_waits)
{
    struct setting s;

    begin("p256", &s);
    s.raw_client = true;
    run(&s, aborted_server, silent_client);
    finish();
}

/* --- much data, small buffers */

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 31 + i / 251);
}

static void sending_server(struct end *e)
{
    unsigned char block[50000];
    size_t sent = 0;

    REQUIRE(t.server_result == 1 || conn_accept_tls(e->c, 5000) == 0);
    while (sent < 3000000) {
        size_t n = 1 + unit_random() % sizeof block;
        for (size_t i = 0; i < n; i++)
            block[i] = pattern(sent + i);
        REQUIRE(conn_put(e->c, span_of(block, n)) == 0);
        sent += n;
    }
    conn_shutdown(e->c);
}

static void receiving_client(struct end *e)
{
    size_t got = 0, wrong = 0;
    int r;

    REQUIRE(t.server_result == 1 || conn_connect_tls(e->c, &t.how, 5000) == 0);
    for (;;) {
        struct span s;
        if (unit_random() % 64 == 0)
            fiber_sleep_ms(1);
        r = conn_fill(e->c, 5000);
        if (r == -ENOBUFS)
            r = 1;
        if (r <= 0)
            break;
        s = span_head(conn_peek(e->c), 1 + unit_random() % 30000);
        for (size_t i = 0; i < s.n; i++)
            wrong += (unsigned char)s.p[i] != pattern(got + i);
        got += s.n;
        conn_consume(e->c, s.n);
    }
    EXPECT_INT(r, 0);
    got += conn_peek(e->c).n;
    EXPECT(got >= 3000000);
    EXPECT_INT(wrong, 0);
}

TEST(much_data_through_small_buffers)
{
    struct setting s;

    for (int plain = 0; plain < 2; plain++) {
        begin("p256", &s);
        s.server.out_max = 20000;
        s.client.in_max = 30000;
        s.server.endpoint = NULL; /* plain: as an outgoing one, no grammar */
        t.server_result = plain;
        run(&s, sending_server, receiving_client);
        finish();
    }
}

static void full_server(struct end *e)
{
    int r;

    while ((r = conn_fill(e->c, 2000)) > 0)
        ;
    EXPECT_INT(r, -ENOBUFS);
    EXPECT_INT(conn_peek(e->c).n, 1000);
}

static void filling_client(struct end *e)
{
    char block[5000] = {0};

    EXPECT_INT(conn_put(e->c, span_of(block, sizeof block)), 0);
    EXPECT_INT(conn_flush(e->c), 0);
}

TEST(input_has_its_limit)
{
    struct setting s;

    begin("p256", &s);
    s.server.in_max = 1000;
    run(&s, full_server, filling_client);
    finish();
}

/* --- idle */

static struct {
    struct fiber *fiber;
    int events, calls;
} idle;

static void on_idle(void *arg, int events)
{
    idle.events = events;
    idle.calls++;
    fiber_resume(idle.fiber);
}

static int idle_wait(struct conn *c, uint64_t timeout_ms)
{
    int calls = idle.calls;

    idle.fiber = fiber_self();
    conn_idle(c, timeout_ms, on_idle, NULL);
    EXPECT_INT(idle.calls, calls); /* never from within */
    while (idle.calls == calls)
        fiber_suspend();
    return idle.events;
}

static void idle_server(struct end *e)
{
    REQUIRE(conn_accept_tls(e->c, 5000) == 0);
    EXPECT(idle_wait(e->c, 5000) > 0); /* "one" and "two" in one packet */
    EXPECT_INT(conn_fill(e->c, 5000), 3);
    EXPECT_SPAN(conn_peek(e->c), SPAN("one"));
    conn_consume(e->c, 3);
    EXPECT(idle_wait(e->c, 5000) >
           0); /* OpenSSL holds it already: no event of the kernel will come */
    while (conn_peek(e->c).n < 3)
        REQUIRE(conn_fill(e->c, 5000) > 0);
    EXPECT_SPAN(conn_peek(e->c), SPAN("two"));
    conn_consume(e->c, 3);
    EXPECT_INT(idle_wait(e->c, 30), 0); /* the time is over */
    idle.events = -1;
    conn_idle(e->c, 10, on_idle, NULL);
    conn_idle(e->c, 0, NULL, NULL); /* taken back */
    fiber_sleep_ms(40);
    EXPECT_INT(idle.events, -1);
    EXPECT_INT(conn_put(e->c, SPAN("done")), 0);
    EXPECT_INT(conn_flush(e->c), 0);
    EXPECT(idle_wait(e->c, 5000) > 0);
    EXPECT_INT(conn_fill(e->c, 5000), 0);
}

static void idle_client(struct end *e)
{
    REQUIRE(conn_connect_tls(e->c, &t.how, 5000) == 0);
    fiber_sleep_ms(20);
    EXPECT_INT(conn_put(e->c, SPAN("one")), 0);
    EXPECT_INT(conn_flush(e->c), 0);
    EXPECT_INT(conn_put(e->c, SPAN("two")), 0);
    EXPECT_INT(conn_flush(e->c), 0);
    EXPECT_INT(fill_to(e->c, 4), 0);
    conn_shutdown(e->c);
}

TEST(idle_without_a_fiber)
{
    struct setting s;

    begin("p256", &s);
    run(&s, idle_server, idle_client);
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

/* --- dial */

struct dial_try {
    struct loop *l;
    struct sockaddr_storage to;
    int r, fd;
};

static void dial_run(void *arg)
{
    struct dial_try *d = arg;
    d->r = conn_dial(d->l, &d->to, 2000, &d->fd);
    loop_stop(d->l);
}

static void dial_start(void *arg)
{
    struct dial_try *d = arg;
    fiber_start(d->l, dial_run, d, "dial");
}

TEST(dial)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    REQUIRE(bind(listener, (struct sockaddr *)(void *)&a, n) == 0 && listen(listener, 1) == 0);
    REQUIRE(getsockname(listener, (struct sockaddr *)(void *)&a, &n) == 0);
    struct loop *l = loop_new();
    struct dial_try try = {.l = l, .fd = -1};
    memcpy(&try.to, &a, sizeof a);
    loop_defer(l, dial_start, &try);
    loop_run(l);
    EXPECT_INT(try.r, 0);
    EXPECT(try.fd >= 0);
    fd_close(&try.fd);
    close(listener);
    loop_defer(l, dial_start, &try);
    loop_run(l);
    EXPECT_INT(try.r, -ECONNREFUSED);
    loop_free(l);
}
