/* What was revoked after a backup was made stays so when its register is put back: from the register
 * that goes into the one that comes, before that takes its place. */
#include "ca/register_internal.h"

#include <errno.h>

struct carry {
    struct ca_register *gone, *to;
    struct register_carried carried;
};

static struct span blob(struct reg_statement *q, int i)
{
    return span_of(sqlite3_column_blob(q->s, i), (size_t)sqlite3_column_bytes(q->s, i));
}

/* Runs it; how many rows it has changed. */
static int64_t finish(struct reg_statement *q, struct err *e)
{
    int rc = reg_step(q, "written", e);
    int64_t n = rc < 0 ? rc : sqlite3_changes(q->reg->db);

    reg_close(q);
    return n;
}

/* --- CAs */

/* der, its parent's, key_id, subject, not_after, crl_number, revoked_at, reason */
#define REVOKED_CAS                                                                                \
    "SELECT c.der, p.der, c.key_id, c.subject, c.not_after, c.crl_number, c.revoked_at, c.reason"  \
    " FROM ca c LEFT JOIN ca p ON p.id=c.parent WHERE c.state='revoked' ORDER BY c.id"

static int64_t revoke_known(struct carry *c, struct reg_statement *row, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(c->to, &q,
                      "UPDATE ca SET state='revoked', revoked_at=?2, reason=?3 WHERE der=?1 AND"
                      " state<>'revoked'",
                      e);

    if (rc < 0)
        return rc;
    reg_blob(&q, blob(row, 0));
    reg_int(&q, sqlite3_column_int64(row->s, 6));
    reg_int(&q, sqlite3_column_int64(row->s, 7));
    return finish(&q, e);
}

/* Made and revoked after the backup: a root that comes back has to list it. */
static int64_t add_unknown(struct carry *c, struct reg_statement *row, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(c->to, &q,
                      "INSERT INTO ca(kind, key_id, parent, state, subject, not_after, crl_number,"
                      " der, revoked_at, reason)"
                      " SELECT 'issuing', ?3, p.id, 'revoked', ?4, ?5, ?6, ?1, ?7, ?8 FROM ca p"
                      " WHERE p.der=?2 AND NOT EXISTS(SELECT 1 FROM ca WHERE der=?1)",
                      e);

    if (rc < 0)
        return rc;
    reg_blob(&q, blob(row, 0));
    reg_blob(&q, blob(row, 1));
    reg_text(&q, reg_column(row, 2));
    reg_text(&q, reg_column(row, 3));
    for (int i = 4; i < 8; i++)
        reg_int(&q, sqlite3_column_int64(row->s, i));
    return finish(&q, e);
}

/* All that it has issued went with it, also what only the backup knows; after those that were revoked
 * for a reason of their own. */
static int carry_issued(struct carry *c, struct reg_statement *row, struct err *e)
{
    struct reg_statement q;
    int64_t n;
    int rc = reg_open(c->to, &q,
                      "UPDATE certificate SET state='revoked', revoked_at=?2, reason=?3,"
                      " change=(SELECT crl_number FROM ca WHERE ca.id=certificate.issuer)"
                      " WHERE issuer=(SELECT id FROM ca WHERE der=?1) AND not_after>=?2 AND"
                      " (state='issued' OR reason=6)",
                      e);

    if (rc < 0)
        return rc;
    reg_blob(&q, blob(row, 0));
    reg_int(&q, sqlite3_column_int64(row->s, 6));
    reg_int(&q, sqlite3_column_int64(row->s, 7));
    n = finish(&q, e);
    c->carried.certificates += n > 0 ? n : 0;
    return n < 0 ? (int)n : 0;
}

static int carry_ca(struct carry *c, struct reg_statement *row, struct err *e)
{
    int64_t known = revoke_known(c, row, e), added = known < 0 ? known : add_unknown(c, row, e);

    if (added < 0)
        return (int)added;
    c->carried.cas += known + added;
    return 0;
}

/* --- certificates */

/* serial, revoked_at, reason, issuer's der, subject, names, profile, spki, requester, not_before,
 * not_after, issued_at, part, der, the part's url */
#define REVOKED_CERTIFICATES                                                                       \
    "SELECT x.serial, x.revoked_at, x.reason, c.der, x.subject, x.names, x.profile, x.spki,"       \
    " x.requester, x.not_before, x.not_after, x.issued_at, x.part, x.der, coalesce(p.url,'')"      \
    " FROM certificate x JOIN ca c ON c.id=x.issuer"                                               \
    " LEFT JOIN part p ON p.issuer=x.issuer AND p.part=x.part"                                     \
    " WHERE x.state='revoked' ORDER BY x.id"

