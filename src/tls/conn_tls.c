/* conn_tls.c: handshakes, the end of a connection, and what is known about its TLS. */
#include "base/check.h"
#include "base/fd.h"
#include "tls/challenge.h"
#include "tls/conn_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLOSE_MS = 5000 };

/* What we said goes first: the peer waits for it. */
static int handshake_wait(struct conn *c, int wait_for, uint64_t deadline)
{
    int r = conn_wire_send(c);

    if (r < 0 && r != -EAGAIN)
        return conn_fail(c, -ECONNRESET, "TLS handshake: %s", strerror(-r));
    return conn_wait(c, r == -EAGAIN ? WATCH_WRITE : wait_for, deadline);
}

struct greeting {
    void (*greet)(void *arg); /* NULL: none, or it has been said */
    void *arg;
};

/* RFC 8737 section 3: nothing follows such a handshake. */
static bool is_challenge(SSL *ssl)
{
    const unsigned char *name;
    unsigned n;

    SSL_get0_alpn_selected(ssl, &name, &n);
    return n == sizeof TLS_CHALLENGE_ALPN - 1 && memcmp(name, TLS_CHALLENGE_ALPN, n) == 0;
}

/*
 * OpenSSL stops between our Finished and the client's only for a server that would read early data. None is ever accepted: contexts and
 * tickets say that there may be none of it.
 */
static int step(struct conn *c, SSL *ssl, struct greeting *g)
{
    unsigned char none[1];
    size_t n = 0;

    if (g->greet == NULL)
        return SSL_do_handshake(ssl);
    switch (SSL_read_early_data(ssl, none, sizeof none, &n)) {
    case SSL_READ_EARLY_DATA_FINISH:
        break;
    case SSL_READ_EARLY_DATA_SUCCESS:
        return 0;
    default:
        return -1;
    }
    if (!c->aborted && !SSL_is_init_finished(ssl) && SSL_version(ssl) >= TLS1_3_VERSION &&
        SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE && !is_challenge(ssl)) {
        int wait_for;
        c->greeting = true;
        g->greet(g->arg);
        if (!c->aborted && conn_encrypt_some(c, &wait_for) == -EAGAIN)
            conn_flush(c);
        c->greeting = false;
    }
    g->greet = NULL;
    tls_errors_forget();
    return c->aborted ? -1 : SSL_do_handshake(ssl);
}

static int handshake(struct conn *c, SSL *ssl, uint64_t timeout_ms, struct greeting g)
{
    uint64_t deadline = conn_deadline(timeout_ms);
    int r, wait_for;

    conn_wire_attach(c, ssl);
    c->ssl = ssl;
    for (;;) {
        tls_errors_forget();
        errno = 0;
        r = step(c, ssl, &g); /* may suspend in the provider while keyd signs */
        if (c->aborted)
            return -ECONNABORTED;
        if (c->write_error != 0) {
            r = c->write_error;
            break;
        }
        /* a server's last words wait for what it says next; a client's are waited for */
        if (r == 1 && (!c->outgoing || conn_wire_send(c) >= 0 || c->wire_error == 0))
            return 0;
        r = r == 1 ? conn_fail(c, -ECONNRESET, "TLS handshake: %s", strerror(-c->wire_error))
                   : conn_ssl_result(c, r, "TLS handshake", &wait_for);
        if (r == 0)
            r = handshake_wait(c, wait_for, deadline);
        else if (r == 1)
            r = conn_fail(c, -EPROTO, "TLS handshake: the peer ended it");
        if (r == -ETIMEDOUT)
            conn_fail(c, r, "TLS handshake: not finished in time");
        if (r < 0)
            break;
    }
    c->read_error = c->write_error = r; /* nothing but freeing is left */
    return r == -ECONNRESET ? -EPROTO : r;
}

