#include "proc/certd/staple.h"
#include "acme/web.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "pki/cert_msg.h"
#include "pki/staple.h"
#include "proc/certd/authority.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LOOK_MS = 30000,
    ASK_MS = 10000,
    RETRY_FIRST = 30,
    RETRY_MOST = 3600,
    LEAST_SECONDS = 20, /* between two questions, however short an answer holds */
};

/* Of one certificate: in service, or about to be. */
struct held {
    char sha256[65]; /* "": none */
    struct buf answer;
    int64_t since, until;     /* of the answer */
    int64_t asked_at, ask_at; /* last; again */
    unsigned failures;        /* in a row */
    bool must;                /* the certificate demands one */
    char failure[300];        /* why there is none, or no newer one; "": there is */
};

struct stapler {
    struct vserver_life *v;
    struct held current, next;
    struct fiber_lock asking;
    struct fiber_cond wake;
    bool woken;    /* while it asked: it looks again */
    char kept[65]; /* whose answer is in the file, and since when it holds; "": there is no file */
    int64_t kept_since;
    bool unkept; /* that it could not be written was logged */
};

/* What a slot shows, copied: it may change while somebody is asked. */
struct shown {
    struct chain chain, roots;
    const struct certificate *leaf, *issuer; /* issuer NULL: not known */
};
#define SHOWN_NONE ((struct shown){CHAIN_NONE, CHAIN_NONE, NULL, NULL})

static void shown_done(struct shown *x)
{
    chain_done(&x->chain);
    chain_done(&x->roots);
}

static const struct certificate *issuer_among(const struct certificate *leaf, const struct chain *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i] != leaf && X509_check_issued(c->v[i]->x509, leaf->x509) == X509_V_OK)
            return c->v[i];
    return NULL;
}

/* A root that has issued it itself is not shown with it. */
static int shown_read(const struct identity_slot *s, struct shown *ret, struct err *e)
{
    struct err none;
    int rc = chain_parse(identity_chain(s), &ret->chain, e);

    if (rc < 0 || ret->chain.n == 0)
        return rc < 0 ? rc : err_set(e, -EBADMSG, "there is no certificate");
    ret->leaf = ret->chain.v[0];
    ret->issuer = issuer_among(ret->leaf, &ret->chain);
    if (!ret->issuer && s->roots_bytes > 0 &&
        chain_parse(identity_roots(s), &ret->roots, &none) == 0)
        ret->issuer = issuer_among(ret->leaf, &ret->roots);
    return 0;
}

static void forget(struct held *h)
{
    buf_clear(&h->answer);
    h->sha256[0] = h->failure[0] = '\0';
    h->since = h->until = h->asked_at = h->ask_at = 0;
    h->failures = 0;
    h->must = false;
}

/* --- to the workers */

static void write_note(const struct stapler *k, const struct held *h, struct buf *out)
{
    struct cert_staple_msg m = {.until = h->until, .answer = buf_span(&h->answer)};

    snprintf(m.vserver, sizeof(m.vserver), "%s", k->v->name);
    memcpy(m.sha256, h->sha256, sizeof(m.sha256));
    wr_cert_staple(out, &m);
    CHECK(!out->overflow);
}

static void tell(const struct stapler *k, const struct held *h)
{
    static const enum role workers[] = {ROLE_ACCESS, ROLE_MX};
    struct child *c = k->v->certd->child;
    struct buf body BUF_AUTO = BUF(20480);

    write_note(k, h, &body);
    for (size_t r = 0; r < ARRAY_LEN(workers); r++)
        for (unsigned i = 0; i < CHILD_INSTANCES_MAX; i++) {
            struct link *l = c->peers[role_index(workers[r])][i];
            if (l)
                link_send(l, MSG_CERT_STAPLE, buf_span(&body), NULL, 0);
        }
}

static void show_held(const struct stapler *k, const struct held *h, struct link *to)
{
    struct buf body BUF_AUTO = BUF(20480);

    if (!h->sha256[0] || h->answer.n == 0)
        return;
    write_note(k, h, &body);
    link_send(to, MSG_CERT_STAPLE, buf_span(&body), NULL, 0);
}

