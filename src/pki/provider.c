/*
 * provider.c: keys are references (id, purpose) with a public half that OpenSSL's own provider
 * understands; all questions about the public half are passed on to it. Signing happens in
 * digest_sign alone, whole text at once, and only there may the fiber suspend.
 *
 * The key managers bear OpenSSL's own names ("RSA", "EC", "ED25519"), because libssl chooses by
 * them; the signatures bear names of our own, so that OpenSSL never takes them for its keys nor its
 * own for ours.
 */
#include "pki/provider.h"

#include "base/check.h"
#include "loop/fiber.h"
#include "pki/key_algorithm.h"

#include <errno.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/proverr.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define PROVIDER "sealpost"
#define PARAM_ID "sealpost-id"
#define PARAM_PURPOSE "sealpost-purpose"
#define PARAM_SPKI "sealpost-spki"

/* core_dispatch.h gives functions as void (*)(void); each entry says what it is by its number */
#define ENTRY(number, fn)                                                                          \
    {                                                                                              \
        (number), (void (*)(void))(fn)                                                             \
    }
/* clang-format 14 takes a literal {0, NULL} at the end of a macro apart */
#define LAST_ENTRY                                                                                 \
    {                                                                                              \
        0, NULL                                                                                    \
    }

struct prov_key {
    bool set;
    unsigned char id[KEY_ID_BYTES];
    unsigned purpose;
    EVP_PKEY *pub; /* of the default provider */
};

static provider_sign_fn sign_fn;

/* --- key managers */

static void *km_new(void *provider)
{
    return calloc(1, sizeof(struct prov_key));
}

static void km_free(void *key)
{
    struct prov_key *k = key;

    if (k == NULL)
        return;
    EVP_PKEY_free(k->pub);
    free(k);
}

static int km_has(const void *key, int selection)
{
    const struct prov_key *k = key;
    return k != NULL && k->set;
}

static int km_match(const void *key1, const void *key2, int selection)
{
    const struct prov_key *a = key1, *b = key2;
    return a->set && b->set && EVP_PKEY_eq(a->pub, b->pub) == 1;
}

/* Our own references and nothing else: a key of another provider is never turned into one of ours.
 */
static int km_import(void *key, int selection, const OSSL_PARAM params[])
{
    struct prov_key *k = key;
    const OSSL_PARAM *id = OSSL_PARAM_locate_const(params, PARAM_ID);
    const OSSL_PARAM *purpose = OSSL_PARAM_locate_const(params, PARAM_PURPOSE);
    const OSSL_PARAM *spki = OSSL_PARAM_locate_const(params, PARAM_SPKI);
    const unsigned char *p;

    if (k->set || id == NULL || id->data_size != KEY_ID_BYTES || purpose == NULL || spki == NULL ||
        OSSL_PARAM_get_uint(purpose, &k->purpose) != 1)
        return 0;
    p = spki->data;
    k->pub = d2i_PUBKEY(NULL, &p, (long)spki->data_size);
    if (k->pub == NULL || p != (const unsigned char *)spki->data + spki->data_size)
        return 0;
    memcpy(k->id, id->data, KEY_ID_BYTES);
    k->set = true;
    return 1;
}

static const OSSL_PARAM import_params[] = {
    OSSL_PARAM_octet_string(PARAM_ID, NULL, 0), OSSL_PARAM_uint(PARAM_PURPOSE, NULL),
    OSSL_PARAM_octet_string(PARAM_SPKI, NULL, 0), OSSL_PARAM_END};

static const OSSL_PARAM *km_import_types(int selection)
{
    return import_params;
}

static int km_export(void *key, int selection, OSSL_CALLBACK *callback, void *arg)
{
    struct prov_key *k = key;
    OSSL_PARAM *params = NULL;
    int r;

    if (!k->set || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY))
        return 0; /* the private half is in keyd and stays there */
    if (EVP_PKEY_todata(k->pub, EVP_PKEY_PUBLIC_KEY, &params) != 1)
        return 0;
    r = callback(params, arg);
    OSSL_PARAM_free(params);
    return r;
}

