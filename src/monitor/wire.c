#include "monitor/wire.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_BYTES = 16384, IN_MAX = 2 * WIRE_LINE_MAX, RENEGOTIATE_MS = 2000 };

static wire_tap_fn tap_fn;
static void *tap_arg;

struct wire {
    struct sockaddr_storage own, peer; /* for the tap */
    int fd;
    uint64_t deadline; /* clock_mono_ms */
    SSL_CTX *ctx;
    SSL *ssl;
    struct buf in;
    size_t used; /* of in, by the line given last */
    bool closed;
};

/* ---- the tap ----------------------------------------------------------------------------- */

void wire_tap(wire_tap_fn fn, void *arg)
{
    tap_fn = fn;
    tap_arg = arg;
}

static void tap(const struct wire *w, bool from_peer, const void *p, size_t n)
{
    if (tap_fn != NULL && n > 0)
        tap_fn(tap_arg, &w->own, &w->peer, from_peer, span_of(p, n));
}

/* What OpenSSL reads from and writes to the socket. */
static long on_bio(BIO *bio, int op, const char *p, size_t length, int argi, long argl, int ret,
                   size_t *done)
{
    const struct wire *w = (const struct wire *)(void *)BIO_get_callback_arg(bio);

    (void)length, (void)argi, (void)argl;
    if (ret > 0 && done != NULL &&
        (op == (BIO_CB_READ | BIO_CB_RETURN) || op == (BIO_CB_WRITE | BIO_CB_RETURN)))
        tap(w, op == (BIO_CB_READ | BIO_CB_RETURN), p, *done);
    return ret;
}

static void tap_tls(struct wire *w)
{
    BIO *bio = SSL_get_rbio(w->ssl);

    if (tap_fn == NULL)
        return;
    BIO_set_callback_arg(bio, (char *)w);
    BIO_set_callback_ex(bio, on_bio);
}

/* ---- TCP --------------------------------------------------------------------------------- */

static int timed_out(struct err *e)
{
    return err_set(e, -ETIMEDOUT, "no answer in time");
}

static int wait_for(struct wire *w, int events, struct err *e)
{
    uint64_t now = clock_mono_ms();

    if (now >= w->deadline || fiber_wait_fd(w->fd, events, w->deadline - now) == 0)
        return timed_out(e);
    return 0;
}

static socklen_t address_bytes(const struct sockaddr_storage *a)
{
    return a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static int connect_now(struct wire *w, const struct sockaddr_storage *to, struct err *e)
{
    int failed = 0, r;
    socklen_t failed_n = sizeof failed;

    if (connect(w->fd, (const struct sockaddr *)(const void *)to, address_bytes(to)) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return err_set(e, -errno, "no connection: %s", strerror(errno));
    if ((r = wait_for(w, WATCH_WRITE, e)) != 0)
        return err_set(e, r, "no connection in time");
    if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &failed, &failed_n) != 0)
        failed = errno;
    return failed == 0 ? 0 : err_set(e, -failed, "no connection: %s", strerror(failed));
}

static int come_from(int fd, const struct sockaddr_storage *to, const struct sockaddr_storage *from,
                     struct err *e)
{
    if (from == NULL || from->ss_family != to->ss_family)
        return 0;
    return bind(fd, (const struct sockaddr *)(const void *)from, address_bytes(from)) == 0
               ? 0
               : err_set(e, -errno, "this machine has no such address to come from: %s",
                         strerror(errno));
}

int wire_dial(const struct sockaddr_storage *to, const struct sockaddr_storage *from,
              uint64_t deadline_ms, struct wire **ret, struct err *e)
{
    struct wire *w = calloc(1, sizeof *w);
    int one = 1, r = 0;

    CHECK(w != NULL);
    w->deadline = clock_mono_ms() + deadline_ms;
    w->in = BUF(IN_MAX);
    w->fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->fd < 0)
        r = err_set(e, -errno, "no socket: %s", strerror(errno));
    if (r == 0)
        r = come_from(w->fd, to, from, e);
    if (r == 0)
        r = connect_now(w, to, e);
    if (r != 0) {
        wire_free(w);
        return r;
    }
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    w->peer = *to;
    getsockname(w->fd, (struct sockaddr *)(void *)&w->own, &(socklen_t){sizeof w->own});
    *ret = w;
    return 0;
}

