#include "directory/database.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>

enum { RIGHTS_ALL = 0xff, PROTOCOLS_ALL = (1 << PROTOCOL_COUNT) - 1 };

/* The columns ACCOUNT_COLUMNS of a row. */
static void account_of(sqlite3_stmt *s, struct directory_account *ret)
{
    struct mail_address a;

    db_column_text(s, 1, a.local, sizeof a.local);
    db_column_text(s, 2, a.domain, sizeof a.domain);
    *ret = (struct directory_account){
        .id = (uint64_t)sqlite3_column_int64(s, 0),
        .state = (enum directory_state)sqlite3_column_int(s, 4),
        .rights = (uint32_t)sqlite3_column_int64(s, 5),
        .protocols = (uint32_t)sqlite3_column_int64(s, 6),
        .epoch = (uint64_t)sqlite3_column_int64(s, 7),
        .created_seconds = sqlite3_column_int64(s, 8),
        .changed_seconds = sqlite3_column_int64(s, 9),
    };
    name_address_print(&a, ret->address);
    db_column_text(s, 3, ret->title, sizeof ret->title);
}

static bool credential_of(sqlite3_stmt *s, int at, struct credential *ret)
{
    struct credential c = {.scram.iterations = (uint32_t)sqlite3_column_int64(s, at + 2)};
    struct span salt = db_column(s, at + 1), stored = db_column(s, at + 3),
                server = db_column(s, at + 4);

    if (salt.n != sizeof c.scram.salt || stored.n != sizeof c.scram.stored_key ||
        server.n != sizeof c.scram.server_key)
        return false;
    db_column_text(s, at, c.hash, sizeof c.hash);
    memcpy(c.scram.salt, salt.p, salt.n);
    memcpy(c.scram.stored_key, stored.p, stored.n);
    memcpy(c.scram.server_key, server.p, server.n);
    *ret = c;
    return true;
}

static void bind_credential(sqlite3_stmt *s, int at, const struct credential *c)
{
    db_bind_text(s, at, span_cstr(c->hash));
    db_bind_blob(s, at + 1, c->scram.salt, sizeof c->scram.salt);
    sqlite3_bind_int64(s, at + 2, c->scram.iterations);
    db_bind_blob(s, at + 3, c->scram.stored_key, sizeof c->scram.stored_key);
    db_bind_blob(s, at + 4, c->scram.server_key, sizeof c->scram.server_key);
}

static int get_one(struct directory *d, sqlite3_stmt *s, struct directory_account *ret)
{
    int rc = db_step(d, s);

    if (rc != 1)
        return rc == 0 ? -ENOENT : -EIO;
    account_of(s, ret);
    return 0;
}

int directory_account_get(struct directory *d, uint64_t id, struct directory_account *ret)
{
    DB_AUTO s = db_statement(d, DB_ACCOUNT_GET);

    if (s)
        sqlite3_bind_int64(s, 1, (int64_t)id);
    return get_one(d, s, ret);
}

int db_account_first(struct directory *d, struct directory_account *ret)
{
    DB_AUTO s = db_statement(d, DB_ACCOUNT_FIRST);

    return get_one(d, s, ret);
}

static int find(struct directory *d, struct span name, struct directory_account *ret,
                struct credential *ret_credential)
{
    DB_AUTO s = db_statement(d, DB_ACCOUNT_FIND);
    struct mail_address a;
    struct directory_account found;

    if (!name_local_parse(name, d->conf->domain, &a))
        return -ENOENT;
    if (!s)
        return -EIO;
    db_bind_text(s, 1, span_cstr(a.local));
    db_bind_text(s, 2, span_cstr(a.domain));
    int rc = get_one(d, s, &found);
    if (rc < 0)
        return rc;
    if (ret_credential && !credential_of(s, 10, ret_credential)) {
        log_error("directory: the credential of account %" PRIu64 " is damaged", found.id);
        return -EIO;
    }
    *ret = found;
    return 0;
}

int directory_account_find(struct directory *d, struct span address, struct directory_account *ret)
{
    return find(d, address, ret, NULL);
}

int directory_login(struct directory *d, struct span user, struct directory_account *ret,
                    struct credential *ret_credential)
{
    return find(d, user, ret, ret_credential);
}

static int check_account(struct span title, uint32_t rights, uint32_t protocols, struct err *e)
{
    if (!name_title_valid(title))
        return err_set(e, -EINVAL, "the name %s is too long or holds control characters",
                       log_quote(title));
    if (rights & ~(uint32_t)RIGHTS_ALL)
        return err_set(e, -EINVAL, "unknown rights 0x%x", rights);
    if (protocols & ~(uint32_t)PROTOCOLS_ALL)
        return err_set(e, -EINVAL, "unknown protocols 0x%x", protocols);
    return 0;
}

