/* The messages of cad. Each runs in a fiber and may suspend: what it needs of the message
 * afterwards is copied first. */
#include "base/check.h"
#include "base/fd.h"
#include "base/log.h"
#include "ca/enrol_policy.h"
#include "pki/cert_msg.h"
#include "proc/cad/cad.h"
#include "proc/child/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MADE_WAIT_MS = 10000, REPLY_MAX = 65536 - 64, CRL_MAX = 16 << 20 };

struct asker asker_of(const struct msg *m)
{
    return (struct asker){link_id(m->link), m->id, m->call, link_peer(m->link)};
}

void answer(const struct asker *a, int rc, struct span body, const struct err *e)
{
    link_reply(a->link, a->id, a->call, rc, rc < 0 ? span_cstr(e->text) : body, NULL, 0);
}

void answer_malformed(const struct asker *a)
{
    struct err e;
    int rc = err_set(&e, -EBADMSG, "the message does not have the form of its row");
    answer(a, rc, SPAN_EMPTY, &e);
}

/* The CA is being made at the first start: askers wait a moment. */
int cad_wait_made(struct cad *d, struct err *e)
{
    if (!ca_ready(d->ca) && !d->failure[0])
        fiber_cond_wait(&d->made, MADE_WAIT_MS);
    if (ca_ready(d->ca))
        return 0;
    return d->failure[0] ? err_set(e, -EAGAIN, "our CA cannot be made: %.500s", d->failure)
                         : err_set(e, -EAGAIN, "our CA is being made; try again in a moment");
}

/* What the network-facing certd puts into a subject is shown to people: only what the certificate
 * is for. */
static const char *common_name(const struct asker *a, const struct request *r,
                               const struct cert_names *names)
{
    struct span cn = span_cstr(r->common_name);

    if (a->role == ROLE_MANAGER || cert_names_has(names, CERT_NAME_DNS, cn) ||
        cert_names_has(names, CERT_NAME_IP, cn))
        return r->common_name;
    return NULL;
}

static int certify(struct cad *d, const struct asker *a, const struct ca_issue_msg *m,
                   const struct request *r, struct ca_issued_msg *out, struct buf *chain,
                   struct err *e)
{
    const struct profile *profile = cert_profile_by_name(span_cstr(m->profile));
    const struct cert_names *names = m->names.n ? &m->names : &r->names;
    int rc;

    if (!profile)
        return err_set(e, -EINVAL, "there is no profile %s", log_quote(span_cstr(m->profile)));
    rc = cad_may_issue(d->child->conf, a->role, profile, names, e);
    if (rc == 0 && a->role == ROLE_ENROLD && !enrol_requester(m->requester))
        rc = err_set(e, -EINVAL, "a request of enrold says by which way it came");
    if (rc < 0)
        return rc;
    return ca_issue(d->ca,
                    &(struct ca_request){.profile = profile,
                                         .spki = span_of(r->spki, r->spki_bytes),
                                         .subject = {.common_name = common_name(a, r, names)},
                                         .names = names,
                                         .days = m->days,
                                         .requester = m->requester},
                    chain, out->serial, e);
}

/* Some profiles wait for somebody to approve; a check of what may be at all comes first. */
static int wait_approved(struct cad *d, const struct asker *a, const struct ca_issue_msg *m,
                         const struct request *r, struct span message, struct err *e)
{
    const struct profile *profile = cert_profile_by_name(span_cstr(m->profile));
    const struct cert_names *names = m->names.n ? &m->names : &r->names;
    struct buf text BUF_AUTO = BUF(CERT_NAMES_MAX * CERT_NAME_TEXT_MAX);
    int rc;

    if (!profile || message.n == 0 || !ca_needs_officer(d->ca, profile))
        return 0;
    rc = cad_may_issue(d->child->conf, a->role, profile, names, e);
    if (rc < 0)
        return rc;
    cert_names_print(names, &text);
    return ca_wait(d->ca,
                   &(struct request_record){.requester = m->requester,
                                            .profile = m->profile,
                                            .days = m->days,
                                            .subject = r->subject,
                                            .names = buf_cstr(&text)},
                   message, e);
}

