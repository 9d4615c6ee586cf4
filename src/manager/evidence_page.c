#include "manager/evidence_page.h"

#include "base/check.h"
#include "manager/evidence_capture.h"
#include "manager/evidence_since.h"
#include "manager/html.h"
#include "manager/view.h"

#include <stdlib.h>
#include <time.h>

#define JSON_BEGIN "<script type=\"application/json\" id=\"evidence\">"
#define JSON_END "</script>"

/* Beside the style of all pages: what was and what is, and long text that keeps its lines. */
static const char style[] =
    "section{overflow-x:auto}td code,td.old,td.new,td.what{overflow-wrap:anywhere}"
    "table.since{table-layout:fixed;min-width:640px}table.since col.where{width:20%}table.since "
    "col.what{width:20%}"
    "td.old{color:var(--bad)}td.new{color:var(--good)}td.none{color:var(--soft)}"
    "h3{font-size:14px;margin:18px 0 2px}h3 span{color:var(--soft);font-weight:400}"
    "pre.settings{white-space:pre-wrap;overflow-wrap:anywhere;margin:0}"
    "details summary{cursor:pointer;font-size:19px;font-weight:700}details pre{margin-top:14px!"
    "important}td.when{white-space:nowrap;color:var(--soft)}p.line{margin:0 0 10px;overflow-wrap:"
    "anywhere}";

static int64_t integer_of(const json_t *o, const char *path)
{
    return json_integer_value(view_get(o, path));
}

static void put_cell(struct buf *out, const char *class, const char *text)
{
    buf_printf(out, "<td class=\"%s\">", class);
    html_puts(out, text);
    buf_put_cstr(out, "</td>");
}

static void put_code(struct buf *out, const char *text)
{
    buf_put_cstr(out, "<td><code>");
    html_puts(out, text);
    buf_put_cstr(out, "</code></td>");
}

/* ---- what has changed -------------------------------------------------------------------- */

static bool is_number_of_certificate(const char *text)
{
    size_t n = strspn(text, "0123456789abcdef");

    return n >= 16 && text[n] == '\0';
}

static void put_side(struct buf *out, const char *class, const json_t *value)
{
    const char *text = json_string_value(value);

    if (text == NULL)
        put_cell(out, "none", "none");
    else if (is_number_of_certificate(text)) {
        buf_printf(out, "<td class=\"%s\"><code>", class);
        html_puts(out, text);
        buf_put_cstr(out, "</code></td>");
    } else
        put_cell(out, class, text);
}

/* What was and what is; of what has happened, when and why. */
static void put_change(const json_t *row, struct buf *out)
{
    const char *where = view_string(row, "where");

    buf_put_cstr(out, "<tr>");
    put_cell(out, "what", where[0] != '\0' ? where : "this server");
    put_cell(out, "what", view_string(row, "what"));
    if (json_object_get(row, "at") != NULL) {
        buf_put_cstr(out, "<td class=\"when\">");
        html_put_time(out, integer_of(row, "at"));
        buf_put_cstr(out, "</td>");
        put_cell(out, "what", view_string(row, "new"));
    } else {
        put_side(out, "old", json_object_get(row, "old"));
        put_side(out, "new", json_object_get(row, "new"));
    }
    buf_put_cstr(out, "</tr>");
}

static void put_part(const struct evidence_part *part, const json_t *rows, struct buf *out)
{
    bool happened = json_object_get(json_array_get(rows, 0), "at") != NULL;
    size_t i;
    json_t *one;

    if (json_array_size(rows) == 0)
        return;
    buf_put_cstr(out, "<h3>");
    html_puts(out, part->title);
    buf_printf(out,
               " <span>%zu</span></h3><table class=\"since\"><colgroup><col class=\"where\"><col "
               "class=\"what\"><col><col></colgroup><thead><tr><th>Where<th>What<th>%s<th>%s"
               "</tr></thead><tbody>",
               json_array_size(rows), happened ? "When" : "Then", happened ? "Why" : "Now");
    json_array_foreach((json_t *)(uintptr_t)rows, i, one) put_change(one, out);
    buf_put_cstr(out, "</tbody></table>");
}

