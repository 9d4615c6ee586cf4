/* cmd_list.c: LIST with its extensions (RFC 5258, 5819, 6154, 3348) and LSUB. */
#include "imap/arg.h"
#include "imap/commands.h"
#include "imap/mailbox_tree.h"
#include "imap/modseq.h"
#include "imap/name.h"
#include "imap/pattern.h"
#include "imap/special_use.h"
#include "imap/status.h"

#include "base/check.h"

enum { PATTERNS_MAX = 100, CHUNK = 32 << 10 };

enum { /* list_args.options */
       SELECT_SUBSCRIBED = 1,
       SELECT_SPECIAL_USE = 2,
       SELECT_RECURSIVE = 4,
       SELECT_REMOTE = 8,
       RETURN_SUBSCRIBED = 16,
       RETURN_CHILDREN = 32,
       RETURN_SPECIAL_USE = 64,
       RETURN_STATUS = 128,
       EXTENDED = 256, /* any option or several patterns */
};

struct list_args {
    unsigned options, items;
    struct span reference, pattern[PATTERNS_MAX]; /* wire form, then full UTF-8 patterns */
    size_t patterns;
};

struct option {
    const char *name;
    unsigned bit;
};

static bool parse_option(struct span *c, const struct option *rows, size_t count, unsigned *ret)
{
    struct span word;

    if (!arg_atom(c, 40, &word))
        return false;
    for (size_t i = 0; i < count; i++)
        if (span_is(word, rows[i].name)) {
            *ret = rows[i].bit;
            return true;
        }
    return false;
}

/* list-select-opts = "(" [list-select-opt *(SP list-select-opt)] ")" */
static bool parse_select_options(struct span *c, struct list_args *a)
{
    static const struct option rows[] = {
        {"SUBSCRIBED",     SELECT_SUBSCRIBED },
        {"SPECIAL-USE",    SELECT_SPECIAL_USE},
        {"RECURSIVEMATCH", SELECT_RECURSIVE  },
        {"REMOTE",         SELECT_REMOTE     },
    };
    unsigned bit;

    a->options |= EXTENDED;
    if (!parse_char(c, '('))
        return false;
    if (parse_char(c, ')'))
        return true;
    do {
        if (!parse_option(c, rows, ARRAY_LEN(rows), &bit))
            return false;
        a->options |= bit;
    } while (arg_sp(c));
    /* RECURSIVEMATCH says how another option is meant (RFC 9051 6.3.9.1) */
    return parse_char(c, ')') && (!(a->options & SELECT_RECURSIVE) ||
                                  a->options & (SELECT_SUBSCRIBED | SELECT_SPECIAL_USE));
}

/* list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")" */
static bool parse_return_options(struct span *c, struct list_args *a)
{
    static const struct option rows[] = {
        {"SUBSCRIBED",  RETURN_SUBSCRIBED },
        {"CHILDREN",    RETURN_CHILDREN   },
        {"SPECIAL-USE", RETURN_SPECIAL_USE},
        {"STATUS",      RETURN_STATUS     },
    };
    unsigned bit;

    a->options |= EXTENDED;
    if (!parse_lit_nocase(c, "RETURN ("))
        return false;
    if (parse_char(c, ')'))
        return true;
    do {
        if (!parse_option(c, rows, ARRAY_LEN(rows), &bit) ||
            (bit == RETURN_STATUS && !(arg_sp(c) && status_items_parse(c, &a->items))))
            return false;
        a->options |= bit;
    } while (arg_sp(c));
    return parse_char(c, ')');
}

/* patterns = "(" list-mailbox *(SP list-mailbox) ")" ; or one list-mailbox */
static bool parse_patterns(struct session *s, struct span *c, struct list_args *a)
{
    bool several = parse_char(c, '(');

    if (several)
        a->options |= EXTENDED;
    do
        if (a->patterns == PATTERNS_MAX ||
            !arg_list_mailbox(c, s->scratch, 4 * IMAP_NAME_MAX, &a->pattern[a->patterns++]))
            return false;
    while (several && arg_sp(c));
    return !several || parse_char(c, ')');
}

/* list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts] */
static bool parse_list(struct session *s, const struct command_line *c, bool lsub,
                       struct list_args *a)
{
    struct span args = c->args;

    if (!lsub && args.n && args.p[0] == '(' && (!parse_select_options(&args, a) || !arg_sp(&args)))
        return false;
    if (!name_arg(s, &args, &a->reference) || !arg_sp(&args))
        return false;
    if (lsub)
        return arg_list_mailbox(&args, s->scratch, 4 * IMAP_NAME_MAX, &a->pattern[a->patterns++]) &&
               parse_end(&args);
    return parse_patterns(s, &args, a) &&
           (parse_end(&args) ||
            (arg_sp(&args) && parse_return_options(&args, a) && parse_end(&args)));
}

