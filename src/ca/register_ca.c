/* What happens to CAs in the register after they were made. */
#include "base/check.h"
#include "ca/register_internal.h"

#include <errno.h>

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
    int rc = reg_execute(r, "BEGIN IMMEDIATE", e);

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

int ca_register_backup(struct ca_register *r, struct buf *ret, struct err *e)
{
    sqlite3_int64 n = 0;
    unsigned char *bytes = sqlite3_serialize(r->db, "main", &n, 0);
    bool ok = bytes && n > 0 && buf_put(ret, bytes, (size_t)n);

    sqlite3_free(bytes);
    return ok ? 0 : err_set(e, -ENOMEM, "no memory for a copy of the register");
}
