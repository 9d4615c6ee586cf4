#include "pki/issue.h"
#include "base/check.h"
#include "pki/extension.h"

#include <errno.h>
#include <openssl/err.h>

static int add_extension(X509 *x, int nid, void *value, bool critical, struct err *e)
{
    char why[200];

    if (X509_add1_ext_i2d(x, nid, value, critical, X509V3_ADD_APPEND) == 1)
        return 0;
    return err_set(e, -EINVAL, "the extension %s cannot be written: %s", OBJ_nid2sn(nid),
                   openssl_error(why));
}

/* RFC 7093 section 2 method 1: the first 160 bits of SHA-256 over the key's bits. */
static ASN1_OCTET_STRING *key_identifier(const X509 *x)
{
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(x);
    unsigned char md[EVP_MAX_MD_SIZE];
    ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();

    CHECK(id && EVP_Digest(ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits), md, NULL,
                           EVP_sha256(), NULL) == 1);
    CHECK(ASN1_OCTET_STRING_set(id, md, 20) == 1);
    return id;
}

static int add_basic(X509 *x, const struct profile *p, int path, struct err *e)
{
    BASIC_CONSTRAINTS *bc = BASIC_CONSTRAINTS_new();
    int rc;

    CHECK(bc);
    if (p->path >= 0) {
        bc->ca = 0xff;
        bc->pathlen = ASN1_INTEGER_new();
        CHECK(bc->pathlen && ASN1_INTEGER_set(bc->pathlen, path > 0 ? path : p->path) == 1);
    }
    rc = add_extension(x, NID_basic_constraints, bc, true, e);
    BASIC_CONSTRAINTS_free(bc);
    return rc;
}

static int add_usage(X509 *x, const struct profile *p, const char *key_type, struct err *e)
{
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    int rc;
    struct {
        bool on;
        int bit;
    } all[] = {
        {(p->use & USE_SIGN) != 0,                      0},
        {(p->use & USE_NON_REPUDIATION) != 0,           1},
        {(p->use & USE_ENCIPHER) && key_type[0] == 'r', 2},
        {(p->use & USE_ENCIPHER) && key_type[0] == 'p', 4},
        {(p->use & USE_CERT_SIGN) != 0,                 5},
        {(p->use & USE_CRL_SIGN) != 0,                  6},
    };

    CHECK(bits);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i].on)
            CHECK(ASN1_BIT_STRING_set_bit(bits, all[i].bit, 1) == 1);
    rc = add_extension(x, NID_key_usage, bits, true, e);
    ASN1_BIT_STRING_free(bits);
    return rc;
}

static int add_purposes(X509 *x, const struct profile *p, struct err *e)
{
    static const struct {
        unsigned bit;
        int nid;
    } all[] = {
        {EKU_SERVER, NID_server_auth  },
        {EKU_CLIENT, NID_client_auth  },
        {EKU_EMAIL,  NID_email_protect},
        {EKU_CODE,   NID_code_sign    },
        {EKU_OCSP,   NID_OCSP_sign    }
    };
    EXTENDED_KEY_USAGE *eku;
    int rc;

    if (!p->eku)
        return 0;
    eku = sk_ASN1_OBJECT_new_null();
    CHECK(eku);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (p->eku & all[i].bit)
            CHECK(sk_ASN1_OBJECT_push(eku, OBJ_nid2obj(all[i].nid)) > 0);
    if (p->eku & EKU_DOCUMENT)
        CHECK(sk_ASN1_OBJECT_push(eku, OBJ_txt2obj(CERTIFICATE_OID_DOCUMENT, 1)) > 0);
    rc = add_extension(x, NID_ext_key_usage, eku, false, e);
    /* RFC 6960 section 4.2.2.2.1: nobody asks whether the answerer itself is revoked */
    if (rc == 0 && (p->eku & EKU_OCSP)) {
        ASN1_NULL *null = ASN1_NULL_new();
        CHECK(null);
        rc = add_extension(x, NID_id_pkix_OCSP_noCheck, null, false, e);
        ASN1_NULL_free(null);
    }
    sk_ASN1_OBJECT_pop_free(eku, ASN1_OBJECT_free); /* OpenSSL's static ones stay */
    return rc;
}

