/* What a life needs of the world: keys at keyd, certificates of cad, a file, the workers. */
#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include "pki/cert_msg.h"
#include "pki/key.h"
#include "proc/certd/dane.h"
#include "proc/certd/staple.h"
#include "proc/child/evidence.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PEER_WAIT_MS = 15000, CALL_MS = 30000, LOADED_POLL_MS = 20 };

static struct child *child_of(const struct vserver_life *v)
{
    return v->certd->child;
}

/* --- keys */

static int keyd_error(int rc, const char *doing, const char *what, struct err *e)
{
    if (rc == -EPIPE || rc == -ETIMEDOUT)
        return err_set(e, rc, "keyd is away or does not answer (%s %s)", doing, what);
    return err_set(e, rc, "keyd refuses (%s %s): %s", doing, what, strerror(-rc));
}

static int wait_keyd(const struct vserver_life *v, struct err *e)
{
    return child_peer_wait(child_of(v), ROLE_KEYD, PEER_WAIT_MS)
               ? 0
               : err_set(e, -EPIPE, "keyd is away");
}

static void take_key(const struct key_info *k, struct life_key *ret)
{
    CHECK(k->spki_bytes <= sizeof(ret->spki));
    snprintf(ret->id, sizeof(ret->id), "%s", k->id);
    memcpy(ret->spki, k->spki, k->spki_bytes);
    ret->spki_bytes = k->spki_bytes;
}

static int op_key_make(void *arg, const char *label, const char *type, bool exportable, bool client,
                       struct life_key *ret, struct err *e)
{
    struct key_info k;
    int rc = wait_keyd(arg, e);

    if (rc < 0)
        return rc;
    rc = key_create(label, type, KEY_TLS_SERVER | KEY_CSR | (client ? KEY_TLS_CLIENT : 0),
                    exportable, &k);
    if (rc < 0)
        return keyd_error(rc, "making", label, e);
    take_key(&k, ret);
    return 0;
}

static int op_key_get(void *arg, const char *id, struct life_key *ret, struct err *e)
{
    struct key_info k;
    int rc = wait_keyd(arg, e);

    if (rc < 0)
        return rc;
    rc = key_get(id, &k);
    if (rc < 0)
        return keyd_error(rc, "key", id, e);
    take_key(&k, ret);
    return 0;
}

/* Another virtual server may have been assigned the same certificate. Its file must have been read
 * to know that. */
static int wait_loaded(struct certd *d, struct err *e)
{
    for (unsigned i = 0; i < d->life_count; i++)
        for (unsigned waited = 0; !d->lives[i]->loaded; waited += LOADED_POLL_MS) {
            if (waited > PEER_WAIT_MS)
                return err_set(e, -EAGAIN, "the certificate of %s is not known yet",
                               d->lives[i]->name);
            fiber_sleep_ms(LOADED_POLL_MS);
        }
    return 0;
}

static bool used_by_others(const struct vserver_life *v, const char *id)
{
    const struct certd *d = v->certd;

    for (unsigned i = 0; i < d->life_count; i++)
        if (d->lives[i] != v && life_names_key(&d->lives[i]->life, id))
            return true;
    return false;
}

/* One that is switched off shows its certificate again when it is switched on. A file that cannot be
 * read may name any key. */
struct asleep_job {
    const struct certd *certd;
    const char *id;
    char name[IDENTITY_NAME_MAX + 1];
    bool used;
};

static void work_asleep(void *arg)
{
    struct asleep_job *j = arg;
    struct buf bytes BUF_AUTO = BUF(IDENTITY_FILE_MAX);
    struct identity id;
    char path[400];
    struct err e;
    int rc;

    snprintf(path, sizeof(path), "%s/certs/%s.identity", j->certd->child->root, j->name);
    rc = file_read(AT_FDCWD, path, IDENTITY_FILE_MAX, &bytes, &e);
    if (rc == 0)
        rc = identity_read(buf_span(&bytes), &id, &e);
    if (rc < 0) {
        j->used = rc != -ENOENT;
        return;
    }
    j->used = identity_uses(&id, j->id) > 0;
    identity_done(&id);
}