/* What is shown must not say any more that it is good. */
static void drop(const struct stapler *k, struct held *h)
{
    if (h->answer.n == 0)
        return;
    buf_clear(&h->answer);
    h->until = 0;
    tell(k, h);
}

void staple_show(const struct certd *d, struct link *to)
{
    for (unsigned i = 0; i < d->life_count; i++) {
        const struct stapler *k = d->lives[i]->stapler;
        if (!k || !d->lives[i]->wanted)
            continue;
        show_held(k, &k->current, to);
        show_held(k, &k->next, to);
    }
}

/* --- asking */

static unsigned mode_of(const struct vserver_life *v)
{
    const struct conf_vserver *c = conf_vserver_by_name(v->certd->child->conf, v->name);
    return c ? c->ocsp_stapling : STAPLING_OFF;
}

static int ask_responder(struct certd *d, const char *url, bool private, struct span question,
                         struct buf *ret, struct err *e)
{
    struct web_request q = {.method = "POST",
                            .url = url,
                            .type = "application/ocsp-request",
                            .accept = "application/ocsp-response",
                            .body = question,
                            .timeout_ms = ASK_MS};
    struct web_answer a;
    struct web web;
    int rc = span_starts(span_cstr(url), SPAN("https://")) ? authority_web(d, &web, e)
                                                           : authority_clear_web(d, &web, e);

    web.clear = true; /* the answer is signed */
    web.private = private;
    if (rc == 0)
        rc = web_ask(&web, &q, &a, e);
    tls_client_context_free(web.tls);
    if (rc < 0)
        return err_wrap(e, rc, "OCSP responder %.200s", url);
    if (a.status != 200)
        rc = err_set(e, -EREMOTEIO, "the OCSP responder %.200s answers with HTTP status %u", url,
                     a.status);
    else if (a.body.n > OCSP_ANSWER_MAX)
        rc = err_set(e, -EMSGSIZE, "the OCSP responder %.200s answers with more than %d bytes", url,
                     OCSP_ANSWER_MAX);
    else
        buf_put_span(ret, buf_span(&a.body));
    web_answer_done(&a);
    return rc;
}

/* The own CA knows whether the certificate is its own: who else is asked follows from that. */
static int ask(struct vserver_life *v, const struct shown *x, bool others, struct buf *ret,
               struct staple_answer *ret_a, struct err *e)
{
    const struct certificate *leaf = x->leaf, *issuer = x->issuer;
    struct buf question BUF_AUTO = BUF(OCSP_REQUEST_MAX);
    char url[STAPLE_URL_MAX + 1];
    int rc;

    if (!staple_question(leaf, issuer, &question))
        return err_set(e, -EINVAL, "no OCSP question can be made for it");
    rc = ocsp_ask(v->certd, buf_span(&question), ret, e);
    if (rc == 0)
        rc = staple_check(buf_span(ret), leaf, issuer, clock_seconds(), ret_a, e);
    if (rc != -ENOENT)
        return rc;
    buf_clear(ret);
    if (!staple_responder(leaf, url))
        return err_set(e, -ENOENT, "its CA has no OCSP responder");
    if (!others)
        return err_set(e, -EINPROGRESS, "its CA is asked");
    rc = ask_responder(v->certd, url, mode_of(v) == STAPLING_PRIVATE, buf_span(&question), ret, e);
    return rc < 0 ? rc : staple_check(buf_span(ret), leaf, issuer, clock_seconds(), ret_a, e);
}

static void failed(struct stapler *k, struct held *h, const struct err *why)
{
    int64_t now = clock_seconds();
    int64_t wait = h->failures < 12 ? (int64_t)RETRY_FIRST << h->failures : RETRY_MOST;

    if (h->failures++ == 0)
        log_info("certificate of %s: no OCSP answer: %s", k->v->name, why->text);
    h->ask_at = now + (wait < RETRY_MOST ? wait : RETRY_MOST);
    snprintf(h->failure, sizeof(h->failure), "%.299s", why->text);
    if (h->until <= now)
        drop(k, h);
}

/* Whatever a responder that has not heard of it says. */
static void revoked(const struct stapler *k, struct held *h)
{
    drop(k, h);
    h->ask_at = clock_seconds() + RETRY_FIRST;
    snprintf(h->failure, sizeof(h->failure), "the certificate was revoked");
}

