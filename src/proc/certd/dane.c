#include "proc/certd/dane.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "dns/update.h"
#include "pki/cert_msg.h"
#include "proc/certd/authority.h"
#include "proc/certd/records.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LOOK_MS = 1000,
    REST_MS = 30000,
    LONG_TTL_S = 120, /* with such a one the resolver is asked less often */
    LONG_LOOK_MS = 15000,
    RETRY_MOST_S = 300,
    AGAIN_S = 60,  /* published, and still not seen: published once more */
    NOTES_MAX = 8, /* of one wait, in the history */
};

struct dane {
    struct vserver_life *v;
    bool loaded;
    struct records published; /* in the file */
    struct records want;
    unsigned fails;
    int64_t retry_at, again_at;
    char failure[300];
    /* the wait of one staged certificate */
    char serial[CERTIFICATE_SERIAL_MAX];
    struct resolver *resolver; /* its own, which remembers nothing from before */
    struct dane_wait wait;
    uint64_t look_at_ms;
    unsigned notes;
    bool over;
    char words[500];
};

static struct dane *dane_of(const struct vserver_life *v)
{
    return v->dane;
}

static const struct conf_vserver *row_of(const struct vserver_life *v)
{
    return conf_vserver_by_name(v->certd->child->conf, v->name);
}

static uint8_t mode_of(const struct vserver_life *v)
{
    const struct conf_vserver *cv = row_of(v);
    return cv && cv->enabled ? cv->dane : DANE_OFF;
}

/* --- the file */

struct file_job {
    char path[400];
    struct buf bytes;
    struct err e;
    int rc;
};

static struct file_job file_of(const struct dane *k)
{
    struct file_job j = {.bytes = BUF(RECORDS_FILE_MAX)};

    snprintf(j.path, sizeof(j.path), "%s/certs/%s.tlsa", k->v->certd->child->root, k->v->name);
    return j;
}

static void work_write(void *arg)
{
    struct file_job *j = arg;
    j->rc = file_write(AT_FDCWD, j->path, buf_span(&j->bytes), 0600, &j->e);
}

static void work_read(void *arg)
{
    struct file_job *j = arg;
    j->rc = file_read(AT_FDCWD, j->path, RECORDS_FILE_MAX - 1, &j->bytes, &j->e);
}

static int save(struct dane *k, struct err *e)
{
    struct file_job j = file_of(k);

    CHECK(records_write(&k->published, &j.bytes));
    fiber_offload(work_write, &j);
    buf_done(&j.bytes);
    if (j.rc < 0)
        *e = j.e;
    return j.rc;
}

static void load(struct dane *k)
{
    struct file_job j = file_of(k);

    fiber_offload(work_read, &j);
    if (j.rc == 0 && records_read(buf_span(&j.bytes), &k->published) < 0)
        log_warn("DANE of %s: %s cannot be used; TLSA records published before may stay in DNS",
                 k->v->name, j.path);
    buf_done(&j.bytes);
    k->loaded = true;
}

/* --- into DNS, and out of it */

/* What the configuration says, copied: it may change while we wait. */
struct primary {
    struct sockaddr_storage server;
    char words[80], zone[DNS_NAME_MAX + 1], tsig[DNS_NAME_MAX + 1];
    struct buf secret;
    struct dns_key key;
    uint32_t ttl;
};