static bool used_asleep(const struct certd *d, const char *id)
{
    struct asleep_job j = {.certd = d, .id = id};

    for (unsigned i = 0; i < d->asleep_count && !j.used; i++) {
        if (certd_find((struct certd *)(uintptr_t)d, d->asleep[i]))
            continue;
        memcpy(j.name, d->asleep[i], sizeof(j.name));
        fiber_offload(work_asleep, &j);
    }
    return j.used;
}

/* suspends */
static bool used_elsewhere(const struct vserver_life *v, const char *id)
{
    return used_by_others(v, id) || used_asleep(v->certd, id) || used_by_others(v, id);
}

void asleep_find(struct certd *d, int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    d->asleep = calloc(CERTD_ASLEEP_MAX, sizeof(*d->asleep));
    CHECK(d->asleep);
    while (dir && d->asleep_count < CERTD_ASLEEP_MAX && (entry = readdir(dir)) != NULL) {
        struct span name = span_cstr(entry->d_name);
        if (span_ends_nocase(name, SPAN(".identity")) &&
            span_to_cstr(span_head(name, name.n - strlen(".identity")), d->asleep[d->asleep_count],
                         sizeof(d->asleep[0])))
            d->asleep_count++;
    }
    if (dir)
        closedir(dir);
    else
        fd_close(&fd);
}

static int op_key_delete(void *arg, const char *id, struct err *e)
{
    struct vserver_life *v = arg;
    int rc = wait_loaded(v->certd, e);

    if (rc == 0 && used_elsewhere(v, id))
        return 0;
    if (rc == 0)
        rc = wait_keyd(arg, e);
    if (rc == 0)
        rc = key_delete(id);
    if (rc == -ENOENT)
        return 0;
    return rc < 0 ? keyd_error(rc, "removing key", id, e) : 0;
}

static int op_key_ids(void *arg, const char *label, int64_t before,
                      char (*ret)[IDENTITY_KEY_ID_MAX + 1], size_t *ret_count, struct err *e)
{
    struct vserver_life *v = arg;
    struct key_info *all = NULL;
    size_t n = 0;
    int rc = wait_loaded(v->certd, e);

    if (rc == 0)
        rc = wait_keyd(arg, e);

    if (rc == 0 && (rc = key_list(label, &all, &n)) < 0)
        rc = keyd_error(rc, "listing", label, e);
    if (rc < 0)
        return rc;
    *ret_count = 0;
    for (size_t i = 0; i < n && *ret_count < LIFE_KEYS_MAX; i++)
        if (strcmp(all[i].label, label) == 0 /* the list goes by prefix */ &&
            all[i].created < before && !life_names_key(&v->life, all[i].id) &&
            !used_elsewhere(v, all[i].id))
            snprintf(ret[(*ret_count)++], IDENTITY_KEY_ID_MAX + 1, "%s", all[i].id);
    free(all);
    return 0;
}

static EVP_PKEY *op_key_signer(void *arg, const struct life_key *key)
{
    return key_handle(key->id, KEY_CSR, span_of(key->spki, key->spki_bytes));
}

/* --- the own CA */

static int call_cad(struct certd *d, enum msg_id id, struct span body, struct buf *reply,
                    struct err *e)
{
    struct link *cad = child_peer_wait(d->child, ROLE_CAD, PEER_WAIT_MS);
    int rc;

    if (!cad)
        return err_set(e, -EPIPE, "cad, which has our own CA, is away");
    rc = link_call(cad, id, body, NULL, 0, CALL_MS, reply, NULL);
    if (rc < 0 && reply->n > 0)
        return err_set(e, rc, "%.*s", SPAN_ARG(span_head(buf_span(reply), 500)));
    return rc < 0 ? err_set(e, rc, "cad, which has our own CA, does not answer: %s", strerror(-rc))
                  : 0;
}

