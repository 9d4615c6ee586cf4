/*
 * keystore.h: the private keys of this machine: in memory while keyd runs, one sealed file each in
 * the key folder (ID.key, see seal.h), which appears whole or not at all. What is sealed:
 *
 *   u8 2, key_info (pki/keyd_msg.h), bool with profile [profile], span PKCS#8
 *
 * One thread uses a keystore; a key's EVP_PKEY may be used by helper threads while a reference is
 * held.
 */
#ifndef KEYD_KEYSTORE_H
#define KEYD_KEYSTORE_H

#include "pki/keyd_msg.h"
#include "proc/keyd/engine/seal.h"

enum { KEYSTORE_MAX = 4096 };

struct keyd_key {
    unsigned refs;
    unsigned char id[KEY_ID_BYTES];
    struct key_info info;
    bool is_ca; /* has a profile: purposes CA, CRL or OCSP */
    struct key_ca_profile profile;
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *sign_ctx; /* cached by sign.c, for the loop's thread */
};

struct keystore {
    int dir;
    unsigned char secret[SEAL_SECRET_BYTES];
    struct keyd_key **keys; /* by id */
    size_t count;
};

/* dir stays the caller's. Files that cannot be opened are logged and left out; an absent or unsafe
 * secret is an error. */
int keystore_open(struct keystore *s, int dir, struct err *e);
void keystore_close(struct keystore *s);
struct keyd_key *keystore_find(const struct keystore *s, const unsigned char id[KEY_ID_BYTES]);
size_t keystore_after(const struct keystore *s,
                      const unsigned char id[KEY_ID_BYTES]); /* index of the first greater id */

/* A new key, in memory only: makes id, spki and info. -EINVAL unknown type. May run on a helper
 * thread: touches no store. */
int keyd_key_make(const struct key_create_request *r, struct keyd_key **ret);
/* The same for a key that exists: -EINVAL no PKCS#8 of a known type, or its halves do not belong
 * together. */
int keyd_key_take(const struct key_create_request *r, struct span pkcs8, struct keyd_key **ret);
/* PKCS#8 under a passphrase; takes a tenth of a second on purpose. Any thread. */
int keyd_key_encrypted(const struct keyd_key *k, struct span passphrase, struct buf *out);
bool keystore_has_spki(const struct keystore *s, const struct keyd_key *k);
struct keyd_key *keyd_key_ref(struct keyd_key *k);
void keyd_key_unref(struct keyd_key *k); /* wipes and frees at the last; NULL is fine */
/* Writes the key's file. May run on a helper thread. */
int keystore_write(const struct keystore *s, const struct keyd_key *k, struct err *e);
/* Takes a reference over. -ENOSPC full, -EEXIST. */
int keystore_add(struct keystore *s, struct keyd_key *take_k);
int keystore_delete(struct keystore *s, struct keyd_key *k, struct err *e);

#endif
