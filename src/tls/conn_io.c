/* conn_io.c: bytes of a connection: the input buffer, the output buffer, the gate before TLS. */
#include "base/check.h"
#include "tls/conn_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* One for all connections of the process: nothing suspends between its filling and its emptying. */
static char scratch[CONN_READ_BYTES];

int conn_ssl_result(struct conn *c, int r, const char *doing, int *ret_wait)
{
    int saved = errno;

    switch (SSL_get_error(c->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        *ret_wait = WATCH_READ;
        return 0;
    case SSL_ERROR_WANT_WRITE:
        *ret_wait = WATCH_WRITE;
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return 1;
    case SSL_ERROR_SYSCALL:
        tls_errors_forget();
        return conn_fail(c, -ECONNRESET, "%s: %s", doing,
                         saved != 0 ? strerror(saved) : "the connection was cut off");
    default:
        conn_wire_send(c); /* the alert that says why, as far as it goes */
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            tls_errors_forget();
            return conn_fail(c, -ECONNRESET, "%s: cut off without a close_notify", doing);
        }
        return conn_fail(c, -EPROTO, "%s: %s", doing, tls_error_text("TLS error"));
    }
}

/* --- input */

struct span conn_peek(struct conn *c)
{
    return span_skip(buf_span(&c->in), c->in_at);
}

void conn_consume(struct conn *c, size_t n)
{
    CHECK(n <= conn_in_waiting(c));
    c->in_at += n;
    if (c->in_at == c->in.n) {
        buf_clear(&c->in);
        c->in_at = 0;
    }
}

/* More than 0: bytes; 0: end; else as conn_read_some. */
static int read_plain(struct conn *c, size_t room, int *ret_wait)
{
    ssize_t n;

    do
        n = read(c->fd, scratch, room);
    while (n < 0 && errno == EINTR);
    if (n >= 0) {
        conn_tap(c, false, scratch, n);
        return (int)n;
    }
    *ret_wait = WATCH_READ;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return -EAGAIN;
    return conn_fail(c, -ECONNRESET, "read: %s", strerror(errno));
}

static int read_tls(struct conn *c, size_t room, int *ret_wait)
{
    int r;

    tls_errors_forget();
    errno = 0;
    r = SSL_read(c->ssl, scratch, (int)room);
    if (r > 0)
        return r;
    r = conn_ssl_result(c, r, "TLS read", ret_wait);
    return r == 0 ? -EAGAIN : r == 1 ? 0 : r;
}

int conn_read_some(struct conn *c, int *ret_wait)
{
    size_t room = c->in.max - conn_in_waiting(c);
    int n;

    if (c->read_error != 0)
        return c->read_error;
    if (room == 0)
        return -ENOBUFS;
    if (room > sizeof scratch)
        room = sizeof scratch;
    n = c->ssl != NULL ? read_tls(c, room, ret_wait) : read_plain(c, room, ret_wait);
    if (n > 0) {
        if (c->in_at > 0 && c->in.n + (size_t)n > c->in.max) {
            buf_consume(&c->in, c->in_at);
            c->in_at = 0;
        }
        CHECK(buf_put(&c->in, scratch, (size_t)n));
        c->bytes_in += (uint64_t)n;
    } else if (n < 0 && n != -EAGAIN) {
        c->read_error = n;
    }
    return n;
}

static int wait_for_input(struct conn *c, int events, uint64_t deadline)
{
    uint64_t held_until = c->wire_held > 0 ? conn_deadline(CONN_HOLD_MS) : UINT64_MAX;
    int r;

    if (conn_wire_urgent(c)) /* TLS itself may have answered; an error shows at the next write */
        conn_wire_send(c);
    if (c->wire_held == 0 || held_until >= deadline)
        return conn_wait(c, events, deadline);
    r = conn_wait(c, events, held_until);
    if (r != -ETIMEDOUT)
        return r;
    conn_wire_send(c);
    return 0;
}

int conn_fill(struct conn *c, uint64_t timeout_ms)
{
    uint64_t deadline = conn_deadline(timeout_ms);
    int r = conn_flush(c), wait_for;

    if (r < 0)
        return r;
    c->wire_dry = false; /* while a command ran, more may have come */
    for (;;) {
        r = conn_read_some(c, &wait_for);
        if (r != -EAGAIN)
            return r;
        r = wait_for_input(c, wait_for, deadline);
        if (r < 0)
            return r;
    }
}

/* --- output */

/* A breach is counted, nothing of it is sent, and the connection is over. */
static int refuse_plain(struct conn *c)
{
    size_t n = c->out.n - c->out_allowed;

    c->plaintext_bytes += n;
    if (c->tls != NULL)
        tls_context_counters(c->tls)->plaintext_bytes += n;
    buf_clear(&c->out);
    c->out_at = c->out_allowed = 0;
    shutdown(c->fd, SHUT_RDWR);
    return conn_fail(c, -EPROTO, "%zu bytes that may not be sent before TLS were held back", n);
}

