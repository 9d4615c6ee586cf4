/*
 * cmd_quota.c: GETQUOTA and GETQUOTAROOT (RFC 9208). An account with a quota has one root, "", for
 * all its mailboxes; public folders have none. SETQUOTA is not offered: the administrator sets it.
 */
#include "imap/arg.h"
#include "imap/commands.h"
#include "imap/name.h"

#include <errno.h>

enum { UNIT = 1024 }; /* of STORAGE */

/* "* QUOTA "" (STORAGE used limit)" CRLF */
static void put_quota(uint64_t used, uint64_t limit, struct buf *out)
{
    buf_printf(out, "* QUOTA \"\" (STORAGE %llu %llu)\r\n",
               (unsigned long long)(used / UNIT + (used % UNIT != 0)),
               (unsigned long long)(limit / UNIT));
}

void cmd_getquota(struct session *s, struct command_line *c)
{
    struct buf out BUF_AUTO = BUF(256);
    struct span args = c->args, root;
    struct store_read r;
    uint64_t used, limit = 0;
    int e;

    if (!arg_astring(&args, s->scratch, IMAP_NAME_MAX, &root) || !parse_end(&args)) {
        imap_syntax(s, c);
        return;
    }
    e = imap_read_begin(s, &r);
    if (e == 0) {
        e = store_quota_get(&r, s->user.account, &used, &limit);
        store_read_end(&r);
    }
    if (e < 0 && e != -ENOENT) {
        imap_fail(s, c, e);
    } else if (root.n || e < 0 || limit == 0) {
        imap_no(s, c, "[NONEXISTENT] No such quota root");
    } else {
        put_quota(used, limit, &out);
        session_put(s, buf_span(&out));
        imap_finish(s, c, true, "Getquota completed");
    }
}

void cmd_getquotaroot(struct session *s, struct command_line *c)
{
    struct buf out BUF_AUTO = BUF(16 << 10), full BUF_AUTO = BUF(IMAP_NAME_MAX);
    struct span args = c->args, wire;
    struct mailbox_name name;
    struct mailbox_info info;
    struct store_read r;
    uint64_t used, limit = 0;
    int e = -ENOENT;

    if (!name_arg(s, &args, &wire) || !parse_end(&args)) {
        imap_syntax(s, c);
        return;
    }
    if (name_parse(s, wire, false, &name)) {
        e = imap_read_begin(s, &r);
        if (e == 0) {
            e = name_find(s, &r, &name, &info, NULL);
            if (e == 0 && info.account == s->user.account &&
                store_quota_get(&r, info.account, &used, &limit) < 0)
                limit = 0;
            store_read_end(&r);
        }
    }
    if (e < 0) {
        imap_fail(s, c, e);
        return;
    }
    buf_put_cstr(&out, "* QUOTAROOT ");
    name_full(&name, &full);
    name_print(imap_of(s)->rev2, buf_span(&full), &out);
    buf_put_cstr(&out, limit ? " \"\"\r\n" : "\r\n");
    if (limit)
        put_quota(used, limit, &out);
    session_put(s, buf_span(&out));
    imap_finish(s, c, true, "Getquotaroot completed");
}
