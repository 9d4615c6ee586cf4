/* vserver.c: the virtual servers as they run. */
#include "base/check.h"
#include "base/clock.h"
#include "conf/rows.h"
#include "manager/account_cert.h"
#include "manager/control.h"
#include "manager/observatory.h"
#include "manager/table.h"
#include "manager/text.h"
#include "manager/view.h"
#include "pki/cert_msg.h"

#include <errno.h>

static json_t *networks_json(const struct conf_networks *n)
{
    json_t *all = json_array();

    for (uint32_t i = 0; i < n->n; i++) {
        struct buf b BUF_AUTO = BUF(64);
        conf_network_print(&n->v[i], &b);
        json_array_append_new(all, json_string(buf_cstr(&b)));
    }
    return all;
}

static json_t *strings_json(const struct conf_strings *s)
{
    json_t *all = json_array();

    for (uint32_t i = 0; i < s->n; i++)
        json_array_append_new(all, view_text(s->v[i]));
    return all;
}

/* {"address":…,"port":…,"policy":…} and, with the supervisor's word, whether it listens. */
static json_t *endpoints_json(const struct conf_vserver *v, const json_t *states)
{
    json_t *all = json_array();

    for (uint32_t i = 0; i < v->endpoint_count; i++) {
        const struct conf_endpoint *p = &v->endpoints[i];
        const json_t *state = json_array_get(states, i);
        json_t *one = json_pack("{s:o,s:i,s:s}", "address", view_text(p->address), "port",
                                (int)p->port, "policy", conf_policy_name(p->policy));
        if (state != NULL) {
            json_object_set(one, "listening", json_object_get(state, "listening"));
            json_object_set(one, "error", json_object_get(state, "error"));
        }
        json_array_append_new(all, one);
    }
    return all;
}

static const json_t *state_of(const json_t *status, const char *name)
{
    size_t i;
    json_t *v;

    json_array_foreach(json_object_get(status, "vservers"), i, v)
    {
        if (strcmp(view_string(v, "name"), name) == 0)
            return json_object_get(v, "endpoints");
    }
    return NULL;
}

static json_t *ask_status(struct control *control, struct err *e)
{
    struct buf bytes BUF_AUTO = BUF(LINK_PAYLOAD_MAX);

    if (control_call(control, ROLE_SUPERVISOR, 0, MSG_CONTROL_STATUS, SPAN_EMPTY, &bytes, e) < 0)
        return NULL;
    return view_parse(buf_span(&bytes), "the supervisor", e);
}

static json_t *vserver_json(const struct conf_vserver *v, const json_t *status)
{
    return json_pack(
        "{s:s,s:s,s:b,s:b,s:o,s:o}", "name", v->name, "protocol", conf_protocol_name(v->protocol),
        "enabled", v->enabled, "require_secure_channel", v->require_secure_channel, "names",
        strings_json(&v->names), "endpoints", endpoints_json(v, state_of(status, v->name)));
}

/* One line an endpoint. */
static void put_list(struct call *c, const json_t *all)
{
    static const struct view columns[] = {
        {"VIRTUAL SERVER", "name",     VIEW_TEXT,   0           },
        {"PROTOCOL",       "protocol", VIEW_TEXT,   0           },
        {"ADDRESS",        "address",  VIEW_TEXT,   COLUMN_WHOLE},
        {"PORT",           "port",     VIEW_NUMBER, 0           },
        {"SECURE CHANNEL", "policy",   VIEW_TEXT,   0           },
        {"STATE",          "state",    VIEW_TEXT,   COLUMN_WRAP },
    };
    json_t *rows = json_array();
    size_t i, k;
    json_t *v, *p;

    json_array_foreach((json_t *)(uintptr_t)all, i, v)
    {
        json_array_foreach(json_object_get(v, "endpoints"), k, p)
        {
            const char *error = view_string(p, "error");
            json_t *row = json_copy(p);
            if (k == 0) {
                json_object_set(row, "name", json_object_get(v, "name"));
                json_object_set(row, "protocol", json_object_get(v, "protocol"));
            }
            json_object_set_new(
                row, "state",
                json_string(!json_is_true(json_object_get(v, "enabled"))    ? "disabled"
                            : json_is_true(json_object_get(p, "listening")) ? "listening"
                            : error[0]                                      ? error
                                                                            : "closed"));
            json_array_append_new(rows, row);
        }
    }
    view_table(c, rows, VIEW(columns));
    json_decref(rows);
}

