/* context_internal.h: what tls/ keeps to itself about contexts. */
#ifndef TLS_CONTEXT_INTERNAL_H
#define TLS_CONTEXT_INTERNAL_H

#include "tls/context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* A new server connection with the identity of that slot; NULL: the slot is empty. */
SSL *tls_context_ssl(struct tls_context *c, enum tls_slot slot);
/* As tls_context_identity, with a key of this process (tests). */
int tls_context_identity_pkey(struct tls_context *c, enum tls_slot slot, STACK_OF(X509) * chain,
                              EVP_PKEY *key, struct err *e);
SSL *tls_client_context_ssl(struct tls_client_context *c);

/* Client connections: the verify callback and the session callback look here. */
struct tls_client_state {
    bool named;           /* a name was checked too */
    bool verify;          /* a bad chain or name ends the handshake */
    SSL_SESSION *session; /* the newest */
};
/* On an SSL of a client context; NULL before tls_client_state_set. */
struct tls_client_state *tls_client_state(const SSL *ssl);
void tls_client_state_set(SSL *ssl, struct tls_client_state *s);

/* An error in the queue would be taken for that of the next call. Emptying an empty queue is not
 * free. */
static inline void tls_errors_forget(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* "in words": the oldest error of OpenSSL's queue, or `other`. Empties the queue. */
const char *tls_error_text(const char *other);
/* Chain of wr_spans, leaf first; NULL with e set. */
STACK_OF(X509) * tls_chain_parse(struct span chain, struct err *e);
void tls_hex(const unsigned char *p, size_t n, char *dst); /* 2 n + 1 characters */
void tls_serial_hex(const X509 *x, char ret[68]);
/* Rules that both sides share: versions, ciphers, groups, modes. */
SSL_CTX *tls_ctx_new(const SSL_METHOD *method, int min_version);
/* Trusts the certificates of a PEM text and nothing else, and knows its CRLs. NULL with e set. */
X509_STORE *tls_store_of_pem(struct span pem, STACK_OF(X509_NAME) * names, struct err *e);

/* challenge.c: looks at a client's first message */
int tls_challenge_hello(SSL *ssl, int *alert, void *arg);

/* ticket.c */
int tls_ticket_callback(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                        EVP_MAC_CTX *mac, int enc);
bool tls_ticket_have_keys(void);

#endif
