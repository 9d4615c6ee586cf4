/*
 * hello.h: the first message of TLS made by hand, and what a server answers to it. So a probe can
 * offer what this machine's OpenSSL no longer has: old versions, weak ciphers, compression. No more
 * is needed: a server that answers with a ServerHello takes what stands in it. The answer comes
 * from the network and is taken as it is, whole or in pieces.
 */
#ifndef MONITOR_HELLO_H
#define MONITOR_HELLO_H

#include "base/buf.h"

enum { HELLO_SSL_2 = 0x0002, HELLO_SSL_3 = 0x0300, HELLO_TLS_1_0, HELLO_TLS_1_1, HELLO_TLS_1_2 };
enum { HELLO_BYTES_MAX = 4096, HELLO_SUITES_MAX = 240 };

enum hello_group {
    HELLO_ANONYMOUS,
    HELLO_PLAIN,
    HELLO_SHORT,
    HELLO_OLD,
    HELLO_RSA_KEY,
    HELLO_FIXED_KEY,
    HELLO_FINITE,
    HELLO_CBC,
    HELLO_GOOD,
    HELLO_GROUP_COUNT
};

struct hello_offer {
    unsigned version; /* the highest that is offered */
    unsigned groups;  /* bits of enum hello_group: the suites that are offered */
    const char *name; /* SNI; NULL: none */
    const char *alpn; /* NULL: none */
    bool compression; /* DEFLATE, before none */
};
/* The record, or the message of SSL 2.0. */
void hello_put(const struct hello_offer *o, struct buf *out);

enum hello_kind {
    HELLO_MORE,     /* not yet a whole answer */
    HELLO_TAKEN,    /* a ServerHello */
    HELLO_REFUSED,  /* an alert that ends it */
    HELLO_NONSENSE, /* no TLS */
};

struct hello_answer {
    unsigned version, suite, alert;
    bool compressed;
    bool secure_renegotiation; /* RFC 5746 */
};
/* `bytes` is all that has come so far. */
enum hello_kind hello_parse(struct span bytes, struct hello_answer *ret);

const char *hello_version_name(unsigned version); /* "TLS 1.0" */
/* "TLS_RSA_WITH_AES_128_CBC_SHA"; NULL: not one of suites.def. */
const char *hello_suite_name(unsigned suite);
const char *hello_alert_name(unsigned alert); /* "handshake failure" */

#endif
