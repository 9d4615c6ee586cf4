/* What a server says to our sending side, all at once. */
#include "smtp/client.h"

#include "base/check.h"
#include "base/log.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    struct loop *loop;
    int listener, body;
    struct sockaddr_in address;
    struct span in;
} fuzz;

static void serve(void *arg)
{
    char drop[4096];
    ssize_t n;

    fiber_wait_fd(fuzz.listener, WATCH_READ, 5000);
    int fd = accept4(fuzz.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CHECK(fd >= 0);
    for (struct span rest = fuzz.in; rest.n;) {
        n = send(fd, rest.p, rest.n, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        rest = span_skip(rest, (size_t)n);
    }
    shutdown(fd, SHUT_WR);
    while (fiber_wait_fd(fd, WATCH_READ, 5000) && read(fd, drop, sizeof(drop)) > 0) {
    }
    close(fd);
    loop_stop(fuzz.loop);
}

static void send_one(void *arg)
{
    const struct smtp_outgoing_recipient to[] = {
        {SPAN("a@remote.test"), SPAN("rfc822;a+b@remote.test"), NOTIFY_SUCCESS | NOTIFY_DELAY},
        {SPAN("b@remote.test"), SPAN_EMPTY,                     NOTIFY_NEVER                 },
    };
    struct smtp_recipient_result results[2] = {0};
    struct smtp_host h = {
        .loop = fuzz.loop, .name = "mx.test", .ehlo = "me.test", .patience_ms = 2000};
    struct smtp_outgoing m = {.sender = SPAN("s@example.test"),
                              .envid = SPAN("e"),
                              .recipients = to,
                              .count = 2,
                              .body_fd = fuzz.body,
                              .size = 9};
    struct smtp_facts facts;

    memcpy(&h.address, &fuzz.address, sizeof(fuzz.address));
    enum smtp_attempt at = smtp_send(&h, &m, results, &facts);
    for (int i = 0; i < 2; i++) {
        CHECK(results[i].text[0]); /* each recipient has its outcome in words */
        /* a connection that broke off has taken nothing */
        CHECK(at == SMTP_ANSWERED || results[i].outcome != QUEUE_DELIVERED);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    socklen_t size = sizeof(fuzz.address);

    if (!fuzz.loop) {
        log_set_level(LOG_LEVEL_ERROR);
        fuzz.loop = loop_new();
        fuzz.address =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        fuzz.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        CHECK(bind(fuzz.listener, (struct sockaddr *)&fuzz.address, size) == 0);
        CHECK(listen(fuzz.listener, 5) == 0);
        CHECK(getsockname(fuzz.listener, (struct sockaddr *)&fuzz.address, &size) == 0);
        fuzz.body = memfd_create("body", MFD_CLOEXEC);
        CHECK(write(fuzz.body, "S: x\r\n\r\n.", 9) == 9);
    }
    fuzz.in = span_of(data, n);
    fiber_start(fuzz.loop, serve, NULL, "server");
    fiber_start(fuzz.loop, send_one, NULL, "client");
    loop_run(fuzz.loop);
    return 0;
}
