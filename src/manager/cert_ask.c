/* cert_ask.c: questions at the terminal, in plain text. */
#include "base/fd.h"
#include "manager/cert.h"
#include "manager/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

int cert_open_terminal(struct err *e)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    return tty >= 0 ? tty
                    : err_set(e, -ENOTTY,
                              "there is no terminal to ask at; give --yes where the command has "
                              "it, and all values as options");
}

void cert_say(int tty, const char *fmt, ...)
{
    struct buf text BUF_AUTO = BUF(65536), safe BUF_AUTO = BUF(4 * 65536);
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    text_put_safe(&safe, buf_span(&text), true);
    (void)fd_write_all(tty, safe.p, safe.n);
}

bool cert_read_line(int tty, struct buf *out)
{
    char byte;
    ssize_t n;

    buf_clear(out);
    for (;;) {
        n = read(tty, &byte, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        if (byte == '\n')
            return true;
        if (out->n < LINE_MAX_BYTES)
            buf_putc(out, byte);
    }
}

int cert_confirm(struct call *c, struct span text, const char *question, struct err *e)
{
    struct buf line BUF_AUTO = BUF(LINE_MAX_BYTES + 1);
    FD_AUTO tty = -1;

    if (has_option(c, OPT_YES))
        return 0;
    tty = cert_open_terminal(e);
    if (tty < 0)
        return tty;
    cert_say(tty, "%.*s\n%s [y/N] ", SPAN_ARG(text), question);
    if (cert_read_line(tty, &line) &&
        (span_is(span_trim(buf_span(&line)), "y") || span_is(span_trim(buf_span(&line)), "yes")))
        return 0;
    return err_set(e, -ECANCELED, "nothing was changed");
}
