/* The register as a file beside it, and such a file in its place. */
#include "base/check.h"
#include "ca/register_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STEP_PAGES = 2048 };
/* More lists than a CA signs in a lifetime of hours. */
#define CRL_NUMBERS_AHEAD "1000000"

struct register_copy {
    sqlite3 *to;
    sqlite3_backup *backup;
};

static void remove_file(const char *path)
{
    static const char *const with[] = {"", "-journal", "-wal", "-shm"};
    char one[400];

    for (size_t i = 0; i < ARRAY_LEN(with); i++) {
        snprintf(one, sizeof(one), "%s%s", path, with[i]);
        unlink(one);
    }
}

static int copy_failed(sqlite3 *db, struct err *e)
{
    int code = sqlite3_errcode(db);

    return err_set(e, code == SQLITE_FULL ? -ENOSPC : -EIO,
                   "the CA's register cannot be copied: %s", sqlite3_errmsg(db));
}

int ca_register_copy_start(struct ca_register *r, const char *path, struct register_copy **ret,
                           struct err *e)
{
    struct register_copy *c = calloc(1, sizeof(*c));
    int rc = 0;

    CHECK(c);
    remove_file(path);
    if (sqlite3_open_v2(path, &c->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(c->to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", NULL, NULL, NULL) !=
            SQLITE_OK ||
        !(c->backup = sqlite3_backup_init(c->to, "main", r->db, "main")))
        rc = copy_failed(c->to, e);
    if (rc < 0) {
        ca_register_copy_end(c);
        return rc;
    }
    *ret = c;
    return 0;
}

int ca_register_copy_step(struct register_copy *c, bool *ret_done, struct err *e)
{
    int code = sqlite3_backup_step(c->backup, STEP_PAGES);

    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_BUSY && code != SQLITE_LOCKED)
        return copy_failed(c->to, e);
    *ret_done = code == SQLITE_DONE;
    return 0;
}

void ca_register_copy_end(struct register_copy *c)
{
    if (!c)
        return;
    sqlite3_backup_finish(c->backup);
    sqlite3_close(c->to);
    free(c);
}

/* --- back */

static int check_whole(struct ca_register *from, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(from, &q, "PRAGMA integrity_check(1)", e);

    if (rc == 0)
        rc = reg_step(&q, "read", e);
    if (rc >= 0)
        rc = rc > 0 && strcmp(reg_column(&q, 0), "ok") == 0
                 ? 0
                 : err_set(e, -EBADMSG, "the register in the backup is damaged");
    reg_close(&q);
    if (rc < 0 || (rc = reg_open(from, &q, "SELECT count(*) FROM ca", e)) < 0)
        return rc;
    rc = reg_step(&q, "read", e);
    if (rc >= 0)
        rc = rc > 0 && sqlite3_column_int(q.s, 0) > 0
                 ? 0
                 : err_set(e, -EBADMSG, "the register in the backup holds no CA");
    reg_close(&q);
    return rc;
}

static int rename_key(struct ca_register *from, const struct register_key *k, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(from, &q, "UPDATE ca SET key_id=?2 WHERE key_id=?1", e);

    if (rc < 0)
        return rc;
    reg_text(&q, k->old_id);
    reg_text(&q, k->new_id);
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}

/* Requests to other CAs are not taken along: their keys stayed where they were made. */
static int adapt(struct ca_register *from, const struct register_key *keys, size_t n, struct err *e)
{
    int rc = reg_begin(from, e);

    if (rc < 0)
        return rc;
    rc = reg_execute(from,
                     "DELETE FROM subordinate; DELETE FROM crl;"
                     "UPDATE ca SET crl_number=crl_number+" CRL_NUMBERS_AHEAD,
                     e);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = rename_key(from, &keys[i], e);
    return reg_finish(from, rc, e);
}

static int copy_over(struct ca_register *r, struct ca_register *from, struct err *e)
{
    sqlite3_backup *b = sqlite3_backup_init(r->db, "main", from->db, "main");
    int code = b ? sqlite3_backup_step(b, -1) : SQLITE_ERROR;

    if (b)
        sqlite3_backup_finish(b);
    return code == SQLITE_DONE ? 0 : copy_failed(r->db, e);
}

int ca_register_restore(struct ca_register *r, const char *path, const struct register_key *keys,
                        size_t key_count, struct register_carried *ret, struct err *e)
{
    struct ca_register from = {NULL, 0};
    int rc = 0;

    if (sqlite3_open_v2(path, &from.db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        rc = copy_failed(from.db, e);
    if (rc == 0)
        rc = reg_execute(&from,
                         "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF;"
                         "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF",
                         e);
    if (rc == 0)
        rc = check_whole(&from, e);
    if (rc == 0)
        rc = reg_prepare(&from, e);
    if (rc == 0)
        rc = adapt(&from, keys, key_count, e);
    if (rc == 0)
        rc = reg_carry_revoked(r, &from, ret, e);
    if (rc == 0)
        rc = copy_over(r, &from, e);
    sqlite3_close(from.db);
    remove_file(path);
    return rc;
}

int ca_register_is_fresh(struct ca_register *r, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q,
                      "SELECT NOT EXISTS(SELECT 1 FROM certificate WHERE state<>'issued' OR"
                      " profile<>'server' OR requester NOT LIKE 'virtual server %') AND"
                      " NOT EXISTS(SELECT 1 FROM request) AND (SELECT count(*) FROM ca)<=2",
                      e);

    if (rc < 0)
        return rc;
    rc = reg_step(&q, "read", e);
    if (rc > 0)
        rc = sqlite3_column_int(q.s, 0) != 0;
    reg_close(&q);
    return rc;
}
