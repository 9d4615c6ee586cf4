/*
 * wire.c: what lies between OpenSSL and the socket. OpenSSL writes a record at a time and would
 * give each a packet of its own; here they come together (a ticket and the greeting, the last answer
 * and close_notify) until somebody waits for the peer.
 */
#include "base/check.h"
#include "tls/conn_internal.h"

#include <errno.h>
#include <openssl/bio.h>
#include <sys/socket.h>

enum {
    WIRE_MAX = 64 * 1024,     /* most bytes that wait */
    WIRE_SEND_AT = 16 * 1024, /* so many are sent without waiting for more */
    WIRE_DIRECT = 8 * 1024,   /* so many at once are not copied first */
};

/* Bytes the kernel took, or a negative errno. */
static ssize_t send_bytes(struct conn *c, const char *p, size_t n, int flags)
{
    ssize_t r;

    do
        r = send(c->fd, p, n, flags | MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    if (r >= 0) {
        conn_tap(c, true, p, r);
        return r;
    }
    return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static int wire_out(struct conn *c, int flags)
{
    while (conn_wire_waiting(c) > 0) {
        ssize_t n = c->wire_error != 0
                        ? c->wire_error
                        : send_bytes(c, c->wire.p + c->wire_at, conn_wire_waiting(c), flags);
        if (n < 0) {
            if (n != -EAGAIN)
                c->wire_error = (int)n;
            return (int)n;
        }
        c->wire_held = 0;
        c->wire_at += (size_t)n;
    }
    buf_clear(&c->wire);
    c->wire_at = c->wire_held = 0;
    return 0;
}

int conn_wire_send(struct conn *c)
{
    return wire_out(c, 0);
}

int conn_wire_send_last(struct conn *c)
{
    return wire_out(c, MSG_MORE); /* the FIN travels with it */
}

/* ---- as OpenSSL sees it ----------------------------------------------------------------- */

static int refuse(BIO *b, int error)
{
    errno = error;
    return -1;
}

static int bio_write(BIO *b, const char *p, int n)
{
    struct conn *c = BIO_get_data(b);
    size_t bytes = n > 0 ? (size_t)n : 0;
    ssize_t sent;

    BIO_clear_retry_flags(b);
    if (conn_wire_waiting(c) + bytes > WIRE_SEND_AT || bytes >= WIRE_DIRECT) {
        int r = wire_out(c, 0);
        if (r < 0 && r != -EAGAIN)
            return refuse(b, -r);
        if (r == 0 && bytes >= WIRE_DIRECT) {
            sent = send_bytes(c, p, bytes, 0);
            if (sent >= 0)
                return (int)sent;
            if (sent != -EAGAIN)
                return refuse(b, (int)-sent);
        }
        if (conn_wire_waiting(c) + bytes > WIRE_MAX || bytes >= WIRE_DIRECT) {
            BIO_set_retry_write(b);
            return refuse(b, EAGAIN);
        }
    }
    if (c->wire_at > 0) {
        buf_consume(&c->wire, c->wire_at);
        c->wire_at = 0;
    }
    CHECK(buf_put(&c->wire, p, bytes));
    return n;
}

static int bio_read(BIO *b, char *p, int n)
{
    struct conn *c = BIO_get_data(b);
    ssize_t got;

    BIO_clear_retry_flags(b);
    if (n <= 0)
        return 0;
    if (c->wire_dry) { /* the last look found less than there was room for; since then no event */
        BIO_set_retry_read(b);
        return refuse(b, EAGAIN);
    }
    do
        got = recv(c->fd, p, (size_t)n, 0);
    while (got < 0 && errno == EINTR);
    conn_tap(c, false, p, got);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        c->wire_dry = true;
        BIO_set_retry_read(b);
    } else if (got == 0) {
        c->wire_end = true;
    } else if (got > 0 && got < n) {
        c->wire_dry = true;
    }
    return (int)got;
}

static long bio_ctrl(BIO *b, int command, long number, void *pointer)
{
    const struct conn *c = BIO_get_data(b);

    switch (command) {
    case BIO_CTRL_FLUSH: /* who waits for the peer sends */
        return 1;
    case BIO_CTRL_EOF:
        return c->wire_end;
    case BIO_CTRL_WPENDING:
        return (long)conn_wire_waiting(c);
    default:
        return 0;
    }
}

static int bio_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

void conn_wire_attach(struct conn *c, SSL *ssl)
{
    static BIO_METHOD *volatile method; /* for the life of the process */
    BIO *b;

    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
        CHECK(method != NULL && BIO_meth_set_write(method, bio_write) == 1 &&
              BIO_meth_set_read(method, bio_read) == 1 &&
              BIO_meth_set_ctrl(method, bio_ctrl) == 1 &&
              BIO_meth_set_create(method, bio_create) == 1);
    }
    buf_init(&c->wire, WIRE_MAX);
    b = BIO_new(method);
    CHECK(b != NULL);
    BIO_set_data(b, c);
    SSL_set_bio(ssl, b, b); /* one reference serves both */
}
