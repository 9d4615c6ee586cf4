/* report.c: what a worker says about itself: JSON for `sealpost status` and `session list`,
 * Prometheus lines for /metrics. */
#include "line/engine.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>

/* One row a counter of a virtual server: name, type, help, value. */
#define VSERVER_METRICS(ROW)                                                                       \
    ROW("sessions", "gauge", "open sessions", v->sessions)                                         \
    ROW("accepted_total", "counter", "connections accepted", v->accepted)                          \
    ROW("refused_total", "counter", "connections refused by connection control or limits",         \
        v->refused)                                                                                \
    ROW("logins_total", "counter", "successful logins", v->logins)                                 \
    ROW("login_failures_total", "counter", "failed logins", v->login_failures)                     \
    ROW("commands_total", "counter", "commands", v->commands)                                      \
    ROW("protocol_errors_total", "counter", "commands refused as wrong", v->protocol_errors)       \
    ROW("timeouts_total", "counter", "sessions ended for silence", v->timeouts)                    \
    ROW("bytes_in_total", "counter", "bytes received in ended sessions", v->bytes_in)              \
    ROW("bytes_out_total", "counter", "bytes sent in ended sessions", v->bytes_out)                \
    ROW("tls_handshakes_total", "counter", "TLS handshakes completed", t->handshakes)              \
    ROW("tls_resumed_total", "counter", "of them resumed", t->resumed)                             \
    ROW("tls_failed_total", "counter", "TLS handshakes that failed", t->failed)                    \
    ROW("plaintext_bytes_total", "counter",                                                        \
        "bytes outside TLS beyond the plain grammar; must stay 0", t->plaintext_bytes)             \
    ROW("plaintext_credentials_total", "counter", "logins tried without TLS, all refused",         \
        t->plaintext_credentials)

static bool reported(const struct worker_vserver *v)
{
    return v->protocol && v->conf && v->conf->enabled;
}

/* ---- names that no certificate covers ------------------------------------------------------ */

/* Strangers choose them: /metrics has one number a virtual server, the names stand in the status only. */
enum { UNCOVERED_MAX = 40 };

struct uncovered {
    struct buf *json;       /* NULL: only counted */
    uint64_t at_least, max; /* which names: by how often they were asked for; 0: no end */
    uint64_t count;
    unsigned names;
};

static void on_sni(const char *name, uint64_t count, bool covered, void *arg)
{
    struct uncovered *u = arg;

    if (covered || count == 0 || count < u->at_least || (u->max > 0 && count > u->max))
        return;
    u->count += count;
    if (u->json == NULL || u->names >= UNCOVERED_MAX || u->json->n > u->json->max * 3 / 4)
        return;
    buf_printf(u->json, "%s{\"name\":", u->names++ ? "," : "");
    json_put_string(u->json, span_cstr(name));
    buf_printf(u->json, ",\"count\":%" PRIu64 "}", count);
}

static void put_uncovered(const struct worker_vserver *v, struct buf *text)
{
    struct uncovered u = {.json = NULL};

    tls_context_sni_each(v->tls, on_sni, &u);
    buf_printf(text, "sealpost_sni_uncovered_total{vserver=\"%s\"} %" PRIu64 "\n", v->name,
               u.count);
}

void worker_metrics(struct worker *w, struct buf *text)
{
#define ROW(metric, type, help, value)                                                             \
    for (unsigned i = 0; i < w->vserver_count; i++) {                                              \
        const struct worker_vserver *v = w->vservers[i];                                           \
        const struct tls_counters *t = tls_context_counters(v->tls);                               \
        (void)t;                                                                                   \
        if (reported(v))                                                                           \
            buf_printf(text, "sealpost_" metric "{vserver=\"%s\"} %" PRIu64 "\n", v->name,         \
                       (uint64_t)(value));                                                         \
    }
    VSERVER_METRICS(ROW)
#undef ROW
    for (unsigned i = 0; i < w->vserver_count; i++)
        if (reported(w->vservers[i]))
            put_uncovered(w->vservers[i], text);
}

void worker_status(struct worker *w, struct buf *json)
{
    bool first = true;
    buf_printf(json, "\"sessions\":%u,\"vservers\":[", w->session_count);
    for (unsigned i = 0; i < w->vserver_count; i++) {
        const struct worker_vserver *v = w->vservers[i];
        const struct tls_counters *t = tls_context_counters(v->tls);
        char serial[68];
        if (!reported(v))
            continue;
        tls_context_serial(v->tls, serial);
        buf_printf(json, "%s{\"name\":\"%s\",\"serial\":\"%s\"", first ? "" : ",", v->name, serial);
        first = false;
#define ROW(metric, type, help, value)                                                             \
    buf_printf(json, ",\"" metric "\":%" PRIu64, (uint64_t)(value));
        VSERVER_METRICS(ROW)
#undef ROW
        (void)t;
        struct uncovered u = {.json = json, .at_least = 2};
        buf_put_cstr(json, ",\"uncovered\":[");
        tls_context_sni_each(v->tls, on_sni, &u);
        /* a flood of names that are asked for once hides none that comes again */
        u.at_least = 0;
        u.max = 1;
        tls_context_sni_each(v->tls, on_sni, &u);
        buf_printf(json, "],\"sni_uncovered_total\":%" PRIu64 "}", u.count);
    }
    buf_putc(json, ']');
}

void worker_sessions(struct worker *w, uint64_t after, struct buf *json)
{
    bool first = true;
    list_for_each (&w->sessions, struct session, in_worker, s) {
        struct buf row BUF_AUTO = BUF(8192);
        struct conn_tls_info t = {0};

        if (s->number <= after)
            continue;
        if (s->tls)
            conn_tls_info(s->conn, &t);
        buf_printf(&row,
                   "%s{\"number\":%" PRIu64
                   ",\"worker\":\"%s-%u\",\"vserver\":\"%s\",\"protocol\":\"%s\",\"peer\":",
                   first ? "" : ",", s->number, role_name(w->role), w->instance, s->vserver->name,
                   s->protocol->name);
        json_put_string(&row, span_cstr(conn_peer_text(s->conn)));
        buf_put_cstr(&row, ",\"user\":");
        json_put_string(&row, span_cstr(s->user.address));
        buf_printf(&row,
                   ",\"started\":%" PRId64 ",\"doing\":\"%s\",\"commands\":%" PRIu64
                   ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64,
                   s->started, s->doing, s->commands, conn_bytes_in(s->conn),
                   conn_bytes_out(s->conn));
        buf_printf(&row, ",\"tls\":\"%s\",\"cipher\":\"%s\",\"serial\":\"%s\",\"sni\":",
                   t.on ? t.version : "", t.on ? t.cipher : "", t.serial);
        json_put_string(&row, span_cstr(t.sni));
        buf_putc(&row, '}');
        if (row.overflow || json->n + row.n > json->max)
            return;
        buf_put_span(json, buf_span(&row));
        first = false;
    }
}
