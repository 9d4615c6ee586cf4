/* An issuing CA of ours below the CA of others: the request goes out, the answer comes in. */
#include "base/check.h"
#include "base/clock.h"
#include "ca/ca_internal.h"
#include "pki/chain.h"
#include "pki/issue.h"
#include "pki/request.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

enum { DAY = 86400, ASKED_MAX = 16, LIFE_LEAST_DAYS = 7 };

/* --- what waits */

struct asked_job {
    struct ca *ca;
    char key_ids[ASKED_MAX][CA_KEY_ID_MAX + 1]; /* a fiber's stack is small */
    size_t n;
    struct buf *der; /* of the newest; NULL: not needed */
    const struct ca_asked *add;
    const char *forget;
    struct err *e;
    int rc;
};

static bool on_asked(void *arg, const struct ca_asked *a, struct span der)
{
    struct asked_job *j = arg;

    if (j->n == 0 && j->der)
        buf_put_span(j->der, der);
    memcpy(j->key_ids[j->n++], a->key_id, sizeof(a->key_id));
    return j->n < ASKED_MAX;
}

static void work_asked(void *arg)
{
    struct asked_job *j = arg;
    j->rc = ca_register_asked(j->ca->reg, on_asked, j, j->e);
}

static void work_forget(void *arg)
{
    struct asked_job *j = arg;
    j->rc = ca_register_ask_forget(j->ca->reg, j->forget, j->e);
}

static void work_ask(void *arg)
{
    struct asked_job *j = arg;
    j->rc = ca_register_ask(j->ca->reg, j->add, buf_span(j->der), j->e);
}

static int forget(struct ca *ca, const char *key_id, struct err *e)
{
    struct asked_job j = {.ca = ca, .forget = key_id, .e = e};

    ca_run(ca, work_forget, &j);
    if (j.rc == 0 && ca->hooks.key_forget)
        ca->hooks.key_forget(ca->hooks.arg, key_id);
    return j.rc;
}

/* --- the request */

static int make_request(struct ca *ca, const struct ca_settings *s,
                        const struct cert_subject *subject, struct ca_asked *a, struct buf *der,
                        struct err *e)
{
    struct buf name BUF_AUTO = BUF(2048);
    char label[64];
    struct ca_key_plan plan = {.label = label, .max_days = CA_LEAF_MAX_DAYS, .fresh = true};
    struct ca_key key;
    EVP_PKEY *signer;
    int rc = subject_der(subject, &name, e);

    if (rc < 0)
        return rc;
    snprintf(label, sizeof(label), "ca/issuing-%u", ca_next_number(ca, CA_ISSUING));
    plan.name = buf_span(&name);
    rc = ca->hooks.key_make(ca->hooks.arg, &plan, &key, e);
    if (rc < 0)
        return rc;
    memcpy(a->key_id, key.id, sizeof(a->key_id));
    memcpy(a->spki, key.spki, key.spki_bytes);
    a->spki_bytes = key.spki_bytes;
    a->requested_at = clock_seconds();
    signer = ca->hooks.key_signer(ca->hooks.arg, key.id, CA_KEY_REQUEST,
                                  span_of(key.spki, key.spki_bytes));
    if (!signer)
        return err_set(e, -ENOKEY, "the new key cannot be used");
    rc = request_make_ca(signer, span_of(key.spki, key.spki_bytes), subject, &s->issuing, der, e);
    EVP_PKEY_free(signer);
    return rc;
}

int ca_ask_other(struct ca *ca, const struct ca_settings *s, const struct cert_subject *subject,
                 bool anew, struct buf *ret_der, bool *ret_new, struct err *e)
{
    struct buf der BUF_AUTO = BUF(REQUEST_DER_MAX);
    struct asked_job j = {.ca = ca, .der = &der, .e = e};
    struct cert_subject own = *subject;
    struct ca_asked a = {.requested_at = 0};
    char common_name[65];
    int rc = 0;

    ca_run(ca, work_asked, &j);
    if (j.rc < 0)
        return j.rc;
    if (j.n > 0 && !anew) {
        *ret_new = false;
        return buf_put_span(ret_der, buf_span(&der)) ? 0 : -EMSGSIZE;
    }
    for (size_t i = 0; rc == 0 && i < j.n; i++)
        rc = forget(ca, j.key_ids[i], e);
    if (rc < 0)
        return rc;
    if (!own.common_name || !own.common_name[0]) {
        ca_common_name(s, CA_ISSUING, ca_next_number(ca, CA_ISSUING), common_name);
        own.common_name = common_name;
    }
    if (!own.organization || !own.organization[0])
        own.organization = s->organization;
    buf_clear(&der);
    rc = make_request(ca, s, &own, &a, &der, e);
    if (rc < 0) {
        if (a.key_id[0] && ca->hooks.key_forget)
            ca->hooks.key_forget(ca->hooks.arg, a.key_id);
        return rc;
    }
    snprintf(a.subject, sizeof(a.subject), "CN=%s", own.common_name);
    j.add = &a;
    ca_run(ca, work_ask, &j);
    if (j.rc < 0)
        return j.rc;
    *ret_new = true;
    return buf_put_span(ret_der, buf_span(&der)) ? 0 : -EMSGSIZE;
}