int cmd_vserver_list(struct call *c, struct err *e)
{
    struct control *control = call_control(c, e);
    const struct conf *conf = control != NULL ? control_conf(control, e) : NULL;
    json_t *status, *all;

    if (conf == NULL || (status = ask_status(control, e)) == NULL)
        return -ENOTCONN;
    all = json_array();
    for (uint32_t i = 0; i < conf->vserver_count; i++)
        json_array_append_new(all, vserver_json(&conf->vservers[i], status));
    if (has_option(c, OPT_JSON))
        view_json(c, all);
    else
        put_list(c, all);
    json_decref(all);
    json_decref(status);
    return 0;
}

static json_t *limits_json(const struct conf_vserver *v)
{
    json_t *all = json_object();

    FOR_EACH_ROW(SCOPE_LIMITS, row)
    if (row->type == ROW_U32) {
        uint32_t n;
        memcpy(&n, row_field_const(row, &v->limits), sizeof n);
        json_object_set_new(all, row->name, json_integer(n));
    }
    return all;
}

static void put_limits(struct call *c, const struct conf_vserver *v)
{
    static const struct table_column heads[] = {
        {"", COLUMN_WHOLE},
        {"", COLUMN_WHOLE},
        {"", COLUMN_WRAP }
    };
    struct table *t = table_new(heads, ARRAY_LEN(heads));

    FOR_EACH_ROW(SCOPE_LIMITS, row)
    {
        struct buf value BUF_AUTO = BUF(256);
        if (row->type != ROW_U32)
            continue;
        row_print(row, &v->limits, &value);
        table_put(t, span_cstr(row->name));
        /* texts are quoted in the file, not here */
        struct span text = buf_span(&value);
        if (text.n >= 2 && text.p[0] == '"')
            text = span_sub(text, 1, text.n - 2);
        table_put(t, text);
        table_put(t, span_cstr(row->doc));
    }
    buf_put_cstr(&c->out, "\nLimits\n");
    table_print_fields(t, c->columns, &c->out);
    table_free(t);
}

/* NULL where certd does not answer: the rest is shown all the same. */
static json_t *ask_certificate(struct control *control, const char *name)
{
    struct buf body BUF_AUTO = BUF(128), bytes BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct err ignored;

    wr_cert_word(&body, name);
    if (control_call(control, ROLE_CERTD, 0, MSG_CERT_SHOW, buf_span(&body), &bytes, &ignored) < 0)
        return NULL;
    return view_parse(buf_span(&bytes), "certd", &ignored);
}

/* ------------------------------------------------------------------ who in the world can log in */
static const char *const modes[] = {"ignore", "accept", "require"};

/* The trust list as the workers have it. */
static json_t *clients_json(struct control *control, const struct conf_vserver *v)
{
    struct buf body BUF_AUTO = BUF(128), bytes BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    json_t *all = json_pack("{s:s}", "mode", modes[v->client_certificates]), *answer;
    struct err ignored;

    if (v->client_certificates == CLIENT_CERTIFICATES_IGNORE)
        return all;
    json_object_set_new(all, "from", strings_json(&v->client_trust));
    wr_cert_word(&body, v->name);
    if (control_call(control, ROLE_CERTD, 0, MSG_CERT_TRUST_SHOW, buf_span(&body), &bytes,
                     &ignored) < 0 ||
        (answer = view_parse(buf_span(&bytes), "certd", &ignored)) == NULL)
        return all;
    json_object_set(all, "trusted", json_object_get(answer, "trust"));
    if (view_string(answer, "problem")[0])
        json_object_set_new(all, "problem",
                            json_sprintf("nobody is trusted: %s", view_string(answer, "problem")));
    json_decref(answer);
    return all;
}