static int primary_open(struct certd *d, struct primary *p, struct err *e)
{
    static const enum dns_hmac algorithms[] = {[TSIG_SHA256] = DNS_HMAC_SHA256,
                                               [TSIG_SHA384] = DNS_HMAC_SHA384,
                                               [TSIG_SHA512] = DNS_HMAC_SHA512};
    const struct conf *c = d->child->conf;
    char file[1001];
    int rc = 0;

    *p = (struct primary){.secret = BUF(4096), .ttl = c->dane.ttl};
    snprintf(p->words, sizeof(p->words), "%s", c->dane.server);
    snprintf(p->zone, sizeof(p->zone), "%s", c->dane.zone[0] ? c->dane.zone : c->domain);
    snprintf(p->tsig, sizeof(p->tsig), "%s", c->dane.tsig_name);
    snprintf(file, sizeof(file), "%s", c->dane.tsig_key_file);
    p->key = (struct dns_key){.name = p->tsig, .algorithm = algorithms[c->dane.tsig_algorithm]};
    if (!dns_server_parse(p->words, &p->server))
        rc = err_set(e, -EINVAL, "dane has no server that takes updates");
    if (rc == 0 && p->tsig[0])
        rc = authority_secret(d, file, base64_decode, &p->secret, e);
    p->key.secret = buf_span(&p->secret);
    return rc;
}

static void primary_close(struct primary *p)
{
    if (p->secret.p)
        secret_wipe(p->secret.p, p->secret.n);
    buf_done(&p->secret);
}

static int update(const struct primary *p, const struct record *r, bool add, struct err *e)
{
    struct dns_update u = {
        .zone = p->zone, .name = r->owner, .tlsa = &r->tlsa, .add = add, .ttl = p->ttl};
    int rc = dns_update_send(&p->server, &u, &p->key, e);

    return rc < 0 ? err_wrap(e, rc, "the TLSA record of %s cannot be %s at %s", r->owner,
                             add ? "published" : "taken away", p->words)
                  : 0;
}

/* Another virtual server on the same port, or one with the same key, still counts on it. */
static bool wanted_elsewhere(const struct dane *k, const struct record *r)
{
    const struct certd *d = k->v->certd;

    for (unsigned i = 0; i < d->life_count; i++) {
        const struct dane *o = dane_of(d->lives[i]);
        if (o && o != k && mode_of(d->lives[i]) == DANE_PUBLISH &&
            records_find(&o->want, r->owner, &r->tlsa))
            return true;
    }
    return false;
}

/* It is written down first: what may stand in DNS is never forgotten. */
static int publish(struct dane *k, const struct primary *p, struct err *e)
{
    bool fresh = false;
    int rc = 0;

    for (unsigned i = 0; i < k->want.n; i++)
        if (!records_find(&k->published, k->want.v[i].owner, &k->want.v[i].tlsa)) {
            struct record one = k->want.v[i];
            one.there = false;
            records_add(&k->published, &one);
            fresh = true;
        }
    if (fresh)
        rc = save(k, e);
    for (unsigned i = 0; rc == 0 && i < k->want.n; i++) {
        struct record *r = records_find(&k->published, k->want.v[i].owner, &k->want.v[i].tlsa);
        if (!r || r->there)
            continue;
        rc = update(p, r, true, e);
        r->there = rc == 0;
        if (rc == 0)
            log_info("DANE of %s: a TLSA record of %s is published", k->v->name, r->owner);
    }
    return rc;
}

static int withdraw(struct dane *k, const struct primary *p, struct err *e)
{
    bool changed = false;
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < k->published.n;) {
        struct record *r = &k->published.v[i];
        if (records_find(&k->want, r->owner, &r->tlsa)) {
            i++;
            continue;
        }
        if (!wanted_elsewhere(k, r))
            rc = update(p, r, false, e);
        if (rc == 0) {
            log_info("DANE of %s: a TLSA record of %s is taken away", k->v->name, r->owner);
            records_drop(&k->published, r);
            changed = true;
        }
    }
    if (changed) {
        struct err why;
        if (save(k, &why) < 0)
            log_warn("DANE of %s: %s", k->v->name, why.text);
    }
    return rc;
}

static bool in_step(const struct dane *k)
{
    for (unsigned i = 0; i < k->want.n; i++) {
        const struct record *r =
            records_find(&k->published, k->want.v[i].owner, &k->want.v[i].tlsa);
        if (!r || !r->there)
            return false;
    }
    return k->published.n == k->want.n;
}

