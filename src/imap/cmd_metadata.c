/*
 * cmd_metadata.c: GETMETADATA and SETMETADATA (RFC 5464), of mailboxes and of the server (""). Names
 * are kept in small letters; /private ones are each account's own. Shared ones of the server are the
 * administrator's to set.
 */
#include "imap/arg.h"
#include "imap/commands.h"
#include "imap/name.h"

#include "base/check.h"
#include <errno.h>

enum { OUT_MAX = 8 << 20, FLUSH = 32 << 10, DEPTH_ALL = UINT32_MAX };

struct entry {
    bool shared;
    struct span name; /* "/comment", small letters */
};

struct metadata {
    struct span wire; /* mailbox; empty: the server */
    uint32_t max_size, depth;
    struct entry entries[STORE_NOTES_MAX];
    struct store_note notes[STORE_NOTES_MAX];
    size_t count;
    /* found */
    struct mailbox_name name;
    uint64_t mailbox;
    uint32_t rights;
    uint64_t longest; /* of those left out by max_size; 0: none */
};

/* entry = "/private/…" or "/shared/…": no empty level, no wildcard, no control character */
static bool parse_entry(struct session *s, struct span *c, struct entry *ret)
{
    struct span text;
    size_t skip;

    if (!arg_astring(c, s->scratch, NOTE_ENTRY_MAX + 9, &text))
        return false;
    if (span_starts_nocase(text, SPAN("/private/")))
        skip = sizeof("/private") - 1;
    else if (span_starts_nocase(text, SPAN("/shared/")))
        skip = sizeof("/shared") - 1;
    else
        return false;
    ret->shared = skip == sizeof("/shared") - 1;
    ret->name = arena_span(s->scratch, span_skip(text, skip));
    if (!ret->name.p || ret->name.n < 2 || ret->name.n > NOTE_ENTRY_MAX ||
        ret->name.p[ret->name.n - 1] == '/')
        return false;
    char *p = (char *)(uintptr_t)ret->name.p;
    for (size_t i = 0; i < ret->name.n; i++) {
        if ((unsigned char)p[i] <= ' ' || (unsigned char)p[i] >= 0x7f || p[i] == '*' ||
            p[i] == '%' || (p[i] == '/' && i && p[i - 1] == '/'))
            return false;
        p[i] = (char)ascii_lower(p[i]);
    }
    return true;
}

/* options = "(" ("MAXSIZE" SP number / "DEPTH" SP ("0" / "1" / "infinity")) *(SP …) ")" */
static bool parse_options(struct span *c, struct metadata *m)
{
    if (!parse_char(c, '('))
        return false;
    do {
        if (arg_word(c, "MAXSIZE")) {
            if (!arg_sp(c) || !parse_u32(c, UINT32_MAX, &m->max_size))
                return false;
        } else if (arg_word(c, "DEPTH")) {
            if (!arg_sp(c))
                return false;
            if (arg_word(c, "infinity"))
                m->depth = DEPTH_ALL;
            else if (!parse_u32(c, 1, &m->depth))
                return false;
        } else {
            return false;
        }
    } while (arg_sp(c));
    return parse_char(c, ')');
}

static bool parse_entries(struct session *s, struct span *c, struct metadata *m)
{
    bool several = parse_char(c, '(');

    do
        if (m->count == STORE_NOTES_MAX || !parse_entry(s, c, &m->entries[m->count++]))
            return false;
    while (several && arg_sp(c));
    return !several || parse_char(c, ')');
}

/* The options stand before the mailbox in the grammar of RFC 5464, behind it in its examples. */
static bool parse_get(struct session *s, const struct command_line *c, struct metadata *m)
{
    struct span args = c->args, at;

    m->max_size = UINT32_MAX;
    if (args.n && args.p[0] == '(' && (!parse_options(&args, m) || !arg_sp(&args)))
        return false;
    if (!name_arg(s, &args, &m->wire) || !arg_sp(&args))
        return false;
    at = args;
    if (parse_options(&at, m) && arg_sp(&at))
        args = at;
    return parse_entries(s, &args, m) && parse_end(&args);
}

/* setmetadata = "SETMETADATA" SP mailbox SP "(" entry SP (nstring / literal8) *(SP …) ")" */
static bool parse_set(struct session *s, const struct command_line *c, struct metadata *m)
{
    struct span args = c->args;

    if (!name_arg(s, &args, &m->wire) || !arg_sp(&args) || !parse_char(&args, '('))
        return false;
    do {
        struct entry e;
        struct store_note *n = &m->notes[m->count];
        if (m->count++ == STORE_NOTES_MAX || !parse_entry(s, &args, &e) || !arg_sp(&args))
            return false;
        *n = (struct store_note){.entry = e.name, .shared = e.shared};
        if (args.n > 1 && args.p[0] == '~' && args.p[1] == '{')
            args = span_skip(args, 1);
        if (!arg_nstring(&args, s->scratch, ARG_STRING_MAX, &n->value))
            return false;
        n->remove = n->value.p == NULL;
    } while (arg_sp(&args));
    return parse_char(&args, ')') && parse_end(&args);
}

/* Mailbox and rights, inside a snapshot. */
static int find(struct session *s, struct store_read *r, struct metadata *m)
{
    struct mailbox_info info;
    int e = 0;

    m->mailbox = 0;
    m->rights = ACL_LOOKUP | ACL_READ | (s->user.rights & GRANT_ADMIN ? ACL_WRITE : 0);
    if (m->wire.n) {
        e = name_find(s, r, &m->name, &info, &m->rights);
        m->mailbox = info.id;
    }
    return e;
}