static void put_since(const json_t *since, struct buf *out)
{
    size_t n = evidence_changes(since, NULL), i;
    json_t *one;

    if (!json_is_object(since))
        return;
    buf_put_cstr(out, "<section><header><h2>Changed since ");
    html_put_time(out, integer_of(since, "at"));
    buf_printf(
        out,
        "</h2><span class=\"count\">%zu changes, %zu new entries of the log</span></header>"
        "<p class=\"line sub\">The earlier report was verified first: it is as it was signed "
        "by ",
        n, json_array_size(json_object_get(since, "log")));
    html_puts(out, view_string(since, "signer"));
    buf_put_cstr(out, ", and the log goes on from its head <code>");
    html_puts(out, view_string(since, "head"));
    buf_put_cstr(out, "</code>.</p>");
    if (n == 0)
        buf_put_cstr(out, "<p class=\"line\">Settings, certificates, results and trust are what "
                          "they were.</p>");
    for (unsigned k = 0; evidence_parts[k].name != NULL; k++)
        put_part(&evidence_parts[k], json_object_get(since, evidence_parts[k].name), out);
    json_array_foreach(json_object_get(since, "unknown"), i, one)
    {
        buf_put_cstr(out, "<p class=\"line sub\">The earlier report did not say anything of: ");
        html_puts(out, json_string_value(one));
        buf_put_cstr(out, ".</p>");
    }
    buf_put_cstr(out, "</section>");
}

/* ---- virtual servers --------------------------------------------------------------------- */

static void put_served(const json_t *current, struct buf *out)
{
    struct buf names BUF_AUTO = BUF(1 << 20);

    if (view_string(current, "serial")[0] == '\0') {
        buf_put_cstr(out, "<p class=\"line\">No certificate is in service.</p>");
        return;
    }
    view_value(view_get(current, "certificate.names"), VIEW_TEXT, 0, &names);
    buf_put_cstr(out, "<p class=\"line\">In service: <code>");
    html_puts(out, view_string(current, "serial"));
    buf_put_cstr(out, "</code> of ");
    html_puts(out, view_string(current, "certificate.issuer"));
    buf_put_cstr(out, ", for ");
    html_put(out, buf_span(&names));
    buf_put_cstr(out, ", until ");
    html_put_time(out, integer_of(current, "not_after"));
    buf_put_cstr(out, "</p>");
}

/* When, what, which one, for whom, who asked. */
static void put_log_of(const json_t *report, const char *vserver, struct buf *out)
{
    size_t i;
    json_t *one;

    buf_put_cstr(out, "<table><thead><tr><th>When<th>What<th>Certificate<th>For<th>Asked by"
                      "</tr></thead><tbody>");
    json_array_foreach((json_t *)(uintptr_t)view_get(report, "log.entries"), i, one)
    {
        const char *serial = view_string(one, "serial");
        bool own = strcmp(view_string(one, "vserver"), vserver) == 0 ||
                   strstr(view_string(one, "for"), vserver) != NULL;
        if (!own || serial[0] == '\0')
            continue;
        buf_put_cstr(out, "<tr><td class=\"when\">");
        html_put_time(out, integer_of(one, "at"));
        buf_put_cstr(out, "</td>");
        put_cell(out, "name", view_string(one, "kind"));
        put_code(out, serial);
        put_cell(out, "what", view_string(one, "for"));
        put_cell(out, "what", view_string(one, "asked"));
        buf_put_cstr(out, "</tr>");
    }
    buf_put_cstr(out, "</tbody></table>");
}

struct tally {
    unsigned passed, failed, skipped;
};

/* vserver NULL: all of them */
static struct tally count(const json_t *report, const char *vserver)
{
    struct tally n = {0, 0, 0};
    size_t i;
    json_t *one;

