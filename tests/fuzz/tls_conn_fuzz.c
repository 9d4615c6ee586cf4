/*
 * tls_conn_fuzz.c: a client's bytes into a STARTTLS endpoint: lines in clear, then whatever they
 * are taken for. The server must end, and say nothing in clear but its grammar.
 */
#include "base/check.h"
#include "tls/conn.h"
#include "tls/harness.h"

#include <sys/socket.h>
#include <unistd.h>

static const struct conf_endpoint endpoint = {"127.0.0.1", 143, POLICY_STARTTLS_REQUIRED};
static struct tls_context *context;
static struct loop *loop;
static int server_fd;

static bool allowed(struct span line)
{
    return span_eq(line, SPAN("OK\r\n"));
}

static void serve(void *arg)
{
    struct conn_params p = {.loop = loop,
                            .tls = context,
                            .endpoint = &endpoint,
                            .plain_allowed = allowed,
                            .in_max = 512,
                            .out_max = 512,
                            .write_timeout_ms = 1000};
    struct conn *c = conn_new(server_fd, &p);
    int r;

    while ((r = conn_fill(c, 1000)) > 0) {
        struct span in = conn_peek(c);
        size_t end = span_find(in, '\n');
        bool starttls = end != SPAN_NONE && end > 0 && in.p[0] == 'S';
        if (end == SPAN_NONE)
            continue;
        conn_consume(c, end + 1);
        r = conn_put(c, starttls ? SPAN("OK\r\n") : span_head(in, end + 1));
        if (r < 0 || (starttls && conn_accept_tls(c, 1000) < 0))
            break;
    }
    conn_shutdown(c);
    conn_free(c);
    loop_stop(loop);
}

static void start(void *arg)
{
    fiber_start(loop, serve, NULL, "serve");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct conf_vserver vserver = {.name = "fuzz"};
    int fds[2];
    char answer[4096];

    if (size > 60000)
        return 0;
    if (context == NULL) {
        loop = loop_new();
        context = tls_harness_context(&vserver, "p256", NULL);
    }
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    server_fd = fds[0];
    CHECK(send(fds[1], data, size, MSG_NOSIGNAL) == (ssize_t)size);
    shutdown(fds[1], SHUT_WR);
    loop_defer(loop, start, NULL);
    loop_run(loop);
    ssize_t n = recv(fds[1], answer, sizeof answer, MSG_DONTWAIT);
    if (n >= 4)
        CHECK(memcmp(answer, "OK\r\n", 4) == 0 || answer[0] == 0x15 || answer[0] == 0x16);
    close(fds[1]);
    return 0;
}
