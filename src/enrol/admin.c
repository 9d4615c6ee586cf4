/* What an administrator does about enrolment: keys and passwords, accounts, orders. */
#include "enrol/server.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "ca/enrol_policy.h"

#include <errno.h>
#include <inttypes.h>

enum { KEY_BYTES = 32, WORD = 24, PAGE_BYTES = 60000 };

static void put_text(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "%s\"%s\":", b->n && b->p[b->n - 1] != '{' ? "," : "", name);
    json_put_string(b, span_cstr(value));
}

static int check_name(const char *name, struct err *e)
{
    struct span s = span_cstr(name);

    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && !strchr("-_.", s.p[i]))
            s.n = 0;
    return s.n ? 0
               : err_set(e, -EINVAL, "a name has letters, digits, '-', '_' and '.', at most 63");
}

/* The names that it is for, as they are stored. */
static int check_names(const struct enrol *en, const struct enrol_admin *m, bool est,
                       struct buf *ret, struct err *e)
{
    struct cert_names names = CERT_NAMES_EMPTY;
    int rc = read_names(m->names, &names)
                 ? 0
                 : err_set(e, -EINVAL, "one of these is no DNS name or address: %.300s", m->names);

    for (uint32_t i = 0; rc == 0 && i < names.n; i++)
        if (!(est ? enrol_est_name : enrol_acme_name)(en->conf, &names.v[i]))
            rc = err_set(e, -EPERM,
                         "%.100s may not be enrolled; add it to %s.names or .networks in the "
                         "configuration and reload",
                         names.v[i].text, est ? "est_server" : "acme_server");
    if (rc == 0 && est && names.n == 0)
        rc = err_set(e, -EINVAL, "an enrolment password is for names: give some with --names");
    if (rc == 0)
        cert_names_print(&names, ret);
    cert_names_done(&names);
    return rc;
}

static int is_new(struct enrol *en, const char *sql, const char *name, struct err *e)
{
    int64_t have = 0;
    int rc = db_number(en->db, 0, &have, e, sql, "t", name);

    if (rc == 0 && have)
        rc = err_set(e, -EEXIST, "there is one named %s already", name);
    return rc;
}

/* ------------------------------------------------------------------ keys for accounts of ACME */

static int eab_create(struct enrol *en, const struct enrol_admin *m, struct buf *json,
                      struct err *e)
{
    struct buf names BUF_AUTO = BUF(ENROL_NAMES_MAX * 2), kid BUF_AUTO = BUF(64),
                     text BUF_AUTO = BUF(64);
    unsigned char key[KEY_BYTES];
    int rc = check_name(m->name, e);

    if (rc == 0)
        rc = check_names(en, m, false, &names, e);
    if (rc == 0)
        rc = is_new(en, "SELECT 1 FROM eab WHERE name=?", m->name, e);
    if (rc < 0)
        return rc;
    random_bytes(key, sizeof(key));
    random_token(&kid, WORD);
    rc = db_run(en->db, e, "INSERT INTO eab(name, kid, key, names, created) VALUES(?,?,?,?,?)",
                "ttbti", m->name, buf_cstr(&kid), span_of(key, sizeof(key)), buf_cstr(&names),
                clock_seconds());
    if (rc == 0) {
        base64url_encode(&text, span_of(key, sizeof(key)));
        buf_putc(json, '{');
        put_text(json, "name", m->name);
        put_text(json, "kid", buf_cstr(&kid));
        put_text(json, "hmac_key", buf_cstr(&text));
        put_text(json, "names", buf_cstr(&names));
        buf_putc(json, '}');
        log_info("acme: key %s made", m->name);
    }
    secret_wipe(key, sizeof(key));
    secret_wipe(text.p, text.n);
    return rc;
}

/* ------------------------------------------------------------------ lists */

struct column {
    const char *name;
    bool number;
};

/* The rows of a statement as objects; the first column is what the next page starts after, where
 * `paged`. */
static int list(struct db_rows *q, const struct column *columns, size_t count, bool paged,
                struct buf *json, struct err *e)
{
    int64_t last = 0;
    bool first = true;
    int rc;