struct holders {
    json_t *names;    /* accounts with certificates, each once */
    bool anybody;     /* a rule for all */
    bool own, others; /* trusted here: our own CA, one in a file */
};

static void trusts(struct holders *h, const struct conf_vserver *v)
{
    for (uint32_t i = 0; i < v->client_trust.n; i++)
        *(strcmp(v->client_trust.v[i], "own-ca") == 0 ? &h->own : &h->others) = true;
}

static void count_holder(const char *address, const struct directory_certificate *row, void *arg)
{
    struct holders *h = arg;
    size_t i;
    json_t *one;

    /* a certificate of our own CA where others are trusted, and the other way round, opens nothing */
    if (row->issued ? !h->own : !h->others && !h->own)
        return;
    if (row->ends_seconds != 0 && row->ends_seconds < clock_seconds())
        return;
    h->anybody |= row->account == 0;
    json_array_foreach(h->names, i, one)
    {
        if (strcmp(json_string_value(one), address) == 0)
            return;
    }
    if (row->account != 0)
        json_array_append_new(h->names, json_string(address));
}

/* Sentences: by what, and who. */
static json_t *logins_json(struct call *c, const struct conf_vserver *v)
{
    struct buf text BUF_AUTO = BUF(4096);
    struct holders h = {.names = json_array()};
    struct err ignored;
    size_t n;

    if (v->protocol == PROTOCOL_SMTP && v->smtp_kind == SMTP_MX) {
        buf_put_cstr(&text, "nobody: it takes mail of strangers");
    } else {
        buf_put_cstr(&text, v->protocol == PROTOCOL_HTTP
                                ? "nobody by password"
                                : "every account that may use the protocol, by password");
        if (v->client_certificates == CLIENT_CERTIFICATES_REQUIRE)
            buf_put_cstr(&text, ", behind a client certificate that holds");
        if (v->client_certificates != CLIENT_CERTIFICATES_IGNORE &&
            (trusts(&h, v), account_cert_each(c, "", count_holder, &h, &ignored) == 0)) {
            n = json_array_size(h.names);
            buf_printf(&text, "; by certificate %s", n == 0 && !h.anybody ? "nobody yet" : "");
            for (size_t i = 0; i < n && i < 8; i++)
                buf_printf(&text, "%s%s", i > 0 ? ", " : "",
                           json_string_value(json_array_get(h.names, i)));
            if (n > 8)
                buf_printf(&text, " and %zu more", n - 8);
            if (h.anybody)
                buf_printf(&text, "%swhoever a rule for all names", n > 0 ? ", and " : "");
        }
    }
    json_decref(h.names);
    return json_string(buf_cstr(&text));
}

static const struct view trusted_columns[] = {
    {"TRUSTED FOR CLIENTS", "subject",   VIEW_TEXT,  COLUMN_WRAP },
    {"SHA-256",             "sha256",    VIEW_TEXT,  0           },
    {"ENDS",                "not_after", VIEW_UNTIL, COLUMN_WHOLE},
};

