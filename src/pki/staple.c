#include "pki/staple.h"
#include "base/check.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <time.h>

enum { STATUS_REQUEST = 5 };

bool staple_demanded(const struct certificate *leaf)
{
    TLS_FEATURE *features = X509_get_ext_d2i(leaf->x509, NID_tlsfeature, NULL, NULL);
    bool found = false;

    for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
        found |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == STATUS_REQUEST;
    sk_ASN1_INTEGER_pop_free(features, ASN1_INTEGER_free);
    ERR_clear_error();
    return found;
}

bool staple_responder(const struct certificate *leaf, char ret[STAPLE_URL_MAX + 1])
{
    AUTHORITY_INFO_ACCESS *all = X509_get_ext_d2i(leaf->x509, NID_info_access, NULL, NULL);
    bool found = false;

    for (int i = 0; !found && i < sk_ACCESS_DESCRIPTION_num(all); i++) {
        const ACCESS_DESCRIPTION *d = sk_ACCESS_DESCRIPTION_value(all, i);
        const ASN1_STRING *uri = d->location->d.uniformResourceIdentifier;
        struct span s;
        if (OBJ_obj2nid(d->method) != NID_ad_OCSP || d->location->type != GEN_URI)
            continue;
        s = span_of(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri));
        found =
            (span_starts_nocase(s, SPAN("http://")) || span_starts_nocase(s, SPAN("https://"))) &&
            span_to_cstr(s, ret, STAPLE_URL_MAX + 1);
    }
    AUTHORITY_INFO_ACCESS_free(all);
    ERR_clear_error();
    return found;
}

bool staple_question(const struct certificate *leaf, const struct certificate *issuer,
                     struct buf *ret_der)
{
    OCSP_REQUEST *q = OCSP_REQUEST_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, leaf->x509, issuer->x509);
    unsigned char *der = NULL;
    int n = -1;

    if (q && id && OCSP_request_add0_id(q, id)) {
        id = NULL;
        n = i2d_OCSP_REQUEST(q, &der);
    }
    if (n > 0 && !buf_put(ret_der, der, (size_t)n))
        n = -1;
    OCSP_CERTID_free(id);
    OCSP_REQUEST_free(q);
    OPENSSL_free(der);
    ERR_clear_error();
    return n > 0;
}

/* --- an answer */

static int open_answer(struct span der, OCSP_BASICRESP **ret, struct err *e)
{
    const unsigned char *p = (const unsigned char *)der.p;
    OCSP_RESPONSE *r = NULL;
    int rc = 0, status;

    if (der.n > OCSP_ANSWER_MAX)
        return err_set(e, -EBADMSG, "the OCSP answer is longer than %d bytes", OCSP_ANSWER_MAX);
    if (der.n > 0)
        r = d2i_OCSP_RESPONSE(NULL, &p, (long)der.n);
    if (!r || p != (const unsigned char *)der.p + der.n) {
        rc = err_set(e, -EBADMSG, "what was answered is no OCSP answer");
    } else if ((status = OCSP_response_status(r)) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        rc = err_set(e, status == OCSP_RESPONSE_STATUS_UNAUTHORIZED ? -ENOENT : -EAGAIN,
                     "the OCSP responder says %s", OCSP_response_status_str(status));
    } else if (!(*ret = OCSP_response_get1_basic(r))) {
        rc = err_set(e, -EBADMSG, "the OCSP answer is of a kind that is not known");
    }
    OCSP_RESPONSE_free(r);
    return rc;
}

/* The issuer is trusted here and nobody else: who answers is he, or was certified by him to do so. */
static bool signed_by(OCSP_BASICRESP *basic, X509 *issuer, int64_t now)
{
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509) *helpers = sk_X509_new_null();
    bool ok;

    CHECK(store && helpers && X509_STORE_add_cert(store, issuer) == 1 &&
          sk_X509_push(helpers, issuer) > 0);
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)now);
    ok = OCSP_basic_verify(basic, helpers, store, 0) == 1;
    sk_X509_free(helpers);
    X509_STORE_free(store);
    return ok;
}

/* The answer chooses the digest by which it names the issuer. */
static OCSP_SINGLERESP *about(OCSP_BASICRESP *basic, X509 *leaf, X509 *issuer)
{
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
        const OCSP_CERTID *theirs = OCSP_SINGLERESP_get0_id(one);
        ASN1_OBJECT *digest = NULL;
        const EVP_MD *md;
        OCSP_CERTID *ours;
        bool same;
        OCSP_id_get0_info(NULL, &digest, NULL, NULL, (OCSP_CERTID *)(uintptr_t)theirs);
        if ((md = EVP_get_digestbyobj(digest)) == NULL)
            continue;
        ours = OCSP_cert_to_id(md, leaf, issuer);
        same = ours && OCSP_id_cmp(ours, theirs) == 0;
        OCSP_CERTID_free(ours);
        if (same)
            return one;
    }
    return NULL;
}

static bool seconds_of(const ASN1_GENERALIZEDTIME *t, int64_t *ret)
{
    struct tm tm;

    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    *ret = (int64_t)timegm(&tm);
    return true;
}

static int read_status(OCSP_SINGLERESP *one, int64_t now, struct staple_answer *ret, struct err *e)
{
    ASN1_GENERALIZEDTIME *revoked, *from, *until;
    struct staple_answer a;
    int reason, status = OCSP_single_get0_status(one, &reason, &revoked, &from, &until);

    if (!seconds_of(from, &a.this_update) || !seconds_of(until, &a.next_update))
        return err_set(e, -EBADMSG, "the OCSP answer does not say until when it holds");
    if (a.this_update > now + STAPLE_SKEW_SECONDS)
        return err_set(e, -ESTALE, "the OCSP answer begins to hold only later");
    if (a.next_update <= now || a.next_update <= a.this_update)
        return err_set(e, -ESTALE, "the OCSP answer does not hold any more");
    a.state = status == V_OCSP_CERTSTATUS_GOOD      ? OCSP_GOOD
              : status == V_OCSP_CERTSTATUS_REVOKED ? OCSP_REVOKED
                                                    : OCSP_UNKNOWN;
    *ret = a;
    return 0;
}

int staple_check(struct span der, const struct certificate *leaf, const struct certificate *issuer,
                 int64_t now, struct staple_answer *ret, struct err *e)
{
    OCSP_BASICRESP *basic = NULL;
    OCSP_SINGLERESP *one = NULL;
    int rc;

    ERR_clear_error();
    rc = open_answer(der, &basic, e);
    if (rc == 0 && !signed_by(basic, issuer->x509, now))
        rc =
            err_set(e, -EKEYREJECTED, "the OCSP answer is not signed by the CA of the certificate");
    if (rc == 0 && (one = about(basic, leaf->x509, issuer->x509)) == NULL)
        rc = err_set(e, -EBADMSG, "the OCSP answer is about another certificate");
    if (rc == 0)
        rc = read_status(one, now, ret, e);
    OCSP_BASICRESP_free(basic);
    ERR_clear_error();
    return rc;
}
