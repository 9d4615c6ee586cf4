/* algorithms_test.c: the same results as OpenSSL's own, who gets which, and what is refused. */
#include "tls/algorithms.h"

#include "base/check.h"
#include "base/random.h"
#include "unit/unit.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdbool.h>

enum { X25519_BYTES = 32 };

/* --- who gets which */

static const char *manager_of(const char *name, const char *query)
{
    EVP_KEYMGMT *m = EVP_KEYMGMT_fetch(NULL, name, query);
    const char *provider =
        m == NULL ? "none" : OSSL_PROVIDER_get0_name(EVP_KEYMGMT_get0_provider(m));

    EVP_KEYMGMT_free(m);
    return provider;
}

static const char *kdf_of(const char *name, const char *query)
{
    EVP_KDF *k = EVP_KDF_fetch(NULL, name, query);
    const char *provider = k == NULL ? "none" : OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(k));

    EVP_KDF_free(k);
    return provider;
}

TEST(only_who_asks_gets_them)
{
    const char *q = tls_algorithms();

    EXPECT_STR(tls_algorithms(), q);
    EXPECT_STR(manager_of("X25519", NULL), "default");
    EXPECT_STR(manager_of("X25519", q), "sealpost-tls");
    EXPECT_STR(manager_of("EC", q), "default");
    EXPECT_STR(manager_of("X448", q), "default");
    EXPECT_STR(kdf_of("TLS13-KDF", NULL), "default");
    EXPECT_STR(kdf_of("TLS13-KDF", q), "sealpost-tls");
    EXPECT_STR(kdf_of("HKDF", q), "default");
}

/* --- X25519 */

static EVP_PKEY *new_key(const char *query)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "X25519", query);
    EVP_PKEY *key = NULL;

    CHECK(ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1);
    EXPECT_INT(EVP_PKEY_CTX_set_group_name(ctx, "x25519"), 1);
    EXPECT_INT(EVP_PKEY_keygen(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void secret_of(EVP_PKEY *own, EVP_PKEY *peer, const char *query,
                      unsigned char ret[X25519_BYTES])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, query);
    size_t n = X25519_BYTES;

    EXPECT(EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1);
    EXPECT_INT(EVP_PKEY_derive(ctx, ret, &n), 1);
    EXPECT_INT(n, X25519_BYTES);
    EVP_PKEY_CTX_free(ctx);
}

TEST(key_pairs_are_pairs_and_agree_with_openssl)
{
    const char *q = tls_algorithms();
    unsigned char private[X25519_BYTES], public[X25519_BYTES], want[X25519_BYTES];
    unsigned char one[X25519_BYTES], other[X25519_BYTES], before[X25519_BYTES] = {0};

    for (int i = 0; i < 50; i++) {
        size_t n = X25519_BYTES;
        EVP_PKEY *ours = new_key(q), *theirs = new_key(NULL), *again;
        REQUIRE(ours != NULL && theirs != NULL);
        EXPECT(EVP_PKEY_get_raw_private_key(ours, private, &n) == 1 && n == sizeof private);
        EXPECT(EVP_PKEY_get_raw_public_key(ours, public, &n) == 1 && n == sizeof public);
        again = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, private, sizeof private);
        REQUIRE(again != NULL);
        EXPECT(EVP_PKEY_get_raw_public_key(again, want, &n) == 1);
        EXPECT(memcmp(public, want, sizeof want) == 0);
        EXPECT(memcmp(private, before, sizeof private) != 0);
        memcpy(before, private, sizeof before);
        EVP_PKEY_free(again);
        /* the peer as a handshake gives it: blank, then its point */
        again = EVP_PKEY_new();
        EXPECT_INT(EVP_PKEY_copy_parameters(again, ours), 1);
        EXPECT(EVP_PKEY_get_raw_public_key(theirs, public, &n) == 1);
        EXPECT_INT(EVP_PKEY_set1_encoded_public_key(again, public, sizeof public), 1);
        secret_of(ours, again, q, one);
        EVP_PKEY_free(again);
        again = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, want, sizeof want);
        secret_of(theirs, again, NULL, other);
        EXPECT(memcmp(one, other, sizeof one) == 0);
        EVP_PKEY_free(again);
        EVP_PKEY_free(ours);
        EVP_PKEY_free(theirs);
    }
}

