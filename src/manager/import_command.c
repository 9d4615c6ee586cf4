/* import_command.c: sealpost import maildir|mbox|imap. */
#include "base/fd.h"
#include "manager/import.h"
#include "manager/password.h"
#include "manager/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { PORT_TLS = 993, PORT_STARTTLS = 143, ROOTS_MAX = 4 << 20, PASSWORD_MAX = 1024 };
static const char system_roots[] = "/etc/ssl/certs/ca-certificates.crt";

static int need(const struct call *c, enum option_id o, const char *why, struct err *e)
{
    return has_option(c, o) ? 0
                            : usage_error(e, "%s: --%s %s", why, manager_options[o].name,
                                          manager_options[o].value);
}

static int import_path(struct call *c, struct import_source *s, struct err *e)
{
    char *full;
    int r = need(c, OPT_ACCOUNT, "into which account?", e);

    if (r != 0)
        return r;
    /* the same place by whatever name has one state */
    full = realpath(c->args[0], NULL);
    if (full == NULL)
        return err_set(e, -errno, "%s: %s", text_quote(span_cstr(c->args[0])), strerror(errno));
    s->from = full;
    r = import_run(c, c->option[OPT_ACCOUNT], s, e);
    free(full);
    return r;
}

int cmd_import_maildir(struct call *c, struct err *e)
{
    struct import_source s = {
        .read = import_read_maildir, .arg = (void *)(uintptr_t)c->args[0], .kind = "maildir"};

    return import_path(c, &s, e);
}

int cmd_import_mbox(struct call *c, struct err *e)
{
    struct import_mbox o = {.path = c->args[0]};
    struct import_source s = {.read = import_read_mbox, .arg = &o, .kind = "mbox"};
    struct span quoting = span_cstr(c->option[OPT_QUOTING]);

    if (quoting.n > 0 && !span_is(quoting, "mboxrd") && !span_is(quoting, "mboxo"))
        return usage_error(e, "--quoting is mboxrd or mboxo");
    o.quoted_once = span_is(quoting, "mboxo");
    return import_path(c, &s, e);
}

static int read_password(const struct call *c, struct buf *out, struct err *e)
{
    int r;

    if (!has_option(c, OPT_PASSWORD_FILE))
        return has_option(c, OPT_PASSWORD_STDIN) ? password_read_stdin(out, e)
                                                 : password_ask(c->option[OPT_USER], out, e);
    buf_reserve(out, PASSWORD_MAX);
    r = file_read(AT_FDCWD, c->option[OPT_PASSWORD_FILE], PASSWORD_MAX, out, e);
    if (r == 0)
        out->n = span_chomp(buf_span(out)).n;
    return r;
}

int cmd_import_imap(struct call *c, struct err *e)
{
    struct import_imap o = {.host = c->args[0],
                            .user = c->option[OPT_USER],
                            .starttls = has_option(c, OPT_STARTTLS),
                            .password = BUF(PASSWORD_MAX + 1),
                            .roots = BUF(ROOTS_MAX)};
    struct import_source s = {.read = import_read_imap, .arg = &o, .kind = "imap"};
    struct buf from BUF_AUTO = BUF(4096);
    const char *roots = has_option(c, OPT_CA_FILE) ? c->option[OPT_CA_FILE] : system_roots;
    uint64_t port = o.starttls ? PORT_STARTTLS : PORT_TLS;
    int r = need(c, OPT_ACCOUNT, "into which account?", e);

    if (r == 0)
        r = need(c, OPT_USER, "as which user of that server?", e);
    if (r == 0 && has_option(c, OPT_PORT) &&
        (!span_to_u64(span_cstr(c->option[OPT_PORT]), 65535, &port) || port == 0))
        r = usage_error(e, "--port is a number from 1 to 65535");
    if (r == 0)
        r = file_read(AT_FDCWD, roots, ROOTS_MAX, &o.roots, e);
    if (r == 0 && call_control(c, e) == NULL)
        r = -ENOTCONN;
    if (r == 0)
        r = read_password(c, &o.password, e);
    if (r == 0) {
        o.port = (unsigned)port;
        buf_printf(&from, "%s:%u/%s", o.host, o.port, o.user);
        s.from = buf_cstr(&from);
        r = import_run(c, c->option[OPT_ACCOUNT], &s, e);
    }
    password_done(&o.password);
    buf_done(&o.roots);
    return r;
}
