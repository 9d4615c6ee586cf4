/*
 * resolver.h: DNS for delivering mail: MX, addresses, TLSA, TXT, by libunbound, with DNSSEC
 * validation where a trust anchor is configured. Questions suspend the fiber; answers are bounded
 * and copied.
 */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include "base/err.h"
#include "base/span.h"
#include "loop/fiber.h"
#include <stddef.h>
#include <sys/socket.h>

enum { DNS_NAME_MAX = 255, DNS_MX_MAX = 20, DNS_ADDRESSES_MAX = 16, DNS_TLSA_MAX = 16 };

enum dns_result {
    DNS_FOUND,
    DNS_NO_DATA,   /* the name is there, not this type */
    DNS_NO_NAME,   /* NXDOMAIN */
    DNS_TEMPORARY, /* time-out, SERVFAIL */
    DNS_BOGUS,     /* DNSSEC says it is forged: treat as temporary, never as absent */
};

struct resolver;
/* Before the jail: reads /etc/hosts and, without `servers`, /etc/resolv.conf; trust_anchor is a
 * file with one record a line ("" for none). servers: "address" or "address@port". */
struct resolver *resolver_new(struct loop *l, const char *const *servers, size_t server_count,
                              const char *trust_anchor, struct err *e);
void resolver_free(struct resolver *r);

struct dns_mx {
    uint16_t preference;
    char host[DNS_NAME_MAX + 1];
};
struct dns_mx_answer {
    struct dns_mx mx[DNS_MX_MAX]; /* by preference, equal ones shuffled */
    size_t count;
    bool secure;  /* DNSSEC-validated */
    bool null_mx; /* RFC 7505: the domain takes no mail */
}; /* neither hosts nor null_mx: its MX records are of no use, which is no licence to use its
      address */
enum dns_result dns_mx(struct resolver *r, const char *domain,
                       struct dns_mx_answer *ret); /* suspends */

struct dns_addresses {
    struct sockaddr_storage a[DNS_ADDRESSES_MAX]; /* IPv6 first; port 0 */
    size_t count;
    bool secure;
};
enum dns_result dns_addresses(struct resolver *r, const char *host,
                              struct dns_addresses *ret); /* suspends */

enum { DNS_TLSA_BYTES_MAX = 16384 }; /* of a record: a whole certificate has room */
struct dns_tlsa {
    uint8_t usage, selector, matching;
    unsigned char data[64];
    size_t bytes; /* of data */
    size_t whole; /* matching type 0 and more than data holds: so many bytes, and data is their
                     SHA-512, which tells as well whether something is the same; else 0 */
};
struct dns_tlsa_answer {
    struct dns_tlsa v[DNS_TLSA_MAX];
    size_t count;
    bool secure;    /* DNSSEC-validated; else DANE may not go by it (RFC 7672 section 2.2) */
    uint32_t ttl_s; /* what is left of it where a server on the way remembered it */
};
/* DNS_NO_NAME, DNS_NO_DATA: none is published; DNS_BOGUS: forged, or signed wrongly. */
enum dns_result dns_tlsa(struct resolver *r, const char *name,
                         struct dns_tlsa_answer *ret); /* "_25._tcp.host"; suspends */

enum { DNS_TXT_MAX = 32, DNS_TXT_BYTES = 1024 };
struct dns_txt_answer {
    char v[DNS_TXT_MAX][DNS_TXT_BYTES + 1]; /* the strings of a record joined; those with a NUL, or
                                               longer, are left out */
    size_t count;
    bool secure;
};
enum dns_result dns_txt(struct resolver *r, const char *name,
                        struct dns_txt_answer *ret); /* suspends */
/* A question that is not answered within that time is DNS_TEMPORARY; 0, as at first: as long as
 * libunbound tries. */
void resolver_patience(struct resolver *r, uint64_t ms);
/* Before the first question: DS or DNSKEY records, one a line, beside the file's: for those who must read it before their
 * jail. */
int resolver_add_anchor(struct resolver *r, struct span text, struct err *e);
enum { DNS_ANCHOR_MAX = 64 * 1024 };
/* Before the first question: nothing is remembered, every question is asked anew. */
void resolver_uncached(struct resolver *r);

#endif
