/*
 * search_parse.c: RFC 9051 section 6.4.4 and RFC 3501 section 6.4.4, RFC 7162 section 3.1.5,
 * RFC 8514 section 4.3, RFC 5032.
 *
 *   search-key = "ALL" / "ANSWERED" / "BCC" SP astring / "BEFORE" SP date / "BODY" SP astring /
 * "CC" SP astring / "DELETED" / "DRAFT" / "FLAGGED" / "FROM" SP astring / "HEADER" SP
 * header-fld-name SP astring / "KEYWORD" SP flag-keyword / "LARGER" SP number64 / "NEW" / "NOT" SP
 * search-key / "OLD" / "ON" SP date / "OR" SP search-key SP search-key / "RECENT" / "SEEN" /
 * "SENTBEFORE" SP date / "SENTON" SP date / "SENTSINCE" SP date / "SINCE" SP date / "SMALLER" SP
 * number64 / "SUBJECT" SP astring / "TEXT" SP astring / "TO" SP astring / "UID" SP sequence-set /
 *                "UNANSWERED" / "UNDELETED" / "UNDRAFT" / "UNFLAGGED" / "UNKEYWORD" SP flag-keyword
 * / "UNSEEN" / sequence-set / "(" search-key *(SP search-key) ")"
 */
#include "imap/arg.h"
#include "imap/modseq.h"
#include "imap/search.h"

#include "base/check.h"
#include "base/clock.h"

struct parser {
    struct arena *arena;
    const struct search_context *context;
    struct search_program *program;
    unsigned depth, body_keys;
    bool too_complex;
};

static bool parse_key(struct parser *p, struct span *c, struct search_node **ret);

static struct search_node *new_node(struct parser *p, enum search_op op)
{
    struct search_program *all = p->program;

    if (!all->all)
        all->all = ARENA_ARRAY(p->arena, struct search_node *, SEARCH_NODES_MAX);
    struct search_node *n = all->all && all->count < SEARCH_NODES_MAX
                                ? ARENA_ARRAY(p->arena, struct search_node, 1)
                                : NULL;
    if (!n) {
        p->too_complex = true;
        return NULL;
    }
    *n = (struct search_node){.op = op};
    all->all[all->count++] = n;
    return n;
}

enum key_kind {
    KEY_FLAGS,
    KEY_CONSTANT,
    KEY_DAY,
    KEY_SIZE,
    KEY_FIELD,
    KEY_TEXT,
    KEY_KEYWORD,
    KEY_HEADER,
    KEY_MODSEQ,
    KEY_INTERVAL,
    KEY_UID,
    KEY_OBJECT,
    KEY_NOT,
    KEY_OR
};

