/* Alarms: into the log, by mail to the postmaster, and to the webhook of the configuration. */
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "proc/certd/authority.h"
#include "proc/certd/orders.h"
#include "proc/child/order_msg.h"

#include <errno.h>
#include <stdio.h>

enum { RELAYD_MS = 15000, HOOK_TRIES = 3, HOOK_PAUSE_MS = 5000 };

static void printable(const char *s, char *dst, size_t size, bool lines)
{
    size_t n = 0;

    for (; *s && n + 1 < size; s++)
        dst[n++] = (lines && *s == '\n') || ((unsigned char)*s >= 32 && (unsigned char)*s < 127)
                       ? *s
                       : '?';
    dst[n] = '\0';
}

static void mail(struct certd *d, const char *subject, const char *text)
{
    struct buf body BUF_AUTO = BUF(8192), why BUF_AUTO = BUF(1024);
    struct cert_alarm_msg m;
    char lines[ORDER_TEXT_MAX];
    int rc;

    printable(subject, m.subject, sizeof(m.subject), false);
    printable(text, lines, sizeof(lines), true);
    m.text = span_cstr(lines);
    wr_cert_alarm(&body, &m);
    rc = link_call(child_peer_wait(d->child, ROLE_RELAYD, RELAYD_MS), MSG_CERT_ALARM,
                   buf_span(&body), NULL, 0, RELAYD_MS, &why, NULL);
    if (rc < 0)
        log_warn("alarm: the postmaster cannot be told: %s",
                 why.n ? log_quote(buf_span(&why)) : strerror(-rc));
}

static void hook(struct certd *d, const char *url, const char *event, const char *vserver,
                 unsigned level, const char *subject, const char *text)
{
    struct buf body BUF_AUTO = BUF(16384);
    struct web_request q = {.method = "POST", .url = url, .type = "application/json"};
    struct web web = {.loop = NULL};
    struct err e = {""};
    int rc = authority_web(d, &web, &e);

    buf_put_cstr(&body, "{\"event\":");
    json_put_string(&body, span_cstr(event));
    buf_put_cstr(&body, ",\"vserver\":");
    json_put_string(&body, span_cstr(vserver));
    buf_printf(&body, ",\"level\":%u,\"time\":%lld,\"subject\":", level,
               (long long)clock_seconds());
    json_put_string(&body, span_cstr(subject));
    buf_put_cstr(&body, ",\"text\":");
    json_put_string(&body, span_cstr(text));
    buf_putc(&body, '}');
    q.body = buf_span(&body);
    /* the administrator wrote this address: it may be in the own network, and without TLS */
    web.private = web.clear = true;
    for (int i = 0; i < HOOK_TRIES && rc == 0; i++) {
        struct web_answer a;
        rc = web_ask(&web, &q, &a, &e);
        if (rc == 0 && a.status / 100 == 2) {
            web_answer_done(&a);
            break;
        }
        if (rc == 0) {
            err_set(&e, -EREMOTEIO, "it answers with HTTP status %u", a.status);
            web_answer_done(&a);
        }
        rc = i + 1 < HOOK_TRIES ? 0 : -EREMOTEIO;
        if (rc == 0)
            fiber_sleep_ms(HOOK_PAUSE_MS);
    }
    if (rc < 0)
        log_warn("alarm: the webhook cannot be told: %s", e.text);
    tls_client_context_free(web.tls);
}

static void tell(struct certd *d, const char *event, const char *vserver, unsigned level,
                 const char *subject, const char *text)
{
    char url[WEB_URL_MAX + 1];

    snprintf(url, sizeof(url), "%s", d->child->conf->alarm_webhook);
    log_error("alarm: %s of %s: %s: %s", event, vserver, subject, log_quote(span_cstr(text)));
    mail(d, subject, text);
    if (url[0])
        hook(d, url, event, vserver, level, subject, text);
}

void alarm_send(struct certd *d, const char *vserver, unsigned level, const char *subject,
                const char *text)
{
    tell(d, "certificate", vserver, level, subject, text);
}

/* From watchd, which sees what goes wrong and has no way to tell it. */
void msg_watch_alarm(void *arg, struct msg *m)
{
    struct certd *d = ((struct child *)arg)->state;
    struct watch_alarm_msg in;
    char text[ORDER_TEXT_MAX + 1];

    if (!rd_watch_alarm(m->body, &in) || !span_to_cstr(in.alarm.text, text, sizeof(text))) {
        msg_reply(m, -EBADMSG, SPAN_EMPTY);
        return;
    }
    msg_reply(m, 0, SPAN_EMPTY);
    tell(d, in.event, in.vserver, 0, in.alarm.subject, text);
}
