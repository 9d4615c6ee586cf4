/* Certificates from elsewhere: requests for other CAs, their answers, imports, assignments, and the
 * ways back. */
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "pki/cert_msg.h"
#include "pki/container.h"
#include "pki/key.h"
#include "pki/request.h"
#include "proc/certd/authority.h"
#include "proc/certd/dane.h"
#include "proc/certd/orders.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- answers: m is not touched behind a suspension, the asker may be gone */

struct asker {
    struct certd *certd;
    uint64_t link;
    enum msg_id id;
    uint32_t call;
};

static struct asker asker_of(void *arg, const struct msg *m)
{
    return (struct asker){((struct child *)arg)->state, link_id(m->link), m->id, m->call};
}

static void answer(const struct asker *a, int rc, const struct err *e, const struct buf *out)
{
    link_reply(a->link, a->id, a->call, rc, rc < 0 ? span_cstr(e->text) : buf_span(out), NULL, 0);
}

static int malformed(struct err *e)
{
    return err_set(e, -EBADMSG, "the message does not have the form of its row");
}

/* A message that is one word, the virtual server's. */
static int named(const struct asker *a, struct span body, struct vserver_life **ret, struct err *e)
{
    char name[CERT_MSG_WORD_MAX + 1];

    if (!rd_cert_word(body, name))
        return malformed(e);
    *ret = certd_named(a->certd, name, e);
    return *ret ? 0 : -ENOENT;
}

/* --- requests */

static void put_names(const struct cert_names *n, struct buf *out)
{
    buf_putc(out, '[');
    for (uint32_t i = 0; i < n->n; i++) {
        buf_put_cstr(out, i ? "," : "");
        json_put_string(out, span_cstr(n->v[i].text));
    }
    buf_putc(out, ']');
}

static int put_pending(const struct vserver_life *v, struct buf *out, struct err *e)
{
    const struct identity_slot *s = &v->life.id.pending;
    struct buf pem BUF_AUTO = BUF(2 * REQUEST_DER_MAX);
    struct request *r = NULL;
    int rc;

    if (s->state != IDENTITY_PENDING)
        return err_set(e, -ENOENT,
                       "%s has no pending request; prepare one with `sealpost cert request %s`",
                       v->name, v->name);
    rc = request_parse(identity_request(s), &r, e);
    if (rc < 0)
        return rc;
    pem_write("CERTIFICATE REQUEST", identity_request(s), &pem);
    buf_put_cstr(out, "{\"vserver\":");
    json_put_string(out, span_cstr(v->name));
    buf_put_cstr(out, ",\"name\":");
    json_put_string(out, span_cstr(s->name));
    buf_printf(out,
               ",\"state\":\"pending\",\"since\":%" PRId64 ",\"key\":\"%s\",\"key_type\":\"%s\"",
               s->since, s->key_id, s->key_type);
    buf_put_cstr(out, ",\"subject\":");
    json_put_string(out, span_cstr(r->subject));
    buf_put_cstr(out, ",\"common_name\":");
    json_put_string(out, span_cstr(r->common_name));
    buf_put_cstr(out, ",\"names\":");
    put_names(&r->names, out);
    buf_put_cstr(out, ",\"pem\":");
    json_put_string(out, buf_span(&pem));
    orders_json(v, out);
    buf_putc(out, '}');
    request_free(r);
    return out->overflow ? err_set(e, -EMSGSIZE, "the request is too long to be shown") : 0;
}

/* A renewal asks for what the certificate in use says. */
static int as_current(const struct vserver_life *v, struct cert_request_msg *q, struct err *e)
{
    const struct identity_slot *s = &v->life.id.current;
    struct chain c = CHAIN_NONE;
    int rc = identity_is_served(s)
                 ? chain_parse(identity_chain(s), &c, e)
                 : err_set(e, -ENOENT, "%s has no certificate that could be renewed", v->name);

    if (rc < 0)
        return rc;
    certificate_fields(c.v[0], &q->fields);
    cert_names_done(&q->names);
    rc = cert_names_copy(&q->names, &c.v[0]->names);
    if (!q->key_type[0])
        memcpy(q->key_type, s->key_type, sizeof(q->key_type));
    if (!q->name[0])
        memcpy(q->name, s->name, sizeof(q->name));
    chain_done(&c);
    return rc < 0 ? err_set(e, rc, "the names of the certificate in use cannot be taken") : 0;
}

