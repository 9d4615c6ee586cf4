/* profile.h: the kinds of certificates that our own CA makes; the rows stand in profiles.def. */
#ifndef PKI_PROFILE_H
#define PKI_PROFILE_H

#include "base/buf.h"

enum profile_use { /* key usage */
                   USE_SIGN = 1,
                   USE_NON_REPUDIATION = 2,
                   USE_ENCIPHER = 4, /* keyEncipherment for RSA keys, keyAgreement for EC keys; left
                                        out for keys that can do neither */
                   USE_CERT_SIGN = 8,
                   USE_CRL_SIGN = 16,
};
enum profile_eku {
    EKU_SERVER = 1,
    EKU_CLIENT = 2,
    EKU_EMAIL = 4,
    EKU_CODE = 8,
    EKU_OCSP = 16,
    EKU_DOCUMENT = 32, /* RFC 9336 */
};
enum profile_names { NAME_DNS = 1, NAME_IP = 2, NAME_EMAIL = 4 }; /* 1 << enum cert_name_type */

enum profile_id {
#define PROFILE(id, name, days, days_max, path, use, eku, names, doc) PROFILE_##id,
#include "pki/profiles.def"
#undef PROFILE
    PROFILE_COUNT
};

struct profile {
    enum profile_id id;
    const char *name;
    unsigned days, days_max;
    int path; /* -1: not a CA */
    unsigned use, eku, names;
    const char *doc;
};

const struct profile *cert_profile_get(enum profile_id id);
const struct profile *cert_profile_by_name(struct span name); /* NULL: there is none */

#endif
