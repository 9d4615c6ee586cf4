#include "acme/jws.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/random.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

enum { SIGNATURE_MAX = 1024 };

static const struct algorithm {
    const char *name, *digest; /* digest NULL: the key's own */
    int key;                   /* EVP_PKEY_… */
    int bits;                  /* of an EC key; 0: any */
    int half;                  /* bytes of r and of s */
} algorithms[] = {
    {"ES256", "SHA256", EVP_PKEY_EC,      256, 32},
    {"ES384", "SHA384", EVP_PKEY_EC,      384, 48},
    {"ES512", "SHA512", EVP_PKEY_EC,      521, 66},
    {"RS256", "SHA256", EVP_PKEY_RSA,     0,   0 },
    {"EdDSA", NULL,     EVP_PKEY_ED25519, 0,   0 },
};

static const struct algorithm *algorithm_of(EVP_PKEY *key)
{
    static const struct {
        const char *name;
        int id;
    } kinds[] = {
        {"EC",      EVP_PKEY_EC     },
        {"RSA",     EVP_PKEY_RSA    },
        {"ED25519", EVP_PKEY_ED25519},
    };
    int id = 0;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (EVP_PKEY_is_a(key, kinds[i].name))
            id = kinds[i].id;
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
        if (algorithms[i].key == id &&
            (algorithms[i].bits == 0 || algorithms[i].bits == EVP_PKEY_get_bits(key)))
            return &algorithms[i];
    return NULL;
}

const char *jws_algorithm(EVP_PKEY *key)
{
    const struct algorithm *a = algorithm_of(key);
    return a ? a->name : NULL;
}

/* --- signing */

/* An ECDSA signature as DER becomes r and s of one length. */
static bool put_signature(struct buf *out, const struct algorithm *a, struct span sig)
{
    const unsigned char *p = (const unsigned char *)sig.p;
    unsigned char raw[132];
    ECDSA_SIG *s;
    bool ok;

    if (a->half == 0)
        return base64url_encode(out, sig);
    s = d2i_ECDSA_SIG(NULL, &p, (long)sig.n);
    ok = s && BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, a->half) == a->half &&
         BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + a->half, a->half) == a->half &&
         base64url_encode(out, span_of(raw, 2 * (size_t)a->half));
    ECDSA_SIG_free(s);
    return ok;
}

static int sign_bytes(EVP_PKEY *key, const struct algorithm *a, struct span text,
                      unsigned char sig[SIGNATURE_MAX], size_t *ret)
{
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    size_t n = SIGNATURE_MAX;
    int rc = -EIO;

    ERR_clear_error();
    if (m && EVP_DigestSignInit_ex(m, NULL, a->digest, NULL, NULL, key, NULL) == 1 &&
        EVP_DigestSign(m, sig, &n, (const unsigned char *)text.p, text.n) == 1) {
        *ret = n;
        rc = 0;
    }
    EVP_MD_CTX_free(m);
    ERR_clear_error();
    return rc;
}

static bool put_input(struct buf *b, struct span header, struct span payload)
{
    return base64url_encode(b, header) && buf_putc(b, '.') && base64url_encode(b, payload);
}

/* Opens the message; the signature and "} follow. */
static void put_message(struct buf *out, struct span input)
{
    size_t dot = span_find(input, '.');

    buf_put_cstr(out, "{\"protected\":\"");
    buf_put_span(out, span_head(input, dot));
    buf_put_cstr(out, "\",\"payload\":\"");
    buf_put_span(out, span_skip(input, dot + 1));
    buf_put_cstr(out, "\",\"signature\":\"");
}

