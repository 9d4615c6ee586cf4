/*
 * import_imap.c: the mailboxes of one user of a running IMAP server (RFC 3501 and 9051), over TLS
 * with the server's name proved. Folders are only looked at (EXAMINE, BODY.PEEK): nothing changes
 * there.
 *
 * A message's name for the state file is (UIDVALIDITY, UID): those that were taken before are not
 * even asked for.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/random.h"
#include "base/utf8.h"
#include "manager/import.h"
#include "manager/text.h"
#include "tls/conn.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>

enum {
    TIMEOUT_MS = 120000,
    DIAL_MS = 20000,
    RESPONSE_MAX = IMPORT_MESSAGE_MAX + (1 << 20),
    INPUT_MAX = 256 << 10,
    LINE_MAX_BYTES = 1 << 20,
    FETCH_MESSAGES = 100,
    FETCH_BYTES = 8 << 20,
    META_MESSAGES = 2000,
    FOLDERS_MAX = 100000,
    NAME_MAX_BYTES = 8192,
};

struct remote {
    struct span name, shown; /* on the wire; here, UTF-8 with '/' */
    uint32_t attributes;
    bool subscribed;
};

struct meta {
    uint32_t uid, size;
};

struct imap {
    struct import *i;
    struct import_imap *o;
    struct conn *conn;
    struct tls_client_context *tls;
    struct buf response; /* one, with its literals as they came */
    struct arena *arena;
    unsigned tag;
    bool special_use, list_extended, utf8_names;
    struct remote *folders;
    size_t folder_count, folder_cap;
    struct buf personal; /* prefix of the personal namespace: "INBOX." */
    uint32_t uidvalidity, exists;
    struct meta *meta;
    size_t meta_count, meta_cap;
    int failed;
};

static int fail(struct imap *m, const char *what)
{
    if (m->i != NULL && import_must_stop(m->i))
        return m->failed = -ECANCELED;
    import_fail(m->i, "%s: %s; the same command goes on where it was", m->o->host, what);
    return m->failed = -ECANCELED;
}

/* ---- responses --------------------------------------------------------------------------- */

static int fill(struct imap *m)
{
    int r = conn_fill(m->conn, TIMEOUT_MS);

    if (r > 0)
        return 0;
    return fail(m, r == 0            ? "the server has closed the connection"
                   : r == -ETIMEDOUT ? "the server does not answer"
                                     : conn_error(m->conn));
}

static int take_bytes(struct imap *m, uint64_t n)
{
    while (n > 0) {
        struct span s = span_head(conn_peek(m->conn), n);
        if (s.n == 0 && fill(m) != 0)
            return m->failed;
        if (!buf_put_span(&m->response, s))
            return fail(m, "a response is too long");
        conn_consume(m->conn, s.n);
        n -= s.n;
    }
    return 0;
}

/* "…{123}" at the end of a line: so many bytes and another line follow. */
static bool ends_with_literal(struct span line, uint64_t *ret)
{
    size_t at = span_rfind(line, '{');

    return at != SPAN_NONE && line.n > at + 2 && line.p[line.n - 1] == '}' &&
           span_to_u64(span_sub(line, at + 1, line.n - at - 2), UINT32_MAX, ret);
}

/* The next response: untagged, tagged or a continuation, literals included. */
static int read_response(struct imap *m)
{
    buf_clear(&m->response);
    for (;;) {
        size_t begin = m->response.n, looked = 0;
        uint64_t literal;
        for (;;) {
            struct span s = conn_peek(m->conn);
            size_t end = span_find(span_skip(s, looked), '\n');
            if (end != SPAN_NONE) {
                if (take_bytes(m, looked + end + 1) != 0)
                    return m->failed;
                break;
            }
            looked = s.n;
            if (looked > INPUT_MAX / 2) { /* of a line that long only the end is waited for */
                if (begin + LINE_MAX_BYTES < m->response.n)
                    return fail(m, "a line is too long");
                if (take_bytes(m, looked) != 0)
                    return m->failed;
                looked = 0;
            }
            if (fill(m) != 0)
                return m->failed;
        }
        if (!ends_with_literal(span_chomp(span_skip(buf_span(&m->response), begin)), &literal))
            return 0;
        if (literal > RESPONSE_MAX - m->response.n)
            return fail(m, "a response is too long");
        if (take_bytes(m, literal) != 0)
            return m->failed;
    }
}

static bool skip_blank(struct span *s)
{
    if (s->n == 0 || s->p[0] != ' ')
        return false;
    *s = span_skip(*s, 1);
    return true;
}

static bool skip_char(struct span *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = span_skip(*s, 1);
    return true;
}

