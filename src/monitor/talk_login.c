/* talk_login.c: logging in by SASL PLAIN, SCRAM-SHA-256 and EXTERNAL. */
#include "base/base64.h"
#include "base/check.h"
#include "base/parse.h"
#include "base/random.h"
#include "monitor/scram.h"
#include "monitor/talk.h"

#include <errno.h>

enum { TOKEN_MAX = 4096, ROUNDS_MAX = 4 };

/* A response as the protocol wants it on a line of its own; wiped afterwards. */
static enum reply_kind respond(struct talk *t, struct span response)
{
    struct buf line = BUF(2 * TOKEN_MAX);
    enum reply_kind kind = REPLY_NONSENSE;

    buf_reserve(&line, 2 * TOKEN_MAX);
    base64_encode(&line, response);
    buf_put_cstr(&line, "\r\n");
    if (talk_put(t, buf_span(&line)))
        kind = talk_reply(t);
    secret_wipe(line.p, line.cap);
    buf_done(&line);
    return kind;
}

bool talk_login_plain(struct talk *t, const struct probe_login *l)
{
    struct buf token = BUF(TOKEN_MAX);
    enum reply_kind kind;

    buf_reserve(&token, TOKEN_MAX);
    buf_putc(&token, '\0');
    buf_put_cstr(&token, l->user);
    buf_putc(&token, '\0');
    buf_put_cstr(&token, l->password);
    kind = talk_command(t, "%s PLAIN", talk_auth_words(t->protocol));
    if (!t->failed && kind != REPLY_CONTINUE)
        talk_fail(t, "PLAIN is not taken: %s", t->last);
    if (!t->failed)
        kind = respond(t, buf_span(&token));
    secret_wipe(token.p, token.cap);
    buf_done(&token);
    if (!t->failed && kind != REPLY_OK)
        talk_fail(t, "login of %s is refused: %s", l->user, t->last);
    return !t->failed;
}

bool talk_login_external(struct talk *t, const char *user)
{
    enum reply_kind kind = talk_command(t, "%s EXTERNAL", talk_auth_words(t->protocol));

    if (!t->failed && kind != REPLY_CONTINUE)
        talk_fail(t, "EXTERNAL is not taken: %s", t->last);
    if (!t->failed && respond(t, span_cstr(user)) != REPLY_OK)
        talk_fail(t, "login of %s by certificate is refused: %s", user, t->last);
    return !t->failed;
}

/* The server's next word, decoded. */
static bool challenge(struct talk *t, struct buf *out)
{
    struct span line = span_cstr(t->last);

    buf_clear(out);
    if (!reply_challenge(t->protocol, line, out))
        talk_fail(t, "a challenge that is no base64: %s", t->last);
    return !t->failed;
}

bool talk_login_scram(struct talk *t, const struct probe_login *l)
{
    struct scram s;
    struct buf out BUF_AUTO = BUF(TOKEN_MAX), in BUF_AUTO = BUF(TOKEN_MAX);
    enum reply_kind kind = talk_command(t, "%s SCRAM-SHA-256", talk_auth_words(t->protocol));

    if (!t->failed && kind != REPLY_CONTINUE)
        talk_fail(t, "SCRAM-SHA-256 is not taken: %s", t->last);
    scram_init(&s, l->user, l->password);
    scram_first(&s, &out);
    if (!t->failed && respond(t, buf_span(&out)) != REPLY_CONTINUE)
        talk_fail(t, "SCRAM-SHA-256 ends early: %s", t->last);
    if (!t->failed && challenge(t, &in)) {
        buf_clear(&out);
        if (!scram_final(&s, buf_span(&in), &out))
            talk_fail(t, "the server's first SCRAM message breaks RFC 5802");
        else if (respond(t, buf_span(&out)) != REPLY_CONTINUE)
            talk_fail(t, "SCRAM login of %s is refused: %s", l->user, t->last);
    }
    if (!t->failed && challenge(t, &in)) {
        /* a server that does not know the password cannot say this */
        if (!scram_server_proved(&s, buf_span(&in)))
            talk_fail(t, "the server did not prove that it knows the password");
        else if (respond(t, SPAN_EMPTY) != REPLY_OK)
            talk_fail(t, "SCRAM login of %s is refused at its end: %s", l->user, t->last);
    }
    scram_done(&s);
    return !t->failed;
}