void wire_free(struct wire *w)
{
    if (w == NULL)
        return;
    if (w->ssl != NULL) {
        ERR_clear_error();
        SSL_shutdown(w->ssl);
    }
    SSL_free(w->ssl);
    SSL_CTX_free(w->ctx);
    ERR_clear_error();
    fd_close(&w->fd);
    buf_done(&w->in);
    free(w);
}

bool wire_has_tls(const struct wire *w)
{
    return w->ssl != NULL;
}

SSL *wire_ssl(struct wire *w)
{
    return w->ssl;
}

/* ---- TLS --------------------------------------------------------------------------------- */

static bool is_alert(unsigned long code)
{
    int reason = ERR_GET_REASON(code);

    /* OpenSSL keeps alerts that the peer sent above this number */
    return ERR_GET_LIB(code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET;
}

/* What a failed SSL call means: 0 try again after waiting for *ret_events. */
static int ssl_failure(struct wire *w, int r, int *ret_events, enum wire_tls_end *end,
                       struct err *e)
{
    int error = SSL_get_error(w->ssl, r), saved = errno;
    unsigned long code;
    char text[160];

    switch (error) {
    case SSL_ERROR_WANT_READ:
        *ret_events = WATCH_READ;
        return 0;
    case SSL_ERROR_WANT_WRITE:
        *ret_events = WATCH_WRITE;
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        *end = WIRE_TLS_REFUSED;
        return err_set(e, -EPIPE, "the peer has ended TLS");
    default:
        break;
    }
    code = ERR_peek_last_error();
    if (code == 0 || ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        *end = WIRE_TLS_REFUSED;
        return saved == 0 || code != 0
                   ? err_set(e, -EPIPE, "the peer has closed the connection")
                   : err_set(e, -saved, "the connection broke: %s", strerror(saved));
    }
    *end = is_alert(code) || ERR_GET_REASON(code) == SSL_R_NO_RENEGOTIATION ? WIRE_TLS_REFUSED
                                                                            : WIRE_TLS_LOCAL;
    snprintf(text, sizeof text, "%s", ERR_reason_error_string(code) ?: "unknown reason");
    ERR_clear_error();
    return err_set(e, -EPROTO, "TLS: %s", text);
}

/* A judge takes what a good client would not, and looks at it afterwards. */
static SSL_CTX *make_context(const struct wire_tls *t)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    CHECK(ctx != NULL);
    if (t->max != 0 && t->max < TLS1_2_VERSION) {
        SSL_CTX_set_security_level(ctx, 0);
        SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
    }
    if (t->ciphers != NULL && SSL_CTX_set_cipher_list(ctx, t->ciphers) != 1) {
        SSL_CTX_free(ctx);
        ERR_clear_error();
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, t->min);
    SSL_CTX_set_max_proto_version(ctx, t->max);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
    if (t->roots != NULL)
        SSL_CTX_set1_cert_store(ctx, t->roots);
    return ctx;
}

static void offer_alpn(SSL *ssl, const char *const *names)
{
    unsigned char list[256];
    unsigned n = 0;

    for (; names != NULL && *names != NULL; names++) {
        size_t length = strlen(*names);
        if (length > 60 || n + length + 1 > sizeof list)
            continue;
        list[n++] = (unsigned char)length;
        memcpy(list + n, *names, length);
        n += (unsigned)length;
    }
    if (n > 0)
        SSL_set_alpn_protos(ssl, list, n);
}

