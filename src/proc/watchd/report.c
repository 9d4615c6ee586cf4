/* report.c: what was seen, for the log, /metrics and `sealpost status`. */
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "proc/watchd/watchd.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- log --------------------------------------------------------------------------------- */

static void fault_of(const struct watched *w, char ret[PROBE_DETAIL_MAX])
{
    if (!w->last.up && w->is_outside && !w->was_up)
        snprintf(
            ret, PROBE_DETAIL_MAX,
            "%.250s. It was not reached from here yet: clients may reach it all the same, if the "
            "router does not lead back inside",
            w->last.detail);
    else if (w->is_outside && w->last.up && !w->is_expected)
        snprintf(
            ret, PROBE_DETAIL_MAX,
            "DNS leads to a place that shows certificate %s, but %s is in service here: another "
            "server, or an old one behind that address%s%.150s",
            w->last.serial, w->target.serial, w->last.fits ? "" : "; ",
            w->last.fits ? "" : w->last.detail);
    else if (!w->last.up || !w->last.fits)
        snprintf(ret, PROBE_DETAIL_MAX, "%s", w->last.detail);
    else if (!w->is_expected)
        snprintf(ret, PROBE_DETAIL_MAX, "it shows certificate %s, but %s is in service",
                 w->last.serial, w->target.serial);
    else
        ret[0] = '\0';
}

static void tell_fault(struct watched *w)
{
    char fault[PROBE_DETAIL_MAX], name[400];

    fault_of(w, fault);
    if (strcmp(fault, w->told) == 0)
        return;
    watched_name(w, name);
    if (fault[0] != '\0')
        log_warn("%s at %s fails: %s. `sealpost verify %s` shows more", w->target.vserver->name,
                 name, log_quote(span_cstr(fault)), w->target.vserver->name);
    else
        log_info("%s at %s is well again", w->target.vserver->name, name);
    memcpy(w->told, fault, sizeof w->told);
}

/* Once for each certificate and step. */
static void tell_life(struct watched *w, int64_t now)
{
    unsigned step;
    char name[400];

    if (!w->last.up || w->last.not_after == 0)
        return;
    if (strcmp(w->told_serial, w->last.serial) != 0) {
        memcpy(w->told_serial, w->last.serial, sizeof w->told_serial);
        w->told_step = 0;
    }
    step = probe_life_step(w->last.not_before, w->last.not_after, now);
    if (step <= w->told_step)
        return;
    w->told_step = step;
    log_warn(
        "%s at %s: certificate %s has less than 1/%u of its life left, %lld days; `sealpost cert "
        "show %s` says why it was not renewed",
        w->target.vserver->name, watched_name(w, name), w->last.serial, probe_life_part(step),
        (long long)(w->last.not_after - now) / 86400, w->target.vserver->name);
}

void watchd_tell(struct watched *w, int64_t now)
{
    tell_fault(w);
    tell_life(w, now);
}

/* The message has an end; thousands of endpoints are cut rather than lost. */
static bool has_room(const struct buf *b)
{
    return b->n + 2048 < b->max;
}

/* ---- /metrics ---------------------------------------------------------------------------- */

static double days_left(const struct watched *w)
{
    return (double)(w->last.not_after - clock_seconds()) / 86400;
}

/* One row a gauge of an endpoint: name, help, condition, format, value. */
#define ENDPOINT_METRICS(ROW)                                                                      \
    ROW("endpoint_up", "It listens, and TLS comes about.", true, "%d", w->last.up)                 \
    ROW("endpoint_certificate_fits", "Chain, names and dates of what it serves hold.", true, "%d", \
        w->last.fits)                                                                              \
    ROW("endpoint_certificate_expected", "It serves the certificate that is in service.", true,    \
        "%d", w->last.up && w->is_expected)                                                        \
    ROW("endpoint_certificate_days_left", "Days until what it serves ends.", w->last.up, "%.2f",   \
        days_left(w))

/* The least of a virtual server's endpoints; false: none of them was seen, or this one is not the
 * first. */
static bool least_of(const struct watch_list *l, unsigned first, double *ret)
{
    bool found = false;

    for (unsigned i = 0; i < l->n; i++) {
        const struct watched *w = &l->v[i];
        if (w->target.vserver != l->v[first].target.vserver)
            continue;
        if (i < first)
            return false;
        if (w->last.up && (!found || days_left(w) < *ret)) {
            *ret = days_left(w);
            found = true;
        }
    }
    return found;
}

static void put_least(const struct watch_list *l, struct buf *text)
{
    buf_put_cstr(text, "# HELP sealpost_certificate_days_left Days until the certificate that is "
                       "served ends.\n# TYPE sealpost_certificate_days_left gauge\n");
    for (unsigned i = 0; i < l->n; i++) {
        double least = 0;
        if (has_room(text) && least_of(l, i, &least))
            buf_printf(text, "sealpost_certificate_days_left{vserver=\"%s\"} %.2f\n",
                       l->v[i].target.vserver->name, least);
    }
}

