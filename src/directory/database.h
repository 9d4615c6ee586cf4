/* database.h: what the files of directory/ share of a connection. Not for others. */
#ifndef DIRECTORY_DATABASE_H
#define DIRECTORY_DATABASE_H

#include "directory/directory.h"

#include <sqlite3.h>

enum statement {
#define STATEMENT(name, sql) DB_##name,
#include "directory/statements.def"
#undef STATEMENT
    DB_STATEMENTS
};

struct directory {
    sqlite3 *db;
    sqlite3_stmt *statements[DB_STATEMENTS];
    const struct conf *conf;
    unsigned char secret[32];
};

/* The statement, ready to be bound; NULL if the database failed (then it is logged). Reset it when
 * done: DB_AUTO does. */
sqlite3_stmt *db_statement(struct directory *d, enum statement which);
void db_reset(sqlite3_stmt **s);
#define DB_AUTO __attribute__((cleanup(db_reset))) sqlite3_stmt *

void db_bind_text(sqlite3_stmt *s, int at, struct span text);
void db_bind_blob(sqlite3_stmt *s, int at, const void *p, size_t n);
struct span db_column(sqlite3_stmt *s, int at); /* until the next step */
void db_column_text(sqlite3_stmt *s, int at, char *dst, size_t size);
/* SQLITE_ROW → 1, SQLITE_DONE → 0, else -EIO or -EEXIST (a constraint). */
int db_step(struct directory *d, sqlite3_stmt *s);
/* A statement without results. 0 or as above. */
int db_run(struct directory *d, sqlite3_stmt *s);

/* A write: everything between is one transaction. db_end commits if status is 0, else rolls back;
 * returns the status. */
int db_begin(struct directory *d, struct err *e);
int db_end(struct directory *d, int status, struct err *e);

/* An address of this server in its folded form; false and a reason. */
int db_own_address(const struct directory *d, struct span text, struct mail_address *ret,
                   struct err *e);
void db_entry_of(sqlite3_stmt *s, struct directory_entry *ret);
int db_entry_find(struct directory *d, const struct mail_address *a, struct directory_entry *ret);
int db_entry_add(struct directory *d, const struct mail_address *a, const struct directory_entry *n,
                 struct err *e);
/* The address is nobody's any more: whoever gets it next does not inherit memberships. */
int db_member_forget(struct directory *d, const struct mail_address *a);
int db_account_first(struct directory *d, struct directory_account *ret);

#endif
