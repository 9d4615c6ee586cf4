/* Renewal in time, its rehearsal, and what happens when the end comes near without it. */
#include "base/check.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "base/random.h"
#include "pki/cert_msg.h"
#include "pki/request.h"
#include "proc/certd/dane.h"
#include "proc/certd/leader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WINDOW_LOOK_MIN = 60,
    WINDOW_LOOK_DEFAULT = 6 * 3600,
    WINDOW_LOOK_MAX = 86400,
};

/* What is remembered belongs to another certificate: forgotten. */
void leader_follow_serial(struct leader *l)
{
    struct order *o = &l->order;
    const char *serial = l->v->life.id.current.serial;

    if (strcmp(o->serial, serial) == 0)
        return;
    memcpy(o->serial, serial, sizeof(o->serial));
    o->window_start = o->window_end = o->renew_at = o->look_at = 0;
    o->alarmed = 0;
}

/* --- renewal */

static int do_renew(struct vserver_life *v, void *arg, struct err *e)
{
    struct buf der BUF_AUTO = BUF(REQUEST_DER_MAX);
    const struct identity_slot *s = &v->life.id.current;
    struct cert_fields *f = calloc(1, sizeof(*f));
    struct life_request q = {.name = s->name,
                             .key_type = v->life.want.key_type,
                             .authority = s->origin,
                             .client = authority_takes_certificates(v->certd, s->origin),
                             .same_key = dane_keeps_key(v)};
    struct chain c = CHAIN_NONE;
    int rc = chain_parse(identity_chain(s), &c, e);

    CHECK(f);
    if (rc == 0) {
        certificate_fields(c.v[0], f);
        q.subject = (struct cert_subject){.common_name = f->common_name};
        q.names = &c.v[0]->names;
        rc = life_request(&v->life, &q, &der, e);
    }
    if (rc == 0)
        orders_placed(v);
    chain_done(&c);
    free(f);
    return rc;
}

/* Of the certificate in use, the CA's own wish: again only when it said so. */
void leader_look_at_window(struct leader *l, const char *authority, int64_t now)
{
    const struct identity_slot *s = &l->v->life.id.current;
    struct buf id BUF_AUTO = BUF(400);
    struct authority *a = NULL;
    struct acme_window w;
    uint32_t wait = WINDOW_LOOK_DEFAULT;
    struct chain c = CHAIN_NONE;
    struct err e;
    int rc = chain_parse(identity_chain(s), &c, &e);

    if (rc == 0 && (c.n == 0 || !acme_certificate_id(certificate_der(c.v[0]), &id)))
        rc = -ENOENT;
    chain_done(&c);
    if (rc == 0)
        rc = authority_open(l->v->certd, authority, false, &a, &e);
    if (rc == 0)
        rc = a->conf->kind == AUTHORITY_ACME ? acme_client_window(&a->client, buf_cstr(&id), &w, &e)
                                             : -ENOENT;
    if (a && a->client.retry_after)
        wait = a->client.retry_after;
    if (rc == 0 && (w.start != l->order.window_start || w.end != l->order.window_end)) {
        l->order.window_start = w.start;
        l->order.window_end = w.end;
        l->order.renew_at = w.start + (int64_t)random_below((uint64_t)(w.end - w.start));
        log_info("certificate of %s: %s wants it renewed between %" PRId64 " and %" PRId64 "%s%s",
                 l->v->name, authority, w.start, w.end, w.explanation[0] ? ": " : "",
                 w.explanation);
    } else if (rc < 0 && rc != -ENOENT) {
        log_warn("certificate of %s: renewal information of %s: %s", l->v->name, authority, e.text);
    }
    wait = wait < WINDOW_LOOK_MIN   ? WINDOW_LOOK_MIN
           : wait > WINDOW_LOOK_MAX ? WINDOW_LOOK_MAX
                                    : wait;
    l->order.look_at = now + wait;
    authority_close(l->v->certd, a);
    leader_save(l, &e);
}

