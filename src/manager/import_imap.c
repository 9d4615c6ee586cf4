/*
 * import_imap.c: the mailboxes of one user of a running IMAP server (RFC 3501 and 9051), over TLS
 * with the server's name proved. Folders are only looked at (EXAMINE, BODY.PEEK): nothing changes
 * there.
 *
 * A message's name for the state file is (UIDVALIDITY, UID): those that were taken before are not
 * even asked for.
 */
#include "manager/import_imap.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "manager/text.h"
#include "tls/conn.h"

#include <errno.h>
#include <stdlib.h>

enum {
    FETCH_MESSAGES = 100,
    FETCH_BYTES = 8 << 20,
    META_MESSAGES = 2000,
    FOLDERS_MAX = 100000,
    NAME_MAX_BYTES = 8192,
};

/* ---- folders ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t attribute;
} uses[] = {
    {"\\Archive",   MAILBOX_ARCHIVE  },
    {"\\Drafts",    MAILBOX_DRAFTS   },
    {"\\Flagged",   MAILBOX_FLAGGED  },
    {"\\Junk",      MAILBOX_JUNK     },
    {"\\Sent",      MAILBOX_SENT     },
    {"\\Trash",     MAILBOX_TRASH    },
    {"\\Important", MAILBOX_IMPORTANT},
};

/* Levels of the server's delimiter become ours. */
static void show_name(struct imap *m, struct span wire, char delimiter, struct buf *out)
{
    struct span personal = buf_span(&m->personal), rest = wire, level;
    bool first = true;

    /* "INBOX.Sent" where all folders are below the inbox */
    if (personal.n > 0 && span_starts_nocase(wire, personal))
        rest = span_skip(wire, personal.n);
    if (delimiter == '\0') {
        import_name_level(rest, out);
        return;
    }
    while (span_split(&rest, delimiter, &level)) {
        size_t from;
        if (!first)
            buf_putc(out, '/');
        first = false;
        from = out->n;
        import_name_level(level, out);
        for (size_t k = from; k < out->n; k++)
            if (out->p[k] == '/')
                out->p[k] = '_'; /* a level of its own it must not become */
    }
}

static struct remote *find_folder(struct imap *m, struct span name)
{
    for (size_t k = 0; k < m->folder_count; k++)
        if (span_eq(m->folders[k].name, name))
            return &m->folders[k];
    return NULL;
}

static int on_list(struct imap *m, struct span s)
{
    struct span flags, delimiter, name, w;
    struct buf shown BUF_AUTO = BUF(NAME_MAX_BYTES);
    bool lsub = span_starts_nocase(s, SPAN("LSUB "));
    bool selectable = true, subscribed = false;
    uint32_t attributes = 0;

    if (!lsub && !span_starts_nocase(s, SPAN("LIST ")))
        return 0;
    s = span_skip(s, 5);
    if (!remote_value(m, &s, &flags) || !remote_skip_blank(&s) ||
        !remote_string(m, &s, &delimiter) || !remote_skip_blank(&s) ||
        !remote_string(m, &s, &name) || name.n == 0)
        return remote_fail(m, "a LIST response cannot be read");
    flags = flags.n >= 2 ? span_sub(flags, 1, flags.n - 2) : SPAN_EMPTY;
    while (span_split(&flags, ' ', &w)) {
        selectable = selectable && !span_is(w, "\\Noselect") && !span_is(w, "\\NonExistent");
        subscribed = subscribed || span_is(w, "\\Subscribed");
        for (size_t k = 0; k < sizeof uses / sizeof uses[0]; k++)
            if (span_is(w, uses[k].name))
                attributes |= uses[k].attribute;
    }
    struct remote *known = find_folder(m, name);
    if (lsub || known != NULL) {
        if (known != NULL && (lsub || subscribed))
            known->subscribed = true;
        return 0;
    }
    if (!selectable)
        return 0;
    if (m->folder_count == FOLDERS_MAX)
        return remote_fail(m, "there are too many folders");
    if (m->folder_count == m->folder_cap) {
        m->folder_cap = m->folder_cap ? m->folder_cap * 2 : 32;
        m->folders = realloc(m->folders, m->folder_cap * sizeof *m->folders);
        CHECK(m->folders != NULL);
    }
    show_name(m, name, delimiter.n > 0 ? delimiter.p[0] : '\0', &shown);
    m->folders[m->folder_count++] = (struct remote){
        .name = span_cstr(span_dup(name)),
        .shown = span_cstr(span_dup(buf_span(&shown))),
        .attributes = attributes,
        .subscribed = subscribed,
    };
    return 0;
}

