/*
 * header.h: the fields of a header block, RFC 5322 section 2.2, as they stand; words and addresses
 * in them.
 */
#ifndef MESSAGE_HEADER_H
#define MESSAGE_HEADER_H

#include "base/arena.h"
#include "base/buf.h"

struct header_field {
    struct span name;  /* without the colon and blanks before it */
    struct span value; /* after the colon, still folded, without the last line end */
    struct span whole; /* name to last line end, both included */
};

/* Takes the next field off `block`; lines that are no field are skipped. False at the empty line or
 * the end. */
bool header_next(struct span *block, struct header_field *ret);
/* Length of the header block that `raw` starts with, its empty line included; all of raw if there
 * is no empty line. */
size_t header_block_bytes(struct span raw);
/* The first field of that name; false if there is none. */
bool header_find(struct span block, const char *name, struct header_field *ret);
size_t header_count(struct span block, const char *name);
/* The value on one line: folds become one SP, CR LF NUL never appear, blanks at both ends gone. */
bool header_unfold(struct span value, struct buf *out);
/* Unfolded, RFC 2047 words and raw 8-bit decoded, as valid UTF-8. */
bool header_decode(struct span value, struct buf *out);
/* IMAP HEADER.FIELDS / .NOT: appends the fields whose name is (not) in `names`, each with its line
 * end, then the empty line. */
bool header_select(struct span block, const struct span *names, size_t count, bool others,
                   struct buf *out);

struct address {
    struct span display; /* decoded? no: as it stands, quotes taken off; may be empty */
    struct span route;   /* obsolete source route */
    struct span local;   /* quotes taken off */
    struct span domain;
    struct span group; /* the name of a group this address is in; empty else */
};
/* All addresses of an address-list field, groups flattened. At most max; returns how many. Memory
 * from the arena. */
size_t address_list_parse(struct span value, struct arena *a, size_t max, struct address **ret);
/* One addr-spec "local@domain" (RFC 5321 Mailbox, SMTPUTF8 allowed if utf8). Whole span. */
bool address_parse_mailbox(struct span s, bool utf8, struct span *ret_local,
                           struct span *ret_domain);

/* Message-IDs "<…@…>" one after the other; skips what is none. False when there is no more. */
bool message_id_next(struct span *value, struct span *ret);

#endif