/* Reference and pattern together, in UTF-8. What cannot be decoded matches nothing and is left out.
 */
static void resolve_patterns(struct session *s, struct list_args *a)
{
    bool rev2 = imap_utf8(s);
    size_t out = 0;

    for (size_t i = 0; i < a->patterns; i++) {
        struct buf text BUF_AUTO = BUF(2 * IMAP_NAME_MAX);
        if (name_decode(rev2, a->reference, &text) && name_decode(rev2, a->pattern[i], &text)) {
            a->pattern[out] = arena_span(s->scratch, buf_span(&text));
            if (a->pattern[out].n)
                out++;
        }
    }
    a->patterns = out;
}

/* ------------------------------------------------------------------ which names */

static bool is_selected(const struct mailbox_node *n, const void *arg)
{
    unsigned options = *(const unsigned *)arg;

    if (options & SELECT_SUBSCRIBED && !n->subscribed)
        return false;
    if (options & SELECT_SPECIAL_USE && !(n->attributes & SPECIAL_USE_ALL))
        return false;
    if (options & (SELECT_SUBSCRIBED | SELECT_SPECIAL_USE))
        return true;
    return n->exists;
}

static bool matches(const struct list_args *a, struct span name)
{
    for (size_t i = 0; i < a->patterns; i++)
        if (pattern_match(a->pattern[i], name))
            return true;
    return false;
}

static bool is_listed(const struct list_args *a, const struct mailbox_node *n)
{
    /* without conditions, parents that do not exist themselves are shown: a client walks down
     * through them */
    bool plain = !(a->options & (SELECT_SUBSCRIBED | SELECT_SPECIAL_USE));

    return (n->selected || (n->selected_below && (plain || a->options & SELECT_RECURSIVE))) &&
           matches(a, n->name);
}

/* ------------------------------------------------------------------ what is said about them */

static void put_attributes(const struct list_args *a, const struct mailbox_node *n, bool rev2,
                           struct buf *out)
{
    bool modern = rev2 || a->options & EXTENDED;
    size_t from = out->n;

    if (!n->exists)
        buf_put_cstr(out, modern ? " \\NonExistent" : " \\Noselect");
    else if (!n->selectable)
        buf_put_cstr(out, " \\Noselect");
    if (a->options & (SELECT_SUBSCRIBED | RETURN_SUBSCRIBED) && n->subscribed)
        buf_put_cstr(out, " \\Subscribed");
    buf_put_cstr(out, n->children ? " \\HasChildren" : " \\HasNoChildren");
    special_use_print(n->attributes, out);
    out->p[from] = '(';
    buf_putc(out, ')');
}

static void put_child_info(const struct list_args *a, const struct mailbox_node *n, struct buf *out)
{
    if (!(a->options & SELECT_RECURSIVE) || !n->selected_below)
        return;
    buf_put_cstr(out, " (\"CHILDINFO\" (");
    if (a->options & SELECT_SUBSCRIBED)
        buf_put_cstr(out, a->options & SELECT_SPECIAL_USE ? "\"SUBSCRIBED\" \"SPECIAL-USE\""
                                                          : "\"SUBSCRIBED\"");
    else
        buf_put_cstr(out, "\"SPECIAL-USE\"");
    buf_put_cstr(out, "))");
}

static void put_node(struct session *s, const struct list_args *a, const struct mailbox_node *n,
                     struct buf *out)
{
    struct buf wire BUF_AUTO = BUF(8 << 10);
    bool rev2 = imap_of(s)->rev2;

    name_print(imap_utf8(s), n->name, &wire);
    buf_put_cstr(out, "* LIST ");
    put_attributes(a, n, rev2, out);
    buf_put_cstr(out, " \"/\" ");
    buf_put_span(out, buf_span(&wire));
    put_child_info(a, n, out);
    buf_put_cstr(out, "\r\n");
    if (a->options & RETURN_STATUS && n->readable)
        status_print(buf_span(&wire), a->items, &n->info, s, out);
}

static void flush_chunk(struct session *s, struct buf *out, size_t from)
{
    if (out->n >= from) {
        session_put(s, buf_span(out));
        buf_clear(out);
    }
}

/* The root that a reference stands in, for the empty pattern: what comes before the first separator
 * of the namespace. */
