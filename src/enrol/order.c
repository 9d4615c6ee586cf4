/* Orders: from the names to the certificate (RFC 8555 section 7.4). */
#include "enrol/server.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "ca/enrol_policy.h"
#include "pki/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { HOUR = 3600, ASK_AGAIN_SECONDS = 4 };

/* ------------------------------------------------------------------ names */

void put_identifiers(struct buf *b, const struct cert_names *names)
{
    buf_putc(b, '[');
    for (uint32_t i = 0; i < names->n; i++) {
        buf_printf(b, "%s{\"type\":\"%s\",\"value\":", i ? "," : "",
                   names->v[i].type == CERT_NAME_IP ? "ip" : "dns");
        json_put_string(b, span_cstr(names->v[i].text));
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

bool read_names(const char *text, struct cert_names *ret)
{
    struct span rest = span_cstr(text), one;

    while (span_split(&rest, ',', &one))
        if (span_trim(one).n && cert_names_add_any(ret, span_trim(one)) < 0)
            return false;
    return true;
}

/* A numeric address in any spelling but the usual one is another text to a client. */
static bool add_identifier(struct call *c, const json_t *one, struct cert_names *names)
{
    struct span type = acme_json_span(one, "type"), value = acme_json_span(one, "value");
    unsigned char bytes[16];
    char text[CERT_NAME_TEXT_MAX + 1];
    bool ip = span_eq(type, SPAN("ip"));

    if (!type.p || !value.p)
        return problem(c, PROBLEM_MALFORMED, "An identifier has a type and a value.");
    if (!ip && !span_eq(type, SPAN("dns")))
        return problem(c, PROBLEM_UNSUPPORTED_IDENTIFIER, "Identifiers are dns and ip.");
    if (!span_to_cstr(value, text, sizeof(text)) || (cert_name_ip_bytes(text, bytes) != 0) != ip ||
        cert_names_add(names, ip ? CERT_NAME_IP : CERT_NAME_DNS, value) < 0)
        return problem(c, PROBLEM_REJECTED_IDENTIFIER, "%s is no %s.", log_quote(value),
                       ip ? "address" : "DNS name");
    return true;
}

/* All that may not be are named, as one problem (with subproblems, section 6.7.1). */
static bool check_permitted(struct call *c, const struct cert_names *names)
{
    struct buf subs BUF_AUTO = BUF(IDENTIFIERS_TEXT_MAX), text BUF_AUTO = BUF(1500);
    unsigned refused = 0;

    for (uint32_t i = 0; i < names->n; i++) {
        const struct cert_name *n = &names->v[i];
        if (enrol_acme_name(c->en->conf, n) && account_may(c->en, c->account, n) &&
            authz_count_kinds(c->en, n) > 0)
            continue;
        buf_printf(&subs,
                   "%s{\"type\":\"urn:ietf:params:acme:error:rejectedIdentifier\",\"detail\":"
                   "\"This name is not certified here.\",\"identifier\":{\"type\":\"%s\","
                   "\"value\":",
                   refused ? "," : "", n->type == CERT_NAME_IP ? "ip" : "dns");
        json_put_string(&subs, span_cstr(n->text));
        buf_put_cstr(&subs, "}}");
        buf_printf(&text, "%s%s", refused ? ", " : "", n->text);
        refused++;
    }
    if (!refused)
        return true;
    problem(c, PROBLEM_REJECTED_IDENTIFIER, "Not certified here: %.*s.",
            SPAN_ARG(span_head(buf_span(&text), 1000)));
    if (refused > 1 && c->out->n > 2 && !subs.overflow) {
        buf_truncate(c->out, c->out->n - 2); /* "}\n" */
        buf_printf(c->out, ",\"subproblems\":[%.*s]}\n", SPAN_ARG(buf_span(&subs)));
    }
    return false;
}

static bool read_identifiers(struct call *c, struct cert_names *names)
{
    const json_t *all = acme_json_array(c->payload, "identifiers"), *one;
    uint32_t most = c->en->conf->acme_server.names_per_order;
    size_t i;

    if (json_array_size(all) == 0)
        return problem(c, PROBLEM_MALFORMED, "An order has a list of identifiers.");
    if (json_array_size(all) > most)
        return problem(c, PROBLEM_MALFORMED, "An order has at most %u identifiers.", most);
    if (json_object_get(c->payload, "notBefore") || json_object_get(c->payload, "notAfter"))
        return problem(c, PROBLEM_MALFORMED, "This CA chooses the dates itself.");
    json_array_foreach(all, i, one)
    {
        if (!add_identifier(c, one, names))
            return false;
    }
    return check_permitted(c, names);
}

/* ------------------------------------------------------------------ making one */

/* RFC 9773 section 5: the certificate that this order is to replace. */
static bool read_replaces(struct call *c, const struct cert_names *names, char serial[])
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    struct cert_names old = CERT_NAMES_EMPTY;
    struct span id = acme_json_span(c->payload, "replaces");
    char akid[64];
    bool shared = false;
    struct err e;
    int rc;

    serial[0] = '\0';
    if (!json_object_get(c->payload, "replaces"))
        return true;
    if (!read_cert_id(id, akid, serial))
        return problem(c, PROBLEM_MALFORMED, "\"replaces\" is no certificate identifier.");
    rc = db_query(c->en->db, &q, &e,
                  "SELECT names, EXISTS(SELECT 1 FROM orders WHERE id=replaced AND"
                  " status<>'invalid') FROM certificate WHERE serial=? AND akid=? AND account=?",
                  "tti", serial, akid, c->account);
    if (rc == 0)
        rc = db_next(&q, &e);
    if (rc < 0)
        return problem_internal(c, &e);
    if (rc == 0)
        return problem(c, PROBLEM_MALFORMED, "This account has no such certificate to replace.");
    if (db_int(&q, 1))
        return problem(c, PROBLEM_ALREADY_REPLACED, "That certificate has been replaced before.");
    if (read_names(db_text(&q, 0), &old))
        for (uint32_t i = 0; i < old.n; i++)
            shared = shared || cert_names_has(names, (enum cert_name_type)old.v[i].type,
                                              span_cstr(old.v[i].text));
    cert_names_done(&old);
    return shared || problem(c, PROBLEM_MALFORMED, "The new order has none of its names.");
}

static bool under_rate(struct call *c, int64_t now)
{
    struct err e;
    int64_t recent = 0;

    if (db_number(c->en->db, 0, &recent, &e,
                  "SELECT count(*) FROM orders WHERE account=? AND created>?", "ii", c->account,
                  now - HOUR) < 0)
        return problem_internal(c, &e);
    if (recent < c->en->conf->acme_server.orders_per_hour)
        return true;
    c->a->retry_after = HOUR;
    return problem(c, PROBLEM_RATE_LIMITED, "%" PRId64 " orders in an hour are the limit.", recent);
}

static int insert(struct call *c, const struct cert_names *names, const char *replaces, int64_t now,
                  int64_t *ret, struct err *e)
{
    struct buf text BUF_AUTO = BUF(IDENTIFIERS_TEXT_MAX);
    struct db *db = c->en->db;
    int64_t authz = 0;
    int rc = db_begin(db, e);

    if (rc < 0)
        return rc;
    cert_names_print(names, &text);
    rc = db_run(db, e,
                "INSERT INTO orders(account, status, identifiers, created, expires, replaces)"
                " VALUES(?,'pending',?,?,?,?)",
                "itiit", c->account, buf_cstr(&text), now,
                now + (int64_t)c->en->conf->acme_server.order_hours * HOUR, replaces);
    *ret = db_last_id(db);
    for (uint32_t i = 0; rc == 0 && i < names->n; i++) {
        rc = authz_make(c->en, c->account, &names->v[i], now, &authz, e);
        if (rc == 0)
            rc = db_run(db, e, "INSERT INTO order_authz(orders, authz) VALUES(?,?)", "ii", *ret,
                        authz);
    }
    if (rc == 0 && replaces[0])
        rc =
            db_run(db, e, "UPDATE certificate SET replaced=? WHERE serial=?", "it", *ret, replaces);
    return db_end(db, rc, e);
}

/* ------------------------------------------------------------------ its state */

struct order {
    int64_t id, account, created, expires, asked;
    char status[16], serial[CERTIFICATE_SERIAL_MAX], replaces[CERTIFICATE_SERIAL_MAX];
    struct cert_names names;
    struct buf problem, csr;
};

static void order_done(struct order *o)
{
    cert_names_done(&o->names);
    buf_done(&o->problem);
    buf_done(&o->csr);
}

/* 1: there it is; 0: none; negative errno */
static int order_load(struct enrol *en, int64_t id, struct order *o, struct err *e)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    int rc = db_query(en->db, &q, e,
                      "SELECT account, status, identifiers, created, expires, problem, csr, serial,"
                      " replaces, asked FROM orders WHERE id=?",
                      "i", id);

    if (rc == 0)
        rc = db_next(&q, e);
    if (rc <= 0)
        return rc;
    *o = (struct order){.id = id,
                        .account = db_int(&q, 0),
                        .created = db_int(&q, 3),
                        .expires = db_int(&q, 4),
                        .asked = db_int(&q, 9),
                        .problem = BUF(8192),
                        .csr = BUF(REQUEST_DER_MAX)};
    snprintf(o->status, sizeof(o->status), "%s", db_text(&q, 1));
    snprintf(o->serial, sizeof(o->serial), "%s", db_text(&q, 7));
    snprintf(o->replaces, sizeof(o->replaces), "%s", db_text(&q, 8));
    read_names(db_text(&q, 2), &o->names);
    buf_put_cstr(&o->problem, db_text(&q, 5));
    buf_put_span(&o->csr, db_blob(&q, 6));
    return 1;
}