    buf_put_cstr(json, "{\"rows\":[");
    while ((rc = db_next(q, e)) > 0) {
        if (json->n > PAGE_BYTES) {
            buf_printf(json, "]%s", paged ? ",\"next\":" : "");
            if (paged)
                buf_printf(json, "%" PRId64, last);
            buf_putc(json, '}');
            return 0;
        }
        buf_put_cstr(json, first ? "{" : ",{");
        for (size_t i = 0; i < count; i++) {
            if (!columns[i].number) {
                put_text(json, columns[i].name, db_text(q, (int)i));
                continue;
            }
            buf_printf(json, "%s\"%s\":%" PRId64, i ? "," : "", columns[i].name, db_int(q, (int)i));
        }
        buf_putc(json, '}');
        last = db_int(q, 0);
        first = false;
    }
    buf_put_cstr(json, "]}");
    return rc;
}

static int eab_list(struct enrol *en, const struct enrol_admin *m, struct buf *json, struct err *e)
{
    static const struct column columns[] = {
        {"name",    false},
        {"kid",     false},
        {"names",   false},
        {"created", true },
        {"account", true },
    };
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    int rc = db_query(en->db, &q, e,
                      "SELECT name, kid, names, created, account FROM eab ORDER BY name", "");

    (void)m;
    return rc < 0 ? rc : list(&q, columns, ARRAY_LEN(columns), false, json, e);
}

static int account_list(struct enrol *en, const struct enrol_admin *m, struct buf *json,
                        struct err *e)
{
    static const struct column columns[] = {
        {"id",           true },
        {"status",       false},
        {"eab",          false},
        {"names",        false},
        {"contacts",     false},
        {"created",      true },
        {"orders",       true },
        {"certificates", true },
    };
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    int rc = db_query(en->db, &q, e,
                      "SELECT id, status, eab, names, contacts, created, (SELECT count(*) FROM"
                      " orders WHERE account=a.id), (SELECT count(*) FROM certificate WHERE"
                      " account=a.id) FROM account AS a WHERE id>? ORDER BY id",
                      "i", m->id);

    return rc < 0 ? rc : list(&q, columns, ARRAY_LEN(columns), true, json, e);
}

static int order_list(struct enrol *en, const struct enrol_admin *m, struct buf *json,
                      struct err *e)
{
    static const struct column columns[] = {
        {"id",      true },
        {"account", true },
        {"status",  false},
        {"names",   false},
        {"created", true },
        {"expires", true },
        {"serial",  false},
        {"problem", false},
    };
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    int rc = db_query(en->db, &q, e,
                      "SELECT id, account, status, identifiers, created, expires, serial, problem"
                      " FROM orders WHERE id>? ORDER BY id",
                      "i", m->id);

    return rc < 0 ? rc : list(&q, columns, ARRAY_LEN(columns), true, json, e);
}

static int password_list(struct enrol *en, const struct enrol_admin *m, struct buf *json,
                         struct err *e)
{
    static const struct column columns[] = {
        {"name",    false},
        {"names",   false},
        {"created", true },
        {"used",    true },
    };
    struct db_rows q DB_ROWS_AUTO = {NULL, NULL};
    int rc = db_query(en->db, &q, e,
                      "SELECT name, names, created, used FROM password ORDER BY name", "");

    (void)m;
    return rc < 0 ? rc : list(&q, columns, ARRAY_LEN(columns), false, json, e);
}

/* ------------------------------------------------------------------ taking away */

static int removed(int64_t was, const char *what, struct buf *json, struct err *e)
{
    if (!was)
        return err_set(e, -ENOENT, "there is no such %s", what);
    buf_put_cstr(json, "{\"removed\":true}");
    return 0;
}

/* An account that was made with it stays; remove that too where it is to end. */
static int eab_remove(struct enrol *en, const struct enrol_admin *m, struct buf *json,
                      struct err *e)
{
    int64_t was = 0;
    int rc =
        db_number(en->db, 0, &was, e, "DELETE FROM eab WHERE name=? RETURNING 1", "t", m->name);

