/* group.c: groups of addresses, and who belongs to them. */
#include "base/check.h"
#include "manager/directory.h"
#include "manager/table.h"
#include "manager/text.h"

#include <errno.h>

static const struct view group_columns[] = {
    {"ADDRESS", "address", VIEW_TEXT, COLUMN_WHOLE},
    {"NAME",    "name",    VIEW_TEXT, 0           },
    {"MAIL",    "mail",    VIEW_YES,  0           },
    {"SEND AS", "send_as", VIEW_YES,  0           },
};
static const struct view group_fields[] = {
    {"Address",            "address", VIEW_TEXT, 0},
    {"Name",               "name",    VIEW_TEXT, 0},
    {"Mail from outside",  "mail",    VIEW_TEXT, 0},
    {"Members send as it", "send_as", VIEW_TEXT, 0},
    {"Members",            "members", VIEW_TEXT, 0},
};

static json_t *group_json(const struct directory_entry *n)
{
    return json_pack("{s:o,s:o,s:b,s:b}", "address", view_text(n->address), "name",
                     view_text(n->title), "mail", n->mail, "send_as", n->send_as);
}

static int member_change(struct call *c, enum msg_id id, const char *group, struct span member,
                         struct err *e)
{
    struct buf body BUF_AUTO = BUF(4096);
    int r;

    wr_authd_pair(&body, span_cstr(group), member);
    r = authd_call(c, id, buf_span(&body), e);
    return r < 0 ? err_wrap(e, r, "member %s", text_quote(member)) : 0;
}

/* "a@x,b@x" */
static int member_changes(struct call *c, enum msg_id id, const char *group, const char *list,
                          struct err *e)
{
    struct span rest = span_cstr(list), one;
    int r = 0;

    while (r == 0 && span_split(&rest, ',', &one))
        r = member_change(c, id, group, span_trim(one), e);
    return r;
}

static int member_page(struct control *control, const char *group, char last[NAME_ADDRESS_MAX + 1],
                       bool *ret_more, json_t *all, struct err *e)
{
    struct buf body BUF_AUTO = BUF(4096), reply BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
    uint16_t count = 0;
    struct rd rd;
    int r;

    wr_authd_pair(&body, span_cstr(group), span_cstr(last));
    r = control_call(control, ROLE_AUTHD, 0, MSG_MEMBER_LIST, buf_span(&body), &reply, e);
    if (r < 0)
        return r;
    rd = rd_of(buf_span(&reply));
    rd_authd_page(&rd, ret_more, &count);
    for (unsigned i = 0; i < count && !rd.bad; i++) {
        struct span m = rd_span(&rd, NAME_ADDRESS_MAX);
        if (rd.bad || !span_to_cstr(m, last, NAME_ADDRESS_MAX + 1))
            break;
        json_array_append_new(all, view_text(last));
    }
    if (!rd_done(&rd) || (*ret_more && count == 0))
        return err_set(e, -EBADMSG, "the answer of authd cannot be read");
    return 0;
}

static int members(struct call *c, const char *group, json_t *all, struct err *e)
{
    struct control *control = call_control(c, e);
    char last[NAME_ADDRESS_MAX + 1] = "";
    bool more = true;
    int r = control != NULL ? 0 : -ENOTCONN;

    while (r == 0 && more)
        r = member_page(control, group, last, &more, all, e);
    return r;
}

static int take_options(const struct call *c, struct directory_entry *n, struct err *e)
{
    int r = 0;

    if (has_option(c, OPT_NAME) &&
        !span_to_cstr(span_cstr(c->option[OPT_NAME]), n->title, sizeof n->title))
        return err_set(e, -EINVAL, "the name is longer than %d bytes", NAME_TITLE_MAX);
    if (has_option(c, OPT_MAIL))
        r = parse_yes_no(OPT_MAIL, c->option[OPT_MAIL], &n->mail, e);
    if (r == 0 && has_option(c, OPT_SEND_AS))
        r = parse_yes_no(OPT_SEND_AS, c->option[OPT_SEND_AS], &n->send_as, e);
    return r;
}

int cmd_group_add(struct call *c, struct err *e)
{
    struct directory_entry n = {.kind = ENTRY_GROUP, .mail = true};
    int r = directory_address(c->args[0], n.address, e);

    if (r == 0)
        r = take_options(c, &n, e);
    if (r == 0)
        r = entry_put(c, MSG_ENTRY_ADD, &n, e);
    for (unsigned i = 1; r == 0 && i < c->arg_count; i++) {
        r = member_change(c, MSG_MEMBER_ADD, n.address, span_cstr(c->args[i]), e);
        if (r < 0)
            return err_wrap(e, r, "group %s is made, but not with all members", n.address);
    }
    return r != 0 ? r
                  : view_done(c, group_json(&n), "Group %s is made with %u members.", n.address,
                              c->arg_count - 1);
}

int cmd_group_set(struct call *c, struct err *e)
{
    struct directory_entry n;
    int r = 0;

    if (!has_option(c, OPT_NAME) && !has_option(c, OPT_MAIL) && !has_option(c, OPT_SEND_AS) &&
        !has_option(c, OPT_ADD) && !has_option(c, OPT_REMOVE))
        return usage_error(e, "nothing to change was given; `sealpost group set --help` lists what "
                              "can be");
    r = entry_show(c, ENTRY_GROUP, c->args[0], &n, e);
    if (r == 0 &&
        (has_option(c, OPT_NAME) || has_option(c, OPT_MAIL) || has_option(c, OPT_SEND_AS))) {
        r = take_options(c, &n, e);
        if (r == 0)
            r = entry_put(c, MSG_ENTRY_SET, &n, e);
    }
    if (r == 0 && has_option(c, OPT_ADD))
        r = member_changes(c, MSG_MEMBER_ADD, n.address, c->option[OPT_ADD], e);
    if (r == 0 && has_option(c, OPT_REMOVE))
        r = member_changes(c, MSG_MEMBER_REMOVE, n.address, c->option[OPT_REMOVE], e);
    return r != 0 ? r : cmd_group_show(c, e);
}

int cmd_group_show(struct call *c, struct err *e)
{
    struct directory_entry n;
    json_t *v, *list;
    int r = entry_show(c, ENTRY_GROUP, c->args[0], &n, e);

    if (r != 0)
        return r;
    v = group_json(&n);
    list = json_array();
    json_object_set_new(v, "members", list);
    r = members(c, n.address, list, e);
    if (r == 0)
        return view_object(c, v, VIEW(group_fields));
    json_decref(v);
    return r;
}

static void add_group(const struct directory_entry *n, void *arg)
{
    json_array_append_new(arg, group_json(n));
}

int cmd_group_list(struct call *c, struct err *e)
{
    json_t *all = json_array();
    int r = entry_each(c, ENTRY_GROUP, add_group, all, e);

    if (r == 0)
        return view_list(c, all, VIEW(group_columns), "There are no groups.");
    json_decref(all);
    return r;
}

int cmd_group_remove(struct call *c, struct err *e)
{
    int r = entry_remove(c, ENTRY_GROUP, c->args[0], e);

    return r != 0 ? r : view_done(c, NULL, "Group %s is removed.", c->args[0]);
}
