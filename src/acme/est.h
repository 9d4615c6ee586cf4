/*
 * est.h: a client of EST (RFC 7030, 8951): the request is posted, the CA answers with the certificate, or with 202 and
 * when to ask again, which is asked for as long as it takes. Who asks is proved by a login over TLS, or, for a certificate
 * that follows another of the same CA, by that one in TLS (section 3.3.2); a CA that does not take it is asked as at the
 * first time: by a certificate that was given for it, by login, or both.
 */
#ifndef ACME_EST_H
#define ACME_EST_H

#include "acme/web.h"

enum { EST_WAIT_MIN = 1, EST_WAIT_DEFAULT = 60, EST_WAIT_MAX = 3600 };

struct est_course {
    const struct web *web;
    const struct web
        *own,         /* the same, showing the certificate that is to be replaced; NULL: none */
        *first;       /* the same, showing another one, for a first enrolment; NULL: none */
    const char *url;  /* what stands before /cacerts */
    const char *user; /* "": no login */
    struct span password;
    struct span csr; /* PKCS#10, DER */
    bool again;      /* it follows a certificate of the same CA (simplereenroll) */
    bool (*progress)(void *arg, const char *words, uint32_t wait); /* as acme_course */
    void *arg;
};

/* suspends. 0: the certificate and those of the CA as PEM are appended to ret_pem. -EREMOTEIO: refused; -ECANCELED; others as
 * web_ask. `passes`: the same may succeed later by itself. */
int est_course_run(const struct est_course *k, struct buf *ret_pem, bool *ret_passes,
                   struct err *e);
/* The certificates of an answer: base64 of PKCS#7, whatever the lines. */
struct chain;
int est_certificates(struct span body, struct chain *add, struct err *e);

#endif