static int list_folders(struct imap *m)
{
    int r = remote_command(m,
                           m->special_use && m->list_extended
                               ? SPAN("LIST \"\" \"*\" RETURN (SPECIAL-USE)")
                               : SPAN("LIST \"\" \"*\""),
                           on_list);

    if (r == 1)
        r = remote_command(m, SPAN("LIST \"\" \"*\""), on_list);
    if (r == 1)
        return remote_fail(m, remote_said(m));
    if (r == 0)
        r = remote_command(m, SPAN("LSUB \"\" \"*\""), on_list);
    return r < 0 ? r : 0;
}

/* ---- messages ---------------------------------------------------------------------------- */

static int on_select(struct imap *m, struct span s)
{
    struct span n;
    size_t at = span_find_span(s, SPAN("[UIDVALIDITY "));
    uint64_t v;

    if (at != SPAN_NONE) {
        struct span rest = span_skip(s, at + sizeof "[UIDVALIDITY " - 1);
        if (span_split(&rest, ']', &n) && span_to_u64(n, UINT32_MAX, &v))
            m->uidvalidity = (uint32_t)v;
    }
    struct span line = span_chomp(s);
    if (span_split(&line, ' ', &n) && span_is(line, "EXISTS") && span_to_u64(n, UINT32_MAX, &v))
        m->exists = (uint32_t)v;
    return 0;
}

struct fetched {
    uint32_t uid, size;
    bool has_date, has_body;
    struct date date;
    struct import_flags flags;
    struct span body;
};

static void flag(struct import_flags *f, struct span w)
{
    static const struct {
        const char *name;
        uint64_t bit;
    } flags[] = {
        {"\\Seen",     STORE_SEEN    },
        {"\\Answered", STORE_ANSWERED},
        {"\\Flagged",  STORE_FLAGGED },
        {"\\Deleted",  STORE_DELETED },
        {"\\Draft",    STORE_DRAFT   },
    };

    for (size_t k = 0; k < sizeof flags / sizeof flags[0]; k++)
        if (span_is(w, flags[k].name)) {
            f->flags |= flags[k].bit;
            return;
        }
    if (w.n > 0 && w.p[0] != '\\')
        import_flags_keyword(f, w);
}

/* "12 FETCH (UID 17 FLAGS (\Seen) …)". False: something else; *ret_broken: it cannot be read. */
static bool parse_fetch(struct imap *m, struct span s, struct fetched *ret, bool *ret_broken)
{
    struct span number = remote_atom(&s), name, v, w;
    uint64_t n;

    *ret = (struct fetched){0};
    if (!span_to_u64(number, UINT32_MAX, &n) || !remote_skip_blank(&s) ||
        !span_starts_nocase(s, SPAN("FETCH (")))
        return false;
    s = span_skip(s, 7);
    *ret_broken = true;
    while (s.n > 0 && s.p[0] != ')') {
        remote_skip_blank(&s);
        name = remote_atom(&s);
        if (!remote_skip_blank(&s) || !remote_value(m, &s, &v))
            return false;
        if (span_is(name, "UID") && span_to_u64(v, UINT32_MAX, &n)) {
            ret->uid = (uint32_t)n;
        } else if (span_is(name, "RFC822.SIZE") && span_to_u64(v, UINT32_MAX, &n)) {
            ret->size = (uint32_t)n;
        } else if (span_is(name, "INTERNALDATE")) {
            ret->has_date = date_parse_imap(span_trim(v), &ret->date);
        } else if (span_is(name, "BODY[]")) {
            ret->has_body = true;
            ret->body = v;
        } else if (span_is(name, "FLAGS") && v.n >= 2) {
            v = span_sub(v, 1, v.n - 2);
            while (span_split(&v, ' ', &w))
                flag(&ret->flags, w);
        }
        remote_skip_blank(&s);
    }
    *ret_broken = false;
    return s.n > 0;
}