int cad_issue(struct cad *d, const struct asker *a, const struct ca_issue_msg *m,
              struct span message, struct buf *reply, char ret_serial[CERTIFICATE_SERIAL_MAX],
              struct err *e)
{
    struct buf chain BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);
    struct ca_issued_msg out;
    struct request *request = NULL;
    int rc = request_parse(m->request, &request, e);

    if (rc == 0)
        rc = wait_approved(d, a, m, request, message, e);
    if (rc == 0)
        rc = certify(d, a, m, request, &out, &chain, e);
    request_free(request);
    if (rc < 0)
        return rc;
    out.chain = buf_span(&chain);
    wr_ca_issued(reply, &out);
    memcpy(ret_serial, out.serial, CERTIFICATE_SERIAL_MAX);
    log_info("issued %s, profile %s, for %s", out.serial, m->profile,
             log_quote(span_cstr(m->requester)));
    EVIDENCE(d->child, "issue", {"serial", out.serial}, {"profile", m->profile},
             {"for", m->requester});
    return 0;
}

static void msg_ca_issue(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(REPLY_MAX);
    struct buf message BUF_AUTO = BUF(REPLY_MAX);
    char serial[CERTIFICATE_SERIAL_MAX];
    struct ca_issue_msg in;
    struct err e;
    int rc;

    buf_put_span(&message, m->body); /* the body goes with the first suspension */
    if (message.overflow || !rd_ca_issue(buf_span(&message), &in)) {
        answer_malformed(&a);
        return;
    }
    rc = cad_wait_made(d, &e);
    if (rc == 0)
        rc = cad_issue(d, &a, &in, buf_span(&message), &reply, serial, &e);
    cert_names_done(&in.names);
    if (rc == -EINPROGRESS) {
        log_info("%s, asked by %s", e.text, role_name(a.role));
    } else if (rc < 0) {
        d->refused++;
        log_warn("not issued for %s: %s", role_name(a.role), e.text);
    } else {
        d->issued++;
    }
    answer(&a, rc, buf_span(&reply), &e);
}

static void msg_ca_roots(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(REPLY_MAX);
    struct err e;
    int rc = cad_wait_made(d, &e);

    if (rc == 0) /* enrold hands out all that a client may need */
        ca_roots(d->ca, a.role == ROLE_ENROLD, &reply);
    answer(&a, rc, buf_span(&reply), &e);
}

static void msg_ca_issuing(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(REPLY_MAX);
    struct err e;
    int rc = cad_wait_made(d, &e);

    if (rc == 0)
        ca_between(d->ca, &reply);
    answer(&a, rc, buf_span(&reply), &e);
}

static void msg_ca_info(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(REPLY_MAX);
    struct err e;
    int rc = ca_info(d->ca, &reply, &e);

    answer(&a, rc, buf_span(&reply), &e);
}

static void msg_ca_list(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(REPLY_MAX);
    struct ca_list_msg in;
    struct err e;
    int rc;

    if (!rd_ca_list(m->body, &in) || in.filter > CA_LIST_EXPIRED) {
        answer_malformed(&a);
        return;
    }
    rc = ca_list(d->ca, &(struct ca_search){(enum ca_filter)in.filter, in.after, "", "", 0},
                 REPLY_MAX, &reply, &e);
    answer(&a, rc, buf_span(&reply), &e);
}

static void msg_ca_show(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(REPLY_MAX);
    char serial[CERT_MSG_WORD_MAX + 1];
    struct err e;
    int rc;

    if (!rd_cert_word(m->body, serial)) {
        answer_malformed(&a);
        return;
    }
    rc = ca_show(d->ca, serial, &reply, &e);
    answer(&a, rc, buf_span(&reply), &e);
}

/* Where it is in use, it is to be replaced now; who is logged in with it, no longer is. Who was away
 * asks itself. */
void cad_tell_revoked(struct cad *d, const struct ca_revoke_msg *m)
{
    static const enum role roles[] = {ROLE_CERTD, ROLE_AUTHD};
    struct buf body BUF_AUTO = BUF(256);

    wr_ca_revoke(&body, m);
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        struct link *l = child_peer(d->child, roles[i]);
        if (l)
            link_send(l, MSG_CA_REVOKED, buf_span(&body), NULL, 0);
    }
}

static void msg_ca_state(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(64);
    char serial[CERT_MSG_WORD_MAX + 1];
    struct ca_status s;
    struct err e;
    int rc;

    if (!rd_cert_word(m->body, serial)) {
        answer_malformed(&a);
        return;
    }
    rc = ca_status(d->ca, serial, &s, &e);
    if (rc == 0)
        wr_ca_state(&reply, &(struct ca_state_msg){s.revoked, s.reason, s.revoked_at});
    /* the row has no room for a reason as text */
    answer(&a, rc, rc < 0 ? SPAN_EMPTY : buf_span(&reply), &(struct err){""});
}

