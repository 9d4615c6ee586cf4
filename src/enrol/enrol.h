/*
 * enrol.h: enrolment of others with the own CA: the server side of ACME (RFC 8555, 8737, 8738, 9773)
 * and EST (RFC 7030), without network and keys of its own. enrold passes HTTP requests in; cad and
 * the checks of names are asked through hooks.
 *
 * Requests come from strangers: each is bounded, each gets an answer. Several calls may be under way;
 * no transaction of the database outlives a suspension.
 */
#ifndef ENROL_ENROL_H
#define ENROL_ENROL_H

#include "conf/conf.h"
#include "pki/cert_msg.h"
#include "pki/enrol_msg.h"

enum enrol_problem {
    PROBLEM_NONE,
#define PROBLEM(id, name, status) PROBLEM_##id,
#include "enrol/problems.def"
#undef PROBLEM
    PROBLEM_COUNT
};

/* Does whoever asked control that name? */
struct enrol_check {
    char kind[16]; /* "http-01", "dns-01", "tls-alpn-01" */
    bool address;  /* name is a numeric address */
    char name[CERT_NAME_TEXT_MAX + 1];
    char token[64], proof[200]; /* the key authorization, RFC 8555 section 8.1 */
};

struct enrol_hooks {
    /* As CA_ISSUE; reply as of that. -EINPROGRESS: an officer decides. suspends */
    int (*issue)(void *arg, const struct ca_issue_msg *m, struct buf *reply, struct err *e);
    int (*revoke)(void *arg, const struct ca_revoke_msg *m, struct err *e); /* suspends */
    int (*state)(void *arg, const char *serial, struct ca_state_msg *ret);  /* suspends */
    int (*roots)(void *arg, struct buf *ret_chain, struct err *e);          /* suspends */
    /* PROBLEM_NONE: yes. suspends */
    enum enrol_problem (*check)(void *arg, const struct enrol_check *k, struct err *e);
    /* Runs fn(fn_arg) by itself, soon. */
    void (*spawn)(void *arg, void (*fn)(void *fn_arg), void *fn_arg);
    void (*sleep_ms)(void *arg, uint64_t ms); /* suspends */
    void *arg;
};

struct enrol_counts {
    uint64_t requests, refused, accounts, orders, issued, revoked, checks, checks_failed;
};

struct enrol;
/* conf must outlive it or be replaced. */
int enrol_new(const char *path, const struct conf *conf, const struct enrol_hooks *hooks,
              struct enrol **ret, struct err *e);
void enrol_free(struct enrol *en); /* NULL is fine; not while a call is under way */
void enrol_conf(struct enrol *en, const struct conf *conf);
/* Checks that were under way before a restart; then hourly: what is over is forgotten. */
void enrol_resume(struct enrol *en);
void enrol_clean(struct enrol *en);
const struct enrol_counts *enrol_counts(const struct enrol *en);

/* Always gives an answer; its body goes to `body` (BUF(ENROL_ANSWER_MAX)). suspends */
void enrol_handle(struct enrol *en, const struct enrol_request *q, struct enrol_answer *ret,
                  struct buf *body);
/* From the command line. JSON, appended. */
int enrol_administer(struct enrol *en, const struct enrol_admin *m, struct buf *json,
                     struct err *e);

/* --- what the checks look at (check.c); for the process and for tests */
/* base64url of the SHA-256 of the proof: the TXT record of dns-01. */
void enrol_dns_value(const char *proof, struct buf *out);
/* RFC 8737 section 3: is this what a server shows that holds the proof? */
bool enrol_alpn_holds(struct x509_st *shown, const struct enrol_check *k, struct err *e);
/* RFC 8555 section 8.3: the body that was fetched, white space at its end aside. */
bool enrol_http_holds(struct span body, const struct enrol_check *k);

#endif
