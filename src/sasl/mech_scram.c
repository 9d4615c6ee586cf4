/* SCRAM-SHA-256 and -PLUS: RFC 5802, RFC 7677; channel bindings of RFC 9266 (tls-exporter) and RFC
 * 5929 (tls-server-end-point). */
#include "sasl/mechanism.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/parse.h"
#include "base/random.h"
#include "base/utf8.h"

#include <sodium.h>

enum step { CLIENT_FIRST, CLIENT_FINAL };

enum { NAME_ESCAPED_MAX = 3 * NAME_ADDRESS_MAX, BINDING_NAME_MAX = 64, NONCE_BYTES = 24 };

static bool is_cb_name(unsigned char c)
{
    return ascii_is_alpha((char)c) || ascii_is_digit((char)c) || c == '.' || c == '-';
}

/* printable = %x21-2B / %x2D-7E */
static bool is_printable(unsigned char c)
{
    return c >= 0x21 && c <= 0x7e && c != ',';
}

static bool is_value(unsigned char c)
{
    return c != ',' && c != 0;
}

/* saslname: "=2C" is a comma, "=3D" an equals sign, no other "=". Prepared into dst. */
static bool parse_name(struct span *c, char dst[NAME_ADDRESS_MAX + 1], bool *ret_possible)
{
    struct span text;
    BUF_AUTO struct buf name = BUF(NAME_ESCAPED_MAX);

    if (!parse_while(c, is_value, 1, NAME_ESCAPED_MAX, &text))
        return false;
    while (text.n) {
        if (parse_lit(&text, "=2C"))
            buf_putc(&name, ',');
        else if (parse_lit(&text, "=3D"))
            buf_putc(&name, '=');
        else if (text.p[0] == '=')
            return false;
        else {
            buf_putc(&name, text.p[0]);
            text = span_skip(text, 1);
        }
    }
    if (!utf8_valid(buf_span(&name)))
        return false;
    *ret_possible = sasl_put_user(dst, buf_span(&name));
    return true;
}

/* gs2-cbind-flag = ("p=" cb-name) / "n" / "y" */
static enum sasl_outcome parse_flag(struct sasl_exchange *x, struct span *c)
{
    struct span name;
    bool binds = x->mechanism->binds;

    if (parse_lit(c, "p=")) {
        if (!parse_while(c, is_cb_name, 1, BINDING_NAME_MAX, &name) || !binds)
            return SASL_INVALID;
        if (span_eq_cstr(name, "tls-exporter"))
            return x->binding_exporter.n ? SASL_CONTINUE : SASL_FAILED;
        if (span_eq_cstr(name, "tls-server-end-point"))
            return x->binding_endpoint.n ? SASL_CONTINUE : SASL_FAILED;
        return SASL_FAILED;
    }
    if (binds)
        return SASL_INVALID;
    if (parse_char(c, 'n'))
        return SASL_CONTINUE;
    if (!parse_char(c, 'y'))
        return SASL_INVALID;
    /* "I could bind, but the server cannot": it can, so somebody took -PLUS out of the list (RFC
     * 5802 section 6) */
    return x->binding_exporter.n || x->binding_endpoint.n ? SASL_FAILED : SASL_CONTINUE;
}

/* ["," attr-val]…, the values unknown to us */
static bool parse_extensions(struct span *c)
{
    struct span value;

    while (c->n > 3 && c->p[0] == ',' && ascii_is_alpha(c->p[1]) && c->p[1] != 'p' &&
           c->p[2] == '=') {
        struct span at = span_skip(*c, 3);
        if (!parse_while(&at, is_value, 1, SASL_FIRST_MAX, &value) || !utf8_valid(value))
            return false;
        *c = at;
    }
    return true;
}

static void make_nonce(struct sasl_exchange *x)
{
    unsigned char bytes[NONCE_BYTES];
    BUF_AUTO struct buf text = BUF(SASL_NONCE_MAX);

    if (x->server_nonce[0])
        return;
    random_bytes(bytes, sizeof bytes);
    base64_encode(&text, span_of(bytes, sizeof bytes));
    CHECK(span_to_cstr(buf_span(&text), x->server_nonce, sizeof x->server_nonce));
}

/* client-first-message = gs2-cbind-flag "," ["a=" saslname] "," "n=" saslname ",r=" printable
 * [extensions]; a mandatory extension ("m=") is refused */
static enum sasl_outcome client_first(struct sasl_exchange *x, struct span response)
{
    struct span c = response, nonce;
    bool possible = true, same = true;
    enum sasl_outcome flag = parse_flag(x, &c);

