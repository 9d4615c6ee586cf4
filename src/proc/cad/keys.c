/* The CA's keys, where keyd has them. */
#include "base/check.h"
#include "base/log.h"
#include "pki/key.h"
#include "proc/cad/cad.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Small certificates and quick checks at every client; the root's life of decades is bounded by
 * what it may certify. */
#define CA_KEY_TYPE "p256"

static int take(const struct key_info *k, struct ca_key *ret)
{
    memcpy(ret->id, k->id, sizeof(k->id));
    CHECK(k->spki_bytes <= sizeof(ret->spki));
    memcpy(ret->spki, k->spki, k->spki_bytes);
    ret->spki_bytes = k->spki_bytes;
    return 0;
}

/* 1: the newest with exactly that label; 0: there is none */
static int find(const char *label, struct ca_key *ret, struct err *e)
{
    struct key_info *all = NULL;
    const struct key_info *newest = NULL;
    size_t n = 0;
    int rc = key_list(label, &all, &n);

    if (rc < 0)
        return err_set(e, rc, "keyd does not list the CA's keys: %s", strerror(-rc));
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].label, label) == 0 && (!newest || all[i].created >= newest->created))
            newest = &all[i];
    if (newest)
        take(newest, ret);
    free(all);
    return newest != NULL;
}

static int make(const struct ca_key_plan *plan, struct ca_key *ret, struct err *e)
{
    struct key_ca_profile profile = {
        .root = plan->root, .levels = (uint8_t)plan->levels, .max_days = plan->max_days};
    struct key_info k;
    int rc;

    if (plan->name.n <= sizeof(profile.name)) { /* else keyd takes it from the first signature */
        memcpy(profile.name, plan->name.p, plan->name.n);
        profile.name_bytes = (unsigned)plan->name.n;
    }
    /* a root's key can be taken away and kept elsewhere, each can be kept in a backup: encrypted by
     * keyd under a passphrase, for who administers this machine */
    rc = key_create_ca(plan->label, CA_KEY_TYPE, KEY_CA | KEY_CRL | KEY_OCSP | KEY_CSR, &profile,
                       true, &k);
    if (rc < 0)
        return err_set(e, rc, "keyd does not make the key %s: %s", plan->label, strerror(-rc));
    return take(&k, ret);
}

static int hook_key_make(void *arg, const struct ca_key_plan *plan, struct ca_key *ret,
                         struct err *e)
{
    int rc = plan->fresh ? 0 : find(plan->label, ret, e);

    if (rc < 0)
        return rc;
    return rc > 0 ? 0 : make(plan, ret, e);
}

static EVP_PKEY *hook_key_signer(void *arg, const char *id, enum ca_key_use use, struct span spki)
{
    static const enum key_purpose purposes[] = {[CA_KEY_CERTIFICATES] = KEY_CA,
                                                [CA_KEY_CRL] = KEY_CRL,
                                                [CA_KEY_OCSP] = KEY_OCSP,
                                                [CA_KEY_REQUEST] = KEY_CSR};

    return key_handle(id, purposes[use], spki);
}

static bool hook_key_there(void *arg, const char *id)
{
    struct key_info k;

    return key_get(id, &k) != -ENOENT;
}

static void hook_key_forget(void *arg, const char *id)
{
    int rc = key_delete(id);

    if (rc < 0 && rc != -ENOENT)
        log_warn("keyd does not delete the key %s: %s", id, strerror(-rc));
}

/* The helper thread is one: the register's calls come one after the other. */
const struct ca_hooks cad_key_hooks = {
    .key_make = hook_key_make,
    .key_signer = hook_key_signer,
    .offload = fiber_offload,
    .key_there = hook_key_there,
    .key_forget = hook_key_forget,
};
