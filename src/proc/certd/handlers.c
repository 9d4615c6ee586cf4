/* The messages of certd. */
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "pki/cert_msg.h"
#include "proc/certd/dane.h"
#include "proc/certd/orders.h"
#include "proc/certd/proofs.h"
#include "proc/certd/staple.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { REPLY_MAX = CERTD_REPLY_MAX };

static void answer_error(const struct msg *m, int rc, const struct err *e)
{
    msg_reply(m, rc, span_cstr(e->text));
}

static void put_row(const struct vserver_life *v, struct buf *out)
{
    const struct identity_slot *s = &v->life.id.current;
    const struct identity *id = &v->life.id;
    char notice[600];

    buf_put_cstr(out, "{\"vserver\":");
    json_put_string(out, span_cstr(v->name));
    buf_printf(
        out, ",\"state\":\"%s\",\"next\":\"%s\",\"serial\":", identity_state_name(s->state),
        identity_state_name(id->next.state != IDENTITY_NONE ? id->next.state : id->pending.state));
    json_put_string(out, span_cstr(s->serial));
    buf_printf(out,
               ",\"not_before\":%" PRId64 ",\"not_after\":%" PRId64 ",\"renew_at\":%" PRId64
               ",\"key_type\":",
               s->not_before, s->not_after, life_renew_at(&v->life));
    json_put_string(out, span_cstr(s->key_type));
    buf_printf(out, ",\"shown\":%s,\"failure\":", v->life.checked ? "true" : "false");
    if (dane_reason(v)[0])
        snprintf(notice, sizeof(notice), "a new certificate is staged: %s", dane_reason(v));
    else if (v->life.failure[0] || !life_notice(&v->life, clock_seconds(), notice))
        memcpy(notice, v->life.failure, sizeof(notice));
    json_put_string(out, span_cstr(notice));
    buf_printf(out, ",\"source\":\"%s\",\"origin\":",
               s->state == IDENTITY_NONE ? "" : identity_source_name(s->source));
    json_put_string(out, span_cstr(s->origin));
    buf_putc(out, '}');
}

void certd_put_life(const struct vserver_life *v, struct buf *out)
{
    life_json(&v->life, clock_seconds(), out);
    if (!out->overflow && out->n > 0) {
        buf_truncate(out, out->n - 1); /* its closing brace */
        orders_json(v, out);
        dane_json(v, out);
        staple_json(v, out);
        buf_putc(out, '}');
    }
    if (out->overflow) {
        buf_clear(out);
        put_row(v, out);
    }
}

static void msg_cert_list(void *arg, struct msg *m)
{
    const struct certd *d = ((struct child *)arg)->state;
    struct buf out BUF_AUTO = BUF(REPLY_MAX);
    bool first = true, cut = false;

    buf_put_cstr(&out, "{\"certificates\":[");
    for (unsigned i = 0; i < d->life_count && !cut; i++) {
        struct buf row BUF_AUTO = BUF(8192);
        if (!d->lives[i]->loaded || !d->lives[i]->wanted)
            continue;
        put_row(d->lives[i], &row);
        cut = out.n + row.n + 32 > out.max;
        if (cut)
            break;
        buf_put_cstr(&out, first ? "" : ",");
        buf_put_span(&out, buf_span(&row));
        first = false;
    }
    buf_printf(&out, "],\"cut\":%s}", cut ? "true" : "false");
    msg_reply(m, 0, buf_span(&out));
}

struct vserver_life *certd_named(struct certd *d, const char *name, struct err *e)
{
    struct vserver_life *v = certd_find(d, name);

    if (v && v->loaded && v->wanted)
        return v;
    err_set(e, -ENOENT,
            "there is no virtual server %s that is enabled; see \"sealpost vserver list\"",
            log_quote(span_cstr(name)));
    return NULL;
}

/* NULL: answered with the reason. */
static struct vserver_life *named(struct certd *d, const struct msg *m)
{
    char name[CERT_MSG_WORD_MAX + 1];
    struct vserver_life *v;
    struct err e;

    if (!rd_cert_word(m->body, name)) {
        answer_error(m, err_set(&e, -EBADMSG, "the message does not have the form of its row"), &e);
        return NULL;
    }
    v = certd_named(d, name, &e);
    if (!v)
        answer_error(m, -ENOENT, &e);
    return v;
}

static void msg_cert_show(void *arg, struct msg *m)
{
    struct vserver_life *v = named(((struct child *)arg)->state, m);
    struct buf out BUF_AUTO = BUF(REPLY_MAX);

    if (!v)
        return;
    certd_put_life(v, &out);
    msg_reply(m, 0, buf_span(&out));
}

