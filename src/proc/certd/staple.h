/*
 * staple.h: what the CA says of a certificate that is in service, or about to be, shown with it (OCSP stapling): asked of cad for the own CA,
 * of the responder in the certificate for another, again after a third of the answer's validity; checked, and given to the workers, who show it
 * as long as it holds; the last one is kept in certs/NAME.staple (DER, as it came). One fiber a virtual server.
 */
#ifndef CERTD_STAPLE_H
#define CERTD_STAPLE_H

#include "proc/certd/certd.h"

void staple_begin(struct vserver_life *v);
/* The answer that was kept for what is in service, checked again; before that is shown. suspends */
void staple_recall(struct vserver_life *v);
/* Something else is shown, or its CA can be asked again. */
void staple_wake(const struct vserver_life *v, bool ask_again);
/* Its CA has revoked it: what says that it is good is taken back now, and the CA asked. */
void staple_revoked(const struct vserver_life *v);
/* struct life_ops.staple */
int staple_before(void *arg, const char *vserver, const struct identity_slot *next, struct err *e);
/* What there is, to a worker that comes later; before its certificates. */
void staple_show(const struct certd *d, struct link *to);
/* A member of a JSON object, behind a comma. */
void staple_json(const struct vserver_life *v, struct buf *out);
void staple_metrics(const struct certd *d, struct buf *text);

#endif
