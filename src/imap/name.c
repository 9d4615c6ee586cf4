#include "imap/name.h"

#include "store/index.h"

#include <errno.h>

/* No empty level, no control character, no wildcards' doubles: what every client can show and name
 * again. */
static bool is_name(struct span s)
{
    if (s.n == 0 || s.n > IMAP_NAME_MAX || s.p[0] == '/' || s.p[s.n - 1] == '/')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < ' ' || c == 0x7f || (c == '/' && s.p[i + 1] == '/'))
            return false;
    }
    return true;
}

/* rest: "/address/mailbox". Takes a snapshot of its own. */
static bool split_other(struct session *s, struct span rest, struct mailbox_name *ret)
{
    char room[STORE_NAME_MAX], small[STORE_NAME_MAX];
    struct span address, name = rest.n ? span_skip(rest, 1) : rest;
    struct store_read r;
    uint64_t account;

    if (!span_split(&name, '/', &address) || name.n == 0 || name.n > STORE_NAME_MAX ||
        address.n > sizeof(small))
        return false;
    for (size_t i = 0; i < address.n; i++)
        small[i] = (char)ascii_lower(address.p[i]);
    if (imap_read_begin(s, &r) < 0)
        return false;
    int e = store_address_find(&r, span_of(small, address.n), &account);
    store_read_end(&r);
    if (e < 0)
        return false;
    ret->account = account;
    ret->name = arena_span(s->scratch, store_name_canonical(account, name, room));
    ret->owner =
        account == s->user.account ? SPAN_EMPTY : arena_span(s->scratch, span_of(small, address.n));
    return ret->name.p != NULL;
}

bool name_split(struct session *s, struct span utf8, struct mailbox_name *ret)
{
    struct span first = utf8, rest = SPAN_EMPTY;
    size_t slash = span_find(utf8, '/');

    if (!is_name(utf8))
        return false;
    if (slash != SPAN_NONE) {
        first = span_head(utf8, slash);
        rest = span_skip(utf8, slash);
    }
    *ret = (struct mailbox_name){.account = s->user.account, .name = utf8};
    if (span_eq(first, SPAN(IMAP_OTHERS)))
        return split_other(s, rest, ret);
    if (span_eq(first, SPAN(IMAP_PUBLIC))) {
        if (rest.n < 2)
            return false;
        ret->account = STORE_ACCOUNT_PUBLIC;
        ret->name = span_skip(rest, 1);
    } else if (span_is(first, STORE_INBOX)) {
        char *text = arena_printf(s->scratch, STORE_INBOX "%.*s", SPAN_ARG(rest));
        if (!text)
            return false;
        ret->name = span_cstr(text);
    }
    return ret->name.n <= STORE_NAME_MAX;
}

bool name_parse(struct session *s, struct span wire, bool slash, struct mailbox_name *ret)
{
    struct buf text BUF_AUTO = BUF(IMAP_NAME_MAX + 1);

    if (!name_decode(imap_utf8(s), wire, &text))
        return false;

    struct span utf8 = arena_span(s->scratch, buf_span(&text));
    if (slash && utf8.n > 1 && utf8.p[utf8.n - 1] == '/')
        utf8.n--;
    return utf8.p && name_split(s, utf8, ret);
}

bool name_print_list(struct session *s, struct span wire, const struct mailbox_name *n,
                     struct buf *out)
{
    struct buf full BUF_AUTO = BUF(IMAP_NAME_MAX);

    name_full(n, &full);
    buf_put_cstr(out, "* LIST () \"/\" ");
    name_print(true, buf_span(&full), out);
    bool otherwise = !span_eq(wire, buf_span(&full));
    if (otherwise) {
        buf_put_cstr(out, " (\"OLDNAME\" (");
        print_astring(out, wire);
        buf_put_cstr(out, "))");
    }
    buf_put_cstr(out, "\r\n");
    return otherwise;
}

bool name_arg(struct session *s, struct span *c, struct span *ret_wire)
{
    return arg_astring(c, s->scratch, 4 * IMAP_NAME_MAX, ret_wire);
}

int name_find(struct session *s, struct store_read *r, const struct mailbox_name *n,
              struct mailbox_info *ret, uint32_t *ret_rights)
{
    int e = store_mailbox_find(r, n->account, n->name, ret);
    uint32_t rights = e ? 0 : imap_rights(s, r, ret);

    if (e == 0 && !(rights & ACL_LOOKUP))
        return -ENOENT;
    if (ret_rights)
        *ret_rights = rights;
    return e;
}

int name_target(struct session *s, const struct mailbox_name *n, struct mailbox_info *ret)
{
    struct store_read r;
    uint32_t rights;
    int e = store_read_begin_names(imap_store(s), &r);

    if (e < 0)
        return e;
    e = name_find(s, &r, n, ret, &rights);
    if (e == 0 && ret->attributes & MAILBOX_NOSELECT)
        e = -ENOENT;
    if (e == 0 && !(rights & ACL_INSERT))
        e = -EACCES;
    store_read_end(&r);
    return e;
}
