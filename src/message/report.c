/* report.c: delivery status notifications, RFC 3461 to 3464; RFC 6533 when an address is not ASCII.
 */
#include "base/random.h"
#include "base/utf8.h"
#include "message/build.h"
#include "message/header.h"

static bool is_global(const struct build_report *r)
{
    for (size_t i = 0; i < r->recipient_count; i++)
        if (!utf8_is_ascii(r->recipients[i].final) || !utf8_is_ascii(r->recipients[i].original))
            return true;
    return !utf8_is_ascii(r->to);
}

static void put_boundary(struct buf *out, struct span boundary, const char *end)
{
    buf_put_cstr(out, "\r\n--");
    buf_put_span(out, boundary);
    buf_put_cstr(out, end);
    buf_put_cstr(out, "\r\n");
}

/* Text lines end with CRLF, whatever they ended with; none is too long for SMTP. */
static void put_text(struct buf *out, struct span text)
{
    size_t column = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == 0 || (c == '\r' && i + 1 < text.n && text.p[i + 1] == '\n'))
            continue;
        bool cut = column >= 900 && ((unsigned char)c & 0xc0) != 0x80;
        if (c == '\n' || c == '\r' || cut) {
            buf_put_cstr(out, "\r\n");
            column = 0;
            if (!cut)
                continue;
        }
        buf_putc(out, c);
        column++;
    }
    if (column)
        buf_put_cstr(out, "\r\n");
}

static void put_text_part(struct buf *out, const struct build_report *r)
{
    struct buf text BUF_AUTO = BUF(3 * r->explanation.n + 1);
    utf8_scrub(&text, r->explanation);
    buf_put_cstr(out, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: ");
    buf_put_cstr(out, utf8_is_ascii(buf_span(&text)) ? "7bit\r\n\r\n" : "8bit\r\n\r\n");
    put_text(out, buf_span(&text));
}

/* Name: type; value */
static void put_typed(struct buf *out, const char *name, const char *type, struct span value)
{
    struct buf text BUF_AUTO = BUF(value.n + strlen(type) + 2);
    if (value.n == 0)
        return;
    buf_put_cstr(&text, type);
    buf_put_span(&text, value);
    build_field(out, name, buf_span(&text), true);
}

static void put_date(struct buf *out, const char *name, struct date d)
{
    buf_put_cstr(out, name);
    buf_put_cstr(out, ": ");
    date_print_rfc5322(out, d);
    buf_put_cstr(out, "\r\n");
}

static void put_recipient(struct buf *out, const struct build_report_recipient *r)
{
    buf_put_cstr(out, "\r\n");
    put_typed(out, "Original-Recipient", "", r->original);
    put_typed(out, "Final-Recipient", utf8_is_ascii(r->final) ? "rfc822; " : "utf-8; ", r->final);
    put_typed(out, "Action", "", r->action);
    put_typed(out, "Status", "", r->status);
    put_typed(out, "Remote-MTA", "dns; ", r->remote_mta);
    put_typed(out, "Diagnostic-Code", "smtp; ", r->diagnostic);
}

static void put_status_part(struct buf *out, const struct build_report *r, bool global)
{
    struct buf status BUF_AUTO = BUF(out->max);
    put_typed(&status, "Reporting-MTA", "dns; ", r->reporting_mta);
    put_typed(&status, "Original-Envelope-Id", "", r->envelope_id);
    put_date(&status, "Arrival-Date", r->arrival);
    for (size_t i = 0; i < r->recipient_count; i++)
        put_recipient(&status, &r->recipients[i]);
    buf_printf(out, "Content-Type: message/%sdelivery-status\r\n", global ? "global-" : "");
    if (!utf8_is_ascii(buf_span(&status)))
        buf_put_cstr(out, "Content-Transfer-Encoding: 8bit\r\n");
    buf_put_cstr(out, "\r\n");
    buf_put_span(out, buf_span(&status));
    out->overflow |= status.overflow;
}

static void put_original_part(struct buf *out, const struct build_report *r, bool global)
{
    struct span original = r->original;
    if (r->headers_only)
        original = span_head(original, header_block_bytes(original));
    const char *type = r->headers_only ? (global ? "message/global-headers" : "text/rfc822-headers")
                       : global        ? "message/global"
                                       : "message/rfc822";
    buf_printf(out, "Content-Type: %s\r\n", type);
    if (!utf8_is_ascii(original))
        buf_put_cstr(out, "Content-Transfer-Encoding: 8bit\r\n");
    buf_put_cstr(out, "\r\n");
    buf_put_span(out, original);
}

static void put_header(struct buf *out, const struct build_report *r, struct span boundary,
                       bool global)
{
    build_field(out, "From", r->from, global);
    build_field(out, "To", r->to, global);
    build_field(out, "Subject", r->subject, global);
    put_date(out, "Date", r->when);
    buf_put_cstr(out, "Message-ID: ");
    build_message_id(out, r->reporting_mta);
    buf_put_cstr(out, "\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
                      "Content-Type: multipart/report; report-type=");
    buf_put_cstr(out, global ? "global-delivery-status" : "delivery-status");
    buf_put_cstr(out, ";\r\n\tboundary=\"");
    buf_put_span(out, boundary);
    buf_put_cstr(out, "\"\r\n\r\n");
}

bool build_report(struct buf *out, const struct build_report *r)
{
    struct buf boundary BUF_AUTO = BUF(64);
    bool global = is_global(r);
    buf_put_cstr(&boundary, "=_");
    random_token(&boundary, 30);
    put_header(out, r, buf_span(&boundary), global);
    buf_put_cstr(out, "This is a delivery report in MIME format.\r\n");
    put_boundary(out, buf_span(&boundary), "");
    put_text_part(out, r);
    put_boundary(out, buf_span(&boundary), "");
    put_status_part(out, r, global);
    put_boundary(out, buf_span(&boundary), "");
    put_original_part(out, r, global);
    put_boundary(out, buf_span(&boundary), "--");
    return !out->overflow;
}
