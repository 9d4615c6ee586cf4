/*
 * answer.h: what the records of an answer say. They come from whoever answers for a domain: nothing
 * in them is believed. Records that are malformed are passed over.
 */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include "dns/resolver.h"

/* As in struct ub_result: data ends with NULL, len[i] bytes each. */
struct dns_records {
    char *const *data;
    const int *len;
};

/* A domain name in wire form, without compression, to text, lower-cased; only letters, digits, '-'
 * and '_' pass. "" is the root. False: not such a name. */
bool answer_name(const unsigned char *p, size_t n, char ret[DNS_NAME_MAX + 1]);
/* By preference, equal ones in random order; of too many the best stay. */
void answer_mx(struct dns_records r, struct dns_mx_answer *ret);
void answer_addresses(struct dns_records r, int family, struct dns_addresses *add);
void answer_tlsa(struct dns_records r, struct dns_tlsa_answer *ret);

void answer_txt(struct dns_records r, struct dns_txt_answer *ret);

#endif
