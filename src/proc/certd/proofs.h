/* proofs.h: challenges that are under way, and how each kind is prepared. */
#ifndef CERTD_PROOFS_H
#define CERTD_PROOFS_H

#include "acme/course.h"
#include "proc/certd/authority.h"

/* suspends. The state of the proof holds what withdrawing needs. */
int proof_present(struct certd *d, const struct authority *a, struct acme_proof *p, struct err *e);
void proof_withdraw(struct certd *d, const struct authority *a, struct acme_proof *p);
/* Keys of challenges that were not withdrawn: this process died meanwhile. suspends */
void proofs_tidy(struct certd *d);
/* A worker that came later learns the challenges of tls-alpn-01. */
void proofs_show(struct certd *d, struct link *to);
void msg_cert_challenge(void *arg, struct msg *m);

#endif
