/* verify.c: one try to log in: throttle, look-up, hash. */
#include "proc/authd/authd.h"

#include "base/log.h"
#include "base/random.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

void attempt_init(struct attempt *t, struct authd *a, const struct authd_context *x,
                  const char *user)
{
    struct mail_address name;

    *t = (struct attempt){.a = a, .context = x};
    /* what is no address is nobody's name, but is throttled and takes its time all the same */
    if (name_local_parse(span_cstr(user), a->child->conf->domain, &name))
        name_address_print(&name, t->name);
    else
        span_to_cstr(span_cstr(user), t->name, sizeof t->name);
    t->try = (struct throttle_try){x->peer, x->trusted, span_cstr(t->name)};
}

void attempt_done(struct attempt *t)
{
    secret_wipe(&t->credential, sizeof t->credential);
}

enum verdict attempt_enter(struct attempt *t)
{
    struct authd *a = t->a;

    if (!throttle_begin(a->throttle, &t->try, &t->delay_ms)) {
        t->reason = "refused after too many failures";
        a->count.refused++;
        return VERDICT_BAD;
    }
    if (t->delay_ms == 0)
        return VERDICT_GOOD;
    if (a->delayed >= AUTHD_DELAYED_MAX) {
        throttle_end(a->throttle, &t->try, THROTTLE_NEITHER, 0);
        return VERDICT_BUSY;
    }
    a->delayed++;
    fiber_sleep_ms(t->delay_ms);
    a->delayed--;
    return VERDICT_GOOD;
}

void attempt_leave(struct attempt *t, enum verdict v, uint64_t digest)
{
    static const enum throttle_outcome outcomes[] = {
        [VERDICT_GOOD] = THROTTLE_GOOD,
        [VERDICT_BAD] = THROTTLE_BAD,
        [VERDICT_BUSY] = THROTTLE_NEITHER,
    };

    throttle_end(t->a->throttle, &t->try, outcomes[v], digest);
}

enum verdict attempt_look_up(struct attempt *t)
{
    const struct recent_account *found;
    int rc = recent_login(t->a->recent, span_cstr(t->name), &found);

    t->known = rc == 0;
    if (t->known) {
        t->account = found->account;
        t->credential = found->credential;
    } else { /* hashed against all the same */
        memcpy(t->credential.hash, t->a->decoy, sizeof t->credential.hash);
    }
    return rc == 0 || rc == -ENOENT ? VERDICT_GOOD : VERDICT_BUSY;
}

struct hash_job {
    const char *hash;
    struct span password;
    bool fits;
};

static void work_hash(void *arg)
{
    struct hash_job *j = arg;

    j->fits = credential_verify(j->hash, j->password);
}

/* At most auth_threads at once, so that the helper thread of the writers stays free. suspends */
static void run_hash(struct authd *a, struct hash_job *j)
{
    a->hashing++;
    while (a->hashing_now >= a->child->conf->auth_threads)
        fiber_cond_wait(&a->hash_done, UINT64_MAX);
    a->hashing_now++;
    a->count.hashes++;
    fiber_offload(work_hash, j);
    a->hashing_now--;
    a->hashing--;
    fiber_cond_signal(&a->hash_done);
}

/* suspends */
static enum verdict verify(struct attempt *t, struct span password, uint64_t *ret_digest)
{
    struct authd *a = t->a;
    uint64_t epoch;

