/*
 * client.h: the sending side of SMTP: one connection to one host, one message, an outcome for every
 * recipient. Used by relayd.
 */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "store/store.h"
#include "tls/conn.h"

struct smtp_recipient_result {
    enum queue_outcome outcome;
    bool dsn;       /* the next server takes the request for reports (RFC 3461) on itself */
    bool replied;   /* text is what the server said */
    char text[400]; /* the reply, "250 2.1.5 Ok", or what went wrong in words */
};

struct smtp_outgoing_recipient {
    struct span address, orcpt;
    uint8_t notify;
};
struct smtp_outgoing {
    struct span sender, envid;
    bool ret_headers, ret_full, smtputf8;
    const struct smtp_outgoing_recipient *recipients;
    size_t count;
    int body_fd; /* prefix + body, whole lines; read with pread. Made 7-bit where the server wants it */
    uint64_t size;
};

struct smtp_host {
    struct loop *loop;
    struct sockaddr_storage address; /* with port */
    const char *name;                /* for messages, SNI and the certificate */
    const char *ehlo;
    struct tls_client_context *tls;
    bool tls_required;           /* no TLS, no mail */
    const char *tls_verify_name; /* the certificate must have this name and a trusted chain; NULL:
                                    any will do */
    const char *user, *password; /* AUTH, only under TLS; NULL: none */
    uint64_t patience_ms;        /* no reply is waited for longer; 0: as RFC 5321 says */
};

/* What the whole attempt came to; the recipients' results are always filled. */
enum smtp_attempt {
    SMTP_ANSWERED,    /* the host decided about every recipient */
    SMTP_UNREACHABLE, /* no connection, or it broke before the message was taken: another host may
                         be tried */
};
/* What the connection was like, for the log and for what may follow. */
struct smtp_facts {
    bool connected;
    bool tls, verified; /* verified: against h->tls_verify_name */
    bool tls_failed; /* the handshake was what failed (without tls_required a try in clear, h->tls
                        NULL, may follow) */
    bool body_sent;  /* to the final dot, and no reply came: the server may have it or not. It must
                        be sent again, but not at once to another one */
    const char *version; /* of TLS */
    const char *cipher;
};
/* suspends */
enum smtp_attempt smtp_send(const struct smtp_host *h, const struct smtp_outgoing *m,
                            struct smtp_recipient_result *results, struct smtp_facts *ret_facts);

#endif
