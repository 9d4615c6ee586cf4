#include "enrol/db.h"

#include "base/check.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>

enum { SCHEMA_VERSION = 1 };

struct db {
    sqlite3 *s;
};

static const char schema[] =
    "CREATE TABLE eab(name TEXT PRIMARY KEY, kid TEXT NOT NULL UNIQUE, key BLOB NOT NULL,"
    " names TEXT NOT NULL, created INTEGER NOT NULL, account INTEGER);"
    "CREATE TABLE account(id INTEGER PRIMARY KEY AUTOINCREMENT, thumbprint TEXT NOT NULL UNIQUE,"
    " spki BLOB NOT NULL, contacts TEXT NOT NULL, status TEXT NOT NULL, eab TEXT NOT NULL,"
    " names TEXT NOT NULL, terms INTEGER NOT NULL, peer BLOB NOT NULL, created INTEGER NOT NULL);"
    "CREATE INDEX account_peer ON account(peer, created);"
    "CREATE TABLE orders(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account INTEGER NOT NULL REFERENCES account(id), status TEXT NOT NULL,"
    " identifiers TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,"
    " problem TEXT NOT NULL DEFAULT '', csr BLOB, serial TEXT NOT NULL DEFAULT '',"
    " replaces TEXT NOT NULL DEFAULT '', asked INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX orders_account ON orders(account, created);"
    "CREATE TABLE authz(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account INTEGER NOT NULL REFERENCES account(id), type TEXT NOT NULL, value TEXT NOT NULL,"
    " wildcard INTEGER NOT NULL, status TEXT NOT NULL, created INTEGER NOT NULL,"
    " expires INTEGER NOT NULL);"
    "CREATE INDEX authz_name ON authz(account, value, status);"
    "CREATE TABLE order_authz(orders INTEGER NOT NULL REFERENCES orders(id) ON DELETE CASCADE,"
    " authz INTEGER NOT NULL REFERENCES authz(id), PRIMARY KEY(orders, authz));"
    "CREATE INDEX order_authz_back ON order_authz(authz);"
    "CREATE TABLE challenge(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " authz INTEGER NOT NULL REFERENCES authz(id) ON DELETE CASCADE, type TEXT NOT NULL,"
    " token TEXT NOT NULL, status TEXT NOT NULL, validated INTEGER NOT NULL DEFAULT 0,"
    " problem TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX challenge_authz ON challenge(authz);"
    "CREATE TABLE certificate(serial TEXT NOT NULL, account INTEGER NOT NULL, profile TEXT NOT"
    " NULL, names TEXT NOT NULL, not_before INTEGER NOT NULL, not_after INTEGER NOT NULL,"
    " akid TEXT NOT NULL, chain BLOB NOT NULL, replaced INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(serial, account));"
    "CREATE TABLE password(name TEXT PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL,"
    " names TEXT NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL DEFAULT 0);"
    "PRAGMA user_version=1;";

static int db_error(struct db *d, struct err *e)
{
    int code = sqlite3_errcode(d->s);

    return err_set(e, code == SQLITE_FULL ? -ENOSPC : -EIO, "the database of enrolments: %s",
                   sqlite3_errmsg(d->s));
}

