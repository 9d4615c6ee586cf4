#include "directory/credential.h"

#include "base/check.h"
#include "base/random.h"

#include <errno.h>
#include <sodium.h>

_Static_assert((int)crypto_pwhash_argon2id_STRBYTES <= (int)CREDENTIAL_HASH_MAX, "hash");
_Static_assert((int)crypto_auth_hmacsha256_BYTES == (int)CREDENTIAL_KEY_BYTES, "key");

__attribute__((constructor)) static void start_sodium(void)
{
    CHECK(sodium_init() >= 0);
}

static const unsigned char *bytes(struct span s)
{
    return (const unsigned char *)(s.p ? s.p : "");
}

void hmac_sha256(struct span key, struct span text, unsigned char ret[32])
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, bytes(key), key.n);
    crypto_auth_hmacsha256_update(&state, bytes(text), text.n);
    crypto_auth_hmacsha256_final(&state, ret);
    secret_wipe(&state, sizeof state);
}

/* PBKDF2 with one block: RFC 5802 section 2.2, Hi(). The keyed state is made once and copied. */
static void salted_password(struct span password, struct span salt, uint32_t iterations,
                            unsigned char out[32])
{
    static const unsigned char one[4] = {0, 0, 0, 1};
    crypto_auth_hmacsha256_state keyed, state;
    unsigned char u[32];

    crypto_auth_hmacsha256_init(&keyed, bytes(password), password.n);
    state = keyed;
    crypto_auth_hmacsha256_update(&state, bytes(salt), salt.n);
    crypto_auth_hmacsha256_update(&state, one, sizeof one);
    crypto_auth_hmacsha256_final(&state, u);
    memcpy(out, u, 32);
    for (uint32_t i = 1; i < iterations; i++) {
        state = keyed;
        crypto_auth_hmacsha256_update(&state, u, sizeof u);
        crypto_auth_hmacsha256_final(&state, u);
        for (size_t k = 0; k < 32; k++)
            out[k] ^= u[k];
    }
    secret_wipe(&keyed, sizeof keyed);
    secret_wipe(&state, sizeof state);
    secret_wipe(u, sizeof u);
}

void scram_derive(struct span password, struct span salt, uint32_t iterations,
                  unsigned char stored_key[CREDENTIAL_KEY_BYTES],
                  unsigned char server_key[CREDENTIAL_KEY_BYTES])
{
    unsigned char salted[32], client_key[32];

    salted_password(password, salt, iterations, salted);
    hmac_sha256(span_of(salted, 32), SPAN("Client Key"), client_key);
    crypto_hash_sha256(stored_key, client_key, 32);
    hmac_sha256(span_of(salted, 32), SPAN("Server Key"), server_key);
    secret_wipe(salted, sizeof salted);
    secret_wipe(client_key, sizeof client_key);
}

void scram_make_up(struct span user, const unsigned char secret[32], struct scram_credential *ret)
{
    unsigned char mac[32];

    hmac_sha256(span_of(secret, 32), user, mac);
    memcpy(ret->salt, mac, sizeof ret->salt);
    ret->iterations = CREDENTIAL_ITERATIONS;
    random_bytes(ret->stored_key, sizeof ret->stored_key);
    random_bytes(ret->server_key, sizeof ret->server_key);
}

int credential_make(struct span password, struct credential_cost cost, struct credential *ret)
{
    struct credential c = {.scram.iterations = CREDENTIAL_ITERATIONS};

    if (crypto_pwhash_argon2id_str(c.hash, password.p, password.n, cost.passes,
                                   (size_t)cost.memory_kib * 1024) != 0)
        return -ENOMEM;
    random_bytes(c.scram.salt, sizeof c.scram.salt);
    scram_derive(password, span_of(c.scram.salt, sizeof c.scram.salt), c.scram.iterations,
                 c.scram.stored_key, c.scram.server_key);
    *ret = c;
    secret_wipe(&c, sizeof c);
    return 0;
}

bool credential_verify(const char *hash, struct span password)
{
    return crypto_pwhash_argon2id_str_verify(hash, password.p ? password.p : "", password.n) == 0;
}

bool credential_is_outdated(const char *hash, struct credential_cost cost)
{
    return crypto_pwhash_argon2id_str_needs_rehash(hash, cost.passes,
                                                   (size_t)cost.memory_kib * 1024) != 0;
}
