/*
 * document.h: the documents of ACME as a client reads them (RFC 8555 section 7.1, RFC 9773): directory, order,
 * authorization, problem, renewal information. They come from outside: what is too long, missing or of another kind is
 * refused with the reason, and nothing of it is believed before it was looked at.
 */
#ifndef ACME_DOCUMENT_H
#define ACME_DOCUMENT_H

#include "acme/json.h"
#include "acme/web.h"

enum {
    ACME_NAMES_MAX = 100,
    ACME_TOKEN_MAX = 256,
    ACME_CHALLENGES_MAX = 8,
    ACME_PROBLEM_MAX = 400,
};

enum acme_status {
    ACME_PENDING,
    ACME_READY,
    ACME_PROCESSING,
    ACME_VALID,
    ACME_INVALID,
    ACME_DEACTIVATED,
    ACME_EXPIRED,
    ACME_REVOKED,
    ACME_STATUS_COUNT
};
const char *acme_status_name(enum acme_status s);

/* What the CA objects to. */
struct acme_problem {
    char type[64]; /* short, "caa"; as it came where it is none of ours; "" : no problem */
    char detail[ACME_PROBLEM_MAX + 1]; /* the CA's own words; printable */
    char name[256];                    /* the identifier that it is about; "" : none was named */
    unsigned status;                   /* of HTTP */
};
/* Of an error answer or of a member of a document. False: it is no problem document. */
bool acme_problem_read(const json_t *object, struct acme_problem *ret);
/* In a sentence: what, about which name, the CA's words, what to do. */
void acme_problem_words(const struct acme_problem *p, const char *name, struct err *e);
/* May the same succeed later without anybody doing anything? */
bool acme_problem_passes(const struct acme_problem *p);

struct acme_directory {
    char new_nonce[WEB_URL_MAX + 1], new_account[WEB_URL_MAX + 1], new_order[WEB_URL_MAX + 1];
    char renewal_info[WEB_URL_MAX + 1];                        /* "": it has none */
    char key_change[WEB_URL_MAX + 1], revoke[WEB_URL_MAX + 1]; /* "" as well */
    bool account_bound; /* external account binding is required */
};
int acme_directory_read(struct span text, struct acme_directory *ret, struct err *e);

struct acme_order {
    enum acme_status status;
    char **authorizations;
    unsigned count;
    char finalize[WEB_URL_MAX + 1], certificate[WEB_URL_MAX + 1];
    int64_t expires; /* 0: not told */
    struct acme_problem problem;
};
int acme_order_read(struct span text, struct acme_order *ret, struct err *e);
void acme_order_done(struct acme_order *o);

struct acme_challenge {
    char type[32], url[WEB_URL_MAX + 1], token[ACME_TOKEN_MAX + 1];
    enum acme_status status;
    struct acme_problem problem;
};
struct acme_authorization {
    enum acme_status status;
    char name[256]; /* without "*." */
    bool is_address, wildcard;
    struct acme_challenge *challenges; /* at most ACME_CHALLENGES_MAX */
    unsigned count;
};
int acme_authorization_read(struct span text, struct acme_authorization *ret, struct err *e);
void acme_authorization_done(struct acme_authorization *a);
/* NULL: not offered. */
const struct acme_challenge *acme_challenge_of(const struct acme_authorization *a,
                                               const char *type);

/* RFC 9773: when the CA would like the certificate to be renewed. */
struct acme_window {
    int64_t start, end;
    char explanation[WEB_URL_MAX + 1]; /* "": none */
};
int acme_window_read(struct span text, struct acme_window *ret, struct err *e);

#endif
