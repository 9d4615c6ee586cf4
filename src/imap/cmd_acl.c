/*
 * cmd_acl.c: SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314). Identifiers are addresses of
 * accounts, "$" and the address of a group, and "anyone"; without a domain, the user's own is meant.
 * stored decides what is allowed.
 */
#include "imap/arg.h"
#include "imap/commands.h"
#include "imap/name.h"

#include <errno.h>

enum { RIGHTS_MAX = 64, OUT_MAX = 256 << 10 };

/* As stored writes it: small letters, with a domain. Memory from s->scratch; empty: it cannot be one. */
static struct span identifier_full(struct session *s, struct span id)
{
    struct span domain = span_cstr(s->user.address);
    size_t at = span_rfind(domain, '@');
    bool whole = span_is(id, "anyone") || span_find(id, '@') != SPAN_NONE || at == SPAN_NONE;
    char *text = arena_printf(s->scratch, "%.*s%.*s", SPAN_ARG(id),
                              SPAN_ARG(whole ? SPAN_EMPTY : span_skip(domain, at)));

    for (char *p = text; p && *p; p++)
        *p = (char)ascii_lower(*p);
    return !text || id.n == 0 || id.n + domain.n > ACL_IDENTIFIER_MAX ? SPAN_EMPTY
                                                                      : span_cstr(text);
}

/* mailbox and, where there is one, what the user may there. Without any right worth telling it is not
 * there. Inside a snapshot. */
static int find(struct session *s, struct store_read *r, const struct mailbox_name *n,
                struct mailbox_info *ret, uint32_t *ret_rights)
{
    const uint32_t some = ACL_LOOKUP | ACL_READ | ACL_INSERT | ACL_CREATE | ACL_DELETE | ACL_ADMIN;
    int e = store_mailbox_find(r, n->account, n->name, ret);

    if (e < 0)
        return e;
    *ret_rights = imap_rights(s, r, ret);
    return *ret_rights & some ? 0 : -ENOENT;
}

/* The same with the right to administer. */
static int find_own(struct session *s, struct store_read *r, const struct mailbox_name *n,
                    struct mailbox_info *ret)
{
    uint32_t rights;
    int e = find(s, r, n, ret, &rights);

    if (e == 0 && !(rights & ACL_ADMIN))
        return rights & ACL_LOOKUP ? -EACCES : -ENOENT;
    return e;
}

static void put_name(struct session *s, const struct mailbox_name *n, struct buf *out)
{
    struct buf full BUF_AUTO = BUF(IMAP_NAME_MAX);

    name_full(n, &full);
    name_print(imap_utf8(s), buf_span(&full), out);
}

static void put_rights(uint32_t rights, struct buf *out)
{
    if (rights)
        acl_print(rights, out);
    else
        buf_put_cstr(out, "\"\"");
}

/* ------------------------------------------------------------------ GETACL, MYRIGHTS */
struct listing {
    struct buf *out;
    bool anyone;
};

static bool put_entry(const struct acl_entry *a, void *arg)
{
    struct listing *l = arg;

    buf_putc(l->out, ' ');
    print_astring(l->out, a->identifier);
    buf_putc(l->out, ' ');
    put_rights(a->rights, l->out);
    l->anyone |= a->grantee == ACL_ANYONE;
    return !l->out->overflow;
}

/* The owner, who stands in no row, and what all may in a public folder that says nothing else. */
static void put_acl(struct store_read *r, const struct mailbox_info *m, struct buf *out)
{
    struct listing l = {.out = out};
    struct acl_entry a = {.grantee = m->account, .rights = ACL_ALL};

    if (m->account != STORE_ACCOUNT_PUBLIC && store_address_get(r, m->account, &a.identifier) == 0)
        put_entry(&a, &l);
    store_acl_each(r, m->id, put_entry, &l);
    a = (struct acl_entry){SPAN("anyone"), ACL_ANYONE, acl_public(m->attributes)};
    if (m->account == STORE_ACCOUNT_PUBLIC && !l.anyone)
        put_entry(&a, &l);
}

static void show(struct session *s, const struct command_line *c, bool mine)
{
    struct buf out BUF_AUTO = BUF(OUT_MAX);
    struct span args = c->args, wire;
    struct mailbox_name name;
    struct mailbox_info info;
    struct store_read r;
    uint32_t rights = 0;
    int e = -ENOENT;

    if (!name_arg(s, &args, &wire) || !parse_end(&args)) {
        imap_syntax(s, c);
        return;
    }
    if (name_parse(s, wire, false, &name) && (e = imap_read_begin(s, &r)) == 0) {
        e = mine ? find(s, &r, &name, &info, &rights) : find_own(s, &r, &name, &info);
        buf_put_cstr(&out, mine ? "* MYRIGHTS " : "* ACL ");
        put_name(s, &name, &out);
        if (e == 0 && mine) {
            buf_putc(&out, ' ');
            put_rights(rights, &out);
        } else if (e == 0) {
            put_acl(&r, &info, &out);
        }
        store_read_end(&r);
    }
    if (e < 0) {
        imap_fail(s, c, e);
        return;
    }
    buf_put_cstr(&out, "\r\n");
    session_put(s, buf_span(&out));
    imap_finish(s, c, true, mine ? "Myrights completed" : "Getacl completed");
}

void cmd_getacl(struct session *s, struct command_line *c)
{
    show(s, c, false);
}