static int add_key_identifiers(X509 *x, const struct issue_plan *p, struct err *e)
{
    ASN1_OCTET_STRING *own = key_identifier(x);
    int rc = add_extension(x, NID_subject_key_identifier, own, false, e);

    ASN1_OCTET_STRING_free(own);
    if (rc == 0 && p->issuer) {
        const ASN1_OCTET_STRING *theirs = X509_get0_subject_key_id(p->issuer->x509);
        AUTHORITY_KEYID *akid = AUTHORITY_KEYID_new();
        CHECK(akid);
        if (theirs) {
            akid->keyid = ASN1_OCTET_STRING_dup(theirs);
            rc = add_extension(x, NID_authority_key_identifier, akid, false, e);
        }
        AUTHORITY_KEYID_free(akid);
    }
    return rc;
}

static int add_names(X509 *x, const struct issue_plan *p, struct err *e)
{
    GENERAL_NAMES *san;
    /* RFC 5280 section 4.2.1.6: critical where the subject is empty */
    bool critical = X509_NAME_entry_count(X509_get_subject_name(x)) == 0;
    int rc;

    if (!p->names || p->names->n == 0)
        return 0;
    san = general_names_write(p->names);
    if (!san)
        return err_set(e, -EINVAL, "a name of the certificate cannot be written");
    rc = add_extension(x, NID_subject_alt_name, san, critical, e);
    GENERAL_NAMES_free(san);
    return rc;
}

static int add_constraints(X509 *x, const struct issue_plan *p, struct err *e)
{
    NAME_CONSTRAINTS *nc;
    int rc;

    if (p->profile->path < 0)
        return 0;
    nc = constraints_write(p->permitted);
    rc = add_extension(x, NID_name_constraints, nc, true, e);
    NAME_CONSTRAINTS_free(nc);
    return rc;
}

static int add_crl_url(X509 *x, int nid, const char *url, struct err *e)
{
    CRL_DIST_POINTS *points;
    int rc;

    if (!url || !url[0])
        return 0;
    points = distribution_points(url);
    rc = add_extension(x, nid, points, false, e);
    CRL_DIST_POINTS_free(points);
    return rc;
}

static void push_access(AUTHORITY_INFO_ACCESS *all, int method, const char *url)
{
    ACCESS_DESCRIPTION *one;

    if (!url || !url[0])
        return;
    one = ACCESS_DESCRIPTION_new();
    CHECK(one);
    ASN1_OBJECT_free(one->method);
    one->method = OBJ_nid2obj(method);
    GENERAL_NAME_set0_value(one->location, GEN_URI, uri_string(url));
    CHECK(sk_ACCESS_DESCRIPTION_push(all, one) > 0);
}

static int add_access(X509 *x, const struct issue_plan *p, struct err *e)
{
    AUTHORITY_INFO_ACCESS *all = sk_ACCESS_DESCRIPTION_new_null();
    int rc = 0;

    CHECK(all);
    push_access(all, NID_ad_OCSP, p->ocsp_url);
    push_access(all, NID_ad_ca_issuers, p->issuer_url);
    if (sk_ACCESS_DESCRIPTION_num(all) > 0)
        rc = add_extension(x, NID_info_access, all, false, e);
    AUTHORITY_INFO_ACCESS_free(all);
    return rc;
}

static int check_plan(const struct issue_plan *p, struct err *e)
{
    unsigned kinds = 0;

    for (uint32_t i = 0; p->names && i < p->names->n; i++) {
        kinds = 1u << p->names->v[i].type;
        if (!(p->profile->names & kinds))
            return err_set(e, -EINVAL, "the %s name %s has no place in a certificate of profile %s",
                           cert_name_type_name(p->names->v[i].type), p->names->v[i].text,
                           p->profile->name);
    }
    if (p->profile->names && !kinds)
        return err_set(e, -EINVAL, "a certificate of profile %s needs at least one name",
                       p->profile->name);
    if (p->profile->path >= 0 && (!p->permitted || !permitted_complete(p->permitted)))
        return err_set(e, -EINVAL,
                       "a CA needs permitted names of every kind: DNS, e-mail, IPv4 and IPv6");
    if (p->not_after <= p->not_before)
        return err_set(e, -EINVAL, "the certificate would end before it begins");
    return 0;
}

static int set_key(X509 *x, const struct issue_plan *p, char key_type[16], struct err *e)
{
    const unsigned char *at = (const unsigned char *)p->spki.p;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)p->spki.n);
    unsigned security = 0;
    int rc = 0;

    if (!key || !key_type_of(key, key_type, &security) || security < 112)
        rc = err_set(e, -EINVAL,
                     "the public key is of no kind that is certified here: take P-256, P-384, "
                     "Ed25519 or RSA of 2048 bits or more");
    else if (X509_set_pubkey(x, key) != 1)
        rc = err_set(e, -EINVAL, "the public key cannot be written");
    EVP_PKEY_free(key);
    return rc;
}

