#include "enrol/server.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

enum { DAY = 86400, KEEP_DAYS = 90 };

int enrol_new(const char *path, const struct conf *conf, const struct enrol_hooks *hooks,
              struct enrol **ret, struct err *e)
{
    struct enrol *en = calloc(1, sizeof(*en));
    int rc;

    CHECK(en);
    en->conf = conf;
    en->hooks = *hooks;
    nonces_init(&en->nonces);
    rc = db_open(path, &en->db, e);
    if (rc < 0) {
        enrol_free(en);
        return rc;
    }
    *ret = en;
    return 0;
}

void enrol_free(struct enrol *en)
{
    if (!en)
        return;
    db_close(en->db);
    free(en);
}

void enrol_conf(struct enrol *en, const struct conf *conf)
{
    en->conf = conf;
}

const struct enrol_counts *enrol_counts(const struct enrol *en)
{
    return &en->counts;
}

/* Orders and authorizations whose time is over are kept for a while, for questions; certificates
 * until they have ended. */
void enrol_clean(struct enrol *en)
{
    int64_t now = clock_seconds(), old = now - (int64_t)KEEP_DAYS * DAY;
    struct err e;

    if (db_run(en->db, &e,
               "UPDATE orders SET status='invalid' WHERE status IN ('pending','ready') AND"
               " expires<?",
               "i", now) < 0 ||
        db_run(en->db, &e,
               "UPDATE authz SET status='expired' WHERE status IN ('pending','valid') AND"
               " expires<?",
               "i", now) < 0 ||
        db_run(en->db, &e, "DELETE FROM orders WHERE expires<?", "i", old) < 0 ||
        db_run(en->db, &e,
               "DELETE FROM authz WHERE expires<? AND NOT EXISTS(SELECT 1 FROM order_authz WHERE"
               " authz=authz.id)",
               "i", old) < 0 ||
        db_run(en->db, &e, "DELETE FROM certificate WHERE not_after<?", "i", old) < 0)
        log_warn("%s", e.text);
}

static bool below(struct call *c, const char *path)
{
    struct span at = span_cstr(c->q->path), base = span_cstr(path);

    if (!span_starts(at, base))
        return false;
    c->rest = span_skip(at, base.n);
    return true;
}

void enrol_handle(struct enrol *en, const struct enrol_request *q, struct enrol_answer *ret,
                  struct buf *body)
{
    struct enrol_answer a = {.status = 200};
    struct call c = {.en = en, .q = q, .a = &a, .out = body};

    en->counts.requests++;
    if (en->conf->acme_server.enabled && below(&c, "/acme/")) {
        acme_handle(&c);
    } else if (en->conf->est_server.enabled && below(&c, "/.well-known/est/")) {
        est_handle(&c);
    } else {
        a.status = 404;
        buf_put_cstr(body, "Nothing here.\n");
    }
    if (body->overflow) {
        buf_clear(body);
        a = (struct enrol_answer){.status = 500};
    }
    *ret = a;
    ret->body = buf_span(body);
}