static int set_status(struct enrol *en, struct order *o, const char *status, struct err *e)
{
    int rc = db_run(en->db, e, "UPDATE orders SET status=?, problem=? WHERE id=?", "tti", status,
                    buf_cstr(&o->problem), o->id);

    if (rc == 0)
        snprintf(o->status, sizeof(o->status), "%s", status);
    return rc;
}

/* A pending order is ready once all its authorizations are valid (section 7.1.6). */
static int look_ready(struct enrol *en, struct order *o, struct err *e)
{
    int64_t now = clock_seconds(), open = 0, lost = 0;
    bool pending = strcmp(o->status, "pending") == 0;
    int rc = 0;

    if (!pending && strcmp(o->status, "ready") != 0)
        return 0;
    if (o->expires <= now)
        return set_status(en, o, "invalid", e);
    rc = db_number(en->db, 0, &open, e,
                   "SELECT count(*) FROM order_authz JOIN authz ON authz.id=authz WHERE orders=?"
                   " AND NOT (status='valid' AND expires>?)",
                   "ii", o->id, now);
    if (rc == 0 && open)
        rc = db_number(en->db, 0, &lost, e,
                       "SELECT count(*) FROM order_authz JOIN authz ON authz.id=authz WHERE"
                       " orders=? AND status NOT IN ('pending','valid')",
                       "i", o->id);
    if (rc == 0 && pending && open == 0)
        rc = set_status(en, o, "ready", e);
    else if (rc == 0 && open && (lost || !pending)) /* given up or over meanwhile */
        rc = set_status(en, o, "invalid", e);
    return rc;
}

