/* certificate.c: certificates that stand for accounts. */
#include "directory/database.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>

static void certificate_of(sqlite3_stmt *s, struct directory_certificate *ret)
{
    *ret = (struct directory_certificate){
        .id = (uint64_t)sqlite3_column_int64(s, 0),
        .account = (uint64_t)sqlite3_column_int64(s, 1),
        .kind = (enum directory_certificate_kind)sqlite3_column_int(s, 3),
        .ends_seconds = sqlite3_column_int64(s, 8),
        .created_seconds = sqlite3_column_int64(s, 9),
        .issued = sqlite3_column_int(s, 10) != 0,
    };
    db_column_text(s, 2, ret->name, sizeof ret->name);
    db_column_text(s, 4, ret->value, sizeof ret->value);
    db_column_text(s, 5, ret->serial, sizeof ret->serial);
    db_column_text(s, 6, ret->subject, sizeof ret->subject);
    db_column_text(s, 7, ret->issuer, sizeof ret->issuer);
}

static int check(const struct directory_certificate *c, struct err *e)
{
    bool by_name = c->kind == CERTIFICATE_EMAIL || c->kind == CERTIFICATE_UPN;

    if (!c->name[0] || !name_title_valid(span_cstr(c->name)))
        return err_set(e, -EINVAL, "a certificate of an account needs a name, such as laptop");
    if (c->kind < CERTIFICATE_SPKI || c->kind >= CERTIFICATE_KINDS || !c->value[0])
        return err_set(e, -EINVAL, "what the certificate is known by is missing");
    if (c->account == 0 && !by_name)
        return err_set(e, -EINVAL, "a rule for all accounts goes by mail address or UPN");
    /* only a rule for all takes whatever name stands there */
    if (by_name && (c->account == 0) != span_ends_nocase(span_cstr(c->value), SPAN(":*")))
        return err_set(e, -EINVAL, "a rule for one account needs the address or UPN itself");
    return 0;
}

static bool count_one(const struct directory_certificate *c, void *arg)
{
    ++*(unsigned *)arg;
    return true;
}

static int add(struct directory *d, const struct directory_certificate *c, struct err *e)
{
    DB_AUTO s = db_statement(d, DB_CERT_ADD);
    struct directory_account a;
    unsigned count = 0;
    int rc = s ? 0 : -EIO;

    if (rc == 0 && c->account != 0)
        rc = directory_account_get(d, c->account, &a);
    if (rc == -ENOENT)
        return err_set(e, rc, "there is no account with the number %llu",
                       (unsigned long long)c->account);
    if (rc == 0)
        rc = directory_certificate_each(d, c->account, 0, count_one, &count);
    if (rc == 0 && count >= DIRECTORY_CERTIFICATES_MAX)
        return err_set(e, -E2BIG, "there are %u certificates already; unmap one first", count);
    if (rc < 0)
        return err_set(e, rc, "the directory cannot be read");
    sqlite3_bind_int64(s, 1, (int64_t)c->account);
    db_bind_text(s, 2, span_cstr(c->name));
    sqlite3_bind_int(s, 3, (int)c->kind);
    db_bind_text(s, 4, span_cstr(c->value));
    db_bind_text(s, 5, span_cstr(c->serial));
    db_bind_text(s, 6, span_cstr(c->subject));
    db_bind_text(s, 7, span_cstr(c->issuer));
    sqlite3_bind_int64(s, 8, c->ends_seconds);
    sqlite3_bind_int64(s, 9, clock_seconds());
    sqlite3_bind_int(s, 10, c->issued);
    rc = db_run(d, s);
    if (rc == -EEXIST)
        return err_set(e, rc,
                       "there is a certificate called %s already; choose another name, or "
                       "unmap it first",
                       log_quote(span_cstr(c->name)));
    return rc < 0 ? err_set(e, rc, "%s", sqlite3_errmsg(d->db)) : 0;
}

int directory_certificate_add(struct directory *d, const struct directory_certificate *c,
                              struct err *e)
{
    int rc = check(c, e);

    if (rc == 0)
        rc = db_begin(d, e);
    return rc < 0 ? rc : db_end(d, add(d, c, e), e);
}

int directory_certificate_get(struct directory *d, uint64_t account, struct span name,
                              struct directory_certificate *ret)
{
    DB_AUTO s = db_statement(d, DB_CERT_GET);
    int rc;

