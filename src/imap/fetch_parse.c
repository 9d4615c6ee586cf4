/* fetch_parse.c: the items of FETCH, RFC 9051 section 6.4.5, RFC 3501 section 6.4.5, RFC 3516, RFC
 * 7162. */
#include "imap/arg.h"
#include "imap/fetch.h"
#include "imap/modseq.h"

#include "base/check.h"

struct parser {
    struct arena *arena;
    struct fetch_plan *plan;
};

static bool is_name_char(unsigned char c)
{
    return ascii_is_alpha((char)c) || ascii_is_digit((char)c) || c == '.';
}

static struct fetch_section *add_section(struct parser *p)
{
    struct fetch_plan *plan = p->plan;

    if (!plan->sections)
        plan->sections = ARENA_ARRAY(p->arena, struct fetch_section, FETCH_SECTIONS_MAX);
    if (!plan->sections || plan->section_count == FETCH_SECTIONS_MAX)
        return NULL;

    struct fetch_section *x = &plan->sections[plan->section_count++];
    *x = (struct fetch_section){0};
    return x;
}

/* section-part = nz-number *("." nz-number) ; a "." that no number follows stays for section-text
 */
static bool parse_path(struct parser *p, struct span *c, struct fetch_section *x)
{
    uint32_t path[FETCH_DEPTH_MAX];

    while (c->n && ascii_is_digit(c->p[0])) {
        if (x->depth == FETCH_DEPTH_MAX || c->p[0] == '0' ||
            !parse_u32(c, UINT32_MAX, &path[x->depth]))
            return false;
        x->depth++;
        if (c->n < 2 || c->p[0] != '.' || !ascii_is_digit(c->p[1]))
            break;
        parse_char(c, '.');
    }
    if (x->depth) {
        x->path = ARENA_ARRAY(p->arena, uint32_t, x->depth);
        if (!x->path)
            return false;
        memcpy(x->path, path, x->depth * sizeof path[0]);
    }
    return true;
}

/* header-list = "(" astring *(SP astring) ")" */
static bool parse_names(struct parser *p, struct span *c, struct fetch_section *x)
{
    struct span names[FETCH_NAMES_MAX];

    if (!arg_sp(c) || !parse_char(c, '('))
        return false;
    do
        if (x->name_count == FETCH_NAMES_MAX ||
            !arg_astring(c, p->arena, 256, &names[x->name_count++]))
            return false;
    while (arg_sp(c));
    x->names = ARENA_ARRAY(p->arena, struct span, x->name_count);
    if (!x->names || !parse_char(c, ')'))
        return false;
    memcpy(x->names, names, x->name_count * sizeof names[0]);
    return true;
}

/* section-text = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT" / "MIME" (MIME only
 * behind a part) */
static bool parse_section_text(struct parser *p, struct span *c, struct fetch_section *x)
{
    struct span word;

    if (!parse_while(c, is_name_char, 1, 20, &word))
        return false;
    if (span_is(word, "HEADER"))
        x->kind = SECTION_HEADER;
    else if (span_is(word, "TEXT"))
        x->kind = SECTION_TEXT;
    else if (span_is(word, "MIME") && x->depth)
        x->kind = SECTION_MIME;
    else if (span_is(word, "HEADER.FIELDS"))
        x->kind = SECTION_FIELDS;
    else if (span_is(word, "HEADER.FIELDS.NOT"))
        x->kind = SECTION_FIELDS_NOT;
    else
        return false;
    return (x->kind != SECTION_FIELDS && x->kind != SECTION_FIELDS_NOT) || parse_names(p, c, x);
}

/* section = "[" [section-text / (section-part ["." section-text])] "]" ; section-binary = "["
 * [section-part] "]" */
static bool parse_section(struct parser *p, struct span *c, struct fetch_section *x)
{
    if (!parse_char(c, '[') || !parse_path(p, c, x))
        return false;
    if (parse_char(c, ']'))
        return true;
    if (x->binary || (x->depth && !parse_char(c, '.')))
        return false;
    return parse_section_text(p, c, x) && parse_char(c, ']');
}

