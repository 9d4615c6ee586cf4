#include "acme/course.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { AUTHORIZATION_MAX = 512, POLL_DEFAULT = 2, ROUNDS_MAX = 10000 };

struct proof {
    struct acme_proof proof;
    char type[32], name[256], token[ACME_TOKEN_MAX + 1], text[AUTHORIZATION_MAX];
    char state[ACME_PROOF_STATE];
    const char *url; /* of the authorization; the order's */
    char challenge[WEB_URL_MAX + 1];
    bool told, done;
};

/* The CA's wish, within bounds; without one a little longer each time. */
static uint32_t poll_seconds(const struct acme_client *c, unsigned round)
{
    uint32_t s = c->retry_after ? c->retry_after : POLL_DEFAULT + (round < 30 ? round : 30);

    return s < ACME_POLL_MIN ? ACME_POLL_MIN : s > ACME_POLL_MAX ? ACME_POLL_MAX : s;
}

static int wait_for(struct acme_course *k, const char *words, uint32_t seconds, struct err *e)
{
    if (!k->progress(k->arg, words, seconds))
        return err_set(e, -ECANCELED, "the order was cancelled");
    fiber_sleep_ms((uint64_t)seconds * 1000);
    return k->progress(k->arg, words, 0) ? 0 : err_set(e, -ECANCELED, "the order was cancelled");
}

static int forget(struct acme_course *k, int rc)
{
    struct err ignored;

    k->order[0] = '\0';
    k->remember(k->arg, "", &ignored);
    return rc;
}

/* --- authorizations */

static int not_offered(const struct acme_course *k, const struct acme_authorization *a,
                       struct err *e)
{
    struct buf list BUF_AUTO = BUF(300);

    for (unsigned i = 0; i < a->count; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", a->challenges[i].type);
    return err_set(e, -EREMOTEIO,
                   "%s%s: the CA does not offer the challenge %s, but %s; set challenge of the "
                   "authority to one of these",
                   a->wildcard ? "*." : "", a->name, k->challenge,
                   list.n ? log_quote(buf_span(&list)) : "none");
}

static int failed_words(struct acme_course *k, const struct acme_authorization *a, struct err *e)
{
    const struct acme_challenge *c = acme_challenge_of(a, k->challenge);

    for (unsigned i = 0; i < a->count && (!c || c->problem.type[0] == '\0'); i++)
        if (a->challenges[i].problem.type[0])
            c = &a->challenges[i];
    if (!c || c->problem.type[0] == '\0') {
        k->client->problem = (struct acme_problem){.type = "unauthorized"};
        return err_set(e, -EREMOTEIO, "%s: the CA says that the authorization is %s, and not why",
                       a->name, acme_status_name(a->status));
    }
    k->client->problem = c->problem;
    acme_problem_words(&c->problem, a->name, e);
    return -EREMOTEIO;
}

static bool same_address(const char *a, const char *b)
{
    unsigned char one[2][16];

    for (int i = 0; i < 2; i++) {
        int family = i ? AF_INET6 : AF_INET;
        if (inet_pton(family, a, one[0]) == 1 && inet_pton(family, b, one[1]) == 1)
            return memcmp(one[0], one[1], i ? 16 : 4) == 0;
    }
    return false;
}

/* A CA that lies could have us prove names to it that it has no business with. */
static bool asked_for(const struct acme_course *k, const struct acme_authorization *a)
{
    for (uint32_t i = 0; i < k->names->n; i++) {
        const struct cert_name *n = &k->names->v[i];
        const char *text = n->text[0] == '*' && n->text[1] == '.' ? n->text + 2 : n->text;
        if (n->type == CERT_NAME_IP
                ? a->is_address && same_address(n->text, a->name)
                : !a->is_address && span_eq_nocase(span_cstr(text), span_cstr(a->name)))
            return true;
    }
    return false;
}

/* 1: nothing to do. 0: prepared. */
static int prepare(struct acme_course *k, const char *url, struct proof *p, struct err *e)
{
    struct buf text BUF_AUTO = BUF(AUTHORIZATION_MAX - 1);
    struct acme_authorization a;
    const struct acme_challenge *c;
    int rc = acme_client_look_authorization(k->client, url, &a, e);

    if (rc < 0)
        return rc;
    c = acme_challenge_of(&a, k->challenge);
    if (!asked_for(k, &a))
        rc = err_set(e, -EPROTO, "the CA wants %s to be proved, which was not asked for",
                     log_quote(span_cstr(a.name)));
    else if (a.status == ACME_VALID)
        rc = 1;
    else if (a.status != ACME_PENDING)
        rc = failed_words(k, &a, e);
    else if (!c)
        rc = not_offered(k, &a, e);
    if (rc != 0) {
        acme_authorization_done(&a);
        return rc;
    }
    snprintf(p->type, sizeof(p->type), "%s", c->type);
    snprintf(p->name, sizeof(p->name), "%s", a.name);
    snprintf(p->token, sizeof(p->token), "%s", c->token);
    snprintf(p->challenge, sizeof(p->challenge), "%s", c->url);
    p->told = c->status != ACME_PENDING; /* before a restart: it looks by itself */
    p->url = url;
    p->proof.is_address = a.is_address;
    acme_authorization_done(&a);
    if (!acme_key_authorization(k->client, p->token, &text))
        return err_set(e, -EMSGSIZE, "the CA's token is too long");
    span_to_cstr(buf_span(&text), p->text, sizeof(p->text));
    p->proof = (struct acme_proof){.type = p->type,
                                   .name = p->name,
                                   .is_address = p->proof.is_address,
                                   .token = p->token,
                                   .authorization = p->text,
                                   .state = p->state};
    rc = k->present(k->arg, &p->proof, e);
    if (rc < 0)
        p->url = NULL;
    return rc;
}

static int tell_all(struct acme_course *k, struct proof *v, unsigned n, struct err *e)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < n; i++)
        if (v[i].url && !v[i].told)
            rc = acme_client_answer(k->client, v[i].challenge, e);
    return rc;
}

