/* cmd_select.c: SELECT, EXAMINE, CLOSE, UNSELECT. */
#include "imap/arg.h"
#include "imap/changes.h"
#include "imap/commands.h"
#include "imap/modseq.h"
#include "imap/name.h"
#include "imap/preview.h"

#include <errno.h>

/* The untagged answers of SELECT (RFC 3501 6.3.1, RFC 9051 6.3.2). */
static void put_mailbox(struct session *s, struct store_read *r, const struct mailbox_info *info,
                        struct buf *out)
{
    struct imap *m = imap_of(s);
    uint32_t count, first, unseen;

    store_unseen(r, info, &count, &first);
    unseen = first ? view_number(m->view, first) : 0;

    imap_put_flags(s, r, true, out);
    buf_printf(out, "* %u EXISTS\r\n", m->view->count);
    if (!m->rev2) {
        buf_put_cstr(out, "* 0 RECENT\r\n");
        if (unseen)
            buf_printf(out, "* OK [UNSEEN %u] First unseen\r\n", unseen);
    }
    buf_printf(out, "* OK [UIDVALIDITY %u] UIDs are valid\r\n", info->uidvalidity);
    buf_printf(out, "* OK [UIDNEXT %u] Predicted next UID\r\n", info->uidnext);
    buf_put_cstr(out, "* OK [MAILBOXID (");
    objectid_mailbox(info->id, out);
    buf_put_cstr(out, ")] What it is called for ever\r\n");
    if (m->condstore)
        buf_printf(out, "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
                   (unsigned long long)info->highestmodseq);
}

enum { CHANGING = ACL_SEEN | ACL_WRITE | ACL_TRASH | ACL_EXPUNGE };

struct resync {
    const struct select_params *params;
    struct rangeset changed, gone;
};

/* Opens the mailbox under one snapshot; what is to be said goes to out. */
static int open_mailbox(struct session *s, const struct mailbox_name *name, bool examine,
                        struct resync *x, struct buf *out)
{
    struct imap *m = imap_of(s);
    struct store_read r;
    struct mailbox_info info;
    uint32_t rights;
    int e = imap_read_begin(s, &r);

    if (e < 0)
        return e;
    e = name_find(s, &r, name, &info, &rights);
    if (e == 0 && info.attributes & MAILBOX_NOSELECT)
        e = -ENOENT;
    if (e == 0 && !(rights & ACL_READ))
        e = -EACCES;
    if (e == 0) {
        m->mailbox = info.id;
        m->uidvalidity = info.uidvalidity;
        m->owner = info.account;
        m->rights = rights;
        m->read_only = examine || !(rights & CHANGING);
        m->view = changes_current_view(&r, &info);
        m->told = info.highestmodseq;
        put_mailbox(s, &r, &info, out);
        if (x->params->qresync && x->params->uidvalidity == info.uidvalidity)
            select_params_find(&r, &info, m->view, x->params, &x->changed, &x->gone);
    }
    store_read_end(&r);
    return e;
}

static void select_mailbox(struct session *s, const struct command_line *c, struct span wire,
                           const struct select_params *params)
{
    struct imap *m = imap_of(s);
    struct resync x = {params, RANGESET_EMPTY, RANGESET_EMPTY};
    struct mailbox_name name;
    struct buf out BUF_AUTO = BUF(64 << 10);
    int e;

    /* the mailbox that was open is left even if the new one cannot be opened (RFC 9051 6.3.2) */
    if (m->view) {
        imap_unselect(s);
        buf_put_cstr(&out, "* OK [CLOSED] Previous mailbox closed\r\n");
    }
    m->condstore |= params->condstore;
    e = name_parse(s, wire, false, &name)
            ? open_mailbox(s, &name, span_is(c->verb, "EXAMINE"), &x, &out)
            : -ENOENT;
    if (e == 0 && m->rev2)
        name_print_list(s, wire, &name, &out);
    session_put(s, buf_span(&out));
    if (e < 0) {
        imap_fail(s, c, e);
        return;
    }
    modseq_put_resync(s, &x.changed, &x.gone);
    rangeset_done(&x.changed);
    rangeset_done(&x.gone);
    s->state = IMAP_SELECTED;
    imap_ok(s, c, m->read_only ? "[READ-ONLY] Opened for reading" : "[READ-WRITE] Opened");
}

void cmd_select(struct session *s, struct command_line *c)
{
    struct span args = c->args, wire;
    struct select_params params = {0};

    if (!name_arg(s, &args, &wire) || !select_params_parse(&args, &params) || !parse_end(&args))
        imap_syntax(s, c);
    else if (params.qresync && !imap_of(s)->qresync)
        imap_bad(s, c, "ENABLE QRESYNC first");
    else
        select_mailbox(s, c, wire, &params);
    select_params_done(&params);
}

void cmd_close(struct session *s, struct command_line *c)
{
    struct imap *m = imap_of(s);

    /* without the right to expunge nothing is, and that is no error (RFC 4314 4) */
    if (span_is(c->verb, "CLOSE") && !m->read_only && m->rights & ACL_EXPUNGE && m->view->count) {
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
