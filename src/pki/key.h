/*
 * key.h: private keys as seen from outside keyd: a handle that names a key and one purpose, and an EVP_PKEY that OpenSSL can sign with.
 *
 * keyd makes and keeps the keys. A process asks it to sign for (key, purpose); keyd looks at the whole text to be signed and refuses what
 * does not have the form of that purpose (DESIGN section 2). The EVP_PKEY of a handle comes from sealpost's OpenSSL provider: signing
 * with it suspends the running fiber until keyd answers, so it must be used inside a fiber. Its private part cannot be exported.
 */
#ifndef PKI_KEY_H
#define PKI_KEY_H

#include "base/err.h"
#include "ipc/link.h"
#include <openssl/evp.h>

enum key_purpose { /* bits: a key is made for one or several */
                   KEY_TLS_SERVER = 1,
                   KEY_TLS_CLIENT = 2,
                   KEY_CA = 4, /* certificates; keyd checks each against the key's profile */
                   KEY_CRL = 8,
                   KEY_OCSP = 16,
                   KEY_CSR = 32, /* PKCS#10 for its own public key */
                   KEY_ACME = 64,
                   KEY_DKIM = 128,
                   KEY_EVIDENCE = 256,
                   KEY_CHALLENGE =
                       512, /* the certificate of a tls-alpn-01 challenge (RFC 8737), for itself */
                   KEY_PURPOSE_LAST = KEY_CHALLENGE,
};

enum { KEY_ID_BYTES = 16, KEY_LABEL_MAX = 100, KEY_SPKI_MAX = 1024, KEY_TBS_MAX = 65536 };

struct key_info {
    char id[2 * KEY_ID_BYTES + 1]; /* hex */
    char label[KEY_LABEL_MAX + 1]; /* "vserver/imap4-default", "ca/issuing-1" */
    char type[12];                 /* "p256" "p384" "ed25519" "rsa2048" "rsa3072" "rsa4096" */
    unsigned purposes;
    bool exportable;
    int64_t created;
    unsigned char spki[KEY_SPKI_MAX]; /* SubjectPublicKeyInfo, DER */
    unsigned spki_bytes;
};

/* Once per process: loads the provider; `keyd` gives the link at the moment (NULL while keyd is away: signing then waits up to 5 s). */
void key_provider_init(struct link *(*keyd)(void *arg), void *arg);

/* suspends. type as in key_info. 0 or negative errno; -EINVAL unknown type, -EACCES this role may not make such keys. */
int key_create(const char *label, const char *type, unsigned purposes, bool exportable,
               struct key_info *ret);
/* As key_create, for a CA: the profile is recorded with the key, never changes, and keyd holds every certificate, CRL and OCSP answer to it.
 * key_create with KEY_CA records one that allows a root and two levels below, and whose name is the first that the key signs for. */
struct key_ca_profile {
    unsigned char name[512]; /* X.501 name, DER: the issuer of all that it signs */
    unsigned name_bytes;     /* 0: taken from the first text that it signs */
    bool root;               /* may sign a certificate for itself */
    bool client_only;        /* end entities get clientAuth and no other extended key usage */
    uint8_t levels;          /* of CAs below it; 0: end entities only */
    uint32_t max_days; /* longest life of what it issues below itself; 0: no limit of its own */
};
int key_create_ca(const char *label, const char *type, unsigned purposes,
                  const struct key_ca_profile *profile, bool exportable, struct key_info *ret);
int key_get(const char *id, struct key_info *ret); /* suspends; -ENOENT */
int key_delete(const char *id);                    /* suspends */
/* From the command line alone, straight to keyd: no other process sees the key. pkcs8: DER, not encrypted; the caller wipes it. -EINVAL no key of a
 * known type, or its halves do not belong together; -EEXIST keyd has it already. suspends */
int key_import(const char *label, unsigned purposes, const struct key_ca_profile *profile,
               bool exportable, struct span pkcs8, struct key_info *ret);
/* PKCS#8 encrypted under the passphrase (8 … 255 bytes; PBES2, AES-256). -EPERM: it was not made exportable. suspends */
int key_export(const char *id, struct span passphrase, struct buf *out);
/* All keys whose label starts with `prefix`. suspends; *ret malloc'ed. */
int key_list(const char *prefix, struct key_info **ret, size_t *ret_count);

/* Session ticket keys of this process's profile, newest first, for tls_ticket_keys; keys has room for KEY_TICKETS_MAX. suspends. A rotation comes as
 * the note KEY_TICKETS_NEW, whose body key_tickets_rd reads. Wipe them after use. */
enum { KEY_TICKET_BYTES = 80, KEY_TICKETS_MAX = 3 };
int key_tickets(unsigned char (*ret_keys)[KEY_TICKET_BYTES], unsigned *ret_count);
bool key_tickets_rd(struct span body, unsigned char (*ret_keys)[KEY_TICKET_BYTES],
                    unsigned *ret_count);

/* An EVP_PKEY that signs through keyd for that purpose. The caller frees it with EVP_PKEY_free. NULL: spki is no key. */
EVP_PKEY *key_handle(const char *id, enum key_purpose purpose, struct span spki);

#endif
