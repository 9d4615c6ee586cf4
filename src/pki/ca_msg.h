/*
 * ca_msg.h: payloads of the messages that administer the own CA (messages.def, section 400; the
 * others stand in cert_msg.h). A negative status comes with the reason as text.
 *
 *   CA_FIND        u8 filter (enum ca_filter), i64 after, cstr profile, cstr name, u32 days
 *                                                       → JSON, as CA_LIST
 *   CA_UNHOLD      cstr serial
 *   CA_REQUESTS    bool decided ones too, i64 after     → JSON {"requests":[…],"next":id}
 *   CA_DECIDE      i64 id, bool approve, cstr reason    → approve: as CA_ISSUE
 *   CA_ROOT        u8 verb (enum ca_root_verb), cstr key id (of TAKE, KEPT), i64 CA (of REVOKE)
 *                                                     → REVOKE: JSON {"revoked":count}
 *   CA_ROLLOVER    bool root too                        → JSON {"crossed":bool,"info":as CA_INFO}
 *   CA_BACKUP      –                                    → a file's descriptor
 *   CA_ASK         bool anew, cstr common name, organization, unit, country, state, locality
 *                                                       → bool made now, span PKCS#10
 *   CA_INSTALL     span certificates, span roots (both DER, each as wr_span)  → JSON, as CA_INFO
 *   CA_RESTORE     bool force, u16 count, then cstr key id in the register, cstr at keyd; a
 *                  descriptor                           → JSON, as CA_INFO
 *   CA_OCSP        OCSPRequest, DER (all of it)         → OCSPResponse, DER
 *   CA_FILE        name (all of it)                     → DER; -ENOENT
 */
#ifndef PKI_CA_MSG_H
#define PKI_CA_MSG_H

#include "pki/cert_msg.h"

enum { CA_REASON_MAX = 200 };
/* Who alone gets certificates of profile evidence, also their common name. */
#define CA_EVIDENCE_REQUESTER "sealpost evidence"

struct ca_find_msg {
    uint8_t filter;
    int64_t after;
    char profile[CERT_MSG_WORD_MAX + 1]; /* "": any */
    char name[CERT_NAME_TEXT_MAX + 1];   /* part of a name, the subject or who asked; "": any */
    uint32_t days;                       /* ends within so many; 0: whenever */
};
void wr_ca_find(struct buf *b, const struct ca_find_msg *m);
bool rd_ca_find(struct span body, struct ca_find_msg *ret);

struct ca_requests_msg {
    bool all;
    int64_t after;
};
void wr_ca_requests(struct buf *b, const struct ca_requests_msg *m);
bool rd_ca_requests(struct span body, struct ca_requests_msg *ret);

struct ca_decide_msg {
    int64_t id;
    bool approve;
    char reason[CA_REASON_MAX + 1];
};
void wr_ca_decide(struct buf *b, const struct ca_decide_msg *m);
bool rd_ca_decide(struct span body, struct ca_decide_msg *ret);

enum ca_root_verb {
    CA_ROOT_REMOVE, /* -EPERM where no file has the key */
    CA_ROOT_TAKE,
    CA_ROOT_REVOKE,
    CA_ROOT_KEPT, /* a file outside has the key */
    CA_ROOT_LOSE, /* as REMOVE, whether or not */
    CA_ROOT_VERBS
};
struct ca_root_msg {
    uint8_t verb;
    char key_id[CERT_MSG_KEY_ID_MAX + 1];
    int64_t ca;
};
void wr_ca_root(struct buf *b, const struct ca_root_msg *m);
bool rd_ca_root(struct span body, struct ca_root_msg *ret);

struct ca_ask_msg {
    bool anew;
    struct cert_fields subject;
};
void wr_ca_ask(struct buf *b, const struct ca_ask_msg *m);
bool rd_ca_ask(struct span body, struct ca_ask_msg *ret);

struct ca_install_msg { /* into body */
    struct span answer, roots;
};
void wr_ca_install(struct buf *b, const struct ca_install_msg *m);
bool rd_ca_install(struct span body, struct ca_install_msg *ret);

enum { CA_RESTORE_KEYS_MAX = 32 };
struct ca_restore_key {
    char old_id[CERT_MSG_KEY_ID_MAX + 1], new_id[CERT_MSG_KEY_ID_MAX + 1];
};
struct ca_restore_msg {
    bool force;
    uint16_t count;
    struct ca_restore_key keys[CA_RESTORE_KEYS_MAX];
};
void wr_ca_restore(struct buf *b, const struct ca_restore_msg *m);
bool rd_ca_restore(struct span body, struct ca_restore_msg *ret);

#endif
