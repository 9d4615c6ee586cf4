/*
 * algorithms.c: a small built-in provider. X25519 is OpenSSL's in all but one function: a new key pair
 * is computed by libsodium, over the Edwards curve with tables, in a third of the time. The key schedule
 * (RFC 8446 section 7.1) is thirteen HMACs a handshake, for each of which OpenSSL looks five algorithms
 * up and makes four contexts: here it is the hash itself. The HMACs of the Finished messages are the
 * same. Random bytes come from the kernel, some at a time.
 */
/* SHA256_… and SHA384_…: the hash without contexts to allocate; RAND_METHOD */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tls/algorithms.h"

#include "base/check.h"
#include "base/random.h"
#include "base/span.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/proverr.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#define PROVIDER "sealpost-tls"
#define PREFERRED "sealpost.tls=yes"
#define PROPERTIES "provider=" PROVIDER "," PREFERRED

/* core_dispatch.h gives functions as void (*)(void); each entry says what it is by its number */
#define ENTRY(number, fn)                                                                          \
    {                                                                                              \
        (number), (void (*)(void))(fn)                                                             \
    }
#define LAST_ENTRY                                                                                 \
    {                                                                                              \
        0, NULL                                                                                    \
    }

/* --- X25519 */

enum { X25519_BYTES = 32, MANAGER_ENTRIES_MAX = 48 };

static OSSL_FUNC_keymgmt_new_fn *blank_key;
static OSSL_FUNC_keymgmt_free_fn *free_key;
static OSSL_FUNC_keymgmt_import_fn *import_key;

struct generation {
    void *provider;
    int selection;
};

static void *gen_init(void *provider, int selection, const OSSL_PARAM params[])
{
    struct generation *g = calloc(1, sizeof *g);

    if (g != NULL)
        *g = (struct generation){provider, selection};
    return g;
}

static void gen_cleanup(void *gen)
{
    free(gen);
}

/* A group may be named; there is one. */
static int gen_set_params(void *gen, const OSSL_PARAM params[])
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME);
    return p == NULL || (p->data_type == OSSL_PARAM_UTF8_STRING && p->data != NULL &&
                         OPENSSL_strcasecmp(p->data, "x25519") == 0);
}

static const OSSL_PARAM *gen_settable(void *gen, void *provider)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0), OSSL_PARAM_END};
    return settable;
}

/* RFC 7748 section 5: the scalar as it is used, and the base point times it. */
static bool key_pair(unsigned char scalar[X25519_BYTES], unsigned char point[X25519_BYTES])
{
    if (RAND_priv_bytes(scalar, X25519_BYTES) != 1)
        return false;
    scalar[0] &= 248;
    scalar[X25519_BYTES - 1] &= 127;
    scalar[X25519_BYTES - 1] |= 64;
    return crypto_scalarmult_curve25519_base(point, scalar) == 0;
}

static void *gen(void *arg, OSSL_CALLBACK *progress, void *progress_arg)
{
    const struct generation *g = arg;
    unsigned char scalar[X25519_BYTES], point[X25519_BYTES];
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, scalar, sizeof scalar),
        OSSL_PARAM_construct_end(),
    };
    void *key = blank_key(g->provider);

    if (key == NULL || (g->selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0)
        return key; /* parameters alone: there are none */
    if (!key_pair(scalar, point) || import_key(key, OSSL_KEYMGMT_SELECT_KEYPAIR, params) != 1) {
        free_key(key);
        key = NULL;
    }
    OPENSSL_cleanse(scalar, sizeof scalar);
    return key;
}

static const OSSL_DISPATCH own_generation[] = {
    ENTRY(OSSL_FUNC_KEYMGMT_GEN_INIT, gen_init),
    ENTRY(OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, gen_set_params),
    ENTRY(OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, gen_settable),
    ENTRY(OSSL_FUNC_KEYMGMT_GEN, gen),
    ENTRY(OSSL_FUNC_KEYMGMT_GEN_CLEANUP, gen_cleanup),
    LAST_ENTRY,
};