/* DNS has what there should be. What is gone goes last. */
static void follow(struct dane *k, int64_t now)
{
    struct primary p;
    struct err e;
    int rc;

    if (in_step(k) || now < k->retry_at)
        return;
    rc = primary_open(k->v->certd, &p, &e);
    if (rc == 0)
        rc = publish(k, &p, &e);
    if (rc == 0)
        rc = withdraw(k, &p, &e);
    primary_close(&p);
    if (rc == 0) {
        k->fails = 0;
        k->failure[0] = '\0';
        k->again_at = clock_seconds() + AGAIN_S;
        return;
    }
    int64_t pause = k->fails < 8 ? (int64_t)1 << k->fails : RETRY_MOST_S;
    k->fails++;
    k->retry_at = clock_seconds() + pause;
    snprintf(k->failure, sizeof(k->failure), "%.290s", e.text);
    log_warn("DANE of %s: %s; trying again in %" PRId64 " s", k->v->name, k->failure, pause);
}

/* --- which there should be, when that changes */

static bool in_zone(const char *owner, const char *zone)
{
    struct span o = span_cstr(owner), z = span_cstr(zone);

    return span_ends_nocase(o, z) && o.n > z.n && o.p[o.n - z.n - 1] == '.';
}

/* Names outside our zone are others' to publish: nobody waits for them either. */
static void collect(struct dane *k, bool wanted)
{
    const struct conf *c = k->v->certd->child->conf;
    const char *zone = c->dane.zone[0] ? c->dane.zone : c->domain;

    records_done(&k->want);
    if (!wanted)
        return;
    records_of(c, row_of(k->v), &k->v->life.id, c->dane.ca, &k->want);
    for (unsigned i = 0; mode_of(k->v) == DANE_PUBLISH && i < k->want.n;)
        if (in_zone(k->want.v[i].owner, zone))
            i++;
        else
            records_drop(&k->want, &k->want.v[i]);
}

/* --- the wait */

static void wait_end(struct dane *k)
{
    resolver_free(k->resolver);
    k->resolver = NULL;
    k->serial[0] = k->words[0] = '\0';
    k->over = false;
}

static int wait_begin(struct dane *k, const char *serial, struct err *e)
{
    const struct certd *d = k->v->certd;
    const struct conf *c = d->child->conf;
    bool known;
    int rc;

    wait_end(k);
    k->wait = (struct dane_wait){.ttl_s = mode_of(k->v) == DANE_PUBLISH ? c->dane.ttl : 0,
                                 .last = DANE_SIGHTS};
    k->look_at_ms = 0;
    k->notes = 0;
    known = strcmp(d->anchor_file, c->dns_trust_anchor) == 0;
    k->resolver = resolver_new(d->child->loop, c->dns_servers.v, c->dns_servers.n,
                               known ? "" : c->dns_trust_anchor, e);
    if (!k->resolver)
        return -EIO;
    if (known && (rc = resolver_add_anchor(k->resolver, buf_span(&d->anchor), e)) < 0)
        return err_wrap(e, rc, "dns_trust_anchor: %s", d->anchor_file);
    snprintf(k->serial, sizeof(k->serial), "%s", serial);
    return 0;
}

/* The history tells when the reason changes; the fiber of the life may be at work. */
struct note {
    char serial[CERTIFICATE_SERIAL_MAX], words[IDENTITY_NOTE_MAX + 1];
};

static int do_note(struct vserver_life *v, void *arg, struct err *e)
{
    const struct note *n = arg;
    const struct identity_slot *s = &v->life.id.next;

    if (s->state == IDENTITY_STAGED && strcmp(s->serial, n->serial) == 0)
        identity_note(&v->life.id, s, n->words);
    return 0;
}

static void tell(struct dane *k, const char *words)
{
    struct note n;
    struct err e;

    if (k->notes++ >= NOTES_MAX)
        return;
    memcpy(n.serial, k->serial, sizeof(n.serial));
    snprintf(n.words, sizeof(n.words), "%.200s", words);
    lives_do(k->v, do_note, &n, &e);
}