/* partial = "<" number64 "." nz-number64 ">" */
static bool parse_partial(struct span *c, struct fetch_section *x)
{
    if (!parse_char(c, '<'))
        return true;
    x->partial = true;
    return parse_u64(c, INT64_MAX, &x->from) && parse_char(c, '.') &&
           parse_u64(c, INT64_MAX, &x->count) && x->count > 0 && parse_char(c, '>');
}

/* The name of the item as the answer repeats it: canonical case, no .PEEK, no length in the
 * partial. */
static bool make_label(struct parser *p, struct fetch_section *x)
{
    static const char *const text[] = {
        [SECTION_ALL] = "",
        [SECTION_HEADER] = "HEADER",
        [SECTION_FIELDS] = "HEADER.FIELDS",
        [SECTION_FIELDS_NOT] = "HEADER.FIELDS.NOT",
        [SECTION_TEXT] = "TEXT",
        [SECTION_MIME] = "MIME",
    };
    struct buf b BUF_AUTO = BUF(256 << 10);

    buf_put_cstr(&b, x->size_only ? "BINARY.SIZE[" : x->binary ? "BINARY[" : "BODY[");
    for (size_t i = 0; i < x->depth; i++) {
        if (i)
            buf_putc(&b, '.');
        buf_put_u64(&b, x->path[i]);
    }
    if (x->depth && x->kind != SECTION_ALL)
        buf_putc(&b, '.');
    buf_put_cstr(&b, text[x->kind]);
    for (size_t i = 0; i < x->name_count; i++) {
        buf_put_cstr(&b, i ? " " : " (");
        if (span_has(x->names[i], '\r') || span_has(x->names[i], '\n'))
            return false; /* no field is called so, and it could not be repeated on a line */
        print_astring(&b, x->names[i]);
    }
    buf_put_cstr(&b, x->name_count ? ")]" : "]");
    if (x->partial) {
        buf_putc(&b, '<');
        buf_put_u64(&b, x->from);
        buf_putc(&b, '>');
    }
    x->label = arena_span(p->arena, buf_span(&b));
    return x->label.p && !b.overflow;
}

static const struct {
    const char *name;
    unsigned item;
} item_rows[] = {
    {"UID",           FETCH_UID          },
    {"FLAGS",         FETCH_FLAGS        },
    {"INTERNALDATE",  FETCH_INTERNALDATE },
    {"RFC822.SIZE",   FETCH_SIZE         },
    {"ENVELOPE",      FETCH_ENVELOPE     },
    {"BODYSTRUCTURE", FETCH_BODYSTRUCTURE},
    {"BODY",          FETCH_BODY         },
    {"MODSEQ",        FETCH_MODSEQ       },
    {"SAVEDATE",      FETCH_SAVEDATE     },
    {"EMAILID",       FETCH_EMAILID      },
    {"THREADID",      FETCH_THREADID     },
    {"PREVIEW",       FETCH_PREVIEW      },
};

static const struct {
    const char *name;
    enum section_kind kind;
    bool peek;
} whole_rows[] = {
    {"RFC822",        SECTION_ALL,    false},
    {"RFC822.HEADER", SECTION_HEADER, true },
    {"RFC822.TEXT",   SECTION_TEXT,   false},
};

static const struct {
    const char *name;
    bool peek, binary, size_only;
} section_rows[] = {
    {"BODY",        false, false, false},
    {"BODY.PEEK",   true,  false, false},
    {"BINARY",      false, true,  false},
    {"BINARY.PEEK", true,  true,  false},
    {"BINARY.SIZE", true,  true,  true },
};

