#include "pki/life.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "pki/chain.h"
#include "pki/life_internal.h"
#include "pki/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    RETIRED_SECONDS = 86400,
    RETRY_FIRST = 1,
    RETRY_MOST_BARE = 30,
    SIGN_TRIES = 6,
    LOOKS_MAX = 5
};

void life_init(struct life *l, struct identity *take_id, const struct life_ops *ops)
{
    memset(l, 0, sizeof(*l));
    l->id = *take_id;
    memset(take_id, 0, sizeof(*take_id));
    l->ops = ops;
}

void life_done(struct life *l)
{
    identity_done(&l->id);
    cert_names_done(&l->want.names);
    cert_names_done(&l->want.public);
}

void life_set_want(struct life *l, const struct cert_names *names, const struct cert_names *public,
                   const char *key_type, const char *organization)
{
    cert_names_done(&l->want.names);
    cert_names_done(&l->want.public);
    CHECK(cert_names_copy(&l->want.names, names) == 0);
    CHECK(cert_names_copy(&l->want.public, public) == 0);
    span_to_cstr(span_cstr(key_type), l->want.key_type, sizeof(l->want.key_type));
    if (!span_to_cstr(span_cstr(organization), l->want.organization, sizeof(l->want.organization)))
        l->want.organization[0] = '\0'; /* longer than X.520 has room for: left out */
}

void life_label(const struct life *l, char ret[IDENTITY_NAME_MAX + 16])
{
    snprintf(ret, IDENTITY_NAME_MAX + 16, "vserver/%s", l->id.vserver);
}

int life_save(struct life *l, struct err *e)
{
    struct buf bytes BUF_AUTO = BUF(IDENTITY_FILE_MAX);
    int rc;

    l->unwritten = true;
    if (!identity_write(&l->id, &bytes))
        return err_set(e, -EMSGSIZE, "the state of %s is too long to be written", l->id.vserver);
    rc = l->ops->save(l->ops->arg, l->id.vserver, buf_span(&bytes), e);
    l->unwritten = rc < 0;
    return rc;
}

/* What no waiting mends: the next slot is given up. A refusal of the CA is not of these, its
 * configuration may change. */
static bool hopeless(int rc)
{
    return rc == -ENOENT || rc == -EKEYREJECTED || rc == -EKEYREVOKED || rc == -EBADMSG;
}

/* Is this chain for this key? What is shown must always be able to sign. */
bool life_chain_fits_key(const struct identity_slot *s, const struct life_key *key)
{
    struct chain chain = CHAIN_NONE;
    struct err e;
    bool ok = chain_parse(identity_chain(s), &chain, &e) == 0 && chain.n > 0 &&
              certificate_has_spki(chain.v[0], span_of(key->spki, key->spki_bytes));

    chain_done(&chain);
    return ok;
}

/* --- keys that several slots may name */

bool life_names_key(const struct life *l, const char *key)
{
    return identity_uses(&l->id, key) > 0;
}

int life_drop_key(struct life *l, const char *key, struct err *e)
{
    return key[0] == '\0' || identity_uses(&l->id, key) > 0
               ? 0
               : l->ops->key_delete(l->ops->arg, key, e);
}

/* A retired one goes; its key first, so that one that could not be removed is still known. */
static int forget(struct life *l, unsigned i, const char *note, struct err *e)
{
    const char *key = l->id.retired[i].key_id;
    int rc = identity_uses(&l->id, key) > 1 ? 0 : l->ops->key_delete(l->ops->arg, key, e);

    if (rc == 0)
        identity_forget_retired(&l->id, i, note);
    return rc;
}

int life_make_room(struct life *l, struct err *e)
{
    return l->id.retired_count < IDENTITY_RETIRED_MAX ? 0 : forget(l, 0, "too many are kept", e);
}

/* --- the steps of a new certificate, by the state of the next slot */

static int step_make_key(struct life *l, const char *why, struct err *e)
{
    struct identity_slot *s = &l->id.next;
    char label[IDENTITY_NAME_MAX + 16];
    struct life_key key;
    int rc;

    if (l->same_key && identity_is_served(&l->id.current)) {
        memcpy(s->key_id, l->id.current.key_id, sizeof(s->key_id));
        memcpy(s->key_type, l->id.current.key_type, sizeof(s->key_type));
    } else {
        life_label(l, label);
        rc = l->ops->key_make(l->ops->arg, label, l->want.key_type, false, false, &key, e);
        if (rc < 0)
            return rc;
        memcpy(s->key_id, key.id, sizeof(s->key_id));
        memcpy(s->key_type, l->want.key_type, sizeof(s->key_type));
    }
    l->same_key = false;
    s->source = IDENTITY_OWN_CA;
    identity_set(&l->id, s, IDENTITY_KEY, why);
    if (l->id.current.state == IDENTITY_LIVE)
        identity_set(&l->id, &l->id.current, IDENTITY_RENEWING, why);
    return life_save(l, e);
}

