/* container_internal.h: what the files of container.h share. */
#ifndef PKI_CONTAINER_INTERNAL_H
#define PKI_CONTAINER_INTERNAL_H

#include "pki/container.h"

int container_add_x509(struct chain *c, X509 *x, struct err *e);
int container_add_der(struct chain *c, struct span der, struct err *e);
int container_add_pem(struct span text, struct chain *add, unsigned *found, struct err *e);
bool container_is_pem(struct span file);
int container_check_size(struct span file, struct err *e);

#endif
