#include "ca/register.h"
#include "base/check.h"
#include "ca/register_internal.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SCHEMA_VERSION = 4 };

static const char schema[] =
    "CREATE TABLE ca(id INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK(kind IN ('root','issuing')),"
    " key_id TEXT NOT NULL, parent INTEGER REFERENCES ca(id),"
    " state TEXT NOT NULL CHECK(state IN ('active','retired','revoked')),"
    " subject TEXT NOT NULL, not_after INTEGER NOT NULL, crl_number INTEGER NOT NULL DEFAULT 0,"
    " der BLOB NOT NULL) STRICT;"
    "CREATE TABLE certificate(id INTEGER PRIMARY KEY, serial TEXT NOT NULL UNIQUE, subject TEXT "
    "NOT NULL,"
    " names TEXT NOT NULL, profile TEXT NOT NULL, issuer INTEGER NOT NULL REFERENCES ca(id),"
    " spki TEXT NOT NULL, not_before INTEGER NOT NULL, not_after INTEGER NOT NULL,"
    " state TEXT NOT NULL CHECK(state IN ('issued','revoked')), revoked_at INTEGER NOT NULL "
    "DEFAULT 0,"
    " reason INTEGER NOT NULL DEFAULT 0, requester TEXT NOT NULL, issued_at INTEGER NOT NULL,"
    " der BLOB NOT NULL) STRICT;"
    "CREATE INDEX certificate_spki ON certificate(spki);"
    "CREATE INDEX certificate_state ON certificate(issuer, state);"
    "PRAGMA user_version = 1;";

/* part: which list of revoked certificates a certificate names; change: the number of its CA's last
 * list when its state last changed, -1: never. */
static const char to_version_2[] =
    "ALTER TABLE ca ADD COLUMN revoked_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE ca ADD COLUMN reason INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE certificate ADD COLUMN part INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE certificate ADD COLUMN change INTEGER NOT NULL DEFAULT -1;"
    "UPDATE certificate SET change=0 WHERE state='revoked';"
    "CREATE INDEX certificate_change ON certificate(issuer, part, change);"
    "CREATE TABLE part(issuer INTEGER NOT NULL REFERENCES ca(id), part INTEGER NOT NULL,"
    " url TEXT NOT NULL, issued INTEGER NOT NULL, PRIMARY KEY(issuer, part)) STRICT;"
    "INSERT INTO part SELECT issuer, 0, '', count(*) FROM certificate GROUP BY issuer;"
    "CREATE TABLE crl(issuer INTEGER NOT NULL REFERENCES ca(id), part INTEGER NOT NULL,"
    " delta INTEGER NOT NULL, number INTEGER NOT NULL, base INTEGER NOT NULL,"
    " base_at INTEGER NOT NULL, made_at INTEGER NOT NULL, next_update INTEGER NOT NULL,"
    " url TEXT NOT NULL,"
    " der BLOB NOT NULL, PRIMARY KEY(issuer, part, delta)) STRICT;"
    "CREATE TABLE above(ca INTEGER NOT NULL REFERENCES ca(id), position INTEGER NOT NULL,"
    " der BLOB NOT NULL, PRIMARY KEY(ca, position)) STRICT;"
    "CREATE TABLE request(id INTEGER PRIMARY KEY, received_at INTEGER NOT NULL,"
    " requester TEXT NOT NULL, profile TEXT NOT NULL, days INTEGER NOT NULL,"
    " subject TEXT NOT NULL, names TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK(state IN ('pending','approved','denied')),"
    " reason TEXT NOT NULL DEFAULT '', decided_at INTEGER NOT NULL DEFAULT 0,"
    " serial TEXT NOT NULL DEFAULT '', message BLOB NOT NULL) STRICT;"
    "PRAGMA user_version = 2;";

/* subordinate: requests to CAs of others that wait for their answer. The rest is for registers of a
 * million certificates: what is revoked by part; a narrow copy to walk through by id; and which
 * three letters stand where, in names, subject and who asked, so that looking for a part of a name
 * reads few rows. */
static const char to_version_3[] =
    "CREATE TABLE subordinate(key_id TEXT PRIMARY KEY, spki BLOB NOT NULL, subject TEXT NOT NULL,"
    " requested_at INTEGER NOT NULL, der BLOB NOT NULL) STRICT;"
    "CREATE INDEX certificate_revoked ON certificate(issuer, part) WHERE state='revoked';"
    "CREATE INDEX certificate_walk ON certificate(id, state, not_after, profile, reason);"
    "DROP INDEX certificate_state;"
    "CREATE VIRTUAL TABLE certificate_text USING fts5(text, content='', detail=none,"
    " columnsize=0, tokenize='trigram');"
    "INSERT INTO certificate_text(rowid, text) SELECT id, names||' '||subject||' '||requester FROM"
    " certificate ORDER BY id;"
    "PRAGMA user_version = 3;";

