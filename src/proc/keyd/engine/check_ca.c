/* check_ca.c: what a CA signs: requests, certificates, CRLs and OCSP answers (RFC 2986, RFC 5280,
 * RFC 6960), held to the key's profile. */
#include "proc/keyd/engine/check.h"

#include "base/check.h"
#include "pki/certificate.h"
#include "pki/key_algorithm.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

enum { EXTENSIONS_MAX = 40, SERIAL_BYTES_MAX = 20, SECURITY_BITS_MIN = 112 };

/* --- a to-be-signed text as the object it will become: SEQUENCE { text, algorithm, signature } */

static void wrap(struct span text, X509_ALGOR *algorithm, struct buf *out)
{
    static const unsigned char no_signature[] = {0x03, 0x02, 0x00, 0x00};
    unsigned char *alg = NULL, head[16], *p = head;
    int n = i2d_X509_ALGOR(algorithm, &alg);

    CHECK(n > 0);
    ASN1_put_object(&p, 1, (int)text.n + n + (int)sizeof no_signature, V_ASN1_SEQUENCE,
                    V_ASN1_UNIVERSAL);
    buf_put(out, head, (size_t)(p - head));
    buf_put_span(out, text);
    buf_put(out, alg, (size_t)n);
    buf_put(out, no_signature, sizeof no_signature);
    OPENSSL_free(alg);
    CHECK(!out->overflow);
}

/* What the parser understood must be all that stands there, in its only encoding: encoded anew it
 * is the same. Takes der. */
static bool same_der(struct span text, unsigned char *der, int n)
{
    bool same = n >= 0 && span_eq(text, span_of(der, (size_t)n));
    OPENSSL_free(der);
    return same;
}

static bool name_bytes(const X509_NAME *name, struct buf *out)
{
    unsigned char *der = NULL;
    int n = i2d_X509_NAME(name, &der);
    bool ok = n > 0 && buf_put(out, der, (size_t)n);

    OPENSSL_free(der);
    return ok;
}

static bool is_own_spki(const struct keyd_key *k, X509_PUBKEY *spki)
{
    unsigned char *der = NULL;
    int n = spki == NULL ? -1 : i2d_X509_PUBKEY(spki, &der);

    return same_der(span_of(k->info.spki, k->info.spki_bytes), der, n);
}

/* By their bytes: X509_ALGOR_cmp takes packed parameters for others than the same ones parsed. */
static bool same_algorithm(const X509_ALGOR *a, const X509_ALGOR *b)
{
    unsigned char *x = NULL, *y = NULL;
    int n = i2d_X509_ALGOR(a, &x), m = i2d_X509_ALGOR(b, &y);
    bool same = n > 0 && m > 0 && span_eq(span_of(x, (size_t)n), span_of(y, (size_t)m));

    OPENSSL_free(x);
    OPENSSL_free(y);
    return same;
}

/* --- requests */

static const char *csr_faults(const struct keyd_key *k, struct span text, X509_REQ *req,
                              struct buf *name)
{
    unsigned char *der = NULL;
    int n = i2d_re_X509_REQ_tbs(req, &der);

    if (!same_der(text, der, n))
        return "the request is not in DER";
    if (X509_REQ_get_version(req) != X509_REQ_VERSION_1)
        return "the request is not of version 1";
    if (!is_own_spki(k, X509_REQ_get_X509_PUBKEY(req)))
        return "the request is for another key";
    return name_bytes(X509_REQ_get_subject_name(req), name) ? NULL : "the subject is unusable";
}

const char *check_csr(const struct keyd_key *k, const struct key_sign_request *r, struct buf *name)
{
    struct buf der BUF_AUTO = BUF(KEY_TBS_MAX + 2048);
    X509_ALGOR *a = key_algorithm_identifier(r->algorithm, r->digest);
    const char *why = "not a certification request";
    const unsigned char *p;
    X509_REQ *req;

    if (a == NULL)
        return "the algorithm has no name in X.509";
    wrap(r->text, a, &der);
    X509_ALGOR_free(a);
    p = (const unsigned char *)der.p;
    req = d2i_X509_REQ(NULL, &p, (long)der.n);
    if (req != NULL && p == (const unsigned char *)der.p + der.n)
        why = csr_faults(k, r->text, req, name);
    X509_REQ_free(req);
    return why;
}

/* --- certificates */

static const char *serial_faults(const X509 *x)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    const unsigned char *p = ASN1_STRING_get0_data(serial);
    int n = ASN1_STRING_length(serial);
    bool zero = true;

    for (int i = 0; i < n; i++)
        zero &= p[i] == 0;
    return zero || n > SERIAL_BYTES_MAX || ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER
               ? "the serial number is not positive or too long"
               : NULL;
}

