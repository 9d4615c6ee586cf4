/*
 * credential.h: what is kept of a password: an Argon2id hash for mechanisms that send it,
 * SCRAM-SHA-256 keys (RFC 5802, RFC 7677) for those that do not. Making and checking the hash takes
 * tens of milliseconds and much memory: on helper threads only.
 */
#ifndef DIRECTORY_CREDENTIAL_H
#define DIRECTORY_CREDENTIAL_H

#include "base/span.h"

enum {
    CREDENTIAL_HASH_MAX = 128, /* with its NUL */
    CREDENTIAL_SALT_BYTES = 16,
    CREDENTIAL_KEY_BYTES = 32,
    CREDENTIAL_ITERATIONS = 10000, /* one number for all, made-up users too */
};

struct scram_credential {
    unsigned char salt[CREDENTIAL_SALT_BYTES];
    uint32_t iterations;
    unsigned char stored_key[CREDENTIAL_KEY_BYTES], server_key[CREDENTIAL_KEY_BYTES];
};

struct credential {
    char hash[CREDENTIAL_HASH_MAX]; /* "$argon2id$v=19$…" */
    struct scram_credential scram;
};

struct credential_cost { /* of Argon2id */
    uint32_t memory_kib, passes;
};

/* `password` is prepared (name_password_prepare). 0, -ENOMEM. */
int credential_make(struct span password, struct credential_cost cost, struct credential *ret);
/* Does the password fit the hash? */
bool credential_verify(const char *hash, struct span password);
/* Was the hash made at another cost? */
bool credential_is_outdated(const char *hash, struct credential_cost cost);

/* The keys of a password under a salt and a number of iterations. */
void scram_derive(struct span password, struct span salt, uint32_t iterations,
                  unsigned char stored_key[CREDENTIAL_KEY_BYTES],
                  unsigned char server_key[CREDENTIAL_KEY_BYTES]);
/* What a user who does not exist shows: the same salt for the same name, keys that nobody has. */
void scram_make_up(struct span user, const unsigned char secret[32], struct scram_credential *ret);

void hmac_sha256(struct span key, struct span text, unsigned char ret[32]);

#endif