static int shake_hands(struct wire *w, enum wire_tls_end *ret_end, struct err *e)
{
    for (;;) {
        int events = 0, r, got;
        ERR_clear_error();
        errno = 0;
        got = SSL_do_handshake(w->ssl);
        if (got == 1)
            break;
        if ((r = ssl_failure(w, got, &events, ret_end, e)) != 0)
            return r;
        if ((r = wait_for(w, events, e)) != 0) {
            *ret_end = WIRE_TLS_SILENT;
            return err_set(e, r, "TLS: the handshake was not finished in time");
        }
    }
    *ret_end = WIRE_TLS_FINE;
    return 0;
}

static void show_own(SSL *ssl, const struct wire_tls *t)
{
    if (t->key == NULL || t->chain_length == 0)
        return;
    CHECK(SSL_use_certificate(ssl, t->chain[0]) == 1 && SSL_use_PrivateKey(ssl, t->key) == 1);
    for (size_t i = 1; i < t->chain_length; i++)
        SSL_add1_chain_cert(ssl, t->chain[i]);
}

int wire_start_tls(struct wire *w, const struct wire_tls *t, enum wire_tls_end *ret_end,
                   struct err *e)
{
    CHECK(w->ssl == NULL);
    ERR_clear_error();
    *ret_end = WIRE_TLS_LOCAL;
    if (w->in.n > w->used)
        return err_set(e, -EPROTO, "%zu bytes in clear came before the handshake",
                       w->in.n - w->used);
    if ((w->ctx = make_context(t)) == NULL)
        return err_set(e, -ENOTSUP, "this machine's OpenSSL has none of these ciphers");
    w->ssl = SSL_new(w->ctx);
    CHECK(w->ssl != NULL && SSL_set_fd(w->ssl, w->fd) == 1);
    tap_tls(w);
    if (t->name != NULL)
        SSL_set_tlsext_host_name(w->ssl, (char *)(uintptr_t)t->name);
    offer_alpn(w->ssl, t->alpn);
    show_own(w->ssl, t);
    if (t->staple)
        SSL_set_tlsext_status_type(w->ssl, TLSEXT_STATUSTYPE_ocsp);
    SSL_set_connect_state(w->ssl);
    return shake_hands(w, ret_end, e);
}

int wire_renegotiate(struct wire *w, enum wire_tls_end *ret_end, struct err *e)
{
    uint64_t deadline = w->deadline, soon = clock_mono_ms() + RENEGOTIATE_MS;
    int r;

    *ret_end = WIRE_TLS_LOCAL;
    if (SSL_version(w->ssl) >= TLS1_3_VERSION || SSL_renegotiate(w->ssl) != 1) {
        ERR_clear_error();
        return err_set(e, -ENOTSUP, "%s has no renegotiation", SSL_get_version(w->ssl));
    }
    /* a server that keeps silent refuses as well */
    w->deadline = soon < deadline ? soon : deadline;
    r = shake_hands(w, ret_end, e);
    w->deadline = deadline;
    return r;
}

/* ---- bytes ------------------------------------------------------------------------------- */

/* >0: so many; 0: would wait for *ret_events; <0. */
static int write_once(struct wire *w, struct span s, int *ret_events, struct err *e)
{
    enum wire_tls_end end;
    int r;

    if (w->ssl != NULL) {
        size_t n;
        ERR_clear_error();
        errno = 0;
        r = SSL_write_ex(w->ssl, s.p, s.n, &n);
        return r == 1 ? (int)n : ssl_failure(w, r, ret_events, &end, e);
    }
    *ret_events = WATCH_WRITE;
    r = (int)send(w->fd, s.p, s.n < INT32_MAX ? s.n : INT32_MAX, MSG_NOSIGNAL);
    if (r >= 0) {
        tap(w, false, s.p, (size_t)r);
        return r;
    }
    return errno == EAGAIN || errno == EINTR
               ? 0
               : err_set(e, -errno, "the connection broke: %s", strerror(errno));
}

int wire_put(struct wire *w, struct span s, struct err *e)
{
    while (s.n > 0) {
        int events = 0, r, n = write_once(w, s, &events, e);
        if (n < 0)
            return n;
        if (n > 0)
            s = span_skip(s, (size_t)n);
        else if ((r = wait_for(w, events, e)) != 0)
            return r;
    }
    return 0;
}

