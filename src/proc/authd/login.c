/* login.c: SASL exchanges and passwords. Between two steps nothing of an exchange is kept here. */
#include "proc/authd/authd.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "sasl/auth.h"
#include "sasl/mechanism.h"
#include "sasl/seal.h"

#include <errno.h>

static void bad_message(const struct msg *m)
{
    log_warn("%s %u sent a message that cannot be read", role_name(link_peer(m->link)),
             link_instance(m->link));
    msg_reply(m, -EBADMSG, SPAN_EMPTY);
}

static void reply(const struct msg *m, const struct authd_answer *a)
{
    BUF_AUTO struct buf b = BUF(LINK_PAYLOAD_MAX);

    wr_authd_answer(&b, a);
    msg_reply(m, 0, buf_span(&b));
}

static void reply_step(struct authd *a, const struct msg *m, enum auth_step step, uint32_t delay_ms)
{
    if (step == AUTH_TEMPFAIL)
        a->count.temporary++;
    reply(m, &(struct authd_answer){.step = (uint8_t)step, .delay_ms = delay_ms});
}

static int seal_grant(const struct authd *a, const struct directory_account *account,
                      uint64_t session, uint32_t worker_generation, struct buf *out)
{
    const struct recent_account *now;
    struct grant g = {
        .account = account->id,
        .rights = account->rights,
        .worker_generation = worker_generation,
        .session = session,
        .expires_seconds = clock_seconds() + AUTH_GRANT_SECONDS,
        .epoch = account->epoch,
    };

    int rc = recent_login(a->recent, span_cstr(account->address), &now);
    if (rc < 0)
        return rc;
    g.group_count = now->group_count;
    memcpy(g.groups, now->groups, now->group_count * sizeof g.groups[0]);
    grant_seal(&g, a->child->grant_secret, out);
    return 0;
}

static void reply_ok(struct authd *a, const struct msg *m, const struct directory_account *account,
                     uint64_t session, uint32_t worker_generation, uint32_t delay_ms,
                     struct span challenge)
{
    BUF_AUTO struct buf grant = BUF(AUTHD_GRANT_MAX);

    if (seal_grant(a, account, session, worker_generation, &grant) < 0) {
        reply_step(a, m, AUTH_TEMPFAIL, delay_ms);
        return;
    }
    reply(m, &(struct authd_answer){
                 .step = AUTH_OK,
                 .delay_ms = delay_ms,
                 .challenge = challenge,
                 .account = account->id,
                 .address = span_cstr(account->address),
                 .rights = account->rights,
                 .grant = buf_span(&grant),
             });
}

void login_conclude(struct attempt *t, const struct msg *m, enum verdict v, const char *authzid,
                    struct span challenge)
{
    struct authd *a = t->a;

    if (v == VERDICT_BUSY) {
        reply_step(a, m, AUTH_TEMPFAIL, t->delay_ms);
    } else if (v == VERDICT_BAD || !attempt_allowed(t, authzid)) {
        a->count.failures++;
        attempt_log_failure(t);
        reply_step(a, m, AUTH_FAIL, t->delay_ms);
    } else {
        a->count.logins++;
        reply_ok(a, m, &t->account, t->context->session, t->context->worker_generation, t->delay_ms,
                 challenge);
    }
}

/* suspends */
static void try_password(struct authd *a, const struct msg *m, const struct authd_context *x,
                         const char *user, const char *authzid, struct span password)
{
    struct attempt t;

    attempt_init(&t, a, x, user);
    enum verdict v = attempt_password(&t, password);
    login_conclude(&t, m, v, authzid, SPAN_EMPTY);
    if (v == VERDICT_GOOD)
        attempt_refresh_hash(&t, password);
    attempt_done(&t);
}

/* ------------------------------------------------------------------ SASL */
static void keys_of(const struct attempt *t, struct scram_credential *ret)
{
    if (t->known)
        *ret = t->credential.scram;
    else
        scram_make_up(span_cstr(t->name), directory_secret(t->a->reader), ret);
}

static void reply_continue(struct authd *a, const struct msg *m, const struct sasl_exchange *x,
                           uint64_t session, struct span challenge)
{
    BUF_AUTO struct buf state = BUF(AUTHD_STATE_MAX);

    sasl_seal(x, session, a->child->grant_secret, clock_seconds(), &state);
    reply(m, &(struct authd_answer){
                 .step = AUTH_CONTINUE, .challenge = challenge, .state = buf_span(&state)});
}

/* SCRAM's first step: salt and iterations, made up for who does not exist. */
static void give_salt(struct authd *a, const struct msg *m, const struct authd_context *context,
                      struct sasl_exchange *x, struct buf *challenge)
{
    struct attempt t;
    struct scram_credential keys;

    attempt_init(&t, a, context, x->user);
    if (attempt_look_up(&t) == VERDICT_GOOD) {
        keys_of(&t, &keys);
        sasl_credential(x, &keys, challenge);
        reply_continue(a, m, x, context->session, buf_span(challenge));
    } else {
        reply_step(a, m, AUTH_TEMPFAIL, 0);
    }
    secret_wipe(&keys, sizeof keys);
    attempt_done(&t);
}

/* SCRAM's last step. suspends */
static void check_proof(struct authd *a, const struct msg *m, const struct authd_context *context,
                        struct sasl_exchange *x, struct buf *challenge)
{
    struct attempt t;
    struct scram_credential keys;

