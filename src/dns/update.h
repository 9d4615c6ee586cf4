/*
 * update.h: changes of one record, TXT or TLSA, at a zone's primary server (RFC 2136), signed with a shared key (TSIG,
 * RFC 8945): what proves a name to a CA by dns-01, and what DANE clients go by. The answer is believed only if it is
 * signed too.
 */
#ifndef DNS_UPDATE_H
#define DNS_UPDATE_H

#include "base/buf.h"
#include "base/err.h"
#include "dns/resolver.h"

enum { DNS_UPDATE_MAX = 1232, DNS_UPDATE_TEXT_MAX = 255, DNS_MAC_MAX = 64 };
enum dns_hmac { DNS_HMAC_SHA256, DNS_HMAC_SHA384, DNS_HMAC_SHA512 };

struct dns_key {
    const char *name; /* "": not signed */
    enum dns_hmac algorithm;
    struct span secret; /* decoded */
};
struct dns_update {
    const char *zone, *name; /* name: of the record, at or below the zone */
    const char *text;        /* TXT; NULL: */
    const struct dns_tlsa *tlsa;
    bool add; /* else exactly this record is removed */
    uint32_t ttl;
};
struct dns_mac {
    unsigned char bytes[DNS_MAC_MAX];
    size_t n;
};

/* -EINVAL: something that is no name, or too long. */
int dns_update_build(const struct dns_update *u, const struct dns_key *k, uint16_t id, int64_t now,
                     struct buf *out, struct dns_mac *ret_mac, struct err *e);
/* 0: done. -EAGAIN: an answer to something else. -EREMOTEIO: the server refuses. -EKEYREJECTED: it is not signed, or not
 * with our key. -EBADMSG. Each with the reason. */
int dns_update_read(struct span answer, const struct dns_key *k, uint16_t id,
                    const struct dns_mac *request, int64_t now, struct err *e);
/* Both, over UDP with a few tries. suspends */
int dns_update_send(const struct sockaddr_storage *server, const struct dns_update *u,
                    const struct dns_key *k, struct err *e);
/* "address" or "address@port" (53). */
bool dns_server_parse(const char *text, struct sockaddr_storage *ret);

#endif
