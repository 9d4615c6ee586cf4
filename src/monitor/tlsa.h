/*
 * tlsa.h: does a chain fit the TLSA records that DNS has for its server (RFC 6698, RFC 7671, for
 * SMTP RFC 7672)?
 */
#ifndef MONITOR_TLSA_H
#define MONITOR_TLSA_H

#include "dns/resolver.h"
#include "pki/certificate.h"

enum tlsa_fit {
    TLSA_FITS,
    TLSA_DIFFERS,
    TLSA_UNUSABLE, /* senders pass it over: an unknown kind, a digest of another length, and in SMTP
                      usages 0 and 1 */
};

struct tlsa_question {
    const struct chain *chain; /* as it was served, leaf first */
    const char *host;          /* a CA's record (2) vouches for names too */
    bool smtp;
    bool
        trusted; /* the chain leads to a CA that is trusted anyway, and has the name: for 0 and 1 */
    int64_t now;
};
enum tlsa_fit tlsa_judge(const struct tlsa_question *q, const struct dns_tlsa *t);
/* "3 1 1 0123…" */
void tlsa_print(const struct dns_tlsa *t, struct buf *out);
/* "3 1 1" of the leaf, as it should be published. */
void tlsa_of(const struct certificate *leaf, struct dns_tlsa *ret);

#endif
