#include "base/check.h"
#include "base/log.h"
#include "conf/check.h"
#include "conf/derive.h"
#include "conf/prepare.h"
#include "conf/rows.h"

#include <inttypes.h>
#include <libconfig.h>

enum { PREPARED_MAX = 4 << 20, ARENA_MAX = 32 << 20, TEXTS_MAX = 1000 };

struct parser {
    struct report *report;
    struct arena *arena;
};

static unsigned line_of(const config_setting_t *s)
{
    return config_setting_source_line(s);
}

static const char *type_word(const config_setting_t *s)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_GROUP:
        return "a group { }";
    case CONFIG_TYPE_LIST:
        return "a list ( )";
    case CONFIG_TYPE_ARRAY:
        return "a list [ ]";
    case CONFIG_TYPE_STRING:
        return "a text";
    case CONFIG_TYPE_BOOL:
        return "true or false";
    case CONFIG_TYPE_FLOAT:
        return "a fraction";
    default:
        return "a number";
    }
}

static const char *wanted_word(const struct row *row)
{
    switch (row->type) {
    case ROW_STRING:
    case ROW_CHOICE:
        return "a text in quotes";
    case ROW_BOOL:
        return "true or false, without quotes";
    case ROW_STRINGS:
        return "a list of texts: [ \"…\", \"…\" ]";
    case ROW_NETWORKS:
        return "a list of networks: [ \"10.0.0.0/8\", \"::1\" ]";
    case ROW_DURATIONS:
        return "a list of times: [ \"1 min\", \"5 min\" ]";
    case ROW_LIST:
        return "a list of groups: ( { … }, { … } )";
    case ROW_GROUP:
        return "a group: { … }";
    default:
        return number_help(row->unit);
    }
}

/* One value of the file as text; false where its type is not what the row takes. */
static bool text_of(const struct row *row, const config_setting_t *s, struct arena *a,
                    struct span *ret)
{
    bool number = row->type == ROW_U16 || row->type == ROW_U32 || row->type == ROW_U64 ||
                  row->type == ROW_DURATIONS;

    switch (config_setting_type(s)) {
    case CONFIG_TYPE_STRING:
        *ret = span_cstr(config_setting_get_string(s));
        return row->type != ROW_BOOL && !(number && row->unit[0] == '\0');
    case CONFIG_TYPE_BOOL:
        *ret = span_cstr(config_setting_get_bool(s) ? "true" : "false");
        return row->type == ROW_BOOL;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        *ret = span_cstr(arena_printf(a, "%lld", config_setting_get_int64(s)));
        return number && ret->p;
    default:
        return false;
    }
}

static void wrong_type(struct parser *p, const struct row *row, const config_setting_t *s)
{
    report_error(p->report, line_of(s), "'%s' is %s. Write %s", row->name, type_word(s),
                 wanted_word(row));
}

static void parse_value(struct parser *p, const struct row *row, const config_setting_t *s,
                        void *base)
{
    struct span texts[TEXTS_MAX];
    size_t n = 1;
    struct err why;
    bool list = row->type == ROW_STRINGS || row->type == ROW_DURATIONS || row->type == ROW_NETWORKS;

    if (!list) {
        if (!text_of(row, s, p->arena, &texts[0])) {
            wrong_type(p, row, s);
            return;
        }
    } else {
        if (!config_setting_is_array(s) && !config_setting_is_list(s)) {
            wrong_type(p, row, s);
            return;
        }
        n = (size_t)config_setting_length(s);
        if (n > TEXTS_MAX) {
            report_error(p->report, line_of(s), "'%s' has %zu elements. Write at most %d",
                         row->name, n, TEXTS_MAX);
            return;
        }
        for (size_t i = 0; i < n; i++) {
            const config_setting_t *element = config_setting_get_elem(s, (unsigned)i);
            if (!text_of(row, element, p->arena, &texts[i])) {
                report_error(p->report, line_of(element), "'%s': element %zu is %s. Write %s",
                             row->name, i + 1, type_word(element), wanted_word(row));
                return;
            }
        }
    }
    if (!row_set(row, base, p->arena, texts, n, &why))
        report_error(p->report, line_of(s), "%s", why.text);
}

static void parse_group(struct parser *p, enum conf_scope scope, const config_setting_t *s,
                        void *base, enum conf_protocol protocol);

