/* Public keys as JSON (RFC 7517, 7518 section 6, 8037) and back. */
#include "acme/jws.h"
#include "base/base64.h"
#include "base/check.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192 };

static const struct curve {
    const char *jose, *openssl;
    int bits, bytes;
} curves[] = {
    {"P-256", "P-256", 256, 32},
    {"P-384", "P-384", 384, 48},
    {"P-521", "P-521", 521, 66},
};
enum { CURVES = ARRAY_LEN(curves) };

static bool put_number(struct buf *out, const char *name, EVP_PKEY *key, const char *param,
                       int bytes)
{
    unsigned char raw[RSA_BITS_MAX / 8];
    BIGNUM *n = NULL;
    bool ok;

    if (EVP_PKEY_get_bn_param(key, param, &n) != 1)
        return false;
    if (bytes == 0)
        bytes = BN_num_bytes(n);
    ok = bytes <= (int)sizeof(raw) && BN_bn2binpad(n, raw, bytes) == bytes &&
         buf_printf(out, "\"%s\":\"", name) && base64url_encode(out, span_of(raw, (size_t)bytes)) &&
         buf_putc(out, '"');
    BN_free(n);
    return ok;
}

static bool put_ec(struct buf *out, EVP_PKEY *key)
{
    for (int i = 0; i < CURVES; i++)
        if (curves[i].bits == EVP_PKEY_get_bits(key))
            return buf_printf(out, "{\"crv\":\"%s\",\"kty\":\"EC\",", curves[i].jose) &&
                   put_number(out, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, curves[i].bytes) &&
                   buf_putc(out, ',') &&
                   put_number(out, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, curves[i].bytes) &&
                   buf_putc(out, '}');
    return false;
}

static bool put_rsa(struct buf *out, EVP_PKEY *key)
{
    return buf_putc(out, '{') && put_number(out, "e", key, OSSL_PKEY_PARAM_RSA_E, 0) &&
           buf_put_cstr(out, ",\"kty\":\"RSA\",") &&
           put_number(out, "n", key, OSSL_PKEY_PARAM_RSA_N, 0) && buf_putc(out, '}');
}

static bool put_okp(struct buf *out, EVP_PKEY *key)
{
    unsigned char raw[64];
    size_t n = sizeof(raw);

    return EVP_PKEY_get_raw_public_key(key, raw, &n) == 1 &&
           buf_put_cstr(out, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"") &&
           base64url_encode(out, span_of(raw, n)) && buf_put_cstr(out, "\"}");
}

bool jwk_put(struct buf *out, EVP_PKEY *key)
{
    size_t before = out->n;
    bool ok = EVP_PKEY_is_a(key, "EC")        ? put_ec(out, key)
              : EVP_PKEY_is_a(key, "RSA")     ? put_rsa(out, key)
              : EVP_PKEY_is_a(key, "ED25519") ? put_okp(out, key)
                                              : false;

    ERR_clear_error();
    if (!ok)
        buf_truncate(out, before);
    return ok;
}

bool jwk_thumbprint(struct buf *out, EVP_PKEY *key)
{
    struct buf jwk BUF_AUTO = BUF(4096);
    unsigned char hash[SHA256_DIGEST_LENGTH];

    if (!jwk_put(&jwk, key))
        return false;
    SHA256((const unsigned char *)jwk.p, jwk.n, hash);
    return base64url_encode(out, span_of(hash, sizeof(hash)));
}

/* --- reading */

static int bad(struct err *e, const char *why)
{
    return err_set(e, -EBADMSG, "the public key (JWK) cannot be used: %s", why);
}

static bool number(const json_t *jwk, const char *name, struct buf *out)
{
    struct span s = acme_json_span(jwk, name);
    return s.n > 0 && base64url_decode(out, s) && out->n > 0;
}

