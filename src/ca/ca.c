#include "ca/ca.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "ca/ca_internal.h"
#include "pki/issue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { HOUR = 3600, DAY = 86400, CROSS_LEAST_DAYS = 365 };

void ca_run(struct ca *ca, void (*work)(void *arg), void *arg)
{
    if (ca->hooks.offload)
        ca->hooks.offload(work, arg);
    else
        work(arg);
}

/* --- the CAs that there are */

void ca_adopt(struct ca *ca, struct ca_record *take)
{
    ca->cas = realloc(ca->cas, (ca->ca_count + 1) * sizeof(struct ca_record *));
    CHECK(ca->cas);
    ca->cas[ca->ca_count++] = take;
    if (take->state != CA_ACTIVE)
        return;
    if (take->kind == CA_ROOT)
        ca->root = take;
    else
        ca->issuing = take;
}

void ca_let_go(struct ca *ca, struct ca_record *take)
{
    ca->gone = realloc(ca->gone, (ca->gone_count + 1) * sizeof(struct ca_record *));
    CHECK(ca->gone);
    ca->gone[ca->gone_count++] = take;
}

struct ca_record *ca_by_id(const struct ca *ca, int64_t id)
{
    for (size_t i = 0; i < ca->ca_count; i++)
        if (ca->cas[i]->id == id)
            return ca->cas[i];
    return NULL;
}

void ca_name(const struct ca *ca, const struct ca_record *c, char ret[32])
{
    unsigned number = 0;

    for (size_t i = 0; i < ca->ca_count; i++) {
        number += ca->cas[i]->kind == c->kind;
        if (ca->cas[i] == c)
            break;
    }
    snprintf(ret, 32, "%s-%u", ca_kind_name(c->kind), number);
}

void ca_url(const struct ca *ca, const struct ca_record *c, char *ret, size_t size,
            const char *suffix)
{
    char name[32];

    ret[0] = '\0';
    if (!ca->url[0])
        return;
    ca_name(ca, c, name);
    snprintf(ret, size, "%s/ca/%s%s", ca->url, name, suffix);
}

int ca_open(const char *path, const struct ca_hooks *hooks, struct ca **ret, struct err *e)
{
    struct ca *ca = calloc(1, sizeof(*ca));
    struct ca_record *all = NULL;
    size_t n = 0;
    int rc;

    CHECK(ca);
    ca->hooks = *hooks;
    ca->crl_hours = 24;
    for (size_t i = 0; i < CA_CRL_SLOTS; i++)
        ca->crl[i].der = BUF(CA_CRL_BYTES);
    rc = ca_register_open(path, &ca->reg, e);
    if (rc == 0)
        rc = ca_register_cas(ca->reg, &all, &n, e);
    if (rc < 0) {
        ca_close(ca);
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        struct ca_record *one = malloc(sizeof(*one));
        CHECK(one);
        *one = all[i];
        ca_adopt(ca, one);
    }
    free(all);
    *ret = ca;
    return 0;
}

void ca_close(struct ca *ca)
{
    if (!ca)
        return;
    for (size_t i = 0; i < ca->ca_count; i++) {
        ca_record_done(ca->cas[i]);
        free(ca->cas[i]);
    }
    free(ca->cas);
    for (size_t i = 0; i < ca->gone_count; i++) {
        ca_record_done(ca->gone[i]);
        free(ca->gone[i]);
    }
    free(ca->gone);
    for (size_t i = 0; i < CA_CRL_SLOTS; i++)
        buf_done(&ca->crl[i].der);
    ca_ocsp_done(ca);
    ca_register_close(ca->reg);
    free(ca);
}

bool ca_ready(const struct ca *ca)
{
    return ca->root && ca->issuing;
}

const struct ca_record *ca_root(const struct ca *ca)
{
    return ca->root;
}

const struct ca_record *ca_issuing(const struct ca *ca)
{
    return ca->issuing;
}

/* --- making a CA */

struct add_ca_job {
    struct ca *ca;
    struct ca_record *record;
    const struct ca_record *before;
    const struct chain *above_before;
    struct err *e;
    int rc;
};

static void work_add_ca(void *arg)
{
    struct add_ca_job *j = arg;
    j->rc = ca_register_add_ca(j->ca->reg, j->record, j->before, j->above_before, j->e);
}

int ca_take_over(struct ca *ca, struct ca_record *take, struct ca_record *before,
                 struct chain *take_above_before, struct err *e)
{
    struct add_ca_job j = {ca, take, before, take_above_before, e, 0};

    ca_run(ca, work_add_ca, &j);
    if (j.rc < 0) {
        ca_record_done(take);
        free(take);
        return j.rc;
    }
    if (before && take_above_before) {
        /* what stood there before may be in use by a call that is suspended */
        struct ca_record *gone = calloc(1, sizeof(*gone));
        CHECK(gone);
        gone->above = before->above;
        ca_let_go(ca, gone);
        before->above = *take_above_before;
        *take_above_before = CHAIN_NONE;
    }
    if (take->kind == CA_ROOT && ca->root)
        ca->root->state = CA_RETIRED;
    if (take->kind == CA_ISSUING && ca->issuing)
        ca->issuing->state = CA_RETIRED;
    ca_adopt(ca, take);
    return 0;
}

