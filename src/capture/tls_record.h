/*
 * tls_record.h: what of TLS can be seen from outside: records (RFC 8446 section 5, RFC 5246 section 6.2) and, before the keys are in use,
 * the handshake messages in them: SNI, version, cipher, group, alerts, and with TLS 1.2 the certificate.
 */
#ifndef CAPTURE_TLS_RECORD_H
#define CAPTURE_TLS_RECORD_H

#include "base/buf.h"

enum {
    TLS_TYPES = 5,    /* change cipher spec, alert, handshake, application data, heartbeat */
    TLS_VERSIONS = 5, /* of the record header: 3.0, 3.1, 3.2, 3.3, 3.4 */
    TLS_RECORD_MAX = 16384 + 2048,
    TLS_HANDSHAKE_MAX = 65536,
    TLS_NAME_MAX = 255,
};

struct tls_counts {
    uint64_t records[TLS_TYPES][TLS_VERSIONS];
    uint64_t bytes; /* of records, headers included */
};
const char *tls_type_name(unsigned type);       /* from 0: "change cipher spec" */
const char *tls_version_name(unsigned version); /* 0x0303: "TLS 1.2" */
/* As OpenSSL calls them; "0x1234" where we have no name. */
const char *tls_cipher_name(unsigned id, char ret[40]);
const char *tls_group_name(unsigned id, char ret[16]);

struct tls_facts { /* of one connection */
    bool client_hello, server_hello, certificate;
    char sni[TLS_NAME_MAX + 1]; /* "": none was sent; made of printable ASCII only */
    uint16_t version, cipher;   /* chosen; 0: not known */
    uint16_t group;             /* of the key exchange; 0: not known */
    char serial[64];            /* of the leaf, as the register writes it; TLS 1.2 only */
    uint8_t alert_level, alert; /* the first one in clear; 0, 0: none */
};

enum tls_fault {
    TLS_FINE,
    TLS_NO_RECORD,   /* not the beginning of a record: what follows is not looked at */
    TLS_EARLY_DATA,  /* application data before keys are in use */
    TLS_OLD_VERSION, /* the server chooses less than TLS 1.2 */
    TLS_WEAK_CIPHER, /* the server chooses a cipher without encryption, authentication or strength */
    TLS_BROKEN_HELLO, /* a handshake message that breaks its format */
};

struct tls_side { /* one direction */
    bool from_server;
    bool lost;      /* after TLS_NO_RECORD */
    bool encrypted; /* keys are in use: only headers can be read */
    unsigned char header[5];
    unsigned header_n;
    uint32_t left; /* of the record's body */
    unsigned char alert[2];
    unsigned alert_n;
    struct buf handshake; /* bytes of a message that is not whole yet */
    bool skip_handshake;  /* it was too long or broken */
};

void tls_side_init(struct tls_side *s, bool from_server);
void tls_side_done(struct tls_side *s);
/* Looks at bytes up to the end or the next fault; returns how many. `other` is the opposite direction: a hello may change both. */
size_t tls_feed(struct tls_side *s, struct tls_side *other, struct tls_facts *f,
                struct tls_counts *counts, struct span bytes, enum tls_fault *ret);
/* Could a record begin here? At least one byte; as many of its five as there are. */
bool tls_looks_like_record(struct span bytes);

#endif
