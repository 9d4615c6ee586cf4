/* What was issued: kept, revoked (RFC 8555 section 7.6), and when it is to be renewed (RFC 9773). */
#include "enrol/server.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "pki/chain.h"
#include "pki/crl.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { DAY = 86400, RENEWAL_RETRY_SECONDS = 6 * 3600 };

/* Hex of the authority key identifier; "" where there is none. */
static void akid_of(const struct certificate *leaf, char ret[64])
{
    const ASN1_OCTET_STRING *id = X509_get0_authority_key_id(leaf->x509);
    struct buf hex BUF_AUTO = BUF(63);

    ret[0] = '\0';
    if (id && hex_encode(&hex, span_of(ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id))))
        span_to_cstr(buf_span(&hex), ret, 64);
}

int certificate_keep(struct enrol *en, int64_t account, const char *profile, struct span bytes,
                     struct err *e)
{
    struct buf names BUF_AUTO = BUF(IDENTIFIERS_TEXT_MAX);
    struct chain chain = CHAIN_NONE;
    char akid[64];
    int rc = chain_parse(bytes, &chain, e);

    if (rc == 0 && chain.n == 0)
        rc = err_set(e, -EPROTO, "cad's answer has no certificate");
    if (rc < 0)
        return rc;
    akid_of(chain.v[0], akid);
    cert_names_print(&chain.v[0]->names, &names);
    rc = db_run(en->db, e,
                "INSERT INTO certificate(serial, account, profile, names, not_before, not_after,"
                " akid, chain) VALUES(?,?,?,?,?,?,?,?) ON CONFLICT(serial, account) DO NOTHING",
                "tittiitb", chain.v[0]->serial, account, profile, buf_cstr(&names),
                chain.v[0]->not_before, chain.v[0]->not_after, akid, bytes);
    chain_done(&chain);
    return rc;
}

/* ------------------------------------------------------------------ revoking */

struct found {
    bool known, own;
};

static int find(struct call *c, const struct certificate *x, struct found *ret, struct err *e)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    struct chain chain = CHAIN_NONE;
    int rc = db_query(c->en->db, &q, e,
                      "SELECT account, chain FROM certificate WHERE serial=? ORDER BY account=?"
                      " DESC",
                      "ti", x->serial, c->account);

    if (rc == 0)
        rc = db_next(&q, e);
    if (rc <= 0)
        return rc;
    if (chain_parse(db_blob(&q, 1), &chain, e) < 0)
        return -EIO;
    ret->known = chain.n && span_eq(certificate_der(chain.v[0]), certificate_der(x));
    ret->own = ret->known && c->account && db_int(&q, 0) == c->account;
    chain_done(&chain);
    return 0;
}

static bool holds_all(struct call *c, const struct certificate *x)
{
    bool all = c->account && x->names.n > 0;

    for (uint32_t i = 0; all && i < x->names.n; i++)
        all = authz_holds(c->en, c->account, &x->names.v[i], clock_seconds());
    return all;
}

static bool signed_by_its_key(const struct call *c, const struct certificate *x)
{
    return !c->account && X509_get0_pubkey(x->x509) &&
           EVP_PKEY_eq(X509_get0_pubkey(x->x509), c->key) == 1;
}

static bool read_reason(struct call *c, uint8_t *ret)
{
    const json_t *reason = json_object_get(c->payload, "reason");
    uint64_t v = 0;

    if (reason && !acme_json_number(c->payload, "reason", 255, &v))
        return problem(c, PROBLEM_MALFORMED, "\"reason\" is a number.");
    if (v != CRL_UNSPECIFIED && v != CRL_KEY_COMPROMISE && v != 3 && v != 4 && v != 5)
        return problem(c, PROBLEM_BAD_REVOCATION_REASON,
                       "Reasons taken here: 0 unspecified, 1 keyCompromise, 3 affiliationChanged, "
                       "4 superseded, 5 cessationOfOperation.");
    *ret = (uint8_t)v;
    return true;
}