/* --- the answer */

/* What a chain's check for servers' certificates does not ask of a CA. */
static int check_ca(const struct certificate *c, int64_t now, struct err *e)
{
    const unsigned need = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
    int basic = X509_get_ext_by_NID(c->x509, NID_basic_constraints, -1);

    if (!c->is_ca)
        return err_set(
            e, -EPERM,
            "%.200s is no CA's certificate (basicConstraints without CA:TRUE); the other "
            "CA has to make it with a profile for subordinate CAs",
            c->subject);
    if (basic < 0 || !X509_EXTENSION_get_critical(X509_get_ext(c->x509, basic)))
        return err_set(e, -EPERM, "basicConstraints of %.200s is not critical (RFC 5280)",
                       c->subject);
    if (c->key_usage == UINT32_MAX || (c->key_usage & need) != need)
        return err_set(
            e, -EPERM,
            "%.200s may not sign certificates and lists of revoked ones (key usage needs "
            "keyCertSign and cRLSign)",
            c->subject);
    if (c->ext_usage != UINT32_MAX)
        return err_set(e, -EPERM,
                       "%.200s is bound to some purposes (extended key usage); a CA for servers, "
                       "accounts and mail has to be free of it",
                       c->subject);
    if (c->not_after - now < (int64_t)LIFE_LEAST_DAYS * DAY && c->not_after >= now)
        return err_set(e, -EPERM,
                       "%.200s ends within %d days, and nothing that it issues may live longer",
                       c->subject, LIFE_LEAST_DAYS);
    return 0;
}

/* keyd holds the key to the name that it was made for. */
static int check_subject(const struct certificate *c, const struct ca_asked *asked, struct span der,
                         struct err *e)
{
    const unsigned char *at = (const unsigned char *)der.p;
    X509_REQ *q = d2i_X509_REQ(NULL, &at, (long)der.n);
    bool same =
        q && X509_NAME_cmp(X509_REQ_get_subject_name(q), X509_get_subject_name(c->x509)) == 0;

    X509_REQ_free(q);
    return same
               ? 0
               : err_set(e, -EPERM,
                         "the certificate is for %.200s, asked for was %.200s; the key is bound to "
                         "that name: have it certified as it was asked for, or ask for the other "
                         "name (sealpost ca request --anew)",
                         c->subject, asked->subject);
}

struct answer_job {
    struct ca *ca;
    const struct chain *answer;
    struct ca_asked found;
    struct buf *der;
    size_t waiting;
    struct err *e;
    int rc;
};

static bool on_match(void *arg, const struct ca_asked *a, struct span der)
{
    struct answer_job *j = arg;

    j->waiting++;
    for (size_t i = 0; i < j->answer->n; i++)
        if (certificate_has_spki(j->answer->v[i], span_of(a->spki, a->spki_bytes))) {
            j->found = *a;
            buf_put_span(j->der, der);
            return false;
        }
    return true;
}

static void work_match(void *arg)
{
    struct answer_job *j = arg;
    j->rc = ca_register_asked(j->ca->reg, on_match, j, j->e);
}

static int find_asked(struct ca *ca, const struct chain *answer, struct ca_asked *ret,
                      struct buf *ret_der, struct err *e)
{
    struct answer_job j = {.ca = ca, .answer = answer, .der = ret_der, .e = e};

    ca_run(ca, work_match, &j);
    if (j.rc < 0)
        return j.rc;
    if (j.waiting == 0)
        return err_set(e, -ENOENT,
                       "no request waits for an answer; make one (sealpost ca request)");
    if (!j.found.key_id[0])
        return err_set(e, -EKEYREJECTED,
                       "none of the certificates is for the key of the request that waits; is it "
                       "the answer to another one?");
    *ret = j.found;
    return 0;
}