static bool is_generation(int function)
{
    return (function >= OSSL_FUNC_KEYMGMT_GEN_INIT && function <= OSSL_FUNC_KEYMGMT_GEN_CLEANUP);
}

/* OpenSSL's functions with our generation of keys in the place of its own. */
static void make_manager(OSSL_DISPATCH manager[MANAGER_ENTRIES_MAX], const OSSL_DISPATCH *usual)
{
    size_t n = 0;

    for (; usual->function_id != 0; usual++) {
        if (usual->function_id == OSSL_FUNC_KEYMGMT_NEW)
            blank_key = OSSL_FUNC_keymgmt_new(usual);
        else if (usual->function_id == OSSL_FUNC_KEYMGMT_FREE)
            free_key = OSSL_FUNC_keymgmt_free(usual);
        else if (usual->function_id == OSSL_FUNC_KEYMGMT_IMPORT)
            import_key = OSSL_FUNC_keymgmt_import(usual);
        CHECK(n + ARRAY_LEN(own_generation) < MANAGER_ENTRIES_MAX);
        if (!is_generation(usual->function_id))
            manager[n++] = *usual;
    }
    memcpy(manager + n, own_generation, sizeof own_generation);
    CHECK(blank_key != NULL && free_key != NULL && import_key != NULL);
}

/* --- the hash, HMAC (RFC 2104), HKDF (RFC 5869) */

enum { HASH_MAX = SHA384_DIGEST_LENGTH, BLOCK_MAX = SHA512_CBLOCK };

struct hash {
    union {
        SHA256_CTX sha256;
        SHA512_CTX sha512;
    };
    size_t bytes, block; /* bytes: 32 or 48 */
};

static void hash_begin(struct hash *h, size_t bytes)
{
    h->bytes = bytes;
    h->block = bytes == SHA256_DIGEST_LENGTH ? SHA256_CBLOCK : SHA512_CBLOCK;
    if (bytes == SHA256_DIGEST_LENGTH)
        SHA256_Init(&h->sha256);
    else
        SHA384_Init(&h->sha512);
}

static void hash_add(struct hash *h, const void *p, size_t n)
{
    if (n == 0)
        return;
    if (h->bytes == SHA256_DIGEST_LENGTH)
        SHA256_Update(&h->sha256, p, n);
    else
        SHA384_Update(&h->sha512, p, n);
}

static void hash_end(struct hash *h, unsigned char *ret)
{
    if (h->bytes == SHA256_DIGEST_LENGTH)
        SHA256_Final(ret, &h->sha256);
    else
        SHA384_Final(ret, &h->sha512);
}

static void hmac_pad(struct hash *h, size_t bytes, const unsigned char *key, size_t key_bytes,
                     unsigned char with)
{
    unsigned char pad[BLOCK_MAX];

    hash_begin(h, bytes);
    memset(pad, with, h->block);
    for (size_t i = 0; i < key_bytes; i++)
        pad[i] ^= key[i];
    hash_add(h, pad, h->block);
    OPENSSL_cleanse(pad, h->block);
}

/* Over the two texts and, if there is one, the counter of HKDF. key_bytes is at most a hash. */
static void hmac(size_t bytes, struct span key, struct span text, struct span more,
                 const unsigned char *counter, unsigned char *ret)
{
    unsigned char inner[HASH_MAX];
    struct hash h;

    hmac_pad(&h, bytes, (const unsigned char *)key.p, key.n, 0x36);
    hash_add(&h, text.p, text.n);
    hash_add(&h, more.p, more.n);
    hash_add(&h, counter, counter != NULL ? 1 : 0);
    hash_end(&h, inner);
    hmac_pad(&h, bytes, (const unsigned char *)key.p, key.n, 0x5c);
    hash_add(&h, inner, bytes);
    hash_end(&h, ret);
    OPENSSL_cleanse(inner, sizeof inner);
    OPENSSL_cleanse(&h, sizeof h);
}

/* --- the key schedule, RFC 8446 section 7.1 */

enum { LABEL_MAX = 255, CONTEXT_MAX = 255, INFO_MAX = 2 + 1 + LABEL_MAX + 1 + CONTEXT_MAX };