static int step_request(struct life *l, const char *why, struct err *e)
{
    identity_set(&l->id, &l->id.next, IDENTITY_REQUESTED, "own CA");
    return life_save(l, e);
}

static int make_request(struct life *l, const struct life_key *key, struct buf *out, struct err *e)
{
    const char *first = l->want.names.n ? l->want.names.v[0].text : "";
    struct cert_subject subject = {.common_name = strlen(first) <= 64 ? first : NULL,
                                   .organization = l->want.organization};
    EVP_PKEY *signer = l->ops->key_signer(l->ops->arg, key);
    int rc;

    if (!signer)
        return err_set(e, -EAGAIN, "the key of %s cannot sign at the moment", l->id.vserver);
    rc =
        request_make(signer, span_of(key->spki, key->spki_bytes), &subject, &l->want.names, out, e);
    EVP_PKEY_free(signer);
    return rc;
}

static int step_ask(struct life *l, const char *why, struct err *e)
{
    struct buf request BUF_AUTO = BUF(REQUEST_DER_MAX),
                       bytes BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);
    struct identity_slot *s = &l->id.next;
    struct chain chain = CHAIN_NONE;
    struct life_key key;
    int rc = l->ops->key_get(l->ops->arg, s->key_id, &key, e);

    if (rc == 0)
        rc = make_request(l, &key, &request, e);
    if (rc == -EKEYREJECTED && l->failures < SIGN_TRIES) /* most likely keyd went away meanwhile */
        rc = -EAGAIN;
    if (rc == 0)
        rc = l->ops->issue(l->ops->arg, l->id.vserver, buf_span(&request), &l->want.names, &bytes,
                           e);
    if (rc == 0)
        rc = chain_parse(buf_span(&bytes), &chain, e);
    if (rc == 0 && chain.n == 0)
        rc = err_set(e, -EBADMSG, "the CA answered without a certificate");
    /* it answers the same question with the same certificate for a while */
    if (rc == 0 && identity_is_served(&l->id.current) &&
        strcmp(chain.v[0]->serial, l->id.current.serial) == 0)
        rc =
            err_set(e, -EBADMSG,
                    "our CA made the certificate in use for this key only a short while ago; renew "
                    "it with a new key, or later");
    if (rc < 0) {
        chain_done(&chain);
        return rc;
    }
    identity_issued(&l->id, s, buf_span(&bytes), chain.v[0], chain.v[0]->issuer);
    chain_done(&chain);
    return life_save(l, e);
}

/* Which names must it have? What our own CA makes, all that the configuration wants; what another
 * CA was asked for, those of the request; else those by which clients come from outside. */
static int names_of(const struct life *l, const struct identity_slot *s, struct cert_names *ret,
                    struct err *e)
{
    struct request *r = NULL;
    int rc;

    if (s->source == IDENTITY_EXTERNAL && s->request_bytes > 0) {
        if ((rc = request_parse(identity_request(s), &r, e)) < 0)
            return rc;
        *ret = r->names;
        r->names = CERT_NAMES_EMPTY;
        request_free(r);
        return 0;
    }
    return cert_names_copy(ret, s->source == IDENTITY_OWN_CA ? &l->want.names : &l->want.public);
}

/* Behind all suspensions: the roots of our own CA may change there. */
static int check_against(struct life *l, const struct identity_slot *s, const struct life_key *key,
                         const struct cert_names *names, const struct chain *c, struct err *e)
{
    struct chain_want want = {.purpose = CHAIN_SERVER,
                              .spki = span_of(key->spki, key->spki_bytes),
                              .names = names,
                              .now = clock_seconds()};
    struct chain given = CHAIN_NONE;
    enum chain_fault fault;
    int rc = 0;

    if (s->roots_bytes > 0)
        rc = chain_parse(identity_roots(s), &given, e);
    if (rc < 0)
        return rc;
    want.roots = s->roots_bytes > 0 ? &given : l->ops->roots(l->ops->arg);
    if (want.roots == NULL)
        return err_set(e, -EAGAIN, "the root certificates are not known yet");
    fault = chain_check(c, &want, e);
    chain_done(&given);
    return fault == CHAIN_FAULT_NONE ? 0 : -EKEYREJECTED;
}

