#include "tls/challenge.h"

#include "base/check.h"
#include "base/codec.h"
#include "pki/key.h"
#include "tls/context_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

struct challenge {
    char name[256];
    SSL_CTX *ctx;
};

static struct challenge *all[TLS_CHALLENGES_MAX];
static unsigned count;

static struct challenge **find(struct span name)
{
    for (unsigned i = 0; i < count; i++)
        if (span_is(name, all[i]->name))
            return &all[i];
    return NULL;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                   const unsigned char *in, unsigned in_n, void *arg)
{
    static const unsigned char name[] = TLS_CHALLENGE_ALPN;

    *out = name;
    *out_n = sizeof name - 1;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *challenge_ctx(struct span der, const char *key_id, struct err *e)
{
    SSL_CTX *ctx = tls_ctx_new(TLS_server_method(), TLS1_2_VERSION);
    const unsigned char *p = (const unsigned char *)der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    unsigned char *spki = NULL;
    EVP_PKEY *key = NULL;
    int n = x == NULL ? 0 : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
    bool ok;

    if (n > 0)
        key = key_handle(key_id, KEY_TLS_SERVER, span_of(spki, (size_t)n));
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    ERR_clear_error();
    ok = key != NULL && SSL_CTX_use_certificate(ctx, x) == 1 &&
         SSL_CTX_use_PrivateKey(ctx, key) == 1;
    if (!ok) {
        err_set(e, -EINVAL, "the challenge's certificate cannot be used: %s",
                tls_error_text("it is damaged"));
        SSL_CTX_free(ctx);
        ctx = NULL;
    }
    OPENSSL_free(spki);
    EVP_PKEY_free(key);
    X509_free(x);
    return ctx;
}

static void drop(struct challenge **c)
{
    SSL_CTX_free((*c)->ctx);
    free(*c);
    *c = all[--count];
}

int tls_challenge_set(const char *name, struct span certificate, const char *key_id, struct err *e)
{
    struct challenge **old = find(span_cstr(name)), *c;
    SSL_CTX *ctx;

    if (certificate.n == 0) {
        if (old != NULL)
            drop(old);
        return 0;
    }
    if (strlen(name) >= sizeof c->name)
        return err_set(e, -EINVAL, "the challenge's name is too long");
    if (old == NULL && count == TLS_CHALLENGES_MAX)
        return err_set(e, -ENOSPC, "more than %d challenges at once", TLS_CHALLENGES_MAX);
    ctx = challenge_ctx(certificate, key_id, e);
    if (ctx == NULL)
        return -EINVAL;
    if (old != NULL)
        drop(old);
    c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    memcpy(c->name, name, strlen(name) + 1);
    c->ctx = ctx;
    all[count++] = c;
    return 0;
}

unsigned tls_challenge_count(void)
{
    return count;
}

/* --- the first message of a client */

/* Exactly one name is offered, and it is that of challenges. */
static bool offers_challenge(SSL *ssl)
{
    static const unsigned char want[] = {0, sizeof TLS_CHALLENGE_ALPN,
                                         sizeof TLS_CHALLENGE_ALPN - 1};
    const unsigned char *p;
    size_t n;

    return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &p,
                                     &n) == 1 &&
           n == sizeof want + sizeof TLS_CHALLENGE_ALPN - 1 && memcmp(p, want, sizeof want) == 0 &&
           memcmp(p + sizeof want, TLS_CHALLENGE_ALPN, sizeof TLS_CHALLENGE_ALPN - 1) == 0;
}

/* RFC 6066 section 3: u16 list, u8 type, u16 name. */
static struct span asked_name(SSL *ssl)
{
    const unsigned char *p;
    size_t n;

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) != 1 || n < 5 ||
        ((size_t)p[0] << 8 | p[1]) != n - 2 || p[2] != TLSEXT_NAMETYPE_host_name ||
        ((size_t)p[3] << 8 | p[4]) != n - 5)
        return SPAN_EMPTY;
    return span_of(p + 5, n - 5);
}

int tls_challenge_hello(SSL *ssl, int *alert, void *arg)
{
    struct challenge **c;

    if (count == 0 || !offers_challenge(ssl))
        return SSL_CLIENT_HELLO_SUCCESS;
    c = find(asked_name(ssl));
    if (c == NULL)
        return SSL_CLIENT_HELLO_SUCCESS;
    SSL_set_SSL_CTX(ssl, (*c)->ctx);
    /* these stay with the connection: whoever it is gets no ticket, and is not asked for a
     * certificate */
    SSL_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_set_num_tickets(ssl, 0);
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    return SSL_CLIENT_HELLO_SUCCESS;
}
