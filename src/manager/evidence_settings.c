#include "manager/evidence_settings.h"

#include "base/buf.h"
#include "manager/view.h"

#include <libconfig.h>
#include <string.h>

enum {
    VALUE_MAX = 4 << 20,
    VALUE_SHOWN = 2000,
    PATH_MAX_BYTES = 400,
    ELEMENT_SHOWN = 300,
    DEPTH_MAX = 8
};

/* ---- values as text ---------------------------------------------------------------------- */

static void put_value(const config_setting_t *s, unsigned depth, struct buf *out)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_STRING:
        buf_printf(out, depth > 0 ? "\"%s\"" : "%s", config_setting_get_string(s));
        return;
    case CONFIG_TYPE_BOOL:
        buf_put_cstr(out, config_setting_get_bool(s) ? "true" : "false");
        return;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        buf_printf(out, "%lld", config_setting_get_int64(s));
        return;
    case CONFIG_TYPE_FLOAT:
        buf_printf(out, "%g", config_setting_get_float(s));
        return;
    default:
        break;
    }
    bool group = config_setting_is_group(s) != 0;
    buf_put_cstr(out, group ? "{ " : "[");
    for (int i = 0; i < config_setting_length(s) && depth < DEPTH_MAX; i++) {
        const config_setting_t *one = config_setting_get_elem(s, (unsigned)i);
        if (i > 0)
            buf_put_cstr(out, group ? "; " : ", ");
        if (group)
            buf_printf(out, "%s = ", config_setting_name(one));
        put_value(one, depth + 1, out);
    }
    buf_put_cstr(out, group ? " }" : "]");
}

/* "" as a value is not the same as no value. */
static void put_whole(const config_setting_t *s, struct buf *out)
{
    if (s == NULL)
        return;
    put_value(s, 0, out);
    if (out->n == 0)
        buf_put_cstr(out, "\"\"");
}

static json_t *shown(const struct buf *value, size_t max)
{
    struct buf text BUF_AUTO = BUF(VALUE_MAX);

    if (value->n == 0)
        return json_null();
    buf_put_span(&text, span_head(buf_span(value), max));
    if (value->n > max)
        buf_put_cstr(&text, "\xe2\x80\xa6");
    return view_text(buf_cstr(&text));
}

/* ---- names ------------------------------------------------------------------------------- */

static const char *text_member(const config_setting_t *group, const char *name)
{
    const char *text = NULL;

    return config_setting_lookup_string(group, name, &text) ? text : NULL;
}

/* What tells a group of a list from the others of the list. */
static void put_name(const config_setting_t *s, int place, struct buf *out)
{
    const char *name = text_member(s, "name"), *address = text_member(s, "address");
    int port = 0;

    if (name == NULL)
        name = text_member(s, "domain");
    if (name != NULL)
        buf_put_cstr(out, name);
    else if (address != NULL && config_setting_lookup_int(s, "port", &port))
        buf_printf(out, "%s:%d", address, port);
    else
        buf_printf(out, "%d", place + 1);
}

static const config_setting_t *find_named(const config_setting_t *list, const char *name)
{
    for (int i = 0; list != NULL && i < config_setting_length(list); i++) {
        const config_setting_t *one = config_setting_get_elem(list, (unsigned)i);
        struct buf b BUF_AUTO = BUF(PATH_MAX_BYTES);
        put_name(one, i, &b);
        if (strcmp(buf_cstr(&b), name) == 0)
            return one;
    }
    return NULL;
}

/* ---- comparing --------------------------------------------------------------------------- */

struct path {
    char text[PATH_MAX_BYTES];
};

static struct path below(const struct path *p, const char *name)
{
    struct path q;

    snprintf(q.text, sizeof q.text, "%.250s%s%.120s", p->text, p->text[0] ? " " : "", name);
    return q;
}

