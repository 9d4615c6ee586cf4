#include "pki/ocsp.h"
#include "base/base64.h"
#include "base/check.h"
#include "pki/crl.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdlib.h>

struct ocsp_id {
    OCSP_CERTID *id;
    char serial[CERTIFICATE_SERIAL_MAX];
};

/* --- questions */

static void read_serial(struct ocsp_id *out)
{
    ASN1_INTEGER *s = NULL;
    struct buf hex BUF_AUTO = BUF(CERTIFICATE_SERIAL_MAX - 1);

    out->serial[0] = '\0';
    if (OCSP_id_get0_info(NULL, NULL, NULL, &s, out->id) == 1 && s &&
        ASN1_STRING_type(s) == V_ASN1_INTEGER &&
        hex_encode(&hex, span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s))))
        span_to_cstr(buf_span(&hex), out->serial, sizeof(out->serial));
}

/* The extension's value is an OCTET STRING of its own (RFC 9654 section 2.1); what is longer than
 * we would ever repeat is taken for no nonce: the answer then comes without. */
static void read_nonce(OCSP_REQUEST *req, struct ocsp_question *q)
{
    int at = OCSP_REQUEST_get_ext_by_NID(req, NID_id_pkix_OCSP_Nonce, -1);
    ASN1_OCTET_STRING *inner;
    const unsigned char *p;
    int n;

    if (at < 0)
        return;
    inner = X509_EXTENSION_get_data(OCSP_REQUEST_get_ext(req, at));
    p = ASN1_STRING_get0_data(inner);
    n = ASN1_STRING_length(inner);
    if (n > 0 && n <= OCSP_NONCE_MAX) { /* repeated as it stands there */
        memcpy(q->nonce, p, (size_t)n);
        q->nonce_bytes = (unsigned)n;
    }
}

static int read_ids(OCSP_REQUEST *req, struct ocsp_question *q, struct err *e)
{
    int n = OCSP_request_onereq_count(req);

    if (n < 1)
        return err_set(e, -EBADMSG, "the question names no certificate");
    if (n > OCSP_IDS_MAX)
        return err_set(e, -E2BIG, "the question names %d certificates; at most %d", n,
                       OCSP_IDS_MAX);
    q->ids = calloc((size_t)n, sizeof(*q->ids));
    CHECK(q->ids);
    for (int i = 0; i < n; i++) {
        OCSP_CERTID *id = OCSP_onereq_get0_id(OCSP_request_onereq_get0(req, i));
        q->ids[i].id = id ? OCSP_CERTID_dup(id) : NULL;
        if (!q->ids[i].id)
            return err_set(e, -EBADMSG, "the question names a certificate in no known way");
        q->id_count++;
        read_serial(&q->ids[i]);
    }
    return 0;
}

int ocsp_question_parse(struct span der, struct ocsp_question *ret, struct err *e)
{
    const unsigned char *p = (const unsigned char *)der.p;
    struct ocsp_question q = {.id_count = 0};
    OCSP_REQUEST *req = NULL;
    int rc;

    if (der.n > OCSP_REQUEST_MAX)
        return err_set(e, -EMSGSIZE, "the question is longer than %d bytes", OCSP_REQUEST_MAX);
    ERR_clear_error();
    if (der.n > 0)
        req = d2i_OCSP_REQUEST(NULL, &p, (long)der.n);
    if (!req || p != (const unsigned char *)der.p + der.n) {
        rc = err_set(e, -EBADMSG, "not an OCSP request");
    } else {
        rc = read_ids(req, &q, e);
        if (rc == 0)
            read_nonce(req, &q);
    }
    OCSP_REQUEST_free(req);
    ERR_clear_error();
    if (rc < 0) {
        ocsp_question_done(&q);
        return rc;
    }
    *ret = q;
    return 0;
}

void ocsp_question_done(struct ocsp_question *q)
{
    for (unsigned i = 0; i < q->id_count; i++)
        OCSP_CERTID_free(q->ids[i].id);
    free(q->ids);
    q->ids = NULL;
    q->id_count = 0;
}

static bool same_bytes(const ASN1_OCTET_STRING *a, const unsigned char *md, unsigned n)
{
    return ASN1_STRING_length(a) == (int)n && memcmp(ASN1_STRING_get0_data(a), md, n) == 0;
}

