/*
 * authd.h: what the files of authd share. It checks passwords and SCRAM exchanges, throttles, makes
 * grants, and answers where mail goes.
 *
 * Everything runs on the loop but two things on helper threads: Argon2id, and writing to the
 * directory. There are two connections to the directory, so that a write that waits for the disk
 * holds up nobody: `reader` belongs to the loop, `writer` to whoever has write_lock.
 */
#ifndef PROC_AUTHD_AUTHD_H
#define PROC_AUTHD_AUTHD_H

#include "directory/authd_msg.h"
#include "directory/directory.h"
#include "directory/proof.h"
#include "directory/throttle.h"
#include "proc/authd/recent.h"
#include "proc/child/child.h"

enum {
    AUTHD_HASHES_WAITING =
        32, /* for each helper thread; more logins than that are told to come back */
    AUTHD_DELAYED_MAX = 256, /* logins that sit out a delay, each with a fiber */
    AUTHD_PROOFS_MAX = 100000,
    AUTHD_THROTTLE_MAX = 50000,
    AUTHD_RECENT_MAX = 4096, /* of 1.2 KiB */
};

struct authd {
    struct child *child;
    struct directory *reader, *writer;
    struct fiber_lock write_lock;
    struct conf *writer_conf; /* the writer's own copy: a reload must not pull it from under a
                                 helper thread */
    bool writer_conf_old;
    struct throttle *throttle;
    struct proofs *proofs;
    struct recent *recent;                  /* of the reader */
    struct external_seen *external_seen;    /* revoked.c: logins by certificate */
    char decoy[CREDENTIAL_HASH_MAX];        /* hashed against for users who do not exist */
    unsigned hashing, hashing_now, delayed; /* hashing: the waiting ones too */
    struct fiber_cond hash_done;
    bool rehashing;
    struct {
        uint64_t logins, failures, refused, temporary, hashes, proofs, resolved, announced;
    } count;
};

/* From the argument of a handler. */
struct authd *authd_of(void *arg);
/* authd.c */
extern const struct child_ops authd_ops;
void authd_open(struct authd *a, struct child *c); /* before the jail: the databases */
void authd_begin(struct authd *a);                 /* in the jail: everything else */
void authd_done(struct authd *a);
/* `work` on a helper thread with the writer, one at a time. When it returns, nobody is answered from
 * what was read before. suspends */
void authd_write(struct authd *a, void (*work)(void *arg), void *arg);
struct credential_cost authd_cost(const struct authd *a);

/* login.c: AUTH_START, AUTH_CONTINUE, AUTH_PASSWORD, AUTH_REGRANT (fibers) */
void msg_auth_start(void *arg, struct msg *m);
void msg_auth_continue(void *arg, struct msg *m);
void msg_auth_password(void *arg, struct msg *m);
void msg_auth_regrant(void *arg, struct msg *m);

/* verify.c: one try. */
struct attempt;
enum verdict { VERDICT_GOOD, VERDICT_BAD, VERDICT_BUSY };
/* The end of a try whose proof was good, bad, or not looked at: answers. */
void login_conclude(struct attempt *t, const struct msg *m, enum verdict v, const char *authzid,
                    struct span challenge);
/* external.c: SASL EXTERNAL, and AUTH_CERTIFICATE. suspends */
void external_try(struct authd *a, const struct msg *m, const struct authd_context *x,
                  const char *authzid);
void msg_auth_certificate(void *arg, struct msg *m);
/* What our CA says about that serial number; one that it has not made is not its to judge. suspends */
enum verdict external_register(struct authd *a, const char *serial, const char **ret_reason);
/* revoked.c: CA_REVOKED (fiber) */
void revoked_init(struct authd *a);
void revoked_done(struct authd *a);
void revoked_remember(struct authd *a, const char *serial, uint64_t account);
/* What was revoked while cad or we were away. Returns at once. */
void revoked_catch_up(struct authd *a);
void msg_ca_revoked(void *arg, struct msg *m);
struct attempt {
    struct authd *a;
    const struct authd_context *context;
    char name[NAME_ADDRESS_MAX + 1]; /* folded, with its domain */
    struct throttle_try try;
    uint32_t delay_ms;
    bool known, hashed;
    struct directory_account account; /* known only */
    struct credential credential;
    const char *reason; /* of a failure, for the log */
};
void attempt_init(struct attempt *t, struct authd *a, const struct authd_context *x,
                  const char *user);
void attempt_done(struct attempt *t);
/* Waits out the throttle's delay. GOOD: go on, attempt_leave is due. suspends */
enum verdict attempt_enter(struct attempt *t);
void attempt_leave(struct attempt *t, enum verdict v, uint64_t digest);
enum verdict attempt_look_up(struct attempt *t); /* GOOD: known, or known not to exist */
enum verdict attempt_password(struct attempt *t,
                              struct span password); /* enter, look up, verify, leave. suspends */
/* Proven: may the account log in here, now, as authzid? */
bool attempt_allowed(struct attempt *t, const char *authzid);
void attempt_log_failure(const struct attempt *t);
/* The hash is of another cost than the configuration wants: made anew. suspends */
void attempt_refresh_hash(struct attempt *t, struct span password);

/* lookup.c */
void msg_resolve(void *arg, struct msg *m);
void msg_may_send_as(void *arg, struct msg *m);

/* manage.c, manage_cert.c, manage_entry.c (fibers where they write) */
void msg_account_add(void *arg, struct msg *m);
void msg_account_set(void *arg, struct msg *m);
void msg_account_show(void *arg, struct msg *m);
void msg_account_list(void *arg, struct msg *m);
void msg_account_remove(void *arg, struct msg *m);
void msg_quota_set(void *arg, struct msg *m);
void msg_quota_list(void *arg, struct msg *m);
void msg_account_password(void *arg, struct msg *m);
void msg_account_cert_add(void *arg, struct msg *m);
void msg_account_cert_remove(void *arg, struct msg *m);
void msg_account_cert_list(void *arg, struct msg *m);
void msg_entry_add(void *arg, struct msg *m);
void msg_entry_set(void *arg, struct msg *m);
void msg_entry_show(void *arg, struct msg *m);
void msg_entry_list(void *arg, struct msg *m);
void msg_entry_remove(void *arg, struct msg *m);
void msg_member_add(void *arg, struct msg *m);
void msg_member_remove(void *arg, struct msg *m);
void msg_member_list(void *arg, struct msg *m);
/* Answers a manager's call: the body, or on failure the reason. */
void manage_reply(const struct msg *m, int rc, struct span body, const struct err *e);
void manage_bad(const struct msg *m); /* the message cannot be read */

/* Workers forget where addresses lead; account, not 0: they ask about its sessions. */
void authd_tell_changed(struct authd *a, uint64_t account);

/* announce.c: stored learns of accounts and their epochs. */
void announce_all(struct authd *a); /* stored is there (again): starts a fiber */
/* One account has changed. 0: stored knows; -EPIPE …: it will hear when it is back. suspends */
/* The quota of an account or of a domain has changed. suspends */
int announce_quota(struct authd *a, struct span name, uint64_t bytes);
int announce_one(struct authd *a, uint64_t account);

#endif
