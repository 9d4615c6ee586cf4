/* Accounts of ACME: made, changed, given up, given another key (RFC 8555 section 7.3). */
#include "enrol/server.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "ca/enrol_policy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { HOUR = 3600, CONTACT_BYTES = 320, ORDERS_SHOWN = 200 };

int account_by_thumbprint(struct enrol *en, const char *thumbprint, int64_t *ret_id,
                          char ret_status[16], struct err *e)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    int rc = db_query(en->db, &q, e, "SELECT id, status FROM account WHERE thumbprint=?", "t",
                      thumbprint);

    if (rc == 0 && (rc = db_next(&q, e)) > 0) {
        *ret_id = db_int(&q, 0);
        snprintf(ret_status, 16, "%s", db_text(&q, 1));
    }
    return rc;
}

EVP_PKEY *account_key(struct enrol *en, int64_t id, char ret_thumbprint[64])
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    EVP_PKEY *key = NULL;
    struct err e;

    if (db_query(en->db, &q, &e,
                 "SELECT spki, thumbprint FROM account WHERE id=? AND status='valid'", "i", id) < 0)
        return NULL;
    if (db_next(&q, &e) > 0) {
        struct span spki = db_blob(&q, 0);
        const unsigned char *at = (const unsigned char *)spki.p;
        key = d2i_PUBKEY(NULL, &at, (long)spki.n);
        snprintf(ret_thumbprint, 64, "%s", db_text(&q, 1));
    }
    return key;
}

bool account_may(struct enrol *en, int64_t id, const struct cert_name *n)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    struct err e;
    bool may = false;

    if (db_query(en->db, &q, &e, "SELECT names FROM account WHERE id=?", "i", id) < 0 ||
        db_next(&q, &e) <= 0)
        return false;
    struct span names = span_cstr(db_text(&q, 0)), one, text = span_cstr(n->text);
    if (names.n == 0)
        return true;
    if (span_starts(text, SPAN("*.")))
        text = span_skip(text, 2);
    while (!may && span_split(&names, ',', &one))
        may = n->type == CERT_NAME_DNS ? enrol_name_below(text, span_trim(one))
                                       : span_eq(text, span_trim(one));
    return may;
}

/* ------------------------------------------------------------------ contacts */

/* RFC 8555 section 7.3: mailto with one address and no header fields. */
static bool check_contact(struct call *c, struct span s)
{
    struct span address = span_skip(s, 7);

    if (!span_starts_nocase(s, SPAN("mailto:")))
        return problem(c, PROBLEM_UNSUPPORTED_CONTACT, "Contacts are mailto: addresses.");
    size_t at = span_rfind(address, '@');
    bool ok = s.n <= CONTACT_BYTES && at != SPAN_NONE && at > 0 && at + 1 < address.n &&
              !span_has(address, ',') && !span_has(address, '?');
    for (size_t i = 0; ok && i < address.n; i++)
        ok = (unsigned char)address.p[i] > 0x20 && address.p[i] != 0x7f;
    return ok || problem(c, PROBLEM_INVALID_CONTACT,
                         "A contact is \"mailto:\" and one address, nothing behind it.");
}

/* As a JSON array of texts, as it is stored and shown. */
static bool read_contacts(struct call *c, struct buf *ret)
{
    const json_t *all = json_object_get(c->payload, "contact"), *one;
    size_t i;

    if (all && !json_is_array(all))
        return problem(c, PROBLEM_MALFORMED, "\"contact\" is a list.");
    if (json_array_size(all) > CONTACTS_MAX)
        return problem(c, PROBLEM_INVALID_CONTACT, "There are more than %d contacts.",
                       CONTACTS_MAX);
    buf_putc(ret, '[');
    json_array_foreach(all, i, one)
    {
        if (!json_is_string(one))
            return problem(c, PROBLEM_MALFORMED, "\"contact\" is a list of texts.");
        struct span s = span_of(json_string_value(one), json_string_length(one));
        if (!check_contact(c, s))
            return false;
        buf_put_cstr(ret, i ? "," : "");
        json_put_string(ret, s);
    }
    buf_putc(ret, ']');
    return true;
}

/* ------------------------------------------------------------------ external account binding */

struct binding {
    char name[64];
    char names[ENROL_NAMES_MAX + 1];
};

/* The payload of the binding is the account's key, no other. */
static bool binds_this_key(struct call *c, const struct jws *inner)
{
    struct buf print BUF_AUTO = BUF(63);
    json_t *jwk = NULL;
    EVP_PKEY *key = NULL;
    struct err e;
    bool same = acme_json_read(buf_span(&inner->payload), &jwk, &e) == 0 &&
                jwk_read(jwk, &key, &e) == 0 && jwk_thumbprint(&print, key) &&
                span_eq_cstr(buf_span(&print), c->thumbprint);

    EVP_PKEY_free(key);
    json_decref(jwk);
    return same;
}

