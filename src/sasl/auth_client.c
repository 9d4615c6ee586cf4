#include "sasl/auth.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "directory/authd_msg.h"
#include "sasl/known.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    AWAY_MS = 15000, /* how long a call waits for an authd that is being restarted */
    CALL_MS = 40000, /* for an answer: throttling delays are part of it */
    RETRY_PAUSE_MS = 20,
    CONTEXT_MAX = 1024 + AUTHD_CERTIFICATE_MAX,
    RESOLVE_TRIES = 3, /* when the directory changes between two pages */
};

_Static_assert((int)AUTH_NAME_MAX == (int)NAME_ADDRESS_MAX, "addresses");
_Static_assert((int)AUTH_REASON_MAX == (int)AUTHD_LINE_MAX, "reasons");
_Static_assert((int)AUTH_MESSAGE_MAX == (int)AUTHD_SASL_MAX, "messages");
_Static_assert(AUTH_UNKNOWN + 1 == (int)AUTHD_STEPS, "steps");

struct auth_client {
    uint64_t link; /* 0: away */
    struct fiber_cond attached;
    struct known *known; /* NULL: nobody tells when to forget */
    uint64_t changes;
};

struct auth_client *auth_client_new(void)
{
    struct auth_client *c = calloc(1, sizeof *c);

    CHECK(c);
    return c;
}

void auth_client_attach(struct auth_client *c, struct link *authd)
{
    c->link = authd ? link_id(authd) : 0;
    if (authd) {
        auth_client_changed(c);
        fiber_cond_broadcast(&c->attached);
    }
}

void auth_client_remember(struct auth_client *c)
{
    if (!c->known)
        c->known = known_new();
}

void auth_client_changed(struct auth_client *c)
{
    c->changes++;
    if (c->known)
        known_forget(c->known);
}

uint64_t auth_changes(const struct auth_client *c)
{
    return c->changes;
}

void auth_client_free(struct auth_client *c)
{
    if (c)
        known_free(c->known);
    free(c);
}

/*
 * All requests may be repeated: authd keeps nothing of an exchange, its state travels with the
 * request. So an authd that dies costs the time of its restart. suspends
 */
static int call(struct auth_client *c, enum msg_id id, struct span body, struct buf *reply)
{
    uint64_t give_up = clock_mono_ms() + AWAY_MS;

    for (;;) {
        uint64_t used = c->link;
        struct link *l = used ? link_by_id(used) : NULL;
        if (l) {
            buf_clear(reply);
            int rc = link_call(l, id, body, NULL, 0, CALL_MS, reply, NULL);
            if (rc != -EPIPE)
                return rc;
        }
        uint64_t now = clock_mono_ms();
        if (now >= give_up)
            return -EPIPE;
        /* a link that just closed may not have been taken from us yet */
        if (c->link == 0)
            fiber_cond_wait(&c->attached, give_up - now);
        else if (c->link == used)
            fiber_sleep_ms(RETRY_PAUSE_MS);
    }
}

/* ------------------------------------------------------------------ logins */
struct auth_exchange {
    struct auth_client *client;
    struct buf context; /* encoded */
    struct buf state;   /* as authd sealed it */
};

static void put_context(struct buf *b, const struct auth_context *x)
{
    struct authd_context c = {
        .peer = x->peer,
        .trusted = x->trusted,
        .tls = x->tls,
        .session = x->session,
        .worker_generation = x->worker_generation,
        .binding_exporter = x->binding_exporter,
        .binding_endpoint = x->binding_endpoint,
        .certificate = x->certificate,
    };

    CHECK(span_to_cstr(span_cstr(x->vserver), c.vserver, sizeof c.vserver) &&
          span_to_cstr(span_cstr(x->protocol), c.protocol, sizeof c.protocol));
    wr_authd_context(b, &c);
}

static bool take_result(const struct authd_answer *a, struct auth_result *ret)
{
    struct auth_result r = {.account = a->account, .rights = a->rights, .delay_ms = a->delay_ms};

    if (a->grant.n > sizeof r.grant || !span_to_cstr(a->address, r.address, sizeof r.address))
        return false;
    memcpy(r.grant, a->grant.p, a->grant.n);
    r.grant_bytes = (unsigned)a->grant.n;
    *ret = r;
    return true;
}

/* suspends. The state of the next step is put into `state` (may be NULL where there is none). */
static enum auth_step ask(struct auth_client *c, enum msg_id id, struct span body,
                          struct buf *challenge, struct buf *state, struct auth_result *ret_result)
{
    BUF_AUTO struct buf reply = BUF(LINK_PAYLOAD_MAX);
    struct authd_answer a;
    int rc = call(c, id, body, &reply);

