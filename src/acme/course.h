/*
 * course.h: an order from its beginning to the certificate. The CA keeps its state; all that we have to remember is its
 * address, so a course that was broken off anywhere goes on from there. Challenges are prepared and taken away again by
 * whoever runs it.
 */
#ifndef ACME_COURSE_H
#define ACME_COURSE_H

#include "acme/client.h"

/* One challenge to be met. */
struct acme_proof {
    const char *type; /* "http-01", "tls-alpn-01", "dns-01" */
    const char *name; /* to be proved; without "*." */
    bool is_address;
    const char *token;
    const char *authorization; /* the key authorization */
    char *state;               /* ACME_PROOF_STATE bytes for who prepares it; zero at first */
};
enum { ACME_PROOF_STATE = 64 };

struct acme_course {
    struct acme_client *client;
    const char *challenge; /* the type to be used */
    const struct cert_names *names;
    const char *replaces;        /* as acme_client_order */
    uint32_t settle;             /* seconds from the last preparation until the CA is told */
    struct span csr;             /* empty: a rehearsal, which ends when the CA would issue */
    char order[WEB_URL_MAX + 1]; /* "": none yet; kept by `remember` */

    int (*present)(void *arg, struct acme_proof *p, struct err *e);
    void (*withdraw)(void *arg, struct acme_proof *p);
    int (*remember)(void *arg, const char *order, struct err *e);
    /* In words, and the seconds until it looks again. False: it is not wanted any more (-ECANCELED). */
    bool (*progress)(void *arg, const char *words, uint32_t wait);
    void *arg;
};

enum {
    ACME_VALIDATION_SECONDS = 600, /* then it is a failure, and the same order is asked later */
    ACME_POLL_MIN = 1,
    ACME_POLL_MAX = 3600,
};

/*
 * suspends, for as long as the CA takes. 0: the chain as PEM is appended to ret_pem. -EREMOTEIO: refused, the order is over
 * (course.order is ""); any other: the same order may go on later. `passes`: the same may succeed later by itself.
 */
int acme_course_run(struct acme_course *k, struct buf *ret_pem, bool *ret_passes, struct err *e);

#endif
