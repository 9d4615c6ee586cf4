#include "dns/answer.h"

#include "base/random.h"
#include "base/span.h"

#include <netinet/in.h>
#include <openssl/sha.h>
#include <string.h>

enum { NAME_TEXT_MAX = 253 }; /* 255 bytes in wire form */

bool answer_name(const unsigned char *p, size_t n, char ret[DNS_NAME_MAX + 1])
{
    char name[DNS_NAME_MAX + 1];
    size_t at = 0, out = 0;

    while (at < n && p[at]) {
        size_t label = p[at++];
        if (label > 63 || at + label > n || (out ? out + 1 : 0) + label > NAME_TEXT_MAX)
            return false;
        if (out)
            name[out++] = '.';
        for (size_t i = 0; i < label; i++) {
            char c = ascii_lower((char)p[at + i]);
            if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_')
                return false;
            name[out++] = c;
        }
        at += label;
    }
    if (at >= n)
        return false;
    name[out] = 0;
    memcpy(ret, name, out + 1);
    return true;
}

/* ------------------------------------------------------------------ MX */
/* RFC 5321 section 5.1: hosts of equal preference in random order. */
static void shuffle(struct dns_mx *mx, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = random_below(i);
        struct dns_mx t = mx[i - 1];
        mx[i - 1] = mx[k];
        mx[k] = t;
    }
}

/* Stable, so that equal ones stay shuffled. */
static void sort(struct dns_mx *mx, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k && mx[k - 1].preference > mx[k].preference; k--) {
            struct dns_mx t = mx[k];
            mx[k] = mx[k - 1];
            mx[k - 1] = t;
        }
}

static void keep_mx(struct dns_mx_answer *a, const struct dns_mx *one)
{
    size_t worst = 0;

    if (a->count < DNS_MX_MAX) {
        a->mx[a->count++] = *one;
        return;
    }
    for (size_t i = 1; i < a->count; i++)
        if (a->mx[i].preference > a->mx[worst].preference)
            worst = i;
    if (one->preference < a->mx[worst].preference)
        a->mx[worst] = *one;
}

void answer_mx(struct dns_records r, struct dns_mx_answer *ret)
{
    for (size_t i = 0; r.data[i]; i++) {
        const unsigned char *p = (const unsigned char *)r.data[i];
        struct dns_mx one;
        if (r.len[i] < 3 || !answer_name(p + 2, (size_t)r.len[i] - 2, one.host))
            continue;
        one.preference = (uint16_t)(p[0] << 8 | p[1]);
        if (!one.host[0])
            ret->null_mx = true;
        else
            keep_mx(ret, &one);
    }
    shuffle(ret->mx, ret->count);
    sort(ret->mx, ret->count);
}

/* ------------------------------------------------------------------ addresses and TLSA */
void answer_addresses(struct dns_records r, int family, struct dns_addresses *add)
{
    for (size_t i = 0; r.data[i] && add->count < DNS_ADDRESSES_MAX; i++) {
        struct sockaddr_storage *s = &add->a[add->count];
        if (family == AF_INET6 && r.len[i] == 16) {
            struct sockaddr_in6 *in = (struct sockaddr_in6 *)(void *)s;
            in->sin6_family = AF_INET6;
            memcpy(&in->sin6_addr, r.data[i], 16);
            add->count++;
        } else if (family == AF_INET && r.len[i] == 4) {
            struct sockaddr_in *in = (struct sockaddr_in *)(void *)s;
            in->sin_family = AF_INET;
            memcpy(&in->sin_addr, r.data[i], 4);
            add->count++;
        }
    }
}

void answer_tlsa(struct dns_records r, struct dns_tlsa_answer *ret)
{
    for (size_t i = 0; r.data[i] && ret->count < DNS_TLSA_MAX; i++) {
        struct dns_tlsa *t = &ret->v[ret->count];
        const unsigned char *p = (const unsigned char *)r.data[i];
        size_t n = r.len[i] < 4 ? 0 : (size_t)r.len[i] - 3;
        bool whole = n > sizeof(t->data) && n <= DNS_TLSA_BYTES_MAX && p[2] == 0;
        if (n == 0 || (n > sizeof(t->data) && !whole))
            continue;
        *t = (struct dns_tlsa){.usage = p[0], .selector = p[1], .matching = p[2], .bytes = n};
        if (whole) {
            t->whole = n;
            t->bytes = SHA512_DIGEST_LENGTH;
            SHA512(p + 3, n, t->data);
        } else {
            memcpy(t->data, p + 3, n);
        }
        ret->count++;
    }
}

/* ------------------------------------------------------------------ TXT */

static bool join_strings(const unsigned char *p, size_t n, char ret[DNS_TXT_BYTES + 1])
{
    size_t out = 0;

    for (size_t at = 0; at < n;) {
        size_t part = p[at++];
        if (at + part > n || out + part > DNS_TXT_BYTES || memchr(p + at, 0, part))
            return false;
        memcpy(ret + out, p + at, part);
        out += part;
        at += part;
    }
    ret[out] = 0;
    return true;
}

void answer_txt(struct dns_records r, struct dns_txt_answer *ret)
{
    for (size_t i = 0; r.data[i] && ret->count < DNS_TXT_MAX; i++)
        if (r.len[i] > 0 &&
            join_strings((const unsigned char *)r.data[i], (size_t)r.len[i], ret->v[ret->count]))
            ret->count++;
}
