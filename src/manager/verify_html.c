#include "manager/verify_html.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/utf8.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { PAGE_MAX = 32 << 20 };

const char html_style[] =
    ":root{--bg:#f5f6f8;--card:#fff;--ink:#1b2430;--soft:#637083;--line:#dfe4ea;--good:#12805c;"
    "--goodbg:#e3f4ec;--bad:#b3261e;--badbg:#fbe4e2;--skip:#7a6a2f;--skipbg:#f6efd6;--mono:ui-"
    "monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}"
    "@media(prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1a2029;--ink:#e6ebf2;--soft:"
    "#94a1b3;--line:#2c3542;--good:#5fd3a5;--goodbg:#143528;--bad:#ff9b92;--badbg:#45201d;--skip:"
    "#e2cd82;--skipbg:#3a3318}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 "
    "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    "main{max-width:1080px;margin:0 auto;padding:36px 24px 64px}"
    "h1{font-size:26px;margin:0 0 4px;letter-spacing:-.01em}h2{font-size:19px;margin:0}"
    ".sub{color:var(--soft);margin:0 0 24px}"
    ".verdict{border-radius:12px;padding:18px 22px;margin:0 0 28px;font-size:17px;font-weight:600}"
    ".verdict.good{background:var(--goodbg);color:var(--good)}.verdict.bad{background:var(--badbg)"
    ";color:var(--bad)}.verdict small{display:block;font-weight:400;font-size:14px;opacity:.9}"
    "section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:20px "
    "22px;margin:0 0 22px}section>header{display:flex;align-items:baseline;gap:12px;margin-bottom:"
    "14px;flex-wrap:wrap}header .count{margin-left:auto;color:var(--soft);font-size:14px}"
    ".facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:12px;margin:0"
    " 0 16px}.fact{border:1px solid var(--line);border-radius:9px;padding:11px "
    "14px;font-size:13.5px;"
    "overflow-wrap:anywhere}.fact b{display:block;font:600 13.5px var(--mono);margin-bottom:3px}"
    ".fact span{color:var(--soft)}"
    "table{width:100%;border-collapse:collapse;font-size:14px}th{text-align:left;font-weight:600;"
    "color:var(--soft);font-size:12.5px;padding:6px 10px 6px 0;border-bottom:1px solid var(--line)}"
    "td{padding:7px 10px 7px 0;border-bottom:1px solid "
    "var(--line);vertical-align:top;overflow-wrap:"
    "anywhere}tr:last-child td{border-bottom:0}td.name{white-space:nowrap;font-weight:600}"
    "td.where{font:12.5px var(--mono);color:var(--soft);white-space:nowrap}"
    ".mark{display:inline-block;min-width:46px;text-align:center;border-radius:6px;font:600 11.5px "
    "var(--mono);padding:2px 6px}.PASS{background:var(--goodbg);color:var(--good)}.FAIL{background:"
    "var(--badbg);color:var(--bad)}.SKIP{background:var(--skipbg);color:var(--skip)}"
    ".doc{color:var(--soft);font-size:13px}.remedy{margin-top:3px;color:var(--bad);font-size:13px}"
    "code,.mono{font:13px var(--mono)}footer{color:var(--soft);font-size:13px;margin-top:26px}"
    "@media print{body{background:#fff}section{break-inside:avoid}}";

void html_put(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '<')
            buf_put_cstr(out, "&lt;");
        else if (c == '>')
            buf_put_cstr(out, "&gt;");
        else if (c == '&')
            buf_put_cstr(out, "&amp;");
        else if (c == '"')
            buf_put_cstr(out, "&quot;");
        else if (c == '\'')
            buf_put_cstr(out, "&#39;");
        else if ((c < 32 && c != '\n' && c != '\t') || c == 127)
            buf_put_cstr(out, "\xef\xbf\xbd");
        else
            buf_putc(out, (char)c);
    }
}

static void put(struct buf *out, const char *text)
{
    html_put(out, span_cstr(text));
}

static void put_day(struct buf *out, int64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm tm;
    char text[40];

    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm);
    put(out, text);
}

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
        put(out, probe_target_name(t, name));
        buf_put_cstr(out, "</b>");
        put(out, f->version);
        buf_put_cstr(out, " <span>&middot;</span> ");
        put(out, f->cipher);
        buf_put_cstr(out, " <span>&middot;</span> ");
        put(out, f->group);
        buf_put_cstr(out, "<br><span>for</span> ");
        put(out, f->names);
        buf_put_cstr(out, "<br><span>by</span> ");
        put(out, f->issuer);
        buf_printf(out, "<br><span>until</span> ");
        put_day(out, f->not_after);
        buf_printf(out, " <span>(%lld days left), ", (long long)(f->not_after - r->start) / 86400);
        put(out, f->key_type);
        buf_printf(out, ", chain of %u%s</span><br><span>serial</span> <span class=\"mono\">",
                   f->chain_length, f->stapled ? ", OCSP answer stapled" : "");
        put(out, f->serial);
        buf_put_cstr(out, "</span></div>");
    }
    buf_put_cstr(out, "</div>");
}

static void put_result(const struct probe_result *p, struct buf *out)
{
    char name[80];

    buf_put_cstr(out, "<tr><td class=\"name\">");
    put(out, p->check->name);
    buf_put_cstr(out, "</td><td class=\"where\">");
    put(out, probe_target_name(p->target, name));
    buf_printf(out, "</td><td><span class=\"mark %s\">%s</span></td><td>",
               probe_verdict_name(p->verdict), probe_verdict_name(p->verdict));
    put(out, p->detail);
    buf_put_cstr(out, p->verdict == PROBE_FAIL ? "<div class=\"remedy\">Remedy: "
                                               : "<div class=\"doc\">");
    put(out, p->verdict == PROBE_FAIL ? p->remedy : p->check->doc);
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
    put(out, v->name);
    buf_put_cstr(out, "</h2><span class=\"doc\">");
    put(out, conf_protocol_name(v->protocol));
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
    put_day(out, r->start);
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