/* The CA's window, but never later than is safe; else two thirds of the life. */
int64_t leader_renew_at(const struct leader *l)
{
    int64_t ours = life_renew_at(&l->v->life);
    const struct identity_slot *s = &l->v->life.id.current;
    int64_t last = s->not_after - (s->not_after - s->not_before) / 6;

    if (!l->order.renew_at)
        return ours;
    return l->order.renew_at < last ? l->order.renew_at : last;
}

void leader_renew(struct leader *l)
{
    struct err e;

    log_info("certificate of %s: its renewal is due", l->v->name);
    if (lives_do(l->v, do_renew, NULL, &e) < 0)
        leader_failed(l, l->v->life.id.current.origin, true, 0, &e);
}

/* --- rehearsal */

int leader_rehearse(struct leader *l, const char *authority, int64_t now, struct err *ret_why)
{
    struct running r = {.l = l, .rehearsal = true};
    struct cert_names names = CERT_NAMES_EMPTY;
    struct buf none BUF_AUTO = BUF(16);
    struct chain c = CHAIN_NONE;
    bool passes = true, done = false;
    struct err e;
    int rc = chain_parse(identity_chain(&l->v->life.id.current), &c, &e);

    if (rc == 0)
        rc = cert_names_copy(&names, &c.v[0]->names);
    chain_done(&c);
    if (rc == 0)
        rc = authority_open(l->v->certd, authority, true, &r.a, &e);
    if (rc == 0 && r.a->conf->rehearse && r.a->conf->kind == AUTHORITY_ACME) {
        rc = leader_run_acme(&r, &names, SPAN_EMPTY, &none, &passes, &e);
        done = true;
    }
    l->order.rehearsed = now;
    l->order.rehearsal_failed = rc < 0 && rc != -ECANCELED;
    snprintf(l->order.rehearsal, sizeof(l->order.rehearsal), "%s",
             l->order.rehearsal_failed ? e.text : "");
    if (l->order.rehearsal_failed) {
        char text[800];
        snprintf(text, sizeof(text),
                 "The weekly rehearsal of the renewal from %s failed:\n%s\n"
                 "The certificate in use stays; mend this before it is due.",
                 authority, e.text);
        alarm_send(l->v->certd, l->v->name, 0, "rehearsal of renewal failed", text);
    } else if (done) {
        log_info("certificate of %s: the renewal from %s was rehearsed", l->v->name, authority);
    }
    if (rc < 0)
        *ret_why = e;
    cert_names_done(&names);
    authority_close(l->v->certd, r.a);
    leader_save(l, &e);
    return rc;
}

/* --- the end comes near */

static int do_second(struct vserver_life *v, void *arg, struct err *e)
{
    return life_renew(&v->life, "the second source: the first has failed", e);
}

/* The first has failed until a twelfth is left. */
static void fall_back(struct leader *l)
{
    const struct conf_vserver *cv = conf_vserver_by_name(l->v->certd->child->conf, l->v->name);
    struct err e;

    if (!cv || strcmp(cv->second_source, "none") == 0)
        return;
    if (strcmp(cv->second_source, "own-ca") == 0) {
        log_warn("certificate of %s: its CA has failed; one of the own CA takes its place",
                 l->v->name);
        if (lives_do(l->v, do_second, NULL, &e) < 0 && !l->v->life.held)
            log_error("certificate of %s: %s", l->v->name, e.text);
        return;
    }
    if (strcmp(l->v->life.id.pending.origin, cv->second_source) != 0) {
        log_warn("certificate of %s: its CA has failed; %s is asked", l->v->name,
                 cv->second_source);
        snprintf(l->v->life.id.pending.origin, sizeof(l->v->life.id.pending.origin), "%s",
                 cv->second_source);
        l->order.url[0] = '\0';
        l->order.tries = 0;
        l->order.retry_at = 0;
    }
}

static const char *level_words(unsigned level)
{
    return level == 3 ? "a twelfth" : level == 2 ? "a sixth" : "a third";
}