    if (rc < 0) {
        log_warn("authd does not answer: %s", strerror(-rc));
        return AUTH_TEMPFAIL;
    }
    if (!rd_authd_answer(buf_span(&reply), &a)) {
        log_error("authd sent an answer that cannot be read");
        return AUTH_TEMPFAIL;
    }
    if (challenge && !buf_put_span(challenge, a.challenge))
        return AUTH_TEMPFAIL;
    if (a.step == AUTH_OK && !take_result(&a, ret_result))
        return AUTH_TEMPFAIL;
    if (a.step == AUTH_CONTINUE) {
        if (!state)
            return AUTH_TEMPFAIL;
        buf_clear(state);
        buf_put_span(state, a.state);
    }
    return (enum auth_step)a.step;
}

enum auth_step auth_start(struct auth_client *c, const struct auth_context *x,
                          struct span mechanism, struct span initial,
                          struct auth_exchange **ret_exchange, struct buf *challenge,
                          struct auth_result *ret_result)
{
    BUF_AUTO struct buf body = BUF(LINK_PAYLOAD_MAX);

    if (mechanism.n > AUTHD_MECHANISM_MAX)
        return AUTH_UNKNOWN;
    if (initial.n > AUTH_MESSAGE_MAX)
        return AUTH_INVALID;
    struct auth_exchange *e = calloc(1, sizeof *e);
    CHECK(e);
    *e = (struct auth_exchange){c, BUF(CONTEXT_MAX), BUF(AUTHD_STATE_MAX)};
    put_context(&e->context, x);
    wr_authd_start(&body, buf_span(&e->context), mechanism, initial);
    enum auth_step step = ask(c, MSG_AUTH_START, buf_span(&body), challenge, &e->state, ret_result);
    secret_wipe(body.p, body.cap);
    if (step == AUTH_CONTINUE)
        *ret_exchange = e;
    else
        auth_cancel(e);
    return step;
}

enum auth_step auth_continue(struct auth_exchange *e, struct span response, struct buf *challenge,
                             struct auth_result *ret_result)
{
    BUF_AUTO struct buf body = BUF(LINK_PAYLOAD_MAX);
    enum auth_step step = AUTH_INVALID;

    if (response.n <= AUTH_MESSAGE_MAX) {
        wr_authd_continue(&body, buf_span(&e->context), buf_span(&e->state), response);
        step = ask(e->client, MSG_AUTH_CONTINUE, buf_span(&body), challenge, &e->state, ret_result);
        secret_wipe(body.p, body.cap);
    }
    if (step != AUTH_CONTINUE)
        auth_cancel(e);
    return step;
}

void auth_cancel(struct auth_exchange *e)
{
    if (!e)
        return;
    buf_done(&e->context);
    buf_done(&e->state);
    free(e);
}

enum auth_step auth_password(struct auth_client *c, const struct auth_context *x, struct span user,
                             struct span password, struct auth_result *ret_result)
{
    BUF_AUTO struct buf body = BUF(LINK_PAYLOAD_MAX);

    if (user.n > AUTH_NAME_MAX || password.n > NAME_PASSWORD_MAX)
        return AUTH_FAIL;
    put_context(&body, x);
    wr_authd_pair(&body, user, password);
    enum auth_step step = ask(c, MSG_AUTH_PASSWORD, buf_span(&body), NULL, NULL, ret_result);
    secret_wipe(body.p, body.cap);
    return step;
}

enum auth_step auth_regrant(struct auth_client *c, struct span grant,
                            struct auth_result *ret_result)
{
    return ask(c, MSG_AUTH_REGRANT, grant, NULL, NULL, ret_result);
}

enum auth_step auth_certificate(struct auth_client *c, const struct auth_context *x,
                                char ret_reason[AUTH_REASON_MAX + 1])
{
    BUF_AUTO struct buf body = BUF(LINK_PAYLOAD_MAX), reply = BUF(1024);
    uint8_t step;

    put_context(&body, x);
    if (call(c, MSG_AUTH_CERTIFICATE, buf_span(&body), &reply) == 0 &&
        rd_authd_verdict(buf_span(&reply), &step, ret_reason))
        return (enum auth_step)step;
    snprintf(ret_reason, AUTH_REASON_MAX + 1, "certificates cannot be checked at the moment");
    return AUTH_TEMPFAIL;
}

/* All lists are made once, from the rows. */
static char offered[2][2][128];

static void make_list(bool binding, bool certificate)
{
    static const struct {
        const char *name;
        bool binds, certificate;
    } rows[] = {
#define MECHANISM(name, id, binds, certificate, first, respond, credential, rfc)                   \
    {name, binds, certificate},
#include "sasl/mechanisms.def"
#undef MECHANISM
    };
    char *list = offered[binding][certificate];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if ((binding || !rows[i].binds) && (certificate || !rows[i].certificate))
            n += (size_t)snprintf(list + n, sizeof offered[0][0] - n, "%s%s", n ? " " : "",
                                  rows[i].name);
    CHECK(n < sizeof offered[0][0]);
}

__attribute__((constructor)) static void make_lists(void)
{
    for (int i = 0; i < 4; i++)
        make_list(i & 1, i & 2);
}

const char *auth_mechanisms(bool tls, bool binding, bool certificate)
{
    return tls ? offered[binding][certificate] : "";
}