    attempt_init(&t, a, context, x->user);
    enum verdict v = attempt_enter(&t);
    if (v == VERDICT_GOOD) {
        v = attempt_look_up(&t);
        if (v == VERDICT_GOOD) {
            keys_of(&t, &keys);
            if (sasl_credential(x, &keys, challenge) != SASL_PROVEN || !t.known)
                v = VERDICT_BAD;
            secret_wipe(&keys, sizeof keys);
        }
        attempt_leave(&t, v, 0);
        if (v == VERDICT_BAD)
            t.reason = t.known ? "wrong password" : "no such account";
    }
    login_conclude(&t, m, v, x->authzid, buf_span(challenge));
    attempt_done(&t);
}

/* Well-formed, and refused without looking at a password: counts as a failure all the same. */
static void refuse(struct authd *a, const struct msg *m, const struct authd_context *context,
                   const struct sasl_exchange *x)
{
    struct attempt t;

    attempt_init(&t, a, context, x->user);
    enum verdict v = attempt_enter(&t);
    if (v == VERDICT_GOOD) {
        attempt_leave(&t, VERDICT_BAD, 0);
        t.reason = "refused by the mechanism";
        v = VERDICT_BAD;
    }
    login_conclude(&t, m, v, "", SPAN_EMPTY);
    attempt_done(&t);
}

/* suspends */
static void act(struct authd *a, const struct msg *m, const struct authd_context *context,
                struct sasl_exchange *x, enum sasl_outcome outcome, struct buf *challenge)
{
    switch (outcome) {
    case SASL_CONTINUE:
        reply_continue(a, m, x, context->session, buf_span(challenge));
        return;
    case SASL_CREDENTIAL:
        give_salt(a, m, context, x, challenge);
        return;
    case SASL_PROOF:
        check_proof(a, m, context, x, challenge);
        return;
    case SASL_PASSWORD:
        try_password(a, m, context, x->user, x->authzid, buf_span(&x->password));
        return;
    case SASL_EXTERNAL:
        external_try(a, m, context, x->authzid);
        return;
    case SASL_FAILED:
    case SASL_PROVEN: /* comes out of sasl_credential only */
        refuse(a, m, context, x);
        return;
    case SASL_INVALID:
        reply_step(a, m, AUTH_INVALID, 0);
        return;
    }
}

static bool has_binding(const struct authd_context *x)
{
    return x->binding_exporter.n || x->binding_endpoint.n;
}

static void set_bindings(struct sasl_exchange *x, const struct authd_context *context)
{
    x->binding_exporter = context->binding_exporter;
    x->binding_endpoint = context->binding_endpoint;
}

void msg_auth_start(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct authd_start s;
    struct sasl_exchange x;
    BUF_AUTO struct buf challenge = BUF(AUTHD_CHALLENGE_MAX);

    if (!rd_authd_start(m->body, &s)) {
        bad_message(m);
        return;
    }
    const struct sasl_mechanism *mechanism =
        sasl_mechanism_find(s.mechanism, s.context.tls, has_binding(&s.context));
    if (!mechanism || (mechanism->certificate && !s.context.certificate.n)) {
        reply_step(a, m, AUTH_UNKNOWN, 0);
        return;
    }
    sasl_exchange_init(&x, mechanism);
    set_bindings(&x, &s.context);
    enum sasl_outcome outcome = sasl_begin(&x, s.initial, &challenge);
    act(a, m, &s.context, &x, outcome, &challenge);
    sasl_exchange_done(&x);
}

void msg_auth_continue(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct authd_continue c;
    struct sasl_exchange x;
    BUF_AUTO struct buf challenge = BUF(AUTHD_CHALLENGE_MAX);

    if (!rd_authd_continue(m->body, &c)) {
        bad_message(m);
        return;
    }
    if (sasl_open(c.state, c.context.session, a->child->grant_secret, clock_seconds(), &x) &&
        c.context.tls) {
        set_bindings(&x, &c.context);
        act(a, m, &c.context, &x, sasl_respond(&x, c.response, &challenge), &challenge);
    } else {
        reply_step(a, m, AUTH_FAIL, 0);
    }
    sasl_exchange_done(&x);
}

/* ------------------------------------------------------------------ user and password, grants */
void msg_auth_password(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct authd_password p;
    struct sasl_exchange x;

    if (!rd_authd_password(m->body, &p)) {
        bad_message(m);
        return;
    }
    if (!p.context.tls) {
        reply_step(a, m, AUTH_UNKNOWN, 0);
        return;
    }
    sasl_exchange_init(&x, NULL);
    if (sasl_put_user(x.user, p.user) && name_password_prepare(p.password, &x.password))
        try_password(a, m, &p.context, x.user, "", buf_span(&x.password));
    else
        refuse(a, m, &p.context, &x);
    sasl_exchange_done(&x);
}

void msg_auth_regrant(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    struct directory_account account;
    struct grant g;

    if (!grant_open(m->body, a->child->grant_secret, clock_seconds(), &g)) {
        reply_step(a, m, AUTH_FAIL, 0);
        return;
    }
    int rc = directory_account_get(a->reader, g.account, &account);
    if (rc < 0 && rc != -ENOENT)
        reply_step(a, m, AUTH_TEMPFAIL, 0);
    else if (rc < 0 || account.state != ACCOUNT_STATE_ENABLED || account.epoch != g.epoch)
        reply_step(a, m, AUTH_FAIL, 0);
    else
        reply_ok(a, m, &account, g.session, g.worker_generation, 0, SPAN_EMPTY);
}
