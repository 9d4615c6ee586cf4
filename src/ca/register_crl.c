/* The register's part of CRLs: which certificates belong to which, what each must list, and those
 * that were signed. */
#include "base/check.h"
#include "ca/register_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* --- parts */

static bool part_takes(const struct register_part *p, int64_t issued, const char *base_url)
{
    size_t n = strlen(base_url);

    if (issued >= REGISTER_PART_MAX && base_url[0])
        return false;
    /* another address: the hostname or its port has changed */
    return base_url[0] ? strncmp(p->url, base_url, n) == 0 && (!p->url[n] || p->url[n] == '-')
                       : !p->url[0];
}

/* 1: the last part; 0: there is none yet */
static int last_part(struct ca_register *r, int64_t issuer, struct register_part *ret,
                     int64_t *ret_issued, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(
        r, &q, "SELECT part, url, issued FROM part WHERE issuer=? ORDER BY part DESC LIMIT 1", e);

    if (rc < 0)
        return rc;
    reg_int(&q, issuer);
    rc = reg_step(&q, "read", e);
    if (rc > 0) {
        ret->part = sqlite3_column_int64(q.s, 0);
        span_to_cstr(span_cstr(reg_column(&q, 1)), ret->url, sizeof(ret->url));
        *ret_issued = sqlite3_column_int64(q.s, 2);
    }
    reg_close(&q);
    return rc;
}

static int count_part(struct ca_register *r, int64_t issuer, const struct register_part *p,
                      struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q,
                      "INSERT INTO part(issuer, part, url, issued) VALUES(?,?,?,1)"
                      " ON CONFLICT(issuer, part) DO UPDATE SET issued=issued+1",
                      e);

    if (rc < 0)
        return rc;
    reg_int(&q, issuer);
    reg_int(&q, p->part);
    reg_text(&q, p->url);
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}

int ca_register_part(struct ca_register *r, int64_t issuer, const char *base_url,
                     struct register_part *ret, struct err *e)
{
    struct register_part p = {.part = -1};
    int64_t issued = 0;
    int rc = reg_begin(r, e);

    if (rc < 0)
        return rc;
    rc = last_part(r, issuer, &p, &issued, e);
    if (rc == 0 || (rc > 0 && !part_takes(&p, issued, base_url))) {
        p.part++;
        if (p.part == 0 || !base_url[0])
            snprintf(p.url, sizeof(p.url), "%s", base_url);
        else
            snprintf(p.url, sizeof(p.url), "%.270s-%lld", base_url, (long long)p.part);
    }
    if (rc >= 0)
        rc = count_part(r, issuer, &p, e);
    rc = reg_finish(r, rc, e);
    if (rc == 0)
        *ret = p;
    return rc;
}

int ca_register_part_get(struct ca_register *r, int64_t issuer, int64_t part, char ret_url[300],
                         unsigned *ret_parts, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q,
                      "SELECT url, (SELECT count(*) FROM part WHERE issuer=?1) FROM part"
                      " WHERE issuer=?1 AND part=?2",
                      e);

    if (rc < 0)
        return rc;
    reg_int(&q, issuer);
    reg_int(&q, part);
    rc = reg_step(&q, "read", e);
    if (rc > 0) {
        span_to_cstr(span_cstr(reg_column(&q, 0)), ret_url, 300);
        *ret_parts = (unsigned)sqlite3_column_int(q.s, 1);
        rc = 0;
    } else if (rc == 0) {
        rc = err_set(e, -ENOENT, "there is no such list of revoked certificates");
    }
    reg_close(&q);
    return rc;
}

/* --- what a CRL lists */

static int next_number(struct ca_register *r, int64_t issuer, uint64_t *ret, struct err *e)
{
    struct reg_statement q;
    int rc =
        reg_open(r, &q, "UPDATE ca SET crl_number=crl_number+1 WHERE id=? RETURNING crl_number", e);

    if (rc < 0)
        return rc;
    reg_int(&q, issuer);
    rc = reg_step(&q, "written", e);
    if (rc > 0) {
        *ret = (uint64_t)sqlite3_column_int64(q.s, 0);
        rc = reg_step(&q, "written", e);
    } else if (rc == 0) {
        rc = err_set(e, -ENOENT, "there is no such CA");
    }
    reg_close(&q);
    return rc;
}

