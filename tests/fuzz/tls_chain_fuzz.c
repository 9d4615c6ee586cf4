/* tls_chain_fuzz.c: the certificate chains that certd hands to sessions, and trust lists. */
#include "tls/context_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e;
    STACK_OF(X509) *chain = tls_chain_parse(span_of(data, size), &e);
    X509_STORE *store = tls_store_of_pem(span_of(data, size), NULL, &e);
    char serial[68];

    if (chain != NULL)
        tls_serial_hex(sk_X509_value(chain, 0), serial);
    sk_X509_pop_free(chain, X509_free);
    X509_STORE_free(store);
    return 0;
}
