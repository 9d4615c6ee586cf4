#include "directory/database.h"

#include "base/check.h"
#include "base/log.h"
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *const sql[DB_STATEMENTS] = {
#define STATEMENT(name, text) [DB_##name] = text,
#include "directory/statements.def"
#undef STATEMENT
};

static const char settings[] = "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = FULL;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA foreign_keys = ON;";

/* doc: account numbers come from sqlite_sequence, which only rises; 15 makes the first one 16. */
static const char schema[] =
    "CREATE TABLE account ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, local TEXT NOT NULL, domain TEXT NOT NULL,"
    " title TEXT NOT NULL, state INTEGER NOT NULL, rights INTEGER NOT NULL,"
    " protocols INTEGER NOT NULL, epoch INTEGER NOT NULL, created INTEGER NOT NULL,"
    " changed INTEGER NOT NULL, hash TEXT NOT NULL, salt BLOB NOT NULL,"
    " iterations INTEGER NOT NULL, stored_key BLOB NOT NULL, server_key BLOB NOT NULL,"
    " UNIQUE (local, domain));"
    "INSERT INTO sqlite_sequence (name, seq) VALUES ('account', 15);"
    "CREATE TABLE address ("
    " domain TEXT NOT NULL, local TEXT NOT NULL, kind INTEGER NOT NULL, target TEXT NOT NULL,"
    " title TEXT NOT NULL, mail INTEGER NOT NULL, send_as INTEGER NOT NULL,"
    " account INTEGER REFERENCES account (id), PRIMARY KEY (domain, local)) WITHOUT ROWID;"
    "CREATE INDEX address_account ON address (account);"
    "CREATE TABLE member ("
    " domain TEXT NOT NULL, local TEXT NOT NULL, member TEXT NOT NULL,"
    " PRIMARY KEY (domain, local, member),"
    " FOREIGN KEY (domain, local) REFERENCES address (domain, local)) WITHOUT ROWID;"
    "CREATE INDEX member_member ON member (member);"
    "CREATE TABLE secret (id INTEGER PRIMARY KEY CHECK (id = 1), bytes BLOB NOT NULL);"
    "INSERT INTO secret VALUES (1, randomblob(32));";

/* Version 2: certificates that stand for accounts. account 0: for whichever it names. */
static const char schema_2[] =
    "CREATE TABLE certificate ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, name TEXT NOT NULL,"
    " kind INTEGER NOT NULL, value TEXT NOT NULL, serial TEXT NOT NULL, subject TEXT NOT NULL,"
    " issuer TEXT NOT NULL, ends INTEGER NOT NULL, created INTEGER NOT NULL,"
    " issued INTEGER NOT NULL, UNIQUE (account, name));"
    "CREATE INDEX certificate_value ON certificate (kind, value);"
    "PRAGMA user_version = 2;";

/* ------------------------------------------------------------------ statements */
sqlite3_stmt *db_statement(struct directory *d, enum statement which)
{
    sqlite3_stmt **s = &d->statements[which];

    if (!*s && sqlite3_prepare_v3(d->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL) != 0) {
        log_error("directory: %s", sqlite3_errmsg(d->db));
        return NULL;
    }
    return *s;
}

void db_reset(sqlite3_stmt **s)
{
    if (*s) {
        sqlite3_reset(*s);
        sqlite3_clear_bindings(*s);
        *s = NULL;
    }
}

void db_bind_text(sqlite3_stmt *s, int at, struct span text)
{
    sqlite3_bind_text(s, at, text.p ? text.p : "", (int)text.n, SQLITE_STATIC);
}

void db_bind_blob(sqlite3_stmt *s, int at, const void *p, size_t n)
{
    sqlite3_bind_blob(s, at, p, (int)n, SQLITE_STATIC);
}

struct span db_column(sqlite3_stmt *s, int at)
{
    const void *p = sqlite3_column_blob(s, at);

    return span_of(p, p ? (size_t)sqlite3_column_bytes(s, at) : 0);
}

void db_column_text(sqlite3_stmt *s, int at, char *dst, size_t size)
{
    span_to_cstr(db_column(s, at), dst, size);
}

int db_step(struct directory *d, sqlite3_stmt *s)
{
    if (!s)
        return -EIO;
    switch (sqlite3_step(s)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    case SQLITE_CONSTRAINT:
        return -EEXIST;
    default:
        log_error("directory: %s", sqlite3_errmsg(d->db));
        return -EIO;
    }
}

int db_run(struct directory *d, sqlite3_stmt *s)
{
    int rc = db_step(d, s);

    return rc == 1 ? 0 : rc;
}

static int run(struct directory *d, enum statement which)
{
    DB_AUTO s = db_statement(d, which);

    return db_run(d, s);
}

int db_begin(struct directory *d, struct err *e)
{
    int rc = run(d, DB_BEGIN);

    return rc < 0 ? err_set(e, -EIO, "the directory cannot be written: %s", sqlite3_errmsg(d->db))
                  : 0;
}

int db_end(struct directory *d, int status, struct err *e)
{
    if (status == 0 && run(d, DB_COMMIT) < 0)
        status = err_set(e, -EIO, "the change was not written: %s", sqlite3_errmsg(d->db));
    if (status < 0 && !sqlite3_get_autocommit(d->db))
        run(d, DB_ROLLBACK);
    return status;
}

/* ------------------------------------------------------------------ opening */
/* name: an account's address, or a domain. */
static const char schema_quota[] = "CREATE TABLE IF NOT EXISTS quota ("
                                   " name TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;";

