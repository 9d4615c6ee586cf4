/* envelope.c: ENVELOPE, RFC 9051 section 7.5.2. */
#include "message/address.h"
#include "message/imap_text.h"

static void put_nil(struct buf *out)
{
    buf_put(out, "NIL", 3);
}

static void put_nstring(struct buf *out, struct span s)
{
    if (s.n)
        imap_string(out, s);
    else
        put_nil(out);
}

/* "(" name SP adl SP mailbox SP host ")". NIL as host would mean a group, so a damaged address gets
 * words in its place. */
static void put_address(struct buf *out, const struct address *a)
{
    buf_putc(out, '(');
    put_nstring(out, a->display);
    buf_putc(out, ' ');
    put_nstring(out, a->route);
    buf_putc(out, ' ');
    imap_string(out, a->local.n ? a->local : SPAN("MISSING_MAILBOX"));
    buf_putc(out, ' ');
    imap_string(out, a->domain.n ? a->domain : SPAN("MISSING_DOMAIN"));
    buf_putc(out, ')');
}

static void put_event(struct buf *out, enum address_event event, const struct address *a)
{
    if (event == ADDRESS_MAILBOX) {
        put_address(out, a);
    } else if (event == ADDRESS_GROUP) {
        buf_put_cstr(out, "(NIL NIL ");
        imap_string(out, a->group);
        buf_put_cstr(out, " NIL)");
    } else {
        buf_put_cstr(out, "(NIL NIL NIL NIL)");
    }
}

/* The items of one field body; *left counts down to the limit. */
static bool put_items(struct buf *out, struct span value, uint32_t *left, struct buf *scratch)
{
    struct address_scan s;
    struct address a;
    enum address_event event;
    bool open = false;
    address_scan_init(&s, value, scratch);
    while ((event = address_scan_next(&s, &a)) != ADDRESS_END && !out->overflow) {
        /* a group that was begun is also ended */
        if (*left == 0 && event != ADDRESS_GROUP_END)
            break;
        *left -= *left > 0;
        open = event == ADDRESS_GROUP || (open && event != ADDRESS_GROUP_END);
        put_event(out, event, &a);
    }
    if (open)
        put_event(out, ADDRESS_GROUP_END, &a);
    return event == ADDRESS_END;
}

/* All fields of the name as if they were one: nobody shall show another sender than the one that
 * was checked. */
static bool put_addresses(struct buf *out, const struct fields *f, enum field_id id, uint32_t max,
                          struct buf *scratch)
{
    size_t start = out->n;
    uint32_t left = max;
    bool all = true;
    if (f->count[id] == 0) {
        put_nil(out);
        return true;
    }
    buf_putc(out, '(');
    if (f->count[id] == 1) {
        all = put_items(out, f->value[id], &left, scratch);
    } else {
        struct span rest = f->block, value;
        while (all && fields_next(&rest, id, &value))
            all = put_items(out, value, &left, scratch);
    }
    if (out->n == start + 1) {
        buf_truncate(out, start);
        put_nil(out);
    } else {
        buf_putc(out, ')');
    }
    return all;
}

static bool is_nil(const struct buf *out, size_t start)
{
    return !out->overflow && span_eq(span_skip(buf_span(out), start), SPAN("NIL"));
}

/* The text that was written to `out` from `from` to `to` once more. */
static void put_again(struct buf *out, size_t from, size_t to)
{
    char *p = buf_reserve(out, to - from);
    if (!p)
        return;
    memcpy(p, out->p + from, to - from);
    buf_commit(out, to - from);
}

bool envelope_print(struct buf *out, const struct fields *f, const struct message_limits *limits,
                    struct buf *scratch)
{
    static const enum field_id defaulted[] = {FIELD_SENDER, FIELD_REPLY_TO};
    static const enum field_id plain[] = {FIELD_TO, FIELD_CC, FIELD_BCC};
    bool all = true;
    buf_putc(out, '(');
    imap_field(out, f->value[FIELD_DATE], scratch);
    buf_putc(out, ' ');
    imap_field(out, f->value[FIELD_SUBJECT], scratch);
    buf_putc(out, ' ');
    size_t from = out->n;
    all &= put_addresses(out, f, FIELD_FROM, limits->addresses, scratch);
    size_t from_end = out->n;
    for (size_t i = 0; i < 2; i++) { /* Sender and Reply-To default to From */
        buf_putc(out, ' ');
        size_t start = out->n;
        all &= put_addresses(out, f, defaulted[i], limits->addresses, scratch);
        if (is_nil(out, start)) {
            buf_truncate(out, start);
            put_again(out, from, from_end);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        buf_putc(out, ' ');
        all &= put_addresses(out, f, plain[i], limits->addresses, scratch);
    }
    buf_putc(out, ' ');
    imap_field(out, f->value[FIELD_IN_REPLY_TO], scratch);
    buf_putc(out, ' ');
    imap_field(out, f->value[FIELD_MESSAGE_ID], scratch);
    buf_putc(out, ')');
    return all;
}
