/* ca_enrol.c: those who enrol with the own CA by ACME and EST: keys, passwords, accounts, orders. */
#include "manager/control.h"
#include "manager/text.h"
#include "manager/view.h"
#include "pki/enrol_msg.h"

#include "base/check.h"

#include <errno.h>

static json_t *ask(struct call *c, const struct enrol_admin *m, struct err *e)
{
    struct buf body BUF_AUTO = BUF(4096), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    struct control *control = call_control(c, e);

    wr_enrol_admin(&body, m);
    if (control == NULL ||
        control_call(control, ROLE_ENROLD, 0, MSG_ENROL_ADMIN, buf_span(&body), &reply, e) < 0)
        return NULL;
    return view_parse(buf_span(&reply), "enrold", e);
}

static int list(struct call *c, enum enrol_verb verb, const struct view *columns, unsigned count,
                const char *none, struct err *e)
{
    struct enrol_admin m = {.verb = (uint8_t)verb};
    json_t *all = json_array();

    for (;;) {
        json_t *page = ask(c, &m, e);
        int64_t next;
        if (page == NULL) {
            json_decref(all);
            return -EIO;
        }
        json_array_extend(all, json_object_get(page, "rows"));
        next = json_integer_value(json_object_get(page, "next"));
        json_decref(page);
        if (next <= m.id)
            break;
        m.id = next;
    }
    return view_list(c, all, columns, count, none);
}

static int take_name(const struct call *c, struct enrol_admin *m, struct err *e)
{
    return span_to_cstr(span_cstr(c->args[0]), m->name, sizeof(m->name))
               ? 0
               : usage_error(e, "a name has at most 63 letters");
}

/* The secret is in the answer only: nobody can ask for it again. */
static int create(struct call *c, enum enrol_verb verb, const struct view *fields, unsigned count,
                  struct err *e)
{
    struct enrol_admin m = {.verb = (uint8_t)verb};
    int r = take_name(c, &m, e);
    json_t *v;

    if (r == 0 && has_option(c, OPT_NAMES) &&
        !span_to_cstr(span_cstr(c->option[OPT_NAMES]), m.names, sizeof(m.names)))
        r = usage_error(e, "--names is longer than %d bytes", ENROL_NAMES_MAX);
    if (r != 0)
        return r;
    if ((v = ask(c, &m, e)) == NULL)
        return -EIO;
    return view_object(c, v, fields, count);
}

static int take_away(struct call *c, enum enrol_verb verb, const char *what, struct err *e)
{
    struct enrol_admin m = {.verb = (uint8_t)verb};
    int r = take_name(c, &m, e);
    json_t *v;

    if (r != 0)
        return r;
    if ((v = ask(c, &m, e)) == NULL)
        return -EIO;
    return view_done(c, v, "%s %s is removed.", what, m.name);
}

/* --- ACME */

static const struct view eab_fields[] = {
    {"Name",     "name",     VIEW_TEXT, 0},
    {"Key id",   "kid",      VIEW_TEXT, 0},
    {"HMAC key", "hmac_key", VIEW_TEXT, 0},
    {"Names",    "names",    VIEW_TEXT, 0},
};
static const struct view eab_columns[] = {
    {"NAME",    "name",    VIEW_TEXT,   0},
    {"KEY ID",  "kid",     VIEW_TEXT,   0},
    {"ACCOUNT", "account", VIEW_NUMBER, 0},
    {"NAMES",   "names",   VIEW_TEXT,   0},
    {"MADE",    "created", VIEW_UNTIL,  0},
};
static const struct view account_columns[] = {
    {"ID",           "id",           VIEW_NUMBER, 0},
    {"STATUS",       "status",       VIEW_TEXT,   0},
    {"KEY",          "eab",          VIEW_TEXT,   0},
    {"NAMES",        "names",        VIEW_TEXT,   0},
    {"ORDERS",       "orders",       VIEW_NUMBER, 0},
    {"CERTIFICATES", "certificates", VIEW_NUMBER, 0},
    {"CONTACTS",     "contacts",     VIEW_TEXT,   0},
    {"MADE",         "created",      VIEW_UNTIL,  0},
};
static const struct view order_columns[] = {
    {"ID",      "id",      VIEW_NUMBER, 0},
    {"ACCOUNT", "account", VIEW_NUMBER, 0},
    {"STATUS",  "status",  VIEW_TEXT,   0},
    {"NAMES",   "names",   VIEW_TEXT,   0},
    {"SERIAL",  "serial",  VIEW_TEXT,   0},
    {"MADE",    "created", VIEW_UNTIL,  0},
};

int cmd_ca_acme_eab_create(struct call *c, struct err *e)
{
    return create(c, ENROL_EAB_CREATE, VIEW(eab_fields), e);
}

int cmd_ca_acme_eab_list(struct call *c, struct err *e)
{
    return list(c, ENROL_EAB_LIST, VIEW(eab_columns), "There is no key.", e);
}

int cmd_ca_acme_eab_remove(struct call *c, struct err *e)
{
    return take_away(c, ENROL_EAB_REMOVE, "Key", e);
}

int cmd_ca_acme_account_list(struct call *c, struct err *e)
{
    return list(c, ENROL_ACCOUNT_LIST, VIEW(account_columns), "There is no account.", e);
}

int cmd_ca_acme_account_remove(struct call *c, struct err *e)
{
    struct enrol_admin m = {.verb = ENROL_ACCOUNT_REMOVE};
    uint64_t id;
    json_t *v;

    if (!span_to_u64(span_cstr(c->args[0]), INT64_MAX, &id))
        return usage_error(e,
                           "%s is no number of an account; `sealpost ca acme account list` shows "
                           "them",
                           text_quote(span_cstr(c->args[0])));
    m.id = (int64_t)id;
    if ((v = ask(c, &m, e)) == NULL)
        return -EIO;
    return view_done(c, v,
                     "Account %s may do nothing any more; what was issued to it stays good until "
                     "it is revoked.",
                     c->args[0]);
}

int cmd_ca_acme_order_list(struct call *c, struct err *e)
{
    return list(c, ENROL_ORDER_LIST, VIEW(order_columns), "There is no order.", e);
}

/* --- EST */

static const struct view password_fields[] = {
    {"Name",     "name",     VIEW_TEXT, 0},
    {"Password", "password", VIEW_TEXT, 0},
    {"Names",    "names",    VIEW_TEXT, 0},
};
static const struct view password_columns[] = {
    {"NAME",  "name",    VIEW_TEXT,  0},
    {"NAMES", "names",   VIEW_TEXT,  0},
    {"MADE",  "created", VIEW_UNTIL, 0},
    {"USED",  "used",    VIEW_TIME,  0},
};

int cmd_ca_est_password_create(struct call *c, struct err *e)
{
    return create(c, ENROL_PASSWORD_CREATE, VIEW(password_fields), e);
}

int cmd_ca_est_password_list(struct call *c, struct err *e)
{
    return list(c, ENROL_PASSWORD_LIST, VIEW(password_columns), "There is no enrolment password.",
                e);
}

int cmd_ca_est_password_remove(struct call *c, struct err *e)
{
    return take_away(c, ENROL_PASSWORD_REMOVE, "Enrolment password", e);
}
