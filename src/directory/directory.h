/*
 * directory.h: accounts, aliases, groups and the mail addresses of newsgroups, in one SQLite
 * database (WAL, synchronous=FULL) that authd owns. A change is durable when its call returns.
 *
 * All addresses live in one table: an address is an account or an alias or a group or a newsgroup,
 * never two of them. Local parts are matched without case (ASCII), user+detail@ is user@,
 * postmaster@ of every local domain exists.
 *
 * A struct directory is one connection and is used by one thread at a time. authd opens two: one to
 * read on its loop, one to write on a helper thread (a write waits for the disk).
 *
 * Errors: 0; -EINVAL (a name, an address, a value), -EEXIST (the address is taken), -ENOENT, -EBUSY
 * (not in the state for it), -EIO; the reason is in `e`, in words for an administrator.
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include "base/err.h"
#include "conf/conf.h"
#include "directory/credential.h"
#include "directory/name.h"

enum {
    DIRECTORY_SCHEMA = 2,
    DIRECTORY_ACCOUNT_FIRST = 16,     /* account numbers start here and are never used again */
    DIRECTORY_TARGETS_MAX = 1000,     /* of one address, all groups expanded */
    DIRECTORY_VISITS_MAX = 4000,      /* addresses looked at while expanding */
    DIRECTORY_MEMBERS_MAX = 5000,     /* of one group */
    DIRECTORY_CERTIFICATES_MAX = 100, /* of one account */
};

struct directory;

/* folder is made if it is missing. The database and its files are open when this returns. */
int directory_open(const char *folder, struct directory **ret, struct err *e);
void directory_close(struct directory *d); /* NULL is fine */
/* Local domains and postmaster; borrowed until replaced. Needed before any name is looked up. */
void directory_set_conf(struct directory *d, const struct conf *c);
/* Changes whenever something was written, by whatever connection. */
uint64_t directory_version(struct directory *d);
/* 32 random bytes made with the database: for the salts of users who do not exist. */
const unsigned char *directory_secret(const struct directory *d);

/* ------------------------------------------------------------------ accounts */
enum directory_state {
    ACCOUNT_STATE_ENABLED = 1,
    ACCOUNT_STATE_DISABLED = 2, /* no login, no mail */
    ACCOUNT_STATE_DELETING = 3, /* the first phase of deletion: its mail goes; then the row goes */
};

struct directory_account {
    uint64_t id;
    char address[NAME_ADDRESS_MAX + 1];
    char title[NAME_TITLE_MAX + 1];
    enum directory_state state;
    uint32_t rights;    /* GRANT_… (store/grant.h) */
    uint32_t protocols; /* bit per enum conf_protocol */
    uint64_t epoch;     /* from 1; raised when grants given before must end */
    int64_t created_seconds, changed_seconds;
};

struct account_new {
    struct span address; /* without '@': in the first domain */
    struct span title;
    uint32_t rights, protocols;
    const struct credential *credential;
};
int directory_account_add(struct directory *d, const struct account_new *n, uint64_t *ret_id,
                          struct err *e);
int directory_account_get(struct directory *d, uint64_t id,
                          struct directory_account *ret); /* 0, -ENOENT, -EIO */
int directory_account_find(struct directory *d, struct span address,
                           struct directory_account *ret); /* the primary address only */
/* For a login: account and credential by name. Any state. 0, -ENOENT, -EIO. */
int directory_login(struct directory *d, struct span user, struct directory_account *ret,
                    struct credential *ret_credential);

enum {
    ACCOUNT_SET_TITLE = 1,
    ACCOUNT_SET_STATE = 2,
    ACCOUNT_SET_RIGHTS = 4,
    ACCOUNT_SET_PROTOCOLS = 8
};
struct account_change {
    unsigned set; /* ACCOUNT_SET_… : which of the following count */
    struct span title;
    enum directory_state
        state; /* enabled and disabled only; a deleting account may so be brought back */
    uint32_t rights, protocols;
};
/* Raises the epoch when something is taken away (state, rights, protocols). */
int directory_account_set(struct directory *d, uint64_t id, const struct account_change *c,
                          struct err *e);