struct schedule { /* of one call; what it points to is the caller's */
    int mode;
    size_t hash_bytes; /* 0: none, or one that no suite of ours has */
    struct span key, salt, prefix, label, data;
    bool has_salt;
};

static bool expand_label(const struct schedule *s, struct span secret, struct span data,
                         unsigned char *out, size_t n)
{
    unsigned char info[INFO_MAX], block[HASH_MAX], counter = 1;
    size_t label = s->prefix.n + s->label.n, at = 0;
    struct span last = SPAN_EMPTY;

    if (label > LABEL_MAX || data.n > CONTEXT_MAX || n > 255 * s->hash_bytes ||
        secret.n > s->hash_bytes)
        return false;
    info[at++] = (unsigned char)(n >> 8);
    info[at++] = (unsigned char)n;
    info[at++] = (unsigned char)label;
    if (s->prefix.n > 0)
        memcpy(info + at, s->prefix.p, s->prefix.n);
    at += s->prefix.n;
    if (s->label.n > 0)
        memcpy(info + at, s->label.p, s->label.n);
    at += s->label.n;
    info[at++] = (unsigned char)data.n;
    if (data.n > 0)
        memcpy(info + at, data.p, data.n);
    at += data.n;
    for (; n > 0; counter++) {
        size_t part = n < s->hash_bytes ? n : s->hash_bytes;
        hmac(s->hash_bytes, secret, last, span_of(info, at), &counter, block);
        memcpy(out, block, part);
        last = span_of(block, s->hash_bytes);
        out += part;
        n -= part;
    }
    OPENSSL_cleanse(block, sizeof block);
    return true;
}

/* The next secret of the chain: HKDF-Extract(Derive-Secret(the one before, label, ""), key). */
static bool extract(const struct schedule *s, unsigned char *out, size_t n)
{
    static const unsigned char zeros[HASH_MAX];
    unsigned char salt[HASH_MAX], nothing[HASH_MAX];
    struct span key = s->key.n > 0 ? s->key : span_of(zeros, s->hash_bytes), from = SPAN_EMPTY;
    struct hash h;

    if (n != s->hash_bytes)
        return false;
    if (s->has_salt) {
        hash_begin(&h, s->hash_bytes);
        hash_end(&h, nothing);
        if (!expand_label(s, s->salt, span_of(nothing, s->hash_bytes), salt, s->hash_bytes))
            return false;
        from = span_of(salt, s->hash_bytes);
    }
    hmac(s->hash_bytes, from, key, SPAN_EMPTY, NULL, out);
    OPENSSL_cleanse(salt, sizeof salt);
    return true;
}

static size_t hash_by_name(const OSSL_PARAM *p)
{
    static const struct {
        const char *name;
        size_t bytes;
    } rows[] = {
        {"SHA256",   32},
        {"SHA2-256", 32},
        {"SHA-256",  32},
        {"SHA384",   48},
        {"SHA2-384", 48},
        {"SHA-384",  48},
    };

    if (p->data_type != OSSL_PARAM_UTF8_STRING || p->data == NULL)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (OPENSSL_strcasecmp(p->data, rows[i].name) == 0)
            return rows[i].bytes;
    return 0;
}

static bool take_octets(const OSSL_PARAM params[], const char *name, struct span *ret)
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, name);

    if (p == NULL)
        return true;
    if (p->data_type != OSSL_PARAM_OCTET_STRING)
        return false;
    *ret = span_of(p->data, p->data_size);
    return true;
}

static bool take_params(struct schedule *s, const OSSL_PARAM params[])
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_MODE);

    if (p == NULL || OSSL_PARAM_get_int(p, &s->mode) != 1)
        return false;
    p = OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_DIGEST);
    if (p != NULL)
        s->hash_bytes = hash_by_name(p);
    s->has_salt = OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_SALT) != NULL;
    return s->hash_bytes > 0 && take_octets(params, OSSL_KDF_PARAM_KEY, &s->key) &&
           take_octets(params, OSSL_KDF_PARAM_SALT, &s->salt) &&
           take_octets(params, OSSL_KDF_PARAM_PREFIX, &s->prefix) &&
           take_octets(params, OSSL_KDF_PARAM_LABEL, &s->label) &&
           take_octets(params, OSSL_KDF_PARAM_DATA, &s->data);
}