/* An atom: everything up to a blank, a parenthesis or the end; brackets hold what is in them. */
static struct span atom(struct span *s)
{
    size_t n = 0;
    bool inside = false;

    while (n < s->n && s->p[n] != '\r' && s->p[n] != '\n' &&
           (inside || (s->p[n] != ' ' && s->p[n] != '(' && s->p[n] != ')'))) {
        inside = s->p[n] == '[' || (inside && s->p[n] != ']');
        n++;
    }
    struct span a = span_head(*s, n);
    *s = span_skip(*s, n);
    return a;
}

/* A string of any kind, unquoted into the arena where it must be; NIL is the empty span. */
static bool string(struct imap *m, struct span *s, struct span *ret)
{
    if (s->n > 0 && s->p[0] == '"') {
        char *out = arena_try(m->arena, s->n < 65536 ? s->n : 65536);
        size_t n = 0, k = 1;
        while (out != NULL && k < s->n && k < 65536 && s->p[k] != '"') {
            k += s->p[k] == '\\' && k + 1 < s->n;
            out[n++] = s->p[k++];
        }
        if (out == NULL || k >= s->n || s->p[k] != '"')
            return false;
        *s = span_skip(*s, k + 1);
        *ret = span_of(out, n);
        return true;
    }
    if (s->n > 0 && (s->p[0] == '{' || s->p[0] == '~')) {
        size_t open = s->p[0] == '~', close = span_find(*s, '}');
        uint64_t n;
        if (close == SPAN_NONE || close < open + 2 || s->p[open] != '{' ||
            !span_to_u64(span_sub(*s, open + 1, close - open - 1), UINT32_MAX, &n))
            return false;
        *s = span_skip(*s, close + 1);
        skip_char(s, '\r');
        if (!skip_char(s, '\n') || n > s->n)
            return false;
        *ret = span_head(*s, n);
        *s = span_skip(*s, n);
        return true;
    }
    *ret = atom(s);
    if (span_is(*ret, "NIL"))
        *ret = SPAN_EMPTY;
    return true;
}

/* Any value: a string, or a list with all that is in it. */
static bool value(struct imap *m, struct span *s, struct span *ret)
{
    const char *begin = s->p;
    unsigned depth = 0;

    if (s->n == 0 || s->p[0] != '(')
        return string(m, s, ret);
    do {
        struct span ignored;
        if (skip_char(s, '('))
            depth++;
        else if (skip_char(s, ')'))
            depth--;
        else if (!skip_blank(s) && (!string(m, s, &ignored) || s->n == 0))
            return false;
    } while (depth > 0 && s->n > 0);
    *ret = span_between(begin, s->p);
    return depth == 0;
}

/* ---- commands ---------------------------------------------------------------------------- */

typedef int (*untagged_fn)(struct imap *m, struct span rest);

/* What a tagged answer says: 0 OK, 1 NO or BAD (the response has the text). */
static int wait_for_end(struct imap *m, untagged_fn fn)
{
    char tag[16];

    snprintf(tag, sizeof tag, "A%u ", m->tag);
    for (;;) {
        if (read_response(m) != 0)
            return m->failed;
        struct span s = buf_span(&m->response);
        if (span_starts(s, span_cstr(tag)))
            return span_starts_nocase(span_skip(s, strlen(tag)), SPAN("OK")) ? 0 : 1;
        if (span_starts_nocase(s, SPAN("* BYE")) && fn == NULL)
            return fail(m, "the server says good bye");
        if (fn != NULL && span_starts(s, SPAN("* ")) && fn(m, span_skip(s, 2)) != 0)
            return m->failed != 0 ? m->failed : -ECANCELED;
    }
}

static int send_command(struct imap *m, struct span text)
{
    int r = conn_printf(m->conn, "A%u ", ++m->tag);

    if (r == 0)
        r = conn_put(m->conn, text);
    if (r == 0)
        r = conn_put(m->conn, SPAN("\r\n"));
    if (r == 0)
        r = conn_flush(m->conn);
    return r == 0 ? 0 : fail(m, "the connection broke");
}

static int command(struct imap *m, struct span text, untagged_fn fn)
{
    int r = send_command(m, text);

    return r != 0 ? r : wait_for_end(m, fn);
}

/* What the server said at last, for people. */
static const char *said(struct imap *m)
{
    struct span s = span_chomp(buf_span(&m->response)), tag;

    if (span_starts(s, SPAN("A")))
        span_split(&s, ' ', &tag);
    return text_quote(s);
}

