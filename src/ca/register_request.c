/* The register's requests: those that wait for approval, and what became of them. */
#include "base/check.h"
#include "ca/register_internal.h"

#include <errno.h>

enum { PENDING_MAX = 1000, KEEP_SECONDS = 90 * 86400 };

static int forget_old(struct ca_register *r, int64_t now, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q, "DELETE FROM request WHERE state<>'pending' AND decided_at<?", e);

    if (rc < 0)
        return rc;
    reg_int(&q, now - KEEP_SECONDS);
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}

static int count_pending(struct ca_register *r, int64_t *ret, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q, "SELECT count(*) FROM request WHERE state='pending'", e);

    if (rc < 0)
        return rc;
    rc = reg_step(&q, "read", e);
    if (rc > 0)
        *ret = sqlite3_column_int64(q.s, 0);
    reg_close(&q);
    return rc < 0 ? rc : 0;
}

#define REQUEST_COLUMNS                                                                            \
    "id, received_at, requester, profile, days, subject, names, state, reason, decided_at, serial"

static void read_request(struct reg_statement *q, struct request_record *ret)
{
    *ret = (struct request_record){.id = sqlite3_column_int64(q->s, 0),
                                   .received_at = sqlite3_column_int64(q->s, 1),
                                   .days = (unsigned)sqlite3_column_int(q->s, 4),
                                   .decided_at = sqlite3_column_int64(q->s, 9),
                                   .requester = reg_column(q, 2),
                                   .profile = reg_column(q, 3),
                                   .subject = reg_column(q, 5),
                                   .names = reg_column(q, 6),
                                   .state = reg_column(q, 7),
                                   .reason = reg_column(q, 8),
                                   .serial = reg_column(q, 10)};
}

static enum request_state state_of(const char *name)
{
    return strcmp(name, "pending") == 0    ? REQUEST_PENDING
           : strcmp(name, "approved") == 0 ? REQUEST_APPROVED
                                           : REQUEST_DENIED;
}

/* The same message again is the same request. 1, 0, negative errno. */
static int find_same(struct ca_register *r, struct span message, struct request_answer *ret,
                     struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(
        r, &q, "SELECT " REQUEST_COLUMNS " FROM request WHERE message=? ORDER BY id DESC LIMIT 1",
        e);

    if (rc < 0)
        return rc;
    reg_blob(&q, message);
    rc = reg_step(&q, "read", e);
    if (rc > 0) {
        struct request_record found;
        read_request(&q, &found);
        *ret = (struct request_answer){
            .id = found.id, .state = state_of(found.state), .decided_at = found.decided_at};
        span_to_cstr(span_head(span_cstr(found.reason), CA_REQUESTER_MAX), ret->reason,
                     sizeof(ret->reason));
    }
    reg_close(&q);
    return rc;
}

static int insert(struct ca_register *r, const struct request_record *q_in, struct span message,
                  int64_t now, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q,
                      "INSERT INTO request(received_at, requester, profile, days, subject, names,"
                      " state, message) VALUES(?,?,?,?,?,?,'pending',?)",
                      e);

    if (rc < 0)
        return rc;
    reg_int(&q, now);
    reg_text(&q, q_in->requester);
    reg_text(&q, q_in->profile);
    reg_int(&q, q_in->days);
    reg_text(&q, q_in->subject);
    reg_text(&q, q_in->names);
    reg_blob(&q, message);
    rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}

int ca_register_request(struct ca_register *r, const struct request_record *q, struct span message,
                        int64_t now, int64_t approval_lasts, struct request_answer *ret,
                        struct err *e)
{
    struct request_answer a = {.state = REQUEST_PENDING};
    int64_t pending = 0;
    int rc = reg_begin(r, e);

    if (rc < 0)
        return rc;
    rc = forget_old(r, now, e);
    if (rc == 0)
        rc = find_same(r, message, &a, e);
    if (rc == 0 || (rc > 0 && a.state == REQUEST_APPROVED && now - a.decided_at > approval_lasts)) {
        a = (struct request_answer){.state = REQUEST_PENDING};
        rc = count_pending(r, &pending, e);
        if (rc == 0 && pending >= PENDING_MAX)
            rc = err_set(e, -EAGAIN,
                         "%d requests wait already; approve or deny some (sealpost ca pending)",
                         PENDING_MAX);
        if (rc == 0)
            rc = insert(r, q, message, now, e);
        a.id = sqlite3_last_insert_rowid(r->db);
    }
    rc = reg_finish(r, rc > 0 ? 0 : rc, e);
    if (rc == 0)
        *ret = a;
    return rc;
}

int ca_register_requests(struct ca_register *r, bool all, int64_t after, request_list_fn fn,
                         void *arg, struct err *e)
{
    struct reg_statement q;
    bool more = true;
    int rc = reg_open(r, &q,
                      "SELECT " REQUEST_COLUMNS
                      " FROM request WHERE id>? AND (? OR state='pending') ORDER BY id",
                      e);

    if (rc == 0) {
        reg_int(&q, after);
        reg_int(&q, all);
    }
    while (rc == 0 && more && (rc = reg_step(&q, "read", e)) > 0) {
        struct request_record one;
        read_request(&q, &one);
        more = fn(arg, &one);
        rc = 0;
    }
    reg_close(&q);
    return rc;
}

int ca_register_request_message(struct ca_register *r, int64_t id, struct buf *ret, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q, "SELECT state, message FROM request WHERE id=?", e);

    if (rc < 0)
        return rc;
    reg_int(&q, id);
    rc = reg_step(&q, "read", e);
    if (rc == 0)
        rc = err_set(e, -ENOENT, "there is no request %lld; see \"sealpost ca pending\"",
                     (long long)id);
    else if (rc > 0 && strcmp(reg_column(&q, 0), "pending") != 0)
        rc = err_set(e, -EALREADY, "request %lld was %s before", (long long)id, reg_column(&q, 0));
    else if (rc > 0)
        rc = buf_put(ret, sqlite3_column_blob(q.s, 1), (size_t)sqlite3_column_bytes(q.s, 1))
                 ? 0
                 : err_set(e, -EMSGSIZE, "the request is too long");
    reg_close(&q);
    return rc;
}

int ca_register_request_decide(struct ca_register *r, int64_t id, const char *serial,
                               const char *reason, int64_t now, struct err *e)
{
    struct reg_statement q;
    int rc = reg_open(r, &q,
                      "UPDATE request SET state=?, reason=?, decided_at=?, serial=? WHERE id=? AND"
                      " state='pending' RETURNING id",
                      e);

    if (rc < 0)
        return rc;
    reg_text(&q, serial ? "approved" : "denied");
    reg_text(&q, reason ? reason : "");
    reg_int(&q, now);
    reg_text(&q, serial ? serial : "");
    reg_int(&q, id);
    rc = reg_step(&q, "written", e);
    if (rc == 0)
        rc = err_set(e, -ENOENT, "there is no request %lld that waits", (long long)id);
    else if (rc > 0)
        rc = reg_step(&q, "written", e);
    reg_close(&q);
    return rc;
}
