#include "pki/key_algorithm.h"

#include "base/check.h"

#include <openssl/rsa.h>

static const struct digest_row {
    const char *name, *other_name;
    enum key_digest digest;
    int nid;
    unsigned bytes;
} rows[] = {
    {"SHA2-256", "SHA256", KEY_SHA256, NID_sha256, 32},
    {"SHA2-384", "SHA384", KEY_SHA384, NID_sha384, 48},
    {"SHA2-512", "SHA512", KEY_SHA512, NID_sha512, 64},
};

static const struct digest_row *row_of(enum key_digest d)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].digest == d)
            return &rows[i];
    return NULL;
}

unsigned key_digest_bytes(enum key_digest d)
{
    const struct digest_row *row = row_of(d);
    return row == NULL ? 0 : row->bytes;
}

int key_digest_nid(enum key_digest d)
{
    const struct digest_row *row = row_of(d);
    return row == NULL ? NID_undef : row->nid;
}

const char *key_digest_name(enum key_digest d)
{
    const struct digest_row *row = row_of(d);
    return row == NULL ? "" : row->name;
}

bool key_digest_by_name(const char *name, enum key_digest *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcasecmp(rows[i].name, name) == 0 || strcasecmp(rows[i].other_name, name) == 0) {
            *ret = rows[i].digest;
            return true;
        }
    }
    return false;
}

/* RSASSA-PSS-params (RFC 4055 section 3.1): MGF1 with the same digest, the salt as long as the
 * digest. */
static RSA_PSS_PARAMS *pss_params(const struct digest_row *row)
{
    RSA_PSS_PARAMS *pss = RSA_PSS_PARAMS_new();
    ASN1_STRING *packed;

    CHECK(pss != NULL);
    pss->hashAlgorithm = X509_ALGOR_new();
    pss->maskGenAlgorithm = X509_ALGOR_new();
    pss->saltLength = ASN1_INTEGER_new();
    CHECK(pss->hashAlgorithm != NULL && pss->maskGenAlgorithm != NULL && pss->saltLength != NULL);
    X509_ALGOR_set_md(pss->hashAlgorithm, EVP_get_digestbynid(row->nid));
    packed = ASN1_item_pack(pss->hashAlgorithm, ASN1_ITEM_rptr(X509_ALGOR), NULL);
    CHECK(packed != NULL && X509_ALGOR_set0(pss->maskGenAlgorithm, OBJ_nid2obj(NID_mgf1),
                                            V_ASN1_SEQUENCE, packed) == 1);
    CHECK(ASN1_INTEGER_set(pss->saltLength, row->bytes) == 1);
    return pss;
}

static X509_ALGOR *pss_identifier(const struct digest_row *row)
{
    RSA_PSS_PARAMS *pss = pss_params(row);
    X509_ALGOR *a = X509_ALGOR_new();
    ASN1_STRING *packed = ASN1_item_pack(pss, ASN1_ITEM_rptr(RSA_PSS_PARAMS), NULL);

    CHECK(a != NULL && packed != NULL);
    CHECK(X509_ALGOR_set0(a, OBJ_nid2obj(NID_rsassaPss), V_ASN1_SEQUENCE, packed) == 1);
    RSA_PSS_PARAMS_free(pss);
    return a;
}

X509_ALGOR *key_algorithm_identifier(enum key_algorithm algorithm, enum key_digest d)
{
    const struct digest_row *row = row_of(d);
    int key = algorithm == KEY_ECDSA ? NID_X9_62_id_ecPublicKey : NID_rsaEncryption;
    int nid = NID_ED25519;
    X509_ALGOR *a;

    if (algorithm == KEY_EDDSA ? d != KEY_DIGEST_NONE : row == NULL)
        return NULL;
    if (algorithm == KEY_RSA_PSS)
        return pss_identifier(row);
    if (algorithm != KEY_EDDSA && OBJ_find_sigid_by_algs(&nid, row->nid, key) != 1)
        return NULL;
    a = X509_ALGOR_new();
    CHECK(a != NULL);
    CHECK(X509_ALGOR_set0(a, OBJ_nid2obj(nid),
                          algorithm == KEY_RSA_PKCS1 ? V_ASN1_NULL : V_ASN1_UNDEF, NULL) == 1);
    return a;
}