static int ask_between(struct certd *d, struct buf *ret_pem, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(65536);
    int rc = call_cad(d, MSG_CA_ISSUING, SPAN_EMPTY, &reply, e);
    struct rd r = rd_of(buf_span(&reply));

    while (rc == 0 && r.n > 0 && !r.bad)
        pem_write("CERTIFICATE", rd_span(&r, CERTIFICATE_DER_MAX), ret_pem);
    if (rc == 0 && !rd_done(&r))
        rc = err_set(e, -EPROTO, "cad's answer has another form");
    return rc < 0 ? rc : 0;
}

static int ask_roots(struct certd *d, struct chain *ret, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(65536);
    int rc = call_cad(d, MSG_CA_ROOTS, SPAN_EMPTY, &reply, e);

    return rc < 0 ? rc : chain_parse(buf_span(&reply), ret, e);
}

int roots_load(struct certd *d, struct err *e)
{
    struct buf between BUF_AUTO = BUF(CERTD_TRUST_MAX);
    struct chain fresh = CHAIN_NONE;
    int rc;

    fiber_lock(&d->roots_lock);
    rc = ask_roots(d, &fresh, e);
    if (rc == 0 && fresh.n > 0) {
        chain_done(&d->roots);
        d->roots = fresh;
    }
    if (rc == 0 && (rc = ask_between(d, &between, e)) == 0) {
        buf_clear(&d->between);
        buf_put_span(&d->between, buf_span(&between));
    }
    fiber_unlock(&d->roots_lock);
    return rc;
}

int ocsp_ask(struct certd *d, struct span question, struct buf *ret_answer, struct err *e)
{
    return call_cad(d, MSG_CA_OCSP, question, ret_answer, e);
}

int state_ask(struct certd *d, const char *serial, struct err *e)
{
    struct buf body BUF_AUTO = BUF(256), reply BUF_AUTO = BUF(65536);
    struct ca_state_msg m;
    int rc;

    wr_cert_word(&body, serial);
    rc = call_cad(d, MSG_CA_STATE, buf_span(&body), &reply, e);
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return rc;
    return rd_ca_state(buf_span(&reply), &m) ? m.revoked
                                             : err_set(e, -EPROTO, "cad's answer has another form");
}

static int op_issue(void *arg, const char *vserver, struct span request,
                    const struct cert_names *names, struct buf *ret_chain, struct err *e)
{
    struct vserver_life *v = arg;
    struct buf body BUF_AUTO = BUF(65536), reply BUF_AUTO = BUF(65536);
    struct ca_issue_msg m = {.profile = "server", .request = request, .names = *names};
    struct ca_issued_msg out;
    int rc;

    snprintf(m.requester, sizeof(m.requester), "virtual server %s", vserver);
    wr_ca_issue(&body, &m);
    rc = call_cad(v->certd, MSG_CA_ISSUE, buf_span(&body), &reply, e);
    if (rc < 0)
        return rc;
    if (!rd_ca_issued(buf_span(&reply), &out))
        return err_set(e, -EPROTO, "cad's answer does not have the form of its row");
    buf_put_span(ret_chain, out.chain);
    /* the root may be a new one since we asked last */
    return roots_load(v->certd, e);
}

static const struct chain *op_roots(void *arg)
{
    struct vserver_life *v = arg;
    return v->certd->roots.n ? &v->certd->roots : NULL;
}

/* --- the file */

struct file_job {
    char path[400], aside[420];
    bool has_aside;
    struct span bytes;
    struct buf *out;
    struct err *e;
    int rc;
};

static void name_file(const struct vserver_life *v, struct file_job *j)
{
    snprintf(j->path, sizeof(j->path), "%s/certs/%s.identity", child_of(v)->root, v->name);
    snprintf(j->aside, sizeof(j->aside), "%s.damaged", j->path);
}

static void work_write(void *arg)
{
    struct file_job *j = arg;
    j->rc = file_write(AT_FDCWD, j->path, j->bytes, 0600, j->e);
}