static void msg_cert_issue(void *arg, struct msg *m)
{
    struct vserver_life *v = named(((struct child *)arg)->state, m);
    uint64_t link = link_id(m->link);
    enum msg_id id = m->id;
    uint32_t call = m->call;
    struct buf out BUF_AUTO = BUF(REPLY_MAX);
    struct err e;
    int rc;

    if (!v)
        return;
    rc = lives_issue(v, false, &e); /* m is not touched behind this: the asker may be gone */
    if (rc == -EINPROGRESS)         /* staged */
        rc = 0;
    if (rc == 0)
        certd_put_life(v, &out);
    link_reply(link, id, call, rc, rc < 0 ? span_cstr(e.text) : buf_span(&out), NULL, 0);
}

static void msg_cert_ca_pem(void *arg, struct msg *m)
{
    const struct certd *d = ((struct child *)arg)->state;
    struct buf out BUF_AUTO = BUF(REPLY_MAX);

    if (d->roots.n == 0) {
        msg_reply(m, -EAGAIN, SPAN("our own CA is not there yet; try again in a moment"));
        return;
    }
    chain_write_pem(&d->roots, &out);
    msg_reply(m, 0, buf_span(&out));
}

/* Whom a client must trust to take what this virtual server shows. */
static void msg_cert_roots(void *arg, struct msg *m)
{
    const struct certd *d = ((struct child *)arg)->state;
    struct vserver_life *v = named(((struct child *)arg)->state, m);
    struct buf out BUF_AUTO = BUF(REPLY_MAX);
    struct chain given = CHAIN_NONE;
    const struct identity_slot *s;
    struct err e;
    int r = 0;

    if (!v)
        return;
    s = &v->life.id.current;
    if (s->roots_bytes > 0)
        r = chain_parse(identity_roots(s), &given, &e);
    else if (s->source == IDENTITY_OWN_CA && d->roots.n == 0)
        r = err_set(&e, -EAGAIN, "our own CA is not there yet; try again in a moment");
    if (r == 0 && (given.n > 0 || s->source == IDENTITY_OWN_CA) &&
        !chain_write_pem(given.n > 0 ? &given : &d->roots, &out))
        r = err_set(&e, -EMSGSIZE, "the roots are too long for a message");
    chain_done(&given);
    if (r < 0)
        answer_error(m, r, &e);
    else
        msg_reply(m, 0, buf_span(&out));
}

/* What is handed out and what clients are held to follows. */
static void msg_ca_changed(void *arg, struct msg *m)
{
    struct certd *d = ((struct child *)arg)->state;
    struct err e;

    if (roots_load(d, &e) < 0)
        log_warn("root certificates: %s", e.text);
    else
        trust_follow(d);
}

static void msg_ca_revoked(void *arg, struct msg *m)
{
    struct certd *d = ((struct child *)arg)->state;
    struct ca_revoke_msg in;

    if (!rd_ca_revoke(m->body, &in))
        return;
    for (unsigned i = 0; i < d->life_count; i++)
        if (d->lives[i]->loaded && life_revoked(&d->lives[i]->life, in.serial)) {
            fiber_cond_broadcast(&d->lives[i]->wake);
            staple_revoked(d->lives[i]);
        }
}

const struct msg_handler certd_handlers[] = {
    {MSG_CERT_LIST,       msg_cert_list,       false},
    {MSG_CERT_SHOW,       msg_cert_show,       false},
    {MSG_CERT_ISSUE,      msg_cert_issue,      true },
    {MSG_CERT_CA_PEM,     msg_cert_ca_pem,     false},
    {MSG_CERT_ROOTS,      msg_cert_roots,      false},
    {MSG_CA_REVOKED,      msg_ca_revoked,      false},
    {MSG_CA_CHANGED,      msg_ca_changed,      true },
    {MSG_CERT_REQUEST,    msg_cert_request,    true },
    {MSG_CERT_PENDING,    msg_cert_pending,    true },
    {MSG_CERT_CANCEL,     msg_cert_cancel,     true },
    {MSG_CERT_OFFER,      msg_cert_offer,      true },
    {MSG_CERT_ASSIGN,     msg_cert_assign,     true },
    {MSG_CERT_COPY,       msg_cert_copy,       true },
    {MSG_CERT_RENEW,      msg_cert_renew,      true },
    {MSG_CERT_REMOVE,     msg_cert_remove,     true },
    {MSG_CERT_ROLLBACK,   msg_cert_rollback,   true },
    {MSG_CERT_TRUST_SHOW, msg_cert_trust_show, false},
    {MSG_CERT_CHAIN,      msg_cert_chain,      true },
    {MSG_CERT_CHALLENGE,  msg_cert_challenge,  false},
    {MSG_CERT_REHEARSE,   msg_cert_rehearse,   true },
    {MSG_WATCH_ALARM,     msg_watch_alarm,     true },
    {MSG_CERT_TLSA,       msg_cert_tlsa,       false},
    {MSG_CERT_AUTHORITY,  msg_cert_authority,  true },
    {MSG_CERT_REVOKE,     msg_cert_revoke,     true },
    {MSG_CERT_SWAP,       msg_cert_swap,       true },
    {0,                   NULL,                false},
};
