/* ca_internal.h: what the files of ca/ share. */
#ifndef CA_CA_INTERNAL_H
#define CA_CA_INTERNAL_H

#include "ca/ca.h"

enum { CA_CRL_SLOTS = 32, CA_OCSP_SLOTS = 256, CA_CRL_BYTES = 80 * 1024 };

/* A CRL as it was last handed out. */
struct ca_crl_slot {
    int64_t issuer, part, made;
    bool delta;
    uint64_t changes; /* of the CA when it was made */
    struct buf der;
};

/* An OCSP answer to a question without a nonce. */
struct ca_ocsp_slot {
    unsigned char question[32]; /* SHA-256 */
    int64_t made;
    uint64_t changes;
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
    char url[256]; /* "http://host:port" of what is public; "": nothing is */
    unsigned crl_hours;
    bool crl_delta;
    unsigned officer; /* as in the settings */
    uint64_t changes; /* counts revocations: what was made before one is stale */
    struct ca_crl_slot crl[CA_CRL_SLOTS];
    struct ca_ocsp_slot *ocsp; /* CA_OCSP_SLOTS; made when first needed */
    unsigned ocsp_under_way;
};

/* Runs a block of register work where the hooks want it. suspends */
void ca_run(struct ca *ca, void (*work)(void *arg), void *arg);
struct ca_record *ca_by_id(const struct ca *ca, int64_t id);
/* "issuing-2": as it stands in addresses. */
void ca_name(const struct ca *ca, const struct ca_record *c, char ret[32]);
/* "http://host/ca/issuing-2" and the suffix; "" where nothing is public. */
void ca_url(const struct ca *ca, const struct ca_record *c, char *ret, size_t size,
            const char *suffix);
void ca_ocsp_done(struct ca *ca);

#endif
