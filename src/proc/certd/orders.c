#include "proc/certd/orders.h"
#include "acme/est.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "pki/cert_msg.h"
#include "pki/chain.h"
#include "pki/container.h"
#include "pki/request.h"
#include "proc/certd/order.h"
#include "proc/certd/proofs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LOOK_MS = 30000,
    LOOK_SOON_MS = 1000,
    SHORT_LIFE = 7200,
    PEM_MAX = 256 * 1024,
    REHEARSAL_SECONDS = 7 * 86400,
    WINDOW_LOOK_MIN = 60,
    WINDOW_LOOK_DEFAULT = 6 * 3600,
    WINDOW_LOOK_MAX = 86400,
    PERSON_PAUSE = 900, /* what somebody has to mend is not tried every minute */
};

struct leader {
    struct vserver_life *v;
    struct order order;
    bool loaded, running;
    char progress[120];
    int64_t looks_at; /* at the CA, again */
    struct fiber_lock file;
};

static struct leader *leader_of(const struct vserver_life *v)
{
    return v->orders;
}

/* The authority of the pending request, or of the certificate in use; "": it is another's. */
static const char *authority_of(const struct identity_slot *s)
{
    bool asked = s->state == IDENTITY_PENDING || identity_is_served(s);
    return asked && s->source == IDENTITY_EXTERNAL ? s->origin : "";
}

/* --- the file
 * ------------------------------------------------------------------------------------------------------------------ */

struct file_job {
    char path[400];
    struct buf bytes;
    struct err e;
    int rc;
};

static void name_file(const struct leader *l, struct file_job *j)
{
    snprintf(j->path, sizeof(j->path), "%s/certs/%s.order", l->v->certd->child->root, l->v->name);
    j->bytes = BUF(ORDER_FILE_MAX);
}

static void work_write(void *arg)
{
    struct file_job *j = arg;
    j->rc = file_write(AT_FDCWD, j->path, buf_span(&j->bytes), 0600, &j->e);
}

static void work_read(void *arg)
{
    struct file_job *j = arg;
    j->rc = file_read(AT_FDCWD, j->path, ORDER_FILE_MAX - 1, &j->bytes, &j->e);
}

static int save(struct leader *l, struct err *e)
{
    struct file_job j;

    name_file(l, &j);
    fiber_lock(&l->file); /* two fibers write it */
    CHECK(order_write(&l->order, &j.bytes));
    fiber_offload(work_write, &j);
    fiber_unlock(&l->file);
    buf_done(&j.bytes);
    if (j.rc < 0) {
        *e = j.e;
        log_warn("order of %s: %s", l->v->name, e->text);
    }
    return j.rc;
}

static void load(struct leader *l)
{
    struct file_job j;

    name_file(l, &j);
    fiber_offload(work_read, &j);
    if (j.rc == 0 && order_read(buf_span(&j.bytes), &l->order) < 0)
        log_warn("order of %s: %s cannot be used; the order is placed anew", l->v->name, j.path);
    buf_done(&j.bytes);
}

/* --- one course at the CA
 * ------------------------------------------------------------------------------------------------------ */

struct running {
    struct leader *l;
    struct authority *a;
    bool rehearsal;
};

/* Is the request still there that it is for? */
static bool wanted(const struct running *r)
{
    const struct identity_slot *s = &r->l->v->life.id.pending;

    if (!r->l->v->wanted)
        return false;
    return r->rehearsal ||
           (s->state == IDENTITY_PENDING && strcmp(s->key_id, r->l->order.key_id) == 0 &&
            strcmp(s->origin, r->a->conf->name) == 0);
}

static bool on_progress(void *arg, const char *words, uint32_t wait)
{
    struct running *r = arg;

    if (!r->rehearsal) {
        snprintf(r->l->progress, sizeof(r->l->progress), "%s", words);
        r->l->looks_at = wait ? clock_seconds() + wait : 0;
    }
    return wanted(r);
}

static int on_remember(void *arg, const char *order, struct err *e)
{
    struct running *r = arg;

    if (r->rehearsal)
        return 0;
    snprintf(r->l->order.url, sizeof(r->l->order.url), "%s", order);
    return save(r->l, e);
}

static int on_present(void *arg, struct acme_proof *p, struct err *e)
{
    struct running *r = arg;
    return proof_present(r->l->v->certd, r->a, p, e);
}

