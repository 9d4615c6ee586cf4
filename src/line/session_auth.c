/* session_auth.c: logging in, the same for every protocol: base64 on the wire, the exchange itself
 * in authd. */
#include "line/engine.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "directory/authd_msg.h"

#include <errno.h>

struct login_context {
    struct auth_context x;
    struct buf exporter, endpoint, certificate;
};

static void login_context_init(struct session *s, struct login_context *l)
{
    struct session_engine *e = s->engine;

    l->exporter = BUF(256);
    l->endpoint = BUF(256);
    l->certificate = BUF(AUTHD_CERTIFICATE_MAX);
    if (s->worker->auth != NULL) /* what changes while authd is asked is asked about again */
        e->auth_changes = auth_changes(s->worker->auth);
    l->x = (struct auth_context){
        .vserver = s->vserver->name,
        .protocol = s->protocol->name,
        .peer = e->peer,
        .trusted = e->trusted,
        .tls = s->tls,
        .session = s->number,
        .worker_generation = s->worker->generation,
    };
}

/* For mechanisms that may bind the channel. A password in a command binds nothing; deriving these
 * for it was a twentieth of a login's cost. */
static void login_context_bind(struct session *s, struct login_context *l)
{
    if (s->tls && conn_channel_binding(s->conn, "tls-exporter", &l->exporter))
        l->x.binding_exporter = buf_span(&l->exporter);
    if (s->tls && conn_channel_binding(s->conn, "tls-server-end-point", &l->endpoint))
        l->x.binding_endpoint = buf_span(&l->endpoint);
}

_Static_assert((int)CLIENT_NAMES_MAX == (int)AUTHD_CERTIFICATE_NAMES, "names");
_Static_assert((int)CLIENT_NAME_MAX == (int)NAME_ADDRESS_MAX, "names");
_Static_assert((int)CLIENT_LINE_MAX == (int)AUTHD_LINE_MAX, "lines");

static void login_context_certificate(struct login_context *l, const struct client_certificate *c)
{
    struct authd_certificate a = {.not_before = c->not_before,
                                  .not_after = c->not_after,
                                  .email_count = c->email_count,
                                  .upn_count = c->upn_count};

    memcpy(a.spki_sha256, c->spki_sha256, sizeof a.spki_sha256);
    memcpy(a.issuer_sha256, c->issuer_sha256, sizeof a.issuer_sha256);
    memcpy(a.serial, c->serial, sizeof a.serial);
    memcpy(a.subject, c->subject, sizeof a.subject);
    memcpy(a.issuer, c->issuer, sizeof a.issuer);
    memcpy(a.email, c->email, sizeof a.email);
    memcpy(a.upn, c->upn, sizeof a.upn);
    wr_authd_certificate(&l->certificate, &a);
    l->x.certificate = buf_span(&l->certificate);
}

static void login_context_done(struct login_context *l)
{
    buf_done(&l->certificate);
    buf_done(&l->exporter);
    buf_done(&l->endpoint);
}

const char *session_mechanisms(const struct session *s)
{
    return s->tls ? auth_mechanisms(true, true, s->engine->certificate) : "";
}

static void take_grant(struct session *s, const struct auth_result *user)
{
    s->user = *user;
    s->engine->grant_until_ms = clock_mono_ms() + AUTH_GRANT_SECONDS * UINT64_C(1000) / 2;
}

void session_confirm_login(struct session *s)
{
    struct auth_result fresh = {0};
    uint64_t changes;

    if (s->user.account == 0)
        return;
    changes = auth_changes(s->worker->auth); /* what changes meanwhile is asked about again */
    if (s->engine->auth_changes == changes && clock_mono_ms() < s->engine->grant_until_ms)
        return;
    switch (auth_regrant(s->worker->auth, span_of(s->user.grant, s->user.grant_bytes), &fresh)) {
    case AUTH_OK:
        take_grant(s, &fresh);
        s->engine->auth_changes = changes;
        break;
    case AUTH_TEMPFAIL: /* the grant holds; the next command asks again */
        break;
    default:
        session_farewell(s, "the account has changed: log in again");
    }
}

void session_logged_in(struct session *s, const struct auth_result *user)
{
    take_grant(s, user);
    s->engine->settled = true;
    s->engine->vserver->logins++;
    log_info("%s %s: session %llu: %s logged in", s->vserver->name, conn_peer_text(s->conn),
             (unsigned long long)s->number, user->address);
}

static enum auth_outcome login_outcome(struct session *s, enum auth_step step,
                                       const struct auth_result *user)
{
    switch (step) {
    case AUTH_OK:
        session_logged_in(s, user);
        return LOGIN_OK;
    case AUTH_TEMPFAIL:
        return LOGIN_TEMPORARY;
    case AUTH_UNKNOWN:
        return LOGIN_UNKNOWN_MECHANISM;
    case AUTH_INVALID:
        return LOGIN_INVALID;
    case AUTH_FAIL:
    case AUTH_CONTINUE:
        break;
    }
    s->engine->vserver->login_failures++;
    if (++s->auth_failures >= s->vserver->limits.auth_failures)
        session_end(s);
    return LOGIN_FAILED;
}

static void put_challenge(struct session *s, const struct sasl_words *w, struct span challenge)
{
    struct buf out BUF_AUTO = BUF(AUTH_MESSAGE_MAX * 2);
    buf_put_cstr(&out, w->challenge);
    base64_encode(&out, challenge);
    buf_put_cstr(&out, "\r\n");
    session_put(s, buf_span(&out));
}

