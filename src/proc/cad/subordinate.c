/* An issuing CA below another's: the request that goes out, the answer that comes in. */
#include "base/log.h"
#include "proc/cad/cad.h"
#include "proc/child/evidence.h"

#include <errno.h>

enum { REPLY_MAX = 65536 - 64, BODY_MAX = 131072 };

static int ask(struct cad *d, const struct ca_ask_msg *in, struct buf *reply, struct err *e)
{
    struct buf der BUF_AUTO = BUF(32768);
    struct cert_subject subject = cert_fields_subject(&in->subject);
    struct ca_settings s;
    bool made = false;
    int rc = ca_settings_init(&s, d->child->conf, e);

    if (rc < 0)
        return rc;
    rc = cert_subject_check(&subject, e);
    if (rc == 0)
        rc = ca_ask_other(d->ca, &s, &subject, in->anew, &der, &made, e);
    ca_settings_done(&s);
    if (rc < 0)
        return rc;
    wr_bool(reply, made);
    wr_span(reply, buf_span(&der));
    return 0;
}

void msg_ca_ask(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(REPLY_MAX);
    struct ca_ask_msg in;
    struct err e;
    int rc;

    if (!rd_ca_ask(m->body, &in)) {
        answer_malformed(&a);
        return;
    }
    rc = cad_wait_made(d, &e);
    fiber_lock(&d->ensuring);
    if (rc == 0)
        rc = ask(d, &in, &reply, &e);
    fiber_unlock(&d->ensuring);
    answer(&a, rc, buf_span(&reply), &e);
}

static int install(struct cad *d, const struct ca_install_msg *in, struct err *e)
{
    struct chain answered = CHAIN_NONE, roots = CHAIN_NONE;
    struct ca_settings s;
    int rc = ca_settings_init(&s, d->child->conf, e);

    if (rc < 0)
        return rc;
    rc = chain_parse(in->answer, &answered, e);
    if (rc == 0)
        rc = chain_parse(in->roots, &roots, e);
    if (rc == 0)
        rc = ca_install(d->ca, &s, &answered, &roots, e);
    chain_done(&answered);
    chain_done(&roots);
    ca_settings_done(&s);
    if (rc == 0) {
        const struct certificate *now = ca_issuing(d->ca)->certificate;
        log_info("issuing CA in use: %s, certified by %s", now->subject, now->issuer);
        EVIDENCE(d->child, "install", {"ca", now->subject}, {"sha256", now->sha256},
                 {"issuer", now->issuer});
        cad_changed(d);
    }
    return rc;
}

void msg_ca_install(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(REPLY_MAX), body BUF_AUTO = BUF(BODY_MAX);
    struct ca_install_msg in;
    struct err e;
    int rc;

    buf_put_span(&body, m->body); /* goes with the first suspension */
    if (body.overflow || !rd_ca_install(buf_span(&body), &in)) {
        answer_malformed(&a);
        return;
    }
    rc = cad_wait_made(d, &e);
    fiber_lock(&d->ensuring);
    if (rc == 0)
        rc = install(d, &in, &e);
    fiber_unlock(&d->ensuring);
    if (rc == 0)
        rc = ca_info(d->ca, &reply, &e);
    answer(&a, rc, buf_span(&reply), &e);
    if (rc == 0)
        cad_ensure(d); /* what the configuration said about the CA before may be true no more */
}
