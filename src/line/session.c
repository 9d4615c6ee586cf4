/* session.c: the life of a session: opening, working through what has arrived, waiting without a
 * fiber, the end. */
#include "line/engine.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SESSION_ARENA_MAX = 256 << 10, SCRATCH_ARENA_MAX = 8 << 20 };
enum {
    TURN_MS = 5,
    TRICKLE_BYTES_A_SECOND = 100, /* a literal or a message that comes slower is given up */
    FORGIVEN_AFTER = 50,          /* good commands of a logged in session, for one bad one */
};

static void session_main(void *arg);

struct session *session_new(struct worker *w, struct worker_vserver *v, struct held_conf *h,
                            const struct conf_endpoint *endpoint, struct conn *take_conn,
                            const struct in6_addr *peer, bool trusted, bool busy)
{
    struct session *s =
        calloc(1, sizeof(*s) + sizeof(struct session_engine) + v->protocol->data_bytes);
    CHECK(s);
    struct session_engine *e = (struct session_engine *)(s + 1);
    s->engine = e;
    s->worker = w;
    s->protocol = v->protocol;
    s->conf = h->conf;
    s->vserver = conf_vserver_by_name(h->conf, v->name);
    s->endpoint = endpoint;
    s->conn = take_conn;
    s->number = ++w->last_number;
    s->started = clock_seconds();
    s->state = v->protocol->initial_state;
    s->arena = arena_new(SESSION_ARENA_MAX);
    s->scratch = arena_new(SCRATCH_ARENA_MAX);
    s->doing = "opening";
    e->vserver = v;
    e->held = h;
    h->refs++;
    e->peer = *peer;
    e->trusted = trusted;
    e->busy = busy;
    e->idle_since_ms = clock_mono_ms();
    e->login_deadline_ms = e->idle_since_ms + UINT64_C(1000) * s->vserver->limits.login_timeout;
    buf_init(&e->command,
             (size_t)s->vserver->limits.line_bytes + s->vserver->limits.literal_bytes + 16);
    buf_init(&e->line, (size_t)s->vserver->limits.line_bytes + AUTH_MESSAGE_MAX * 2);
    list_append(&w->sessions, &s->in_worker);
    w->session_count++;
    v->sessions++;
    return s;
}

void *session_data(struct session *s)
{
    return (char *)(s + 1) + sizeof(struct session_engine);
}

static void session_free(struct session *s)
{
    struct session_engine *e = s->engine;
    struct worker *w = s->worker;
    struct worker_vserver *v = e->vserver;

    if (s->protocol->close && e->opened)
        s->protocol->close(s);
    v->bytes_in += conn_bytes_in(s->conn);
    v->bytes_out += conn_bytes_out(s->conn);
    conn_free(s->conn);
    list_remove(&s->in_worker);
    buf_done(&e->command);
    buf_done(&e->line);
    free(e->kill_reason);
    arena_free(s->scratch);
    arena_free(s->arena);
    session_left(w, v, &e->peer, e->held);
    secret_wipe(&s->user, sizeof(s->user));
    free(s);
}

/* ------------------------------------------------------------------ waiting */

static uint64_t idle_ms(const struct session *s)
{
    return UINT64_C(1000) * s->vserver->limits.idle_timeout;
}

static uint64_t until(const struct session *s, uint64_t deadline_ms)
{
    const struct session_engine *e = s->engine;
    uint64_t now = clock_mono_ms();

    if (!e->settled && !e->diverted && e->login_deadline_ms < deadline_ms)
        deadline_ms = e->login_deadline_ms;
    return deadline_ms > now ? deadline_ms - now : 1;
}

static uint64_t wait_ms(const struct session *s)
{
    const struct session_engine *e = s->engine;
    return until(s, e->idle_since_ms + (e->diverted && e->divert_ms ? e->divert_ms : idle_ms(s)));
}

uint64_t session_patience_ms(const struct session *s)
{
    return until(s, clock_mono_ms() + idle_ms(s));
}

