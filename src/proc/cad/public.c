/* What everybody may know, asked through the HTTP virtual servers: the askers are strangers. */
#include "base/log.h"
#include "pki/ocsp.h"
#include "proc/cad/cad.h"

#include <errno.h>

/* Copied before anything suspends: the body of a message is its handler's only until then. */
void msg_ca_ocsp(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    uint64_t link = link_id(m->link);
    enum msg_id id = m->id;
    uint32_t call = m->call;
    struct buf question BUF_AUTO = BUF(OCSP_REQUEST_MAX), reply BUF_AUTO = BUF(OCSP_ANSWER_MAX);

    d->ocsp++;
    if (buf_put_span(&question, m->body))
        ca_ocsp(d->ca, buf_span(&question), &reply);
    else
        ocsp_refusal(OCSP_REFUSED_MALFORMED, &reply);
    link_reply(link, id, call, 0, buf_span(&reply), NULL, 0);
}

void msg_ca_file(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    uint64_t link = link_id(m->link);
    enum msg_id id = m->id;
    uint32_t call = m->call;
    struct buf reply BUF_AUTO = BUF(CA_FILE_MAX);
    struct err e = {""};
    char name[65];
    int rc = -ENOENT;

    if (span_to_cstr(m->body, name, sizeof(name)))
        rc = ca_file(d->ca, span_cstr(name), &reply, &e);
    if (rc < 0 && rc != -ENOENT)
        log_warn("not handed out: %.64s: %s", log_quote(span_cstr(name)), e.text);
    /* strangers need no reasons */
    link_reply(link, id, call, rc, rc < 0 ? SPAN_EMPTY : buf_span(&reply), NULL, 0);
}
