#include "manager/capture_view.h"

#include "base/check.h"
#include "base/clock.h"
#include "manager/capture_tables.h"
#include "manager/table.h"
#include "manager/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WIDE_COLUMNS = 130 };

void capture_view_init(struct capture_view *v, struct call *c,
                       const struct observe_endpoint *endpoints, const char *const *serials,
                       unsigned count, bool live)
{
    *v = (struct capture_view){.call = c,
                               .endpoints = endpoints,
                               .serials = serials,
                               .count = count,
                               .live = live,
                               .start_ms = clock_mono_ms(),
                               .lines = json_array(),
                               .handshakes = json_array(),
                               .offences = json_array()};
}

void capture_view_done(struct capture_view *v)
{
    json_decref(v->lines);
    json_decref(v->handshakes);
    json_decref(v->offences);
    json_decref(v->totals);
}

static uint64_t number(const json_t *o, const char *name)
{
    const json_t *n = json_object_get(o, name);

    return json_is_integer(n) && json_integer_value(n) > 0 ? (uint64_t)json_integer_value(n) : 0;
}

static const char *text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));

    return s != NULL ? s : "";
}

static const struct offence_row *row_of(const json_t *event)
{
    for (unsigned i = 0; i < OFFENCE_COUNT; i++)
        if (strcmp(offence_rows[i].name, text_of(event, "offence")) == 0)
            return &offence_rows[i];
    return NULL;
}

/* ---- as it comes ------------------------------------------------------------------------- */

static void put_time(struct buf *b, const json_t *event)
{
    uint64_t us = number(event, "time_us");
    time_t s = (time_t)(us / 1000000);
    struct tm tm;
    char text[16];

    localtime_r(&s, &tm);
    strftime(text, sizeof text, "%H:%M:%S", &tm);
    buf_printf(b, "%s.%06u", text, (unsigned)(us % 1000000));
}

static void put_tls(struct buf *b, const struct capture_view *v, const json_t *event,
                    unsigned endpoint)
{
    const char *serial = text_of(event, "serial"), *in_service = v->serials[endpoint];

    if (text_of(event, "version")[0] == '\0') {
        buf_put_cstr(b, "TLS: no handshake came about");
    } else {
        buf_printf(b, "%s  %s", text_of(event, "version"), text_of(event, "cipher"));
        if (text_of(event, "group")[0] != '\0')
            buf_printf(b, "  %s", text_of(event, "group"));
    }
    buf_put_cstr(b, text_of(event, "sni")[0] ? "  asked for " : "  no name was asked for");
    text_put_safe(b, span_cstr(text_of(event, "sni")), false);
    if (serial[0] != '\0')
        buf_printf(b, "  certificate %s", serial);
    else if (strcmp(text_of(event, "version"), "TLS 1.3") == 0)
        buf_printf(b, "  certificate encrypted%s%s%s", in_service[0] ? " (in service: " : "",
                   in_service, in_service[0] ? ")" : "");
    if (number(event, "alert_level") > 0)
        buf_printf(b, "  alert %u", (unsigned)number(event, "alert"));
}

static void put_event(struct buf *b, const struct capture_view *v, const json_t *event,
                      unsigned endpoint)
{
    const struct offence_row *row = row_of(event);

    put_time(b, event);
    buf_printf(b, "  %-18s %-21s %s  ", v->endpoints[endpoint].vserver, text_of(event, "client"),
               strcmp(text_of(event, "type"), "tls") == 0            ? "<>"
               : json_is_true(json_object_get(event, "from_server")) ? "<-"
                                                                     : "->");
    if (strcmp(text_of(event, "type"), "tls") == 0)
        put_tls(b, v, event, endpoint);
    else if (row != NULL)
        buf_printf(b, "%s packet %" PRIu64 ": %s ", row->whose == WHOSE_SERVER ? "!!" : "!",
                   number(event, "packet"), row->meaning);
    text_put_safe(b, span_cstr(text_of(event, "text")), false);
}