    if (!s)
        return -EIO;
    sqlite3_bind_int64(s, 1, (int64_t)account);
    db_bind_text(s, 2, name);
    rc = db_step(d, s);
    if (rc == 1)
        certificate_of(s, ret);
    return rc == 1 ? 0 : rc == 0 ? -ENOENT : rc;
}

static int remove_one(struct directory *d, uint64_t account, struct span name, struct err *e)
{
    DB_AUTO row = db_statement(d, DB_CERT_REMOVE);
    DB_AUTO epoch = db_statement(d, DB_CERT_EPOCH);
    struct directory_certificate c;
    int rc = row && epoch ? directory_certificate_get(d, account, name, &c) : -EIO;

    if (rc == -ENOENT)
        return err_set(e, rc,
                       "there is no certificate called %s; `sealpost account cert list` "
                       "shows them",
                       log_quote(name));
    if (rc == 0) {
        sqlite3_bind_int64(row, 1, (int64_t)c.id);
        sqlite3_bind_int64(epoch, 1, (int64_t)account);
        sqlite3_bind_int64(epoch, 2, clock_seconds());
        rc = db_run(d, row);
    }
    if (rc == 0)
        rc = db_run(d, epoch);
    return rc < 0 ? err_set(e, rc, "%s", sqlite3_errmsg(d->db)) : 0;
}

int directory_certificate_remove(struct directory *d, uint64_t account, struct span name,
                                 struct err *e)
{
    int rc = db_begin(d, e);

    return rc < 0 ? rc : db_end(d, remove_one(d, account, name, e), e);
}

static int advance(struct directory *d, uint64_t id, struct err *e)
{
    DB_AUTO s = db_statement(d, DB_CERT_EPOCH);
    struct directory_account a;
    int rc = s ? directory_account_get(d, id, &a) : -EIO;

    if (rc == 0) {
        sqlite3_bind_int64(s, 1, (int64_t)id);
        sqlite3_bind_int64(s, 2, clock_seconds());
        rc = db_run(d, s);
    }
    return rc == -ENOENT
               ? err_set(e, rc, "there is no account with the number %llu", (unsigned long long)id)
           : rc < 0 ? err_set(e, rc, "%s", sqlite3_errmsg(d->db))
                    : 0;
}

int directory_account_advance(struct directory *d, uint64_t id, struct err *e)
{
    int rc = db_begin(d, e);

    return rc < 0 ? rc : db_end(d, advance(d, id, e), e);
}

static int walk(struct directory *d, sqlite3_stmt *s,
                bool (*fn)(const struct directory_certificate *c, void *arg), void *arg)
{
    struct directory_certificate c;
    int rc;

    while ((rc = db_step(d, s)) == 1) {
        certificate_of(s, &c);
        if (!fn(&c, arg))
            return 0;
    }
    return rc;
}

int directory_certificate_find(struct directory *d, enum directory_certificate_kind kind,
                               const char *value,
                               bool (*fn)(const struct directory_certificate *c, void *arg),
                               void *arg)
{
    DB_AUTO s = db_statement(d, DB_CERT_FIND);

    if (!s)
        return -EIO;
    sqlite3_bind_int(s, 1, (int)kind);
    db_bind_text(s, 2, span_cstr(value));
    return walk(d, s, fn, arg);
}

int directory_certificate_by_serial(struct directory *d, const char *serial,
                                    bool (*fn)(const struct directory_certificate *c, void *arg),
                                    void *arg)
{
    DB_AUTO s = db_statement(d, DB_CERT_SERIAL);

    if (!s)
        return -EIO;
    db_bind_text(s, 1, span_cstr(serial));
    return walk(d, s, fn, arg);
}

int directory_certificate_each(struct directory *d, uint64_t account, uint64_t after,
                               bool (*fn)(const struct directory_certificate *c, void *arg),
                               void *arg)
{
    DB_AUTO s = db_statement(d, DB_CERT_EACH);

    if (!s)
        return -EIO;
    sqlite3_bind_int64(s, 1, (int64_t)after);
    sqlite3_bind_int64(s, 2, account == UINT64_MAX ? -1 : (int64_t)account);
    return walk(d, s, fn, arg);
}
