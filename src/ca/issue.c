/* Certificates out of the issuing CA, and back: issue, revoke, CRL. */
#include "pki/issue.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/random.h"
#include "ca/ca_internal.h"
#include "pki/ca_msg.h"
#include "pki/chain.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum { DAY = 86400, BACKDATE = 300, SAME_QUESTION = 3600 };

static int check_request(const struct ca *ca, const struct ca_request *q, struct err *e)
{
    const struct permitted *may;

    if (!ca_ready(ca))
        return err_set(e, -EAGAIN, "our CA is not made yet; try again in a moment");
    if (q->profile->path >= 0)
        return err_set(e, -EINVAL,
                       "a CA is not made this way; see \"sealpost ca rollover\" and, for "
                       "one below another CA, \"sealpost ca request\"");
    /* who holds one could sign what this server never said */
    if (q->profile->id == PROFILE_EVIDENCE && strcmp(q->requester, CA_EVIDENCE_REQUESTER) != 0)
        return err_set(e, -EPERM,
                       "profile %s is for reports of `sealpost evidence` only: their keys are made "
                       "for one signature and forgotten",
                       q->profile->name);
    if (q->days > q->profile->days_max)
        return err_set(e, -EINVAL, "%u days are too long for profile %s: at most %u", q->days,
                       q->profile->name, q->profile->days_max);
    if (ca->issuing->parent == 0 && ca_external_permits(ca->issuing, q->names, e) < 0)
        return -EPERM;
    may = &ca->issuing->certificate->permitted;
    for (uint32_t i = 0; ca->issuing->parent != 0 && i < q->names->n; i++)
        if (!permitted_name(may, &q->names->v[i])) {
            struct buf text BUF_AUTO = BUF(65536);
            permitted_print(may, &text);
            return err_set(
                e, -EPERM,
                "our CA may not certify the %s name %.120s (it may: %.200s); add it to %s in the "
                "configuration and reload",
                cert_name_type_name(q->names->v[i].type), q->names->v[i].text, buf_cstr(&text),
                q->names->v[i].type == CERT_NAME_IP      ? "ca_ip"
                : q->names->v[i].type == CERT_NAME_EMAIL ? "local_domains"
                                                         : "ca_dns");
        }
    for (size_t i = 0; i < ca->ca_count; i++)
        if (certificate_has_spki(ca->cas[i]->certificate, q->spki))
            return err_set(e, -EINVAL,
                           "this is the key of a CA; make a key of its own for the certificate");
    return 0;
}

/* --- what the register knows about the key */

struct lookup_job {
    struct ca *ca;
    char spki_sha256[65];
    struct cert_record found; /* certificate NULL: none */
    int compromised;
    struct err *e;
    int rc;
};

static void work_lookup(void *arg)
{
    struct lookup_job *j = arg;
    struct err none;

    j->compromised = ca_register_key_compromised(j->ca->reg, j->spki_sha256, j->e);
    j->rc = j->compromised < 0 ? j->compromised : 0;
    if (j->rc == 0 && ca_register_by_key(j->ca->reg, j->spki_sha256, &j->found, &none) < 0)
        j->found.certificate = NULL;
}

static void spki_hash(struct span spki, char ret[65])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char md[EVP_MAX_MD_SIZE];

    CHECK(EVP_Digest(spki.p, spki.n, md, NULL, EVP_sha256(), NULL) == 1);
    for (size_t i = 0; i < 32; i++) {
        ret[2 * i] = digits[md[i] >> 4];
        ret[2 * i + 1] = digits[md[i] & 15];
    }
    ret[64] = '\0';
}

static bool same_question(const struct ca *ca, const struct ca_request *q,
                          const struct cert_record *c)
{
    int64_t age = clock_seconds() - c->issued_at;

    return c->certificate && !c->revoked && age >= 0 && age < SAME_QUESTION &&
           c->issuer == ca->issuing->id && strcmp(c->profile, q->profile->name) == 0 &&
           cert_names_same(&c->certificate->names, q->names);
}

/* --- issuing */

/* Where its state can be looked up, as its own certificate says. */
struct addresses {
    char crl[320], delta[320], ocsp[320], issuer[320];
};

static void addresses_of(const struct ca *ca, const struct ca_record *issuing,
                         const struct register_part *part, struct addresses *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (!part->url[0])
        return;
    snprintf(ret->crl, sizeof(ret->crl), "%s.crl", part->url);
    if (ca->crl_delta)
        snprintf(ret->delta, sizeof(ret->delta), "%s-delta.crl", part->url);
    snprintf(ret->ocsp, sizeof(ret->ocsp), "%s/ocsp", ca->url);
    ca_url(ca, issuing, ret->issuer, sizeof(ret->issuer), ".crt");
}