    return rc < 0 ? rc : removed(was, "key", json, e);
}

static int password_remove(struct enrol *en, const struct enrol_admin *m, struct buf *json,
                           struct err *e)
{
    int64_t was = 0;
    int rc = db_number(en->db, 0, &was, e, "DELETE FROM password WHERE name=? RETURNING 1", "t",
                       m->name);

    return rc < 0 ? rc : removed(was, "enrolment password", json, e);
}

static int account_remove(struct enrol *en, const struct enrol_admin *m, struct buf *json,
                          struct err *e)
{
    int64_t was = 0;
    int rc = db_begin(en->db, e);

    if (rc < 0)
        return rc;
    rc = db_number(en->db, 0, &was, e,
                   "UPDATE account SET status='revoked' WHERE id=? AND status='valid' RETURNING 1",
                   "i", m->id);
    if (rc == 0)
        rc = db_run(en->db, e,
                    "UPDATE authz SET status='revoked' WHERE account=? AND status IN"
                    " ('pending','valid')",
                    "i", m->id);
    if (rc == 0)
        rc = db_run(en->db, e,
                    "UPDATE orders SET status='invalid' WHERE account=? AND status IN"
                    " ('pending','ready','processing')",
                    "i", m->id);
    rc = db_end(en->db, rc, e);
    return rc < 0 ? rc : removed(was, "account in use", json, e);
}

/* ------------------------------------------------------------------ passwords for EST */

static int password_create(struct enrol *en, const struct enrol_admin *m, struct buf *json,
                           struct err *e)
{
    struct buf names BUF_AUTO = BUF(ENROL_NAMES_MAX * 2), password BUF_AUTO = BUF(64),
                     text BUF_AUTO = BUF(128);
    unsigned char salt[16], md[EVP_MAX_MD_SIZE];
    int rc = check_name(m->name, e);

    if (rc == 0)
        rc = check_names(en, m, true, &names, e);
    if (rc == 0)
        rc = is_new(en, "SELECT 1 FROM password WHERE name=?", m->name, e);
    if (rc < 0)
        return rc;
    /* 124 bits of chance: nothing that a slow hash would make safer */
    random_token(&password, WORD);
    random_bytes(salt, sizeof(salt));
    buf_put(&text, salt, sizeof(salt));
    buf_put_span(&text, buf_span(&password));
    CHECK(EVP_Digest(text.p, text.n, md, NULL, EVP_sha256(), NULL) == 1);
    rc = db_run(en->db, e,
                "INSERT INTO password(name, salt, hash, names, created) VALUES(?,?,?,?,?)", "tbbti",
                m->name, span_of(salt, sizeof(salt)), span_of(md, 32), buf_cstr(&names),
                clock_seconds());
    if (rc == 0) {
        buf_putc(json, '{');
        put_text(json, "name", m->name);
        put_text(json, "password", buf_cstr(&password));
        put_text(json, "names", buf_cstr(&names));
        buf_putc(json, '}');
        log_info("est: enrolment password %s made", m->name);
    }
    secret_wipe(text.p, text.n);
    secret_wipe(password.p, password.n);
    return rc;
}

int enrol_administer(struct enrol *en, const struct enrol_admin *m, struct buf *json, struct err *e)
{
    static int (*const verbs[ENROL_VERBS])(struct enrol * en, const struct enrol_admin *m,
                                           struct buf *json, struct err *e) = {
        [ENROL_EAB_CREATE] = eab_create,           [ENROL_EAB_LIST] = eab_list,
        [ENROL_EAB_REMOVE] = eab_remove,           [ENROL_ACCOUNT_LIST] = account_list,
        [ENROL_ACCOUNT_REMOVE] = account_remove,   [ENROL_ORDER_LIST] = order_list,
        [ENROL_PASSWORD_CREATE] = password_create, [ENROL_PASSWORD_LIST] = password_list,
        [ENROL_PASSWORD_REMOVE] = password_remove,
    };

    CHECK(m->verb < ENROL_VERBS);
    return verbs[m->verb](en, m, json, e);
}
