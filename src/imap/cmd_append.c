/*
 * cmd_append.c: APPEND of one message or several (MULTIAPPEND, RFC 3502), REPLACE (RFC 8508). Messages
 * are streamed into the store's ring as they arrive; what can be refused is refused before the client
 * is asked for it. What a refused literal without waiting ({n+}) brings is thrown away. All messages
 * of one command are one record: all of them or none.
 */
#include "imap/arg.h"
#include "imap/commands.h"
#include "imap/name.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 16 << 10 }; /* between two messages: flags and a date */

struct item {
    bool dated;
    struct arg_flags flags;
    struct date date;
    struct store_body *body;
};

struct announced { /* the literal that an item ends with */
    uint64_t bytes;
    bool sync, utf8; /* utf8: "UTF8 (~{n}", a ")" follows it */
};

struct append {
    struct mailbox_name name;
    bool name_ok, replace;
    struct item *v; /* heap */
    size_t n;
    uint64_t total;    /* bytes of all messages so far */
    uint32_t replaced; /* UID, 0: it is gone */
    bool nul;
    int error;           /* of the store: what still comes is thrown away */
    const char *refusal; /* or a text for NO */
};

/* [SP flag-list] [SP date-time] SP (literal / literal8 / "UTF8" SP "(" literal8), all of *c. What
 * outlives the line lies in s->scratch. */
static bool parse_item(struct session *s, struct span *c, struct item *it, struct announced *ret)
{
    bool binary;

    if (c->n && c->p[0] == '(' && (!arg_flag_list(c, &it->flags) || !arg_sp(c)))
        return false;
    for (size_t i = 0; i < it->flags.keyword_count; i++)
        it->flags.keywords[i] = arena_span(s->scratch, it->flags.keywords[i]);
    if (c->n && c->p[0] == '"') {
        if (!arg_date_time(c, &it->date) || !arg_sp(c))
            return false;
        it->dated = true;
    }
    ret->utf8 = imap_of(s)->utf8 && parse_lit_nocase(c, "UTF8 (");
    struct span literal = *c;
    if (!arg_announcement(c, &ret->bytes, &binary) || !parse_end(c) || (ret->utf8 && !binary))
        return false;
    ret->sync = !span_has(literal, '+');
    return true;
}

static struct item *item_new(struct append *a)
{
    if (a->n % 16 == 0) {
        a->v = reallocarray(a->v, a->n + 16, sizeof(*a->v));
        CHECK(a->v);
    }
    a->v[a->n] = (struct item){.body = NULL};
    return &a->v[a->n++];
}

static void append_done(struct append *a)
{
    for (size_t i = 0; i < a->n; i++)
        store_body_free(a->v[i].body);
    free(a->v);
}

struct sink {
    struct append *a;
    struct store_body *body; /* NULL: thrown away */
};

static int on_bytes(void *arg, struct span bytes)
{
    struct sink *k = arg;

    if (span_has(bytes, '\0'))
        k->a->nul = true;
    return k->body ? store_body_write(k->body, bytes) : 0;
}

static void refuse(struct append *a, const char *text)
{
    if (!a->refusal && !a->error)
        a->refusal = text;
}

/* May this one be taken as well? */
static void admit(struct session *s, struct append *a, const struct announced *l)
{
    a->total += l->bytes;
    if (l->bytes > s->vserver->limits.message_bytes)
        refuse(a, "[TOOBIG] The message is larger than this server takes");
    else if (a->total > s->vserver->limits.message_bytes)
        refuse(a, "[TOOBIG] The messages together are more than this server takes at once");
    else if (l->bytes == 0)
        refuse(a, "[CANNOT] A message cannot be empty");
    else if (a->n >= STORE_BODIES_MAX)
        refuse(a, "[LIMIT] Too many messages in one command");
    else if (a->v[a->n - 1].flags.too_many)
        refuse(a, "[LIMIT] Too many keywords in this mailbox");
}

/* One message. False: the command is over (refused before its literal was asked for, or the
 * connection is). */