static const struct key_row {
    const char *name;
    enum key_kind kind;
    enum search_op op;
    uint64_t mask, want;
    const char *field;
} rows[] = {
    {"ALL",               KEY_CONSTANT, SEARCH_ALL,         0,              0,              NULL     },
    {"ANSWERED",          KEY_FLAGS,    SEARCH_FLAGS,       STORE_ANSWERED, STORE_ANSWERED, NULL     },
    {"DELETED",           KEY_FLAGS,    SEARCH_FLAGS,       STORE_DELETED,  STORE_DELETED,  NULL     },
    {"DRAFT",             KEY_FLAGS,    SEARCH_FLAGS,       STORE_DRAFT,    STORE_DRAFT,    NULL     },
    {"FLAGGED",           KEY_FLAGS,    SEARCH_FLAGS,       STORE_FLAGGED,  STORE_FLAGGED,  NULL     },
    {"SEEN",              KEY_FLAGS,    SEARCH_FLAGS,       STORE_SEEN,     STORE_SEEN,     NULL     },
    {"UNANSWERED",        KEY_FLAGS,    SEARCH_FLAGS,       STORE_ANSWERED, 0,              NULL     },
    {"UNDELETED",         KEY_FLAGS,    SEARCH_FLAGS,       STORE_DELETED,  0,              NULL     },
    {"UNDRAFT",           KEY_FLAGS,    SEARCH_FLAGS,       STORE_DRAFT,    0,              NULL     },
    {"UNFLAGGED",         KEY_FLAGS,    SEARCH_FLAGS,       STORE_FLAGGED,  0,              NULL     },
    {"UNSEEN",            KEY_FLAGS,    SEARCH_FLAGS,       STORE_SEEN,     0,              NULL     },
 /* no message is ever \Recent (state.h) */
    {"NEW",               KEY_CONSTANT, SEARCH_NONE,        0,              0,              NULL     },
    {"RECENT",            KEY_CONSTANT, SEARCH_NONE,        0,              0,              NULL     },
    {"OLD",               KEY_CONSTANT, SEARCH_ALL,         0,              0,              NULL     },
    {"BEFORE",            KEY_DAY,      SEARCH_BEFORE,      0,              0,              NULL     },
    {"ON",                KEY_DAY,      SEARCH_ON,          0,              0,              NULL     },
    {"SINCE",             KEY_DAY,      SEARCH_SINCE,       0,              0,              NULL     },
    {"SAVEDBEFORE",       KEY_DAY,      SEARCH_SAVEDBEFORE, 0,              0,              NULL     },
    {"SAVEDON",           KEY_DAY,      SEARCH_SAVEDON,     0,              0,              NULL     },
    {"SAVEDSINCE",        KEY_DAY,      SEARCH_SAVEDSINCE,  0,              0,              NULL     },
    {"SAVEDATESUPPORTED", KEY_CONSTANT, SEARCH_ALL,         0,              0,              NULL     },
    {"YOUNGER",           KEY_INTERVAL, SEARCH_YOUNGER,     0,              0,              NULL     },
    {"OLDER",             KEY_INTERVAL, SEARCH_OLDER,       0,              0,              NULL     },
    {"SENTBEFORE",        KEY_DAY,      SEARCH_SENTBEFORE,  0,              0,              NULL     },
    {"SENTON",            KEY_DAY,      SEARCH_SENTON,      0,              0,              NULL     },
    {"SENTSINCE",         KEY_DAY,      SEARCH_SENTSINCE,   0,              0,              NULL     },
    {"LARGER",            KEY_SIZE,     SEARCH_LARGER,      0,              0,              NULL     },
    {"SMALLER",           KEY_SIZE,     SEARCH_SMALLER,     0,              0,              NULL     },
    {"BCC",               KEY_FIELD,    SEARCH_HEADER,      0,              0,              "Bcc"    },
    {"CC",                KEY_FIELD,    SEARCH_HEADER,      0,              0,              "Cc"     },
    {"FROM",              KEY_FIELD,    SEARCH_HEADER,      0,              0,              "From"   },
    {"SUBJECT",           KEY_FIELD,    SEARCH_HEADER,      0,              0,              "Subject"},
    {"TO",                KEY_FIELD,    SEARCH_HEADER,      0,              0,              "To"     },
    {"HEADER",            KEY_HEADER,   SEARCH_HEADER,      0,              0,              NULL     },
    {"MODSEQ",            KEY_MODSEQ,   SEARCH_MODSEQ,      0,              0,              NULL     },
    {"BODY",              KEY_TEXT,     SEARCH_BODY,        0,              0,              NULL     },
    {"TEXT",              KEY_TEXT,     SEARCH_TEXT,        0,              0,              NULL     },
    {"KEYWORD",           KEY_KEYWORD,  SEARCH_KEYWORD,     0,              1,              NULL     },
    {"UNKEYWORD",         KEY_KEYWORD,  SEARCH_KEYWORD,     0,              0,              NULL     },
    {"UID",               KEY_UID,      SEARCH_UIDS,        0,              0,              NULL     },
    {"EMAILID",           KEY_OBJECT,   SEARCH_EMAILID,     0,              0,              NULL     },
    {"THREADID",          KEY_OBJECT,   SEARCH_THREADID,    0,              0,              NULL     },
    {"NOT",               KEY_NOT,      SEARCH_NOT,         0,              0,              NULL     },
    {"OR",                KEY_OR,       SEARCH_OR,          0,              0,              NULL     },
};

