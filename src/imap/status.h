/* status.h: STATUS items, for STATUS and LIST RETURN (STATUS ...). */
#ifndef IMAP_STATUS_H
#define IMAP_STATUS_H

#include "base/parse.h"
#include "store/store.h"

struct session;

/* "(" status-att *(SP status-att) ")"; bits of the items, in the order of the table. */
bool status_items_parse(struct span *c, unsigned *ret_items);
/* Is HIGHESTMODSEQ among them? It is a CONDSTORE enabling command then (RFC 7162 3.1). */
bool status_has_modseq(unsigned items);
/* "* STATUS name (…)" CRLF; `name_wire` is printed as it stands. */
void status_print(struct span name_wire, unsigned items, const struct mailbox_info *info,
                  struct session *s, struct buf *out);

#endif
