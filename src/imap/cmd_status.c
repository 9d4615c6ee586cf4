/* cmd_status.c: STATUS. */
#include "imap/arg.h"
#include "imap/commands.h"
#include "imap/modseq.h"
#include "imap/name.h"
#include "imap/status.h"

#include <errno.h>

void cmd_status(struct session *s, struct command_line *c)
{
    struct buf out BUF_AUTO = BUF(16 << 10), full BUF_AUTO = BUF(IMAP_NAME_MAX),
                   wire BUF_AUTO = BUF(8 << 10);
    struct span args = c->args, name_wire;
    struct mailbox_name name;
    struct mailbox_info info;
    struct store_read r;
    unsigned items;
    uint32_t rights;
    int e = -ENOENT;

    if (!name_arg(s, &args, &name_wire) || !arg_sp(&args) || !status_items_parse(&args, &items) ||
        !parse_end(&args)) {
        imap_syntax(s, c);
        return;
    }
    if (status_has_modseq(items))
        modseq_enable(s);
    if (name_parse(s, name_wire, false, &name)) {
        e = imap_read_begin(s, &r);
        if (e == 0) {
            e = name_find(s, &r, &name, &info, &rights);
            if (e == 0 && info.attributes & MAILBOX_NOSELECT)
                e = -ENOENT;
            if (e == 0 && !(rights & ACL_READ))
                e = -EACCES;
            store_read_end(&r);
        }
    }
    if (e < 0) {
        imap_fail(s, c, e);
        return;
    }
    name_full(&name, &full);
    name_print(imap_utf8(s), buf_span(&full), &wire);
    status_print(buf_span(&wire), items, &info, s, &out);
    session_put(s, buf_span(&out));
    imap_finish(s, c, true, "Status completed");
}
