#include "capture/mask.h"

#include "base/check.h"
#include "base/parse.h"

/* Commands with a secret: so many arguments stay. */
static const struct {
    enum conf_protocol protocol;
    const char *word, *second; /* second: of a command of two words */
    unsigned shown;
    bool mechanism; /* the one that is shown is a mechanism of SASL, or nothing */
} hidden[] = {
    {PROTOCOL_SMTP,  "AUTH",         NULL,   1, true },
    {PROTOCOL_POP3,  "PASS",         NULL,   0, false},
    {PROTOCOL_POP3,  "APOP",         NULL,   1, false},
    {PROTOCOL_POP3,  "AUTH",         NULL,   1, true },
    {PROTOCOL_IMAP4, "LOGIN",        NULL,   1, false},
    {PROTOCOL_IMAP4, "AUTHENTICATE", NULL,   1, true },
    {PROTOCOL_NNTP,  "AUTHINFO",     "USER", 1, false},
    {PROTOCOL_NNTP,  "AUTHINFO",     "PASS", 0, false},
    {PROTOCOL_NNTP,  "AUTHINFO",     "SASL", 1, true },
    {PROTOCOL_NNTP,  "AUTHINFO",     NULL,   0, false},
};

static void put_hidden(struct buf *out, struct span secret)
{
    if (secret.n > 0)
        buf_printf(out, "%s\xe2\x97\x8f\xe2\x97\x8f\xe2\x97\x8f\xe2\x97\x8f (%zu bytes)",
                   out->n > 0 ? " " : "", secret.n);
}

static void put_word(struct buf *out, struct span word)
{
    if (out->n > 0)
        buf_putc(out, ' ');
    buf_put_span(out, word);
}

/* Who leaves the mechanism out may send the secret in its place. */
static bool is_mechanism(struct span s)
{
    static const char *const names[] = {"PLAIN",         "LOGIN",
                                        "CRAM-MD5",      "DIGEST-MD5",
                                        "EXTERNAL",      "ANONYMOUS",
                                        "GSSAPI",        "NTLM",
                                        "XOAUTH2",       "OAUTHBEARER",
                                        "SCRAM-SHA-1",   "SCRAM-SHA-1-PLUS",
                                        "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (span_is(s, names[i]))
            return true;
    return false;
}

/* Behind the command; taken: what is shown already. */
static void put_arguments(enum conf_protocol protocol, struct span word, struct span rest,
                          struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
        struct span after = rest, second, one;
        if (hidden[i].protocol != protocol || !span_is(word, hidden[i].word))
            continue;
        if (hidden[i].second != NULL) {
            if (!parse_word(&after, 32, &second) || !span_is(second, hidden[i].second))
                continue;
            put_word(out, second);
            rest = after;
        }
        for (unsigned k = 0; k < hidden[i].shown; k++) {
            after = rest;
            if (!parse_word(&after, GRAMMAR_LINE_MAX, &one) ||
                (hidden[i].mechanism && !is_mechanism(one)))
                break;
            put_word(out, one);
            rest = after;
        }
        put_hidden(out, span_trim(rest));
        return;
    }
    if (span_trim(rest).n > 0)
        put_word(out, span_trim(rest));
}

static void mask_command(enum conf_protocol protocol, struct span line, struct buf *out)
{
    struct span rest = line, tag = SPAN_EMPTY, word;

    if ((protocol == PROTOCOL_IMAP4 && !parse_word(&rest, GRAMMAR_LINE_MAX, &tag)) ||
        !parse_word(&rest, GRAMMAR_LINE_MAX, &word) || !grammar_knows(protocol, word)) {
        put_hidden(out, line);
        return;
    }
    if (tag.n > 0)
        put_word(out, tag);
    put_word(out, word);
    put_arguments(protocol, word, rest, out);
}

/* ---- HTTP -------------------------------------------------------------------------------- */

static void mask_request(struct span line, struct buf *out)
{
    struct span rest = line, method, path;
    size_t query;

    /* a query may hold a password; what is no request may hold anything */
    if (!parse_word(&rest, 32, &method) || !parse_word(&rest, GRAMMAR_LINE_MAX, &path) ||
        !span_starts(span_trim(rest), SPAN("HTTP/"))) {
        put_hidden(out, line);
        return;
    }
    put_word(out, method);
    query = span_find(path, '?');
    put_word(out, span_head(path, query == SPAN_NONE ? path.n : query + 1));
    if (query != SPAN_NONE)
        put_hidden(out, span_skip(path, query + 1));
    put_word(out, span_head(span_trim(rest), 20));
}

static bool is_secret_field(struct span name)
{
    static const char *const parts[] = {"auth", "cookie", "token", "secret", "key", "pass"};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct span part = span_cstr(parts[i]);
        for (size_t at = 0; at + part.n <= name.n; at++)
            if (span_starts_nocase(span_skip(name, at), part))
                return true;
    }
    return false;
}

static void mask_field(struct span line, struct buf *out)
{
    size_t at = span_find(line, ':');

    if (at == SPAN_NONE || line.p[0] == ' ' || line.p[0] == '\t') {
        put_hidden(out, line); /* it goes on, perhaps with a secret */
    } else if (is_secret_field(span_head(line, at))) {
        put_word(out, span_head(line, at + 1));
        put_hidden(out, span_trim(span_skip(line, at + 1)));
    } else {
        buf_put_span(out, line);
    }
}

void mask_line(enum conf_protocol protocol, bool from_server, enum grammar_part part,
               struct span line, struct buf *out)
{
    struct buf one BUF_AUTO = BUF(GRAMMAR_LINE_MAX + 256);

    if (part == PART_SECRET)
        put_hidden(&one, line);
    else if (part == PART_FIELD)
        mask_field(line, &one);
    else if (from_server)
        buf_put_span(&one, line);
    else if (protocol == PROTOCOL_HTTP)
        mask_request(line, &one);
    else
        mask_command(protocol, line, &one);
    buf_put_span(out, buf_span(&one));
}
