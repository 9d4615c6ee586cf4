/*
 * fake_auth.c: the directory of the golden dialogues, in place of sasl/auth_client.c at the link
 * seam (sasl/auth.h).
 *
 *   alice@example.test  account 16, password "secret"      list@example.test       alice and bob
 *   bob@example.test    account 17, password "hunter2"     local.test@example.test  the newsgroup
 *   admin@example.test  account 19, looks after the newsgroups
 *   nosubmit@…          account 18, may not send outside    away@example.test someone@remote.test
 *   moderated@…, closed@…, nogroup@…: newsgroups local.moderated, local.closed and one that is not
 * there gone@…: an account that the store does not have; many@…: alice and 200 addresses elsewhere
 *   EXTERNAL: every certificate that holds is alice's
 *   disabled@… RESOLVE_DISABLED, down@… RESOLVE_TEMPFAIL; password "down": AUTH_TEMPFAIL
 */
#include "session/runner.h"

#include "base/check.h"
#include "base/clock.h"
#include "sasl/auth.h"
#include "store/acl.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct person {
    const char *name, *password;
    uint64_t account;
    uint32_t rights;
} people[] = {
    {"alice",    "secret",  16, GRANT_MAIL | GRANT_SUBMIT | GRANT_POST              },
    {"bob",      "hunter2", 17, GRANT_MAIL | GRANT_SUBMIT | GRANT_POST              },
    {"nosubmit", "secret",  18, GRANT_MAIL                                          },
    {"admin",    "secret",  19, GRANT_MAIL | GRANT_SUBMIT | GRANT_POST | GRANT_ADMIN},
};

struct auth_client {
    char unused;
};
struct auth_exchange {
    struct auth_context x;
    bool login, external;
    char user[AUTH_NAME_MAX + 1];
};

static const struct person *find(struct span name)
{
    size_t at = span_rfind(name, '@');
    if (at != SPAN_NONE && !span_eq_nocase(span_skip(name, at + 1), SPAN("example.test")))
        return NULL;
    if (at != SPAN_NONE)
        name = span_head(name, at);
    for (size_t i = 0; i < ARRAY_LEN(people); i++)
        if (span_is(name, people[i].name))
            return &people[i];
    return NULL;
}

struct auth_client *auth_client_new(void)
{
    return calloc(1, sizeof(struct auth_client));
}

void auth_client_attach(struct auth_client *c, struct link *authd)
{
    (void)c;
    (void)authd;
}

void auth_client_free(struct auth_client *c)
{
    free(c);
}

enum auth_step auth_password(struct auth_client *c, const struct auth_context *x, struct span user,
                             struct span password, struct auth_result *ret)
{
    const struct person *p = find(user);
    struct buf token BUF_AUTO = BUF(STORE_GRANT_MAX);
    struct auth_result r = {0};

    (void)c;
    if (span_eq(password, SPAN("down")))
        return AUTH_TEMPFAIL;
    if (!p || !span_eq_cstr(password, p->password))
        return AUTH_FAIL;
    struct grant g = {.account = p->account,
                      .rights = p->rights,
                      .worker_generation = x->worker_generation,
                      .session = x->session,
                      .expires_seconds = clock_seconds() + 86400,
                      .epoch = 1};
    if (span_is(span_cstr(p->name), "bob")) /* a member of staff@example.test */
        g.groups[g.group_count++] = grant_group(SPAN("staff@example.test"));
    grant_seal(&g, runner_grant_secret(), &token);
    r.account = p->account;
    r.rights = p->rights;
    snprintf(r.address, sizeof(r.address), "%s@example.test", p->name);
    memcpy(r.grant, token.p, token.n);
    r.grant_bytes = (unsigned)token.n;
    *ret = r;
    return AUTH_OK;
}

/* RFC 4616: authzid NUL authcid NUL passwd */
static enum auth_step plain(struct auth_client *c, const struct auth_context *x, struct span m,
                            struct auth_result *ret)
{
    struct span zid, cid;
    if (!span_split(&m, 0, &zid) || !span_split(&m, 0, &cid))
        return AUTH_INVALID;
    return auth_password(c, x, cid, m, ret);
}

static enum auth_step external(const struct auth_context *x, struct span authzid,
                               struct auth_result *ret)
{
    if (authzid.n && find(authzid) != &people[0])
        return AUTH_FAIL;
    return auth_password(NULL, x, SPAN("alice"), SPAN("secret"), ret);
}

enum auth_step auth_certificate(struct auth_client *c, const struct auth_context *x,
                                char ret_reason[AUTH_REASON_MAX + 1])
{
    (void)c;
    ret_reason[0] = '\0';
    return x->certificate.n ? AUTH_OK : AUTH_FAIL;
}

enum auth_step auth_start(struct auth_client *c, const struct auth_context *x,
                          struct span mechanism, struct span initial,
                          struct auth_exchange **ret_exchange, struct buf *challenge,
                          struct auth_result *ret)
{
    bool login = span_is(mechanism, "LOGIN");
    bool by_certificate = span_is(mechanism, "EXTERNAL") && x->certificate.n;
    if (!login && !by_certificate && !span_is(mechanism, "PLAIN"))
        return AUTH_UNKNOWN;
    if (by_certificate && initial.p)
        return external(x, initial, ret);
    if (!login && initial.p)
        return plain(c, x, initial, ret);
    struct auth_exchange *e = calloc(1, sizeof(*e));
    CHECK(e);
    e->x = *x;
    e->login = login;
    e->external = by_certificate;
    if (login)
        buf_put_cstr(challenge, "Username:");
    *ret_exchange = e;
    return AUTH_CONTINUE;
}

