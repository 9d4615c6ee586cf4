#include "directory/database.h"

#include "base/log.h"

#include <errno.h>

/* The columns ENTRY_COLUMNS of a row. */
void db_entry_of(sqlite3_stmt *s, struct directory_entry *ret)
{
    struct mail_address a;

    *ret = (struct directory_entry){
        .kind = (enum directory_entry_kind)sqlite3_column_int(s, 0),
        .mail = sqlite3_column_int(s, 5) != 0,
        .send_as = sqlite3_column_int(s, 6) != 0,
        .account = (uint64_t)sqlite3_column_int64(s, 7),
        .state = (enum directory_state)sqlite3_column_int(s, 8),
    };
    db_column_text(s, 1, a.local, sizeof a.local);
    db_column_text(s, 2, a.domain, sizeof a.domain);
    name_address_print(&a, ret->address);
    db_column_text(s, 3, ret->target, sizeof ret->target);
    db_column_text(s, 4, ret->title, sizeof ret->title);
}

static sqlite3_stmt *statement_for(struct directory *d, enum statement which,
                                   const struct mail_address *a)
{
    sqlite3_stmt *s = db_statement(d, which);

    if (s) {
        db_bind_text(s, 1, span_cstr(a->local));
        db_bind_text(s, 2, span_cstr(a->domain));
    }
    return s;
}

int db_entry_find(struct directory *d, const struct mail_address *a, struct directory_entry *ret)
{
    DB_AUTO s = statement_for(d, DB_ENTRY_FIND, a);
    int rc = db_step(d, s);

    if (rc != 1)
        return rc == 0 ? -ENOENT : -EIO;
    db_entry_of(s, ret);
    return 0;
}

int directory_entry_find(struct directory *d, struct span address, struct directory_entry *ret)
{
    struct mail_address a;

    if (!name_local_parse(address, d->conf->domain, &a))
        return -ENOENT;
    return db_entry_find(d, &a, ret);
}

int db_entry_add(struct directory *d, const struct mail_address *a, const struct directory_entry *n,
                 struct err *e)
{
    DB_AUTO s = statement_for(d, DB_ENTRY_ADD, a);

    if (!s)
        return err_set(e, -EIO, "the directory cannot be written");
    sqlite3_bind_int64(s, 3, n->kind);
    db_bind_text(s, 4, span_cstr(n->target));
    db_bind_text(s, 5, span_cstr(n->title));
    sqlite3_bind_int64(s, 6, n->mail);
    sqlite3_bind_int64(s, 7, n->send_as);
    if (n->kind == ENTRY_ACCOUNT)
        sqlite3_bind_int64(s, 8, (int64_t)n->account);
    int rc = db_run(d, s);
    if (rc == -EEXIST)
        return err_set(e, rc, "%s@%s exists already", a->local, a->domain);
    return rc < 0 ? err_set(e, rc, "%s", sqlite3_errmsg(d->db)) : 0;
}

/* An address that mail is passed on to, in the form in which it is kept: folded where it is ours.
 */
static int target_address(const struct directory *d, struct span text,
                          char ret[NAME_ADDRESS_MAX + 1], struct err *e)
{
    struct mail_address a;

    if (span_has(text, '@') ? !name_address_parse(text, &a)
                            : !name_local_parse(text, d->conf->domain, &a))
        return err_set(e, -EINVAL, "%s is not a mail address", log_quote(text));
    if (conf_domain_is_local(d->conf, span_cstr(a.domain)))
        name_address_fold(&a);
    name_address_print(&a, ret);
    return 0;
}