static void on_withdraw(void *arg, struct acme_proof *p)
{
    struct running *r = arg;
    proof_withdraw(r->l->v->certd, r->a, p);
}

/* RFC 9773 section 5: the order says which certificate it is to follow. */
static void put_replaced(const struct vserver_life *v, const char *authority, struct buf *out)
{
    const struct identity_slot *s = &v->life.id.current;
    struct chain c = CHAIN_NONE;
    struct err e;

    if (strcmp(authority_of(s), authority) == 0 && chain_parse(identity_chain(s), &c, &e) == 0 &&
        c.n > 0 && !acme_certificate_id(certificate_der(c.v[0]), out))
        buf_clear(out);
    chain_done(&c);
}

static bool by_dns(const struct authority *a)
{
    return a->conf->challenge == CHALLENGE_DNS_COMMAND ||
           a->conf->challenge == CHALLENGE_DNS_UPDATE;
}

static const char *challenge_type(const struct authority *a)
{
    return by_dns(a)                                  ? "dns-01"
           : a->conf->challenge == CHALLENGE_TLS_ALPN ? "tls-alpn-01"
                                                      : "http-01";
}

static int run_acme(struct running *r, const struct cert_names *names, struct span csr,
                    struct buf *ret_pem, bool *ret_passes, struct err *e)
{
    struct buf replaces BUF_AUTO = BUF(400);
    struct acme_course *k = calloc(1, sizeof(*k));
    int rc;

    CHECK(k);
    *k = (struct acme_course){.client = &r->a->client,
                              .challenge = challenge_type(r->a),
                              .names = names,
                              .replaces = "",
                              .settle = by_dns(r->a) ? r->a->conf->dns_wait : 0,
                              .csr = csr,
                              .present = on_present,
                              .withdraw = on_withdraw,
                              .remember = on_remember,
                              .progress = on_progress,
                              .arg = r};
    if (!r->rehearsal) {
        memcpy(k->order, r->l->order.url, sizeof(k->order));
        if (acme_client_directory(&r->a->client, e) == 0 &&
            r->a->client.directory.renewal_info[0]) {
            put_replaced(r->l->v, r->a->conf->name, &replaces);
            k->replaces = buf_cstr(&replaces);
        }
    }
    rc = acme_course_run(k, ret_pem, ret_passes, e);
    /* a certificate can be followed once; an order that was lost on the way counts too */
    if (rc == -EREMOTEIO && strcmp(r->a->client.problem.type, "alreadyReplaced") == 0) {
        k->replaces = "";
        rc = acme_course_run(k, ret_pem, ret_passes, e);
    }
    free(k);
    return rc;
}

static int run_est(struct running *r, struct span csr, struct buf *ret_pem, bool *ret_passes,
                   struct err *e)
{
    struct est_course k = {
        .web = &r->a->client.web,
        .url = r->a->conf->url,
        .user = r->a->conf->user,
        .password = buf_span(&r->a->secret),
        .csr = csr,
        .again = strcmp(authority_of(&r->l->v->life.id.current), r->a->conf->name) == 0,
        .progress = on_progress,
        .arg = r};
    return est_course_run(&k, ret_pem, ret_passes, e);
}

/* --- the answer
 * ---------------------------------------------------------------------------------------------------------------- */

struct answer {
    struct chain certificates;
    struct buf roots;
    char authority[IDENTITY_NAME_MAX + 1];
};

static int do_take(struct vserver_life *v, void *arg, struct err *e)
{
    struct answer *a = arg;
    struct life_offer o = {.source = IDENTITY_EXTERNAL,
                           .origin = a->authority,
                           .certificates = &a->certificates,
                           .roots = buf_span(&a->roots)};

    if (v->life.id.pending.state != IDENTITY_PENDING ||
        strcmp(v->life.id.pending.key_id, leader_of(v)->order.key_id) != 0)
        return err_set(e, -ECANCELED, "the request was cancelled meanwhile");
    return life_take(&v->life, &o, a->authority, e);
}