enum auth_step auth_continue(struct auth_exchange *e, struct span response, struct buf *challenge,
                             struct auth_result *ret)
{
    enum auth_step step;
    if (e->login && !e->user[0]) {
        if (!span_to_cstr(response, e->user, sizeof(e->user)) || !e->user[0]) {
            free(e);
            return AUTH_INVALID;
        }
        buf_put_cstr(challenge, "Password:");
        return AUTH_CONTINUE;
    }
    step = e->external ? external(&e->x, response, ret)
           : e->login  ? auth_password(NULL, &e->x, span_cstr(e->user), response, ret)
                       : plain(NULL, &e->x, response, ret);
    free(e);
    return step;
}

void auth_cancel(struct auth_exchange *e)
{
    free(e);
}

uint64_t auth_changes(const struct auth_client *c)
{
    (void)c;
    return 0;
}

enum auth_step auth_regrant(struct auth_client *c, struct span grant, struct auth_result *ret)
{
    struct grant g;
    struct buf token BUF_AUTO = BUF(STORE_GRANT_MAX);

    (void)c;
    if (!grant_open(grant, runner_grant_secret(), clock_seconds(), &g))
        return AUTH_FAIL;
    g.expires_seconds = clock_seconds() + 86400;
    grant_seal(&g, runner_grant_secret(), &token);
    memcpy(ret->grant, token.p, token.n);
    ret->grant_bytes = (unsigned)token.n;
    return AUTH_OK;
}

const char *auth_mechanisms(bool tls, bool binding, bool certificate)
{
    (void)binding;
    return !tls ? "" : certificate ? "EXTERNAL PLAIN LOGIN" : "PLAIN LOGIN";
}

enum { MANY = 200 };

static void target(struct auth_target *t, enum auth_target_kind kind, uint64_t id,
                   const char *address)
{
    t->kind = kind;
    t->id = id;
    snprintf(t->address, sizeof(t->address), "%s", address);
}

/* As authd gives it: with a grant to forward. "away" and "many" come without. */
static void forward_target(struct auth_target *t, const char *address)
{
    struct grant g = {.rights = GRANT_FORWARD,
                      .expires_seconds = clock_seconds() + AUTH_FORWARD_SECONDS};
    struct buf token BUF_AUTO = BUF(sizeof(t->grant));

    grant_address(span_cstr(address), g.address);
    grant_seal(&g, runner_grant_secret(), &token);
    target(t, TARGET_REMOTE, 0, address);
    memcpy(t->grant, token.p, token.n);
    t->grant_bytes = (unsigned)token.n;
}

enum auth_resolved auth_resolve(struct auth_client *c, struct span address,
                                struct auth_target **ret_targets, size_t *ret_count)
{
    const struct person *p = find(address);
    struct auth_target *t = calloc(MANY + 1, sizeof(*t));
    size_t at = span_rfind(address, '@'), n = 0;
    struct span local = at == SPAN_NONE ? address : span_head(address, at);

    (void)c;
    CHECK(t);
    if (at != SPAN_NONE && !span_eq_nocase(span_skip(address, at + 1), SPAN("example.test"))) {
        free(t);
        return RESOLVE_NOT_LOCAL;
    }
    if (p) {
        target(&t[n], TARGET_ACCOUNT, p->account, "");
        snprintf(t[n++].address, sizeof(t->address), "%s@example.test", p->name);
    } else if (span_is(local, "list") || span_is(local, "postmaster")) {
        target(&t[n++], TARGET_ACCOUNT, 16, "alice@example.test");
        if (span_is(local, "list"))
            target(&t[n++], TARGET_ACCOUNT, 17, "bob@example.test");
    } else if (span_is(local, "local.test")) {
        target(&t[n++], TARGET_FOLDER, 0, "local.test");
    } else if (span_is(local, "moderated")) {
        target(&t[n++], TARGET_FOLDER, 0, "local.moderated");
    } else if (span_is(local, "closed")) {
        target(&t[n++], TARGET_FOLDER, 0, "local.closed");
    } else if (span_is(local, "nogroup")) {
        target(&t[n++], TARGET_FOLDER, 0, "local.nogroup");
    } else if (span_is(local, "gone")) {
        target(&t[n++], TARGET_ACCOUNT, 99, "gone@example.test");
    } else if (span_is(local, "many")) {
        target(&t[n++], TARGET_ACCOUNT, 16, "alice@example.test");
        for (int i = 0; i < MANY; i++) {
            char person[100];
            snprintf(person, sizeof(person), "person-%d@remote.test", i);
            target(&t[n++], TARGET_REMOTE, 0, person);
        }
    } else if (span_is(local, "away")) {
        target(&t[n++], TARGET_REMOTE, 0, "someone@remote.test");
    } else if (span_is(local, "friend")) {
        forward_target(&t[n++], "friend@remote.test");
    } else {
        free(t);
        return span_is(local, "disabled") ? RESOLVE_DISABLED
               : span_is(local, "down")   ? RESOLVE_TEMPFAIL
                                          : RESOLVE_NONE;
    }
    *ret_targets = t;
    *ret_count = n;
    return RESOLVED;
}

bool auth_may_send_as(struct auth_client *c, uint64_t account, struct span address)
{
    const struct person *p = find(address);
    (void)c;
    return p && p->account == account && span_has(address, '@');
}
