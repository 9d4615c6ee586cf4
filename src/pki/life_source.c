/* Certificates that our own CA does not make: requests for another one, its answers, what is
 * brought along with its key; and the ways back. */
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

/* --- a request that waits */

int life_drop_pending(struct life *l, const char *why, struct err *e)
{
    char key[IDENTITY_KEY_ID_MAX + 1];
    int rc;

    memcpy(key, l->id.pending.key_id, sizeof(key));
    identity_drop(&l->id, &l->id.pending, why);
    rc = life_save(l, e);
    return rc == 0 ? life_drop_key(l, key, e) : rc;
}

/* The key of the request: a new one, or that in use. */
static int pending_key(struct life *l, const struct life_request *q, struct life_key *ret,
                       struct err *e)
{
    const struct identity_slot *now = &l->id.current;
    struct identity_slot *s = &l->id.pending;
    char label[IDENTITY_NAME_MAX + 16];
    int rc;

    life_label(l, label);
    if (!q->same_key)
        rc = l->ops->key_make(l->ops->arg, label, q->key_type, q->exportable, q->client, ret, e);
    else if (identity_is_served(now))
        rc = l->ops->key_get(l->ops->arg, now->key_id, ret, e);
    else
        rc = err_set(e, -ENOENT, "%s has no certificate whose key could be kept", l->id.vserver);
    if (rc < 0)
        return rc;
    memcpy(s->key_id, ret->id, sizeof(s->key_id));
    span_to_cstr(span_cstr(q->same_key ? now->key_type : q->key_type), s->key_type,
                 sizeof(s->key_type));
    span_to_cstr(span_cstr(q->name), s->name, sizeof(s->name));
    span_to_cstr(span_cstr(q->authority), s->origin, sizeof(s->origin));
    s->source = IDENTITY_EXTERNAL;
    identity_set(&l->id, s, IDENTITY_KEY, "for a request");
    return life_save(l, e);
}

static int sign_request(struct life *l, const struct life_request *q, const struct life_key *key,
                        struct buf *ret_der, struct err *e)
{
    EVP_PKEY *signer = l->ops->key_signer(l->ops->arg, key);
    int rc;

    if (!signer)
        return err_set(e, -EAGAIN, "the key of %s cannot sign at the moment", l->id.vserver);
    rc = request_make(signer, span_of(key->spki, key->spki_bytes), &q->subject, q->names, ret_der,
                      e);
    EVP_PKEY_free(signer);
    return rc;
}

static int check_request(const struct life *l, const struct life_request *q, struct err *e)
{
    if (l->unwritten)
        return err_set(e, -EAGAIN, "the state of %s is still being written; try again",
                       l->id.vserver);
    if (l->id.pending.state == IDENTITY_PENDING)
        return err_set(e, -EEXIST,
                       "%s has a request pending already; install its answer with `sealpost cert "
                       "install %s FILE`, or delete it with `sealpost cert cancel %s`",
                       l->id.vserver, l->id.vserver, l->id.vserver);
    if (q->names->n == 0)
        return err_set(e, -EINVAL, "a certificate needs at least one name; give --dns or --ip");
    return cert_subject_check(&q->subject, e);
}

int life_request(struct life *l, const struct life_request *q, struct buf *ret_der, struct err *e)
{
    struct identity_slot *s = &l->id.pending;
    struct buf der BUF_AUTO = BUF(REQUEST_DER_MAX);
    struct life_key key;
    struct err ignored;
    int rc = check_request(l, q, e);

    if (rc < 0)
        return rc;
    if (s->state != IDENTITY_NONE && (rc = life_drop_pending(l, "begun anew", e)) < 0)
        return rc;
    rc = pending_key(l, q, &key, e);
    if (rc == 0)
        rc = sign_request(l, q, &key, &der, e);
    if (rc == 0) {
        identity_set(&l->id, s, IDENTITY_REQUESTED, "another CA");
        identity_await(&l->id, s, buf_span(&der), "request file");
        rc = life_save(l, e);
    }
    if (rc < 0) {
        if (s->state != IDENTITY_NONE)
            life_drop_pending(l, "it could not be made", &ignored);
        return rc;
    }
    buf_put_span(ret_der, buf_span(&der));
    return 0;
}