/* What was asked for by hand may leave some names out, or have others; without any, no client would
 * take it. */
static int check_some_name(const struct life *l, const struct certificate *leaf, struct err *e)
{
    struct buf has BUF_AUTO = BUF(8192), wanted BUF_AUTO = BUF(8192);

    for (uint32_t i = 0; i < l->want.names.n; i++)
        if (certificate_name_matches(leaf, &l->want.names.v[i]))
            return 0;
    if (l->want.names.n == 0)
        return 0;
    cert_names_print(&leaf->names, &has);
    cert_names_print(&l->want.names, &wanted);
    return err_set(e, -EKEYREJECTED,
                   "the certificate has none of the names of %s (it is for: %.200s; the virtual "
                   "server is called: %.200s), so no client would take it; request one with them, "
                   "or give the virtual server that name in the configuration",
                   l->id.vserver, has.n ? buf_cstr(&has) : "no name at all", buf_cstr(&wanted));
}

int life_check_chain(struct life *l, const struct identity_slot *s, const struct life_key *key,
                     const struct chain *c, struct err *e)
{
    struct cert_names names = CERT_NAMES_EMPTY;
    int rc = names_of(l, s, &names, e);

    if (rc == 0)
        rc = check_against(l, s, key, &names, c, e);
    if (rc == 0 && s->source == IDENTITY_EXTERNAL && s->request_bytes > 0 && !s->origin[0])
        rc = check_some_name(l, c->v[0], e);
    cert_names_done(&names);
    return rc;
}

static int check_next(struct life *l, struct err *e)
{
    const struct identity_slot *s = &l->id.next;
    struct chain chain = CHAIN_NONE;
    struct life_key key;
    int rc = l->ops->key_get(l->ops->arg, s->key_id, &key, e);

    if (rc == 0)
        rc = chain_parse(identity_chain(s), &chain, e);
    if (rc == 0)
        rc = life_check_chain(l, s, &key, &chain, e);
    chain_done(&chain);
    return rc;
}

static int step_check(struct life *l, const char *why, struct err *e)
{
    int rc = check_next(l, e);

    if (rc < 0)
        return rc;
    identity_set(&l->id, &l->id.next, IDENTITY_STAGED, "checked");
    return life_save(l, e);
}

static void show_current(struct life *l)
{
    const struct identity_slot *s = &l->id.current;
    bool is_new = l->unshown;

    l->unshown = false; /* after a removal: nothing */
    l->ops->show(l->ops->arg, l->id.vserver, 0, s->key_id, s->serial, identity_chain(s));
    l->ops->show(l->ops->arg, l->id.vserver, 1, "", "", SPAN_EMPTY);
    if (is_new && l->ops->swapped)
        l->ops->swapped(l->ops->arg, &l->id);
}

static void show_next(struct life *l)
{
    const struct identity_slot *s = &l->id.next;
    l->ops->show(l->ops->arg, l->id.vserver, 1, s->key_id, s->serial, identity_chain(s));
}

/* Where something is served already: a first certificate is better than none. */
static int prove(struct life *l, bool live, const struct identity_slot *s, struct err *e)
{
    return l->ops->prove && !l->going_back ? l->ops->prove(l->ops->arg, l->id.vserver, live, s, e)
                                           : 0;
}

/* It is live and does not work: the one before is shown again, and the history says why. */
static int go_back(struct life *l, struct err *e)
{
    struct identity *id = &l->id;
    char note[IDENTITY_NOTE_MAX + 1];
    struct err why = *e, ignored;
    int rc = 0;

    snprintf(note, sizeof(note), "went back: %.180s", why.text);
    log_error("certificate of %s: %s; going back to %s", id->vserver, why.text,
              id->retired[id->retired_count - 1].serial);
    if (id->next.state != IDENTITY_NONE) /* begun before it was made up */
        rc = life_give_up(l, note, e);
    if (rc < 0)
        return rc;
    id->unproved = false;
    l->going_back = true;
    identity_restore(id, id->retired_count - 1, note);
    if (id->current.state == IDENTITY_LIVE)
        identity_set(id, &id->current, IDENTITY_RENEWING, note);
    rc = life_save(l, e);
    if (rc == 0)
        rc = life_run_steps(l, note, e);
    l->going_back = false;
    if (hopeless(rc) && id->next.state != IDENTITY_NONE) /* it is not fit to be shown any more */
        life_give_up(l, e->text, &ignored);
    if (rc < 0)
        return rc;
    return err_set(e, -EKEYREJECTED, "%s", why.text);
}

