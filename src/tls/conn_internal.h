/* conn_internal.h: a connection as the files of tls/ see it. */
#ifndef TLS_CONN_INTERNAL_H
#define TLS_CONN_INTERNAL_H

#include "tls/conn.h"
#include "tls/context_internal.h"

enum {
    CONN_SEND_AT = 16 * 1024, /* so much output is sent without waiting for a flush */
    CONN_READ_BYTES = 16 * 1024,
    CONN_BUFFER_DEFAULT = 64 * 1024,
    CONN_HOLD_MS =
        1, /* so long a ticket waits for something to travel with: it carries the ACK that a client's Nagle waits for */
};

struct conn {
    int fd;
    struct loop *loop;
    struct tls_context *tls;
    enum tls_slot slot;
    enum conf_policy policy;
    bool outgoing;
    bool (*plain_allowed)(struct span line);
    uint64_t write_timeout_ms;
    SSL *ssl;
    struct tls_client_state client;

    struct buf in, out;
    size_t in_at, out_at; /* already consumed, already sent */
    size_t out_max;       /* most bytes waiting to be sent */
    struct buf wire;      /* records that go out with the next ones */
    size_t wire_at;       /* already sent */
    size_t wire_held;     /* of them, at the front: need not be sent by themselves (tickets) */
    int wire_error;       /* stays */
    bool wire_dry;        /* nothing more to read until the next event */
    bool wire_end;        /* the peer's FIN was read */
    size_t out_allowed;   /* before TLS: up to here the grammar has said yes; >= out_at */
    uint64_t bytes_in, bytes_out, plaintext_bytes;

    bool greeting; /* our part of the handshake is written, the client's is not read */
    bool aborted;
    bool write_ended;            /* FIN or close_notify sent */
    bool linger;                 /* conn_free leaves the descriptor open for a moment */
    int read_error, write_error; /* stay */
    char error[160];

    struct watch *watch;
    struct timer *timer;
    struct fiber *waiter;
    int got; /* events that woke the waiter; 0: the time was over */
    conn_idle_fn idle_fn;
    void *idle_arg;
    int idle_now;        /* events that need not be waited for */
    uint64_t idle_until; /* UINT64_MAX: for ever */

    struct sockaddr_storage peer;
    char peer_text[48];
    const struct conf_vserver *vserver; /* NULL: outgoing */
    struct conn_tapped *tapped;         /* tap.c; NULL: no tap was open while it lived */
};

/* tap.c: each byte that goes to or comes from the socket passes here. */
extern unsigned conn_taps_open;
void conn_tap_begin(struct conn *c);
void conn_tap_bytes(struct conn *c, bool from_server, const char *p, size_t n);
void conn_tap_end(struct conn *c, bool from_server);
static inline void conn_tap(struct conn *c, bool from_server, const char *p, ssize_t n)
{
    if (conn_taps_open != 0 && n > 0)
        conn_tap_bytes(c, from_server, p, (size_t)n);
    else if (conn_taps_open != 0 && n == 0 && !from_server)
        conn_tap_end(c, false);
}

/* Waits for the descriptor. suspends. 0, -ETIMEDOUT, -ECONNABORTED */
int conn_wait(struct conn *c, int events, uint64_t deadline);
uint64_t conn_deadline(uint64_t timeout_ms);
/* Keeps the words of the first failure; returns `code`. */
int conn_fail(struct conn *c, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What an SSL call that returned r means: 0 with *ret_wait set to the events to wait for, 1 for a
 * clean end, or an error. */
int conn_ssl_result(struct conn *c, int r, const char *doing, int *ret_wait);
/* One attempt to read: > 0 bytes, 0 the end, -EAGAIN with *ret_wait set, or an error. */
int conn_read_some(struct conn *c, int *ret_wait);
/* Encrypts all output without sending more than has to make room: as conn_write_some. */
int conn_encrypt_some(struct conn *c, int *ret_wait);
/* Sends what the kernel takes: 0 all gone, -EAGAIN with *ret_wait set, or an error. `whole`: a last
 * line without its end goes too. */
int conn_write_some(struct conn *c, bool whole, int *ret_wait);

/* wire.c. Sends what the kernel takes of the collected records: 0 all gone, -EAGAIN, or an error.
 */
int conn_wire_send(struct conn *c);
int conn_wire_send_last(struct conn *c); /* shutdown(SHUT_WR) follows at once */
/* linger.c: closes it when the peer has closed, or soon. */
void conn_linger(struct loop *l, int take_fd);
void conn_wire_attach(struct conn *c, SSL *ssl);

static inline size_t conn_wire_waiting(const struct conn *c)
{
    return c->wire.n - c->wire_at;
}

static inline size_t conn_in_waiting(const struct conn *c)
{
    return c->in.n - c->in_at;
}

/* Is there a reason to send what was collected, other than tickets? */
static inline bool conn_wire_urgent(const struct conn *c)
{
    return conn_wire_waiting(c) > c->wire_held;
}

/* Not yet encrypted. */
static inline size_t conn_out_clear(const struct conn *c)
{
    return c->out.n - c->out_at;
}

static inline size_t conn_out_waiting(const struct conn *c)
{
    return conn_out_clear(c) + conn_wire_waiting(c);
}

#endif
