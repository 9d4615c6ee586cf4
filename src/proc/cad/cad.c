#include "proc/cad/cad.h"
#include "base/check.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "pki/key.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    KEYD_WAIT_MS = 10000,
    DAILY_MS = 86400 * 1000,
    LISTS_MS = 600 * 1000,
    PAUSE_FIRST_MS = 500,
    PAUSE_MOST_MS = 60000
};

static struct link *keyd_link(void *arg)
{
    return child_peer(arg, ROLE_KEYD);
}

void cad_folder(const struct child *c)
{
    char path[sizeof(c->root) + 32];

    snprintf(path, sizeof(path), "%s/ca", c->root);
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        child_fatal("%s: cannot be made: %s", path, strerror(errno));
    if (chmod(path, 0755) != 0)
        log_warn("%s stays closed to others: %s; hand out root.pem yourself", path,
                 strerror(errno));
}

void cad_open(struct child *c)
{
    struct cad *d = calloc(1, sizeof(*d));
    struct ca_hooks hooks = cad_key_hooks;
    char path[sizeof(c->root) + 32];
    struct err e;

    CHECK(d);
    d->child = c;
    c->state = d;
    umask(077); /* the register is nobody's business; what is public says so itself */
    hooks.arg = d;
    snprintf(path, sizeof(path), "%s/ca/register.db", c->root);
    if (ca_open(path, &hooks, &d->ca, &e) < 0)
        child_fatal("%s", e.text);
    key_provider_init(keyd_link, c);
}

/* --- root.pem, for clients to take */

struct pem_job {
    char path[320];
    struct buf pem;
    struct err e;
    int rc;
};

static void work_pem(void *arg)
{
    struct pem_job *j = arg;
    struct buf old BUF_AUTO = BUF(CERTIFICATE_TEXT_MAX);

    if (file_read(AT_FDCWD, j->path, CERTIFICATE_TEXT_MAX, &old, &j->e) == 0 &&
        span_eq(buf_span(&old), buf_span(&j->pem)))
        return;
    j->rc = file_write(AT_FDCWD, j->path, buf_span(&j->pem), 0644, &j->e);
}

static int write_root(struct cad *d, struct err *e)
{
    struct pem_job j = {.pem = BUF(CERTIFICATE_TEXT_MAX)};

    struct buf der BUF_AUTO = BUF(CERTIFICATE_CHAIN_MAX * CERTIFICATE_DER_MAX);
    struct chain roots = CHAIN_NONE;

    snprintf(j.path, sizeof(j.path), "%s/ca/root.pem", d->child->root);
    ca_roots(d->ca, false, &der);
    j.rc = chain_parse(buf_span(&der), &roots, &j.e);
    chain_write_pem(&roots, &j.pem);
    chain_done(&roots);
    if (j.rc == 0)
        fiber_offload(work_pem, &j);
    buf_done(&j.pem);
    if (j.rc < 0)
        *e = j.e;
    return j.rc;
}

static void write_root_once(struct cad *d)
{
    struct err e;

    if (!ca_ready(d->ca) || d->written)
        return;
    if (write_root(d, &e) < 0)
        log_error("%s", e.text);
    else
        d->written = true;
}

void cad_changed(struct cad *d)
{
    struct link *certd = child_peer(d->child, ROLE_CERTD);

    d->written = false;
    write_root_once(d);
    if (certd)
        link_send(certd, MSG_CA_CHANGED, SPAN_EMPTY, NULL, 0);
}

/* --- the CA that the configuration wants */

static int ensure_once(struct cad *d, struct err *e)
{
    struct ca_settings s;
    bool ready = ca_ready(d->ca);
    int64_t before = ready ? ca_issuing(d->ca)->id : 0;
    int rc = ca_settings_init(&s, d->child->conf, e);

    if (rc < 0)
        return rc;
    if (!child_peer_wait(d->child, ROLE_KEYD, KEYD_WAIT_MS))
        rc = err_set(e, -EPIPE, "keyd is away");
    if (rc == 0)
        rc = ca_ensure(d->ca, &s, e);
    ca_settings_done(&s);
    if (ca_ready(d->ca) && ca_issuing(d->ca)->id != before)
        d->written = false;
    write_root_once(d);
    if (ca_ready(d->ca) && ca_issuing(d->ca)->id != before)
        log_info("issuing CA in use: %s", ca_issuing(d->ca)->certificate->subject);
    return rc;
}

static void run_ensure(void *arg)
{
    struct cad *d = arg;
    uint64_t pause_ms = PAUSE_FIRST_MS;
    struct err e = {""};
    int rc;

    fiber_lock(&d->ensuring);
    d->ensure_queued = false;
    while ((rc = ensure_once(d, &e)) < 0) {
        memcpy(d->failure, e.text, sizeof(d->failure));
        fiber_cond_broadcast(&d->made);
        /* what the configuration says does not change by waiting; a reload comes here again */
        if (rc == -EPERM || rc == -EINVAL || rc == -E2BIG) {
            log_error("own CA: %s", e.text);
            break;
        }
        log_warn("own CA: %s; trying again in %" PRIu64 " ms", e.text, pause_ms);
        fiber_sleep_ms(pause_ms);
        pause_ms = 2 * pause_ms < PAUSE_MOST_MS ? 2 * pause_ms : PAUSE_MOST_MS;
    }
    if (rc == 0)
        d->failure[0] = '\0';
    fiber_unlock(&d->ensuring);
    fiber_cond_broadcast(&d->made);
}

void cad_ensure(struct cad *d)
{
    if (d->ensure_queued)
        return;
    d->ensure_queued = true;
    fiber_start(d->child->loop, run_ensure, d, "cad.ensure");
}

/* The lists are made when asked for; this makes sure that none ends unasked. */
static void run_refresh(void *arg)
{
    struct cad *d = arg;
    struct err e;

    if (child_peer_wait(d->child, ROLE_KEYD, KEYD_WAIT_MS) && ca_crl_refresh(d->ca, &e) < 0)
        log_warn("list of revoked certificates: %s", e.text);
    d->refreshing = false;
}

static void on_lists(void *arg)
{
    struct cad *d = arg;

    if (d->refreshing || !ca_ready(d->ca))
        return;
    d->refreshing = true;
    fiber_start(d->child->loop, run_refresh, d, "cad.lists");
}

static void on_daily(void *arg)
{
    cad_ensure(arg);
}

static void on_ready(struct child *c)
{
    struct cad *d = c->state;

    d->daily = timer_new(c->loop, on_daily, d);
    timer_repeat(d->daily, DAILY_MS);
    d->lists = timer_new(c->loop, on_lists, d);
    timer_repeat(d->lists, LISTS_MS);
    cad_ensure(d);
}

static void on_conf(struct child *c, const struct conf *old)
{
    cad_ensure(c->state);
}

static void on_status(struct child *c, struct buf *json)
{
    struct cad *d = c->state;

    buf_printf(json,
               "\"ready\":%s,\"issued\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"revoked\":%" PRIu64
               ",\"ocsp\":%" PRIu64,
               ca_ready(d->ca) ? "true" : "false", d->issued, d->refused, d->revoked, d->ocsp);
    if (d->failure[0]) {
        buf_put_cstr(json, ",\"failure\":");
        json_put_string(json, span_cstr(d->failure));
    }
}

const struct child_ops cad_ops = {
    .handlers = cad_handlers,
    .on_ready = on_ready,
    .on_conf = on_conf,
    .on_status = on_status,
};