/* ------------------------------------------------------------------ addresses */
struct pages {
    struct auth_target *v;
    size_t n;
    uint32_t total;
    uint64_t version;
};

static const enum auth_resolved outcomes[] = {
    [DIRECTORY_FOUND] = RESOLVED,
    [DIRECTORY_NONE] = RESOLVE_NONE,
    [DIRECTORY_DISABLED] = RESOLVE_DISABLED,
    [DIRECTORY_NOT_LOCAL] = RESOLVE_NOT_LOCAL,
    [DIRECTORY_INVALID] = RESOLVE_NONE,
    [DIRECTORY_TEMPFAIL] = RESOLVE_TEMPFAIL,
};
static const enum auth_target_kind kinds[] = {
    [DIRECTORY_ACCOUNT] = TARGET_ACCOUNT,
    [DIRECTORY_NEWSGROUP] = TARGET_FOLDER,
    [DIRECTORY_REMOTE] = TARGET_REMOTE,
};

/* The targets of one page behind those we have. */
static bool take_targets(struct pages *p, struct authd_targets *t)
{
    if (t->count == 0 || t->count > p->total - p->n)
        return false;
    for (uint32_t i = 0; i < t->count; i++) {
        struct directory_target from;
        struct span grant;
        struct auth_target *to = &p->v[p->n];
        if (!rd_authd_target(&t->targets, &from, &grant))
            return false;
        *to = (struct auth_target){.kind = kinds[from.kind], .id = from.account};
        memcpy(to->address, from.address, sizeof to->address);
        CHECK(grant.n <= sizeof to->grant);
        if (grant.n)
            memcpy(to->grant, grant.p, grant.n);
        to->grant_bytes = (unsigned)grant.n;
        p->n++;
    }
    return rd_done(&t->targets);
}

/* suspends. RESOLVED with p->n < p->total: there is more. */
static enum auth_resolved next_page(struct auth_client *c, struct span address, struct pages *p)
{
    BUF_AUTO struct buf body = BUF(1024), reply = BUF(LINK_PAYLOAD_MAX);
    struct authd_targets t;

    wr_authd_resolve(&body, &(struct authd_resolve){(uint32_t)p->n, address});
    int rc = call(c, MSG_RESOLVE, buf_span(&body), &reply);
    if (rc < 0 || !rd_authd_targets(buf_span(&reply), &t))
        return RESOLVE_TEMPFAIL;
    if (t.found != DIRECTORY_FOUND)
        return outcomes[t.found];
    if (!p->v) {
        p->total = t.total;
        p->version = t.version;
        p->v = calloc(t.total ? t.total : 1, sizeof *p->v);
        CHECK(p->v);
    }
    if (t.version != p->version || t.total != p->total || !take_targets(p, &t))
        return RESOLVE_TEMPFAIL;
    return RESOLVED;
}

static enum auth_resolved resolve(struct auth_client *c, struct span address,
                                  struct auth_target **ret_targets, size_t *ret_count)
{
    enum auth_resolved outcome = RESOLVE_NONE;

    for (int i = 0; i < RESOLVE_TRIES; i++) {
        struct pages p = {.n = 0};
        do
            outcome = next_page(c, address, &p);
        while (outcome == RESOLVED && p.n < p.total);
        if (outcome == RESOLVED) {
            *ret_targets = p.v;
            *ret_count = p.n;
            return RESOLVED;
        }
        bool between_pages = p.n > 0;
        free(p.v);
        if (!between_pages)
            break;
    }
    return outcome;
}

enum auth_resolved auth_resolve(struct auth_client *c, struct span address,
                                struct auth_target **ret_targets, size_t *ret_count)
{
    struct auth_target one;

    if (address.n > AUTH_NAME_MAX)
        return RESOLVE_NONE;
    if (!c->known)
        return resolve(c, address, ret_targets, ret_count);
    if (known_get(c->known, address, clock_mono_ms(), &one)) {
        *ret_targets = malloc(sizeof **ret_targets);
        CHECK(*ret_targets);
        **ret_targets = one;
        *ret_count = 1;
        return RESOLVED;
    }
    uint64_t generation = known_generation(c->known);
    enum auth_resolved outcome = resolve(c, address, ret_targets, ret_count);
    if (outcome == RESOLVED && *ret_count == 1)
        known_put(c->known, generation, address, clock_mono_ms(), *ret_targets);
    return outcome;
}

bool auth_may_send_as(struct auth_client *c, uint64_t account, struct span address)
{
    BUF_AUTO struct buf body = BUF(1024), reply = BUF(64);

    if (address.n > AUTH_NAME_MAX)
        return false;
    wr_authd_send_as(&body, &(struct authd_send_as){account, address});
    if (call(c, MSG_MAY_SEND_AS, buf_span(&body), &reply) < 0)
        return false;
    struct rd r = rd_of(buf_span(&reply));
    bool may = rd_bool(&r);
    return rd_done(&r) && may;
}
