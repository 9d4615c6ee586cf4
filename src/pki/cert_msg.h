/*
 * cert_msg.h: payloads of the messages about certificates (messages.def, section 400). A negative
 * status comes with the reason as text.
 *
 *   CA_ISSUE       cstr profile, u32 days (0: as configured), cstr requester, span request
 * (PKCS#10, DER), names      → cstr serial, chain CA_ROOTS       – → chain: the roots to trust
 *   CA_INFO        –                                                                  → JSON
 *   CA_LIST        u8 filter (enum ca_filter of ca/register.h), i64 after             → JSON, a
 * page CA_SHOW        cstr serial                                                        → JSON
 *   CA_REVOKE      cstr serial, u8 reason (RFC 5280)
 *   CA_STATE       cstr serial                                                        → u8 revoked,
 * u8 reason, i64 time; -ENOENT: not ours CA_REVOKED     as CA_REVOKE CA_CRL         i64 CA (0: the
 * issuing one in use)                                 → memfd with the CRL, DER CERT_IDENTITY  cstr
 * virtual server, u8 slot (enum tls_slot), cstr key id, cstr serial, chain; an empty chain empties
 * the slot CERT_LIST      – → JSON CERT_SHOW      cstr virtual server → JSON CERT_ISSUE     cstr
 * virtual server                                                → JSON, as of CERT_SHOW, when it is
 * live CERT_CA_PEM    –                                                                  → PEM of
 * the roots
 *
 *   CERT_REQUEST   cstr virtual server, cstr name, cstr key type, bool exportable, bool same key,
 * bool as current (subject and names are those of the certificate in use), cstr authority (to be
 * asked at once; empty: none), cstr common name,
 * organization, unit, country, state, locality, names → JSON {pem, …}
 *   CERT_PENDING   cstr virtual server → JSON {pem, …}
 *   CERT_CANCEL, CERT_REMOVE, CERT_ROLLBACK, CERT_CHAIN  cstr virtual server
 *   CERT_ROOTS     cstr virtual server → PEM: the roots that came with its certificate, those of
 * the own CA where that has issued it; empty: of another CA, and none came with it
 *   CERT_OFFER     cstr virtual server, u8 source (enum identity_source: external or import), cstr
 * key id (import), span SPKI (import, to look at before its key is at keyd), cstr name, bool
 * install; memfd: files, each {u8 kind (enum cert_file_kind), cstr name, span bytes} → JSON
 *   CERT_ASSIGN    cstr virtual server, cstr whose it is → JSON, as of CERT_SHOW
 *   CERT_COPY      as CERT_ASSIGN
 *   CA_ISSUING     – → DER certificates, each as span: as many as there is room for, those in use
 * first
 *   CERT_RENEW     cstr virtual server, bool same key → JSON, as of CERT_SHOW
 *   CERT_TLSA      cstr virtual server → JSON
 *   CERT_AUTHORITY cstr authority, u8 what (enum cert_account_what) → JSON
 *   CERT_REVOKE    cstr virtual server, cstr serial (empty: of the one in use), u8 reason (RFC 5280)
 * → JSON, as of CERT_SHOW
 *   CERT_SWAP      cstr virtual server, bool now (in the place of same key) → JSON, as of CERT_SHOW;
 * -EINPROGRESS: it waits, and why
 *
 *   names          u16 count, each u8 type, cstr text; none in CA_ISSUE: those of the request
 *   chain          all the rest: DER certificates, each as span, leaf first
 */
#ifndef PKI_CERT_MSG_H
#define PKI_CERT_MSG_H

#include "base/codec.h"
#include "pki/request.h"

enum {
    CERT_MSG_WORD_MAX = 63,
    CERT_MSG_REQUESTER_MAX = 200,
    CERT_MSG_KEY_ID_MAX = 64,
    CERT_MSG_LABEL_MAX = 128
};

struct ca_issue_msg {
    char profile[CERT_MSG_WORD_MAX + 1];
    uint32_t days;
    char requester[CERT_MSG_REQUESTER_MAX + 1];
    struct span request; /* into the body */
    struct cert_names names;
};
void wr_ca_issue(struct buf *b, const struct ca_issue_msg *m);
bool rd_ca_issue(struct span body, struct ca_issue_msg *ret); /* cert_names_done(&ret->names) */

struct ca_issued_msg {
    char serial[CERTIFICATE_SERIAL_MAX];
    struct span chain; /* into the body */
};
void wr_ca_issued(struct buf *b, const struct ca_issued_msg *m);
bool rd_ca_issued(struct span body, struct ca_issued_msg *ret);

struct ca_list_msg {
    uint8_t filter;
    int64_t after;
};
void wr_ca_list(struct buf *b, const struct ca_list_msg *m);
bool rd_ca_list(struct span body, struct ca_list_msg *ret);

struct ca_revoke_msg {
    char serial[CERTIFICATE_SERIAL_MAX];
    uint8_t reason;
};
void wr_ca_revoke(struct buf *b, const struct ca_revoke_msg *m);
bool rd_ca_revoke(struct span body, struct ca_revoke_msg *ret);

struct ca_state_msg {
    bool revoked;
    uint8_t reason;
    int64_t time;
};
void wr_ca_state(struct buf *b, const struct ca_state_msg *m);
bool rd_ca_state(struct span body, struct ca_state_msg *ret);