static unsigned count_kind(const struct ca *ca, enum ca_kind kind)
{
    unsigned n = 0;

    for (size_t i = 0; i < ca->ca_count; i++)
        n += ca->cas[i]->kind == kind;
    return n;
}

unsigned ca_next_number(const struct ca *ca, enum ca_kind kind)
{
    return count_kind(ca, kind) + 1;
}

void ca_common_name(const struct ca_settings *s, enum ca_kind kind, unsigned number, char ret[65])
{
    snprintf(ret, 65, kind == CA_ROOT ? "%.48s Root CA %u" : "%.48s Issuing CA %u", s->organization,
             number);
}

static int build_ca(struct ca *ca, const struct ca_settings *s, enum ca_kind kind,
                    const struct cert_subject *subject, const struct ca_key *key, struct buf *der,
                    struct err *e)
{
    const struct ca_record *parent = kind == CA_ROOT ? NULL : ca->root;
    struct buf signer_spki BUF_AUTO = BUF(4096);
    char crl_url[320] = "", issuer_url[320] = "";
    int64_t now = clock_seconds();
    struct issue_plan plan = {
        .profile = cert_profile_get(kind == CA_ROOT ? PROFILE_ROOT : PROFILE_ISSUING),
        .issuer = parent ? parent->certificate : NULL,
        .spki = span_of(key->spki, key->spki_bytes),
        .subject = subject,
        .permitted = kind == CA_ROOT ? &s->root : &s->issuing,
        .not_before = now - HOUR,
        .not_after = now + (int64_t)(kind == CA_ROOT ? s->root_days : s->ca_days) * DAY,
        .crl_url = crl_url,
        .issuer_url = issuer_url,
    };
    int rc;

    if (parent) {
        ca_url(ca, parent, crl_url, sizeof(crl_url), ".crl");
        ca_url(ca, parent, issuer_url, sizeof(issuer_url), ".crt");
    }
    /* where clients may know the root before this one only, it must not outlive the way there */
    if (parent && parent->above.n > 0 && parent->above.v[0]->not_after < plan.not_after &&
        parent->above.v[0]->not_after - now > (int64_t)CROSS_LEAST_DAYS * DAY)
        plan.not_after = parent->above.v[0]->not_after;
    /* none may begin before its issuer */
    if (parent && plan.not_before < parent->certificate->not_before)
        plan.not_before = parent->certificate->not_before;
    random_bytes(plan.serial, sizeof(plan.serial));
    if (parent)
        certificate_spki(parent->certificate, &signer_spki);
    plan.signer =
        ca->hooks.key_signer(ca->hooks.arg, parent ? parent->key_id : key->id, CA_KEY_CERTIFICATES,
                             parent ? buf_span(&signer_spki) : plan.spki);
    if (!plan.signer)
        return err_set(e, -ENOKEY, "the key of the %s CA cannot be used; is it removed?",
                       ca_kind_name(parent ? CA_ROOT : kind));
    rc = issue_certificate(&plan, der, e);
    EVP_PKEY_free(plan.signer);
    return rc;
}

/* Key and certificate. A key that a try before a crash has left is taken up, unless it does not do
 * any more. */
int ca_key_and_certificate(struct ca *ca, const struct ca_settings *s, enum ca_kind kind,
                           struct ca_key *key, struct buf *der, struct err *e)
{
    unsigned number = ca_next_number(ca, kind);
    struct buf name BUF_AUTO = BUF(512);
    char common_name[65], label[64];
    struct cert_subject subject = {.common_name = common_name, .organization = s->organization};
    struct ca_key_plan plan = {.label = label,
                               .root = kind == CA_ROOT,
                               .levels = kind == CA_ROOT ? CA_ROOT_LEVELS : 0,
                               .max_days = kind == CA_ROOT ? CA_ROOT_MAX_DAYS : CA_LEAF_MAX_DAYS};
    int rc;

    ca_common_name(s, kind, number, common_name);
    snprintf(label, sizeof(label), "ca/%s-%u", ca_kind_name(kind), number);
    rc = subject_der(&subject, &name, e);
    plan.name = buf_span(&name);
    for (int tries = 0; rc == 0 && tries < 2; tries++) {
        plan.fresh =
            tries > 0 || kind == CA_ISSUING; /* its own key signs nothing yet: no second try */
        rc = ca->hooks.key_make(ca->hooks.arg, &plan, key, e);
        if (rc == 0)
            rc = build_ca(ca, s, kind, &subject, key, der, e);
        if (rc != -EKEYREJECTED || kind != CA_ROOT)
            break;
        rc = tries == 0 ? 0 : rc;
    }
    return rc < 0 ? err_wrap(e, rc, "making the %s CA", ca_kind_name(kind)) : 0;
}

