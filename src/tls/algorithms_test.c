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
#include <openssl/rand.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

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

static const char *mac_from(const char *name, const char *query)
{
    EVP_MAC *m = EVP_MAC_fetch(NULL, name, query);
    const char *provider = m == NULL ? "none" : OSSL_PROVIDER_get0_name(EVP_MAC_get0_provider(m));

    EVP_MAC_free(m);
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
    EXPECT_STR(mac_from("HMAC", NULL), "default");
    EXPECT_STR(mac_from("HMAC", q), "sealpost-tls");
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

/* --- HMAC */

static size_t mac_of(const char *query, const char *digest, size_t key, size_t text, bool copy,
                     unsigned char out[EVP_MAX_MD_SIZE])
{
    static unsigned char bytes[4096];
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", query);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac), *used = ctx;
    char name[16];
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    size_t n = 0;

    CHECK(ctx != NULL);
    snprintf(name, sizeof name, "%s", digest);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 11 + i / 253);
    memset(out, 0, EVP_MAX_MD_SIZE);
    if (EVP_MAC_init(ctx, bytes, key, params) == 1 && EVP_MAC_update(ctx, bytes, text / 2) == 1) {
        used = copy ? EVP_MAC_CTX_dup(ctx) : ctx;
        if (EVP_MAC_update(used, bytes + text / 2, text - text / 2) != 1 ||
            EVP_MAC_final(used, out, &n, EVP_MAX_MD_SIZE) != 1 ||
            EVP_MAC_CTX_get_mac_size(used) != n)
            n = 0;
    }
    if (used != ctx)
        EVP_MAC_CTX_free(used);
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    ERR_clear_error();
    return n;
}

TEST(hmac_is_openssls)
{
    static const struct {
        const char *digest;
        size_t key, text, want;
    } rows[] = {
        {"SHA256",   32,  32,   32},
        {"SHA256",   0,   0,    32},
        {"SHA2-256", 64,  100,  32},
        {"SHA256",   65,  1,    32},
        {"SHA256",   999, 4000, 32},
        {"SHA384",   48,  48,   48},
        {"SHA2-384", 128, 129,  48},
        {"SHA384",   129, 7,    48},
        {"SHA1",     20,  20,   0 },
    };
    const char *q = tls_algorithms();
    unsigned char ours[EVP_MAX_MD_SIZE], theirs[EVP_MAX_MD_SIZE];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int copy = 0; copy < 2; copy++) {
            unit_case(rows[i].digest);
            EXPECT_INT(mac_of(q, rows[i].digest, rows[i].key, rows[i].text, copy, ours),
                       rows[i].want);
            if (rows[i].want == 0)
                continue;
            EXPECT_INT(mac_of(NULL, rows[i].digest, rows[i].key, rows[i].text, copy, theirs),
                       rows[i].want);
            EXPECT(memcmp(ours, theirs, sizeof ours) == 0);
        }
}

/* --- random bytes */

TEST(random_bytes_are_given_out_once)
{
    static unsigned char seen[400][16];
    unsigned char large[700], zero[700] = {0};
    int ends[2];

    tls_algorithms();
    for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
        EXPECT_INT(RAND_bytes(seen[i], sizeof seen[i]), 1);
        for (size_t k = 0; k < i; k++)
            EXPECT(memcmp(seen[i], seen[k], sizeof seen[i]) != 0);
    }
    EXPECT(RAND_priv_bytes(large, sizeof large) == 1 && memcmp(large, zero, sizeof large) != 0);
    /* nor by a child what its parent gives out */
    REQUIRE(RAND_bytes(seen[0], 1) == 1 && pipe(ends) == 0);
    if (fork() == 0)
        _exit(RAND_bytes(seen[1], 16) != 1 || write(ends[1], seen[1], 16) != 16);
    EXPECT_INT(RAND_bytes(seen[2], 16), 1);
    EXPECT_INT(read(ends[0], seen[1], 16), 16);
    wait(NULL);
    EXPECT(memcmp(seen[1], seen[2], 16) != 0);
    close(ends[0]);
    close(ends[1]);
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
