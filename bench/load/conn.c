#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *context;
atomic_ullong conn_received;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct worker *w = SSL_get_app_data(ssl);

    if (!opt.resume)
        return 0;
    SSL_SESSION_free(w->ticket);
    w->ticket = session;
    return 1;
}

static void make_context(void)
{
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
    SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS);
}

void conn_secure(struct worker *w, struct conn *c)
{
    pthread_once(&once, make_context);
    c->ssl = SSL_new(context);
    SSL_set_app_data(c->ssl, w);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_tlsext_host_name(c->ssl, "localhost");
    if (opt.resume && w->ticket)
        SSL_set_session(c->ssl, w->ticket);
    if (SSL_connect(c->ssl) != 1)
        die("TLS handshake: %s", ERR_error_string(ERR_get_error(), NULL));
    w->resumed += (uint64_t)SSL_session_reused(c->ssl);
}

struct conn *conn_open(struct worker *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)opt.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 60};
    struct conn *c = malloc(sizeof *c);
    int one = 1;

    c->begin = c->end = 0;
    c->ssl = NULL;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a))
        die("connect to port %u: %s", opt.port, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (opt.security == TLS)
        conn_secure(w, c);
    return c;
}

void conn_close(struct conn *c)
{
    if (!c)
        return;
    if (c->ssl) {
        SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
    }
    close(c->fd);
    free(c);
}

void conn_write(struct conn *c, const char *data, size_t length)
{
    while (length) {
        ssize_t n =
            c->ssl ? SSL_write(c->ssl, data, (int)length) : send(c->fd, data, length, MSG_NOSIGNAL);

        if (n <= 0)
            die("write: %s", strerror(errno));
        data += n;
        length -= (size_t)n;
    }
}

void conn_print(struct conn *c, const char *format, ...)
{
    char text[4096];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    conn_write(c, text, (size_t)n);
}

static void fill(struct conn *c)
{
    ssize_t n;

    if (c->begin == c->end)
        c->begin = c->end = 0;
    if (c->end == sizeof c->in) {
        if (!c->begin)
            die("a line of more than %zu bytes", sizeof c->in);
        memmove(c->in, c->in + c->begin, c->end - c->begin);
        c->end -= c->begin;
        c->begin = 0;
    }
    n = c->ssl ? SSL_read(c->ssl, c->in + c->end, (int)(sizeof c->in - c->end))
               : recv(c->fd, c->in + c->end, sizeof c->in - c->end, 0);
    if (n <= 0)
        die("read: %s", n ? strerror(errno) : "closed by the server");
    atomic_fetch_add_explicit(&conn_received, (unsigned long long)n, memory_order_relaxed);
    c->end += (size_t)n;
}

char *conn_line(struct conn *c, size_t *ret_length)
{
    size_t seen = 0, length;
    char *line, *end;

    while (!(end = memchr(c->in + c->begin + seen, '\n', c->end - c->begin - seen))) {
        seen = c->end - c->begin;
        fill(c);
    }
    line = c->in + c->begin;
    length = (size_t)(end - line);
    c->begin += length + 1;
    if (length && line[length - 1] == '\r')
        length--;
    line[length] = 0;
    if (ret_length)
        *ret_length = length;
    return line;
}

void conn_skip(struct conn *c, size_t bytes)
{
    for (;;) {
        size_t have = c->end - c->begin;

        if (have >= bytes) {
            c->begin += bytes;
            return;
        }
        bytes -= have;
        c->begin = c->end;
        fill(c);
    }
}

char *conn_want(struct conn *c, const char *want)
{
    char *line = conn_line(c, NULL);

    if (strncmp(line, want, strlen(want)))
        die("wanted %s, got: %s", want, line);
    return line;
}