static const OSSL_PARAM export_params[] = {
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0), OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
    OSSL_PARAM_END};

static const OSSL_PARAM *km_export_types(int selection)
{
    return selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY ? NULL : export_params;
}

static int km_get_params(void *key, OSSL_PARAM params[])
{
    const struct prov_key *k = key;
    return k->set && EVP_PKEY_get_params(k->pub, params);
}

static const OSSL_PARAM key_params[] = {
    OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
    OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
    OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL, 0),
    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
    OSSL_PARAM_END};

static const OSSL_PARAM *km_gettable(void *provider)
{
    return key_params;
}

static const char *km_rsa_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "SEALPOST-RSA" : NULL;
}

static const char *km_ec_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "SEALPOST-ECDSA" : NULL;
}

static const char *km_ed_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "SEALPOST-EDDSA" : NULL;
}

#define MANAGER_ENTRIES(operation)                                                                 \
    ENTRY(OSSL_FUNC_KEYMGMT_NEW, km_new), ENTRY(OSSL_FUNC_KEYMGMT_FREE, km_free),                  \
        ENTRY(OSSL_FUNC_KEYMGMT_HAS, km_has), ENTRY(OSSL_FUNC_KEYMGMT_MATCH, km_match),            \
        ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, km_import),                                                \
        ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, km_import_types),                                    \
        ENTRY(OSSL_FUNC_KEYMGMT_EXPORT, km_export),                                                \
        ENTRY(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, km_export_types),                                    \
        ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, km_get_params),                                        \
        ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, km_gettable),                                     \
        ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, operation)

static const OSSL_DISPATCH rsa_manager[] = {MANAGER_ENTRIES(km_rsa_operation), LAST_ENTRY};
static const OSSL_DISPATCH ec_manager[] = {MANAGER_ENTRIES(km_ec_operation), LAST_ENTRY};
static const OSSL_DISPATCH ed_manager[] = {MANAGER_ENTRIES(km_ed_operation), LAST_ENTRY};

/* --- signatures */

struct sign_ctx {
    const struct prov_key *key; /* the EVP_PKEY_CTX above holds it */
    enum key_algorithm algorithm;
    enum key_digest digest;
};

static void *sig_new(void *provider, const char *properties)
{
    return calloc(1, sizeof(struct sign_ctx));
}

static void sig_free(void *ctx)
{
    free(ctx);
}

static void *sig_dup(void *ctx)
{
    struct sign_ctx *copy = calloc(1, sizeof *copy);

    if (copy != NULL)
        *copy = *(struct sign_ctx *)ctx;
    return copy;
}

static int sig_set_params(void *ctx, const OSSL_PARAM params[]);

static int sig_init(struct sign_ctx *s, enum key_algorithm algorithm, const char *digest,
                    const void *key, const OSSL_PARAM params[])
{
    if (key != NULL)
        s->key = key;
    if (s->key == NULL || !s->key->set)
        return 0;
    s->algorithm = algorithm;
    s->digest = KEY_DIGEST_NONE;
    if (algorithm != KEY_EDDSA) {
        if (!key_digest_by_name(digest != NULL && *digest != '\0' ? digest : "SHA256",
                                &s->digest)) {
            ERR_raise(ERR_LIB_PROV, PROV_R_DIGEST_NOT_ALLOWED);
            return 0;
        }
    } else if (digest != NULL && *digest != '\0') {
        ERR_raise(ERR_LIB_PROV, PROV_R_INVALID_DIGEST);
        return 0;
    }
    return sig_set_params(s, params);
}

static int rsa_init(void *ctx, const char *digest, void *key, const OSSL_PARAM params[])
{
    return sig_init(ctx, KEY_RSA_PKCS1, digest, key, params);
}

static int ec_init(void *ctx, const char *digest, void *key, const OSSL_PARAM params[])
{
    return sig_init(ctx, KEY_ECDSA, digest, key, params);
}

static int ed_init(void *ctx, const char *digest, void *key, const OSSL_PARAM params[])
{
    return sig_init(ctx, KEY_EDDSA, digest, key, params);
}

