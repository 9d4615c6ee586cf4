/*
 * address.h: one address field after the other item (RFC 5322 section 3.4), groups with their ends,
 * as the ENVELOPE needs them. Damaged lists give what a person would read: a missing domain is
 * empty, text after ">" is dropped, `a@b <c@d>` has the name a@b. Linear in the length of the
 * value.
 */
#ifndef MESSAGE_ADDRESS_H
#define MESSAGE_ADDRESS_H

#include "message/header.h"
#include "message/token.h"

enum address_event { ADDRESS_END, ADDRESS_MAILBOX, ADDRESS_GROUP, ADDRESS_GROUP_END };

struct address_scan {
    struct cursor at;
    bool in_group, after_angle;
    char *text, *used; /* unquoted text of the item at hand */
    struct buf *scratch;
};

/* `scratch` gives memory for the item at hand; it must not change until the scan is over. */
void address_scan_init(struct address_scan *s, struct span value, struct buf *scratch);
/* ADDRESS_MAILBOX fills all but group, ADDRESS_GROUP fills group. The spans live until the next
 * call. */
enum address_event address_scan_next(struct address_scan *s, struct address *ret);

#endif
