/* alarm.c: what somebody must be told: by certd, which has the ways for it (mail to the postmaster, webhook, log). */
#include "base/clock.h"
#include "base/log.h"
#include "monitor/counter.h"
#include "proc/child/order_msg.h"
#include "proc/watchd/watchd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { CALL_MS = 10000, METRICS_MAX = LINK_PAYLOAD_MAX };

/* suspends */
static void send_alarm(struct watchd *d, const char *vserver, const char *event,
                       const char *subject, const char *text)
{
    struct buf body BUF_AUTO = BUF(8192);
    struct watch_alarm_msg m;
    char lines[ORDER_TEXT_MAX];
    size_t n = 0;
    int r;

    for (; text[n] != '\0' && n + 1 < sizeof lines; n++)
        lines[n] = text[n] == '\n' || (text[n] >= 32 && text[n] < 127) ? text[n] : '?';
    snprintf(m.vserver, sizeof m.vserver, "%s", vserver);
    snprintf(m.event, sizeof m.event, "%s", event);
    snprintf(m.alarm.subject, sizeof m.alarm.subject, "%s", subject);
    m.alarm.text = span_of(lines, n);
    wr_watch_alarm(&body, &m);
    r = link_call(child_peer(d->child, ROLE_CERTD), MSG_WATCH_ALARM, buf_span(&body), NULL, 0,
                  CALL_MS, NULL, NULL);
    if (r < 0)
        log_warn("alarm: certd cannot tell of %s: %s", vserver, strerror(-r));
    else
        d->alarms++;
}

/* ---- endpoints --------------------------------------------------------------------------- */

static const char *const fault_words[] = {
    [WATCH_FINE] = "",
    [WATCH_UNREACHABLE] = "cannot be reached",
    [WATCH_UNFIT] = "shows a certificate that clients refuse",
    [WATCH_OTHER] = "shows another certificate than the one in service",
};

enum watch_fault watchd_fault(const struct watched *w)
{
    if (!w->last.up)
        /* a router may not lead back inside what clients outside reach: only what was there can be missed */
        return w->is_outside && !w->was_up ? WATCH_FINE : WATCH_UNREACHABLE;
    return !w->last.fits ? WATCH_UNFIT : !w->is_expected ? WATCH_OTHER : WATCH_FINE;
}

/* Whoever was told of a fault is told of its end. */
static void tell_end(struct watchd *d, struct watched *w)
{
    char subject[ORDER_SUBJECT_MAX + 1], text[ORDER_TEXT_MAX], where[400];
    const char *was = fault_words[w->alarmed];

    if (w->alarmed == WATCH_FINE)
        return;
    w->alarmed = WATCH_FINE;
    watched_name(w, where);
    snprintf(subject, sizeof subject, "%s is well again", w->target.vserver->name);
    snprintf(text, sizeof text,
             "What the standing probe had told of %s of virtual server %s, that it %s, is over: it "
             "shows what it should.\n",
             where, w->target.vserver->name, was);
    send_alarm(d, w->target.vserver->name, "endpoint", subject, text);
}

void watchd_alarm(struct watchd *d, struct watched *w, int64_t now)
{
    enum watch_fault fault = watchd_fault(w);
    char subject[ORDER_SUBJECT_MAX + 1], text[ORDER_TEXT_MAX], where[400];

    if (fault == WATCH_FINE) {
        tell_end(d, w);
        return;
    }
    if (fault == w->alarmed && now - w->alarmed_at < WATCH_REMIND_S)
        return;
    w->alarmed = fault;
    w->alarmed_at = now;
    watched_name(w, where);
    snprintf(subject, sizeof subject, "%s %s", w->target.vserver->name, fault_words[fault]);
    snprintf(text, sizeof text,
             "The standing probe has looked at %s of virtual server %s twice: it %s.\n\n%s\n\n"
             "`sealpost verify %s` shows more, and what to do.\n",
             where, w->target.vserver->name, fault_words[fault], w->told, w->target.vserver->name);
    send_alarm(d, w->target.vserver->name, "endpoint", subject, text);
}

/* ---- bytes outside TLS ------------------------------------------------------------------- */

struct plain_sums {
    struct watchd *d;
    uint64_t now[WATCH_VSERVERS_MAX];
};

static void on_counter(void *arg, struct span vserver, uint64_t value)
{
    struct plain_sums *s = arg;
    const struct conf *c = s->d->list->conf;

    for (uint32_t i = 0; i < c->vserver_count && i < WATCH_VSERVERS_MAX; i++)
        if (span_eq_cstr(vserver, c->vservers[i].name))
            s->now[i] += value;
}

static void tell_plain(struct watchd *d, const struct conf_vserver *v, uint64_t more, uint64_t all)
{
    char subject[ORDER_SUBJECT_MAX + 1], text[1000];

    snprintf(subject, sizeof subject, "%s: bytes in clear were held back", v->name);
    snprintf(
        text, sizeof text,
        "Virtual server %s was about to send %" PRIu64
        " bytes outside TLS that the plain grammar of its protocol does not allow (%" PRIu64
        " since the start). They were not sent, and the connection was ended; but this must never "
        "happen: it is a fault of the server.\n\n`sealpost capture --audit --vserver %s` proves "
        "whether anything can be read; the log has the sessions.\n",
        v->name, more, all, v->name);
    log_error("%s: plaintext_bytes_total has risen by %" PRIu64 " to %" PRIu64, v->name, more, all);
    send_alarm(d, v->name, "plaintext", subject, text);
}

void watchd_plaintext(struct watchd *d)
{
    struct plain_sums s = {.d = d};
    struct buf text BUF_AUTO = BUF(METRICS_MAX);
    const struct conf *c = d->list->conf;

    if (link_call(d->child->supervisor, MSG_CONTROL_METRICS, SPAN_EMPTY, NULL, 0, CALL_MS, &text,
                  NULL) < 0 ||
        c != d->list->conf)
        return;
    counter_each(buf_span(&text), "sealpost_plaintext_bytes_total", on_counter, &s);
    for (uint32_t i = 0; i < c->vserver_count && i < WATCH_VSERVERS_MAX; i++) {
        uint64_t before = d->list->plain[i];
        d->list->plain[i] = s.now[i]; /* a worker that was started anew counts from 0 */
        if (s.now[i] > before)
            tell_plain(d, &c->vservers[i], s.now[i] - before, s.now[i]);
    }
}