static bool take_literal(struct session *s, struct append *a, const struct announced *l)
{
    struct sink sink = {a, NULL};
    int failed = 0;

    admit(s, a, l);
    if (!a->refusal && !a->error) {
        struct item *it = &a->v[a->n - 1];
        a->error =
            store_body_begin(imap_store(s), l->bytes, s->vserver->limits.message_bytes, &it->body);
        sink.body = a->error ? NULL : it->body;
    }
    if (l->sync) {
        if (!sink.body)
            return false;
        session_puts(s, "+ Ready for the message\r\n");
        if (session_flush(s) < 0)
            return false;
    }
    if (session_read_bytes(s, l->bytes, on_bytes, &sink, &failed) < 0)
        return false;
    if (failed < 0 && !a->error)
        a->error = failed;
    return true;
}

enum next { NEXT_END, NEXT_MESSAGE, NEXT_BAD, NEXT_GONE };

/* What stands behind a message: the end of the command, or another one. */
static enum next read_next(struct session *s, struct append *a, struct announced *l)
{
    struct span rest;
    int e = session_read_line(s, LINE_MAX_BYTES, &rest);

    if (e == -EMSGSIZE)
        return NEXT_BAD;
    if (e < 0)
        return NEXT_GONE;
    if (l->utf8 && !parse_char(&rest, ')'))
        return NEXT_BAD;
    if (rest.n == 0)
        return NEXT_END;
    if (a->replace || !arg_sp(&rest))
        return NEXT_BAD;
    if (a->n >= STORE_BODIES_MAX) { /* what still comes is only counted */
        struct item beyond = {.body = NULL};
        refuse(a, "[LIMIT] Too many messages in one command");
        return parse_item(s, &rest, &beyond, l) ? NEXT_MESSAGE : NEXT_BAD;
    }
    return parse_item(s, &rest, item_new(a), l) ? NEXT_MESSAGE : NEXT_BAD;
}

/* Takes all messages over. False: answered, or the connection is gone. */
static bool receive(struct session *s, const struct command_line *c, struct append *a,
                    struct announced *l)
{
    for (;;) {
        if (!take_literal(s, a, l))
            return a->refusal || a->error;
        switch (read_next(s, a, l)) {
        case NEXT_END:
            /* NUL bytes could not be read again by BODY[] (RFC 3516 section 4.4) */
            if (a->nul)
                refuse(a, "[UNKNOWN-CTE] A message with NUL bytes cannot be stored");
            return true;
        case NEXT_MESSAGE:
            break;
        case NEXT_BAD:
            imap_bad(s, c,
                     a->replace ? "One message replaces another"
                                : "What stands behind a message is not another one");
            return false;
        case NEXT_GONE:
            return false;
        }
    }
}

static int store_all(struct session *s, const struct append *a, const struct mailbox_info *info,
                     struct store_appended *ret)
{
    struct store_append *request = ARENA_ARRAY(s->scratch, struct store_append, a->n);
    struct store_body **bodies = ARENA_ARRAY(s->scratch, struct store_body *, a->n);
    int e = request && bodies ? 0 : -ENOMEM;

    for (size_t i = 0; i < a->n && e == 0; i++) {
        const struct item *it = &a->v[i];
        request[i] = (struct store_append){
            .grant = imap_grant(s),
            .mailbox = info->id,
            .flags = it->flags.system,
            .keywords = it->flags.keywords,
            .keyword_count = it->flags.keyword_count,
            .received_seconds = it->dated ? it->date.seconds : clock_seconds(),
            .received_zone = (int16_t)it->date.zone_minutes,
            .replace_mailbox = a->replace ? imap_of(s)->mailbox : 0,
            .replace_uid = a->replaced,
        };
        bodies[i] = it->body;
        e = store_body_finish(it->body);
    }
    return e ? e : store_append_many(imap_store(s), bodies, request, a->n, ret);
}

