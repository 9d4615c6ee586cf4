/* extension.h: what pki/ keeps to itself about X.509 structures, reading and writing. */
#ifndef PKI_EXTENSION_H
#define PKI_EXTENSION_H

#include "pki/names.h"
#include <openssl/x509v3.h>

void general_names_read(const GENERAL_NAMES *all, struct cert_names *names, unsigned *ignored);
GENERAL_NAMES *
general_names_write(const struct cert_names *names); /* NULL: out of memory or a name is none */
NAME_CONSTRAINTS *constraints_write(const struct permitted *p);
/* -EINVAL with the reason: a field too long for X.520. */
int subject_write(const struct cert_subject *s, X509_NAME *name, struct err *e);

ASN1_IA5STRING *uri_string(const char *text);
GENERAL_NAMES *uri_names(const char *url);
CRL_DIST_POINTS *distribution_points(const char *url); /* one point, by its address */

#endif
