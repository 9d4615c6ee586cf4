/* A new root in place of the old one, each certifying the other's key (RFC 4210 section 4.4 in the
 * form of two cross certificates). */
#include "base/clock.h"
#include "base/random.h"
#include "ca/ca_internal.h"
#include "pki/issue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { HOUR = 3600, DAY = 86400 };

/* A root and how to sign with it. */
struct signing_root {
    const struct certificate *certificate;
    const char *key_id;
    unsigned number;
};

static int64_t latest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* `other`, certified by `by`: the same subject, key and permitted names, one CA below it. */
static int cross_certify(struct ca *ca, const struct signing_root *by,
                         const struct certificate *other, struct certificate **ret, struct err *e)
{
    struct buf spki BUF_AUTO = BUF(4096), signer_spki BUF_AUTO = BUF(4096),
                    der BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    char crl_url[320] = "", issuer_url[320] = "";
    int64_t now = clock_seconds();
    struct issue_plan plan = {
        .profile = cert_profile_get(PROFILE_ROOT),
        .path = 1,
        .issuer = by->certificate,
        .same_subject = other,
        .permitted = &other->permitted,
        .not_before = latest(now - HOUR, latest(by->certificate->not_before, other->not_before)),
        .not_after = earliest(other->not_after, now + (int64_t)(CA_ROOT_MAX_DAYS - 1) * DAY),
        .crl_url = crl_url,
        .issuer_url = issuer_url,
    };
    int rc;

    if (ca->url[0]) {
        snprintf(crl_url, sizeof(crl_url), "%s/ca/root-%u.crl", ca->url, by->number);
        snprintf(issuer_url, sizeof(issuer_url), "%s/ca/root-%u.crt", ca->url, by->number);
    }
    random_bytes(plan.serial, sizeof(plan.serial));
    certificate_spki(other, &spki);
    certificate_spki(by->certificate, &signer_spki);
    plan.spki = buf_span(&spki);
    plan.signer = ca->hooks.key_signer(ca->hooks.arg, by->key_id, CA_KEY_CERTIFICATES,
                                       buf_span(&signer_spki));
    if (!plan.signer)
        return err_set(e, -ENOKEY, "the key of the root CA %.200s cannot be used",
                       by->certificate->subject);
    rc = issue_certificate(&plan, &der, e);
    EVP_PKEY_free(plan.signer);
    return rc < 0 ? err_wrap(e, rc, "the root CA %.200s certifying %.200s",
                             by->certificate->subject, other->subject)
                  : certificate_parse(buf_span(&der), ret, e);
}

static unsigned number_of(const struct ca *ca, const struct ca_record *root)
{
    unsigned number = 0;

    for (size_t i = 0; i < ca->ca_count; i++) {
        number += ca->cas[i]->kind == CA_ROOT;
        if (ca->cas[i] == root)
            break;
    }
    return number;
}

/* Fills take->above (the new root by the old) and *ret_old (the old by the new). */
static int cross(struct ca *ca, struct ca_record *old, struct ca_record *take,
                 struct chain *ret_old, struct err *e)
{
    struct signing_root was = {old->certificate, old->key_id, number_of(ca, old)};
    struct signing_root is = {take->certificate, take->key_id, ca_next_number(ca, CA_ROOT)};
    int rc = cross_certify(ca, &is, old->certificate, &ret_old->v[0], e);

    if (rc < 0)
        return rc;
    ret_old->n = 1;
    if (old->certificate->path_len >= 0 && old->certificate->path_len < CA_ROOT_LEVELS)
        return 0; /* from before roots had room for one more */
    rc = cross_certify(ca, &was, take->certificate, &take->above.v[0], e);
    take->above.n = rc == 0;
    return rc;
}

int ca_rollover_root(struct ca *ca, const struct ca_settings *s, bool *ret_crossed, struct err *e)
{
    struct buf der BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    struct chain old_by_new = CHAIN_NONE;
    struct ca_record *old = ca->root, *take;
    struct ca_key key;
    int rc;

    ca_settings_take(ca, s);
    if (!old)
        return err_set(e, -EAGAIN, "there is no root CA yet");
    rc = ca_root_can_certify(ca, "the new root", e);
    if (rc < 0)
        return rc;
    rc = ca_key_and_certificate(ca, s, CA_ROOT, &key, &der, e);
    if (rc < 0)
        return rc;
    take = ca_record_new(CA_ROOT, &key, buf_span(&der), e);
    if (!take)
        return -EBADMSG;
    rc = cross(ca, old, take, &old_by_new, e);
    if (rc < 0) {
        ca_record_done(take);
        free(take);
    } else {
        bool crossed = take->above.n > 0;
        rc = ca_take_over(ca, take, old, &old_by_new, e);
        if (rc == 0)
            *ret_crossed = crossed;
    }
    chain_done(&old_by_new);
    /* a crash here: ca_ensure sees an issuing CA that is not below the root in use */
    return rc < 0 ? rc : ca_make(ca, s, CA_ISSUING, e);
}