/* The sequence-set at *c, by number or UID, as UIDs of the view. */
static bool parse_set(struct parser *p, struct span *c, bool uid, struct search_node *n)
{
    const struct view *v = p->context->view;
    struct rangeset numbers = RANGESET_EMPTY;
    struct span text;
    bool ok;

    if (!arg_set(c, &text))
        return false;
    if (span_eq(text, SPAN("$"))) {
        ranges_intersect(p->context->saved, &v->uids, &n->uids);
        return true;
    }
    ok = rangeset_parse(text, uid ? view_last_uid(v) : v->count, ARG_SET_RANGES_MAX, &numbers);
    if (ok && uid)
        ranges_intersect(&numbers, &v->uids, &n->uids);
    else if (ok)
        view_uids_of(v, &numbers, &n->uids);
    rangeset_done(&numbers);
    return ok;
}

static bool parse_needle(struct parser *p, struct span *c, struct search_node *n)
{
    struct span text;

    if (!arg_sp(c) || !arg_astring(c, p->arena, 1024, &text))
        return false;
    n->needle = needle_new(text);
    return n->needle != NULL;
}

static bool parse_name(struct parser *p, struct span *c, bool atom, struct search_node *n)
{
    struct span name;

    if (!arg_sp(c) || !(atom ? arg_atom(c, STORE_KEYWORD_BYTES_MAX, &name)
                             : arg_astring(c, p->arena, SEARCH_NAME_MAX, &name)))
        return false;
    n->name = arena_dup(p->arena, name);
    return n->name != NULL;
}

static bool parse_two(struct parser *p, struct span *c, struct search_node *n)
{
    struct search_node *a, *b;

    if (!arg_sp(c) || !parse_key(p, c, &a) || !arg_sp(c) || !parse_key(p, c, &b))
        return false;
    /* what costs less is asked first */
    n->child = a->cost <= b->cost ? a : b;
    n->child->next = a->cost <= b->cost ? b : a;
    n->child->next->next = NULL;
    n->cost = n->child->next->cost;
    return true;
}

/* [SP entry-name SP entry-type-req] SP mod-sequence-valzer ; a message has one modseq for all its
 * flags, so what stands before it is passed over */
static bool parse_modseq(struct parser *p, struct span *c, struct search_node *n)
{
    struct span entry;

    p->program->modseqs = true;
    if (!arg_sp(c))
        return false;
    if (c->n && c->p[0] == '"' &&
        (!arg_string(c, p->arena, 200, &entry) || !span_starts_nocase(entry, SPAN("/flags/")) ||
         !arg_sp(c) || !(arg_word(c, "all") || arg_word(c, "priv") || arg_word(c, "shared")) ||
         !arg_sp(c)))
        return false;
    return modseq_parse(c, &n->want);
}

static bool parse_row(struct parser *p, struct span *c, const struct key_row *row,
                      struct search_node *n)
{
    uint32_t seconds;