static void say(struct dane *k, enum dane_sight s, const char *owner)
{
    struct buf words BUF_AUTO = BUF(400);
    uint64_t left = dane_wait_left_ms(&k->wait, clock_mono_ms());

    if (s == DANE_SEEN) {
        snprintf(k->words, sizeof(k->words),
                 "its TLSA record is seen; it goes into service in %" PRIu64
                 " s (two TTLs of %u s, so that nobody remembers an answer without it)",
                 left / 1000, k->wait.ttl_s);
        return;
    }
    dane_words(s, owner, &words);
    snprintf(k->words, sizeof(k->words), "its TLSA record %s", buf_cstr(&words));
}

/* One look at the record of each name and port: the worst of them counts. suspends */
static void look(struct dane *k)
{
    enum dane_sight worst = DANE_SEEN, before = k->wait.last;
    char owner[DANE_OWNER_MAX + 1] = "";
    struct records want = {NULL, 0, false};
    uint32_t ttl_s = 0;

    for (unsigned i = 0; i < k->want.n; i++) /* a copy: they may change while we ask */
        if (k->want.v[i].next && k->want.v[i].tlsa.usage == DANE_EE)
            records_add(&want, &k->want.v[i]);
    for (unsigned i = 0; i < want.n && worst == DANE_SEEN; i++) {
        struct dns_tlsa_answer *a = calloc(1, sizeof(*a));
        CHECK(a);
        enum dns_result found = dns_tlsa(k->resolver, want.v[i].owner, a);
        worst = dane_look(found, a, &want.v[i].tlsa);
        if (found == DNS_FOUND && a->ttl_s > ttl_s)
            ttl_s = a->ttl_s;
        if (worst != DANE_SEEN)
            memcpy(owner, want.v[i].owner, sizeof(owner));
        free(a);
    }
    if (want.n == 0) { /* no name that could have one */
        worst = DANE_NONE;
        snprintf(owner, sizeof(owner), "%s", k->v->name);
    }
    records_done(&want);
    dane_wait_look(&k->wait, worst, ttl_s, clock_mono_ms());
    say(k, worst, owner);
    if (worst != before)
        tell(k, k->words);
}

/* Published, and for a minute not seen: somebody may have taken it away. */
static void publish_again(struct dane *k, int64_t now)
{
    if ((k->wait.last != DANE_NONE && k->wait.last != DANE_NOT_SEEN) || now < k->again_at)
        return;
    k->again_at = now + AGAIN_S;
    for (unsigned i = 0; i < k->published.n; i++)
        k->published.v[i].there = false;
}

static void watch(struct dane *k)
{
    const struct identity_slot *s = &k->v->life.id.next;
    uint64_t now_ms = clock_mono_ms();
    struct err e;

    if (strcmp(k->serial, s->serial) != 0 && wait_begin(k, s->serial, &e) < 0) {
        snprintf(k->words, sizeof(k->words), "its TLSA record cannot be looked up: %.300s", e.text);
        return;
    }
    if (k->failure[0]) {
        snprintf(k->words, sizeof(k->words), "%s", k->failure);
        k->wait.since_ms = 0;
        return;
    }
    if (now_ms < k->look_at_ms)
        return;
    k->look_at_ms = now_ms + (k->wait.ttl_s > LONG_TTL_S ? LONG_LOOK_MS : LOOK_MS);
    look(k);
    publish_again(k, clock_seconds());
    k->over = dane_wait_over(&k->wait, clock_mono_ms());
    if (k->over && k->v->life.held) {
        life_release(&k->v->life);
        fiber_cond_broadcast(&k->v->wake);
    }
}

/* --- the fiber */