static int none_pending(const struct life *l, struct err *e)
{
    return err_set(e, -ENOENT,
                   "%s has no pending request; prepare one with `sealpost cert request %s`",
                   l->id.vserver, l->id.vserver);
}

int life_cancel(struct life *l, struct err *e)
{
    return l->id.pending.state == IDENTITY_NONE ? none_pending(l, e)
                                                : life_drop_pending(l, "cancelled", e);
}

/* --- an answer, or a certificate with its key */

static int offered_key(struct life *l, const struct life_offer *o, struct life_key *ret,
                       struct err *e)
{
    const char *id = o->key_id;

    if (o->spki.n > 0) {
        if (o->spki.n > sizeof(ret->spki))
            return err_set(e, -EMSGSIZE, "the public key has %zu bytes, too many", o->spki.n);
        memcpy(ret->spki, o->spki.p, o->spki.n);
        ret->spki_bytes = o->spki.n;
        ret->id[0] = '\0';
        return 0;
    }
    if (!id) {
        if (l->id.pending.state != IDENTITY_PENDING)
            return none_pending(l, e);
        id = l->id.pending.key_id;
    }
    return l->ops->key_get(l->ops->arg, id, ret, e);
}

/* A slot as it will be, for the check. The caller frees its roots; the rest is borrowed. */
static struct identity_slot slot_of(const struct life *l, const struct life_offer *o)
{
    struct identity_slot s = {.source = o->source};

    if (o->roots.n > 0) {
        s.roots = (unsigned char *)span_dup(o->roots);
        s.roots_bytes = o->roots.n;
    }
    span_to_cstr(span_cstr(o->origin), s.origin, sizeof(s.origin));
    if (!o->key_id && o->spki.n == 0) {
        s.request = l->id.pending.request;
        s.request_bytes = l->id.pending.request_bytes;
    }
    return s;
}

static int look(struct life *l, const struct life_offer *o, struct life_key *ret_key, struct err *e)
{
    struct identity_slot s;
    int rc;

    if (o->certificates->n == 0)
        return err_set(e, -EKEYREJECTED, "there is no certificate in what was given");
    rc = offered_key(l, o, ret_key, e);
    if (rc < 0)
        return rc;
    /* where none is for that key, the check says so */
    chain_arrange(o->certificates, span_of(ret_key->spki, ret_key->spki_bytes));
    s = slot_of(l, o);
    rc = life_check_chain(l, &s, ret_key, o->certificates, e);
    free(s.roots);
    return rc;
}

int life_look(struct life *l, const struct life_offer *o, struct err *e)
{
    struct life_key key;
    return look(l, o, &key, e);
}

static void fill_next(struct life *l, const struct life_offer *o, const struct life_key *key,
                      const struct buf *chain)
{
    const char *note = o->note ? o->note : identity_source_name(o->source);
    struct identity_slot *s = &l->id.next;

    if (!o->key_id) {
        identity_take_pending(&l->id);
    } else {
        memcpy(s->key_id, key->id, sizeof(s->key_id));
        span_to_cstr(span_cstr(o->key_type), s->key_type, sizeof(s->key_type));
        identity_set(&l->id, s, IDENTITY_KEY, note);
        identity_set(&l->id, s, IDENTITY_REQUESTED, note);
    }
    s->source = o->source;
    if (o->name && o->name[0])
        span_to_cstr(span_cstr(o->name), s->name, sizeof(s->name));
    span_to_cstr(span_cstr(o->origin), s->origin, sizeof(s->origin));
    if (o->roots.n > 0) {
        s->roots = (unsigned char *)span_dup(o->roots);
        s->roots_bytes = o->roots.n;
    }
    identity_issued(&l->id, s, buf_span(chain), o->certificates->v[0],
                    o->certificates->v[0]->issuer);
    if (l->id.current.state == IDENTITY_LIVE)
        identity_set(&l->id, &l->id.current, IDENTITY_RENEWING, "another is being installed");
}

