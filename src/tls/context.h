/*
 * context.h: what a virtual server shows in its handshakes: the identities (chain + key handle) of its current slot, rules for versions and
 * ciphers, session tickets. Handshakes that have begun keep the identity they began with; new ones get the new one.
 */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include "base/err.h"
#include "conf/conf.h"
#include "ipc/link.h"

struct tls_context; /* of one virtual server; counted references */

/* Rules from the virtual server: tls_min, require_128bit (AES-128 or stronger is always so; the option also refuses to start the session
 * below), ALPN protocol names (RFC 7301: "pop3", "imap", "http/1.1", "nntp"…; NULL ends; unknown ALPN of a client is a failed handshake only
 * if `alpn_strict`). */
struct tls_context *tls_context_new(const struct conf_vserver *v, const char *const *alpn,
                                    bool alpn_strict);
struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c);

enum tls_slot { TLS_SLOT_CURRENT, TLS_SLOT_NEXT };
/* chain: DER certificates, leaf first, each as wr_span, one after the other. key id and type as keyd knows them. Replaces that slot at once for new
 * handshakes. The empty chain empties the slot. */
int tls_context_identity(struct tls_context *c, enum tls_slot slot, struct span chain,
                         const char *key_id, struct err *e);
/* The OCSP answer for the certificate with that SHA-256 (hex), shown to clients that ask (RFC 6066 section 8) as long as it holds: never after
 * `until` (seconds). It may come before its certificate. Empty: none any more. The rest of a handshake is not touched by it. */
void tls_context_staple(struct tls_context *c, const char *sha256, struct span answer,
                        int64_t until);
/* What `from` shows, for a context with other rules that takes its place. */
void tls_context_take_identities(struct tls_context *c, const struct tls_context *from);
bool tls_context_has_identity(const struct tls_context *c);
void tls_context_serial(const struct tls_context *c, char ret[68]);

/* Ticket keys shared by all workers, newest first (the first encrypts); from keyd. Wiped after use. */
enum { TLS_TICKET_KEY_BYTES = 80, TLS_TICKET_KEYS_MAX = 3 };
void tls_ticket_keys(const unsigned char (*keys)[TLS_TICKET_KEY_BYTES], unsigned count);

/* Names that clients asked for by SNI, with counts: for the SNI observatory. */
void tls_context_sni_each(const struct tls_context *c,
                          void (*fn)(const char *name, uint64_t count, bool covered, void *arg),
                          void *arg);

struct tls_counters {
    uint64_t handshakes, resumed, failed, tickets_issued, plaintext_bytes, plaintext_credentials;
};
struct tls_counters *tls_context_counters(struct tls_context *c);

/* Certificates of clients (EXTERNAL): the virtual server's own trust list (PEM: CA certificates and CRLs) replaces any other. While it is set,
 * clients are asked for a certificate; an unknown one never breaks a handshake, it is only not verified, unless the virtual server requires one
 * (client_certificates): then there is no handshake without one that holds, and none at all before the list is known. `epoch` changes whenever
 * the list does: tickets of another epoch are not resumed. Empty ca_pem: clients are not asked. Takes effect with new handshakes. */
int tls_context_trust(struct tls_context *c, struct span ca_pem, uint64_t epoch, struct err *e);
bool tls_context_waits_for_trust(const struct tls_context *c); /* required, and no list yet */
bool tls_context_asks_clients(const struct tls_context *c);

/* Outgoing: trust (PEM file contents; empty: nothing is trusted), optional client identity. */
struct tls_client_context;
struct tls_client_context *tls_client_context_new(struct span ca_pem, struct err *e);
void tls_client_context_free(struct tls_client_context *c);
/* Trusts these too, from the next handshake on; those that it knows already are no error. */
int tls_client_context_trust_more(struct tls_client_context *c, struct span ca_pem, struct err *e);
/* What it shows when a server asks: chain as above, a key made for KEY_TLS_CLIENT. */
int tls_client_context_identity(struct tls_client_context *c, struct span chain, const char *key_id,
                                struct err *e);

#endif
