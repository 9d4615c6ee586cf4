/*
 * cmd_quota.c: GETQUOTA and GETQUOTAROOT (RFC 9208). An account with a quota has the root "" for all
 * its mailboxes, and where its domain has one, there is a second root of the domain's name; public
 * folders have none, and of mailboxes of other users they are not told. SETQUOTA is not offered: the
 * administrator sets it.
 */
#include "imap/arg.h"
#include "imap/commands.h"
#include "imap/name.h"

#include <errno.h>

enum { UNIT = 1024 }; /* of STORAGE */

struct quotas {
    uint64_t used, limit;               /* of the account; limit 0: none */
    uint64_t domain_used, domain_limit; /* of its domain */
    char domain[STORE_NAME_MAX];
    size_t domain_bytes;
};

static struct span quota_domain(const struct quotas *q)
{
    return span_of(q->domain, q->domain_bytes);
}

static int read_quotas(struct session *s, struct store_read *r, struct quotas *ret)
{
    struct span domain;
    int e = store_quota_get(r, s->user.account, &ret->used, &ret->limit);

    if (e == -ENOENT)
        ret->limit = 0;
    else if (e < 0)
        return e;
    if (store_domain_quota_get(r, s->user.account, &domain, &ret->domain_used,
                               &ret->domain_limit) == 0 &&
        domain.n <= sizeof(ret->domain)) {
        memcpy(ret->domain, domain.p, domain.n);
        ret->domain_bytes = domain.n;
    } else {
        ret->domain_limit = 0;
    }
    return 0;
}

/* "* QUOTA root (STORAGE used limit)" CRLF */
static void put_quota(struct span root, uint64_t used, uint64_t limit, struct buf *out)
{
    buf_put_cstr(out, "* QUOTA ");
    print_quoted(out, root);
    buf_printf(out, " (STORAGE %llu %llu)\r\n",
               (unsigned long long)(used / UNIT + (used % UNIT != 0)),
               (unsigned long long)(limit / UNIT));
}

void cmd_getquota(struct session *s, struct command_line *c)
{
    struct buf out BUF_AUTO = BUF(8 << 10);
    struct span args = c->args, root;
    struct store_read r;
    struct quotas q = {.limit = 0};
    int e;

    if (!arg_astring(&args, s->scratch, IMAP_NAME_MAX, &root) || !parse_end(&args)) {
        imap_syntax(s, c);
        return;
    }
    e = imap_read_begin(s, &r);
    if (e == 0) {
        e = read_quotas(s, &r, &q);
        store_read_end(&r);
    }
    if (e < 0) {
        imap_fail(s, c, e);
        return;
    }
    if (root.n == 0 && q.limit)
        put_quota(root, q.used, q.limit, &out);
    else if (root.n && q.domain_limit && span_eq_nocase(root, quota_domain(&q)))
        put_quota(quota_domain(&q), q.domain_used, q.domain_limit, &out);
    if (out.n == 0) {
        imap_no(s, c, "[NONEXISTENT] No such quota root");
        return;
    }
    session_put(s, buf_span(&out));
    imap_finish(s, c, true, "Getquota completed");
}

void cmd_getquotaroot(struct session *s, struct command_line *c)
{
    struct buf out BUF_AUTO = BUF(16 << 10), full BUF_AUTO = BUF(IMAP_NAME_MAX);
    struct span args = c->args, wire;
    struct mailbox_name name;
    struct mailbox_info info;
    struct store_read r;
    struct quotas q = {.limit = 0};
    int e = -ENOENT;

    if (!name_arg(s, &args, &wire) || !parse_end(&args)) {
        imap_syntax(s, c);
        return;
    }
    if (name_parse(s, wire, false, &name)) {
        e = imap_read_begin(s, &r);
        if (e == 0) {
            e = name_find(s, &r, &name, &info, NULL);
            if (e == 0 && info.account == s->user.account)
                e = read_quotas(s, &r, &q);
            store_read_end(&r);
        }
    }
    if (e < 0) {
        imap_fail(s, c, e);
        return;
    }
    buf_put_cstr(&out, "* QUOTAROOT ");
    name_full(&name, &full);
    name_print(imap_utf8(s), buf_span(&full), &out);
    buf_put_cstr(&out, q.limit ? " \"\"" : "");
    if (q.domain_limit) {
        buf_putc(&out, ' ');
        print_quoted(&out, quota_domain(&q));
    }
    buf_put_cstr(&out, "\r\n");
    if (q.limit)
        put_quota(SPAN_EMPTY, q.used, q.limit, &out);
    if (q.domain_limit)
        put_quota(quota_domain(&q), q.domain_used, q.domain_limit, &out);
    session_put(s, buf_span(&out));
    imap_finish(s, c, true, "Getquotaroot completed");
}