    if (attempt_look_up(t) != VERDICT_GOOD)
        return VERDICT_BUSY;
    epoch = t->known ? t->account.epoch : 0;
    if (t->known && proofs_has(a->proofs, t->account.id, epoch, password)) {
        a->count.proofs++;
        return VERDICT_GOOD;
    }
    *ret_digest = proofs_digest(a->proofs, span_cstr(t->name), epoch, password);
    if (throttle_is_repeat(a->throttle, &t->try, *ret_digest))
        return VERDICT_BAD;
    if (a->hashing >= AUTHD_HASHES_WAITING * a->child->conf->auth_threads)
        return VERDICT_BUSY;
    struct hash_job j = {t->credential.hash, password, false};
    run_hash(a, &j);
    t->hashed = true;
    if (!t->known || !j.fits)
        return VERDICT_BAD;
    /* changed while it was hashed? Then it was the old password. */
    struct directory_account now;
    if (directory_account_get(a->reader, t->account.id, &now) < 0)
        return VERDICT_BUSY;
    if (now.epoch != epoch)
        return VERDICT_BAD;
    proofs_add(a->proofs, t->account.id, epoch, password);
    return VERDICT_GOOD;
}

enum verdict attempt_password(struct attempt *t, struct span password)
{
    uint64_t digest = 0;
    enum verdict v = attempt_enter(t);

    if (v != VERDICT_GOOD)
        return v;
    v = verify(t, password, &digest);
    attempt_leave(t, v, digest);
    if (v == VERDICT_BAD)
        t->reason = t->known ? "wrong password" : "no such account";
    return v;
}

static bool protocol_allowed(const struct attempt *t)
{
    for (int p = 0; p < PROTOCOL_COUNT; p++)
        if (strcmp(conf_protocol_name((enum conf_protocol)p), t->context->protocol) == 0)
            return t->account.protocols & (1u << p);
    return false;
}

bool attempt_allowed(struct attempt *t, const char *authzid)
{
    struct mail_address as;
    char text[NAME_ADDRESS_MAX + 1];

    if (t->account.state != ACCOUNT_STATE_ENABLED) {
        t->reason = "the account is disabled";
        return false;
    }
    if (!protocol_allowed(t)) {
        t->reason = "the account may not use this protocol";
        return false;
    }
    if (!authzid[0])
        return true;
    if (name_local_parse(span_cstr(authzid), t->a->child->conf->domain, &as)) {
        name_address_print(&as, text);
        if (strcmp(text, t->account.address) == 0)
            return true;
    }
    t->reason = "it asked to act as somebody else";
    return false;
}

void attempt_log_failure(const struct attempt *t)
{
    const struct authd_context *x = t->context;
    char peer[INET6_ADDRSTRLEN] = "?";

    if (IN6_IS_ADDR_V4MAPPED(&x->peer))
        inet_ntop(AF_INET, (const char *)&x->peer + 12, peer, sizeof peer);
    else
        inet_ntop(AF_INET6, &x->peer, peer, sizeof peer);
    log_info("login failed: %s at %s from %s: %s", log_quote(span_cstr(t->name)),
             log_quote(span_cstr(x->vserver)), peer, t->reason ? t->reason : "wrong password");
}

/* ------------------------------------------------------------------ a hash of another cost */
struct refresh {
    struct directory *d;
    uint64_t id, epoch;
    struct span password;
    struct credential_cost cost;
};

static void work_refresh(void *arg)
{
    struct refresh *f = arg;
    struct directory_account now;
    struct credential c;
    struct err e;

    if (credential_make(f->password, f->cost, &c) < 0)
        return;
    /* all writers have the lock: what is true here stays true until it is written */
    if (directory_account_get(f->d, f->id, &now) == 0 && now.epoch == f->epoch &&
        directory_account_set_credential(f->d, f->id, &c, true, &e) < 0)
        log_warn("the password hash of %s was not renewed: %s", now.address, e.text);
    secret_wipe(&c, sizeof c);
}

void attempt_refresh_hash(struct attempt *t, struct span password)
{
    struct authd *a = t->a;
    struct refresh f = {a->writer, t->account.id, t->account.epoch, password, authd_cost(a)};

    if (!t->hashed || !t->known || a->rehashing ||
        !credential_is_outdated(t->credential.hash, f.cost))
        return;
    a->rehashing = true; /* one at a time: logins come first */
    authd_write(a, work_refresh, &f);
    a->rehashing = false;
}