int jws_sign(EVP_PKEY *key, struct span header, struct span payload, struct buf *out, struct err *e)
{
    const struct algorithm *a = algorithm_of(key);
    struct buf input BUF_AUTO = BUF(JWS_TEXT_MAX);
    unsigned char sig[SIGNATURE_MAX];
    size_t n = 0;

    if (!a)
        return err_set(e, -EINVAL, "a key of this kind cannot sign for ACME");
    if (!put_input(&input, header, payload))
        return err_set(e, -EMSGSIZE, "the message to be signed is too long");
    if (sign_bytes(key, a, buf_span(&input), sig, &n) < 0)
        return err_set(e, -EIO, "the account key did not sign; is keyd up?");
    put_message(out, buf_span(&input));
    if (!put_signature(out, a, span_of(sig, n)))
        return err_set(e, -EIO, "the account key gave a signature of another kind");
    buf_put_cstr(out, "\"}");
    return out->overflow ? err_set(e, -EMSGSIZE, "the signed message is too long") : 0;
}

static bool hmac(struct span secret, struct span text, unsigned char ret[32])
{
    unsigned n = 0;

    return secret.n > 0 &&
           HMAC(EVP_sha256(), secret.p, (int)secret.n, (const unsigned char *)text.p, text.n, ret,
                &n) &&
           n == 32;
}

int jws_sign_hmac(struct span secret, struct span header, struct span payload, struct buf *out,
                  struct err *e)
{
    struct buf input BUF_AUTO = BUF(JWS_TEXT_MAX);
    unsigned char mac[32];

    if (!put_input(&input, header, payload))
        return err_set(e, -EMSGSIZE, "the message to be signed is too long");
    if (!hmac(secret, buf_span(&input), mac))
        return err_set(e, -EINVAL, "the key of the external account binding is empty");
    put_message(out, buf_span(&input));
    base64url_encode(out, span_of(mac, sizeof(mac)));
    buf_put_cstr(out, "\"}");
    return out->overflow ? err_set(e, -EMSGSIZE, "the signed message is too long") : 0;
}

/* --- taking apart */

static int decode(const json_t *object, const char *name, size_t most, struct buf *ret,
                  struct span *ret_text, struct err *e)
{
    struct span s = acme_json_span(object, name);

    if (!s.p)
        return err_set(e, -EBADMSG, "the signed message has no \"%s\"", name);
    if (s.n > most * 4 / 3 + 4)
        return err_set(e, -EMSGSIZE, "\"%s\" of the signed message has more than %zu bytes", name,
                       most);
    *ret = BUF(most);
    if (!base64url_decode(ret, s)) {
        buf_done(ret);
        return err_set(e, -EBADMSG, "\"%s\" of the signed message is not base64url", name);
    }
    *ret_text = s;
    return 0;
}

static int read_header(struct jws *j, struct err *e)
{
    static const struct {
        const char *name;
        size_t offset, size;
    } texts[] = {
        {"alg",   offsetof(struct jws, alg),   sizeof(j->alg)  },
        {"nonce", offsetof(struct jws, nonce), sizeof(j->nonce)},
        {"url",   offsetof(struct jws, url),   sizeof(j->url)  },
        {"kid",   offsetof(struct jws, kid),   sizeof(j->kid)  },
    };
    int rc = acme_json_read(buf_span(&j->header), &j->fields, e);

    if (rc < 0)
        return err_wrap(e, rc, "the protected header");
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (json_object_get(j->fields, texts[i].name) &&
            !acme_json_text(j->fields, texts[i].name, (char *)j + texts[i].offset, texts[i].size))
            return err_set(e, -EBADMSG, "\"%s\" of the protected header is no text, or too long",
                           texts[i].name);
    if (j->alg[0] == '\0')
        return err_set(e, -EBADMSG, "the protected header has no \"alg\"");
    if (json_object_get(j->fields, "crit"))
        return err_set(e, -EBADMSG, "the protected header demands what is not known (\"crit\")");
    j->jwk = acme_json_object(j->fields, "jwk");
    return 0;
}

