/*
 * register.h: the register of our own CA: which CAs there are and every certificate they made.
 * SQLite, owned by cad alone. A certificate is in the register before anybody gets it. Calls block
 * for a write to disk and may come from a helper thread, one at a time.
 *
 * Schema 3 (PRAGMA user_version; earlier ones are brought up to it):
 *   ca           one row a CA: kind root|issuing, key id at keyd, parent, state
 *                active|retired|revoked, number of its last CRL, DER
 *   certificate  one row a certificate: serial, subject, names, profile, issuer, SHA-256 of its
 * key, dates, state issued|revoked with time and reason, who asked, DER, its part part         the
 * certificates of a CA in the order of issuing, REGISTER_PART_MAX a part; each part has a CRL of
 * its own, so that none outgrows what keyd signs crl          the CRLs as they were signed above
 * certificates that stand above a CA's own in the chain and are not in `ca`: of an issuing CA whose
 * parent is another's, up to that root; of a root, its key certified by the other root of a
 * rollover          request      requests that wait for approval, or did       subordinate  our own
 * requests to CAs of others   certificate_text  where three letters stand, for searching
 */
#ifndef CA_REGISTER_H
#define CA_REGISTER_H

#include "pki/certificate.h"
#include "pki/crl.h"

enum ca_kind { CA_ROOT, CA_ISSUING };
enum ca_state { CA_ACTIVE, CA_RETIRED, CA_REVOKED };
const char *ca_kind_name(enum ca_kind k);
const char *ca_state_name(enum ca_state s);

enum { CA_KEY_ID_MAX = 64, CA_REQUESTER_MAX = 200 };

struct ca_record {
    int64_t id, parent; /* parent 0: a root signs itself, an issuing CA is below another's root */
    enum ca_kind kind;
    enum ca_state state;
    char key_id[CA_KEY_ID_MAX + 1];
    int64_t revoked_at;
    uint8_t reason;
    int64_t kept_at; /* when its key was last written to a file outside; 0: never */
    struct certificate *certificate;
    struct chain above;
};
void ca_record_done(struct ca_record *c);

struct cert_record {
    int64_t id, issuer;
    bool revoked;
    int64_t revoked_at, issued_at;
    uint8_t reason;
    char profile[32];
    char requester[CA_REQUESTER_MAX + 1];
    int64_t part; /* which CRL it names */
    struct certificate *certificate;
};
void cert_record_done(struct cert_record *r);

struct ca_register;

int ca_register_open(const char *path, struct ca_register **ret, struct err *e);
void ca_register_close(struct ca_register *r); /* NULL is fine */

/* All CAs by id; *ret malloc'ed, the certificates are the caller's. */
int ca_register_cas(struct ca_register *r, struct ca_record **ret, size_t *ret_count,
                    struct err *e);
/* Writes a CA with what stands above it; those of its kind that were active are retired, and its
 * request, if it was one to another CA, is done: one transaction. Sets c->id. before (NULL: none)
 * gets above_before. */
int ca_register_add_ca(struct ca_register *r, struct ca_record *c, const struct ca_record *before,
                       const struct chain *above_before, struct err *e);

/* A request to another CA, to certify an issuing CA of ours. */
struct ca_asked {
    char key_id[CA_KEY_ID_MAX + 1], subject[600];
    unsigned char spki[1024];
    size_t spki_bytes;
    int64_t requested_at;
};
typedef bool (*ca_asked_fn)(void *arg, const struct ca_asked *a, struct span der);
int ca_register_ask(struct ca_register *r, const struct ca_asked *a, struct span der,
                    struct err *e);
/* Those that wait, the newest first, while fn returns true. */
int ca_register_asked(struct ca_register *r, ca_asked_fn fn, void *arg, struct err *e);
int ca_register_ask_forget(struct ca_register *r, const char *key_id, struct err *e);

/* Revokes a CA and all that it issued and that is still good: one transaction. *ret_count: how many
 * certificates. */
int ca_register_revoke_ca(struct ca_register *r, int64_t id, enum crl_reason reason, int64_t now,
                          int64_t *ret_count, struct err *e);
/* Its key is at keyd under another id. */
int ca_register_set_key(struct ca_register *r, int64_t id, const char *key_id, struct err *e);
int ca_register_set_kept(struct ca_register *r, int64_t id, int64_t time, struct err *e);
/* --- a copy of the whole register, and back: register_copy.c */

struct register_copy;
/* Begins to copy into a new file; what was there is removed. Each step copies some pages, other
 * calls may come between: what they change is in the copy too. */
int ca_register_copy_start(struct ca_register *r, const char *path, struct register_copy **ret,
                           struct err *e);
int ca_register_copy_step(struct register_copy *c, bool *ret_done, struct err *e);
void ca_register_copy_end(struct register_copy *c); /* NULL is fine */

/* A key of a CA, by the name that it had and that it has. */
struct register_key {
    const char *old_id, *new_id;
};
/* Puts the register in the file at path, which is changed, in the place of this one: in one step.
 * Numbers of CRLs go on far above those of the file: what was signed since it was copied is not
 * known. What this one has revoked is revoked in the other too, as far as that knows who issued it.
 * -EBADMSG: it is none, or damaged. */
struct register_carried {
    int64_t cas, certificates; /* revoked here, good there or not known */
};
int ca_register_restore(struct ca_register *r, const char *path, const struct register_key *keys,
                        size_t key_count, struct register_carried *ret, struct err *e);
