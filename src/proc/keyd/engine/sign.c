#include "proc/keyd/engine/sign.h"

#include "base/check.h"
#include "pki/key_algorithm.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

bool sign_suits(const struct keyd_key *k, const struct key_sign_request *r)
{
    bool rsa = strncmp(k->info.type, "rsa", 3) == 0, ed = strcmp(k->info.type, "ed25519") == 0;

    switch (r->algorithm) {
    case KEY_RSA_PKCS1:
    case KEY_RSA_PSS:
        return rsa && r->digest != KEY_DIGEST_NONE;
    case KEY_ECDSA:
        return !rsa && !ed && r->digest != KEY_DIGEST_NONE;
    case KEY_EDDSA:
        return ed && r->digest == (r->purpose == KEY_DKIM ? KEY_SHA256 : KEY_DIGEST_NONE);
    }
    return false;
}

/* Fetched once: the implicit fetch of EVP_sha256() costs more than the hash of a short text. The
 * first call is on the loop's thread. */
static const EVP_MD *digest_of(enum key_digest d)
{
    static EVP_MD *md[4];

    if (md[d] == NULL)
        md[d] = EVP_MD_fetch(NULL, key_digest_name(d), NULL);
    return md[d];
}

int sign_anywhere(const struct keyd_key *k, const struct key_sign_request *r,
                  unsigned char ret[KEY_SIGNATURE_MAX], size_t *ret_bytes)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key = NULL; /* ctx owns it */
    const unsigned char *text = (const unsigned char *)r->text.p;
    const char *digest = r->algorithm == KEY_EDDSA ? NULL : key_digest_name(r->digest);
    size_t text_bytes = r->text.n, n = KEY_SIGNATURE_MAX;
    unsigned char hash[64];
    bool ok;

    CHECK(ctx != NULL);
    ERR_clear_error();
    if (r->algorithm == KEY_EDDSA && r->digest == KEY_SHA256) { /* RFC 8463 section 3 */
        CHECK(EVP_Digest(text, text_bytes, hash, NULL, EVP_sha256(), NULL) == 1);
        text = hash;
        text_bytes = 32;
    }
    ok = EVP_DigestSignInit_ex(ctx, &key, digest, NULL, NULL, k->pkey, NULL) == 1;
    if (ok && r->algorithm == KEY_RSA_PSS)
        ok = EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(key, RSA_PSS_SALTLEN_DIGEST) == 1;
    ok = ok && EVP_DigestSign(ctx, ret, &n, text, text_bytes) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    if (!ok)
        return -EIO;
    *ret_bytes = n;
    return 0;
}

int sign_inline(struct keyd_key *k, const struct key_sign_request *r,
                unsigned char ret[KEY_SIGNATURE_MAX], size_t *ret_bytes)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned hash_bytes = 0;
    size_t n = KEY_SIGNATURE_MAX;
    const EVP_MD *md;

    if (r->algorithm != KEY_ECDSA)
        return sign_anywhere(k, r, ret, ret_bytes);
    ERR_clear_error();
    md = digest_of(r->digest);
    if (k->sign_ctx == NULL) {
        k->sign_ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
        CHECK(k->sign_ctx != NULL);
        if (EVP_PKEY_sign_init(k->sign_ctx) != 1) {
            EVP_PKEY_CTX_free(k->sign_ctx);
            k->sign_ctx = NULL;
        }
    }
    if (md == NULL || k->sign_ctx == NULL ||
        EVP_Digest(r->text.p, r->text.n, hash, &hash_bytes, md, NULL) != 1 ||
        EVP_PKEY_sign(k->sign_ctx, ret, &n, hash, hash_bytes) != 1) {
        ERR_clear_error();
        return -EIO;
    }
    *ret_bytes = n;
    return 0;
}