static int check_entry(const struct directory *d, struct directory_entry *n, struct err *e)
{
    char target[NAME_ADDRESS_MAX + 1];
    struct span text = span_cstr(n->target);

    if (!name_title_valid(span_cstr(n->title)))
        return err_set(e, -EINVAL, "the name %s is too long or holds control characters",
                       log_quote(span_cstr(n->title)));
    switch (n->kind) {
    case ENTRY_ALIAS:
        if (target_address(d, text, target, e) < 0)
            return -EINVAL;
        memcpy(n->target, target, sizeof target);
        return 0;
    case ENTRY_NEWSGROUP:
        if (!name_newsgroup_valid(text))
            return err_set(e, -EINVAL, "%s is not the name of a newsgroup", log_quote(text));
        return 0;
    case ENTRY_GROUP:
        return 0;
    default:
        return err_set(e, -EINVAL, "not an alias, group or newsgroup");
    }
}

int directory_entry_add(struct directory *d, const struct directory_entry *n, struct err *e)
{
    struct mail_address a;
    struct directory_entry copy = *n;
    int rc = db_own_address(d, span_cstr(n->address), &a, e);

    if (rc == 0)
        rc = check_entry(d, &copy, e);
    if (rc == 0)
        rc = db_begin(d, e);
    return rc < 0 ? rc : db_end(d, db_entry_add(d, &a, &copy, e), e);
}

int directory_group_set(struct directory *d, const struct directory_entry *n, struct err *e)
{
    struct mail_address a;
    struct directory_entry copy = *n;
    int rc = db_own_address(d, span_cstr(n->address), &a, e);

    copy.kind = ENTRY_GROUP;
    if (rc == 0)
        rc = check_entry(d, &copy, e);
    if (rc == 0)
        rc = db_begin(d, e);
    if (rc < 0)
        return rc;
    sqlite3_stmt *s = statement_for(d, DB_ENTRY_SET, &a);
    if (s) {
        db_bind_text(s, 3, span_cstr(copy.title));
        sqlite3_bind_int64(s, 4, copy.mail);
        sqlite3_bind_int64(s, 5, copy.send_as);
    }
    rc = db_run(d, s);
    if (rc < 0)
        err_set(e, rc, "%s", sqlite3_errmsg(d->db));
    else if (sqlite3_changes(d->db) == 0)
        rc = err_set(e, -ENOENT, "there is no group %s@%s", a.local, a.domain);
    db_reset(&s);
    return db_end(d, rc, e);
}

int db_member_forget(struct directory *d, const struct mail_address *a)
{
    DB_AUTO s = db_statement(d, DB_MEMBER_FORGET);
    char text[NAME_ADDRESS_MAX + 1];

    name_address_print(a, text);
    if (s)
        db_bind_text(s, 1, span_cstr(text));
    return db_run(d, s);
}

static int remove_entry(struct directory *d, enum directory_entry_kind kind,
                        const struct mail_address *a, struct err *e)
{
    DB_AUTO members = statement_for(d, DB_MEMBER_CLEAR, a);
    DB_AUTO s = statement_for(d, DB_ENTRY_REMOVE, a);
    struct directory_entry old;
    int rc = db_entry_find(d, a, &old);

    if (rc == -ENOENT || (rc == 0 && old.kind != kind))
        return err_set(e, -ENOENT, "there is no such entry %s@%s", a->local, a->domain);
    if (rc == 0 && kind == ENTRY_GROUP)
        rc = db_run(d, members);
    if (rc == 0)
        rc = db_member_forget(d, a);
    if (rc == 0 && s) {
        sqlite3_bind_int64(s, 3, kind);
        rc = db_run(d, s);
    }
    return rc < 0 || !s ? err_set(e, -EIO, "%s", sqlite3_errmsg(d->db)) : 0;
}

int directory_entry_remove(struct directory *d, enum directory_entry_kind kind, struct span address,
                           struct err *e)
{
    struct mail_address a;

    if (kind == ENTRY_ACCOUNT || !name_local_parse(address, d->conf->domain, &a))
        return err_set(e, -EINVAL, "%s is not an address that can be removed", log_quote(address));
    int rc = db_begin(d, e);
    return rc < 0 ? rc : db_end(d, remove_entry(d, kind, &a, e), e);
}

