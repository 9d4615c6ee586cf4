/* ca_register.c: the officer's commands: certificates from request files, those that wait, holds,
 * profiles. */
#include "base/check.h"
#include "base/fd.h"
#include "manager/ca.h"
#include "manager/control.h"
#include "manager/table.h"
#include "manager/text.h"
#include "manager/view.h"
#include "pki/ca_msg.h"
#include "pki/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* --- certificates out of the CA */

/* The chain of a CA_ISSUE: to the file, or printed. */
static int hand_out(struct call *c, struct span reply, struct err *e)
{
    struct buf pem BUF_AUTO = BUF(CERTIFICATE_TEXT_MAX);
    struct ca_issued_msg out;
    struct chain chain = CHAIN_NONE;
    int r = 0;

    if (!rd_ca_issued(reply, &out) || chain_parse(out.chain, &chain, e) < 0)
        return err_set(e, -EPROTO, "cad's answer has another form");
    chain_write_pem(&chain, &pem);
    chain_done(&chain);
    if (has_option(c, OPT_OUT)) {
        r = file_write(AT_FDCWD, c->option[OPT_OUT], buf_span(&pem), 0644, e);
        return r != 0 ? r
                      : view_done(c,
                                  json_pack("{s:s,s:s}", "serial", out.serial, "file",
                                            c->option[OPT_OUT]),
                                  "Certificate %s is issued; it and its CA are in %s.", out.serial,
                                  c->option[OPT_OUT]);
    }
    if (has_option(c, OPT_JSON))
        return view_object(c, json_pack("{s:s,s:s}", "serial", out.serial, "pem", buf_cstr(&pem)),
                           NULL, 0);
    buf_put_span(&c->out, buf_span(&pem));
    return 0;
}

static int parse_days(const struct call *c, enum option_id o, uint32_t *ret, struct err *e)
{
    uint64_t days;

    if (!has_option(c, o))
        return 0;
    if (!span_to_u64(span_cstr(c->option[o]), 36500, &days) || days == 0)
        return usage_error(e, "--%s is a number of days, not %s", manager_options[o].name,
                           text_quote(span_cstr(c->option[o])));
    *ret = (uint32_t)days;
    return 0;
}

static int parse_names(const struct call *c, struct cert_names *ret, struct err *e)
{
    struct span words = span_cstr(has_option(c, OPT_NAMES) ? c->option[OPT_NAMES] : ""), word;

    while (span_split(&words, ',', &word))
        if (span_trim(word).n > 0 && cert_names_add_any(ret, span_trim(word)) < 0)
            return usage_error(e, "%s is no name or address", text_quote(span_trim(word)));
    return 0;
}

/* Nothing comes by itself: who asked comes back. */
static int say_waits(struct call *c, struct err *e)
{
    struct err why = *e;

    return err_set(e, -EINPROGRESS,
                   "%.300s. Then, within an hour, the same command again %s the certificate",
                   why.text, has_option(c, OPT_OUT) ? "writes" : "prints");
}

int cmd_ca_issue(struct call *c, struct err *e)
{
    struct buf text BUF_AUTO = BUF(REQUEST_DER_MAX), body BUF_AUTO = BUF(65536),
                    reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct ca_issue_msg m = {.names = CERT_NAMES_EMPTY};
    struct control *control;
    int r;

    if (!has_option(c, OPT_PROFILE) || !has_option(c, OPT_REQUEST))
        return usage_error(e, "--profile and --request are needed; `sealpost ca profile list` "
                              "shows the profiles");
    if (!span_to_cstr(span_cstr(c->option[OPT_PROFILE]), m.profile, sizeof(m.profile)) ||
        !cert_profile_by_name(span_cstr(m.profile)))
        return usage_error(e, "there is no profile %s; `sealpost ca profile list` shows them",
                           text_quote(span_cstr(c->option[OPT_PROFILE])));
    if (strcmp(m.profile, cert_profile_get(PROFILE_EVIDENCE)->name) == 0)
        return usage_error(e,
                           "certificates of profile %s are made by `sealpost evidence` only, "
                           "for a key that it forgets",
                           m.profile);
    snprintf(m.requester, sizeof(m.requester), "%.190s",
             has_option(c, OPT_FOR) ? c->option[OPT_FOR] : c->option[OPT_REQUEST]);
    r = parse_days(c, OPT_DAYS, &m.days, e);
    if (r == 0)
        r = file_read(AT_FDCWD, c->option[OPT_REQUEST], REQUEST_DER_MAX, &text, e);
    if (r == 0)
        r = parse_names(c, &m.names, e);
    m.request = buf_span(&text);
    wr_ca_issue(&body, &m);
    cert_names_done(&m.names);
    if (r != 0)
        return r;
    if ((control = call_control(c, e)) == NULL)
        return -ENOTCONN;
    r = control_call(control, ROLE_CAD, 0, MSG_CA_ISSUE, buf_span(&body), &reply, e);
    if (r == -EINPROGRESS)
        return say_waits(c, e);
    return r < 0 ? r : hand_out(c, buf_span(&reply), e);
}

