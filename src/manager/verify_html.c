#include "manager/verify_html.h"

#include "base/clock.h"
#include "base/fd.h"
#include "manager/html.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

enum { PAGE_MAX = 32 << 20 };

/* ---- one virtual server ------------------------------------------------------------------- */

static void put_facts(const struct verify_report *r, const struct conf_vserver *v, struct buf *out)
{
    buf_put_cstr(out, "<div class=\"facts\">");
    for (unsigned i = 0; i < r->plan->target_count; i++) {
        const struct probe_target *t = &r->plan->targets[i];
        const struct probe_facts *f = &r->plan->facts[i];
        char name[80];
        if (t->vserver != v || !t->wanted || !f->known)
            continue;
        buf_put_cstr(out, "<div class=\"fact\"><b>");
        html_puts(out, probe_target_name(t, name));
        buf_put_cstr(out, "</b>");
        html_puts(out, f->version);
        buf_put_cstr(out, " <span>&middot;</span> ");
        html_puts(out, f->cipher);
        buf_put_cstr(out, " <span>&middot;</span> ");
        html_puts(out, f->group);
        buf_put_cstr(out, "<br><span>for</span> ");
        html_puts(out, f->names);
        buf_put_cstr(out, "<br><span>by</span> ");
        html_puts(out, f->issuer);
        buf_printf(out, "<br><span>until</span> ");
        html_put_time(out, f->not_after);
        buf_printf(out, " <span>(%lld days left), ", (long long)(f->not_after - r->start) / 86400);
        html_puts(out, f->key_type);
        buf_printf(out, ", chain of %u%s</span><br><span>serial</span> <span class=\"mono\">",
                   f->chain_length, f->stapled ? ", OCSP answer stapled" : "");
        html_puts(out, f->serial);
        buf_put_cstr(out, "</span></div>");
    }
    buf_put_cstr(out, "</div>");
}

static void put_result(const struct probe_result *p, struct buf *out)
{
    char name[80];

    buf_put_cstr(out, "<tr><td class=\"name\">");
    html_puts(out, p->check->name);
    buf_put_cstr(out, "</td><td class=\"where\">");
    html_puts(out, probe_target_name(p->target, name));
    buf_printf(out, "</td><td><span class=\"mark %s\">%s</span></td><td>",
               probe_verdict_name(p->verdict), probe_verdict_name(p->verdict));
    html_puts(out, p->detail);
    buf_put_cstr(out, p->verdict == PROBE_FAIL ? "<div class=\"remedy\">Remedy: "
                                               : "<div class=\"doc\">");
    html_puts(out, p->verdict == PROBE_FAIL ? p->remedy : p->check->doc);
    buf_put_cstr(out, "</div></td></tr>");
}

/* What failed stands first. */
static void put_vserver(const struct verify_report *r, const struct conf_vserver *v,
                        struct buf *out)
{
    unsigned n[3] = {0, 0, 0};

    for (unsigned i = 0; i < r->count; i++)
        if (r->results[i].target->vserver == v)
            n[r->results[i].verdict]++;
    buf_put_cstr(out, "<section><header><h2>");
    html_puts(out, v->name);
    buf_put_cstr(out, "</h2><span class=\"doc\">");
    html_puts(out, conf_protocol_name(v->protocol));
    buf_printf(out, "</span><span class=\"count\">%u passed, %u failed, %u skipped</span></header>",
               n[PROBE_PASS], n[PROBE_FAIL], n[PROBE_SKIP]);
    put_facts(r, v, out);
    buf_put_cstr(out, "<table><thead><tr><th>Check<th>Endpoint<th>Result<th>What was seen</tr>"
                      "</thead><tbody>");
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < r->count; i++)
            if (r->results[i].target->vserver == v &&
                (r->results[i].verdict == PROBE_FAIL) == (pass == 0))
                put_result(&r->results[i], out);
    buf_put_cstr(out, "</tbody></table></section>");
}

/* What the linter says of the configuration, each with its remedy. */
static void put_warnings(struct span lines, struct buf *out)
{
    struct span line;

    if (lines.n == 0)
        return;
    buf_put_cstr(out, "<section><header><h2>Warnings</h2></header><table><tbody>");
    while (span_split(&lines, '\n', &line)) {
        bool error = span_starts(line, SPAN("error: "));
        line = span_skip(line, error ? strlen("error: ") : strlen("warning: "));
        buf_printf(out, "<tr><td><span class=\"mark %s\">%s</span></td><td>",
                   error ? "FAIL" : "SKIP", error ? "ERROR" : "WARN");
        html_put(out, line);
        buf_put_cstr(out, "</td></tr>");
    }
    buf_put_cstr(out, "</tbody></table></section>");
}

/* ---- the page ---------------------------------------------------------------------------- */

void verify_html(const struct verify_report *r, struct buf *out)
{
    unsigned n[3] = {0, 0, 0};

    for (unsigned i = 0; i < r->count; i++)
        n[r->results[i].verdict]++;
    buf_put_cstr(out, "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta "
                      "name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>"
                      "sealpost verify</title><style>");
    buf_put_cstr(out, html_style);
    buf_put_cstr(out, "</style></head><body><main><h1>What is served</h1><p class=\"sub\">seen by "
                      "a client of its own, ");
    html_put_time(out, r->start);
    buf_printf(out, ", in %u.%u s</p><div class=\"verdict %s\">", (unsigned)(r->took_ms / 1000),
               (unsigned)(r->took_ms % 1000 / 100),
               n[PROBE_FAIL] || r->incomplete ? "bad" : "good");
    if (n[PROBE_FAIL] > 0)
        buf_printf(out, "%u of %u checks failed", n[PROBE_FAIL], r->count);
    else if (r->incomplete)
        buf_put_cstr(out, "Not everything could be tried");
    else
        buf_put_cstr(out, "Every endpoint does what it should");
    buf_printf(out, "<small>%u checks passed, %u failed, %u skipped</small></div>", n[PROBE_PASS],
               n[PROBE_FAIL], n[PROBE_SKIP]);
    put_warnings(r->warnings, out);
    for (unsigned i = 0; i < r->count; i++)
        if (i == 0 || r->results[i].target->vserver != r->results[i - 1].target->vserver)
            put_vserver(r, r->results[i].target->vserver, out);
    buf_put_cstr(out, "<footer>sealpost " SEALPOST_VERSION "</footer></main></body></html>\n");
}

int verify_html_write(const char *file, const struct verify_report *r, struct err *e)
{
    struct buf page BUF_AUTO = BUF(PAGE_MAX);
    int k;

    verify_html(r, &page);
    k = file_write(AT_FDCWD, file, buf_span(&page), 0644, e);
    return k == 0 ? 0 : err_wrap(e, k, "%s", file);
}