static const char *sign_reason(int r)
{
    return r == -ENOENT    ? "there is no such key"
           : r == -EACCES  ? "keyd refuses this purpose"
           : r == -EINVAL  ? "keyd refuses this text"
           : r == -EBUSY   ? "keyd is busy"
           : r == -EPIPE   ? "keyd is away"
           : r == -ENOTSUP ? "signing works in a fiber only"
                           : strerror(-r);
}

static int sig_digest_sign(void *ctx, unsigned char *sig, size_t *sig_bytes, size_t room,
                           const unsigned char *text, size_t text_bytes)
{
    struct sign_ctx *s = ctx;
    struct key_sign_request r = {.purpose = s->key->purpose,
                                 .algorithm = s->algorithm,
                                 .digest = s->digest,
                                 .text = span_of(text, text_bytes)};
    unsigned char made[KEY_SIGNATURE_MAX];
    size_t made_bytes = 0, most = (size_t)EVP_PKEY_get_size(s->key->pub);
    int status;

    if (sig == NULL) { /* how large will it be: answered here, keyd is not asked */
        *sig_bytes = most;
        return 1;
    }
    if (room < most) {
        ERR_raise(ERR_LIB_PROV, PROV_R_OUTPUT_BUFFER_TOO_SMALL);
        return 0;
    }
    memcpy(r.id, s->key->id, sizeof r.id);
    status = sign_fn(&r, made, &made_bytes);
    if (status == 0 && made_bytes > most)
        status = -EPROTO;
    if (status < 0) {
        ERR_raise_data(ERR_LIB_PROV, PROV_R_FAILED_TO_SIGN, "%s", sign_reason(status));
        return 0;
    }
    memcpy(sig, made, made_bytes);
    *sig_bytes = made_bytes;
    return 1;
}

/* With the public half, by OpenSSL's own provider: a certificate made with a handle gives the
 * handle back as its key. */
static int sig_digest_verify(void *ctx, const unsigned char *sig, size_t sig_bytes,
                             const unsigned char *text, size_t text_bytes)
{
    struct sign_ctx *s = ctx;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key = NULL; /* md owns it */
    const char *digest = s->algorithm == KEY_EDDSA ? NULL : key_digest_name(s->digest);
    bool ok =
        md != NULL && EVP_DigestVerifyInit_ex(md, &key, digest, NULL, NULL, s->key->pub, NULL) == 1;

    if (ok && s->algorithm == KEY_RSA_PSS)
        ok = EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(key, RSA_PSS_SALTLEN_DIGEST) == 1;
    ok = ok && EVP_DigestVerify(md, sig, sig_bytes, text, text_bytes) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

/* OpenSSL hands numbers over as int, as decimal text or as a word. */
static bool get_int(const OSSL_PARAM *p, const char *word, int word_value, int *ret)
{
    if (p->data_type == OSSL_PARAM_UTF8_STRING) {
        if (p->data == NULL)
            return false;
        *ret = strcmp(p->data, word) == 0 ? word_value : atoi(p->data);
        return true;
    }
    return OSSL_PARAM_get_int(p, ret) == 1;
}

static bool set_padding(struct sign_ctx *s, const OSSL_PARAM *p)
{
    int pad = 0;

    if (s->algorithm != KEY_RSA_PKCS1 && s->algorithm != KEY_RSA_PSS)
        return false;
    if (!get_int(p, "pss", RSA_PKCS1_PSS_PADDING, &pad))
        return false;
    if (p->data_type == OSSL_PARAM_UTF8_STRING && strcmp(p->data, "pkcs1") == 0)
        pad = RSA_PKCS1_PADDING;
    if (pad == RSA_PKCS1_PADDING)
        s->algorithm = KEY_RSA_PKCS1;
    else if (pad == RSA_PKCS1_PSS_PADDING)
        s->algorithm = KEY_RSA_PSS;
    else
        return false;
    return true;
}

static bool salt_suits(const struct sign_ctx *s, const OSSL_PARAM *p)
{
    int salt = 0;

    return get_int(p, "digest", RSA_PSS_SALTLEN_DIGEST, &salt) &&
           (salt == RSA_PSS_SALTLEN_DIGEST || salt == (int)key_digest_bytes(s->digest));
}

static bool get_digest(const OSSL_PARAM *p, enum key_digest *ret)
{
    return p->data_type == OSSL_PARAM_UTF8_STRING && p->data != NULL &&
           key_digest_by_name(p->data, ret);
}

static int sig_set_params(void *ctx, const OSSL_PARAM params[])
{
    struct sign_ctx *s = ctx;
    const OSSL_PARAM *p;
    enum key_digest d;

    if (params == NULL)
        return 1;
    p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_DIGEST);
    if (p != NULL && s->algorithm != KEY_EDDSA && !get_digest(p, &s->digest))
        return 0;
    p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    if (p != NULL && !set_padding(s, p))
        return 0;
    p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
    if (p != NULL && !salt_suits(s, p))
        return 0;
    p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST);
    return p == NULL || (get_digest(p, &d) && d == s->digest);
}

