#include "tls/harness.h"

#include "base/check.h"
#include "base/random.h"
#include "tls/context_internal.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static const struct key_type {
    const char *name, *algorithm, *curve;
    unsigned bits;
} key_types[] = {
    {"p256",    "EC",      "P-256", 0   },
    {"p384",    "EC",      "P-384", 0   },
    {"ed25519", "ED25519", NULL,    0   },
    {"rsa2048", "RSA",     NULL,    2048},
    {"rsa3072", "RSA",     NULL,    3072},
    {"rsa4096", "RSA",     NULL,    4096},
};
static EVP_PKEY *keys[ARRAY_LEN(key_types)];
static struct buf trusted = {.max = 1 << 20};

__attribute__((destructor)) static void forget(void)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        EVP_PKEY_free(keys[i]);
    buf_done(&trusted);
}

EVP_PKEY *tls_harness_key(const char *type)
{
    for (size_t i = 0; i < ARRAY_LEN(key_types); i++) {
        const struct key_type *t = &key_types[i];
        if (strcmp(t->name, type) != 0)
            continue;
        if (keys[i] == NULL)
            keys[i] = t->bits > 0 ? EVP_PKEY_Q_keygen(NULL, NULL, t->algorithm, (size_t)t->bits)
                      : t->curve != NULL ? EVP_PKEY_Q_keygen(NULL, NULL, t->algorithm, t->curve)
                                         : EVP_PKEY_Q_keygen(NULL, NULL, t->algorithm);
        CHECK(keys[i] != NULL);
        return keys[i];
    }
    CHECK(false);
}

static void add_name(GENERAL_NAMES *names, const char *text)
{
    struct in6_addr a;
    bool address = inet_pton(AF_INET, text, &a) == 1 || inet_pton(AF_INET6, text, &a) == 1;
    GENERAL_NAME *name = a2i_GENERAL_NAME(NULL, NULL, NULL, address ? GEN_IPADD : GEN_DNS, text, 0);

    CHECK(name != NULL && sk_GENERAL_NAME_push(names, name) > 0);
}

static void add_names(X509 *x, const struct conf_vserver *v)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();

    CHECK(names != NULL);
    add_name(names, "localhost");
    add_name(names, "127.0.0.1");
    add_name(names, "::1");
    for (uint32_t i = 0; v != NULL && i < v->names.n; i++)
        add_name(names, v->names.v[i]);
    CHECK(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) == 1);
    GENERAL_NAMES_free(names);
}

static void set_name(X509 *x, const char *common, bool issuer)
{
    X509_NAME *name = X509_NAME_new();

    CHECK(name != NULL &&
          X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common, -1,
                                     -1, 0) == 1);
    CHECK((issuer ? X509_set_issuer_name(x, name) : X509_set_subject_name(x, name)) == 1);
    X509_NAME_free(name);
}

static X509 *certificate(EVP_PKEY *subject, EVP_PKEY *signer, const char *common,
                         const char *issuer, const struct conf_vserver *v)
{
    X509 *x = X509_new();
    BASIC_CONSTRAINTS *ca = BASIC_CONSTRAINTS_new();

    CHECK(x != NULL && ca != NULL);
    CHECK(X509_set_version(x, X509_VERSION_3) == 1);
    CHECK(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), random_u64() >> 1 | 1) == 1);
    set_name(x, common, false);
    set_name(x, issuer, true);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(x), 86400) != NULL);
    CHECK(X509_set_pubkey(x, subject) == 1);
    add_names(x, v);
    ca->ca = subject == signer ? 0xff : 0;
    CHECK(X509_add1_ext_i2d(x, NID_basic_constraints, ca, 1, 0) == 1);
    CHECK(X509_sign(x, signer, EVP_PKEY_is_a(signer, "ED25519") ? NULL : EVP_sha256()) > 0);
    BASIC_CONSTRAINTS_free(ca);
    return x;
}

X509 *tls_harness_certificate(EVP_PKEY *key, const struct conf_vserver *v)
{
    char common[80];

    /* a name of its own: several are in one trust list */
    snprintf(common, sizeof common, "harness %016llx", (unsigned long long)random_u64());
    return certificate(key, key, common, common, v);
}

X509 *tls_harness_issued(EVP_PKEY *subject, const struct conf_vserver *v)
{
    static const char issuer[] = "harness CA";
    EVP_PKEY *signer = tls_harness_key("p256");
    static bool trusted_already;

    if (!trusted_already) {
        X509 *ca = certificate(signer, signer, issuer, issuer, NULL);
        tls_harness_trust(ca);
        X509_free(ca);
        trusted_already = true;
    }
    return certificate(subject, signer, "harness subject", issuer, v);
}

void tls_harness_trust(const X509 *x)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *p;
    long n;

    CHECK(out != NULL && PEM_write_bio_X509(out, x) == 1);
    n = BIO_get_mem_data(out, &p);
    CHECK(n > 0 && buf_put(&trusted, p, (size_t)n));
    BIO_free(out);
}

struct span tls_harness_trust_pem(void)
{
    return buf_span(&trusted);
}

struct tls_context *tls_harness_context(const struct conf_vserver *v, const char *key_type,
                                        const char *const *alpn)
{
    struct tls_context *c = tls_context_new(v, alpn, false);
    EVP_PKEY *key = tls_harness_key(key_type);
    STACK_OF(X509) *chain = sk_X509_new_null();
    struct err e = {""};

    CHECK(chain != NULL && sk_X509_push(chain, tls_harness_certificate(key, v)) > 0);
    tls_harness_trust(sk_X509_value(chain, 0));
    CHECK(tls_context_identity_pkey(c, TLS_SLOT_CURRENT, chain, key, &e) == 0);
    sk_X509_pop_free(chain, X509_free);
    return c;
}

struct tls_client_context *tls_harness_client(void)
{
    struct err e = {""};
    struct tls_client_context *c = tls_client_context_new(buf_span(&trusted), &e);

    CHECK(c != NULL);
    return c;
}

void tls_harness_tickets(void)
{
    unsigned char k[1][TLS_TICKET_KEY_BYTES];

    random_bytes(k, sizeof k);
    tls_ticket_keys((const unsigned char(*)[TLS_TICKET_KEY_BYTES])k, 1);
}
