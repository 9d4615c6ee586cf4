/* client.c: contexts of outgoing connections. */
#include "base/check.h"
#include "pki/key.h"
#include "tls/context_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct tls_client_context {
    SSL_CTX *ctx;
};

static int state_index(void)
{
    static int index = -1;

    if (index < 0) {
        index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
        CHECK(index >= 0);
    }
    return index;
}

struct tls_client_state *tls_client_state(const SSL *ssl)
{
    return SSL_get_ex_data(ssl, state_index());
}

void tls_client_state_set(SSL *ssl, struct tls_client_state *s)
{
    CHECK(SSL_set_ex_data(ssl, state_index(), s) == 1);
}

/* The result of the check stays readable either way; only a connection that demands it fails by it.
 */
static int on_server_certificate(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct tls_client_state *s = tls_client_state(ssl);
    bool ok = X509_verify_cert(store) == 1;

    if (!ok && X509_STORE_CTX_get_error(store) == X509_V_OK)
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
    return ok || (s != NULL && !s->verify);
}

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_client_state *s = tls_client_state(ssl);

    if (s == NULL)
        return 0;
    SSL_SESSION_free(s->session);
    s->session = session;
    return 1; /* kept */
}

struct tls_client_context *tls_client_context_new(struct span ca_pem, struct err *e)
{
    X509_STORE *store = ca_pem.n > 0 ? tls_store_of_pem(ca_pem, NULL, e) : X509_STORE_new();
    struct tls_client_context *c;

    if (store == NULL)
        return NULL;
    c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    c->ctx = tls_ctx_new(TLS_client_method(), TLS1_2_VERSION);
    SSL_CTX_set_cert_store(c->ctx, store);
    X509_VERIFY_PARAM_set_hostflags(SSL_CTX_get0_param(c->ctx),
                                    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(c->ctx, on_server_certificate, NULL);
    SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ctx, on_new_session);
    return c;
}

int tls_client_context_trust_more(struct tls_client_context *c, struct span ca_pem, struct err *e)
{
    X509_STORE *more = tls_store_of_pem(ca_pem, NULL, e);
    const STACK_OF(X509_OBJECT) * all;

    if (more == NULL)
        return -EBADMSG;
    all = X509_STORE_get0_objects(more);
    for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
        X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
        if (x != NULL)
            CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(c->ctx), x) == 1);
    }
    X509_STORE_free(more);
    return 0;
}

void tls_client_context_free(struct tls_client_context *c)
{
    if (c == NULL)
        return;
    SSL_CTX_free(c->ctx);
    free(c);
}

int tls_client_context_identity(struct tls_client_context *c, struct span chain, const char *key_id,
                                struct err *e)
{
    STACK_OF(X509) *certs = tls_chain_parse(chain, e);
    unsigned char *spki = NULL;
    EVP_PKEY *key = NULL;
    int r = 0, n;

    if (certs == NULL)
        return -EINVAL;
    n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(sk_X509_value(certs, 0)), &spki);
    if (n > 0)
        key = key_handle(key_id, KEY_TLS_CLIENT, span_of(spki, (size_t)n));
    ERR_clear_error();
    if (key == NULL || SSL_CTX_use_certificate(c->ctx, sk_X509_value(certs, 0)) != 1 ||
        SSL_CTX_use_PrivateKey(c->ctx, key) != 1 || SSL_CTX_clear_chain_certs(c->ctx) != 1)
        r = err_set(e, -EINVAL, "the client certificate cannot be used: %s",
                    tls_error_text("its key is of a kind that cannot be used"));
    for (int i = 1; r == 0 && i < sk_X509_num(certs); i++)
        if (SSL_CTX_add1_chain_cert(c->ctx, sk_X509_value(certs, i)) != 1)
            r = err_set(e, -EINVAL, "certificate %d of the chain cannot be used: %s", i + 1,
                        tls_error_text("unknown reason"));
    OPENSSL_free(spki);
    EVP_PKEY_free(key);
    sk_X509_pop_free(certs, X509_free);
    return r;
}

SSL *tls_client_context_ssl(struct tls_client_context *c)
{
    return SSL_new(c->ctx);
}
