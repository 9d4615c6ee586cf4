/* cmd_expunge.c: EXPUNGE and UID EXPUNGE. */
#include "imap/arg.h"
#include "imap/commands.h"
#include "imap/modseq.h"

#include <errno.h>

void cmd_expunge(struct session *s, struct command_line *c)
{
    struct imap *m = imap_of(s);
    struct rangeset uids = RANGESET_EMPTY, gone = RANGESET_EMPTY;
    struct span args = c->args, set;
    int e = 0;

    if (imap_is_uid(c)) {
        if (!arg_set(&args, &set) || !parse_end(&args) || !imap_messages(m, set, true, &uids)) {
            imap_syntax(s, c);
            return;
        }
    } else {
        rangeset_copy(&uids, &m->view->uids);
    }
    if (m->read_only)
        imap_no(s, c, "[NOPERM] The mailbox is open for reading only");
    else {
        if (uids.n)
            e = store_expunge(imap_store(s), imap_grant(s), m->mailbox, &uids, true, &gone);
        if (e < 0 && e != -ENOENT)
            imap_fail(s, c, e);
        else
            modseq_finish_expunge(s, c, gone.n > 0, "Expunge completed");
    }
    rangeset_done(&uids);
    rangeset_done(&gone);
}
