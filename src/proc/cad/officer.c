/* What an officer of the CA does at the command line: search, end a hold, decide about requests. */
#include "base/clock.h"
#include "base/log.h"
#include "proc/cad/cad.h"
#include "proc/child/evidence.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { REPLY_MAX = 65536 - 64, MESSAGE_MAX = 65536 };

void msg_ca_find(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(REPLY_MAX);
    struct ca_search s;
    struct ca_find_msg in;
    struct err e;
    int rc;

    if (!rd_ca_find(m->body, &in) || in.filter > CA_LIST_HELD) {
        answer_malformed(&a);
        return;
    }
    s = (struct ca_search){.filter = (enum ca_filter)in.filter,
                           .after = in.after,
                           .profile = in.profile,
                           .name = in.name,
                           .ends_before = in.days ? clock_seconds() + INT64_C(86400) * in.days : 0};
    rc = ca_list(d->ca, &s, REPLY_MAX, &reply, &e);
    answer(&a, rc, buf_span(&reply), &e);
}

void msg_ca_unhold(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    char serial[CERT_MSG_WORD_MAX + 1];
    struct err e;
    int rc;

    if (!rd_cert_word(m->body, serial)) {
        answer_malformed(&a);
        return;
    }
    rc = ca_unhold(d->ca, serial, &e);
    if (rc == 0) {
        log_info("%s is on hold no more", serial);
        EVIDENCE(d->child, "unhold", {"serial", serial});
    }
    answer(&a, rc, SPAN_EMPTY, &e);
}

void msg_ca_requests(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(REPLY_MAX);
    struct ca_requests_msg in;
    struct err e;
    int rc;

    if (!rd_ca_requests(m->body, &in)) {
        answer_malformed(&a);
        return;
    }
    rc = ca_waiting(d->ca, in.all, in.after, REPLY_MAX, &reply, &e);
    answer(&a, rc, buf_span(&reply), &e);
}

/* What came then is judged as if it came now: configuration and CA may have changed. */
static int approve(struct cad *d, const struct asker *a, const struct ca_decide_msg *in,
                   struct buf *reply, struct err *e)
{
    struct buf message BUF_AUTO = BUF(MESSAGE_MAX);
    char serial[CERTIFICATE_SERIAL_MAX];
    struct ca_issue_msg m;
    int rc = cad_wait_made(d, e);

    if (rc == 0)
        rc = ca_waiting_message(d->ca, in->id, &message, e);
    if (rc < 0)
        return rc;
    if (!rd_ca_issue(buf_span(&message), &m))
        return err_set(e, -EIO, "request %" PRId64 " in the register is damaged; deny it", in->id);
    rc = cad_issue(d, a, &m, SPAN_EMPTY, reply, serial, e);
    cert_names_done(&m.names);
    if (rc == 0) {
        d->issued++;
        rc = ca_waiting_decide(d->ca, in->id, serial, in->reason, e);
    }
    return rc;
}

void msg_ca_decide(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(REPLY_MAX);
    struct ca_decide_msg in;
    struct err e;
    int rc;

    if (!rd_ca_decide(m->body, &in)) {
        answer_malformed(&a);
        return;
    }
    fiber_lock(&d->deciding); /* two officers at once: the second sees what the first decided */
    rc = in.approve ? approve(d, &a, &in, &reply, &e)
                    : ca_waiting_decide(d->ca, in.id, NULL, in.reason, &e);
    fiber_unlock(&d->deciding);
    if (rc == 0)
        log_info("request %" PRId64 " %s", in.id, in.approve ? "approved" : "denied");
    answer(&a, rc, buf_span(&reply), &e);
}
