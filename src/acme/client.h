/*
 * client.h: a client's talk with an ACME CA (RFC 8555): each call is one question and its answer. The account key signs
 * through keyd; a bad nonce is met with a new one; what the CA objects to is put into words, and is kept in `problem`.
 * All calls suspend.
 */
#ifndef ACME_CLIENT_H
#define ACME_CLIENT_H

#include "acme/document.h"
#include "pki/names.h"

#include <openssl/evp.h>

struct acme_client {
    /* given */
    struct web web;
    const char *url;     /* of the directory */
    const char *contact; /* mail address; "": none */
    const char *eab_kid; /* external account binding; "": none */
    struct span eab_key; /* decoded */
    EVP_PKEY *signer;    /* the account key */
    EVP_PKEY *public;    /* its public half */
    /* its own */
    struct acme_directory directory;
    bool ready;
    char account[WEB_URL_MAX + 1]; /* the account's URL; may be given, where it is known */
    char nonce[256];
    struct acme_problem problem; /* of the last refusal */
    uint32_t retry_after;        /* seconds, of the last answer; 0: none */
};

/* -EREMOTEIO: the CA refused (`problem`); others as web_ask. */

/* The directory, once. */
int acme_client_directory(struct acme_client *c, struct err *e);
/* Directory, and the account: found by its key, or made. */
int acme_client_account(struct acme_client *c, struct err *e);
/* The account of this key, and none is made: -ENOENT. */
int acme_client_find_account(struct acme_client *c, struct err *e);
/* RFC 8555 section 7.3.5: the account goes over to another key. Afterwards the caller puts that one
 * into signer and public. -EOPNOTSUPP: the CA does not do that. */
int acme_client_rekey(struct acme_client *c, EVP_PKEY *signer, EVP_PKEY *public, struct err *e);
/* Section 7.3.6: the account is given up; nobody brings it back. */
int acme_client_leave(struct acme_client *c, struct err *e);
/* Section 7.6. `reason` as in RFC 5280. */
int acme_client_revoke(struct acme_client *c, struct span der, unsigned reason, struct err *e);
/* `replaces`: the certificate's id (acme_certificate_id) that it is to follow; "": none. */
int acme_client_order(struct acme_client *c, const struct cert_names *names, const char *replaces,
                      char ret_url[WEB_URL_MAX + 1], struct acme_order *ret, struct err *e);
int acme_client_look_order(struct acme_client *c, const char *url, struct acme_order *ret,
                           struct err *e);
int acme_client_look_authorization(struct acme_client *c, const char *url,
                                   struct acme_authorization *ret, struct err *e);
/* "Look now": the challenge is prepared. */
int acme_client_answer(struct acme_client *c, const char *challenge, struct err *e);
/* Gives an authorization back that nobody waits for any more. */
int acme_client_deactivate(struct acme_client *c, const char *authorization, struct err *e);
int acme_client_finalize(struct acme_client *c, const char *url, struct span csr_der,
                         struct acme_order *ret, struct err *e);
/* The chain as PEM, appended. */
int acme_client_certificate(struct acme_client *c, const char *url, struct buf *ret_pem,
                            struct err *e);
/* RFC 9773. -ENOENT: the CA has none. */
int acme_client_window(struct acme_client *c, const char *certificate_id, struct acme_window *ret,
                       struct err *e);

/* token "." thumbprint of the account key */
bool acme_key_authorization(const struct acme_client *c, const char *token, struct buf *out);
/* The id of a certificate for renewal information (RFC 9773 section 4.1). False: it lacks an authority key identifier.
 */
bool acme_certificate_id(struct span der, struct buf *out);

#endif
