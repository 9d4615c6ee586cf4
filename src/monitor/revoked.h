/*
 * revoked.h: what an OCSP answer (RFC 6960) or a list of revoked certificates (RFC 5280 section 5)
 * says of one certificate, and whether it may be believed. Both come from the network.
 */
#ifndef MONITOR_REVOKED_H
#define MONITOR_REVOKED_H

#include "pki/certificate.h"

#include <openssl/ocsp.h>

enum { REVOKED_SOURCES_MAX = 4, REVOKED_URL_MAX = 1000 };

enum revoked_state {
    REVOKED_NOT,     /* it is good */
    REVOKED_YES,     /* … since then, for that reason */
    REVOKED_UNKNOWN, /* the responder does not know it */
    REVOKED_UNUSABLE /* what came is no answer, not signed rightly, of another time or scope */
};

struct revoked_word {
    enum revoked_state state;
    char reason[40];      /* of REVOKED_YES: "keyCompromise" */
    int64_t since, until; /* revoked since; next update, 0: none */
    char why[200];        /* of REVOKED_UNUSABLE */
};

/* Where to ask, as the certificate says. */
struct revoked_sources {
    char ocsp[REVOKED_SOURCES_MAX][REVOKED_URL_MAX + 1];
    char crl[REVOKED_SOURCES_MAX][REVOKED_URL_MAX + 1];
    unsigned ocsp_count, crl_count; /* http and https only */
    bool others;                    /* ldap: and the like */
    bool must_staple;               /* RFC 7633 */
};
void revoked_sources_of(X509 *x, struct revoked_sources *ret);

/* A question with a nonce; NULL: none can be made. *ret_der appended. */
OCSP_REQUEST *revoked_question(X509 *x, X509 *issuer, struct buf *ret_der);
/* question NULL: it was stapled. Believed is the issuer itself, and whom it has named (RFC 6960
 * section 4.2.2.2): whether anybody trusts that issuer is another question. */
void revoked_by_ocsp(struct span der, const OCSP_REQUEST *question, X509 *x, X509 *issuer,
                     struct revoked_word *ret);
/* url: where it was fetched, which a list of a part must name. */
void revoked_by_crl(struct span der, const char *url, X509 *x, X509 *issuer, int64_t now,
                    struct revoked_word *ret);

#endif
