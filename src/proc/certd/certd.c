#include "proc/certd/certd.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/leftover.h"
#include "base/log.h"
#include "dns/resolver.h"
#include "pki/cert_msg.h"
#include "pki/key.h"
#include "proc/certd/dane.h"
#include "proc/certd/orders.h"
#include "proc/certd/proofs.h"
#include "proc/certd/staple.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { ROOTS_RETRY_MS = 1000 };

static struct link *keyd_link(void *arg)
{
    return child_peer(arg, ROLE_KEYD);
}

/* Where it cannot be read, DANE says so when it needs it. */
static void read_anchor(struct certd *d)
{
    const char *file = d->child->conf->dns_trust_anchor;
    struct err e;

    d->anchor = BUF(DNS_ANCHOR_MAX);
    if (file[0] && file_read(AT_FDCWD, file, DNS_ANCHOR_MAX - 1, &d->anchor, &e) == 0)
        snprintf(d->anchor_file, sizeof(d->anchor_file), "%s", file);
}

/* Only we write there. */
static void remove_leftovers(const struct child *c, struct certd *d)
{
    char path[400];
    FD_AUTO folder = -1;
    int n;

    snprintf(path, sizeof(path), "%s/certs", c->root);
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    n = leftovers_remove(folder);
    asleep_find(d, folder);
    if (n > 0)
        log_info("%d files that were never finished are removed from %s", n, path);
}

void certd_open(struct child *c)
{
    struct certd *d = calloc(1, sizeof(*d));

    CHECK(d);
    umask(077);
    d->child = c;
    c->state = d;
    d->between = BUF(CERTD_TRUST_MAX);
    remove_leftovers(c, d);
    read_anchor(d);
    key_provider_init(keyd_link, c);
}

static void run_tidy(void *arg)
{
    proofs_tidy(arg);
}

/* Until they are known: /ca.pem is answered from here, and nothing is checked without them. */
static void run_roots(void *arg)
{
    struct certd *d = arg;
    struct err e;

    while (roots_load(d, &e) < 0) {
        log_warn("root certificates: %s", e.text);
        fiber_sleep_ms(ROOTS_RETRY_MS);
    }
    for (unsigned i = 0; i < d->life_count; i++)
        fiber_cond_broadcast(&d->lives[i]->wake);
    trust_follow(d);
}

static void on_ready(struct child *c)
{
    trust_follow(c->state);
    lives_follow_conf(c->state);
    fiber_start(c->loop, run_tidy, c->state, "certd.tidy");
}

static void on_conf(struct child *c, const struct conf *old)
{
    struct certd *d = c->state;

    lives_follow_conf(d);
    trust_follow(d);
    for (unsigned i = 0; i < d->life_count; i++)
        staple_wake(d->lives[i], true);
}

/* --- a worker that comes (again) learns what it shows */

struct showing {
    struct certd *certd;
    struct link *to;
};

static void show_one(void *arg, const char *vserver, unsigned slot, const char *key_id,
                     const char *serial, struct span chain)
{
    struct showing *s = arg;
    struct buf body BUF_AUTO = BUF(65536);
    struct cert_identity_msg m = {.slot = (uint8_t)slot, .chain = chain};

    snprintf(m.vserver, sizeof(m.vserver), "%s", vserver);
    snprintf(m.key_id, sizeof(m.key_id), "%s", key_id);
    snprintf(m.serial, sizeof(m.serial), "%s", serial);
    wr_cert_identity(&body, &m);
    if (link_send(s->to, MSG_CERT_IDENTITY, buf_span(&body), NULL, 0) == 0)
        s->certd->shown++;
}

static void on_peer(struct child *c, struct link *l)
{
    struct certd *d = c->state;
    struct showing s = {d, l};

    if (link_peer(l) == ROLE_CAD) {
        for (unsigned i = 0; i < d->life_count; i++) {
            d->lives[i]->state_known = false;
            staple_wake(d->lives[i], true);
        }
        fiber_start(c->loop, run_roots, d, "certd.roots");
        return;
    }
    if (link_peer(l) == ROLE_KEYD)
        lives_keyd_came(d);
    if (!(link_peer(l) & ROLE_SESSIOND))
        return;
    proofs_show(d, l);
    staple_show(d, l);
    for (unsigned i = 0; i < d->life_count; i++)
        if (d->lives[i]->loaded && d->lives[i]->wanted)
            life_show(&d->lives[i]->life, show_one, &s);
    trust_show(d, l);
}

/* --- figures */

static void on_status(struct child *c, struct buf *json)
{
    const struct certd *d = c->state;
    unsigned live = 0, failing = 0;

    for (unsigned i = 0; i < d->life_count; i++) {
        live += d->lives[i]->wanted && d->lives[i]->life.checked;
        failing += d->lives[i]->wanted && d->lives[i]->life.failure[0] != '\0';
    }
    buf_printf(json, "\"vservers\":%u,\"live\":%u,\"failing\":%u,\"shown\":%" PRIu64, d->life_count,
               live, failing, d->shown);
}

static void on_metrics(struct child *c, struct buf *text)
{
    const struct certd *d = c->state;

    buf_put_cstr(text,
                 "# HELP sealpost_certificate_not_after_seconds When the certificate in use ends.\n"
                 "# TYPE sealpost_certificate_not_after_seconds gauge\n");
    for (unsigned i = 0; i < d->life_count; i++)
        if (d->lives[i]->wanted && d->lives[i]->life.checked)
            buf_printf(text, "sealpost_certificate_not_after_seconds{vserver=\"%s\"} %" PRId64 "\n",
                       d->lives[i]->name, d->lives[i]->life.id.current.not_after);
    buf_put_cstr(text, "# HELP sealpost_certificate_failures Tries in a row that failed.\n"
                       "# TYPE sealpost_certificate_failures gauge\n");
    for (unsigned i = 0; i < d->life_count; i++)
        if (d->lives[i]->wanted)
            buf_printf(text, "sealpost_certificate_failures{vserver=\"%s\"} %u\n",
                       d->lives[i]->name, d->lives[i]->life.failures);
    orders_metrics(d, text);
    dane_metrics(d, text);
    staple_metrics(d, text);
}

const struct child_ops certd_ops = {
    .handlers = certd_handlers,
    .on_ready = on_ready,
    .on_peer = on_peer,
    .on_conf = on_conf,
    .on_status = on_status,
    .on_metrics = on_metrics,
};