static double share(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static void sum(const struct capture_view *v, const char *name, uint64_t *ret)
{
    size_t i;
    json_t *one;

    *ret = 0;
    json_array_foreach(json_object_get(v->totals, "endpoints"), i, one) *ret += number(one, name);
}

static void clear_status(struct capture_view *v)
{
    for (; v->status_lines > 0; v->status_lines--)
        fputs(v->status_lines > 1 ? "\r\033[K\033[A" : "\r\033[K", stdout);
}

/* A line that goes on below would not be taken back. */
static void put_status_line(struct capture_view *v, const struct buf *line)
{
    struct buf cut BUF_AUTO = BUF(16384);

    text_put_cut(&cut, buf_span(line), v->call->columns - 1);
    printf("%s%s", v->status_lines > 0 ? "\n" : "", buf_cstr(&cut));
    v->status_lines++;
}

static void show_status(struct capture_view *v)
{
    struct buf line BUF_AUTO = BUF(4096), records BUF_AUTO = BUF(4096);
    uint64_t bytes, tls;

    clear_status(v);
    sum(v, "bytes", &bytes);
    sum(v, "tls_bytes", &tls);
    buf_printf(&line,
               "%5.1f s  %" PRIu64 " packets  %" PRIu64
               " bytes  TLS %.2f %%  %zu offences  %" PRIu64 " dropped   (ends with Ctrl-C)",
               (double)(clock_mono_ms() - v->start_ms) / 1000, number(v->totals, "packets"), bytes,
               share(tls, bytes), json_array_size(v->offences), number(v->totals, "dropped"));
    put_status_line(v, &line);
    buf_put_cstr(&records, "records: ");
    capture_put_records(v->totals, &records);
    if (records.n > sizeof "records: " - 1)
        put_status_line(v, &records);
    fflush(stdout);
}

/* ---- taking ------------------------------------------------------------------------------ */

static void keep(json_t *list, json_t *event)
{
    if (json_array_size(list) < CAPTURE_EVENTS_KEPT)
        json_array_append(list, event);
}

static void take_event(struct capture_view *v, json_t *event)
{
    const struct offence_row *row = row_of(event);
    const char *type = text_of(event, "type");
    uint64_t endpoint = number(event, "endpoint");
    struct buf line BUF_AUTO = BUF(16384), text BUF_AUTO = BUF(32768);

    if (endpoint >= v->count)
        return;
    json_object_set_new(event, "vserver", json_string(v->endpoints[endpoint].vserver));
    if (row != NULL) {
        /* a secret's is who sent it */
        bool server = row == &offence_rows[OFFENCE_SECRET]
                          ? json_is_true(json_object_get(event, "from_server"))
                          : row->whose == WHOSE_SERVER;
        json_object_set_new(event, "whose", json_string(server ? "server" : "client"));
        json_object_set_new(event, "meaning", json_string(row->meaning));
        json_object_set_new(event, "remedy", json_string(row->remedy));
    }
    v->offence_count += strcmp(type, "offence") == 0;
    if (strcmp(type, "tls") == 0)
        keep(v->handshakes, event);
    else
        keep(strcmp(type, "offence") == 0 ? v->offences : v->lines, event);
    if (!v->live)
        return;
    clear_status(v);
    put_event(&line, v, event, (unsigned)endpoint);
    capture_put_wrapped(&text, buf_span(&line), v->call->columns, 4);
    fwrite(text.p, 1, text.n, stdout);
    fflush(stdout);
}

void capture_view_take(struct capture_view *v, struct span line)
{
    json_t *m = json_loadb(line.p ? line.p : "", line.n, 0, NULL);
    const char *type = text_of(m, "type");

    if (strcmp(type, "ready") == 0) {
        v->is_ready = true;
        snprintf(v->ready, sizeof v->ready, "%s", text_of(m, "lower"));
    } else if (strcmp(type, "failed") == 0) {
        snprintf(v->failed, sizeof v->failed, "%s", text_of(m, "text"));
    } else if (strcmp(type, "totals") == 0) {
        json_decref(v->totals);
        v->totals = json_incref(m);
        v->is_final = json_is_true(json_object_get(m, "final"));
        if (v->live && v->call->columns > 0)
            show_status(v);
    } else if (m != NULL) {
        take_event(v, m);
    }
    json_decref(m);
}

/* ---- verdict ----------------------------------------------------------------------------- */

unsigned capture_view_faults(const struct capture_view *v)
{
    unsigned n = 0;
    size_t i;
    json_t *one;

    json_array_foreach(json_object_get(v->totals, "endpoints"), i, one)
    {
        const json_t *offences = json_object_get(one, "offences");
        for (unsigned k = 0; k < OFFENCE_COUNT; k++)
            if (offence_rows[k].whose == WHOSE_SERVER)
                n += (unsigned)number(offences, offence_rows[k].name);
    }
    return n;
}

static bool is_of_probe(const struct capture_view *v, const json_t *event)
{
    char key[160];

    if (v->probe == NULL)
        return false;
    snprintf(key, sizeof key, "%s %s", text_of(event, "client"), text_of(event, "server"));
    return map_get(v->probe, span_cstr(key)) != NULL;
}

uint64_t capture_view_client_faults(const struct capture_view *v)
{
    /* of those that were not kept nobody knows whose they are: all count */
    uint64_t n = v->offence_count - json_array_size(v->offences);
    size_t i;
    json_t *one;

    json_array_foreach(v->offences, i, one)
    {
        const struct offence_row *row = row_of(one);
        bool probe = is_of_probe(v, one);
        json_object_set_new(one, "of_probe", json_boolean(probe));
        n += row != NULL && row->whose == WHOSE_CLIENT && !probe;
    }
    return n;
}

/* An endpoint on which nobody connected; -1: none. */
static int silent_endpoint(const struct capture_view *v)
{
    size_t i;
    json_t *one;

    json_array_foreach(json_object_get(v->totals, "endpoints"), i, one)
    {
        if (i < v->count && number(one, "connections") == 0)
            return (int)i;
    }
    return -1;
}

const char *capture_view_verdict(const struct capture_view *v, bool every_endpoint)
{
    static char text[460];
    uint64_t gaps, bytes;
    char name[64];
    int silent = every_endpoint ? silent_endpoint(v) : -1;

    sum(v, "gap_bytes", &gaps);
    sum(v, "bytes", &bytes);
    if (v->failed[0] != '\0')
        snprintf(text, sizeof text, "the jail does not stand: %s", v->failed);
    else if (!v->is_final)
        snprintf(text, sizeof text, "the capture has ended early");
    else if (capture_view_faults(v) > 0)
        snprintf(text, sizeof text, "%u offences, named above", capture_view_faults(v));
    else if (number(v->totals, "dropped") > 0)
        snprintf(text, sizeof text,
                 "%" PRIu64 " packets were dropped: they may have held anything. Capture one "
                 "virtual server at a time with --vserver, or when less goes on",
                 number(v->totals, "dropped"));
    else if (gaps > 0 || number(v->totals, "cut") > 0 || number(v->totals, "fragments") > 0)
        snprintf(text, sizeof text,
                 "%" PRIu64 " bytes are missing from connections: they may have held anything. "
                 "Capture on the interface that carries all of them",
                 gaps);
    else if (number(v->totals, "forgotten") > 0)
        snprintf(text, sizeof text, "more than %d connections at once: not all were looked at",
                 OBSERVE_FLOWS_MAX);
    else if (silent >= 0)
        snprintf(text, sizeof text, "no connection to %s of %s was captured",
                 packet_end_print(&v->endpoints[silent].end, name), v->endpoints[silent].vserver);
    else if (every_endpoint && bytes == 0)
        snprintf(text, sizeof text, "no byte was captured");
    else
        return NULL;
    return text;
}

/* ---- summary ----------------------------------------------------------------------------- */

/* The same where a table would leave no room for the words. */
static void list_offences(struct capture_view *v)
{
    size_t i;
    json_t *one;

    json_array_foreach(v->offences, i, one)
    {
        struct buf line BUF_AUTO = BUF(16384);
        buf_printf(
            &line,
            "packet %" PRIu64 ", offset %" PRIu64 "  %s  %s  %s \xe2\x86\x92 %s  fault of the "
            "%s%s: ",
            number(one, "packet"), number(one, "offset"), text_of(one, "at"),
            text_of(one, "vserver"), text_of(one, "from"), text_of(one, "to"),
            text_of(one, "whose"),
            json_is_true(json_object_get(one, "of_probe")) ? " (the probe, on purpose)" : "");
        text_put_safe(&line, span_cstr(text_of(one, "what")), false);
        capture_put_wrapped(&v->call->out, buf_span(&line), v->call->columns, 4);
    }
}

static void show_offences(struct capture_view *v)
{
    static const struct view columns[] = {
        {"PACKET",         "packet",  VIEW_NUMBER, COLUMN_RIGHT | COLUMN_WHOLE},
        {"OFFSET",         "offset",  VIEW_NUMBER, COLUMN_RIGHT | COLUMN_WHOLE},
        {"TIME",           "at",      VIEW_TEXT,   COLUMN_WHOLE               },
        {"VIRTUAL SERVER", "vserver", VIEW_TEXT,   COLUMN_WHOLE               },
        {"FROM",           "from",    VIEW_TEXT,   COLUMN_WHOLE               },
        {"TO",             "to",      VIEW_TEXT,   COLUMN_WHOLE               },
        {"FAULT OF",       "whose",   VIEW_TEXT,   0                          },
        {"WHAT",           "what",    VIEW_TEXT,   COLUMN_WRAP                },
    };
    size_t i;
    json_t *one;

    json_array_foreach(v->offences, i, one)
    {
        struct buf at BUF_AUTO = BUF(64), what BUF_AUTO = BUF(8192);
        bool server = json_is_true(json_object_get(one, "from_server"));
        bool remedy = row_of(one) != NULL && row_of(one)->whose == WHOSE_SERVER;
        put_time(&at, one);
        buf_printf(&what, "%s%s%s.%s%s", text_of(one, "meaning"),
                   text_of(one, "text")[0] ? ": " : "", text_of(one, "text"),
                   remedy ? " Remedy: " : "", remedy ? text_of(one, "remedy") : "");
        if (json_is_true(json_object_get(one, "of_probe")))
            buf_put_cstr(&what, " It was the probe, on purpose.");
        json_object_set_new(one, "at", json_string(buf_cstr(&at)));
        json_object_set_new(one, "what", view_text(buf_cstr(&what)));
        json_object_set(one, "from", json_object_get(one, server ? "server" : "client"));
        json_object_set(one, "to", json_object_get(one, server ? "client" : "server"));
    }
    if (json_array_size(v->offences) == 0)
        return;
    if (v->call->columns > 0 && v->call->columns < WIDE_COLUMNS)
        list_offences(v);
    else
        view_table(v->call, v->offences, VIEW(columns));
    buf_putc(&v->call->out, '\n');
}

static void describe_endpoints(struct capture_view *v)
{
    size_t i;
    json_t *one;
    char name[64];

    json_array_foreach(json_object_get(v->totals, "endpoints"), i, one)
    {
        struct buf versions BUF_AUTO = BUF(1024), percent BUF_AUTO = BUF(32);
        const char *key;
        json_t *value;
        uint64_t offences = 0;
        if (i >= v->count)
            break;
        json_object_foreach(json_object_get(one, "handshakes"), key, value)
            buf_printf(&versions, "%s%s: %lld", versions.n ? ", " : "", key,
                       (long long)json_integer_value(value));
        json_object_foreach(json_object_get(one, "offences"), key, value) offences +=
            (uint64_t)json_integer_value(value);
        buf_printf(&percent, "%.2f %%", share(number(one, "tls_bytes"), number(one, "bytes")));
        json_object_set_new(one, "vserver", json_string(v->endpoints[i].vserver));
        json_object_set_new(one, "endpoint",
                            json_string(packet_end_print(&v->endpoints[i].end, name)));
        json_object_set_new(one, "policy", json_string(conf_policy_name(v->endpoints[i].policy)));
        json_object_set_new(one, "tls_share", json_string(buf_cstr(&percent)));
        json_object_set_new(one, "versions", json_string(buf_cstr(&versions)));
        json_object_set_new(one, "offence_count", json_integer((json_int_t)offences));
        json_object_set_new(one, "serial_in_service", json_string(v->serials[i]));
    }
}

static void show_endpoints(struct capture_view *v)
{
    static const struct view columns[] = {
        {"VIRTUAL SERVER", "vserver",       VIEW_TEXT,   COLUMN_WHOLE},
        {"ENDPOINT",       "endpoint",      VIEW_TEXT,   COLUMN_WHOLE},
        {"POLICY",         "policy",        VIEW_TEXT,   COLUMN_WHOLE},
        {"CONNECTIONS",    "connections",   VIEW_NUMBER, COLUMN_RIGHT},
        {"HANDSHAKES",     "versions",      VIEW_TEXT,   COLUMN_WHOLE},
        {"BYTES",          "bytes",         VIEW_NUMBER, COLUMN_RIGHT},
        {"TLS",            "tls_share",     VIEW_TEXT,   COLUMN_RIGHT},
        {"LINES IN CLEAR", "lines",         VIEW_NUMBER, COLUMN_RIGHT},
        {"OFFENCES",       "offence_count", VIEW_NUMBER, COLUMN_RIGHT},
    };

    static const struct view narrow[] = {
        {"SERVER",     "vserver",       VIEW_TEXT,   COLUMN_WRAP },
        {"ENDPOINT",   "endpoint",      VIEW_TEXT,   COLUMN_WHOLE},
        {"CONN",       "connections",   VIEW_NUMBER, COLUMN_RIGHT},
        {"HANDSHAKES", "versions",      VIEW_TEXT,   COLUMN_WRAP },
        {"BYTES",      "bytes",         VIEW_NUMBER, COLUMN_RIGHT},
        {"TLS",        "tls_share",     VIEW_TEXT,   COLUMN_RIGHT},
        {"LINES",      "lines",         VIEW_NUMBER, COLUMN_RIGHT},
        {"FAULTS",     "offence_count", VIEW_NUMBER, COLUMN_RIGHT},
    };
    const json_t *rows = json_object_get(v->totals, "endpoints");

    if (v->call->columns > 0 && v->call->columns < WIDE_COLUMNS)
        view_table(v->call, rows, VIEW(narrow));
    else
        view_table(v->call, rows, VIEW(columns));
}

json_t *capture_view_json(struct capture_view *v, const char *mode, const char *verdict,
                          json_t *take_more)
{
    json_t *all;

    if (v->totals == NULL)
        v->totals = json_object();
    describe_endpoints(v);
    all = json_pack("{s:s,s:b,s:s,s:f,s:O,s:O,s:O,s:O}", "mode", mode, "clean", verdict == NULL,
                    "verdict", verdict != NULL ? verdict : "clean", "seconds",
                    (double)(clock_mono_ms() - v->start_ms) / 1000, "totals", v->totals, "offences",
                    v->offences, "handshakes", v->handshakes, "lines", v->lines);
    CHECK(all != NULL);
    json_object_update(all, take_more);
    json_decref(take_more);
    return all;
}

void capture_view_show(struct capture_view *v, const char *mode)
{
    struct buf *out = &v->call->out, line BUF_AUTO = BUF(4096);
    uint64_t bytes, tls, clear, unsynced;

    clear_status(v);
    if (v->totals == NULL)
        v->totals = json_object();
    describe_endpoints(v);
    sum(v, "bytes", &bytes);
    sum(v, "tls_bytes", &tls);
    sum(v, "clear_bytes", &clear);
    sum(v, "unsynced_bytes", &unsynced);
    show_offences(v);
    show_endpoints(v);
    capture_show_records(v);
    capture_show_names(v);
    buf_printf(&line,
               "%.1f s by %s: %" PRIu64 " packets kept, %" PRIu64 " dropped; %" PRIu64
               " bytes: %" PRIu64 " in TLS (%.2f %%), %" PRIu64 " in clear, %" PRIu64
               " of sessions that had begun before",
               (double)(clock_mono_ms() - v->start_ms) / 1000, mode, number(v->totals, "kept"),
               number(v->totals, "dropped"), bytes, tls, share(tls, bytes), clear, unsynced);
    buf_putc(out, '\n');
    capture_put_wrapped(out, buf_span(&line), v->call->columns, 0);
    if (v->ready[0] != '\0')
        buf_printf(out, "The jail of the parser is lower than it could be: %s\n", v->ready);
}
