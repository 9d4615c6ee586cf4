/* observatory.h: names that clients ask for by SNI and no certificate covers, over all workers of the running server. */
#ifndef MANAGER_OBSERVATORY_H
#define MANAGER_OBSERVATORY_H

#include "manager/control.h"
#include "manager/view.h"

/* [{"name":…,"count":…,"add":…}], the one asked for most first; `add` are the commands that put it into the certificate. */
json_t *observatory_names(struct control *c, const char *vserver);
/* A table behind an empty line, or nothing where there are none. */
void observatory_show(struct call *c, const json_t *names);

#endif
