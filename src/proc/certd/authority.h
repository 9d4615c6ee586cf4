/* authority.h: one talk with an authority: what the configuration says of it, its files, the account key at keyd. */
#ifndef CERTD_AUTHORITY_H
#define CERTD_AUTHORITY_H

#include "acme/client.h"
#include "pki/certificate.h"
#include "proc/certd/certd.h"

struct authority {
    const struct conf_authority
        *conf; /* in a copy of its own: the configuration may change meanwhile */
    struct conf *copy;
    struct acme_client client; /* ACME; `web` for EST too */
    struct web own, first;     /* EST: authority_show, authority_show_first; without `tls`: none */
    struct buf eab, secret;    /* decoded; the password or the TSIG key */
    char key_id[IDENTITY_KEY_ID_MAX + 1]; /* of the account */
};

/* suspends. -ENOENT: the configuration has no such authority. authority_close it. */
int authority_open(struct certd *d, const char *name, bool rehearsal, struct authority **ret,
                   struct err *e);
void authority_close(struct certd *d, struct authority *a); /* NULL is fine */
/* Another key for its account; nothing uses it yet. suspends */
int authority_key_make(struct authority *a, char ret_id[IDENTITY_KEY_ID_MAX + 1],
                       EVP_PKEY **ret_signer, EVP_PKEY **ret_public, struct err *e);
/* From now on. */
void authority_key_use(struct authority *a, const char *id, EVP_PKEY *take_signer,
                       EVP_PKEY *take_public);
void authority_key_drop(const char *id); /* suspends */
/* Does it take the certificate that is to be replaced as proof of who asks (EST)? "" and unknown ones: no. */
bool authority_takes_certificates(const struct certd *d, const char *name);
/* Another client of the same authority that shows this certificate; keyd signs. authority_close frees it. suspends */
int authority_show(struct certd *d, struct authority *a, const struct identity_slot *s,
                   struct err *e);
/* The same with the certificate_file of the configuration, for a first enrolment. suspends */
int authority_show_first(struct certd *d, struct authority *a, struct err *e);
/* The roots that what it issues must lead to, for a chain that ends with `top`, as a chain travels. suspends */
int authority_roots(struct certd *d, const struct authority *a, const struct certificate *top,
                    struct buf *ret, struct err *e);
/* For a talk with anybody (webhooks): the machine's roots. suspends */
int authority_web(struct certd *d, struct web *ret, struct err *e);
/* The same for http URLs only: no list of CAs is read. */
int authority_clear_web(struct certd *d, struct web *ret, struct err *e);
/* A file of the configuration: in the folder certs unless absolute. suspends */
int authority_file(struct certd *d, const char *name, size_t max, struct buf *out, struct err *e);
/* A key out of such a file, decoded (NULL: as it is), into a buffer that the caller wipes. suspends */
int authority_secret(struct certd *d, const char *name, bool (*decode)(struct buf *, struct span),
                     struct buf *out, struct err *e);

#endif
