/*
 * db.h: the database of enrold (SQLite): accounts, keys, orders, what was shown and issued. A
 * statement a call; values are bound by a text of their kinds: 'i' int64_t, 't' const char *, 'b'
 * struct span. Calls block for a write to disk: nothing else waits in enrold.
 *
 * Schema 1 (PRAGMA user_version); doc/format-enrol.md tells the tables.
 */
#ifndef ENROL_DB_H
#define ENROL_DB_H

#include "base/err.h"
#include "base/span.h"

struct db;
struct sqlite3_stmt;

/* ":memory:" in tests. */
int db_open(const char *path, struct db **ret, struct err *e);
void db_close(struct db *d); /* NULL is fine */

/* 0 or negative errno. */
int db_run(struct db *d, struct err *e, const char *sql, const char *kinds, ...);
int db_begin(struct db *d, struct err *e);
/* Of what began: COMMIT where rc is 0, else ROLLBACK; rc or the error. */
int db_end(struct db *d, int rc, struct err *e);
int64_t db_last_id(struct db *d);

struct db_rows {
    struct db *db;
    struct sqlite3_stmt *s; /* NULL: none */
};
int db_query(struct db *d, struct db_rows *q, struct err *e, const char *sql, const char *kinds,
             ...);
int db_next(struct db_rows *q, struct err *e); /* 1: a row; 0: no more; negative errno */
int64_t db_int(struct db_rows *q, int column);
const char *db_text(struct db_rows *q, int column); /* until the next row; never NULL */
struct span db_blob(struct db_rows *q, int column); /* the same */
void db_done(struct db_rows *q);
#define DB_ROWS_AUTO __attribute__((cleanup(db_done)))

/* One number: the first column of the first row; `none` where there is none. Negative errno. */
int db_number(struct db *d, int64_t none, int64_t *ret, struct err *e, const char *sql,
              const char *kinds, ...);

#endif
