/* What happens to CAs in the register after they were made. */
#include "base/check.h"
#include "ca/register_internal.h"

#include <errno.h>

/* --- new ones */

static int insert_ca(struct ca_register *r, struct ca_record *c, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q,
                      "INSERT INTO ca(kind, key_id, parent, state, subject, not_after, der)"
                      " VALUES(?,?,nullif(?,0),?,?,?,?)",
                      e);

    if (rc < 0)
        return rc;
    reg_text(&q, ca_kind_name(c->kind));
    reg_text(&q, c->key_id);
    reg_int(&q, c->parent);
    reg_text(&q, ca_state_name(c->state));
    reg_text(&q, c->certificate->subject);
    reg_int(&q, c->certificate->not_after);
    reg_blob(&q, certificate_der(c->certificate));
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    c->id = sqlite3_last_insert_rowid(r->db);
    return rc;
}

static int insert_above(struct ca_register *r, int64_t ca, const struct chain *above, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < above->n; i++) {
        struct reg_statement q;
        if ((rc = reg_open(r, &q, "INSERT OR REPLACE INTO above(ca, position, der) VALUES(?,?,?)",
                           e)) < 0)
            return rc;
        reg_int(&q, ca);
        reg_int(&q, (int64_t)i);
        reg_blob(&q, certificate_der(above->v[i]));
        rc = reg_step(&q, "written", e);
        reg_close(&q);
    }
    return rc;
}

static int forget_request(struct ca_register *r, const char *key_id, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q, "DELETE FROM subordinate WHERE key_id=?", e);

    if (rc < 0)
        return rc;
    reg_text(&q, key_id);
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}

int ca_register_add_ca(struct ca_register *r, struct ca_record *c, const struct ca_record *before,
                       const struct chain *above_before, struct err *e)
{
    int rc = reg_begin(r, e);

    if (rc < 0)
        return rc;
    rc = reg_execute(r,
                     c->kind == CA_ISSUING
                         ? "UPDATE ca SET state='retired' WHERE kind='issuing' AND state='active'"
                         : "UPDATE ca SET state='retired' WHERE kind='root' AND state='active'",
                     e);
    if (rc == 0)
        rc = insert_ca(r, c, e);
    if (rc == 0)
        rc = insert_above(r, c->id, &c->above, e);
    if (rc == 0 && before)
        rc = insert_above(r, before->id, above_before, e);
    if (rc == 0)
        rc = forget_request(r, c->key_id, e);
    return reg_finish(r, rc, e);
}

/* --- requests to CAs of others */

int ca_register_ask(struct ca_register *r, const struct ca_asked *a, struct span der, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q,
                      "INSERT INTO subordinate(key_id, spki, subject, requested_at, der)"
                      " VALUES(?,?,?,?,?)",
                      e);

    if (rc < 0)
        return rc;
    reg_text(&q, a->key_id);
    reg_blob(&q, span_of(a->spki, a->spki_bytes));
    reg_text(&q, a->subject);
    reg_int(&q, a->requested_at);
    reg_blob(&q, der);
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}

int ca_register_asked(struct ca_register *r, ca_asked_fn fn, void *arg, struct err *e)
{
    struct reg_statement q;
    bool more = true;
    int rc = reg_open(r, &q,
                      "SELECT key_id, spki, subject, requested_at, der FROM subordinate"
                      " ORDER BY requested_at DESC, rowid DESC",
                      e);

    while (rc == 0 && more && (rc = reg_step(&q, "read", e)) > 0) {
        struct ca_asked a = {.requested_at = sqlite3_column_int64(q.s, 3)};
        size_t n = (size_t)sqlite3_column_bytes(q.s, 1);
        span_to_cstr(span_cstr(reg_column(&q, 0)), a.key_id, sizeof(a.key_id));
        span_to_cstr(span_cstr(reg_column(&q, 2)), a.subject, sizeof(a.subject));
        if (n <= sizeof(a.spki)) {
            memcpy(a.spki, sqlite3_column_blob(q.s, 1), n);
            a.spki_bytes = n;
        }
        more =
            fn(arg, &a, span_of(sqlite3_column_blob(q.s, 4), (size_t)sqlite3_column_bytes(q.s, 4)));
        rc = 0;
    }
    reg_close(&q);
    return rc;
}

int ca_register_ask_forget(struct ca_register *r, const char *key_id, struct err *e)
{
    return forget_request(r, key_id, e);
}

/* --- what becomes of them */

static int run(struct ca_register *r, const char *sql, int64_t id, enum crl_reason reason,
               int64_t now, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q, sql, e);

    if (rc < 0)
        return rc;
    reg_int(&q, id);
    reg_int(&q, now);
    reg_int(&q, reason);
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}

int ca_register_revoke_ca(struct ca_register *r, int64_t id, enum crl_reason reason, int64_t now,
                          int64_t *ret_count, struct err *e)
{
    int64_t count = 0;
    int rc = reg_begin(r, e);

    if (rc < 0)
        return rc;
    rc = run(r, "UPDATE ca SET state='revoked', revoked_at=?2, reason=?3 WHERE id=?1", id, reason,
             now, e);
    if (rc == 0)
        rc = run(r,
                 "UPDATE certificate SET state='revoked', revoked_at=?2, reason=?3,"
                 " change=(SELECT crl_number FROM ca WHERE ca.id=?1) WHERE issuer=?1 AND"
                 " not_after>=?2 AND (state='issued' OR reason=6)",
                 id, reason, now, e);
    count = sqlite3_changes(r->db);
    rc = reg_finish(r, rc, e);
    if (rc == 0)
        *ret_count = count;
    return rc;
}

int ca_register_set_key(struct ca_register *r, int64_t id, const char *key_id, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q, "UPDATE ca SET key_id=? WHERE id=?", e);

    if (rc < 0)
        return rc;
    reg_text(&q, key_id);
    reg_int(&q, id);
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}

int ca_register_set_kept(struct ca_register *r, int64_t id, int64_t time, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q, "UPDATE ca SET kept_at=? WHERE id=?", e);

    if (rc < 0)
        return rc;
    reg_int(&q, time);
    reg_int(&q, id);
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}