static void put_root(struct session *s, const char *verb, struct span reference)
{
    const char *root = span_starts(reference, SPAN(IMAP_PUBLIC "/"))   ? IMAP_PUBLIC "/"
                       : span_starts(reference, SPAN(IMAP_OTHERS "/")) ? IMAP_OTHERS "/"
                                                                       : "";

    session_printf(s, "* %s (\\Noselect) \"/\" \"%s\"\r\n", verb, root);
}

/* Can a pattern match a name below "Public"? If not, tens of thousands of newsgroups need not be
 * looked at. */
static bool reaches_public(const struct list_args *a)
{
    struct span root = SPAN(IMAP_PUBLIC "/");

    for (size_t i = 0; i < a->patterns; i++) {
        struct span p = a->pattern[i];
        size_t fixed = 0;
        while (fixed < p.n && p.p[fixed] != '*' && p.p[fixed] != '%')
            fixed++;
        struct span head = span_head(p, fixed);
        if ((span_starts(head, root) || span_starts(root, head)) &&
            (span_has(p, '*') || span_has(p, '/')))
            return true;
    }
    return false;
}

static int read_tree(struct session *s, enum mailbox_tree_scope scope, bool rights,
                     struct mailbox_tree *t)
{
    struct store_read r;
    struct grant g;
    int e = imap_read_begin(s, &r);

    if (e < 0)
        return e;
    imap_grant_of(s, &g);
    e = mailbox_tree_read(t, &r, &g, scope);
    if (e == 0 && rights)
        mailbox_tree_look_at_rights(t, &r, &g);
    store_read_end(&r);
    return e;
}

void cmd_list(struct session *s, struct command_line *c)
{
    struct list_args *a = ARENA_NEW(s->scratch, struct list_args);
    struct buf out BUF_AUTO = BUF(CHUNK * 2);
    struct mailbox_tree t;
    int e;

    if (!parse_list(s, c, false, a)) {
        imap_syntax(s, c);
        return;
    }
    if (!(a->options & EXTENDED) && a->pattern[0].n == 0) {
        put_root(s, "LIST", a->reference);
        imap_finish(s, c, true, "List completed");
        return;
    }
    if (a->options & RETURN_STATUS && status_has_modseq(a->items))
        modseq_enable(s);
    resolve_patterns(s, a);
    e = read_tree(s, reaches_public(a) ? TREE_ALL : TREE_OWN, a->options & RETURN_STATUS, &t);
    if (e < 0) {
        imap_fail(s, c, e);
        return;
    }
    mailbox_tree_select(&t, is_selected, &a->options);
    for (size_t i = 0; i < t.n; i++)
        if (is_listed(a, &t.v[i])) {
            put_node(s, a, &t.v[i], &out);
            flush_chunk(s, &out, CHUNK);
        }
    flush_chunk(s, &out, 1);
    mailbox_tree_done(&t);
    imap_finish(s, c, true, "List completed");
}

/* ------------------------------------------------------------------ LSUB */

static bool is_subscribed(const struct mailbox_node *n, const void *arg)
{
    return n->subscribed;
}

void cmd_lsub(struct session *s, struct command_line *c)
{
    struct list_args *a = ARENA_NEW(s->scratch, struct list_args);
    struct buf out BUF_AUTO = BUF(CHUNK * 2);
    struct mailbox_tree t;
    bool level;
    int e;

    if (!parse_list(s, c, true, a)) {
        imap_syntax(s, c);
        return;
    }
    if (a->pattern[0].n == 0) {
        put_root(s, "LSUB", a->reference);
        imap_finish(s, c, true, "Lsub completed");
        return;
    }
    resolve_patterns(s, a);
    /* "%" at the end also shows the parents of names that it does not reach (RFC 3501 6.3.9) */
    level = a->patterns && a->pattern[0].p[a->pattern[0].n - 1] == '%';
    e = read_tree(s, TREE_SUBSCRIPTIONS, false, &t);
    if (e < 0) {
        imap_fail(s, c, e);
        return;
    }
    mailbox_tree_select(&t, is_subscribed, NULL);
    for (size_t i = 0; i < t.n; i++) {
        const struct mailbox_node *n = &t.v[i];
        if (!(n->subscribed || (level && n->selected_below)) || !matches(a, n->name))
            continue;
        buf_put_cstr(&out, n->subscribed ? "* LSUB () \"/\" " : "* LSUB (\\Noselect) \"/\" ");
        name_print(imap_utf8(s), n->name, &out);
        buf_put_cstr(&out, "\r\n");
        flush_chunk(s, &out, CHUNK);
    }
    flush_chunk(s, &out, 1);
    mailbox_tree_done(&t);
    imap_finish(s, c, true, "Lsub completed");
}