static void revoke(struct call *c, const struct certificate *x)
{
    struct ca_revoke_msg m = {.reason = 0};
    struct found f = {.known = false};
    struct err e = {""};
    int rc = find(c, x, &f, &e);

    if (rc < 0) {
        problem_internal(c, &e);
        return;
    }
    if (!f.known) {
        problem_status_set(c, PROBLEM_MALFORMED, 404, "This CA has issued no such certificate.");
        return;
    }
    if (!f.own && !signed_by_its_key(c, x) && !holds_all(c, x)) {
        problem(c, PROBLEM_UNAUTHORIZED,
                "Neither this account's, nor signed with the certificate's key, nor are all its "
                "names shown to be this account's.");
        return;
    }
    if (!read_reason(c, &m.reason))
        return;
    snprintf(m.serial, sizeof(m.serial), "%s", x->serial);
    rc = c->en->hooks.revoke(c->en->hooks.arg, &m, &e);
    if (rc == -EALREADY) {
        problem(c, PROBLEM_ALREADY_REVOKED, "It was revoked before.");
    } else if (rc < 0) {
        problem_internal(c, &e);
    } else {
        c->en->counts.revoked++;
        log_info("acme: %s revoked, asked by %s", x->serial,
                 c->account ? "an account" : "its own key");
        c->a->type[0] = '\0';
    }
}

void acme_revoke(struct call *c)
{
    struct buf der BUF_AUTO = BUF(CERTIFICATE_DER_MAX);
    struct certificate *x = NULL;
    struct err e;

    if (!base64url_decode(&der, acme_json_span(c->payload, "certificate")) || der.n == 0 ||
        certificate_parse(buf_span(&der), &x, &e) < 0) {
        problem(c, PROBLEM_MALFORMED, "\"certificate\" is a certificate in base64url.");
        return;
    }
    revoke(c, x);
    certificate_free(x);
}

/* ------------------------------------------------------------------ when to renew */

static bool read_part(struct span text, char *ret, size_t size, bool number)
{
    struct buf bytes BUF_AUTO = BUF(64), hex BUF_AUTO = BUF(128);
    struct span b;

    if (!base64url_decode(&bytes, text) || bytes.n == 0)
        return false;
    b = buf_span(&bytes);
    if (number && b.n > 1 && b.p[0] == 0)
        b = span_skip(b, 1);
    return hex_encode(&hex, b) && span_to_cstr(buf_span(&hex), ret, size);
}

bool read_cert_id(struct span text, char ret_akid[64], char ret_serial[CERTIFICATE_SERIAL_MAX])
{
    size_t dot = span_find(text, '.');

    return dot != SPAN_NONE && read_part(span_head(text, dot), ret_akid, 64, false) &&
           read_part(span_skip(text, dot + 1), ret_serial, CERTIFICATE_SERIAL_MAX, true);
}

/* In the last third of its life, well before the end; one that was revoked: at once. */
void acme_renewal_info(struct call *c)
{
    char akid[64], serial[CERTIFICATE_SERIAL_MAX];
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    struct ca_state_msg state = {.revoked = false};
    struct err e;
    int rc = read_cert_id(c->rest, akid, serial)
                 ? db_query(c->en->db, &q, &e,
                            "SELECT not_before, not_after FROM certificate WHERE serial=? AND"
                            " akid=?",
                            "tt", serial, akid)
                 : -EINVAL;

    if (rc == 0)
        rc = db_next(&q, &e);
    if (rc <= 0) {
        problem_status_set(c, PROBLEM_MALFORMED, 404, "This CA has issued no such certificate.");
        return;
    }
    int64_t from = db_int(&q, 0), to = db_int(&q, 1), now = clock_seconds();
    int64_t begin = from + (to - from) * 2 / 3, end = begin + (to - from) / 12;
    if (c->en->hooks.state(c->en->hooks.arg, serial, &state) == 0 && state.revoked) {
        begin = now - DAY;
        end = now;
    }
    buf_put_cstr(c->out, "{\"suggestedWindow\":{\"start\":\"");
    date_print_iso(c->out, begin);
    buf_put_cstr(c->out, "\",\"end\":\"");
    date_print_iso(c->out, end);
    buf_put_cstr(c->out, "\"}}\n");
    c->a->retry_after = RENEWAL_RETRY_SECONDS;
}
