/* What an administrator does with the account at an authority, and with what that has issued. */
#include "base/json.h"
#include "base/log.h"
#include "pki/cert_msg.h"
#include "pki/crl.h"
#include "pki/key.h"
#include "proc/certd/authority.h"
#include "proc/certd/leader.h"
#include "proc/certd/staple.h"
#include "proc/child/evidence.h"

#include <errno.h>
#include <stdio.h>

/* --- the account */

/* Its key must not change under an order that is under way. */
static int not_busy(const struct certd *d, const char *authority, struct err *e)
{
    for (unsigned i = 0; i < d->life_count; i++) {
        const struct leader *l = leader_of(d->lives[i]);
        if (l && l->running && strcmp(d->lives[i]->life.id.pending.origin, authority) == 0)
            return err_set(e, -EBUSY,
                           "an order of %s is under way there; wait for it, or give it up with "
                           "`sealpost cert cancel %s`",
                           d->lives[i]->name, d->lives[i]->name);
    }
    return 0;
}

static int acme_only(const struct authority *a, struct err *e)
{
    return a->conf->kind == AUTHORITY_ACME
               ? 0
               : err_set(e, -EOPNOTSUPP, "%s speaks EST, which has no accounts", a->conf->name);
}

static int rekey(struct authority *a, struct err *e)
{
    EVP_PKEY *signer = NULL, *public = NULL;
    char old[IDENTITY_KEY_ID_MAX + 1], fresh[IDENTITY_KEY_ID_MAX + 1];
    int rc = acme_client_account(&a->client, e); /* with the key that it has */

    if (rc == 0)
        rc = authority_key_make(a, fresh, &signer, &public, e);
    if (rc < 0)
        return rc;
    memcpy(old, a->key_id, sizeof(old));
    rc = acme_client_rekey(&a->client, signer, public, e);
    if (rc == 0) {
        authority_key_use(a, fresh, signer, public);
        log_info("authority %s: the account has another key", a->conf->name);
        authority_key_drop(old);
        return 0;
    }
    EVP_PKEY_free(signer);
    EVP_PKEY_free(public);
    /* refused: nothing has changed there. Anything else may have: authority_open asks which one it knows. */
    if (rc == -EREMOTEIO || rc == -EOPNOTSUPP)
        authority_key_drop(fresh);
    return rc;
}

static int leave(struct authority *a, struct err *e)
{
    int rc = acme_client_leave(&a->client, e);

    if (rc < 0)
        return rc;
    log_warn("authority %s: the account is given up", a->conf->name);
    authority_key_drop(a->key_id); /* the next order makes another account, with another key */
    return 0;
}

void msg_cert_authority(void *arg, struct msg *m)
{
    struct certd *d = ((struct child *)arg)->state;
    uint64_t link = link_id(m->link);
    enum msg_id id = m->id;
    uint32_t call = m->call;
    struct buf out BUF_AUTO = BUF(8000);
    struct authority *a = NULL;
    struct cert_account_msg q;
    struct err e = {""};
    int rc = rd_cert_account(m->body, &q)
                 ? not_busy(d, q.authority, &e)
                 : err_set(&e, -EBADMSG, "the message does not have the form of its row");

    if (rc == 0)
        rc = authority_open(d, q.authority, false, &a, &e);
    if (rc == 0)
        rc = acme_only(a, &e);
    if (rc == 0)
        rc = q.what == CERT_ACCOUNT_REKEY ? rekey(a, &e) : leave(a, &e);
    if (rc == 0) {
        buf_put_cstr(&out, "{\"authority\":");
        json_put_string(&out, span_cstr(a->conf->name));
        buf_put_cstr(&out, ",\"account\":");
        json_put_string(&out, span_cstr(a->client.account));
        buf_put_cstr(&out, ",\"key\":");
        json_put_string(&out, span_cstr(q.what == CERT_ACCOUNT_REKEY ? a->key_id : ""));
        buf_putc(&out, '}');
    }
    authority_close(d, a);
    link_reply(link, id, call, rc, rc < 0 ? span_cstr(e.text) : buf_span(&out), NULL, 0);
}

/* --- what it has issued */

/* The slot that holds that serial; "": what is in use. */
static const struct identity_slot *find_slot(const struct vserver_life *v, const char *serial)
{
    const struct identity *id = &v->life.id;

    if (serial[0] == '\0' || strcmp(id->current.serial, serial) == 0)
        return identity_is_served(&id->current) ? &id->current : NULL;
    if (strcmp(id->next.serial, serial) == 0)
        return &id->next;
    for (unsigned i = 0; i < id->retired_count; i++)
        if (strcmp(id->retired[i].serial, serial) == 0)
            return &id->retired[i];
    return NULL;
}

