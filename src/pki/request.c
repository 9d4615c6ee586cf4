#include "pki/request.h"
#include "base/check.h"
#include "pki/extension.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

/* What is asked for: names, or to become a CA that may certify what is permitted. */
struct asked_for {
    const struct cert_names *names;
    const struct permitted *permitted;
};

static bool ask_names(STACK_OF(X509_EXTENSION) * *all, const struct cert_names *names)
{
    GENERAL_NAMES *san = general_names_write(names);
    bool ok = san && X509V3_add1_i2d(all, NID_subject_alt_name, san, 0, X509V3_ADD_APPEND) == 1;

    GENERAL_NAMES_free(san);
    return ok;
}

static bool ask_ca(STACK_OF(X509_EXTENSION) * *all, const struct permitted *permitted)
{
    static const int bits[] = {0, 5, 6}; /* digitalSignature, keyCertSign, cRLSign */
    BASIC_CONSTRAINTS *bc = BASIC_CONSTRAINTS_new();
    ASN1_BIT_STRING *use = ASN1_BIT_STRING_new();
    NAME_CONSTRAINTS *nc = constraints_write(permitted);
    bool ok;

    CHECK(bc && use);
    bc->ca = 0xff;
    bc->pathlen = ASN1_INTEGER_new();
    CHECK(bc->pathlen && ASN1_INTEGER_set(bc->pathlen, 0) == 1);
    for (size_t i = 0; i < ARRAY_LEN(bits); i++)
        CHECK(ASN1_BIT_STRING_set_bit(use, bits[i], 1) == 1);
    ok = X509V3_add1_i2d(all, NID_basic_constraints, bc, 1, X509V3_ADD_APPEND) == 1 &&
         X509V3_add1_i2d(all, NID_key_usage, use, 1, X509V3_ADD_APPEND) == 1 &&
         X509V3_add1_i2d(all, NID_name_constraints, nc, 1, X509V3_ADD_APPEND) == 1;
    BASIC_CONSTRAINTS_free(bc);
    ASN1_BIT_STRING_free(use);
    NAME_CONSTRAINTS_free(nc);
    return ok;
}

static int request_fill(X509_REQ *q, EVP_PKEY *public_key, const struct cert_subject *subject,
                        const struct asked_for *what, struct err *e)
{
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    int rc = subject_write(subject, X509_REQ_get_subject_name(q), e);

    if (rc < 0)
        return rc;
    if (X509_REQ_set_pubkey(q, public_key) != 1 || X509_REQ_set_version(q, 0) != 1)
        return err_set(e, -EINVAL, "the public key cannot be written");
    if (!what->permitted && (!what->names || what->names->n == 0))
        return 0;
    if (!(what->permitted ? ask_ca(&extensions, what->permitted)
                          : ask_names(&extensions, what->names)) ||
        X509_REQ_add_extensions(q, extensions) != 1)
        rc = err_set(e, -EINVAL, "the extensions of the request cannot be written");
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return rc;
}

static int request_write(X509_REQ *q, struct buf *out, struct err *e)
{
    unsigned char *der = NULL;
    int n = i2d_X509_REQ(q, &der), rc = 0;

    if (n <= 0 || n > REQUEST_DER_MAX || !buf_put(out, der, (size_t)n))
        rc = err_set(e, -EMSGSIZE, "the request would be longer than %d bytes", REQUEST_DER_MAX);
    OPENSSL_free(der);
    return rc;
}

static int make(EVP_PKEY *key, struct span spki, const struct cert_subject *subject,
                const struct asked_for *what, struct buf *ret_der, struct err *e)
{
    const unsigned char *at = (const unsigned char *)spki.p;
    EVP_PKEY *public_key;
    X509_REQ *q = X509_REQ_new();
    char key_type[16], why[200];
    unsigned security;
    int rc;

    CHECK(q);
    ERR_clear_error();
    public_key = d2i_PUBKEY(NULL, &at, (long)spki.n);
    if (!public_key || !key_type_of(public_key, key_type, &security))
        rc = err_set(e, -EINVAL, "the public key cannot be read");
    else
        rc = request_fill(q, public_key, subject, what, e);
    if (rc == 0 && X509_REQ_sign(q, key, key_digest(key_type)) <= 0)
        rc = err_set(e, -EKEYREJECTED, "the key did not sign the request: %s", openssl_error(why));
    if (rc == 0)
        rc = request_write(q, ret_der, e);
    EVP_PKEY_free(public_key);
    X509_REQ_free(q);
    ERR_clear_error();
    return rc;
}

