#include "acme/est.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "pki/cert_msg.h"
#include "pki/chain.h"
#include "pki/container.h"
#include "pki/request.h"
#include "proc/certd/leader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PEM_MAX = 256 * 1024,
    PERSON_PAUSE = 900, /* what somebody has to mend is not tried every minute */
};

const char *leader_authority(const struct identity_slot *s)
{
    bool asked = s->state == IDENTITY_PENDING || identity_is_served(s);
    return asked && s->source == IDENTITY_EXTERNAL ? s->origin : "";
}

/* --- the file */

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

int leader_save(struct leader *l, struct err *e)
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

/* --- one course at the CA */

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
    return leader_save(r->l, e);
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

    if (strcmp(leader_authority(s), authority) == 0 &&
        chain_parse(identity_chain(s), &c, &e) == 0 && c.n > 0 &&
        !acme_certificate_id(certificate_der(c.v[0]), out))
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

int leader_run_acme(struct running *r, const struct cert_names *names, struct span csr,
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
    const struct identity_slot *now = &r->l->v->life.id.current;
    struct est_course k = {.web = &r->a->client.web,
                           .url = r->a->conf->url,
                           .user = r->a->conf->user,
                           .password = buf_span(&r->a->secret),
                           .csr = csr,
                           .again = strcmp(leader_authority(now), r->a->conf->name) == 0,
                           .progress = on_progress,
                           .arg = r};
    struct err why;

    if (k.again && authority_show(r->l->v->certd, r->a, now, &why) == 0)
        k.own = &r->a->own;
    else if (k.again)
        log_info("order of %s: %s is asked as at the first time, not by the certificate in use: %s",
                 r->l->v->name, r->a->conf->name, why.text);
    if (r->a->conf->certificate_file[0]) {
        int rc = authority_show_first(r->l->v->certd, r->a, &why);
        if (rc == 0) {
            k.first = &r->a->first;
        } else if (!k.own) { /* the CA would only say that it does not know us */
            *e = why;
            return rc;
        } else {
            log_info("order of %s: the certificate for the first enrolment is not there: %s",
                     r->l->v->name, why.text);
        }
    }
    return est_course_run(&k, ret_pem, ret_passes, e);
}

/* --- the answer */

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

/* --- results */

void leader_failed(struct leader *l, const char *authority, bool passes, uint32_t wish,
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
    leader_save(l, &e);
}

static void succeeded(struct leader *l, const char *authority)
{
    struct order *o = &l->order;
    struct err e;

    log_info("order of %s: %s issued certificate %s", l->v->name, authority,
             l->v->life.held ? l->v->life.id.next.serial : l->v->life.id.current.serial);
    o->key_id[0] = o->url[0] = o->failure[0] = '\0';
    o->tries = 0;
    o->retry_at = 0;
    o->person = false;
    leader_save(l, &e);
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
                 : leader_run_acme(&r, &q->names, buf_span(&csr), &pem, &passes, &e);
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
        leader_failed(l, name, passes, r.a ? r.a->client.retry_after : 0, &e);
    l->running = false;
    l->progress[0] = '\0';
    authority_close(l->v->certd, r.a);
    request_free(q);
}

/* --- one look */

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
    struct err e;

    leader_follow_serial(l);
    follow_pending(l);
    snprintf(authority, sizeof(authority), "%s", leader_authority(&life->id.current));
    if (leader_authority(&life->id.pending)[0]) {
        if (now >= l->order.retry_at)
            run_order(l);
    } else if (authority[0] && life->id.pending.state == IDENTITY_NONE &&
               life->id.next.state == IDENTITY_NONE) {
        if (now >= l->order.look_at)
            leader_look_at_window(l, authority, now);
        if (clock_seconds() >= leader_renew_at(l) && now >= l->order.retry_at)
            leader_renew(l);
        else if (!l->order.rehearsed)
            l->order.rehearsed = now; /* it has just worked */
        else if (now - l->order.rehearsed >= REHEARSAL_SECONDS)
            leader_rehearse(l, authority, now, &e);
    }
}

/* A short life is looked at more often. */
static uint64_t pause_ms(const struct leader *l)
{
    const struct identity_slot *s = &l->v->life.id.current;
    int64_t now = clock_seconds(), next = INT64_MAX;

    if (leader_authority(&l->v->life.id.pending)[0])
        next = l->order.retry_at;
    else if (leader_authority(s)[0])
        next = leader_renew_at(l);
    if (identity_is_served(s) && s->not_after - s->not_before < ORDER_SHORT_LIFE)
        return ORDER_LOOK_SOON_MS;
    if (next - now >= ORDER_LOOK_MS / 1000)
        return ORDER_LOOK_MS;
    return next > now ? (uint64_t)(next - now) * 1000 : ORDER_LOOK_SOON_MS;
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
        fiber_cond_wait(&l->v->wake, ready ? pause_ms(l) : ORDER_LOOK_SOON_MS);
    }
}

void orders_begin(struct vserver_life *v)
{
    struct leader *l = calloc(1, sizeof(*l));

    CHECK(l);
    l->v = v;
    v->orders = l;
    fiber_start(v->certd->child->loop, lead, l, "certd.order");
    fiber_start(v->certd->child->loop, leader_watch_end, l, "certd.alarm");
}

void orders_placed(struct vserver_life *v)
{
    struct leader *l = leader_of(v);

    follow_pending(l);
    fiber_cond_broadcast(&v->wake);
}

/* --- for people and machines */

static void put_member(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    json_put_string(out, span_cstr(value));
}

void orders_json(const struct vserver_life *v, struct buf *out)
{
    const struct leader *l = leader_of(v);
    const char *pending = leader_authority(&v->life.id.pending);
    const char *authority = pending[0] ? pending : leader_authority(&v->life.id.current);

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
        buf_printf(out, ",\"authority_renew_at\":%" PRId64 ",\"rehearsed\":%" PRId64,
                   leader_renew_at(l), l->order.rehearsed);
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
