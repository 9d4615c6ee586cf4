/* cert_install.c: the answer of another CA: looked at by certd, shown, installed. */
#include "base/check.h"
#include "base/fd.h"
#include "base/random.h"
#include "manager/cert.h"
#include "manager/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where Debian and its like keep all roots in one file. */
static const char system_roots[] = "/etc/ssl/certs/ca-certificates.crt";

void cert_files_init(struct cert_files *f)
{
    f->bytes = BUF(CERT_FILES_BYTES);
    f->count = 0;
}

void cert_files_done(struct cert_files *f)
{
    buf_done(&f->bytes);
}

/* Plain files only: anything else could keep us waiting, or have no end. */
static int read_plain(const char *path, size_t most, struct buf *out, struct err *e)
{
    FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    char *p;

    if (fd < 0 || fstat(fd, &st) != 0)
        return err_set(e, -errno, "%s: %s", text_quote(span_cstr(path)), strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(e, -EINVAL, "%s is no plain file", text_quote(span_cstr(path)));
    if ((uint64_t)st.st_size > most)
        return err_set(e, -EMSGSIZE,
                       "%s has %lld bytes, at most %zu are taken: this is no file "
                       "with certificates",
                       text_quote(span_cstr(path)), (long long)st.st_size, most);
    if (st.st_size == 0)
        return err_set(e, -EBADMSG, "%s is empty", text_quote(span_cstr(path)));
    p = buf_reserve(out, (size_t)st.st_size);
    CHECK(p != NULL);
    if (fd_read_all(fd, p, (size_t)st.st_size) != 0)
        return err_set(e, -EIO, "%s cannot be read", text_quote(span_cstr(path)));
    buf_commit(out, (size_t)st.st_size);
    return 0;
}

int cert_read_file(const char *path, struct buf *out, struct err *e)
{
    return read_plain(path, CONTAINER_BYTES_MAX, out, e);
}

void cert_files_add_bytes(struct cert_files *f, enum cert_file_kind kind, const char *name,
                          struct span bytes)
{
    struct cert_file one = {.kind = (uint8_t)kind, .bytes = bytes};
    size_t n = strlen(name);

    /* the end of a long path says most */
    snprintf(one.name, sizeof one.name, "%s",
             n > CERT_FILE_NAME_MAX ? name + n - CERT_FILE_NAME_MAX : name);
    wr_cert_file(&f->bytes, &one);
    f->count++;
}

int cert_files_add(struct cert_files *f, enum cert_file_kind kind, const char *path, struct err *e)
{
    struct buf bytes BUF_AUTO = BUF(CERT_FILES_BYTES);
    int r = read_plain(
        path, kind == CERT_FILE_POOL ? CONTAINER_POOL_BYTES_MAX : CONTAINER_BYTES_MAX, &bytes, e);

    if (r != 0)
        return r;
    if (f->count >= CERT_FILES_MAX - 2)
        return err_set(e, -E2BIG, "more than %d files", CERT_FILES_MAX - 2);
    cert_files_add_bytes(f, kind, path, buf_span(&bytes));
    return f->bytes.overflow ? err_set(e, -EMSGSIZE, "the files are too large together") : 0;
}

int cert_files_add_roots(struct cert_files *f, const char *root, struct err *e)
{
    struct err ignored;

    if (root != NULL)
        return cert_files_add(f, CERT_FILE_ROOT, root, e);
    (void)cert_files_add(f, CERT_FILE_POOL, system_roots, &ignored);
    return 0;
}

json_t *cert_offer(struct call *c, const struct cert_offer_msg *m, const struct cert_files *f,
                   struct err *e)
{
    struct control *control = call_control(c, e);
    struct buf body BUF_AUTO = BUF(8192), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    FD_AUTO fd = memfd_create("certificates", MFD_CLOEXEC);

    if (control == NULL)
        return NULL;
    if (fd < 0 || fd_write_all(fd, f->bytes.p, f->bytes.n) != 0) {
        err_set(e, -ENOMEM, "there is no memory for the files");
        return NULL;
    }
    wr_cert_offer(&body, m);
    if (control_call_with(control, ROLE_CERTD, 0, MSG_CERT_OFFER, buf_span(&body), fd, &reply, e) <
        0)
        return NULL;
    return view_parse(buf_span(&reply), "certd", e);
}

void cert_summary(const json_t *offer, struct buf *out)
{
    const json_t *chain = view_get(offer, "chain"), *one;
    size_t i;

    buf_put_cstr(out, "Certificate Summary\n\n");
    if (view_string(offer, "name")[0])
        buf_printf(out, "Name         %s\n", view_string(offer, "name"));
    buf_put_cstr(out, view_string(offer, "text"));
    json_array_foreach(chain, i, one)
    {
        if (i > 0)
            buf_printf(out, "Through      %s\n", json_string_value(one));
    }
    buf_printf(out, "Root         %s\n", view_string(offer, "root"));
}

static int installed(struct call *c, json_t *take_v)
{
    if (cert_waits(take_v)[0]) {
        struct buf why BUF_AUTO = BUF(1024);
        buf_put_cstr(&why, cert_waits(take_v));
        return view_done(c, take_v,
                         "The certificate is accepted and staged for %s: %s. `sealpost cert show "
                         "%s` tells how it stands; the one in use stays until then.",
                         c->args[0], buf_cstr(&why), c->args[0]);
    }
    return view_done(c, take_v,
                     "The certificate is successfully installed on %s. New connections get it; "
                     "sessions that are open keep theirs.",
                     c->args[0]);
}

static int install(struct call *c, struct cert_offer_msg *m, const struct cert_files *f,
                   struct err *e)
{
    struct buf text BUF_AUTO = BUF(65536);
    json_t *v = cert_offer(c, m, f, e);
    int r;

    if (v == NULL)
        return -EIO;
    cert_summary(v, &text);
    json_decref(v);
    r = cert_confirm(c, buf_span(&text), "Install this certificate?", e);
    if (r != 0)
        return r;
    m->install = true;
    if ((v = cert_offer(c, m, f, e)) == NULL)
        return -EIO;
    if (has_option(c, OPT_YES) && !has_option(c, OPT_JSON)) {
        text_put_safe(&c->out, buf_span(&text), true);
        buf_putc(&c->out, '\n');
    }
    return installed(c, v);
}

int cmd_cert_install(struct call *c, struct err *e)
{
    struct cert_offer_msg m = {.source = IDENTITY_EXTERNAL};
    struct cert_files f;
    int r = 0;

    if (!span_to_cstr(span_cstr(c->args[0]), m.vserver, sizeof m.vserver))
        return err_set(e, -ENOENT, "there is no virtual server of that name");
    if (has_option(c, OPT_NAME) &&
        !span_to_cstr(span_cstr(c->option[OPT_NAME]), m.name, sizeof m.name))
        return usage_error(e, "--name is longer than %d bytes", CERT_MSG_LABEL_MAX);
    cert_files_init(&f);
    for (unsigned i = 1; r == 0 && i < c->arg_count; i++)
        r = cert_files_add(&f, CERT_FILE_ANSWER, c->args[i], e);
    if (r == 0)
        r = cert_files_add_roots(&f, c->option[OPT_ROOT], e);
    if (r == 0)
        r = install(c, &m, &f, e);
    cert_files_done(&f);
    return r;
}

/* --- the short ones */

json_t *cert_take_of(struct call *c, enum msg_id id, const char *vserver, const char *from,
                     struct err *e)
{
    struct buf body BUF_AUTO = BUF(256);
    struct cert_assign_msg m;

    if (!span_to_cstr(span_cstr(vserver), m.vserver, sizeof m.vserver) ||
        !span_to_cstr(span_cstr(from), m.from, sizeof m.from)) {
        err_set(e, -ENOENT, "there is no virtual server of that name");
        return NULL;
    }
    wr_cert_assign(&body, &m);
    return cert_ask_body(c, id, buf_span(&body), e);
}

void cert_renewal(const json_t *v, struct buf *out)
{
    const char *slot = cert_waits(v)[0] ? "next" : "current";
    const json_t *s = view_get(v, slot);
    const char *source = view_string(s, "source"), *vserver = view_string(v, "vserver");
    bool own = strcmp(source, "own CA") == 0;
    const char *origin = view_string(s, "origin");

    if (own || (strcmp(source, "external CA") == 0 && origin[0]))
        buf_printf(out,
                   "In time %s renews it here, with a new key; `sealpost cert renew %s --same-key` "
                   "would keep the key.",
                   own ? "the own CA" : origin, vserver);
    else
        buf_printf(
            out,
            "It is not renewed by itself (%s): `sealpost cert renew %s` prepares the request, "
            "with a new key.",
            source, vserver);
}

int cmd_cert_assign(struct call *c, struct err *e)
{
    struct buf why BUF_AUTO = BUF(1024);
    json_t *v = cert_take_of(c, MSG_CERT_ASSIGN, c->args[0], c->args[1], e);

    if (v == NULL)
        return -EIO;
    buf_put_cstr(&why, cert_waits(v));
    if (why.n > 0)
        return view_done(
            c, v,
            "The certificate of %s is staged for %s: %s. `sealpost cert show %s` tells "
            "how it stands.",
            c->args[1], c->args[0], buf_cstr(&why), c->args[0]);
    return view_done(c, v,
                     "%s shows the certificate of %s now, and follows it when that is renewed.",
                     c->args[0], c->args[1]);
}

int cmd_cert_copy(struct call *c, struct err *e)
{
    struct buf why BUF_AUTO = BUF(1024), renewal BUF_AUTO = BUF(1024);
    json_t *v = cert_take_of(c, MSG_CERT_COPY, c->args[1], c->args[0], e);

    if (v == NULL)
        return -EIO;
    cert_renewal(v, &renewal);
    buf_put_cstr(&why, cert_waits(v));
    if (why.n > 0)
        return view_done(
            c, v,
            "The certificate of %s is staged for %s: %s. `sealpost cert show %s` tells "
            "how it stands. %s",
            c->args[0], c->args[1], buf_cstr(&why), c->args[1], buf_cstr(&renewal));
    return view_done(c, v,
                     "The certificate of %s is installed on %s too, with the use of its key. What "
                     "becomes of it on %s changes nothing here. %s",
                     c->args[0], c->args[1], c->args[0], buf_cstr(&renewal));
}

int cmd_cert_remove(struct call *c, struct err *e)
{
    struct buf text BUF_AUTO = BUF(1024);
    json_t *v;
    int r;

    buf_printf(
        &text,
        "Without a certificate %s cannot do TLS: encrypted endpoints refuse everybody, until "
        "another is made or installed.\n",
        text_quote(span_cstr(c->args[0])));
    if ((r = cert_confirm(c, buf_span(&text), "Remove the certificate?", e)) != 0)
        return r;
    if ((v = cert_ask(c, MSG_CERT_REMOVE, c->args[0], e)) == NULL)
        return -EIO;
    return view_done(
        c, v,
        "The certificate of %s is removed. For a day `sealpost cert rollback %s` brings "
        "it back.",
        c->args[0], c->args[0]);
}

int cmd_cert_rollback(struct call *c, struct err *e)
{
    json_t *v = cert_ask(c, MSG_CERT_ROLLBACK, c->args[0], e);
    char serial[CERTIFICATE_SERIAL_MAX];

    if (v == NULL)
        return -EIO;
    snprintf(serial, sizeof serial, "%s", view_string(v, "current.serial"));
    return view_done(c, v, "%s shows certificate %s again.", c->args[0], serial);
}