/* --- requests that wait */

static const struct view request_columns[] = {
    {"ID",       "id",          VIEW_NUMBER, 0},
    {"STATE",    "state",       VIEW_TEXT,   0},
    {"PROFILE",  "profile",     VIEW_TEXT,   0},
    {"FOR",      "requester",   VIEW_TEXT,   0},
    {"NAMES",    "names",       VIEW_TEXT,   0},
    {"SUBJECT",  "subject",     VIEW_TEXT,   0},
    {"RECEIVED", "received_at", VIEW_UNTIL,  0},
    {"REASON",   "reason",      VIEW_TEXT,   0},
};

int cmd_ca_pending(struct call *c, struct err *e)
{
    struct ca_requests_msg q = {.all = has_option(c, OPT_ALL_ITEMS)};
    json_t *all = json_array();

    for (;;) {
        struct buf body BUF_AUTO = BUF(16);
        json_t *page;
        int64_t next;
        wr_ca_requests(&body, &q);
        if ((page = ca_ask(c, MSG_CA_REQUESTS, buf_span(&body), e)) == NULL) {
            json_decref(all);
            return -EIO;
        }
        json_array_extend(all, json_object_get(page, "requests"));
        next = json_integer_value(json_object_get(page, "next"));
        json_decref(page);
        if (next <= q.after)
            break;
        q.after = next;
    }
    return view_list(c, all, VIEW(request_columns), "No request waits.");
}

static int decide(struct call *c, bool approve, struct buf *reply, struct err *e)
{
    const char *reason = has_option(c, OPT_REASON) ? c->option[OPT_REASON] : "";
    struct ca_decide_msg q = {.approve = approve};
    struct buf body BUF_AUTO = BUF(512);
    struct control *control;
    uint64_t id;

    if (!span_to_u64(span_cstr(c->args[0]), INT64_MAX, &id))
        return usage_error(e, "%s is no number of a request; `sealpost ca pending` shows them",
                           text_quote(span_cstr(c->args[0])));
    q.id = (int64_t)id;
    if (!span_to_cstr(span_cstr(reason), q.reason, sizeof(q.reason)))
        return usage_error(e, "the reason is longer than %d bytes", CA_REASON_MAX);
    wr_ca_decide(&body, &q);
    if ((control = call_control(c, e)) == NULL)
        return -ENOTCONN;
    return control_call(control, ROLE_CAD, 0, MSG_CA_DECIDE, buf_span(&body), reply, e);
}

int cmd_ca_approve(struct call *c, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    int r = decide(c, true, &reply, e);

    return r != 0 ? r : hand_out(c, buf_span(&reply), e);
}

int cmd_ca_deny(struct call *c, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    int r = decide(c, false, &reply, e);

    return r != 0 ? r : view_done(c, NULL, "Request %s is denied.", c->args[0]);
}

int cmd_ca_unhold(struct call *c, struct err *e)
{
    char serial[CERTIFICATE_SERIAL_MAX];
    struct buf body BUF_AUTO = BUF(128);
    struct control *control;
    int r = ca_parse_serial(c->args[0], serial, e);

    if (r != 0)
        return r;
    wr_cert_word(&body, serial);
    if ((control = call_control(c, e)) == NULL)
        return -ENOTCONN;
    r = control_call(control, ROLE_CAD, 0, MSG_CA_UNHOLD, buf_span(&body), NULL, e);
    return r < 0 ? r : view_done(c, NULL, "Certificate %s is good again.", serial);
}

/* --- searching */

int ca_parse_search(const struct call *c, struct ca_find_msg *q, struct err *e)
{
    /* the order of enum ca_filter of ca/register.h */
    static const char *const names[] = {"all", "valid", "revoked", "expired", "held"};
    const char *given = has_option(c, OPT_FILTER) ? c->option[OPT_FILTER] : "all";
    uint8_t i = 0;

    while (i < ARRAY_LEN(names) && !span_is(span_cstr(given), names[i]))
        i++;
    if (i == ARRAY_LEN(names))
        return usage_error(e, "--filter is all, valid, revoked, expired or held, not %s",
                           text_quote(span_cstr(given)));
    q->filter = i;
    if (has_option(c, OPT_PROFILE) &&
        !span_to_cstr(span_cstr(c->option[OPT_PROFILE]), q->profile, sizeof(q->profile)))
        return usage_error(e, "there is no such profile");
    if (has_option(c, OPT_NAME) &&
        !span_to_cstr(span_cstr(c->option[OPT_NAME]), q->name, sizeof(q->name)))
        return usage_error(e, "--name is longer than any name");
    return parse_days(c, OPT_EXPIRES_WITHIN, &q->days, e);
}

