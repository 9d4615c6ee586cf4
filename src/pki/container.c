/* Files with certificates alone. */
#include "pki/container.h"
#include "base/check.h"
#include "pki/container_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>

int container_add_x509(struct chain *c, X509 *x, struct err *e)
{
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der), rc;

    if (n <= 0)
        return err_set(e, -EBADMSG, "a certificate in the file cannot be read");
    rc = container_add_der(c, span_of(der, (size_t)n), e);
    OPENSSL_free(der);
    return rc;
}

int container_add_der(struct chain *c, struct span der, struct err *e)
{
    int rc;

    for (size_t i = 0; i < c->n; i++)
        if (span_eq(certificate_der(c->v[i]), der))
            return 0;
    if (c->n == CERTIFICATE_CHAIN_MAX)
        return err_set(e, -E2BIG,
                       "more than %d certificates; give the server's and its issuers' only",
                       CERTIFICATE_CHAIN_MAX);
    rc = certificate_parse(der, &c->v[c->n], e);
    if (rc < 0)
        return c->n ? err_wrap(e, rc, "certificate %zu", c->n + 1) : rc;
    c->n++;
    return 0;
}

static int add_pkcs7(struct span der, struct chain *add, struct err *e)
{
    const unsigned char *at = (const unsigned char *)der.p;
    PKCS7 *p = d2i_PKCS7(NULL, &at, (long)der.n);
    STACK_OF(X509) *all = NULL;
    int rc = 0;

    if (!p || (size_t)(at - (const unsigned char *)der.p) != der.n || !PKCS7_type_is_signed(p) ||
        !p->d.sign) {
        PKCS7_free(p);
        ERR_clear_error();
        return err_set(
            e, -EBADMSG,
            "this is no PKCS#7 file with certificates; get it from the CA as PEM, DER or "
            "PKCS#7 (.p7b)");
    }
    all = p->d.sign->cert;
    if (!all || sk_X509_num(all) == 0)
        rc = err_set(e, -EBADMSG, "there is no certificate in the PKCS#7 file");
    for (int i = 0; rc == 0 && all && i < sk_X509_num(all); i++)
        rc = container_add_x509(add, sk_X509_value(all, i), e);
    PKCS7_free(p);
    ERR_clear_error();
    return rc;
}

static int add_blocks(struct span text, const char *label, bool pkcs7, struct chain *add,
                      unsigned *found, struct err *e)
{
    struct buf der BUF_AUTO = BUF(CONTAINER_BYTES_MAX);
    bool damaged;
    int rc = 0;

    while (rc == 0 && pem_next(&text, label, &der, &damaged)) {
        rc = pkcs7 ? add_pkcs7(buf_span(&der), add, e) : container_add_der(add, buf_span(&der), e);
        ++*found;
        buf_clear(&der);
    }
    if (rc == 0 && damaged)
        rc = err_set(e, -EBADMSG, "block %u (%s) is cut off or damaged: no clean PEM", *found + 1,
                     label);
    return rc;
}

int container_add_pem(struct span text, struct chain *add, unsigned *found, struct err *e)
{
    static const char *const labels[] = {"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE",
                                         "PKCS7"};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(labels); i++)
        if (i == 2 && span_find_span(text, SPAN("BEGIN TRUSTED CERTIFICATE")) != SPAN_NONE)
            rc = err_set(e, -EBADMSG,
                         "the file has OpenSSL's own form of a trusted certificate; write it anew "
                         "with `openssl x509`");
        else
            rc = add_blocks(text, labels[i], i == 3, add, found, e);
    return rc;
}

bool container_is_pem(struct span file)
{
    return span_find_span(file, SPAN("-----BEGIN ")) != SPAN_NONE;
}

/* SEQUENCE { OBJECT IDENTIFIER …: a PKCS#7, where a certificate has a SEQUENCE. */
static bool looks_like_pkcs7(struct span s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t head;

    if (s.n < 6 || p[0] != 0x30)
        return false;
    head = p[1] < 0x80 ? 2 : 2 + (size_t)(p[1] & 0x7f);
    return head < s.n && p[head] == 0x06;
}

int container_check_size(struct span file, struct err *e)
{
    if (file.n == 0)
        return err_set(e, -EBADMSG, "the file is empty");
    if (file.n > CONTAINER_BYTES_MAX)
        return err_set(e, -EMSGSIZE, "the file has %zu bytes, at most %d are taken", file.n,
                       CONTAINER_BYTES_MAX);
    return 0;
}

int container_certificates(struct span file, struct chain *add, struct err *e)
{
    unsigned found = 0;
    int rc = container_check_size(file, e);

    if (rc < 0)
        return rc;
    if (span_find_span(file, SPAN("PRIVATE KEY-----")) != SPAN_NONE)
        return err_set(e, -EINVAL,
                       "the file holds a private key; give the certificates alone, or use "
                       "`sealpost cert import` for a key made elsewhere");
    if (span_find_span(file, SPAN("CERTIFICATE REQUEST-----")) != SPAN_NONE)
        return err_set(
            e, -EINVAL,
            "this is a certificate request, not the answer to one; send it to the CA and "
            "install what comes back");
    if (!container_is_pem(file))
        return looks_like_pkcs7(file) ? add_pkcs7(file, add, e) : container_add_der(add, file, e);
    rc = container_add_pem(file, add, &found, e);
    return rc == 0 && found == 0 ? err_set(e, -EBADMSG, "there is no certificate in the file") : rc;
}

int container_pool(struct span file, const struct certificate *top, struct chain *add,
                   struct err *e)
{
    struct buf der BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    bool damaged;

    if (file.n > CONTAINER_POOL_BYTES_MAX)
        return err_set(e, -EMSGSIZE, "more than %d bytes of root certificates",
                       CONTAINER_POOL_BYTES_MAX);
    while (pem_next(&file, "CERTIFICATE", &der, &damaged)) {
        struct certificate *root = NULL;
        int rc = 0;
        if (certificate_parse(buf_span(&der), &root, e) == 0 &&
            X509_NAME_cmp(X509_get_issuer_name(top->x509), X509_get_subject_name(root->x509)) == 0)
            rc = container_add_der(add, buf_span(&der), e);
        certificate_free(root);
        if (rc < 0)
            return rc;
        buf_clear(&der);
    }
    ERR_clear_error();
    return 0;
}
