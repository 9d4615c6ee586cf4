#include "tls/context.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/map.h"
#include "pki/key.h"
#include "tls/context_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SNI_NAMES_MAX = 512, /* strangers choose them: the rest is counted together */
    ALPN_BYTES_MAX = 64,
    TICKET_LIFE_SECONDS = 8 * 3600, /* two of keyd's rotations */
    SID_CONTEXT_BYTES = 32,
    STAPLES = 4, /* current, next, and what was replaced a moment ago */
};

struct sni_entry {
    char name[256];
    uint64_t count;
    bool covered;
};

struct tls_slot_state {
    SSL_CTX *ctx; /* NULL: empty. Connections hold references of their own. */
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
};

struct staple {
    char sha256[65]; /* of the certificate, hex; "": free */
    unsigned char *answer;
    size_t n;
    int64_t until;
};

struct tls_context {
    unsigned refs;
    char *name;
    int min_version;
    unsigned char alpn[ALPN_BYTES_MAX];
    unsigned alpn_bytes;
    bool alpn_strict;
    bool require; /* of clients: a certificate that holds */
    struct tls_slot_state slots[2];
    struct staple staples[STAPLES];
    X509_STORE *trust; /* NULL: clients are not asked for certificates */
    STACK_OF(X509_NAME) * trust_names;
    uint64_t trust_epoch;
    unsigned char sid_context[SID_CONTEXT_BYTES];
    struct map *sni;
    struct sni_entry sni_other;
    struct tls_counters counters;
};

/* --- the object */

/* Tickets of another trust list, or of a time when no certificate was required, are not resumed. */
static void set_sid_context(struct tls_context *c)
{
    struct buf b BUF_AUTO = BUF(4096);

    buf_printf(&b, "sealpost ticket %s %llu %d", c->name, (unsigned long long)c->trust_epoch,
               c->require);
    CHECK(EVP_Digest(b.p, b.n, c->sid_context, NULL, EVP_sha256(), NULL) == 1);
}

struct tls_context *tls_context_new(const struct conf_vserver *v, const char *const *alpn,
                                    bool alpn_strict)
{
    struct tls_context *c = calloc(1, sizeof *c);

    CHECK(c != NULL);
    c->refs = 1;
    c->name = strdup(v->name);
    CHECK(c->name != NULL);
    c->min_version = v->tls_min == TLS_MIN_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    for (; alpn != NULL && *alpn != NULL; alpn++) {
        size_t n = strlen(*alpn);
        CHECK(n > 0 && n < 32 && c->alpn_bytes + n + 1 <= ALPN_BYTES_MAX);
        c->alpn[c->alpn_bytes++] = (unsigned char)n;
        memcpy(c->alpn + c->alpn_bytes, *alpn, n);
        c->alpn_bytes += (unsigned)n;
    }
    c->alpn_strict = alpn_strict;
    c->require = v->client_certificates == CLIENT_CERTIFICATES_REQUIRE;
    c->sni = map_new();
    snprintf(c->sni_other.name, sizeof c->sni_other.name, "(other)");
    set_sid_context(c);
    return c;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
    c->refs++;
    return c;
}

static bool free_sni(struct span key, void *value, void *arg)
{
    free(value);
    return true;
}

static void slot_clear(struct tls_slot_state *s)
{
    SSL_CTX_free(s->ctx);
    sk_X509_pop_free(s->chain, X509_free);
    EVP_PKEY_free(s->key);
    *s = (struct tls_slot_state){NULL, NULL, NULL};
}

static void staple_clear(struct staple *s)
{
    free(s->answer);
    *s = (struct staple){.answer = NULL};
}

void tls_context_unref(struct tls_context *c)
{
    if (c == NULL || --c->refs > 0)
        return;
    slot_clear(&c->slots[TLS_SLOT_CURRENT]);
    slot_clear(&c->slots[TLS_SLOT_NEXT]);
    for (unsigned i = 0; i < STAPLES; i++)
        staple_clear(&c->staples[i]);
    X509_STORE_free(c->trust);
    sk_X509_NAME_pop_free(c->trust_names, X509_NAME_free);
    map_each(c->sni, free_sni, NULL);
    map_free(c->sni);
    free(c->name);
    free(c);
}

struct tls_counters *tls_context_counters(struct tls_context *c)
{
    return &c->counters;
}

/* --- the SNI observatory */

static bool is_host_name(struct span s)
{
    if (s.n == 0 || s.n > 253)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '.' && s.p[i] != '-' &&
            s.p[i] != '_')
            return false;
    return true;
}

