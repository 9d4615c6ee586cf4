/* What was revoked after a backup was made stays so when its register is put back: from the register
 * that goes into the one that comes, before that takes its place. */
#include "ca/register_internal.h"

#include <errno.h>

struct carry {
    struct ca_register *gone, *to;
    struct register_carried carried;
};

/* ?1, ?2, … in sql are the row's columns. How many rows it has changed. */
static int64_t apply(struct carry *c, struct reg_statement *row, const char *sql, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(c->to, &q, sql, e);

    if (rc < 0)
        return rc;
    for (int i = 0; i < sqlite3_bind_parameter_count(q.s); i++)
        sqlite3_bind_value(q.s, i + 1, sqlite3_column_value(row->s, i));
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc < 0 ? rc : sqlite3_changes(c->to->db);
}

/* --- CAs */

#define REVOKED_CAS                                                                                \
    "SELECT c.der AS '?1', c.revoked_at AS '?2', c.reason AS '?3', p.der AS '?4',"                 \
    " c.key_id AS '?5', c.subject AS '?6', c.not_after AS '?7', c.crl_number AS '?8'"              \
    " FROM ca c LEFT JOIN ca p ON p.id=c.parent WHERE c.state='revoked' ORDER BY c.id"

static const char revoke_known_ca[] =
    "UPDATE ca SET state='revoked', revoked_at=?2, reason=?3 WHERE der=?1 AND state<>'revoked'";

/* Made and revoked after the backup: a root that comes back has to list it. */
static const char add_unknown_ca[] =
    "INSERT INTO ca(kind, der, revoked_at, reason, parent, key_id, subject, not_after, crl_number,"
    " state)"
    " SELECT 'issuing', ?1, ?2, ?3, p.id, ?5, ?6, ?7, ?8, 'revoked' FROM ca p"
    " WHERE p.der=?4 AND NOT EXISTS(SELECT 1 FROM ca WHERE der=?1)";

/* All that it has issued went with it, also what only the backup knows; after those that were revoked
 * for a reason of their own. */
static const char revoke_issued[] =
    "UPDATE certificate SET state='revoked', revoked_at=?2, reason=?3,"
    " change=(SELECT crl_number FROM ca WHERE ca.id=certificate.issuer)"
    " WHERE issuer=(SELECT id FROM ca WHERE der=?1) AND not_after>=?2 AND"
    " (state='issued' OR reason=6)";

static int carry_ca(struct carry *c, struct reg_statement *row, struct err *e)
{
    int64_t known = apply(c, row, revoke_known_ca, e);
    int64_t added = known < 0 ? known : apply(c, row, add_unknown_ca, e);

    if (added < 0)
        return (int)added;
    c->carried.cas += known + added;
    return 0;
}

static int carry_issued(struct carry *c, struct reg_statement *row, struct err *e)
{
    int64_t n = apply(c, row, revoke_issued, e);

    c->carried.certificates += n > 0 ? n : 0;
    return n < 0 ? (int)n : 0;
}

/* --- certificates */

#define REVOKED_CERTIFICATES                                                                       \
    "SELECT x.serial AS '?1', x.revoked_at AS '?2', x.reason AS '?3', c.der AS '?4',"              \
    " x.subject AS '?5', x.names AS '?6', x.profile AS '?7', x.spki AS '?8',"                      \
    " x.requester AS '?9', x.not_before AS '?10', x.not_after AS '?11', x.issued_at AS '?12',"     \
    " x.part AS '?13', x.der AS '?14', coalesce(p.url,'') AS '?15'"                                \
    " FROM certificate x JOIN ca c ON c.id=x.issuer"                                               \
    " LEFT JOIN part p ON p.issuer=x.issuer AND p.part=x.part"                                     \
    " WHERE x.state='revoked' ORDER BY x.id"

/* On hold in the one and good in the other: on hold; what is final goes before both. */
static const char revoke_known[] =
    "UPDATE certificate SET state='revoked', revoked_at=?2, reason=?3,"
    " change=(SELECT crl_number FROM ca WHERE ca.id=certificate.issuer)"
    " WHERE serial=?1 AND (state='issued' OR (reason=6 AND ?3<>6))";

static const char add_unknown[] =
    "INSERT INTO certificate(serial, state, revoked_at, reason, issuer, subject, names, profile,"
    " spki, requester, not_before, not_after, issued_at, part, der, change)"
    " SELECT ?1, 'revoked', ?2, ?3, c.id, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
    " c.crl_number FROM ca c WHERE c.der=?4 AND"
    " NOT EXISTS(SELECT 1 FROM certificate WHERE serial=?1)";

/* It is found by its names, and stands in the list that it names. */
static const char add_text[] =
    "INSERT INTO certificate_text(rowid, text) SELECT id, names||' '||subject||' '||requester"
    " FROM certificate WHERE serial=?1";
static const char count_in_part[] =
    "INSERT INTO part(issuer, part, url, issued) SELECT issuer, part, ?15, 1 FROM certificate"
    " WHERE serial=?1 ON CONFLICT(issuer, part) DO UPDATE SET issued=issued+1";

static int carry_certificate(struct carry *c, struct reg_statement *row, struct err *e)
{
    int64_t known = apply(c, row, revoke_known, e);
    int64_t added = known == 0 ? apply(c, row, add_unknown, e) : 0;
    int64_t rc = known < 0 ? known : added;

    if (added > 0)
        rc = apply(c, row, add_text, e);
    if (added > 0 && rc >= 0)
        rc = apply(c, row, count_in_part, e);
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