static int set_fields(X509 *x, const struct issue_plan *p, struct err *e)
{
    BIGNUM *serial = BN_bin2bn(p->serial, ISSUE_SERIAL_BYTES, NULL);
    int64_t end = p->not_after;
    int rc;

    CHECK(serial && BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)));
    BN_free(serial);
    if (p->issuer && p->issuer->not_after < end)
        end = p->issuer->not_after;
    if (end <= p->not_before)
        return err_set(e, -EINVAL, "the CA %s has itself expired; make a new issuing CA",
                       p->issuer->subject);
    CHECK(X509_set_version(x, X509_VERSION_3) == 1);
    if (!ASN1_TIME_adj(X509_getm_notBefore(x), (time_t)p->not_before, 0, 0) ||
        !ASN1_TIME_adj(X509_getm_notAfter(x), (time_t)end, 0, 0))
        return err_set(e, -EINVAL, "the dates of the certificate cannot be written");
    rc = p->same_subject
             ? X509_set_subject_name(x, X509_get_subject_name(p->same_subject->x509)) == 1 ? 0
                                                                                           : -ENOMEM
             : subject_write(p->subject, X509_get_subject_name(x), e);
    if (rc < 0)
        return rc;
    CHECK(X509_set_issuer_name(x, p->issuer ? X509_get_subject_name(p->issuer->x509)
                                            : X509_get_subject_name(x)) == 1);
    return 0;
}

static int build(X509 *x, const struct issue_plan *p, struct err *e)
{
    char key_type[16];
    int rc;

    if ((rc = check_plan(p, e)) < 0 || (rc = set_fields(x, p, e)) < 0 ||
        (rc = set_key(x, p, key_type, e)) < 0 || (rc = add_basic(x, p->profile, p->path, e)) < 0 ||
        (rc = add_usage(x, p->profile, key_type, e)) < 0 ||
        (rc = add_purposes(x, p->profile, e)) < 0 || (rc = add_key_identifiers(x, p, e)) < 0 ||
        (rc = add_names(x, p, e)) < 0 || (rc = add_constraints(x, p, e)) < 0 ||
        (rc = add_crl_url(x, NID_crl_distribution_points, p->crl_url, e)) < 0 ||
        (rc = add_crl_url(x, NID_freshest_crl, p->delta_url, e)) < 0 ||
        (rc = add_access(x, p, e)) < 0)
        return rc;
    return 0;
}

/* The algorithm belongs to the signer's key: the issuer's, or that which is certified. */
static const EVP_MD *signing_digest(X509 *x, const struct issue_plan *p)
{
    char key_type[16];
    unsigned security;
    EVP_PKEY *key;

    if (p->issuer)
        return key_digest(p->issuer->key_type);
    key = X509_get0_pubkey(x);
    return key && key_type_of(key, key_type, &security) ? key_digest(key_type) : EVP_sha256();
}

int issue_certificate(const struct issue_plan *p, struct buf *ret_der, struct err *e)
{
    X509 *x = X509_new();
    unsigned char *der = NULL;
    char why[200];
    int n, rc;

    CHECK(x);
    ERR_clear_error();
    rc = build(x, p, e);
    if (rc == 0 && X509_sign(x, p->signer, signing_digest(x, p)) <= 0)
        rc = err_set(e, -EKEYREJECTED, "the key of the CA did not sign: %s", openssl_error(why));
    if (rc == 0) {
        n = i2d_X509(x, &der);
        if (n <= 0 || n > CERTIFICATE_DER_MAX || !buf_put(ret_der, der, (size_t)n))
            rc = err_set(e, -EMSGSIZE, "the certificate would be longer than %d bytes",
                         CERTIFICATE_DER_MAX);
    }
    OPENSSL_free(der);
    X509_free(x);
    ERR_clear_error();
    return rc;
}

int subject_der(const struct cert_subject *s, struct buf *out, struct err *e)
{
    X509_NAME *name = X509_NAME_new();
    unsigned char *der = NULL;
    int n, rc;

    CHECK(name);
    rc = subject_write(s, name, e);
    if (rc == 0) {
        n = i2d_X509_NAME(name, &der);
        if (n <= 0 || !buf_put(out, der, (size_t)n))
            rc = err_set(e, -EMSGSIZE, "the subject is too long");
    }
    OPENSSL_free(der);
    X509_NAME_free(name);
    ERR_clear_error();
    return rc;
}