int life_take(struct life *l, const struct life_offer *o, const char *why, struct err *e)
{
    struct buf chain BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);
    struct life_key key;
    int rc = look(l, o, &key, e);

    CHECK(o->key_id || o->spki.n == 0);
    if (rc == 0 && !chain_write(o->certificates, &chain))
        rc = err_set(e, -EMSGSIZE, "the chain has more than %d bytes", CERTIFICATE_CHAIN_BYTES);
    if (rc == 0)
        rc = life_catch_up(l, e);
    if (rc == 0 && l->id.next.state != IDENTITY_NONE)
        rc = life_give_up(l, "another is installed instead", e);
    if (rc < 0)
        return rc;
    fill_next(l, o, &key, &chain);
    rc = life_save(l, e);
    if (rc == 0)
        rc = life_run_steps(l, why, e);
    if (rc == -EINPROGRESS) /* taken, and staged: l->held */
        rc = 0;
    if (rc == 0)
        life_succeeded(l);
    return rc;
}

int life_swap(struct life *l, bool now, struct err *e)
{
    int rc;

    if (l->id.next.state != IDENTITY_STAGED)
        return err_set(e, -ENOENT,
                       "%s has no certificate that is staged; `sealpost cert show %s` tells how it "
                       "stands",
                       l->id.vserver, l->id.vserver);
    l->now = now;
    rc = life_run_steps(l, now ? "put into service without waiting" : "asked for", e);
    l->now = false;
    if (rc == 0)
        life_succeeded(l);
    return rc;
}

void life_release(struct life *l)
{
    l->held = false;
}

/* --- the ways back */

int life_remove(struct life *l, struct err *e)
{
    int rc = 0;

    if (!identity_is_served(&l->id.current))
        return err_set(e, -ENOENT, "%s has no certificate", l->id.vserver);
    if (l->id.next.state != IDENTITY_NONE)
        rc = life_give_up(l, "the certificate is removed", e);
    if (rc == 0)
        rc = life_make_room(l, e);
    if (rc < 0)
        return rc;
    identity_retire(&l->id, "removed");
    l->id.off = true;
    l->checked = l->revoked = false;
    l->unshown = true;
    rc = life_save(l, e);
    if (rc == 0)
        rc = life_catch_up(l, e);
    if (rc == 0)
        life_succeeded(l);
    return rc;
}

static int check_retired(struct life *l, const struct identity_slot *s, struct err *e)
{
    struct chain chain = CHAIN_NONE;
    struct life_key key;
    int rc = l->ops->key_get(l->ops->arg, s->key_id, &key, e);

    if (rc == -ENOENT)
        return err_set(e, -ENOENT, "the key of certificate %s is gone; it cannot be put back",
                       s->serial);
    if (rc == 0)
        rc = chain_parse(identity_chain(s), &chain, e);
    if (rc == 0)
        rc = life_check_chain(l, s, &key, &chain, e);
    chain_done(&chain);
    return rc;
}

int life_rollback(struct life *l, struct err *e)
{
    struct identity *id = &l->id;
    int rc;

    if (id->retired_count == 0)
        return err_set(e, -ENOENT,
                       "%s has no retired certificate to go back to; they are kept for a day",
                       id->vserver);
    rc = check_retired(l, &id->retired[id->retired_count - 1], e);
    if (rc == 0)
        rc = life_catch_up(l, e);
    if (rc == 0 && id->next.state != IDENTITY_NONE)
        rc = life_give_up(l, "going back", e);
    if (rc < 0)
        return rc;
    identity_restore(id, id->retired_count - 1, "going back");
    if (id->current.state == IDENTITY_LIVE)
        identity_set(id, &id->current, IDENTITY_RENEWING, "going back");
    rc = life_save(l, e);
    if (rc == 0)
        rc = life_run_steps(l, "rolled back", e);
    if (rc == 0 || rc == -EINPROGRESS)
        life_succeeded(l);
    return rc;
}