static int insert(struct directory *d, const struct mail_address *a, const struct account_new *n,
                  uint64_t *ret_id, struct err *e)
{
    DB_AUTO s = db_statement(d, DB_ACCOUNT_ADD);
    struct directory_entry entry = {.kind = ENTRY_ACCOUNT};

    if (!s)
        return err_set(e, -EIO, "the directory cannot be written");
    db_bind_text(s, 1, span_cstr(a->local));
    db_bind_text(s, 2, span_cstr(a->domain));
    db_bind_text(s, 3, n->title);
    sqlite3_bind_int64(s, 4, n->rights);
    sqlite3_bind_int64(s, 5, n->protocols);
    sqlite3_bind_int64(s, 6, clock_seconds());
    bind_credential(s, 7, n->credential);
    int rc = db_run(d, s);
    if (rc == -EEXIST)
        return err_set(e, rc, "%s@%s exists already", a->local, a->domain);
    if (rc < 0)
        return err_set(e, rc, "%s", sqlite3_errmsg(d->db));
    entry.account = (uint64_t)sqlite3_last_insert_rowid(d->db);
    rc = db_entry_add(d, a, &entry, e);
    if (rc == 0)
        *ret_id = entry.account;
    return rc;
}

int directory_account_add(struct directory *d, const struct account_new *n, uint64_t *ret_id,
                          struct err *e)
{
    struct mail_address a;
    uint64_t id = 0;
    int rc = db_own_address(d, n->address, &a, e);

    if (rc == 0)
        rc = check_account(n->title, n->rights, n->protocols, e);
    if (rc == 0)
        rc = db_begin(d, e);
    if (rc < 0)
        return rc;
    rc = db_end(d, insert(d, &a, n, &id, e), e);
    if (rc == 0)
        *ret_id = id;
    return rc;
}

static int no_account(uint64_t id, int rc, struct err *e)
{
    return err_set(
        e, rc,
        rc == -ENOENT ? "there is no account %" PRIu64 : "account %" PRIu64 " cannot be read", id);
}

static int write_account(struct directory *d, const struct directory_account *a, struct err *e)
{
    DB_AUTO s = db_statement(d, DB_ACCOUNT_SET);

    if (!s)
        return err_set(e, -EIO, "the directory cannot be written");
    sqlite3_bind_int64(s, 1, (int64_t)a->id);
    db_bind_text(s, 2, span_cstr(a->title));
    sqlite3_bind_int64(s, 3, a->state);
    sqlite3_bind_int64(s, 4, a->rights);
    sqlite3_bind_int64(s, 5, a->protocols);
    sqlite3_bind_int64(s, 6, (int64_t)a->epoch);
    sqlite3_bind_int64(s, 7, clock_seconds());
    int rc = db_run(d, s);
    return rc < 0 ? err_set(e, rc, "%s", sqlite3_errmsg(d->db)) : 0;
}

static int change_account(struct directory *d, uint64_t id, const struct account_change *c,
                          struct err *e)
{
    struct directory_account old, a;
    int rc = directory_account_get(d, id, &old);

    if (rc < 0)
        return no_account(id, rc, e);
    a = old;
    if (c->set & ACCOUNT_SET_TITLE)
        span_to_cstr(c->title, a.title, sizeof a.title);
    if (c->set & ACCOUNT_SET_STATE)
        a.state = c->state;
    if (c->set & ACCOUNT_SET_RIGHTS)
        a.rights = c->rights;
    if (c->set & ACCOUNT_SET_PROTOCOLS)
        a.protocols = c->protocols;
    if ((a.state != old.state && a.state != ACCOUNT_STATE_ENABLED) || (old.rights & ~a.rights) ||
        (old.protocols & ~a.protocols))
        a.epoch++;
    return write_account(d, &a, e);
}

int directory_account_set(struct directory *d, uint64_t id, const struct account_change *c,
                          struct err *e)
{
    int rc = check_account(c->set & ACCOUNT_SET_TITLE ? c->title : SPAN_EMPTY,
                           c->set & ACCOUNT_SET_RIGHTS ? c->rights : 0,
                           c->set & ACCOUNT_SET_PROTOCOLS ? c->protocols : 0, e);