static uint64_t message_key(const struct imap *m, uint32_t uid)
{
    return (uint64_t)m->uidvalidity << 32 | uid;
}

static int on_meta(struct imap *m, struct span s)
{
    struct fetched f;
    bool broken = false;

    arena_reset(m->arena);
    if (!parse_fetch(m, s, &f, &broken))
        return broken ? remote_fail(m, "a FETCH response cannot be read") : 0;
    if (f.uid == 0 || !import_wants(m->i, message_key(m, f.uid)))
        return 0;
    for (size_t k = m->meta_count; k > 0 && m->meta[k - 1].uid >= f.uid; k--)
        if (m->meta[k - 1].uid == f.uid)
            return 0; /* told again */
    if (m->meta_count == m->meta_cap) {
        m->meta_cap = m->meta_cap ? m->meta_cap * 2 : 1024;
        m->meta = realloc(m->meta, m->meta_cap * sizeof *m->meta);
        CHECK(m->meta != NULL);
    }
    m->meta[m->meta_count++] = (struct meta){f.uid, f.size};
    return 0;
}

static int on_body(struct imap *m, struct span s)
{
    struct fetched f;
    bool broken = false;
    char where[40];
    size_t k;

    arena_reset(m->arena);
    if (!parse_fetch(m, s, &f, &broken))
        return broken ? remote_fail(m, "a FETCH response cannot be read") : 0;
    if (f.uid == 0 || !f.has_body)
        return 0; /* flags that changed meanwhile */
    for (k = 0; k < m->meta_count && m->meta[k].uid != f.uid;)
        k++;
    if (k == m->meta_count)
        return 0;
    m->meta[k].uid = 0; /* has come */
    snprintf(where, sizeof where, "UID %u", f.uid);
    int r = import_take(m->i, &(struct import_message){
                                  .where = where,
                                  .key = message_key(m, f.uid),
                                  .bytes = f.body,
                                  .flags = f.flags.flags,
                                  .keywords = f.flags.keywords,
                                  .keyword_count = f.flags.keyword_count,
                                  .received_seconds = f.has_date ? f.date.seconds : clock_seconds(),
                                  .zone_minutes = f.has_date ? f.date.zone_minutes : 0,
                              });
    if (r != 0)
        m->failed = r;
    return r;
}

