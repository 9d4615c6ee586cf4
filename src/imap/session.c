/* session.c: the protocol object: greeting, literals, what wakes a session, the end. */
#include "imap/arg.h"
#include "imap/commands.h"

#include "base/check.h"

#include <stdlib.h>

enum { NEW = IMAP_NEW, AUTHED = IMAP_AUTHED, SELECTED = IMAP_SELECTED };
/* Before login only names and passwords come as literals. */
enum { LOGIN_LITERAL_MAX = 4096 };

const struct command imap_commands[] = {
#define CMD(verb, handler, states, flags, syntax, rfc, help)                                       \
    {verb, handler, states, flags, syntax, rfc, help},
#include "imap/commands.def"
#undef CMD
};
const size_t imap_command_count = ARRAY_LEN(imap_commands);

static bool imap_open(struct session *s)
{
    struct buf out BUF_AUTO = BUF(2048);

    buf_put_cstr(&out, "* OK [CAPABILITY ");
    imap_capabilities(s, &out);
    buf_put_cstr(&out, "] sealpost IMAP4 on ");
    buf_put_cstr(&out, s->vserver->names.n ? s->vserver->names.v[0] : s->conf->hostname);
    buf_put_cstr(&out, " ready\r\n");
    session_put(s, buf_span(&out));
    return true;
}

static void imap_close(struct session *s)
{
    struct imap *m = imap_of(s);

    imap_unselect(s);
    free(m->idle_tag);
    m->idle_tag = NULL;
}

static void imap_tls_started(struct session *s)
{
    struct imap *m = imap_of(s);

    m->rev2 = m->condstore = m->qresync = m->utf8 = false;
}

/* tag = 1*<any ASTRING-CHAR except "+"> */
static bool imap_tag_valid(struct span tag)
{
    for (size_t i = 0; i < tag.n; i++)
        if (tag.p[i] == '+' || !arg_is_astring_char((unsigned char)tag.p[i]))
            return false;
    return tag.n != 0;
}

/*
 * Is the literal that is announced the message of APPEND or REPLACE? Then all before it stands:
 * "APPEND" SP mailbox SP, ["UID" SP] "REPLACE" SP number SP mailbox SP. The mailbox may be a literal
 * itself: it is announced when astring does not parse yet.
 */
static bool is_append_message(struct session *s, struct span so_far)
{
    struct span c = so_far, tag, verb, set, mailbox;

    if (!parse_word(&c, 200, &tag) || !arg_sp(&c) || !arg_atom(&c, 20, &verb) || !arg_sp(&c))
        return false;
    if (span_is(verb, "UID") && (!arg_atom(&c, 20, &verb) || !arg_sp(&c)))
        return false;
    if (span_is(verb, "REPLACE") ? !arg_set(&c, &set) || !arg_sp(&c) : !span_is(verb, "APPEND"))
        return false;
    return arg_astring(&c, s->scratch, ARG_STRING_MAX, &mailbox) && arg_sp(&c);
}

static enum literal_answer imap_literal(struct session *s, struct span so_far, uint64_t bytes,
                                        bool sync)
{
    if (s->state == IMAP_NEW)
        return bytes <= LOGIN_LITERAL_MAX && s->tls ? LITERAL_TAKE : LITERAL_REFUSE;
    return is_append_message(s, so_far) ? LITERAL_STREAM : LITERAL_TAKE;
}

/* Only IDLE wants to be told between commands; everybody else hears at the end of the next command.
 */
static void imap_wake(struct session *s)
{
    if (imap_of(s)->idle_tag)
        imap_update(s, true);
}

static void imap_line(struct session *s, struct span line)
{
    struct imap *m = imap_of(s);
    struct command_line c = {.tag = span_cstr(m->idle_tag)};

    session_divert(s, false, 0);
    store_unwatch(m->watch);
    store_unwatch(m->watch_marks);
    m->watch = m->watch_marks = NULL;
    if (span_is(line, "DONE"))
        imap_finish(s, &c, true, "Idle done");
    else
        imap_bad(s, &c, "DONE expected");
    free(m->idle_tag);
    m->idle_tag = NULL;
}

static void on_change(void *arg)
{
    session_wake(arg);
}

void cmd_idle(struct session *s, struct command_line *c)
{
    enum { IDLE_MIN_SECONDS = 31 * 60 }; /* clients renew every 29 minutes (RFC 9051 6.3.13) */
    struct imap *m = imap_of(s);
    uint64_t seconds = s->vserver->limits.idle_timeout;

    m->idle_tag = span_dup(c->tag);
    CHECK(m->idle_tag);
    /* first the watch, then what changed before it: nothing falls between */
    if (m->view)
        m->watch = store_watch(imap_store(s), m->mailbox, on_change, s);
    if (m->view && m->owner == STORE_ACCOUNT_PUBLIC)
        m->watch_marks =
            store_watch(imap_store(s), store_reader_key(m->mailbox, s->user.account), on_change, s);
    imap_update(s, true);
    session_puts(s, "+ idling\r\n");
    session_divert(s, true, 1000 * (seconds > IDLE_MIN_SECONDS ? seconds : IDLE_MIN_SECONDS));
}

static const char *const alpn[] = {"imap", NULL};

const struct protocol imap_protocol = {
    .name = "imap4",
    .commands = imap_commands,
    .command_count = ARRAY_LEN(imap_commands),
    .tagged = true,
    .literals = true,
    .tag_valid = imap_tag_valid,
    .data_bytes = sizeof(struct imap),
    .initial_state = IMAP_NEW,
    .alpn = alpn,
    .open = imap_open,
    .close = imap_close,
    .tls_started = imap_tls_started,
    .say = imap_say,
    .literal = imap_literal,
    .line = imap_line,
    .wake = imap_wake,
    .plain_allowed = imap_plain_allowed,
};
