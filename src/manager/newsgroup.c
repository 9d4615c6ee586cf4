/*
 * newsgroup.c: newsgroups and public folders. A newsgroup is a folder of the store, with its
 * description; its mail address, where it has one, stands at authd.
 */
#include "base/check.h"
#include "manager/directory.h"
#include "manager/table.h"
#include "manager/text.h"
#include "store/store_msg.h"

#include <errno.h>

enum { BODY_MAX = 4096, NAMES_MAX = 1000000 };

static const struct view newsgroup_columns[] = {
    {"NAME",        "name",        VIEW_TEXT,   COLUMN_WHOLE},
    {"ARTICLES",    "messages",    VIEW_NUMBER, 0           },
    {"SIZE",        "bytes",       VIEW_BYTES,  0           },
    {"POSTING",     "posting",     VIEW_TEXT,   0           },
    {"ADDRESS",     "address",     VIEW_TEXT,   0           },
    {"DESCRIPTION", "description", VIEW_TEXT,   0           },
};
static const struct view newsgroup_fields[] = {
    {"Name",         "name",        VIEW_TEXT,  0},
    {"Description",  "description", VIEW_TEXT,  0},
    {"Address",      "address",     VIEW_TEXT,  0},
    {"Posting",      "posting",     VIEW_TEXT,  0},
    {"Newsreaders",  "newsgroup",   VIEW_TEXT,  0},
    {"Articles",     "messages",    VIEW_TEXT,  0},
    {"Numbers from", "low",         VIEW_TEXT,  0},
    {"Numbers to",   "high",        VIEW_TEXT,  0},
    {"Size",         "bytes",       VIEW_BYTES, 0},
};

/* ---- the store --------------------------------------------------------------------------- */

static int store_reason(int status, const char *name, struct err *e)
{
    switch (status) {
    case -EEXIST:
        return err_set(e, status, "there is a newsgroup %s already", text_quote(span_cstr(name)));
    case -ENOENT:
        return err_set(e, status, "there is no newsgroup %s; `sealpost newsgroup list` lists all",
                       text_quote(span_cstr(name)));
    case -EINVAL:
        return err_set(e, status, "%s cannot be the name of a newsgroup",
                       text_quote(span_cstr(name)));
    case -ENOSPC:
        return err_set(e, status, "the disk of the store is nearly full");
    default:
        return status;
    }
}

static int ask_store(struct call *c, enum store_newsgroup_op op, const char *name,
                     uint32_t attributes, struct buf *reply, struct err *e)
{
    const char *text = c->option[OPT_DESCRIPTION];
    struct msg_newsgroup q = {.head = {.counter = 1},
                              .op = (uint8_t)op,
                              .name = span_cstr(name),
                              .attributes = attributes,
                              .describes = has_option(c, OPT_DESCRIPTION),
                              .description = text ? span_cstr(text) : SPAN_EMPTY};
    struct control *control = call_control(c, e);
    struct buf body BUF_AUTO = BUF(BODY_MAX);
    int r;

    if (control == NULL)
        return -ENOTCONN;
    if (q.description.n > NAME_TITLE_MAX || !name_title_valid(q.description))
        return err_set(e, -EINVAL,
                       "the description is longer than %d bytes or holds control characters",
                       NAME_TITLE_MAX);
    wr_newsgroup(&body, &q);
    r = control_call(control, ROLE_STORED, 0, MSG_STORE_NEWSGROUP, buf_span(&body), reply, e);
    return r < 0 ? store_reason(r, name, e) : 0;
}

static const char *posting(const json_t *group)
{
    return json_is_true(json_object_get(group, "no_post"))     ? "nobody"
           : json_is_true(json_object_get(group, "moderated")) ? "moderated"
                                                               : "everybody";
}

/* One page of {"groups":[…],"next":"name"}, beginning at `from`. */
static json_t *store_page(struct call *c, const char *from, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(2 * LINK_PAYLOAD_MAX);

    if (ask_store(c, NEWSGROUP_LIST, from, 0, &reply, e) != 0)
        return NULL;
    return view_parse(buf_span(&reply), "stored", e);
}

static int store_list(struct call *c, json_t *all, struct err *e)
{
    char *from = span_dup(SPAN_EMPTY);
    int r = 0;

    while (from != NULL && r == 0) {
        json_t *page = store_page(c, from, e);
        const char *next = view_string(page, "next");
        json_array_extend(all, json_object_get(page, "groups"));
        r = page == NULL ? -EIO : json_array_size(all) > NAMES_MAX ? -E2BIG : 0;
        /* a page that leads to itself would never end */
        bool on = r == 0 && next[0] != '\0' && strcmp(next, from) != 0;
        free(from);
        from = on ? span_dup(span_cstr(next)) : NULL;
        json_decref(page);
    }
    free(from);
    return r;
}

