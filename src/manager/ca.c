/* ca.c: the own CA and its register. */
#include "manager/ca.h"
#include "base/check.h"
#include "base/fd.h"
#include "manager/control.h"
#include "manager/table.h"
#include "manager/text.h"
#include "manager/view.h"
#include "pki/cert_msg.h"
#include "pki/crl.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CRL_MAX = 16 << 20 };

static const struct view info_fields[] = {
    {"Ready",   "ready",   VIEW_TEXT, 0},
    {"Valid",   "valid",   VIEW_TEXT, 0},
    {"Revoked", "revoked", VIEW_TEXT, 0},
    {"Expired", "expired", VIEW_TEXT, 0},
};
static const struct view ca_fields[] = {
    {"Kind",         "kind",                  VIEW_TEXT,  0},
    {"State",        "state",                 VIEW_TEXT,  0},
    {"Subject",      "certificate.subject",   VIEW_TEXT,  0},
    {"Certified by", "certificate.issuer",    VIEW_TEXT,  0},
    {"Above",        "above",                 VIEW_TEXT,  0},
    {"Serial",       "certificate.serial",    VIEW_TEXT,  0},
    {"Name",         "name",                  VIEW_TEXT,  0},
    {"Key",          "certificate.key_type",  VIEW_TEXT,  0},
    {"Its key is",   "key_state",             VIEW_TEXT,  0},
    {"Key exported", "key_kept_at",           VIEW_TIME,  0},
    {"Valid until",  "certificate.not_after", VIEW_TIME,  0},
    {"Ends",         "certificate.not_after", VIEW_UNTIL, 0},
    {"Permitted",    "permitted",             VIEW_TEXT,  0},
    {"Fingerprint",  "certificate.sha256",    VIEW_TEXT,  0},
};
static const struct view issued_columns[] = {
    {"SERIAL",  "certificate.serial",    VIEW_TEXT,  COLUMN_WHOLE},
    {"STATE",   "state",                 VIEW_TEXT,  0           },
    {"PROFILE", "profile",               VIEW_TEXT,  0           },
    {"FOR",     "requester",             VIEW_TEXT,  0           },
    {"NAMES",   "certificate.names",     VIEW_TEXT,  0           },
    {"ENDS",    "certificate.not_after", VIEW_UNTIL, 0           },
};

json_t *ca_ask(struct call *c, enum msg_id id, struct span body, struct err *e)
{
    struct control *control = call_control(c, e);
    struct buf reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);

    if (control == NULL || control_call(control, ROLE_CAD, 0, id, body, &reply, e) < 0)
        return NULL;
    return view_parse(buf_span(&reply), "cad", e);
}

int cmd_ca_info(struct call *c, struct err *e)
{
    json_t *v = ca_ask(c, MSG_CA_INFO, SPAN_EMPTY, e), *ca;
    size_t i;

    if (v == NULL)
        return -EIO;
    if (has_option(c, OPT_JSON))
        return view_object(c, v, NULL, 0);
    view_fields(c, v, VIEW(info_fields));
    json_array_foreach(json_object_get(v, "cas"), i, ca)
    {
        buf_putc(&c->out, '\n');
        view_fields(c, ca, VIEW(ca_fields));
    }
    json_decref(v);
    return 0;
}

int cmd_ca_list(struct call *c, struct err *e)
{
    struct ca_find_msg q = {.after = 0};
    json_t *all;
    int r = ca_parse_search(c, &q, e);

    if (r != 0)
        return r;
    all = json_array();
    for (;;) {
        struct buf body BUF_AUTO = BUF(1024);
        json_t *page;
        int64_t next;
        wr_ca_find(&body, &q);
        if ((page = ca_ask(c, MSG_CA_FIND, buf_span(&body), e)) == NULL) {
            json_decref(all);
            return -EIO;
        }
        json_array_extend(all, json_object_get(page, "certificates"));
        next = json_integer_value(json_object_get(page, "next"));
        json_decref(page);
        if (next <= q.after)
            break;
        q.after = next;
    }
    return view_list(c, all, VIEW(issued_columns), "There are no such certificates.");
}

