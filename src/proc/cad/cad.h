/* cad.h: what the files of cad share: the CA, its keys at keyd, and who may have what certified. */
#ifndef CAD_CAD_H
#define CAD_CAD_H

#include "ca/ca.h"
#include "pki/ca_msg.h"
#include "proc/child/child.h"

struct cad {
    struct child *child;
    struct ca *ca;
    struct fiber_lock ensuring, deciding, copying;
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

/* Whom the answer goes to; by ids, for he may be gone by then. */
struct asker {
    uint64_t link;
    enum msg_id id;
    uint32_t call;
    enum role role;
};
struct asker asker_of(const struct msg *m);
void answer(const struct asker *a, int rc, struct span body, const struct err *e);
void answer_malformed(const struct asker *a);
/* The CA is being made at the first start: askers wait a moment. suspends */
int cad_wait_made(struct cad *d, struct err *e);
/* The whole of it: request, approval (message empty: given), certificate, register; reply as of
 * CA_ISSUE. suspends */
int cad_issue(struct cad *d, const struct asker *a, const struct ca_issue_msg *m,
              struct span message, struct buf *reply, char ret_serial[CERTIFICATE_SERIAL_MAX],
              struct err *e);

int cad_sealed_copy(struct span bytes, struct err *e); /* a memfd */

/* change.c: from the command line, about the CAs themselves. */
void msg_ca_root(void *arg, struct msg *m);
void msg_ca_rollover(void *arg, struct msg *m);
/* certd and authd; serial "": an issuing CA with what it has issued */
void cad_tell_revoked(struct cad *d, const struct ca_revoke_msg *m);
void cad_changed(struct cad *d); /* other roots: root.pem, and certd */
/* subordinate.c: from the command line: below another CA. */
void msg_ca_ask(void *arg, struct msg *m);
void msg_ca_install(void *arg, struct msg *m);
/* restore.c: the register as a file, out and in. */
void msg_ca_backup(void *arg, struct msg *m);
void msg_ca_restore(void *arg, struct msg *m);
/* officer.c: from the command line. */
void msg_ca_find(void *arg, struct msg *m);
void msg_ca_unhold(void *arg, struct msg *m);
void msg_ca_requests(void *arg, struct msg *m);
void msg_ca_decide(void *arg, struct msg *m);
/* public.c: from sessiond, for everybody. */
void msg_ca_ocsp(void *arg, struct msg *m);
void msg_ca_file(void *arg, struct msg *m);

extern const struct msg_handler cad_handlers[];

#endif