/* CAs below stand in the list of the CA above them, certificates in that of theirs. One that has
 * expired stays for a week more, so that every CRL after its revocation shows it once. */
#define SELECT_ENTRIES                                                                             \
    "SELECT serial, revoked_at, reason, state FROM certificate WHERE issuer=?1 AND not_after > "   \
    "?3 AND "
/* With "part=?" in the words of the index: a part among thousands is found at once. */
static const char *const select_entries[2][2] = {
    {SELECT_ENTRIES "?2<0 AND state='revoked' AND ?4=0 ORDER BY id",
     SELECT_ENTRIES "part=?2 AND state='revoked' AND ?4=0 ORDER BY id"},
    {SELECT_ENTRIES "?2<0 AND change>=?4 ORDER BY id",
     SELECT_ENTRIES "part=?2 AND change>=?4 ORDER BY id"              },
};
static const char select_cas[] = "SELECT der, revoked_at, reason, 'revoked' FROM ca WHERE"
                                 " parent=?1 AND state='revoked' AND not_after > ?3"
                                 " AND ?2<=0 AND ?4=0 ORDER BY id";

struct entries {
    struct crl_entry *v;
    size_t n, cap;
};

static struct crl_entry *add_entry(struct entries *all)
{
    if (all->n == all->cap) {
        all->cap = all->cap ? 2 * all->cap : 64;
        all->v = realloc(all->v, all->cap * sizeof(*all->v));
        CHECK(all->v);
    }
    return &all->v[all->n++];
}

static bool read_serial(struct reg_statement *q, char ret[CERTIFICATE_SERIAL_MAX])
{
    struct certificate *c = NULL;
    struct err none;

    if (sqlite3_column_type(q->s, 0) == SQLITE_TEXT)
        return span_to_cstr(span_cstr(reg_column(q, 0)), ret, CERTIFICATE_SERIAL_MAX);
    if (certificate_parse(
            span_of(sqlite3_column_blob(q->s, 0), (size_t)sqlite3_column_bytes(q->s, 0)), &c,
            &none) < 0)
        return false;
    memcpy(ret, c->serial, CERTIFICATE_SERIAL_MAX);
    certificate_free(c);
    return true;
}

static int read_entries(struct ca_register *r, const char *sql, const struct crl_question *what,
                        int64_t now, struct entries *all, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q, sql, e);

    if (rc == 0) {
        reg_int(&q, what->issuer);
        reg_int(&q, what->part);
        reg_int(&q, now - INT64_C(7) * 86400);
        reg_int(&q, (int64_t)what->base);
    }
    while (rc == 0 && (rc = reg_step(&q, "read", e)) > 0) {
        struct crl_entry *one = add_entry(all);
        bool revoked = strcmp(reg_column(&q, 3), "revoked") == 0;
        one->time = revoked ? sqlite3_column_int64(q.s, 1) : now;
        one->reason = revoked ? (uint8_t)sqlite3_column_int(q.s, 2) : CRL_REMOVED;
        rc = read_serial(&q, one->serial) ? 0 : err_set(e, -EIO, "the CA's register is damaged");
    }
    reg_close(&q);
    return rc;
}

int ca_register_crl(struct ca_register *r, const struct crl_question *q, int64_t now,
                    uint64_t *number, struct crl_entry **ret, size_t *ret_count, struct err *e)
{
    struct entries all = {NULL, 0, 0};
    uint64_t taken = *number;
    int rc = reg_begin(r, e);

    if (rc < 0)
        return rc;
    if (taken == 0)
        rc = next_number(r, q->issuer, &taken, e);
    if (rc == 0)
        rc = read_entries(r, select_entries[q->base != 0][q->part >= 0], q, now, &all, e);
    if (rc == 0)
        rc = read_entries(r, select_cas, q, now, &all, e);
    rc = reg_finish(r, rc, e);
    if (rc < 0) {
        free(all.v);
        return rc;
    }
    *number = taken;
    *ret = all.v;
    *ret_count = all.n;
    return 0;
}

/* --- those that were signed */

