#include "manager/capture_tables.h"

#include "base/check.h"
#include "manager/table.h"
#include "manager/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { CELL_MAX = 1024, INDENT_MAX = 40 };

/* ---- records ----------------------------------------------------------------------------- */

/* The version that stands on the record itself: with TLS 1.3 it says 1.2, and of a first message 1.0 (RFC 8446 section 5.1). */
static const char *short_version(const char *version)
{
    return strncmp(version, "TLS ", 4) == 0 ? version + 4 : version;
}

/* "1.0: 2, 1.2: 5" of one type. */
static void put_type(const json_t *endpoint, const char *type, struct buf *out)
{
    size_t i;
    json_t *one;

    json_array_foreach(json_object_get(endpoint, "records"), i, one)
    {
        if (strcmp(view_string(one, "type"), type) == 0)
            buf_printf(out, "%s%s: %lld", out->n ? ", " : "",
                       short_version(view_string(one, "version")),
                       (long long)json_integer_value(json_object_get(one, "count")));
    }
}

static void add_up(const json_t *totals, uint64_t n[TLS_TYPES][TLS_VERSIONS])
{
    size_t i, k;
    json_t *endpoint, *one;

    json_array_foreach(json_object_get(totals, "endpoints"), i, endpoint)
    {
        json_array_foreach(json_object_get(endpoint, "records"), k, one)
        {
            for (unsigned t = 0; t < TLS_TYPES; t++)
                for (unsigned v = 0; v < TLS_VERSIONS; v++)
                    if (strcmp(view_string(one, "type"), tls_type_name(t)) == 0 &&
                        strcmp(view_string(one, "version"), tls_version_name(0x300 + v)) == 0)
                        n[t][v] += (uint64_t)json_integer_value(json_object_get(one, "count"));
        }
    }
}

void capture_put_records(const json_t *totals, struct buf *out)
{
    static const struct {
        unsigned type;
        const char *word; /* short: there is one line */
    } shown[] = {
        {2, "handshake"    },
        {3, "data"         },
        {1, "alert"        },
        {0, "change cipher"},
        {4, "heartbeat"    },
    };
    uint64_t n[TLS_TYPES][TLS_VERSIONS] = {{0}};
    size_t begun = out->n;

    add_up(totals, n);
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        bool named = false;
        for (unsigned v = 0; v < TLS_VERSIONS; v++) {
            uint64_t count = n[shown[i].type][v];
            if (count == 0)
                continue;
            if (!named)
                buf_printf(out, "%s%s ", out->n > begun ? "; " : "", shown[i].word);
            buf_printf(out, "%s%s: %llu", named ? ", " : "",
                       short_version(tls_version_name(0x300 + v)), (unsigned long long)count);
            named = true;
        }
    }
}

void capture_show_records(struct capture_view *v)
{
    static const struct view columns[] = {
        {"TLS RECORDS AT",   "endpoint",                 VIEW_TEXT, COLUMN_WHOLE},
        {"HANDSHAKE",        "cells.handshake",          VIEW_TEXT, COLUMN_WRAP },
        {"CHANGE CIPHER",    "cells.change cipher spec", VIEW_TEXT, COLUMN_WRAP },
        {"ALERT",            "cells.alert",              VIEW_TEXT, COLUMN_WRAP },
        {"APPLICATION DATA", "cells.application data",   VIEW_TEXT, COLUMN_WRAP },
        {"HEARTBEAT",        "cells.heartbeat",          VIEW_TEXT, COLUMN_WRAP },
    };
    json_t *rows = json_array(), *endpoint;
    size_t i;

    json_array_foreach(json_object_get(v->totals, "endpoints"), i, endpoint)
    {
        json_t *cells;
        if (json_array_size(json_object_get(endpoint, "records")) == 0)
            continue;
        cells = json_object();
        for (unsigned t = 0; t < TLS_TYPES; t++) {
            struct buf cell BUF_AUTO = BUF(CELL_MAX);
            put_type(endpoint, tls_type_name(t), &cell);
            json_object_set_new(cells, tls_type_name(t), json_string(buf_cstr(&cell)));
        }
        json_array_append_new(rows,
                              json_pack("{s:O,s:o}", "endpoint",
                                        json_object_get(endpoint, "endpoint"), "cells", cells));
    }
    if (json_array_size(rows) > 0) {
        buf_putc(&v->call->out, '\n');
        view_table(v->call, rows, VIEW(columns));
    }
    json_decref(rows);
}