static bool name_covered(const struct tls_context *c, const char *name)
{
    X509 *leaf = c->slots[TLS_SLOT_CURRENT].chain == NULL
                     ? NULL
                     : sk_X509_value(c->slots[TLS_SLOT_CURRENT].chain, 0);

    return leaf != NULL && X509_check_host(leaf, name, 0,
                                           X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                                           NULL) == 1;
}

static struct sni_entry *sni_entry(struct tls_context *c, const char *asked)
{
    struct span name = span_cstr(asked);
    char lower[256];
    struct sni_entry *e;

    if (!is_host_name(name))
        return &c->sni_other;
    for (size_t i = 0; i <= name.n; i++)
        lower[i] = ascii_lower(asked[i]);
    name.p = lower;
    e = map_get(c->sni, name);
    if (e == NULL) {
        if (map_size(c->sni) >= SNI_NAMES_MAX)
            return &c->sni_other;
        e = calloc(1, sizeof *e);
        CHECK(e != NULL);
        memcpy(e->name, lower, name.n + 1);
        e->covered = name_covered(c, lower);
        map_set(c->sni, name, e);
    }
    return e;
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    struct tls_context *c = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    struct sni_entry *e;

    if (name == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    e = sni_entry(c, name);
    e->count++;
    /* A name that the certificate lacks is no reason to refuse: the client decides what it trusts.
     */
    return e->covered ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static bool refresh_covered(struct span key, void *value, void *arg)
{
    struct sni_entry *e = value;
    e->covered = name_covered(arg, e->name);
    return true;
}

struct sni_walk {
    void (*fn)(const char *name, uint64_t count, bool covered, void *arg);
    void *arg;
};

static bool sni_one(struct span key, void *value, void *arg)
{
    const struct sni_entry *e = value;
    const struct sni_walk *w = arg;
    w->fn(e->name, e->count, e->covered, w->arg);
    return true;
}

void tls_context_sni_each(const struct tls_context *c,
                          void (*fn)(const char *name, uint64_t count, bool covered, void *arg),
                          void *arg)
{
    struct sni_walk w = {fn, arg};

    map_each(c->sni, sni_one, &w);
    if (c->sni_other.count > 0)
        fn(c->sni_other.name, c->sni_other.count, false, arg);
}

/* --- callbacks of the handshake */

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                   const unsigned char *in, unsigned in_n, void *arg)
{
    const struct tls_context *c = arg;
    unsigned char *chosen;

    if (c->alpn_bytes > 0 && SSL_select_next_proto(&chosen, out_n, c->alpn, c->alpn_bytes, in,
                                                   in_n) == OPENSSL_NPN_NEGOTIATED) {
        *out = chosen;
        return SSL_TLSEXT_ERR_OK;
    }
    return c->alpn_strict ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int enc)
{
    struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    int r = tls_ticket_callback(ssl, name, iv, cipher, mac, enc);

    if (enc && r == 1)
        c->counters.tickets_issued++;
    return r;
}

/* A client certificate that does not hold is no reason to end the handshake, unless one is
 * required; the result stays with the session. */
static int on_client_certificate(X509_STORE_CTX *store, void *arg)
{
    const struct tls_context *c = arg;

    if (X509_verify_cert(store) == 1)
        return 1;
    if (X509_STORE_CTX_get_error(store) == X509_V_OK)
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
    return !c->require;
}

/* CRLs are held against those CAs of the list that have one in it. */
static int on_verify_step(int ok, X509_STORE_CTX *store)
{
    if (ok || X509_STORE_CTX_get_error(store) != X509_V_ERR_UNABLE_TO_GET_CRL)
        return ok;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

/* --- stapled OCSP answers */

static struct staple *staple_of(struct tls_context *c, const char *sha256)
{
    for (unsigned i = 0; i < STAPLES; i++)
        if (strcmp(c->staples[i].sha256, sha256) == 0)
            return &c->staples[i];
    return NULL;
}

/* That which ends first makes room. */
static struct staple *staple_room(struct tls_context *c)
{
    struct staple *least = &c->staples[0];

    for (unsigned i = 1; i < STAPLES; i++)
        if (c->staples[i].until < least->until)
            least = &c->staples[i];
    return least;
}

void tls_context_staple(struct tls_context *c, const char *sha256, struct span answer,
                        int64_t until)
{
    struct staple *s = staple_of(c, sha256);

    CHECK(strlen(sha256) == 64);
    if (s == NULL && answer.n == 0)
        return;
    if (s == NULL)
        s = staple_room(c);
    staple_clear(s);
    if (answer.n == 0)
        return;
    s->answer = malloc(answer.n);
    CHECK(s->answer != NULL);
    memcpy(s->answer, answer.p, answer.n);
    s->n = answer.n;
    s->until = until;
    memcpy(s->sha256, sha256, sizeof s->sha256);
}

/* Called for a client that asks, and for no other. By the certificate of this connection, which may be one that was replaced
 * since it began. */
static int on_status_request(SSL *ssl, void *arg)
{
    struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    X509 *leaf = SSL_get_certificate(ssl);
    unsigned char md[EVP_MAX_MD_SIZE], *copy;
    char sha256[2 * 32 + 1];
    const struct staple *s;

    if (leaf == NULL || X509_digest(leaf, EVP_sha256(), md, NULL) != 1)
        return SSL_TLSEXT_ERR_NOACK;
    tls_hex(md, 32, sha256);
    s = staple_of(c, sha256);
    if (s == NULL || clock_seconds() >= s->until)
        return SSL_TLSEXT_ERR_NOACK;
    copy = OPENSSL_memdup(s->answer, s->n);
    CHECK(copy != NULL);
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)s->n); /* takes it */
    return SSL_TLSEXT_ERR_OK;
}