static bool check_binding(struct call *c, const struct jws *inner, struct binding *ret)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    struct err e;
    int rc;

    if (strcmp(inner->alg, "HS256") != 0)
        return problem(c, PROBLEM_BAD_SIGNATURE_ALGORITHM,
                       "An external account binding is signed with HS256.");
    if (inner->nonce[0] || strcmp(inner->url, c->jws.url) != 0 || !inner->kid[0] ||
        !binds_this_key(c, inner))
        return problem(c, PROBLEM_MALFORMED,
                       "The external account binding has no nonce, the address of this request, "
                       "\"kid\", and this account's key as payload.");
    rc = db_query(c->en->db, &q, &e, "SELECT name, key, names, account FROM eab WHERE kid=?", "t",
                  inner->kid);
    if (rc == 0)
        rc = db_next(&q, &e);
    if (rc < 0)
        return problem_internal(c, &e);
    if (rc == 0 || !jws_verify_hmac(inner, db_blob(&q, 1)))
        return problem(c, PROBLEM_UNAUTHORIZED,
                       "The key of the external account binding is not known, or does not fit.");
    if (db_int(&q, 3))
        return problem(c, PROBLEM_UNAUTHORIZED,
                       "That external account belongs to another account already.");
    snprintf(ret->name, sizeof(ret->name), "%s", db_text(&q, 0));
    snprintf(ret->names, sizeof(ret->names), "%s", db_text(&q, 2));
    return true;
}

static bool read_binding(struct call *c, struct binding *ret)
{
    const json_t *object = json_object_get(c->payload, "externalAccountBinding");
    struct jws inner;
    struct err e;
    bool ok;

    if (!object) {
        if (!c->en->conf->acme_server.require_eab)
            return true;
        return problem(c, PROBLEM_EXTERNAL_ACCOUNT_REQUIRED,
                       "An account needs an external account binding; whoever runs this server "
                       "hands out keys for it.");
    }
    if (!json_is_object(object) || jws_read_object(object, &inner, &e) < 0)
        return problem(c, PROBLEM_MALFORMED, "\"externalAccountBinding\" is a signed message.");
    ok = check_binding(c, &inner, ret);
    jws_done(&inner);
    return ok;
}

/* ------------------------------------------------------------------ making one */

/* POST tells whose it is; the account that is there already answers 200. */
static void show(struct call *c, int64_t id, unsigned status)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    struct err e;

    if (db_query(c->en->db, &q, &e,
                 "SELECT status, contacts, terms, created FROM account WHERE"
                 " id=?",
                 "i", id) < 0 ||
        db_next(&q, &e) <= 0) {
        problem(c, PROBLEM_ACCOUNT_DOES_NOT_EXIST, "There is no such account.");
        return;
    }
    c->a->status = (uint16_t)status;
    set_location(c, "account", id);
    buf_printf(c->out, "{\"status\":\"%s\",\"contact\":%s", db_text(&q, 0), db_text(&q, 1));
    if (db_int(&q, 2))
        buf_put_cstr(c->out, ",\"termsOfServiceAgreed\":true");
    buf_printf(c->out, ",\"orders\":\"%s/acme/account/%" PRId64 "/orders\"", c->q->base, id);
    put_time(c->out, "createdAt", db_int(&q, 3));
    buf_put_cstr(c->out, "}\n");
}

static bool room_for_account(struct call *c)
{
    const struct conf_acme_server *s = &c->en->conf->acme_server;
    struct span peer = span_of(c->q->peer, sizeof(c->q->peer));
    int64_t all = 0, recent = 0;
    struct err e;

    if (db_number(c->en->db, 0, &all, &e, "SELECT count(*) FROM account WHERE status='valid'", "") <
            0 ||
        db_number(c->en->db, 0, &recent, &e,
                  "SELECT count(*) FROM account WHERE peer=? AND created>?", "bi", peer,
                  clock_seconds() - HOUR) < 0)
        return problem_internal(c, &e);
    if (all < s->accounts && (c->q->trusted || recent < s->accounts_per_hour))
        return true;
    c->a->retry_after = HOUR;
    return problem(c, PROBLEM_RATE_LIMITED, "There are too many new accounts; try again later.");
}

