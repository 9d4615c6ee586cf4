/* conn_test.c: bytes: before TLS, cut off, late, many, none. */
#include "tls/conn_internal.h"
#include "tls/ends_test.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>

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

/* --- packets */

static int server_fd;

static unsigned packets_out(struct conn *c)
{
    struct tcp_info info;
    socklen_t n = sizeof info;

    CHECK(getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0);
    return info.tcpi_data_segs_out;
}

static void terse_server(struct end *e)
{
    t.server_result = conn_accept_tls(e->c, 5000);
    EXPECT_INT(packets_out(e->c), 1); /* from ServerHello to Finished; the ticket waits */
    EXPECT_INT(conn_put(e->c, SPAN("* OK hello\r\n")), 0);
    EXPECT_INT(conn_fill(e->c, 5000), 6);
    EXPECT_INT(packets_out(e->c), 2); /* ticket and greeting */
    EXPECT_INT(conn_put(e->c, SPAN("* BYE\r\n")), 0);
    EXPECT_INT(conn_put(e->c, SPAN("a OK\r\n")), 0);
    server_fd = e->c->fd;
    conn_shutdown(e->c);
    EXPECT_INT(packets_out(e->c), 3); /* with close_notify */
}

static void slow_to_go_client(struct end *e)
{
    REQUIRE(conn_connect_tls(e->c, &t.how, 5000) == 0);
    EXPECT_INT(fill_to(e->c, 12), 0);
    conn_consume(e->c, 12);
    EXPECT_INT(conn_put(e->c, SPAN("LOGOUT")), 0);
    EXPECT_INT(fill_to(e->c, 13), 0);
    conn_consume(e->c, 13);
    EXPECT_INT(conn_fill(e->c, 5000), 0);
    /* the server's end has freed the connection: what we still say meets no reset */
    EXPECT_INT(conn_put(e->c, SPAN("late")), 0);
    EXPECT_INT(conn_flush(e->c), 0);
    fiber_sleep_ms(60);
    EXPECT_INT(conn_put(e->c, SPAN("later")), 0);
    EXPECT_INT(conn_flush(e->c), 0);
    EXPECT(fcntl(server_fd, F_GETFD) >= 0);
    shutdown(e->c->fd, SHUT_RDWR);
    fiber_sleep_ms(200);
    EXPECT(fcntl(server_fd, F_GETFD) < 0);
}

TEST(what_belongs_together_is_one_packet_and_the_end_is_no_reset)
{
    struct setting s;

    begin("p256", &s);
    s.tcp = true;
    run(&s, terse_server, slow_to_go_client);
    EXPECT_INT(t.server_result, 0);
    finish();
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

/* --- half-closed */

static void last_word_server(struct end *e)
{
    REQUIRE(t.server_result == 1 || conn_accept_tls(e->c, 5000) == 0);
    EXPECT_INT(conn_fill(e->c, 5000), 0); /* the client has said all */
    EXPECT_INT(conn_fill(e->c, 5000), 0);
    EXPECT_INT(conn_put(e->c, SPAN("bye\r\n")), 0); /* we have not */
    conn_shutdown(e->c);
}

static void last_word_client(void *arg)
{
    struct end *e = arg;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    char answer[16];
    ssize_t n;

    if (t.server_result == 1) {
        shutdown(e->fd, SHUT_WR);
        n = recv(e->fd, answer, sizeof answer, MSG_WAITALL);
    } else {
        SSL_set_fd(ssl, e->fd);
        EXPECT_INT(SSL_connect(ssl), 1);
        SSL_shutdown(ssl);
        n = SSL_read(ssl, answer, sizeof answer);
    }
    EXPECT_SPAN(span_of(answer, n > 0 ? (size_t)n : 0), SPAN("bye\r\n"));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void half_closing_client(struct end *e)
{
    fiber_offload(last_word_client, e);
}

TEST(a_half_closed_connection_still_answers)
{
    struct setting s;

    for (int plain = 0; plain < 2; plain++) {
        begin("p256", &s);
        s.raw_client = true;
        s.server.endpoint = plain ? NULL : &tls_only;
        t.server_result = plain;
        run(&s, last_word_server, half_closing_client);
        finish();
    }
}
