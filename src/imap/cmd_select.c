/* cmd_select.c: SELECT, EXAMINE, CLOSE, UNSELECT. */
#include "imap/arg.h"
#include "imap/changes.h"
#include "imap/commands.h"
#include "imap/name.h"

#include <errno.h>

/* May this session change flags and remove messages there? */
static bool may_change(const struct session *s, const struct mailbox_info *info)
{
    return info->account == STORE_ACCOUNT_PUBLIC ? (s->user.rights & GRANT_ADMIN) != 0
                                                 : (s->user.rights & GRANT_MAIL) != 0;
}

/* The untagged answers of SELECT (RFC 3501 6.3.1, RFC 9051 6.3.2). */
static void put_mailbox(struct session *s, struct store_read *r, const struct mailbox_info *info,
                        struct buf *out)
{
    struct imap *m = imap_of(s);
    uint32_t unseen = info->first_unseen ? view_number(m->view, info->first_unseen) : 0;

    imap_put_flags(s, r, true, out);
    buf_printf(out, "* %u EXISTS\r\n", m->view->count);
    if (!m->rev2) {
        buf_put_cstr(out, "* 0 RECENT\r\n");
        if (unseen)
            buf_printf(out, "* OK [UNSEEN %u] First unseen\r\n", unseen);
    }
    buf_printf(out, "* OK [UIDVALIDITY %u] UIDs are valid\r\n", info->uidvalidity);
    buf_printf(out, "* OK [UIDNEXT %u] Predicted next UID\r\n", info->uidnext);
}

/* Opens the mailbox under one snapshot; what is to be said goes to out. */
static int open_mailbox(struct session *s, const struct mailbox_name *name, bool examine,
                        struct buf *out)
{
    struct imap *m = imap_of(s);
    struct store_read r;
    struct mailbox_info info;
    int e = store_read_begin(imap_store(s), &r);

    if (e < 0)
        return e;
    e = name_find(&r, name, &info);
    if (e == 0 && info.attributes & MAILBOX_NOSELECT)
        e = -ENOENT;
    if (e == 0) {
        m->mailbox = info.id;
        m->uidvalidity = info.uidvalidity;
        m->read_only = examine || !may_change(s, &info);
        m->view = changes_current_view(&r, &info);
        put_mailbox(s, &r, &info, out);
    }
    store_read_end(&r);
    return e;
}

void cmd_select(struct session *s, struct command_line *c)
{
    struct imap *m = imap_of(s);
    struct span args = c->args, wire;
    struct mailbox_name name;
    struct buf out BUF_AUTO = BUF(64 << 10);
    int e;

    if (!name_arg(s, &args, &wire) || !parse_end(&args)) {
        imap_syntax(s, c);
        return;
    }
    /* the mailbox that was open is left even if the new one cannot be opened (RFC 9051 6.3.2) */
    if (m->view) {
        imap_unselect(s);
        buf_put_cstr(&out, "* OK [CLOSED] Previous mailbox closed\r\n");
    }
    e = name_parse(s, wire, false, &name)
            ? open_mailbox(s, &name, span_is(c->verb, "EXAMINE"), &out)
            : -ENOENT;
    if (e == 0 && m->rev2)
        name_print_list(s, wire, &name, &out);
    session_put(s, buf_span(&out));
    if (e < 0) {
        imap_fail(s, c, e);
        return;
    }
    s->state = IMAP_SELECTED;
    imap_ok(s, c, m->read_only ? "[READ-ONLY] Opened for reading" : "[READ-WRITE] Opened");
}

void cmd_close(struct session *s, struct command_line *c)
{
    struct imap *m = imap_of(s);

    if (span_is(c->verb, "CLOSE") && !m->read_only && m->view->count) {
        struct rangeset gone = RANGESET_EMPTY;
        int e =
            store_expunge(imap_store(s), imap_grant(s), m->mailbox, &m->view->uids, true, &gone);
        rangeset_done(&gone);
        if (e < 0 && e != -ENOENT) {
            imap_fail(s, c, e);
            return;
        }
    }
    imap_unselect(s);
    imap_ok(s, c, "Mailbox closed");
}