struct revocation {
    struct cert_revoke_msg q;
    char authority[IDENTITY_NAME_MAX + 1];
    struct buf der;
    bool current;
};

static int do_find(struct vserver_life *v, void *arg, struct err *e)
{
    struct revocation *r = arg;
    const struct identity_slot *s = find_slot(v, r->q.serial);
    struct chain c = CHAIN_NONE;
    int rc;

    if (!s)
        return err_set(e, -ENOENT, "%s has no certificate %s, nor had it one within the last day",
                       v->name, r->q.serial);
    memcpy(r->q.serial, s->serial, sizeof(r->q.serial));
    if (s->source == IDENTITY_OWN_CA)
        return err_set(e, -EINVAL, "certificate %s is of the own CA; `sealpost ca revoke %s`",
                       s->serial, s->serial);
    if (s->source != IDENTITY_EXTERNAL || s->origin[0] == '\0')
        return err_set(e, -EINVAL,
                       "certificate %s is not of an authority that is asked over the network; have "
                       "it revoked where it came from",
                       s->serial);
    memcpy(r->authority, s->origin, sizeof(r->authority));
    r->current = s == &v->life.id.current;
    rc = chain_parse(identity_chain(s), &c, e);
    if (rc == 0)
        buf_put_span(&r->der, certificate_der(c.v[0]));
    chain_done(&c);
    return rc;
}

static int do_mark(struct vserver_life *v, void *arg, struct err *e)
{
    const struct revocation *r = arg;
    const struct identity_slot *s = find_slot(v, r->q.serial);
    const char *reason = crl_reason_name(r->q.reason);
    char note[IDENTITY_NOTE_MAX + 1];

    if (!s)
        return 0;
    snprintf(note, sizeof(note), "revoked at %s: %s", r->authority, reason ? reason : "");
    identity_note(&v->life.id, s, note);
    if (r->current && life_revoked(&v->life, r->q.serial))
        staple_revoked(v);
    return 0;
}

static int revoke(struct certd *d, struct vserver_life *v, struct revocation *r, struct err *e)
{
    struct authority *a = NULL;
    int rc = authority_open(d, r->authority, false, &a, e);

    if (rc == 0 && a->conf->kind != AUTHORITY_ACME)
        rc = err_set(e, -EOPNOTSUPP,
                     "%s speaks EST, which cannot revoke; ask those who run that CA", r->authority);
    if (rc == 0)
        rc = acme_client_revoke(&a->client, buf_span(&r->der), r->q.reason, e);
    /* whoever revokes twice wants it revoked */
    if (rc == -EREMOTEIO && strcmp(a->client.problem.type, "alreadyRevoked") == 0)
        rc = 0;
    authority_close(d, a);
    if (rc < 0)
        return rc;
    log_warn("certificate of %s: %s was revoked at %s", v->name, r->q.serial, r->authority);
    EVIDENCE(d->child, "revoke", {"vserver", v->name}, {"serial", r->q.serial},
             {"authority", r->authority}, {"reason", crl_reason_name(r->q.reason)});
    rc = lives_do(v, do_mark, r, e);
    if (rc == 0 && r->current) /* the same CA makes another, with another key */
        leader_renew(leader_of(v));
    return rc;
}

void msg_cert_revoke(void *arg, struct msg *m)
{
    struct certd *d = ((struct child *)arg)->state;
    uint64_t link = link_id(m->link);
    enum msg_id id = m->id;
    uint32_t call = m->call;
    struct buf out BUF_AUTO = BUF(CERTD_REPLY_MAX);
    struct revocation r = {.der = BUF(CERTIFICATE_DER_MAX)};
    struct vserver_life *v = NULL;
    struct err e = {""};
    int rc = rd_cert_revoke(m->body, &r.q)
                 ? 0
                 : err_set(&e, -EBADMSG, "the message does not have the form of its row");

    if (rc == 0 && !(v = certd_named(d, r.q.vserver, &e)))
        rc = -ENOENT;
    if (rc == 0)
        rc = lives_do(v, do_find, &r, &e);
    if (rc == 0)
        rc = revoke(d, v, &r, &e);
    if (rc == 0)
        certd_put_life(v, &out);
    buf_done(&r.der);
    link_reply(link, id, call, rc, rc < 0 ? span_cstr(e.text) : buf_span(&out), NULL, 0);
}
