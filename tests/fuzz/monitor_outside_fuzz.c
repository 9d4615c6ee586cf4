/* What comes from outside a server under test: first byte which kind; policies and records of MTA-STS, addresses in
 * certificates, OCSP answers, lists of revoked certificates. */
#include "base/check.h"
#include "monitor/fetch.h"
#include "monitor/revoked.h"
#include "monitor/sts.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static X509 *self(void)
{
    static X509 *x;
    EVP_PKEY *key;

    if (x != NULL)
        return x;
    x = X509_new();
    key = EVP_EC_gen("P-256");
    CHECK(x != NULL && key != NULL);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    CHECK(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                     (const unsigned char *)"a", -1, -1, 0) == 1);
    CHECK(X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 && X509_set_pubkey(x, key) == 1);
    CHECK(X509_sign(x, key, EVP_sha256()) > 0);
    EVP_PKEY_free(key);
    return x;
}

static void texts(struct span rest)
{
    struct sts_policy p;
    struct fetch_url u;
    struct err e;
    char id[MTA_STS_ID_MAX + 1];
    bool broken;

    if (sts_policy_parse(rest, &p) == NULL) {
        CHECK(p.mode == MTA_STS_NONE || p.mx_count > 0);
        sts_policy_names(&p, SPAN("mx.example.org"));
    }
    if (sts_record_parse(rest, id, &broken))
        CHECK(!broken && strlen(id) > 0);
    if (fetch_url_parse(rest, &u, &e) == 0)
        CHECK(u.port != 0 && u.host[0] != '\0' && u.path[0] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_skip(span_of(data, size), 1);
    struct revoked_sources at;
    struct revoked_word w;
    const unsigned char *der = (const unsigned char *)rest.p;
    X509 *x;

    if (size == 0)
        return 0;
    switch (data[0] & 3) {
    case 0:
        texts(rest);
        break;
    case 1:
        revoked_by_ocsp(rest, NULL, self(), self(), &w);
        CHECK(w.state == REVOKED_UNUSABLE); /* nobody has signed it */
        break;
    case 2:
        revoked_by_crl(rest, "http://a/b", self(), self(), 1795500000, &w);
        CHECK(w.state == REVOKED_UNUSABLE);
        break;
    default:
        if ((x = d2i_X509(NULL, &der, (long)rest.n)) != NULL) {
            revoked_sources_of(x, &at);
            CHECK(at.ocsp_count <= REVOKED_SOURCES_MAX && at.crl_count <= REVOKED_SOURCES_MAX);
        }
        X509_free(x);
        ERR_clear_error();
    }
    return 0;
}
