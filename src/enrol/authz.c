/* Control over names: authorizations and their challenges (RFC 8555 sections 7.5, 8). */
#include "enrol/server.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TOKEN_BYTES = 32, HOUR = 3600, DAY = 86400 };

/* ------------------------------------------------------------------ which kinds */

static const struct kind {
    const char *name;
    bool wildcard, address;
} kinds[] = {
    {"http-01",     false, true },
    {"dns-01",      true,  false},
    {"tls-alpn-01", false, true },
};

/* A wildcard is shown by DNS only (section 7.1.3 leaves it open; the others show one host). */
static bool kind_fits(const struct enrol *en, const struct kind *k, const struct cert_name *n)
{
    const struct conf_strings *on = &en->conf->acme_server.challenges;

    if ((n->type == CERT_NAME_IP && !k->address) ||
        (span_starts(span_cstr(n->text), SPAN("*.")) && !k->wildcard))
        return false;
    for (uint32_t i = 0; i < on->n; i++)
        if (strcmp(on->v[i], k->name) == 0)
            return true;
    return false;
}

int authz_count_kinds(const struct enrol *en, const struct cert_name *n)
{
    int count = 0;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        count += kind_fits(en, &kinds[i], n);
    return count;
}

/* ------------------------------------------------------------------ making one */

struct subject {
    const char *type;
    struct span value;
    bool wildcard;
};

static struct subject subject_of(const struct cert_name *n)
{
    struct subject s = {n->type == CERT_NAME_IP ? "ip" : "dns", span_cstr(n->text), false};

    if (span_starts(s.value, SPAN("*."))) {
        s.wildcard = true;
        s.value = span_skip(s.value, 2);
    }
    return s;
}

/* The value ends where the name does, so its start is a text of its own. */
static int find_valid(struct enrol *en, int64_t account, const struct cert_name *n, int64_t now,
                      int64_t *ret, struct err *e)
{
    struct subject s = subject_of(n);

    return db_number(en->db, 0, ret, e,
                     "SELECT id FROM authz WHERE account=? AND type=? AND value=? AND wildcard=?"
                     " AND status='valid' AND expires>? ORDER BY expires DESC LIMIT 1",
                     "ittii", account, s.type, s.value.p, (int64_t)s.wildcard, now);
}

bool authz_holds(struct enrol *en, int64_t account, const struct cert_name *n, int64_t now)
{
    struct err e;
    int64_t id = 0;

    return find_valid(en, account, n, now, &id, &e) == 0 && id != 0;
}

static int add_challenge(struct enrol *en, int64_t authz, const char *kind, const char *token,
                         struct err *e)
{
    return db_run(en->db, e,
                  "INSERT INTO challenge(authz, type, token, status) VALUES(?,?,?,'pending')",
                  "itt", authz, kind, token);
}

int authz_make(struct enrol *en, int64_t account, const struct cert_name *n, int64_t now,
               int64_t *ret_id, struct err *e)
{
    unsigned char random[TOKEN_BYTES];
    struct buf token BUF_AUTO = BUF(64);
    struct subject s = subject_of(n);
    int64_t id = 0;
    int rc = 0;

    if (en->conf->acme_server.authorization_days)
        rc = find_valid(en, account, n, now + HOUR, &id, e);
    if (rc < 0 || id) {
        *ret_id = id;
        return rc;
    }
    rc = db_run(en->db, e,
                "INSERT INTO authz(account, type, value, wildcard, status, created, expires)"
                " VALUES(?,?,?,?,'pending',?,?)",
                "ittiii", account, s.type, s.value.p, (int64_t)s.wildcard, now,
                now + (int64_t)en->conf->acme_server.order_hours * HOUR);
    id = db_last_id(en->db);
    random_bytes(random, sizeof(random));
    base64url_encode(&token, span_of(random, sizeof(random)));
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(kinds); i++)
        if (kind_fits(en, &kinds[i], n))
            rc = add_challenge(en, id, kinds[i].name, buf_cstr(&token), e);
    *ret_id = id;
    return rc;
}

/* ------------------------------------------------------------------ showing */

#define CHALLENGE_COLUMNS "id, type, token, status, validated, problem, authz"

static void put_challenge(struct call *c, struct db_rows *q, struct buf *b)
{
    buf_printf(b, "{\"type\":\"%s\",\"url\":", db_text(q, 1));
    put_url(b, c, "challenge", db_int(q, 0));
    buf_printf(b, ",\"token\":\"%s\",\"status\":\"%s\"", db_text(q, 2), db_text(q, 3));
    if (db_int(q, 4))
        put_time(b, "validated", db_int(q, 4));
    if (db_text(q, 5)[0])
        buf_printf(b, ",\"error\":%s", db_text(q, 5));
    buf_putc(b, '}');
}

