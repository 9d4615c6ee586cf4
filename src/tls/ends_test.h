/* ends_test.h: the frame of the connection tests: two ends, a fiber each, on one loop. */
#ifndef TLS_ENDS_TEST_H
#define TLS_ENDS_TEST_H

#include "base/check.h"
#include "base/fd.h"
#include "base/random.h"
#include "tls/conn.h"
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

struct end;
typedef void (*end_fn)(struct end *e);
struct end {
    struct loop *loop;
    struct conn *c; /* NULL: the end works on fd itself */
    int fd;
    end_fn fn;
    unsigned *running;
};

static inline void end_run(void *arg)
{
    struct end *e = arg;

    e->fn(e);
    conn_free(e->c);
    fd_close(&e->fd);
    if (--*e->running == 0)
        loop_stop(e->loop);
}

static inline void end_start(void *arg)
{
    struct end *e = arg;
    fiber_start(e->loop, end_run, e, "test");
}

struct setting {
    struct conn_params server, client;
    bool raw_client; /* the client end gets the descriptor, blocking */
    bool tcp;
};

static inline void tcp_pair(int fds[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(bind(listener, (struct sockaddr *)&a, sizeof a) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&a, &n) == 0);
    fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fds[1], (struct sockaddr *)&a, sizeof a) == 0);
    fds[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(fds[0] >= 0);
    close(listener);
}

static inline void run(struct setting *s, end_fn server, end_fn client)
{
    struct loop *l = loop_new();
    struct end ends[2] = {{.fn = server}, {.fn = client}};
    unsigned running = 2;
    int fds[2];

    if (s->tcp)
        tcp_pair(fds);
    else
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    s->server.loop = s->client.loop = l;
    for (int i = 0; i < 2; i++) {
        bool raw = i == 1 && s->raw_client;
        ends[i].loop = l;
        ends[i].running = &running;
        ends[i].fd = raw ? fds[i] : -1;
        ends[i].c = raw ? NULL : conn_new(fds[i], i == 0 ? &s->server : &s->client);
        loop_defer(l, end_start, &ends[i]);
    }
    loop_run(l);
    loop_free(l);
}

__attribute__((unused)) static const struct conf_endpoint starttls = {"127.0.0.1", 143,
                                                                      POLICY_STARTTLS_REQUIRED};
__attribute__((unused)) static const struct conf_endpoint tls_only = {"127.0.0.1", 993,
                                                                      POLICY_TLS_ONLY};
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

static inline void begin(const char *key_type, struct setting *s)
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

static inline void finish(void)
{
    tls_context_unref(t.context);
    tls_client_context_free(t.client);
    SSL_SESSION_free(t.session);
}

static inline int fill_to(struct conn *c, size_t n)
{
    while (conn_peek(c).n < n) {
        int r = conn_fill(c, 5000);
        if (r <= 0)
            return r == 0 ? -ENODATA : r;
    }
    return 0;
}

static inline void echo_server(struct end *e)
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

static inline void echo_client(struct end *e)
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

#endif