bool ocsp_id_issued_by(const struct ocsp_question *q, unsigned i, const struct certificate *ca)
{
    ASN1_OCTET_STRING *name = NULL, *key = NULL;
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(ca->x509);
    unsigned char md[EVP_MAX_MD_SIZE];
    ASN1_OBJECT *algorithm = NULL;
    unsigned n = 0;
    const EVP_MD *digest;
    int nid;

    CHECK(i < q->id_count);
    if (OCSP_id_get0_info(&name, &algorithm, &key, NULL, q->ids[i].id) != 1)
        return false;
    nid = OBJ_obj2nid(algorithm); /* any other digest is one that nobody asks with */
    if (nid != NID_sha1 && nid != NID_sha256 && nid != NID_sha384 && nid != NID_sha512)
        return false;
    digest = EVP_get_digestbynid(nid);
    return digest && X509_NAME_digest(X509_get_subject_name(ca->x509), digest, md, &n) == 1 &&
           same_bytes(name, md, n) &&
           EVP_Digest(ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits), md, &n, digest,
                      NULL) == 1 &&
           same_bytes(key, md, n);
}

const char *ocsp_id_serial(const struct ocsp_question *q, unsigned i)
{
    CHECK(i < q->id_count);
    return q->ids[i].serial;
}

/* --- answers */

static bool add_status(OCSP_BASICRESP *basic, const struct ocsp_plan *p, unsigned i)
{
    static const int states[] = {[OCSP_GOOD] = V_OCSP_CERTSTATUS_GOOD,
                                 [OCSP_REVOKED] = V_OCSP_CERTSTATUS_REVOKED,
                                 [OCSP_UNKNOWN] = V_OCSP_CERTSTATUS_UNKNOWN};
    const struct ocsp_status *s = &p->status[i];
    ASN1_TIME *from = ASN1_GENERALIZEDTIME_adj(NULL, (time_t)p->this_update, 0, 0);
    ASN1_TIME *to = ASN1_GENERALIZEDTIME_adj(NULL, (time_t)p->next_update, 0, 0);
    ASN1_TIME *when = ASN1_GENERALIZEDTIME_adj(NULL, (time_t)s->revoked_at, 0, 0);
    int reason = s->reason == CRL_UNSPECIFIED ? OCSP_REVOKED_STATUS_NOSTATUS : s->reason;
    bool ok = from && to && when &&
              OCSP_basic_add1_status(basic, p->question->ids[i].id, states[s->state],
                                     s->state == OCSP_REVOKED ? reason : 0,
                                     s->state == OCSP_REVOKED ? when : NULL, from, to) != NULL;

    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    ASN1_TIME_free(when);
    return ok;
}

static void add_nonce(OCSP_BASICRESP *basic, const struct ocsp_question *q)
{
    ASN1_OCTET_STRING *value;
    X509_EXTENSION *x;

    if (q->nonce_bytes == 0)
        return;
    value = ASN1_OCTET_STRING_new();
    CHECK(value && ASN1_OCTET_STRING_set(value, q->nonce, (int)q->nonce_bytes) == 1);
    x = X509_EXTENSION_create_by_NID(NULL, NID_id_pkix_OCSP_Nonce, 0, value);
    CHECK(x && OCSP_BASICRESP_add_ext(basic, x, -1) == 1);
    X509_EXTENSION_free(x);
    ASN1_OCTET_STRING_free(value);
}

static int sign(OCSP_BASICRESP *basic, const struct ocsp_plan *p, struct err *e)
{
    char why[200];

    /* by key: short, and the same for a CA whose name comes back with a new key */
    if (OCSP_basic_sign(basic, p->issuer->x509, p->signer, key_digest(p->issuer->key_type), NULL,
                        OCSP_NOCERTS | OCSP_RESPID_KEY) == 1)
        return 0;
    return err_set(e, -EKEYREJECTED, "the key of the CA did not sign the OCSP answer: %s",
                   openssl_error(why));
}

static int write_response(OCSP_RESPONSE *r, struct buf *out, struct err *e)
{
    unsigned char *der = NULL;
    int n = r ? i2d_OCSP_RESPONSE(r, &der) : -1;
    bool ok = n > 0 && buf_put(out, der, (size_t)n);

    OPENSSL_free(der);
    OCSP_RESPONSE_free(r);
    return ok ? 0 : err_set(e, -EMSGSIZE, "the OCSP answer is too long");
}

int ocsp_answer(const struct ocsp_plan *p, struct buf *ret_der, struct err *e)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    int rc = 0;

    CHECK(basic);
    ERR_clear_error();
    for (unsigned i = 0; rc == 0 && i < p->question->id_count; i++)
        if (!add_status(basic, p, i))
            rc = err_set(e, -EINVAL, "the OCSP answer cannot be written");
    if (rc == 0) {
        add_nonce(basic, p->question);
        rc = sign(basic, p, e);
    }
    if (rc == 0)
        rc = write_response(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic), ret_der,
                            e);
    OCSP_BASICRESP_free(basic);
    ERR_clear_error();
    return rc;
}

bool ocsp_refusal(enum ocsp_refused why, struct buf *ret_der)
{
    struct err none;
    return write_response(OCSP_response_create((int)why, NULL), ret_der, &none) == 0;
}