static void put_quoted(struct buf *b, struct span s)
{
    buf_putc(b, '"');
    for (size_t k = 0; k < s.n; k++) {
        if (s.p[k] == '"' || s.p[k] == '\\')
            buf_putc(b, '\\');
        buf_putc(b, s.p[k]);
    }
    buf_putc(b, '"');
}

/* A command with a string as its argument: a literal where it cannot be quoted. */
static int command_string(struct imap *m, const char *word, struct span s, const char *tail,
                          untagged_fn fn)
{
    struct buf b BUF_AUTO = BUF(65536);
    bool plain = true;
    int r;

    for (size_t k = 0; k < s.n; k++)
        plain = plain && s.p[k] >= ' ' && (unsigned char)s.p[k] < 0x7f;
    buf_printf(&b, "%s ", word);
    if (plain) {
        put_quoted(&b, s);
        buf_put_cstr(&b, tail);
        return command(m, buf_span(&b), fn);
    }
    buf_printf(&b, "{%zu}", s.n);
    r = send_command(m, buf_span(&b));
    if (r == 0)
        r = read_response(m);
    if (r != 0)
        return r;
    if (!span_starts(buf_span(&m->response), SPAN("+")))
        return 1;
    r = conn_put(m->conn, s);
    if (r == 0)
        r = conn_put(m->conn, span_cstr(tail));
    if (r == 0)
        r = conn_put(m->conn, SPAN("\r\n"));
    if (r == 0)
        r = conn_flush(m->conn);
    return r == 0 ? wait_for_end(m, fn) : fail(m, "the connection broke");
}

/* ---- connecting -------------------------------------------------------------------------- */

struct lookup {
    const struct import_imap *o;
    struct addrinfo *found;
    int error;
};

static void look_up(void *arg)
{
    struct lookup *l = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char port[8];

    snprintf(port, sizeof port, "%u", l->o->port);
    l->error = getaddrinfo(l->o->host, port, &hints, &l->found);
}

static int dial(struct imap *m)
{
    struct lookup l = {.o = m->o};
    struct loop *loop = import_store_of(m->i)->loop;
    int fd = -1, r = -EHOSTUNREACH;

    fiber_offload(look_up, &l);
    if (l.error != 0)
        return fail(m, gai_strerror(l.error));
    for (struct addrinfo *a = l.found; a != NULL && fd < 0; a = a->ai_next) {
        struct sockaddr_storage to = {0};
        if (a->ai_addrlen <= sizeof to) {
            memcpy(&to, a->ai_addr, a->ai_addrlen);
            r = conn_dial(loop, &to, DIAL_MS, &fd);
        }
    }
    freeaddrinfo(l.found);
    if (fd < 0)
        return fail(m, strerror(-r));
    struct conn_params p = {.loop = loop, .in_max = INPUT_MAX, .write_timeout_ms = TIMEOUT_MS};
    m->conn = conn_new(fd, &p);
    return m->conn != NULL ? 0 : fail(m, "no connection");
}

static int start_tls(struct imap *m)
{
    struct conn_client_tls t = {.context = m->tls, .name = m->o->host, .verify = true};
    char text[300];

    if (conn_connect_tls(m->conn, &t, TIMEOUT_MS) == 0)
        return 0;
    snprintf(text, sizeof text, "TLS: %.200s (roots to trust: --ca-file)", conn_error(m->conn));
    return fail(m, text);
}

static int on_capability(struct imap *m, struct span rest)
{
    struct span line = span_chomp(rest), w;

    if (!span_starts_nocase(line, SPAN("CAPABILITY ")))
        return 0;
    while (span_split(&line, ' ', &w)) {
        m->special_use = m->special_use || span_is(w, "SPECIAL-USE");
        m->list_extended =
            m->list_extended || span_is(w, "LIST-EXTENDED") || span_is(w, "IMAP4rev2");
    }
    return 0;
}

/* NAMESPACE (("INBOX." ".")) … */
static int on_namespace(struct imap *m, struct span rest)
{
    struct span s = rest, prefix;

    if (!span_starts_nocase(s, SPAN("NAMESPACE (("))) {
        return 0;
    }
    s = span_skip(s, sizeof "NAMESPACE ((" - 1);
    if (string(m, &s, &prefix))
        buf_put_span(&m->personal, prefix);
    return 0;
}

static int log_in(struct imap *m)
{
    struct buf login BUF_AUTO = BUF(4096);
    int r;

    put_quoted(&login, span_cstr(m->o->user));
    buf_putc(&login, ' ');
    /* LOGIN with two strings: the second as a literal where it must be one */
    struct buf word BUF_AUTO = BUF(4200);
    buf_printf(&word, "LOGIN %.*s", SPAN_ARG(span_trim(buf_span(&login))));
    r = command_string(m, buf_cstr(&word), buf_span(&m->o->password), "", NULL);
    if (r == 1) {
        char text[300];
        snprintf(text, sizeof text, "login was refused: %.200s", said(m));
        return fail(m, text);
    }
    return r;
}