/* On hold in the one and good in the other: on hold; what is final goes before both. */
static int64_t revoke_certificate(struct carry *c, struct reg_statement *row, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(c->to, &q,
                      "UPDATE certificate SET state='revoked', revoked_at=?2, reason=?3,"
                      " change=(SELECT crl_number FROM ca WHERE ca.id=certificate.issuer)"
                      " WHERE serial=?1 AND (state='issued' OR (reason=6 AND ?3<>6))",
                      e);

    if (rc < 0)
        return rc;
    reg_text(&q, reg_column(row, 0));
    reg_int(&q, sqlite3_column_int64(row->s, 1));
    reg_int(&q, sqlite3_column_int64(row->s, 2));
    return finish(&q, e);
}

static int64_t insert_certificate(struct carry *c, struct reg_statement *row, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(c->to, &q,
                      "INSERT INTO certificate(serial, state, revoked_at, reason, issuer, subject,"
                      " names, profile, spki, requester, not_before, not_after, issued_at, part,"
                      " der, change)"
                      " SELECT ?1, 'revoked', ?2, ?3, c.id, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
                      " ?13, ?14, c.crl_number FROM ca c WHERE c.der=?4 AND"
                      " NOT EXISTS(SELECT 1 FROM certificate WHERE serial=?1)",
                      e);

    if (rc < 0)
        return rc;
    reg_text(&q, reg_column(row, 0));
    reg_int(&q, sqlite3_column_int64(row->s, 1));
    reg_int(&q, sqlite3_column_int64(row->s, 2));
    reg_blob(&q, blob(row, 3));
    for (int i = 4; i < 9; i++)
        reg_text(&q, reg_column(row, i));
    for (int i = 9; i < 13; i++)
        reg_int(&q, sqlite3_column_int64(row->s, i));
    reg_blob(&q, blob(row, 13));
    return finish(&q, e);
}

/* It stands in the list that it names, and is found by its names. */
static int64_t insert_beside(struct carry *c, struct reg_statement *row, struct err *e)
{
    struct reg_statement q;
    int rc = reg_execute(c->to,
                         "INSERT INTO certificate_text(rowid, text) SELECT id,"
                         " names||' '||subject||' '||requester FROM certificate"
                         " WHERE id=last_insert_rowid()",
                         e);

    if (rc == 0)
        rc = reg_open(c->to, &q,
                      "INSERT INTO part(issuer, part, url, issued) SELECT issuer, part, ?2, 1 FROM"
                      " certificate WHERE serial=?1"
                      " ON CONFLICT(issuer, part) DO UPDATE SET issued=issued+1",
                      e);
    if (rc < 0)
        return rc;
    reg_text(&q, reg_column(row, 0));
    reg_text(&q, reg_column(row, 14));
    return finish(&q, e);
}

static int carry_certificate(struct carry *c, struct reg_statement *row, struct err *e)
{
    int64_t known = revoke_certificate(c, row, e);
    int64_t added = known == 0 ? insert_certificate(c, row, e) : 0;
    int64_t rc = known < 0 ? known : added;

    if (added > 0)
        rc = insert_beside(c, row, e);
    if (rc < 0)
        return (int)rc;
    c->carried.certificates += known + added;
    return 0;
}

/* --- all */

static int each(struct carry *c, const char *sql,
                int (*one)(struct carry *c, struct reg_statement *row, struct err *e),
                struct err *e)
{
    struct reg_statement row;
    int rc = reg_open(c->gone, &row, sql, e);

    while (rc == 0 && (rc = reg_step(&row, "read", e)) > 0)
        rc = one(c, &row, e);
    reg_close(&row);
    return rc;
}

int reg_carry_revoked(struct ca_register *gone, struct ca_register *to,
                      struct register_carried *ret, struct err *e)
{
    struct carry c = {.gone = gone, .to = to};
    int rc = reg_begin(to, e);

    if (rc < 0)
        return rc;
    rc = each(&c, REVOKED_CAS, carry_ca, e);
    if (rc == 0)
        rc = each(&c, REVOKED_CERTIFICATES, carry_certificate, e);
    if (rc == 0)
        rc = each(&c, REVOKED_CAS, carry_issued, e);
    rc = reg_finish(to, rc, e);
    if (rc == 0)
        *ret = c.carried;
    return rc;
}