/* --- SSL_CTX */

static void set_trust(SSL_CTX *ctx, const struct tls_context *c)
{
    if (c->trust == NULL) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        return;
    }
    SSL_CTX_set1_cert_store(ctx, c->trust);
    SSL_CTX_set_client_CA_list(
        ctx, sk_X509_NAME_deep_copy(c->trust_names, X509_NAME_dup, X509_NAME_free));
    SSL_CTX_set_cert_verify_callback(ctx, on_client_certificate, (void *)(uintptr_t)c);
    SSL_CTX_set_verify(
        ctx, c->require ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_PEER,
        on_verify_step);
    SSL_CTX_set_verify_depth(ctx, 6);
    /* what clients are trusted by has nothing to do with what is shown to them */
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
}

static SSL_CTX *server_ctx(struct tls_context *c)
{
    SSL_CTX *ctx = tls_ctx_new(TLS_server_method(), c->min_version);

    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_app_data(ctx, c);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ctx, TICKET_LIFE_SECONDS);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_max_early_data(ctx, 0);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    CHECK(SSL_CTX_set_session_id_context(ctx, c->sid_context, sizeof c->sid_context) == 1);
    SSL_CTX_set_client_hello_cb(ctx, tls_challenge_hello, NULL);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(ctx, c);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, c);
    SSL_CTX_set_tlsext_status_cb(ctx, on_status_request);
    set_trust(ctx, c);
    return ctx;
}

/* Takes chain and key. */
static int slot_set(struct tls_context *c, enum tls_slot slot, STACK_OF(X509) * chain,
                    EVP_PKEY *key, struct err *e)
{
    struct tls_slot_state s = {server_ctx(c), chain, key};

    ERR_clear_error();
    if (SSL_CTX_use_certificate(s.ctx, sk_X509_value(chain, 0)) != 1) {
        err_set(e, -EINVAL, "the certificate cannot be used: %s", tls_error_text("unknown reason"));
        goto fail;
    }
    for (int i = 1; i < sk_X509_num(chain); i++) {
        if (SSL_CTX_add1_chain_cert(s.ctx, sk_X509_value(chain, i)) != 1) {
            err_set(e, -EINVAL, "certificate %d of the chain cannot be used: %s", i + 1,
                    tls_error_text("unknown reason"));
            goto fail;
        }
    }
    if (SSL_CTX_use_PrivateKey(s.ctx, key) != 1 || SSL_CTX_check_private_key(s.ctx) != 1) {
        err_set(e, -EINVAL, "the key does not belong to the certificate: %s",
                tls_error_text("unknown reason"));
        goto fail;
    }
    slot_clear(&c->slots[slot]);
    c->slots[slot] = s;
    map_each(c->sni, refresh_covered, c);
    return 0;

fail:
    slot_clear(&s);
    return -EINVAL;
}

int tls_context_identity_pkey(struct tls_context *c, enum tls_slot slot, STACK_OF(X509) * chain,
                              EVP_PKEY *key, struct err *e)
{
    CHECK(EVP_PKEY_up_ref(key) == 1);
    return slot_set(c, slot, X509_chain_up_ref(chain), key, e);
}

