/* restore.h: what the two kinds of restore share. */
#ifndef MANAGER_RESTORE_H
#define MANAGER_RESTORE_H

#include "manager/backup.h"

/* The backup of --from, with its manifest. backup_done in any case. */
int restore_open_backup(struct call *c, struct backup *b, struct err *e);
int restore_damaged(const char *path, int r, struct err *e);
/* One account, or some of its mailboxes, into the running server. */
int restore_account(struct call *c, struct err *e);

#endif
