/*
 * scram_client.h: the client's side of SCRAM-SHA-256 for tests, by the words of RFC 5802 and
 * sharing no code with the server's side but HMAC.
 */
#ifndef PROC_SCRAM_CLIENT_H
#define PROC_SCRAM_CLIENT_H

#include "base/base64.h"
#include "base/check.h"
#include "base/parse.h"
#include "directory/credential.h"

#include <sodium.h>

struct scram_client {
    const char *mechanism, *gs2, *user, *password;
    const char *binding;    /* appended to gs2 in c= */
    const char *nonce_tail; /* added to the nonce of the final message */
    const char *first_extra, *final_extra;
    bool flip_proof;
};

/* Hi() */
static inline void scram_client_salted(const char *password, struct span salt, uint32_t iterations,
                                       unsigned char salted[32])
{
    BUF_AUTO struct buf block = BUF(256);
    unsigned char u[32];

    buf_put_span(&block, salt);
    buf_put(&block, "\0\0\0\1", 4);
    hmac_sha256(span_cstr(password), buf_span(&block), u);
    memcpy(salted, u, 32);
    for (uint32_t i = 1; i < iterations; i++) {
        unsigned char next[32];
        hmac_sha256(span_cstr(password), span_of(u, 32), next);
        memcpy(u, next, 32);
        for (int j = 0; j < 32; j++)
            salted[j] ^= u[j];
    }
}

/* client-final-message for server_first; first_bare is what was sent behind the gs2 header. */
static inline void scram_client_final(const struct scram_client *c, struct span first_bare,
                                      struct span server_first, struct buf *out)
{
    struct span s = server_first, nonce, salt64;
    uint32_t iterations;
    unsigned char salted[32], stored[32], key[32], signature[32];
    BUF_AUTO struct buf salt = BUF(64), cb = BUF(1024), message = BUF(8192);

    CHECK(parse_lit(&s, "r=") && parse_until(&s, ',', 1000, &nonce) && parse_lit(&s, ",s=") &&
          parse_until(&s, ',', 100, &salt64) && parse_lit(&s, ",i=") &&
          parse_u32(&s, 1000000, &iterations) && parse_end(&s));
    CHECK(base64_decode(&salt, salt64));
    buf_put_cstr(&cb, c->gs2);
    buf_put_cstr(&cb, c->binding ? c->binding : "");
    buf_put_cstr(out, "c=");
    base64_encode(out, buf_span(&cb));
    buf_put_cstr(out, ",r=");
    buf_put_span(out, nonce);
    buf_put_cstr(out, c->nonce_tail ? c->nonce_tail : "");
    buf_put_cstr(out, c->final_extra ? c->final_extra : "");

    buf_put_span(&message, first_bare);
    buf_putc(&message, ',');
    buf_put_span(&message, server_first);
    buf_putc(&message, ',');
    buf_put_span(&message, buf_span(out));
    scram_client_salted(c->password, buf_span(&salt), iterations, salted);
    hmac_sha256(span_of(salted, 32), SPAN("Client Key"), key);
    crypto_hash_sha256(stored, key, 32);
    hmac_sha256(span_of(stored, 32), buf_span(&message), signature);
    for (int j = 0; j < 32; j++)
        key[j] ^= signature[j];
    if (c->flip_proof)
        key[31] ^= 1;
    buf_put_cstr(out, ",p=");
    base64_encode(out, span_of(key, 32));
}

#endif
