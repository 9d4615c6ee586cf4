#include "imap/name.h"

#include "base/utf8.h"

#include <errno.h>

bool name_decode(bool rev2, struct span wire, struct buf *out)
{
    if (!rev2)
        return utf7_imap_decode(out, wire);
    return utf8_valid(wire) && !span_has(wire, '\0') && buf_put_span(out, wire);
}

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

void name_full(uint64_t account, struct span name, struct buf *out)
{
    if (account == STORE_ACCOUNT_PUBLIC)
        buf_put_cstr(out, name.n ? IMAP_PUBLIC "/" : IMAP_PUBLIC);
    buf_put_span(out, name);
}

void name_print(bool rev2, struct span full_utf8, struct buf *out)
{
    struct buf wire BUF_AUTO = BUF(4 * (IMAP_NAME_MAX + 1));

    if (rev2) {
        print_astring(out, full_utf8);
    } else {
        utf7_imap_encode(&wire, full_utf8);
        print_astring(out, buf_span(&wire));
    }
}

bool name_arg(struct session *s, struct span *c, struct span *ret_wire)
{
    return arg_astring(c, s->scratch, 4 * IMAP_NAME_MAX, ret_wire);
}

int name_find(struct store_read *r, const struct mailbox_name *n, struct mailbox_info *ret)
{
    return store_mailbox_find(r, n->account, n->name, ret);
}
