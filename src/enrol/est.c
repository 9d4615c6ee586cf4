/* EST (RFC 7030): the CA's certificates, enrolment by password, renewal with the certificate that is
 * to be replaced. Answers are PKCS#7 in base64. */
#include "enrol/server.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "ca/enrol_policy.h"
#include "pki/chain.h"
#include "pki/request.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <stdio.h>

enum { LINE = 64, NOT_NOW_SECONDS = 30 };

/* ------------------------------------------------------------------ answers */

static bool refuse(struct call *c, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(struct call *c, unsigned status, const char *fmt, ...)
{
    va_list ap;

    c->a->status = (uint16_t)status;
    snprintf(c->a->type, sizeof(c->a->type), "text/plain; charset=utf-8");
    c->a->flags = status == 401 ? ENROL_AUTHENTICATE : 0;
    buf_clear(c->out);
    va_start(ap, fmt);
    buf_vprintf(c->out, fmt, ap);
    va_end(ap);
    buf_putc(c->out, '\n');
    c->en->counts.refused++;
    return false;
}

static bool internal(struct call *c, const struct err *e)
{
    log_error("est: %s", e->text);
    c->a->retry_after = NOT_NOW_SECONDS;
    return refuse(c, 503, "The server cannot do this at the moment.");
}

static void put_base64(struct call *c, struct span der)
{
    struct buf text BUF_AUTO = BUF(ENROL_ANSWER_MAX);

    base64_encode(&text, der);
    for (size_t i = 0; i < text.n; i += LINE) {
        buf_put_span(c->out, span_sub(buf_span(&text), i, LINE));
        buf_putc(c->out, '\n');
    }
    c->a->flags |= ENROL_BASE64;
}

/* Certificates only, nobody's signature (RFC 8551 section 3.8). */
static bool put_pkcs7(struct call *c, const struct chain *chain, size_t count)
{
    PKCS7 *p = PKCS7_new();
    unsigned char *der = NULL;
    struct err e;
    int n = -1;
    bool ok = p && PKCS7_set_type(p, NID_pkcs7_signed) == 1 &&
              PKCS7_content_new(p, NID_pkcs7_data) == 1 && PKCS7_set_detached(p, 1) >= 0;

    for (size_t i = 0; ok && i < chain->n && i < count; i++)
        ok = PKCS7_add_certificate(p, chain->v[i]->x509) == 1;
    if (ok)
        n = i2d_PKCS7(p, &der);
    PKCS7_free(p);
    ERR_clear_error();
    if (n <= 0) {
        err_set(&e, -ENOMEM, "the answer cannot be written");
        return internal(c, &e);
    }
    snprintf(c->a->type, sizeof(c->a->type), "application/pkcs7-mime; smime-type=certs-only");
    put_base64(c, span_of(der, (size_t)n));
    OPENSSL_free(der);
    return true;
}

/* ------------------------------------------------------------------ what everybody may ask */

static void est_cacerts(struct call *c)
{
    struct buf bytes BUF_AUTO = BUF(CERTIFICATE_CHAIN_BYTES);
    struct chain chain = CHAIN_NONE;
    struct err e;
    int rc = c->en->hooks.roots(c->en->hooks.arg, &bytes, &e);

    if (rc == 0)
        rc = chain_parse(buf_span(&bytes), &chain, &e);
    if (rc < 0) {
        internal(c, &e);
        return;
    }
    put_pkcs7(c, &chain, CERTIFICATE_CHAIN_MAX);
    chain_done(&chain);
}

/* Section 4.5.2: a key on P-256, signed with ECDSA and SHA-256. */
static void est_csrattrs(struct call *c)
{
    static const unsigned char der[] = {0x30, 0x21, 0x30, 0x15, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                        0xce, 0x3d, 0x02, 0x01, 0x31, 0x0a, 0x06, 0x08, 0x2a,
                                        0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x06, 0x08,
                                        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

    snprintf(c->a->type, sizeof(c->a->type), "application/csrattrs");
    put_base64(c, span_of(der, sizeof(der)));
}

/* ------------------------------------------------------------------ who asks */

struct enrollee {
    const char *profile;
    char requester[CERT_MSG_REQUESTER_MAX + 1];
    struct cert_names names; /* what he may have certified */
    bool below;              /* and names below them */
    bool exactly;            /* these and no others */
};

static bool by_password(struct call *c, struct enrollee *ret)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    unsigned char md[EVP_MAX_MD_SIZE];
    struct buf text BUF_AUTO = BUF(ENROL_WORD_MAX + 64);
    struct err e;
    int rc = db_query(c->en->db, &q, &e, "SELECT salt, hash, names FROM password WHERE name=?", "t",
                      c->q->user);

    if (rc == 0)
        rc = db_next(&q, &e);
    if (rc < 0)
        return internal(c, &e);
    if (rc > 0) {
        buf_put_span(&text, db_blob(&q, 0));
        buf_put_cstr(&text, c->q->password);
        CHECK(EVP_Digest(text.p, text.n, md, NULL, EVP_sha256(), NULL) == 1);
        secret_wipe(text.p, text.n);
    }
    if (rc == 0 || db_blob(&q, 1).n != 32 || !secret_eq(md, db_blob(&q, 1).p, 32))
        return refuse(c, 401, "Wrong name or password.");
    ret->profile = c->en->conf->est_server.profile;
    ret->below = true;
    snprintf(ret->requester, sizeof(ret->requester), "est: %.100s", c->q->user);
    read_names(db_text(&q, 2), &ret->names);
    db_done(&q);
    if (db_run(c->en->db, &e, "UPDATE password SET used=? WHERE name=?", "it", clock_seconds(),
               c->q->user) < 0)
        log_warn("%s", e.text);
    return true;
}

static bool by_account(struct call *c, struct enrollee *ret)
{
    if (!c->en->conf->est_server.accounts)
        return refuse(c, 403, "Accounts get no certificates here (est_server.accounts).");
    ret->profile = "account";
    ret->exactly = true;
    snprintf(ret->requester, sizeof(ret->requester), "est: account %.150s", c->q->account);
    if (cert_names_add(&ret->names, CERT_NAME_EMAIL, span_cstr(c->q->account)) < 0)
        return refuse(c, 403, "The account's address cannot stand in a certificate.");
    return true;
}

/* Section 4.2.2. It is one of those that were issued here, and still good. */
static bool by_certificate(struct call *c, struct enrollee *ret)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    struct ca_state_msg state = {.revoked = true};
    struct certificate *x = NULL;
    struct chain kept = CHAIN_NONE;
    bool account, good = false;
    struct err e;
    int rc = certificate_parse(c->q->certificate, &x, &e);

    if (rc < 0)
        return refuse(c, 401, "The certificate cannot be read.");
    rc = db_query(c->en->db, &q, &e, "SELECT profile, chain FROM certificate WHERE serial=?", "t",
                  x->serial);
    if (rc == 0 && db_next(&q, &e) > 0 && chain_parse(db_blob(&q, 1), &kept, &e) == 0)
        good = kept.n && span_eq(certificate_der(kept.v[0]), certificate_der(x)) &&
               x->not_after > clock_seconds();
    account = good && strcmp(db_text(&q, 0), "account") == 0;
    db_done(&q);
    chain_done(&kept);
    if (good)
        good = c->en->hooks.state(c->en->hooks.arg, x->serial, &state) == 0 && !state.revoked;
    if (good && account && !c->en->conf->est_server.accounts)
        good = false;
    if (good) {
        ret->profile = account ? "account" : c->en->conf->est_server.profile;
        ret->exactly = true;
        snprintf(ret->requester, sizeof(ret->requester), "est: renews %s", x->serial);
        cert_names_copy(&ret->names, &x->names);
    }
    certificate_free(x);
    return good || refuse(c, 401,
                          "That certificate renews nothing here: it was not issued by "
                          "ACME or EST, has ended, or was revoked.");
}