/* kept_at: when the CA's key was last written to a file that is not ours. */
static const char to_version_4[] = "ALTER TABLE ca ADD COLUMN kept_at INTEGER NOT NULL DEFAULT 0;"
                                   "PRAGMA user_version = 4;";

static const char *const kinds[] = {[CA_ROOT] = "root", [CA_ISSUING] = "issuing"};
static const char *const states[] = {
    [CA_ACTIVE] = "active", [CA_RETIRED] = "retired", [CA_REVOKED] = "revoked"};

const char *ca_kind_name(enum ca_kind k)
{
    CHECK((unsigned)k < ARRAY_LEN(kinds));
    return kinds[k];
}

const char *ca_state_name(enum ca_state s)
{
    CHECK((unsigned)s < ARRAY_LEN(states));
    return states[s];
}

void cert_record_done(struct cert_record *r)
{
    certificate_free(r->certificate);
    r->certificate = NULL;
}

static int reg_error(struct ca_register *r, const char *doing, struct err *e)
{
    int code = sqlite3_errcode(r->db), rc = -EIO;

    if (code == SQLITE_FULL)
        rc = -ENOSPC;
    else if (code == SQLITE_NOMEM)
        rc = -ENOMEM;
    return err_set(e, rc, "the CA's register cannot be %s: %s", doing, sqlite3_errmsg(r->db));
}

/* --- statements */

int reg_open(struct ca_register *r, struct reg_statement *q, const char *sql, struct err *e)
{
    *q = (struct reg_statement){r, NULL, 1};
    if (sqlite3_prepare_v2(r->db, sql, -1, &q->s, NULL) != SQLITE_OK)
        return reg_error(r, "read", e);
    return 0;
}

void reg_text(struct reg_statement *q, const char *text)
{
    sqlite3_bind_text(q->s, q->at++, text, -1, SQLITE_STATIC);
}

void reg_int(struct reg_statement *q, int64_t v)
{
    sqlite3_bind_int64(q->s, q->at++, v);
}

void reg_blob(struct reg_statement *q, struct span s)
{
    sqlite3_bind_blob(q->s, q->at++, s.p, (int)s.n, SQLITE_STATIC);
}

const char *reg_column(struct reg_statement *q, int i)
{
    const unsigned char *t = sqlite3_column_text(q->s, i);
    return t ? (const char *)t : "";
}

/* 1: a row; 0: no more; negative errno */
int reg_step(struct reg_statement *q, const char *doing, struct err *e)
{
    int code = sqlite3_step(q->s);

    if (code == SQLITE_ROW)
        return 1;
    return code == SQLITE_DONE ? 0 : reg_error(q->reg, doing, e);
}

void reg_close(struct reg_statement *q)
{
    sqlite3_finalize(q->s);
    q->s = NULL;
}

int reg_execute(struct ca_register *r, const char *sql, struct err *e)
{
    return sqlite3_exec(r->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : reg_error(r, "written", e);
}

int reg_begin(struct ca_register *r, struct err *e)
{
    int rc = reg_execute(r, r->depth == 0 ? "BEGIN IMMEDIATE" : "SAVEPOINT step", e);

    r->depth += rc == 0;
    return rc;
}

int reg_finish(struct ca_register *r, int rc, struct err *e)
{
    bool inner = --r->depth > 0;

    if (rc == 0)
        rc = reg_execute(r, inner ? "RELEASE step" : "COMMIT", e);
    if (rc < 0)
        sqlite3_exec(r->db, inner ? "ROLLBACK TO step; RELEASE step" : "ROLLBACK", NULL, NULL,
                     NULL);
    return rc;
}

/* --- open */

static int read_version(struct ca_register *r, int *ret, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q, "PRAGMA user_version", e);

    if (rc == 0 && (rc = reg_step(&q, "read", e)) > 0) {
        *ret = sqlite3_column_int(q.s, 0);
        rc = 0;
    }
    reg_close(&q);
    return rc;
}

int reg_prepare(struct ca_register *r, struct err *e)
{
    int version = -1, rc = reg_begin(r, e);

    if (rc < 0)
        return rc;
    rc = read_version(r, &version, e);
    if (rc == 0 && version == 0)
        rc = reg_execute(r, schema, e);
    if (rc == 0 && (version == 0 || version == 1))
        rc = reg_execute(r, to_version_2, e);
    if (rc == 0 && version >= 0 && version < 3)
        rc = reg_execute(r, to_version_3, e);
    if (rc == 0 && version >= 0 && version < SCHEMA_VERSION)
        rc = reg_execute(r, to_version_4, e);
    else if (rc == 0 && version != SCHEMA_VERSION)
        rc = err_set(e, -EPROTO,
                     "the CA's register has format %d, this program knows %d; use the version of "
                     "sealpost that wrote it",
                     version, SCHEMA_VERSION);
    return reg_finish(r, rc, e);
}