void tls_context_take_identities(struct tls_context *c, const struct tls_context *from)
{
    struct err e = {""};

    for (unsigned i = 0; i < STAPLES; i++)
        if (from->staples[i].sha256[0] != '\0')
            tls_context_staple(c, from->staples[i].sha256,
                               span_of(from->staples[i].answer, from->staples[i].n),
                               from->staples[i].until);
    for (int slot = TLS_SLOT_CURRENT; slot <= TLS_SLOT_NEXT; slot++) {
        const struct tls_slot_state *s = &from->slots[slot];
        if (s->chain != NULL &&
            tls_context_identity_pkey(c, (enum tls_slot)slot, s->chain, s->key, &e) < 0)
            log_error("%s: the certificate cannot be served under the new rules: %s", c->name,
                      e.text);
    }
}

int tls_context_identity(struct tls_context *c, enum tls_slot slot, struct span chain,
                         const char *key_id, struct err *e)
{
    STACK_OF(X509) * certs;
    unsigned char *spki = NULL;
    int spki_bytes;
    EVP_PKEY *key;

    if (chain.n == 0) {
        slot_clear(&c->slots[slot]);
        return 0;
    }
    certs = tls_chain_parse(chain, e);
    if (certs == NULL)
        return -EINVAL;
    spki_bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(sk_X509_value(certs, 0)), &spki);
    key = spki_bytes > 0 ? key_handle(key_id, KEY_TLS_SERVER, span_of(spki, (size_t)spki_bytes))
                         : NULL;
    OPENSSL_free(spki);
    if (key == NULL) {
        sk_X509_pop_free(certs, X509_free);
        return err_set(e, -EINVAL, "the certificate's public key is of a kind that cannot be used");
    }
    return slot_set(c, slot, certs, key, e);
}

static bool has_crl(X509_STORE *store)
{
    STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(store);

    for (int i = 0; i < sk_X509_OBJECT_num(all); i++)
        if (X509_OBJECT_get_type(sk_X509_OBJECT_value(all, i)) == X509_LU_CRL)
            return true;
    return false;
}

/* Takes store and names. */
static int trust_set(struct tls_context *c, X509_STORE *store, STACK_OF(X509_NAME) * names,
                     uint64_t epoch, struct err *e)
{
    X509_STORE_free(c->trust);
    sk_X509_NAME_pop_free(c->trust_names, X509_NAME_free);
    c->trust = store;
    c->trust_names = names;
    c->trust_epoch = epoch;
    set_sid_context(c);
    for (int i = 0; i < 2; i++) {
        struct tls_slot_state *s = &c->slots[i];
        if (s->ctx == NULL)
            continue;
        /* a new SSL_CTX: handshakes that have begun keep the old one */
        CHECK(EVP_PKEY_up_ref(s->key) == 1);
        int r = slot_set(c, (enum tls_slot)i, X509_chain_up_ref(s->chain), s->key, e);
        if (r < 0)
            return r;
    }
    return 0;
}

int tls_context_trust(struct tls_context *c, struct span ca_pem, uint64_t epoch, struct err *e)
{
    STACK_OF(X509_NAME) *names = NULL;
    X509_STORE *store = NULL;

    if (ca_pem.n > 0) {
        names = sk_X509_NAME_new_null();
        CHECK(names != NULL);
        store = tls_store_of_pem(ca_pem, names, e);
        if (store == NULL) {
            sk_X509_NAME_pop_free(names, X509_NAME_free);
            return -EINVAL;
        }
        if (has_crl(store))
            X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    }
    return trust_set(c, store, names, epoch, e);
}

bool tls_context_waits_for_trust(const struct tls_context *c)
{
    return c->require && c->trust == NULL;
}

bool tls_context_asks_clients(const struct tls_context *c)
{
    return c->trust != NULL;
}

bool tls_context_has_identity(const struct tls_context *c)
{
    return c->slots[TLS_SLOT_CURRENT].ctx != NULL;
}

void tls_context_serial(const struct tls_context *c, char ret[68])
{
    const struct tls_slot_state *s = &c->slots[TLS_SLOT_CURRENT];

    ret[0] = '\0';
    if (s->chain != NULL)
        tls_serial_hex(sk_X509_value(s->chain, 0), ret);
}

SSL *tls_context_ssl(struct tls_context *c, enum tls_slot slot)
{
    SSL *ssl = c->slots[slot].ctx == NULL || tls_context_waits_for_trust(c)
                   ? NULL
                   : SSL_new(c->slots[slot].ctx);

    if (ssl != NULL && !tls_ticket_have_keys()) {
        /* a callback that has no key would send an empty ticket in TLS 1.3 */
        SSL_set_options(ssl, SSL_OP_NO_TICKET);
        SSL_set_num_tickets(ssl, 0);
    }
    return ssl;
}