static int insert(struct call *c, const char *contacts, const struct binding *b, bool terms,
                  int64_t *ret, struct err *e)
{
    struct db *db = c->en->db;
    unsigned char *spki = NULL;
    int n = i2d_PUBKEY(c->key, &spki), rc;

    if (n <= 0)
        return err_set(e, -EINVAL, "the account's key cannot be written");
    rc = db_begin(db, e);
    if (rc == 0) {
        rc =
            db_run(db, e,
                   "INSERT INTO account(thumbprint, spki, contacts, status, eab, names, terms,"
                   " peer, created) VALUES(?,?,?,'valid',?,?,?,?,?)",
                   "tbtttibi", c->thumbprint, span_of(spki, (size_t)n), contacts, b->name, b->names,
                   (int64_t)terms, span_of(c->q->peer, sizeof(c->q->peer)), clock_seconds());
        *ret = db_last_id(db);
        if (rc == 0 && b->name[0])
            rc = db_run(db, e, "UPDATE eab SET account=? WHERE name=?", "it", *ret, b->name);
        rc = db_end(db, rc, e);
    }
    OPENSSL_free(spki);
    return rc;
}

static void make(struct call *c)
{
    struct buf contacts BUF_AUTO = BUF(CONTACTS_MAX * CONTACT_BYTES * 6);
    struct binding b = {"", ""};
    bool terms = json_is_true(json_object_get(c->payload, "termsOfServiceAgreed"));
    struct err e;
    int64_t id = 0;

    if (c->en->conf->acme_server.terms[0] && !terms) {
        problem(c, PROBLEM_USER_ACTION_REQUIRED, "Agree to the terms at %s first.",
                c->en->conf->acme_server.terms);
        return;
    }
    if (!read_contacts(c, &contacts) || !read_binding(c, &b) || !room_for_account(c))
        return;
    if (insert(c, buf_cstr(&contacts), &b, terms, &id, &e) < 0) {
        problem_internal(c, &e);
        return;
    }
    c->en->counts.accounts++;
    log_info("acme: account %" PRId64 " made%s%s", id, b.name[0] ? " for " : "", b.name);
    show(c, id, 201);
}

void acme_new_account(struct call *c)
{
    char status[16];
    struct err e;
    int64_t id;
    int rc = account_by_thumbprint(c->en, c->thumbprint, &id, status, &e);

    if (rc < 0)
        problem_internal(c, &e);
    else if (rc > 0 && strcmp(status, "valid") != 0)
        problem_status_set(c, PROBLEM_UNAUTHORIZED, 401, "The account of this key is %s.", status);
    else if (rc > 0)
        show(c, id, 200);
    else if (!c->payload)
        problem(c, PROBLEM_MALFORMED, "A new account needs a payload.");
    else if (json_is_true(json_object_get(c->payload, "onlyReturnExisting")))
        problem(c, PROBLEM_ACCOUNT_DOES_NOT_EXIST, "This key has no account.");
    else
        make(c);
}

/* ------------------------------------------------------------------ changing it */

static bool deactivate(struct call *c)
{
    struct db *db = c->en->db;
    struct err e;
    int rc = db_begin(db, &e);

    if (rc == 0) {
        rc = db_run(db, &e, "UPDATE account SET status='deactivated' WHERE id=?", "i", c->account);
        if (rc == 0)
            rc = db_run(db, &e,
                        "UPDATE authz SET status='deactivated' WHERE account=? AND status IN"
                        " ('pending','valid')",
                        "i", c->account);
        if (rc == 0)
            rc = db_run(db, &e,
                        "UPDATE orders SET status='invalid' WHERE account=? AND status IN"
                        " ('pending','ready','processing')",
                        "i", c->account);
        rc = db_end(db, rc, &e);
    }
    if (rc < 0)
        return problem_internal(c, &e);
    log_info("acme: account %" PRId64 " deactivated by its holder", c->account);
    return true;
}

static bool change(struct call *c)
{
    struct buf contacts BUF_AUTO = BUF(CONTACTS_MAX * CONTACT_BYTES * 6);
    const json_t *status = json_object_get(c->payload, "status");
    struct err e;

    if (status) {
        if (!json_is_string(status) || strcmp(json_string_value(status), "deactivated") != 0)
            return problem(c, PROBLEM_MALFORMED, "\"status\" can become \"deactivated\" only.");
        return deactivate(c);
    }
    if (!json_object_get(c->payload, "contact"))
        return true;
    if (!read_contacts(c, &contacts))
        return false;
    if (db_run(c->en->db, &e, "UPDATE account SET contacts=? WHERE id=?", "ti", buf_cstr(&contacts),
               c->account) < 0)
        return problem_internal(c, &e);
    return true;
}