static const char *validity_faults(const struct keyd_key *k, const X509 *x, bool own)
{
    int days = 0, seconds = 0;

    if (ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(x), X509_get0_notAfter(x)) != 1 ||
        days < 0 || (days == 0 && seconds <= 0))
        return "it ends before it begins";
    if (!own && k->profile.max_days > 0 &&
        (int64_t)days * 86400 + seconds > (int64_t)k->profile.max_days * 86400)
        return "it lives longer than this CA may issue for";
    return NULL;
}

static const char *extension_faults(const X509 *x)
{
    int n = X509_get_ext_count(x);

    if (n > EXTENSIONS_MAX)
        return "too many extensions";
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            if (OBJ_cmp(X509_EXTENSION_get_object(X509_get_ext(x, i)),
                        X509_EXTENSION_get_object(X509_get_ext(x, j))) == 0)
                return "an extension stands there twice";
    return NULL;
}

static bool extension_is_critical(const X509 *x, int nid)
{
    int at = X509_get_ext_by_NID(x, nid, -1);
    return at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x, at));
}

static const char *ca_faults(const struct keyd_key *k, X509 *x, bool own)
{
    uint32_t usage = X509_get_key_usage(x);
    long pathlen = X509_get_pathlen(x);

    if (!extension_is_critical(x, NID_basic_constraints) || usage == UINT32_MAX ||
        (usage & KU_KEY_CERT_SIGN) == 0)
        return "a CA certificate needs critical basicConstraints and keyCertSign";
    if (own)
        return pathlen > k->profile.levels ? "the path length is greater than the profile's" : NULL;
    if (k->profile.levels == 0)
        return "this CA issues to end entities only";
    if (pathlen < 0 || pathlen >= k->profile.levels)
        return "a CA below this one needs a path length within the profile";
    return NULL;
}

