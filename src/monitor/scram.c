#include "monitor/scram.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/parse.h"
#include "base/random.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { MESSAGE_MAX = 4096, NONCE = 24, ROUNDS_MAX = 1000000, BYTES = 32 };

void scram_init(struct scram *s, const char *user, const char *password)
{
    *s = (struct scram){.user = user, .password = password, .first_bare = BUF(MESSAGE_MAX)};
}

void scram_done(struct scram *s)
{
    buf_done(&s->first_bare);
    secret_wipe(s->server_signature, sizeof s->server_signature);
}

/* saslname: "," and "=" are escaped. */
static void put_name(struct buf *b, const char *name)
{
    for (const char *p = name; *p; p++) {
        if (*p == ',')
            buf_put_cstr(b, "=2C");
        else if (*p == '=')
            buf_put_cstr(b, "=3D");
        else
            buf_putc(b, *p);
    }
}

void scram_first_with(struct scram *s, const char *nonce, struct buf *out)
{
    buf_clear(&s->first_bare);
    buf_put_cstr(&s->first_bare, "n=");
    put_name(&s->first_bare, s->user);
    buf_printf(&s->first_bare, ",r=%s", nonce);
    buf_put_cstr(out, "n,,");
    buf_put_span(out, buf_span(&s->first_bare));
}

void scram_first(struct scram *s, struct buf *out)
{
    struct buf nonce BUF_AUTO = BUF(NONCE + 1);

    random_token(&nonce, NONCE);
    scram_first_with(s, buf_cstr(&nonce), out);
}

static void hmac(const unsigned char key[BYTES], struct span text, unsigned char ret[BYTES])
{
    unsigned n = 0;

    CHECK(HMAC(EVP_sha256(), key, BYTES, (const unsigned char *)(text.p ? text.p : ""), text.n, ret,
               &n) != NULL);
}

static bool is_value(unsigned char c)
{
    return c != ',' && c != 0;
}

bool scram_final(struct scram *s, struct span server_first, struct buf *out)
{
    struct span c = server_first, nonce, salt64, bare = buf_span(&s->first_bare), own;
    unsigned char salted[BYTES], client_key[BYTES], stored_key[BYTES], server_key[BYTES],
        signature[BYTES];
    struct buf salt BUF_AUTO = BUF(512), message BUF_AUTO = BUF(3 * MESSAGE_MAX);
    uint32_t rounds;
    unsigned n = 0;

    if (!parse_lit(&c, "r=") || !parse_while(&c, is_value, 1, 1024, &nonce) ||
        !parse_lit(&c, ",s=") || !parse_while(&c, is_value, 1, 512, &salt64) ||
        !parse_lit(&c, ",i=") || !parse_u32(&c, ROUNDS_MAX, &rounds) || rounds == 0 ||
        (!parse_end(&c) && !parse_char(&c, ',')) || !base64_decode(&salt, salt64))
        return false;
    own = span_skip(bare, span_rfind(bare, '=') + 1);
    if (!span_starts(nonce, own) || nonce.n == own.n)
        return false;
    CHECK(PKCS5_PBKDF2_HMAC(s->password, (int)strlen(s->password),
                            (const unsigned char *)(salt.p ? salt.p : ""), (int)salt.n, (int)rounds,
                            EVP_sha256(), BYTES, salted) == 1);
    buf_put_cstr(out, "c=biws,r=");
    buf_put_span(out, nonce);
    buf_put_span(&message, bare);
    buf_putc(&message, ',');
    buf_put_span(&message, server_first);
    buf_putc(&message, ',');
    buf_put_span(&message, buf_span(out));
    hmac(salted, SPAN("Client Key"), client_key);
    CHECK(EVP_Digest(client_key, BYTES, stored_key, &n, EVP_sha256(), NULL) == 1);
    hmac(stored_key, buf_span(&message), signature);
    for (unsigned i = 0; i < BYTES; i++)
        client_key[i] ^= signature[i];
    hmac(salted, SPAN("Server Key"), server_key);
    hmac(server_key, buf_span(&message), s->server_signature);
    buf_put_cstr(out, ",p=");
    base64_encode(out, span_of(client_key, BYTES));
    secret_wipe(salted, sizeof salted);
    secret_wipe(client_key, sizeof client_key);
    secret_wipe(server_key, sizeof server_key);
    return true;
}

bool scram_server_proved(const struct scram *s, struct span server_final)
{
    struct buf v BUF_AUTO = BUF(256);
    struct span c = server_final, v64;

    return parse_lit(&c, "v=") && parse_while(&c, is_value, 1, 200, &v64) &&
           base64_decode(&v, v64) && v.n == BYTES && secret_eq(v.p, s->server_signature, BYTES);
}