static int open_connection(struct imap *m)
{
    struct err e;
    int r = dial(m);

    if (r != 0)
        return r;
    m->tls = tls_client_context_new(buf_span(&m->o->roots), &e);
    if (m->tls == NULL)
        return fail(m, e.text);
    if (!m->o->starttls && (r = start_tls(m)) != 0)
        return r;
    if ((r = read_response(m)) != 0)
        return r;
    if (!span_starts_nocase(buf_span(&m->response), SPAN("* OK")) &&
        !span_starts_nocase(buf_span(&m->response), SPAN("* PREAUTH")))
        return fail(m, said(m));
    if (m->o->starttls) {
        if ((r = command(m, SPAN("STARTTLS"), NULL)) != 0)
            return r < 0 ? r : fail(m, "the server refuses STARTTLS");
        if (conn_peek(m->conn).n > 0)
            return fail(m, "more than a reply came before TLS");
        if ((r = start_tls(m)) != 0)
            return r;
    }
    if ((r = log_in(m)) != 0)
        return r;
    r = command(m, SPAN("CAPABILITY"), on_capability);
    if (r >= 0)
        r = command(m, SPAN("NAMESPACE"), on_namespace); /* BAD where there is none */
    return r < 0 ? r : 0;
}

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
    if (!value(m, &s, &flags) || !skip_blank(&s) || !string(m, &s, &delimiter) || !skip_blank(&s) ||
        !string(m, &s, &name) || name.n == 0)
        return fail(m, "a LIST response cannot be read");
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
        return fail(m, "there are too many folders");
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
    int r =
        command(m,
                m->special_use && m->list_extended ? SPAN("LIST \"\" \"*\" RETURN (SPECIAL-USE)")
                                                   : SPAN("LIST \"\" \"*\""),
                on_list);

    if (r == 1)
        r = command(m, SPAN("LIST \"\" \"*\""), on_list);
    if (r == 1)
        return fail(m, said(m));
    if (r == 0)
        r = command(m, SPAN("LSUB \"\" \"*\""), on_list);
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
    struct span number = atom(&s), name, v, w;
    uint64_t n;

    *ret = (struct fetched){0};
    if (!span_to_u64(number, UINT32_MAX, &n) || !skip_blank(&s) ||
        !span_starts_nocase(s, SPAN("FETCH (")))
        return false;
    s = span_skip(s, 7);
    *ret_broken = true;
    while (s.n > 0 && s.p[0] != ')') {
        skip_blank(&s);
        name = atom(&s);
        if (!skip_blank(&s) || !value(m, &s, &v))
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
        skip_blank(&s);
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
        return broken ? fail(m, "a FETCH response cannot be read") : 0;
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
        return broken ? fail(m, "a FETCH response cannot be read") : 0;
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
    r = command(m, buf_span(&b), on_body);
    m->meta = all;
    m->meta_count = count;
    for (size_t k = from; k < from + n && r >= 0; k++) {
        char where[40];
        if (all[k].uid == 0)
            continue;
        snprintf(where, sizeof where, "UID %u", all[k].uid);
        if (r == 1)
            import_refuse(m->i, where, "the server does not give it: %s", said(m));
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
        r = command(m, buf_span(&b), on_meta);
        if (r == 1)
            r = import_refuse(m->i, "", "the server does not list its messages: %s", said(m));
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
    r = command_string(m, "EXAMINE", f->name, "", on_select);
    if (r == 1)
        return import_refuse(m->i, "", "the server does not open it: %s", said(m));
    return r != 0 ? r : fetch_all(m);
}

static void on_interrupt(void *arg)
{
    struct imap *m = arg;

    if (m->conn != NULL)
        conn_abort(m->conn);
}

int import_read_imap(struct import *i, void *arg)
{
    struct imap m = {.i = i,
                     .o = arg,
                     .response = BUF(RESPONSE_MAX),
                     .personal = BUF(4096),
                     .arena = arena_new(16 << 20)};
    struct import_store *s = import_store_of(i);
    int r;

    s->on_interrupt = on_interrupt;
    s->on_interrupt_arg = &m;
    r = open_connection(&m);
    if (r == 0)
        r = list_folders(&m);
    for (size_t k = 0; k < m.folder_count && r == 0; k++)
        r = take_folder(&m, &m.folders[k]);
    if (r == 0 && m.conn != NULL)
        command(&m, SPAN("LOGOUT"), on_capability);
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
