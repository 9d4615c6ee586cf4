#include "manager/evidence_sign.h"

#include "base/check.h"
#include "pki/ca_msg.h"
#include "pki/profile.h"
#include "pki/request.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <openssl/cms.h> /* has its functions for PEM behind pem.h only */

static int refuse(struct err *e, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *why = ERR_reason_error_string(code);

    err_set(e, -EKEYREJECTED, "%s: %s", what, why != NULL ? why : "unknown reason");
    ERR_clear_error();
    return -EKEYREJECTED;
}

/* A certificate for the key, from the own CA. */
static int certify(struct control *c, const struct conf *conf, EVP_PKEY *key, struct chain *ret,
                   char ret_serial[CERTIFICATE_SERIAL_MAX], struct err *e)
{
    struct buf request BUF_AUTO = BUF(REQUEST_DER_MAX), body BUF_AUTO = BUF(65536),
                       reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct cert_subject subject = {.common_name = CA_EVIDENCE_REQUESTER};
    struct ca_issue_msg m = {.names = CERT_NAMES_EMPTY};
    struct ca_issued_msg out;
    unsigned char *spki = NULL;
    int n = i2d_PUBKEY(key, &spki), r;

    CHECK(n > 0);
    cert_names_add_any(&m.names, span_cstr(conf->hostname));
    r = request_make(key, span_of(spki, (size_t)n), &subject, &m.names, &request, e);
    OPENSSL_free(spki);
    snprintf(m.profile, sizeof m.profile, "%s", cert_profile_get(PROFILE_EVIDENCE)->name);
    snprintf(m.requester, sizeof m.requester, CA_EVIDENCE_REQUESTER);
    m.request = buf_span(&request);
    wr_ca_issue(&body, &m);
    cert_names_done(&m.names);
    if (r == 0)
        r = control_call(c, ROLE_CAD, 0, MSG_CA_ISSUE, buf_span(&body), &reply, e);
    if (r < 0)
        return err_wrap(e, r, "a certificate to sign the report with");
    if (!rd_ca_issued(buf_span(&reply), &out) || chain_parse(out.chain, ret, e) < 0)
        return err_set(e, -EPROTO, "cad's answer has another form");
    snprintf(ret_serial, CERTIFICATE_SERIAL_MAX, "%s", out.serial);
    return 0;
}

static int sign(EVP_PKEY *key, const struct chain *chain, struct span content, struct buf *ret,
                struct err *e)
{
    STACK_OF(X509) *others = sk_X509_new_null();
    BIO *in = BIO_new_mem_buf(content.p, (int)content.n), *out = BIO_new(BIO_s_mem());
    unsigned flags = CMS_BINARY | CMS_DETACHED | CMS_NOSMIMECAP;
    CMS_ContentInfo *cms;
    char *p;
    long n;
    int r = 0;

    CHECK(others != NULL && in != NULL && out != NULL);
    for (size_t i = 1; i < chain->n; i++)
        sk_X509_push(others, chain->v[i]->x509);
    cms = CMS_sign(chain->v[0]->x509, key, others, in, flags);
    if (cms == NULL || PEM_write_bio_CMS(out, cms) != 1)
        r = refuse(e, "signing");
    n = BIO_get_mem_data(out, &p);
    if (r == 0)
        buf_put(ret, p, (size_t)n);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    BIO_free(out);
    sk_X509_free(others);
    return r;
}

int evidence_sign(struct control *c, const struct conf *conf, struct span content,
                  struct buf *ret_pem, char ret_serial[CERTIFICATE_SERIAL_MAX], struct err *e)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct chain chain = CHAIN_NONE;
    int r;

    CHECK(key != NULL);
    r = certify(c, conf, key, &chain, ret_serial, e);
    if (r == 0)
        r = sign(key, &chain, content, ret_pem, e);
    EVP_PKEY_free(key);
    chain_done(&chain);
    return r;
}

/* Who has signed, and whether that is somebody who signs reports: our CA certifies accounts, servers and programs too, and each of them could
 * make a signature. */
static int take_signer(CMS_ContentInfo *cms, struct evidence_signer *ret, struct err *e)
{
    STACK_OF(X509) *signers = CMS_get0_signers(cms);
    X509 *x = sk_X509_num(signers) == 1 ? sk_X509_value(signers, 0) : NULL;
    unsigned char *der = NULL;
    struct certificate *c = NULL;
    unsigned purposes = 0, uses = x != NULL ? certificate_ext_usage(x, &purposes) : 0;
    int n = x != NULL ? i2d_X509(x, &der) : -1, r;

    r = n > 0 ? certificate_parse(span_of(der, (size_t)n), &c, e)
              : err_set(e, -EKEYREJECTED, "it is not signed by one signer");
    OPENSSL_free(der);
    sk_X509_free(signers);
    if (r != 0)
        return r;
    snprintf(ret->name, sizeof ret->name, "%.*s", (int)sizeof ret->name - 1, c->subject);
    snprintf(ret->serial, sizeof ret->serial, "%s", c->serial);
    snprintf(ret->sha256, sizeof ret->sha256, "%s", c->sha256);
    ret->earlier_kind = uses == XKU_CODE_SIGN && strcmp(c->common_name, CA_EVIDENCE_REQUESTER) == 0;
    if (!ret->earlier_kind && (purposes != 1 || uses != CERTIFICATE_XKU_DOCUMENT ||
                               strcmp(c->common_name, CA_EVIDENCE_REQUESTER) != 0))
        r = err_set(e, -EKEYREJECTED,
                    "it is signed with a certificate that is not for reports: %.200s, serial %s "
                    "(profile evidence of the CA signs them, nobody else's does)",
                    c->subject, c->serial);
    certificate_free(c);
    return r;
}

