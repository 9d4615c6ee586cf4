/*
 * name.h: mailbox names between the wire and the store. Personal mailboxes stand at the root,
 * public folders and newsgroups (account STORE_ACCOUNT_PUBLIC) under "Public/", what other users
 * share under "Other Users/their address/". "INBOX" is matched
 * without case, also as the first level of a longer name. On the wire a name is modified UTF-7, in
 * a session of IMAP4rev2 UTF-8.
 */
#ifndef IMAP_NAME_H
#define IMAP_NAME_H

#include "imap/arg.h"
#include "imap/state.h"

#define IMAP_PUBLIC "Public"
#define IMAP_OTHERS "Other Users"

enum { IMAP_NAME_MAX = STORE_NAME_MAX + 400 };

struct mailbox_name {
    uint64_t account;  /* whose tree */
    struct span name;  /* in the store */
    struct span owner; /* address, where the tree is another user's; else empty */
};
/* Decodes a name or pattern of the wire into UTF-8. False: not valid, or too long. */
bool name_decode(bool rev2, struct span wire, struct buf *out);
/*
 * The store's name for one of the wire; memory from s->scratch. False: no mailbox can be called so.
 * `slash`: one ending "/" is allowed and dropped (CREATE).
 */
bool name_parse(struct session *s, struct span wire, bool slash, struct mailbox_name *ret);
/* The same for a name that is UTF-8 already. */
bool name_split(struct session *s, struct span utf8, struct mailbox_name *ret);
/* Full UTF-8 name, with "Public/" or "Other Users/owner/" before it. */
void name_full(const struct mailbox_name *n, struct buf *out);
/* As it goes out: encoded, quoted where needed. */
void name_print(bool rev2, struct span full_utf8, struct buf *out);
/*
 * "* LIST () "/" name" CRLF of a session of IMAP4rev2, with OLDNAME where the client wrote it
 * otherwise than it is called ("inbox"; RFC 9051 6.3.9.7): true then.
 */
bool name_print_list(struct session *s, struct span wire, const struct mailbox_name *n,
                     struct buf *out);
/* Reads `mailbox` of the command's arguments: *c moves on. */
bool name_arg(struct session *s, struct span *c, struct span *ret_wire);
/* Finds it, selectable or not, and what the user may do there (ACL_…). 0, or a negative errno: what
 * he may not look up is not there. */
int name_find(struct session *s, struct store_read *r, const struct mailbox_name *n,
              struct mailbox_info *ret, uint32_t *ret_rights);

/* The same where messages are to be put. -ENOENT also for a name that cannot be selected; -EACCES
 * where the user may not. Takes a snapshot of its own. */
int name_target(struct session *s, const struct mailbox_name *n, struct mailbox_info *ret);

#endif