TEST(a_peer_whose_point_gives_nothing_is_refused)
{
    const char *q = tls_algorithms();
    unsigned char zero[X25519_BYTES] = {0}, out[X25519_BYTES];
    EVP_PKEY *own = new_key(q),
             *peer = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", q, zero, sizeof zero);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, q);
    size_t n = sizeof out;

    REQUIRE(peer != NULL && EVP_PKEY_derive_init(ctx) == 1);
    EXPECT(EVP_PKEY_derive_set_peer(ctx, peer) != 1 || EVP_PKEY_derive(ctx, out, &n) != 1);
    ERR_clear_error();
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
}

/* --- the key schedule */

struct question {
    int mode;
    const char *digest;
    size_t key, salt, label, data, out; /* bytes; NONE: the parameter is not given */
};
enum { NONE = 9999 };

static int answer(const char *query, const struct question *q, unsigned char out[1024])
{
    static unsigned char bytes[4096];
    OSSL_PARAM params[8], *p = params;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", query);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    char digest[16];
    int mode = q->mode, r;

    CHECK(ctx != NULL);
    snprintf(digest, sizeof digest, "%s", q->digest);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    memset(out, 0, 1024);
    *p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    if (q->key != NONE)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, bytes, q->key);
    if (q->salt != NONE)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, bytes + 100, q->salt);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, (char[]){"tls13 "}, 6);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, bytes + 200, q->label);
    if (q->data != NONE)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_DATA, bytes + 600, q->data);
    *p = OSSL_PARAM_construct_end();
    r = EVP_KDF_derive(ctx, out, q->out, params);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    ERR_clear_error();
    return r == 1;
}

TEST(the_key_schedule_is_openssls)
{
    enum { EXPAND = EVP_KDF_HKDF_MODE_EXPAND_ONLY, EXTRACT = EVP_KDF_HKDF_MODE_EXTRACT_ONLY };
    static const struct {
        const char *name;
        struct question q;
        int want;
    } rows[] = {
        {"a key",                    {EXPAND, "SHA256", 32, NONE, 3, NONE, 16},    1},
        {"a secret over a hash",     {EXPAND, "SHA2-256", 32, NONE, 12, 32, 32},   1},
        {"the same, 384",            {EXPAND, "SHA384", 48, NONE, 12, 48, 48},     1},
        {"more than a hash",         {EXPAND, "SHA256", 32, NONE, 3, NONE, 100},   1},
        {"many hashes",              {EXPAND, "SHA2-384", 48, NONE, 3, NONE, 999}, 1},
        {"no label",                 {EXPAND, "SHA256", 32, NONE, 0, NONE, 32},    1},
        {"the longest label",        {EXPAND, "SHA256", 32, NONE, 249, NONE, 32},  1},
        {"the first secret",         {EXTRACT, "SHA256", NONE, NONE, 7, NONE, 32}, 1},
        {"of a shared key",          {EXTRACT, "SHA256", 32, NONE, 7, NONE, 32},   1},
        {"the next",                 {EXTRACT, "SHA256", 32, 32, 7, NONE, 32},     1},
        {"the next, P-384",          {EXTRACT, "SHA256", 48, 32, 7, NONE, 32},     1},
        {"the last",                 {EXTRACT, "SHA384", NONE, 48, 7, NONE, 48},   1},
        {"a long shared key",        {EXTRACT, "SHA384", 66, 48, 7, NONE, 48},     1},
        {"a secret of another hash", {EXTRACT, "SHA384", 32, 32, 7, NONE, 48},     1},
        {"a label too long",         {EXPAND, "SHA256", 32, NONE, 250, NONE, 32},  0},
        {"another hash",             {EXPAND, "SHA1", 20, NONE, 3, NONE, 16},      0},
        {"another mode",             {0, "SHA256", 32, NONE, 3, NONE, 16},         0},
    };
    const char *q = tls_algorithms();
    unsigned char ours[1024], theirs[1024];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].name);
        EXPECT_INT(answer(q, &rows[i].q, ours), rows[i].want);
        if (!rows[i].want)
            continue;
        EXPECT_INT(answer("provider=default", &rows[i].q, theirs), 1);
        EXPECT(memcmp(ours, theirs, sizeof ours) == 0);
    }
    unit_case(NULL);
}