/* certd may take back what was made for a virtual server, enrold what was made through it. */
static int may_revoke(struct cad *d, const struct asker *a, const char *serial, struct err *e)
{
    struct ca_status s;
    int rc;

    if (a->role == ROLE_MANAGER)
        return 0;
    rc = ca_status(d->ca, serial, &s, e);
    if (rc == 0 && a->role == ROLE_ENROLD)
        return enrol_requester(s.requester)
                   ? 0
                   : err_set(e, -EPERM, "%s was not issued by ACME or EST", serial);
    if (rc == 0 && strcmp(s.profile, "server") != 0)
        rc = err_set(e, -EPERM,
                     "%s is not a virtual server's (profile %s): revoke it by the command line",
                     serial, s.profile);
    return rc;
}

static int take_back(struct cad *d, const struct asker *a, const struct ca_revoke_msg *m,
                     struct err *e)
{
    int rc;

    if (!crl_reason_name(m->reason))
        return err_set(e, -EINVAL, "%u is no reason for a revocation", m->reason);
    rc = may_revoke(d, a, m->serial, e);
    if (rc == 0)
        rc = ca_revoke(d->ca, m->serial, (enum crl_reason)m->reason, e);
    if (rc < 0)
        return rc;
    d->revoked++;
    cad_tell_revoked(d, m);
    log_info("revoked %s (%s), asked by %s", m->serial, crl_reason_name(m->reason),
             role_name(a->role));
    EVIDENCE(d->child, "revoke", {"serial", m->serial}, {"reason", crl_reason_name(m->reason)});
    return 0;
}

static void msg_ca_revoke(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct ca_revoke_msg in;
    struct err e;
    int rc;

    if (!rd_ca_revoke(m->body, &in)) {
        answer_malformed(&a);
        return;
    }
    rc = take_back(d, &a, &in, &e);
    answer(&a, rc, SPAN_EMPTY, &e);
}

int cad_sealed_copy(struct span bytes, struct err *e)
{
    FD_AUTO fd = memfd_create("ca", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || fd_write_all(fd, bytes.p, bytes.n) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return err_set(e, -ENOMEM, "no memory to hand it over");
    return fd_steal(&fd);
}

static void msg_ca_crl(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf der BUF_AUTO = BUF(CRL_MAX);
    FD_AUTO fd = -1;
    struct err e;
    int64_t id;
    int rc;

    if (!rd_ca_crl(m->body, &id)) {
        answer_malformed(&a);
        return;
    }
    rc = cad_wait_made(d, &e);
    if (rc == 0)
        rc = ca_crl(d->ca, id, &der, &e);
    if (rc == 0)
        rc = fd = cad_sealed_copy(buf_span(&der), &e);
    if (rc < 0)
        answer(&a, rc, SPAN_EMPTY, &e);
    else
        link_reply(a.link, a.id, a.call, 0, SPAN_EMPTY, &fd, 1);
}

const struct msg_handler cad_handlers[] = {
    {MSG_CA_ISSUE,    msg_ca_issue,    true },
    {MSG_CA_ROOTS,    msg_ca_roots,    true },
    {MSG_CA_ISSUING,  msg_ca_issuing,  true },
    {MSG_CA_INFO,     msg_ca_info,     true },
    {MSG_CA_LIST,     msg_ca_list,     true },
    {MSG_CA_SHOW,     msg_ca_show,     true },
    {MSG_CA_REVOKE,   msg_ca_revoke,   true },
    {MSG_CA_STATE,    msg_ca_state,    true },
    {MSG_CA_CRL,      msg_ca_crl,      true },
    {MSG_CA_OCSP,     msg_ca_ocsp,     true },
    {MSG_CA_FILE,     msg_ca_file,     true },
    {MSG_CA_FIND,     msg_ca_find,     true },
    {MSG_CA_UNHOLD,   msg_ca_unhold,   true },
    {MSG_CA_REQUESTS, msg_ca_requests, true },
    {MSG_CA_DECIDE,   msg_ca_decide,   true },
    {MSG_CA_ROOT,     msg_ca_root,     true },
    {MSG_CA_ROLLOVER, msg_ca_rollover, true },
    {MSG_CA_BACKUP,   msg_ca_backup,   true },
    {MSG_CA_ASK,      msg_ca_ask,      true },
    {MSG_CA_INSTALL,  msg_ca_install,  true },
    {MSG_CA_RESTORE,  msg_ca_restore,  true },
    {0,               NULL,            false},
};
