#include "tls/conn_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_ready(void *arg, int events);
static void on_time(void *arg);

static void peer_to_text(const struct sockaddr_storage *a, char *dst, size_t size)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)a;

    snprintf(dst, size, "local");
    if (a->ss_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, dst, (socklen_t)size);
    else if (a->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], dst, (socklen_t)size);
    else if (a->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, dst, (socklen_t)size);
}

struct conn *conn_new(int take_fd, const struct conn_params *p)
{
    static bool pipe_ignored;
    struct conn *c = calloc(1, sizeof *c);
    int on = 1;

    CHECK(c != NULL);
    if (!pipe_ignored) {
        /* OpenSSL writes with write(2): a peer that is gone must be an error, not a signal */
        signal(SIGPIPE, SIG_IGN);
        pipe_ignored = true;
    }
    c->fd = take_fd;
    c->loop = p->loop;
    c->tls = p->tls == NULL ? NULL : tls_context_ref(p->tls);
    c->slot = p->slot;
    c->outgoing = p->endpoint == NULL;
    c->policy = p->endpoint == NULL ? POLICY_OPPORTUNISTIC : (enum conf_policy)p->endpoint->policy;
    c->plain_allowed = p->plain_allowed;
    c->write_timeout_ms = p->write_timeout_ms > 0 ? p->write_timeout_ms : UINT64_MAX;
    buf_init(&c->in, p->in_max > 0 ? p->in_max : CONN_BUFFER_DEFAULT);
    c->out_max = p->out_max > 0 ? p->out_max : CONN_BUFFER_DEFAULT;
    buf_init(&c->out, SIZE_MAX / 2); /* out_max counts what waits; conn_put holds it */
    c->peer = p->peer;
    c->vserver = p->vserver;
    peer_to_text(&c->peer, c->peer_text, sizeof c->peer_text);
    if (!p->accepted) {
        fd_nonblock(take_fd);
        /* answers are sent whole: waiting for an acknowledgement first would cost 40 ms; fails for
         * socketpairs */
        setsockopt(take_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    c->watch = watch_new(c->loop, take_fd, on_ready, c);
    c->timer = timer_new(c->loop, on_time, c);
    if (conn_taps_open != 0)
        conn_tap_begin(c);
    return c;
}

void conn_free(struct conn *c)
{
    if (c == NULL)
        return;
    CHECK(c->waiter == NULL);
    watch_free(c->watch);
    timer_free(c->timer);
    if (c->ssl != NULL) {
        tls_errors_forget();
        /* without this OpenSSL takes a connection that ended roughly as a reason to forget its
         * session */
        SSL_set_quiet_shutdown(c->ssl, 1);
        SSL_free(c->ssl);
    }
    conn_tap_end(c, true);
    conn_tap_end(c, false); /* what the peer still says nobody reads */
    free(c->tapped);
    SSL_SESSION_free(c->client.session);
    tls_context_unref(c->tls);
    if (c->linger)
        conn_linger(c->loop, fd_steal(&c->fd));
    fd_close(&c->fd);
    buf_done(&c->in);
    buf_done(&c->out);
    buf_done(&c->wire);
    free(c);
}

int conn_fail(struct conn *c, int code, const char *fmt, ...)
{
    va_list ap;

    if (c->error[0] == '\0') {
        va_start(ap, fmt);
        vsnprintf(c->error, sizeof c->error, fmt, ap);
        va_end(ap);
    }
    return code;
}

/* --- waiting */

uint64_t conn_deadline(uint64_t timeout_ms)
{
    uint64_t now = clock_mono_ms();
    return timeout_ms > UINT64_MAX - now ? UINT64_MAX : now + timeout_ms;
}

static void wake(struct conn *c, int events)
{
    struct fiber *f = c->waiter;

    c->waiter = NULL; /* once: a second event before it runs must not resume it again */
    c->got = events;
    watch_set(c->watch, 0);
    timer_stop(c->timer);
    fiber_resume(f); /* c may be gone now */
}

static void idle_fire(struct conn *c, int events)
{
    conn_idle_fn fn = c->idle_fn;
    void *arg = c->idle_arg;

    conn_idle(c, 0, NULL, NULL);
    fn(arg, events);
}

/* Nothing came for it to travel with. */
static void idle_send_held(struct conn *c)
{
    uint64_t now = clock_mono_ms();

    if (conn_wire_send(c) < 0) {
        c->wire_held = 0;
        idle_fire(c, WATCH_READ);
        return;
    }
    buf_done(&c->wire);
    if (c->idle_until != UINT64_MAX)
        timer_start(c->timer, c->idle_until > now ? c->idle_until - now : 0);
}

static void on_ready(void *arg, int events)
{
    struct conn *c = arg;

    if (events & WATCH_READ)
        c->wire_dry = false;
    if (c->waiter != NULL)
        wake(c, events);
    else if (c->idle_fn != NULL)
        idle_fire(c, events);
    else
        watch_set(c->watch, 0);
}

static void on_time(void *arg)
{
    struct conn *c = arg;

    if (c->waiter != NULL)
        wake(c, 0);
    else if (c->idle_fn != NULL && c->wire_held > 0 && c->idle_now == 0)
        idle_send_held(c);
    else if (c->idle_fn != NULL)
        idle_fire(c, c->idle_now);
}

int conn_wait(struct conn *c, int events, uint64_t deadline)
{
    uint64_t now = clock_mono_ms();

    if (c->aborted)
        return -ECONNABORTED;
    if (now >= deadline)
        return -ETIMEDOUT;
    CHECK(c->waiter == NULL && c->idle_fn == NULL && fiber_self() != NULL);
    if (deadline != UINT64_MAX)
        timer_start(c->timer, deadline - now);
    watch_set(c->watch, events);
    c->waiter = fiber_self();
    while (c->waiter != NULL)
        fiber_suspend();
    if (c->aborted)
        return -ECONNABORTED;
    return c->got == 0 ? -ETIMEDOUT : 0;
}

void conn_abort(struct conn *c)
{
    if (c->aborted)
        return;
    c->aborted = true;
    c->read_error = c->write_error = -ECONNABORTED;
    conn_fail(c, 0, "ended by this server");
    if (c->idle_fn != NULL)
        conn_idle(c, 0, NULL, NULL);
    if (c->waiter != NULL)
        wake(c, 0);
}

/* Output that was not flushed, or input that TLS holds already, is not waited for. */
static int idle_events_now(struct conn *c)
{
    int wait_for;

    if (c->aborted || c->read_error != 0 || conn_out_clear(c) > 0 || conn_wire_urgent(c) ||
        conn_in_waiting(c) > 0)
        return WATCH_READ;
    if (c->ssl == NULL || !SSL_has_pending(c->ssl))
        return 0;
    if (conn_read_some(c, &wait_for) != -EAGAIN)
        return WATCH_READ;
    return !conn_wire_urgent(c) || conn_wire_send(c) == 0 ? 0 : WATCH_READ;
}

void conn_idle(struct conn *c, uint64_t timeout_ms, conn_idle_fn fn, void *arg)
{
    CHECK(c->waiter == NULL);
    c->idle_fn = fn;
    c->idle_arg = arg;
    c->idle_now = 0;
    timer_stop(c->timer);
    watch_set(c->watch, 0);
    if (fn == NULL)
        return;
    c->idle_now = idle_events_now(c);
    if (c->idle_now != 0) {
        timer_start(c->timer, 0); /* never from within this call */
        return;
    }
    c->in_at = c->out_at = c->out_allowed = 0;
    buf_done(&c->in);
    buf_done(&c->out);
    c->idle_until = conn_deadline(timeout_ms);
    watch_set(c->watch, WATCH_READ);
    if (c->wire_held == 0)
        buf_done(&c->wire);
    else if (timeout_ms > CONN_HOLD_MS)
        timeout_ms = CONN_HOLD_MS;
    if (timeout_ms != UINT64_MAX)
        timer_start(c->timer, timeout_ms);
}

/* --- facts */

uint64_t conn_bytes_in(const struct conn *c)
{
    return c->bytes_in;
}

uint64_t conn_bytes_out(const struct conn *c)
{
    return c->bytes_out;
}

uint64_t conn_plaintext_bytes(const struct conn *c)
{
    return c->plaintext_bytes;
}

const char *conn_error(const struct conn *c)
{
    return c->error;
}

const struct sockaddr_storage *conn_peer(const struct conn *c)
{
    return &c->peer;
}

const char *conn_peer_text(const struct conn *c)
{
    return c->peer_text;
}
