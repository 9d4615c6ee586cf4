#include "manager/verify_table.h"

#include "base/check.h"
#include "manager/table.h"
#include "manager/text.h"
#include "manager/view.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *results_json(const struct probe_result *results, unsigned count)
{
    json_t *all = json_array();

    for (unsigned i = 0; i < count; i++) {
        const struct probe_result *r = &results[i];
        char name[80];
        json_array_append_new(
            all, json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:s,s:s,s:s,s:i}", "vserver",
                           r->target->vserver->name, "endpoint", probe_target_name(r->target, name),
                           "policy", conf_policy_name(r->target->endpoint->policy), "check",
                           r->check->name, "result", probe_verdict_name(r->verdict), "detail",
                           view_text(r->detail), "proves", r->check->doc, "remedy",
                           r->verdict == PROBE_FAIL ? r->remedy : "", "rfc", r->check->rfc, "ms",
                           (int)r->ms));
    }
    return all;
}

/* ---- rows -------------------------------------------------------------------------------- */

/* Do all results of that virtual server and check say the same? Details of a PASS may differ (a
 * serial, a message's id). */
static bool agree(const struct probe_result *results, unsigned count, const struct probe_result *r,
                  unsigned *ret_endpoints)
{
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++) {
        const struct probe_result *o = &results[i];
        if (o->target->vserver != r->target->vserver || o->check != r->check)
            continue;
        n++;
        if (o->verdict != r->verdict ||
            (o->verdict != PROBE_PASS &&
             (strcmp(o->detail, r->detail) != 0 || strcmp(o->remedy, r->remedy) != 0)))
            return false;
    }
    *ret_endpoints = n;
    return true;
}

static bool is_first(const struct probe_result *results, const struct probe_result *r)
{
    for (const struct probe_result *o = results; o < r; o++)
        if (o->target->vserver == r->target->vserver && o->check == r->check)
            return false;
    return true;
}

struct rows {
    struct table *table;
    const struct conf_vserver *last;
};

static void put_whole(struct table *t, const struct probe_result *r)
{
    struct buf text BUF_AUTO = BUF(2048);

    buf_put_cstr(&text, r->detail);
    if (r->verdict == PROBE_FAIL)
        buf_printf(&text, ". Remedy: %s", r->remedy);
    table_put(t, buf_span(&text));
}

static void put_row(struct rows *rows, const struct probe_result *r, const char *endpoint,
                    const char *check)
{
    /* a name once, not down the whole column */
    bool again = rows->last == r->target->vserver;

    table_put(rows->table, again ? SPAN_EMPTY : span_cstr(r->target->vserver->name));
    table_put(rows->table, span_cstr(endpoint));
    table_put(rows->table, span_cstr(check));
    table_put(rows->table, span_cstr(probe_verdict_name(r->verdict)));
    /* what passed is evidence; what did not has the remedy, to be read whole */
    if (r->verdict == PROBE_PASS)
        table_put_short(rows->table, span_cstr(r->detail));
    else
        put_whole(rows->table, r);
    rows->last = r->target->vserver;
}

/* What was not tried because an endpoint is silent is one row for the whole virtual server. */
static void put_untried(struct rows *rows, const struct probe_result *results, unsigned count,
                        const struct conf_vserver *v)
{
    const struct probe_result *one = NULL;
    unsigned n = 0;
    char more[32];

    for (unsigned i = 0; i < count; i++)
        if (results[i].target->vserver == v && results[i].untried) {
            one = &results[i];
            n++;
        }
    if (one == NULL)
        return;
    snprintf(more, sizeof more, "%u more", n);
    put_row(rows, one, "", more);
}

/* One virtual server: by check, so that its endpoints stand together. */
static void put_vserver(struct rows *rows, const struct probe_result *results, unsigned count,
                        const struct conf_vserver *v, bool each)
{
    for (unsigned k = 0; k < probe_check_count; k++)
        for (unsigned i = 0; i < count; i++) {
            const struct probe_result *r = &results[i];
            unsigned endpoints;
            char name[80];
            if (r->target->vserver != v || r->check != &probe_checks[k] || (r->untried && !each))
                continue;
            if (each || !agree(results, count, r, &endpoints) || endpoints == 1) {
                put_row(rows, r, probe_target_name(r->target, name), r->check->name);
            } else if (is_first(results, r)) {
                snprintf(name, sizeof name, "%u endpoints", endpoints);
                put_row(rows, r, name, r->check->name);
            }
        }
    if (!each)
        put_untried(rows, results, count, v);
}

