/* name_text.c: names as text, without a session. */
#include "imap/name.h"

#include "base/utf8.h"

bool name_decode(bool rev2, struct span wire, struct buf *out)
{
    if (!rev2)
        return utf7_imap_decode(out, wire);
    return utf8_valid(wire) && !span_has(wire, '\0') && buf_put_span(out, wire);
}

void name_full(const struct mailbox_name *n, struct buf *out)
{
    if (n->account == STORE_ACCOUNT_PUBLIC)
        buf_put_cstr(out, n->name.n ? IMAP_PUBLIC "/" : IMAP_PUBLIC);
    if (n->owner.n) {
        buf_put_cstr(out, IMAP_OTHERS "/");
        buf_put_span(out, n->owner);
        buf_putc(out, '/');
    }
    buf_put_span(out, n->name);
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
