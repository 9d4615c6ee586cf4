/*
 * certificate.h: an X.509 certificate, parsed once into facts. Certificates come from strangers:
 * everything here is bounded, texts are UTF-8 without control bytes, names that could not be a name
 * are left out and counted.
 */
#ifndef PKI_CERTIFICATE_H
#define PKI_CERTIFICATE_H

#include "pki/names.h"
#include <openssl/x509.h>

enum {
    CERTIFICATE_DER_MAX = 16 * 1024,     /* one certificate */
    CERTIFICATE_CHAIN_MAX = 8,           /* certificates in a chain */
    CERTIFICATE_CHAIN_BYTES = 60 * 1024, /* a chain as bytes, as it travels between processes */
    CERTIFICATE_TEXT_MAX = 256 * 1024,   /* a file with certificates */
    CERTIFICATE_SERIAL_MAX = 2 * 20 + 1,
    CERTIFICATE_FIELD_MAX = 200,
};

/* A bit beside OpenSSL's XKU_, which has none for id-kp-documentSigning (RFC 9336). */
#define CERTIFICATE_XKU_DOCUMENT 0x10000u
#define CERTIFICATE_OID_DOCUMENT "1.3.6.1.5.5.7.3.36"

struct certificate {
    X509 *x509;
    unsigned char *der;
    size_t der_bytes;
    char subject[600], issuer[600]; /* RFC 4514 as one line; cut */
    char common_name[CERTIFICATE_FIELD_MAX];
    char serial[CERTIFICATE_SERIAL_MAX]; /* hex, lower case */
    struct cert_names names;             /* of the subject alternative names */
    unsigned names_ignored;              /* that were of another kind or no names at all */
    int64_t not_before, not_after;       /* seconds since 1970 */
    char key_type[16];                   /* as in key_info; "rsa1024", "p521", … and "unknown" */
    unsigned key_security;               /* bits of security of the key (NIST SP 800-57) */
    unsigned signature_security;         /* of the signature on it; 0: unknown algorithm */
    char signature[40];                  /* its algorithm */
    bool is_ca, self_issued;
    int path_len;       /* -1: no bound, or not a CA */
    unsigned key_usage; /* KU_ bits of openssl/x509v3.h; UINT32_MAX: no extension */
    unsigned ext_usage; /* XKU_ bits, and the one below; UINT32_MAX: no extension */
    bool has_permitted; /* name constraints */
    struct permitted permitted;
    char spki_sha256[65], sha256[65]; /* hex */
};

/* One DER certificate, nothing behind it. -EMSGSIZE, -EBADMSG with the reason. */
int certificate_parse(struct span der, struct certificate **ret, struct err *e);
void certificate_free(struct certificate *c); /* NULL is fine */
static inline struct span certificate_der(const struct certificate *c)
{
    return span_of(c->der, c->der_bytes);
}
/* As in subject and issuer. */
void certificate_name_line(const X509_NAME *name, char *dst, size_t size);
/* The fields of its subject, the first of each kind; what is longer than X.520 allows is left out. */
void certificate_fields(const struct certificate *c, struct cert_fields *ret);
/* SubjectPublicKeyInfo, appended. */
bool certificate_spki(const struct certificate *c, struct buf *out);
/* XKU_ bits and CERTIFICATE_XKU_DOCUMENT; UINT32_MAX: no extension. *ret_count, where it is not NULL: how many purposes there are,
 * known or not. */
unsigned certificate_ext_usage(X509 *x, unsigned *ret_count);
bool certificate_has_spki(const struct certificate *c, struct span spki);
bool certificate_name_matches(const struct certificate *c,
                              const struct cert_name *n); /* RFC 9525; never by the common name */

/* A few certificates in their order. */
struct chain {
    struct certificate *v[CERTIFICATE_CHAIN_MAX];
    size_t n;
};
#define CHAIN_NONE ((struct chain){{NULL}, 0})

void chain_done(struct chain *c);
/* Text with one or several PEM blocks (what stands between them is skipped, private keys are
 * refused), or one DER certificate. */
int chain_parse_file(struct span text, struct chain *ret, struct err *e);
/* As it travels: DER certificates, each as wr_span. */
int chain_parse(struct span bytes, struct chain *ret, struct err *e);
bool chain_write(const struct chain *c, struct buf *out);
bool chain_write_pem(const struct chain *c, struct buf *out);

/* For people: lines "Label   value". `now` tells the days left. */
void certificate_print(const struct certificate *c, int64_t now, struct buf *out);
/* The same facts as a JSON object. */
void certificate_json(const struct certificate *c, struct buf *out);
/* One PEM block (RFC 7468), "-----BEGIN label-----" first. */
bool pem_write(const char *label, struct span der, struct buf *out);
/* The next PEM block with that label, decoded; false when there is none (any more) or it is damaged
 * (*ret_damaged). Moves text. */
bool pem_next(struct span *text, const char *label, struct buf *out, bool *ret_damaged);

/* "p256" … of a public key; its security bits. false: no key that OpenSSL understands ("unknown").
 */
bool key_type_of(EVP_PKEY *key, char ret[16], unsigned *ret_security);
/* The digest that keys of this type sign with; NULL for those that bring their own (Ed25519). */
const EVP_MD *key_digest(const char *key_type);
/* The last OpenSSL error in words, and an empty queue. */
const char *openssl_error(char ret[200]);

#endif