/* A common name that may be taken for a host or a mailbox counts as one of the names, or does not
 * stand there: whoever reads it as such must not see what was not permitted. Words stay. */
static const char *common_name(const struct ca_request *q)
{
    struct span cn = span_trim(span_cstr(q->subject.common_name ? q->subject.common_name : ""));

    if (span_find(cn, ' ') != SPAN_NONE || cert_names_has(q->names, CERT_NAME_DNS, cn) ||
        cert_names_has(q->names, CERT_NAME_IP, cn) || cert_names_has(q->names, CERT_NAME_EMAIL, cn))
        return q->subject.common_name;
    return NULL;
}

static int sign_leaf(struct ca *ca, const struct ca_record *issuing, const struct ca_request *q,
                     const struct register_part *part, struct buf *der, struct err *e)
{
    struct addresses at;
    struct buf spki BUF_AUTO = BUF(4096);
    struct cert_subject subject = q->subject;
    int64_t now = clock_seconds(), from = now - BACKDATE;
    unsigned days = q->days;
    struct issue_plan plan = {.profile = q->profile,
                              .issuer = issuing->certificate,
                              .spki = q->spki,
                              .subject = &subject,
                              .names = q->names,
                              .crl_url = at.crl,
                              .delta_url = at.delta,
                              .ocsp_url = at.ocsp,
                              .issuer_url = at.issuer};
    int rc;

    addresses_of(ca, issuing, part, &at);
    subject.common_name = common_name(q);
    if (!subject.organization || !subject.organization[0])
        subject.organization = ca->organization;
    if (days == 0)
        days = q->profile->id == PROFILE_SERVER ? ca->cert_days : q->profile->days;
    if (days > q->profile->days_max)
        days = q->profile->days_max;
    plan.not_before =
        from > issuing->certificate->not_before ? from : issuing->certificate->not_before;
    plan.not_after = now + (int64_t)days * DAY;
    random_bytes(plan.serial, sizeof(plan.serial));
    certificate_spki(issuing->certificate, &spki);
    plan.signer =
        ca->hooks.key_signer(ca->hooks.arg, issuing->key_id, CA_KEY_CERTIFICATES, buf_span(&spki));
    if (!plan.signer)
        return err_set(e, -ENOKEY, "the key of the issuing CA cannot be used; is it removed?");
    rc = issue_certificate(&plan, der, e);
    EVP_PKEY_free(plan.signer);
    return rc;
}

static enum chain_purpose purpose_of(const struct profile *p)
{
    switch (p->eku) {
    case EKU_SERVER:
        return CHAIN_SERVER;
    case EKU_EMAIL:
        return CHAIN_EMAIL;
    case EKU_CODE:
        return CHAIN_CODE;
    case EKU_OCSP:
        return CHAIN_OCSP;
    case EKU_DOCUMENT:
        return CHAIN_DOCUMENT;
    default:
        return CHAIN_CLIENT;
    }
}

/* As a client would look at it: what our own CA hands out never needs a second look. */
static int check_result(const struct ca *ca, const struct ca_record *issuing,
                        const struct ca_request *q, struct certificate *leaf, struct err *e)
{
    struct chain chain = {
        {leaf, issuing->certificate},
        2
    };
    struct chain roots = {{(struct certificate *)(uintptr_t)ca_root_of(ca, issuing)}, 1};
    struct chain_want want = {.purpose = purpose_of(q->profile),
                              .spki = q->spki,
                              .names = q->names,
                              .roots = &roots,
                              .now = clock_seconds()};

    if (issuing->parent == 0) /* the way to the own root needs nothing between */
        ca_above(ca, issuing, want.now, &chain);
    if (chain_check(&chain, &want, e) == CHAIN_FAULT_NONE)
        return 0;
    return err_wrap(e, -EKEYREJECTED, "our CA made a certificate that does not hold");
}

struct part_job {
    struct ca *ca;
    int64_t issuer;
    char url[300];
    struct register_part part;
    struct err *e;
    int rc;
};

static void work_part(void *arg)
{
    struct part_job *j = arg;
    j->rc = ca_register_part(j->ca->reg, j->issuer, j->url, &j->part, j->e);
}

struct add_job {
    struct ca *ca;
    struct cert_record record;
    struct err *e;
    int rc;
};

static void work_add(void *arg)
{
    struct add_job *j = arg;
    j->rc = ca_register_add(j->ca->reg, &j->record, j->e);
}

static int make_leaf(struct ca *ca, const struct ca_record *issuing, const struct ca_request *q,
                     struct certificate **ret, struct err *e)
{
    struct buf der BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    struct part_job p = {.ca = ca, .issuer = issuing->id, .e = e};
    struct add_job j = {.ca = ca, .e = e};
    int rc;

