#include "proc/enrold/enrold.h"

#include "base/check.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { CAD_WAIT_MS = 10000, HOUR_MS = 3600 * 1000, JSON_MAX = 65000, CONF_MAX_BYTES = 16 << 20 };

/* ------------------------------------------------------------------ cad */

static int ask_cad(struct enrold *d, enum msg_id id, struct span body, struct buf *reply,
                   struct err *e)
{
    struct buf text BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct link *cad = child_peer_wait(d->child, ROLE_CAD, CAD_WAIT_MS);
    int rc = link_call(cad, id, body, NULL, 0, CAD_WAIT_MS, &text, NULL);

    if (rc < 0)
        return err_set(e, rc, "%.*s", SPAN_ARG(text.n ? buf_span(&text) : SPAN("cad is away")));
    if (reply)
        buf_put_span(reply, buf_span(&text));
    return 0;
}

static int hook_issue(void *arg, const struct ca_issue_msg *m, struct buf *reply, struct err *e)
{
    struct buf body BUF_AUTO = BUF(65536);

    wr_ca_issue(&body, m);
    if (body.overflow)
        return err_set(e, -EMSGSIZE, "the request is too long");
    return ask_cad(arg, MSG_CA_ISSUE, buf_span(&body), reply, e);
}

static int hook_revoke(void *arg, const struct ca_revoke_msg *m, struct err *e)
{
    struct buf body BUF_AUTO = BUF(128);

    wr_ca_revoke(&body, m);
    return ask_cad(arg, MSG_CA_REVOKE, buf_span(&body), NULL, e);
}

static int hook_state(void *arg, const char *serial, struct ca_state_msg *ret)
{
    struct buf body BUF_AUTO = BUF(128), reply BUF_AUTO = BUF(64);
    struct err e;
    int rc;

    wr_cert_word(&body, serial);
    rc = ask_cad(arg, MSG_CA_STATE, buf_span(&body), &reply, &e);
    return rc < 0 ? rc : rd_ca_state(buf_span(&reply), ret) ? 0 : -EPROTO;
}

static int hook_roots(void *arg, struct buf *ret_chain, struct err *e)
{
    return ask_cad(arg, MSG_CA_ROOTS, SPAN_EMPTY, ret_chain, e);
}

static void hook_spawn(void *arg, void (*fn)(void *fn_arg), void *fn_arg)
{
    struct enrold *d = arg;

    fiber_start(d->child->loop, fn, fn_arg, "enrold.check");
}

static void hook_sleep(void *arg, uint64_t ms)
{
    (void)arg;
    fiber_sleep_ms(ms);
}

/* ------------------------------------------------------------------ start */

void enrold_resolver(struct child *c)
{
    struct enrold *d = calloc(1, sizeof(*d));
    struct err e;

    CHECK(d);
    d->child = c;
    c->state = d;
    /* no trust anchor: a forged answer for a name of one's own network is answered by who may
     * connect there, and one process more would have to read the file */
    d->resolver = resolver_new(c->loop, c->conf->dns_servers.v, c->conf->dns_servers.n, "", &e);
    if (!d->resolver)
        child_fatal("%s", e.text);
    resolver_uncached(d->resolver);
}

void enrold_open(struct child *c)
{
    struct enrold *d = c->state;
    struct enrol_hooks hooks = {.issue = hook_issue,
                                .revoke = hook_revoke,
                                .state = hook_state,
                                .roots = hook_roots,
                                .check = enrold_check,
                                .spawn = hook_spawn,
                                .sleep_ms = hook_sleep,
                                .arg = d};
    char path[sizeof(c->root) + 32];
    struct err e;

    umask(077);
    snprintf(path, sizeof(path), "%s/enrol/enrol.db", c->root);
    if (enrol_new(path, c->conf, &hooks, &d->enrol, &e) < 0)
        child_fatal("%s", e.text);
    d->tls = tls_client_context_new(SPAN_EMPTY, &e);
    if (!d->tls)
        child_fatal("no TLS for checks: %s", e.text);
}

static void run_clean(void *arg)
{
    struct enrold *d = arg;
    enrol_clean(d->enrol);
}

static void on_clean(void *arg)
{
    struct enrold *d = arg;
    fiber_start(d->child->loop, run_clean, d, "enrold.clean");
}

static void run_resume(void *arg)
{
    struct enrold *d = arg;

    enrol_clean(d->enrol);
    enrol_resume(d->enrol);
}

static void on_ready(struct child *c)
{
    struct enrold *d = c->state;

    d->clean = timer_new(c->loop, on_clean, d);
    timer_repeat(d->clean, HOUR_MS);
    fiber_start(c->loop, run_resume, d, "enrold.resume");
}

static void on_conf(struct child *c, const struct conf *old)
{
    struct enrold *d = c->state;

    (void)old;
    enrol_conf(d->enrol, c->conf);
    log_set_level(c->conf->log_level);
}

/* ------------------------------------------------------------------ messages */

static void msg_request(void *arg, struct msg *m)
{
    struct enrold *d = ((struct child *)arg)->state;
    uint64_t link = link_id(m->link);
    enum msg_id id = m->id;
    uint32_t call = m->call;
    struct buf copy BUF_AUTO = BUF(LINK_PAYLOAD_MAX), body BUF_AUTO = BUF(ENROL_ANSWER_MAX),
                    reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct enrol_answer a;
    struct enrol_request q;

    buf_put_span(&copy, m->body); /* the message goes with the first suspension */
    if (!rd_enrol_request(buf_span(&copy), &q)) {
        link_reply(link, id, call, -EBADMSG, SPAN_EMPTY, NULL, 0);
        return;
    }
    enrol_handle(d->enrol, &q, &a, &body);
    explicit_bzero(q.password, sizeof(q.password));
    wr_enrol_answer(&reply, &a);
    link_reply(link, id, call, reply.overflow ? -EMSGSIZE : 0,
               reply.overflow ? SPAN_EMPTY : buf_span(&reply), NULL, 0);
}

static void msg_admin(void *arg, struct msg *m)
{
    struct enrold *d = ((struct child *)arg)->state;
    struct buf json BUF_AUTO = BUF(JSON_MAX);
    struct enrol_admin in;
    struct err e = {""};
    int rc = rd_enrol_admin(m->body, &in)
                 ? enrol_administer(d->enrol, &in, &json, &e)
                 : err_set(&e, -EBADMSG, "the message does not have the form of its row");

    if (rc == 0 && json.overflow)
        rc = err_set(&e, -EMSGSIZE, "the list is too long");
    msg_reply(m, rc, rc < 0 ? span_cstr(e.text) : buf_span(&json));
}

static const struct msg_handler handlers[] = {
    {MSG_ENROL_REQUEST, msg_request, true },
    {MSG_ENROL_ADMIN,   msg_admin,   true },
    {0,                 NULL,        false},
};

/* ------------------------------------------------------------------ figures */

static void on_status(struct child *c, struct buf *json)
{
    const struct enrold *d = c->state;
    const struct enrol_counts *n = enrol_counts(d->enrol);

    buf_printf(json,
               "\"requests\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"accounts\":%" PRIu64
               ",\"orders\":%" PRIu64 ",\"issued\":%" PRIu64 ",\"revoked\":%" PRIu64
               ",\"checks\":%" PRIu64 ",\"checks_failed\":%" PRIu64,
               n->requests, n->refused, n->accounts, n->orders, n->issued, n->revoked, n->checks,
               n->checks_failed);
}

const struct child_ops enrold_ops = {
    .handlers = handlers,
    .on_ready = on_ready,
    .on_conf = on_conf,
    .on_status = on_status,
};