/* ---- addresses --------------------------------------------------------------------------- */

struct addresses {
    json_t *groups;
    const char *name; /* the only one wanted; NULL: all */
    struct directory_entry found;
    bool is_found;
};

static void on_address(const struct directory_entry *n, void *arg)
{
    struct addresses *a = arg;
    size_t i;
    json_t *group;

    if (a->name != NULL) {
        if (strcmp(n->target, a->name) == 0) {
            a->found = *n;
            a->is_found = true;
        }
        return;
    }
    json_array_foreach(a->groups, i, group)
    {
        if (strcmp(view_string(group, "name"), n->target) == 0) {
            json_object_set_new(group, "address", view_text(n->address));
            if (view_string(group, "description")[0] == '\0') /* kept there formerly */
                json_object_set_new(group, "description", view_text(n->title));
        }
    }
}

static int address_of(struct call *c, const char *name, struct addresses *ret, struct err *e)
{
    *ret = (struct addresses){.name = name};
    return entry_each(c, ENTRY_NEWSGROUP, on_address, ret, e);
}

/* ---- showing ----------------------------------------------------------------------------- */

static int list_all(struct call *c, json_t *all, struct err *e)
{
    struct addresses a = {.groups = all};
    size_t i;
    json_t *group;
    int r = store_list(c, all, e);

    json_array_foreach(all, i, group)
    {
        json_object_set_new(group, "posting", json_string(posting(group)));
        json_object_set_new(group, "address", json_string(""));
    }
    return r == 0 ? entry_each(c, ENTRY_NEWSGROUP, on_address, &a, e) : r;
}

int cmd_newsgroup_list(struct call *c, struct err *e)
{
    json_t *all = json_array();
    int r = list_all(c, all, e);

    if (r == 0)
        return view_list(c, all, VIEW(newsgroup_columns),
                         "There are no newsgroups. `sealpost newsgroup add NAME` makes one.");
    json_decref(all);
    return r;
}

/* NULL with the reason. */
static json_t *find_group(struct call *c, const char *name, struct err *e)
{
    json_t *page = store_page(c, name, e), *group, *found = NULL;
    struct addresses a;
    size_t i;

    json_array_foreach(json_object_get(page, "groups"), i, group)
    {
        if (strcmp(view_string(group, "name"), name) == 0)
            found = json_incref(group);
    }
    if (page != NULL && found == NULL)
        store_reason(-ENOENT, name, e);
    json_decref(page);
    if (found == NULL || address_of(c, name, &a, e) != 0) {
        json_decref(found);
        return NULL;
    }
    json_object_set_new(found, "posting", json_string(posting(found)));
    json_object_set_new(found, "address", view_text(a.is_found ? a.found.address : ""));
    if (a.is_found && view_string(found, "description")[0] == '\0')
        json_object_set_new(found, "description", view_text(a.found.title));
    return found;
}

int cmd_newsgroup_show(struct call *c, struct err *e)
{
    json_t *group = find_group(c, c->args[0], e);

    return group == NULL ? -ENOENT : view_object(c, group, VIEW(newsgroup_fields));
}

/* ---- changing ---------------------------------------------------------------------------- */

static int make_entry(const struct call *c, const char *name, const char *address,
                      struct directory_entry *ret, struct err *e)
{
    *ret = (struct directory_entry){.kind = ENTRY_NEWSGROUP, .mail = true};
    if (has_option(c, OPT_DESCRIPTION) &&
        !span_to_cstr(span_cstr(c->option[OPT_DESCRIPTION]), ret->title, sizeof ret->title))
        return err_set(e, -EINVAL, "the description is longer than %d bytes", NAME_TITLE_MAX);
    if (!span_to_cstr(span_cstr(name), ret->target, sizeof ret->target))
        return err_set(e, -EINVAL, "the name is too long");
    return directory_address(address, ret->address, e);
}