struct ca_record *ca_record_new(enum ca_kind kind, const struct ca_key *key, struct span der,
                                struct err *e)
{
    struct ca_record *record = calloc(1, sizeof(*record));

    CHECK(record);
    record->kind = kind;
    record->state = CA_ACTIVE;
    memcpy(record->key_id, key->id, sizeof(record->key_id));
    if (certificate_parse(der, &record->certificate, e) == 0)
        return record;
    free(record);
    return NULL;
}

bool ca_key_there(const struct ca *ca, const struct ca_record *c)
{
    return !ca->hooks.key_there || ca->hooks.key_there(ca->hooks.arg, c->key_id);
}

int ca_root_can_certify(const struct ca *ca, const char *what, struct err *e)
{
    return ca_key_there(ca, ca->root)
               ? 0
               : err_set(e, -ENOKEY,
                         "the key of the root CA is away, and it has to certify %s; bring it back "
                         "first (sealpost ca root import)",
                         what);
}

int ca_make(struct ca *ca, const struct ca_settings *s, enum ca_kind kind, struct err *e)
{
    struct buf der BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    struct ca_record *record;
    struct ca_key key;
    int rc = kind == CA_ROOT ? 0 : ca_root_can_certify(ca, "the new issuing CA", e);

    if (rc == 0)
        rc = ca_key_and_certificate(ca, s, kind, &key, &der, e);
    if (rc < 0)
        return rc;
    record = ca_record_new(kind, &key, buf_span(&der), e);
    if (!record)
        return -EBADMSG;
    record->parent = kind == CA_ROOT ? 0 : ca->root->id;
    return ca_take_over(ca, record, NULL, NULL, e);
}

/* Why a new issuing CA is needed; NULL: it is not. */
static const char *issuing_wanted(const struct ca *ca, const struct ca_settings *s)
{
    const struct certificate *c;
    int64_t left;

    if (!ca->issuing)
        return "none";
    if (ca->issuing->parent == 0) /* another's: the administrator asks there */
        return NULL;
    if (ca->issuing->parent != ca->root->id)
        return "root";
    c = ca->issuing->certificate;
    left = c->not_after - clock_seconds();
    if (left < 2 * (int64_t)s->cert_days * DAY && left < (c->not_after - c->not_before) / 2)
        return "life";
    if (!permitted_covers(&c->permitted, &s->issuing) ||
        !permitted_covers(&s->issuing, &c->permitted))
        return "names";
    return NULL;
}

void ca_settings_take(struct ca *ca, const struct ca_settings *s)
{
    memcpy(ca->organization, s->organization, sizeof(ca->organization));
    ca->cert_days = s->cert_days;
    memcpy(ca->url, s->url, sizeof(ca->url));
    ca->crl_hours = s->crl_hours;
    ca->crl_delta = s->crl_delta;
    ca->officer = s->officer;
}

/* What somebody has to see to. */
static int check_external(const struct ca *ca, const struct ca_settings *s, struct err *e)
{
    int64_t left = ca->issuing->certificate->not_after - clock_seconds();

    if (left < 2 * (int64_t)s->cert_days * DAY)
        return err_set(e, -EPERM,
                       "the issuing CA, which another CA has certified, ends in %" PRId64
                       " days; ask for a new one (sealpost ca request), or go back to the own root "
                       "(sealpost ca rollover)",
                       left > 0 ? left / DAY : 0);
    return ca_external_serves(ca->issuing, s, e);
}

int ca_ensure(struct ca *ca, const struct ca_settings *s, struct err *e)
{
    int rc = 0;

    ca_settings_take(ca, s);
    if (!ca->root)
        rc = ca_make(ca, s, CA_ROOT, e);
    if (rc == 0 && ca->issuing && ca->issuing->parent == 0)
        return check_external(ca, s, e);
    if (rc < 0 || !issuing_wanted(ca, s))
        return rc;
    if (!permitted_covers(&ca->root->certificate->permitted, &s->issuing)) {
        struct buf has BUF_AUTO = BUF(16384);
        permitted_print(&ca->root->certificate->permitted, &has);
        return err_set(
            e, -EPERM,
            "the root CA may not certify all that local_domains, hostname, ca_dns and ca_ip now "
            "name (it may: %.200s); take the new name back, or replace the root CA (\"sealpost ca "
            "rollover root\") and hand it to the clients",
            buf_cstr(&has));
    }
    return ca_make(ca, s, CA_ISSUING, e);
}

int ca_rollover(struct ca *ca, const struct ca_settings *s, struct err *e)
{
    bool external = ca->issuing && ca->issuing->parent == 0;
    int rc = external ? 0 : ca_ensure(ca, s, e);

    return rc < 0 ? rc : ca_make(ca, s, CA_ISSUING, e);
}
