/*
 * trust.c: whose client certificates hold at which virtual server: the roots of our own CA, and
 * files of CA certificates and CRLs in certs/trust. Workers get the list of each virtual server
 * that asks for certificates; it stands for itself, nothing that the machine trusts is added. A CA
 * in it that another has certified is no reason to trust anybody: it leads to its root, where a
 * client has sent its certificate alone.
 */
#include "base/check.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "pki/cert_msg.h"
#include "pki/container.h"
#include "proc/certd/certd.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TRUST_FILE_MAX = 2 << 20 };

struct trust_job {
    char path[400];
    struct buf *out;
    struct err e;
    int rc;
};

static void work_read(void *arg)
{
    struct trust_job *j = arg;
    j->rc = file_read(AT_FDCWD, j->path, TRUST_FILE_MAX, j->out, &j->e);
}

static bool has_root(const struct chain *c)
{
    bool has = false;

    for (size_t i = 0; i < c->n; i++)
        has |= c->v[i]->self_issued;
    return has;
}

/* Appends one entry of client_trust as PEM. suspends */
static int add_entry(struct certd *d, const char *name, struct buf *out, struct err *e)
{
    struct buf file BUF_AUTO = BUF(TRUST_FILE_MAX);
    struct trust_job j = {.out = &file};
    struct chain seen = CHAIN_NONE;
    int rc;

    if (strcmp(name, "own-ca") == 0) {
        if (d->roots.n == 0)
            return err_set(e, -EAGAIN, "our own CA is not there yet");
        /* the CAs below them too: many clients send their certificate alone */
        return chain_write_pem(&d->roots, out) && buf_put_span(out, buf_span(&d->between))
                   ? 0
                   : err_set(e, -EMSGSIZE, "it is too long");
    }
    if ((size_t)snprintf(j.path, sizeof j.path, "%s/certs/trust/%s", d->child->root, name) >=
        sizeof j.path)
        return err_set(e, -ENAMETOOLONG, "%s: the name is too long", name);
    fiber_offload(work_read, &j);
    if (j.rc < 0)
        return err_set(e, j.rc, "%s: %s; it must be there, and the user of certd able to read it",
                       j.path, strerror(-j.rc));
    rc = container_certificates(buf_span(&file), &seen, e);
    if ((rc == 0 || rc == -E2BIG) && seen.n == 0)
        rc = err_set(e, -EBADMSG, "there is no certificate in it");
    if (rc == 0 && !has_root(&seen))
        log_warn("client_trust: %s holds no root: nobody is trusted by it alone, what others have "
                 "certified only leads to their roots",
                 name);
    chain_done(&seen);
    if (rc < 0 && rc != -E2BIG)
        return err_wrap(e, rc, "%s", j.path);
    buf_put_span(out, buf_span(&file));
    return buf_putc(out, '\n') ? 0 : err_set(e, -EMSGSIZE, "%s: it is too long", j.path);
}

static uint64_t epoch_of(struct span pem)
{
    unsigned char md[32];
    uint64_t n;

    CHECK(EVP_Digest(pem.p, pem.n, md, NULL, EVP_sha256(), NULL) == 1);
    memcpy(&n, md, sizeof n);
    return n;
}

static void send_to(struct certd *d, struct link *l, const struct vserver_trust *t)
{
    struct buf body BUF_AUTO = BUF(128);
    int fd = memfd_create("trust", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || fd_write_all(fd, t->pem.p, t->pem.n) < 0) {
        log_error("%s: the trust list cannot be handed over: %s", t->vserver, strerror(errno));
        fd_close(&fd);
        return;
    }
    wr_cert_trust(&body, t->vserver, t->epoch);
    link_send(l, MSG_CERT_TRUST, buf_span(&body), &fd, 1);
    fd_close(&fd);
}

static void send_all(struct certd *d, const struct vserver_trust *t)
{
    static const enum role workers[] = {ROLE_ACCESS, ROLE_MX};

    for (size_t r = 0; r < ARRAY_LEN(workers); r++)
        for (unsigned i = 0; i < CHILD_INSTANCES_MAX; i++)
            if (d->child->peers[role_index(workers[r])][i])
                send_to(d, d->child->peers[role_index(workers[r])][i], t);
}

static struct vserver_trust *trust_of(struct certd *d, const char *vserver)
{
    struct vserver_trust *t;

    for (unsigned i = 0; i < d->trust_count; i++)
        if (strcmp(d->trust[i].vserver, vserver) == 0)
            return &d->trust[i];
    if (d->trust_count == CERTD_VSERVERS_MAX)
        return NULL;
    t = &d->trust[d->trust_count++];
    *t = (struct vserver_trust){.pem = BUF(CERTD_TRUST_MAX)};
    snprintf(t->vserver, sizeof t->vserver, "%s", vserver);
    return t;
}

