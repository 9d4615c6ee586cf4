/* cmd_mailbox.c: CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE. */
#include "imap/arg.h"
#include "imap/commands.h"
#include "imap/name.h"
#include "imap/preview.h"
#include "imap/special_use.h"

#include "base/check.h"
#include "base/utf8.h"

#include <errno.h>

/* One mailbox argument and nothing more; false: answered. */
static bool one_name(struct session *s, const struct command_line *c, struct mailbox_name *ret)
{
    struct span args = c->args, wire;

    if (!name_arg(s, &args, &wire) || !parse_end(&args)) {
        imap_syntax(s, c);
        return false;
    }
    if (!name_parse(s, wire, false, ret)) {
        imap_fail(s, c, -ENOENT);
        return false;
    }
    return true;
}

/* " (" USE " (" use-attr *(SP use-attr) "))" ; RFC 6154 section 6 */
enum use_result { USE_OK, USE_SYNTAX, USE_UNKNOWN };
static enum use_result parse_use(struct span *c, uint32_t *ret)
{
    struct span word;
    bool known = true;

    if (parse_end(c))
        return USE_OK;
    if (!parse_lit_nocase(c, " (USE ("))
        return USE_SYNTAX;
    if (!parse_char(c, ')')) {
        do {
            uint32_t bit;
            if (!parse_char(c, '\\') || !arg_atom(c, 40, &word))
                return USE_SYNTAX;
            if (special_use_bit(word, &bit))
                *ret |= bit;
            else
                known = false;
        } while (arg_sp(c));
        if (!parse_char(c, ')'))
            return USE_SYNTAX;
    }
    if (!parse_char(c, ')') || !parse_end(c))
        return USE_SYNTAX;
    return known ? USE_OK : USE_UNKNOWN;
}

/* An account has at most one mailbox of a use: the client would not know which to take. */
struct use_search {
    uint32_t wanted;
    bool found;
};
static bool on_mailbox(const struct mailbox_info *m, void *arg)
{
    struct use_search *u = arg;

    u->found = (m->attributes & u->wanted) != 0;
    return !u->found;
}

static bool use_taken(struct session *s, uint64_t account, uint32_t use)
{
    struct use_search u = {.wanted = use};
    struct store_read r;

    if (use == 0 || imap_read_begin(s, &r) < 0)
        return false;
    store_mailbox_each(&r, account, on_mailbox, &u);
    store_read_end(&r);
    return u.found;
}

/* Says so if it is called otherwise than the client wrote. */
static void put_created(struct session *s, struct span wire, const struct mailbox_name *name)
{
    struct buf out BUF_AUTO = BUF(16 << 10);

    if (name_print_list(s, wire, name, &out))
        session_put(s, buf_span(&out));
}

static void put_done(struct session *s, const struct command_line *c, uint64_t id)
{
    struct buf text BUF_AUTO = BUF(200);

    buf_put_cstr(&text, "[MAILBOXID (");
    objectid_mailbox(id, &text);
    buf_put(&text, ")] Mailbox created", sizeof(")] Mailbox created"));
    imap_finish(s, c, true, text.p);
}

void cmd_create(struct session *s, struct command_line *c)
{
    /* \All and \Flagged are views of other mailboxes, not mailboxes that could be made */
    const uint32_t creatable = MAILBOX_ARCHIVE | MAILBOX_DRAFTS | MAILBOX_JUNK | MAILBOX_SENT |
                               MAILBOX_TRASH | MAILBOX_IMPORTANT;
    struct span args = c->args, wire;
    struct mailbox_name name;
    uint32_t use = 0;
    uint64_t id;
    int e;

    if (!name_arg(s, &args, &wire)) {
        imap_syntax(s, c);
        return;
    }
    enum use_result u = parse_use(&args, &use);
    if (u == USE_SYNTAX) {
        imap_syntax(s, c);
        return;
    }
    if (!name_parse(s, wire, true, &name)) {
        imap_fail(s, c, -EINVAL);
        return;
    }
    if (u == USE_UNKNOWN || use & ~creatable || (use && name.account == STORE_ACCOUNT_PUBLIC)) {
        imap_no(s, c, "[USEATTR] No mailbox can be made for that use");
        return;
    }
    if (use_taken(s, name.account, use)) {
        imap_no(s, c, "[USEATTR] There is a mailbox of that use already");
        return;
    }
    e = store_mailbox_create(imap_store(s), imap_grant(s), name.account, name.name, use, &id);
    if (e < 0) {
        imap_fail(s, c, e);
        return;
    }
    if (imap_of(s)->rev2)
        put_created(s, wire, &name);
    put_done(s, c, id);
}

static int find_id(struct session *s, const struct mailbox_name *name, uint64_t *ret_id)
{
    struct store_read r;
    struct mailbox_info info;
    int e = imap_read_begin(s, &r);

    if (e < 0)
        return e;
    e = name_find(s, &r, name, &info, NULL);
    if (e == 0)
        *ret_id = info.id;
    store_read_end(&r);
    return e;
}

void cmd_delete(struct session *s, struct command_line *c)
{
    struct mailbox_name name;
    uint64_t id;
    int e;

    if (!one_name(s, c, &name))
        return;
    if (name.account == s->user.account && span_eq(name.name, SPAN(STORE_INBOX))) {
        imap_no(s, c, "[CANNOT] INBOX cannot be deleted");
        return;
    }
    e = find_id(s, &name, &id);
    if (e == 0)
        e = store_mailbox_delete(imap_store(s), imap_grant(s), id);
    if (e < 0)
        imap_fail(s, c, e);
    else
        imap_finish(s, c, true, "Mailbox deleted");
}

void cmd_rename(struct session *s, struct command_line *c)
{
    struct span args = c->args, from_wire, to_wire;
    struct mailbox_name from, to;
    int e;

    if (!name_arg(s, &args, &from_wire) || !arg_sp(&args) || !name_arg(s, &args, &to_wire) ||
        !parse_end(&args)) {
        imap_syntax(s, c);
        return;
    }
    if (!name_parse(s, from_wire, false, &from)) {
        imap_fail(s, c, -ENOENT);
        return;
    }
    if (!name_parse(s, to_wire, false, &to) || from.account != to.account) {
        imap_fail(s, c, -EINVAL);
        return;
    }
    e = store_mailbox_rename(imap_store(s), imap_grant(s), from.account, from.name, to.name);
    if (e < 0)
        imap_fail(s, c, e);
    else
        imap_finish(s, c, true, "Mailbox renamed");
}

void cmd_subscribe(struct session *s, struct command_line *c)
{
    struct mailbox_name name;
    bool on = span_is(c->verb, "SUBSCRIBE");
    int e;

    if (!one_name(s, c, &name))
        return;
    /* any name that could be one, there now or not; but taking off what was never on is harmless
     * too (RFC 9051 6.3.7, 6.3.8) */
    e = store_subscribe(imap_store(s), imap_grant(s), name.account, name.name, on);
    if (e < 0 && !(e == -ENOENT && !on))
        imap_fail(s, c, e);
    else
        imap_finish(s, c, true, on ? "Subscribed" : "Unsubscribed");
}
