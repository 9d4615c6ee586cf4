/* account_cert.h: certificates that stand for accounts, for other commands. */
#ifndef MANAGER_ACCOUNT_CERT_H
#define MANAGER_ACCOUNT_CERT_H

#include "manager/directory.h"

#include <jansson.h>

typedef void (*account_cert_fn)(const char *address, const struct directory_certificate *row,
                                void *arg);
/* Of an account, of all rules ("*"), or of everybody (""). 0 or negative errno with the reason. */
int account_cert_each(struct call *c, const char *address, account_cert_fn fn, void *arg,
                      struct err *e);
/* The same as objects, appended to `all`: account, name, by, value, serial, subject, issuer, issued (by our CA), ends, made. */
int account_cert_list(struct call *c, const char *address, json_t *all, struct err *e);
/* Of such a list, those of our CA: cessationOfOperation. How many; stops at the first that fails. */
int account_cert_revoke_all(struct call *c, const json_t *all, unsigned *ret_count, struct err *e);

#endif
