/* cert.c: the certificates of the virtual servers, as certd keeps them. */
#include "manager/cert.h"
#include "base/check.h"
#include "manager/table.h"
#include "manager/text.h"

#include <errno.h>

static const struct view cert_columns[] = {
    {"VIRTUAL SERVER", "vserver",   VIEW_TEXT,  COLUMN_WHOLE},
    {"STATE",          "state",     VIEW_TEXT,  COLUMN_WHOLE},
    {"NEXT",           "next",      VIEW_TEXT,  0           },
    {"ENDS",           "not_after", VIEW_UNTIL, COLUMN_WHOLE},
    {"RENEWAL",        "renew_at",  VIEW_UNTIL, COLUMN_WHOLE},
    {"FROM",           "source",    VIEW_TEXT,  0           },
    {"KEY",            "key_type",  VIEW_TEXT,  0           },
    {"SERIAL",         "serial",    VIEW_TEXT,  0           },
    {"PROBLEM",        "failure",   VIEW_TEXT,  COLUMN_WRAP },
};
static const struct view cert_fields[] = {
    {"Virtual server", "vserver",                         VIEW_TEXT,  0},
    {"State",          "current.state",                   VIEW_TEXT,  0},
    {"Name",           "current.name",                    VIEW_TEXT,  0},
    {"Comes from",     "current.source",                  VIEW_TEXT,  0},
    {"Certificate of", "current.origin",                  VIEW_TEXT,  0},
    {"Names",          "current.certificate.names",       VIEW_TEXT,  0},
    {"Subject",        "current.certificate.subject",     VIEW_TEXT,  0},
    {"Issued by",      "current.certificate.issuer",      VIEW_TEXT,  0},
    {"Serial",         "current.serial",                  VIEW_TEXT,  0},
    {"Key",            "current.key_type",                VIEW_TEXT,  0},
    {"Key SHA-256",    "current.certificate.spki_sha256", VIEW_TEXT,  0},
    {"Fingerprint",    "current.certificate.sha256",      VIEW_TEXT,  0},
    {"Valid from",     "current.not_before",              VIEW_TIME,  0},
    {"Valid until",    "current.not_after",               VIEW_TIME,  0},
    {"Ends",           "current.not_after",               VIEW_UNTIL, 0},
    {"Stapled until",  "stapled.until",                   VIEW_TIME,  0},
    {"Not stapled",    "stapled.failure",                 VIEW_TEXT,  0},
    {"Renewal",        "renew_at",                        VIEW_UNTIL, 0},
    {"Next slot",      "next.state",                      VIEW_TEXT,  0},
    {"Next serial",    "next.serial",                     VIEW_TEXT,  0},
    {"Waits",          "waits",                           VIEW_TEXT,  0},
    {"DANE",           "dane",                            VIEW_TEXT,  0},
    {"DANE problem",   "dane_failure",                    VIEW_TEXT,  0},
    {"Request",        "pending.state",                   VIEW_TEXT,  0},
    {"Requested",      "pending.since",                   VIEW_TIME,  0},
    {"Problem",        "failure",                         VIEW_TEXT,  0},
    {"Tried again",    "retry_at",                        VIEW_UNTIL, 0},
};
static const struct view event_columns[] = {
    {"TIME", "time", VIEW_TIME, COLUMN_WHOLE},
    {"SLOT", "slot", VIEW_TEXT, 0           },
    {"FROM", "from", VIEW_TEXT, 0           },
    {"TO",   "to",   VIEW_TEXT, 0           },
    {"NOTE", "note", VIEW_TEXT, COLUMN_WRAP },
};

json_t *cert_ask_body(struct call *c, enum msg_id id, struct span body, struct err *e)
{
    struct control *control = call_control(c, e);
    struct buf reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);

    if (control == NULL || control_call(control, ROLE_CERTD, 0, id, body, &reply, e) < 0)
        return NULL;
    return view_parse(buf_span(&reply), "certd", e);
}

json_t *cert_ask(struct call *c, enum msg_id id, const char *word, struct err *e)
{
    struct buf body BUF_AUTO = BUF(128);

    if (word != NULL && strlen(word) > CERT_MSG_WORD_MAX) {
        err_set(e, -ENOENT, "there is nothing called %s", text_quote(span_cstr(word)));
        return NULL;
    }
    if (word != NULL)
        wr_cert_word(&body, word);
    return cert_ask_body(c, id, buf_span(&body), e);
}

const struct conf_vserver *cert_vserver(struct call *c, const char *name, struct err *e)
{
    struct control *control = call_control(c, e);
    const struct conf *conf = control != NULL ? control_conf(control, e) : NULL;
    const struct conf_vserver *v = conf != NULL ? conf_vserver_by_name(conf, name) : NULL;

    if (conf != NULL && v == NULL)
        err_set(e, -ENOENT, "there is no virtual server %s; see `sealpost vserver list`",
                text_quote(span_cstr(name)));
    return v;
}

int cmd_cert_list(struct call *c, struct err *e)
{
    json_t *v = cert_ask(c, MSG_CERT_LIST, NULL, e), *list;

    if (v == NULL)
        return -EIO;
    list = json_incref(json_object_get(v, "certificates"));
    json_decref(v);
    if (!json_is_array(list)) {
        json_decref(list);
        return err_set(e, -EBADMSG, "the answer of certd has no list of certificates");
    }
    return view_list(c, list, VIEW(cert_columns), "No virtual server has a certificate.");
}

static int show(struct call *c, json_t *take_v)
{
    if (has_option(c, OPT_JSON))
        return view_object(c, take_v, NULL, 0);
    view_fields(c, take_v, VIEW(cert_fields));
    if (json_array_size(json_object_get(take_v, "history")) > 0) {
        buf_put_cstr(&c->out, "\nHistory\n");
        view_table(c, json_object_get(take_v, "history"), VIEW(event_columns));
    }
    json_decref(take_v);
    return 0;
}

int cmd_cert_show(struct call *c, struct err *e)
{
    json_t *v = cert_ask(c, MSG_CERT_SHOW, c->args[0], e);

    return v == NULL ? -EIO : show(c, v);
}

int cmd_cert_issue(struct call *c, struct err *e)
{
    json_t *v = cert_ask(c, MSG_CERT_ISSUE, c->args[0], e);

    return v == NULL ? -EIO : show(c, v);
}

int cmd_cert_history(struct call *c, struct err *e)
{
    json_t *v = cert_ask(c, MSG_CERT_SHOW, c->args[0], e), *list;

    if (v == NULL)
        return -EIO;
    list = json_incref(json_object_get(v, "history"));
    json_decref(v);
    return view_list(c, list, VIEW(event_columns), "Nothing has happened yet.");
}
