#include "base/check.h"
#include "conf/rows.h"

#include <inttypes.h>

enum { COMMENT_WIDTH = 110, VALUE_MAX = 1 << 20, SCRATCH_MAX = 1 << 16 };

struct printer {
    struct buf *out;
    bool comments;
    unsigned depth;
    struct arena *scratch; /* defaults, to compare with */
};

static void indent(struct printer *p)
{
    for (unsigned i = 0; i < p->depth; i++)
        buf_put_cstr(p->out, "    ");
}

/* A comment, broken at blanks. */
static void print_comment(struct printer *p, struct span text)
{
    size_t width = COMMENT_WIDTH - p->depth * 4;

    while (text.n) {
        size_t n = text.n;
        if (n > width) {
            n = span_rfind(span_head(text, width + 1), ' ');
            if (n == SPAN_NONE)
                n = text.n;
        }
        indent(p);
        buf_printf(p->out, "# %.*s\n", SPAN_ARG(span_head(text, n)));
        text = span_skip(text, n + 1);
    }
}

static void print_range(const struct row *row, struct buf *b)
{
    if (row->type != ROW_U16 && row->type != ROW_U32 && row->type != ROW_U64)
        return;
    bool own_unit = row->unit[0] && strcmp(row->unit, "bytes") != 0;

    buf_put_cstr(b, " From ");
    number_print(row->min, row->unit, b);
    buf_put_cstr(b, " to ");
    number_print(row->max, row->unit, b);
    buf_printf(b, "%s%s", own_unit ? " " : "", own_unit ? row->unit : "");
    if (strcmp(row->unit, "s") == 0)
        buf_put_cstr(b, " (s, min, h, d)");
    else if (strcmp(row->unit, "bytes") == 0)
        buf_put_cstr(b, " (B, KiB, MiB, GiB, TiB)");
    buf_putc(b, '.');
}

static void print_choices(const struct row *row, struct buf *b)
{
    if (row->type != ROW_CHOICE)
        return;
    buf_put_cstr(b, " One of");
    for (size_t i = 0; row->names[i]; i++)
        buf_printf(b, "%s \"%s\"", i ? "," : "", row->names[i]);
    buf_putc(b, '.');
}

static void print_default_words(const struct row *row, const char *def_value, struct buf *b)
{
    if (row_required(row))
        buf_put_cstr(b, " Must be given.");
    else if (row_derived(row))
        buf_printf(b, " Default: %s.", row->def + 1);
    else if (def_value)
        buf_printf(b, " Default: %s.", def_value);
}

/* meaning, range, choices, default */
static void print_doc(struct printer *p, const struct row *row, const char *def_value)
{
    BUF_AUTO struct buf b = BUF(VALUE_MAX);

    buf_put_cstr(&b, row->doc);
    print_range(row, &b);
    print_choices(row, &b);
    print_default_words(row, def_value, &b);
    print_comment(p, buf_span(&b));
}

/* The default as it would be printed; NULL where there is none. */
static const char *default_value(struct printer *p, const struct row *row,
                                 enum conf_protocol protocol, struct buf *text)
{
    const char *def = row_default(row, protocol);

    if (!def)
        return NULL;
    /* rows of any scope: the greatest struct has room for the field */
    void *base = arena_alloc(p->scratch, scope_size(row->scope));
    row_set_default(row, base, p->scratch, def);
    row_print(row, base, text);
    return buf_cstr(text);
}

static void print_option(struct printer *p, const struct row *row, const void *base,
                         enum conf_protocol protocol)
{
    BUF_AUTO struct buf value = BUF(VALUE_MAX), def = BUF(VALUE_MAX);

    arena_reset(p->scratch);
    const char *usual = p->comments ? default_value(p, row, protocol, &def) : NULL;
    row_print(row, base, &value);
    if (p->comments)
        print_doc(p, row, usual);
    indent(p);
    /* what is the default anyway stands there as a comment, ready to be changed */
    if (usual && strcmp(usual, buf_cstr(&value)) == 0)
        buf_put_cstr(p->out, "#");
    buf_printf(p->out, "%s = %s;\n", row->name, buf_cstr(&value));
}

static void print_scope(struct printer *p, enum conf_scope scope, const void *base,
                        enum conf_protocol protocol);

static void print_list(struct printer *p, const struct row *row, const void *base,
                       enum conf_protocol protocol)
{
    const char *elements = *(const char *const *)row_field_const(row, base);
    uint32_t n = *(const uint32_t *)(const void *)((const char *)base + row->count_offset);

    if (p->comments)
        print_doc(p, row, NULL);
    indent(p);
    buf_printf(p->out, "%s = (%s", row->name, n ? "\n" : "");
    for (uint32_t i = 0; i < n; i++) {
        p->depth++;
        indent(p);
        buf_put_cstr(p->out, "{\n");
        p->depth++;
        print_scope(p, row->element, elements + i * scope_size(row->element), protocol);
        p->depth--;
        indent(p);
        buf_put_cstr(p->out, i + 1 < n ? "},\n" : "}\n");
        p->depth--;
    }
    if (n)
        indent(p);
    buf_put_cstr(p->out, ");\n");
}

static void print_group(struct printer *p, const struct row *row, const void *base,
                        enum conf_protocol protocol)
{
    if (p->comments)
        print_doc(p, row, NULL);
    indent(p);
    buf_printf(p->out, "%s = {\n", row->name);
    p->depth++;
    print_scope(p, row->element, row_field_const(row, base), protocol);
    p->depth--;
    indent(p);
    buf_put_cstr(p->out, "};\n");
}

static void print_scope(struct printer *p, enum conf_scope scope, const void *base,
                        enum conf_protocol protocol)
{
    if (scope == SCOPE_VSERVER)
        protocol = ((const struct conf_vserver *)base)->protocol;
    FOR_EACH_ROW(scope, row)
    {
        switch (row->type) {
        case ROW_SECTION:
            if (p->comments)
                buf_printf(p->out, "\n# ---- %s ----\n\n", row->doc);
            break;
        case ROW_LIST:
            if (p->comments && p->depth == 0)
                buf_putc(p->out, '\n');
            print_list(p, row, base, protocol);
            break;
        case ROW_GROUP:
            print_group(p, row, base, protocol);
            break;
        default:
            print_option(p, row, base, protocol);
            break;
        }
    }
}

void conf_print(const struct conf *c, bool comments, struct buf *out)
{
    struct printer p = {out, comments, 0, arena_new(SCRATCH_MAX)};

    if (comments)
        buf_put_cstr(out,
                     "# Configuration of sealpost. Every option is here with its meaning; what is "
                     "commented out shows its default.\n");
    print_scope(&p, SCOPE_ROOT, c, PROTOCOL_COUNT);
    arena_free(p.scratch);
}
