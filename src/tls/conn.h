/*
 * conn.h: one connection, from accept (or connect) to close: bytes in, bytes out, TLS now or later or never as its endpoint's policy
 * says. Used by fibers; a connection that waits for its next command needs none (conn_idle).
 *
 * Everything written outside TLS goes through one function that asks the protocol's plain grammar; what the grammar does not allow is
 * counted (plaintext_bytes_total of the virtual server), not sent, and the connection is closed.
 */
#ifndef TLS_CONN_H
#define TLS_CONN_H

#include "base/buf.h"
#include "conf/conf.h"
#include "loop/fiber.h"
#include "pki/client.h"
#include "tls/context.h"

struct conn;

struct conn_params {
    struct loop *loop;
    const struct conf_vserver *vserver;   /* NULL for outgoing connections */
    const struct conf_endpoint *endpoint; /* NULL for outgoing connections */
    struct tls_context *tls;              /* the virtual server's; referenced */
    enum tls_slot slot; /* which of its identities is shown; probes ask for the next one */
    /* May this line (with its line end) be written before TLS? NULL: every line may. */
    bool (*plain_allowed)(struct span line);
    size_t in_max;  /* most bytes waiting unread; default 64 KiB */
    size_t out_max; /* most bytes waiting to be sent: then conn_put suspends; default 64 KiB */
    uint64_t write_timeout_ms;
    bool accepted; /* non-blocking already, and TCP_NODELAY came with its listening socket */
    struct sockaddr_storage peer;
};

/* Takes fd (non-blocking, TCP_NODELAY is set here). No TLS yet. */
struct conn *conn_new(int take_fd, const struct conn_params *p);
void conn_free(struct conn *c); /* closes at once; NULL is fine; not while a fiber is inside it */
/* Makes every call on it fail with -ECONNABORTED and wakes a fiber that waits in one; the owner then frees it. */
void conn_abort(struct conn *c);

/* --- input. Unread bytes stay until consumed. */
struct span conn_peek(struct conn *c);
void conn_consume(struct conn *c, size_t n);
/* Waits for more input. suspends. >0: that many new bytes; 0: the peer closed (cleanly: close_notify or FIN before TLS); -ETIMEDOUT; -ENOBUFS: in_max
 * unread bytes; -ECONNRESET (also TLS cut off without close_notify); -EPROTO (TLS error). Flushes pending output first. */
int conn_fill(struct conn *c, uint64_t timeout_ms);
/* Waits without a fiber: fn runs on the loop when there is input or an end (events > 0) or the time is over (events 0). Once. Not while input is
 * unread. conn_idle(c, 0, NULL, NULL) takes it back. Memory of the buffers is given back meanwhile. */
typedef void (*conn_idle_fn)(void *arg, int events);
void conn_idle(struct conn *c, uint64_t timeout_ms, conn_idle_fn fn, void *arg);

/* --- output. Collected; sent by conn_flush, by conn_fill, or when 16 KiB have come together. */
int conn_put(
    struct conn *c,
    struct span s); /* suspends when the peer is slow; 0 or the error that ended the connection */
int conn_printf(struct conn *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3))); /* at most 4 KiB */
int conn_flush(struct conn *c); /* suspends until the kernel has it all, at most write_timeout */
uint64_t conn_bytes_in(const struct conn *c);
uint64_t conn_bytes_out(const struct conn *c);
uint64_t conn_plaintext_bytes(
    const struct conn
        *c); /* refused by the plain grammar; outgoing connections have no other counter */

/* --- TLS */
/* Server handshake. suspends. 0; -EPROTO (conn_error says what in words); -ETIMEDOUT. Unread clear input (a command after STARTTLS in the same packet) is
 * -EBADMSG and ends the connection: nothing crosses from clear to TLS. */
int conn_accept_tls(struct conn *c, uint64_t timeout_ms);
/*
 * The same for a protocol in which the server speaks first: in TLS 1.3 `greet` is called when our part of the handshake is written, and what it
 * puts travels with that, before the client has said its last word (RFC 8446 section 4.4.4): it must be what anybody may read. It may suspend
 * and flush, not read. Not called with TLS 1.2, nor when a certificate is asked of the client, nor for the challenge of a CA: then the caller
 * greets afterwards. conn_tls_info holds in it.
 */
int conn_accept_tls_greeting(struct conn *c, uint64_t timeout_ms, void (*greet)(void *arg),
                             void *arg);
struct conn_client_tls {
    struct tls_client_context *context;
    const char *name;               /* SNI and the name to check; NULL: no SNI */
    bool verify;                    /* chain and name must hold, else the handshake fails */
    struct ssl_session_st *session; /* offered for resumption; borrowed; NULL: none */
    const char *const *alpn;        /* offered protocol names, NULL ends; NULL: none */
};
int conn_connect_tls(struct conn *c, const struct conn_client_tls *t,
                     uint64_t timeout_ms); /* suspends */
/* close_notify and FIN after flushing. suspends shortly. Then conn_free, which leaves the descriptor open until the peer has closed too, at
 * most half a second: our last answer must not be overtaken by a reset. */
void conn_shutdown(struct conn *c);
/* Between conn_shutdown and conn_free, where the peer is to be held up too. suspends: until it has closed, at most half a second. */
void conn_wait_end(struct conn *c);

/* Client side: the newest session that the server gave (TLS 1.3: it comes with the first input). The caller's: SSL_SESSION_free. NULL: none. */
struct ssl_session_st *conn_client_session(struct conn *c);

struct conn_tls_info {
    bool on, resumed,
        verified; /* verified: client side, chain and name held; server side, the client's certificate chains to the trust list */
    const char *version; /* "TLSv1.3" */
    const char *cipher;
    int cipher_bits;
    const char *group;
    char sni[256];      /* what the client asked for; empty: none */
    char alpn[32];      /* agreed protocol; empty: none */
    char serial[68];    /* hex, of the certificate that was served (or seen, client side) */
    char peer_spki[65]; /* hex SHA-256 of the client certificate's key; empty: none */
};
void conn_tls_info(struct conn *c, struct conn_tls_info *ret);
/* Of the cipher in use; 0 before TLS. */
int conn_cipher_bits(const struct conn *c);
/* RFC 9266 "tls-exporter" (1.3 and 1.2 with EMS) or RFC 5929 "tls-server-end-point". False if there is none. */
bool conn_channel_binding(struct conn *c, const char *type, struct buf *out);
const char *conn_error(const struct conn *c); /* last failure in words */
const struct sockaddr_storage *conn_peer(const struct conn *c);
const char *conn_peer_text(const struct conn *c); /* "192.0.2.1" */
struct x509_st;
struct x509_st *conn_peer_certificate(struct conn *c); /* borrowed; NULL: none */
/* Server side: what the client's certificate says; false: it showed none (or one without serial number, dates or key). *ret_problem: why it
 * does not hold, NULL if it does: then only dates and revocation since the handshake that a resumed session goes back to are open. */
bool conn_client_certificate(struct conn *c, struct client_certificate *ret,
                             const char **ret_problem);
struct stack_st_X509;
struct stack_st_X509 *
conn_peer_chain(struct conn *c); /* borrowed, client side: as the server sent it */

/* Outgoing TCP. suspends. address may be IPv4 or IPv6, numeric. 0 and a connected descriptor, or negative errno. */
int conn_dial(struct loop *l, const struct sockaddr_storage *address, uint64_t timeout_ms,
              int *ret_fd);

#endif