/* ------------------------------------------------------------------ GETMETADATA */
struct listing {
    struct metadata *m;
    struct entry entry;
    struct buf *out;
    bool any, exact;
};

static void put_value(struct listing *l, struct span entry, struct span value)
{
    if (value.p && value.n > l->m->max_size) {
        if (value.n > l->m->longest)
            l->m->longest = value.n;
        return;
    }
    buf_put_cstr(l->out, l->any ? " " : "(");
    l->any = true;
    buf_put_cstr(l->out, l->entry.shared ? "/shared" : "/private");
    buf_put_span(l->out, entry);
    if (!value.p) {
        buf_put_cstr(l->out, " NIL");
        return;
    }
    buf_printf(l->out, " {%zu}\r\n", value.n);
    buf_put_span(l->out, value);
}

static bool put_below(struct span entry, struct span value, void *arg)
{
    struct listing *l = arg;
    struct span rest = span_skip(entry, l->entry.name.n);

    if (rest.n == 0) {
        l->exact = true;
        put_value(l, entry, value.p ? value : span_of("", 0));
    } else if (l->m->depth && rest.p[0] == '/' &&
               (l->m->depth == DEPTH_ALL || !span_has(span_skip(rest, 1), '/'))) {
        put_value(l, entry, value.p ? value : span_of("", 0));
    }
    return !l->out->overflow;
}

static int put_entries(struct session *s, struct store_read *r, struct metadata *m, struct buf *out,
                       bool *ret_any)
{
    struct listing l = {.m = m, .out = out};
    int e = 0;

    for (size_t i = 0; i < m->count && e == 0; i++) {
        l.entry = m->entries[i];
        l.exact = false;
        e = store_note_each(r, m->mailbox, l.entry.shared ? 0 : s->user.account, l.entry.name,
                            put_below, &l);
        if (e == 0 && !l.exact)
            put_value(&l, l.entry.name, SPAN_EMPTY);
    }
    buf_put_cstr(out, ")\r\n");
    *ret_any = l.any;
    return out->overflow ? -ENOBUFS : e;
}

static void put_name(struct session *s, const struct metadata *m, struct buf *out)
{
    struct buf full BUF_AUTO = BUF(IMAP_NAME_MAX);

    if (m->wire.n == 0) {
        buf_put_cstr(out, "\"\"");
        return;
    }
    name_full(&m->name, &full);
    name_print(imap_utf8(s), buf_span(&full), out);
}

void cmd_getmetadata(struct session *s, struct command_line *c)
{
    struct metadata *m = ARENA_NEW(s->scratch, struct metadata);
    struct buf out BUF_AUTO = BUF(OUT_MAX);
    struct store_read r;
    bool any = false;
    int e = -ENOENT;

    if (!parse_get(s, c, m)) {
        imap_syntax(s, c);
        return;
    }
    if ((m->wire.n == 0 || name_parse(s, m->wire, false, &m->name)) &&
        (e = imap_read_begin(s, &r)) == 0) {
        e = find(s, &r, m);
        if (e == 0 && !(m->rights & (ACL_READ | ACL_SEEN | ACL_WRITE | ACL_INSERT | ACL_POST)))
            e = -EACCES;
        if (e == 0) {
            buf_put_cstr(&out, "* METADATA ");
            put_name(s, m, &out);
            buf_putc(&out, ' ');
            e = put_entries(s, &r, m, &out, &any);
        }
        store_read_end(&r);
    }
    if (e < 0) {
        imap_fail(s, c, e);
        return;
    }
    if (any)
        session_put(s, buf_span(&out));
    char *text = m->longest
                     ? arena_printf(s->scratch, "[METADATA LONGENTRIES %llu] Getmetadata completed",
                                    (unsigned long long)m->longest)
                     : NULL;
    imap_finish(s, c, true, text ? text : "Getmetadata completed");
}

/* ------------------------------------------------------------------ SETMETADATA */
static void answer(struct session *s, const struct command_line *c, int e)
{
    char *text;

    switch (e) {
    case 0:
        imap_finish(s, c, true, "Setmetadata completed");
        break;
    case -EMSGSIZE:
        text = arena_printf(s->scratch, "[METADATA MAXSIZE %u] A value is too long",
                            s->conf->metadata_bytes);
        imap_no(s, c, text ? text : "A value is too long");
        break;
    case -E2BIG:
        imap_no(s, c, "[METADATA TOOMANY] There are too many entries");
        break;
    default:
        imap_fail(s, c, e);
    }
}

void cmd_setmetadata(struct session *s, struct command_line *c)
{
    struct metadata *m = ARENA_NEW(s->scratch, struct metadata);
    struct store_read r;
    int e = -ENOENT;

    if (!parse_set(s, c, m)) {
        imap_syntax(s, c);
        return;
    }
    if ((m->wire.n == 0 || name_parse(s, m->wire, false, &m->name)) &&
        (e = imap_read_begin(s, &r)) == 0) {
        e = find(s, &r, m);
        store_read_end(&r);
    }
    if (e == 0)
        e = store_note_set(imap_store(s), imap_grant(s), m->mailbox, m->notes, m->count);
    answer(s, c, e);
}
