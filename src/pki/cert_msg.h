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
 *   names          u16 count, each u8 type, cstr text; none in CA_ISSUE: those of the request
 *   chain          all the rest: DER certificates, each as span, leaf first
 */
#ifndef PKI_CERT_MSG_H
#define PKI_CERT_MSG_H

#include "base/codec.h"
#include "pki/request.h"

enum { CERT_MSG_WORD_MAX = 63, CERT_MSG_REQUESTER_MAX = 200, CERT_MSG_KEY_ID_MAX = 64 };

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

void wr_cert_names(struct buf *b, const struct cert_names *n);
void rd_cert_names(struct rd *r,
                   struct cert_names *ret); /* adds; a name that is none is an error */

#endif