int request_make(EVP_PKEY *key, struct span spki, const struct cert_subject *subject,
                 const struct cert_names *names, struct buf *ret_der, struct err *e)
{
    return make(key, spki, subject, &(struct asked_for){.names = names}, ret_der, e);
}

int request_make_ca(EVP_PKEY *key, struct span spki, const struct cert_subject *subject,
                    const struct permitted *permitted, struct buf *ret_der, struct err *e)
{
    return make(key, spki, subject, &(struct asked_for){.permitted = permitted}, ret_der, e);
}

/* --- reading */

static void read_common_name(const X509_NAME *name, char *dst, size_t size)
{
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    unsigned char *utf8 = NULL;
    int n;

    if (at < 0)
        return;
    n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (n > 0 && !span_to_cstr(span_of(utf8, (size_t)n), dst, size))
        dst[0] = '\0';
    OPENSSL_free(utf8);
    for (; *dst; dst++)
        if ((unsigned char)*dst < 0x20 || *dst == 0x7f)
            *dst = '?';
}

static void read_names(X509_REQ *q, struct request *r)
{
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(q);
    GENERAL_NAMES *san = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);

    if (san)
        general_names_read(san, &r->names, &r->names_ignored);
    GENERAL_NAMES_free(san);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

static int read_request(X509_REQ *q, struct request *r, struct err *e)
{
    EVP_PKEY *key = X509_REQ_get0_pubkey(q);
    unsigned security;
    unsigned char *der = NULL;
    int n;

    if (!key || !key_type_of(key, r->key_type, &security))
        return err_set(e, -EBADMSG, "the key of the request is of a kind that is not known here");
    if (X509_REQ_verify(q, key) != 1)
        return err_set(e, -EKEYREJECTED,
                       "the request is not signed by its own key; make it anew on the machine that "
                       "has the key");
    n = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(q), &der);
    if (n <= 0)
        return err_set(e, -EBADMSG, "the key of the request cannot be read");
    r->spki = (unsigned char *)span_dup(span_of(der, (size_t)n));
    r->spki_bytes = (size_t)n;
    OPENSSL_free(der);
    certificate_name_line(X509_REQ_get_subject_name(q), r->subject, sizeof(r->subject));
    read_common_name(X509_REQ_get_subject_name(q), r->common_name, sizeof(r->common_name));
    read_names(q, r);
    return 0;
}

static int parse_der(struct span der, struct request **ret, struct err *e)
{
    const unsigned char *at = (const unsigned char *)der.p;
    struct request *r;
    X509_REQ *q;
    char why[200];
    int rc;

    if (der.n == 0 || der.n > REQUEST_DER_MAX)
        return err_set(e, -EMSGSIZE, "this is no request: %zu bytes, 1 to %d are taken", der.n,
                       REQUEST_DER_MAX);
    ERR_clear_error();
    q = d2i_X509_REQ(NULL, &at, (long)der.n);
    if (!q || (size_t)(at - (const unsigned char *)der.p) != der.n) {
        rc = err_set(e, -EBADMSG, "this is no certificate request (%s)",
                     q ? "bytes behind its end" : openssl_error(why));
        X509_REQ_free(q);
        return rc;
    }
    r = calloc(1, sizeof(*r));
    CHECK(r);
    rc = read_request(q, r, e);
    X509_REQ_free(q);
    ERR_clear_error();
    if (rc < 0) {
        request_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

int request_parse(struct span text, struct request **ret, struct err *e)
{
    static const char *const labels[] = {"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"};
    struct buf der BUF_AUTO = BUF(2 * REQUEST_DER_MAX);
    bool damaged;

    if (text.n > 4 * REQUEST_DER_MAX)
        return err_set(e, -EMSGSIZE, "this is no request: %zu bytes, at most %d are taken", text.n,
                       4 * REQUEST_DER_MAX);
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        struct span rest = text;
        if (pem_next(&rest, labels[i], &der, &damaged))
            return parse_der(buf_span(&der), ret, e);
        if (damaged)
            return err_set(e, -EBADMSG, "the request is cut off or damaged (no clean PEM)");
    }
    return parse_der(text, ret, e);
}

void request_free(struct request *r)
{
    if (!r)
        return;
    free(r->spki);
    cert_names_done(&r->names);
    free(r);
}
