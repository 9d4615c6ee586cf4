/*
 * enrol_policy.h: what others may have certified by ACME and EST, as the configuration says. enrold
 * asks early, to tell its client; cad asks again, since enrold talks to strangers.
 */
#ifndef CA_ENROL_POLICY_H
#define CA_ENROL_POLICY_H

#include "conf/conf.h"
#include "pki/names.h"
#include "pki/profile.h"

/* May that name be enrolled by ACME? Wildcards count as the name behind them. */
bool enrol_acme_name(const struct conf *c, const struct cert_name *n);
/* The same for an enrolment password of EST. */
bool enrol_est_name(const struct conf *c, const struct cert_name *n);
/* Is it `base` itself or below it? */
bool enrol_name_below(struct span name, struct span base);
/* Profile and names together: by ACME, by EST, or as the certificate of an account. Names of the
 * accounts' addresses only where est_server.accounts says so. -EPERM with the reason. */
int enrol_may_issue(const struct conf *c, const struct profile *p, const struct cert_names *names,
                    struct err *e);
/* What enrold writes into the register for whom something was issued begins with one of these. */
bool enrol_requester(const char *requester);

#endif