static void parse_list(struct parser *p, const struct row *row, const config_setting_t *s,
                       void *base)
{
    size_t n = (size_t)config_setting_length(s), size = scope_size(row->element);

    if (!config_setting_is_list(s) && !(config_setting_is_array(s) && n == 0)) {
        wrong_type(p, row, s);
        return;
    }
    if (n < row->min || n > row->max) {
        report_error(p->report, line_of(s),
                     "'%s' has %zu elements. Write between %" PRIu64 " and %" PRIu64, row->name, n,
                     row->min, row->max);
        return;
    }

    char *elements = n ? arena_try_array(p->arena, size, n) : NULL;
    if (n && !elements) {
        report_error(p->report, line_of(s), "'%s' is too long for a configuration. Shorten it",
                     row->name);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const config_setting_t *element = config_setting_get_elem(s, (unsigned)i);
        if (config_setting_is_group(element))
            parse_group(p, row->element, element, elements + i * size, PROTOCOL_COUNT);
        else
            report_error(p->report, line_of(element), "'%s': element %zu is %s. Write %s",
                         row->name, i + 1, type_word(element), wanted_word(row));
    }
    *(void **)row_field(row, base) = elements;
    *(uint32_t *)(void *)((char *)base + row->count_offset) = (uint32_t)n;
}

/* The row's value, from the file or from its default. */
static void parse_row(struct parser *p, const struct row *row, const config_setting_t *group,
                      void *base, enum conf_protocol protocol)
{
    const config_setting_t *s = group ? config_setting_get_member(group, row->name) : NULL;
    const char *def = row_default(row, protocol);

    if (row->type == ROW_GROUP) {
        if (s && !config_setting_is_group(s))
            wrong_type(p, row, s);
        else
            parse_group(p, row->element, s, row_field(row, base), protocol);
    } else if (row->type == ROW_LIST) {
        if (s)
            parse_list(p, row, s, base);
    } else {
        /* every field holds something sensible even where the file's value is refused */
        if (def)
            row_set_default(row, base, p->arena, def);
        else if (row->type == ROW_STRING)
            *(const char **)row_field(row, base) = "";
        if (s)
            parse_value(p, row, s, base);
    }
    if (!s && row_required(row)) {
        unsigned line = group ? line_of(group) : 0;
        report_error(p->report, line ? line : 1, "this %s has no '%s'. Add it: %s",
                     scope_word(row->scope), row->name, wanted_word(row));
    }
}

static void unknown_options(struct parser *p, enum conf_scope scope, const config_setting_t *group)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        struct span name = span_cstr(config_setting_name(s));
        if (row_find(scope, name))
            continue;

        const struct row *nearest = row_nearest(scope, name);
        /* it may be right, but stand in the wrong place */
        const struct row *elsewhere = NULL;
        for (enum conf_scope other = 0; other < SCOPE_COUNT && !elsewhere; other++)
            elsewhere = row_find(other, name);

        if (elsewhere)
            report_error(p->report, line_of(s), "'%s' is an option of %s, not of %s. Move it there",
                         elsewhere->name, scope_words(elsewhere->scope), scope_words(scope));
        else if (nearest)
            report_error(p->report, line_of(s), "%s is not an option of %s. Did you mean '%s'?",
                         log_quote(name), scope_words(scope), nearest->name);
        else
            report_error(p->report, line_of(s),
                         "%s is not an option of %s. Remove it, or look for its name in the "
                         "sample configuration",
                         log_quote(name), scope_words(scope));
    }
}

/* group NULL: all defaults. `protocol` is that of the virtual server around it; a virtual server
 * knows its own first. */
static void parse_group(struct parser *p, enum conf_scope scope, const config_setting_t *group,
                        void *base, enum conf_protocol protocol)
{
    if (group)
        unknown_options(p, scope, group);
    FOR_EACH_ROW(scope, row)
    {
        if (row->type == ROW_SECTION)
            continue;
        if (scope == SCOPE_VSERVER && row->type == ROW_GROUP)
            protocol = ((const struct conf_vserver *)base)->protocol;
        parse_row(p, row, group, base, protocol);
    }
}

static struct conf *parse_tree(const config_setting_t *root, struct report *r)
{
    struct arena *arena = arena_new(ARENA_MAX);
    struct conf *c = ARENA_NEW(arena, struct conf);
    struct parser p = {r, arena};

    c->arena = arena;
    parse_group(&p, SCOPE_ROOT, root, c, PROTOCOL_COUNT);
    if (!r->failed && !conf_derive(c, root))
        report_error(r, 0, "the configuration is too large. Shorten its lists");
    if (!r->failed)
        conf_check(c, root, r);
    if (!r->failed)
        return c;
    conf_free(c);
    return NULL;
}

static struct conf *parse_text(struct span text, struct report *r)
{
    BUF_AUTO struct buf prepared = BUF(PREPARED_MAX);
    struct conf *c = NULL;
    config_t tree;

    if (!conf_prepare(text, r, &prepared))
        return NULL;
    config_init(&tree);
    if (config_read_string(&tree, prepared.p))
        c = parse_tree(config_root_setting(&tree), r);
    else
        report_error(r, (unsigned)config_error_line(&tree),
                     "%s. Look for a missing ';', quote or bracket here or on the line before",
                     config_error_text(&tree));
    config_destroy(&tree);
    return c;
}

struct conf *conf_parse(struct span text, const char *file, struct buf *problems)
{
    struct report r;

    report_init(&r, file);
    struct conf *c = parse_text(text, &r);
    report_write(&r, problems);
    report_done(&r);
    return c;
}
