/* password.h: a password from the one who runs the command: from standard input, or asked for at
 * the terminal, twice and without echo. */
#ifndef MANAGER_PASSWORD_H
#define MANAGER_PASSWORD_H

#include "base/buf.h"
#include "base/err.h"

/* Appends it; the caller wipes it with password_done. One line end behind it does not belong to it.
 */
int password_read_stdin(struct buf *out, struct err *e);
int password_ask(const char *who, struct buf *out, struct err *e);
/* A passphrase for a file, without echo; twice: asked for once more. Empty is an answer if not. */
int passphrase_ask(const char *file, bool twice, struct buf *out, struct err *e);
void password_done(struct buf *b);

#endif
