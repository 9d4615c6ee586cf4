/* Answers to an update of DNS, signed or not: the first byte chooses. Whatever it is, only a MAC of our key makes a signed one pass. */
#include "dns/update.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
    static const struct dns_key key = {
        "acme-key", DNS_HMAC_SHA256, {"0123456789abcdef0123456789abcdef", 32}
    };
    static const struct dns_key none = {
        "", DNS_HMAC_SHA256, {NULL, 0}
    };
    struct dns_mac mac = {.n = 32};
    struct err e;
    char *copy;
    int rc;

    if (n < 1)
        return 0;
    copy = malloc(n); /* of its very size, so that reading past it is seen */
    if (!copy)
        return 0;
    memcpy(copy, in + 1, n - 1);
    rc = dns_update_read(span_of(copy, n - 1), in[0] & 1 ? &key : &none, 0x1234, &mac, 1795498140,
                         &e);
    if (rc == 0 && (in[0] & 1))
        abort();
    free(copy);
    return 0;
}