/* All parameters come with the one call, as libssl has it: nothing is kept. */
static int kdf_derive(void *ctx, unsigned char *out, size_t n, const OSSL_PARAM params[])
{
    struct schedule s = {.mode = -1};
    bool ok = params != NULL && take_params(&s, params);

    if (ok && s.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY)
        ok = extract(&s, out, n);
    else if (ok && s.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY)
        ok = expand_label(&s, s.key, s.data, out, n);
    else
        ok = false;
    if (!ok)
        ERR_raise(ERR_LIB_PROV, PROV_R_FAILED_DURING_DERIVATION);
    return ok;
}

static void *kdf_new(void *provider)
{
    static char context;
    return &context;
}

static void kdf_free(void *ctx)
{
}

static const OSSL_DISPATCH key_schedule[] = {
    ENTRY(OSSL_FUNC_KDF_NEWCTX, kdf_new),
    ENTRY(OSSL_FUNC_KDF_FREECTX, kdf_free),
    ENTRY(OSSL_FUNC_KDF_DERIVE, kdf_derive),
    LAST_ENTRY,
};

/* --- HMAC, for the Finished messages (RFC 8446 section 4.4.4) */

struct mac {
    size_t hash_bytes; /* 0: not known yet */
    size_t key_bytes;
    bool keyed;
    unsigned char key[BLOCK_MAX];
    struct hash inner;
};

static void *mac_new(void *provider)
{
    return calloc(1, sizeof(struct mac));
}

static void mac_free(void *ctx)
{
    if (ctx != NULL)
        OPENSSL_cleanse(ctx, sizeof(struct mac));
    free(ctx);
}

static void *mac_dup(void *ctx)
{
    struct mac *copy = malloc(sizeof *copy);

    if (copy != NULL)
        memcpy(copy, ctx, sizeof *copy);
    return copy;
}

static void mac_begin(struct mac *m)
{
    hmac_pad(&m->inner, m->hash_bytes, m->key, m->key_bytes, 0x36);
}

/* A key longer than a block is its hash (RFC 2104 section 2). */
static bool mac_key(struct mac *m, const unsigned char *key, size_t n)
{
    struct hash h;

    if (m->hash_bytes == 0)
        return false;
    hash_begin(&h, m->hash_bytes);
    m->key_bytes = n;
    if (n > h.block) {
        hash_add(&h, key, n);
        hash_end(&h, m->key);
        m->key_bytes = m->hash_bytes;
    } else if (n > 0) {
        memcpy(m->key, key, n);
    }
    OPENSSL_cleanse(&h, sizeof h);
    m->keyed = true;
    mac_begin(m); /* a ticket's MAC is given its key by a parameter, and not begun after that */
    return true;
}

static int mac_set_params(void *ctx, const OSSL_PARAM params[])
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_MAC_PARAM_DIGEST);
    struct span key = SPAN_EMPTY;
    struct mac *m = ctx;

    if (p != NULL && (m->hash_bytes = hash_by_name(p)) == 0)
        return 0;
    if (OSSL_PARAM_locate_const(params, OSSL_MAC_PARAM_KEY) == NULL)
        return 1;
    return take_octets(params, OSSL_MAC_PARAM_KEY, &key) &&
           mac_key(m, (const unsigned char *)key.p, key.n);
}

static int mac_init(void *ctx, const unsigned char *key, size_t n, const OSSL_PARAM params[])
{
    struct mac *m = ctx;

    if ((params != NULL && mac_set_params(m, params) != 1) ||
        (key != NULL && !mac_key(m, key, n)) || !m->keyed || m->hash_bytes == 0)
        return 0;
    mac_begin(m);
    return 1;
}

static int mac_update(void *ctx, const unsigned char *p, size_t n)
{
    struct mac *m = ctx;

    hash_add(&m->inner, p, n);
    return 1;
}