/* What is live was looked at. */
static int judge(struct life *l, int rc, struct err *e)
{
    struct err ignored;

    if (rc == -EKEYREJECTED && l->id.retired_count > 0)
        return go_back(l, e);
    if (rc < 0 && ++l->looks < LOOKS_MAX)
        return 0;
    l->looks = 0;
    l->id.unproved = false;
    /* where the disk does not learn it, it is looked at once more after a restart */
    if (life_save(l, &ignored) < 0)
        l->unwritten = false;
    return 0;
}

int life_prove_live(struct life *l, struct err *e)
{
    int rc;

    if (!l->id.unproved || !identity_is_served(&l->id.current))
        return 0;
    l->swapping = true;
    rc = judge(l, prove(l, true, &l->id.current, e), e);
    l->swapping = false;
    return rc;
}

/* The history tells when it begins to wait; what it waits for is the caller's to show. */
static int hold(struct life *l, struct err *e)
{
    struct err ignored;
    char note[IDENTITY_NOTE_MAX + 1];

    if (!l->held) {
        snprintf(note, sizeof(note), "waits: %.180s", e->text);
        identity_note(&l->id, &l->id.next, note);
        life_save(l, &ignored); /* where it fails, it is written later */
    }
    l->held = true;
    return -EINPROGRESS;
}

/* Nobody depends on the key that is replaced: nothing is served, it is the same one, it was revoked, or it goes back to
 * what was there a moment ago. */
static bool must_ask(const struct life *l)
{
    const struct identity *id = &l->id;

    return l->ops->may_swap && !l->now && !l->going_back && !l->revoked &&
           identity_is_served(&id->current) && strcmp(id->current.key_id, id->next.key_id) != 0;
}

static int step_swap(struct life *l, const char *why, struct err *e)
{
    struct identity *id = &l->id;
    bool served = identity_is_served(&id->current);
    char note[IDENTITY_NOTE_MAX + 1] = "";
    int rc = check_next(l, e); /* again: it may have waited here since before a restart */

    if (rc == 0 && must_ask(l))
        rc = l->ops->may_swap(l->ops->arg, &id->current, &id->next, note, e);
    if (rc == -EINPROGRESS)
        return hold(l, e);
    l->held = false;
    if (rc == 0 && note[0])
        why = note;
    if (rc == 0 && served && l->ops->prove && !l->going_back) {
        show_next(l); /* going back, or a worker has come since */
        rc = prove(l, false, &id->next, e);
    }
    if (rc == 0 && l->ops->staple && !l->going_back)
        rc = l->ops->staple(l->ops->arg, id->vserver, &id->next, e);
    if (rc < 0)
        return rc;
    rc = life_make_room(l, e);
    if (rc < 0)
        return rc;
    identity_swap(id, why);
    id->unproved = served && l->ops->prove && !l->going_back;
    l->revoked = false;
    l->checked = true;
    l->unshown = true;
    l->looks = 0;
    l->swapping = true;
    rc = life_save(l, e);
    if (rc == 0) {
        show_current(l);
        rc = life_prove_live(l, e);
    }
    l->swapping = false;
    return rc;
}

typedef int (*step_fn)(struct life *l, const char *why, struct err *e);
static const step_fn steps[IDENTITY_STATE_COUNT] = {
    [IDENTITY_NONE] = step_make_key, [IDENTITY_KEY] = step_request, [IDENTITY_REQUESTED] = step_ask,
    [IDENTITY_ISSUED] = step_check,  [IDENTITY_STAGED] = step_swap,
};

/* --- giving up */

int life_give_up(struct life *l, const char *why, struct err *e)
{
    char key[IDENTITY_KEY_ID_MAX + 1];
    int rc;

    memcpy(key, l->id.next.key_id, sizeof(key));
    l->held = false;
    if (l->id.next.state == IDENTITY_STAGED)
        l->ops->show(l->ops->arg, l->id.vserver, 1, "", "", SPAN_EMPTY);
    identity_drop(&l->id, &l->id.next, why);
    if (l->id.current.state == IDENTITY_RENEWING)
        identity_set(&l->id, &l->id.current, IDENTITY_LIVE, why);
    rc = life_save(l, e);
    if (rc == 0)
        rc = life_drop_key(l, key, e); /* else the next reconcile finds it */
    return rc;
}