/* The one place that lets bytes out before TLS: asks line by line how far the output may go. */
static int gate_plain(struct conn *c, bool whole)
{
    while (c->out_allowed < c->out.n) {
        struct span rest = span_skip(buf_span(&c->out), c->out_allowed);
        size_t end = span_find(rest, '\n');
        if (end == SPAN_NONE && !whole && c->plain_allowed != NULL)
            return 0;
        end = end == SPAN_NONE ? rest.n : end + 1;
        if (c->policy == POLICY_TLS_ONLY ||
            (c->plain_allowed != NULL && !c->plain_allowed(span_head(rest, end))))
            return refuse_plain(c);
        c->out_allowed += end;
    }
    return 0;
}

static ssize_t write_plain(struct conn *c, int *ret_wait)
{
    ssize_t n;

    do
        n = send(c->fd, c->out.p + c->out_at, c->out_allowed - c->out_at, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0) {
        conn_tap(c, true, c->out.p + c->out_at, n);
        return n;
    }
    *ret_wait = WATCH_WRITE;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return -EAGAIN;
    return conn_fail(c, -ECONNRESET, "write: %s", strerror(errno));
}

static ssize_t write_tls(struct conn *c, int *ret_wait)
{
    size_t n = conn_out_clear(c);
    int r;

    tls_errors_forget();
    errno = 0;
    n = n > INT_MAX ? INT_MAX : n;
    if (c->greeting)
        r = SSL_write_early_data(c->ssl, c->out.p + c->out_at, n, &n) == 1 ? (int)n : -1;
    else
        r = SSL_write(c->ssl, c->out.p + c->out_at, (int)n);
    if (r > 0)
        return r;
    r = conn_ssl_result(c, r, "TLS write", ret_wait);
    return r == 0 ? -EAGAIN : r == 1 ? -ECONNRESET : r;
}

static int write_out(struct conn *c, int *ret_wait)
{
    while (c->write_error == 0 &&
           (c->ssl != NULL ? conn_out_clear(c) > 0 : c->out_allowed > c->out_at)) {
        ssize_t n = c->ssl != NULL ? write_tls(c, ret_wait) : write_plain(c, ret_wait);
        if (n == -EAGAIN)
            return -EAGAIN;
        if (n < 0) {
            c->write_error = (int)n;
            break;
        }
        c->out_at += (size_t)n;
        c->bytes_out += (uint64_t)n;
    }
    if (c->write_error != 0)
        return c->write_error;
    if (c->out_at == c->out.n) {
        buf_clear(&c->out);
        c->out_at = c->out_allowed = 0;
    }
    return 0;
}

int conn_encrypt_some(struct conn *c, int *ret_wait)
{
    CHECK(c->ssl != NULL);
    return c->write_error != 0 ? c->write_error : write_out(c, ret_wait);
}

int conn_write_some(struct conn *c, bool whole, int *ret_wait)
{
    int r;

    if (c->write_error != 0)
        return c->write_error;
    if (c->ssl == NULL && conn_out_clear(c) > 0)
        c->write_error = gate_plain(c, whole);
    r = write_out(c, ret_wait);
    if (r < 0)
        return r;
    r = conn_wire_send(c);
    if (r == -EAGAIN)
        *ret_wait = WATCH_WRITE;
    else if (r < 0)
        c->write_error = conn_fail(c, -ECONNRESET, "TLS write: %s", strerror(-r));
    return r == -EAGAIN ? r : c->write_error;
}

/* Until at most `leave` bytes wait. */
static int drain(struct conn *c, size_t leave, bool whole)
{
    uint64_t deadline = 0;
    int r, wait_for;

    for (;;) {
        r = conn_write_some(c, whole, &wait_for);
        if (r == 0 || (r == -EAGAIN && conn_out_waiting(c) <= leave))
            return 0;
        if (r != -EAGAIN)
            return r;
        if (deadline == 0)
            deadline = conn_deadline(c->write_timeout_ms);
        r = conn_wait(c, wait_for, deadline);
        if (r < 0) {
            c->write_error = r;
            return conn_fail(c, r, "the peer does not read");
        }
    }
}

int conn_put(struct conn *c, struct span s)
{
    int r, wait_for;

    while (s.n > 0) {
        size_t waiting = conn_out_waiting(c), room;
        if (c->write_error != 0)
            return c->write_error;
        if (waiting >= c->out_max) {
            /* a plain line longer than the buffer is let out (or not) in pieces */
            r = drain(c, c->out_max / 2, true);
            if (r < 0)
                return r;
            continue;
        }
        room = c->out_max - waiting;
        if (room > s.n)
            room = s.n;
        if (c->out_at > 0 && c->out.n + room > c->out_max) {
            buf_consume(&c->out, c->out_at);
            c->out_allowed -= c->ssl == NULL ? c->out_at : 0;
            c->out_at = 0;
        }
        buf_put_span(&c->out, span_head(s, room));
        s = span_skip(s, room);
        if (conn_out_waiting(c) >= CONN_SEND_AT) {
            r = conn_write_some(c, false, &wait_for);
            if (r < 0 && r != -EAGAIN)
                return r;
        }
    }
    return c->write_error;
}

int conn_printf(struct conn *c, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    CHECK(n >= 0 && (size_t)n < sizeof text);
    return conn_put(c, span_of(text, (size_t)n));
}

int conn_flush(struct conn *c)
{
    if (conn_out_clear(c) == 0 && !conn_wire_urgent(c))
        return c->write_error;
    return drain(c, 0, true);
}