void wr_ca_crl(struct buf *b, int64_t ca);
bool rd_ca_crl(struct span body, int64_t *ret);

/* CA_SHOW, CA_STATE, CERT_SHOW, CERT_ISSUE: one word. */
void wr_cert_word(struct buf *b, const char *word);
bool rd_cert_word(struct span body, char ret[CERT_MSG_WORD_MAX + 1]);

struct cert_identity_msg {
    char vserver[CERT_MSG_WORD_MAX + 1];
    uint8_t slot;
    char key_id[CERT_MSG_KEY_ID_MAX + 1];
    char serial[CERTIFICATE_SERIAL_MAX];
    struct span chain; /* into the body; for tls_context_identity */
};
void wr_cert_identity(struct buf *b, const struct cert_identity_msg *m);
bool rd_cert_identity(struct span body, struct cert_identity_msg *ret);

/* CERT_STAPLE: cstr virtual server, cstr SHA-256 of the certificate (hex), i64 until, span OCSPResponse (empty: none any more). */
struct cert_staple_msg {
    char vserver[CERT_MSG_WORD_MAX + 1], sha256[65];
    int64_t until;
    struct span answer; /* into the body */
};
void wr_cert_staple(struct buf *b, const struct cert_staple_msg *m);
bool rd_cert_staple(struct span body, struct cert_staple_msg *ret);

struct cert_request_msg {
    char vserver[CERT_MSG_WORD_MAX + 1];
    char name[CERT_MSG_LABEL_MAX + 1];
    char key_type[16];
    bool exportable, same_key, as_current;
    char authority[CERT_MSG_WORD_MAX + 1]; /* sent to it at once; "": a file for some CA */
    struct cert_fields fields;
    struct cert_names names;
};
void wr_cert_request(struct buf *b, const struct cert_request_msg *m);
bool rd_cert_request(struct span body, struct cert_request_msg *ret); /* cert_names_done */

enum cert_file_kind { CERT_FILE_ANSWER, CERT_FILE_ROOT, CERT_FILE_POOL, CERT_FILE_KINDS };
enum { CERT_FILES_MAX = 24, CERT_FILES_BYTES = 4 << 20, CERT_FILE_NAME_MAX = 255 };
struct cert_offer_msg {
    char vserver[CERT_MSG_WORD_MAX + 1];
    uint8_t source;
    char key_id[CERT_MSG_KEY_ID_MAX + 1];
    struct span spki; /* into the body */
    char name[CERT_MSG_LABEL_MAX + 1];
    bool install;
};
void wr_cert_offer(struct buf *b, const struct cert_offer_msg *m);
bool rd_cert_offer(struct span body, struct cert_offer_msg *ret);
struct cert_file {
    uint8_t kind;
    char name[CERT_FILE_NAME_MAX + 1];
    struct span bytes;
};
void wr_cert_file(struct buf *b, const struct cert_file *f);
void rd_cert_file(struct rd *r, struct cert_file *ret);

struct cert_assign_msg {
    char vserver[CERT_MSG_WORD_MAX + 1], from[CERT_MSG_WORD_MAX + 1];
};
void wr_cert_assign(struct buf *b, const struct cert_assign_msg *m);
bool rd_cert_assign(struct span body, struct cert_assign_msg *ret);

struct cert_renew_msg {
    char vserver[CERT_MSG_WORD_MAX + 1];
    bool same_key;
};
void wr_cert_renew(struct buf *b, const struct cert_renew_msg *m);
bool rd_cert_renew(struct span body, struct cert_renew_msg *ret);

enum cert_account_what { CERT_ACCOUNT_REKEY, CERT_ACCOUNT_LEAVE, CERT_ACCOUNT_WHATS };
struct cert_account_msg {
    char authority[CERT_MSG_WORD_MAX + 1];
    uint8_t what;
};
void wr_cert_account(struct buf *b, const struct cert_account_msg *m);
bool rd_cert_account(struct span body, struct cert_account_msg *ret);

struct cert_revoke_msg {
    char vserver[CERT_MSG_WORD_MAX + 1];
    char serial[CERTIFICATE_SERIAL_MAX];
    uint8_t reason;
};
void wr_cert_revoke(struct buf *b, const struct cert_revoke_msg *m);
bool rd_cert_revoke(struct span body, struct cert_revoke_msg *ret);

/* CERT_TRUST: cstr virtual server, u64 epoch; memfd: PEM. */
void wr_cert_trust(struct buf *b, const char *vserver, uint64_t epoch);
bool rd_cert_trust(struct span body, char ret_vserver[CERT_MSG_WORD_MAX + 1], uint64_t *ret_epoch);

/* CERT_PROBE: a connection of certd's own, to be served as if it had come to that endpoint, with the
 * certificate of that slot: cstr virtual server, u8 endpoint, u8 slot (enum tls_slot); the descriptor. */
struct cert_probe_msg {
    char vserver[CERT_MSG_WORD_MAX + 1];
    uint8_t endpoint, slot;
};
void wr_cert_probe(struct buf *b, const struct cert_probe_msg *p);
bool rd_cert_probe(struct span body, struct cert_probe_msg *ret);

void wr_cert_names(struct buf *b, const struct cert_names *n);
void rd_cert_names(struct rd *r,
                   struct cert_names *ret); /* adds; a name that is none is an error */

#endif