static int install(struct running *r, struct span pem, struct err *e)
{
    struct answer a = {.certificates = CHAIN_NONE, .roots = BUF(CERTIFICATE_CHAIN_BYTES)};
    struct certd *d = r->l->v->certd;
    struct life_key key;
    int rc = container_certificates(pem, &a.certificates, e);

    snprintf(a.authority, sizeof(a.authority), "%s", r->a->conf->name);
    if (rc == 0 && a.certificates.n == 0)
        rc = err_set(e, -EKEYREJECTED, "the CA's answer has no certificate in it");
    if (rc == 0)
        rc = certd_life_ops.key_get(r->l->v, r->l->order.key_id, &key, e);
    if (rc == 0)
        chain_arrange(&a.certificates, span_of(key.spki, key.spki_bytes));
    if (rc == 0)
        rc = authority_roots(d, r->a, a.certificates.v[a.certificates.n - 1], &a.roots, e);
    if (rc == 0)
        rc = lives_do(r->l->v, do_take, &a, e);
    chain_done(&a.certificates);
    buf_done(&a.roots);
    return rc < 0 && rc != -ECANCELED
               ? err_wrap(e, rc, "what %s issued cannot be installed", r->a->conf->name)
               : rc;
}

/* --- results
 * ------------------------------------------------------------------------------------------------------------------- */

static void failed(struct leader *l, const char *authority, bool passes, uint32_t wish,
                   const struct err *why)
{
    struct order *o = &l->order;
    struct err e;
    int64_t pause = order_pause(o->tries, wish);

    if (!passes && pause < PERSON_PAUSE)
        pause = PERSON_PAUSE;
    o->tries++;
    o->person = !passes;
    o->retry_at = clock_seconds() + pause;
    snprintf(o->failure, sizeof(o->failure), "%s: %.500s", authority, why->text);
    log_warn("order of %s: %s; the certificate in use stays; trying again in %" PRId64 " s",
             l->v->name, o->failure, pause);
    save(l, &e);
}

static void succeeded(struct leader *l, const char *authority)
{
    struct order *o = &l->order;
    struct err e;

    log_info("order of %s: %s issued certificate %s", l->v->name, authority,
             l->v->life.id.current.serial);
    o->key_id[0] = o->url[0] = o->failure[0] = '\0';
    o->tries = 0;
    o->retry_at = 0;
    o->person = false;
    save(l, &e);
}

/* What was refused when it came is not asked for in the same order again. */
static void run_order(struct leader *l)
{
    const struct identity_slot *s = &l->v->life.id.pending;
    struct buf csr BUF_AUTO = BUF(IDENTITY_REQUEST_MAX), pem BUF_AUTO = BUF(PEM_MAX);
    struct running r = {.l = l};
    char name[IDENTITY_NAME_MAX + 1];
    struct request *q = NULL;
    bool passes = true;
    struct err e;
    int rc;

    snprintf(name, sizeof(name), "%s", s->origin);
    buf_put_span(&csr, identity_request(s));
    l->running = true;
    rc = request_parse(buf_span(&csr), &q, &e);
    if (rc == 0)
        rc = authority_open(l->v->certd, name, false, &r.a, &e);
    if (rc == 0)
        rc = r.a->conf->kind == AUTHORITY_EST
                 ? run_est(&r, buf_span(&csr), &pem, &passes, &e)
                 : run_acme(&r, &q->names, buf_span(&csr), &pem, &passes, &e);
    if (rc == 0) {
        l->progress[0] = '\0';
        rc = install(&r, buf_span(&pem), &e);
        passes = rc == 0 || rc == -EAGAIN || rc == -EPIPE || rc == -ETIMEDOUT;
        if (rc < 0 && !passes)
            l->order.url[0] = '\0';
    }
    if (rc == 0)
        succeeded(l, name);
    else if (rc != -ECANCELED)
        failed(l, name, passes, r.a ? r.a->client.retry_after : 0, &e);
    l->running = false;
    l->progress[0] = '\0';
    authority_close(l->v->certd, r.a);
    request_free(q);
}

/* --- renewal
 * ------------------------------------------------------------------------------------------------------------------- */

static int do_renew(struct vserver_life *v, void *arg, struct err *e)
{
    struct buf der BUF_AUTO = BUF(REQUEST_DER_MAX);
    const struct identity_slot *s = &v->life.id.current;
    struct cert_fields *f = calloc(1, sizeof(*f));
    struct life_request q = {
        .name = s->name, .key_type = v->life.want.key_type, .authority = s->origin};
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
static void look_at_window(struct leader *l, const char *authority, int64_t now)
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
    save(l, &e);
}

