/*
 * authd_msg.h: what stands in the messages to and from authd (ipc/messages.def, section 200).
 *
 * Readers take what less trusted processes send: true only when all of it was read, within its
 * limits, and nothing was left over. Spans point into the message. A manager's call that fails has
 * the reason as text in its answer.
 */
#ifndef DIRECTORY_AUTHD_MSG_H
#define DIRECTORY_AUTHD_MSG_H

#include "base/codec.h"
#include "directory/directory.h"

enum {
    AUTHD_SASL_MAX = 8192, /* a response of the client */
    AUTHD_CHALLENGE_MAX = 2048,
    AUTHD_STATE_MAX = 4096, /* sealed state of an exchange */
    AUTHD_GRANT_MAX = 256,
    AUTHD_FORWARD_MAX = 96, /* a grant to forward */
    AUTHD_BINDING_MAX = 64, /* channel binding data */
    AUTHD_MECHANISM_MAX = 32,
    AUTHD_VSERVER_MAX = 64,
    AUTHD_PROTOCOL_MAX = 16,
    AUTHD_CERTIFICATE_MAX = 4096, /* facts of a client's certificate */
    AUTHD_CERTIFICATE_NAMES = 4,
    AUTHD_LINE_MAX = 200,
};

/* ------------------------------------------------------------------ logins */
struct authd_context { /* who asks */
    char vserver[AUTHD_VSERVER_MAX + 1];
    char protocol[AUTHD_PROTOCOL_MAX + 1]; /* conf_protocol_name */
    struct in6_addr peer;
    bool trusted, tls;
    uint64_t session;
    uint32_t worker_generation;
    struct span binding_exporter, binding_endpoint;
    struct span certificate; /* struct authd_certificate, encoded; empty: none that holds, or not
                                of interest */
};
void wr_authd_context(struct buf *b, const struct authd_context *x);

/* What a client's certificate says, of which the session knows that it chains to the virtual
 * server's trust list. Hex, lower case. */
struct authd_certificate {
    char spki_sha256[65], issuer_sha256[65];
    char serial[41];
    char subject[AUTHD_LINE_MAX + 1], issuer[AUTHD_LINE_MAX + 1];
    int64_t not_before, not_after;
    unsigned email_count, upn_count;
    char email[AUTHD_CERTIFICATE_NAMES][NAME_ADDRESS_MAX + 1];
    char upn[AUTHD_CERTIFICATE_NAMES][NAME_ADDRESS_MAX + 1];
};
void wr_authd_certificate(struct buf *b, const struct authd_certificate *c);
bool rd_authd_certificate(struct span s, struct authd_certificate *ret);

/* AUTH_CERTIFICATE: a context with a certificate → verdict (enum auth_step: OK, FAIL, TEMPFAIL) and
 * why. */
bool rd_authd_context(struct span s, struct authd_context *ret);
void wr_authd_verdict(struct buf *b, uint8_t step, const char *reason);
bool rd_authd_verdict(struct span s, uint8_t *ret_step, char ret_reason[AUTHD_LINE_MAX + 1]);

struct authd_start { /* AUTH_START */
    struct authd_context context;
    struct span mechanism;
    struct span initial; /* p NULL: none */
};
void wr_authd_start(struct buf *b, struct span context, struct span mechanism, struct span initial);
bool rd_authd_start(struct span s, struct authd_start *ret);

struct authd_continue { /* AUTH_CONTINUE */
    struct authd_context context;
    struct span state, response;
};
void wr_authd_continue(struct buf *b, struct span context, struct span state, struct span response);
bool rd_authd_continue(struct span s, struct authd_continue *ret);

struct authd_password { /* AUTH_PASSWORD */
    struct authd_context context;
    struct span user, password;
};
void wr_authd_password(struct buf *b, const struct authd_password *p);
bool rd_authd_password(struct span s, struct authd_password *ret);

/* AUTH_REGRANT: a grant. The answer of all four: */
struct authd_answer {
    uint8_t step;          /* enum auth_step (sasl/auth.h) */
    uint32_t delay_ms;     /* waited for the throttle */
    struct span challenge; /* to the client */
    struct span state;     /* AUTH_CONTINUE: comes back with the response */
    uint64_t account;      /* AUTH_OK: this and the following */
    struct span address;
    uint32_t rights;
    struct span grant;
};
enum { AUTHD_STEPS = 6 };
void wr_authd_answer(struct buf *b, const struct authd_answer *a);
bool rd_authd_answer(struct span s, struct authd_answer *ret);