static const OSSL_PARAM settable_params[] = {
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
    OSSL_PARAM_int(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL),
    OSSL_PARAM_int(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0), OSSL_PARAM_END};

static const OSSL_PARAM *sig_settable(void *ctx, void *provider)
{
    return settable_params;
}

static int sig_get_params(void *ctx, OSSL_PARAM params[])
{
    const struct sign_ctx *s = ctx;
    OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
    unsigned char *der = NULL;
    X509_ALGOR *a;
    int n, ok = 1;

    if (p != NULL) {
        a = key_algorithm_identifier(s->algorithm, s->digest);
        n = a == NULL ? -1 : i2d_X509_ALGOR(a, &der);
        X509_ALGOR_free(a);
        ok = n > 0 && OSSL_PARAM_set_octet_string(p, der, (size_t)n) == 1;
        OPENSSL_free(der);
    }
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_DIGEST);
    if (ok && p != NULL)
        ok = OSSL_PARAM_set_utf8_string(p, key_digest_name(s->digest));
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    if (ok && p != NULL && p->data_type == OSSL_PARAM_INTEGER)
        ok = OSSL_PARAM_set_int(p, s->algorithm == KEY_RSA_PSS ? RSA_PKCS1_PSS_PADDING
                                                               : RSA_PKCS1_PADDING);
    return ok;
}

static const OSSL_PARAM gettable_params[] = {
    OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
    OSSL_PARAM_int(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL), OSSL_PARAM_END};

static const OSSL_PARAM *sig_gettable(void *ctx, void *provider)
{
    return gettable_params;
}

#define SIGNATURE_ENTRIES(init)                                                                    \
    ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, sig_new), ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, sig_free),      \
        ENTRY(OSSL_FUNC_SIGNATURE_DUPCTX, sig_dup),                                                \
        ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, init),                                         \
        ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sig_digest_sign),                                   \
        ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT, init),                                       \
        ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY, sig_digest_verify),                               \
        ENTRY(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, sig_get_params),                                 \
        ENTRY(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, sig_gettable),                              \
        ENTRY(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, sig_set_params),                                 \
        ENTRY(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, sig_settable)

static const OSSL_DISPATCH rsa_signature[] = {SIGNATURE_ENTRIES(rsa_init), LAST_ENTRY};
static const OSSL_DISPATCH ec_signature[] = {SIGNATURE_ENTRIES(ec_init), LAST_ENTRY};
static const OSSL_DISPATCH ed_signature[] = {SIGNATURE_ENTRIES(ed_init), LAST_ENTRY};

/* --- the provider */