/* The CA's window, but never later than is safe; else two thirds of the life. */
static int64_t renew_at(const struct leader *l)
{
    int64_t ours = life_renew_at(&l->v->life);
    const struct identity_slot *s = &l->v->life.id.current;
    int64_t last = s->not_after - (s->not_after - s->not_before) / 6;

    if (!l->order.renew_at)
        return ours;
    return l->order.renew_at < last ? l->order.renew_at : last;
}

static void renew(struct leader *l)
{
    struct err e;

    log_info("certificate of %s: its renewal is due", l->v->name);
    if (lives_do(l->v, do_renew, NULL, &e) < 0)
        failed(l, l->v->life.id.current.origin, true, 0, &e);
}

/* --- rehearsal
 * ----------------------------------------------------------------------------------------------------------------- */

static void rehearse(struct leader *l, const char *authority, int64_t now)
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
        rc = run_acme(&r, &names, SPAN_EMPTY, &none, &passes, &e);
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
    cert_names_done(&names);
    authority_close(l->v->certd, r.a);
    save(l, &e);
}

/* --- the end comes near
 * -------------------------------------------------------------------------------------------------------- */

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
        if (lives_do(l->v, do_second, NULL, &e) < 0)
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
    bool automatic = s->source == IDENTITY_OWN_CA || authority_of(s)[0];
    int64_t life = s->not_after - s->not_before;

    return level > 1 || !automatic || l->order.tries > 0 || l->v->life.failures > 0 ||
           now > renew_at(l) + life / 20;
}

static void alarm_level(struct leader *l, int64_t now)
{
    const struct identity_slot *s = &l->v->life.id.current;
    unsigned level = order_level(s->not_before, s->not_after, now);
    struct buf day BUF_AUTO = BUF(64);
    const char *why = l->order.failure[0]     ? l->order.failure
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
    save(l, &e);
    alarm_send(l->v->certd, l->v->name, level, subject, text);
}

/* --- one look
 * ------------------------------------------------------------------------------------------------------------------ */

/* What is remembered belongs to another certificate: forgotten. */
static void follow_serial(struct leader *l)
{
    struct order *o = &l->order;
    const char *serial = l->v->life.id.current.serial;

    if (strcmp(o->serial, serial) == 0)
        return;
    memcpy(o->serial, serial, sizeof(o->serial));
    o->window_start = o->window_end = o->renew_at = o->look_at = 0;
    o->alarmed = 0;
}

static void follow_pending(struct leader *l)
{
    const struct identity_slot *s = &l->v->life.id.pending;

    if (s->state == IDENTITY_PENDING ? strcmp(l->order.key_id, s->key_id) == 0
                                     : l->order.key_id[0] == '\0')
        return;
    snprintf(l->order.key_id, sizeof(l->order.key_id), "%s",
             s->state == IDENTITY_PENDING ? s->key_id : "");
    l->order.url[0] = l->order.failure[0] = '\0';
    l->order.tries = 0;
    l->order.retry_at = 0;
    l->order.placed = clock_seconds();
}

static void look(struct leader *l)
{
    const struct life *life = &l->v->life;
    char authority[IDENTITY_NAME_MAX + 1];
    int64_t now = clock_seconds();

    follow_serial(l);
    follow_pending(l);
    snprintf(authority, sizeof(authority), "%s", authority_of(&life->id.current));
    if (authority_of(&life->id.pending)[0]) {
        if (now >= l->order.retry_at)
            run_order(l);
    } else if (authority[0] && life->id.pending.state == IDENTITY_NONE) {
        if (now >= l->order.look_at)
            look_at_window(l, authority, now);
        if (clock_seconds() >= renew_at(l) && now >= l->order.retry_at)
            renew(l);
        else if (!l->order.rehearsed)
            l->order.rehearsed = now; /* it has just worked */
        else if (now - l->order.rehearsed >= REHEARSAL_SECONDS)
            rehearse(l, authority, now);
    }
}

