/* Alarms about certificates, as mail to the postmaster: an ordinary message from <>, into the store or
 * the queue. */
#include "base/clock.h"
#include "message/build.h"
#include "proc/child/order_msg.h"
#include "proc/relayd/relayd.h"

#include <errno.h>

enum { MAIL_MAX = 32768, ARENA_BYTES = 65536 };

static bool write_mail(const struct conf *c, const struct cert_alarm_msg *m, struct buf *out)
{
    struct buf from BUF_AUTO = BUF(400), date BUF_AUTO = BUF(64), id BUF_AUTO = BUF(300);
    struct span rest = m->text, line;

    buf_printf(&from, "sealpost <%s>", c->postmaster);
    date_print_rfc5322(&date, (struct date){.seconds = clock_seconds()});
    build_message_id(&id, span_cstr(c->hostname));
    build_field(out, "From", buf_span(&from), false);
    build_field(out, "To", span_cstr(c->postmaster), false);
    build_field(out, "Subject", span_cstr(m->subject), false);
    build_field(out, "Date", buf_span(&date), false);
    build_field(out, "Message-ID", buf_span(&id), false);
    build_field(out, "Auto-Submitted", SPAN("auto-generated"), false);
    build_field(out, "Importance", SPAN("high"), false);
    build_field(out, "MIME-Version", SPAN("1.0"), false);
    build_field(out, "Content-Type", SPAN("text/plain; charset=us-ascii"), false);
    buf_put_cstr(out, "\r\n");
    while (span_split(&rest, '\n', &line)) {
        buf_put_span(out, line);
        buf_put_cstr(out, "\r\n");
    }
    return !out->overflow;
}

static int deposit(struct relay *r, const struct cert_alarm_msg *m, struct arena *a)
{
    struct buf text BUF_AUTO = BUF(MAIL_MAX);
    struct store_recipient one;
    struct store_delivered done;
    struct store_body *b = NULL;
    struct store_delivery d = {.recipients = &one,
                               .count = 1,
                               .received_seconds = clock_seconds(),
                               .prefix = SPAN("Return-Path: <>\r\n")};
    int err = relay_recipient(r, a, span_cstr(r->conf->postmaster), &one);

    if (err)
        return err;
    one.notify = NOTIFY_NEVER;
    if (one.kind == RECIPIENT_REMOTE)
        d.prefix = SPAN_EMPTY;
    if (!write_mail(r->conf, m, &text))
        return -EMSGSIZE;
    err = store_body_begin(r->store, text.n, MAIL_MAX, &b);
    if (err == 0)
        err = store_body_write(b, buf_span(&text));
    if (err == 0)
        err = store_body_finish(b);
    if (err == 0)
        err = store_deliver(r->store, b, &d, &done);
    store_body_free(b);
    return err;
}

void msg_cert_alarm(void *arg, struct msg *m)
{
    struct relay *r = ((struct child *)arg)->state;
    uint64_t link = link_id(m->link);
    enum msg_id id = m->id;
    uint32_t call = m->call;
    struct cert_alarm_msg in;
    struct arena *a;
    int rc = -EBADMSG;

    if (rd_cert_alarm(m->body, &in)) { /* the body is this fiber's copy */
        a = arena_new(ARENA_BYTES);
        rc = deposit(r, &in, a);
        arena_free(a);
    }
    link_reply(link, id, call, rc, rc < 0 ? span_cstr(strerror(-rc)) : SPAN_EMPTY, NULL, 0);
}