/* Until none of them is pending any more. */
static int await(struct acme_course *k, struct proof *v, unsigned n, struct err *e)
{
    uint64_t deadline = clock_mono_ms() + ACME_VALIDATION_SECONDS * UINT64_C(1000);

    for (unsigned round = 0;; round++) {
        const char *open = NULL;
        int rc;
        for (unsigned i = 0; i < n; i++) {
            struct acme_authorization a = {.count = 0};
            if (!v[i].url || v[i].done)
                continue;
            rc = acme_client_look_authorization(k->client, v[i].url, &a, e);
            if (rc == 0 && a.status != ACME_VALID && a.status != ACME_PENDING)
                rc = failed_words(k, &a, e);
            v[i].done = rc == 0 && a.status == ACME_VALID;
            if (!v[i].done)
                open = v[i].name;
            acme_authorization_done(&a);
            if (rc < 0)
                return rc;
        }
        if (!open)
            return 0;
        if (clock_mono_ms() > deadline)
            return err_set(e, -ETIMEDOUT,
                           "%s: the CA has not finished looking at the challenge %s in %d minutes; "
                           "it is asked again later",
                           open, k->challenge, ACME_VALIDATION_SECONDS / 60);
        rc = wait_for(k, "the CA looks at the challenges", poll_seconds(k->client, round), e);
        if (rc < 0)
            return rc;
    }
}

static int authorize(struct acme_course *k, const struct acme_order *o, struct err *e)
{
    struct proof *v = calloc(o->count, sizeof(*v));
    unsigned prepared = 0;
    int rc = 0;

    CHECK(v);
    k->progress(k->arg, "the challenges are prepared", 0);
    for (unsigned i = 0; rc >= 0 && i < o->count; i++) {
        rc = prepare(k, o->authorizations[i], &v[i], e);
        prepared += rc == 0;
    }
    if (rc >= 0 && prepared && k->settle)
        rc = wait_for(k, "the challenges are prepared", k->settle, e);
    if (rc >= 0)
        rc = tell_all(k, v, o->count, e);
    if (rc >= 0)
        rc = await(k, v, o->count, e);
    for (unsigned i = 0; i < o->count; i++)
        if (v[i].url)
            k->withdraw(k->arg, &v[i].proof);
    free(v);
    return rc;
}

