/* ca_internal.h: what the files of ca/ share. */
#ifndef CA_CA_INTERNAL_H
#define CA_CA_INTERNAL_H

#include "ca/ca.h"

struct ca_crl_cache {
    int64_t issuer, made;
    struct buf der;
};

struct ca {
    struct ca_register *reg;
    struct ca_hooks hooks;
    struct ca_record *
        *cas; /* all, by id; never freed before ca_close: a suspended call may hold one */
    size_t ca_count;
    struct ca_record *root, *issuing; /* in use */
    char organization[65];
    unsigned cert_days;
    struct ca_crl_cache crl;
    uint64_t revocations; /* counts them: a CRL made meanwhile is not kept */
};

/* Runs a block of register work where the hooks want it. suspends */
void ca_run(struct ca *ca, void (*work)(void *arg), void *arg);
struct ca_record *ca_by_id(const struct ca *ca, int64_t id);

#endif