static void put_authzs(struct call *c, const struct order *o)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    struct err e;
    bool first = true;

    if (db_query(c->en->db, &q, &e, "SELECT authz FROM order_authz WHERE orders=? ORDER BY authz",
                 "i", o->id) < 0)
        return;
    while (db_next(&q, &e) > 0) {
        buf_put_cstr(c->out, first ? "" : ",");
        put_url(c->out, c, "authz", db_int(&q, 0));
        first = false;
    }
}

static void show(struct call *c, const struct order *o, unsigned status)
{
    c->a->status = (uint16_t)status;
    set_location(c, "order", o->id);
    buf_printf(c->out, "{\"status\":\"%s\"", o->status);
    put_time(c->out, "expires", o->expires);
    buf_put_cstr(c->out, ",\"identifiers\":");
    put_identifiers(c->out, &o->names);
    buf_put_cstr(c->out, ",\"authorizations\":[");
    put_authzs(c, o);
    buf_printf(c->out, "],\"finalize\":\"%s/acme/order/%" PRId64 "/finalize\"", c->q->base, o->id);
    if (o->problem.n)
        buf_printf(c->out, ",\"error\":%.*s", SPAN_ARG(buf_span(&o->problem)));
    if (o->serial[0])
        buf_printf(c->out, ",\"certificate\":\"%s/acme/certificate/%s\"", c->q->base, o->serial);
    buf_put_cstr(c->out, "}\n");
    if (strcmp(o->status, "processing") == 0)
        c->a->retry_after = o->asked ? OFFICER_SECONDS : POLL_SECONDS;
}