/* Section 3.3.2: a first enrolment by a certificate that came from elsewhere: a manufacturer, another
 * CA. TLS has held it against the trust list of the virtual server, CRLs and all; of our own CA's
 * the register knows more. Its holder gets what it says, as far as est_server permits. */
static bool by_foreign_certificate(struct call *c, struct enrollee *ret)
{
    struct ca_state_msg state = {.revoked = false};
    struct certificate *x = NULL;
    struct err e;
    int rc = certificate_parse(c->q->certificate, &x, &e);

    if (rc < 0)
        return refuse(c, 401, "The certificate cannot be read.");
    rc = c->en->hooks.state(c->en->hooks.arg, x->serial, &state);
    if (rc < 0 && rc != -ENOENT) {
        certificate_free(x);
        err_set(&e, rc, "whether a certificate was revoked cannot be found out");
        return internal(c, &e);
    }
    if (rc == 0 && state.revoked) {
        certificate_free(x);
        return refuse(c, 401, "That certificate was revoked.");
    }
    if (x->not_after <= clock_seconds()) { /* TLS looked when the session began that is resumed */
        certificate_free(x);
        return refuse(c, 401, "That certificate has ended.");
    }
    ret->profile = c->en->conf->est_server.profile;
    ret->exactly = true;
    snprintf(ret->requester, sizeof(ret->requester), "est: by certificate %.64s of %.80s",
             x->serial, x->issuer);
    cert_names_copy(&ret->names, &x->names);
    certificate_free(x);
    return ret->names.n || refuse(c, 403, "That certificate has no name that can be certified.");
}