/* Once a try was made, only that challenge is shown (section 7.1.4). */
static int put_challenges(struct call *c, int64_t authz, bool pending, struct buf *b, struct err *e)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    bool first = true;
    int rc = db_query(c->en->db, &q, e,
                      "SELECT " CHALLENGE_COLUMNS
                      " FROM challenge WHERE authz=? AND (? OR status<>'pending') ORDER BY id",
                      "ii", authz, (int64_t)pending);

    while (rc == 0 && (rc = db_next(&q, e)) > 0) {
        buf_put_cstr(b, first ? "" : ",");
        put_challenge(c, &q, b);
        first = false;
        rc = 0;
    }
    return rc;
}

static void show(struct call *c, int64_t id)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    struct err e;

    if (db_query(c->en->db, &q, &e,
                 "SELECT type, value, wildcard, status, expires FROM authz WHERE id=?", "i",
                 id) < 0 ||
        db_next(&q, &e) <= 0) {
        problem(c, PROBLEM_MALFORMED, "There is no such authorization.");
        return;
    }
    const char *status = db_text(&q, 3);
    bool pending = strcmp(status, "pending") == 0;
    if (db_int(&q, 4) <= clock_seconds() && (pending || strcmp(status, "valid") == 0))
        status = pending ? "invalid" : "expired";
    buf_printf(c->out, "{\"identifier\":{\"type\":\"%s\",\"value\":\"%s\"},\"status\":\"%s\"",
               db_text(&q, 0), db_text(&q, 1), status);
    put_time(c->out, "expires", db_int(&q, 4));
    if (db_int(&q, 2))
        buf_put_cstr(c->out, ",\"wildcard\":true");
    buf_put_cstr(c->out, ",\"challenges\":[");
    if (put_challenges(c, id, pending, c->out, &e) < 0) {
        problem_internal(c, &e);
        return;
    }
    buf_put_cstr(c->out, "]}\n");
    if (pending)
        c->a->retry_after = POLL_SECONDS;
}

/* Whose it is: another account learns not even that it is there. */
static bool is_own(struct call *c, int64_t *ret, const char *sql)
{
    struct err e;
    int64_t owner = 0;

    if (!rest_id(c, ret))
        return problem_status_set(c, PROBLEM_MALFORMED, 404, "There is nothing at that address.");
    if (db_number(c->en->db, 0, &owner, &e, sql, "i", *ret) < 0)
        return problem_internal(c, &e);
    return owner == c->account ||
           problem(c, PROBLEM_UNAUTHORIZED, "That belongs to another account, or is not there.");
}

void acme_authz(struct call *c)
{
    struct err e;
    int64_t id;

    if (!is_own(c, &id, "SELECT account FROM authz WHERE id=?"))
        return;
    if (c->payload && json_object_get(c->payload, "status")) {
        if (!span_eq(acme_json_span(c->payload, "status"), SPAN("deactivated"))) {
            problem(c, PROBLEM_MALFORMED, "\"status\" can become \"deactivated\" only.");
            return;
        }
        if (db_run(c->en->db, &e,
                   "UPDATE authz SET status='deactivated' WHERE id=? AND status IN"
                   " ('pending','valid')",
                   "i", id) < 0) {
            problem_internal(c, &e);
            return;
        }
    }
    show(c, id);
}

/* ------------------------------------------------------------------ checking */

struct check_job {
    struct enrol *en;
    int64_t challenge, authz;
    struct enrol_check check;
};

/* What the result means for the challenge, its authorization and the orders that wait for it: one
 * transaction. */
static int keep_result(struct check_job *j, enum enrol_problem p, struct span why, struct err *e)
{
    struct enrol *en = j->en;
    struct buf text BUF_AUTO = BUF(4000);
    int64_t now = clock_seconds(),
            until = now + (int64_t)en->conf->acme_server.authorization_days * DAY;
    int rc = db_begin(en->db, e);

    if (rc < 0)
        return rc;
    if (p == PROBLEM_NONE) {
        rc = db_run(en->db, e, "UPDATE challenge SET status='valid', validated=? WHERE id=?", "ii",
                    now, j->challenge);
        if (rc == 0)
            rc = db_run(en->db, e,
                        "UPDATE authz SET status='valid', expires=max(expires,?) WHERE id=? AND"
                        " status='pending'",
                        "ii", until, j->authz);
    } else {
        problem_put(&text, p, problem_status(p), why);
        rc = db_run(en->db, e,
                    "UPDATE challenge SET status='invalid', validated=?, problem=? WHERE id=?",
                    "iti", now, buf_cstr(&text), j->challenge);
        if (rc == 0)
            rc = db_run(en->db, e,
                        "UPDATE authz SET status='invalid' WHERE id=? AND status='pending'", "i",
                        j->authz);
        if (rc == 0)
            rc = db_run(en->db, e,
                        "UPDATE orders SET status='invalid', problem=? WHERE status='pending' AND"
                        " id IN (SELECT orders FROM order_authz WHERE authz=?)",
                        "ti", buf_cstr(&text), j->authz);
    }
    return db_end(en->db, rc, e);
}

/* No answer yet, or one that has not reached every name server: some tries (section 8.2). A server
 * that answers with something else is not asked again. */
static bool is_final(const struct check_job *j, enum enrol_problem p)
{
    return p == PROBLEM_NONE || (p == PROBLEM_UNAUTHORIZED && strcmp(j->check.kind, "dns-01") != 0);
}

