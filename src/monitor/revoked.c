#include "monitor/revoked.h"

#include "base/check.h"
#include "pki/crl.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLOCK_SKEW_SECONDS = 300, TLS_STATUS_REQUEST = 5 };

__attribute__((format(printf, 2, 3))) static void unusable(struct revoked_word *w, const char *fmt,
                                                           ...)
{
    va_list ap;

    w->state = REVOKED_UNUSABLE;
    va_start(ap, fmt);
    vsnprintf(w->why, sizeof w->why, fmt, ap);
    va_end(ap);
    ERR_clear_error();
}

static int64_t seconds_of(const ASN1_TIME *t)
{
    struct tm tm = {0};

    return t != NULL && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void set_reason(struct revoked_word *w, int reason)
{
    const char *name = reason < 0 ? NULL : crl_reason_name((unsigned)reason);

    snprintf(w->reason, sizeof w->reason, "%s", name != NULL ? name : "unspecified");
}

/* ---- where to ask ------------------------------------------------------------------------ */

/* A URI of printable ASCII; false: not one that we fetch. */
static bool take_uri(const GENERAL_NAME *n, char ret[REVOKED_URL_MAX + 1], bool *others)
{
    struct span uri;

    if (n->type != GEN_URI)
        return false;
    uri = span_of(ASN1_STRING_get0_data(n->d.uniformResourceIdentifier),
                  (size_t)ASN1_STRING_length(n->d.uniformResourceIdentifier));
    if (!span_starts_nocase(uri, SPAN("http://")) && !span_starts_nocase(uri, SPAN("https://"))) {
        *others = true;
        return false;
    }
    return span_to_cstr(uri, ret, REVOKED_URL_MAX + 1);
}

static void take_responders(X509 *x, struct revoked_sources *ret)
{
    AUTHORITY_INFO_ACCESS *all = X509_get_ext_d2i(x, NID_info_access, NULL, NULL);

    for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(all); i++) {
        const ACCESS_DESCRIPTION *d = sk_ACCESS_DESCRIPTION_value(all, i);
        if (OBJ_obj2nid(d->method) == NID_ad_OCSP && ret->ocsp_count < REVOKED_SOURCES_MAX &&
            take_uri(d->location, ret->ocsp[ret->ocsp_count], &ret->others))
            ret->ocsp_count++;
    }
    AUTHORITY_INFO_ACCESS_free(all);
}

/* Of each point the first address that can be fetched; points are alternatives here. */
static void take_lists(X509 *x, struct revoked_sources *ret)
{
    CRL_DIST_POINTS *all = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);

    for (int i = 0; i < sk_DIST_POINT_num(all); i++) {
        const DIST_POINT *p = sk_DIST_POINT_value(all, i);
        if (p->distpoint == NULL || p->distpoint->type != 0 || p->CRLissuer != NULL)
            continue;
        for (int k = 0; k < sk_GENERAL_NAME_num(p->distpoint->name.fullname); k++)
            if (ret->crl_count < REVOKED_SOURCES_MAX &&
                take_uri(sk_GENERAL_NAME_value(p->distpoint->name.fullname, k),
                         ret->crl[ret->crl_count], &ret->others)) {
                ret->crl_count++;
                break;
            }
    }
    CRL_DIST_POINTS_free(all);
}

void revoked_sources_of(X509 *x, struct revoked_sources *ret)
{
    TLS_FEATURE *features = X509_get_ext_d2i(x, NID_tlsfeature, NULL, NULL);

    *ret = (struct revoked_sources){.ocsp_count = 0};
    for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
        ret->must_staple |=
            ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == TLS_STATUS_REQUEST;
    sk_ASN1_INTEGER_pop_free(features, ASN1_INTEGER_free);
    take_responders(x, ret);
    take_lists(x, ret);
    ERR_clear_error();
}

/* ---- OCSP -------------------------------------------------------------------------------- */

