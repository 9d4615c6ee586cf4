/* handlers.c: the messages that a worker receives. */
#include "proc/sessiond/sessiond.h"

#include "base/fd.h"
#include "base/log.h"
#include "line/session_msg.h"
#include "pki/cert_msg.h"
#include "proc/child/order_msg.h"
#include "tls/challenge.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static struct worker *worker_of(void *arg)
{
    struct child *c = arg;
    return c->state;
}

/* From certd: what a virtual server shows from now on. Sessions that run keep what they were opened
 * with. */
static void msg_cert_identity(void *arg, struct msg *m)
{
    struct worker *w = worker_of(arg);
    struct cert_identity_msg id;
    struct err e = {""};

    if (!rd_cert_identity(m->body, &id)) {
        log_error("certd sent an identity that cannot be read");
        return;
    }
    struct worker_vserver *v = worker_vserver(w, id.vserver);
    if (!v || !v->protocol || id.slot > TLS_SLOT_NEXT)
        return; /* of a virtual server that another kind of worker serves */
    if (tls_context_identity(v->tls, id.slot, id.chain, id.key_id, &e) < 0) {
        log_error("%s: the certificate %s cannot be served, the one before stays: %s", id.vserver,
                  id.serial, e.text);
        return;
    }
    if (id.slot == TLS_SLOT_CURRENT)
        log_info("%s: serving certificate %s", id.vserver, id.serial);
    sessiond_identities(arg);
}

static void msg_cert_staple(void *arg, struct msg *m)
{
    struct worker *w = worker_of(arg);
    struct cert_staple_msg s;
    struct worker_vserver *v;

    if (!rd_cert_staple(m->body, &s)) {
        log_error("certd sent an OCSP answer that cannot be read");
        return;
    }
    v = worker_vserver(w, s.vserver);
    if (v && v->protocol)
        tls_context_staple(v->tls, s.sha256, s.answer, s.until);
}

