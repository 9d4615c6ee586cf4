/* What shows control over a name: pure judgements about what was fetched (RFC 8555 section 8, RFC
 * 8737 section 3). */
#include "enrol/enrol.h"

#include "base/base64.h"
#include "base/check.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#define ACME_IDENTIFIER_OID "1.3.6.1.5.5.7.1.31"

static void digest(const char *proof, unsigned char ret[32])
{
    CHECK(EVP_Digest(proof, strlen(proof), ret, NULL, EVP_sha256(), NULL) == 1);
}

void enrol_dns_value(const char *proof, struct buf *out)
{
    unsigned char md[EVP_MAX_MD_SIZE];

    digest(proof, md);
    base64url_encode(out, span_of(md, 32));
}

bool enrol_http_holds(struct span body, const struct enrol_check *k)
{
    while (body.n && strchr(" \t\r\n", body.p[body.n - 1]))
        body.n--;
    return span_eq_cstr(body, k->proof);
}

static bool has_one_name(X509 *x, const struct enrol_check *k)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    unsigned char bytes[16];
    unsigned n = cert_name_ip_bytes(k->name, bytes);
    bool ok = false;

    if (all && sk_GENERAL_NAME_num(all) == 1) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, 0);
        int type;
        const ASN1_STRING *s = GENERAL_NAME_get0_value(one, &type);
        if (type == GEN_DNS && !k->address)
            ok = span_is(span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)), k->name);
        else if (type == GEN_IPADD && k->address)
            ok = span_eq(span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)),
                         span_of(bytes, n));
    }
    GENERAL_NAMES_free(all);
    return ok;
}

/* An OCTET STRING with the digest, critical, and once. */
static bool has_digest(X509 *x, const struct enrol_check *k)
{
    unsigned char want[EVP_MAX_MD_SIZE];
    ASN1_OBJECT *oid = OBJ_txt2obj(ACME_IDENTIFIER_OID, 1);
    int at = oid ? X509_get_ext_by_OBJ(x, oid, -1) : -1;
    bool once = at >= 0 && X509_get_ext_by_OBJ(x, oid, at) < 0;
    X509_EXTENSION *ext = once ? X509_get_ext(x, at) : NULL;

    ASN1_OBJECT_free(oid);
    if (!ext || !X509_EXTENSION_get_critical(ext))
        return false;
    const ASN1_OCTET_STRING *v = X509_EXTENSION_get_data(ext);
    struct span der = span_of(ASN1_STRING_get0_data(v), (size_t)ASN1_STRING_length(v));
    digest(k->proof, want);
    return der.n == 34 && der.p[0] == 0x04 && der.p[1] == 32 && memcmp(der.p + 2, want, 32) == 0;
}

bool enrol_alpn_holds(struct x509_st *x, const struct enrol_check *k, struct err *e)
{
    bool name = has_one_name(x, k), proof = name && has_digest(x, k);

    ERR_clear_error();
    if (!proof)
        err_set(e, -EACCES, "the certificate shown for %.200s %s", k->name,
                name ? "has another acmeIdentifier, or none that is critical"
                     : "has not exactly that name");
    return proof;
}