/* keep_epoch: the same password under a new cost. */
int directory_account_set_credential(struct directory *d, uint64_t id, const struct credential *c,
                                     bool keep_epoch, struct err *e);
int directory_account_delete_begin(struct directory *d, uint64_t id, struct err *e);
int directory_account_delete_finish(struct directory *d, uint64_t id,
                                    struct err *e); /* -EBUSY: not deleting */
/* By number, after `after`. fn returns false to stop. */
int directory_account_each(struct directory *d, uint64_t after,
                           bool (*fn)(const struct directory_account *a, void *arg), void *arg);
uint64_t directory_account_count(struct directory *d);

/* Raises the account's epoch: who is logged in must log in anew. -ENOENT. */
int directory_account_advance(struct directory *d, uint64_t id, struct err *e);

/* ------------------------------------------------------------------ certificates
 * What a client's certificate must have to stand for an account. Whether it holds at all is the virtual server's trust list's to say. */
enum directory_certificate_kind {
    CERTIFICATE_SPKI = 1,          /* value: SHA-256 of its key */
    CERTIFICATE_ISSUER_SERIAL = 2, /* SHA-256 of the issuer's name ':' serial number */
    CERTIFICATE_EMAIL = 3, /* … ':' a mail address among its alternative names; "*" for account 0 */
    CERTIFICATE_UPN = 4,   /* … ':' a user principal name; "*" for account 0 */
    CERTIFICATE_KINDS
};
enum { CERTIFICATE_VALUE_MAX = 64 + 1 + NAME_ADDRESS_MAX, CERTIFICATE_TEXT = 200 };
struct directory_certificate {
    uint64_t id,
        account; /* account 0: a rule: the account whose address stands in the certificate */
    char name[NAME_TITLE_MAX + 1]; /* "laptop"; one of an account's has it */
    enum directory_certificate_kind kind;
    char value[CERTIFICATE_VALUE_MAX + 1];
    char serial[41]; /* of the certificate, if it was seen; "" for rules of names */
    char subject[CERTIFICATE_TEXT + 1], issuer[CERTIFICATE_TEXT + 1]; /* for people */
    int64_t ends_seconds, created_seconds;                            /* ends 0: not known */
    bool issued; /* by our own CA for this account */
};
/* -ENOENT: no such account; -EEXIST: the name is taken; -E2BIG. */
int directory_certificate_add(struct directory *d, const struct directory_certificate *c,
                              struct err *e);
/* Raises the account's epoch: who is logged in with it must log in anew. -ENOENT. */
int directory_certificate_remove(struct directory *d, uint64_t account, struct span name,
                                 struct err *e);
int directory_certificate_get(struct directory *d, uint64_t account, struct span name,
                              struct directory_certificate *ret); /* 0, -ENOENT, -EIO */
/* Rows of exactly that kind and value. fn returns false to stop. */
int directory_certificate_find(struct directory *d, enum directory_certificate_kind kind,
                               const char *value,
                               bool (*fn)(const struct directory_certificate *c, void *arg),
                               void *arg);
/* Rows of the certificate with that serial number. */
int directory_certificate_by_serial(struct directory *d, const char *serial,
                                    bool (*fn)(const struct directory_certificate *c, void *arg),
                                    void *arg);
/* By number, after `after`; of one account, or of all (UINT64_MAX). */
int directory_certificate_each(struct directory *d, uint64_t account, uint64_t after,
                               bool (*fn)(const struct directory_certificate *c, void *arg),
                               void *arg);

