/* One fiber a virtual server leads its certificate: read, reconcile, renew when due, remove old
 * keys. */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "proc/certd/dane.h"
#include "proc/certd/orders.h"
#include "proc/certd/staple.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LOOK_MS = 30000,
    LOOK_SOON_MS = 500,
    FOREVER_MS = 3600 * 1000,
    FOLLOW_RETRY = 300,
    SETTLED_SECONDS = 2,   /* so long after a start the workers have what is live */
    SWEEP_SECONDS = 86400, /* between two looks for keys that nobody remembers */
    SWEEP_SOON = 20,
    ORPHAN_SECONDS = 15, /* an import is told of its key sooner than that */
};

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

/* --- the fiber of a virtual server */

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
    staple_recall(v);
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
    if (rc > 0 && life_revoked(&v->life, serial))
        staple_revoked(v);
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

/* Installs what `from` shows, said to come from there; `why` for the history. */
static int take_from(struct vserver_life *v, const struct vserver_life *from,
                     enum identity_source source, const char *origin, const char *why,
                     struct err *e)
{
    const struct identity_slot *s = &from->life.id.current;
    struct buf chain BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES),
                     roots BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);
    char key[IDENTITY_KEY_ID_MAX + 1], type[16], name[IDENTITY_LABEL_MAX + 1];
    struct chain c = CHAIN_NONE;
    struct life_offer o = {.source = source,
                           .key_id = key,
                           .key_type = type,
                           .name = name,
                           .origin = origin,
                           .note = why,
                           .certificates = &c};
    int rc;

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
        rc = life_take(&v->life, &o, why, e);
    chain_done(&c);
    return rc;
}

static int assign(struct vserver_life *v, const struct vserver_life *from, struct err *e)
{
    if (v == from)
        return err_set(e, -EINVAL, "%s cannot be assigned its own certificate", v->name);
    return take_from(v, from, IDENTITY_ASSIGNED, from->name, "assigned", e);
}

/* Where the certificate that is in use there is renewed: whoever it was assigned from knows. */
static int path_of(const struct vserver_life *from, enum identity_source *ret_source,
                   char ret_origin[IDENTITY_NAME_MAX + 1], struct err *e)
{
    const struct identity_slot *s = &from->life.id.current;
    const struct vserver_life *first;

    if (s->source == IDENTITY_ASSIGNED) {
        first = certd_find(from->certd, s->origin);
        if (!first || !first->loaded || !first->life.checked ||
            strcmp(first->life.id.current.serial, s->serial) != 0)
            return err_set(e, -EAGAIN,
                           "%s shows a certificate of %s that %s does not show any more; copy that "
                           "of %s, or try again when %s has followed",
                           from->name, s->origin, s->origin, s->origin, from->name);
        s = &first->life.id.current;
    }
    *ret_source = s->source;
    memcpy(ret_origin, s->origin, IDENTITY_NAME_MAX + 1);
    return 0;
}

static int copy(struct vserver_life *v, const struct vserver_life *from, struct err *e)
{
    const struct identity_slot *mine = &v->life.id.current, *s = &from->life.id.current;
    char origin[IDENTITY_NAME_MAX + 1] = "", why[IDENTITY_NAME_MAX + 20];
    enum identity_source source = IDENTITY_OWN_CA;
    int rc;

    if (v == from)
        return err_set(e, -EINVAL, "%s has its own certificate already", v->name);
    if (identity_is_served(mine) && mine->source != IDENTITY_ASSIGNED &&
        strcmp(mine->serial, s->serial) == 0)
        return err_set(e, -EEXIST, "%s has certificate %s already, as its own", v->name, s->serial);
    if (from->life.revoked)
        return err_set(e, -EKEYREVOKED,
                       "certificate %s of %s was revoked by its CA; it is not copied", s->serial,
                       from->name);
    rc = path_of(from, &source, origin, e);
    snprintf(why, sizeof(why), "copied from %s", from->name);
    return rc < 0 ? rc : take_from(v, from, source, origin, why, e);
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

static void reconciled(struct vserver_life *v)
{
    int64_t now = clock_seconds();

    v->reconciled = true;
    v->reconciled_at = now;
    /* keyd may have come meanwhile */
    if (v->sweep_at == 0)
        v->sweep_at = now + SWEEP_SECONDS;
}

/* A swap that was not looked at over TCP, because we died in between. */
static void make_up(struct vserver_life *v, int64_t now)
{
    const struct child *c = v->certd->child;
    const struct conf_vserver *cv = conf_vserver_by_name(c->conf, v->name);
    bool strangers = cv && cv->protocol == PROTOCOL_SMTP && cv->smtp_kind == SMTP_MX;
    struct err e;

    if (v->life.id.unproved && child_peer(c, strangers ? ROLE_MX : ROLE_ACCESS) &&
        (now - v->reconciled_at >= SETTLED_SECONDS || now < v->reconciled_at))
        life_make_up(&v->life, &e);
}

/* Keys that keyd made, and died before it could tell us; those of an import that was broken off. */
static void sweep(struct vserver_life *v, int64_t now)
{
    struct err e;

    /* a clock that went back does not put it off */
    if (now < v->sweep_at && v->sweep_at - now <= SWEEP_SECONDS)
        return;
    v->sweep_at = now + SWEEP_SECONDS;
    if (life_sweep(&v->life, now - ORPHAN_SECONDS, &e) < 0) {
        log_warn("certificate of %s: %s", v->name, e.text);
        v->sweep_at = now + SWEEP_SOON;
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
    if (!v->reconciled && life_may_try(&v->life, now) && life_reconcile(&v->life, &e) == 0)
        reconciled(v);
    if (!v->reconciled)
        return;
    make_up(v, now);
    sweep(v, now);
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
    if (v->life.id.unproved && v->life.looks == 0)
        return LOOK_SOON_MS;
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
    staple_begin(v);
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
        reconciled(v);
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

static int do_copy(struct vserver_life *v, void *arg, struct err *e)
{
    return copy(v, arg, e);
}

int lives_copy(struct vserver_life *v, const struct vserver_life *from, struct err *e)
{
    return lives_do(v, do_copy, certd_find(v->certd, from->name), e);
}

void lives_keyd_came(struct certd *d)
{
    for (unsigned i = 0; i < d->life_count; i++)
        d->lives[i]->sweep_at = clock_seconds() + SWEEP_SOON;
}

int lives_assign(struct vserver_life *v, const struct vserver_life *from, struct err *e)
{
    /* only read; but the argument of a life_fn is not const */
    return lives_do(v, do_assign, certd_find(v->certd, from->name), e);
}