/* No longer what was trusted before, and nobody else: a list without certificates. */
static void trust_nobody(struct certd *d, const char *vserver, const char *why)
{
    static const char nobody[] = "# nobody: the list cannot be read\n";
    struct vserver_trust *t = trust_of(d, vserver);

    if (!t)
        return;
    snprintf(t->problem, sizeof t->problem, "%s", why);
    if (span_eq(buf_span(&t->pem), span_cstr(nobody)))
        return;
    buf_clear(&t->pem);
    buf_put_cstr(&t->pem, nobody);
    t->epoch = epoch_of(buf_span(&t->pem));
    log_error("%s: until that is mended, no client certificate is trusted", vserver);
    send_all(d, t);
}

/* One virtual server. suspends */
static int follow_one(struct certd *d, const char *vserver)
{
    struct buf pem BUF_AUTO = BUF(CERTD_TRUST_MAX);
    const struct conf_vserver *v = conf_vserver_by_name(d->child->conf, vserver);
    char names[16][68];
    unsigned n = 0;
    struct vserver_trust *t;
    struct err e;

    if (!v || !v->enabled || v->client_certificates == CLIENT_CERTIFICATES_IGNORE)
        return 0;
    /* copies: the configuration may be replaced while a file is read */
    for (; n < v->client_trust.n && n < ARRAY_LEN(names); n++)
        snprintf(names[n], sizeof names[n], "%s", v->client_trust.v[n]);
    for (unsigned i = 0; i < n; i++) {
        int rc = add_entry(d, names[i], &pem, &e);
        if (rc < 0) {
            log_error("%s: client_trust: %s", vserver, e.text);
            if (rc != -EAGAIN) /* our own CA is still being made */
                trust_nobody(d, vserver, e.text);
            return rc;
        }
    }
    t = trust_of(d, vserver);
    if (t)
        t->problem[0] = '\0';
    if (!t || (t->pem.n && span_eq(buf_span(&pem), buf_span(&t->pem))))
        return 0;
    buf_clear(&t->pem);
    buf_put_span(&t->pem, buf_span(&pem));
    t->epoch = epoch_of(buf_span(&pem));
    log_info("%s: a trust list of %u %s for client certificates", vserver, n,
             n == 1 ? "entry" : "entries");
    send_all(d, t);
    return 0;
}

static void run_follow(void *arg)
{
    struct certd *d = arg;
    char(*names)[IDENTITY_NAME_MAX + 1];
    uint32_t n;

    fiber_lock(&d->trust_lock);
    n = d->child->conf->vserver_count;
    names = calloc(n ? n : 1, sizeof *names);
    CHECK(names);
    for (uint32_t i = 0; i < n; i++)
        snprintf(names[i], sizeof names[i], "%s", d->child->conf->vservers[i].name);
    for (uint32_t i = 0; i < n; i++)
        follow_one(d, names[i]);
    free(names);
    fiber_unlock(&d->trust_lock);
}

void trust_follow(struct certd *d)
{
    fiber_start(d->child->loop, run_follow, d, "certd.trust");
}

void trust_show(struct certd *d, struct link *l)
{
    for (unsigned i = 0; i < d->trust_count; i++) {
        const struct conf_vserver *v = conf_vserver_by_name(d->child->conf, d->trust[i].vserver);
        if (v && v->client_certificates != CLIENT_CERTIFICATES_IGNORE && d->trust[i].pem.n)
            send_to(d, l, &d->trust[i]);
    }
}

/* CERT_TRUST_SHOW: who is on the list of a virtual server, for people. */
static void put_certificates(struct span pem, struct buf *out)
{
    struct buf der BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    bool first = true, damaged = false;

    buf_put_cstr(out, "[");
    while (pem_next(&pem, "CERTIFICATE", &der, &damaged)) {
        struct certificate *c = NULL;
        struct err e;
        if (certificate_parse(buf_span(&der), &c, &e) == 0 && !c->self_issued) {
            certificate_free(c); /* who ends at it is not trusted by it */
        } else if (c) {
            buf_put_cstr(out, first ? "{\"subject\":" : ",{\"subject\":");
            json_put_string(out, span_cstr(c->subject));
            buf_printf(out, ",\"sha256\":\"%s\",\"not_after\":%lld}", c->sha256,
                       (long long)c->not_after);
            first = false;
            certificate_free(c);
        }
        buf_clear(&der);
    }
    buf_put_cstr(out, "]");
}

void msg_cert_trust_show(void *arg, struct msg *m)
{
    struct certd *d = ((struct child *)arg)->state;
    struct buf out BUF_AUTO = BUF(CERTD_REPLY_MAX);
    char name[CERT_MSG_WORD_MAX + 1];

    if (!rd_cert_word(m->body, name)) {
        msg_reply(m, -EBADMSG, SPAN("the message does not have the form of its row"));
        return;
    }
    buf_put_cstr(&out, "{\"trust\":");
    for (unsigned i = 0; i < d->trust_count; i++)
        if (strcmp(d->trust[i].vserver, name) == 0) {
            put_certificates(buf_span(&d->trust[i].pem), &out);
            if (d->trust[i].problem[0]) {
                buf_put_cstr(&out, ",\"problem\":");
                json_put_string(&out, span_cstr(d->trust[i].problem));
            }
            buf_putc(&out, '}');
            msg_reply(m, 0, buf_span(&out));
            return;
        }
    buf_put_cstr(&out, "[]}");
    msg_reply(m, 0, buf_span(&out));
}