void session_settled(struct session *s)
{
    s->engine->settled = true;
}

static void on_idle_over(void *arg, int events)
{
    struct session *s = arg;
    struct session_engine *e = s->engine;

    CHECK(!e->working);
    e->working = true;
    if (events == 0)
        e->timed_out = true;
    else
        e->readable = true;
    fiber_start(s->worker->loop, session_main, s, "session");
}

static void session_work(struct session *s)
{
    struct session_engine *e = s->engine;
    if (e->working)
        return;
    conn_idle(s->conn, 0, NULL, NULL);
    e->working = true;
    fiber_start(s->worker->loop, session_main, s, "session");
}

void session_start(struct session *s)
{
    s->engine->working = true;
    fiber_start(s->worker->loop, session_main, s, "session");
}

void session_wake(struct session *s)
{
    s->engine->wake_pending = true;
    session_work(s);
}

void session_confirm_soon(struct session *s)
{
    if (s->protocol->run) /* each request asks for itself */
        return;
    s->engine->confirm_pending = true;
    session_work(s);
}

void session_farewell(struct session *s, const char *reason)
{
    struct session_engine *e = s->engine;
    if (!e->kill_reason) {
        e->kill_reason = strdup(reason);
        CHECK(e->kill_reason);
    }
    if (e->resting)
        conn_abort(s->conn); /* it waits inside run(): there is nobody to say goodbye to */
    else
        session_work(s);
}

bool session_rest(struct session *s, bool on)
{
    s->engine->resting = on;
    return !s->engine->kill_reason;
}

void session_kill(struct session *s, const char *reason)
{
    bool working = s->engine->working;
    session_farewell(s, reason);
    if (working)
        conn_abort(s->conn); /* its fiber is in the middle of something: no farewell fits there */
}

/* ------------------------------------------------------------------ output */

static void connection_failed(struct session *s, int error)
{
    struct session_engine *e = s->engine;
    if (!e->broken && error != -ECONNRESET && error != -ECONNABORTED && error != -EPIPE)
        log_info("%s %s: session %llu: %s", s->vserver->name, conn_peer_text(s->conn),
                 (unsigned long long)s->number, conn_error(s->conn));
    e->broken = true;
    s->closing = true;
}

void session_put(struct session *s, struct span bytes)
{
    if (s->engine->broken)
        return;
    int r = conn_put(s->conn, bytes);
    if (r < 0)
        connection_failed(s, r);
}

void session_puts(struct session *s, const char *text)
{
    session_put(s, span_cstr(text));
}

