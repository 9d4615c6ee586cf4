/* cmd_copy.c: COPY, MOVE and their UID forms, with COPYUID (RFC 4315, RFC 6851). */
#include "imap/arg.h"
#include "imap/commands.h"
#include "imap/name.h"

#include <errno.h>

/* A COPYUID text names two sets; with more ranges than fit, the client has to look for itself. */
enum { COPYUID_MAX = 256 << 10 };

/* "[COPYUID validity from to] " or nothing, when nothing was copied. */
static void print_copyuid(const struct store_copied *d, struct buf *out)
{
    if (d->from.n == 0)
        return;
    buf_printf(out, "[COPYUID %u ", d->uidvalidity);
    rangeset_print(&d->from, out);
    buf_putc(out, ' ');
    rangeset_print(&d->to, out);
    buf_put_cstr(out, "] ");
    if (out->overflow)
        buf_clear(out);
}

static void answer(struct session *s, const struct command_line *c, bool move, bool all,
                   const struct store_copied *d)
{
    struct buf code BUF_AUTO = BUF(COPYUID_MAX);

    print_copyuid(d, &code);
    if (move) {
        if (code.n) {
            session_puts(s, "* OK ");
            session_put(s, buf_span(&code));
            session_puts(s, "Moved\r\n");
        }
        buf_clear(&code);
    }
    imap_update(s, true);
    if (move && d->from.n && imap_of(s)->qresync && imap_highest(imap_of(s))) /* RFC 7162 3.2 */
        buf_printf(&code, "[HIGHESTMODSEQ %llu] ", (unsigned long long)imap_highest(imap_of(s)));
    session_put(s, c->tag);
    session_puts(s, all ? " OK " : " NO [EXPUNGEISSUED] ");
    if (all)
        session_put(s, buf_span(&code));
    session_puts(s, all ? (move ? "Move completed\r\n" : "Copy completed\r\n")
                        : "Some of the messages are gone\r\n");
}

void cmd_copy(struct session *s, struct command_line *c)
{
    struct imap *m = imap_of(s);
    struct span args = c->args, set, wire;
    struct rangeset uids = RANGESET_EMPTY;
    struct store_copied done = {0};
    bool uid = imap_is_uid(c), move = span_ends_nocase(c->verb, SPAN("MOVE"));
    struct mailbox_name name;
    struct mailbox_info target;
    int e;

    if (!arg_set(&args, &set) || !arg_sp(&args) || !name_arg(s, &args, &wire) ||
        !parse_end(&args) || !imap_messages(m, set, uid, &uids)) {
        rangeset_done(&uids);
        imap_syntax(s, c);
        return;
    }
    e = name_parse(s, wire, false, &name) ? name_target(s, &name, &target) : -ENOENT;
    if (e == -ENOENT)
        imap_no(s, c, "[TRYCREATE] No such mailbox");
    else if (e < 0)
        imap_fail(s, c, e);
    else if (move && m->read_only)
        imap_no(s, c, "[NOPERM] The mailbox is open for reading only");
    else {
        e = uids.n ? store_copy(imap_store(s), imap_grant(s), m->mailbox, &uids, target.id, move,
                                &done)
                   : 0;
        if (e < 0 && !(e == -ENOENT && uids.n))
            imap_fail(s, c, e);
        else
            /* what was gone already could not be copied; by UID that is no error (RFC 9051 6.4.9)
             */
            answer(s, c, move, uid || rangeset_count(&done.from) == rangeset_count(&uids), &done);
    }
    rangeset_done(&uids);
    rangeset_done(&done.from);
    rangeset_done(&done.to);
}
