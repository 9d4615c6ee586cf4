/* greeting_test.c: what a server says first, with or after its part of the handshake; tickets that
 * wait for it. */
#include "base/clock.h"
#include "tls/conn_internal.h"
#include "tls/ends_test.h"

#include <linux/tcp.h>
#include <netinet/in.h>

static struct {
    unsigned called;
    bool on_in_it; /* conn_tls_info knew the connection already */
    bool silent;   /* greets with nothing */
    bool flush;    /* does not leave the sending to the handshake */
    size_t bytes;  /* of padding */
    unsigned packets;
    struct conn *c;
} g;

static unsigned packets_out(struct conn *c)
{
    struct tcp_info info;
    socklen_t n = sizeof info;

    CHECK(getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0);
    return info.tcpi_data_segs_out;
}

static void greet(void *arg)
{
    static char padding[200000];
    struct conn_tls_info info;

    g.called++;
    conn_tls_info(g.c, &info);
    g.on_in_it = info.on && info.cipher_bits >= 128;
    if (g.silent)
        return;
    memset(padding, 'x', sizeof padding);
    EXPECT_INT(conn_put(g.c, SPAN("* OK ")), 0);
    EXPECT_INT(conn_put(g.c, span_of(padding, g.bytes)), 0);
    EXPECT_INT(conn_put(g.c, SPAN("hello\r\n")), 0);
    if (g.flush)
        EXPECT_INT(conn_flush(g.c), 0);
}

static void greeting_server(struct end *e)
{
    g.c = e->c;
    g.called = 0;
    t.server_result = conn_accept_tls_greeting(e->c, 5000, greet, NULL);
    conn_tls_info(e->c, &t.server_info);
    if (t.server_result < 0)
        return;
    if (g.called == 0)
        greet(NULL);
    else
        g.called = 100;
    t.server_result = conn_fill(e->c, 5000);
    if (t.server_result <= 0)
        return;
    g.packets = packets_out(e->c);
    conn_consume(e->c, conn_peek(e->c).n);
    EXPECT_INT(conn_put(e->c, SPAN("a OK\r\n")), 0);
    conn_shutdown(e->c);
}

static void greeted_client(struct end *e)
{
    size_t n = g.silent ? 0 : g.bytes + 12;

    t.client_result = conn_connect_tls(e->c, &t.how, 5000);
    conn_tls_info(e->c, &t.client_info);
    if (t.client_result < 0)
        return;
    t.client_result = fill_to(e->c, n);
    if (t.client_result < 0)
        return;
    EXPECT(g.silent || span_starts(conn_peek(e->c), SPAN("* OK ")));
    EXPECT(g.silent || span_ends_nocase(conn_peek(e->c), SPAN("hello\r\n")));
    conn_consume(e->c, n);
    EXPECT_INT(conn_put(e->c, SPAN("a LOGOUT\r\n")), 0);
    EXPECT_INT(fill_to(e->c, 6), 0);
    EXPECT_SPAN(conn_peek(e->c), SPAN("a OK\r\n"));
    conn_consume(e->c, 6);
    EXPECT_INT(conn_fill(e->c, 5000), 0); /* close_notify */
    t.session = conn_client_session(e->c);
    conn_shutdown(e->c);
}

static void start(struct setting *s)
{
    tls_harness_tickets();
    memset(&g, 0, sizeof g);
    begin("p256", s);
    s->tcp = true;
}

TEST(a_greeting_travels_with_the_handshake)
{
    SSL_SESSION *session;
    struct setting s;

    start(&s);
    run(&s, greeting_server, greeted_client);
    EXPECT_INT(t.client_result, 0);
    EXPECT_INT(g.called, 100);
    EXPECT(g.on_in_it);
    EXPECT_INT(g.packets, 1); /* all of it; the ticket goes with the answer */
    EXPECT_INT(tls_context_counters(t.context)->tickets_issued, 1);
    session = t.session;
    t.session = NULL;
    finish();
    REQUIRE(session != NULL);

    begin("p256", &s); /* and so it is when the session is resumed */
    s.tcp = true;
    t.how.session = session;
    run(&s, greeting_server, greeted_client);
    EXPECT(t.client_info.resumed && t.server_info.resumed);
    EXPECT_INT(g.called, 100);
    EXPECT_INT(g.packets, 1);
    SSL_SESSION_free(session);
    finish();
    tls_ticket_keys(NULL, 0);
}

TEST(a_greeting_of_any_size)
{
    static const struct {
        const char *name;
        size_t bytes;
        bool silent, flush;
    } rows[] = {
        {"nothing",         0,      true,  false},
        {"flushed",         0,      false, true },
        {"a record",        16000,  false, false},
        {"more than waits", 70000,  false, false},
        {"much",            190000, false, true },
    };
    struct setting s;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].name);
        start(&s);
        s.client.in_max = 1 << 20;
        g.bytes = rows[i].bytes;
        g.silent = rows[i].silent;
        g.flush = rows[i].flush;
        run(&s, greeting_server, greeted_client);
        EXPECT_INT(t.client_result, 0);
        EXPECT_INT(g.called, 100);
        finish();
    }
    unit_case(NULL);
    tls_ticket_keys(NULL, 0);
}