    if (rc == 0 && (c->set & ACCOUNT_SET_STATE) && c->state != ACCOUNT_STATE_ENABLED &&
        c->state != ACCOUNT_STATE_DISABLED)
        rc = err_set(e, -EINVAL, "an account is set to enabled or disabled");
    if (rc == 0)
        rc = db_begin(d, e);
    return rc < 0 ? rc : db_end(d, change_account(d, id, c, e), e);
}

int directory_account_set_credential(struct directory *d, uint64_t id, const struct credential *c,
                                     bool keep_epoch, struct err *e)
{
    DB_AUTO s = db_statement(d, DB_ACCOUNT_CREDENTIAL);
    int rc = s ? db_begin(d, e) : err_set(e, -EIO, "the directory cannot be written");

    if (rc < 0)
        return rc;
    sqlite3_bind_int64(s, 1, (int64_t)id);
    bind_credential(s, 2, c);
    sqlite3_bind_int64(s, 7, !keep_epoch);
    sqlite3_bind_int64(s, 8, clock_seconds());
    rc = db_run(d, s);
    if (rc < 0)
        err_set(e, rc, "%s", sqlite3_errmsg(d->db));
    else if (sqlite3_changes(d->db) == 0)
        rc = no_account(id, -ENOENT, e);
    db_reset(&s);
    return db_end(d, rc, e);
}

static int begin_delete(struct directory *d, uint64_t id, struct err *e)
{
    struct directory_account a;
    int rc = directory_account_get(d, id, &a);

    if (rc < 0)
        return no_account(id, rc, e);
    if (a.state == ACCOUNT_STATE_DELETING)
        return 0;
    a.state = ACCOUNT_STATE_DELETING;
    a.epoch++;
    return write_account(d, &a, e);
}

int directory_account_delete_begin(struct directory *d, uint64_t id, struct err *e)
{
    int rc = db_begin(d, e);

    return rc < 0 ? rc : db_end(d, begin_delete(d, id, e), e);
}

static int finish_delete(struct directory *d, uint64_t id, struct err *e)
{
    DB_AUTO address = db_statement(d, DB_ENTRY_REMOVE);
    DB_AUTO row = db_statement(d, DB_ACCOUNT_REMOVE);
    DB_AUTO certificates = db_statement(d, DB_CERT_FORGET);
    DB_AUTO quota = db_statement(d, DB_QUOTA_REMOVE);
    struct directory_account a;
    struct mail_address name;
    int rc = address && row && certificates && quota ? directory_account_get(d, id, &a) : -EIO;

    if (rc < 0)
        return no_account(id, rc, e);
    if (a.state != ACCOUNT_STATE_DELETING)
        return err_set(e, -EBUSY, "%s is not being deleted", a.address);
    if (!name_address_parse(span_cstr(a.address), &name))
        return err_set(e, -EIO, "%s is not an address", log_quote(span_cstr(a.address)));
    db_bind_text(address, 1, span_cstr(name.local));
    db_bind_text(address, 2, span_cstr(name.domain));
    sqlite3_bind_int64(address, 3, ENTRY_ACCOUNT);
    sqlite3_bind_int64(row, 1, (int64_t)id);
    sqlite3_bind_int64(certificates, 1, (int64_t)id);
    db_bind_text(quota, 1, span_cstr(a.address));
    rc = db_member_forget(d, &name);
    if (rc == 0)
        rc = db_run(d, certificates);
    if (rc == 0)
        rc = db_run(d, quota);
    if (rc == 0)
        rc = db_run(d, address);
    if (rc == 0)
        rc = db_run(d, row);
    return rc < 0 ? err_set(e, -EIO, "%s", sqlite3_errmsg(d->db)) : 0;
}

int directory_account_delete_finish(struct directory *d, uint64_t id, struct err *e)
{
    int rc = db_begin(d, e);

    return rc < 0 ? rc : db_end(d, finish_delete(d, id, e), e);
}

int directory_account_each(struct directory *d, uint64_t after,
                           bool (*fn)(const struct directory_account *a, void *arg), void *arg)
{
    DB_AUTO s = db_statement(d, DB_ACCOUNT_EACH);
    struct directory_account a;
    int rc;

    if (!s)
        return -EIO;
    sqlite3_bind_int64(s, 1, (int64_t)after);
    while ((rc = db_step(d, s)) == 1) {
        account_of(s, &a);
        if (!fn(&a, arg))
            return 0;
    }
    return rc;
}

uint64_t directory_account_count(struct directory *d)
{
    DB_AUTO s = db_statement(d, DB_ACCOUNT_COUNT);

    return db_step(d, s) == 1 ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
}
