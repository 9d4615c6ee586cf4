#include "pki/crl.h"
#include "base/check.h"
#include "pki/extension.h"

#include <errno.h>
#include <openssl/err.h>

static const char *const reasons[] = {
    [CRL_UNSPECIFIED] = "unspecified",    [CRL_KEY_COMPROMISE] = "keyCompromise",
    [CRL_CA_COMPROMISE] = "cACompromise", [CRL_AFFILIATION_CHANGED] = "affiliationChanged",
    [CRL_SUPERSEDED] = "superseded",      [CRL_CESSATION] = "cessationOfOperation",
    [CRL_HOLD] = "certificateHold",       [CRL_PRIVILEGE_WITHDRAWN] = "privilegeWithdrawn",
};

const char *crl_reason_name(unsigned reason)
{
    return reason < ARRAY_LEN(reasons) ? reasons[reason] : NULL;
}

bool crl_reason_by_name(struct span name, enum crl_reason *ret)
{
    for (unsigned i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i] && span_is(name, reasons[i])) {
            *ret = (enum crl_reason)i;
            return true;
        }
    return false;
}

static int add_entry(X509_CRL *crl, const struct crl_entry *in, struct err *e)
{
    X509_REVOKED *out = X509_REVOKED_new();
    BIGNUM *serial = NULL;
    ASN1_INTEGER *number = NULL;
    ASN1_TIME *time = ASN1_TIME_adj(NULL, (time_t)in->time, 0, 0);
    int rc = 0;

    CHECK(out);
    if (!time || BN_hex2bn(&serial, in->serial) != (int)strlen(in->serial) ||
        !(number = BN_to_ASN1_INTEGER(serial, NULL))) {
        rc = err_set(e, -EINVAL, "the serial number %s is none", in->serial);
    } else {
        CHECK(X509_REVOKED_set_serialNumber(out, number) == 1 &&
              X509_REVOKED_set_revocationDate(out, time) == 1);
        if (in->reason != CRL_UNSPECIFIED) { /* RFC 5280: the absent extension says "unspecified" */
            ASN1_ENUMERATED *why = ASN1_ENUMERATED_new();
            CHECK(why && ASN1_ENUMERATED_set(why, in->reason) == 1);
            CHECK(X509_REVOKED_add1_ext_i2d(out, NID_crl_reason, why, 0, 0) == 1);
            ASN1_ENUMERATED_free(why);
        }
        CHECK(X509_CRL_add0_revoked(crl, out) == 1);
        out = NULL;
    }
    X509_REVOKED_free(out);
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(time);
    BN_free(serial);
    return rc;
}

static int set_head(X509_CRL *crl, const struct crl_plan *p, struct err *e)
{
    ASN1_TIME *from = ASN1_TIME_adj(NULL, (time_t)p->this_update, 0, 0);
    ASN1_TIME *to = ASN1_TIME_adj(NULL, (time_t)p->next_update, 0, 0);
    const ASN1_OCTET_STRING *key = X509_get0_subject_key_id(p->issuer->x509);
    AUTHORITY_KEYID *akid = AUTHORITY_KEYID_new();
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    int rc = 0;

    CHECK(akid && number && ASN1_INTEGER_set_uint64(number, p->number) == 1);
    if (!from || !to || !key) {
        rc = err_set(e, -EINVAL, "dates or issuer of the CRL cannot be written");
    } else {
        CHECK(X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
              X509_CRL_set_issuer_name(crl, X509_get_subject_name(p->issuer->x509)) == 1 &&
              X509_CRL_set1_lastUpdate(crl, from) == 1 && X509_CRL_set1_nextUpdate(crl, to) == 1);
        akid->keyid = ASN1_OCTET_STRING_dup(key);
        CHECK(X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, akid, 0, 0) == 1 &&
              X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1);
    }
    AUTHORITY_KEYID_free(akid);
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    return rc;
}

static void add_ext(X509_CRL *crl, int nid, void *value, bool critical)
{
    CHECK(X509_CRL_add1_ext_i2d(crl, nid, value, critical, 0) == 1);
}

/* What makes it more than a plain list: a part (section 5.2.5), a delta (5.2.4), a pointer to one
 * (5.2.6). */
static void set_scope(X509_CRL *crl, const struct crl_plan *p)
{
    if (p->point_url && p->point_url[0]) {
        ISSUING_DIST_POINT *idp = ISSUING_DIST_POINT_new();
        CHECK(idp);
        idp->distpoint = DIST_POINT_NAME_new();
        CHECK(idp->distpoint);
        idp->distpoint->type = 0;
        idp->distpoint->name.fullname = uri_names(p->point_url);
        add_ext(crl, NID_issuing_distribution_point, idp, true);
        ISSUING_DIST_POINT_free(idp);
    }
    if (p->base > 0) {
        ASN1_INTEGER *base = ASN1_INTEGER_new();
        CHECK(base && ASN1_INTEGER_set_uint64(base, p->base) == 1);
        add_ext(crl, NID_delta_crl, base, true);
        ASN1_INTEGER_free(base);
    }
    if (p->delta_url && p->delta_url[0]) {
        CRL_DIST_POINTS *points = distribution_points(p->delta_url);
        add_ext(crl, NID_freshest_crl, points, false);
        CRL_DIST_POINTS_free(points);
    }
}

int crl_make(const struct crl_plan *p, struct buf *ret_der, struct err *e)
{
    X509_CRL *crl = X509_CRL_new();
    unsigned char *der = NULL;
    char why[200];
    int rc, n;

    CHECK(crl);
    ERR_clear_error();
    rc = set_head(crl, p, e);
    for (size_t i = 0; rc == 0 && i < p->entry_count; i++)
        rc = add_entry(crl, &p->entries[i], e);
    if (rc == 0) {
        set_scope(crl, p);
        X509_CRL_sort(crl);
        if (X509_CRL_sign(crl, p->signer, key_digest(p->issuer->key_type)) <= 0)
            rc = err_set(e, -EKEYREJECTED, "the key of the CA did not sign the CRL: %s",
                         openssl_error(why));
    }
    if (rc == 0) {
        n = i2d_X509_CRL(crl, &der);
        if (n <= 0 || !buf_put(ret_der, der, (size_t)n))
            rc = err_set(e, -EMSGSIZE, "the CRL is too long");
    }
    OPENSSL_free(der);
    X509_CRL_free(crl);
    ERR_clear_error();
    return rc;
}
