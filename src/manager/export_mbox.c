/*
 * export_mbox.c: a file NAME.mbox for each mailbox, in folders for the levels above it; mboxrd: a
 * line that begins with any number of '>' and "From " gets one more. The date of the From line is
 * the internal date in UTC (RFC 4155). Flags stand in Status, X-Status and X-Keywords. A file
 * appears when it is whole.
 */
#include "base/fd.h"
#include "manager/export.h"
#include "manager/import.h"
#include "manager/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_MAX_BYTES = 16384, FLUSH_BYTES = 1 << 20, SENDER_MAX = 300 };

struct mbox {
    int root, fd;
    struct buf path, partial, out, text;
    struct span keywords[STORE_KEYWORDS_MAX];
    unsigned keyword_count;
    uint64_t fields_left_out;
};

static int enter(struct export *x, const struct export_mailbox *box, void *arg)
{
    struct mbox *m = arg;
    struct span name = box->name, level;

    buf_clear(&m->path);
    while (span_split(&name, '/', &level)) {
        if (m->path.n > 0) {
            if (mkdirat(m->root, buf_cstr(&m->path), 0700) != 0 && errno != EEXIST)
                return export_fail(x, "%s cannot be made: %s", text_quote(buf_span(&m->path)),
                                   strerror(errno));
            buf_putc(&m->path, '/');
        }
        import_name_file(level, false, &m->path);
    }
    buf_put_cstr(&m->path, ".mbox");
    buf_clear(&m->partial);
    buf_printf(&m->partial, "%s.partial", buf_cstr(&m->path));
    m->fd = openat(m->root, buf_cstr(&m->partial), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (m->fd < 0)
        return export_fail(x, "%s cannot be written: %s", text_quote(buf_span(&m->partial)),
                           strerror(errno));
    m->keyword_count = box->keyword_count;
    memcpy(m->keywords, box->keywords, sizeof m->keywords);
    return 0;
}

static bool has(struct export *x, const struct message_info *i, void *arg)
{
    return false;
}

static int flush(struct export *x, struct mbox *m)
{
    int r = fd_write_all(m->fd, m->out.p, m->out.n);

    buf_clear(&m->out);
    return r != 0 ? export_fail(x, "%s cannot be written: %s", text_quote(buf_span(&m->partial)),
                                strerror(-r))
                  : 0;
}

static bool is_sender(char c)
{
    return c > ' ' && c < 0x7f && c != '<' && c != '>';
}

/* The address of Return-Path, where there is one. */
static void put_sender(struct buf *out, struct span header)
{
    struct span line;
    size_t before = out->n;

    while (span_split(&header, '\n', &line) && line.n > 0) {
        if (!span_starts_nocase(line, SPAN("Return-Path:")))
            continue;
        line = span_trim(span_skip(line, sizeof "Return-Path:" - 1));
        if (line.n > 2 && line.p[0] == '<')
            line = span_skip(line, 1);
        for (size_t k = 0; k < line.n && k < SENDER_MAX && is_sender(line.p[k]); k++)
            buf_putc(out, line.p[k]);
        break;
    }
    if (out->n == before)
        buf_put_cstr(out, "MAILER-DAEMON");
}

static void put_from(struct buf *out, struct span message, int64_t seconds)
{
    time_t t = seconds < 0 ? 0 : (time_t)seconds;
    struct tm tm;
    char date[64];

    gmtime_r(&t, &tm);
    strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &tm);
    buf_put_cstr(out, "From ");
    put_sender(out, message);
    buf_printf(out, " %s\n", date);
}

static bool is_mailbox_field(struct span line)
{
    static const char *const names[] = {
        "Status:", "X-Status:",   "X-Keywords:",       "Content-Length:", "X-UID:",
        "X-IMAP:", "X-IMAPbase:", "X-Mozilla-Status:", "X-Mozilla-Keys:", "X-Mozilla-Status2:"};

    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        if (span_starts_nocase(line, span_cstr(names[k])))
            return true;
    return false;
}