static int op_save(void *arg, const char *vserver, struct span bytes, struct err *e)
{
    struct file_job j = {.bytes = bytes, .e = e};

    name_file(arg, &j);
    fiber_offload(work_write, &j);
    return j.rc;
}

static void work_read(void *arg)
{
    struct file_job *j = arg;
    j->rc = file_read(AT_FDCWD, j->path, IDENTITY_FILE_MAX, j->out, j->e);
    j->has_aside = access(j->aside, F_OK) == 0;
}

int life_file_read(struct vserver_life *v, struct buf *out, bool *ret_has_damaged, struct err *e)
{
    struct file_job j = {.out = out, .e = e};

    name_file(v, &j);
    fiber_offload(work_read, &j);
    *ret_has_damaged = j.has_aside;
    return j.rc;
}

static void work_aside(void *arg)
{
    struct file_job *j = arg;
    j->rc = rename(j->path, j->aside) < 0 ? -errno : 0;
}

void life_file_put_aside(struct vserver_life *v)
{
    struct file_job j = {.rc = 0};

    name_file(v, &j);
    fiber_offload(work_aside, &j);
    if (j.rc < 0)
        log_error("%s cannot be put aside: %s", j.path, strerror(-j.rc));
    else
        log_error("%s was put aside as %s", j.path, j.aside);
}

/* --- the workers */

static void op_show(void *arg, const char *vserver, unsigned slot, const char *key_id,
                    const char *serial, struct span chain)
{
    static const enum role workers[] = {ROLE_ACCESS, ROLE_MX};
    struct vserver_life *v = arg;
    struct child *c = child_of(v);
    struct buf body BUF_AUTO = BUF(65536);
    struct cert_identity_msg m = {.slot = (uint8_t)slot, .chain = chain};

    snprintf(m.vserver, sizeof(m.vserver), "%s", vserver);
    snprintf(m.key_id, sizeof(m.key_id), "%s", key_id);
    snprintf(m.serial, sizeof(m.serial), "%s", serial);
    wr_cert_identity(&body, &m);
    CHECK(!body.overflow);
    staple_wake(v, false);
    for (size_t r = 0; r < ARRAY_LEN(workers); r++)
        for (unsigned i = 0; i < CHILD_INSTANCES_MAX; i++) {
            struct link *l = c->peers[role_index(workers[r])][i];
            if (l && link_send(l, MSG_CERT_IDENTITY, buf_span(&body), NULL, 0) == 0)
                v->certd->shown++;
        }
}

/* Into the log of evidence. What was in service before comes back where the history has it retired. */
static void op_swapped(void *arg, const struct identity *id)
{
    const struct vserver_life *v = arg;
    const struct identity_slot *now = &id->current;
    const char *before = "", *why = "";
    bool served = identity_is_served(now), back = false;

    if (id->retired_count > 0)
        before = id->retired[id->retired_count - 1].serial;
    for (unsigned i = 0; i < id->event_count; i++) {
        const struct identity_event *e = &id->events[i];
        bool own = strcmp(e->serial, served ? now->serial : before) == 0;
        back |= served && own && e->to == IDENTITY_RETIRED;
        if (own && e->to == (served ? IDENTITY_LIVE : IDENTITY_RETIRED))
            why = e->note;
    }
    EVIDENCE(v->certd->child,
             !served ? "remove"
             : back  ? "rollback"
                     : "swap",
             {"vserver", id->vserver}, {"serial", served ? now->serial : before},
             {"before", served ? before : ""}, {"why", why});
}

const struct life_ops certd_life_ops = {
    .key_make = op_key_make,
    .key_get = op_key_get,
    .key_delete = op_key_delete,
    .key_ids = op_key_ids,
    .key_signer = op_key_signer,
    .issue = op_issue,
    .roots = op_roots,
    .save = op_save,
    .show = op_show,
    .prove = certd_prove,
    .may_swap = dane_may_swap,
    .staple = staple_before,
    .swapped = op_swapped,
};
