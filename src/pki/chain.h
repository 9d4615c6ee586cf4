/*
 * chain.h: is this chain fit to be installed? Asked before anything is put into service (DESIGN
 * section 5): key, order, signatures, root, dates, names, purpose, strength. The first fault found
 * is told in a sentence: what, where, what to do.
 */
#ifndef PKI_CHAIN_H
#define PKI_CHAIN_H

#include "pki/certificate.h"

enum chain_fault {
#define FAULT(id, name, doc) CHAIN_FAULT_##id,
#include "pki/chain_faults.def"
#undef FAULT
    CHAIN_FAULT_COUNT
};
const char *chain_fault_name(enum chain_fault f);

enum chain_purpose {
    CHAIN_SERVER,
    CHAIN_CLIENT,
    CHAIN_EMAIL,
    CHAIN_CODE,
    CHAIN_OCSP,
    CHAIN_CA,
    CHAIN_DOCUMENT
};

struct chain_want {
    enum chain_purpose purpose;
    struct span spki;               /* the key that it must be for; empty: any */
    const struct cert_names *names; /* each must be covered; NULL: any */
    const struct chain *roots;      /* what is trusted. NULL: nothing */
    bool system_roots;              /* trust what the system trusts as well */
    int64_t now;                    /* seconds since 1970 */
};

/* `c` leaf first; the root itself may be left out. */
enum chain_fault chain_check(const struct chain *c, const struct chain_want *w, struct err *e);
/*
 * Puts the certificates into order: the one for `spki` first, each followed by its issuer; what
 * does not belong and a root at the end is freed. For files as CAs send them. False: none is for
 * that key (nothing is changed).
 */
bool chain_arrange(struct chain *c, struct span spki);

#endif
