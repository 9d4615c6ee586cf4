/* cad.h: what the files of cad share: the CA, its keys at keyd, and who may have what certified. */
#ifndef CAD_CAD_H
#define CAD_CAD_H

#include "ca/ca.h"
#include "proc/child/child.h"

struct cad {
    struct child *child;
    struct ca *ca;
    struct fiber_lock ensuring;
    struct fiber_cond made; /* a CA is there, or has changed */
    bool ensure_queued;
    bool written;      /* root.pem is on the disk */
    char failure[600]; /* why there is no CA that fits the configuration; "" when there is */
    struct timer *daily, *lists;
    bool refreshing; /* CRLs, in a fiber of its own */
    uint64_t issued, refused, revoked, ocsp;
};

extern const struct child_ops cad_ops;

/* Before the jail: DATA/ca may be looked into, for root.pem; the register in it stays 0600. */
void cad_folder(const struct child *c);
void cad_open(struct child *c); /* fatal where the register cannot be opened */
/* Looks whether the CA still is what the configuration wants, in a fiber of its own, and makes what
 * is missing. */
void cad_ensure(struct cad *d);

extern const struct ca_hooks cad_key_hooks; /* arg: struct cad */

/* May this process have that certified? certd gets certificates for names of virtual servers only.
 * 0; -EPERM with the reason. */
int cad_may_issue(const struct conf *c, enum role asker, const struct profile *p,
                  const struct cert_names *names, struct err *e);

/* public.c: from sessiond, for everybody. */
void msg_ca_ocsp(void *arg, struct msg *m);
void msg_ca_file(void *arg, struct msg *m);

extern const struct msg_handler cad_handlers[];

#endif