static const struct view show_fields[] = {
    {"Name",            "name",                          VIEW_TEXT, 0},
    {"Protocol",        "protocol",                      VIEW_TEXT, 0},
    {"Kind",            "smtp_kind",                     VIEW_TEXT, 0},
    {"Enabled",         "enabled",                       VIEW_TEXT, 0},
    {"Names",           "names",                         VIEW_TEXT, 0},
    {"Secure channel",  "require_secure_channel",        VIEW_TEXT, 0},
    {"128 bits",        "require_128bit",                VIEW_TEXT, 0},
    {"Oldest TLS",      "tls_min",                       VIEW_TEXT, 0},
    {"Key type",        "key_type",                      VIEW_TEXT, 0},
    {"Allowed from",    "allow",                         VIEW_TEXT, 0},
    {"Denied from",     "deny",                          VIEW_TEXT, 0},
    {"Read by anyone",  "anonymous_read",                VIEW_YES,  0},
    {"Posts by anyone", "anonymous_post",                VIEW_YES,  0},
    {"Client certs",    "client_certificates.mode",      VIEW_TEXT, 0},
    {"Trusted CAs",     "client_certificates.from",      VIEW_TEXT, 0},
    {"Trust problem",   "client_certificates.problem",   VIEW_TEXT, 0},
    {"Who logs in",     "logins",                        VIEW_TEXT, 0},
    {"Certificate",     "certificate.current.serial",    VIEW_TEXT, 0},
    {"State",           "certificate.current.state",     VIEW_TEXT, 0},
    {"Ends",            "certificate.current.not_after", VIEW_TIME, 0},
    {"Problem",         "certificate.failure",           VIEW_TEXT, 0},
};
static const struct view endpoint_columns[] = {
    {"ADDRESS",        "address",   VIEW_TEXT,   COLUMN_WHOLE},
    {"PORT",           "port",      VIEW_NUMBER, 0           },
    {"SECURE CHANNEL", "policy",    VIEW_TEXT,   0           },
    {"LISTENING",      "listening", VIEW_TEXT,   0           },
    {"ERROR",          "error",     VIEW_TEXT,   COLUMN_WRAP },
};

int cmd_vserver_show(struct call *c, struct err *e)
{
    struct control *control = call_control(c, e);
    const struct conf *conf = control != NULL ? control_conf(control, e) : NULL;
    const struct conf_vserver *v;
    json_t *status, *all, *certificate;

    if (conf == NULL)
        return -ENOTCONN;
    v = conf_vserver_by_name(conf, c->args[0]);
    if (v == NULL)
        return err_set(e, -ENOENT,
                       "there is no virtual server %s; `sealpost vserver list` lists all",
                       text_quote(span_cstr(c->args[0])));
    if ((status = ask_status(control, e)) == NULL)
        return -ENOTCONN;
    all = vserver_json(v, status);
    if (v->protocol == PROTOCOL_SMTP)
        json_object_set_new(all, "smtp_kind",
                            json_string(v->smtp_kind == SMTP_MX ? "mx" : "submission"));
    json_object_set_new(all, "require_128bit", json_boolean(v->require_128bit));
    json_object_set_new(all, "tls_min", json_string(v->tls_min == TLS_MIN_1_3 ? "1.3" : "1.2"));
    json_object_set_new(all, "key_type", view_text(v->key_type));
    json_object_set_new(all, "client_certificates", clients_json(control, v));
    json_object_set_new(all, "logins", logins_json(c, v));
    json_object_set_new(all, "allow", networks_json(&v->allow));
    json_object_set_new(all, "deny", networks_json(&v->deny));
    json_object_set_new(all, "anonymous_read", json_boolean(v->anonymous_read));
    json_object_set_new(all, "anonymous_post", json_boolean(v->anonymous_post));
    json_object_set_new(all, "limits", limits_json(v));
    if ((certificate = ask_certificate(control, v->name)) != NULL)
        json_object_set_new(all, "certificate", certificate);
    json_object_set_new(all, "uncovered", observatory_names(control, v->name));
    if (has_option(c, OPT_JSON)) {
        view_json(c, all);
    } else {
        view_fields(c, all, VIEW(show_fields));
        buf_putc(&c->out, '\n');
        view_table(c, json_object_get(all, "endpoints"), VIEW(endpoint_columns));
        observatory_show(c, json_object_get(all, "uncovered"));
        if (view_get(all, "client_certificates.trusted") != NULL) {
            buf_putc(&c->out, '\n');
            view_table(c, view_get(all, "client_certificates.trusted"), VIEW(trusted_columns));
        }
        put_limits(c, v);
    }
    json_decref(all);
    json_decref(status);
    return 0;
}