static int by_uid(const void *a, const void *b)
{
    const struct meta *x = a, *y = b;

    return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* So many of meta from `from` on as one FETCH should bring. */
static size_t piece(const struct imap *m, size_t from)
{
    uint64_t bytes = 0;
    size_t n = 0;

    while (from + n < m->meta_count && n < FETCH_MESSAGES && (n == 0 || bytes < FETCH_BYTES))
        bytes += m->meta[from + n++].size;
    return n;
}

static int fetch_piece(struct imap *m, size_t from, size_t n)
{
    struct buf b BUF_AUTO = BUF(65536);
    struct rangeset uids = RANGESET_EMPTY;
    struct meta *all = m->meta;
    size_t count = m->meta_count;
    int r;

    for (size_t k = from; k < from + n; k++)
        rangeset_add(&uids, all[k].uid, all[k].uid);
    buf_put_cstr(&b, "UID FETCH ");
    rangeset_print(&uids, &b);
    buf_put_cstr(&b, " (UID FLAGS INTERNALDATE BODY.PEEK[])");
    rangeset_done(&uids);
    m->meta = all + from;
    m->meta_count = n;
    r = remote_command(m, buf_span(&b), on_body);
    m->meta = all;
    m->meta_count = count;
    for (size_t k = from; k < from + n && r >= 0; k++) {
        char where[40];
        if (all[k].uid == 0)
            continue;
        snprintf(where, sizeof where, "UID %u", all[k].uid);
        if (r == 1)
            import_refuse(m->i, where, "the server does not give it: %s", remote_said(m));
        else
            import_note(m->i, "%s was removed at the server while the folder was read", where);
    }
    return r < 0 ? r : 0;
}

static int fetch_all(struct imap *m)
{
    int r = 0;

    m->meta_count = 0;
    for (uint64_t k = 1; k <= m->exists && r == 0; k += META_MESSAGES) {
        struct buf b BUF_AUTO = BUF(200);
        uint64_t end = k + META_MESSAGES - 1;
        buf_printf(&b, "FETCH %llu:%llu (UID RFC822.SIZE)", (unsigned long long)k,
                   (unsigned long long)(end < m->exists ? end : m->exists));
        r = remote_command(m, buf_span(&b), on_meta);
        if (r == 1)
            r = import_refuse(m->i, "", "the server does not list its messages: %s",
                              remote_said(m));
    }
    if (m->meta_count > 0)
        qsort(m->meta, m->meta_count, sizeof *m->meta, by_uid);
    for (size_t at = 0; at < m->meta_count && r == 0;) {
        size_t n = piece(m, at);
        r = fetch_piece(m, at, n);
        at += n;
    }
    return r;
}

static int take_folder(struct imap *m, const struct remote *f)
{
    struct import_folder folder = {
        .name = f->shown, .attributes = f->attributes, .subscribed = f->subscribed};
    int r = import_enter(m->i, &folder);

    if (r == -ENOENT)
        return 0;
    if (r != 0)
        return r;
    m->uidvalidity = m->exists = 0;
    r = remote_command_string(m, "EXAMINE", f->name, "", on_select);
    if (r == 1)
        return import_refuse(m->i, "", "the server does not open it: %s", remote_said(m));
    return r != 0 ? r : fetch_all(m);
}

static void on_interrupt(void *arg)
{
    struct imap *m = arg;

    if (m->conn != NULL)
        conn_abort(m->conn);
}

/* BYE is what LOGOUT is answered with. */
static int on_farewell(struct imap *m, struct span rest)
{
    return 0;
}

int import_read_imap(struct import *i, void *arg)
{
    struct imap m = {.i = i,
                     .o = arg,
                     .response = BUF(IMAP_RESPONSE_MAX),
                     .personal = BUF(4096),
                     .arena = arena_new(16 << 20)};
    struct import_store *s = import_store_of(i);
    int r;

    s->on_interrupt = on_interrupt;
    s->on_interrupt_arg = &m;
    r = remote_open(&m);
    if (r == 0)
        r = list_folders(&m);
    for (size_t k = 0; k < m.folder_count && r == 0; k++)
        r = take_folder(&m, &m.folders[k]);
    if (r == 0 && m.conn != NULL)
        remote_command(&m, SPAN("LOGOUT"), on_farewell);
    s->on_interrupt = NULL;
    if (m.conn != NULL && r == 0)
        conn_shutdown(m.conn);
    conn_free(m.conn);
    tls_client_context_free(m.tls);
    for (size_t k = 0; k < m.folder_count; k++) {
        free((char *)(uintptr_t)m.folders[k].name.p);
        free((char *)(uintptr_t)m.folders[k].shown.p);
    }
    free(m.folders);
    free(m.meta);
    arena_free(m.arena);
    buf_done(&m.response);
    buf_done(&m.personal);
    return r;
}
