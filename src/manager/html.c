#include "manager/html.h"

#include "base/utf8.h"

#include <time.h>

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

void html_puts(struct buf *out, const char *text)
{
    html_put(out, span_cstr(text));
}

void html_put_time(struct buf *out, int64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm tm;
    char text[40];

    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm);
    html_puts(out, text);
}
