/* enrold.h: what the files of enrold share. */
#ifndef ENROLD_ENROLD_H
#define ENROLD_ENROLD_H

#include "proc/child/child.h"

extern const struct child_ops enrold_ops;
void enrold_open(struct child *c); /* before the jail: DNS settings, the database's folder */

#endif
