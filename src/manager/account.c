/* account.c: accounts of people. */
#include "base/check.h"
#include "manager/account_cert.h"
#include "manager/directory.h"
#include "manager/password.h"
#include "manager/table.h"
#include "manager/text.h"
#include "store/grant.h"

#include <errno.h>

enum {
    RIGHTS_DEFAULT = GRANT_MAIL | GRANT_SUBMIT | GRANT_POST,
    PROTOCOLS_DEFAULT = (1u << PROTOCOL_COUNT) - 1,
    BODY_MAX = 4096,
};

static const char *state_name(enum directory_state s)
{
    return s == ACCOUNT_STATE_ENABLED    ? "enabled"
           : s == ACCOUNT_STATE_DISABLED ? "disabled"
                                         : "deleting";
}

static json_t *account_json(const struct directory_account *a)
{
    return json_pack("{s:I,s:o,s:o,s:s,s:o,s:o,s:I,s:I,s:I}", "id", (json_int_t)a->id, "address",
                     view_text(a->address), "name", view_text(a->title), "state",
                     state_name(a->state), "rights", rights_json(a->rights), "protocols",
                     protocols_json(a->protocols), "epoch", (json_int_t)a->epoch, "created",
                     (json_int_t)a->created_seconds, "changed", (json_int_t)a->changed_seconds);
}

static const struct view account_fields[] = {
    {"Address",   "address",   VIEW_TEXT, 0},
    {"Name",      "name",      VIEW_TEXT, 0},
    {"State",     "state",     VIEW_TEXT, 0},
    {"Rights",    "rights",    VIEW_TEXT, 0},
    {"Protocols", "protocols", VIEW_TEXT, 0},
    {"Number",    "id",        VIEW_TEXT, 0},
    {"Made",      "created",   VIEW_TIME, 0},
    {"Changed",   "changed",   VIEW_TIME, 0},
};
static const struct view account_columns[] = {
    {"ADDRESS",   "address",   VIEW_TEXT, COLUMN_WHOLE},
    {"NAME",      "name",      VIEW_TEXT, 0           },
    {"STATE",     "state",     VIEW_TEXT, 0           },
    {"RIGHTS",    "rights",    VIEW_TEXT, 0           },
    {"PROTOCOLS", "protocols", VIEW_TEXT, 0           },
};

static int get_password(const struct call *c, const char *address, struct buf *out, struct err *e)
{
    return has_option(c, OPT_PASSWORD_STDIN) ? password_read_stdin(out, e)
                                             : password_ask(address, out, e);
}

static int fetch_account(struct call *c, const char *address, struct directory_account *ret,
                         struct err *e)
{
    struct control *control = call_control(c, e);
    struct buf reply BUF_AUTO = BUF(BODY_MAX);
    struct rd rd;
    int r;

    if (control == NULL)
        return -ENOTCONN;
    r = control_call(control, ROLE_AUTHD, 0, MSG_ACCOUNT_SHOW, span_cstr(address), &reply, e);
    if (r < 0)
        return r;
    rd = rd_of(buf_span(&reply));
    if (!rd_authd_account(&rd, ret) || !rd_done(&rd))
        return err_set(e, -EBADMSG, "the answer of authd cannot be read");
    return 0;
}

int cmd_account_add(struct call *c, struct err *e)
{
    struct control *control;
    struct authd_account_add q = {.rights = RIGHTS_DEFAULT, .protocols = PROTOCOLS_DEFAULT};
    char address[NAME_ADDRESS_MAX + 1];
    struct buf password = BUF(NAME_PASSWORD_MAX + 2), body = BUF(BODY_MAX);
    struct directory_account made;
    int r = directory_address(c->args[0], address, e);

    if (r == 0 && has_option(c, OPT_RIGHTS))
        r = parse_rights(c->option[OPT_RIGHTS], &q.rights, e);
    if (r == 0 && has_option(c, OPT_PROTOCOLS))
        r = parse_protocols(c->option[OPT_PROTOCOLS], &q.protocols, e);
    /* nobody types a password for a server that is not there */
    if (r != 0 || (control = call_control(c, e)) == NULL)
        return r != 0 ? r : -ENOTCONN;
    r = get_password(c, address, &password, e);
    if (r == 0) {
        q.address = span_cstr(address);
        q.title = span_cstr(c->option[OPT_NAME]);
        q.password = buf_span(&password);
        buf_reserve(&body, BODY_MAX);
        wr_authd_account_add(&body, &q);
        r = control_call(control, ROLE_AUTHD, 0, MSG_ACCOUNT_ADD, buf_span(&body), NULL, e);
    }
    password_done(&password);
    password_done(&body);
    if (r < 0)
        return r;
    if (r == 0 && fetch_account(c, address, &made, e) == 0 && has_option(c, OPT_JSON))
        return view_object(c, account_json(&made), NULL, 0);
    return r != 0 ? r : view_done(c, NULL, "Account %s is made.", address);
}