    ca_url(ca, issuing, p.url, sizeof(p.url), "");
    ca_run(ca, work_part, &p);
    rc = p.rc;
    if (rc == 0)
        rc = sign_leaf(ca, issuing, q, &p.part, &der, e);
    if (rc == 0)
        rc = certificate_parse(buf_span(&der), &j.record.certificate, e);
    if (rc < 0)
        return rc;
    rc = check_result(ca, issuing, q, j.record.certificate, e);
    if (rc == 0) {
        j.record.issuer = issuing->id;
        j.record.part = p.part.part;
        j.record.issued_at = clock_seconds();
        span_to_cstr(span_cstr(q->profile->name), j.record.profile, sizeof(j.record.profile));
        span_to_cstr(span_head(span_cstr(q->requester), CA_REQUESTER_MAX), j.record.requester,
                     sizeof(j.record.requester));
        ca_run(ca, work_add, &j);
        rc = j.rc;
    }
    if (rc < 0) {
        certificate_free(j.record.certificate);
        return rc;
    }
    *ret = j.record.certificate;
    return 0;
}

int ca_issue(struct ca *ca, const struct ca_request *q, struct buf *ret_chain,
             char ret_serial[CERTIFICATE_SERIAL_MAX], struct err *e)
{
    struct lookup_job j = {.ca = ca, .e = e};
    const struct ca_record *issuing;
    struct certificate *leaf = NULL;
    struct chain above = CHAIN_NONE; /* borrowed */
    int rc = check_request(ca, q, e);

    if (rc < 0)
        return rc;
    spki_hash(q->spki, j.spki_sha256);
    ca_run(ca, work_lookup, &j);
    if (j.rc < 0)
        return j.rc;
    issuing = ca->issuing; /* after the suspension: the one in use may have changed */
    if (j.compromised) {
        rc = err_set(
            e, -EKEYREVOKED,
            "this key was reported as compromised and is certified no more; make a new key");
    } else if (same_question(ca, q, &j.found)) {
        leaf = j.found.certificate;
        j.found.certificate = NULL;
    } else {
        rc = make_leaf(ca, issuing, q, &leaf, e);
    }
    cert_record_done(&j.found);
    if (rc < 0)
        return rc;
    wr_span(ret_chain, certificate_der(leaf));
    wr_span(ret_chain, certificate_der(issuing->certificate));
    ca_above(ca, issuing, clock_seconds(), &above);
    chain_write(&above, ret_chain);
    memcpy(ret_serial, leaf->serial, sizeof(leaf->serial));
    certificate_free(leaf);
    return ret_chain->overflow ? err_set(e, -EMSGSIZE, "the chain is too long") : 0;
}

/* --- revoking */

struct revoke_job {
    struct ca *ca;
    const char *serial;
    enum crl_reason reason;
    struct err *e;
    int rc;
};

static void work_revoke(void *arg)
{
    struct revoke_job *j = arg;
    j->rc = ca_register_revoke(j->ca->reg, j->serial, j->reason, clock_seconds(), j->e);
}

struct status_job {
    struct ca *ca;
    const char *serial;
    struct cert_record record;
    struct err *e;
    int rc;
};

static void work_status(void *arg)
{
    struct status_job *j = arg;
    j->rc = ca_register_get(j->ca->reg, j->serial, &j->record, j->e);
}

int ca_status(struct ca *ca, const char *serial, struct ca_status *ret, struct err *e)
{
    struct status_job j = {.ca = ca, .serial = serial, .e = e};

    ca_run(ca, work_status, &j);
    if (j.rc < 0)
        return j.rc;
    *ret = (struct ca_status){
        .revoked = j.record.revoked, .reason = j.record.reason, .revoked_at = j.record.revoked_at};
    memcpy(ret->profile, j.record.profile, sizeof(ret->profile));
    memcpy(ret->requester, j.record.requester, sizeof(ret->requester));
    cert_record_done(&j.record);
    return 0;
}

int ca_revoke(struct ca *ca, const char *serial, enum crl_reason reason, struct err *e)
{
    struct revoke_job j = {ca, serial, reason, e, 0};

    ca_run(ca, work_revoke, &j);
    if (j.rc == 0)
        ca->changes++;
    return j.rc;
}

static void work_unhold(void *arg)
{
    struct revoke_job *j = arg;
    j->rc = ca_register_unhold(j->ca->reg, j->serial, j->e);
}

int ca_unhold(struct ca *ca, const char *serial, struct err *e)
{
    struct revoke_job j = {ca, serial, CRL_HOLD, e, 0};

    ca_run(ca, work_unhold, &j);
    if (j.rc == 0)
        ca->changes++;
    return j.rc;
}