static bool parse_sectioned(struct parser *p, struct span *c, struct span word)
{
    for (size_t i = 0; i < ARRAY_LEN(section_rows); i++) {
        if (!span_is(word, section_rows[i].name))
            continue;
        struct fetch_section *x = add_section(p);
        if (!x)
            return false;
        x->binary = section_rows[i].binary;
        x->size_only = section_rows[i].size_only;
        p->plan->sets_seen |= !section_rows[i].peek;
        return parse_section(p, c, x) && (x->size_only || parse_partial(c, x)) && make_label(p, x);
    }
    return false;
}

static bool parse_item(struct parser *p, struct span *c)
{
    struct span word;

    if (!parse_while(c, is_name_char, 1, 20, &word))
        return false;
    if (c->n && c->p[0] == '[')
        return parse_sectioned(p, c, word);
    for (size_t i = 0; i < ARRAY_LEN(item_rows); i++)
        if (span_is(word, item_rows[i].name)) {
            p->plan->items |= item_rows[i].item;
            /* what it asks for is always made at once */
            if (item_rows[i].item == FETCH_PREVIEW)
                parse_lit_nocase(c, " (LAZY)");
            return true;
        }
    for (size_t i = 0; i < ARRAY_LEN(whole_rows); i++)
        if (span_is(word, whole_rows[i].name)) {
            struct fetch_section *x = add_section(p);
            if (!x)
                return false;
            x->kind = whole_rows[i].kind;
            x->label = span_cstr(whole_rows[i].name);
            p->plan->sets_seen |= !whole_rows[i].peek;
            return true;
        }
    return false;
}

static bool parse_macro(struct span *c, unsigned *ret_items)
{
    static const struct {
        const char *name;
        unsigned items;
    } rows[] = {
        {"FAST", FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE                              },
        {"ALL",  FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE | FETCH_ENVELOPE             },
        {"FULL", FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE | FETCH_ENVELOPE | FETCH_BODY},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (arg_word(c, rows[i].name)) {
            *ret_items = rows[i].items;
            return true;
        }
    return false;
}

/* fetch-modifier = "CHANGEDSINCE" SP mod-sequence-value / "VANISHED" ; each once */
static bool parse_modifier(struct span *c, struct fetch_plan *plan)
{
    if (!plan->changed_since && arg_word(c, "CHANGEDSINCE")) {
        plan->changed_since = true;
        return arg_sp(c) && modseq_parse(c, &plan->since);
    }
    if (plan->vanished || !arg_word(c, "VANISHED"))
        return false;
    plan->vanished = true;
    return true;
}

static bool parse_modifiers(struct span *c, struct fetch_plan *plan)
{
    if (!arg_sp(c))
        return true;
    if (!parse_char(c, '('))
        return false;
    do
        if (!parse_modifier(c, plan))
            return false;
    while (arg_sp(c));
    return parse_char(c, ')') && (plan->changed_since || !plan->vanished);
}

static bool parse_items(struct parser *p, struct span *c)
{
    if (!parse_char(c, '('))
        return parse_item(p, c);
    do
        if (!parse_item(p, c))
            return false;
    while (arg_sp(c));
    return parse_char(c, ')');
}

bool fetch_parse(struct span *c, struct arena *a, struct fetch_plan *ret)
{
    struct fetch_plan plan = {0};
    struct parser p = {.arena = a, .plan = &plan};
    struct span at = *c;

    if (!parse_macro(&at, &plan.items) && !parse_items(&p, &at))
        return false;
    if (!parse_modifiers(&at, &plan) || !parse_end(&at))
        return false;
    if (plan.changed_since)
        plan.items |= FETCH_MODSEQ;
    plan.seen_items = FETCH_FLAGS;
    plan.needs_summary =
        plan.items & (FETCH_ENVELOPE | FETCH_BODY | FETCH_BODYSTRUCTURE | FETCH_PREVIEW);
    for (size_t i = 0; i < plan.section_count; i++)
        plan.needs_summary |= plan.sections[i].kind != SECTION_ALL || plan.sections[i].depth;
    *ret = plan;
    *c = at;
    return true;
}