static const char *end_entity_faults(const struct keyd_key *k, X509 *x)
{
    uint32_t usage = X509_get_key_usage(x);
    unsigned purposes, extended = certificate_ext_usage(x, &purposes);

    if (usage != UINT32_MAX && (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0)
        return "an end entity with a CA's key usage";
    if (extended == UINT32_MAX || extended == 0 || (extended & XKU_ANYEKU) != 0)
        return "an end entity needs extended key usages, and not any";
    /* what signs reports of evidence does nothing else, nor does anything else sign them */
    if ((extended & CERTIFICATE_XKU_DOCUMENT) != 0 && purposes != 1)
        return "document signing stands beside other extended key usages";
    if (k->profile.client_only && extended != XKU_SSL_CLIENT)
        return "this CA issues clientAuth certificates only";
    return NULL;
}

static const char *certificate_faults(const struct keyd_key *k, struct span text, X509_ALGOR *a,
                                      X509 *x, struct buf *issuer)
{
    struct buf subject BUF_AUTO = BUF(KEY_TBS_MAX);
    bool own = is_own_spki(k, X509_get_X509_PUBKEY(x));
    unsigned char *der = NULL;
    const EVP_PKEY *key;
    const char *why;
    uint32_t flags;
    int n;

    if (X509_get_version(x) != X509_VERSION_3)
        return "not of version 3";
    if (!same_algorithm(X509_get0_tbs_sigalg(x), a))
        return "it names another signature algorithm";
    if (!name_bytes(X509_get_issuer_name(x), issuer) ||
        !name_bytes(X509_get_subject_name(x), &subject))
        return "a name is unusable";
    if ((why = serial_faults(x)) != NULL || (why = validity_faults(k, x, own)) != NULL ||
        (why = extension_faults(x)) != NULL)
        return why;
    if (own && (!k->profile.root || !span_eq(buf_span(issuer), buf_span(&subject))))
        return "a certificate for the CA's own key, which the profile does not allow";
    key = X509_get0_pubkey(x);
    if (key == NULL || EVP_PKEY_get_security_bits(key) < SECURITY_BITS_MIN)
        return "the subject's key is too weak or of an unknown kind";
    flags = X509_get_extension_flags(x);
    if (flags & EXFLAG_INVALID)
        return "its extensions contradict each other";
    if (own && (flags & EXFLAG_CA) == 0)
        return "the CA's own certificate must be a CA's";
    why = flags & EXFLAG_CA ? ca_faults(k, x, own) : end_entity_faults(k, x);
    if (why != NULL)
        return why;
    n = i2d_re_X509_tbs(x, &der); /* last: it marks x as changed */
    return same_der(text, der, n) ? NULL : "not in DER";
}

const char *check_certificate(const struct keyd_key *k, const struct key_sign_request *r,
                              struct buf *name)
{
    struct buf der BUF_AUTO = BUF(KEY_TBS_MAX + 2048);
    X509_ALGOR *a = key_algorithm_identifier(r->algorithm, r->digest);
    const char *why = "not a to-be-signed certificate";
    const unsigned char *p;
    X509 *x;

    if (a == NULL)
        return "the algorithm has no name in X.509";
    wrap(r->text, a, &der);
    p = (const unsigned char *)der.p;
    x = d2i_X509(NULL, &p, (long)der.n);
    if (x != NULL && p == (const unsigned char *)der.p + der.n)
        why = certificate_faults(k, r->text, a, x, name);
    X509_free(x);
    X509_ALGOR_free(a);
    return why;
}

/* --- the certificate that answers a tls-alpn-01 challenge (RFC 8737 section 3): for the key itself,
 * worth nothing but for the CA that looks at it */

#define CHALLENGE_NAME "sealpost ACME challenge"
enum {
    CHALLENGE_DAYS_MAX = 8,
    CHALLENGE_BYTES_MIN = 64 + 4 + 133 + 1, /* longer than any text of a TLS 1.2 handshake */
};

static bool is_challenge_name(const X509_NAME *name)
{
    char text[64];

    return X509_NAME_entry_count(name) == 1 &&
           X509_NAME_get_text_by_NID((X509_NAME *)(uintptr_t)name, NID_commonName, text,
                                     sizeof text) > 0 &&
           strcmp(text, CHALLENGE_NAME) == 0;
}

/* Critical acmeIdentifier with 32 bytes, and the name; nothing else. */
static bool has_challenge_extensions(const X509 *x)
{
    ASN1_OBJECT *want = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    int at = want == NULL ? -1 : X509_get_ext_by_OBJ(x, want, -1);
    X509_EXTENSION *ext = at < 0 ? NULL : X509_get_ext(x, at);

    ASN1_OBJECT_free(want);
    return ext != NULL && X509_EXTENSION_get_critical(ext) &&
           ASN1_STRING_length(X509_EXTENSION_get_data(ext)) == 34 && X509_get_ext_count(x) == 2 &&
           X509_get_ext_by_NID(x, NID_subject_alt_name, -1) >= 0;
}

static const char *challenge_faults(const struct keyd_key *k, struct span text, X509_ALGOR *a,
                                    X509 *x)
{
    unsigned char *der = NULL;
    int days = 0, seconds = 0, n;

    if (X509_get_version(x) != X509_VERSION_3 || !same_algorithm(X509_get0_tbs_sigalg(x), a) ||
        serial_faults(x) != NULL)
        return "not a challenge's certificate: version, algorithm or serial number";
    if (!is_own_spki(k, X509_get_X509_PUBKEY(x)))
        return "the challenge's certificate is for another key";
    if (!is_challenge_name(X509_get_issuer_name(x)) || !is_challenge_name(X509_get_subject_name(x)))
        return "the challenge's certificate has another name";
    if (!has_challenge_extensions(x))
        return "a challenge's certificate has acmeIdentifier and a name, and nothing else";
    if (ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(x), X509_get0_notAfter(x)) != 1 ||
        days < 0 || days > CHALLENGE_DAYS_MAX)
        return "a challenge's certificate lives for a few days";
    n = i2d_re_X509_tbs(x, &der);
    return same_der(text, der, n) ? NULL : "not in DER";
}

const char *check_challenge_certificate(const struct keyd_key *k, const struct key_sign_request *r)
{
    struct buf der BUF_AUTO = BUF(KEY_TBS_MAX + 2048);
    X509_ALGOR *a = key_algorithm_identifier(r->algorithm, r->digest);
    const char *why = "not a to-be-signed certificate";
    const unsigned char *p;
    X509 *x;

    if (a == NULL)
        return "the algorithm has no name in X.509";
    wrap(r->text, a, &der);
    p = (const unsigned char *)der.p;
    x = r->text.n < CHALLENGE_BYTES_MIN ? NULL : d2i_X509(NULL, &p, (long)der.n);
    if (x != NULL && p == (const unsigned char *)der.p + der.n)
        why = challenge_faults(k, r->text, a, x);
    X509_free(x);
    X509_ALGOR_free(a);
    return why;
}

/* --- CRLs */

/* TBSCertList: SEQUENCE { version INTEGER, signature AlgorithmIdentifier, … }; OpenSSL shows only
 * the outer algorithm. */
static bool crl_names_algorithm(struct span text, X509_ALGOR *a)
{
    const unsigned char *p = (const unsigned char *)text.p, *end = p + text.n;
    unsigned char *want = NULL;
    long n;
    int tag, class, want_n;
    bool same;

    if (ASN1_get_object(&p, &n, &tag, &class, (long)text.n) & 0x80 || tag != V_ASN1_SEQUENCE)
        return false;
    if (ASN1_get_object(&p, &n, &tag, &class, (long)(end - p)) & 0x80 || tag != V_ASN1_INTEGER)
        return false;
    p += n;
    want_n = i2d_X509_ALGOR(a, &want);
    CHECK(want_n > 0);
    same = end - p >= want_n && memcmp(p, want, (size_t)want_n) == 0;
    OPENSSL_free(want);
    return same;
}

