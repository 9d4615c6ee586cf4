/*
 * enrol_msg.h: payloads of the messages about enrolment (messages.def, section 700): what others ask
 * of the own CA by ACME (RFC 8555) and EST (RFC 7030), and what administers it.
 *
 *   ENROL_REQUEST  struct enrol_request: cstr method, path, base, content type, 16
 *                  bytes peer, bool trusted, cstr account, cstr user, cstr password, bool vouched,
 *                  span certificate, span body
 *                  → struct enrol_answer: u16 status, cstr type, location, nonce, link, u32 retry
 *                  after, u8 flags, span body
 *   ENROL_ADMIN    u8 verb (enum enrol_verb), cstr name, cstr names (with commas between), i64 id
 *                  → JSON
 */
#ifndef PKI_ENROL_MSG_H
#define PKI_ENROL_MSG_H

#include "base/codec.h"

enum {
    ENROL_PATH_MAX = 512,
    ENROL_BASE_MAX = 300,
    ENROL_WORD_MAX = 320,
    ENROL_BODY_MAX = 64 * 1024,
    ENROL_CERTIFICATE_MAX = 16 * 1024,
    ENROL_ANSWER_MAX = 120 * 1024,
    ENROL_LINK_MAX = 1024,
    ENROL_NAMES_MAX = 3000,
};

struct enrol_request {
    char method[16], path[ENROL_PATH_MAX + 1];
    char base[ENROL_BASE_MAX + 1]; /* "https://host:port", as the client addressed us */
    char content_type[128];
    unsigned char peer[16];           /* IPv4 as ::ffff:a.b.c.d */
    bool trusted;                     /* in conf.trusted */
    char account[ENROL_WORD_MAX + 1]; /* address of the account whose password was right; "" */
    char user[ENROL_WORD_MAX + 1],
        password[ENROL_WORD_MAX + 1]; /* of HTTP Basic, not an account's */
    bool vouched;            /* the trust list of the virtual server vouches for the certificate */
    struct span certificate; /* of the client, DER; it holds the key; empty: none */
    struct span body;        /* both into the message */
};
void wr_enrol_request(struct buf *b, const struct enrol_request *m);
bool rd_enrol_request(struct span body, struct enrol_request *ret);

enum enrol_answer_flag {
    ENROL_BASE64 = 1,       /* Content-Transfer-Encoding: base64 */
    ENROL_AUTHENTICATE = 2, /* WWW-Authenticate: Basic */
};
struct enrol_answer {
    uint16_t status;
    char type[80], location[ENROL_BASE_MAX + ENROL_PATH_MAX + 1], nonce[64], link[ENROL_LINK_MAX];
    uint32_t retry_after; /* seconds; 0: none */
    uint8_t flags;        /* ENROL_… */
    struct span body;
};
void wr_enrol_answer(struct buf *b, const struct enrol_answer *m);
bool rd_enrol_answer(struct span body, struct enrol_answer *ret);

enum enrol_verb {
    ENROL_EAB_CREATE, /* name, names → {kid, key, …}: the key is shown once */
    ENROL_EAB_LIST,
    ENROL_EAB_REMOVE, /* name */
    ENROL_ACCOUNT_LIST,
    ENROL_ACCOUNT_REMOVE, /* id: deactivated, orders and all */
    ENROL_ORDER_LIST,
    ENROL_PASSWORD_CREATE, /* EST: name, names → {name, password} */
    ENROL_PASSWORD_LIST,
    ENROL_PASSWORD_REMOVE,
    ENROL_VERBS
};
struct enrol_admin {
    uint8_t verb;
    char name[64];
    char names[ENROL_NAMES_MAX + 1];
    int64_t id; /* also: to start a page after */
};
void wr_enrol_admin(struct buf *b, const struct enrol_admin *m);
bool rd_enrol_admin(struct span body, struct enrol_admin *ret);

#endif
