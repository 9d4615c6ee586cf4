/* rules.c: what servers and clients of sealpost have in common: versions, ciphers, groups, errors
 * in words. */
#include "base/check.h"
#include "base/codec.h"
#include "tls/algorithms.h"
#include "tls/context_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>

enum { CHAIN_MAX = 10, CERTIFICATE_MAX = 65536 };

/* AEAD and forward secrecy only (RFC 9325 section 4); AES-128 first: every bit of it holds and it
 * costs least. */
#define CIPHERS_12                                                                                 \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384"
#define SIGNATURES                                                                                 \
    "ECDSA+SHA256:ed25519:RSA-PSS+SHA256:ECDSA+SHA384:RSA-PSS+SHA384:RSA-PSS+SHA512:"              \
    "RSA+SHA256:RSA+SHA384:RSA+SHA512:ECDSA+SHA512"

SSL_CTX *tls_ctx_new(const SSL_METHOD *method, int min_version)
{
    SSL_CTX *ctx = SSL_CTX_new_ex(NULL, tls_algorithms(), method);

    CHECK(ctx != NULL);
    CHECK(SSL_CTX_set_min_proto_version(ctx, min_version) == 1);
    CHECK(SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1);
    CHECK(SSL_CTX_set_cipher_list(ctx, CIPHERS_12) == 1);
    CHECK(SSL_CTX_set_ciphersuites(ctx, CIPHERS_13) == 1);
    CHECK(SSL_CTX_set1_groups_list(ctx, GROUPS) == 1);
    CHECK(SSL_CTX_set1_sigalgs_list(ctx, SIGNATURES) == 1);
    SSL_CTX_set_security_level(ctx, 2);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_SINGLE_ECDH_USE);
    /* The buffers of a waiting connection are given back; one read takes all that is there. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(ctx, 1);
    return ctx;
}

const char *tls_error_text(const char *other)
{
    static char text[200];
    unsigned long code = ERR_get_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

    snprintf(text, sizeof text, "%s", reason != NULL ? reason : other);
    ERR_clear_error();
    return text;
}

STACK_OF(X509) * tls_chain_parse(struct span chain, struct err *e)
{
    STACK_OF(X509) *certs = sk_X509_new_null();
    struct rd r = rd_of(chain);

    CHECK(certs != NULL);
    ERR_clear_error();
    while (r.n > 0 && !r.bad) {
        struct span der = rd_span(&r, CERTIFICATE_MAX);
        const unsigned char *p = (const unsigned char *)der.p, *begin = p;
        X509 *x = r.bad ? NULL : d2i_X509(NULL, &p, (long)der.n);
        if (x == NULL || (size_t)(p - begin) != der.n || sk_X509_num(certs) == CHAIN_MAX) {
            X509_free(x);
            err_set(e, -EINVAL, "certificate %d of the chain is none, or there are more than %d",
                    sk_X509_num(certs) + 1, CHAIN_MAX);
            ERR_clear_error();
            sk_X509_pop_free(certs, X509_free);
            return NULL;
        }
        CHECK(sk_X509_push(certs, x) > 0);
    }
    if (!rd_done(&r) || sk_X509_num(certs) == 0) {
        err_set(e, -EINVAL, "the chain holds no certificates");
        sk_X509_pop_free(certs, X509_free);
        return NULL;
    }
    return certs;
}

void tls_hex(const unsigned char *p, size_t n, char *dst)
{
    static const char digits[16] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *dst++ = digits[p[i] >> 4];
        *dst++ = digits[p[i] & 15];
    }
    *dst = '\0';
}

void tls_serial_hex(const X509 *x, char ret[68])
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    int n = ASN1_STRING_length(serial);
    const unsigned char *p = ASN1_STRING_get0_data(serial);

    tls_hex(p, n < 0 ? 0 : n > 33 ? 33 : (size_t)n, ret);
}

static int no_passphrase(char *buf, int size, int for_writing, void *arg)
{
    return -1;
}

X509_STORE *tls_store_of_pem(struct span pem, STACK_OF(X509_NAME) * names, struct err *e)
{
    X509_STORE *store = X509_STORE_new();
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    STACK_OF(X509_INFO) * all;
    unsigned count = 0;

    CHECK(store != NULL && in != NULL);
    ERR_clear_error();
    all = PEM_X509_INFO_read_bio(in, NULL, no_passphrase, NULL);
    for (int i = 0; i < sk_X509_INFO_num(all); i++) {
        const X509_INFO *one = sk_X509_INFO_value(all, i);
        if (one->crl != NULL)
            CHECK(X509_STORE_add_crl(store, one->crl) == 1);
        if (one->x509 == NULL)
            continue;
        CHECK(X509_STORE_add_cert(store, one->x509) == 1);
        if (names != NULL)
            CHECK(sk_X509_NAME_push(names, X509_NAME_dup(X509_get_subject_name(one->x509))) > 0);
        count++;
    }
    BIO_free(in);
    sk_X509_INFO_pop_free(all, X509_INFO_free);
    if (count == 0) {
        err_set(e, -EINVAL, "the trust list cannot be read: %s",
                tls_error_text("it holds no PEM certificate"));
        X509_STORE_free(store);
        return NULL;
    }
    ERR_clear_error();
    return store;
}
