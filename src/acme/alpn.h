/* alpn.h: the certificate that proves a name by tls-alpn-01 (RFC 8737), and what a TXT record says for dns-01. */
#ifndef ACME_ALPN_H
#define ACME_ALPN_H

#include "base/buf.h"
#include "base/err.h"

#include <openssl/evp.h>

/* signer: a key of keyd's for KEY_CHALLENGE, or one of this process (tests). suspends */
int acme_alpn_certificate(EVP_PKEY *signer, struct span spki, const char *name, bool is_address,
                          const char *authorization, struct buf *ret_der, struct err *e);
/* What the CA writes into SNI for that name: the name, or for an address the name of its reverse (RFC 8738 section 6). */
bool acme_alpn_sni(const char *name, bool is_address, char *ret, size_t size);
/* The text of the TXT record (RFC 8555 section 8.4). */
bool acme_dns_text(const char *authorization, struct buf *out);

#endif