int ca_parse_serial(const char *text, char ret[CERTIFICATE_SERIAL_MAX], struct err *e)
{
    size_t n = 0;

    for (const char *p = text; *p; p++) {
        char l = ascii_lower(*p);
        if (l == ':')
            continue;
        if (!(ascii_is_digit(l) || (l >= 'a' && l <= 'f')) || n + 1 >= CERTIFICATE_SERIAL_MAX)
            return usage_error(e,
                               "%s is no serial number: hexadecimal, at most 40 digits; `sealpost "
                               "ca list` shows them",
                               text_quote(span_cstr(text)));
        ret[n++] = l;
    }
    ret[n] = '\0';
    return n > 0 ? 0 : usage_error(e, "the serial number is empty");
}

int cmd_ca_show(struct call *c, struct err *e)
{
    char serial[CERTIFICATE_SERIAL_MAX];
    struct buf body BUF_AUTO = BUF(128);
    json_t *v;
    int r = ca_parse_serial(c->args[0], serial, e);

    if (r != 0)
        return r;
    wr_cert_word(&body, serial);
    if ((v = ca_ask(c, MSG_CA_SHOW, buf_span(&body), e)) == NULL)
        return -EIO;
    if (has_option(c, OPT_JSON))
        return view_object(c, v, NULL, 0);
    buf_printf(&c->out, "State        %s%s%s\nProfile      %s\n",
               text_quote(span_cstr(view_string(v, "state"))),
               view_string(v, "reason")[0] ? ", " : "",
               text_quote(span_cstr(view_string(v, "reason"))),
               text_quote(span_cstr(view_string(v, "profile"))));
    text_put_safe(&c->out, span_cstr(view_string(v, "text")), true);
    buf_putc(&c->out, '\n');
    text_put_safe(&c->out, span_cstr(view_string(v, "pem")), true);
    json_decref(v);
    return 0;
}

int cmd_ca_revoke(struct call *c, struct err *e)
{
    const char *given = has_option(c, OPT_REASON) ? c->option[OPT_REASON] : "unspecified";
    struct ca_revoke_msg q;
    enum crl_reason reason;
    struct control *control;
    struct buf body BUF_AUTO = BUF(128);
    int r = ca_parse_serial(c->args[0], q.serial, e);

    if (r != 0)
        return r;
    if (!crl_reason_by_name(span_cstr(given), &reason))
        return usage_error(e, "%s is no reason; `sealpost ca revoke --help` lists them",
                           text_quote(span_cstr(given)));
    q.reason = (uint8_t)reason;
    if ((control = call_control(c, e)) == NULL)
        return -ENOTCONN;
    wr_ca_revoke(&body, &q);
    r = control_call(control, ROLE_CAD, 0, MSG_CA_REVOKE, buf_span(&body), NULL, e);
    return r < 0 ? r
                 : view_done(c, NULL,
                             "Certificate %s is revoked (%s). A virtual server that shows it "
                             "gets a new one at once.",
                             q.serial, crl_reason_name(reason));
}

static int read_crl(int fd, struct buf *out, struct err *e)
{
    struct stat st;
    char *p;
    ssize_t n;

    if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > CRL_MAX)
        return err_set(e, -EBADMSG, "the list of revoked certificates has no sensible size");
    p = buf_reserve(out, (size_t)st.st_size);
    n = pread(fd, p, (size_t)st.st_size, 0);
    if (n != st.st_size)
        return err_set(e, -EIO, "the list of revoked certificates cannot be read");
    buf_commit(out, (size_t)n);
    return 0;
}

int cmd_ca_crl(struct call *c, struct err *e)
{
    struct control *control = call_control(c, e);
    struct buf body BUF_AUTO = BUF(16), der BUF_AUTO = BUF(CRL_MAX),
                    pem BUF_AUTO = BUF(2 * CRL_MAX);
    FD_AUTO fd = -1;
    int r;

    if (control == NULL)
        return -ENOTCONN;
    wr_ca_crl(&body, 0);
    r = control_call_fd(control, ROLE_CAD, 0, MSG_CA_CRL, buf_span(&body), &fd, e);
    if (r < 0 || (r = read_crl(fd, &der, e)) != 0)
        return r;
    if (has_option(c, OPT_OUTPUT)) {
        r = file_write(AT_FDCWD, c->option[OPT_OUTPUT], buf_span(&der), 0644, e);
        return r != 0
                   ? r
                   : view_done(c, NULL, "%zu bytes, DER, are in %s.", der.n, c->option[OPT_OUTPUT]);
    }
    pem_write("X509 CRL", buf_span(&der), &pem);
    if (has_option(c, OPT_JSON))
        return view_object(c, json_pack("{s:s}", "pem", buf_cstr(&pem)), NULL, 0);
    buf_put_span(&c->out, buf_span(&pem));
    return 0;
}