static void show_table(struct call *c, const struct probe_result *results, unsigned count)
{
    static const struct table_column columns[] = {
        {"VIRTUAL SERVER", COLUMN_WHOLE},
        {"ENDPOINT",       COLUMN_WHOLE},
        {"CHECK",          COLUMN_WHOLE},
        {"RESULT",         COLUMN_WHOLE},
        {"DETAIL",         COLUMN_WRAP },
    };
    struct rows rows = {.table = table_new(columns, ARRAY_LEN(columns))};

    for (unsigned i = 0; i < count; i++)
        if (i == 0 || results[i].target->vserver != results[i - 1].target->vserver)
            put_vserver(&rows, results, count, results[i].target->vserver, has_option(c, OPT_EACH));
    table_print(rows.table, c->columns, &c->out);
    table_free(rows.table);
}

static json_t *warnings_json(struct span lines)
{
    json_t *all = json_array();
    struct span line;

    while (span_split(&lines, '\n', &line)) {
        char *text = span_dup(line);
        json_array_append_new(all, view_text(text));
        free(text);
    }
    return all;
}

static json_t *facts_json(const struct verify_report *r)
{
    json_t *all = json_array();

    for (unsigned i = 0; i < r->plan->target_count; i++) {
        const struct probe_target *t = &r->plan->targets[i];
        const struct probe_facts *f = &r->plan->facts[i];
        char name[80];
        if (!t->wanted || !f->known)
            continue;
        json_array_append_new(
            all, json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:s,s:s,s:s,s:s,s:I,s:I,s:i,s:b}",
                           "vserver", t->vserver->name, "endpoint", probe_target_name(t, name),
                           "version", f->version, "cipher", f->cipher, "group", f->group, "subject",
                           view_text(f->subject), "issuer", view_text(f->issuer), "names",
                           view_text(f->names), "serial", f->serial, "sha256", f->sha256,
                           "spki_sha256", f->spki_sha256, "key_type", f->key_type, "not_before",
                           (json_int_t)f->not_before, "not_after", (json_int_t)f->not_after,
                           "chain_length", (int)f->chain_length, "stapled", f->stapled));
    }
    return all;
}

unsigned verify_show(struct call *c, const struct verify_report *r)
{
    const struct probe_result *results = r->results;
    unsigned n[3] = {0, 0, 0}, count = r->count;
    uint64_t took_ms = r->took_ms;
    json_t *v;

    for (unsigned i = 0; i < count; i++)
        n[results[i].verdict]++;
    if (has_option(c, OPT_JSON)) {
        v = json_pack("{s:b,s:i,s:i,s:i,s:I,s:o,s:o,s:o}", "passed_all",
                      n[PROBE_FAIL] == 0 && !r->incomplete, "passed", (int)n[PROBE_PASS], "failed",
                      (int)n[PROBE_FAIL], "skipped", (int)n[PROBE_SKIP], "ms", (json_int_t)took_ms,
                      "results", results_json(results, count), "served", facts_json(r), "warnings",
                      warnings_json(r->warnings));
        view_json(c, v);
        json_decref(v);
        return n[PROBE_FAIL];
    }
    show_table(c, results, count);
    buf_printf(&c->out, "\n%u checks in %u.%u s: %u passed, %u failed, %u skipped\n", count,
               (unsigned)(took_ms / 1000), (unsigned)(took_ms % 1000 / 100), n[PROBE_PASS],
               n[PROBE_FAIL], n[PROBE_SKIP]);
    if (r->warnings.n > 0)
        buf_putc(&c->out, '\n');
    text_put_safe(&c->out, r->warnings, true);
    return n[PROBE_FAIL];
}