/* All but the CA's own: intermediates in their order, and at the end the root. */
static int keep_above(struct chain *take, const struct certificate *root, struct chain *ret,
                      struct err *e)
{
    struct certificate *copy = NULL;
    int rc = certificate_parse(certificate_der(root), &copy, e);

    if (rc < 0)
        return rc;
    for (size_t i = 1; i < take->n && ret->n + 1 < CERTIFICATE_CHAIN_MAX; i++) {
        ret->v[ret->n++] = take->v[i];
        take->v[i] = NULL;
    }
    ret->v[ret->n++] = copy;
    take->n = 1;
    return 0;
}

static const struct certificate *root_above(const struct chain *c, const struct chain *roots)
{
    const struct certificate *top = c->v[c->n - 1];

    for (size_t i = 0; i < roots->n; i++) {
        EVP_PKEY *key = X509_get0_pubkey(roots->v[i]->x509);
        if (X509_NAME_cmp(X509_get_issuer_name(top->x509),
                          X509_get_subject_name(roots->v[i]->x509)) == 0 &&
            key && X509_verify(top->x509, key) == 1)
            return roots->v[i];
    }
    return NULL;
}

/* As RFC 5280 counts it the last of a path may be a CA even below a CA that may have none below it;
 * but then nothing that it issues holds. */
static int check_room(const struct chain *c, const struct certificate *root, struct err *e)
{
    for (size_t i = 1; i <= c->n; i++) {
        const struct certificate *above = i < c->n ? c->v[i] : root;
        if (above->path_len >= 0 && (size_t)above->path_len < i)
            return err_set(e, -EPERM,
                           "%.200s may have no more than %d CAs below it, and ours would be number "
                           "%zu; another CA has to certify it",
                           above->subject, above->path_len, i);
    }
    return 0;
}

static int check_answer(const struct chain *c, const struct ca_asked *asked,
                        const struct chain *roots, struct err *e)
{
    struct chain_want want = {.purpose = CHAIN_CA,
                              .spki = span_of(asked->spki, asked->spki_bytes),
                              .roots = roots,
                              .now = clock_seconds()};
    int rc = check_ca(c->v[0], want.now, e);

    if (rc < 0)
        return rc;
    if (roots->n == 0)
        return err_set(e, -EPERM,
                       "the root of the other CA is not there; give it with --chain or --root");
    if (c->n + 1 >= CERTIFICATE_CHAIN_MAX)
        return err_set(e, -E2BIG, "more than %d CAs stand above it", CERTIFICATE_CHAIN_MAX - 3);
    return chain_check(c, &want, e) == CHAIN_FAULT_NONE ? 0 : -EPERM;
}

int ca_install(struct ca *ca, const struct ca_settings *s, struct chain *take_answer,
               const struct chain *roots, struct err *e)
{
    struct buf der BUF_AUTO = BUF(REQUEST_DER_MAX);
    struct ca_asked asked;
    struct ca_record *record;
    const struct certificate *root;
    struct ca_key key;
    int rc;

    ca_settings_take(ca, s);
    rc = find_asked(ca, take_answer, &asked, &der, e);
    if (rc < 0)
        return rc;
    CHECK(chain_arrange(take_answer, span_of(asked.spki, asked.spki_bytes)));
    rc = check_answer(take_answer, &asked, roots, e);
    if (rc == 0)
        rc = check_subject(take_answer->v[0], &asked, buf_span(&der), e);
    if (rc < 0)
        return rc;
    root = root_above(take_answer, roots);
    if (!root)
        return err_set(e, -EPERM, "the root above %.200s was not found",
                       take_answer->v[0]->subject);
    rc = check_room(take_answer, root, e);
    if (rc < 0)
        return rc;
    memcpy(key.id, asked.key_id, sizeof(key.id));
    record = ca_record_new(CA_ISSUING, &key, certificate_der(take_answer->v[0]), e);
    if (!record)
        return -EBADMSG;
    rc = keep_above(take_answer, root, &record->above, e);
    if (rc == 0)
        rc = ca_external_serves(record, s, e);
    if (rc < 0) {
        ca_record_done(record);
        free(record);
        return rc;
    }
    return ca_take_over(ca, record, NULL, NULL, e);
}