/* By itself, in time, it would not have come so far: what is due to be renewed any moment is no alarm yet. */
static bool is_late(const struct leader *l, int64_t now, unsigned level)
{
    const struct identity_slot *s = &l->v->life.id.current;
    bool automatic = s->source == IDENTITY_OWN_CA || leader_authority(s)[0];
    int64_t life = s->not_after - s->not_before;

    return level > 1 || !automatic || l->order.tries > 0 || l->v->life.failures > 0 ||
           l->v->life.held || now > leader_renew_at(l) + life / 20;
}

static void alarm_level(struct leader *l, int64_t now)
{
    const struct identity_slot *s = &l->v->life.id.current;
    unsigned level = order_level(s->not_before, s->not_after, now);
    struct buf day BUF_AUTO = BUF(64);
    const char *why = dane_reason(l->v)[0]    ? dane_reason(l->v)
                      : l->order.failure[0]   ? l->order.failure
                      : l->v->life.failure[0] ? l->v->life.failure
                                              : "nothing has tried to replace it";
    char text[1500], subject[150];
    struct err e;

    if (level <= l->order.alarmed || !is_late(l, now, level))
        return;
    date_print_iso(&day, s->not_after);
    snprintf(subject, sizeof(subject), "certificate of %s %s", l->v->name,
             now >= s->not_after ? "has expired" : "comes to its end");
    snprintf(text, sizeof(text),
             "The certificate of virtual server %s (%s) %s on %s: less than %s of its life is "
             "left.\nWhat stands in the way: %s\nSee `sealpost cert show %s`; `sealpost cert issue "
             "%s` puts one of the own CA in its place at once.",
             l->v->name, identity_source_name(s->source), now >= s->not_after ? "ended" : "ends",
             buf_cstr(&day), level_words(level), why, l->v->name, l->v->name);
    l->order.alarmed = (uint8_t)level;
    leader_save(l, &e);
    alarm_send(l->v->certd, l->v->name, level, subject, text);
}

/* Beside that: a CA may let an order wait for days. */
void leader_watch_end(void *arg)
{
    struct leader *l = arg;

    for (;;) {
        const struct identity_slot *s = &l->v->life.id.current;
        bool ready = l->loaded && l->v->wanted && l->v->reconciled && identity_is_served(s);
        if (ready) {
            leader_follow_serial(l);
            alarm_level(l, clock_seconds());
            if (leader_authority(s)[0] && l->order.alarmed == 3)
                fall_back(l);
        }
        fiber_sleep_ms(ready && s->not_after - s->not_before > ORDER_SHORT_LIFE
                           ? ORDER_LOOK_MS
                           : ORDER_LOOK_SOON_MS);
    }
}

/* --- asked for */

void msg_cert_rehearse(void *arg, struct msg *m)
{
    struct certd *d = ((struct child *)arg)->state;
    uint64_t link = link_id(m->link);
    enum msg_id id = m->id;
    uint32_t call = m->call;
    char name[CERT_MSG_WORD_MAX + 1], authority[IDENTITY_NAME_MAX + 1];
    struct vserver_life *v = NULL;
    struct err e = {""};
    int rc = rd_cert_word(m->body, name)
                 ? 0
                 : err_set(&e, -EBADMSG, "the message does not have the form of its row");

    if (rc == 0 && !(v = certd_named(d, name, &e)))
        rc = -ENOENT;
    if (rc == 0) {
        snprintf(authority, sizeof(authority), "%s", leader_authority(&v->life.id.current));
        rc = authority[0] ? leader_rehearse(leader_of(v), authority, clock_seconds(), &e)
                          : err_set(&e, -ENOENT,
                                    "the certificate of %s is not of an authority that is asked "
                                    "over the network",
                                    v->name);
    }
    link_reply(link, id, call, rc, rc < 0 ? span_cstr(e.text) : SPAN_EMPTY, NULL, 0);
}