/* --- the order */

/* Nobody waits for a rehearsed order: its proofs are worth something only if they are made anew the next time. */
static void give_back(struct acme_course *k, const struct acme_order *o)
{
    struct err ignored;

    for (unsigned i = 0; i < o->count; i++)
        acme_client_deactivate(k->client, o->authorizations[i], &ignored);
}

/* The order is gone, or over: why? */
static int over(struct acme_course *k, const struct acme_order *o, struct err *e)
{
    for (unsigned i = 0; o->problem.type[0] == '\0' && i < o->count; i++) {
        struct acme_authorization a;
        int rc;
        if (acme_client_look_authorization(k->client, o->authorizations[i], &a, e) < 0)
            continue;
        rc = a.status == ACME_VALID || a.status == ACME_PENDING ? 0 : failed_words(k, &a, e);
        acme_authorization_done(&a);
        if (rc < 0)
            return rc;
    }
    k->client->problem = o->problem;
    acme_problem_words(&o->problem, NULL, e);
    return -EREMOTEIO;
}

static int place(struct acme_course *k, struct acme_order *o, struct err *e)
{
    int rc = acme_client_order(k->client, k->names, k->replaces, k->order, o, e);

    if (rc < 0) {
        k->order[0] = '\0';
        return rc;
    }
    rc = k->remember(k->arg, k->order, e);
    if (rc < 0)
        acme_order_done(o);
    return rc;
}

/* One step from the state that the order is in. 1: the certificate can be fetched; 2: the rehearsal is over */
static int step(struct acme_course *k, struct acme_order *o, unsigned round, struct err *e)
{
    struct acme_order finished = {.count = 0};
    int rc;

    switch (o->status) {
    case ACME_PENDING:
        return authorize(k, o, e);
    case ACME_READY:
        if (k->csr.n == 0)
            return 2;
        k->progress(k->arg, "the request is sent", 0);
        rc = acme_client_finalize(k->client, o->finalize, k->csr, &finished, e);
        acme_order_done(&finished);
        if (rc == -EREMOTEIO && strcmp(k->client->problem.type, "orderNotReady") == 0)
            return wait_for(k, "the CA prepares the order", poll_seconds(k->client, round), e);
        return rc;
    case ACME_PROCESSING:
        return wait_for(k, "pending at the CA", poll_seconds(k->client, round), e);
    case ACME_VALID:
        return k->csr.n == 0 ? 2 : 1;
    default:
        return forget(k, over(k, o, e));
    }
}

static int run(struct acme_course *k, struct buf *ret_pem, struct err *e)
{
    struct acme_order o = {.count = 0};
    int rc = 0;

    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        rc = k->order[0] ? acme_client_look_order(k->client, k->order, &o, e) : place(k, &o, e);
        if (rc < 0)
            return rc;
        rc = step(k, &o, round, e);
        if (rc == 1)
            rc = acme_client_certificate(k->client, o.certificate, ret_pem, e);
        else if (rc == 2)
            give_back(k, &o);
        else if (rc == 0)
            rc = 3; /* look again */
        acme_order_done(&o);
        if (rc != 3)
            return rc < 0 ? rc : 0;
    }
    return err_set(e, -ETIMEDOUT, "the CA keeps the order without an end; it is asked again later");
}

int acme_course_run(struct acme_course *k, struct buf *ret_pem, bool *ret_passes, struct err *e)
{
    int rc;

    memset(&k->client->problem, 0, sizeof(k->client->problem));
    k->progress(k->arg, "the CA is asked", 0);
    rc = acme_client_account(k->client, e);
    if (rc == 0)
        rc = run(k, ret_pem, e);
    *ret_passes = rc != -EREMOTEIO || acme_problem_passes(&k->client->problem);
    /* an account that the CA has forgotten is made anew, and its orders with it */
    if (rc == -EREMOTEIO && strcmp(k->client->problem.type, "accountDoesNotExist") == 0) {
        k->client->account[0] = '\0';
        return forget(k, rc);
    }
    return rc == -EREMOTEIO && !*ret_passes ? forget(k, rc) : rc;
}
