#include "manager/observatory.h"

#include "base/check.h"
#include "manager/table.h"

#include <errno.h>
#include <stdlib.h>

enum { WORKERS_MAX = 64 };

/* The counts of one worker, added to what others have said. */
static void add_worker(json_t *by_name, const json_t *status, const char *vserver)
{
    size_t i, k;
    json_t *v, *one;

    json_array_foreach(json_object_get(status, "vservers"), i, v)
    {
        if (strcmp(view_string(v, "name"), vserver) != 0)
            continue;
        json_array_foreach(json_object_get(v, "uncovered"), k, one)
        {
            const char *name = view_string(one, "name");
            json_int_t n = json_integer_value(json_object_get(one, "count")) +
                           json_integer_value(json_object_get(by_name, name));
            json_object_set_new(by_name, name, json_integer(n));
        }
    }
}

static void add_role(struct control *c, enum role role, json_t *by_name, const char *vserver)
{
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        struct buf bytes BUF_AUTO = BUF(LINK_PAYLOAD_MAX);
        struct err ignored;
        json_t *status;
        if (control_call(c, role, i, MSG_CHILD_STATUS, SPAN_EMPTY, &bytes, &ignored) < 0)
            return;
        if ((status = view_parse(buf_span(&bytes), "a session process", &ignored)) != NULL)
            add_worker(by_name, status, vserver);
        json_decref(status);
    }
}

static json_t *most_asked(json_t *by_name)
{
    const char *name, *best = NULL;
    json_t *count;

    json_object_foreach(by_name, name, count)
    {
        if (best == NULL ||
            json_integer_value(count) > json_integer_value(json_object_get(by_name, best)))
            best = name;
    }
    if (best == NULL)
        return NULL;
    json_t *row = json_pack("{s:s,s:O}", "name", best, "count", json_object_get(by_name, best));
    json_object_del(by_name, json_string_value(json_object_get(row, "name")));
    return row;
}

json_t *observatory_names(struct control *c, const char *vserver)
{
    json_t *by_name = json_object(), *all = json_array(), *row;

    add_role(c, ROLE_ACCESS, by_name, vserver);
    add_role(c, ROLE_MX, by_name, vserver);
    while ((row = most_asked(by_name)) != NULL) {
        struct buf add BUF_AUTO = BUF(1024);
        const char *name = view_string(row, "name");
        /* names that were too many to be told apart */
        if (name[0] != '(')
            buf_printf(&add,
                       "names = ( …, \"%s\" ) of %s in the configuration, then `sealpost reload` "
                       "and `sealpost cert issue %s`; of another CA: `sealpost cert request %s "
                       "--dns %s,…`",
                       name, vserver, vserver, vserver, name);
        json_object_set_new(row, "add", json_string(buf_cstr(&add)));
        json_array_append_new(all, row);
    }
    json_decref(by_name);
    return all;
}

void observatory_show(struct call *c, const json_t *names)
{
    static const struct view columns[] = {
        {"ASKED FOR, NOT COVERED", "name",  VIEW_TEXT,   COLUMN_WHOLE},
        {"TIMES",                  "count", VIEW_NUMBER, COLUMN_RIGHT},
        {"TO ADD IT",              "add",   VIEW_TEXT,   COLUMN_WRAP },
    };

    if (json_array_size(names) == 0)
        return;
    buf_putc(&c->out, '\n');
    view_table(c, names, VIEW(columns));
}