static int execute(struct db *d, const char *sql, struct err *e)
{
    return sqlite3_exec(d->s, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_error(d, e);
}

static void bind(sqlite3_stmt *s, const char *kinds, va_list ap)
{
    for (int i = 0; kinds[i]; i++) {
        struct span b;
        const char *t;
        switch (kinds[i]) {
        case 'i':
            sqlite3_bind_int64(s, i + 1, va_arg(ap, int64_t));
            break;
        case 't':
            t = va_arg(ap, const char *);
            sqlite3_bind_text(s, i + 1, t, -1, SQLITE_TRANSIENT);
            break;
        default:
            CHECK(kinds[i] == 'b');
            b = va_arg(ap, struct span);
            sqlite3_bind_blob(s, i + 1, b.p ? b.p : "", (int)b.n, SQLITE_TRANSIENT);
        }
    }
}

static int prepare(struct db *d, sqlite3_stmt **ret, struct err *e, const char *sql,
                   const char *kinds, va_list ap)
{
    if (sqlite3_prepare_v2(d->s, sql, -1, ret, NULL) != SQLITE_OK)
        return db_error(d, e);
    CHECK(sqlite3_bind_parameter_count(*ret) == (int)strlen(kinds));
    bind(*ret, kinds, ap);
    return 0;
}

int db_run(struct db *d, struct err *e, const char *sql, const char *kinds, ...)
{
    sqlite3_stmt *s = NULL;
    va_list ap;
    int rc, code;

    va_start(ap, kinds);
    rc = prepare(d, &s, e, sql, kinds, ap);
    va_end(ap);
    if (rc < 0)
        return rc;
    while ((code = sqlite3_step(s)) == SQLITE_ROW)
        ;
    rc = code == SQLITE_DONE ? 0 : db_error(d, e);
    sqlite3_finalize(s);
    return rc;
}

int db_begin(struct db *d, struct err *e)
{
    return execute(d, "BEGIN IMMEDIATE", e);
}

int db_end(struct db *d, int rc, struct err *e)
{
    if (rc == 0)
        rc = execute(d, "COMMIT", e);
    if (rc < 0)
        sqlite3_exec(d->s, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

int64_t db_last_id(struct db *d)
{
    return sqlite3_last_insert_rowid(d->s);
}

int db_query(struct db *d, struct db_rows *q, struct err *e, const char *sql, const char *kinds,
             ...)
{
    va_list ap;
    int rc;

    *q = (struct db_rows){d, NULL};
    va_start(ap, kinds);
    rc = prepare(d, &q->s, e, sql, kinds, ap);
    va_end(ap);
    return rc;
}

int db_next(struct db_rows *q, struct err *e)
{
    int code = sqlite3_step(q->s);

    if (code == SQLITE_ROW)
        return 1;
    return code == SQLITE_DONE ? 0 : db_error(q->db, e);
}

int64_t db_int(struct db_rows *q, int column)
{
    return sqlite3_column_int64(q->s, column);
}

const char *db_text(struct db_rows *q, int column)
{
    const unsigned char *t = sqlite3_column_text(q->s, column);
    return t ? (const char *)t : "";
}

struct span db_blob(struct db_rows *q, int column)
{
    const void *p = sqlite3_column_blob(q->s, column);
    return span_of(p, (size_t)sqlite3_column_bytes(q->s, column));
}

void db_done(struct db_rows *q)
{
    sqlite3_finalize(q->s);
    q->s = NULL;
}

int db_number(struct db *d, int64_t none, int64_t *ret, struct err *e, const char *sql,
              const char *kinds, ...)
{
    struct db_rows q DB_ROWS_AUTO = {d, NULL};
    va_list ap;
    int rc;

    va_start(ap, kinds);
    rc = prepare(d, &q.s, e, sql, kinds, ap);
    va_end(ap);
    if (rc == 0)
        rc = db_next(&q, e);
    if (rc < 0)
        return rc;
    *ret = rc ? db_int(&q, 0) : none;
    return 0;
}

static int prepare_schema(struct db *d, struct err *e)
{
    int64_t version = 0;
    int rc = db_begin(d, e);

    if (rc < 0)
        return rc;
    rc = db_number(d, 0, &version, e, "PRAGMA user_version", "");
    if (rc == 0 && version == 0)
        rc = execute(d, schema, e);
    else if (rc == 0 && version != SCHEMA_VERSION)
        rc = err_set(e, -EPROTO,
                     "the database of enrolments has format %lld, this program knows %d; use the "
                     "version of sealpost that wrote it",
                     (long long)version, SCHEMA_VERSION);
    return db_end(d, rc, e);
}

int db_open(const char *path, struct db **ret, struct err *e)
{
    struct db *d = calloc(1, sizeof(*d));
    int rc;

    CHECK(d);
    if (sqlite3_open_v2(path, &d->s, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
        SQLITE_OK) {
        rc = err_set(e, -EIO, "the database of enrolments %s cannot be opened: %s", path,
                     d->s ? sqlite3_errmsg(d->s) : "out of memory");
    } else {
        sqlite3_busy_timeout(d->s, 2000);
        /* temporary files would need a folder that the jail does not show */
        rc = execute(d,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                     "PRAGMA temp_store=MEMORY;",
                     e);
        if (rc == 0)
            rc = prepare_schema(d, e);
    }
    if (rc < 0) {
        db_close(d);
        return rc;
    }
    *ret = d;
    return 0;
}

void db_close(struct db *d)
{
    if (!d)
        return;
    sqlite3_close(d->s);
    free(d);
}
