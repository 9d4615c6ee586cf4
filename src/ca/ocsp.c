/* Answers to OCSP requests: each signed by the CA that issued what was asked for. */
#include "pki/ocsp.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "ca/ca_internal.h"

#include <errno.h>
#include <stdlib.h>

/* Answers without a nonce may be given again; both bounds are short, for a revocation counts at
 * once and everything kept goes then. */
enum { KEPT_SECONDS = 600, LIFE_SECONDS = 4 * 3600, UNDER_WAY_MAX = 64 };

static struct ca_ocsp_slot *slot_of(struct ca *ca, const unsigned char md[32])
{
    if (!ca->ocsp) {
        ca->ocsp = calloc(CA_OCSP_SLOTS, sizeof(*ca->ocsp));
        CHECK(ca->ocsp);
        for (size_t i = 0; i < CA_OCSP_SLOTS; i++)
            ca->ocsp[i].der = BUF(OCSP_ANSWER_MAX);
    }
    return &ca->ocsp[md[0] % CA_OCSP_SLOTS];
}

void ca_ocsp_done(struct ca *ca)
{
    for (size_t i = 0; ca->ocsp && i < CA_OCSP_SLOTS; i++)
        buf_done(&ca->ocsp[i].der);
    free(ca->ocsp);
    ca->ocsp = NULL;
}

static bool from_slot(struct ca *ca, const unsigned char md[32], struct buf *out)
{
    const struct ca_ocsp_slot *s = slot_of(ca, md);
    int64_t age = clock_seconds() - s->made;

    return s->der.n > 0 && memcmp(s->question, md, 32) == 0 && s->changes == ca->changes &&
           age >= 0 && age < KEPT_SECONDS && buf_put_span(out, buf_span(&s->der));
}

static void to_slot(struct ca *ca, const unsigned char md[32], uint64_t changes, struct span der)
{
    struct ca_ocsp_slot *s = slot_of(ca, md);

    buf_clear(&s->der);
    buf_put_span(&s->der, der);
    memcpy(s->question, md, 32);
    s->made = clock_seconds();
    s->changes = changes;
}

/* --- what the register knows */

struct status_job {
    struct ca *ca;
    const struct ca_record *issuer;
    const struct ocsp_question *question;
    struct ocsp_status status[OCSP_IDS_MAX];
    struct err e;
    int rc;
};

/* A CA below a root: few, and all in memory. */
static bool ca_status_of(const struct status_job *j, const char *serial, struct ocsp_status *ret)
{
    for (size_t i = 0; i < j->ca->ca_count; i++) {
        const struct ca_record *c = j->ca->cas[i];
        if (c->parent != j->issuer->id || strcmp(c->certificate->serial, serial) != 0)
            continue;
        ret->state = c->state == CA_REVOKED ? OCSP_REVOKED : OCSP_GOOD;
        ret->reason = c->reason;
        ret->revoked_at = c->revoked_at;
        return true;
    }
    return false;
}

static void work_status(void *arg)
{
    struct status_job *j = arg;

    for (unsigned i = 0; i < j->question->id_count && j->rc >= 0; i++) {
        const char *serial = ocsp_id_serial(j->question, i);
        struct ocsp_status *s = &j->status[i];
        struct register_status found;
        *s = (struct ocsp_status){.state = OCSP_UNKNOWN};
        if (!serial[0] || !ocsp_id_issued_by(j->question, i, j->issuer->certificate) ||
            ca_status_of(j, serial, s))
            continue;
        j->rc = ca_register_status(j->ca->reg, j->issuer->id, serial, &found, &j->e);
        if (j->rc > 0)
            *s = (struct ocsp_status){found.revoked ? OCSP_REVOKED : OCSP_GOOD, found.reason,
                                      found.revoked_at};
    }
}

/* Who is to answer: the issuer of the first; what others issued is then unknown to it. */
static const struct ca_record *issuer_of(const struct ca *ca, const struct ocsp_question *q)
{
    for (size_t i = ca->ca_count; i-- > 0;)
        if (ocsp_id_issued_by(q, 0, ca->cas[i]->certificate))
            return ca->cas[i];
    return NULL;
}

static int answer(struct ca *ca, const struct ca_record *issuer, const struct ocsp_question *q,
                  struct buf *out, struct err *e)
{
    struct buf spki BUF_AUTO = BUF(4096);
    struct status_job j = {.ca = ca, .issuer = issuer, .question = q};
    int64_t now = clock_seconds();
    struct ocsp_plan plan = {.question = q,
                             .status = j.status,
                             .issuer = issuer->certificate,
                             .this_update = now,
                             .next_update = now + LIFE_SECONDS};
    int rc;

    ca_run(ca, work_status, &j);
    if (j.rc < 0) {
        *e = j.e;
        return j.rc;
    }
    certificate_spki(issuer->certificate, &spki);
    plan.signer = ca->hooks.key_signer(ca->hooks.arg, issuer->key_id, CA_KEY_OCSP, buf_span(&spki));
    if (!plan.signer)
        return err_set(e, -ENOKEY, "the key of the CA cannot be used; is it removed?");
    rc = ocsp_answer(&plan, out, e);
    EVP_PKEY_free(plan.signer);
    return rc;
}

static void answer_question(struct ca *ca, const struct ocsp_question *q,
                            const unsigned char md[32], struct buf *out)
{
    const struct ca_record *issuer = issuer_of(ca, q);
    struct buf der BUF_AUTO = BUF(OCSP_ANSWER_MAX);
    uint64_t changes = ca->changes;
    struct err e;

    if (!issuer) {
        ocsp_refusal(OCSP_REFUSED_UNAUTHORIZED, out);
        return;
    }
    if (ca->ocsp_under_way >= UNDER_WAY_MAX) {
        ocsp_refusal(OCSP_REFUSED_TRY_LATER, out);
        return;
    }
    ca->ocsp_under_way++;
    if (answer(ca, issuer, q, &der, &e) < 0) {
        log_warn("OCSP: no answer: %s", e.text);
        ocsp_refusal(OCSP_REFUSED_TRY_LATER, out);
    } else {
        if (q->nonce_bytes == 0)
            to_slot(ca, md, changes, buf_span(&der));
        buf_put_span(out, buf_span(&der));
    }
    ca->ocsp_under_way--;
}

void ca_ocsp(struct ca *ca, struct span request, struct buf *ret_der)
{
    struct ocsp_question q;
    unsigned char md[EVP_MAX_MD_SIZE];
    struct err e;
    int rc = ocsp_question_parse(request, &q, &e);

    if (rc < 0) {
        ocsp_refusal(OCSP_REFUSED_MALFORMED, ret_der);
        return;
    }
    CHECK(EVP_Digest(request.p, request.n, md, NULL, EVP_sha256(), NULL) == 1);
    if (q.nonce_bytes > 0 || !from_slot(ca, md, ret_der))
        answer_question(ca, &q, md, ret_der);
    ocsp_question_done(&q);
}