void acme_new_order(struct call *c)
{
    struct cert_names names = CERT_NAMES_EMPTY;
    char replaces[CERTIFICATE_SERIAL_MAX];
    struct order o = {.id = 0};
    int64_t now = clock_seconds(), id = 0;
    struct err e;
    int rc;

    if (!c->payload) {
        problem(c, PROBLEM_MALFORMED, "A new order needs a payload.");
        return;
    }
    if (read_identifiers(c, &names) && read_replaces(c, &names, replaces) && under_rate(c, now)) {
        rc = insert(c, &names, replaces, now, &id, &e);
        if (rc == 0)
            rc = order_load(c->en, id, &o, &e) > 0 ? look_ready(c->en, &o, &e) : -EIO;
        if (rc < 0) {
            problem_internal(c, &e);
        } else {
            c->en->counts.orders++;
            show(c, &o, 201);
        }
        order_done(&o);
    }
    cert_names_done(&names);
}

/* ------------------------------------------------------------------ finalize */

static bool names_of_request(const struct request *r, struct cert_names *ret)
{
    struct span cn = span_cstr(r->common_name);

    if (cert_names_copy(ret, &r->names) < 0)
        return false;
    return !cn.n || cert_names_add_any(ret, cn) == 0;
}

static bool strong_enough(const char *key_type)
{
    static const char *const good[] = {"p256",    "p384",    "p521",   "ed25519",
                                       "rsa2048", "rsa3072", "rsa4096"};

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (strcmp(key_type, good[i]) == 0)
            return true;
    return false;
}

static bool is_account_key(const struct call *c, const struct request *r)
{
    unsigned char *spki = NULL;
    int n = i2d_PUBKEY(c->key, &spki);
    bool same = n > 0 && (size_t)n == r->spki_bytes && memcmp(spki, r->spki, (size_t)n) == 0;

    OPENSSL_free(spki);
    return same;
}

static bool check_csr(struct call *c, const struct order *o, struct span der)
{
    struct cert_names names = CERT_NAMES_EMPTY;
    struct request *r = NULL;
    struct err e;
    bool ok;

    if (request_parse(der, &r, &e) < 0)
        return problem(c, PROBLEM_BAD_CSR, "%s.", e.text);
    if (is_account_key(c, r))
        ok = problem(c, PROBLEM_BAD_CSR, "The request is for the account's own key.");
    else if (!strong_enough(r->key_type))
        ok = problem(c, PROBLEM_BAD_CSR, "A key of kind %s is not certified here.", r->key_type);
    else if (r->names_ignored || !names_of_request(r, &names) ||
             !cert_names_same(&names, &o->names))
        ok = problem(c, PROBLEM_BAD_CSR, "The request has not exactly the names of the order.");
    else
        ok = true;
    cert_names_done(&names);
    request_free(r);
    return ok;
}

static int64_t *issuing_slot(struct enrol *en, int64_t id)
{
    for (size_t i = 0; i < ISSUING_MAX; i++)
        if (en->issuing[i] == id)
            return &en->issuing[i];
    return NULL;
}

static enum enrol_problem problem_of(int rc)
{
    switch (rc) {
    case -EPERM:
        return PROBLEM_REJECTED_IDENTIFIER;
    case -EINVAL:
    case -EBADMSG:
    case -EMSGSIZE:
    case -EKEYREJECTED:
    case -EKEYREVOKED:
        return PROBLEM_BAD_CSR;
    default:
        return PROBLEM_NONE; /* cad is away, or the CA is just being made: asked again */
    }
}

static int ask_cad(struct enrol *en, const struct order *o, struct buf *reply, struct err *e)
{
    struct ca_issue_msg m = {.request = buf_span(&o->csr), .names = o->names};

    snprintf(m.profile, sizeof(m.profile), "%s", en->conf->acme_server.profile);
    snprintf(m.requester, sizeof(m.requester), "acme: account %" PRId64 ", order %" PRId64,
             o->account, o->id);
    return en->hooks.issue(en->hooks.arg, &m, reply, e);
}

static int keep_issued(struct enrol *en, struct order *o, struct span reply, struct err *e)
{
    struct ca_issued_msg out;
    int rc;

    if (!rd_ca_issued(reply, &out))
        return err_set(e, -EPROTO, "cad's answer has another form");
    rc = db_begin(en->db, e);
    if (rc < 0)
        return rc;
    rc = certificate_keep(en, o->account, en->conf->acme_server.profile, out.chain, e);
    if (rc == 0)
        rc = db_run(en->db, e, "UPDATE orders SET status='valid', serial=? WHERE id=?", "ti",
                    out.serial, o->id);
    rc = db_end(en->db, rc, e);
    if (rc == 0) {
        snprintf(o->status, sizeof(o->status), "valid");
        snprintf(o->serial, sizeof(o->serial), "%s", out.serial);
        en->counts.issued++;
    }
    return rc;
}