static int read_once(struct wire *w, char *p, size_t size, int *ret_events, struct err *e)
{
    enum wire_tls_end end;
    int r;

    if (w->ssl != NULL) {
        size_t n;
        ERR_clear_error();
        errno = 0;
        r = SSL_read_ex(w->ssl, p, size, &n);
        return r == 1 ? (int)n : ssl_failure(w, r, ret_events, &end, e);
    }
    *ret_events = WATCH_READ;
    r = (int)recv(w->fd, p, size, 0);
    if (r > 0) {
        tap(w, true, p, (size_t)r);
        return r;
    }
    if (r == 0)
        return err_set(e, -EPIPE, "the peer has closed the connection");
    return errno == EAGAIN || errno == EINTR
               ? 0
               : err_set(e, -errno, "the connection broke: %s", strerror(errno));
}

/* More input behind what is unread. */
static int fill(struct wire *w, struct err *e)
{
    buf_consume(&w->in, w->used);
    w->used = 0;
    for (;;) {
        size_t room = w->in.max - w->in.n;
        int events = 0, n, r;
        char *p;
        if (room == 0)
            return err_set(e, -EMSGSIZE, "more than %d bytes without a line end", IN_MAX);
        p = buf_reserve(&w->in, room < READ_BYTES ? room : READ_BYTES);
        n = read_once(w, p, room < READ_BYTES ? room : READ_BYTES, &events, e);
        if (n > 0)
            buf_commit(&w->in, (size_t)n);
        if (n != 0)
            return n < 0 ? n : 0;
        if ((r = wait_for(w, events, e)) != 0)
            return r;
    }
}

size_t wire_unread(const struct wire *w)
{
    return w->in.n - w->used;
}

int wire_line(struct wire *w, struct span *ret, struct err *e)
{
    size_t looked = 0;

    for (;;) {
        struct span unread = span_skip(buf_span(&w->in), w->used);
        size_t at = span_find(span_skip(unread, looked), '\n');
        int r;
        if (at != SPAN_NONE) {
            at += looked;
            if (at > WIRE_LINE_MAX)
                return err_set(e, -EMSGSIZE, "a line of more than %d bytes", WIRE_LINE_MAX);
            w->used += at + 1;
            *ret = span_chomp(span_head(unread, at + 1));
            return 0;
        }
        looked = unread.n;
        if (looked > WIRE_LINE_MAX)
            return err_set(e, -EMSGSIZE, "a line of more than %d bytes", WIRE_LINE_MAX);
        if ((r = fill(w, e)) != 0)
            return r;
    }
}

int wire_bytes(struct wire *w, size_t n, struct buf *out, struct err *e)
{
    while (n > 0) {
        struct span unread = span_head(span_skip(buf_span(&w->in), w->used), n);
        int r;
        if (!buf_put_span(out, unread))
            return err_set(e, -EMSGSIZE, "more than %zu bytes", out->max);
        w->used += unread.n;
        n -= unread.n;
        if (n > 0 && (r = fill(w, e)) != 0)
            return r;
    }
    return 0;
}

int wire_some(struct wire *w, struct buf *out, struct err *e)
{
    int r = wire_unread(w) > 0 ? 0 : fill(w, e);

    return r != 0 ? r : wire_bytes(w, wire_unread(w), out, e);
}

bool wire_closes(struct wire *w, uint64_t within_ms, struct buf *out)
{
    uint64_t deadline = w->deadline, now = clock_mono_ms();
    struct err ignored;
    int r = 0;

    if (now + within_ms < deadline)
        w->deadline = now + within_ms;
    while (r == 0) {
        struct span unread = span_skip(buf_span(&w->in), w->used);
        if (out != NULL)
            buf_put_span(out, unread);
        w->used = w->in.n;
        r = fill(w, &ignored);
    }
    w->deadline = deadline;
    return r != -ETIMEDOUT;
}