    if (flag == SASL_INVALID || !parse_char(&c, ','))
        return SASL_INVALID;
    if (parse_lit(&c, "a=") && !parse_name(&c, x->authzid, &same))
        return SASL_INVALID;
    if (!parse_char(&c, ',') || !span_to_cstr(span_between(response.p, c.p), x->gs2, sizeof x->gs2))
        return SASL_INVALID;
    if (!span_to_cstr(c, x->first_bare, sizeof x->first_bare))
        return SASL_INVALID;
    if (!parse_lit(&c, "n=") || !parse_name(&c, x->user, &possible) || !parse_lit(&c, ",r=") ||
        !parse_while(&c, is_printable, 1, SASL_NONCE_MAX, &nonce) || !parse_extensions(&c) ||
        !parse_end(&c))
        return SASL_INVALID;
    if (flag == SASL_FAILED || !possible || !same)
        return SASL_FAILED;
    make_nonce(x);
    memcpy(x->nonce, nonce.p, nonce.n);
    memcpy(x->nonce + nonce.n, x->server_nonce, strlen(x->server_nonce) + 1);
    return SASL_CREDENTIAL;
}

/* c= : the gs2 header again, and after "p=" the channel binding's data. */
static bool binding_fits(const struct sasl_exchange *x, struct span encoded)
{
    BUF_AUTO struct buf got = BUF(SASL_GS2_MAX + 256), want = BUF(SASL_GS2_MAX + 256);

    if (!base64_decode(&got, encoded))
        return false;
    buf_put_cstr(&want, x->gs2);
    if (span_starts(span_cstr(x->gs2), SPAN("p=tls-exporter,")))
        buf_put_span(&want, x->binding_exporter);
    else if (span_starts(span_cstr(x->gs2), SPAN("p=tls-server-end-point,")))
        buf_put_span(&want, x->binding_endpoint);
    return got.n == want.n && secret_eq(got.p, want.p, got.n);
}

/* client-final-message = "c=" base64 ",r=" nonce [extensions] ",p=" base64 */
static enum sasl_outcome client_final(struct sasl_exchange *x, struct span response)
{
    struct span c = response, binding, nonce;
    BUF_AUTO struct buf proof = BUF(sizeof x->proof + 3);

    if (!utf8_valid(response) || !parse_lit(&c, "c=") ||
        !parse_while(&c, is_value, 1, SASL_FIRST_MAX, &binding) || !parse_lit(&c, ",r=") ||
        !parse_while(&c, is_printable, 1, 2 * SASL_NONCE_MAX, &nonce) || !parse_extensions(&c))
        return SASL_INVALID;
    struct span before = span_between(response.p, c.p);
    if (!parse_lit(&c, ",p=") || !base64_decode(&proof, c) || proof.n != sizeof x->proof)
        return SASL_INVALID;
    if (!binding_fits(x, binding) || !span_eq_cstr(nonce, x->nonce))
        return SASL_FAILED;
    buf_clear(&x->without_proof);
    buf_put_span(&x->without_proof, before);
    memcpy(x->proof, proof.p, sizeof x->proof);
    return SASL_PROOF;
}

enum sasl_outcome scram_respond(struct sasl_exchange *x, struct span response,
                                struct buf *challenge)
{
    return x->step == CLIENT_FIRST ? client_first(x, response) : client_final(x, response);
}

/* server-first-message = "r=" nonce ",s=" base64 ",i=" number */
static void put_server_first(const struct sasl_exchange *x, const struct scram_credential *k,
                             struct buf *out)
{
    buf_printf(out, "r=%s,s=", x->nonce);
    base64_encode(out, span_of(k->salt, sizeof k->salt));
    buf_printf(out, ",i=%u", k->iterations);
}

static bool proof_fits(const struct sasl_exchange *x, const struct scram_credential *k,
                       struct span message)
{
    unsigned char key[32], hash[32];

    hmac_sha256(span_of(k->stored_key, sizeof k->stored_key), message, key);
    for (size_t i = 0; i < sizeof key; i++)
        key[i] ^= x->proof[i];
    crypto_hash_sha256(hash, key, sizeof key);
    secret_wipe(key, sizeof key);
    return secret_eq(hash, k->stored_key, sizeof hash);
}

enum sasl_outcome scram_prove(struct sasl_exchange *x, const struct scram_credential *c,
                              struct buf *challenge)
{
    BUF_AUTO struct buf message = BUF(SASL_FIRST_MAX + SASL_CHALLENGE_MAX + SASL_RESPONSE_MAX);
    unsigned char signature[32];

    if (x->step == CLIENT_FIRST) {
        put_server_first(x, c, challenge);
        x->step = CLIENT_FINAL;
        return SASL_CONTINUE;
    }
    buf_printf(&message, "%s,", x->first_bare);
    put_server_first(x, c, &message);
    buf_putc(&message, ',');
    buf_put_span(&message, buf_span(&x->without_proof));
    if (!proof_fits(x, c, buf_span(&message)))
        return SASL_FAILED;
    hmac_sha256(span_of(c->server_key, sizeof c->server_key), buf_span(&message), signature);
    buf_put_cstr(challenge, "v=");
    base64_encode(challenge, span_of(signature, sizeof signature));
    return SASL_PROVEN;
}