void cmd_myrights(struct session *s, struct command_line *c)
{
    show(s, c, true);
}

/* ------------------------------------------------------------------ LISTRIGHTS */
/* Those he always has, then the others, each by itself. */
static void put_listrights(struct store_read *r, const struct mailbox_info *m, struct span id,
                           struct buf *out)
{
    struct span owner;
    bool is_owner = m->account != STORE_ACCOUNT_PUBLIC &&
                    store_address_get(r, m->account, &owner) == 0 && span_eq(owner, id);
    bool fixed = m->account == STORE_ACCOUNT_PUBLIC && m->attributes & MAILBOX_NEWSGROUP &&
                 span_eq(id, SPAN("anyone"));
    uint32_t required = is_owner ? ACL_ALL : fixed ? ACL_LOOKUP | ACL_READ : 0;

    buf_putc(out, ' ');
    put_rights(required, out);
    for (const char *p = ACL_LETTERS "cd"; *p && !is_owner; p++)
        if (!fixed || (*p != 'l' && *p != 'r'))
            buf_printf(out, " %c", *p);
}

void cmd_listrights(struct session *s, struct command_line *c)
{
    struct buf out BUF_AUTO = BUF(OUT_MAX);
    struct span args = c->args, wire, id;
    struct mailbox_name name;
    struct mailbox_info info;
    struct store_read r;
    int e = -ENOENT;

    if (!name_arg(s, &args, &wire) || !arg_sp(&args) ||
        !arg_astring(&args, s->scratch, ACL_IDENTIFIER_MAX, &id) || !parse_end(&args)) {
        imap_syntax(s, c);
        return;
    }
    if (name_parse(s, wire, false, &name) && (e = imap_read_begin(s, &r)) == 0) {
        e = find_own(s, &r, &name, &info);
        if (e == 0) {
            buf_put_cstr(&out, "* LISTRIGHTS ");
            put_name(s, &name, &out);
            buf_putc(&out, ' ');
            print_astring(&out, id);
            put_listrights(&r, &info, identifier_full(s, id), &out);
            buf_put_cstr(&out, "\r\n");
        }
        store_read_end(&r);
    }
    if (e < 0) {
        imap_fail(s, c, e);
        return;
    }
    session_put(s, buf_span(&out));
    imap_finish(s, c, true, "Listrights completed");
}

/* ------------------------------------------------------------------ SETACL, DELETEACL */
static void answer(struct session *s, const struct command_line *c, int e, const char *done)
{
    switch (e) {
    case 0:
        imap_finish(s, c, true, done);
        break;
    case -ESRCH:
        imap_no(s, c, "[CANNOT] There is no account of that name");
        break;
    case -EPERM:
        imap_no(s, c, "[CANNOT] These rights cannot be taken");
        break;
    case -EINVAL:
        imap_no(s, c, "[CANNOT] No such identifier can be; there are no negative rights");
        break;
    case -E2BIG:
        imap_no(s, c, "[LIMIT] Too many identifiers have rights in this mailbox");
        break;
    default:
        imap_fail(s, c, e);
    }
}

static void change(struct session *s, const struct command_line *c, struct span wire,
                   struct span id, enum store_acl_op op, uint32_t rights, const char *done)
{
    struct span full = identifier_full(s, id);
    struct mailbox_name name;
    struct mailbox_info info;
    struct store_read r;
    int e = -ENOENT;

    if (name_parse(s, wire, false, &name) && (e = imap_read_begin(s, &r)) == 0) {
        e = find_own(s, &r, &name, &info);
        store_read_end(&r);
    }
    if (e == 0)
        e = full.n ? store_acl_set(imap_store(s), imap_grant(s), info.id, full, op, rights)
                   : -EINVAL;
    answer(s, c, e, done);
}

/* setacl = "SETACL" SP mailbox SP identifier SP mod-rights ; ["+" / "-"] rights */
void cmd_setacl(struct session *s, struct command_line *c)
{
    struct span args = c->args, wire, id, letters;
    enum store_acl_op op = ACL_SET;
    uint32_t rights = 0;

    if (!name_arg(s, &args, &wire) || !arg_sp(&args) ||
        !arg_astring(&args, s->scratch, ACL_IDENTIFIER_MAX, &id) || !arg_sp(&args) ||
        !arg_astring(&args, s->scratch, RIGHTS_MAX, &letters) || !parse_end(&args)) {
        imap_syntax(s, c);
        return;
    }
    if (letters.n && (letters.p[0] == '+' || letters.p[0] == '-')) {
        op = letters.p[0] == '+' ? ACL_GIVE : ACL_TAKE;
        letters = span_skip(letters, 1);
    }
    if (!acl_parse(letters, &rights))
        imap_bad(s, c, "Rights are letters of " ACL_LETTERS "cd");
    else
        change(s, c, wire, id, op, rights, "Setacl completed");
}

void cmd_deleteacl(struct session *s, struct command_line *c)
{
    struct span args = c->args, wire, id;

    if (!name_arg(s, &args, &wire) || !arg_sp(&args) ||
        !arg_astring(&args, s->scratch, ACL_IDENTIFIER_MAX, &id) || !parse_end(&args))
        imap_syntax(s, c);
    else
        change(s, c, wire, id, ACL_REMOVE, 0, "Deleteacl completed");
}