/* Has nothing been made that anybody but our own virtual servers holds? 1, 0, negative errno. */
int ca_register_is_fresh(struct ca_register *r, struct err *e);

int ca_register_add(struct ca_register *r, const struct cert_record *c, struct err *e);
/* -ENOENT: no such serial. */
int ca_register_get(struct ca_register *r, const char *serial, struct cert_record *ret,
                    struct err *e);
/* The newest certificate for that key, by SHA-256 of its SPKI. -ENOENT. */
int ca_register_by_key(struct ca_register *r, const char *spki_sha256, struct cert_record *ret,
                       struct err *e);
/* Has any certificate for that key been revoked because the key was compromised? 1, 0, negative
 * errno. */
int ca_register_key_compromised(struct ca_register *r, const char *spki_sha256, struct err *e);
/* -ENOENT; -EALREADY: revoked before. A hold may become another reason. */
int ca_register_revoke(struct ca_register *r, const char *serial, enum crl_reason reason,
                       int64_t now, struct err *e);

/* On hold no more. -ENOENT; -EALREADY: it is not on hold. */
int ca_register_unhold(struct ca_register *r, const char *serial, struct err *e);

struct register_status {
    bool revoked;
    uint8_t reason;
    int64_t revoked_at;
};
/* For the answers of OCSP: 1, 0 (that CA made none with that serial), negative errno. */
int ca_register_status(struct ca_register *r, int64_t issuer, const char *serial,
                       struct register_status *ret, struct err *e);

/* --- CRLs: register_crl.c */

enum { REGISTER_PART_MAX = 1000, REGISTER_WHOLE = -1 };
struct register_part {
    int64_t part;
    char url[300]; /* of the CRL, without ".crl"; "": none is named */
};
/* The part that the CA's next certificate belongs to, counted at once. base_url "": it will name no
 * CRL. The address of a part is base_url, from the second on with "-PART" behind it. */
int ca_register_part(struct ca_register *r, int64_t issuer, const char *base_url,
                     struct register_part *ret, struct err *e);
/* How many parts there are, and the address of one. -ENOENT. */
int ca_register_part_get(struct ca_register *r, int64_t issuer, int64_t part, char ret_url[300],
                         unsigned *ret_parts, struct err *e);

struct crl_question {
    int64_t issuer, part; /* REGISTER_WHOLE: all of that CA */
    uint64_t base;        /* not 0: a delta, what has changed since the CRL of that number */
};
/* What a CRL must list. number 0: one more than the last is taken, and remembered before it is
 * used. */
int ca_register_crl(struct ca_register *r, const struct crl_question *q, int64_t now,
                    uint64_t *number, struct crl_entry **ret, size_t *ret_count, struct err *e);

struct crl_record {
    int64_t issuer, part;
    bool delta;
    uint64_t number, base;
    int64_t base_at; /* when that became the base */
    int64_t made_at, next_update;
    char url[300]; /* the part that it says it is; "": the whole */
};
int ca_register_crl_keep(struct ca_register *r, const struct crl_record *c, struct span der,
                         struct err *e);
/* The last one kept. ret_changed: something that it would list has changed since. -ENOENT. der may
 * be NULL. */
int ca_register_crl_get(struct ca_register *r, int64_t issuer, int64_t part, bool delta,
                        struct crl_record *ret, bool *ret_changed, struct buf *der, struct err *e);

enum ca_filter { CA_LIST_ALL, CA_LIST_VALID, CA_LIST_REVOKED, CA_LIST_EXPIRED, CA_LIST_HELD };
struct ca_search {
    enum ca_filter filter;
    int64_t after;
    const char *profile; /* "": any */
    const char *name;    /* part of a name, the subject or who asked, without case; "": any */
    int64_t ends_before; /* 0: whenever */
};
/* Rows after id `after`, oldest first, while fn returns true. */
typedef bool (*ca_list_fn)(void *arg, const struct cert_record *c);
int ca_register_list(struct ca_register *r, const struct ca_search *s, int64_t now, ca_list_fn fn,
                     void *arg, struct err *e);
/* Counts of valid, revoked, expired certificates. */
int ca_register_counts(struct ca_register *r, int64_t now, int64_t ret[3], struct err *e);

/* --- requests that wait for approval: register_request.c */

enum request_state { REQUEST_PENDING, REQUEST_APPROVED, REQUEST_DENIED };
struct request_record { /* texts are borrowed */
    int64_t id, received_at, decided_at;
    unsigned days;
    const char *requester, *profile, *subject, *names, *state, *reason, *serial;
};
struct request_answer {
    int64_t id, decided_at;
    enum request_state state;
    char reason[CA_REQUESTER_MAX + 1];
};
/* Takes it down as pending, unless the same message was there before: then what became of that. An
 * approval counts for so many seconds. -EAGAIN: too many wait. */
int ca_register_request(struct ca_register *r, const struct request_record *q, struct span message,
                        int64_t now, int64_t approval_lasts, struct request_answer *ret,
                        struct err *e);
typedef bool (*request_list_fn)(void *arg, const struct request_record *r);
int ca_register_requests(struct ca_register *r, bool all, int64_t after, request_list_fn fn,
                         void *arg, struct err *e);
/* -ENOENT; -EALREADY: it was decided before. */
int ca_register_request_message(struct ca_register *r, int64_t id, struct buf *ret, struct err *e);
/* serial NULL: denied. -ENOENT: none that waits. */
int ca_register_request_decide(struct ca_register *r, int64_t id, const char *serial,
                               const char *reason, int64_t now, struct err *e);

#endif