int jws_read_object(const json_t *object, struct jws *ret, struct err *e)
{
    struct jws j = {.fields = NULL};
    struct span header, payload, signature;
    int rc;

    if (json_object_get(object, "header") || json_object_get(object, "signatures"))
        return err_set(e, -EBADMSG,
                       "the signed message is not in the flattened form, or has "
                       "an unprotected header");
    j.input = BUF(JWS_TEXT_MAX);
    rc = decode(object, "protected", JWS_HEADER_MAX, &j.header, &header, e);
    if (rc == 0)
        rc = decode(object, "payload", JWS_PAYLOAD_MAX, &j.payload, &payload, e);
    if (rc == 0)
        rc = decode(object, "signature", SIGNATURE_MAX, &j.signature, &signature, e);
    if (rc == 0 && !(buf_put_span(&j.input, header) && buf_putc(&j.input, '.') &&
                     buf_put_span(&j.input, payload)))
        rc = err_set(e, -EMSGSIZE, "the signed message is too long");
    if (rc == 0)
        rc = read_header(&j, e);
    if (rc < 0) {
        jws_done(&j);
        return rc;
    }
    *ret = j;
    return 0;
}

int jws_read(struct span text, struct jws *ret, struct err *e)
{
    json_t *object = NULL;
    int rc = acme_json_read(text, &object, e);

    if (rc < 0)
        return rc;
    rc = jws_read_object(object, ret, e);
    json_decref(object);
    return rc;
}

void jws_done(struct jws *j)
{
    if (!j)
        return;
    buf_done(&j->input);
    buf_done(&j->header);
    buf_done(&j->payload);
    buf_done(&j->signature);
    json_decref(j->fields);
    j->fields = NULL;
    j->jwk = NULL;
}

/* r and s back into DER. */
static int der_signature(const struct algorithm *a, struct span raw, unsigned char **ret)
{
    ECDSA_SIG *s = NULL;
    BIGNUM *x = NULL, *y = NULL;
    int n = -1;

    if (raw.n != 2 * (size_t)a->half)
        return -1;
    s = ECDSA_SIG_new();
    x = BN_bin2bn((const unsigned char *)raw.p, a->half, NULL);
    y = BN_bin2bn((const unsigned char *)raw.p + a->half, a->half, NULL);
    if (s && x && y && ECDSA_SIG_set0(s, x, y) == 1) {
        x = y = NULL;
        n = i2d_ECDSA_SIG(s, ret);
    }
    BN_free(x);
    BN_free(y);
    ECDSA_SIG_free(s);
    return n;
}

static bool verify_bytes(EVP_PKEY *key, const struct algorithm *a, struct span text,
                         const unsigned char *sig, size_t n)
{
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    bool ok = m && EVP_DigestVerifyInit_ex(m, NULL, a->digest, NULL, NULL, key, NULL) == 1 &&
              EVP_DigestVerify(m, sig, n, (const unsigned char *)text.p, text.n) == 1;

    EVP_MD_CTX_free(m);
    return ok;
}

bool jws_verify(const struct jws *j, EVP_PKEY *key)
{
    const struct algorithm *a = algorithm_of(key);
    struct span raw = buf_span(&j->signature);
    unsigned char *der = NULL;
    bool ok = false;
    int n;

    if (!a || strcmp(a->name, j->alg) != 0)
        return false;
    if (a->half == 0) {
        ok = raw.n > 0 &&
             verify_bytes(key, a, buf_span(&j->input), (const unsigned char *)raw.p, raw.n);
    } else if ((n = der_signature(a, raw, &der)) > 0) {
        ok = verify_bytes(key, a, buf_span(&j->input), der, (size_t)n);
        OPENSSL_free(der);
    }
    ERR_clear_error();
    return ok;
}

bool jws_verify_hmac(const struct jws *j, struct span secret)
{
    unsigned char mac[32];

    return strcmp(j->alg, "HS256") == 0 && j->signature.n == sizeof(mac) &&
           hmac(secret, buf_span(&j->input), mac) && secret_eq(mac, j->signature.p, sizeof(mac));
}
