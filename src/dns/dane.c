#include "dns/dane.h"
#include "base/check.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

/* Below that nobody can say that a cache has been through twice. */
enum { TTL_LEAST_S = 1 };

struct dns_tlsa dane_record(uint8_t usage, struct span spki)
{
    struct dns_tlsa t = {.usage = usage,
                         .selector = DANE_SPKI,
                         .matching = DANE_SHA256,
                         .bytes = SHA256_DIGEST_LENGTH};

    SHA256((const unsigned char *)spki.p, spki.n, t.data);
    return t;
}

bool dane_same(const struct dns_tlsa *a, const struct dns_tlsa *b)
{
    return a->usage == b->usage && a->selector == b->selector && a->matching == b->matching &&
           a->whole == b->whole && a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0;
}

bool dane_has(const struct dns_tlsa_answer *a, const struct dns_tlsa *t)
{
    for (size_t i = 0; i < a->count; i++)
        if (dane_same(&a->v[i], t))
            return true;
    return false;
}

bool dane_owner(uint16_t port, const char *host, char ret[DANE_OWNER_MAX + 1])
{
    char name[DANE_OWNER_MAX + 1];
    int n = snprintf(name, sizeof(name), "_%u._tcp.%s", port, host);

    if (n < 0 || n >= (int)sizeof(name))
        return false;
    memcpy(ret, name, sizeof(name));
    return true;
}

void dane_print(const struct dns_tlsa *t, struct buf *out)
{
    buf_printf(out, "%u %u %u ", t->usage, t->selector, t->matching);
    for (size_t i = 0; i < t->bytes; i++)
        buf_printf(out, "%02x", t->data[i]);
}

/* --- the wait */

enum dane_sight dane_look(enum dns_result found, const struct dns_tlsa_answer *a,
                          const struct dns_tlsa *t)
{
    switch (found) {
    case DNS_NO_DATA:
    case DNS_NO_NAME:
        return DANE_NONE;
    case DNS_BOGUS:
        return DANE_BOGUS;
    case DNS_TEMPORARY:
        return DANE_TEMPORARY;
    case DNS_FOUND:
        break;
    }
    if (!a->secure)
        return DANE_INSECURE;
    return dane_has(a, t) ? DANE_SEEN : DANE_NOT_SEEN;
}

void dane_words(enum dane_sight s, const char *owner, struct buf *out)
{
    static const char *const words[DANE_SIGHTS] = {
        [DANE_SEEN] = "is seen at %s",
        [DANE_NOT_SEEN] = "is not among the TLSA records of %s yet",
        [DANE_NONE] = "is not there yet: %s has no TLSA record",
        [DANE_INSECURE] = "cannot be relied on: the answer for %s is not secured by DNSSEC",
        [DANE_BOGUS] = "cannot be relied on: the DNSSEC signatures of %s do not hold (bogus)",
        [DANE_TEMPORARY] = "cannot be looked up: the name servers of %s do not answer",
    };
    const char *hole = strstr(words[s], "%s");

    buf_put(out, words[s], (size_t)(hole - words[s]));
    buf_put_cstr(out, owner);
    buf_put_cstr(out, hole + 2);
}

void dane_wait_look(struct dane_wait *w, enum dane_sight s, uint32_t ttl_s, uint64_t now_ms)
{
    CHECK((unsigned)s < DANE_SIGHTS);
    if (ttl_s > w->ttl_s)
        w->ttl_s = ttl_s;
    w->last = s;
    if (s != DANE_SEEN)
        w->since_ms = 0;
    else if (w->since_ms == 0)
        w->since_ms = now_ms ? now_ms : 1;
}

uint64_t dane_wait_left_ms(const struct dane_wait *w, uint64_t now_ms)
{
    uint64_t ttl_s = w->ttl_s > TTL_LEAST_S ? w->ttl_s : TTL_LEAST_S;
    uint64_t end = w->since_ms + 2 * 1000 * ttl_s;

    if (w->since_ms == 0)
        return UINT64_MAX;
    return now_ms >= end ? 0 : end - now_ms;
}

bool dane_wait_over(const struct dane_wait *w, uint64_t now_ms)
{
    return dane_wait_left_ms(w, now_ms) == 0;
}