static bool read_memfd(int fd, struct buf *out)
{
    struct stat st;
    char *p;
    size_t got = 0;

    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0 || (uint64_t)st.st_size > out->max)
        return false;
    p = buf_reserve(out, (size_t)st.st_size);
    while (p && got < (size_t)st.st_size) {
        ssize_t n = pread(fd, p + got, (size_t)st.st_size - got, (off_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    buf_commit(out, got);
    return got > 0;
}

/* From certd: whose client certificates hold at a virtual server from now on. */
static void msg_cert_trust(void *arg, struct msg *m)
{
    struct worker *w = worker_of(arg);
    struct buf pem BUF_AUTO = BUF(WORKER_TRUST_MAX);
    char vserver[CERT_MSG_WORD_MAX + 1];
    struct worker_vserver *v;
    uint64_t epoch;

    if (!rd_cert_trust(m->body, vserver, &epoch) ||
        !read_memfd(m->fd_count ? m->fds[0] : -1, &pem)) {
        log_error("certd sent a trust list that cannot be read");
        return;
    }
    v = worker_vserver(w, vserver);
    if (v && v->protocol)
        worker_trust(v, buf_span(&pem), epoch);
}

static void msg_tickets_new(void *arg, struct msg *m)
{
    (void)arg;
    sessiond_tickets(m->body);
}

/* From certd: the certificate of a challenge, for the CA that will look at it. */
static void msg_cert_proof(void *arg, struct msg *m)
{
    struct cert_proof_msg p;
    struct err e = {""};
    int rc = rd_cert_proof(m->body, &p)
                 ? tls_challenge_set(p.name, p.certificate, p.key_id, &e)
                 : err_set(&e, -EBADMSG, "the message does not have the form of its row");

    msg_reply(m, rc, rc < 0 ? span_cstr(e.text) : SPAN_EMPTY);
}

static void msg_session_list(void *arg, struct msg *m)
{
    struct buf json BUF_AUTO = BUF(65000);
    uint64_t after;

    if (!rd_session_list(m->body, &after)) {
        msg_reply(m, -EINVAL, SPAN_EMPTY);
        return;
    }
    worker_sessions(worker_of(arg), after, &json);
    msg_reply(m, 0, buf_span(&json));
}

static void msg_session_kill(void *arg, struct msg *m)
{
    struct session_kill_request k;

    if (!rd_session_kill(m->body, &k))
        msg_reply(m, -EINVAL, SPAN_EMPTY);
    else
        msg_reply(m,
                  worker_kill(worker_of(arg), k.number,
                              k.reason[0] ? k.reason : "ended by the administrator")
                      ? 0
                      : -ENOENT,
                  SPAN_EMPTY);
}

static void msg_session_drain(void *arg, struct msg *m)
{
    struct session_drain_request d;
    struct buf out BUF_AUTO = BUF(16);

    if (!rd_session_drain(m->body, &d)) {
        msg_reply(m, -EINVAL, SPAN_EMPTY);
        return;
    }
    wr_u32(&out, worker_drain_sessions(worker_of(arg), d.vserver, d.serial,
                                       d.reason[0] ? d.reason : "ended by the administrator"));
    msg_reply(m, 0, buf_span(&out));
}

/* From certd: a connection of its own. */
static void msg_cert_probe(void *arg, struct msg *m)
{
    struct cert_probe_msg p;

    if (rd_cert_probe(m->body, &p) && m->fd_count == 1)
        worker_probe(worker_of(arg), p.vserver, p.endpoint, (enum tls_slot)p.slot,
                     fd_steal(&m->fds[0]));
}

/* The administrator looks at what goes over the wire. The tap lasts as long as the link. */
static void msg_tap_open(void *arg, struct msg *m)
{
    struct tls_tap_request q;
    struct err e = {""};
    int rc;

    (void)arg;
    if (!rd_tap_open(m->body, &q) || m->fd_count != 1) {
        msg_reply(m, -EINVAL, SPAN_EMPTY);
        return;
    }
    rc = tls_tap_open(link_id(m->link), &q, fd_steal(&m->fds[0]), &e);
    if (rc == 0)
        log_info(
            "the administrator looks at the bytes of %u virtual servers, as they are on the wire",
            q.count);
    msg_reply(m, rc, rc < 0 ? span_cstr(e.text) : SPAN_EMPTY);
}

static void msg_tap_close(void *arg, struct msg *m)
{
    struct tls_tap_counts counts;
    struct buf out BUF_AUTO = BUF(64);

    (void)arg;
    if (!tls_tap_close(link_id(m->link), &counts)) {
        msg_reply(m, -ENOENT, SPAN_EMPTY);
        return;
    }
    wr_tap_counts(&out, &counts);
    msg_reply(m, 0, buf_span(&out));
}

/* What stored says goes to the store's client. */
static void to_store(void *arg, struct msg *m)
{
    for (const struct msg_handler *h = store_client_handlers; h->fn; h++)
        if (h->id == m->id) {
            h->fn(worker_of(arg)->store, m);
            return;
        }
}

/* From authd: addresses may lead elsewhere now, an account may no longer let in who is logged in. */
static void msg_auth_changed(void *arg, struct msg *m)
{
    struct rd r = rd_of(m->body);
    uint64_t account = m->body.n ? rd_u64(&r) : 0;

    auth_client_changed(worker_of(arg)->auth);
    if (account && rd_done(&r))
        worker_confirm(worker_of(arg), account);
}

const struct msg_handler sessiond_handlers[] = {
    {MSG_AUTH_CHANGED,     msg_auth_changed,  false},
    {MSG_CERT_IDENTITY,    msg_cert_identity, false},
    {MSG_CERT_PROOF,       msg_cert_proof,    false},
    {MSG_CERT_STAPLE,      msg_cert_staple,   false},
    {MSG_CERT_TRUST,       msg_cert_trust,    false},
    {MSG_KEY_TICKETS_NEW,  msg_tickets_new,   false},
    {MSG_SESSION_LIST,     msg_session_list,  false},
    {MSG_SESSION_KILL,     msg_session_kill,  false},
    {MSG_SESSION_DRAIN,    msg_session_drain, false},
    {MSG_CERT_PROBE,       msg_cert_probe,    false},
    {MSG_TAP_OPEN,         msg_tap_open,      false},
    {MSG_TAP_CLOSE,        msg_tap_close,     false},
    {MSG_STORE_FILES,      to_store,          false},
    {MSG_STORE_FILES_GONE, to_store,          false},
    {MSG_STORE_CHANGED,    to_store,          false},
    {0,                    NULL,              false},
};
