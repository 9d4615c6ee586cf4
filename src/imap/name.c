#include "imap/name.h"

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
    if (span_eq(first, SPAN(IMAP_PUBLIC))) {
        if (rest.n < 2)
            return false;
        *ret = (struct mailbox_name){STORE_ACCOUNT_PUBLIC, span_skip(rest, 1)};
    } else if (span_is(first, STORE_INBOX)) {
        char *text = arena_printf(s->scratch, STORE_INBOX "%.*s", SPAN_ARG(rest));
        if (!text)
            return false;
        *ret = (struct mailbox_name){s->user.account, span_cstr(text)};
    } else {
        *ret = (struct mailbox_name){s->user.account, utf8};
    }
    return ret->name.n <= STORE_NAME_MAX;
}

bool name_parse(struct session *s, struct span wire, bool slash, struct mailbox_name *ret)
{
    struct buf text BUF_AUTO = BUF(IMAP_NAME_MAX + 1);

    if (!name_decode(imap_of(s)->rev2, wire, &text))
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

    name_full(n->account, n->name, &full);
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

int name_find(struct store_read *r, const struct mailbox_name *n, struct mailbox_info *ret)
{
    return store_mailbox_find(r, n->account, n->name, ret);
}

static int check_target(const struct session *s, const struct mailbox_info *info)
{
    if (info->attributes & MAILBOX_NOSELECT)
        return -ENOENT;
    /* what the rights of a poster allow is the store's business; whether there is posting at all,
     * the group's */
    bool closed = info->account == STORE_ACCOUNT_PUBLIC &&
                  info->attributes & (MAILBOX_NO_POST | MAILBOX_MODERATED);
    return closed && !(s->user.rights & GRANT_ADMIN) ? -EACCES : 0;
}

int name_target(struct session *s, const struct mailbox_name *n, struct mailbox_info *ret)
{
    struct store_read r;
    int e = store_read_begin(imap_store(s), &r);

    if (e < 0)
        return e;
    e = name_find(&r, n, ret);
    if (e == 0)
        e = check_target(s, ret);
    store_read_end(&r);
    return e;
}
