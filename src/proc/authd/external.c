/*
 * external.c: logins by certificate (SASL EXTERNAL), and whether a required one may be used at all.
 *
 * The session has found that the certificate chains to the virtual server's trust list. Here it is
 * decided whether it is still good (its dates, and the own CA's register: a resumed TLS session
 * goes back to a handshake of hours ago) and for whom it stands.
 */
#include "proc/authd/authd.h"

#include "base/clock.h"
#include "base/log.h"
#include "sasl/auth.h"

#include <errno.h>
#include <stdio.h>

enum { CAD_WAIT_MS = 5000, CAD_CALL_MS = 10000, OWNERS_MAX = 8 };

struct owners { /* accounts that a certificate stands for, each once */
    uint64_t account[OWNERS_MAX];
    unsigned count;
};

static bool trusts_own_ca(const struct conf_vserver *v)
{
    for (uint32_t i = 0; i < v->client_trust.n; i++)
        if (strcmp(v->client_trust.v[i], "own-ca") == 0)
            return true;
    return false;
}

enum verdict external_register(struct authd *a, const char *serial, const char **ret_reason)
{
    struct link *cad = child_peer_wait(a->child, ROLE_CAD, CAD_WAIT_MS);
    BUF_AUTO struct buf body = BUF(128), reply = BUF(128);
    int rc;

    wr_cstr(&body, serial);
    rc = link_call(cad, MSG_CA_STATE, buf_span(&body), NULL, 0, CAD_CALL_MS, &reply, NULL);
    if (rc == -ENOENT)
        return VERDICT_GOOD;
    struct rd r = rd_of(buf_span(&reply));
    bool revoked = rd_bool(&r);
    rd_u8(&r);
    rd_i64(&r);
    if (rc < 0 || !rd_done(&r)) {
        *ret_reason = "the CA's register does not answer, so nobody knows whether it is revoked";
        return VERDICT_BUSY;
    }
    if (revoked)
        *ret_reason = "the certificate is revoked";
    return revoked ? VERDICT_BAD : VERDICT_GOOD;
}

/* suspends */
static enum verdict still_good(struct authd *a, const struct authd_context *x,
                               const struct authd_certificate *c, const char **ret_reason)
{
    const struct conf_vserver *v = conf_vserver_by_name(a->child->conf, x->vserver);
    int64_t now = clock_seconds();

    /* a session process cannot bring certificates in where nobody wants them */
    if (!v || v->client_certificates == CLIENT_CERTIFICATES_IGNORE)
        *ret_reason = "this virtual server takes no client certificates";
    else if (now < c->not_before)
        *ret_reason = "the certificate is not valid yet";
    else if (now > c->not_after)
        *ret_reason = "the certificate has expired";
    else
        return trusts_own_ca(v) ? external_register(a, c->serial, ret_reason) : VERDICT_GOOD;
    return VERDICT_BAD;
}

/* ------------------------------------------------------------------ whose it is */
static void add_owner(struct owners *o, uint64_t account)
{
    for (unsigned i = 0; i < o->count; i++)
        if (o->account[i] == account)
            return;
    if (o->count < OWNERS_MAX)
        o->account[o->count++] = account;
}

static bool take_owner(const struct directory_certificate *c, void *arg)
{
    add_owner(arg, c->account);
    return true;
}

static bool take_any(const struct directory_certificate *c, void *arg)
{
    if (c->account == 0)
        *(bool *)arg = true;
    return true;
}

static int by_value(struct authd *a, enum directory_certificate_kind kind, const char *one,
                    const char *two, struct owners *o)
{
    char value[CERTIFICATE_VALUE_MAX + 1];

    if (snprintf(value, sizeof value, "%s%s%s", one, two ? ":" : "", two ? two : "") >=
        (int)sizeof value)
        return 0;
    return directory_certificate_find(a->reader, kind, value, take_owner, o);
}

/* Names of one kind: an account's own rules, and the one for all accounts of that address. */
static int by_names(struct authd *a, enum directory_certificate_kind kind, const char *issuer,
                    const char (*names)[NAME_ADDRESS_MAX + 1], unsigned count, struct owners *o)
{
    char value[CERTIFICATE_VALUE_MAX + 1];
    bool any = false;
    int rc;

    snprintf(value, sizeof value, "%s:*", issuer);
    rc = directory_certificate_find(a->reader, kind, value, take_any, &any);
    for (unsigned i = 0; rc >= 0 && i < count; i++) {
        struct directory_account account;
        rc = by_value(a, kind, issuer, names[i], o);
        if (rc >= 0 && any &&
            (rc = directory_account_find(a->reader, span_cstr(names[i]), &account)) == 0)
            add_owner(o, account.id);
        if (rc == -ENOENT || rc == -EINVAL)
            rc = 0;
    }
    return rc;
}

