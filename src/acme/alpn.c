#include "acme/alpn.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/random.h"
#include "pki/certificate.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>

/* keyd knows these certificates by it */
#define CHALLENGE_NAME "sealpost ACME challenge"
#define ACME_IDENTIFIER "1.3.6.1.5.5.7.1.31"
enum { LIFE_SECONDS = 7 * 86400, BEFORE_SECONDS = 3600 };

static bool add_identifier(X509 *x, const char *authorization)
{
    unsigned char der[2 + SHA256_DIGEST_LENGTH] = {V_ASN1_OCTET_STRING, SHA256_DIGEST_LENGTH};
    ASN1_OBJECT *what = OBJ_txt2obj(ACME_IDENTIFIER, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *ext = NULL;
    bool ok;

    SHA256((const unsigned char *)authorization, strlen(authorization), der + 2);
    ok = what && value && ASN1_OCTET_STRING_set(value, der, sizeof(der)) == 1 &&
         (ext = X509_EXTENSION_create_by_OBJ(NULL, what, 1, value)) &&
         X509_add_ext(x, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(what);
    return ok;
}

static bool add_name(X509 *x, const char *name, bool is_address)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    GENERAL_NAME *one = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    ASN1_OCTET_STRING *address = is_address ? a2i_IPADDRESS(name) : NULL;
    bool ok =
        all && one && text && (address || !is_address) && ASN1_STRING_set(text, name, -1) == 1;

    if (ok && is_address) {
        GENERAL_NAME_set0_value(one, GEN_IPADD, address);
        address = NULL;
    } else if (ok) {
        GENERAL_NAME_set0_value(one, GEN_DNS, text);
        text = NULL;
    }
    if (ok && sk_GENERAL_NAME_push(all, one) > 0) {
        one = NULL;
        ok = X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, 0) == 1;
    }
    ASN1_OCTET_STRING_free(address);
    ASN1_IA5STRING_free(text);
    GENERAL_NAME_free(one);
    GENERAL_NAMES_free(all);
    return ok;
}

static bool fill(X509 *x, struct span spki, const char *name, bool is_address,
                 const char *authorization)
{
    const unsigned char *p = (const unsigned char *)spki.p;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)spki.n);
    X509_NAME *dn = X509_get_subject_name(x);
    bool ok = key && X509_set_version(x, X509_VERSION_3) == 1 &&
              ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), random_u64() >> 1 | 1) == 1 &&
              X509_NAME_add_entry_by_NID(dn, NID_commonName, MBSTRING_ASC,
                                         (const unsigned char *)CHALLENGE_NAME, -1, -1, 0) == 1 &&
              X509_set_issuer_name(x, dn) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(x), -BEFORE_SECONDS) &&
              X509_gmtime_adj(X509_getm_notAfter(x), LIFE_SECONDS) &&
              X509_set_pubkey(x, key) == 1 && add_name(x, name, is_address) &&
              add_identifier(x, authorization);

    EVP_PKEY_free(key);
    return ok;
}

int acme_alpn_certificate(EVP_PKEY *signer, struct span spki, const char *name, bool is_address,
                          const char *authorization, struct buf *ret_der, struct err *e)
{
    X509 *x = X509_new();
    unsigned char *der = NULL;
    char why[200];
    int n = 0;

    CHECK(x);
    ERR_clear_error();
    if (fill(x, spki, name, is_address, authorization) && X509_sign(x, signer, EVP_sha256()) > 0)
        n = i2d_X509(x, &der);
    if (n > 0)
        buf_put(ret_der, der, (size_t)n);
    OPENSSL_free(der);
    X509_free(x);
    return n > 0 && !ret_der->overflow
               ? 0
               : err_set(e, -EIO, "the certificate of the challenge for %s cannot be made: %s",
                         name, openssl_error(why));
}

bool acme_alpn_sni(const char *name, bool is_address, char *ret, size_t size)
{
    unsigned char ip[16];
    unsigned n;
    size_t at = 0;

    if (!is_address)
        return span_to_cstr(span_cstr(name), ret, size);
    n = cert_name_ip_bytes(name, ip);
    if (n == 0 || size < 80)
        return false;
    for (unsigned i = n; i-- > 0;)
        at += (size_t)(n == 4 ? snprintf(ret + at, size - at, "%u.", ip[i])
                              : snprintf(ret + at, size - at, "%x.%x.", ip[i] & 15, ip[i] >> 4));
    snprintf(ret + at, size - at, n == 4 ? "in-addr.arpa" : "ip6.arpa");
    return true;
}

bool acme_dns_text(const char *authorization, struct buf *out)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)authorization, strlen(authorization), hash);
    return base64url_encode(out, span_of(hash, sizeof(hash)));
}