/* ------------------------------------------------------------------ other addresses */
enum directory_entry_kind {
    ENTRY_ACCOUNT = 1,
    ENTRY_ALIAS = 2,
    ENTRY_GROUP = 3,
    ENTRY_NEWSGROUP = 4
};
struct directory_entry {
    enum directory_entry_kind kind;
    char address[NAME_ADDRESS_MAX + 1];
    char target[NAME_ADDRESS_MAX + 1]; /* ALIAS: address; NEWSGROUP: its name */
    char title[NAME_TITLE_MAX + 1];    /* GROUP */
    bool mail;                  /* GROUP: takes mail from outside; as a member it always counts */
    bool send_as;               /* GROUP: members may send as its address */
    uint64_t account;           /* ACCOUNT */
    enum directory_state state; /* ACCOUNT; not in messages */
};
int directory_entry_find(struct directory *d, struct span address,
                         struct directory_entry *ret); /* 0, -ENOENT, -EIO; exactly that address */
/* kind ALIAS, GROUP or NEWSGROUP, with its address, target, title, mail, send_as. */
int directory_entry_add(struct directory *d, const struct directory_entry *n, struct err *e);
int directory_group_set(struct directory *d, const struct directory_entry *n,
                        struct err *e); /* title, mail, send_as */
int directory_entry_remove(struct directory *d, enum directory_entry_kind kind, struct span address,
                           struct err *e);
/* In order of domain and local part, after the address `after` (empty: from the start). */
int directory_entry_each(struct directory *d, enum directory_entry_kind kind, struct span after,
                         bool (*fn)(const struct directory_entry *n, void *arg), void *arg);
/* Members are addresses: of accounts, aliases, groups, or of other servers. */
int directory_member_add(struct directory *d, struct span group, struct span member, struct err *e);
int directory_member_remove(struct directory *d, struct span group, struct span member,
                            struct err *e);
int directory_member_each(struct directory *d, struct span group, struct span after,
                          bool (*fn)(struct span member, void *arg), void *arg);

/* The groups that have this address as a member, or one of them that has; each once, at most `max`.
 * fn gets the address of each. Aliases are not followed. 0, -EIO. */
int directory_groups_of(struct directory *d, struct span address, size_t max,
                        void (*fn)(struct span group, void *arg), void *arg);

/* ------------------------------------------------------------------ quotas, quota.c */
/* Of an account by its address, or of all accounts of a domain together. 0 bytes: as much as they
 * like. */
int directory_quota_set(struct directory *d, struct span name, uint64_t bytes, struct err *e);
/* *ret 0: none. 0, -EIO. */
int directory_quota_get(struct directory *d, struct span name, uint64_t *ret);
/* By name, after `after`. fn returns false to stop. */
int directory_quota_each(struct directory *d, struct span after,
                         bool (*fn)(struct span name, uint64_t bytes, void *arg), void *arg);

/* ------------------------------------------------------------------ where mail goes */
enum directory_target_kind { DIRECTORY_ACCOUNT, DIRECTORY_NEWSGROUP, DIRECTORY_REMOTE };
struct directory_target {
    enum directory_target_kind kind;
    uint64_t account;
    char address[NAME_ADDRESS_MAX + 1]; /* ACCOUNT: primary address; NEWSGROUP: its name */
};
enum directory_found {
    DIRECTORY_FOUND,
    DIRECTORY_NONE,      /* a local domain, but nobody there */
    DIRECTORY_DISABLED,  /* only accounts that are disabled */
    DIRECTORY_NOT_LOCAL, /* not our domain (aliases of ours may still lead there) */
    DIRECTORY_INVALID,   /* no address */
    DIRECTORY_TEMPFAIL,  /* too many targets, or the database failed */
};
/* *ret_targets is malloc'ed; each target once, in a fixed order. */
enum directory_found directory_resolve(struct directory *d, struct span address,
                                       struct directory_target **ret_targets, size_t *ret_count);
/* Own address, alias of it, or a group with send_as that it is a member of. */
bool directory_may_send_as(struct directory *d, uint64_t account, struct span address);

#endif
