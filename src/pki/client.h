/*
 * client.h: what a client's certificate says about its holder: key, issuer, serial number, mail
 * addresses and user principal names. It came from a stranger: everything is bounded, names with
 * odd bytes are left out. None of it means anything unless the chain holds.
 */
#ifndef PKI_CLIENT_H
#define PKI_CLIENT_H

#include "base/span.h"
#include <openssl/x509.h>
#include <stdint.h>

enum { CLIENT_NAMES_MAX = 4, CLIENT_NAME_MAX = 320, CLIENT_LINE_MAX = 200 };

struct client_certificate {
    char spki_sha256[65];   /* hex, of SubjectPublicKeyInfo */
    char issuer_sha256[65]; /* hex, of the issuer's name (DER) */
    char subject_sha256[65];
    char serial[41];                                                /* hex, lower case */
    char subject[CLIENT_LINE_MAX + 1], issuer[CLIENT_LINE_MAX + 1]; /* for people; cut */
    int64_t not_before, not_after;
    /* Of the subject alternative names, the first few; ASCII letters lower case. */
    char email[CLIENT_NAMES_MAX][CLIENT_NAME_MAX + 1];
    char upn[CLIENT_NAMES_MAX][CLIENT_NAME_MAX + 1]; /* otherName 1.3.6.1.4.1.311.20.2.3 */
    unsigned email_count, upn_count;
};

/* False: it has no serial number, dates or key that could be told. */
bool client_certificate_of(X509 *x, struct client_certificate *ret);

#endif
