/* cert_request.c: a request for another CA: made now, sent later. */
#include "base/check.h"
#include "base/fd.h"
#include "manager/cert.h"
#include "manager/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct view pending_fields[] = {
    {"Virtual server", "vserver",       VIEW_TEXT, 0},
    {"Name",           "name",          VIEW_TEXT, 0},
    {"State",          "state",         VIEW_TEXT, 0},
    {"Since",          "since",         VIEW_TIME, 0},
    {"Subject",        "subject",       VIEW_TEXT, 0},
    {"Names",          "names",         VIEW_TEXT, 0},
    {"Key",            "key_type",      VIEW_TEXT, 0},
    {"Authority",      "authority",     VIEW_TEXT, 0},
    {"Progress",       "progress",      VIEW_TEXT, 0},
    {"Failure",        "order_failure", VIEW_TEXT, 0},
};

void cert_default_name(const struct conf_vserver *v, char ret[CERT_MSG_LABEL_MAX + 1])
{
    char protocol[32];
    const char *name = conf_protocol_name((enum conf_protocol)v->protocol);
    size_t n = 0;

    for (; name[n] && n + 1 < sizeof protocol; n++)
        protocol[n] = ascii_upper(name[n]);
    protocol[n] = '\0';
    snprintf(ret, CERT_MSG_LABEL_MAX + 1, "Default %s Virtual Server", protocol);
    if (span_find_span(span_cstr(v->name), SPAN("default")) == SPAN_NONE)
        snprintf(ret, CERT_MSG_LABEL_MAX + 1, "%s %s Virtual Server", v->name, protocol);
}

static bool is_loopback(const char *address)
{
    return span_starts(span_cstr(address), SPAN("127.")) || strcmp(address, "::1") == 0;
}

/* Whoever comes there comes by its address as well. */
static void add_loopback(const struct conf_vserver *v, struct cert_names *ret)
{
    for (uint32_t i = 0; i < v->endpoint_count; i++)
        if (!is_loopback(v->endpoints[i].address))
            return;
    for (uint32_t i = 0; i < v->endpoint_count; i++)
        cert_names_add_any(ret, span_cstr(v->endpoints[i].address));
}

void cert_default_names(struct call *c, const struct conf_vserver *v, bool online,
                        struct cert_names *ret)
{
    struct err ignored;
    const struct conf *conf = control_conf(c->control, &ignored);

    for (uint32_t i = 0; i < v->names.n; i++)
        cert_names_add_any(ret, span_cstr(v->names.v[i]));
    if (ret->n == 0 && conf != NULL)
        cert_names_add_any(ret, span_cstr(conf->hostname));
    if (!online)
        add_loopback(v, ret);
}

/* 192.0.2.1, and 127.1, which programs take as one too: no top level domain is a number. */
static bool looks_like_address(struct span s)
{
    size_t n = 0;

    while (n < s.n && s.p[s.n - 1 - n] >= '0' && s.p[s.n - 1 - n] <= '9')
        n++;
    return span_has(s, ':') || (n > 0 && (n == s.n || s.p[s.n - 1 - n] == '.'));
}

static bool has_other_letters(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return true;
    return false;
}

int cert_add_names(struct cert_names *n, enum cert_name_type type, const char *list, struct err *e)
{
    struct span rest = span_cstr(list), one;

    while (span_split(&rest, ',', &one)) {
        one = span_trim(one);
        if (type == CERT_NAME_DNS && looks_like_address(one))
            return usage_error(e, "%s is an address, no DNS name; say --ip for it",
                               text_quote(one));
        if (type == CERT_NAME_DNS && has_other_letters(one))
            return usage_error(e,
                               "%s has letters that DNS does not know; give its ASCII form, which "
                               "begins with xn-- (`idn2` prints it)",
                               text_quote(one));
        switch (one.n == 0 ? 0 : cert_names_add(n, type, one)) {
        case 0:
            break;
        case -E2BIG:
            return usage_error(e, "more than %d names; make several certificates", CERT_NAMES_MAX);
        default:
            return usage_error(e, "%s is no %s", text_quote(one),
                               type == CERT_NAME_IP ? "address: 192.0.2.1, 2001:db8::1"
                                                    : "DNS name: letters, digits and dashes with "
                                                      "dots between");
        }
    }
    return 0;
}

