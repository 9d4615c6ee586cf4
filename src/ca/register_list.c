/* Searching in the register. It may hold a million certificates: a search walks along a narrow index
 * by id, or along the rows that hold the letters that are looked for, and stops at the end of a
 * page; it never reads them all. */
#include "base/check.h"
#include "base/utf8.h"
#include "ca/register_internal.h"

#include <stdio.h>

enum { LETTERS = 3, MATCH_MAX = 4096 };

/* "abcd" → "abc" AND "bcd": what holds the text holds these. False: too short. */
static bool match_of(const char *name, struct buf *out)
{
    struct span rest = span_cstr(name);
    size_t at[LETTERS] = {0};
    unsigned n = 0;

    for (size_t i = 0; i <= rest.n; i++) {
        if (i < rest.n && ((unsigned char)rest.p[i] & 0xc0) == 0x80)
            continue;
        if (n >= LETTERS) { /* the letters that begin at[0] end here */
            buf_put_cstr(out, n > LETTERS ? " AND \"" : "\"");
            for (size_t k = at[0]; k < i; k++) {
                buf_putc(out, rest.p[k]);
                if (rest.p[k] == '"')
                    buf_putc(out, '"');
            }
            buf_putc(out, '"');
        }
        at[0] = at[1];
        at[1] = at[2];
        at[2] = i;
        n++;
    }
    return n > LETTERS && !out->overflow;
}

int ca_register_list(struct ca_register *r, const struct ca_search *s, int64_t now, ca_list_fn fn,
                     void *arg, struct err *e)
{
    static const char *const where[] = {
        [CA_LIST_ALL] = "?2>0",
        [CA_LIST_VALID] = "w.state='issued' AND w.not_after>=?2",
        [CA_LIST_REVOKED] = "w.state='revoked' AND ?2>0",
        [CA_LIST_EXPIRED] = "w.state='issued' AND w.not_after<?2",
        [CA_LIST_HELD] = "w.state='revoked' AND w.reason=6 AND ?2>0",
    };
    struct buf match BUF_AUTO = BUF(MATCH_MAX);
    bool by_text = match_of(s->name, &match);
    char sql[1200];
    struct cert_record c;
    struct reg_statement q;
    bool more = true;
    int rc;

    /* CROSS JOIN: in this order, whatever SQLite thinks is faster without knowing where we stop */
    snprintf(sql, sizeof(sql),
             "SELECT c." CERT_COLUMNS_OF_C " FROM %s CROSS JOIN certificate c ON c.id=w.id"
             " WHERE w.id>?1 AND %s AND (?3='' OR w.profile=?3) AND (?4='' OR"
             " instr(lower(c.names||' '||c.subject||' '||c.requester), lower(?4)))"
             " AND (?5=0 OR w.not_after<?5)%s",
             by_text ? "certificate_text t CROSS JOIN certificate w ON w.id=t.rowid"
                     : "certificate w INDEXED BY certificate_walk",
             where[s->filter],
             by_text ? " AND t.rowid>?1 AND certificate_text MATCH ?6 ORDER BY t.rowid"
                     : " ORDER BY w.id");
    rc = reg_open(r, &q, sql, e);
    if (rc == 0) {
        reg_int(&q, s->after);
        reg_int(&q, now);
        reg_text(&q, s->profile);
        reg_text(&q, s->name);
        reg_int(&q, s->ends_before);
        if (by_text)
            reg_text(&q, buf_cstr(&match));
    }
    while (rc == 0 && more && (rc = reg_step(&q, "read", e)) > 0) {
        rc = reg_read_cert(&q, &c, e);
        if (rc == 0) {
            more = fn(arg, &c);
            cert_record_done(&c);
        }
    }
    reg_close(&q);
    return rc > 0 ? 0 : rc;
}

int ca_register_counts(struct ca_register *r, int64_t now, int64_t ret[3], struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q,
                      "SELECT count(*) FILTER (WHERE state='issued' AND not_after>=?1),"
                      " count(*) FILTER (WHERE state='revoked'),"
                      " count(*) FILTER (WHERE state='issued' AND not_after<?1)"
                      " FROM certificate INDEXED BY certificate_walk",
                      e);

    if (rc < 0)
        return rc;
    reg_int(&q, now);
    rc = reg_step(&q, "read", e);
    for (int i = 0; rc > 0 && i < 3; i++)
        ret[i] = sqlite3_column_int64(q.s, i);
    reg_close(&q);
    return rc > 0 ? 0 : rc;
}
