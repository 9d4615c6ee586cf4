/* alias.c: addresses that stand for another. */
#include "base/check.h"
#include "manager/directory.h"
#include "manager/table.h"

static const struct view alias_columns[] = {
    {"ADDRESS",  "address", VIEW_TEXT, COLUMN_WHOLE},
    {"LEADS TO", "target",  VIEW_TEXT, COLUMN_WHOLE},
};
static const struct view alias_fields[] = {
    {"Address",  "address", VIEW_TEXT, 0},
    {"Leads to", "target",  VIEW_TEXT, 0},
};

static json_t *alias_json(const struct directory_entry *n)
{
    return json_pack("{s:o,s:o}", "address", view_text(n->address), "target", view_text(n->target));
}

int cmd_alias_add(struct call *c, struct err *e)
{
    struct directory_entry n = {.kind = ENTRY_ALIAS};
    int r = directory_address(c->args[0], n.address, e);

    if (r == 0)
        r = directory_address(c->args[1], n.target, e);
    if (r == 0)
        r = entry_put(c, MSG_ENTRY_ADD, &n, e);
    return r != 0 ? r
                  : view_done(c, alias_json(&n), "Mail for %s goes to %s.", n.address, n.target);
}

int cmd_alias_show(struct call *c, struct err *e)
{
    struct directory_entry n;
    int r = entry_show(c, ENTRY_ALIAS, c->args[0], &n, e);

    return r != 0 ? r : view_object(c, alias_json(&n), VIEW(alias_fields));
}

static void add_alias(const struct directory_entry *n, void *arg)
{
    json_array_append_new(arg, alias_json(n));
}

int cmd_alias_list(struct call *c, struct err *e)
{
    json_t *all = json_array();
    int r = entry_each(c, ENTRY_ALIAS, add_alias, all, e);

    if (r == 0)
        return view_list(c, all, VIEW(alias_columns), "There are no aliases.");
    json_decref(all);
    return r;
}

int cmd_alias_remove(struct call *c, struct err *e)
{
    int r = entry_remove(c, ENTRY_ALIAS, c->args[0], e);

    return r != 0 ? r : view_done(c, NULL, "Alias %s is removed.", c->args[0]);
}