int cmd_newsgroup_add(struct call *c, struct err *e)
{
    const char *name = c->args[0], *address = c->option[OPT_ADDRESS];
    uint32_t attributes = (has_option(c, OPT_FOLDER) ? 0 : MAILBOX_NEWSGROUP) |
                          (has_option(c, OPT_MODERATED) ? MAILBOX_MODERATED : 0) |
                          (has_option(c, OPT_NO_POST) ? MAILBOX_NO_POST : 0);
    struct directory_entry n;
    struct err why;
    int r;

    if (!has_option(c, OPT_FOLDER) && !name_newsgroup_valid(span_cstr(name)))
        return err_set(e, -EINVAL,
                       "%s cannot be the name of a newsgroup: words of letters, digits, "
                       "'+', '-' and '_' with dots between (RFC 5536 section 3.1.4)",
                       text_quote(span_cstr(name)));
    if (address != NULL && (r = make_entry(c, name, address, &n, e)) != 0)
        return r;
    if ((r = ask_store(c, NEWSGROUP_CREATE, name, attributes, NULL, e)) != 0)
        return r;
    if (address != NULL && (r = entry_put(c, MSG_ENTRY_ADD, &n, e)) != 0) {
        /* half a newsgroup is none */
        ask_store(c, NEWSGROUP_DELETE, name, 0, NULL, &why);
        return r;
    }
    return has_option(c, OPT_JSON) ? cmd_newsgroup_show(c, e)
                                   : view_done(c, NULL, "Newsgroup %s is made.", name);
}

/* The address is its key and the description has no message of its own: the entry is made anew. */
static int set_entry(struct call *c, const char *name, struct err *e)
{
    struct addresses a;
    struct directory_entry n;
    struct err why;
    const char *address = c->option[OPT_ADDRESS];
    int r = address_of(c, name, &a, e);

    /* the description of an address is what was kept before the store had one */
    if (r != 0 || (address == NULL && !(a.is_found && has_option(c, OPT_DESCRIPTION))))
        return r;
    if (address == NULL)
        address = a.found.address;
    if (address[0] != '\0') {
        if ((r = make_entry(c, name, address, &n, e)) != 0)
            return r;
        if (!has_option(c, OPT_DESCRIPTION) && a.is_found)
            memcpy(n.title, a.found.title, sizeof n.title);
    }
    if (a.is_found && (r = entry_remove(c, ENTRY_NEWSGROUP, a.found.address, e)) != 0)
        return r;
    r = address[0] != '\0' ? entry_put(c, MSG_ENTRY_ADD, &n, e) : 0;
    if (r != 0 && a.is_found)
        entry_put(c, MSG_ENTRY_ADD, &a.found, &why);
    return r;
}

static void change_bit(const struct call *c, enum option_id on, enum option_id off, uint32_t bit,
                       uint32_t *attributes)
{
    if (has_option(c, on))
        *attributes |= bit;
    if (has_option(c, off))
        *attributes &= ~bit;
}

int cmd_newsgroup_set(struct call *c, struct err *e)
{
    json_t *group;
    uint32_t before, now;
    int r = 0;

    if ((has_option(c, OPT_MODERATED) && has_option(c, OPT_NO_MODERATED)) ||
        (has_option(c, OPT_POST) && has_option(c, OPT_NO_POST)))
        return usage_error(e, "two of the options contradict each other");
    if ((group = find_group(c, c->args[0], e)) == NULL)
        return -ENOENT;
    before = (json_is_true(json_object_get(group, "newsgroup")) ? MAILBOX_NEWSGROUP : 0) |
             (json_is_true(json_object_get(group, "moderated")) ? MAILBOX_MODERATED : 0) |
             (json_is_true(json_object_get(group, "no_post")) ? MAILBOX_NO_POST : 0);
    json_decref(group);
    now = before;
    change_bit(c, OPT_MODERATED, OPT_NO_MODERATED, MAILBOX_MODERATED, &now);
    change_bit(c, OPT_NO_POST, OPT_POST, MAILBOX_NO_POST, &now);
    if (now != before || has_option(c, OPT_DESCRIPTION))
        r = ask_store(c, NEWSGROUP_SET, c->args[0], now, NULL, e);
    if (r == 0)
        r = set_entry(c, c->args[0], e);
    return r != 0 ? r : cmd_newsgroup_show(c, e);
}

int cmd_newsgroup_remove(struct call *c, struct err *e)
{
    struct addresses a;
    int r = address_of(c, c->args[0], &a, e);

    /* the address first: mail for a folder that is gone would bounce one by one */
    if (r == 0 && a.is_found)
        r = entry_remove(c, ENTRY_NEWSGROUP, a.found.address, e);
    if (r == 0)
        r = ask_store(c, NEWSGROUP_DELETE, c->args[0], 0, NULL, e);
    return r != 0 ? r : view_done(c, NULL, "Newsgroup %s is removed.", c->args[0]);
}