static int do_request(struct vserver_life *v, void *arg, struct err *e)
{
    struct cert_request_msg *q = arg;
    struct buf der BUF_AUTO = BUF(REQUEST_DER_MAX);
    struct life_request r;
    int rc = q->as_current ? as_current(v, q, e) : 0;

    if (rc < 0)
        return rc;
    if (q->names.n == 0)
        rc = cert_names_copy(&q->names, &v->life.want.public);
    if (rc == 0 && !q->key_type[0])
        memcpy(q->key_type, v->life.want.key_type, sizeof(q->key_type));
    r = (struct life_request){.name = q->name,
                              .key_type = q->key_type,
                              .subject = cert_fields_subject(&q->fields),
                              .names = &q->names,
                              .exportable = q->exportable,
                              .same_key = q->same_key,
                              .authority = q->authority,
                              .client = authority_takes_certificates(v->certd, q->authority)};
    if (rc == 0 && q->authority[0] && !conf_authority_by_name(v->certd->child->conf, q->authority))
        rc = err_set(e, -ENOENT,
                     "the configuration has no authority %s; those in authorities can be asked",
                     log_quote(span_cstr(q->authority)));
    if (rc == 0)
        rc = life_request(&v->life, &r, &der, e);
    if (rc == 0 && q->authority[0])
        orders_placed(v);
    return rc;
}

void msg_cert_request(void *arg, struct msg *m)
{
    struct asker a = asker_of(arg, m);
    struct cert_request_msg q = {.names = CERT_NAMES_EMPTY};
    struct buf out BUF_AUTO = BUF(CERTD_REPLY_MAX);
    struct vserver_life *v = NULL;
    struct err e;
    int rc = rd_cert_request(m->body, &q) ? 0 : malformed(&e);

    if (rc == 0 && !(v = certd_named(a.certd, q.vserver, &e)))
        rc = -ENOENT;
    if (rc == 0)
        rc = lives_do(v, do_request, &q, &e);
    if (rc == 0)
        rc = put_pending(v, &out, &e);
    answer(&a, rc, &e, &out);
    cert_names_done(&q.names);
}

void msg_cert_pending(void *arg, struct msg *m)
{
    struct asker a = asker_of(arg, m);
    struct buf out BUF_AUTO = BUF(CERTD_REPLY_MAX);
    struct vserver_life *v = NULL;
    struct err e;
    int rc = named(&a, m->body, &v, &e);

    if (rc == 0)
        rc = put_pending(v, &out, &e);
    answer(&a, rc, &e, &out);
}

static int do_cancel(struct vserver_life *v, void *arg, struct err *e)
{
    return life_cancel(&v->life, e);
}

void msg_cert_cancel(void *arg, struct msg *m)
{
    struct asker a = asker_of(arg, m);
    struct buf out BUF_AUTO = BUF(16);
    struct vserver_life *v = NULL;
    struct err e;
    int rc = named(&a, m->body, &v, &e);

    if (rc == 0)
        rc = lives_do(v, do_cancel, NULL, &e);
    answer(&a, rc, &e, &out);
}

/* --- files that are offered */

struct offering {
    struct cert_offer_msg m;
    struct chain certificates, roots;
    struct buf text; /* the summary, JSON */
};