/* ---- names and certificates -------------------------------------------------------------- */

/* The certificate as it was seen; with TLS 1.3 it is encrypted, and what is in service stands in brackets. */
static void put_serial(const struct capture_view *v, const json_t *event, size_t endpoint,
                       struct buf *out)
{
    const char *serial = view_string(event, "serial");

    if (serial[0] != '\0')
        buf_put_cstr(out, serial);
    else if (strcmp(view_string(event, "version"), "TLS 1.3") == 0)
        buf_printf(out, "(%s)", v->serials[endpoint]);
    else
        buf_put_cstr(out, "none seen");
}

static void count_name(const struct capture_view *v, const json_t *event, json_t *by_key)
{
    size_t endpoint = (size_t)json_integer_value(json_object_get(event, "endpoint"));
    struct buf serial BUF_AUTO = BUF(CELL_MAX), key BUF_AUTO = BUF(4 * CELL_MAX);
    const char *sni = view_string(event, "sni"), *version = view_string(event, "version");
    char name[64];
    json_t *row;

    if (endpoint >= v->count)
        return;
    put_serial(v, event, endpoint, &serial);
    buf_printf(&key, "%zu\n%s\n%s\n%s", endpoint, sni, version, buf_cstr(&serial));
    if ((row = json_object_get(by_key, buf_cstr(&key))) == NULL) {
        row = json_pack("{s:s,s:s,s:s,s:s,s:i}", "endpoint",
                        packet_end_print(&v->endpoints[endpoint].end, name), "sni",
                        sni[0] ? sni : "(no name)", "version", version[0] ? version : "none",
                        "serial", buf_cstr(&serial), "count", 0);
        json_object_set_new(by_key, buf_cstr(&key), row);
    }
    json_object_set_new(row, "count",
                        json_integer(json_integer_value(json_object_get(row, "count")) + 1));
}

static int by_count(const void *a, const void *b)
{
    json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "count")),
               y = json_integer_value(json_object_get(*(json_t *const *)b, "count"));

    return x < y ? 1 : x > y ? -1 : 0;
}

void capture_show_names(struct capture_view *v)
{
    static const struct view columns[] = {
        {"ASKED FOR",   "sni",      VIEW_TEXT,   COLUMN_WRAP },
        {"AT",          "endpoint", VIEW_TEXT,   COLUMN_WHOLE},
        {"VERSION",     "version",  VIEW_TEXT,   0           },
        {"CERTIFICATE", "serial",   VIEW_TEXT,   COLUMN_WHOLE},
        {"TIMES",       "count",    VIEW_NUMBER, COLUMN_RIGHT},
    };
    json_t *by_key = json_object(), *rows = json_array(), *one;
    const json_t **all;
    size_t i, n, k = 0;
    const char *key;

    json_array_foreach(v->handshakes, i, one) count_name(v, one, by_key);
    n = json_object_size(by_key);
    all = calloc(n + 1, sizeof *all);
    json_object_foreach(by_key, key, one)
    {
        if (all != NULL)
            all[k++] = one;
    }
    if (all != NULL)
        qsort(all, k, sizeof *all, by_count);
    for (i = 0; i < k && i < CAPTURE_NAMES_SHOWN; i++)
        json_array_append(rows, (json_t *)(uintptr_t)all[i]);
    if (k > 0) {
        buf_putc(&v->call->out, '\n');
        view_table(v->call, rows, VIEW(columns));
        if (k > CAPTURE_NAMES_SHOWN)
            buf_printf(&v->call->out, "and %zu more; --json has them\n", k - CAPTURE_NAMES_SHOWN);
        capture_put_wrapped(
            &v->call->out,
            SPAN("In brackets: TLS 1.3 encrypts the certificate; that one is in service."),
            v->call->columns, 0);
    }
    free(all);
    json_decref(rows);
    json_decref(by_key);
}

/* ---- on a terminal ----------------------------------------------------------------------- */

void capture_put_wrapped(struct buf *out, struct span text, unsigned columns, unsigned indent)
{
    unsigned at = 0;

    if (columns <= indent + INDENT_MAX)
        columns = 0;
    while (columns > 0 && text_width(text) > columns - at) {
        size_t skip, n = text_wrap(text, columns - at, &skip);
        buf_put_span(out, span_head(text, n));
        text = span_skip(text, n + skip);
        buf_printf(out, "\n%*s", (int)indent, "");
        at = indent;
    }
    buf_put_span(out, text);
    buf_putc(out, '\n');
}
