/* One fiber a virtual server leads its certificate: read, reconcile, renew when due, remove old
 * keys. */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "proc/certd/certd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOK_MS = 30000, LOOK_SOON_MS = 500, FOREVER_MS = 3600 * 1000 };

struct vserver_life *certd_find(struct certd *d, const char *vserver)
{
    for (unsigned i = 0; i < d->life_count; i++)
        if (strcmp(d->lives[i]->name, vserver) == 0)
            return d->lives[i];
    return NULL;
}

/* What the configuration says at this moment. The caller holds the lock. */
static void set_want(struct vserver_life *v)
{
    const struct conf *c = v->certd->child->conf;
    const struct conf_vserver *cv = conf_vserver_by_name(c, v->name);
    struct cert_names names = CERT_NAMES_EMPTY;

    v->wanted = cv && cv->enabled;
    if (!v->wanted)
        return;
    names_wanted(c, cv, &names);
    life_set_want(&v->life, &names, cv->key_type, c->organization);
    cert_names_done(&names);
}

/* --- the fiber of a virtual server
 * -------------------------------------------------------------------------------------- */

static void load(struct vserver_life *v)
{
    struct buf bytes BUF_AUTO = BUF(IDENTITY_FILE_MAX);
    struct identity id;
    struct err e;
    bool damaged = false;
    int rc = life_file_read(v, &bytes, &damaged, &e);

    if (rc == 0)
        rc = identity_read(buf_span(&bytes), &id, &e);
    if (rc == 0 && strcmp(id.vserver, v->name) != 0) {
        identity_done(&id);
        rc = err_set(&e, -EBADMSG, "it belongs to another virtual server");
    }
    if (rc < 0) {
        if (rc != -ENOENT) {
            damaged = true;
            log_error("certificate of %s: its file cannot be used: %s", v->name, e.text);
            life_file_put_aside(v);
        }
        identity_init(&id, v->name);
    }
    life_init(&v->life, &id, &v->ops);
    /* a damaged file may have named keys that whoever repairs it still wants: as long as it lies
     * there */
    v->life.keep_unknown_keys = damaged;
    v->loaded = true;
}

/* Was it revoked while one of us was away? Once for each time that cad comes up; it tells us of
 * later ones. */
static void ask_state(struct vserver_life *v)
{
    char serial[CERTIFICATE_SERIAL_MAX];
    struct err e;
    int rc;

    if (v->state_known || !v->life.checked || !child_peer(v->certd->child, ROLE_CAD))
        return;
    memcpy(serial, v->life.id.current.serial, sizeof(serial));
    rc = state_ask(v->certd, serial, &e);
    v->state_known = rc >= 0;
    if (rc > 0)
        life_revoked(&v->life, serial);
}

/* One look, with the lock held: what is due is done. */
static void look(struct vserver_life *v)
{
    int64_t now = clock_seconds();
    const char *why;
    struct err e;

    if (!v->loaded)
        load(v);
    set_want(v);
    if (!v->wanted)
        return;
    if (!v->reconciled && life_may_try(&v->life, now))
        v->reconciled = life_reconcile(&v->life, &e) == 0;
    if (!v->reconciled)
        return;
    ask_state(v);
    why = life_due(&v->life, now);
    if (why)
        life_renew(&v->life, why, &e);
    if (life_tidy(&v->life, clock_seconds(), &e) < 0)
        log_warn("certificate of %s: %s", v->name, e.text);
}

static uint64_t pause_ms(const struct vserver_life *v)
{
    int64_t now = clock_seconds();

    if (!v->wanted)
        return FOREVER_MS;
    if (v->life.retry_at > now)
        return (uint64_t)(v->life.retry_at - now) * 1000 < LOOK_MS
                   ? (uint64_t)(v->life.retry_at - now) * 1000
                   : LOOK_MS;
    return v->reconciled && !life_due(&v->life, now) ? LOOK_MS : LOOK_SOON_MS;
}

static void lead(void *arg)
{
    struct vserver_life *v = arg;

    for (;;) {
        fiber_lock(&v->lock);
        look(v);
        fiber_unlock(&v->lock);
        fiber_cond_wait(&v->wake, pause_ms(v));
    }
}

static void begin(struct certd *d, const char *name)
{
    struct vserver_life *v;

    if (d->life_count == CERTD_VSERVERS_MAX) {
        log_error("certificate of %s: there are more than %d virtual servers", name,
                  CERTD_VSERVERS_MAX);
        return;
    }
    v = calloc(1, sizeof(*v));
    CHECK(v);
    v->certd = d;
    snprintf(v->name, sizeof(v->name), "%s", name);
    v->ops = certd_life_ops;
    v->ops.arg = v;
    d->lives[d->life_count++] = v;
    fiber_start(d->child->loop, lead, v, "certd.life");
}

void lives_follow_conf(struct certd *d)
{
    const struct conf *c = d->child->conf;

    /* fibers that begin here may suspend, but the configuration changes on the loop only */
    for (uint32_t i = 0; i < c->vserver_count; i++)
        if (c->vservers[i].enabled && !certd_find(d, c->vservers[i].name))
            begin(d, c->vservers[i].name);
    for (unsigned i = 0; i < d->life_count; i++)
        fiber_cond_broadcast(&d->lives[i]->wake);
}

int lives_issue(struct vserver_life *v, struct err *e)
{
    int rc = 0;

    fiber_lock(&v->lock);
    if (v->loaded)
        set_want(v);
    if (!v->wanted)
        rc = err_set(e, -ENOENT, "there is no virtual server %s that is enabled", v->name);
    else if (!v->reconciled && (rc = life_reconcile(&v->life, e)) == 0)
        v->reconciled = true;
    if (rc == 0)
        rc = life_renew(&v->life, "asked for", e);
    fiber_unlock(&v->lock);
    fiber_cond_broadcast(&v->wake);
    return rc;
}
