/* life_start.c: what was found after a start, and what keyd really has: made good, or given up. */
#include "base/log.h"
#include "pki/life_internal.h"

#include <errno.h>

/* 1: the slot's key is there (and fits its chain, if it has one); 0: not; negative: ask later */
static int slot_holds(struct life *l, const struct identity_slot *s, struct err *e)
{
    struct life_key key;
    int rc = l->ops->key_get(l->ops->arg, s->key_id, &key, e);

    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return rc;
    return s->chain_bytes == 0 || life_chain_fits_key(s, &key);
}

static int reconcile_current(struct life *l, struct err *e)
{
    struct identity_slot *s = &l->id.current;
    int rc;

    if (s->state == IDENTITY_NONE)
        return 0;
    rc = slot_holds(l, s, e);
    if (rc > 0) {
        l->checked = identity_is_served(s);
        return 0;
    }
    if (rc == 0) {
        log_error("certificate of %s: its key %s is lost at keyd or belongs to another "
                  "certificate; making a new one",
                  l->id.vserver, s->key_id);
        identity_drop(&l->id, s, "its key is lost");
        rc = life_save(l, e);
    }
    return rc;
}

static int reconcile_next(struct life *l, struct err *e)
{
    struct identity_slot *s = &l->id.next;
    int rc;

    if (s->state == IDENTITY_NONE) { /* died between giving up and going back */
        if (l->id.current.state == IDENTITY_RENEWING) {
            identity_set(&l->id, &l->id.current, IDENTITY_LIVE, "nothing is under way");
            return life_save(l, e);
        }
        return 0;
    }
    rc = slot_holds(l, s, e);
    return rc == 0 ? life_give_up(l, "its key is lost", e) : rc < 0 ? rc : 0;
}

/* A request whose asker never got it (died in between) is given up; one that waits needs its key.
 */
static int reconcile_pending(struct life *l, struct err *e)
{
    struct identity_slot *s = &l->id.pending;
    int rc;

    if (s->state == IDENTITY_NONE)
        return 0;
    if (s->state != IDENTITY_PENDING)
        return life_drop_pending(l, "it was broken off", e);
    rc = slot_holds(l, s, e);
    if (rc == 0) {
        log_error("certificate of %s: the key of the pending request is lost at keyd; prepare a "
                  "new request",
                  l->id.vserver);
        return life_drop_pending(l, "its key is lost", e);
    }
    return rc < 0 ? rc : 0;
}

static int remove_orphans(struct life *l, int64_t before, struct err *e)
{
    char ids[LIFE_KEYS_MAX][IDENTITY_KEY_ID_MAX + 1], label[IDENTITY_NAME_MAX + 16];
    size_t n = 0;
    int rc;

    life_label(l, label);
    rc = l->ops->key_ids(l->ops->arg, label, before, ids, &n, e);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (identity_uses(&l->id, ids[i]) == 0) {
            log_info("certificate of %s: removing key %s, made for nothing that is remembered",
                     l->id.vserver, ids[i]);
            rc = l->ops->key_delete(l->ops->arg, ids[i], e);
        }
    return rc;
}

int life_reconcile(struct life *l, struct err *e)
{
    int rc = life_catch_up(l, e);

    if (rc == 0)
        rc = reconcile_current(l, e);
    if (rc == 0)
        life_show(l, l->ops->show, l->ops->arg);
    if (rc == 0)
        rc = reconcile_next(l, e);
    if (rc == 0)
        rc = reconcile_pending(l, e);
    if (rc == 0 && !l->keep_unknown_keys)
        rc = remove_orphans(l, INT64_MAX, e);
    if (rc < 0)
        life_failed(l, e);
    return rc;
}

int life_make_up(struct life *l, struct err *e)
{
    int rc = life_prove_live(l, e);

    if (rc < 0)
        life_failed(l, e);
    return rc;
}

int life_sweep(struct life *l, int64_t before, struct err *e)
{
    return l->keep_unknown_keys ? 0 : remove_orphans(l, before, e);
}