static void add_row(json_t *rows, const struct path *where, const char *what,
                    const config_setting_t *old, const config_setting_t *now, size_t max)
{
    struct buf a BUF_AUTO = BUF(VALUE_MAX), b BUF_AUTO = BUF(VALUE_MAX);

    put_whole(old, &a);
    put_whole(now, &b);
    if (span_eq(buf_span(&a), buf_span(&b)))
        return;
    json_array_append_new(rows,
                          json_pack("{s:o,s:o,s:o,s:o}", "where", view_text(where->text), "what",
                                    view_text(what), "old", shown(&a, max), "new", shown(&b, max)));
}

static void compare_groups(json_t *rows, const struct path *where, const config_setting_t *old,
                           const config_setting_t *now, unsigned depth);

static void compare_lists(json_t *rows, const struct path *where, const config_setting_t *old,
                          const config_setting_t *now, unsigned depth)
{
    const config_setting_t *lists[2] = {old, now};

    for (unsigned k = 0; k < 2; k++) {
        for (int i = 0; lists[k] != NULL && i < config_setting_length(lists[k]); i++) {
            const config_setting_t *one = config_setting_get_elem(lists[k], (unsigned)i), *other;
            struct buf name BUF_AUTO = BUF(PATH_MAX_BYTES);
            struct path p;
            put_name(one, i, &name);
            other = find_named(lists[!k], buf_cstr(&name));
            p = below(where, buf_cstr(&name));
            if (other == NULL)
                add_row(rows, where, buf_cstr(&name), k == 0 ? one : NULL, k == 1 ? one : NULL,
                        ELEMENT_SHOWN);
            else if (k == 0)
                compare_groups(rows, &p, one, other, depth + 1);
        }
    }
}

static bool is_list_of_groups(const config_setting_t *s)
{
    return s != NULL && config_setting_is_list(s) && config_setting_length(s) > 0 &&
           config_setting_is_group(config_setting_get_elem(s, 0));
}

static void compare_member(json_t *rows, const struct path *where, const char *name,
                           const config_setting_t *old, const config_setting_t *now, unsigned depth)
{
    struct path p = below(where, name);
    bool groups =
        old != NULL && now != NULL && config_setting_is_group(old) && config_setting_is_group(now);

    if (groups && depth < DEPTH_MAX)
        compare_groups(rows, &p, old, now, depth + 1);
    else if ((is_list_of_groups(old) || is_list_of_groups(now)) && depth < DEPTH_MAX)
        compare_lists(rows, &p, old, now, depth);
    else
        add_row(rows, where, name, old, now, VALUE_SHOWN);
}

static void compare_groups(json_t *rows, const struct path *where, const config_setting_t *old,
                           const config_setting_t *now, unsigned depth)
{
    for (int i = 0; i < config_setting_length(old); i++) {
        const config_setting_t *one = config_setting_get_elem(old, (unsigned)i);
        const char *name = config_setting_name(one);
        compare_member(rows, where, name, one, config_setting_get_member(now, name), depth);
    }
    for (int i = 0; i < config_setting_length(now); i++) {
        const config_setting_t *one = config_setting_get_elem(now, (unsigned)i);
        const char *name = config_setting_name(one);
        if (config_setting_get_member(old, name) == NULL)
            compare_member(rows, where, name, NULL, one, depth);
    }
}

/* What is printed includes no file; what claims to is no configuration of ours. */
static bool names_files(const char *text)
{
    struct span rest = span_cstr(text), line;

    while (span_split(&rest, '\n', &line)) {
        while (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t'))
            line = span_skip(line, 1);
        if (span_starts(line, SPAN("@include")))
            return true;
    }
    return false;
}

void evidence_settings(json_t *rows, const char *old, const char *now)
{
    static const struct path top = {""};
    config_t a, b;

    config_init(&a);
    config_init(&b);
    if (!names_files(old) && !names_files(now) && config_read_string(&a, old) &&
        config_read_string(&b, now))
        compare_groups(rows, &top, config_root_setting(&a), config_root_setting(&b), 0);
    else if (strcmp(old, now) != 0)
        json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s}", "where", "", "what",
                                              "the configuration as a whole", "old",
                                              "cannot be taken apart", "new", "is another"));
    config_destroy(&a);
    config_destroy(&b);
}
