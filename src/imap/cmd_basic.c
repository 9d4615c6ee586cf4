/* cmd_basic.c: commands of any state, and those that change nothing in the store. */
#include "imap/arg.h"
#include "imap/commands.h"
#include "imap/name.h"

#include "base/check.h"

enum { ID_FIELDS_MAX = 30, ID_NAME_MAX = 30, ID_VALUE_MAX = 1024 };

void cmd_capability(struct session *s, struct command_line *c)
{
    struct buf out BUF_AUTO = BUF(2048);

    buf_put_cstr(&out, "* CAPABILITY ");
    imap_capabilities(s, &out);
    buf_put_cstr(&out, "\r\n");
    session_put(s, buf_span(&out));
    imap_ok(s, c, "Capability completed");
}

void cmd_noop(struct session *s, struct command_line *c)
{
    imap_finish(s, c, true, "Completed");
}

void cmd_logout(struct session *s, struct command_line *c)
{
    session_puts(s, "* BYE Logging out\r\n");
    imap_ok(s, c, "Logout completed");
    session_end(s);
}

/* id_param_list = "(" #(string SPACE nstring) ")" / nil */
static bool parse_id(struct session *s, struct span *c)
{
    struct span name, value;
    unsigned fields = 0;

    if (arg_word(c, "NIL"))
        return true;
    if (!parse_char(c, '('))
        return false;
    if (parse_char(c, ')'))
        return true;
    do
        if (++fields > ID_FIELDS_MAX || !arg_string(c, s->scratch, ID_NAME_MAX, &name) ||
            !arg_sp(c) || !arg_nstring(c, s->scratch, ID_VALUE_MAX, &value))
            return false;
    while (arg_sp(c));
    return parse_char(c, ')');
}

void cmd_id(struct session *s, struct command_line *c)
{
    struct span args = c->args;

    if (!parse_id(s, &args) || !parse_end(&args)) {
        imap_syntax(s, c);
        return;
    }
    session_puts(s, "* ID (\"name\" \"sealpost\" \"version\" \"" SEALPOST_VERSION "\")\r\n");
    imap_finish(s, c, true, "ID completed");
}

void cmd_starttls(struct session *s, struct command_line *c)
{
    if (s->tls) {
        imap_bad(s, c, "TLS is on already");
        return;
    }
    if (!session_can_start_tls(s)) {
        imap_no(s, c,
                "[UNAVAILABLE] No certificate is installed here, or this endpoint has no STARTTLS");
        return;
    }
    imap_ok(s, c, "Begin TLS negotiation now");
    session_start_tls(s);
}

enum { ENABLE_REV2 = 1, ENABLE_CONDSTORE = 2, ENABLE_QRESYNC = 4, ENABLE_UTF8 = 8 };

static const struct {
    const char *name;
    unsigned bit;
} enable_rows[] = {
    {"IMAP4rev2",   ENABLE_REV2     },
    {"CONDSTORE",   ENABLE_CONDSTORE},
    {"QRESYNC",     ENABLE_QRESYNC  },
    {"UTF8=ACCEPT", ENABLE_UTF8     },
};

/* capability *(SP capability); those that cannot be enabled are passed over (RFC 5161 3.1). */
static bool parse_enable(struct span *c, unsigned *ret)
{
    struct span word;
    unsigned bits = 0;

    do {
        if (!arg_atom(c, ARG_ATOM_MAX, &word))
            return false;
        for (size_t i = 0; i < ARRAY_LEN(enable_rows); i++)
            if (span_is(word, enable_rows[i].name))
                bits |= enable_rows[i].bit;
    } while (arg_sp(c));
    *ret = bits;
    return parse_end(c);
}

void cmd_enable(struct session *s, struct command_line *c)
{
    struct imap *m = imap_of(s);
    struct buf out BUF_AUTO = BUF(256);
    struct span args = c->args;
    unsigned bits;

    if (!parse_enable(&args, &bits)) {
        imap_syntax(s, c);
        return;
    }
    m->rev2 |= (bits & ENABLE_REV2) != 0;
    m->condstore |= (bits & (ENABLE_CONDSTORE | ENABLE_QRESYNC)) != 0;
    m->qresync |= (bits & ENABLE_QRESYNC) != 0;
    m->utf8 |= (bits & ENABLE_UTF8) != 0;
    buf_put_cstr(&out, "* ENABLED");
    for (size_t i = 0; i < ARRAY_LEN(enable_rows); i++)
        if (bits & enable_rows[i].bit) {
            buf_putc(&out, ' ');
            buf_put_cstr(&out, enable_rows[i].name);
        }
    buf_put_cstr(&out, "\r\n");
    session_put(s, buf_span(&out));
    imap_ok(s, c, "Enabled");
}

void cmd_namespace(struct session *s, struct command_line *c)
{
    session_puts(s, "* NAMESPACE ((\"\" \"/\")) ((\"" IMAP_OTHERS
                    "/\" \"/\")) ((\"Public/\" \"/\"))\r\n");
    imap_finish(s, c, true, "Namespace completed");
}
