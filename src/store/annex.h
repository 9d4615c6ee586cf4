/*
 * annex.h: what stands beside mailboxes and messages, for sessions: rights (acl.h), annotations
 * (RFC 5464), read marks (marks.h), addresses of accounts, quotas of domains. Reading happens inside
 * a snapshot; changing suspends, with the errors of store.h.
 */
#ifndef STORE_ANNEX_H
#define STORE_ANNEX_H

#include "store/acl.h"
#include "store/store.h"

/* ------------------------------------------------------------------ annotations */
enum {
    NOTE_ENTRY_MAX = 400, /* of a name, without "/shared" or "/private" */
    NOTE_VALUE_MAX = 1 << 20,
    /* what stored takes where its options do not say */
    NOTE_VALUE_BYTES = 16384,
    NOTE_ENTRIES = 100, /* of a mailbox, for each of those who keep some */
    ACL_ENTRIES = 200,  /* of a mailbox */
};
#define NOTE_DESCRIPTION "/comment" /* shared: what a newsgroup is about */
/* account 0: shared by all. entry "/comment", in small letters. The value is valid until
 * store_read_end. 0, -ENOENT. */
int store_note_get(struct store_read *r, uint64_t mailbox, uint64_t account, struct span entry,
                   struct span *ret);
/* Those whose name begins with `prefix`, by name. */
int store_note_each(struct store_read *r, uint64_t mailbox, uint64_t account, struct span prefix,
                    bool (*fn)(struct span entry, struct span value, void *arg), void *arg);
struct store_note {
    struct span entry, value;
    bool shared, remove;
};
enum { STORE_NOTES_MAX = 64 }; /* in one request: all or none */
/* mailbox 0: of the server. -EMSGSIZE: a value is too long; -E2BIG: there are too many. */
int store_note_set(struct store *s, struct span grant, uint64_t mailbox, const struct store_note *n,
                   size_t count);

/* ------------------------------------------------------------------ rights */
int store_acl_each(struct store_read *r, uint64_t mailbox,
                   bool (*fn)(const struct acl_entry *a, void *arg), void *arg);
uint32_t store_acl_rights(struct store_read *r, const struct mailbox_info *m,
                          const struct grant *g);
enum store_acl_op { ACL_SET = 1, ACL_GIVE, ACL_TAKE, ACL_REMOVE };
/* -ESRCH: no account of that address; -E2BIG: too many entries; -EPERM: the owner's rights, or ones
 * that cannot be taken. */
int store_acl_set(struct store *s, struct span grant, uint64_t mailbox, struct span identifier,
                  enum store_acl_op op, uint32_t rights);
/* Mailboxes of others, public folders left out, in which the holder of the grant has at least one of
 * `rights`: each once, in no order. */
int store_shared_each(struct store_read *r, const struct grant *g, uint32_t rights,
                      bool (*fn)(const struct mailbox_info *m, void *arg), void *arg);

/* ------------------------------------------------------------------ accounts and domains */
/* The address of an account, in small letters; valid until store_read_end. 0, -ENOENT. */
int store_address_get(struct store_read *r, uint64_t account, struct span *ret);
int store_address_find(struct store_read *r, struct span address, uint64_t *ret_account);
/* As store_quota_get, of the domain that the account is in. -ENOENT: it has none. */
int store_domain_quota_get(struct store_read *r, uint64_t account, struct span *ret_domain,
                           uint64_t *ret_used, uint64_t *ret_limit);
uint64_t domain_number(struct span domain); /* small letters */

/* ------------------------------------------------------------------ read marks */
/* From here on the snapshot shows public folders as this account sees them: \Seen and modseqs of
 * messages, changes. Cursors that are open stay as they were. */
void store_read_as(struct store_read *r, uint64_t account);
/* Messages that are not seen by the reader, and the least of them (0: none). */
void store_unseen(struct store_read *r, const struct mailbox_info *m, uint32_t *ret_count,
                  uint32_t *ret_first);
/* What a reader has said of messages in a public folder, ascending, of ones that are gone too. fn
 * returns false to stop. */
int store_marks_each(struct store_read *r, uint64_t mailbox, uint64_t account,
                     bool (*fn)(uint32_t uid, bool seen, void *arg), void *arg);
/* To be watched beside the mailbox: changes of this reader's marks there. */
uint64_t store_reader_key(uint64_t mailbox, uint64_t account);

struct key key_note(uint64_t mailbox, uint64_t account, struct span entry);

#endif