/* Nothing may cross from clear to TLS, in either direction. */
static int leave_clear(struct conn *c)
{
    int r;

    CHECK(c->ssl == NULL);
    if (conn_in_waiting(c) > 0) {
        size_t n = conn_in_waiting(c);
        conn_consume(c, n);
        buf_clear(&c->out);
        c->out_at = c->out_allowed = 0;
        c->read_error = c->write_error = -EBADMSG;
        return conn_fail(c, -EBADMSG, "%zu bytes in clear came before the TLS handshake", n);
    }
    r = conn_flush(c);
    return r < 0 ? r : c->read_error;
}

static bool answered_challenge(SSL *ssl)
{
    if (!is_challenge(ssl))
        return false;
    ERR_clear_error();
    SSL_shutdown(ssl);
    return true;
}

int conn_accept_tls(struct conn *c, uint64_t timeout_ms)
{
    return conn_accept_tls_greeting(c, timeout_ms, NULL, NULL);
}

int conn_accept_tls_greeting(struct conn *c, uint64_t timeout_ms, void (*greet)(void *arg),
                             void *arg)
{
    struct tls_counters *count;
    SSL *ssl;
    int r = leave_clear(c);

    if (r < 0)
        return r;
    tls_errors_forget();
    ssl = c->tls == NULL ? NULL : tls_context_ssl(c->tls, c->slot);
    if (ssl == NULL) {
        c->read_error = c->write_error = -EPROTO;
        return conn_fail(c, -EPROTO,
                         c->tls != NULL && tls_context_waits_for_trust(c->tls)
                             ? "the list of CAs whose client certificates hold is not known yet"
                             : "the virtual server has no certificate");
    }
    SSL_set_accept_state(ssl);
    count = tls_context_counters(c->tls);
    count->handshakes++;
    r = handshake(c, ssl, timeout_ms, (struct greeting){greet, arg});
    if (r == 0)
        c->wire_held = conn_wire_waiting(c); /* the ticket, if the client has let us finish */
    if (r == 0 && answered_challenge(ssl)) {
        c->read_error = c->write_error = -ECONNRESET;
        return conn_fail(c, -ECONNRESET, "a CA looked at the certificate of its challenge");
    }
    if (r == -EPROTO && SSL_get_verify_result(ssl) != X509_V_OK)
        snprintf(c->error, sizeof c->error,
                 "TLS handshake: the client's certificate is refused: %s",
                 X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
    if (r < 0)
        count->failed++;
    else if (SSL_session_reused(ssl))
        count->resumed++;
    return r;
}

static bool is_address(const char *name)
{
    struct in6_addr a;
    return inet_pton(AF_INET, name, &a) == 1 || inet_pton(AF_INET6, name, &a) == 1;
}

static int client_name(struct conn *c, SSL *ssl, const char *name)
{
    tls_errors_forget();
    if (is_address(name) ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1
                         : SSL_set1_host(ssl, name) == 1 &&
                               SSL_set_tlsext_host_name(ssl, (char *)(uintptr_t)name) == 1)
        return 0;
    return conn_fail(c, -EPROTO, "the server's name cannot be checked: %s",
                     tls_error_text("not a name"));
}

static void client_alpn(SSL *ssl, const char *const *names)
{
    unsigned char list[256];
    unsigned n = 0;

    for (; names != NULL && *names != NULL; names++) {
        size_t len = strlen(*names);
        CHECK(len > 0 && n + len + 1 <= sizeof list);
        list[n++] = (unsigned char)len;
        memcpy(list + n, *names, len);
        n += (unsigned)len;
    }
    if (n > 0)
        CHECK(SSL_set_alpn_protos(ssl, list, n) == 0);
}

int conn_connect_tls(struct conn *c, const struct conn_client_tls *t, uint64_t timeout_ms)
{
    SSL *ssl;
    int r = leave_clear(c);

    if (r < 0)
        return r;
    ssl = tls_client_context_ssl(t->context);
    CHECK(ssl != NULL);
    c->client.verify = t->verify;
    tls_client_state_set(ssl, &c->client);
    SSL_set_connect_state(ssl);
    client_alpn(ssl, t->alpn);
    if (t->session != NULL)
        SSL_set_session(ssl, t->session);
    c->client.named = t->name != NULL;
    if (t->name != NULL && (r = client_name(c, ssl, t->name)) < 0) {
        SSL_free(ssl);
        c->read_error = c->write_error = r;
        return r;
    }
    r = handshake(c, ssl, timeout_ms, (struct greeting){NULL, NULL});
    if (r == -EPROTO && t->verify && SSL_get_verify_result(ssl) != X509_V_OK) {
        snprintf(c->error, sizeof c->error, "the server's certificate does not hold: %s",
                 X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
    }
    return r;
}

struct ssl_session_st *conn_client_session(struct conn *c)
{
    if (c->client.session != NULL)
        SSL_SESSION_up_ref(c->client.session);
    return c->client.session;
}

/* --- the end */

/* close_notify needs room in the kernel's buffer like anything else. */
static void send_close_notify(struct conn *c)
{
    uint64_t deadline =
        conn_deadline(c->write_timeout_ms < CLOSE_MS ? c->write_timeout_ms : CLOSE_MS);
    int r, wait_for = 0;

    do {
        tls_errors_forget();
        errno = 0;
        r = SSL_shutdown(c->ssl);
        if (r >= 0)
            break;
        r = conn_ssl_result(c, r, "TLS shutdown", &wait_for);
    } while (r == 0 && wait_for == WATCH_WRITE && conn_wait(c, wait_for, deadline) == 0);
    deadline = conn_deadline(c->write_timeout_ms); /* our last answer may be among it */
    while (conn_wire_send_last(c) == -EAGAIN && conn_wait(c, WATCH_WRITE, deadline) == 0)
        ;
}

/* The last answer and close_notify make one packet if both fit. */
static bool last_words(struct conn *c)
{
    int wait_for;

    if (c->ssl != NULL && SSL_is_init_finished(c->ssl) && conn_out_waiting(c) <= CONN_SEND_AT &&
        conn_encrypt_some(c, &wait_for) == 0)
        return true;
    return c->write_error == 0 && conn_flush(c) == 0;
}

static void end_output(struct conn *c)
{
    if (c->write_ended)
        return;
    c->write_ended = true;
    if (c->ssl != NULL && SSL_is_init_finished(c->ssl))
        send_close_notify(c);
    shutdown(c->fd, SHUT_WR);
}

void conn_shutdown(struct conn *c)
{
    if (!last_words(c) || c->aborted)
        return;
    end_output(c);
    c->linger = c->wire_error == 0 && c->read_error == 0;
}

/* --- facts */

static X509 *served_certificate(const struct conn *c)
{
    return c->outgoing && !SSL_is_server(c->ssl) ? SSL_get0_peer_certificate(c->ssl)
                                                 : SSL_get_certificate(c->ssl);
}

X509 *conn_peer_certificate(struct conn *c)
{
    return c->ssl == NULL ? NULL : SSL_get0_peer_certificate(c->ssl);
}

STACK_OF(X509) * conn_peer_chain(struct conn *c)
{
    return c->ssl == NULL ? NULL : SSL_get_peer_cert_chain(c->ssl);
}

static void peer_spki(const struct conn *c, char ret[65])
{
    X509 *x = SSL_get0_peer_certificate(c->ssl);
    unsigned char *der = NULL, md[32];
    int n = x == NULL ? 0 : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

    if (n > 0 && EVP_Digest(der, (size_t)n, md, NULL, EVP_sha256(), NULL) == 1)
        tls_hex(md, sizeof md, ret);
    OPENSSL_free(der);
}

bool conn_client_certificate(struct conn *c, struct client_certificate *ret,
                             const char **ret_problem)
{
    X509 *x = conn_peer_certificate(c);
    long result;

    *ret_problem = NULL;
    if (x == NULL || !client_certificate_of(x, ret))
        return false;
    result = SSL_get_verify_result(c->ssl);
    if (result != X509_V_OK)
        *ret_problem = X509_verify_cert_error_string(result);
    return true;
}

void conn_tls_info(struct conn *c, struct conn_tls_info *ret)
{
    const SSL_CIPHER *cipher;
    const unsigned char *alpn;
    const char *name;
    unsigned alpn_bytes;
    X509 *x;
    int group;

    *ret = (struct conn_tls_info){.version = "", .cipher = "", .group = ""};
    if (c->ssl == NULL || (!SSL_is_init_finished(c->ssl) && !c->greeting))
        return;
    ret->on = true;
    ret->resumed = SSL_session_reused(c->ssl) == 1;
    ret->verified = SSL_get0_peer_certificate(c->ssl) != NULL &&
                    SSL_get_verify_result(c->ssl) == X509_V_OK &&
                    (SSL_is_server(c->ssl) || c->client.named);
    ret->version = SSL_get_version(c->ssl);
    cipher = SSL_get_current_cipher(c->ssl);
    ret->cipher = SSL_CIPHER_get_name(cipher);
    ret->cipher_bits = SSL_CIPHER_get_bits(cipher, NULL);
    group = (int)SSL_get_negotiated_group(c->ssl);
    if (group != NID_undef && SSL_group_to_name(c->ssl, group) != NULL)
        ret->group = SSL_group_to_name(c->ssl, group);
    name = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
    snprintf(ret->sni, sizeof ret->sni, "%s", name != NULL ? name : "");
    SSL_get0_alpn_selected(c->ssl, &alpn, &alpn_bytes);
    snprintf(ret->alpn, sizeof ret->alpn, "%.*s", (int)alpn_bytes,
             alpn != NULL ? (const char *)alpn : "");
    x = served_certificate(c);
    if (x != NULL)
        tls_serial_hex(x, ret->serial);
    if (SSL_is_server(c->ssl))
        peer_spki(c, ret->peer_spki);
    tls_errors_forget();
}

int conn_cipher_bits(const struct conn *c)
{
    return c->ssl == NULL ? 0 : SSL_CIPHER_get_bits(SSL_get_current_cipher(c->ssl), NULL);
}

/* RFC 5929 section 4.1: the hash of the certificate's signature, SHA-256 instead of MD5 and SHA-1.
 */
static bool end_point_binding(struct conn *c, struct buf *out)
{
    X509 *x =
        SSL_is_server(c->ssl) ? SSL_get_certificate(c->ssl) : SSL_get0_peer_certificate(c->ssl);
    unsigned char md[EVP_MAX_MD_SIZE];
    int digest, key;
    unsigned n;
    const EVP_MD *type;

    if (x == NULL || OBJ_find_sigid_algs(X509_get_signature_nid(x), &digest, &key) != 1)
        return false;
    if (digest == NID_md5 || digest == NID_sha1)
        digest = NID_sha256;
    type = EVP_get_digestbynid(digest);
    return type != NULL && X509_digest(x, type, md, &n) == 1 && buf_put(out, md, n);
}

bool conn_channel_binding(struct conn *c, const char *type, struct buf *out)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    unsigned char material[32];
    bool ok = false;

    if (c->ssl == NULL || !SSL_is_init_finished(c->ssl))
        return false;
    tls_errors_forget();
    if (strcmp(type, "tls-server-end-point") == 0) {
        ok = end_point_binding(c, out);
    } else if (strcmp(type, "tls-exporter") == 0 &&
               (SSL_version(c->ssl) >= TLS1_3_VERSION || SSL_get_extms_support(c->ssl) == 1)) {
        /* RFC 9266: an empty context, which TLS 1.2 tells from none */
        ok = SSL_export_keying_material(c->ssl, material, sizeof material, label, sizeof label - 1,
                                        (const unsigned char *)"", 0, 1) == 1 &&
             buf_put(out, material, sizeof material);
    }
    tls_errors_forget();
    return ok;
}
