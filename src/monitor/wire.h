/*
 * wire.h: one connection of the probe client: TCP, TLS at once or later, lines in, bytes out. It
 * stands on OpenSSL alone and shares no code with the listeners that it judges. All calls suspend
 * (they run in fibers) and end by the deadline of the connection; what a peer sends is bounded.
 *
 * Errors: -ETIMEDOUT, -EPIPE (the peer has closed), -ECONNRESET, -EPROTO (TLS), -EMSGSIZE (more
 * than is taken), others of connect(); the reason in words is in `e`.
 */
#ifndef MONITOR_WIRE_H
#define MONITOR_WIRE_H

#include "base/buf.h"
#include "base/err.h"
#include "loop/fiber.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

enum { WIRE_LINE_MAX = 16384, WIRE_DEADLINE_MS = 10000 };

struct wire;

struct wire_tls {
    X509_STORE *roots;       /* borrowed; NULL: the chain is not looked at */
    const char *name;        /* SNI; NULL: none */
    int min, max;            /* TLS1_2_VERSION …; 0: any that this library speaks */
    const char *const *alpn; /* NULL: none */
    bool staple;             /* ask for the OCSP answer */
    const char *ciphers;     /* up to TLS 1.2, as OpenSSL writes lists; NULL: its default */
    EVP_PKEY *key;           /* to log in with; NULL: none */
    X509 *const *chain;      /* of that key, leaf first */
    size_t chain_length;
};

/* How a handshake that failed has ended. */
enum wire_tls_end {
    WIRE_TLS_FINE,
    WIRE_TLS_REFUSED, /* the peer sent an alert, or closed after our first message */
    WIRE_TLS_LOCAL,   /* this side could not even begin, or did not like what came */
    WIRE_TLS_SILENT,  /* nothing came */
};

/* from: an address of this machine to come from, where the family is the same; NULL or AF_UNSPEC: any. */
int wire_dial(const struct sockaddr_storage *to, const struct sockaddr_storage *from,
              uint64_t deadline_ms, struct wire **ret, struct err *e);
void wire_free(struct wire *w); /* closes at once; NULL is fine */
int wire_start_tls(struct wire *w, const struct wire_tls *t, enum wire_tls_end *ret_end,
                   struct err *e);
/* A second handshake inside the first (TLS 1.2). FINE: the peer has gone along with it. */
int wire_renegotiate(struct wire *w, enum wire_tls_end *ret_end, struct err *e);
bool wire_has_tls(const struct wire *w);
SSL *wire_ssl(struct wire *w); /* NULL before TLS */

int wire_put(struct wire *w, struct span s,
             struct err *e); /* all of it, in as few packets as can be */
/* Without its line end; valid until the next call. */
int wire_line(struct wire *w, struct span *ret, struct err *e);
/* Appends exactly n bytes. */
int wire_bytes(struct wire *w, size_t n, struct buf *out, struct err *e);
/* What has come or comes next, at least one byte; appended. */
int wire_some(struct wire *w, struct buf *out, struct err *e);
/* Does the peer close, or send nothing, within that time? Bytes that come are appended to out (may
 * be NULL). True: it has closed. */
bool wire_closes(struct wire *w, uint64_t within_ms, struct buf *out);
size_t wire_unread(const struct wire *w);

/* Every byte that crosses the sockets of all wires, below TLS, as a capture would see it. NULL: nobody listens. */
typedef void (*wire_tap_fn)(void *arg, const struct sockaddr_storage *own,
                            const struct sockaddr_storage *peer, bool from_peer, struct span bytes);
void wire_tap(wire_tap_fn fn, void *arg);

#endif
