#include "base/check.h"
#include "conf/rows.h"

#include <inttypes.h>

enum { COMMENT_WIDTH = 110, VALUE_MAX = 1 << 20, SCRATCH_MAX = 1 << 16, ROWS_MAX = 200 };

struct printer {
    struct buf *out;
    bool comments;
    unsigned depth;
    struct arena *scratch; /* defaults, to compare with */
    bool seen[ROWS_MAX];   /* rows explained already */
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
    buf_put_cstr(b, " From ");
    number_print_range(row->min, row->max, row->unit, " to ", b);
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

/* The default of one protocol as it would be printed; false where there is none. */
static bool print_default(struct printer *p, const struct row *row, enum conf_protocol protocol,
                          struct buf *out)
{
    const char *def = row_default(row, protocol);

    if (!def || row->type == ROW_LIST || row->type == ROW_GROUP)
        return false;
    arena_reset(p->scratch);
    void *base = arena_alloc(p->scratch, scope_size(row->scope));
    row_set_default(row, base, p->scratch, def);
    row_print(row, base, out);
    return true;
}

static void print_default_words(struct printer *p, const struct row *row, struct buf *b)
{
    if (row_required(row))
        buf_put_cstr(b, " Must be given.");
    else if (row_derived(row))
        buf_printf(b, " Default: %s.", row->def + 1);
    if (!row_default(row, PROTOCOL_COUNT) || row->type == ROW_LIST || row->type == ROW_GROUP)
        return;

    buf_put_cstr(b, " Default: ");
    print_default(p, row, PROTOCOL_COUNT, b);
    for (enum conf_protocol i = 0; i < PROTOCOL_COUNT; i++) {
        if (row_default(row, i) == row_default(row, PROTOCOL_COUNT))
            continue;
        buf_printf(b, ", %s ", conf_protocol_name(i));
        print_default(p, row, i, b);
    }
    buf_putc(b, '.');
}

/* meaning, range, choices, default; once a row. False: it was explained before. */
static bool print_doc(struct printer *p, const struct row *row)
{
    BUF_AUTO struct buf b = BUF(VALUE_MAX);
    bool *seen = &p->seen[row - conf_rows];

    if (!p->comments || *seen)
        return false;
    *seen = true;
    if (p->depth == 0)
        buf_putc(p->out, '\n');
    buf_put_cstr(&b, row->doc);
    print_range(row, &b);
    print_choices(row, &b);
    print_default_words(p, row, &b);
    print_comment(p, buf_span(&b));
    return true;
}

static void print_option(struct printer *p, const struct row *row, const void *base,
                         enum conf_protocol protocol)
{
    BUF_AUTO struct buf value = BUF(VALUE_MAX), def = BUF(VALUE_MAX);

    row_print(row, base, &value);
    bool explained = print_doc(p, row);
    bool usual = p->comments && print_default(p, row, protocol, &def) &&
                 span_eq(buf_span(&def), buf_span(&value));
    /* what is the default anyway stands as a comment where the option is explained, and nowhere
     * else */
    if (usual && !explained)
        return;
    indent(p);
    buf_printf(p->out, "%s%s = %s;\n", usual ? "#" : "", row->name, buf_cstr(&value));
}

static void print_scope(struct printer *p, enum conf_scope scope, const void *base,
                        enum conf_protocol protocol);

static void print_list(struct printer *p, const struct row *row, const void *base,
                       enum conf_protocol protocol)
{
    const char *elements = *(const char *const *)row_field_const(row, base);
    uint32_t n = *(const uint32_t *)(const void *)((const char *)base + row->count_offset);

    print_doc(p, row);
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
    size_t start = p->out->n;
    bool explained = print_doc(p, row);

    indent(p);
    buf_printf(p->out, "%s = {\n", row->name);
    size_t inside = p->out->n;
    p->depth++;
    print_scope(p, row->element, row_field_const(row, base), protocol);
    p->depth--;
    if (!explained && p->out->n == inside) { /* all of it is default */
        buf_truncate(p->out, start);
        return;
    }
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
                buf_printf(p->out, "\n# ---- %s ----\n", row->doc);
            break;
        case ROW_LIST:
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
    struct printer p = {out, comments, 0, arena_new(SCRATCH_MAX), {false}};

    CHECK(conf_row_count <= ROWS_MAX);

    if (comments)
        buf_put_cstr(out,
                     "# Configuration of sealpost. Every option is here with its meaning; what is "
                     "commented out shows its default.\n");
    print_scope(&p, SCOPE_ROOT, c, PROTOCOL_COUNT);
    arena_free(p.scratch);
}
