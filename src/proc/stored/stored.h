/* stored.h: stored as a process: opens and recovers the store, hands messages to the service, stops
 * in order. */
#ifndef PROC_STORED_H
#define PROC_STORED_H

#include "proc/child/child.h"
#include "store/service.h"

extern const struct child_ops stored_ops;

void stored_open(struct child *c);  /* before the jail; fatal if the store cannot be opened */
void stored_begin(struct child *c); /* in the jail: recovery, the service */
void stored_done(struct child *c);

#endif