int cmd_account_set(struct call *c, struct err *e)
{
    struct authd_account_set q = {.address = span_cstr(c->args[0])};
    struct account_change *change = &q.change;
    struct buf body BUF_AUTO = BUF(BODY_MAX);
    int r = 0;

    if (has_option(c, OPT_ENABLE) && has_option(c, OPT_DISABLE))
        return usage_error(e, "--enable and --disable contradict each other");
    change->state = has_option(c, OPT_DISABLE) ? ACCOUNT_STATE_DISABLED : ACCOUNT_STATE_ENABLED;
    change->title = span_cstr(c->option[OPT_NAME]);
    if (has_option(c, OPT_NAME))
        change->set |= ACCOUNT_SET_TITLE;
    if (has_option(c, OPT_ENABLE) || has_option(c, OPT_DISABLE))
        change->set |= ACCOUNT_SET_STATE;
    if (has_option(c, OPT_RIGHTS)) {
        change->set |= ACCOUNT_SET_RIGHTS;
        r = parse_rights(c->option[OPT_RIGHTS], &change->rights, e);
    }
    if (r == 0 && has_option(c, OPT_PROTOCOLS)) {
        change->set |= ACCOUNT_SET_PROTOCOLS;
        r = parse_protocols(c->option[OPT_PROTOCOLS], &change->protocols, e);
    }
    if (r != 0)
        return r;
    if (change->set == 0)
        return usage_error(e,
                           "nothing to change was given; `sealpost account set --help` lists what "
                           "can be");
    wr_authd_account_set(&body, &q);
    if ((r = authd_call(c, MSG_ACCOUNT_SET, buf_span(&body), e)) != 0)
        return r;
    return cmd_account_show(c, e);
}

int cmd_account_show(struct call *c, struct err *e)
{
    struct directory_account a;
    int r = fetch_account(c, c->args[0], &a, e);

    return r != 0 ? r : view_object(c, account_json(&a), VIEW(account_fields));
}

static int account_page(struct control *control, uint64_t *after, bool *ret_more, json_t *all,
                        struct err *e)
{
    struct buf body BUF_AUTO = BUF(16), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    uint16_t count = 0;
    struct rd rd;
    int r;

    wr_u64(&body, *after);
    r = control_call(control, ROLE_AUTHD, 0, MSG_ACCOUNT_LIST, buf_span(&body), &reply, e);
    if (r < 0)
        return r;
    rd = rd_of(buf_span(&reply));
    rd_authd_page(&rd, ret_more, &count);
    for (unsigned i = 0; i < count && !rd.bad; i++) {
        struct directory_account a;
        if (!rd_authd_account(&rd, &a))
            break;
        *after = a.id;
        json_array_append_new(all, account_json(&a));
    }
    if (!rd_done(&rd) || (*ret_more && count == 0))
        return err_set(e, -EBADMSG, "the answer of authd cannot be read");
    return 0;
}

int cmd_account_list(struct call *c, struct err *e)
{
    struct control *control = call_control(c, e);
    json_t *all;
    uint64_t after = 0;
    bool more = true;
    int r = 0;

    if (control == NULL)
        return -ENOTCONN;
    all = json_array();
    while (r == 0 && more)
        r = account_page(control, &after, &more, all, e);
    if (r != 0) {
        json_decref(all);
        return r;
    }
    return view_list(c, all, VIEW(account_columns),
                     "There are no accounts. `sealpost account add ADDRESS` makes one.");
}

int cmd_account_remove(struct call *c, struct err *e)
{
    json_t *certificates = json_array();
    char address[NAME_ADDRESS_MAX + 1];
    unsigned revoked = 0;
    int r = directory_address(c->args[0], address, e);

    if (r == 0)
        r = account_cert_list(c, address, certificates, e);
    if (r == 0)
        r = authd_call(c, MSG_ACCOUNT_REMOVE, span_cstr(c->args[0]), e);
    if (r == 0 && (r = account_cert_revoke_all(c, certificates, &revoked, e)) != 0)
        r = err_wrap(e, r, "the account is removed, but not all of its certificates are revoked");
    json_decref(certificates);
    if (r == 0 && revoked > 0)
        return view_done(c, NULL,
                         "Account %s is removed with its mail; %u of its certificates are revoked.",
                         c->args[0], revoked);
    return r != 0 ? r : view_done(c, NULL, "Account %s is removed with its mail.", c->args[0]);
}

int cmd_account_password(struct call *c, struct err *e)
{
    struct buf password = BUF(NAME_PASSWORD_MAX + 2), body = BUF(BODY_MAX);
    struct directory_account a;
    int r = fetch_account(c, c->args[0], &a, e);

    if (r == 0)
        r = get_password(c, a.address, &password, e);
    if (r == 0) {
        buf_reserve(&body, BODY_MAX);
        wr_authd_pair(&body, span_cstr(a.address), buf_span(&password));
        r = authd_call(c, MSG_ACCOUNT_PASSWORD, buf_span(&body), e);
    }
    password_done(&password);
    password_done(&body);
    return r != 0 ? r : view_done(c, NULL, "Account %s has a new password.", a.address);
}