static bool was_issued_here(struct call *c)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    struct certificate *x = NULL;
    struct err e;
    bool found = certificate_parse(c->q->certificate, &x, &e) == 0 &&
                 db_query(c->en->db, &q, &e, "SELECT 1 FROM certificate WHERE serial=?", "t",
                          x->serial) == 0 &&
                 db_next(&q, &e) > 0;

    db_done(&q);
    certificate_free(x);
    return found;
}

static bool identify(struct call *c, bool renew, struct enrollee *ret)
{
    if (!renew && c->q->vouched && c->en->conf->est_server.certificates &&
        !(c->q->account[0] || c->q->user[0]) && !was_issued_here(c))
        return by_foreign_certificate(c, ret);
    if (c->q->certificate.n && (renew || !(c->q->account[0] || c->q->user[0])))
        return by_certificate(c, ret);
    if (c->q->account[0])
        return by_account(c, ret);
    if (c->q->user[0])
        return by_password(c, ret);
    return refuse(c, 401, "A name with its password, or a certificate of this CA, is needed.");
}

/* ------------------------------------------------------------------ what is asked for */

static bool permitted(const struct enrollee *w, const struct cert_name *n)
{
    if (cert_names_has(&w->names, (enum cert_name_type)n->type, span_cstr(n->text)))
        return true;
    for (uint32_t i = 0; w->below && n->type == CERT_NAME_DNS && i < w->names.n; i++)
        if (w->names.v[i].type == CERT_NAME_DNS &&
            enrol_name_below(span_cstr(n->text), span_cstr(w->names.v[i].text)))
            return true;
    return false;
}

/* A common name counts as a name where it is one that is permitted; else it is but words, which cad
 * leaves out. */
static bool read_wanted(struct call *c, const struct enrollee *w, const struct request *r,
                        struct cert_names *ret)
{
    struct cert_names cn = CERT_NAMES_EMPTY;

    cert_names_copy(ret, &r->names);
    if (r->common_name[0] && cert_names_add_any(&cn, span_cstr(r->common_name)) == 0 &&
        permitted(w, &cn.v[0]))
        cert_names_copy(ret, &cn);
    cert_names_done(&cn);
    if (r->names_ignored)
        return refuse(c, 400, "The request has names of a kind that is not certified here.");
    for (uint32_t i = 0; i < ret->n; i++)
        if (!permitted(w, &ret->v[i]))
            return refuse(c, 403, "The name %.200s may not be certified for you.",
                          log_quote(span_cstr(ret->v[i].text)));
    if (w->exactly && ret->n == 0)
        cert_names_copy(ret, &w->names);
    if (w->exactly && !cert_names_same(ret, &w->names))
        return refuse(c, 403, "Who shows a certificate gets exactly the names that stand in it.");
    return ret->n || refuse(c, 400, "The request has no name that can be certified.");
}