    json_array_foreach(json_object_get(report, "probe"), i, one)
    {
        const char *result = view_string(one, "result");
        if (vserver != NULL && strcmp(view_string(one, "vserver"), vserver) != 0)
            continue;
        n.passed += strcmp(result, "PASS") == 0;
        n.failed += strcmp(result, "FAIL") == 0;
        n.skipped += strcmp(result, "SKIP") == 0;
    }
    return n;
}

static void put_failures(const json_t *report, const char *vserver, struct buf *out)
{
    size_t i;
    json_t *one;

    json_array_foreach(json_object_get(report, "probe"), i, one)
    {
        if (strcmp(view_string(one, "vserver"), vserver) != 0 ||
            strcmp(view_string(one, "result"), "FAIL") != 0)
            continue;
        buf_put_cstr(out, "<p class=\"line\"><span class=\"mark FAIL\">FAIL</span> ");
        html_puts(out, view_string(one, "endpoint"));
        buf_put_cstr(out, " ");
        html_puts(out, view_string(one, "check"));
        buf_put_cstr(out, ": ");
        html_puts(out, view_string(one, "detail"));
        buf_put_cstr(out, "</p>");
    }
}

static void put_vserver(const json_t *report, const char *name, struct buf *out)
{
    const json_t *cert = json_object_get(json_object_get(report, "certificates"), name);
    struct tally n = count(report, name);

    buf_put_cstr(out, "<section><header><h2>");
    html_puts(out, name);
    buf_printf(out,
               "</h2><span class=\"mark %s\">%s</span><span class=\"count\">%u checks passed, %u "
               "failed, %u skipped</span></header>",
               n.failed ? "FAIL" : "PASS", n.failed ? "FAIL" : "PASS", n.passed, n.failed,
               n.skipped);
    put_failures(report, name, out);
    put_served(json_object_get(cert, "current"), out);
    put_log_of(report, name, out);
    buf_put_cstr(out, "</section>");
}

/* ---- certificates of others -------------------------------------------------------------- */

static void put_accounts(const json_t *report, struct buf *out)
{
    size_t i;
    json_t *one;

    if (json_array_size(json_object_get(report, "accounts")) == 0)
        return;
    buf_put_cstr(out, "<section><header><h2>Certificates of accounts</h2></header><table><thead>"
                      "<tr><th>Account<th>Name<th>Known by<th>State<th>Subject<th>Serial</tr>"
                      "</thead><tbody>");
    json_array_foreach(json_object_get(report, "accounts"), i, one)
    {
        buf_put_cstr(out, "<tr>");
        put_cell(out, "what", view_string(one, "account"));
        put_cell(out, "what", view_string(one, "name"));
        put_cell(out, "what", view_string(one, "by"));
        put_cell(out, "what", view_string(one, "state"));
        put_cell(out, "what", view_string(one, "subject"));
        put_code(out, view_string(one, "serial"));
        buf_put_cstr(out, "</tr>");
    }
    buf_put_cstr(out, "</tbody></table></section>");
}

static void put_trust(const json_t *report, struct buf *out)
{
    size_t i;
    json_t *one;

    buf_put_cstr(out, "<section><header><h2>Whose certificates are believed</h2></header><table>"
                      "<thead><tr><th>By<th>Subject<th>SHA-256</tr></thead><tbody>");
    json_array_foreach(json_object_get(report, "trust"), i, one)
    {
        buf_put_cstr(out, "<tr>");
        put_cell(out, "name", view_string(one, "of"));
        put_cell(out, "what", view_string(one, "subject"));
        put_code(out, view_string(one, "sha256"));
        buf_put_cstr(out, "</tr>");
    }
    buf_put_cstr(out, "</tbody></table></section>");
}

static void put_people(const json_t *report, struct buf *out)
{
    unsigned shown = 0;
    size_t i;
    json_t *one;

    json_array_foreach(json_object_get(report, "register"), i, one)
    {
        const char *profile = view_string(one, "profile");
        if (strcmp(profile, "server") == 0)
            continue;
        if (shown++ == 0)
            buf_put_cstr(out, "<section><header><h2>Other certificates of the own CA</h2></header>"
                              "<table><thead><tr><th>Kind<th>Subject<th>State<th>Serial</tr>"
                              "</thead><tbody>");
        buf_put_cstr(out, "<tr>");
        put_cell(out, "name", profile);
        put_cell(out, "what", view_string(one, "certificate.subject"));
        put_cell(out, "what", view_string(one, "state"));
        put_code(out, view_string(one, "certificate.serial"));
        buf_put_cstr(out, "</tr>");
    }
    if (shown > 0)
        buf_put_cstr(out, "</tbody></table></section>");
}

