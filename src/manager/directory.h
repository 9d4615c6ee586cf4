/* directory.h: what the commands about accounts, aliases, groups and newsgroups share: calls to
 * authd, words for its numbers. */
#ifndef MANAGER_DIRECTORY_H
#define MANAGER_DIRECTORY_H

#include "directory/authd_msg.h"
#include "manager/control.h"
#include "manager/view.h"

/* A call to authd without an answer but its status. */
int authd_call(struct call *c, enum msg_id id, struct span body, struct err *e);
int entry_show(struct call *c, enum directory_entry_kind kind, const char *address,
               struct directory_entry *ret, struct err *e);
int entry_put(struct call *c, enum msg_id id, const struct directory_entry *n, struct err *e);
int entry_remove(struct call *c, enum directory_entry_kind kind, const char *address,
                 struct err *e);
/* All of a kind: fn for each, page after page. */
int entry_each(struct call *c, enum directory_entry_kind kind,
               void (*fn)(const struct directory_entry *n, void *arg), void *arg, struct err *e);
/* An address as an argument; -EINVAL with the reason where it is none. Without '@' it is in the
 * server's first domain. */
int directory_address(const char *text, char ret[NAME_ADDRESS_MAX + 1], struct err *e);

/* "mail,submit" ↔ GRANT_ bits, "imap4,smtp" ↔ bits of conf_protocol; EXIT_USAGE with the reason. */
int parse_rights(const char *text, uint32_t *ret, struct err *e);
int parse_protocols(const char *text, uint32_t *ret, struct err *e);
int parse_yes_no(enum option_id o, const char *text, bool *ret, struct err *e);
json_t *rights_json(uint32_t rights);
json_t *protocols_json(uint32_t protocols);

#endif
