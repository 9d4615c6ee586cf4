/* ca.h: what the files of the commands `ca …` share. */
#ifndef MANAGER_CA_H
#define MANAGER_CA_H

#include "manager/control.h"
#include "manager/view.h"
#include "pki/ca_msg.h"

/* A question to cad that is answered with JSON. NULL with the reason. */
json_t *ca_ask(struct call *c, enum msg_id id, struct span body, struct err *e);
/* Colons and upper case, as other programs print serials, are taken too. 0 or EXIT_USAGE. */
int ca_parse_serial(const char *text, char ret[CERTIFICATE_SERIAL_MAX], struct err *e);
/* --filter, --profile, --name, --expires-within. 0 or EXIT_USAGE. */
int ca_parse_search(const struct call *c, struct ca_find_msg *q, struct err *e);

#endif