static const OSSL_ALGORITHM managers[] = {
    {"RSA",     "provider=" PROVIDER, rsa_manager, "RSA keys in keyd"    },
    {"EC",      "provider=" PROVIDER, ec_manager,  "EC keys in keyd"     },
    {"ED25519", "provider=" PROVIDER, ed_manager,  "Ed25519 keys in keyd"},
    {NULL,      NULL,                 NULL,        NULL                  }
};
static const OSSL_ALGORITHM signatures[] = {
    {"SEALPOST-RSA",   "provider=" PROVIDER, rsa_signature, "RSA signatures of keyd"    },
    {"SEALPOST-ECDSA", "provider=" PROVIDER, ec_signature,  "ECDSA signatures of keyd"  },
    {"SEALPOST-EDDSA", "provider=" PROVIDER, ed_signature,  "Ed25519 signatures of keyd"},
    {NULL,             NULL,                 NULL,          NULL                        }
};

static const OSSL_ALGORITHM *prov_query(void *provider, int operation, int *no_cache)
{
    *no_cache = 0;
    return operation == OSSL_OP_KEYMGMT     ? managers
           : operation == OSSL_OP_SIGNATURE ? signatures
                                            : NULL;
}

static const OSSL_DISPATCH provider_functions[] = {
    ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, prov_query), LAST_ENTRY};

static int prov_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                     const OSSL_DISPATCH **out, void **provider)
{
    static int context; /* all state is in the keys */

    *out = provider_functions;
    *provider = &context;
    return 1;
}

/* Another session's queued error must not be taken for this one's. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* OpenSSL must go on taking its own key managers where nobody asks for ours. */
static bool default_comes_first(const char *algorithm)
{
    EVP_KEYMGMT *m = EVP_KEYMGMT_fetch(NULL, algorithm, NULL);
    bool ok =
        m != NULL && strcmp(OSSL_PROVIDER_get0_name(EVP_KEYMGMT_get0_provider(m)), PROVIDER) != 0;

    EVP_KEYMGMT_free(m);
    return ok;
}

void provider_load(provider_sign_fn sign)
{
    /* for the life of the process; volatile, or the compiler keeps a flag instead and leak checkers
     * see nobody hold them */
    static OSSL_PROVIDER *volatile usual, *volatile ours;

    sign_fn = sign;
    if (ours != NULL)
        return;
    usual = OSSL_PROVIDER_load(NULL, "default");
    CHECK(usual != NULL);
    CHECK(default_comes_first("RSA"));
    CHECK(OSSL_PROVIDER_add_builtin(NULL, PROVIDER, prov_init) == 1);
    ours = OSSL_PROVIDER_load(NULL, PROVIDER);
    CHECK(ours != NULL);
    for (const OSSL_ALGORITHM *a = managers; a->algorithm_names != NULL; a++)
        CHECK(default_comes_first(a->algorithm_names));
    fiber_on_resume(forget_errors);
}

EVP_PKEY *provider_key(const unsigned char id[KEY_ID_BYTES], unsigned purpose, struct span spki)
{
    const unsigned char *p = (const unsigned char *)spki.p;
    EVP_PKEY *pub, *key = NULL;
    EVP_PKEY_CTX *ctx = NULL;
    const char *name = NULL;
    OSSL_PARAM params[4];
    unsigned char id_copy[KEY_ID_BYTES];

    ERR_clear_error();
    pub = d2i_PUBKEY(NULL, &p, (long)spki.n);
    for (const OSSL_ALGORITHM *a = managers; pub != NULL && a->algorithm_names != NULL; a++)
        if (EVP_PKEY_is_a(pub, a->algorithm_names))
            name = a->algorithm_names;
    EVP_PKEY_free(pub);
    if (name != NULL)
        ctx = EVP_PKEY_CTX_new_from_name(NULL, name, "provider=" PROVIDER);
    if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1) {
        struct buf copy BUF_AUTO = BUF(KEY_SPKI_MAX);
        memcpy(id_copy, id, sizeof id_copy);
        buf_put_span(&copy, spki);
        params[0] = OSSL_PARAM_construct_octet_string(PARAM_ID, id_copy, sizeof id_copy);
        params[1] = OSSL_PARAM_construct_uint(PARAM_PURPOSE, &purpose);
        params[2] = OSSL_PARAM_construct_octet_string(PARAM_SPKI, copy.p, copy.n);
        params[3] = OSSL_PARAM_construct_end();
        if (copy.overflow || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
            key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return key;
}