static int mac_final(void *ctx, unsigned char *out, size_t *ret_n, size_t size)
{
    struct mac *m = ctx;
    unsigned char inner[HASH_MAX];
    struct hash h;

    if (!m->keyed || size < m->hash_bytes)
        return 0;
    hash_end(&m->inner, inner);
    hmac_pad(&h, m->hash_bytes, m->key, m->key_bytes, 0x5c);
    hash_add(&h, inner, m->hash_bytes);
    hash_end(&h, out);
    OPENSSL_cleanse(&h, sizeof h);
    *ret_n = m->hash_bytes;
    return 1;
}

static int mac_get_params(void *ctx, OSSL_PARAM params[])
{
    const struct mac *m = ctx;
    OSSL_PARAM *size = OSSL_PARAM_locate(params, OSSL_MAC_PARAM_SIZE),
               *block = OSSL_PARAM_locate(params, OSSL_MAC_PARAM_BLOCK_SIZE);

    return (size == NULL || OSSL_PARAM_set_size_t(size, m->hash_bytes)) &&
           (block == NULL ||
            OSSL_PARAM_set_size_t(block, m->hash_bytes == SHA256_DIGEST_LENGTH ? SHA256_CBLOCK
                                                                               : SHA512_CBLOCK));
}

static const OSSL_PARAM *mac_gettable(void *ctx, void *provider)
{
    static const OSSL_PARAM gettable[] = {OSSL_PARAM_size_t(OSSL_MAC_PARAM_SIZE, NULL),
                                          OSSL_PARAM_size_t(OSSL_MAC_PARAM_BLOCK_SIZE, NULL),
                                          OSSL_PARAM_END};
    return gettable;
}

static const OSSL_PARAM *mac_settable(void *ctx, void *provider)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_PROPERTIES, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_MAC_PARAM_KEY, NULL, 0), OSSL_PARAM_END};
    return settable;
}

static const OSSL_DISPATCH finished[] = {
    ENTRY(OSSL_FUNC_MAC_NEWCTX, mac_new),
    ENTRY(OSSL_FUNC_MAC_FREECTX, mac_free),
    ENTRY(OSSL_FUNC_MAC_DUPCTX, mac_dup),
    ENTRY(OSSL_FUNC_MAC_INIT, mac_init),
    ENTRY(OSSL_FUNC_MAC_UPDATE, mac_update),
    ENTRY(OSSL_FUNC_MAC_FINAL, mac_final),
    ENTRY(OSSL_FUNC_MAC_GET_CTX_PARAMS, mac_get_params),
    ENTRY(OSSL_FUNC_MAC_GETTABLE_CTX_PARAMS, mac_gettable),
    ENTRY(OSSL_FUNC_MAC_SET_CTX_PARAMS, mac_set_params),
    ENTRY(OSSL_FUNC_MAC_SETTABLE_CTX_PARAMS, mac_settable),
    LAST_ENTRY,
};

/* --- random bytes: the kernel's, without OpenSSL's generators and their locks */

static _Thread_local struct {
    unsigned char v[512]; /* the first `used` are given out, and wiped */
    size_t used;
} pool = {.used = sizeof pool.v};

static int draw(unsigned char *out, int n)
{
    size_t wanted = n > 0 ? (size_t)n : 0;

    if (wanted > sizeof pool.v / 4) {
        random_bytes(out, wanted);
        return 1;
    }
    if (wanted > sizeof pool.v - pool.used) {
        random_bytes(pool.v, sizeof pool.v);
        pool.used = 0;
    }
    memcpy(out, pool.v + pool.used, wanted);
    OPENSSL_cleanse(pool.v + pool.used, wanted);
    pool.used += wanted;
    return 1;
}

static int drawn(void)
{
    return 1;
}

static void after_fork(void)
{
    pool.used = sizeof pool.v; /* the parent gives these out */
}

static const RAND_METHOD kernels = {.bytes = draw, .pseudorand = draw, .status = drawn};

/* --- the provider */