static void run_check(void *arg)
{
    static const unsigned pause_ms[CHECK_TRIES] = {0, 1000, 3000};
    struct check_job *j = arg;
    struct enrol *en = j->en;
    enum enrol_problem p = PROBLEM_CONNECTION;
    struct err e = {""}, why = {""};

    for (unsigned i = 0; i < CHECK_TRIES && !(i && is_final(j, p)); i++) {
        if (i)
            en->hooks.sleep_ms(en->hooks.arg, pause_ms[i]);
        p = en->hooks.check(en->hooks.arg, &j->check, &why);
    }
    en->counts.checks++;
    en->counts.checks_failed += p != PROBLEM_NONE;
    if (p == PROBLEM_NONE)
        log_info("acme: %s shown by %s", j->check.name, j->check.kind);
    else
        log_info("acme: %s not shown by %s: %s", j->check.name, j->check.kind,
                 log_quote(span_cstr(why.text)));
    if (keep_result(j, p, span_cstr(why.text), &e) < 0)
        log_error("acme: %s", e.text);
    en->checks--;
    free(j);
}

static void start(struct enrol *en, struct check_job *take_job)
{
    en->checks++;
    en->hooks.spawn(en->hooks.arg, run_check, take_job);
}

#define JOB_COLUMNS                                                                                \
    "challenge.id, authz.id, challenge.type, authz.type, authz.value, challenge.token,"            \
    " account.thumbprint FROM challenge JOIN authz ON authz.id=challenge.authz JOIN account ON"    \
    " account.id=authz.account"

static struct check_job *read_job(struct enrol *en, struct db_rows *q)
{
    struct check_job *j = calloc(1, sizeof(*j));

    CHECK(j);
    j->en = en;
    j->challenge = db_int(q, 0);
    j->authz = db_int(q, 1);
    snprintf(j->check.kind, sizeof(j->check.kind), "%s", db_text(q, 2));
    j->check.address = strcmp(db_text(q, 3), "ip") == 0;
    snprintf(j->check.name, sizeof(j->check.name), "%s", db_text(q, 4));
    snprintf(j->check.token, sizeof(j->check.token), "%s", db_text(q, 5));
    snprintf(j->check.proof, sizeof(j->check.proof), "%s.%s", db_text(q, 5), db_text(q, 6));
    return j;
}

static bool begin_check(struct call *c, int64_t id)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    struct err e;

    if (c->en->checks >= CHECKS_MAX) {
        c->a->retry_after = POLL_SECONDS;
        return problem(c, PROBLEM_RATE_LIMITED, "Too many checks are under way; try again.");
    }
    if (db_query(c->en->db, &q, &e,
                 "SELECT " JOB_COLUMNS
                 " WHERE challenge.id=? AND challenge.status='pending' AND authz.status='pending'"
                 " AND authz.expires>? AND NOT EXISTS(SELECT 1 FROM challenge AS other WHERE"
                 " other.authz=authz.id AND other.status='processing')",
                 "ii", id, clock_seconds()) < 0)
        return problem_internal(c, &e);
    int rc = db_next(&q, &e);
    if (rc < 0)
        return problem_internal(c, &e);
    if (rc == 0)
        return true; /* under way or decided: its state is the answer */
    struct check_job *j = read_job(c->en, &q);
    if (db_run(c->en->db, &e, "UPDATE challenge SET status='processing' WHERE id=?", "i", id) < 0) {
        free(j);
        return problem_internal(c, &e);
    }
    start(c->en, j);
    return true;
}

/* What was under way when the process ended. */
void enrol_resume(struct enrol *en)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    struct err e;
    int rc = db_query(en->db, &q, &e,
                      "SELECT " JOB_COLUMNS
                      " WHERE challenge.status='processing' AND authz.status='pending' LIMIT ?",
                      "i", (int64_t)CHECKS_MAX);

    while (rc == 0 && (rc = db_next(&q, &e)) > 0) {
        start(en, read_job(en, &q));
        rc = 0;
    }
    if (rc < 0)
        log_error("%s", e.text);
}

void acme_challenge(struct call *c)
{
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    char up[64];
    struct err e;
    int64_t id;

    if (!is_own(c, &id,
                "SELECT authz.account FROM challenge JOIN authz ON authz.id=authz WHERE"
                " challenge.id=?"))
        return;
    if (c->payload && !begin_check(c, id))
        return;
    if (db_query(c->en->db, &q, &e, "SELECT " CHALLENGE_COLUMNS " FROM challenge WHERE id=?", "i",
                 id) < 0 ||
        db_next(&q, &e) <= 0) {
        problem(c, PROBLEM_MALFORMED, "There is no such challenge.");
        return;
    }
    put_challenge(c, &q, c->out);
    buf_putc(c->out, '\n');
    snprintf(up, sizeof(up), "/acme/authz/%" PRId64, db_int(&q, 6));
    add_link(c, "up", up);
    if (strcmp(db_text(&q, 3), "processing") == 0)
        c->a->retry_after = POLL_SECONDS;
}
