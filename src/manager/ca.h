/* ca.h: what the files of the commands `ca …` share. */
#ifndef MANAGER_CA_H
#define MANAGER_CA_H

#include "manager/control.h"
#include "manager/view.h"
#include "pki/ca_msg.h"
#include "pki/key.h"

/* A question to cad that is answered with JSON. NULL with the reason. */
json_t *ca_ask(struct call *c, enum msg_id id, struct span body, struct err *e);
/* Colons and upper case, as other programs print serials, are taken too. 0 or EXIT_USAGE. */
int ca_parse_serial(const char *text, char ret[CERTIFICATE_SERIAL_MAX], struct err *e);
/* --filter, --profile, --name, --expires-within. 0 or EXIT_USAGE. */
int ca_parse_search(const struct call *c, struct ca_find_msg *q, struct err *e);

/* --- ca_change.c */

json_t *ca_ask_info(struct call *c, struct err *e);
/* The CA in use of that kind ("root", "issuing"); borrowed from info. NULL: none. */
const json_t *ca_in_use(const json_t *info, const char *kind);
/* From standard input or asked for. */
int ca_passphrase(struct call *c, const char *what, struct buf *out, struct err *e);
/* A key as keyd encrypts it, and what is in such (PKCS#8, DER; the caller wipes it), and into keyd
 * as that of a CA; -EEXIST: keyd has it. */
int ca_export_key(struct call *c, const char *id, struct span pass, struct buf *der, struct err *e);
/* To cad: that key is in a file, whole: it may be removed. */
int ca_root_kept(struct call *c, const char *key_id, struct err *e);
int ca_open_key(struct span der, struct span pass, struct buf *ret, struct err *e);
int ca_import_key(struct call *c, bool root, const char *name, struct span pkcs8,
                  struct key_info *ret, struct err *e);
/* Rows of a report: what was done, or would be. */
void ca_add_step(json_t *steps, const char *step, const char *what, const char *result);
int ca_show_steps(struct call *c, json_t *take_steps);
/* The virtual servers whose certificate an issuing CA of info has issued, or (not NULL) `only` the
 * one with that subject; NULL with the reason. */
json_t *ca_shown_by(struct call *c, const json_t *info, const char *only, struct err *e);
/* New key and certificate for each of them; how many failed. */
unsigned ca_issue_anew(struct call *c, const json_t *vservers, bool dry, json_t *steps);

#endif