int ca_register_open(const char *path, struct ca_register **ret, struct err *e)
{
    struct ca_register *r = calloc(1, sizeof(*r));
    int rc = 0;

    CHECK(r);
    if (sqlite3_open_v2(path, &r->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
                        NULL) != SQLITE_OK) {
        rc = err_set(e, -EIO, "the CA's register %s cannot be opened: %s", path,
                     r->db ? sqlite3_errmsg(r->db) : "out of memory");
    } else {
        sqlite3_busy_timeout(r->db, 2000);
        sqlite3_extended_result_codes(r->db, 0);
        /* temporary files would need a folder that the jail does not show */
        rc = reg_execute(r,
                         "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                         "PRAGMA temp_store=MEMORY;",
                         e);
        if (rc == 0)
            rc = reg_prepare(r, e);
    }
    if (rc < 0) {
        ca_register_close(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void ca_register_close(struct ca_register *r)
{
    if (!r)
        return;
    sqlite3_close(r->db);
    free(r);
}

/* --- CAs */

static int read_der(struct reg_statement *q, int column, struct certificate **ret, struct err *e)
{
    struct span der =
        span_of(sqlite3_column_blob(q->s, column), (size_t)sqlite3_column_bytes(q->s, column));
    int rc = certificate_parse(der, ret, e);

    return rc < 0 ? err_wrap(e, -EIO, "the CA's register is damaged; restore it from a backup") : 0;
}

static int read_ca(struct reg_statement *q, struct ca_record *c, struct err *e)
{
    *c = (struct ca_record){.id = sqlite3_column_int64(q->s, 0),
                            .parent = sqlite3_column_int64(q->s, 3),
                            .revoked_at = sqlite3_column_int64(q->s, 6),
                            .reason = (uint8_t)sqlite3_column_int(q->s, 7),
                            .kept_at = sqlite3_column_int64(q->s, 8)};
    c->kind = strcmp(reg_column(q, 1), "root") == 0 ? CA_ROOT : CA_ISSUING;
    for (unsigned i = 0; i < ARRAY_LEN(states); i++)
        if (strcmp(reg_column(q, 4), states[i]) == 0)
            c->state = (enum ca_state)i;
    if (!span_to_cstr(span_cstr(reg_column(q, 2)), c->key_id, sizeof(c->key_id)))
        return err_set(e, -EIO, "the CA's register is damaged (key id); restore it from a backup");
    return read_der(q, 5, &c->certificate, e);
}

static int read_above(struct ca_register *r, struct ca_record *c, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q, "SELECT der FROM above WHERE ca=? ORDER BY position LIMIT 8", e);

    if (rc < 0)
        return rc;
    reg_int(&q, c->id);
    while (rc == 0 && (rc = reg_step(&q, "read", e)) > 0) {
        rc = read_der(&q, 0, &c->above.v[c->above.n], e);
        c->above.n += rc == 0;
    }
    reg_close(&q);
    return rc;
}

void ca_record_done(struct ca_record *c)
{
    certificate_free(c->certificate);
    c->certificate = NULL;
    chain_done(&c->above);
}

int ca_register_cas(struct ca_register *r, struct ca_record **ret, size_t *ret_count, struct err *e)
{
    struct ca_record *all = NULL;
    size_t n = 0;
    struct reg_statement q;
    int rc = reg_open(r, &q,
                      "SELECT id, kind, key_id, parent, state, der, revoked_at, reason, kept_at "
                      "FROM ca ORDER BY id",
                      e);

    while (rc == 0 && (rc = reg_step(&q, "read", e)) > 0) {
        all = realloc(all, (n + 1) * sizeof(*all));
        CHECK(all);
        rc = read_ca(&q, &all[n], e);
        n += rc == 0;
    }
    reg_close(&q);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = read_above(r, &all[i], e);
    if (rc < 0) {
        while (n > 0)
            ca_record_done(&all[--n]);
        free(all);
        return rc;
    }
    *ret = all;
    *ret_count = n;
    return 0;
}

/* --- certificates */

static int insert_certificate(struct ca_register *r, const struct cert_record *c, struct err *e)
{
    struct buf names BUF_AUTO = BUF(CERT_NAMES_MAX * CERT_NAME_TEXT_MAX);
    const struct certificate *x = c->certificate;
    struct reg_statement q;
    int rc = reg_open(
        r, &q,
        "INSERT INTO certificate(serial, subject, names, profile, issuer, spki, not_before,"
        " not_after, state, requester, issued_at, part, der)"
        " VALUES(?,?,?,?,?,?,?,?,'issued',?,?,?,?)",
        e);

    if (rc < 0)
        return rc;
    cert_names_print(&x->names, &names);
    reg_text(&q, x->serial);
    reg_text(&q, x->subject);
    reg_text(&q, buf_cstr(&names));
    reg_text(&q, c->profile);
    reg_int(&q, c->issuer);
    reg_text(&q, x->spki_sha256);
    reg_int(&q, x->not_before);
    reg_int(&q, x->not_after);
    reg_text(&q, c->requester);
    reg_int(&q, c->issued_at);
    reg_int(&q, c->part);
    reg_blob(&q, certificate_der(x));
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}

static int insert_text(struct ca_register *r, int64_t id, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q,
                      "INSERT INTO certificate_text(rowid, text)"
                      " SELECT id, names||' '||subject||' '||requester FROM certificate WHERE id=?",
                      e);

    if (rc < 0)
        return rc;
    reg_int(&q, id);
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}

int ca_register_add(struct ca_register *r, const struct cert_record *c, struct err *e)
{
    int rc = reg_begin(r, e);

    if (rc < 0)
        return rc;
    rc = insert_certificate(r, c, e);
    if (rc == 0)
        rc = insert_text(r, sqlite3_last_insert_rowid(r->db), e);
    return reg_finish(r, rc, e);
}

int reg_read_cert(struct reg_statement *q, struct cert_record *c, struct err *e)
{
    *c = (struct cert_record){.id = sqlite3_column_int64(q->s, 0),
                              .issuer = sqlite3_column_int64(q->s, 1),
                              .revoked = strcmp(reg_column(q, 2), "revoked") == 0,
                              .revoked_at = sqlite3_column_int64(q->s, 3),
                              .reason = (uint8_t)sqlite3_column_int(q->s, 4),
                              .issued_at = sqlite3_column_int64(q->s, 7)};
    span_to_cstr(span_cstr(reg_column(q, 5)), c->profile, sizeof(c->profile));
    span_to_cstr(span_cstr(reg_column(q, 6)), c->requester, sizeof(c->requester));
    c->part = sqlite3_column_int64(q->s, 9);
    return read_der(q, 8, &c->certificate, e);
}

static int get_one(struct ca_register *r, const char *sql, const char *key, struct cert_record *ret,
                   struct err *e)
{
    struct cert_record c;
    struct reg_statement q;
    int rc = reg_open(r, &q, sql, e);

    if (rc < 0)
        return rc;
    reg_text(&q, key);
    rc = reg_step(&q, "read", e);
    if (rc > 0)
        rc = reg_read_cert(&q, &c, e);
    else if (rc == 0)
        rc = err_set(
            e, -ENOENT,
            "our CA has made no certificate with the serial number %.40s; see \"sealpost ca list\"",
            key);
    reg_close(&q);
    if (rc == 0)
        *ret = c;
    return rc;
}

int ca_register_get(struct ca_register *r, const char *serial, struct cert_record *ret,
                    struct err *e)
{
    return get_one(r, "SELECT " CERT_COLUMNS " FROM certificate WHERE serial=?", serial, ret, e);
}

int ca_register_by_key(struct ca_register *r, const char *spki_sha256, struct cert_record *ret,
                       struct err *e)
{
    return get_one(r,
                   "SELECT " CERT_COLUMNS " FROM certificate WHERE spki=? ORDER BY id DESC LIMIT 1",
                   spki_sha256, ret, e);
}

int ca_register_key_compromised(struct ca_register *r, const char *spki_sha256, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(
        r, &q, "SELECT 1 FROM certificate WHERE spki=? AND state='revoked' AND reason=1 LIMIT 1",
        e);

    if (rc < 0)
        return rc;
    reg_text(&q, spki_sha256);
    rc = reg_step(&q, "read", e);
    reg_close(&q);
    return rc;
}

static int update_revoked(struct ca_register *r, const char *serial, enum crl_reason reason,
                          int64_t now, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q,
                      "UPDATE certificate SET state='revoked', revoked_at=?, reason=?,"
                      " change=(SELECT crl_number FROM ca WHERE ca.id=issuer)"
                      " WHERE serial=? AND (state='issued' OR reason=6)",
                      e);

    if (rc < 0)
        return rc;
    reg_int(&q, now);
    reg_int(&q, reason);
    reg_text(&q, serial);
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}

int ca_register_revoke(struct ca_register *r, const char *serial, enum crl_reason reason,
                       int64_t now, struct err *e)
{
    struct cert_record c;
    int rc = ca_register_get(r, serial, &c, e);

    if (rc < 0)
        return rc;
    if (c.revoked && c.reason != CRL_HOLD)
        rc = err_set(e, -EALREADY, "%s was revoked before (%s)", serial,
                     crl_reason_name(c.reason) ? crl_reason_name(c.reason) : "?");
    else
        rc = update_revoked(r, serial, reason, now, e);
    cert_record_done(&c);
    return rc;
}