static const char *crl_faults(const struct keyd_key *k, struct span text, X509_ALGOR *a,
                              X509_CRL *crl, struct buf *issuer)
{
    unsigned char *der = NULL;
    int n = i2d_re_X509_CRL_tbs(crl, &der), days = 0, seconds = 0;
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);

    if (!same_der(text, der, n))
        return "the CRL is not in DER";
    if (X509_CRL_get_version(crl) != X509_CRL_VERSION_2 || !crl_names_algorithm(text, a))
        return "the CRL is not of version 2, or names another signature algorithm";
    if (next == NULL || ASN1_TIME_diff(&days, &seconds, X509_CRL_get0_lastUpdate(crl), next) != 1 ||
        days < 0 || (days == 0 && seconds <= 0))
        return "the CRL has no end or ends before it begins";
    if (X509_CRL_get_ext_by_NID(crl, NID_crl_number, -1) < 0)
        return "the CRL has no number";
    return name_bytes(X509_CRL_get_issuer(crl), issuer) ? NULL : "the issuer's name is unusable";
}

const char *check_crl(const struct keyd_key *k, const struct key_sign_request *r, struct buf *name)
{
    struct buf der BUF_AUTO = BUF(KEY_TBS_MAX + 2048);
    X509_ALGOR *a = key_algorithm_identifier(r->algorithm, r->digest);
    const char *why = "not a to-be-signed CRL";
    const unsigned char *p;
    X509_CRL *crl;

    if (a == NULL)
        return "the algorithm has no name in X.509";
    wrap(r->text, a, &der);
    p = (const unsigned char *)der.p;
    crl = d2i_X509_CRL(NULL, &p, (long)der.n);
    if (crl != NULL && p == (const unsigned char *)der.p + der.n)
        why = crl_faults(k, r->text, a, crl, name);
    X509_CRL_free(crl);
    X509_ALGOR_free(a);
    return why;
}

/* --- OCSP answers */

/* byKey: SHA-1 of the public key's bits (RFC 6960 section 4.2.1). */
static bool is_own_key_hash(const struct keyd_key *k, const ASN1_OCTET_STRING *hash)
{
    const unsigned char *p = k->info.spki, *bits;
    X509_PUBKEY *spki = d2i_X509_PUBKEY(NULL, &p, k->info.spki_bytes);
    unsigned char md[20];
    int n = 0;
    bool same;

    if (spki == NULL)
        return false;
    X509_PUBKEY_get0_param(NULL, &bits, &n, NULL, spki);
    same = EVP_Digest(bits, (size_t)n, md, NULL, EVP_sha1(), NULL) == 1 &&
           ASN1_STRING_length(hash) == (int)sizeof md &&
           memcmp(ASN1_STRING_get0_data(hash), md, sizeof md) == 0;
    X509_PUBKEY_free(spki);
    return same;
}

static const char *ocsp_faults(const struct keyd_key *k, struct span text, OCSP_BASICRESP *basic,
                               struct buf *responder)
{
    const ASN1_OCTET_STRING *hash = NULL;
    const X509_NAME *name = NULL;
    unsigned char *der = NULL;
    int n = i2d_OCSP_RESPDATA(OCSP_resp_get0_respdata(basic), &der);

    if (!same_der(text, der, n))
        return "the OCSP answer is not in DER";
    if (OCSP_resp_count(basic) < 1)
        return "the OCSP answer says nothing";
    if (OCSP_resp_get0_id(basic, &hash, &name) != 1)
        return "the OCSP answer has no responder";
    if (hash != NULL)
        return is_own_key_hash(k, hash) ? NULL : "the OCSP answer names another responder's key";
    return name_bytes(name, responder) ? NULL : "the responder's name is unusable";
}

const char *check_ocsp(const struct keyd_key *k, const struct key_sign_request *r, struct buf *name)
{
    struct buf der BUF_AUTO = BUF(KEY_TBS_MAX + 2048);
    X509_ALGOR *a = key_algorithm_identifier(r->algorithm, r->digest);
    const char *why = "not an OCSP answer";
    OCSP_BASICRESP *basic;
    const unsigned char *p;

    if (a == NULL)
        return "the algorithm has no name in X.509";
    wrap(r->text, a, &der);
    X509_ALGOR_free(a);
    p = (const unsigned char *)der.p;
    basic = d2i_OCSP_BASICRESP(NULL, &p, (long)der.n);
    if (basic != NULL && p == (const unsigned char *)der.p + der.n)
        why = ocsp_faults(k, r->text, basic, name);
    OCSP_BASICRESP_free(basic);
    return why;
}