static int read_memfd(int fd, struct buf *out, struct err *e)
{
    struct stat st;
    char *p;
    size_t got = 0;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
        st.st_size > CERT_FILES_BYTES)
        return err_set(e, -EMSGSIZE, "the files that were given have no sensible size");
    p = buf_reserve(out, (size_t)st.st_size);
    while (p && got < (size_t)st.st_size) {
        ssize_t n = pread(fd, p + got, (size_t)st.st_size - got, (off_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(e, -EIO, "the files that were given cannot be read");
        got += (size_t)n;
    }
    buf_commit(out, got);
    return 0;
}

/* The file of a root often holds what stands below it, too: that belongs to the chain. Where no root
 * is in it, somebody has taken the one for the other. */
static int sort_roots(struct offering *o, struct err *e)
{
    struct chain roots = CHAIN_NONE;
    const struct certificate *below = NULL;
    size_t room = CERTIFICATE_CHAIN_MAX - o->certificates.n;

    for (size_t i = 0; i < o->roots.n; i++) {
        if (!o->roots.v[i]->is_ca)
            return err_set(e, -EKEYREJECTED,
                           "%s is no CA certificate and cannot be a root; give it as the answer, "
                           "and only the CA's root as the root certificate",
                           o->roots.v[i]->subject);
        below = o->roots.v[i]->self_issued ? below : o->roots.v[i];
        roots.n += o->roots.v[i]->self_issued;
    }
    if (below && roots.n == 0)
        return err_set(e, -EKEYREJECTED,
                       "%s is no root but an intermediate certificate, issued by %s; give it along "
                       "with the answer (in the same file or as a further one), and as the root "
                       "certificate that of %s",
                       below->subject, below->issuer, below->issuer);
    if (o->roots.n - roots.n > room)
        return err_set(e, -E2BIG, "there are more than %d certificates", CERTIFICATE_CHAIN_MAX);
    roots.n = 0;
    for (size_t i = 0; i < o->roots.n; i++) {
        struct chain *to = o->roots.v[i]->self_issued ? &roots : &o->certificates;
        to->v[to->n++] = o->roots.v[i];
    }
    o->roots = roots;
    return 0;
}

static int take_file(struct offering *o, const struct cert_file *f, struct err *e)
{
    const struct certificate *top;
    int rc;

    if (f->kind == CERT_FILE_POOL) {
        /* for whichever of them is the top: a few, and each finds its issuer */
        rc = 0;
        for (size_t i = 0; rc == 0 && i < o->certificates.n; i++) {
            top = o->certificates.v[i];
            rc = container_pool(f->bytes, top, &o->roots, e);
        }
        return rc;
    }
    rc = container_certificates(f->bytes, f->kind == CERT_FILE_ROOT ? &o->roots : &o->certificates,
                                e);
    if (rc == 0 && f->kind == CERT_FILE_ROOT)
        rc = sort_roots(o, e);
    return rc < 0 ? err_wrap(e, rc, "%s", log_quote(span_cstr(f->name))) : 0;
}

static int take_files(struct offering *o, struct span bytes, struct err *e)
{
    struct rd r = rd_of(bytes);
    int rc = 0;

    for (unsigned n = 0; rc == 0 && r.n > 0; n++) {
        struct cert_file f;
        rd_cert_file(&r, &f);
        if (r.bad || n == CERT_FILES_MAX)
            return malformed(e);
        rc = take_file(o, &f, e);
    }
    return rc;
}

static void put_summary(const struct vserver_life *v, struct offering *o)
{
    const struct certificate *leaf = o->certificates.v[0];
    struct buf text BUF_AUTO = BUF(32768);
    const char *name = o->m.name[0] ? o->m.name : v->life.id.pending.name;

    certificate_print(leaf, clock_seconds(), &text);
    buf_put_cstr(&o->text, "{\"vserver\":");
    json_put_string(&o->text, span_cstr(v->name));
    buf_put_cstr(&o->text, ",\"name\":");
    json_put_string(&o->text, span_cstr(name));
    buf_put_cstr(&o->text, ",\"certificate\":");
    certificate_json(leaf, &o->text);
    buf_put_cstr(&o->text, ",\"text\":");
    json_put_string(&o->text, buf_span(&text));
    buf_put_cstr(&o->text, ",\"chain\":[");
    for (size_t i = 0; i < o->certificates.n; i++) {
        buf_put_cstr(&o->text, i ? "," : "");
        json_put_string(&o->text, span_cstr(o->certificates.v[i]->subject));
    }
    buf_put_cstr(&o->text, "],\"root\":");
    json_put_string(&o->text, span_cstr(o->certificates.v[o->certificates.n - 1]->issuer));
    buf_printf(&o->text, ",\"installed\":%s", o->m.install ? "true" : "false");
    if (o->m.install)
        dane_json(v, &o->text);
    buf_putc(&o->text, '}');
}

/* An imported key that is not installed must not stay behind. */
static void drop_import(struct vserver_life *v, const char *key)
{
    struct err e;

    if (key[0] && !life_names_key(&v->life, key) && v->ops.key_delete(v, key, &e) < 0)
        log_warn("certificate of %s: the imported key %s stays for now: %s", v->name, key, e.text);
}

static int do_offer(struct vserver_life *v, void *arg, struct err *e)
{
    struct offering *o = arg;
    struct buf roots BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);
    struct life_offer l = {.source = (enum identity_source)o->m.source,
                           .key_id = o->m.key_id[0] ? o->m.key_id : NULL,
                           .spki = o->m.install ? SPAN_EMPTY : o->m.spki,
                           .name = o->m.name,
                           .certificates = &o->certificates};
    char type[16] = "";
    int rc = 0;

    if (!chain_write(&o->roots, &roots))
        return err_set(e, -EMSGSIZE, "the root certificates have more than %d bytes",
                       CERTIFICATE_CHAIN_BYTES);
    if (o->certificates.n > 0)
        memcpy(type, o->certificates.v[0]->key_type, sizeof(type));
    l.roots = buf_span(&roots);
    l.key_type = type;
    rc = life_look(&v->life, &l, e);
    if (rc == 0)
        memcpy(type, o->certificates.v[0]->key_type, sizeof(type));
    if (rc == 0 && o->m.install)
        rc = life_take(&v->life, &l, identity_source_name(l.source), e);
    if (rc < 0)
        drop_import(v, o->m.key_id);
    else
        put_summary(v, o);
    return rc;
}

