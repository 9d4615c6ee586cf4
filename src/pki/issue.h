/*
 * issue.h: makes a certificate of our own CA, by profile. It decides the form only; what may be
 * issued to whom is ca/'s business.
 */
#ifndef PKI_ISSUE_H
#define PKI_ISSUE_H

#include "pki/certificate.h"
#include "pki/profile.h"

enum { ISSUE_SERIAL_BYTES = 16 };

struct issue_plan {
    const struct profile *profile;
    const struct certificate *issuer; /* NULL: it signs itself (root) */
    EVP_PKEY
    *signer; /* the issuer's key; used with one whole text to sign, so a keyd handle does */
    struct span spki; /* the key that is certified */
    const struct cert_subject *subject;
    const struct certificate *same_subject; /* not NULL: the subject is this one's, to the byte */
    int path; /* of a CA: fewer CAs below it than the profile's; 0: the profile's */
    const struct cert_names *names;           /* not for CAs */
    const struct permitted *permitted;        /* CAs: must be permitted_complete() */
    unsigned char serial[ISSUE_SERIAL_BYTES]; /* all random */
    int64_t not_before, not_after;            /* the end is brought forward to the issuer's */
    const char *crl_url, *issuer_url;         /* NULL or "": without */
    const char *delta_url, *ocsp_url;         /* the same */
};

/* suspends with a keyd handle as signer. 0; -EINVAL with the reason, -EKEYREJECTED when signing
 * failed. */
int issue_certificate(const struct issue_plan *p, struct buf *ret_der, struct err *e);
/* The subject as X.501 name, DER, appended: as it will stand in the certificate. */
int subject_der(const struct cert_subject *s, struct buf *out, struct err *e);

#endif
