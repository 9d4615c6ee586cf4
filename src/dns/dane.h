/*
 * dane.h: certificates that DNS vouches for (RFC 6698, RFC 7671): what stands in the records of a chain, how they are
 * written, and when everybody who asks must have seen a new one, so that the old key may go.
 */
#ifndef DNS_DANE_H
#define DNS_DANE_H

#include "base/buf.h"
#include "dns/resolver.h"

enum { DANE_TA = 2, DANE_EE = 3, DANE_SPKI = 1, DANE_SHA256 = 1, DANE_OWNER_MAX = DNS_NAME_MAX };

/* "3 1 1" of a certificate itself, "2 1 1" of its CA: the SHA-256 of the public key. */
struct dns_tlsa dane_record(uint8_t usage, struct span spki);
bool dane_same(const struct dns_tlsa *a, const struct dns_tlsa *b);
bool dane_has(const struct dns_tlsa_answer *a, const struct dns_tlsa *t);
/* "_25._tcp.host", without the last dot. False: too long. */
bool dane_owner(uint16_t port, const char *host, char ret[DANE_OWNER_MAX + 1]);
/* "3 1 1 0123…" */
void dane_print(const struct dns_tlsa *t, struct buf *out);

/* --- the wait for a new record */

enum dane_sight {
    DANE_SEEN,
    DANE_NOT_SEEN,  /* there are records, this one is not among them */
    DANE_NONE,      /* there is no record at all */
    DANE_INSECURE,  /* the answer is not signed, or there is no trust anchor */
    DANE_BOGUS,     /* its signatures do not hold */
    DANE_TEMPORARY, /* nobody answers */
    DANE_SIGHTS
};
/* What one answer says of one record. `a` counts for DNS_FOUND only. */
enum dane_sight dane_look(enum dns_result found, const struct dns_tlsa_answer *a,
                          const struct dns_tlsa *t);
/* In a sentence without end: "the answer for _25._tcp.mx.example is not signed …" */
void dane_words(enum dane_sight s, const char *owner, struct buf *out);

struct dane_wait {
    uint32_t ttl_s;    /* the greatest that was seen or is known; never falls */
    uint64_t since_ms; /* seen without a break since; 0: not seen at the last look */
    enum dane_sight last;
};
/* One look at all of its records: the worst sight of them, and the greatest TTL. A break begins the wait anew. */
void dane_wait_look(struct dane_wait *w, enum dane_sight s, uint32_t ttl_s, uint64_t now_ms);
/* Seen for two TTLs: no cache that is honest holds an answer without it. */
bool dane_wait_over(const struct dane_wait *w, uint64_t now_ms);
/* Until then, if nothing breaks it; 0: it is over. UINT64_MAX: not seen. */
uint64_t dane_wait_left_ms(const struct dane_wait *w, uint64_t now_ms);

#endif
