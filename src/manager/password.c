#include "manager/password.h"

#include "base/fd.h"
#include "base/random.h"
#include "manager/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

void password_done(struct buf *b)
{
    if (b->p != NULL)
        secret_wipe(b->p, b->cap);
    buf_done(b);
}

/* Room for all of it at once: a buffer that grows leaves copies behind. */
static bool reserve(struct buf *b)
{
    return buf_reserve(b, b->max - b->n) != NULL;
}

static int read_some(int fd, struct buf *out)
{
    char byte;
    ssize_t n;

    do
        n = read(fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? -errno : 0;
    return buf_putc(out, byte) ? 1 : -EMSGSIZE;
}

static int too_long(struct err *e, int r)
{
    return r == -EMSGSIZE ? err_set(e, r, "the password is too long")
                          : err_set(e, r, "the password cannot be read: %s", strerror(-r));
}

int password_read_stdin(struct buf *out, struct err *e)
{
    int r;

    reserve(out);
    do
        r = read_some(STDIN_FILENO, out);
    while (r > 0);
    if (r < 0)
        return too_long(e, r);
    out->n = span_chomp(buf_span(out)).n;
    return out->n > 0 ? 0 : err_set(e, -EINVAL, "there is no password on standard input");
}

static int ask_once(int tty, const char *prompt, const char *who, struct buf *out, struct err *e)
{
    char line[512];
    int r, n = snprintf(line, sizeof line, "%s %s: ", prompt, text_quote(span_cstr(who)));

    if (n < 0 || fd_write_all(tty, line, strlen(line)) != 0)
        return err_set(e, -EIO, "the terminal cannot be written");
    reserve(out);
    do
        r = read_some(tty, out);
    while (r > 0 && out->p[out->n - 1] != '\n');
    fd_write_all(tty, "\n", 1);
    if (r < 0)
        return too_long(e, r);
    out->n = span_chomp(buf_span(out)).n;
    return 0;
}

static int ask_twice(int tty, const char *who, struct buf *out, struct err *e)
{
    struct buf again = BUF(out->max);
    int r = ask_once(tty, "Password for", who, out, e);

    if (r == 0 && out->n == 0)
        r = err_set(e, -EINVAL, "no password was given");
    if (r == 0)
        r = ask_once(tty, "Once more, for", who, &again, e);
    if (r == 0 && !span_eq(buf_span(out), buf_span(&again)))
        r = err_set(e, -EINVAL, "the two passwords differ; nothing was changed");
    password_done(&again);
    return r;
}

/* ask(tty, who, …) with the terminal silent. */
static int ask_silent(int (*ask)(int tty, const char *who, struct buf *out, struct err *e),
                      const char *who, struct buf *out, struct err *e)
{
    FD_AUTO tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios before, silent;
    sigset_t held, old;
    int r;

    if (tty < 0 || tcgetattr(tty, &before) != 0)
        return err_set(e, -ENOTTY,
                       "there is no terminal to ask at; give it on standard input, with "
                       "--password-stdin or --passphrase-stdin as the command has it");
    /* ^C between here and the end would leave a terminal without echo */
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTSTP);
    sigaddset(&held, SIGQUIT);
    sigprocmask(SIG_BLOCK, &held, &old);
    silent = before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    silent.c_lflag |= ICANON;
    tcsetattr(tty, TCSAFLUSH, &silent);
    r = ask(tty, who, out, e);
    tcsetattr(tty, TCSAFLUSH, &before);
    sigprocmask(SIG_SETMASK, &old, NULL);
    return r;
}

int password_ask(const char *who, struct buf *out, struct err *e)
{
    return ask_silent(ask_twice, who, out, e);
}

static int passphrase_once(int tty, const char *file, struct buf *out, struct err *e)
{
    return ask_once(tty, "Passphrase of", file, out, e);
}

static int passphrase_twice(int tty, const char *file, struct buf *out, struct err *e)
{
    struct buf again = BUF(out->max);
    int r = ask_once(tty, "New passphrase for", file, out, e);

    if (r == 0 && out->n == 0)
        r = err_set(e, -EINVAL, "no passphrase was given");
    if (r == 0)
        r = ask_once(tty, "Once more, for", file, &again, e);
    if (r == 0 && !span_eq(buf_span(out), buf_span(&again)))
        r = err_set(e, -EINVAL, "the two passphrases differ; nothing was done");
    password_done(&again);
    return r;
}

int passphrase_ask(const char *file, bool twice, struct buf *out, struct err *e)
{
    return ask_silent(twice ? passphrase_twice : passphrase_once, file, out, e);
}
