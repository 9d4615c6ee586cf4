/* cmd_login.c: LOGIN and AUTHENTICATE. */
#include "imap/arg.h"
#include "imap/commands.h"

enum { PASSWORD_MAX = 1024, RESPONSE_LINE_MAX = 12288 };

/* Which outcome is which reply (RFC 5530). */
static const struct {
    const char *text;
    bool bad;
} outcomes[] = {
    [LOGIN_FAILED] = {"[AUTHENTICATIONFAILED] User or password wrong",                        false},
    [LOGIN_TEMPORARY] = {"[UNAVAILABLE] Login is not possible at the moment, try again shortly",
                      false                                                                        },
    [LOGIN_BAD_BASE64] = {"The response is not base64",                                           true },
    [LOGIN_CANCELLED] = {"Login cancelled",                                                      true },
    [LOGIN_UNKNOWN_MECHANISM] = {"[CANNOT] Mechanism not offered here",                                  false},
    [LOGIN_INVALID] = {"The response breaks the mechanism's rules",                            true },
};

static void answer(struct session *s, const struct command_line *c, enum auth_outcome o)
{
    struct buf text BUF_AUTO = BUF(2048);

    switch (o) {
    case LOGIN_GONE:
        break;
    case LOGIN_OK:
        s->state = IMAP_AUTHED;
        buf_put_cstr(&text, "[CAPABILITY ");
        imap_capabilities(s, &text);
        buf_put_cstr(&text, "] Logged in");
        imap_ok(s, c, buf_cstr(&text));
        break;
    default:
        if (outcomes[o].bad)
            imap_bad(s, c, outcomes[o].text);
        else
            imap_no(s, c, outcomes[o].text);
        if (s->closing)
            session_puts(s, "* BYE Too many failed logins\r\n");
        break;
    }
}

/* login = "LOGIN" SP userid SP password */
void cmd_login(struct session *s, struct command_line *c)
{
    struct span args = c->args, user, password;

    if (!arg_astring(&args, s->scratch, AUTH_NAME_MAX, &user) || !arg_sp(&args) ||
        !arg_astring(&args, s->scratch, PASSWORD_MAX, &password) || !parse_end(&args)) {
        imap_syntax(s, c);
        return;
    }
    answer(s, c, session_password(s, user, password));
}

static bool is_base64_char(unsigned char c)
{
    return ascii_is_alpha((char)c) || ascii_is_digit((char)c) || c == '+' || c == '/' || c == '=';
}

/* authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] ; initial-resp = base64 / "=" */
void cmd_authenticate(struct session *s, struct command_line *c)
{
    static const struct sasl_words words = {.challenge = "+ ", .line_max = RESPONSE_LINE_MAX};
    struct span args = c->args, mechanism, initial = SPAN_EMPTY;
    struct buf unused BUF_AUTO = BUF(AUTH_MESSAGE_MAX * 2);

    if (!arg_atom(&args, 40, &mechanism) ||
        (arg_sp(&args) && !parse_while(&args, is_base64_char, 1, RESPONSE_LINE_MAX, &initial)) ||
        !parse_end(&args)) {
        imap_syntax(s, c);
        return;
    }
    answer(s, c, session_sasl(s, mechanism, initial, &words, &unused));
}