static void lead(void *arg)
{
    struct dane *k = arg;
    struct vserver_life *v = k->v;

    load(k);
    for (;;) {
        uint8_t mode = mode_of(v);
        const struct identity *id = &v->life.id;
        bool known = v->loaded && v->reconciled && v->wanted;

        if (known || (v->loaded && !v->wanted)) {
            collect(k, known && mode != DANE_OFF);
            if (mode == DANE_PUBLISH)
                follow(k, clock_seconds());
            else if (k->published.n > 0) { /* not any more: all of ours go */
                records_done(&k->want);
                follow(k, clock_seconds());
            }
        }
        if (known && mode != DANE_OFF && id->next.state == IDENTITY_STAGED && v->life.held)
            watch(k);
        else if (id->next.state != IDENTITY_STAGED || mode == DANE_OFF)
            wait_end(k);
        /* not wanted any more; or an expired certificate is worse than a new key (dane_may_swap) */
        if (v->life.held && (mode == DANE_OFF || id->current.not_after <= clock_seconds())) {
            life_release(&v->life);
            fiber_cond_broadcast(&v->wake);
        }
        fiber_cond_wait(&v->wake, mode != DANE_OFF || k->published.n > 0 ? LOOK_MS : REST_MS);
    }
}

void dane_begin(struct vserver_life *v)
{
    struct dane *k = calloc(1, sizeof(*k));

    CHECK(k);
    k->v = v;
    v->dane = k;
    fiber_start(v->certd->child->loop, lead, k, "certd.dane");
}

/* --- asked by the life */

int dane_may_swap(void *arg, const struct identity_slot *current, const struct identity_slot *next,
                  char note[IDENTITY_NOTE_MAX + 1], struct err *e)
{
    const struct vserver_life *v = arg;
    const struct dane *k = dane_of(v);

    if (mode_of(v) == DANE_OFF)
        return 0;
    if (current->not_after <= clock_seconds()) {
        snprintf(note, IDENTITY_NOTE_MAX + 1,
                 "without waiting for DNS: the certificate in use has "
                 "expired");
        return 0;
    }
    if (k->over && strcmp(k->serial, next->serial) == 0) {
        snprintf(note, IDENTITY_NOTE_MAX + 1, "its TLSA record was seen for two TTLs of %u s",
                 k->wait.ttl_s);
        return 0;
    }
    return err_set(e, -EINPROGRESS, "%s",
                   k->words[0] ? k->words : "its TLSA record must be seen for two TTLs first");
}

bool dane_keeps_key(const struct vserver_life *v)
{
    return mode_of(v) == DANE_PRINT && !v->life.revoked;
}

/* --- for people and machines */

const char *dane_reason(const struct vserver_life *v)
{
    const struct dane *k = dane_of(v);

    if (!k || !v->life.held)
        return "";
    return k->words[0] ? k->words : "its TLSA record must be seen for two TTLs first";
}

static const char *mode_name(uint8_t mode)
{
    return mode == DANE_PUBLISH ? "publish" : mode == DANE_PRINT ? "print" : "off";
}

void dane_json(const struct vserver_life *v, struct buf *out)
{
    const struct dane *k = dane_of(v);

    if (!k || mode_of(v) == DANE_OFF)
        return;
    buf_printf(out, ",\"dane\":\"%s\",\"held\":%s,\"waits\":", mode_name(mode_of(v)),
               v->life.held ? "true" : "false");
    json_put_string(out, span_cstr(dane_reason(v)));
    buf_put_cstr(out, ",\"dane_failure\":");
    json_put_string(out, span_cstr(k->failure));
}

void dane_metrics(const struct certd *d, struct buf *text)
{
    buf_put_cstr(text, "# HELP sealpost_certificate_waits_for_dns 1: it is staged until its TLSA "
                       "record was seen for two TTLs.\n"
                       "# TYPE sealpost_certificate_waits_for_dns gauge\n");
    for (unsigned i = 0; i < d->life_count; i++)
        if (d->lives[i]->wanted)
            buf_printf(text, "sealpost_certificate_waits_for_dns{vserver=\"%s\"} %u\n",
                       d->lives[i]->name, d->lives[i]->life.held);
}