/* --- where it must wait */

static void only_12(SSL_CTX *ctx)
{
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
}

static void without_a_certificate(SSL_CTX *ctx)
{
}

static void for_a_challenge(SSL_CTX *ctx)
{
    static const unsigned char names[] = "\x0a"
                                         "acme-tls/1";
    SSL_CTX_set_alpn_protos(ctx, names, sizeof names - 1);
}

static void raw_talk(void *arg)
{
    struct end *e = arg;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    char text[64];
    SSL *ssl;
    int n = -1;

    t.raw_setup(ctx);
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, e->fd);
    if (SSL_connect(ssl) == 1)
        n = SSL_read(ssl, text, sizeof text);
    t.client_result = n == 12 && memcmp(text, "* OK hello\r\n", 12) == 0 ? 0 : -ENODATA;
    if (n > 0) {
        SSL_write(ssl, "a LOGOUT\r\n", 10);
        SSL_read(ssl, text, sizeof text);
    }
    ERR_clear_error();
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    fd_close(&e->fd);
}

static void raw_client(struct end *e)
{
    fiber_offload(raw_talk, e);
}

TEST(a_greeting_waits_where_it_must)
{
    static const char *const challenge[] = {"acme-tls/1", NULL};
    static const struct {
        const char *name;
        void (*setup)(SSL_CTX *ctx);
        bool trust, challenge;
        unsigned called;
        int client_result;
    } rows[] = {
        {"TLS 1.3",                            without_a_certificate, false, false, 100, 0       },
        {"TLS 1.2",                            only_12,               false, false, 1,   0       },
        {"a certificate is asked for",         without_a_certificate, true,  false, 1,   0       },
        {"a CA looks at a challenge's answer", for_a_challenge,       false, true,  0,   -ENODATA},
    };
    struct setting s;
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].name);
        start(&s);
        t.raw_setup = rows[i].setup;
        s.raw_client = true;
        if (rows[i].trust)
            EXPECT_INT(tls_context_trust(t.context, tls_harness_trust_pem(), 1, &err), 0);
        if (rows[i].challenge) {
            tls_context_unref(t.context);
            s.server.tls = t.context = tls_harness_context(&vserver, "p256", challenge);
        }
        run(&s, greeting_server, raw_client);
        EXPECT_INT(g.called, rows[i].called);
        EXPECT_INT(t.client_result, rows[i].client_result);
        finish();
    }
    unit_case(NULL);
    tls_ticket_keys(NULL, 0);
}

/* A client that hears us out and does not finish: an alert in place of its Finished. */
static void refusing_client(struct end *e)
{
    t.how.name = "other.example.org";
    t.client_result = conn_connect_tls(e->c, &t.how, 5000);
}

TEST(a_client_that_goes_after_the_greeting)
{
    struct setting s;

    start(&s);
    run(&s, greeting_server, refusing_client);
    EXPECT_INT(t.client_result, -EPROTO);
    EXPECT_INT(t.server_result, -EPROTO);
    EXPECT_INT(g.called, 1); /* and nothing was said after it */
    EXPECT_INT(tls_context_counters(t.context)->failed, 1);
    finish();
    tls_ticket_keys(NULL, 0);
}

/* --- tickets have something to travel with, or go after a moment */

static bool waits_idle;
static struct fiber *idler;

static void on_idle(void *arg, int events)
{
    t.server_result = events;
    fiber_resume(idler);
}

static void waiting_server(struct end *e)
{
    g.c = e->c;
    t.server_result = conn_accept_tls_greeting(e->c, 5000, greet, NULL);
    REQUIRE(t.server_result == 0);
    EXPECT_INT(packets_out(e->c), 1);
    if (!waits_idle) {
        t.server_result = conn_fill(e->c, 400);
    } else {
        idler = fiber_self();
        conn_idle(e->c, 400, on_idle, NULL);
        fiber_suspend();
        conn_idle(e->c, 0, NULL, NULL);
    }
    g.packets = packets_out(e->c);
}

static void silent_client(struct end *e)
{
    REQUIRE(conn_connect_tls(e->c, &t.how, 5000) == 0);
    EXPECT_INT(fill_to(e->c, 12), 0);
    EXPECT(conn_fill(e->c, 250) == -ETIMEDOUT); /* a ticket, and nothing to read */
    t.session = conn_client_session(e->c);
    EXPECT(conn_fill(e->c, 5000) <= 0);
}

TEST(a_ticket_does_not_wait_for_ever)
{
    struct setting s;
    uint64_t began;

    for (int way = 0; way < 2; way++) {
        unit_case(way == 0 ? "in a fiber" : "without one");
        start(&s);
        waits_idle = way == 1;
        began = clock_mono_ms();
        run(&s, waiting_server, silent_client);
        EXPECT_INT(t.server_result, waits_idle ? 0 : -ETIMEDOUT);
        EXPECT(clock_mono_ms() - began >= 400); /* the time of the wait itself is what it was */
        EXPECT_INT(g.packets, 2);
        EXPECT(t.session != NULL);
        finish();
    }
    unit_case(NULL);
    tls_ticket_keys(NULL, 0);
}