int directory_entry_each(struct directory *d, enum directory_entry_kind kind, struct span after,
                         bool (*fn)(const struct directory_entry *n, void *arg), void *arg)
{
    DB_AUTO s = db_statement(d, DB_ENTRY_EACH);
    struct mail_address a = {"", ""};
    struct directory_entry n;
    int rc;

    if (after.n && !name_local_parse(after, d->conf->domain, &a))
        return -EINVAL;
    if (!s)
        return -EIO;
    db_bind_text(s, 1, span_cstr(a.domain));
    db_bind_text(s, 2, span_cstr(a.local));
    sqlite3_bind_int64(s, 3, kind);
    while ((rc = db_step(d, s)) == 1) {
        db_entry_of(s, &n);
        if (!fn(&n, arg))
            return 0;
    }
    return rc;
}

/* ------------------------------------------------------------------ members */
static int find_group(struct directory *d, struct span group, struct mail_address *ret,
                      struct err *e)
{
    struct directory_entry n;

    if (!name_local_parse(group, d->conf->domain, ret) || db_entry_find(d, ret, &n) < 0 ||
        n.kind != ENTRY_GROUP)
        return err_set(e, -ENOENT, "there is no group %s", log_quote(group));
    return 0;
}

static int add_member(struct directory *d, struct span group, struct span member, struct err *e)
{
    struct mail_address a;
    char text[NAME_ADDRESS_MAX + 1];
    int rc = find_group(d, group, &a, e);

    if (rc == 0)
        rc = target_address(d, member, text, e);
    if (rc < 0)
        return rc;
    DB_AUTO count = statement_for(d, DB_MEMBER_COUNT, &a);
    if (db_step(d, count) == 1 && sqlite3_column_int64(count, 0) >= DIRECTORY_MEMBERS_MAX)
        return err_set(e, -EINVAL, "a group has at most %d members; make groups of groups",
                       DIRECTORY_MEMBERS_MAX);
    DB_AUTO s = statement_for(d, DB_MEMBER_ADD, &a);
    if (s)
        db_bind_text(s, 3, span_cstr(text));
    rc = db_run(d, s);
    if (rc == -EEXIST)
        return err_set(e, rc, "%s is a member already", text);
    return rc < 0 ? err_set(e, rc, "%s", sqlite3_errmsg(d->db)) : 0;
}

int directory_member_add(struct directory *d, struct span group, struct span member, struct err *e)
{
    int rc = db_begin(d, e);

    return rc < 0 ? rc : db_end(d, add_member(d, group, member, e), e);
}

static int remove_member(struct directory *d, struct span group, struct span member, struct err *e)
{
    struct mail_address a;
    char text[NAME_ADDRESS_MAX + 1];
    int rc = find_group(d, group, &a, e);

    if (rc == 0)
        rc = target_address(d, member, text, e);
    if (rc < 0)
        return rc;
    DB_AUTO s = statement_for(d, DB_MEMBER_REMOVE, &a);
    if (s)
        db_bind_text(s, 3, span_cstr(text));
    rc = db_run(d, s);
    if (rc < 0)
        return err_set(e, rc, "%s", sqlite3_errmsg(d->db));
    return sqlite3_changes(d->db) ? 0 : err_set(e, -ENOENT, "%s is not a member", text);
}

int directory_member_remove(struct directory *d, struct span group, struct span member,
                            struct err *e)
{
    int rc = db_begin(d, e);

    return rc < 0 ? rc : db_end(d, remove_member(d, group, member, e), e);
}

int directory_member_each(struct directory *d, struct span group, struct span after,
                          bool (*fn)(struct span member, void *arg), void *arg)
{
    struct mail_address a;
    struct err e;
    int rc = find_group(d, group, &a, &e);

    if (rc < 0)
        return rc;
    DB_AUTO s = statement_for(d, DB_MEMBER_EACH, &a);
    if (s)
        db_bind_text(s, 3, after);
    while ((rc = db_step(d, s)) == 1)
        if (!fn(db_column(s, 0), arg))
            return 0;
    return rc;
}