static void took(struct stapler *k, struct held *h, struct span answer,
                 const struct staple_answer *a)
{
    struct err why;
    int64_t third = (a->next_update - a->this_update) / 3, now = clock_seconds();

    if (h == &k->current && k->v->life.revoked) { /* while it was asked for */
        revoked(k, h);
        return;
    }
    if (a->state != OCSP_GOOD) {
        drop(k, h);
        err_set(&why, -EKEYREVOKED, "its CA says that the certificate is %s",
                a->state == OCSP_REVOKED ? "revoked" : "unknown to it");
        failed(k, h, &why);
        return;
    }
    buf_clear(&h->answer);
    buf_put_span(&h->answer, answer);
    h->since = a->this_update;
    h->until = a->next_update;
    h->ask_at = a->this_update + third;
    if (h->ask_at < now + LEAST_SECONDS) /* a responder gives what it has made some time ago */
        h->ask_at = now + LEAST_SECONDS + (int64_t)random_below((uint32_t)LEAST_SECONDS);
    h->failures = 0;
    h->failure[0] = '\0';
    tell(k, h);
}

/* With k->asking held. `others`: not only the own CA. -EINPROGRESS: only others can tell. suspends */
static int refresh(struct stapler *k, struct held *h, const struct shown *x, bool others,
                   struct err *e)
{
    struct buf answer BUF_AUTO = BUF(OCSP_ANSWER_MAX);
    struct staple_answer a;
    int rc;

    h->asked_at = clock_seconds();
    if (mode_of(k->v) == STAPLING_OFF)
        rc = err_set(e, -ENOENT, "ocsp_stapling of the virtual server is off");
    else if (!x->issuer)
        rc = err_set(e, -ENOENT, "its issuer's certificate is not there");
    else
        rc = ask(k->v, x, others, &answer, &a, e);
    if (rc == -EINPROGRESS)
        return rc;
    if (rc < 0) {
        failed(k, h, e);
        return rc;
    }
    took(k, h, buf_span(&answer), &a);
    if (h->failure[0])
        return err_set(e, -EKEYREVOKED, "%s", h->failure);
    return 0;
}

/* Is h of that certificate? Else it begins anew. */
static void be_of(struct held *h, const struct certificate *leaf)
{
    if (strcmp(h->sha256, leaf->sha256) == 0)
        return;
    forget(h);
    memcpy(h->sha256, leaf->sha256, sizeof(h->sha256));
    h->must = staple_demanded(leaf);
}

int staple_before(void *arg, const char *vserver, const struct identity_slot *next, struct err *e)
{
    struct vserver_life *v = arg;
    struct stapler *k = v->stapler;
    struct shown x = SHOWN_NONE;
    struct err why = {""};
    int rc = shown_read(next, &x, e);

    if (rc < 0 || !k) {
        shown_done(&x);
        return rc;
    }
    if (k->asking.owner &&
        !staple_demanded(x.leaf)) { /* somebody is asked already; that may take a while */
        shown_done(&x);
        return 0;
    }
    fiber_lock(&k->asking);
    be_of(&k->next, x.leaf);
    if (k->next.answer.n == 0 || k->next.until <= clock_seconds())
        rc = refresh(k, &k->next, &x, k->next.must, &why);
    if (rc < 0 && k->next.must)
        rc = err_set(
            e, -EAGAIN,
            "it demands that an OCSP answer is shown with it (must-staple), and there is none: "
            "%s; clients would refuse it",
            why.text);
    else
        rc = 0;
    fiber_unlock(&k->asking);
    shown_done(&x);
    return rc;
}

/* --- on disk: the last answer for what is in service, as it came */

struct keep_job {
    char path[400];
    struct span answer; /* to be written; empty: the file goes */
    struct buf *out;    /* to be read; NULL: it is written */
    struct err e;
    int rc;
};

static void work_keep(void *arg)
{
    struct keep_job *j = arg;

    if (j->out)
        j->rc = file_read(AT_FDCWD, j->path, OCSP_ANSWER_MAX, j->out, &j->e);
    else if (j->answer.n > 0)
        j->rc = file_write(AT_FDCWD, j->path, j->answer, 0600, &j->e);
    else if (unlink(j->path) < 0 && errno != ENOENT)
        j->rc = err_set(&j->e, -errno, "%s cannot be removed: %s", j->path, strerror(errno));
}

