/* enrold.h: what the files of enrold share. */
#ifndef ENROLD_ENROLD_H
#define ENROLD_ENROLD_H

#include "acme/web.h"
#include "enrol/enrol.h"
#include "proc/child/child.h"

struct enrold {
    struct child *child;
    struct enrol *enrol;
    struct resolver *resolver;
    struct tls_client_context *tls; /* trusts nobody: what is shown is judged otherwise */
    struct timer *clean;
};

extern const struct child_ops enrold_ops;
void enrold_resolver(struct child *c); /* before the jail: DNS settings */
void enrold_open(struct child *c);

/* checks.c: goes and looks. suspends */
enum enrol_problem enrold_check(void *arg, const struct enrol_check *k, struct err *e);

#endif
