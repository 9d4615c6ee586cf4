/*
 * auth.h: login and addresses as a session sees them. The work is authd's; these calls ask it over a link and suspend meanwhile.
 *
 * A SASL exchange (RFC 4422) is relayed: the session decodes base64 and passes the client's responses on; authd runs the mechanism and answers
 * with a challenge or an end. Passwords are never kept or logged here.
 */
#ifndef SASL_AUTH_H
#define SASL_AUTH_H

#include "base/buf.h"
#include "ipc/link.h"
#include "store/grant.h"
#include <netinet/in.h>

enum { AUTH_MESSAGE_MAX = 8192, AUTH_NAME_MAX = 320, AUTH_GRANT_SECONDS = 86400 };

/* Who asks, for throttling, policy and the log. */
struct auth_context {
    const char *vserver;
    const char *protocol; /* "imap4", … */
    struct in6_addr peer; /* IPv4 as ::ffff:a.b.c.d */
    bool trusted;         /* in conf.trusted: no throttling */
    bool tls;
    uint64_t session; /* number of the session in this worker */
    uint32_t worker_generation;
    struct span binding_exporter; /* tls-exporter data (RFC 9266), empty if none */
    struct span binding_endpoint; /* tls-server-end-point data, empty if none */
    struct span
        certificate; /* what the client's certificate says, if it holds (wr_authd_certificate); empty: none. EXTERNAL */
};

struct auth_result {
    uint64_t account;
    char address[AUTH_NAME_MAX + 1]; /* the account's primary address */
    uint32_t rights;                 /* GRANT_… */
    char grant[256];                 /* token for the store */
    unsigned grant_bytes;
    uint32_t delay_ms; /* already waited; for the log */
};

enum auth_step {
    AUTH_CONTINUE, /* `challenge` goes to the client */
    AUTH_OK, /* ret_result is filled; `challenge` may hold last data for the client (SCRAM server-final), to be sent with or before the OK */
    AUTH_FAIL,     /* wrong credentials, or account may not use this protocol */
    AUTH_TEMPFAIL, /* authd is away or overloaded: 454 / [UNAVAILABLE] */
    AUTH_INVALID,  /* the client broke the mechanism's grammar */
    AUTH_UNKNOWN,  /* no such mechanism (here, or without TLS) */
};

struct auth_client;
struct auth_client *auth_client_new(void);
void auth_client_attach(struct auth_client *c, struct link *authd); /* NULL: away */
void auth_client_free(struct auth_client *c);
/* Where an address led is remembered for some seconds (known.h), if somebody passes on AUTH_CHANGED. */
void auth_client_remember(struct auth_client *c);
void auth_client_changed(struct auth_client *c);
/* Grows when something has changed in the directory since, or authd was started anew; stays the same while authd is away. */
uint64_t auth_changes(const struct auth_client *c);

struct auth_exchange; /* one AUTHENTICATE in progress; auth_cancel frees it, so does any end */
/* suspends. initial.p NULL: no initial response. *ret_exchange is set only for AUTH_CONTINUE. */
enum auth_step auth_start(struct auth_client *c, const struct auth_context *x,
                          struct span mechanism, struct span initial,
                          struct auth_exchange **ret_exchange, struct buf *challenge,
                          struct auth_result *ret_result);
enum auth_step auth_continue(struct auth_exchange *e, struct span response, struct buf *challenge,
                             struct auth_result *ret_result); /* suspends */
void auth_cancel(struct auth_exchange *e);                    /* NULL is fine */
/* User and password (POP3 USER/PASS, IMAP LOGIN, NNTP AUTHINFO USER). suspends. */
enum auth_step auth_password(struct auth_client *c, const struct auth_context *x, struct span user,
                             struct span password, struct auth_result *ret_result);
/* A session that outlives its grant (they end after a day): a new one for the old. AUTH_FAIL: the account was disabled or its password changed
 * since. suspends. */
enum auth_step auth_regrant(struct auth_client *c, struct span grant,
                            struct auth_result *ret_result);
/* Mechanism names offered, separated by blanks; "" where login is not allowed. With binding: the -PLUS ones too; certificate: the client has
 * shown one that holds. */
const char *auth_mechanisms(bool tls, bool binding, bool certificate);
/* Where a client certificate is required: may the session go on with the one in x? (Dates and revocation are looked at anew.) AUTH_OK, AUTH_FAIL,
 * AUTH_TEMPFAIL; the reason in words. suspends. */
enum { AUTH_REASON_MAX = 200 };
enum auth_step auth_certificate(struct auth_client *c, const struct auth_context *x,
                                char ret_reason[AUTH_REASON_MAX + 1]);

/* Where mail for an address goes. */
enum auth_target_kind { TARGET_ACCOUNT, TARGET_FOLDER, TARGET_REMOTE };
struct auth_target {
    enum auth_target_kind kind;
    uint64_t id; /* account, or the name below for folders */
    char address[AUTH_NAME_MAX +
                 1]; /* ACCOUNT: primary address; REMOTE: address; FOLDER: newsgroup name */
    char grant
        [96]; /* REMOTE: lets mail of anybody go there, for AUTH_FORWARD_SECONDS (struct store_recipient) */
    unsigned grant_bytes;
};
enum { AUTH_FORWARD_SECONDS = 600 };
enum auth_resolved {
    RESOLVED,
    RESOLVE_NONE /* 5.1.1 */,
    RESOLVE_DISABLED /* 5.2.1 */,
    RESOLVE_NOT_LOCAL,
    RESOLVE_TEMPFAIL
};
/* Aliases and groups are expanded fully (loops end, at most 1,000 targets; beyond: RESOLVE_TEMPFAIL). suspends. *ret_targets is malloc'ed. */
enum auth_resolved auth_resolve(struct auth_client *c, struct span address,
                                struct auth_target **ret_targets, size_t *ret_count);
/* May this account send as that address (own, alias, group with the right)? suspends. */
bool auth_may_send_as(struct auth_client *c, uint64_t account, struct span address);

#endif