static void list_orders(struct call *c)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    struct err e;
    bool first = true;
    int rc = db_query(c->en->db, &q, &e,
                      "SELECT id FROM orders WHERE account=? ORDER BY id DESC LIMIT ?", "ii",
                      c->account, (int64_t)ORDERS_SHOWN);

    buf_put_cstr(c->out, "{\"orders\":[");
    while (rc == 0 && (rc = db_next(&q, &e)) > 0) {
        buf_put_cstr(c->out, first ? "" : ",");
        put_url(c->out, c, "order", db_int(&q, 0));
        first = false;
        rc = 0;
    }
    buf_put_cstr(c->out, "]}\n");
    if (rc < 0)
        problem_internal(c, &e);
}

void acme_account(struct call *c)
{
    struct span id;
    uint64_t number;
    bool orders = span_split(&c->rest, '/', &id) && c->rest.n;

    if (!span_to_u64(id, INT64_MAX, &number) || (orders && !span_is(c->rest, "orders")))
        problem_status_set(c, PROBLEM_MALFORMED, 404, "There is nothing at that address.");
    else if ((int64_t)number != c->account)
        problem(c, PROBLEM_UNAUTHORIZED, "That is not the account that signed.");
    else if (orders)
        list_orders(c);
    else if (!c->payload || change(c))
        show(c, c->account, 200);
}

/* ------------------------------------------------------------------ another key, section 7.3.5 */

struct new_key {
    struct jws inner;
    json_t *payload;
    EVP_PKEY *key;
    char thumbprint[64];
};

static bool read_old_key(struct call *c, const json_t *payload)
{
    struct buf print BUF_AUTO = BUF(63);
    EVP_PKEY *old = NULL;
    struct err e;
    bool same = jwk_read(json_object_get(payload, "oldKey"), &old, &e) == 0 &&
                jwk_thumbprint(&print, old) && span_eq_cstr(buf_span(&print), c->thumbprint);

    EVP_PKEY_free(old);
    return same;
}

static bool check_new_key(struct call *c, struct new_key *k)
{
    struct buf print BUF_AUTO = BUF(63);
    struct err e;

    if (k->inner.nonce[0] || k->inner.kid[0] || !k->inner.jwk ||
        strcmp(k->inner.url, c->jws.url) != 0)
        return problem(c, PROBLEM_MALFORMED,
                       "The inner message has the new key (\"jwk\"), the same address, no nonce.");
    if (jwk_read(k->inner.jwk, &k->key, &e) < 0)
        return problem(c, PROBLEM_BAD_PUBLIC_KEY, "%s.", e.text);
    if (!jws_verify(&k->inner, k->key))
        return problem(c, PROBLEM_MALFORMED, "The new key did not sign the inner message.");
    if (acme_json_read(buf_span(&k->inner.payload), &k->payload, &e) < 0)
        return problem(c, PROBLEM_MALFORMED, "%s.", e.text);
    if (!span_eq_cstr(acme_json_span(k->payload, "account"), c->jws.kid) ||
        !read_old_key(c, k->payload))
        return problem(c, PROBLEM_MALFORMED,
                       "The inner message names this account and its present key.");
    if (!jwk_thumbprint(&print, k->key) ||
        !span_to_cstr(buf_span(&print), k->thumbprint, sizeof(k->thumbprint)))
        return problem(c, PROBLEM_BAD_PUBLIC_KEY, "The new key has no thumbprint.");
    return true;
}

static bool change_key(struct call *c, const struct new_key *k)
{
    unsigned char *spki = NULL;
    char status[16];
    struct err e;
    int64_t other;
    int n, rc = account_by_thumbprint(c->en, k->thumbprint, &other, status, &e);

    if (rc < 0)
        return problem_internal(c, &e);
    if (rc > 0) {
        problem_status_set(c, PROBLEM_MALFORMED, 409, "The new key has an account already.");
        set_location(c, "account", other);
        return false;
    }
    n = i2d_PUBKEY(k->key, &spki);
    rc = n <= 0 ? err_set(&e, -EINVAL, "the new key cannot be written")
                : db_run(c->en->db, &e, "UPDATE account SET thumbprint=?, spki=? WHERE id=?", "tbi",
                         k->thumbprint, span_of(spki, (size_t)n), c->account);
    OPENSSL_free(spki);
    if (rc < 0)
        return problem_internal(c, &e);
    log_info("acme: account %" PRId64 " has another key", c->account);
    return true;
}

void acme_key_change(struct call *c)
{
    struct new_key k = {.payload = NULL};
    struct err e;

    if (!c->payload || jws_read_object(c->payload, &k.inner, &e) < 0) {
        problem(c, PROBLEM_MALFORMED, "The payload is a message signed with the new key.");
        return;
    }
    if (check_new_key(c, &k) && change_key(c, &k))
        show(c, c->account, 200);
    EVP_PKEY_free(k.key);
    json_decref(k.payload);
    jws_done(&k.inner);
}
