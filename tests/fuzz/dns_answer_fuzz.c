/* Records as a hostile name server writes them: byte n, then n bytes, and so on. */
#include "base/check.h"
#include "dns/answer.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n);

enum { RECORDS_MAX = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
    static char rows[RECORDS_MAX][256];
    char *data[RECORDS_MAX + 1] = {NULL};
    int len[RECORDS_MAX];
    struct dns_mx_answer mx = {0};
    struct dns_addresses addresses = {0};
    struct dns_tlsa_answer tlsa = {0};
    size_t count = 0;

    for (size_t at = 0; at < n && count < RECORDS_MAX; count++) {
        size_t bytes = in[at++];
        if (bytes > n - at)
            bytes = n - at;
        /* at the end of its row, so that reading past it is seen */
        data[count] = rows[count] + sizeof(rows[0]) - bytes;
        memcpy(data[count], in + at, bytes);
        len[count] = (int)bytes;
        at += bytes;
    }
    struct dns_records r = {data, len};
    answer_mx(r, &mx);
    CHECK(mx.count <= DNS_MX_MAX);
    for (size_t i = 0; i < mx.count; i++) {
        size_t bytes = strnlen(mx.mx[i].host, sizeof(mx.mx[i].host));
        CHECK(bytes > 0 && bytes <= DNS_NAME_MAX);
        CHECK(strspn(mx.mx[i].host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == bytes);
        CHECK(i == 0 || mx.mx[i - 1].preference <= mx.mx[i].preference);
    }
    answer_addresses(r, AF_INET6, &addresses);
    answer_addresses(r, AF_INET, &addresses);
    CHECK(addresses.count <= DNS_ADDRESSES_MAX);
    struct dns_txt_answer txt = {.count = 0};
    answer_txt(r, &txt);
    CHECK(txt.count <= DNS_TXT_MAX);
    answer_tlsa(r, &tlsa);
    for (size_t i = 0; i < tlsa.count; i++)
        CHECK(tlsa.v[i].bytes >= 1 && tlsa.v[i].bytes <= sizeof(tlsa.v[i].data));
    return 0;
}