OCSP_REQUEST *revoked_question(X509 *x, X509 *issuer, struct buf *ret_der)
{
    OCSP_REQUEST *q = OCSP_REQUEST_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, x, issuer);
    unsigned char *der = NULL;
    int n = -1;

    if (q != NULL && id != NULL && OCSP_request_add0_id(q, id) != NULL) {
        id = NULL;
        OCSP_request_add1_nonce(q, NULL, -1);
        n = i2d_OCSP_REQUEST(q, &der);
    }
    OCSP_CERTID_free(id);
    if (n <= 0 || !buf_put(ret_der, der, (size_t)n)) {
        OCSP_REQUEST_free(q);
        q = NULL;
    }
    OPENSSL_free(der);
    ERR_clear_error();
    return q;
}

static OCSP_BASICRESP *parse_answer(struct span der, struct revoked_word *ret)
{
    const unsigned char *at = (const unsigned char *)der.p;
    OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &at, (long)der.n);
    OCSP_BASICRESP *basic = NULL;

    if (r == NULL)
        unusable(ret, "that is no OCSP answer");
    else if (OCSP_response_status(r) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        unusable(ret, "the responder says %s", OCSP_response_status_str(OCSP_response_status(r)));
    else if ((basic = OCSP_response_get1_basic(r)) == NULL)
        unusable(ret, "an OCSP answer of a kind that nobody knows");
    OCSP_RESPONSE_free(r);
    return basic;
}

static void read_status(OCSP_BASICRESP *basic, X509 *x, X509 *issuer, struct revoked_word *ret)
{
    OCSP_CERTID *id = NULL;
    ASN1_GENERALIZEDTIME *revoked, *from, *until;
    int status = -1, reason = -1, found = 0;

    /* the answer chooses the digest that names the issuer */
    for (int i = 0; !found && i < OCSP_resp_count(basic); i++) {
        const OCSP_CERTID *theirs = OCSP_SINGLERESP_get0_id(OCSP_resp_get0(basic, i));
        ASN1_OBJECT *digest;
        const EVP_MD *md;
        OCSP_id_get0_info(NULL, &digest, NULL, NULL, (OCSP_CERTID *)(uintptr_t)theirs);
        if ((md = EVP_get_digestbyobj(digest)) == NULL)
            continue;
        OCSP_CERTID_free(id);
        id = OCSP_cert_to_id(md, x, issuer);
        found = id != NULL && OCSP_id_cmp(id, theirs) == 0;
    }
    if (!found ||
        OCSP_resp_find_status(basic, id, &status, &reason, &revoked, &from, &until) != 1) {
        unusable(ret, "the answer is about another certificate");
    } else if (OCSP_check_validity(from, until, CLOCK_SKEW_SECONDS, -1) != 1) {
        unusable(ret, "the answer is out of date");
    } else {
        ret->until = seconds_of(until);
        ret->state = status == V_OCSP_CERTSTATUS_GOOD      ? REVOKED_NOT
                     : status == V_OCSP_CERTSTATUS_REVOKED ? REVOKED_YES
                                                           : REVOKED_UNKNOWN;
        if (ret->state == REVOKED_YES) {
            ret->since = seconds_of(revoked);
            set_reason(ret, reason);
        }
    }
    OCSP_CERTID_free(id);
    ERR_clear_error();
}

/* The issuer alone, as an anchor. */
static X509_STORE *only(X509 *issuer)
{
    X509_STORE *store = X509_STORE_new();

    CHECK(store != NULL && X509_STORE_add_cert(store, issuer) == 1);
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return store;
}

void revoked_by_ocsp(struct span der, const OCSP_REQUEST *question, X509 *x, X509 *issuer,
                     struct revoked_word *ret)
{
    OCSP_BASICRESP *basic;
    X509_STORE *anchor = only(issuer);
    STACK_OF(X509) *helpers = sk_X509_new_null();