/* One try at cad; asked again when the client looks again. suspends */
static int issue(struct enrol *en, struct order *o, struct err *e)
{
    struct buf reply BUF_AUTO = BUF(65536);
    int64_t *slot = issuing_slot(en, o->id) ? NULL : issuing_slot(en, 0), now = clock_seconds();
    struct err why = {""};
    int rc;

    if (!slot || now - o->asked < ASK_AGAIN_SECONDS)
        return 0;
    *slot = o->id;
    rc = ask_cad(en, o, &reply, &why);
    *slot = 0;
    if (rc == 0)
        return keep_issued(en, o, buf_span(&reply), e);
    if (problem_of(rc) != PROBLEM_NONE) {
        buf_clear(&o->problem);
        problem_put(&o->problem, problem_of(rc), problem_status(problem_of(rc)),
                    span_cstr(why.text));
        log_info("acme: order %" PRId64 " not issued: %s", o->id, why.text);
        return set_status(en, o, "invalid", e);
    }
    if (rc != -EINPROGRESS)
        log_warn("acme: order %" PRId64 ": %s", o->id, why.text);
    o->asked = rc == -EINPROGRESS ? now : 0;
    return db_run(en->db, e, "UPDATE orders SET asked=? WHERE id=?", "ii", o->asked, o->id);
}

static bool finalize(struct call *c, struct order *o)
{
    struct buf der BUF_AUTO = BUF(REQUEST_DER_MAX);
    struct err e;

    if (strcmp(o->status, "ready") != 0)
        return problem(c, PROBLEM_ORDER_NOT_READY, "The order is %s, not ready.", o->status);
    if (!base64url_decode(&der, acme_json_span(c->payload, "csr")) || der.n == 0)
        return problem(c, PROBLEM_BAD_CSR, "\"csr\" is a request (PKCS#10) in base64url.");
    if (!check_csr(c, o, buf_span(&der)))
        return false;
    buf_put_span(&o->csr, buf_span(&der));
    if (db_run(c->en->db, &e, "UPDATE orders SET status='processing', csr=? WHERE id=?", "bi",
               buf_span(&der), o->id) < 0)
        return problem_internal(c, &e);
    snprintf(o->status, sizeof(o->status), "processing");
    return true;
}

void acme_order(struct call *c)
{
    struct span id, rest = c->rest;
    struct order o = {.id = 0};
    uint64_t number;
    struct err e;
    bool more = span_split(&rest, '/', &id) && rest.n, ok = true;
    int rc;

    if (!span_to_u64(id, INT64_MAX, &number) || (more && !span_is(rest, "finalize"))) {
        problem_status_set(c, PROBLEM_MALFORMED, 404, "There is nothing at that address.");
        return;
    }
    rc = order_load(c->en, (int64_t)number, &o, &e);
    if (rc < 0) {
        problem_internal(c, &e);
        return;
    }
    if (rc == 0 || o.account != c->account) {
        problem(c, PROBLEM_UNAUTHORIZED, "That belongs to another account, or is not there.");
        order_done(&o);
        return;
    }
    rc = look_ready(c->en, &o, &e);
    if (rc == 0 && more)
        ok = c->payload ? finalize(c, &o)
                        : problem(c, PROBLEM_MALFORMED, "Finalizing needs a payload.");
    if (rc == 0 && ok && strcmp(o.status, "processing") == 0)
        rc = issue(c->en, &o, &e);
    if (rc < 0)
        problem_internal(c, &e);
    else if (ok)
        show(c, &o, 200);
    order_done(&o);
}

/* ------------------------------------------------------------------ the certificate */

void acme_certificate(struct call *c)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    struct chain chain = CHAIN_NONE;
    char serial[CERTIFICATE_SERIAL_MAX];
    struct err e;
    int rc = span_to_cstr(c->rest, serial, sizeof(serial))
                 ? db_query(c->en->db, &q, &e,
                            "SELECT chain FROM certificate WHERE serial=? AND account=?", "ti",
                            serial, c->account)
                 : -EINVAL;

    if (rc == 0)
        rc = db_next(&q, &e);
    if (rc <= 0) {
        problem(c, PROBLEM_UNAUTHORIZED, "That belongs to another account, or is not there.");
        return;
    }
    if (chain_parse(db_blob(&q, 0), &chain, &e) < 0) {
        problem_internal(c, &e);
        return;
    }
    snprintf(c->a->type, sizeof(c->a->type), "application/pem-certificate-chain");
    chain_write_pem(&chain, c->out);
    chain_done(&chain);
}
