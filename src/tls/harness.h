/*
 * harness.h: for tests only: a throw-away key of this process, a certificate that it signed itself,
 * and contexts made of them. The certificate is for localhost, 127.0.0.1, ::1 and the virtual
 * server's names; each key type has one key and each call one new certificate.
 *
 *     struct conf_vserver v = {.name = "imap4-test"};
 *     struct tls_context *server = tls_harness_context(&v, "p256", NULL);
 *     struct tls_client_context *client = tls_harness_client();   // trusts all made so far
 */
#ifndef TLS_HARNESS_H
#define TLS_HARNESS_H

#include "tls/context.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/* A key of that type ("p256", "p384", "ed25519", "rsa2048", …); the same one each time; borrowed.
 */
EVP_PKEY *tls_harness_key(const char *type);
/* Valid for a day; the caller's. Self-signed; or of any public key, signed by a CA that
 * tls_harness_client trusts. */
X509 *tls_harness_certificate(EVP_PKEY *key, const struct conf_vserver *v);
X509 *tls_harness_issued(EVP_PKEY *subject, const struct conf_vserver *v);
struct tls_context *tls_harness_context(const struct conf_vserver *v, const char *key_type,
                                        const char *const *alpn);
struct tls_client_context *tls_harness_client(void);
/* Adds to what tls_harness_client trusts from now on. */
void tls_harness_trust(const X509 *x);
/* What tls_harness_client trusts, PEM. */
struct span tls_harness_trust_pem(void);
/* Ticket keys, as if keyd had sent them. */
void tls_harness_tickets(void);

#endif