static int apply(struct directory *d, const char *text, const char *what, struct err *e)
{
    if (sqlite3_exec(d->db, text, NULL, NULL, NULL) != SQLITE_OK)
        return err_set(e, -EIO, "%s: %s", what, sqlite3_errmsg(d->db));
    return 0;
}

static int read_number(struct directory *d, const char *text, int *ret, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(d->db, text, -1, &s, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return rc == SQLITE_ROW ? 0 : err_set(e, -EIO, "%s", sqlite3_errmsg(d->db));
}

/* Two processes may start on a new folder: the transaction decides who makes the tables. */
static int make_schema(struct directory *d, struct err *e)
{
    int version = 0, rc = apply(d, "BEGIN IMMEDIATE", "lock", e);

    if (rc == 0)
        rc = read_number(d, "PRAGMA user_version", &version, e);
    if (rc == 0 && version == 0)
        rc = apply(d, schema, "schema", e);
    if (rc == 0 && version < 2)
        rc = apply(d, schema_2, "schema", e);
    else if (rc == 0 && version != DIRECTORY_SCHEMA)
        rc = err_set(e, -EIO,
                     "schema version %d, this program knows %d: it was written by a newer sealpost",
                     version, DIRECTORY_SCHEMA);
    /* An addition that older programs do without. */
    if (rc == 0)
        rc = apply(d, schema_quota, "schema", e);
    if (rc == 0)
        rc = apply(d, "COMMIT", "commit", e);
    else if (!sqlite3_get_autocommit(d->db))
        sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static int load_secret(struct directory *d, struct err *e)
{
    sqlite3_stmt *s = NULL;
    bool ok = sqlite3_prepare_v2(d->db, "SELECT bytes FROM secret", -1, &s, NULL) == SQLITE_OK &&
              sqlite3_step(s) == SQLITE_ROW;
    struct span bytes = ok ? db_column(s, 0) : SPAN_EMPTY;

    ok = bytes.p && bytes.n == sizeof d->secret;
    if (ok)
        memcpy(d->secret, bytes.p, sizeof d->secret);
    sqlite3_finalize(s);
    return ok ? 0 : err_set(e, -EIO, "the table `secret` is damaged");
}

static int open_database(struct directory *d, const char *path, struct err *e)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int persist = 1;

    if (sqlite3_open_v2(path, &d->db, flags, NULL) != SQLITE_OK)
        return err_set(e, -EIO, "%s", d->db ? sqlite3_errmsg(d->db) : "out of memory");
    sqlite3_extended_result_codes(d->db, 0);
    sqlite3_busy_timeout(d->db, 5000);
    /* in the jail nothing is unlinked: the log file stays when the last connection closes */
    sqlite3_file_control(d->db, NULL, SQLITE_FCNTL_PERSIST_WAL, &persist);
    sqlite3_db_config(d->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);

    int rc = apply(d, settings, "settings", e);
    if (rc == 0)
        rc = make_schema(d, e);
    if (rc == 0)
        rc = load_secret(d, e);
    return rc;
}

static void prepare_all(struct directory *d)
{
    for (int i = 0; i < DB_STATEMENTS; i++)
        db_statement(d, (enum statement)i);
}

int directory_open(const char *folder, struct directory **ret, struct err *e)
{
    char path[600];
    struct directory *d;

    if (snprintf(path, sizeof path, "%s/directory.db", folder) >= (int)sizeof path)
        return err_set(e, -ENAMETOOLONG, "%s: too long", folder);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return err_set(e, -errno, "%s: %s", folder, strerror(errno));

    d = calloc(1, sizeof *d);
    CHECK(d);
    mode_t mask = umask(077);
    int rc = open_database(d, path, e);
    umask(mask);
    if (rc < 0) {
        directory_close(d);
        return err_wrap(e, rc, "%s", path);
    }
    prepare_all(d);
    *ret = d;
    return 0;
}

void directory_close(struct directory *d)
{
    if (!d)
        return;
    for (int i = 0; i < DB_STATEMENTS; i++)
        sqlite3_finalize(d->statements[i]);
    sqlite3_close(d->db);
    secret_wipe(d, sizeof *d);
    free(d);
}

void directory_set_conf(struct directory *d, const struct conf *c)
{
    d->conf = c;
}

const unsigned char *directory_secret(const struct directory *d)
{
    return d->secret;
}

uint64_t directory_version(struct directory *d)
{
    DB_AUTO s = db_statement(d, DB_DATA_VERSION);
    uint64_t others = db_step(d, s) == 1 ? (uint64_t)sqlite3_column_int64(s, 0) : 0;

    /* data_version counts what other connections wrote */
    return others << 32 | (uint32_t)sqlite3_total_changes(d->db);
}

int db_own_address(const struct directory *d, struct span text, struct mail_address *ret,
                   struct err *e)
{
    struct mail_address a;

    if (!name_local_parse(text, d->conf->domain, &a))
        return err_set(e, -EINVAL, "%s is not a mail address", log_quote(text));
    if (!name_address_is_own(&a))
        return err_set(e, -EINVAL, "%s: '+', quotes and address literals are not possible here",
                       log_quote(text));
    if (!conf_domain_is_local(d->conf, span_cstr(a.domain)))
        return err_set(e, -EINVAL, "%s is not a local domain; add it to local_domains first",
                       log_quote(span_cstr(a.domain)));
    *ret = a;
    return 0;
}
