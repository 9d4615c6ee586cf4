/* Requests that wait until somebody approves them: the stand-alone CA. */
#include "base/clock.h"
#include "ca/ca_internal.h"

#include <errno.h>
#include <inttypes.h>

/* An asker that saw "wait" asks again: within this time it gets what was issued on approval. */
enum { APPROVAL_SECONDS = 3600 };

bool ca_needs_officer(const struct ca *ca, const struct profile *p)
{
    return (ca->officer & 1u << p->id) != 0;
}

struct ask_job {
    struct ca *ca;
    const struct request_record *record;
    struct span message;
    struct request_answer answer;
    struct err *e;
    int rc;
};

static void work_ask(void *arg)
{
    struct ask_job *j = arg;
    j->rc = ca_register_request(j->ca->reg, j->record, j->message, clock_seconds(),
                                APPROVAL_SECONDS, &j->answer, j->e);
}

int ca_wait(struct ca *ca, const struct request_record *r, struct span message, struct err *e)
{
    const struct profile *profile = cert_profile_by_name(span_cstr(r->profile));
    struct ask_job j = {.ca = ca, .record = r, .message = message, .e = e};

    if (profile && profile->path >= 0)
        return err_set(e, -EINVAL, "a CA is not made by a request that waits");
    if (profile && profile->names && !r->names[0]) /* nobody could approve it */
        return err_set(e, -EINVAL, "a certificate of profile %s needs at least one name",
                       profile->name);
    ca_run(ca, work_ask, &j);
    if (j.rc < 0)
        return j.rc;
    switch (j.answer.state) {
    case REQUEST_APPROVED:
        return 0;
    case REQUEST_DENIED:
        return err_set(e, -EPERM, "request %" PRId64 " was denied%s%s", j.answer.id,
                       j.answer.reason[0] ? ": " : "", j.answer.reason);
    default:
        return err_set(e, -EINPROGRESS,
                       "request %" PRId64 " waits for approval: sealpost ca approve %" PRId64,
                       j.answer.id, j.answer.id);
    }
}

/* --- for people */

struct list_job {
    struct ca *ca;
    bool all;
    struct ca_page page;
    struct err *e;
    int rc;
};

static bool on_request(void *arg, const struct request_record *r)
{
    struct list_job *j = arg;
    struct buf one BUF_AUTO = BUF(65536);

    buf_putc(&one, '{');
    ca_put_field(&one, "requester", r->requester);
    ca_put_field(&one, "profile", r->profile);
    ca_put_field(&one, "subject", r->subject);
    ca_put_field(&one, "names", r->names);
    ca_put_field(&one, "state", r->state);
    ca_put_field(&one, "reason", r->reason);
    ca_put_field(&one, "serial", r->serial);
    buf_printf(&one,
               "\"id\":%" PRId64 ",\"received_at\":%" PRId64 ",\"decided_at\":%" PRId64
               ",\"days\":%u}",
               r->id, r->received_at, r->decided_at, r->days);
    return ca_page_add(&j->page, r->id, buf_span(&one));
}

static void work_list(void *arg)
{
    struct list_job *j = arg;
    j->rc = ca_register_requests(j->ca->reg, j->all, j->page.after, on_request, j, j->e);
}

int ca_waiting(struct ca *ca, bool all, int64_t after, size_t max_bytes, struct buf *json,
               struct err *e)
{
    struct list_job j = {
        .ca = ca, .all = all, .page = {json, max_bytes, after, 0, false},
                .e = e
    };

    ca_page_begin(&j.page, "requests");
    ca_run(ca, work_list, &j);
    return j.rc < 0 ? j.rc : ca_page_end(&j.page, e);
}

/* --- deciding */

struct decide_job {
    struct ca *ca;
    int64_t id;
    const char *serial, *reason;
    struct buf *message;
    struct err *e;
    int rc;
};

static void work_message(void *arg)
{
    struct decide_job *j = arg;
    j->rc = ca_register_request_message(j->ca->reg, j->id, j->message, j->e);
}

int ca_waiting_message(struct ca *ca, int64_t id, struct buf *ret, struct err *e)
{
    struct decide_job j = {.ca = ca, .id = id, .message = ret, .e = e};

    ca_run(ca, work_message, &j);
    return j.rc;
}

static void work_decide(void *arg)
{
    struct decide_job *j = arg;
    j->rc =
        ca_register_request_decide(j->ca->reg, j->id, j->serial, j->reason, clock_seconds(), j->e);
}

int ca_waiting_decide(struct ca *ca, int64_t id, const char *serial, const char *reason,
                      struct err *e)
{
    struct decide_job j = {.ca = ca, .id = id, .serial = serial, .reason = reason, .e = e};

    ca_run(ca, work_decide, &j);
    return j.rc;
}