void session_printf(struct session *s, const char *fmt, ...)
{
    char small[512], *text = small;
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    if ((size_t)n >= sizeof(small)) {
        text = malloc((size_t)n + 1);
        CHECK(text);
        va_start(ap, fmt);
        vsnprintf(text, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    session_put(s, span_of(text, (size_t)n));
    if (text != small)
        free(text);
}

int session_flush(struct session *s)
{
    if (s->engine->broken)
        return -EPIPE;
    int r = conn_flush(s->conn);
    if (r < 0)
        connection_failed(s, r);
    return r;
}

/* ------------------------------------------------------------------ input */

void session_give_turn(struct session *s)
{
    struct session_engine *e = s->engine;
    if (clock_mono_ms() - e->turn_began_ms < TURN_MS)
        return;
    fiber_yield();
    e->turn_began_ms = clock_mono_ms();
}

bool session_fill(struct session *s, uint64_t timeout_ms)
{
    if (s->engine->broken)
        return false;
    session_give_turn(s); /* a client that sends faster than we work never makes conn_fill wait */
    int r = conn_fill(s->conn, timeout_ms);
    if (r > 0)
        return true;
    if (r == -ETIMEDOUT) {
        s->engine->vserver->timeouts++;
        s->protocol->say(s, SESSION_TIMEOUT, NULL, SPAN_EMPTY);
        s->closing = true;
    } else {
        connection_failed(s, r == 0 ? -ECONNRESET : r);
    }
    return false;
}

bool session_fill_paced(struct session *s, struct pace *p)
{
    uint64_t had = conn_bytes_in(s->conn);
    uint64_t deadline =
        p->began_ms + idle_ms(s) + p->bytes * UINT64_C(1000) / TRICKLE_BYTES_A_SECOND;
    uint64_t now = clock_mono_ms(), patience = session_patience_ms(s);

    if (deadline < now + patience)
        patience = deadline > now ? deadline - now : 1;
    if (!session_fill(s, patience))
        return false;
    p->bytes += conn_bytes_in(s->conn) - had;
    return true;
}

/* ------------------------------------------------------------------ TLS */

bool session_needs_tls(const struct session *s)
{
    return !s->tls &&
           (s->vserver->require_secure_channel || s->endpoint->policy == POLICY_STARTTLS_REQUIRED);
}

bool session_is_trusted(const struct session *s)
{
    return s->engine->trusted;
}

bool session_can_start_tls(const struct session *s)
{
    return !s->tls && tls_context_has_identity(s->engine->vserver->tls) &&
           (s->endpoint->policy == POLICY_STARTTLS_REQUIRED ||
            s->endpoint->policy == POLICY_OPPORTUNISTIC);
}

static bool is_weak(const struct session *s)
{
    return s->vserver->require_128bit && conn_cipher_bits(s->conn) < 128;
}

static bool greet(struct session *s)
{
    s->engine->opened = true;
    s->doing = "greeting";
    return !s->protocol->open || s->protocol->open(s);
}

/* With our last word of the handshake: one packet and one wait of both sides less. */
static void greet_early(void *arg)
{
    struct session *s = arg;

    s->tls = true;
    if (!is_weak(s) && !greet(s))
        s->closing = true;
}

static bool shake_hands(struct session *s, bool then_greet)
{
    bool early = then_greet && s->protocol->open &&
                 s->vserver->client_certificates == CLIENT_CERTIFICATES_IGNORE;
    int r = conn_accept_tls_greeting(s->conn, UINT64_C(1000) * s->vserver->limits.login_timeout,
                                     early ? greet_early : NULL, s);
    if (r < 0) {
        connection_failed(s, r);
        return false;
    }
    s->tls = true;
    if (is_weak(s)) {
        s->protocol->say(s, SESSION_WEAK, NULL, SPAN_EMPTY);
        session_end(s);
        return false;
    }
    return s->vserver->client_certificates == CLIENT_CERTIFICATES_IGNORE ||
           session_look_at_client(s);
}

bool session_start_tls(struct session *s)
{
    if (session_flush(s) < 0 || !shake_hands(s, false))
        return false;
    s->state = s->protocol->initial_state;
    s->engine->idle_since_ms = clock_mono_ms();
    if (s->protocol->tls_started)
        s->protocol->tls_started(s);
    return true;
}

/* ------------------------------------------------------------------ course */

void session_end(struct session *s)
{
    s->closing = true;
}

void session_error(struct session *s)
{
    s->engine->vserver->protocol_errors++;
    if (++s->errors < s->vserver->limits.errors || s->closing)
        return;
    log_info("%s %s: session %llu ended after %u bad commands", s->vserver->name,
             conn_peer_text(s->conn), (unsigned long long)s->number, s->errors);
    s->protocol->say(s, SESSION_TOO_MANY_ERRORS, NULL, SPAN_EMPTY);
    session_end(s);
}

void session_divert(struct session *s, bool on, uint64_t idle_ms)
{
    s->engine->diverted = on;
    s->engine->divert_ms = idle_ms;
}

/* A mail client may be logged in for months: what it got wrong last week must not end it today. */
static void forgive(struct session *s)
{
    struct session_engine *e = s->engine;
    if (!s->user.account || !s->errors || ++e->good_commands < FORGIVEN_AFTER)
        return;
    e->good_commands = 0;
    s->errors--;
}

static bool session_open(struct session *s)
{
    struct session_engine *e = s->engine;

    if (e->busy) {
        if (s->endpoint->policy != POLICY_TLS_ONLY)
            s->protocol->say(s, SESSION_BUSY, NULL, SPAN_EMPTY);
        return false;
    }
    if (s->endpoint->policy == POLICY_TLS_ONLY && !shake_hands(s, true))
        return false;
    return e->opened ? !s->closing : greet(s);
}

/* After conn_idle has seen something come. False: it was nothing for us (a record of TLS itself).
 */
static bool take_what_is_there(struct session *s)
{
    s->engine->readable = false;
    int r = conn_fill(s->conn, 0);
    if (r == -ETIMEDOUT)
        return false;
    if (r <= 0)
        connection_failed(s, r == 0 ? -ECONNRESET : r);
    else
        s->engine->idle_since_ms = clock_mono_ms();
    return true;
}

/* One thing that is to be done now; false when there is nothing but to wait. */
static bool session_step(struct session *s)
{
    struct session_engine *e = s->engine;
    struct command_line c;

    if (e->kill_reason) {
        s->protocol->say(s, SESSION_SHUTDOWN, NULL, span_cstr(e->kill_reason));
        session_end(s);
        return true;
    }
    if (e->confirm_pending) { /* before a wake-up, which would show what has come since */
        e->confirm_pending = false;
        session_confirm_login(s);
        return true;
    }
    if (e->timed_out) {
        e->vserver->timeouts++;
        s->protocol->say(s, SESSION_TIMEOUT, NULL, SPAN_EMPTY);
        session_end(s);
        return true;
    }
    if (e->wake_pending) {
        e->wake_pending = false;
        s->doing = "notifying";
        if (s->protocol->wake)
            s->protocol->wake(s);
        return true;
    }
    switch (command_read(s, &c)) {
    case COMMAND_READY:
        break;
    case COMMAND_MORE:
        if (conn_peek(s->conn).n == 0)
            return e->readable && take_what_is_there(s);
        /* part of a line: its rest has to come before the time for a whole command is over */
        s->doing = "reading";
        session_fill(s, wait_ms(s));
        return true;
    case COMMAND_REFUSED:
    case COMMAND_OVER:
        return true;
    }
    session_confirm_login(s);
    if (e->kill_reason)
        return true;
    unsigned errors = s->errors;
    s->commands++;
    e->vserver->commands++;
    if (e->diverted)
        s->protocol->line(s, c.whole);
    else
        command_dispatch(s, &c);
    command_skip_stream(s);
    if (c.row && c.row->flags & COMMAND_LOGIN)
        secret_wipe(e->command.p, e->command.n);
    arena_reset(s->scratch);
    if (s->errors == errors)
        forgive(s);
    e->idle_since_ms = clock_mono_ms();
    session_give_turn(s);
    return true;
}

static void session_main(void *arg)
{
    struct session *s = arg;
    struct session_engine *e = s->engine;

    e->turn_began_ms = clock_mono_ms();
    if (!e->opened && !session_open(s))
        s->closing = true;
    if (!s->closing && s->protocol->run) {
        s->doing = "serving";
        s->protocol->run(s);
        s->closing = true;
    }
    while (!s->closing) {
        if (session_step(s))
            continue;
        if (session_flush(s) < 0)
            break;
        /* the flush may have let input or a wake-up in */
        if (conn_peek(s->conn).n || e->wake_pending || e->confirm_pending || e->kill_reason)
            continue;
        buf_clear(&e->command);
        buf_shrink(&e->command);
        buf_clear(&e->line);
        buf_shrink(&e->line);
        s->doing = e->diverted ? "idle" : "waiting";
        e->working = false;
        conn_idle(s->conn, wait_ms(s), on_idle_over, s);
        return;
    }
    if (!e->broken)
        conn_shutdown(s->conn);
    if (e->busy)
        conn_wait_end(s->conn); /* counts until then: refusals have a limit too */
    session_free(s);
}