int ca_register_crl_keep(struct ca_register *r, const struct crl_record *c, struct span der,
                         struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(
        r, &q,
        "INSERT INTO crl(issuer, part, delta, number, base, base_at, made_at,"
        " next_update, url, der) VALUES(?,?,?,?,?,?,?,?,?,?) ON CONFLICT(issuer, part, delta) DO"
        " UPDATE SET number=excluded.number, base=excluded.base,"
        " base_at=excluded.base_at, made_at=excluded.made_at, next_update=excluded.next_update,"
        " url=excluded.url, der=excluded.der WHERE excluded.number >= number",
        e);

    if (rc < 0)
        return rc;
    reg_int(&q, c->issuer);
    reg_int(&q, c->part);
    reg_int(&q, c->delta);
    reg_int(&q, (int64_t)c->number);
    reg_int(&q, (int64_t)c->base);
    reg_int(&q, c->base_at);
    reg_int(&q, c->made_at);
    reg_int(&q, c->next_update);
    reg_text(&q, c->url);
    reg_blob(&q, der);
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}

int ca_register_crl_get(struct ca_register *r, int64_t issuer, int64_t part, bool delta,
                        struct crl_record *ret, bool *ret_changed, struct buf *der, struct err *e)
{
#define SELECT_CRL(of_part)                                                                        \
    "SELECT number, base, base_at, made_at, next_update, url, der,"                                \
    " EXISTS(SELECT 1 FROM certificate c WHERE c.issuer=?1 AND " of_part " c.change>=number) OR"   \
    " EXISTS(SELECT 1 FROM ca WHERE parent=?1 AND ca.revoked_at>=made_at AND ca.state='revoked')"  \
    " FROM crl WHERE issuer=?1 AND part=?2 AND delta=?3"
    struct reg_statement q;
    int rc = reg_open(r, &q, part < 0 ? SELECT_CRL("") : SELECT_CRL("c.part=?2 AND"), e);

    if (rc < 0)
        return rc;
    reg_int(&q, issuer);
    reg_int(&q, part);
    reg_int(&q, delta);
    rc = reg_step(&q, "read", e);
    if (rc > 0) {
        *ret = (struct crl_record){.issuer = issuer,
                                   .part = part,
                                   .delta = delta,
                                   .number = (uint64_t)sqlite3_column_int64(q.s, 0),
                                   .base = (uint64_t)sqlite3_column_int64(q.s, 1),
                                   .base_at = sqlite3_column_int64(q.s, 2),
                                   .made_at = sqlite3_column_int64(q.s, 3),
                                   .next_update = sqlite3_column_int64(q.s, 4)};
        span_to_cstr(span_cstr(reg_column(&q, 5)), ret->url, sizeof(ret->url));
        *ret_changed = sqlite3_column_int(q.s, 7) != 0;
        rc = 0;
        if (der && !buf_put(der, sqlite3_column_blob(q.s, 6), (size_t)sqlite3_column_bytes(q.s, 6)))
            rc = err_set(e, -EMSGSIZE, "the list of revoked certificates is too long");
    } else if (rc == 0) {
        rc = err_set(e, -ENOENT, "there is no such list of revoked certificates");
    }
    reg_close(&q);
    return rc;
}

int ca_register_status(struct ca_register *r, int64_t issuer, const char *serial,
                       struct register_status *ret, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(
        r, &q, "SELECT state, reason, revoked_at FROM certificate WHERE serial=? AND issuer=?", e);

    if (rc < 0)
        return rc;
    reg_text(&q, serial);
    reg_int(&q, issuer);
    rc = reg_step(&q, "read", e);
    if (rc > 0)
        *ret = (struct register_status){.revoked = strcmp(reg_column(&q, 0), "revoked") == 0,
                                        .reason = (uint8_t)sqlite3_column_int(q.s, 1),
                                        .revoked_at = sqlite3_column_int64(q.s, 2)};
    reg_close(&q);
    return rc;
}

int ca_register_unhold(struct ca_register *r, const char *serial, struct err *e)
{
    struct cert_record c;
    struct reg_statement q;
    int rc = ca_register_get(r, serial, &c, e);

    if (rc < 0)
        return rc;
    if (!c.revoked || c.reason != CRL_HOLD)
        rc = err_set(e, -EALREADY, "%s is not on hold%s", serial,
                     c.revoked ? "; a revocation for another reason is final" : "");
    cert_record_done(&c);
    if (rc < 0 || (rc = reg_open(r, &q,
                                 "UPDATE certificate SET state='issued', revoked_at=0, reason=0,"
                                 " change=(SELECT crl_number FROM ca WHERE ca.id=issuer)"
                                 " WHERE serial=? AND state='revoked' AND reason=6",
                                 e)) < 0)
        return rc;
    reg_text(&q, serial);
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}
