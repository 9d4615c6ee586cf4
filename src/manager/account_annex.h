/*
 * account_annex.h: what an account has besides mail, as JSON: special uses, rights, annotations and
 * subscriptions of its mailboxes; its own annotations of the server and of public folders, what it
 * has read there, and names it is subscribed to that are no mailboxes of its own. Export puts it
 * beside the mail (ANNEX_FILE), import takes it from there; restore makes it of the backup.
 *
 *     {"version": 1, "account": "alice@example.org",
 *      "mailboxes": [{"name": "Work", "file": ".Work", "special": ["\\Archive"], "subscribed": true,
 *                     "rights": [{"identifier": "bob@example.org", "rights": "lrs"}],
 *                     "notes": [{"entry": "/comment", "shared": true, "value": "…"}]}],
 *      "notes": [{"entry": "/x", "shared": false, "base64": "…"}],
 *      "subscriptions": [{"owner": "bob@example.org", "name": "Plans"}],
 *      "public": [{"name": "misc.test", "uidvalidity": 17, "seen": "1:3,7", "notes": []}]}
 *
 * "owner" is missing where it is the account, and empty for public folders. A value that is not
 * UTF-8 stands as base64.
 */
#ifndef MANAGER_ACCOUNT_ANNEX_H
#define MANAGER_ACCOUNT_ANNEX_H

#include "base/err.h"
#include "store/annex.h"

#include <jansson.h>

#define ANNEX_FILE ".sealpost-account.json"
enum { ANNEX_VERSION = 1 };

/* All but the mailboxes, which are an empty list. */
json_t *annex_of_account(struct store_read *r, uint64_t account);
/* An element of that list; file NULL: it says none. */
json_t *annex_of_mailbox(struct store_read *r, const struct mailbox_info *m, const char *file);

/* Of the folder an import reads. 0: NULL where there is none. */
int annex_load(int dir, json_t **ret, struct err *e);
int annex_save(int dir, const json_t *annex, struct err *e);
/* The element whose member `key` ("name", "file") says so; NULL, also where annex is NULL. */
const json_t *annex_find(const json_t *annex, const char *key, struct span value);

struct span annex_text(const json_t *object, const char *key); /* empty: none, or no text */
/* MAILBOX_… of the special uses of a mailbox. */
uint32_t annex_uses(const json_t *mailbox);
bool annex_flag(const json_t *object, const char *key);
/* The value of an annotation. False: it is none that can be kept. */
bool annex_value(const json_t *note, struct buf *out);

#endif