/* A short life is looked at more often. */
static uint64_t pause_ms(const struct leader *l)
{
    const struct identity_slot *s = &l->v->life.id.current;
    int64_t now = clock_seconds(), next = INT64_MAX;

    if (authority_of(&l->v->life.id.pending)[0])
        next = l->order.retry_at;
    else if (authority_of(s)[0])
        next = renew_at(l);
    if (identity_is_served(s) && s->not_after - s->not_before < SHORT_LIFE)
        return LOOK_SOON_MS;
    if (next - now >= LOOK_MS / 1000)
        return LOOK_MS;
    return next > now ? (uint64_t)(next - now) * 1000 : LOOK_SOON_MS;
}

static void lead(void *arg)
{
    struct leader *l = arg;

    load(l);
    l->loaded = true;
    for (;;) {
        bool ready = l->v->wanted && l->v->reconciled;
        if (ready)
            look(l);
        fiber_cond_wait(&l->v->wake, ready ? pause_ms(l) : LOOK_SOON_MS);
    }
}

/* Beside that: a CA may let an order wait for days. */
static void watch_end(void *arg)
{
    struct leader *l = arg;

    for (;;) {
        const struct identity_slot *s = &l->v->life.id.current;
        bool ready = l->loaded && l->v->wanted && l->v->reconciled && identity_is_served(s);
        if (ready) {
            follow_serial(l);
            alarm_level(l, clock_seconds());
            if (authority_of(s)[0] && l->order.alarmed == 3)
                fall_back(l);
        }
        fiber_sleep_ms(ready && s->not_after - s->not_before > SHORT_LIFE ? LOOK_MS : LOOK_SOON_MS);
    }
}

void orders_begin(struct vserver_life *v)
{
    struct leader *l = calloc(1, sizeof(*l));

    CHECK(l);
    l->v = v;
    v->orders = l;
    fiber_start(v->certd->child->loop, lead, l, "certd.order");
    fiber_start(v->certd->child->loop, watch_end, l, "certd.alarm");
}

void orders_placed(struct vserver_life *v)
{
    struct leader *l = leader_of(v);

    follow_pending(l);
    fiber_cond_broadcast(&v->wake);
}

/* --- for people and machines
 * ---------------------------------------------------------------------------------------------------- */

static void put_member(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    json_put_string(out, span_cstr(value));
}

void orders_json(const struct vserver_life *v, struct buf *out)
{
    const struct leader *l = leader_of(v);
    const char *pending = authority_of(&v->life.id.pending);
    const char *authority = pending[0] ? pending : authority_of(&v->life.id.current);

    if (!l || !authority[0])
        return;
    put_member(out, "authority", authority);
    if (pending[0]) {
        put_member(out, "progress", l->running ? l->progress : "");
        put_member(out, "order", l->order.url);
        buf_printf(
            out,
            ",\"tries\":%u,\"order_retry_at\":%" PRId64 ",\"looks_at\":%" PRId64 ",\"person\":%s",
            l->order.tries, l->order.retry_at, l->looks_at, l->order.person ? "true" : "false");
    } else {
        buf_printf(out, ",\"authority_renew_at\":%" PRId64 ",\"rehearsed\":%" PRId64, renew_at(l),
                   l->order.rehearsed);
        put_member(out, "rehearsal_failure", l->order.rehearsal);
    }
    put_member(out, "order_failure", l->order.failure);
}

void orders_metrics(const struct certd *d, struct buf *text)
{
    static const struct {
        const char *name, *help;
    } rows[] = {
        {"sealpost_certificate_alarm",
         "0, or the level alarmed: a third, a sixth, a twelfth of the life left."               },
        {"sealpost_certificate_order_failures",
         "Tries in a row that the CA over the network has failed."                              },
        {"sealpost_certificate_rehearsal_failed", "1: the last rehearsal of the renewal failed."},
    };

    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        buf_printf(text, "# HELP %s %s\n# TYPE %s gauge\n", rows[k].name, rows[k].help,
                   rows[k].name);
        for (unsigned i = 0; i < d->life_count; i++) {
            const struct leader *l = leader_of(d->lives[i]);
            unsigned value[] = {l ? l->order.alarmed : 0, l ? l->order.tries : 0,
                                l && l->order.rehearsal_failed};
            if (d->lives[i]->wanted)
                buf_printf(text, "%s{vserver=\"%s\"} %u\n", rows[k].name, d->lives[i]->name,
                           value[k]);
        }
    }
}