static int find_owners(struct authd *a, const struct authd_certificate *c, struct owners *o)
{
    int rc = by_value(a, CERTIFICATE_SPKI, c->spki_sha256, NULL, o);

    if (rc >= 0)
        rc = by_value(a, CERTIFICATE_ISSUER_SERIAL, c->issuer_sha256, c->serial, o);
    if (rc >= 0)
        rc = by_names(a, CERTIFICATE_EMAIL, c->issuer_sha256, c->email, c->email_count, o);
    if (rc >= 0)
        rc = by_names(a, CERTIFICATE_UPN, c->issuer_sha256, c->upn, c->upn_count, o);
    /* a rule for all is no owner */
    for (unsigned i = 0; i < o->count; i++)
        if (o->account[i] == 0)
            o->account[i--] = o->account[--o->count];
    return rc;
}

/* The one that is asked for, or the only one. */
static enum verdict choose(struct authd *a, const struct owners *o, const char *authzid,
                           struct directory_account *ret, const char **ret_reason)
{
    struct mail_address as;
    char text[NAME_ADDRESS_MAX + 1] = "";

    if (o->count == 0) {
        *ret_reason = "the certificate stands for no account";
        return VERDICT_BAD;
    }
    if (!authzid[0] && o->count > 1) {
        *ret_reason = "the certificate stands for several accounts, and the client names none";
        return VERDICT_BAD;
    }
    if (name_local_parse(span_cstr(authzid), a->child->conf->domain, &as))
        name_address_print(&as, text);
    for (unsigned i = 0; i < o->count; i++) {
        if (directory_account_get(a->reader, o->account[i], ret) < 0)
            return VERDICT_BUSY;
        if (!authzid[0] || strcmp(text, ret->address) == 0)
            return VERDICT_GOOD;
    }
    *ret_reason = "it asked to act as somebody else";
    return VERDICT_BAD;
}

void external_try(struct authd *a, const struct msg *m, const struct authd_context *x,
                  const char *authzid)
{
    struct authd_certificate c;
    struct owners o = {.count = 0};
    struct attempt t;
    enum verdict v = VERDICT_BAD;

    attempt_init(&t, a, x, authzid);
    if (!rd_authd_certificate(x->certificate, &c)) {
        t.reason = "the client has shown no certificate that holds";
    } else {
        if (!t.name[0])
            span_to_cstr(span_cstr(c.subject), t.name, sizeof t.name);
        v = still_good(a, x, &c, &t.reason);
        if (v == VERDICT_GOOD && find_owners(a, &c, &o) < 0)
            v = VERDICT_BUSY;
        if (v == VERDICT_GOOD)
            v = choose(a, &o, authzid, &t.account, &t.reason);
        t.known = v == VERDICT_GOOD;
        if (v == VERDICT_GOOD) {
            revoked_remember(a, c.serial, t.account.id);
            log_info("%s shows certificate %s at %s", t.account.address, c.serial, x->vserver);
        }
    }
    login_conclude(&t, m, v, "", SPAN_EMPTY);
    attempt_done(&t);
}

void msg_auth_certificate(void *arg, struct msg *m)
{
    struct authd *a = authd_of(arg);
    BUF_AUTO struct buf out = BUF(512);
    const char *reason = "";
    struct authd_certificate c;
    struct authd_context x;
    enum verdict v;

    if (!rd_authd_context(m->body, &x) || !rd_authd_certificate(x.certificate, &c)) {
        log_warn("%s %u sent a message that cannot be read", role_name(link_peer(m->link)),
                 link_instance(m->link));
        msg_reply(m, -EBADMSG, SPAN_EMPTY);
        return;
    }
    v = still_good(a, &x, &c, &reason);
    wr_authd_verdict(&out,
                     (uint8_t)(v == VERDICT_GOOD  ? AUTH_OK
                               : v == VERDICT_BAD ? AUTH_FAIL
                                                  : AUTH_TEMPFAIL),
                     reason);
    msg_reply(m, 0, buf_span(&out));
}
