/* reply.c: the words of IMAP: tagged replies, events of the engine, capabilities. */
#include "imap/state.h"

#include "base/check.h"

#include <errno.h>

static void put_tagged(struct session *s, const struct command_line *c, const char *status,
                       const char *text)
{
    struct buf out BUF_AUTO = BUF(16 << 10);

    if (c && c->tag.n)
        buf_put_span(&out, c->tag);
    else
        buf_putc(&out, '*');
    buf_putc(&out, ' ');
    buf_put_cstr(&out, status);
    buf_put_cstr(&out, text);
    buf_put_cstr(&out, "\r\n");
    session_put(s, buf_span(&out));
}

void imap_ok(struct session *s, const struct command_line *c, const char *text)
{
    put_tagged(s, c, "OK ", text);
}

void imap_no(struct session *s, const struct command_line *c, const char *text)
{
    put_tagged(s, c, "NO ", text);
}

void imap_bad(struct session *s, const struct command_line *c, const char *text)
{
    put_tagged(s, c, "BAD ", text);
    session_error(s);
}

static void put_syntax(struct session *s, const struct command_line *c)
{
    struct buf text BUF_AUTO = BUF(1024);

    buf_printf(&text, "Syntax: %s%s%s", c->row->verb, *c->row->syntax ? " " : "", c->row->syntax);
    put_tagged(s, c, "BAD ", buf_cstr(&text));
}

void imap_syntax(struct session *s, const struct command_line *c)
{
    put_syntax(s, c);
    session_error(s);
}

void imap_fail(struct session *s, const struct command_line *c, int error)
{
    static const struct {
        int error;
        const char *text;
    } rows[] = {
        {-ENOENT,    "[NONEXISTENT] No such mailbox"                                   },
        {-EEXIST,    "[ALREADYEXISTS] A mailbox of that name exists"                   },
        {-EINVAL,    "[CANNOT] Not possible with this mailbox name"                    },
        {-ENOTEMPTY, "[HASCHILDREN] The mailbox has children"                          },
        {-EACCES,    "[NOPERM] Not permitted"                                          },
        {-EPERM,     "[NOPERM] Not permitted"                                          },
        {-EDQUOT,    "[OVERQUOTA] Quota exceeded"                                      },
        {-ENOSPC,    "[UNAVAILABLE] The server is short of space, try again later"     },
        {-EMSGSIZE,  "[TOOBIG] The message is too large"                               },
        {-E2BIG,     "[LIMIT] Too many keywords in this mailbox"                       },
        {-ENOBUFS,   "[LIMIT] Too many keywords in this mailbox"                       },
        {-EPIPE,     "[UNAVAILABLE] The mail store is not available, try again shortly"},
        {-ETIMEDOUT, "[UNAVAILABLE] The mail store did not answer, try again shortly"  },
        {-EAGAIN,    "[UNAVAILABLE] The mail store is not available, try again shortly"},
    };
    const char *text = "[SERVERBUG] The mail store reports an error";

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].error == error)
            text = rows[i].text;
    imap_no(s, c, text);
}

/* ------------------------------------------------------------------ events */

static const char *state_text(const struct session *s, const struct command *row)
{
    if (s->state == IMAP_NEW)
        return "Log in first";
    if (row->states == IMAP_NEW)
        return "You are logged in already";
    return s->state == IMAP_AUTHED ? "Select a mailbox first"
                                   : "Not possible while a mailbox is selected";
}

/* What a tagged reply to a command says; NULL: the session ends, with BYE. */
static bool say_tagged(struct session *s, enum session_event e, const struct command_line *c)
{
    switch (e) {
    case SESSION_UNKNOWN_COMMAND:
        put_tagged(s, c, "BAD ", "Unknown command");
        return true;
    case SESSION_BAD_STATE:
        put_tagged(s, c, "BAD ", state_text(s, c->row));
        return true;
    case SESSION_NEED_TLS:
        put_tagged(s, c, "NO ",
                   "[PRIVACYREQUIRED] This server requires a secure channel: use STARTTLS first");
        return true;
    case SESSION_LOGIN_CLEAR:
        put_tagged(s, c, "NO ",
                   session_can_start_tls(s)
                       ? "[PRIVACYREQUIRED] No login in clear: use STARTTLS first"
                       : "[PRIVACYREQUIRED] No login in clear: connect with TLS");
        return true;
    case SESSION_BAD_ARGS:
        put_syntax(s, c);
        return true;
    case SESSION_TOO_LONG:
        /* before TLS no literal is taken: it would be a name or a password */
        if (s->state == IMAP_NEW && session_needs_tls(s))
            return say_tagged(s, SESSION_NEED_TLS, c);
        put_tagged(s, c, "BAD ", "[TOOBIG] Command or literal too long");
        return true;
    default:
        return false;
    }
}

