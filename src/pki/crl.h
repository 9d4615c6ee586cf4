/* crl.h: certificate revocation lists (RFC 5280 section 5). */
#ifndef PKI_CRL_H
#define PKI_CRL_H

#include "pki/certificate.h"

/* RFC 5280 section 5.3.1 */
enum crl_reason {
    CRL_UNSPECIFIED = 0,
    CRL_KEY_COMPROMISE = 1,
    CRL_CA_COMPROMISE = 2,
    CRL_AFFILIATION_CHANGED = 3,
    CRL_SUPERSEDED = 4,
    CRL_CESSATION = 5,
    CRL_HOLD = 6,
    CRL_REMOVED = 8, /* in a delta only: on hold no more */
    CRL_PRIVILEGE_WITHDRAWN = 9,
};
const char *crl_reason_name(unsigned reason); /* "keyCompromise"; NULL: no reason that we give */
bool crl_reason_by_name(struct span name, enum crl_reason *ret); /* without case */

struct crl_entry {
    char serial[CERTIFICATE_SERIAL_MAX]; /* hex */
    int64_t time;
    uint8_t reason;
};

struct crl_plan {
    const struct certificate *issuer;
    EVP_PKEY *signer;
    uint64_t number; /* only rises */
    uint64_t base;   /* a delta: the number of the list that it adds to; 0: a whole list */
    /* NULL or "": without. point_url: the list covers only the certificates that name this
     * address; delta_url: where the delta to this one is. */
    const char *point_url, *delta_url;
    int64_t this_update, next_update;
    const struct crl_entry *entries;
    size_t entry_count;
};

/* suspends with a keyd handle (purpose KEY_CRL). DER, appended. */
int crl_make(const struct crl_plan *p, struct buf *ret_der, struct err *e);

#endif
