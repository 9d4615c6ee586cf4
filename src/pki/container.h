/*
 * container.h: the files that CAs and other programs keep certificates and keys in: PEM, DER
 * (.cer), PKCS#7 (.p7b), PKCS#12 (.p12, .pfx). They come from strangers: sizes, depths and counts
 * are bounded, and so is the work that deriving a key from a passphrase may cost.
 *
 * Certificates may be read anywhere; what holds a private key is to be opened in a jail, since only
 * the one who brings the key may see it.
 */
#ifndef PKI_CONTAINER_H
#define PKI_CONTAINER_H

#include "pki/certificate.h"

enum {
    CONTAINER_BYTES_MAX = CERTIFICATE_TEXT_MAX,
    CONTAINER_ITERATIONS_MAX = 4000000, /* of one derivation */
    CONTAINER_WORK_MAX = 8000000,       /* of all in one file */
    CONTAINER_BAGS_MAX = 32,
    CONTAINER_POOL_BYTES_MAX = 2 << 20,
};

/* Adds the certificates of a file: PEM (any number; PKCS7 blocks too), one DER certificate, or a
 * PKCS#7 SignedData with certificates. Repetitions count once. -EMSGSIZE, -EBADMSG, -E2BIG with the
 * reason; certificates that were read before the fault are kept. */
int container_certificates(struct span file, struct chain *add, struct err *e);
/* Of a file with very many roots (PEM), those that `top` may have been issued by. */
int container_pool(struct span file, const struct certificate *top, struct chain *add,
                   struct err *e);

struct container_key {
    struct buf pkcs8; /* DER, in the clear: wipe it (container_key_done); empty: none was found */
    struct buf spki;
    char key_type[16];
    char name[65]; /* friendly name; may be "" */
    struct chain chain;
    bool needs_passphrase; /* set with -EACCES: it is protected, and none was given */
};
void container_key_init(struct container_key *k);
void container_key_done(struct container_key *k); /* wipes */
/*
 * Adds key and certificates of a file: PKCS#12, PEM or DER. passphrase.p NULL: none is known.
 * legacy: RC2, 3DES and SHA-1 are allowed (OpenSSL's legacy provider must be loaded). -EACCES:
 * wrong or no passphrase; -EPERM: only with legacy; -EMSGSIZE, -EBADMSG, -E2BIG, -EEXIST (a second
 * key).
 */
int container_open(struct span file, struct span passphrase, bool legacy, struct container_key *k,
                   struct err *e);
/* PKCS#12 of an encrypted key (as keyd exports it) and its chain, protected by the same passphrase:
 * AES-256 and SHA-256. */
int container_write(struct span encrypted_key, const struct chain *c, const char *name,
                    struct span passphrase, struct buf *out, struct err *e);

#endif
