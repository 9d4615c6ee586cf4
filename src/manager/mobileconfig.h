/* mobileconfig.h: a configuration profile of Apple's systems (a property list, XML) that installs a
 * client certificate with its key, and the CA that the servers' certificates come from. */
#ifndef MANAGER_MOBILECONFIG_H
#define MANAGER_MOBILECONFIG_H

#include "base/buf.h"

struct mobileconfig {
    const char *address, *name; /* of the account; of the certificate */
    struct span pkcs12;         /* the passphrase is not in the profile: the device asks for it */
    struct span root;           /* DER; empty: none */
};
void mobileconfig_print(const struct mobileconfig *m, struct buf *out);

#endif