/* Where names lead: 1 all is well there, 0 it is not. */
static void put_outside(const struct watch_list *l, struct buf *text)
{
    static const char *const names[] = {"outside_up", "outside_certificate_expected"};
    static const char *const help[] = {
        "TLS comes about at the address that a name of the virtual server leads to.",
        "The certificate that is in service is shown there, and it fits."};

    for (unsigned k = 0; k < ARRAY_LEN(names); k++) {
        buf_printf(text, "# HELP sealpost_%s %s\n# TYPE sealpost_%s gauge\n", names[k], help[k],
                   names[k]);
        for (unsigned i = 0; i < l->outside_n; i++) {
            const struct watched *w = l->outside[i];
            if (w->at != 0 && has_room(text))
                buf_printf(
                    text, "sealpost_%s{vserver=\"%s\",name=\"%s\",address=\"%s\",port=\"%u\"} %d\n",
                    names[k], w->target.vserver->name, w->name, w->address,
                    w->target.endpoint->port,
                    k == 0 ? w->last.up : w->last.up && w->last.fits && w->is_expected);
        }
    }
}

void watchd_metrics(struct child *c, struct buf *text)
{
    const struct watchd *d = c->state;
    const struct watch_list *l = d->list;
    char name[80];

    if (l == NULL)
        return;
#define ROW(metric, help, condition, format, value)                                                \
    buf_put_cstr(text, "# HELP sealpost_" metric " " help "\n# TYPE sealpost_" metric " gauge\n"); \
    for (unsigned i = 0; i < l->n; i++) {                                                          \
        const struct watched *w = &l->v[i];                                                        \
        if (w->at != 0 && (condition) && has_room(text))                                           \
            buf_printf(text, "sealpost_" metric "{vserver=\"%s\",endpoint=\"%s\"} " format "\n",   \
                       w->target.vserver->name, probe_target_name(&w->target, name), (value));     \
    }
    ENDPOINT_METRICS(ROW)
#undef ROW
    put_outside(l, text);
    put_least(l, text);
    buf_printf(
        text,
        "# HELP sealpost_probe_rounds_total Rounds over all endpoints.\n"
        "# TYPE sealpost_probe_rounds_total counter\nsealpost_probe_rounds_total %" PRIu64 "\n"
        "# HELP sealpost_watch_alarms_total Alarms that the standing probe has raised.\n"
        "# TYPE sealpost_watch_alarms_total counter\nsealpost_watch_alarms_total %" PRIu64 "\n",
        d->rounds, d->alarms);
}

/* ---- status ------------------------------------------------------------------------------ */

static void put_endpoint(const struct watched *w, struct buf *json)
{
    char name[400];

    buf_printf(json,
               "{\"vserver\":\"%s\",\"endpoint\":\"%s\",\"at\":%" PRId64
               ",\"up\":%s,\"fits\":%s,\"expected\":%s,\"failures\":%u,\"serial\":\"%s\","
               "\"expected_serial\":\"%s\",\"not_after\":%" PRId64 ",\"tls\":\"%s\",\"detail\":",
               w->target.vserver->name, watched_name(w, name), w->at, w->last.up ? "true" : "false",
               w->last.fits ? "true" : "false", w->is_expected ? "true" : "false", w->failures,
               w->last.serial, w->target.serial, w->last.not_after, w->last.version);
    json_put_string(json, span_cstr(w->last.detail));
    buf_put_cstr(json, ",\"fault\":");
    json_put_string(json, span_cstr(w->told));
    buf_printf(json, ",\"alarmed\":%s}", w->alarmed != WATCH_FINE ? "true" : "false");
}

/* Where it was not reached yet nothing is known to be wrong. */
static void put_all_outside(const struct watch_list *l, struct buf *json)
{
    for (unsigned i = 0; i < l->outside_n && json->n < json->max / 4 * 3; i++) {
        buf_put_cstr(json, i ? "," : "");
        put_endpoint(l->outside[i], json);
    }
    buf_put_cstr(json, "],\"names\":[");
    for (unsigned i = 0; i < l->dns_n && json->n < json->max / 8 * 7; i++) {
        buf_printf(json, "%s{\"vserver\":\"%s\",\"name\":\"%s\",\"state\":", i ? "," : "",
                   l->dns[i].vserver, l->dns[i].name);
        json_put_string(json, span_cstr(l->dns[i].state));
        buf_putc(json, '}');
    }
}

void watchd_status(struct child *c, struct buf *json)
{
    const struct watchd *d = c->state;

    buf_printf(json, "\"rounds\":%" PRIu64 ",\"endpoints\":[", d->rounds);
    for (unsigned i = 0; d->list != NULL && i < d->list->n && json->n < json->max / 2; i++) {
        buf_put_cstr(json, i ? "," : "");
        put_endpoint(&d->list->v[i], json);
    }
    buf_put_cstr(json, "],\"outside\":[");
    if (d->list != NULL)
        put_all_outside(d->list, json);
    buf_putc(json, ']');
}