void msg_cert_offer(void *arg, struct msg *m)
{
    struct asker a = asker_of(arg, m);
    struct offering o = {.certificates = CHAIN_NONE, .roots = CHAIN_NONE};
    struct buf bytes BUF_AUTO = BUF(CERT_FILES_BYTES);
    struct vserver_life *v = NULL;
    struct err e = {""};
    int rc = rd_cert_offer(m->body, &o.m) ? 0 : malformed(&e);

    o.text = BUF(CERTD_REPLY_MAX);
    if (rc == 0 && o.m.source != IDENTITY_EXTERNAL && o.m.source != IDENTITY_IMPORT)
        rc = malformed(&e);
    if (rc == 0 && (o.m.source == IDENTITY_IMPORT) !=
                       (o.m.key_id[0] != '\0' || (o.m.spki.n > 0 && !o.m.install)))
        rc = malformed(&e);
    if (rc == 0 && !(v = certd_named(a.certd, o.m.vserver, &e)))
        rc = -ENOENT;
    if (rc == 0)
        rc = read_memfd(m->fd_count ? m->fds[0] : -1, &bytes, &e);
    if (rc == 0)
        rc = take_files(&o, buf_span(&bytes), &e);
    if (rc < 0 && v && o.m.key_id[0])
        drop_import(v, o.m.key_id);
    if (rc == 0)
        rc = lives_do(v, do_offer, &o, &e);
    answer(&a, rc, &e, &o.text);
    chain_done(&o.certificates);
    chain_done(&o.roots);
    buf_done(&o.text);
}

/* --- others */

static void answer_life(const struct asker *a, int rc, const struct err *e,
                        const struct vserver_life *v)
{
    struct buf out BUF_AUTO = BUF(CERTD_REPLY_MAX);

    if (rc == 0)
        certd_put_life(v, &out);
    answer(a, rc, e, &out);
}

static int read_two(struct certd *d, const struct msg *m, struct vserver_life **ret,
                    struct vserver_life **ret_from, struct err *e)
{
    struct cert_assign_msg q;

    if (!rd_cert_assign(m->body, &q))
        return malformed(e);
    *ret = certd_named(d, q.vserver, e);
    *ret_from = *ret ? certd_named(d, q.from, e) : NULL;
    return *ret_from ? 0 : -ENOENT;
}

void msg_cert_assign(void *arg, struct msg *m)
{
    struct asker a = asker_of(arg, m);
    struct vserver_life *v = NULL, *from = NULL;
    struct err e;
    int rc = read_two(a.certd, m, &v, &from, &e);

    /* a circle would follow itself */
    if (rc == 0 && from->life.id.current.source == IDENTITY_ASSIGNED &&
        identity_is_served(&from->life.id.current))
        rc = err_set(&e, -EINVAL, "the certificate of %s is itself that of %s; assign that one",
                     from->name, from->life.id.current.origin);
    if (rc == 0)
        rc = lives_assign(v, from, &e);
    answer_life(&a, rc, &e, v);
}