static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *b)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, NULL), *check = NULL;
    OSSL_PARAM *p = OSSL_PARAM_BLD_to_param(b);
    EVP_PKEY *key = NULL;

    if (c && p && EVP_PKEY_fromdata_init(c) == 1)
        EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, p);
    if (key) { /* a point that is not on the curve must not come in */
        check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
        if (!check || EVP_PKEY_public_check(check) != 1) {
            EVP_PKEY_free(key);
            key = NULL;
        }
    }
    EVP_PKEY_CTX_free(check);
    OSSL_PARAM_free(p);
    EVP_PKEY_CTX_free(c);
    ERR_clear_error();
    return key;
}

static int read_ec(const json_t *jwk, EVP_PKEY **ret, struct err *e)
{
    struct buf x BUF_AUTO = BUF(66), y BUF_AUTO = BUF(66), point BUF_AUTO = BUF(133);
    const struct curve *c = NULL;
    OSSL_PARAM_BLD *b;
    char name[16];

    acme_json_text(jwk, "crv", name, sizeof(name));
    for (int i = 0; i < CURVES; i++)
        if (strcmp(curves[i].jose, name) == 0)
            c = &curves[i];
    if (!c)
        return bad(e, "its curve is not P-256, P-384 or P-521");
    if (!number(jwk, "x", &x) || !number(jwk, "y", &y) || x.n != (size_t)c->bytes ||
        y.n != (size_t)c->bytes)
        return bad(e, "x and y do not have the length of its curve");
    buf_putc(&point, 4);
    buf_put_span(&point, buf_span(&x));
    buf_put_span(&point, buf_span(&y));
    b = OSSL_PARAM_BLD_new();
    if (b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, c->openssl, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.n) == 1)
        *ret = key_from("EC", b);
    OSSL_PARAM_BLD_free(b);
    return *ret ? 0 : bad(e, "its point is not on its curve");
}

static int read_rsa(const json_t *jwk, EVP_PKEY **ret, struct err *e)
{
    struct buf n BUF_AUTO = BUF(RSA_BITS_MAX / 8 + 1), x BUF_AUTO = BUF(8);
    BIGNUM *bn = NULL, *be = NULL;
    OSSL_PARAM_BLD *b = NULL;

    if (!number(jwk, "n", &n) || !number(jwk, "e", &x))
        return bad(e, "n or e is missing or too long");
    bn = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
    be = BN_bin2bn((const unsigned char *)x.p, (int)x.n, NULL);
    if (bn && be && BN_num_bits(bn) >= RSA_BITS_MIN && BN_num_bits(bn) <= RSA_BITS_MAX &&
        BN_is_odd(be) && (b = OSSL_PARAM_BLD_new()) &&
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, be) == 1)
        *ret = key_from("RSA", b);
    OSSL_PARAM_BLD_free(b);
    BN_free(bn);
    BN_free(be);
    return *ret ? 0 : bad(e, "an RSA key must have 2048 to 8192 bits and a sound exponent");
}

static int read_okp(const json_t *jwk, EVP_PKEY **ret, struct err *e)
{
    struct buf x BUF_AUTO = BUF(64);

    if (!span_eq_cstr(acme_json_span(jwk, "crv"), "Ed25519") || !number(jwk, "x", &x) || x.n != 32)
        return bad(e, "of this kind only Ed25519 is known");
    *ret = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, (const unsigned char *)x.p, x.n);
    ERR_clear_error();
    return *ret ? 0 : bad(e, "it is no Ed25519 key");
}

int jwk_read(const json_t *jwk, EVP_PKEY **ret, struct err *e)
{
    struct span kty = acme_json_span(jwk, "kty");
    EVP_PKEY *key = NULL;
    int rc = span_eq_cstr(kty, "EC")    ? read_ec(jwk, &key, e)
             : span_eq_cstr(kty, "RSA") ? read_rsa(jwk, &key, e)
             : span_eq_cstr(kty, "OKP") ? read_okp(jwk, &key, e)
                                        : bad(e, "its kind is not EC, RSA or OKP");

    if (rc == 0)
        *ret = key;
    return rc;
}