static void put_line(struct buf *out, struct span line)
{
    size_t n = 0;

    while (n < line.n && line.p[n] == '>')
        n++;
    if (span_starts(span_skip(line, n), SPAN("From ")))
        buf_putc(out, '>');
    buf_put_span(out, line);
    buf_putc(out, '\n');
}

static void put_status(struct mbox *m, struct buf *out, uint64_t flags)
{
    buf_printf(out, "Status: %sO\n", flags & STORE_SEEN ? "R" : "");
    buf_printf(out, "X-Status: %s%s%s%s\n", flags & STORE_ANSWERED ? "A" : "",
               flags & STORE_FLAGGED ? "F" : "", flags & STORE_DRAFT ? "T" : "",
               flags & STORE_DELETED ? "D" : "");
    if (flags >> 8 == 0)
        return;
    buf_put_cstr(out, "X-Keywords:");
    for (unsigned k = 0; k < m->keyword_count; k++)
        if (flags & STORE_KEYWORD(k))
            buf_printf(out, " %.*s", SPAN_ARG(m->keywords[k]));
    buf_putc(out, '\n');
}

static int put(struct export *x, const struct message_info *i, struct span bytes, void *arg)
{
    struct mbox *m = arg;
    struct span rest, line;
    bool skipping = false, any = false;

    buf_clear(&m->text);
    export_lf(bytes, &m->text);
    rest = buf_span(&m->text);
    put_from(&m->out, rest, i->received_seconds);
    while (span_split(&rest, '\n', &line) && line.n > 0) {
        if (line.p[0] != ' ' && line.p[0] != '\t')
            skipping = is_mailbox_field(line);
        any = any || skipping;
        if (!skipping)
            put_line(&m->out, line);
    }
    m->fields_left_out += any;
    put_status(m, &m->out, i->flags);
    buf_putc(&m->out, '\n');
    while (span_split(&rest, '\n', &line)) {
        put_line(&m->out, line);
        if (m->out.n >= FLUSH_BYTES && flush(x, m) != 0)
            return -EIO;
    }
    buf_putc(&m->out, '\n');
    return m->out.n >= FLUSH_BYTES ? flush(x, m) : 0;
}

static int leave(struct export *x, bool whole, void *arg)
{
    struct mbox *m = arg;
    int r = whole ? flush(x, m) : 0;

    if (r == 0 && whole &&
        (fsync(m->fd) != 0 ||
         renameat(m->root, buf_cstr(&m->partial), m->root, buf_cstr(&m->path)) != 0))
        r = export_fail(x, "%s cannot be written: %s", text_quote(buf_span(&m->path)),
                        strerror(errno));
    if (!whole)
        unlinkat(m->root, buf_cstr(&m->partial), 0);
    buf_clear(&m->out);
    fd_close(&m->fd);
    return r;
}

static const char *place(void *arg)
{
    struct mbox *m = arg;

    return buf_cstr(&m->path);
}

static int begin(struct export *x, int folder, void *arg)
{
    struct mbox *m = arg;

    m->root = folder;
    return 0;
}

static int end(struct export *x, void *arg)
{
    struct mbox *m = arg;

    if (m->fields_left_out > 0)
        export_note(x,
                    "%llu messages had fields like Status or Content-Length of their own, which "
                    "mean something else in an mbox; they were left out",
                    (unsigned long long)m->fields_left_out);
    return 0;
}

int cmd_export_mbox(struct call *c, struct err *e)
{
    struct mbox m = {.root = -1,
                     .fd = -1,
                     .path = BUF(PATH_MAX_BYTES),
                     .partial = BUF(PATH_MAX_BYTES + 16),
                     .out = BUF((size_t)UINT32_MAX),
                     .text = BUF((size_t)UINT32_MAX)};
    struct export_sink s = {"mbox", begin, enter, has, put, leave, end, place, &m};
    int r = export_run(c, &s, e);

    buf_done(&m.path);
    buf_done(&m.partial);
    buf_done(&m.out);
    buf_done(&m.text);
    return r;
}