static void put_record(const struct dane *k, const struct record *r, struct buf *out)
{
    const struct record *p = records_find(&k->published, r->owner, &r->tlsa);
    struct buf data BUF_AUTO = BUF(300);

    for (size_t i = 0; i < r->tlsa.bytes; i++)
        buf_printf(&data, "%02x", r->tlsa.data[i]);
    buf_put_cstr(out, "{\"owner\":");
    buf_printf(out, "\"%s.\"", r->owner);
    buf_printf(out,
               ",\"usage\":%u,\"selector\":%u,\"matching\":%u,\"data\":\"%s\",\"current\":%s,"
               "\"next\":%s,\"published\":%s}",
               r->tlsa.usage, r->tlsa.selector, r->tlsa.matching, buf_cstr(&data),
               r->current ? "true" : "false", r->next ? "true" : "false",
               p && p->there ? "true" : "false");
}

void msg_cert_tlsa(void *arg, struct msg *m)
{
    struct certd *d = ((struct child *)arg)->state;
    const struct conf *c = d->child->conf;
    struct buf out BUF_AUTO = BUF(CERTD_REPLY_MAX);
    struct records all = {NULL, 0, false};
    char name[CERT_MSG_WORD_MAX + 1];
    struct vserver_life *v;
    struct err e;

    if (!rd_cert_word(m->body, name)) {
        msg_reply(m, -EBADMSG, SPAN("the message does not have the form of its row"));
        return;
    }
    v = certd_named(d, name, &e);
    if (!v) {
        msg_reply(m, -ENOENT, span_cstr(e.text));
        return;
    }
    records_of(c, row_of(v), &v->life.id, c->dane.ca, &all);
    buf_put_cstr(&out, "{\"vserver\":");
    json_put_string(&out, span_cstr(v->name));
    buf_printf(&out, ",\"mode\":\"%s\",\"ttl\":%u,\"waits\":", mode_name(mode_of(v)), c->dane.ttl);
    json_put_string(&out, span_cstr(dane_reason(v)));
    buf_put_cstr(&out, ",\"failure\":");
    json_put_string(&out, span_cstr(dane_of(v)->failure));
    buf_put_cstr(&out, ",\"records\":[");
    for (unsigned i = 0; i < all.n; i++) {
        buf_put_cstr(&out, i ? "," : "");
        put_record(dane_of(v), &all.v[i], &out);
    }
    buf_put_cstr(&out, "]}");
    records_done(&all);
    if (out.overflow)
        msg_reply(m, -EMSGSIZE, SPAN("it has more TLSA records than can be shown"));
    else
        msg_reply(m, 0, buf_span(&out));
}

static int do_swap(struct vserver_life *v, void *arg, struct err *e)
{
    return life_swap(&v->life, *(const bool *)arg, e);
}

void msg_cert_swap(void *arg, struct msg *m)
{
    struct certd *d = ((struct child *)arg)->state;
    uint64_t link = link_id(m->link);
    enum msg_id id = m->id;
    uint32_t call = m->call;
    struct buf out BUF_AUTO = BUF(CERTD_REPLY_MAX);
    struct vserver_life *v = NULL;
    struct cert_renew_msg q;
    struct err e = {""};
    int rc = rd_cert_renew(m->body, &q)
                 ? 0
                 : err_set(&e, -EBADMSG, "the message does not have the form of its row");

    if (rc == 0 && !(v = certd_named(d, q.vserver, &e)))
        rc = -ENOENT;
    if (rc == 0)
        rc = lives_do(v, do_swap, &q.same_key, &e);
    if (rc == -EINPROGRESS) {
        struct err why = e;
        err_set(&e, rc, "%.500s; give --now to put it into service all the same", why.text);
    }
    if (rc == 0)
        certd_put_life(v, &out);
    link_reply(link, id, call, rc, rc < 0 ? span_cstr(e.text) : buf_span(&out), NULL, 0);
}