/* Nothing before, behind or beside the signature: its file says what we write, byte for byte. */
static int parse_signature(struct span signature, CMS_ContentInfo **ret, struct err *e)
{
    BIO *in = BIO_new_mem_buf(signature.p, (int)signature.n), *again = BIO_new(BIO_s_mem());
    STACK_OF(CMS_SignerInfo) * infos;
    CMS_ContentInfo *cms;
    char *p;
    long n;
    int r = 0;

    CHECK(in != NULL && again != NULL);
    if ((cms = PEM_read_bio_CMS(in, NULL, NULL, NULL)) == NULL)
        r = refuse(e, "the signature is none");
    if (r == 0 && PEM_write_bio_CMS(again, cms) != 1)
        r = refuse(e, "the signature");
    n = BIO_get_mem_data(again, &p);
    if (r == 0 && !span_eq(span_of(p, (size_t)n), signature))
        r = err_set(e, -EKEYREJECTED,
                    "the signature's file holds more than the signature, or another form of it");
    infos = r == 0 ? CMS_get0_SignerInfos(cms) : NULL;
    for (int i = 0; r == 0 && i < sk_CMS_SignerInfo_num(infos); i++)
        if (CMS_unsigned_get_attr_count(sk_CMS_SignerInfo_value(infos, i)) > 0)
            r = err_set(e, -EKEYREJECTED, "the signature carries attributes that nobody signed");
    BIO_free(in);
    BIO_free(again);
    if (r == 0)
        *ret = cms;
    else
        CMS_ContentInfo_free(cms);
    return r;
}

/* The file is as it was signed, but by somebody whom none of the roots vouches for: another installation's report, most likely. */
static int refuse_signer(CMS_ContentInfo *cms, struct err *e)
{
    STACK_OF(X509) *all = CMS_get1_certs(cms);
    char issuer[256] = "";

    for (int i = 0; i < sk_X509_num(all) && issuer[0] == '\0'; i++) {
        X509 *one = sk_X509_value(all, i);
        if (X509_check_ca(one) == 0)
            certificate_name_line(X509_get_issuer_name(one), issuer, sizeof issuer);
    }
    sk_X509_pop_free(all, X509_free);
    ERR_clear_error();
    return err_set(e, -EKEYREJECTED,
                   "its signer is certified by \"%s\", and no root here vouches for that: it is a "
                   "report of another installation, or of a CA that was replaced since. Name the "
                   "root that it is to be believed by with --root FILE",
                   issuer);
}

static int check(CMS_ContentInfo *cms, X509_STORE *store, BIO *in, struct err *e)
{
    if (CMS_verify(cms, NULL, store, in, NULL, CMS_BINARY | CMS_DETACHED) == 1)
        return 0;
    if (ERR_GET_REASON(ERR_peek_last_error()) == CMS_R_CERTIFICATE_VERIFY_ERROR)
        return refuse_signer(cms, e);
    return refuse(e, "the signature does not fit");
}

int evidence_verify(struct span content, struct span signature, struct span roots_pem,
                    struct evidence_signer *ret, struct err *e)
{
    X509_STORE *store = X509_STORE_new();
    BIO *in = BIO_new_mem_buf(content.p, (int)content.n);
    struct chain roots = CHAIN_NONE;
    CMS_ContentInfo *cms = NULL;
    int r = chain_parse_file(roots_pem, &roots, e);

    CHECK(store != NULL && in != NULL);
    for (size_t i = 0; i < roots.n; i++)
        X509_STORE_add_cert(store, roots.v[i]->x509);
    /* OpenSSL knows no purpose for documents: take_signer looks at it */
    X509_VERIFY_PARAM_set_purpose(X509_STORE_get0_param(store), X509_PURPOSE_ANY);
    if (r == 0)
        r = parse_signature(signature, &cms, e);
    if (r == 0)
        r = check(cms, store, in, e);
    if (r == 0)
        r = take_signer(cms, ret, e);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    X509_STORE_free(store);
    chain_done(&roots);
    ERR_clear_error();
    return r;
}
