/* request.h: certificate requests (PKCS#10, RFC 2986): made with a key that may live in keyd, and
 * read from strangers. */
#ifndef PKI_REQUEST_H
#define PKI_REQUEST_H

#include "pki/certificate.h"

enum { REQUEST_DER_MAX = 16 * 1024 };

/* suspends with a keyd handle (purpose KEY_CSR). DER, appended. */
int request_make(EVP_PKEY *key, struct span spki, const struct cert_subject *subject,
                 const struct cert_names *names, struct buf *ret_der, struct err *e);

/* For a CA below another one: asks for basicConstraints (no CA below it), key usage and the
 * permitted names, each critical. Else as request_make. */
int request_make_ca(EVP_PKEY *key, struct span spki, const struct cert_subject *subject,
                    const struct permitted *permitted, struct buf *ret_der, struct err *e);

struct request {
    unsigned char *spki;
    size_t spki_bytes;
    char subject[600];
    char common_name[CERTIFICATE_FIELD_MAX];
    char key_type[16];
    struct cert_names names;
    unsigned names_ignored;
};

/* DER or PEM. The signature is checked: who sent it holds the key. -EMSGSIZE, -EBADMSG,
 * -EKEYREJECTED with the reason. */
int request_parse(struct span text, struct request **ret, struct err *e);
void request_free(struct request *r); /* NULL is fine */

#endif
