/* sessiond.h: the files of sessiond among themselves. */
#ifndef PROC_SESSIOND_SESSIOND_H
#define PROC_SESSIOND_SESSIOND_H

#include "line/worker.h"
#include "proc/child/child.h"

extern const struct child_ops sessiond_ops;

/* Before the jail: what must be opened by path. */
void sessiond_open(struct child *c);

/* A certificate has come. Once every endpoint accepts, the supervisor is told that this worker is ready. */
void sessiond_identities(struct child *c);

/* The answer of KEY_TICKETS, or KEY_TICKETS_NEW. */
void sessiond_tickets(struct span body);

/* handlers.c: the messages of peers; rows end with id 0. `arg` is the child. */
extern const struct msg_handler sessiond_handlers[];

#endif
