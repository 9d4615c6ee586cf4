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
    struct ca_record **gone; /* not in the register any more; freed with the rest */
    size_t gone_count;
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

/* --- JSON for people: ca_print.c */

/* "name":"value", with the comma behind it. */
void ca_put_field(struct buf *b, const char *name, const char *value);
/* A list that may be longer than an answer: rows after an id, and where the next page begins. */
struct ca_page {
    struct buf *json;
    size_t max_bytes;
    int64_t after, last;
    bool more;
};
void ca_page_begin(struct ca_page *p, const char *name);
bool ca_page_add(struct ca_page *p, int64_t id, struct span one); /* false: the page is full */
int ca_page_end(struct ca_page *p, struct err *e);

/* --- CAs that come and go: ca.c */

/* A root has room for the root that follows it; keyd holds its key to that. */
enum { CA_ROOT_LEVELS = 2, CA_ROOT_MAX_DAYS = 7300 + 1, CA_LEAF_MAX_DAYS = 1188 + 1 };

void ca_settings_take(struct ca *ca, const struct ca_settings *s);
unsigned ca_next_number(const struct ca *ca, enum ca_kind kind);
void ca_common_name(const struct ca_settings *s, enum ca_kind kind, unsigned number, char ret[65]);
/* Key and certificate of the next CA of that kind below the root in use; in no register yet.
 * suspends */
int ca_key_and_certificate(struct ca *ca, const struct ca_settings *s, enum ca_kind kind,
                           struct ca_key *key, struct buf *der, struct err *e);
struct ca_record *ca_record_new(enum ca_kind kind, const struct ca_key *key, struct span der,
                                struct err *e);
/* Into the register and into use in place of the one before, in one step; freed where that fails.
 * before, another CA, gets above_before. suspends */
int ca_take_over(struct ca *ca, struct ca_record *take, struct ca_record *before,
                 struct chain *take_above_before, struct err *e);
/* Makes one and takes it into use. suspends */
/* Is its key at keyd? A root's may be kept elsewhere. */
bool ca_key_there(const struct ca *ca, const struct ca_record *c);
/* -ENOKEY with what to do: the key of the root in use is not there. */
int ca_root_can_certify(const struct ca *ca, const char *what, struct err *e);
int ca_make(struct ca *ca, const struct ca_settings *s, enum ca_kind kind, struct err *e);
void ca_adopt(struct ca *ca, struct ca_record *take);
/* Not in the register any more, but perhaps in a suspended call's hands. */
void ca_let_go(struct ca *ca, struct ca_record *take);

/* --- what stands above an issuing CA: above.c */

/* Appends those that are shown with it, borrowed: another CA's intermediate ones, or the key of the
 * root as the root before it has certified it. */
void ca_above(const struct ca *ca, const struct ca_record *issuing, int64_t now, struct chain *add);
const struct certificate *ca_root_of(const struct ca *ca, const struct ca_record *issuing);
/* Of an issuing CA that another has certified: may it certify these, and all that the virtual
 * servers need? -EPERM with the name. */
int ca_external_permits(const struct ca_record *issuing, const struct cert_names *names,
                        struct err *e);
int ca_external_serves(const struct ca_record *issuing, const struct ca_settings *s, struct err *e);

#endif