void msg_cert_copy(void *arg, struct msg *m)
{
    struct asker a = asker_of(arg, m);
    struct vserver_life *v = NULL, *from = NULL;
    struct err e;
    int rc = read_two(a.certd, m, &v, &from, &e);

    if (rc == 0)
        rc = lives_copy(v, from, &e);
    answer_life(&a, rc, &e, v);
}

void msg_cert_renew(void *arg, struct msg *m)
{
    struct asker a = asker_of(arg, m);
    struct vserver_life *v = NULL;
    const struct identity_slot *s;
    struct cert_renew_msg q;
    struct err e;
    int rc = rd_cert_renew(m->body, &q) ? 0 : malformed(&e);

    if (rc == 0 && !(v = certd_named(a.certd, q.vserver, &e)))
        rc = -ENOENT;
    s = v ? &v->life.id.current : NULL;
    if (rc == 0 && identity_is_served(s) && s->source != IDENTITY_OWN_CA)
        rc = err_set(&e, -EINVAL,
                     "the certificate of %s does not come from the own CA (%s), so it cannot renew "
                     "it",
                     v->name, identity_source_name(s->source));
    if (rc == 0)
        rc = lives_issue(v, q.same_key, &e);
    if (rc == -EINPROGRESS) /* staged */
        rc = 0;
    answer_life(&a, rc, &e, v);
}

static int do_remove(struct vserver_life *v, void *arg, struct err *e)
{
    return life_remove(&v->life, e);
}

void msg_cert_remove(void *arg, struct msg *m)
{
    struct asker a = asker_of(arg, m);
    struct vserver_life *v = NULL;
    struct err e;
    int rc = named(&a, m->body, &v, &e);

    if (rc == 0)
        rc = lives_do(v, do_remove, NULL, &e);
    answer_life(&a, rc, &e, v);
}

/* What our own CA has revoked does not come back. */
static int do_rollback(struct vserver_life *v, void *arg, struct err *e)
{
    const struct identity *id = &v->life.id;
    char serial[CERTIFICATE_SERIAL_MAX];
    int rc = 0;

    if (id->retired_count > 0) {
        memcpy(serial, id->retired[id->retired_count - 1].serial, sizeof(serial));
        rc = state_ask(v->certd, serial, e);
        if (rc > 0)
            rc = err_set(e, -EKEYREVOKED,
                         "certificate %s was revoked by the own CA; it is not shown again", serial);
    }
    rc = rc < 0 ? rc : life_rollback(&v->life, e);
    return rc == -EINPROGRESS ? 0 : rc; /* staged */
}

void msg_cert_rollback(void *arg, struct msg *m)
{
    struct asker a = asker_of(arg, m);
    struct vserver_life *v = NULL;
    struct err e;
    int rc = named(&a, m->body, &v, &e);

    if (rc == 0)
        rc = lives_do(v, do_rollback, NULL, &e);
    answer_life(&a, rc, &e, v);
}

void msg_cert_chain(void *arg, struct msg *m)
{
    struct asker a = asker_of(arg, m);
    struct buf out BUF_AUTO = BUF(130000), pem BUF_AUTO = BUF(2 * CERTIFICATE_CHAIN_BYTES);
    struct chain c = CHAIN_NONE;
    struct vserver_life *v = NULL;
    const struct identity_slot *s;
    struct err e;
    int rc = named(&a, m->body, &v, &e);

    s = v ? &v->life.id.current : NULL;
    if (rc == 0 && !identity_is_served(s))
        rc = err_set(&e, -ENOENT, "%s has no certificate", v->name);
    if (rc == 0)
        rc = chain_parse(identity_chain(s), &c, &e);
    if (rc == 0) {
        chain_write_pem(&c, &pem);
        buf_printf(&out, "{\"key\":\"%s\",\"name\":", s->key_id);
        json_put_string(&out, span_cstr(s->name));
        buf_put_cstr(&out, ",\"pem\":");
        json_put_string(&out, buf_span(&pem));
        buf_putc(&out, '}');
    }
    chain_done(&c);
    answer(&a, rc, &e, &out);
}