static const char *farewell(enum session_event e)
{
    switch (e) {
    case SESSION_TOO_MANY_ERRORS:
        return "Too many bad commands";
    case SESSION_TIMEOUT:
        return "Nothing heard for too long";
    case SESSION_BUSY:
        return "[UNAVAILABLE] Too many connections, try again later";
    case SESSION_WEAK:
        return "[PRIVACYREQUIRED] This server requires 128-bit encryption";
    default:
        return "[UNAVAILABLE] Closing: ";
    }
}

void imap_say(struct session *s, enum session_event e, const struct command_line *c,
              struct span detail)
{
    if (say_tagged(s, e, c))
        return;
    /* one piece: outside TLS each line is looked at as a whole */
    struct buf out BUF_AUTO = BUF(2048);
    buf_put_cstr(&out, "* BYE ");
    buf_put_cstr(&out, farewell(e));
    if (e == SESSION_SHUTDOWN)
        buf_put_span(&out, span_head(detail, 1024));
    buf_put_cstr(&out, "\r\n");
    session_put(s, buf_span(&out));
}

static bool is_tagged_status(struct span line)
{
    struct span tag, rest = line;

    if (!span_split(&rest, ' ', &tag) || tag.n == 0 || tag.n > 200)
        return false;
    for (size_t i = 0; i < tag.n; i++)
        if ((unsigned char)tag.p[i] <= ' ' || tag.p[i] == 0x7f)
            return false;
    return span_starts(rest, SPAN("OK ")) || span_starts(rest, SPAN("NO ")) ||
           span_starts(rest, SPAN("BAD "));
}

/* plain = ("*" / tag) SP ("OK" / "NO" / "BAD") SP text / "* BYE" SP text / "* CAPABILITY" SP text /
 * "+" SP text */
bool imap_plain_allowed(struct span line)
{
    return span_starts(line, SPAN("* BYE ")) || span_starts(line, SPAN("* CAPABILITY ")) ||
           span_starts(line, SPAN("+ ")) || is_tagged_status(line);
}

/* ------------------------------------------------------------------ capabilities */

enum condition {
    CAP_ALWAYS,
    CAP_STARTTLS, /* STARTTLS is possible now */
    CAP_NO_LOGIN, /* not logged in, and not allowed to without TLS */
    CAP_AUTH,     /* not logged in: a row for each mechanism */
    CAP_NEW,      /* before login */
    CAP_USER,     /* after login */
    CAP_LIMIT,    /* after login: with the size of a message */
};

static const struct {
    const char *name;
    enum condition when;
} capabilities[] = {
#define CAP(name, when, rfc) {name, when},
#include "imap/capabilities.def"
#undef CAP
};

static void put_mechanisms(struct session *s, struct buf *out)
{
    struct span all = span_cstr(session_mechanisms(s)), one;

    while (span_split(&all, ' ', &one))
        if (one.n) {
            buf_put_cstr(out, " AUTH=");
            buf_put_span(out, one);
        }
}

static bool capable(struct session *s, enum condition when)
{
    switch (when) {
    case CAP_ALWAYS:
        return true;
    case CAP_STARTTLS:
        return session_can_start_tls(s);
    case CAP_NO_LOGIN:
        return s->state == IMAP_NEW && !s->tls;
    case CAP_AUTH:
    case CAP_NEW:
        return s->state == IMAP_NEW;
    case CAP_USER:
    case CAP_LIMIT:
        return s->state != IMAP_NEW;
    }
    return false;
}

void imap_capabilities(struct session *s, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(capabilities); i++) {
        if (!capable(s, capabilities[i].when))
            continue;
        if (capabilities[i].when == CAP_AUTH) {
            put_mechanisms(s, out);
            continue;
        }
        if (out->n && out->p[out->n - 1] != ' ')
            buf_putc(out, ' ');
        buf_put_cstr(out, capabilities[i].name);
        if (capabilities[i].when == CAP_LIMIT)
            buf_put_u64(out, s->vserver->limits.message_bytes);
    }
}
