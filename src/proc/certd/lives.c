/* One fiber a virtual server leads its certificate: read, reconcile, renew when due, remove old
 * keys. */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "proc/certd/dane.h"
#include "proc/certd/orders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOK_MS = 30000, LOOK_SOON_MS = 500, FOREVER_MS = 3600 * 1000, FOLLOW_RETRY = 300 };

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
    struct cert_names names = CERT_NAMES_EMPTY, public = CERT_NAMES_EMPTY;

    v->wanted = cv && cv->enabled;
    if (!v->wanted)
        return;
    names_wanted(c, cv, &names);
    names_public(c, cv, &public);
    life_set_want(&v->life, &names, &public, cv->key_type, c->organization);
    cert_names_done(&names);
    cert_names_done(&public);
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

/* Once a day: what only a person can do. */
static void notice(struct vserver_life *v, int64_t now)
{
    char text[600];

    if (now - v->noticed < 86400 || !life_notice(&v->life, now, text))
        return;
    log_warn("certificate of %s: %s", v->name, text);
    v->noticed = now;
}

static int assign(struct vserver_life *v, const struct vserver_life *from, struct err *e)
{
    const struct identity_slot *s = &from->life.id.current;
    struct buf chain BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES),
                     roots BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);
    char key[IDENTITY_KEY_ID_MAX + 1], type[16], name[IDENTITY_LABEL_MAX + 1];
    struct chain c = CHAIN_NONE;
    struct life_offer o = {.source = IDENTITY_ASSIGNED,
                           .key_id = key,
                           .key_type = type,
                           .name = name,
                           .origin = from->name,
                           .certificates = &c};
    int rc;

    if (v == from)
        return err_set(e, -EINVAL, "%s cannot be assigned its own certificate", v->name);
    if (!from->life.checked || !identity_is_served(s))
        return err_set(e, -ENOENT, "%s has no certificate in use", from->name);
    /* copies: it may change while we wait */
    buf_put_span(&chain, identity_chain(s));
    buf_put_span(&roots, identity_roots(s));
    memcpy(key, s->key_id, sizeof(key));
    memcpy(type, s->key_type, sizeof(type));
    memcpy(name, s->name, sizeof(name));
    rc = chain_parse(buf_span(&chain), &c, e);
    o.roots = buf_span(&roots);
    if (rc == 0)
        rc = life_take(&v->life, &o, "assigned", e);
    chain_done(&c);
    return rc;
}

/* What was assigned follows the virtual server that it is of. */
static void follow(struct vserver_life *v, int64_t now)
{
    const struct identity_slot *s = &v->life.id.current;
    const struct vserver_life *from;
    struct err e;

    if (s->source != IDENTITY_ASSIGNED || !identity_is_served(s) || !life_may_try(&v->life, now))
        return;
    from = certd_find(v->certd, s->origin);
    if (!from || !from->wanted || !from->life.checked ||
        strcmp(from->life.id.current.serial, s->serial) == 0 ||
        (v->life.held && strcmp(from->life.id.current.serial, v->life.id.next.serial) == 0))
        return;
    if (assign(v, from, &e) < 0) {
        log_warn("certificate of %s: that of %s cannot be followed: %s", v->name, from->name,
                 e.text);
        v->life.retry_at = clock_seconds() + FOLLOW_RETRY;
    }
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
    follow(v, now);
    notice(v, now);
    why = life_due(&v->life, now);
    if (why) {
        v->life.same_key = v->life.same_key || dane_keeps_key(v);
        life_renew(&v->life, why, &e);
    }
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
    orders_begin(v);
    dane_begin(v);
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

int lives_do(struct vserver_life *v, life_fn fn, void *arg, struct err *e)
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
        rc = fn(v, arg, e);
    fiber_unlock(&v->lock);
    /* also those that follow it */
    for (unsigned i = 0; i < v->certd->life_count; i++)
        fiber_cond_broadcast(&v->certd->lives[i]->wake);
    return rc;
}

static int do_issue(struct vserver_life *v, void *arg, struct err *e)
{
    v->life.same_key = *(const bool *)arg;
    return life_renew(&v->life, "asked for", e);
}

int lives_issue(struct vserver_life *v, bool same_key, struct err *e)
{
    return lives_do(v, do_issue, &same_key, e);
}

static int do_assign(struct vserver_life *v, void *arg, struct err *e)
{
    return assign(v, arg, e);
}

int lives_assign(struct vserver_life *v, const struct vserver_life *from, struct err *e)
{
    /* only read; but the argument of a life_fn is not const */
    return lives_do(v, do_assign, certd_find(v->certd, from->name), e);
}