bool cert_key_type_known(const char *type)
{
    static const char *const types[] = {"p256", "p384", "ed25519", "rsa2048", "rsa3072", "rsa4096"};

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

int cert_look_out(const char *file, struct err *e)
{
    struct buf folder BUF_AUTO = BUF(4096);
    size_t slash = span_rfind(span_cstr(file), '/');
    struct stat st;

    if (lstat(file, &st) == 0)
        return S_ISREG(st.st_mode)
                   ? err_set(e, -EEXIST, "%s is there already", text_quote(span_cstr(file)))
                   : err_set(e, -EINVAL, "%s is there already, and is no plain file",
                             text_quote(span_cstr(file)));
    buf_put_span(&folder, slash == SPAN_NONE ? SPAN(".") : span_head(span_cstr(file), slash + 1));
    if (access(buf_cstr(&folder), W_OK) != 0)
        return err_set(e, -errno, "%s cannot be written: %s", text_quote(span_cstr(file)),
                       strerror(errno));
    return 0;
}

int cert_check_out(const char *file, struct err *e)
{
    struct err why;
    int r = cert_look_out(file, &why);

    return r == 0 ? 0
                  : err_set(e, r, "%.400s%s; name another file with --out", why.text,
                            r == -EEXIST ? " and is not overwritten" : "");
}

static int write_pem(const json_t *v, const char *file, struct err *e)
{
    struct err why;
    int r = file_write(AT_FDCWD, file, span_cstr(view_string(v, "pem")), CERT_REQUEST_MODE, &why);

    return r == 0 ? 0
                  : err_set(e, r,
                            "the request is pending, but its file cannot be written: %.300s; write "
                            "it with `sealpost cert pending %s --out FILE`",
                            why.text, view_string(v, "vserver"));
}

int cert_write_pending(struct call *c, const char *vserver, const char *file, struct err *e)
{
    json_t *v = cert_ask(c, MSG_CERT_PENDING, vserver, e);
    int r = v == NULL ? -EIO : write_pem(v, file, e);

    json_decref(v);
    return r;
}

json_t *cert_request(struct call *c, const struct cert_request_msg *m, const char *file,
                     struct err *e)
{
    struct buf body BUF_AUTO = BUF(65536);
    json_t *v;

    wr_cert_request(&body, m);
    v = cert_ask_body(c, MSG_CERT_REQUEST, buf_span(&body), e);
    if (v != NULL && write_pem(v, file, e) != 0) {
        json_decref(v);
        return NULL;
    }
    return v;
}

static int take_field(const struct call *c, enum option_id o, char dst[CERT_FIELD_BYTES + 1],
                      struct err *e)
{
    const char *given = c->option[o];

    if (given != NULL && !span_to_cstr(span_trim(span_cstr(given)), dst, CERT_FIELD_BYTES + 1))
        return usage_error(e, "--%s is too long", manager_options[o].name);
    return 0;
}

static int take_fields(const struct call *c, struct cert_fields *f, struct err *e)
{
    struct cert_subject s = cert_fields_subject(f);
    const char *code;
    int r;

    if ((r = take_field(c, OPT_COMMON_NAME, f->common_name, e)) != 0 ||
        (r = take_field(c, OPT_ORGANIZATION, f->organization, e)) != 0 ||
        (r = take_field(c, OPT_UNIT, f->unit, e)) != 0 ||
        (r = take_field(c, OPT_COUNTRY, f->country, e)) != 0 ||
        (r = take_field(c, OPT_STATE, f->state, e)) != 0 ||
        (r = take_field(c, OPT_CITY, f->locality, e)) != 0)
        return r;
    code = country_find(span_cstr(f->country));
    if (code != NULL)
        snprintf(f->country, sizeof f->country, "%s", code);
    return cert_subject_check(&s, e) < 0 ? EXIT_USAGE : 0;
}

/* Names: those given, with the common name first; else those of the virtual server. */
static int take_names(struct call *c, const struct conf_vserver *v, struct cert_request_msg *m,
                      struct err *e)
{
    struct cert_names given = CERT_NAMES_EMPTY;
    int r = 0;

    if (m->fields.common_name[0])
        cert_names_add_any(&m->names, span_cstr(m->fields.common_name));
    if (has_option(c, OPT_DNS))
        r = cert_add_names(&given, CERT_NAME_DNS, c->option[OPT_DNS], e);
    if (r == 0 && has_option(c, OPT_IP))
        r = cert_add_names(&given, CERT_NAME_IP, c->option[OPT_IP], e);
    if (r == 0)
        cert_names_copy(&m->names, &given);
    cert_names_done(&given);
    if (r == 0 && m->names.n == 0)
        cert_default_names(c, v, has_option(c, OPT_CA), &m->names);
    if (r == 0 && !m->fields.common_name[0] && m->names.n > 0 && strlen(m->names.v[0].text) <= 64)
        snprintf(m->fields.common_name, sizeof m->fields.common_name, "%s", m->names.v[0].text);
    return r;
}

static int take_options(struct call *c, const struct conf_vserver *v, struct cert_request_msg *m,
                        struct err *e)
{
    const struct conf *conf = control_conf(c->control, e);
    int r;

    if (conf == NULL)
        return -EIO;
    snprintf(m->vserver, sizeof m->vserver, "%s", v->name);
    m->exportable = has_option(c, OPT_EXPORTABLE);
    cert_default_name(v, m->name);
    if (has_option(c, OPT_NAME) &&
        !span_to_cstr(span_cstr(c->option[OPT_NAME]), m->name, sizeof m->name))
        return usage_error(e, "--name is longer than %d bytes", CERT_MSG_LABEL_MAX);
    snprintf(m->key_type, sizeof m->key_type, "%s",
             has_option(c, OPT_KEY_TYPE) ? c->option[OPT_KEY_TYPE] : v->key_type);
    if (!cert_key_type_known(m->key_type))
        return usage_error(e,
                           "%s is no kind of key; there are p256, p384, ed25519, rsa2048, "
                           "rsa3072 and rsa4096",
                           text_quote(span_cstr(m->key_type)));
    snprintf(m->fields.organization, sizeof m->fields.organization, "%s", conf->organization);
    if ((r = take_fields(c, &m->fields, e)) != 0)
        return r;
    return take_names(c, v, m, e);
}

/* A certificate without any of its names would be refused when it is there. */
static void warn_of_names(struct call *c, const struct conf_vserver *v, const struct cert_names *n)
{
    struct cert_names own = CERT_NAMES_EMPTY;
    bool covered = false;

    for (uint32_t i = 0; i < v->names.n; i++)
        cert_names_add_any(&own, span_cstr(v->names.v[i]));
    cert_names_add_any(&own, span_cstr(control_conf(c->control, &(struct err){""})->hostname));
    for (uint32_t i = 0; i < own.n && !covered; i++)
        covered = cert_names_has(n, own.v[i].type, span_cstr(own.v[i].text)) ||
                  cert_names_has(n, CERT_NAME_DNS, SPAN("localhost"));
    for (uint32_t i = 0; i < n->n; i++)
        covered |= n->v[i].text[0] == '*';
    if (!covered)
        fprintf(stderr,
                "warning: the request has none of the names of %s; a certificate for it will be "
                "refused, unless the configuration gives the virtual server one of them first\n",
                v->name);
    cert_names_done(&own);
}

/* Whose progress may be seen: standard error, where somebody looks at it. */
static int progress_tty(const struct call *c)
{
    return !has_option(c, OPT_JSON) && isatty(STDERR_FILENO) ? STDERR_FILENO : -1;
}

static int order(struct call *c, struct cert_request_msg *m, struct err *e)
{
    json_t *v = cert_order(c, m, !has_option(c, OPT_NO_WAIT), progress_tty(c), e);

    return v == NULL ? -EIO : cert_order_done(c, v, m);
}

int cmd_cert_request(struct call *c, struct err *e)
{
    const char *file = has_option(c, OPT_OUT) ? c->option[OPT_OUT] : CERT_REQUEST_FILE;
    const struct conf_vserver *v = cert_vserver(c, c->args[0], e);
    struct cert_request_msg m = {.names = CERT_NAMES_EMPTY};
    json_t *answer = NULL;
    int r;

    if (v == NULL)
        return -ENOENT;
    r = take_options(c, v, &m, e);
    if (r == 0 && has_option(c, OPT_CA)) {
        if (has_option(c, OPT_OUT))
            r = usage_error(e, "--ca sends the request; --out would write it into a file");
        else if (!span_to_cstr(span_cstr(c->option[OPT_CA]), m.authority, sizeof m.authority) ||
                 m.authority[0] == '\0')
            r = usage_error(e, "--ca needs the name of an authority of the configuration");
        else
            r = order(c, &m, e);
        cert_names_done(&m.names);
        return r;
    }
    if (r == 0)
        r = cert_check_out(file, e);
    if (r == 0)
        warn_of_names(c, v, &m.names);
    if (r == 0 && (answer = cert_request(c, &m, file, e)) == NULL)
        r = -EIO;
    cert_names_done(&m.names);
    if (r != 0)
        return r;
    json_object_set_new(answer, "file", view_text(file));
    return view_done(c, answer,
                     "The request is in %s. Send it to your CA; when its answer is there, install "
                     "it with `sealpost cert install %s FILE`. The certificate in use stays.",
                     file, v->name);
}

int cmd_cert_pending(struct call *c, struct err *e)
{
    json_t *v = cert_ask(c, MSG_CERT_PENDING, c->args[0], e);
    int r;

    if (v == NULL)
        return -EIO;
    if (has_option(c, OPT_OUT)) {
        const char *file = c->option[OPT_OUT];
        if ((r = cert_check_out(file, e)) == 0)
            r = write_pem(v, file, e);
        if (r == 0)
            return view_done(c, v, "The request is in %s.", file);
        json_decref(v);
        return r;
    }
    if (has_option(c, OPT_JSON))
        return view_object(c, v, NULL, 0);
    view_fields(c, v, VIEW(pending_fields));
    buf_putc(&c->out, '\n');
    text_put_safe(&c->out, span_cstr(view_string(v, "pem")), true);
    json_decref(v);
    return 0;
}

int cmd_cert_cancel(struct call *c, struct err *e)
{
    struct control *control = call_control(c, e);
    struct buf body BUF_AUTO = BUF(128);
    int r;

    if (control == NULL)
        return -ENOTCONN;
    if (strlen(c->args[0]) > CERT_MSG_WORD_MAX)
        return err_set(e, -ENOENT, "there is no virtual server of that name");
    wr_cert_word(&body, c->args[0]);
    r = control_call(control, ROLE_CERTD, 0, MSG_CERT_CANCEL, buf_span(&body), NULL, e);
    return r < 0 ? r
                 : view_done(c, NULL, "The pending request of %s and its key are deleted.",
                             c->args[0]);
}

static int renew_elsewhere(struct call *c, const char *vserver, struct err *e)
{
    const char *file = has_option(c, OPT_OUT) ? c->option[OPT_OUT] : CERT_REQUEST_FILE;
    struct cert_request_msg m = {
        .names = CERT_NAMES_EMPTY, .as_current = true, .same_key = has_option(c, OPT_SAME_KEY)};
    json_t *answer;
    int r = cert_check_out(file, e);

    if (r != 0)
        return r;
    snprintf(m.vserver, sizeof m.vserver, "%s", vserver);
    if ((answer = cert_request(c, &m, file, e)) == NULL)
        return -EIO;
    json_object_set_new(answer, "file", view_text(file));
    return view_done(c, answer,
                     "The certificate is of another CA, so a request for its successor is in %s. "
                     "Send it there; install the answer with `sealpost cert install %s FILE`.",
                     file, vserver);
}

static int renew_online(struct call *c, const char *vserver, const char *authority, struct err *e)
{
    struct cert_request_msg m = {
        .names = CERT_NAMES_EMPTY, .as_current = true, .same_key = has_option(c, OPT_SAME_KEY)};

    snprintf(m.vserver, sizeof m.vserver, "%s", vserver);
    snprintf(m.authority, sizeof m.authority, "%s", authority);
    return order(c, &m, e);
}

int cmd_cert_renew(struct call *c, struct err *e)
{
    json_t *v = cert_ask(c, MSG_CERT_SHOW, c->args[0], e);
    struct cert_renew_msg m = {.same_key = has_option(c, OPT_SAME_KEY)};
    struct buf body BUF_AUTO = BUF(128);
    char serial[CERTIFICATE_SERIAL_MAX], waits[600];
    const char *source;
    char authority[CERT_MSG_WORD_MAX + 1];
    bool own, assigned;

    if (v == NULL)
        return -EIO;
    source = view_string(v, "current.source");
    own = source[0] == '\0' || strcmp(source, "own CA") == 0;
    snprintf(authority, sizeof authority, "%s",
             strcmp(source, "external CA") == 0 ? view_string(v, "current.origin") : "");
    assigned = strcmp(source, "assigned") == 0;
    if (assigned)
        err_set(e, -EINVAL, "%s shows the certificate of %s and follows it; renew that one",
                c->args[0], view_string(v, "current.origin"));
    json_decref(v);
    if (assigned)
        return -EINVAL;
    if (authority[0])
        return renew_online(c, c->args[0], authority, e);
    if (!own)
        return renew_elsewhere(c, c->args[0], e);
    snprintf(m.vserver, sizeof m.vserver, "%s", c->args[0]);
    wr_cert_renew(&body, &m);
    if ((v = cert_ask_body(c, MSG_CERT_RENEW, buf_span(&body), e)) == NULL)
        return -EIO;
    if (cert_waits(v)[0]) {
        snprintf(waits, sizeof waits, "%s", cert_waits(v));
        return view_done(c, v,
                         "%s has a new certificate of the own CA, which is staged: %s. `sealpost "
                         "cert show %s` tells how it stands.",
                         c->args[0], waits, c->args[0]);
    }
    snprintf(serial, sizeof serial, "%s", view_string(v, "current.serial"));
    return view_done(c, v, "%s has a new certificate of the own CA, serial %s.", c->args[0],
                     serial);
}
