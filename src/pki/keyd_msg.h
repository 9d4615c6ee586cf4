/*
 * keyd_msg.h: payloads of the messages to and from keyd (messages.def, section 100).
 *
 *   KEY_CREATE       cstr label, cstr type, u32 purposes, bool exportable,
 *                    bool with profile [span name, bool root, bool client_only, u8 levels,
 *                    u32 max_days]                          → key_info
 *   KEY_GET          raw id                                 → key_info
 *   KEY_LIST         cstr label prefix, raw id to start after (zeros: from the start)
 *                                                           → bool more, u16 count, key_info …
 *   KEY_DELETE       raw id
 *   KEY_SIGN         raw id, u16 purpose, u8 algorithm, u8 digest, the whole text (all the rest)
 *                                                           → the signature (all of it)
 *   KEY_TICKETS      –                                      → u8 count, raw keys, newest first
 *   KEY_TICKETS_NEW  as the answer of KEY_TICKETS
 *   KEY_IMPORT       as KEY_CREATE (type empty: it is the key's), span PKCS#8  → key_info
 *   KEY_EXPORT       raw id, span passphrase     → EncryptedPrivateKeyInfo, DER (all of it)
 *
 *   key_info         raw id, cstr label, cstr type, u32 purposes, bool exportable, i64 created,
 *                    span spki
 *
 * Answers of KEY_SIGN: -ENOENT no such key, -EACCES this process or this key may not for that
 * purpose, -EINVAL the text does not have the form of the purpose (or the algorithm does not suit
 * the key), -EBUSY too many signatures are under way, -EIO.
 */
#ifndef PKI_KEYD_MSG_H
#define PKI_KEYD_MSG_H

#include "base/codec.h"
#include "pki/key.h"

enum key_algorithm {
    KEY_RSA_PKCS1 = 1,
    KEY_RSA_PSS = 2, /* MGF1 with the same digest, the salt as long as the digest */
    KEY_ECDSA = 3,
    KEY_EDDSA = 4, /* digest none; with KEY_DKIM SHA-256, which is then what is signed (RFC 8463) */
};
enum key_digest { KEY_DIGEST_NONE = 0, KEY_SHA256 = 1, KEY_SHA384 = 2, KEY_SHA512 = 3 };

/* The text of KEY_EVIDENCE begins so: no other purpose has texts like it. */
#define KEY_EVIDENCE_PREFIX "sealpost evidence 1\n"

enum { KEY_SIGNATURE_MAX = 512, KEY_LIST_PAGE = 60 };

struct key_create_request {
    char label[KEY_LABEL_MAX + 1];
    char type[12];
    uint32_t purposes;
    bool exportable;
    bool with_profile;
    struct key_ca_profile profile;
};
void wr_key_create(struct buf *b, const struct key_create_request *r);
bool rd_key_create(struct span body, struct key_create_request *ret);

enum { KEY_PKCS8_MAX = 4096, KEY_PASSPHRASE_MIN = 8, KEY_PASSPHRASE_MAX = 255 };
void wr_key_import(struct buf *b, const struct key_create_request *r, struct span pkcs8);
bool rd_key_import(struct span body, struct key_create_request *ret, struct span *ret_pkcs8);

struct key_sign_request {
    unsigned char id[KEY_ID_BYTES];
    unsigned purpose;
    enum key_algorithm algorithm;
    enum key_digest digest;
    struct span text;
};
void wr_key_sign(struct buf *b, const struct key_sign_request *r);
bool rd_key_sign(struct span body, struct key_sign_request *ret); /* text points into body */

void wr_key_info(struct buf *b, const struct key_info *k);
void rd_key_info(struct rd *r, struct key_info *ret);
void wr_ca_profile(struct buf *b, const struct key_ca_profile *p);
void rd_ca_profile(struct rd *r, struct key_ca_profile *ret);

bool key_id_parse(const char *hex, unsigned char ret[KEY_ID_BYTES]);
void key_id_print(const unsigned char id[KEY_ID_BYTES], char ret[2 * KEY_ID_BYTES + 1]);

#endif
