/* quota.c: what an account, and what all accounts of a domain together, may use. */
#include "directory/database.h"

#include "base/log.h"

#include <errno.h>

/* Small letters; an address of an account that is there, or one of our domains. */
static int quota_name(struct directory *d, struct span text, char ret[NAME_ADDRESS_MAX + 1],
                      struct err *e)
{
    struct mail_address a;
    struct directory_account account;

    if (text.n > NAME_ADDRESS_MAX)
        return err_set(e, -EINVAL, "%s is too long", log_quote(text));
    if (!span_has(text, '@')) {
        for (size_t i = 0; i < text.n; i++)
            ret[i] = (char)ascii_lower(text.p[i]);
        ret[text.n] = '\0';
        return conf_domain_is_local(d->conf, span_cstr(ret))
                   ? 0
                   : err_set(e, -ENOENT, "%s is neither an address nor a local domain",
                             log_quote(text));
    }
    if (!name_address_parse(text, &a))
        return err_set(e, -EINVAL, "%s is not a mail address", log_quote(text));
    name_address_fold(&a);
    name_address_print(&a, ret);
    int rc = directory_account_find(d, span_cstr(ret), &account);
    return rc < 0 ? err_set(e, rc, "there is no account %s", log_quote(text)) : 0;
}

int directory_quota_set(struct directory *d, struct span name, uint64_t bytes, struct err *e)
{
    char folded[NAME_ADDRESS_MAX + 1];
    int rc = quota_name(d, name, folded, e);

    if (rc == 0)
        rc = db_begin(d, e);
    if (rc < 0)
        return rc;
    DB_AUTO s = db_statement(d, bytes ? DB_QUOTA_SET : DB_QUOTA_REMOVE);
    if (s) {
        db_bind_text(s, 1, span_cstr(folded));
        if (bytes)
            sqlite3_bind_int64(s, 2, (int64_t)bytes);
    }
    rc = db_run(d, s);
    if (rc < 0)
        err_set(e, rc, "the quota cannot be written");
    return db_end(d, rc, e);
}

int directory_quota_get(struct directory *d, struct span name, uint64_t *ret)
{
    DB_AUTO s = db_statement(d, DB_QUOTA_GET);

    if (!s)
        return -EIO;
    db_bind_text(s, 1, name);
    int rc = db_step(d, s);
    if (rc >= 0)
        *ret = rc == 1 ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    return rc < 0 ? rc : 0;
}

int directory_quota_each(struct directory *d, struct span after,
                         bool (*fn)(struct span name, uint64_t bytes, void *arg), void *arg)
{
    DB_AUTO s = db_statement(d, DB_QUOTA_EACH);
    int rc;

    if (!s)
        return -EIO;
    db_bind_text(s, 1, after);
    while ((rc = db_step(d, s)) == 1)
        if (!fn(db_column(s, 0), (uint64_t)sqlite3_column_int64(s, 1), arg))
            break;
    return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------------------ groups of an account */
enum { GROUPS_MAX = 64 };

struct groups {
    char v[GROUPS_MAX + 1][NAME_ADDRESS_MAX + 1]; /* [0]: the account */
    size_t n, max;
};

static void add_group(struct groups *g, struct span local, struct span domain)
{
    struct mail_address a;
    char text[NAME_ADDRESS_MAX + 1];

    if (!span_to_cstr(local, a.local, sizeof a.local) ||
        !span_to_cstr(domain, a.domain, sizeof a.domain))
        return;
    name_address_print(&a, text);
    for (size_t i = 0; i < g->n; i++)
        if (strcmp(g->v[i], text) == 0)
            return;
    if (g->n <= g->max)
        memcpy(g->v[g->n++], text, sizeof text);
}

int directory_groups_of(struct directory *d, struct span address, size_t max,
                        void (*fn)(struct span group, void *arg), void *arg)
{
    struct groups g = {.n = 1, .max = max < GROUPS_MAX ? max : GROUPS_MAX};
    int rc;

    if (!span_to_cstr(address, g.v[0], sizeof g.v[0]))
        return 0;
    for (size_t at = 0; at < g.n; at++) {
        DB_AUTO s = db_statement(d, DB_MEMBER_OF);
        if (!s)
            return -EIO;
        db_bind_text(s, 1, span_cstr(g.v[at]));
        while ((rc = db_step(d, s)) == 1)
            add_group(&g, db_column(s, 0), db_column(s, 1));
        if (rc < 0)
            return rc;
        if (at)
            fn(span_cstr(g.v[at]), arg);
    }
    return 0;
}