/* suspends */
static int keep_do(const struct vserver_life *v, struct keep_job *j)
{
    snprintf(j->path, sizeof(j->path), "%s/certs/%s.staple", v->certd->child->root, v->name);
    fiber_offload(work_keep, j);
    return j->rc;
}

/* The file follows what is shown. suspends */
static void keep(struct stapler *k)
{
    const struct held *h = &k->current;
    struct buf copy BUF_AUTO = BUF(OCSP_ANSWER_MAX); /* it may change meanwhile */
    struct keep_job j = {.rc = 0};
    char sha256[65] = "";
    int64_t since = 0;

    if (h->answer.n > 0) {
        memcpy(sha256, h->sha256, sizeof(sha256));
        since = h->since;
        buf_put_span(&copy, buf_span(&h->answer));
    }
    if (!k->v->life.checked || (strcmp(k->kept, sha256) == 0 && k->kept_since == since))
        return;
    j.answer = buf_span(&copy);
    if (keep_do(k->v, &j) < 0) {
        if (!k->unkept)
            log_warn("certificate of %s: its OCSP answer cannot be kept: %s", k->v->name, j.e.text);
        k->unkept = true;
        return;
    }
    k->unkept = false;
    memcpy(k->kept, sha256, sizeof(sha256));
    k->kept_since = since;
}

void staple_recall(struct vserver_life *v)
{
    const struct identity_slot *s = &v->life.id.current;
    struct buf answer BUF_AUTO = BUF(OCSP_ANSWER_MAX);
    struct keep_job j = {.out = &answer};
    struct shown x = SHOWN_NONE;
    struct stapler *k = v->stapler;
    struct staple_answer a;
    struct err e = {""};
    int rc;

    if (!k || keep_do(v, &j) == -ENOENT)
        return;
    snprintf(k->kept, sizeof(k->kept), "?"); /* it goes unless it is taken */
    if (j.rc < 0 || mode_of(v) == STAPLING_OFF || !identity_is_served(s))
        return;
    rc = shown_read(s, &x, &e);
    if (rc == 0 && x.issuer)
        rc = staple_check(buf_span(&answer), x.leaf, x.issuer, clock_seconds(), &a, &e);
    if (rc == 0 && x.issuer && a.state == OCSP_GOOD) {
        be_of(&k->current, x.leaf);
        buf_clear(&k->current.answer);
        buf_put_span(&k->current.answer, buf_span(&answer));
        k->current.since = a.this_update;
        k->current.until = a.next_update;
        memcpy(k->kept, k->current.sha256, sizeof(k->kept));
        k->kept_since = a.this_update;
        tell(k, &k->current); /* and asks as soon as it is in service: it may have been revoked */
    } else {
        log_info("certificate of %s: the OCSP answer that was kept is not taken: %s", v->name,
                 rc < 0 ? e.text : "it does not say good");
    }
    shown_done(&x);
}

/* --- the fiber */

static bool shown_now(const struct vserver_life *v, bool next, struct shown *ret)
{
    const struct identity_slot *s = next ? &v->life.id.next : &v->life.id.current;
    struct err e;

    if (!v->loaded || !v->wanted ||
        !(next ? s->state == IDENTITY_STAGED : v->life.checked && identity_is_served(s)))
        return false;
    return shown_read(s, ret, &e) == 0;
}

/* What was next has gone live: so has its answer. */
static void move_up(struct stapler *k)
{
    struct held was = k->current;

    k->current = k->next;
    k->next = was;
    forget(&k->next);
}

/* Has it gone live while others were asked? Then it is no longer next, but not to be forgotten. */
static bool next_is_live(const struct stapler *k)
{
    struct shown x = SHOWN_NONE;
    bool is = k->next.sha256[0] && shown_now(k->v, false, &x) &&
              strcmp(k->next.sha256, x.leaf->sha256) == 0;

    shown_done(&x);
    return is;
}

static void switched_off(const struct stapler *k, struct held *h)
{
    drop(k, h);
    h->failures = 0;
    h->ask_at = INT64_MAX; /* until the configuration is another */
    snprintf(h->failure, sizeof(h->failure), "ocsp_stapling of the virtual server is off");
}