static bool answer_of(struct call *c, int rc, const struct enrollee *w, struct span reply,
                      const struct err *why)
{
    struct ca_issued_msg out;
    struct chain chain = CHAIN_NONE;
    struct err e;
    bool ok;

    switch (rc) {
    case 0:
        break;
    case -EINPROGRESS: /* section 4.2.3: ask again, with the same request */
        refuse(c, 202, "An officer of the CA decides about this request.");
        c->a->retry_after = OFFICER_SECONDS;
        return true;
    case -EPERM:
        return refuse(c, 403, "%s.", why->text);
    case -EINVAL:
    case -EBADMSG:
    case -EMSGSIZE:
    case -EKEYREJECTED:
    case -EKEYREVOKED:
        return refuse(c, 400, "%s.", why->text);
    default:
        return internal(c, why);
    }
    if (!rd_ca_issued(reply, &out) || chain_parse(out.chain, &chain, &e) < 0) {
        err_set(&e, -EPROTO, "cad's answer has another form");
        return internal(c, &e);
    }
    if (certificate_keep(c->en, 0, w->profile, out.chain, &e) < 0) {
        ok = internal(c, &e);
    } else {
        c->en->counts.issued++;
        ok = put_pkcs7(c, &chain, 1); /* the certificate alone: cacerts has the others */
    }
    chain_done(&chain);
    return ok;
}

static bool is_pkcs10(const struct call *c)
{
    return span_is(
        span_trim(span_head(span_cstr(c->q->content_type), strcspn(c->q->content_type, ";"))),
        "application/pkcs10");
}

static void enrol(struct call *c, bool renew)
{
    struct enrollee w = {.names = CERT_NAMES_EMPTY};
    struct buf der BUF_AUTO = BUF(REQUEST_DER_MAX), reply BUF_AUTO = BUF(65536);
    struct ca_issue_msg m = {.names = CERT_NAMES_EMPTY};
    struct request *r = NULL;
    struct err e;

    if (!is_pkcs10(c)) {
        refuse(c, 415, "The content type is application/pkcs10.");
    } else if (identify(c, renew, &w)) {
        if (!base64_decode_lenient(&der, c->q->body) || request_parse(buf_span(&der), &r, &e) < 0) {
            refuse(c, 400, "This is no certificate request (PKCS#10) in base64.");
        } else if (read_wanted(c, &w, r, &m.names)) {
            snprintf(m.profile, sizeof(m.profile), "%s", w.profile);
            snprintf(m.requester, sizeof(m.requester), "%s", w.requester);
            m.request = buf_span(&der);
            int rc = c->en->hooks.issue(c->en->hooks.arg, &m, &reply, &e);
            answer_of(c, rc, &w, buf_span(&reply), &e);
        }
    }
    request_free(r);
    cert_names_done(&m.names);
    cert_names_done(&w.names);
}

static void est_simpleenroll(struct call *c)
{
    enrol(c, false);
}

static void est_simplereenroll(struct call *c)
{
    enrol(c, true);
}

/* PATH, method, handler */
static const struct {
    const char *path, *method;
    void (*run)(struct call *c);
} routes[] = {
    {"cacerts",        "GET",  est_cacerts       },
    {"csrattrs",       "GET",  est_csrattrs      },
    {"simpleenroll",   "POST", est_simpleenroll  },
    {"simplereenroll", "POST", est_simplereenroll},
};

void est_handle(struct call *c)
{
    const char *method = strcmp(c->q->method, "HEAD") == 0 ? "GET" : c->q->method;

    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (span_eq_cstr(c->rest, routes[i].path)) {
            if (strcmp(method, routes[i].method) == 0)
                routes[i].run(c);
            else
                refuse(c, 405, "This address takes %s.", routes[i].method);
            return;
        }
    refuse(c, 404, "There is nothing at that address.");
}