/* ------------------------------------------------------------------ addresses */
struct authd_resolve { /* RESOLVE */
    uint32_t first;    /* target to begin with */
    struct span address;
};
void wr_authd_resolve(struct buf *b, const struct authd_resolve *q);
bool rd_authd_resolve(struct span s, struct authd_resolve *ret);
struct authd_targets { /* its answer: targets first … first+count-1 of total; a page each */
    enum directory_found found;
    uint64_t version; /* of the directory: pages of different versions do not belong together */
    uint32_t total, count;
    struct rd targets; /* rd_authd_target, count times, then rd_done */
};
/* Appends as many of v[first…] as fit in max bytes. grants[i] goes with v[i]: of a remote one, what
 * lets a stranger's message go on to it; NULL: none of them has one. */
void wr_authd_targets(struct buf *b, enum directory_found found, uint64_t version,
                      const struct directory_target *v, const struct span *grants, size_t n,
                      size_t first, size_t max);
bool rd_authd_targets(struct span s, struct authd_targets *ret);
bool rd_authd_target(struct rd *r, struct directory_target *ret, struct span *ret_grant);

struct authd_send_as { /* MAY_SEND_AS; the answer is one bool */
    uint64_t account;
    struct span address;
};
void wr_authd_send_as(struct buf *b, const struct authd_send_as *q);
bool rd_authd_send_as(struct span s, struct authd_send_as *ret);

/* ------------------------------------------------------------------ managing */
struct authd_account_add { /* ACCOUNT_ADD → its number (u64) */
    struct span address, title, password;
    uint32_t rights, protocols; /* GRANT_…; bit per enum conf_protocol */
};
void wr_authd_account_add(struct buf *b, const struct authd_account_add *a);
bool rd_authd_account_add(struct span s, struct authd_account_add *ret);

struct authd_account_set { /* ACCOUNT_SET */
    struct span address;
    struct account_change change;
};
void wr_authd_account_set(struct buf *b, const struct authd_account_set *a);
bool rd_authd_account_set(struct span s, struct authd_account_set *ret);

/* ACCOUNT_PASSWORD: address, password. MEMBER_ADD, MEMBER_REMOVE: group, member. MEMBER_LIST:
 * group, member to go on after. */
void wr_authd_pair(struct buf *b, struct span one, struct span two);
bool rd_authd_pair(struct span s, struct span *ret_one, struct span *ret_two);

/* ACCOUNT_REMOVE: the address, raw; the account goes when the store has confirmed it. ACCOUNT_SHOW:
 * the same → one account. ACCOUNT_LIST: number to go on after (u64) → more (bool), count (u16),
 * accounts. */
void wr_authd_account(struct buf *b, const struct directory_account *a);
bool rd_authd_account(struct rd *r, struct directory_account *ret);

/* ACCOUNT_CERT_ADD: account's address ("*": a rule for all), a row. ACCOUNT_CERT_REMOVE: address,
 * name (wr_authd_pair). ACCOUNT_CERT_LIST: address ("": all accounts and rules), number to go on
 * after → more, count, rows, each behind the account's address. */
void wr_authd_cert_add(struct buf *b, struct span address, const struct directory_certificate *c);
bool rd_authd_cert_add(struct span s, struct span *ret_address, struct directory_certificate *ret);
void wr_authd_cert_list(struct buf *b, struct span address, uint64_t after);
bool rd_authd_cert_list(struct span s, struct span *ret_address, uint64_t *ret_after);
void wr_authd_cert_row(struct buf *b, const char *address, const struct directory_certificate *c);
bool rd_authd_cert_row(struct rd *r, char ret_address[NAME_ADDRESS_MAX + 1],
                       struct directory_certificate *ret);

/* ENTRY_ADD, ENTRY_SET: an entry. ENTRY_SHOW: kind (u8), address → an entry. ENTRY_REMOVE: the
 * same, no answer. ENTRY_LIST: kind, address to go on after → more, count, entries. MEMBER_LIST →
 * more, count, spans. */
void wr_authd_entry(struct buf *b, const struct directory_entry *n);
bool rd_authd_entry(struct rd *r, struct directory_entry *ret);
void wr_authd_entry_name(struct buf *b, enum directory_entry_kind kind, struct span address);
bool rd_authd_entry_name(struct span s, enum directory_entry_kind *ret_kind,
                         struct span *ret_address);

/* The head of a page, filled in when its rows are written: more, count. */
size_t wr_authd_page_begin(struct buf *b);
void wr_authd_page_end(struct buf *b, size_t at, bool more, uint16_t count);
bool rd_authd_page(struct rd *r, bool *ret_more, uint16_t *ret_count);

#endif