static void follow(struct stapler *k, bool next)
{
    struct held *h = next ? &k->next : &k->current;
    struct shown x = SHOWN_NONE;
    int64_t now;
    struct err e;

    fiber_lock(&k->asking);
    if (!shown_now(k->v, next, &x)) {
        /* what was kept waits for its certificate to be looked at */
        if (next && next_is_live(k))
            move_up(k);
        else if (next || !k->v->wanted || k->v->life.checked)
            forget(h);
    } else {
        if (!next && strcmp(h->sha256, x.leaf->sha256) != 0 &&
            strcmp(k->next.sha256, x.leaf->sha256) == 0)
            move_up(k);
        be_of(h, x.leaf);
        now = clock_seconds();
        if (mode_of(k->v) == STAPLING_OFF)
            switched_off(k, h);
        else if (!next && k->v->life.revoked)
            revoked(k, h);
        else if (h->ask_at <= now || now < h->asked_at) /* or the clock went back */
            refresh(k, h, &x, true, &e);
    }
    fiber_unlock(&k->asking);
    shown_done(&x);
}

static uint64_t pause_ms(const struct stapler *k)
{
    int64_t now = clock_seconds(), at = now + LOOK_MS / 1000;

    if (k->current.sha256[0] && k->current.ask_at < at)
        at = k->current.ask_at;
    if (k->next.sha256[0] && k->next.ask_at < at)
        at = k->next.ask_at;
    return at <= now ? 1000 : (uint64_t)(at - now) * 1000;
}

static void lead(void *arg)
{
    struct stapler *k = arg;

    for (;;) {
        k->woken = false;
        follow(k, false);
        keep(k);
        follow(k, true);
        if (!k->woken)
            fiber_cond_wait(&k->wake, pause_ms(k));
    }
}

void staple_begin(struct vserver_life *v)
{
    struct stapler *k = calloc(1, sizeof(*k));

    CHECK(k);
    k->v = v;
    k->current.answer = k->next.answer = BUF(OCSP_ANSWER_MAX);
    v->stapler = k;
    fiber_start(v->certd->child->loop, lead, k, "certd.staple");
}

void staple_wake(const struct vserver_life *v, bool ask_again)
{
    struct stapler *k = v->stapler;

    if (!k)
        return;
    if (ask_again)
        k->current.ask_at = k->next.ask_at = 0;
    k->woken = true;
    fiber_cond_broadcast(&k->wake);
}

void staple_revoked(const struct vserver_life *v)
{
    struct stapler *k = v->stapler;

    if (!k)
        return;
    drop(k, &k->current); /* now: whoever is asked may take a while */
    staple_wake(v, true);
}

/* --- for people */

void staple_json(const struct vserver_life *v, struct buf *out)
{
    const struct stapler *k = v->stapler;
    const struct held *h;

    if (!k || !k->current.sha256[0])
        return;
    h = &k->current;
    buf_printf(out,
               ",\"stapled\":{\"since\":%" PRId64 ",\"until\":%" PRId64 ",\"ask_at\":%" PRId64
               ",\"demanded\":%s,\"failure\":",
               h->answer.n > 0 ? h->since : 0, h->answer.n > 0 ? h->until : 0, h->ask_at,
               h->must ? "true" : "false");
    json_put_string(out, span_cstr(h->failure));
    buf_putc(out, '}');
}

void staple_metrics(const struct certd *d, struct buf *text)
{
    buf_put_cstr(
        text,
        "# HELP sealpost_certificate_stapled_until_seconds Until when the OCSP answer that is "
        "shown with the certificate holds; 0: none is shown.\n"
        "# TYPE sealpost_certificate_stapled_until_seconds gauge\n");
    for (unsigned i = 0; i < d->life_count; i++) {
        const struct stapler *k = d->lives[i]->stapler;
        if (k && d->lives[i]->wanted && d->lives[i]->life.checked)
            buf_printf(text,
                       "sealpost_certificate_stapled_until_seconds{vserver=\"%s\"} %" PRId64 "\n",
                       d->lives[i]->name, k->current.answer.n > 0 ? k->current.until : 0);
    }
}