    switch (row->kind) {
    case KEY_CONSTANT:
        return true;
    case KEY_FLAGS:
        n->mask = row->mask;
        n->want = row->want;
        return true;
    case KEY_DAY:
        n->cost = row->op >= SEARCH_SENTBEFORE; /* those by the index come before */
        return arg_sp(c) && arg_day(c, &n->day);
    case KEY_INTERVAL: /* nz-number, RFC 5032 */
        if (!arg_sp(c) || !parse_u32(c, UINT32_MAX, &seconds) || seconds == 0)
            return false;
        n->day = clock_seconds() - (int64_t)seconds;
        return true;
    case KEY_SIZE:
        return arg_sp(c) && parse_u64(c, INT64_MAX, &n->want);
    case KEY_FIELD:
        n->cost = 2;
        n->name = arena_dup(p->arena, span_cstr(row->field));
        return n->name && parse_needle(p, c, n);
    case KEY_HEADER:
        n->cost = 2;
        return parse_name(p, c, false, n) && parse_needle(p, c, n);
    case KEY_TEXT:
        n->cost = 3;
        /* each is a pass over all bodies */
        if (++p->body_keys > SEARCH_BODY_KEYS_MAX) {
            p->too_complex = true;
            return false;
        }
        return parse_needle(p, c, n);
    case KEY_MODSEQ:
        return parse_modseq(p, c, n);
    case KEY_KEYWORD:
        n->want = row->want;
        return parse_name(p, c, true, n);
    case KEY_UID:
        return arg_sp(c) && parse_set(p, c, true, n);
    case KEY_OBJECT: /* objectid = 1*255(ALPHA / DIGIT / "_" / "-") */
        return parse_name(p, c, true, n);
    case KEY_NOT:
        if (!arg_sp(c) || !parse_key(p, c, &n->child))
            return false;
        n->cost = n->child->cost;
        return true;
    case KEY_OR:
        return parse_two(p, c, n);
    }
    return false;
}

/* Puts a node into an AND's children, those that cost less first; equal ones in the order given. */
static void add_child(struct search_node *and, struct search_node *child)
{
    struct search_node **at = &and->child;

    while (*at && (*at)->cost <= child->cost)
        at = &(*at)->next;
    child->next = *at;
    *at = child;
    if (child->cost > and->cost)
        and->cost = child->cost;
}

/* search-key *(SP search-key) */
static bool parse_keys(struct parser *p, struct span *c, struct search_node **ret)
{
    struct search_node *and = new_node(p, SEARCH_AND), *child;

    if (!and)
        return false;
    do {
        if (!parse_key(p, c, &child))
            return false;
        add_child(and, child);
    } while (arg_sp(c));
    *ret = and;
    return true;
}

static bool parse_word_key(struct parser *p, struct span *c, struct search_node **ret)
{
    struct span word;

    if (!arg_atom(c, 20, &word))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (span_is(word, rows[i].name)) {
            *ret = new_node(p, rows[i].op);
            return *ret && parse_row(p, c, &rows[i], *ret);
        }
    return false;
}

static bool parse_key_inside(struct parser *p, struct span *c, struct search_node **ret)
{
    if (c->n == 0)
        return false;
    if (parse_char(c, '('))
        return parse_keys(p, c, ret) && parse_char(c, ')');
    if (ascii_is_digit(c->p[0]) || c->p[0] == '*' || c->p[0] == '$') {
        p->program->numbers = true;
        *ret = new_node(p, SEARCH_UIDS);
        return *ret && parse_set(p, c, false, *ret);
    }
    return parse_word_key(p, c, ret);
}

static bool parse_key(struct parser *p, struct span *c, struct search_node **ret)
{
    bool ok;

    if (p->depth == SEARCH_DEPTH_MAX) {
        p->too_complex = true;
        return false;
    }
    p->depth++;
    ok = parse_key_inside(p, c, ret);
    p->depth--;
    return ok;
}

enum search_result search_parse(struct span *c, struct arena *a, const struct search_context *x,
                                struct search_program *ret)
{
    struct parser p = {.arena = a, .context = x, .program = ret};
    struct span at = *c;

    *ret = (struct search_program){0};
    if (!parse_keys(&p, &at, &ret->root) || !parse_end(&at)) {
        ret->root = NULL;
        return p.too_complex ? SEARCH_TOO_COMPLEX : SEARCH_SYNTAX;
    }
    *c = at;
    return SEARCH_OK;
}

void search_done(struct search_program *p)
{
    for (size_t i = 0; i < p->count; i++) {
        needle_free(p->all[i]->needle);
        rangeset_done(&p->all[i]->uids);
        rangeset_done(&p->all[i]->maybe);
    }
    *p = (struct search_program){0};
}

void search_keywords(struct search_program *p, const struct keywords *k)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->all[i]->op == SEARCH_KEYWORD)
            p->all[i]->mask = keywords_bit(k, span_cstr(p->all[i]->name));
}