/* One response line of the client, decoded. 0: there it is; else what the exchange ends with. */
static enum auth_outcome read_response(struct session *s, const struct sasl_words *w,
                                       struct buf *response)
{
    struct span line;
    int r = session_flush(s) < 0 ? -EPIPE : session_read_line(s, w->line_max, &line);
    if (r == -EMSGSIZE)
        return LOGIN_INVALID;
    if (r < 0)
        return LOGIN_GONE;
    if (span_eq(line, SPAN("*")))
        return LOGIN_CANCELLED;
    buf_clear(response);
    bool good = base64_decode(response, line);
    secret_wipe(s->engine->line.p, s->engine->line.n);
    return good ? LOGIN_OK : LOGIN_BAD_BASE64;
}

/* Of the handshake, or of the one that a resumed session goes back to. */
static void show_certificate(struct session *s, struct login_context *l, struct span mechanism)
{
    struct client_certificate c;
    const char *problem;

    if (s->engine->certificate && span_is(mechanism, "EXTERNAL") &&
        conn_client_certificate(s->conn, &c, &problem) && !problem)
        login_context_certificate(l, &c);
}

static bool refused(struct session *s, const struct client_certificate *c, const char *why)
{
    log_info("%s %s: session %llu: client certificate %s of %s is refused: %s", s->vserver->name,
             conn_peer_text(s->conn), (unsigned long long)s->number, c->serial,
             log_quote(span_cstr(c->subject)), why);
    return false;
}

bool session_look_at_client(struct session *s)
{
    char reason[AUTH_REASON_MAX + 1] = "";
    struct client_certificate c;
    struct login_context login;
    const char *problem;
    enum auth_step step;

    if (!conn_client_certificate(s->conn, &c, &problem))
        return s->vserver->client_certificates != CLIENT_CERTIFICATES_REQUIRE;
    s->engine->certificate = !problem;
    if (s->vserver->client_certificates != CLIENT_CERTIFICATES_REQUIRE) {
        if (problem)
            refused(s, &c, problem); /* which does no harm */
        return true;
    }
    if (problem)
        return refused(s, &c, problem);
    login_context_init(s, &login);
    login_context_certificate(&login, &c);
    step = auth_certificate(s->worker->auth, &login.x, reason);
    login_context_done(&login);
    if (step == AUTH_OK)
        return true;
    s->protocol->say(s, SESSION_SHUTDOWN, NULL, span_cstr(reason));
    session_end(s);
    return refused(s, &c, reason);
}

enum auth_outcome session_external(struct session *s)
{
    struct buf challenge BUF_AUTO = BUF(AUTH_MESSAGE_MAX);
    struct auth_exchange *exchange = NULL;
    struct auth_result user = {0};
    struct login_context login;
    enum auth_step step;

    if (!s->engine->certificate)
        return LOGIN_UNKNOWN_MECHANISM;
    login_context_init(s, &login);
    show_certificate(s, &login, SPAN("EXTERNAL"));
    step = auth_start(s->worker->auth, &login.x, SPAN("EXTERNAL"), SPAN(""), &exchange, &challenge,
                      &user);
    login_context_done(&login);
    auth_cancel(exchange);
    return login_outcome(s, step, &user);
}

enum auth_outcome session_sasl(struct session *s, struct span mechanism, struct span initial_base64,
                               const struct sasl_words *w, struct buf *final)
{
    struct buf response BUF_AUTO = BUF(AUTH_MESSAGE_MAX),
                        challenge BUF_AUTO = BUF(AUTH_MESSAGE_MAX);
    struct auth_exchange *exchange = NULL;
    struct auth_result user = {0};
    struct login_context login;
    struct span initial = SPAN_EMPTY;
    enum auth_outcome outcome = LOGIN_OK;
    enum auth_step step;

    if (!s->tls)
        return LOGIN_UNKNOWN_MECHANISM;
    if (initial_base64.p) {
        if (!span_eq(initial_base64, SPAN("=")) && !base64_decode(&response, initial_base64))
            return LOGIN_BAD_BASE64;
        initial = response.n ? buf_span(&response) : SPAN("");
    }
    s->doing = "AUTHENTICATE";
    login_context_init(s, &login);
    login_context_bind(s, &login);
    show_certificate(s, &login, mechanism);
    step = auth_start(s->worker->auth, &login.x, mechanism, initial, &exchange, &challenge, &user);
    while (step == AUTH_CONTINUE) {
        put_challenge(s, w, buf_span(&challenge));
        outcome = read_response(s, w, &response);
        if (outcome != LOGIN_OK) {
            auth_cancel(exchange);
            login_context_done(&login);
            return outcome;
        }
        buf_clear(&challenge);
        step = auth_continue(exchange, buf_span(&response), &challenge, &user);
    }
    login_context_done(&login);
    if (step == AUTH_OK && challenge.n) {
        if (w->final_in_success) {
            base64_encode(final, buf_span(&challenge));
        } else {
            put_challenge(s, w, buf_span(&challenge));
            outcome = read_response(s, w, &response);
            if (outcome != LOGIN_OK)
                return outcome;
            if (response.n)
                return LOGIN_INVALID;
        }
    }
    return login_outcome(s, step, &user);
}

enum auth_outcome session_password(struct session *s, struct span user_name, struct span password)
{
    struct auth_result user = {0};
    struct login_context login;

    if (!s->tls)
        return LOGIN_UNKNOWN_MECHANISM;
    login_context_init(s, &login);
    enum auth_step step = auth_password(s->worker->auth, &login.x, user_name, password, &user);
    login_context_done(&login);
    return login_outcome(s, step, &user);
}
