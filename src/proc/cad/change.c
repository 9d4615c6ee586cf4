/* Changes to the CAs themselves, asked by who administers: the root's key goes and comes back, a new
 * issuing CA, an old one is revoked. */
#include "base/log.h"
#include "pki/key.h"
#include "proc/cad/cad.h"
#include "proc/child/evidence.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { REPLY_MAX = 65536 - 64 };

/* Its CRL is signed before, to hold for a year; without the key no issuing CA can be made or
 * revoked, all else goes on. */
static int remove_root(struct cad *d, bool lose, struct err *e)
{
    const struct ca_record *root = ca_root(d->ca);
    int rc;

    if (!root)
        return err_set(e, -ENOENT, "our CA has no root of its own");
    if (root->kept_at == 0 && !lose)
        return err_set(
            e, -EPERM,
            "the root's key was never exported: removed now, it would be lost for ever. "
            "Export it first (sealpost ca root export --out FILE, or sealpost ca backup); "
            "--lose-it removes it all the same");
    rc = ca_root_last_crl(d->ca, e);
    if (rc == 0 && (rc = key_delete(ca_root(d->ca)->key_id)) < 0)
        rc = err_set(e, rc, "keyd does not remove the root's key: %s", strerror(-rc));
    if (rc == 0)
        log_warn("the root's key was removed%s; the issuing CA goes on",
                 root->kept_at == 0 ? ", and no file has it" : "");
    if (rc == 0)
        EVIDENCE(d->child, "remove", {"ca", root->certificate->subject},
                 {"sha256", root->certificate->sha256},
                 {"key", root->kept_at == 0 ? "lost" : "exported"});
    return rc;
}

static int take_root(struct cad *d, const char *key_id, struct err *e)
{
    struct key_info k;
    int rc = key_get(key_id, &k);

    if (rc < 0)
        return err_set(e, rc, "keyd has no key %s: %s", key_id, strerror(-rc));
    rc = ca_root_take(d->ca, key_id, span_of(k.spki, k.spki_bytes), e);
    if (rc == 0)
        log_info("the root's key is back");
    return rc;
}

static int revoke_ca(struct cad *d, int64_t id, struct buf *reply, struct err *e)
{
    int64_t count = 0;
    struct err list;
    char name[24];
    int rc = ca_revoke_ca(d->ca, id, CRL_CA_COMPROMISE, &count, e);

    if (rc < 0)
        return rc;
    d->revoked += (uint64_t)count;
    snprintf(name, sizeof name, "%" PRId64, id);
    EVIDENCE(d->child, "revoke", {"ca", name}, {"reason", crl_reason_name(CRL_CA_COMPROMISE)});
    cad_tell_revoked(d, &(struct ca_revoke_msg){.serial = "", .reason = CRL_CA_COMPROMISE});
    log_warn("issuing CA %" PRId64 " and %" PRId64 " certificates of it are revoked", id, count);
    if (ca_crl_refresh(d->ca, &list) < 0)
        log_error("list of revoked certificates: %s", list.text);
    buf_printf(reply, "{\"revoked\":%" PRId64 "}", count);
    return 0;
}

static int root_verb(struct cad *d, const struct ca_root_msg *in, struct buf *reply, struct err *e)
{
    switch ((enum ca_root_verb)in->verb) {
    case CA_ROOT_REMOVE:
    case CA_ROOT_LOSE:
        return remove_root(d, in->verb == CA_ROOT_LOSE, e);
    case CA_ROOT_TAKE:
        return take_root(d, in->key_id, e);
    case CA_ROOT_KEPT:
        return ca_kept(d->ca, in->key_id, e); /* said by who has written the file */
    case CA_ROOT_REVOKE:
    case CA_ROOT_VERBS:
        break;
    }
    return revoke_ca(d, in->ca, reply, e);
}

void msg_ca_root(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(1024);
    struct ca_root_msg in;
    struct err e;
    int rc;

    if (!rd_ca_root(m->body, &in)) {
        answer_malformed(&a);
        return;
    }
    rc = cad_wait_made(d, &e);
    fiber_lock(&d->ensuring);
    if (rc == 0)
        rc = root_verb(d, &in, &reply, &e);
    fiber_unlock(&d->ensuring);
    answer(&a, rc, buf_span(&reply), &e);
    if (rc == 0 && in.verb == CA_ROOT_TAKE)
        cad_ensure(d); /* what waited for the key */
}

static int rollover(struct cad *d, bool root, bool *ret_crossed, struct err *e)
{
    struct ca_settings s;
    int rc = ca_settings_init(&s, d->child->conf, e);

    if (rc < 0)
        return rc;
    rc = root ? ca_rollover_root(d->ca, &s, ret_crossed, e) : ca_rollover(d->ca, &s, e);
    ca_settings_done(&s);
    if (rc == 0) {
        const struct certificate *now = ca_issuing(d->ca)->certificate;
        log_info("issuing CA in use: %s", now->subject);
        EVIDENCE(d->child, "rollover", {"ca", now->subject}, {"sha256", now->sha256},
                 {"root", root ? ca_root(d->ca)->certificate->sha256 : ""});
        cad_changed(d);
    }
    return rc;
}

void msg_ca_rollover(void *arg, struct msg *m)
{
    struct cad *d = ((struct child *)arg)->state;
    struct asker a = asker_of(m);
    struct buf reply BUF_AUTO = BUF(REPLY_MAX);
    struct rd r = rd_of(m->body);
    bool root = rd_bool(&r), crossed = false;
    struct err e;
    int rc;

    if (!rd_done(&r)) {
        answer_malformed(&a);
        return;
    }
    rc = cad_wait_made(d, &e);
    fiber_lock(&d->ensuring);
    if (rc == 0)
        rc = rollover(d, root, &crossed, &e);
    fiber_unlock(&d->ensuring);
    if (rc == 0) {
        buf_printf(&reply, "{\"crossed\":%s,\"info\":", crossed ? "true" : "false");
        rc = ca_info(d->ca, &reply, &e);
        buf_putc(&reply, '}');
    }
    answer(&a, rc, buf_span(&reply), &e);
}
