/*
 * engine.h: keyd without its process: the messages of section 100 (pki/keyd_msg.h), answered from a
 * key folder. main.c gives it the links of the child framework; tests give it one end of a
 * socketpair.
 *
 * Whatever a peer sends is answered with a status; nothing ends the engine.
 */
#ifndef KEYD_ENGINE_H
#define KEYD_ENGINE_H

#include "base/err.h"
#include "ipc/link.h"

struct keyd;

/* Opens everything it will ever open. dir: the key folder, taken. NULL with e set. */
struct keyd *keyd_open(struct loop *l, int take_dir, struct err *e);
/* When no link delivers any more and keyd_idle says so. NULL is fine. */
void keyd_close(struct keyd *k);
bool keyd_idle(const struct keyd *k); /* no signature under way */

/* The handlers for all of its messages, ended by id 0; `arg` of link_ops is the engine. */
extern const struct msg_handler keyd_handlers[];
/* Where a child framework passes something else as arg. KEY_CREATE, KEY_IMPORT and
 * KEY_EXPORT must come from a fiber. */
void keyd_handle(struct keyd *k, struct msg *m);

/* Told after a key has left in an encrypted form, in the fiber of the message: for the log of evidence. */
typedef void (*keyd_exported_fn)(void *arg, const char *key_id, const char *label);
void keyd_on_export(struct keyd *k, keyd_exported_fn fn, void *arg);

/* Links of sessiond, which are told of new ticket keys. */
void keyd_peer(struct keyd *k, struct link *l);
void keyd_rotate_tickets(struct keyd *k);
void keyd_status(const struct keyd *k, struct buf *json);

#endif
