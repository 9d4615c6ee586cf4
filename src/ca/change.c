/* Changes to the CAs themselves: a new issuing CA, one that is revoked, the root's key away and
 * back. */
#include "base/check.h"
#include "base/clock.h"
#include "ca/ca_internal.h"

#include <errno.h>
#include <string.h>

struct change_job {
    struct ca *ca;
    int64_t id, count; /* of certificates; ca_kept: seconds */
    enum crl_reason reason;
    const char *key_id;
    struct err *e;
    int rc;
};

static void work_revoke(void *arg)
{
    struct change_job *j = arg;
    j->rc = ca_register_revoke_ca(j->ca->reg, j->id, j->reason, clock_seconds(), &j->count, j->e);
}

int ca_revoke_ca(struct ca *ca, int64_t id, enum crl_reason reason, int64_t *ret_count,
                 struct err *e)
{
    struct change_job j = {.ca = ca, .id = id, .reason = reason, .e = e};
    struct ca_record *c = ca_by_id(ca, id);

    if (!c || c->kind != CA_ISSUING)
        return err_set(e, -ENOENT, "there is no such issuing CA");
    if (c == ca->issuing)
        return err_set(e, -EBUSY, "it is the issuing CA in use; make a new one first");
    if (c->state == CA_REVOKED)
        return err_set(e, -EALREADY, "it was revoked before");
    ca_run(ca, work_revoke, &j);
    if (j.rc < 0)
        return j.rc;
    c->state = CA_REVOKED;
    c->reason = (uint8_t)reason;
    c->revoked_at = clock_seconds();
    ca->changes++;
    *ret_count = j.count;
    return 0;
}

static void work_set_kept(void *arg)
{
    struct change_job *j = arg;
    j->rc = ca_register_set_kept(j->ca->reg, j->id, j->count, j->e);
}

int ca_kept(struct ca *ca, const char *key_id, struct err *e)
{
    struct change_job j = {.ca = ca, .count = clock_seconds(), .e = e};
    struct ca_record *c = NULL;

    for (size_t i = 0; i < ca->ca_count; i++)
        if (strcmp(ca->cas[i]->key_id, key_id) == 0)
            c = ca->cas[i];
    if (!c)
        return err_set(e, -ENOENT, "no CA of ours has that key");
    j.id = c->id;
    ca_run(ca, work_set_kept, &j);
    if (j.rc == 0)
        c->kept_at = j.count;
    return j.rc;
}

static void work_set_key(void *arg)
{
    struct change_job *j = arg;
    j->rc = ca_register_set_key(j->ca->reg, j->id, j->key_id, j->e);
}

int ca_root_take(struct ca *ca, const char *key_id, struct span spki, struct err *e)
{
    struct change_job j = {.ca = ca, .key_id = key_id, .e = e};

    if (!ca->root)
        return err_set(e, -ENOENT, "our CA has no root of its own");
    if (!certificate_has_spki(ca->root->certificate, spki))
        return err_set(e, -EINVAL, "this is not the key of the root CA %s",
                       ca->root->certificate->subject);
    j.id = ca->root->id;
    ca_run(ca, work_set_key, &j);
    if (j.rc == 0)
        CHECK(span_to_cstr(span_cstr(key_id), ca->root->key_id, sizeof(ca->root->key_id)));
    return j.rc;
}