void life_failed(struct life *l, const struct err *e)
{
    int64_t most = l->checked ? LIFE_RETRY_MOST : RETRY_MOST_BARE;
    int64_t wait = l->failures < 12 ? (int64_t)RETRY_FIRST << l->failures : most;

    l->failures++;
    l->retry_at = clock_seconds() + (wait < most ? wait : most);
    memcpy(l->failure, e->text, sizeof(l->failure));
    log_warn("certificate of %s: %s; trying again in %" PRId64 " s", l->id.vserver, l->failure,
             l->retry_at - clock_seconds());
}

/* Brings disk and workers up to memory. */
int life_catch_up(struct life *l, struct err *e)
{
    int rc = l->unwritten ? life_save(l, e) : 0;

    if (rc == 0 && l->unshown)
        show_current(l);
    return rc;
}

/* Nothing is under way, and nothing is to be made by itself. */
static bool at_rest(const struct life *l)
{
    return l->id.next.state == IDENTITY_NONE &&
           (l->id.off ||
            (identity_is_served(&l->id.current) && l->id.current.source != IDENTITY_OWN_CA));
}

int life_run_steps(struct life *l, const char *why, struct err *e)
{
    bool behind = l->unshown || (l->unwritten && at_rest(l));
    int rc = life_catch_up(l, e);

    if (rc < 0 || behind) /* the swap that was tried before is what was wanted */
        return rc;
    for (;;) {
        enum identity_state state = l->id.next.state;
        if (!steps[state])
            return err_set(
                e, -EBUSY,
                "%s has a request pending at another CA; install its answer or cancel it",
                l->id.vserver);
        rc = steps[state](l, why, e);
        if (rc < 0 || state == IDENTITY_STAGED)
            return rc;
        if (l->id.next.state == IDENTITY_STAGED)
            show_next(l);
    }
}

int life_renew(struct life *l, const char *why, struct err *e)
{
    struct err ignored;
    int rc = 0;

    if ((l->id.next.state == IDENTITY_KEY || l->id.next.state == IDENTITY_REQUESTED) &&
        strcmp(l->id.next.key_id, l->id.current.key_id) != 0 &&
        strcmp(l->id.next.key_type, l->want.key_type) != 0)
        rc = life_give_up(l, "another kind of key is wanted now", e);
    if (rc == 0)
        rc = life_run_steps(l, why, e);
    if (rc == -EINPROGRESS) {
        life_succeeded(l);
        return rc;
    }
    if (rc < 0) {
        life_failed(l, e);
        if (hopeless(rc) && l->id.next.state != IDENTITY_NONE &&
            l->id.next.state != IDENTITY_PENDING)
            life_give_up(l, l->failure, &ignored);
        return rc;
    }
    life_succeeded(l);
    return 0;
}

void life_succeeded(struct life *l)
{
    l->failures = 0;
    l->retry_at = 0;
    l->failure[0] = '\0';
}

void life_show(const struct life *l,
               void (*show)(void *arg, const char *vserver, unsigned slot, const char *key_id,
                            const char *serial, struct span chain),
               void *arg)
{
    const struct identity_slot *s = &l->id.current;

    if (l->checked && identity_is_served(s))
        show(arg, l->id.vserver, 0, s->key_id, s->serial, identity_chain(s));
    else if (l->id.off)
        show(arg, l->id.vserver, 0, "", "", SPAN_EMPTY);
    if (l->id.next.state == IDENTITY_STAGED)
        show(arg, l->id.vserver, 1, l->id.next.key_id, l->id.next.serial,
             identity_chain(&l->id.next));
}

bool life_revoked(struct life *l, const char *serial)
{
    if (!identity_is_served(&l->id.current) || strcmp(l->id.current.serial, serial) != 0)
        return false;
    if (!l->revoked)
        log_warn("certificate of %s: its CA has revoked %s; making a new one", l->id.vserver,
                 serial);
    l->revoked = true;
    return true;
}

int life_tidy(struct life *l, int64_t now, struct err *e)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < l->id.retired_count;) {
        if (now - l->id.retired[i].since < RETIRED_SECONDS) {
            i++;
            continue;
        }
        rc = forget(l, i, "key removed", e);
        if (rc == 0)
            rc = life_save(l, e);
    }
    return rc;
}