/* --- profiles */

static void push_if(json_t *list, bool on, const char *word)
{
    if (on)
        json_array_append_new(list, json_string(word));
}

static json_t *profile_json(const struct conf *conf, const struct profile *p)
{
    json_t *use = json_array(), *eku = json_array(), *names = json_array();
    bool officer = false;

    for (uint32_t i = 0; conf && i < conf->ca_officer.n; i++)
        officer |= span_is(span_cstr(conf->ca_officer.v[i]), p->name);
    push_if(use, p->use & USE_SIGN, "digitalSignature");
    push_if(use, p->use & USE_NON_REPUDIATION, "nonRepudiation");
    push_if(use, p->use & USE_ENCIPHER, "keyEncipherment");
    push_if(use, p->use & USE_CERT_SIGN, "keyCertSign");
    push_if(use, p->use & USE_CRL_SIGN, "cRLSign");
    push_if(eku, p->eku & EKU_SERVER, "serverAuth");
    push_if(eku, p->eku & EKU_CLIENT, "clientAuth");
    push_if(eku, p->eku & EKU_EMAIL, "emailProtection");
    push_if(eku, p->eku & EKU_CODE, "codeSigning");
    push_if(eku, p->eku & EKU_OCSP, "OCSPSigning");
    push_if(eku, p->eku & EKU_DOCUMENT, "documentSigning");
    push_if(names, p->names & NAME_DNS, "DNS");
    push_if(names, p->names & NAME_IP, "IP");
    push_if(names, p->names & NAME_EMAIL, "e-mail");
    return json_pack("{s:s,s:s,s:i,s:i,s:b,s:o,s:o,s:o,s:s}", "name", p->name, "for", p->doc,
                     "days", p->id == PROFILE_SERVER && conf ? (int)conf->cert_days : (int)p->days,
                     "days_max", (int)p->days_max, "ca", p->path >= 0, "key_usage", use, "purposes",
                     eku, "names", names, "issue", officer ? "on approval" : "at once");
}

static const struct view profile_columns[] = {
    {"NAME",     "name",     VIEW_TEXT,   0},
    {"FOR",      "for",      VIEW_TEXT,   0},
    {"DAYS",     "days",     VIEW_NUMBER, 0},
    {"AT MOST",  "days_max", VIEW_NUMBER, 0},
    {"PURPOSES", "purposes", VIEW_TEXT,   0},
    {"NAMES",    "names",    VIEW_TEXT,   0},
    {"ISSUED",   "issue",    VIEW_TEXT,   0},
};
static const struct view profile_fields[] = {
    {"Name",      "name",      VIEW_TEXT, 0},
    {"For",       "for",       VIEW_TEXT, 0},
    {"Days",      "days",      VIEW_TEXT, 0},
    {"At most",   "days_max",  VIEW_TEXT, 0},
    {"Key usage", "key_usage", VIEW_TEXT, 0},
    {"Purposes",  "purposes",  VIEW_TEXT, 0},
    {"Names",     "names",     VIEW_TEXT, 0},
    {"Issued",    "issue",     VIEW_TEXT, 0},
};

static const struct conf *running_conf(struct call *c, struct err *e)
{
    struct control *control = call_control(c, e);

    return control ? control_conf(control, e) : NULL;
}

int cmd_ca_profile_list(struct call *c, struct err *e)
{
    const struct conf *conf = running_conf(c, e);
    json_t *all;

    if (!conf)
        return -ENOTCONN;
    all = json_array();
    for (unsigned i = 0; i < PROFILE_COUNT; i++)
        if (cert_profile_get((enum profile_id)i)->path < 0)
            json_array_append_new(all, profile_json(conf, cert_profile_get((enum profile_id)i)));
    return view_list(c, all, VIEW(profile_columns), "There are no profiles.");
}

int cmd_ca_profile_show(struct call *c, struct err *e)
{
    const struct profile *p = cert_profile_by_name(span_cstr(c->args[0]));
    const struct conf *conf;

    if (!p)
        return usage_error(e, "there is no profile %s; `sealpost ca profile list` shows them",
                           text_quote(span_cstr(c->args[0])));
    if ((conf = running_conf(c, e)) == NULL)
        return -ENOTCONN;
    return view_object(c, profile_json(conf, p), VIEW(profile_fields));
}