/* "[APPENDUID validity uid,uid:uid] " */
static void put_appenduid(const struct store_appended *done, size_t n, struct buf *out)
{
    struct rangeset uids = RANGESET_EMPTY;

    for (size_t i = 0; i < n; i++)
        rangeset_add(&uids, done[i].uid, done[i].uid);
    buf_printf(out, "[APPENDUID %u ", done[0].uidvalidity);
    rangeset_print(&uids, out);
    buf_put_cstr(out, "] ");
    rangeset_done(&uids);
}

static void append_all(struct session *s, const struct command_line *c, struct append *a,
                       const struct mailbox_info *info, struct announced *l)
{
    struct store_appended *done;
    struct buf text BUF_AUTO = BUF(16 << 10);

    if (!receive(s, c, a, l))
        return;
    if (a->refusal) {
        imap_no(s, c, a->refusal);
        return;
    }
    done = ARENA_ARRAY(s->scratch, struct store_appended, a->n);
    if (a->error == 0)
        a->error = done ? store_all(s, a, info, done) : -ENOMEM;
    if (a->error < 0) {
        if (a->replace && a->error == -ENOENT)
            imap_no(s, c, "[EXPUNGEISSUED] The message that was to be replaced is gone");
        else
            imap_fail(s, c, a->error);
        return;
    }
    put_appenduid(done, a->n, &text);
    if (a->replace) { /* RFC 8508 3.2: told before the old one goes */
        session_puts(s, "* OK ");
        session_put(s, buf_span(&text));
        session_puts(s, "Replacement stored\r\n");
        imap_finish(s, c, true, "Replace completed");
        return;
    }
    buf_put_cstr(&text, "Append completed");
    buf_putc(&text, '\0');
    imap_finish(s, c, true, text.overflow ? "Append completed" : text.p);
}

/* Where it is to go; then the messages. */
static void run(struct session *s, const struct command_line *c, struct append *a,
                struct announced *l)
{
    struct mailbox_info info;
    int e = a->name_ok ? name_target(s, &a->name, &info) : -ENOENT;

    if (e == -ENOENT)
        imap_no(s, c, "[TRYCREATE] No such mailbox");
    else if (e < 0)
        imap_fail(s, c, e);
    else
        append_all(s, c, a, &info, l);
}

/* append = "APPEND" SP mailbox 1*append-message */
void cmd_append(struct session *s, struct command_line *c)
{
    struct append a = {.name_ok = false};
    struct announced l = {.bytes = 0};
    struct span args = c->args, wire;

    if (!c->streaming || !name_arg(s, &args, &wire) || !arg_sp(&args) ||
        !parse_item(s, &args, item_new(&a), &l)) {
        imap_syntax(s, c);
    } else {
        l.sync = c->stream_sync;
        l.bytes = c->stream_bytes;
        a.name_ok = name_parse(s, wire, false, &a.name);
        run(s, c, &a, &l);
    }
    append_done(&a);
}

/* replace = "REPLACE" SP seq-number SP mailbox append-message */
void cmd_replace(struct session *s, struct command_line *c)
{
    struct append a = {.replace = true};
    struct announced l = {.bytes = 0};
    struct imap *m = imap_of(s);
    struct span args = c->args, wire;
    struct rangeset uids = RANGESET_EMPTY;
    struct span set;

    if (!c->streaming || !arg_set(&args, &set) || span_has(set, ',') || span_has(set, ':') ||
        span_eq(set, SPAN("$")) || !arg_sp(&args) || !name_arg(s, &args, &wire) || !arg_sp(&args) ||
        !parse_item(s, &args, item_new(&a), &l) || !imap_messages(m, set, imap_is_uid(c), &uids)) {
        imap_syntax(s, c);
    } else if (m->read_only) {
        imap_no(s, c, "[NOPERM] The mailbox is open for reading only");
    } else if (uids.n == 0) {
        imap_no(s, c, "[NONEXISTENT] There is no such message");
    } else {
        l.sync = c->stream_sync;
        l.bytes = c->stream_bytes;
        a.replaced = uids.r[0].lo;
        a.name_ok = name_parse(s, wire, false, &a.name);
        run(s, c, &a, &l);
    }
    rangeset_done(&uids);
    append_done(&a);
}
