/* The register as a file: out for a backup, in out of one. The file is made in our own folder and
 * has no name any more when it is handed over. */
#include "base/fd.h"
#include "base/log.h"
#include "proc/cad/cad.h"
#include "proc/child/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { REPLY_MAX = 65536 - 64, BLOCK = 1 << 16 };

/* With whose register it was done: the issuing CA's that is in use. */
static void tell(struct cad *d, const char *kind, const char *force)
{
    const struct certificate *now = ca_ready(d->ca) ? ca_issuing(d->ca)->certificate : NULL;

    EVIDENCE(d->child, kind, {"ca", now ? now->subject : "none"},
             {"sha256", now ? now->sha256 : ""}, {"force", force});
}

static void name(const struct cad *d, const char *what, char ret[320])
{
    snprintf(ret, 320, "%s/ca/%s", d->child->root, what);
}

void msg_ca_backup(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    char path[320];
    FD_AUTO fd = -1;
    struct err e;
    int rc;

    name(d, "backup.db", path);
    fiber_lock(&d->copying); /* one file */
    rc = ca_backup(d->ca, path, &e);
    if (rc == 0) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        rc = fd < 0 ? err_set(&e, -errno, "%s: %s", path, strerror(errno)) : 0;
        unlink(path);
    }
    fiber_unlock(&d->copying);
    if (rc == 0)
        tell(d, "backup", "");
    if (rc < 0)
        answer(&a, rc, SPAN_EMPTY, &e);
    else
        link_reply(a.link, a.id, a.call, 0, SPAN_EMPTY, &fd, 1);
}

struct take_job {
    int fd;
    const char *path;
    struct err *e;
    int rc;
};

static int take_all(int from, int to)
{
    char block[BLOCK];
    ssize_t n;

    for (off_t at = 0; (n = pread(from, block, sizeof(block), at)) != 0; at += n) {
        if (n < 0)
            return -errno;
        if (fd_write_all(to, block, (size_t)n) < 0)
            return -EIO;
    }
    return 0;
}

static void work_take(void *arg)
{
    struct take_job *j = arg;
    FD_AUTO to = -1;
    int rc;

    unlink(j->path);
    to = open(j->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    rc = to < 0 ? -errno : take_all(j->fd, to);
    if (rc < 0)
        j->rc = err_set(j->e, rc, "%s cannot be written: %s", j->path, strerror(-rc));
}

static int restore(struct cad *d, const struct ca_restore_msg *in, int fd,
                   struct register_carried *ret, struct err *e)
{
    struct register_key keys[CA_RESTORE_KEYS_MAX];
    char path[320], replaced[320];
    struct take_job j = {.fd = fd, .path = path, .e = e};
    int rc;

    name(d, "restore.db", path);
    name(d, "replaced.db", replaced);
    for (unsigned i = 0; i < in->count; i++)
        keys[i] = (struct register_key){in->keys[i].old_id, in->keys[i].new_id};
    fiber_offload(work_take, &j);
    if (j.rc < 0)
        return j.rc;
    rc = ca_restore(d->ca, path, keys, in->count, in->force, replaced, ret, e);
    unlink(path);
    if (rc < 0)
        return rc;
    log_warn("the CA's register was restored from a backup; issuing CA in use: %s",
             ca_ready(d->ca) ? ca_issuing(d->ca)->certificate->subject : "none");
    if (ret->cas + ret->certificates > 0)
        log_warn("%" PRId64 " issuing CAs and %" PRId64
                 " certificates that the backup did not know as revoked stay so",
                 ret->cas, ret->certificates);
    tell(d, "restore", in->force ? "yes" : "");
    if (ca_ready(d->ca)) /* else: when there is an issuing CA again */
        cad_changed(d);
    return 0;
}

void msg_ca_restore(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(REPLY_MAX);
    struct ca_restore_msg in;
    struct register_carried carried;
    FD_AUTO fd = -1;
    struct err e;
    int rc;

    if (m->fd_count != 1 || !rd_ca_restore(m->body, &in)) {
        answer_malformed(&a);
        return;
    }
    fd = m->fds[0];
    m->fds[0] = -1;
    rc = cad_wait_made(d, &e);
    fiber_lock(&d->ensuring);
    if (rc == 0)
        rc = restore(d, &in, fd, &carried, &e);
    fiber_unlock(&d->ensuring);
    if (rc == 0) {
        buf_printf(&reply,
                   "{\"carried_cas\":%" PRId64 ",\"carried\":%" PRId64 ",\"info\":", carried.cas,
                   carried.certificates);
        rc = ca_info(d->ca, &reply, &e);
        buf_putc(&reply, '}');
    }
    answer(&a, rc, buf_span(&reply), &e);
    if (rc == 0)
        cad_ensure(d);
}
