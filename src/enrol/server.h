/* server.h: what the files of enrol/ share. */
#ifndef ENROL_SERVER_H
#define ENROL_SERVER_H

#include "acme/jws.h"
#include "enrol/db.h"
#include "enrol/enrol.h"

enum {
    NONCE_WINDOW = 1 << 16, /* nonces that are good at once */
    CHECKS_MAX = 64,        /* at once */
    CHECK_TRIES = 3,
    ISSUING_MAX = 32,
    CONTACTS_MAX = 10,
    IDENTIFIERS_TEXT_MAX = 64 * 1024,
    POLL_SECONDS = 5,     /* how long a client waits before it looks again */
    OFFICER_SECONDS = 60, /* the same, where a person decides */
};

struct nonces {
    unsigned char key[32];
    uint64_t next; /* counter of the next one */
    unsigned char used[NONCE_WINDOW / 8];
};
void nonces_init(struct nonces *n);
void nonce_make(struct nonces *n, char ret[64]);
bool nonce_use(struct nonces *n, const char *text); /* true once for each that was made */

struct enrol {
    struct db *db;
    const struct conf *conf;
    struct enrol_hooks hooks;
    struct nonces nonces;
    struct enrol_counts counts;
    unsigned checks;              /* under way */
    int64_t issuing[ISSUING_MAX]; /* orders under way at cad; 0: free */
};

/* One request and its answer. */
struct call {
    struct enrol *en;
    const struct enrol_request *q;
    struct enrol_answer *a;
    struct buf *out;
    struct span rest; /* of the path, behind the route's */
    /* a signed one */
    struct jws jws;
    json_t *payload; /* NULL: POST-as-GET */
    EVP_PKEY *key;   /* whose signature held */
    int64_t account; /* 0: by key alone */
    char thumbprint[64];
};

/* problem.c */
const char *problem_name(enum enrol_problem p);
unsigned problem_status(enum enrol_problem p);
/* The answer is that problem; returns false, so that a check can end with it. */
bool problem(struct call *c, enum enrol_problem p, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool problem_status_set(struct call *c, enum enrol_problem p, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The environment failed: logged, the client learns no reason. */
bool problem_internal(struct call *c, const struct err *e);
/* As it stands in an order or challenge. */
void problem_put(struct buf *b, enum enrol_problem p, unsigned status, struct span detail);

/* acme.c */
void acme_handle(struct call *c);
/* "https://…/acme/order/12" */
void put_url(struct buf *b, const struct call *c, const char *kind, int64_t id);
void set_location(struct call *c, const char *kind, int64_t id);
/* Adds to the Link field. */
void add_link(struct call *c, const char *rel, const char *path);
bool rest_id(const struct call *c, int64_t *ret); /* the rest of the path is a number */
void put_time(struct buf *b, const char *name, int64_t seconds);

/* account.c */
void acme_new_account(struct call *c);
void acme_account(struct call *c);
void acme_key_change(struct call *c);
/* 1: found; 0: none; negative errno. */
int account_by_thumbprint(struct enrol *en, const char *thumbprint, int64_t *ret_id,
                          char ret_status[16], struct err *e);
/* Its key; NULL: there is none, or none that is valid. */
EVP_PKEY *account_key(struct enrol *en, int64_t id, char ret_thumbprint[64]);
/* What its external account binding names: true without one, or when that has no list. */
bool account_may(struct enrol *en, int64_t id, const struct cert_name *n);

/* order.c */
void acme_new_order(struct call *c);
void acme_order(struct call *c);
void acme_certificate(struct call *c);
void put_identifiers(struct buf *b, const struct cert_names *names);
bool read_names(const char *text, struct cert_names *ret); /* as stored: with commas between */

/* authz.c */
void acme_authz(struct call *c);
void acme_challenge(struct call *c);
/* A new one with its challenges, or one that was shown before. */
int authz_make(struct enrol *en, int64_t account, const struct cert_name *n, int64_t now,
               int64_t *ret_id, struct err *e);
int authz_count_kinds(const struct enrol *en, const struct cert_name *n);
/* Has the account shown control over it? */
bool authz_holds(struct enrol *en, int64_t account, const struct cert_name *n, int64_t now);

/* revoke.c */
void acme_revoke(struct call *c);
void acme_renewal_info(struct call *c);
/* "AKI.serial" in base64url → serial as in the register. */
bool read_cert_id(struct span text, char ret_akid[64], char ret_serial[CERTIFICATE_SERIAL_MAX]);
/* What was issued, into the database. */
int certificate_keep(struct enrol *en, int64_t account, const char *profile, struct span chain,
                     struct err *e);

/* est.c */
void est_handle(struct call *c);

#endif