/* ---- the page ---------------------------------------------------------------------------- */

static void put_json(struct buf *out, const json_t *report)
{
    char *text = json_dumps(report, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
    struct span rest = span_cstr(text);

    CHECK(text != NULL);
    buf_put_cstr(out, JSON_BEGIN);
    /* nothing in it may end the element early */
    for (size_t i = 0; i < rest.n; i++) {
        if (rest.p[i] == '<')
            buf_put_cstr(out, "\\u003c");
        else
            buf_putc(out, rest.p[i]);
    }
    buf_put_cstr(out, JSON_END);
    free(text);
}

static void put_head(const json_t *report, struct buf *out)
{
    const json_t *capture = json_object_get(report, "capture");
    struct tally n = count(report, NULL);

    buf_put_cstr(out, "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta "
                      "name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>"
                      "Evidence of ");
    html_puts(out, view_string(report, "hostname"));
    buf_put_cstr(out, "</title><style>");
    buf_put_cstr(out, html_style);
    buf_put_cstr(out, style);
    buf_put_cstr(out, "</style></head><body><main><h1>Evidence of ");
    html_puts(out, view_string(report, "hostname"));
    buf_put_cstr(out, "</h1><p class=\"sub\">");
    html_put_time(out, integer_of(report, "at"));
    buf_printf(out,
               ", sealpost " SEALPOST_VERSION
               "</p><div class=\"verdict %s\">%s<small>%u checks by the probe, %u failed",
               n.failed ? "bad" : "good",
               n.failed ? "Not all is as it should be" : "Every endpoint does what it should",
               n.passed + n.failed + n.skipped, n.failed);
    if (json_is_object(capture)) {
        const char *verdict = view_string(capture, "verdict");
        buf_put_cstr(out, "; packet capture: ");
        html_puts(out, evidence_capture_word(capture));
        if (json_is_object(json_object_get(capture, "attested")) && strcmp(verdict, "clean") != 0) {
            buf_put_cstr(out, ": ");
            html_puts(out, verdict);
        }
    }
    buf_put_cstr(out, "</small></div>");
}

void evidence_page(const struct conf *conf, const json_t *report, struct buf *out)
{
    put_head(report, out);
    put_since(json_object_get(report, "since"), out);
    buf_printf(out,
               "<section><header><h2>Log</h2></header><p class=\"line\">%zu entries; head "
               "<code>%s</code></p></section>",
               json_array_size(view_get(report, "log.entries")), view_string(report, "log.head"));
    for (uint32_t i = 0; i < conf->vserver_count; i++)
        if (conf->vservers[i].enabled)
            put_vserver(report, conf->vservers[i].name, out);
    put_accounts(report, out);
    put_people(report, out);
    put_trust(report, out);
    buf_put_cstr(out, "<section><details><summary>Settings</summary><pre class=\"mono settings\">");
    html_puts(out, view_string(report, "settings"));
    buf_put_cstr(out, "</pre></details></section><footer>Verify it with <code>sealpost evidence "
                      "--verify FILE</code>, or any program for CMS: the signature lies beside it "
                      "(.p7s).</footer></main>");
    put_json(out, report);
    buf_put_cstr(out, "</body></html>\n");
}

json_t *evidence_page_read(struct span page)
{
    size_t at = span_find_span(page, SPAN(JSON_BEGIN));
    struct span json = at == SPAN_NONE ? SPAN_EMPTY : span_skip(page, at + sizeof JSON_BEGIN - 1);

    json = span_head(json, span_find_span(json, SPAN(JSON_END)));
    return json_loadb(json.p ? json.p : "", json.n, 0, NULL);
}