    *ret = (struct revoked_word){.state = REVOKED_UNUSABLE};
    if ((basic = parse_answer(der, ret)) != NULL) {
        if (helpers == NULL || sk_X509_push(helpers, issuer) <= 0 ||
            OCSP_basic_verify(basic, helpers, anchor, 0) != 1)
            unusable(ret, "the answer is not signed by the CA");
        else if (question != NULL &&
                 OCSP_check_nonce((OCSP_REQUEST *)(uintptr_t)question, basic) == 0)
            unusable(ret, "the answer is to another question (nonce)");
        else
            read_status(basic, x, issuer, ret);
    }
    sk_X509_free(helpers);
    X509_STORE_free(anchor);
    OCSP_BASICRESP_free(basic);
    ERR_clear_error();
}

/* ---- lists ------------------------------------------------------------------------------- */

static bool names_url(const DIST_POINT_NAME *n, const char *url)
{
    if (n->type != 0)
        return false;
    for (int i = 0; i < sk_GENERAL_NAME_num(n->name.fullname); i++) {
        char uri[REVOKED_URL_MAX + 1];
        bool ignored;
        if (take_uri(sk_GENERAL_NAME_value(n->name.fullname, i), uri, &ignored) &&
            strcmp(uri, url) == 0)
            return true;
    }
    return false;
}

/* Does the list speak of such certificates, and all reasons (RFC 5280 section 6.3.3)? */
static bool in_scope(X509_CRL *crl, const char *url, X509 *x)
{
    ISSUING_DIST_POINT *idp = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, NULL, NULL);
    bool ca = X509_check_ca(x) > 0;
    bool ok = idp == NULL ||
              (!(idp->onlyattr > 0) && !(idp->indirectCRL > 0) && idp->onlysomereasons == NULL &&
               !(idp->onlyuser > 0 && ca) && !(idp->onlyCA > 0 && !ca) &&
               (idp->distpoint == NULL || names_url(idp->distpoint, url)));

    ISSUING_DIST_POINT_free(idp);
    return ok;
}

static void read_entry(X509_CRL *crl, X509 *x, struct revoked_word *ret)
{
    X509_REVOKED *entry = NULL;
    ASN1_ENUMERATED *reason;

    ret->until = seconds_of(X509_CRL_get0_nextUpdate(crl));
    ret->state = X509_CRL_get0_by_cert(crl, &entry, x) == 1 ? REVOKED_YES : REVOKED_NOT;
    if (ret->state == REVOKED_NOT)
        return;
    ret->since = seconds_of(X509_REVOKED_get0_revocationDate(entry));
    reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
    set_reason(ret, reason != NULL ? (int)ASN1_ENUMERATED_get(reason) : -1);
    ASN1_ENUMERATED_free(reason);
}

void revoked_by_crl(struct span der, const char *url, X509 *x, X509 *issuer, int64_t now,
                    struct revoked_word *ret)
{
    const unsigned char *at = (const unsigned char *)der.p;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.n);
    int64_t until;

    *ret = (struct revoked_word){.state = REVOKED_UNUSABLE};
    if (crl == NULL) {
        unusable(ret, "that is no list of revoked certificates");
        return;
    }
    until = seconds_of(X509_CRL_get0_nextUpdate(crl));
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(issuer)) != 0 ||
        X509_CRL_verify(crl, X509_get0_pubkey(issuer)) != 1)
        unusable(ret, "the list is not signed by the CA");
    else if (seconds_of(X509_CRL_get0_lastUpdate(crl)) > now + CLOCK_SKEW_SECONDS)
        unusable(ret, "the list is of a day to come");
    else if (until != 0 && until < now)
        unusable(ret, "the list ended %lld hours ago", (long long)((now - until) / 3600));
    else if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0 || !in_scope(crl, url, x))
        unusable(ret, "the list is about other certificates");
    else
        read_entry(crl, x, ret);
    X509_CRL_free(crl);
    ERR_clear_error();
}