static OSSL_PROVIDER *volatile usual, *volatile ours; /* for the life of the process */
static OSSL_DISPATCH manager[MANAGER_ENTRIES_MAX];
static OSSL_ALGORITHM managers[] = {
    {"X25519", PROPERTIES, manager, "X25519, key pairs by libsodium"},
    {NULL,     NULL,       NULL,    NULL                            },
};
static OSSL_ALGORITHM exchanges[] = {
    {"X25519", PROPERTIES, NULL, "X25519"},
    {NULL,     NULL,       NULL, NULL    },
};
static const OSSL_ALGORITHM kdfs[] = {
    {"TLS13-KDF", PROPERTIES, key_schedule, "the key schedule of TLS 1.3"},
    {NULL,        NULL,       NULL,         NULL                         },
};

static const OSSL_ALGORITHM macs[] = {
    {"HMAC", PROPERTIES, finished, "HMAC with SHA-256 and SHA-384"},
    {NULL,   NULL,       NULL,     NULL                           },
};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    *no_cache = 0;
    return operation == OSSL_OP_KEYMGMT   ? managers
           : operation == OSSL_OP_KEYEXCH ? exchanges
           : operation == OSSL_OP_KDF     ? kdfs
           : operation == OSSL_OP_MAC     ? macs
                                          : NULL;
}

/* libssl takes a group from the provider that has its key manager: as the IANA has it and OpenSSL. */
static int capabilities(void *provider, const char *what, OSSL_CALLBACK *callback, void *arg)
{
    unsigned id = 0x001d, bits = 128;
    int tls_min = TLS1_VERSION, dtls_min = DTLS1_VERSION, no_max = 0;
    char name[] = "x25519", algorithm[] = "X25519";
    const OSSL_PARAM group[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL, algorithm, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_ALG, algorithm, 0),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_ID, &id),
        OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS, &bits),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MIN_TLS, &tls_min),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MAX_TLS, &no_max),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MIN_DTLS, &dtls_min),
        OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MAX_DTLS, &no_max),
        OSSL_PARAM_construct_end(),
    };

    return OPENSSL_strcasecmp(what, "TLS-GROUP") != 0 || callback(group, arg);
}

static const OSSL_DISPATCH provider_functions[] = {
    ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
    ENTRY(OSSL_FUNC_PROVIDER_GET_CAPABILITIES, capabilities),
    LAST_ENTRY,
};

/* Its functions for X25519 are called with what they expect: the other provider's context. */
static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                         const OSSL_DISPATCH **out, void **provider)
{
    *out = provider_functions;
    *provider = OSSL_PROVIDER_get0_provider_ctx(usual);
    return 1;
}

static const OSSL_DISPATCH *usual_functions(int operation, const char *name)
{
    int no_cache;
    const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(usual, operation, &no_cache);
    size_t n = strlen(name);

    for (; a != NULL && a->algorithm_names != NULL; a++)
        if (strncmp(a->algorithm_names, name, n) == 0 &&
            (a->algorithm_names[n] == ':' || a->algorithm_names[n] == '\0'))
            return a->implementation;
    CHECK(false);
}

const char *tls_algorithms(void)
{
    if (ours != NULL)
        return "?" PREFERRED;
    usual = OSSL_PROVIDER_load(NULL, "default");
    CHECK(usual != NULL);
    make_manager(manager, usual_functions(OSSL_OP_KEYMGMT, "X25519"));
    exchanges[0].implementation = usual_functions(OSSL_OP_KEYEXCH, "X25519");
    /* who asks for nothing in particular must go on getting OpenSSL's: that is known first */
    EVP_KEYMGMT_free(EVP_KEYMGMT_fetch(NULL, "X25519", NULL));
    EVP_KEYEXCH_free(EVP_KEYEXCH_fetch(NULL, "X25519", NULL));
    EVP_KDF_free(EVP_KDF_fetch(NULL, "TLS13-KDF", NULL));
    EVP_MAC_free(EVP_MAC_fetch(NULL, "HMAC", NULL));
    CHECK(OSSL_PROVIDER_add_builtin(NULL, PROVIDER, provider_init) == 1);
    ours = OSSL_PROVIDER_load(NULL, PROVIDER);
    CHECK(ours != NULL);
    CHECK(pthread_atfork(NULL, NULL, after_fork) == 0);
    RAND_set_rand_method(&kernels);
    return "?" PREFERRED;
}
