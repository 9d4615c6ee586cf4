/*
 * fake_test.h: servers for tests of the probe: one thread each, every protocol, one fault of
 * choice. Without a fault the probe finds nothing; with one it must find exactly that.
 */
#ifndef MONITOR_FAKE_TEST_H
#define MONITOR_FAKE_TEST_H

#include "base/base64.h"
#include "base/parse.h"
#include "monitor/probe.h"
#include "monitor/scram.h"
#include "pki/world_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum leak {
    LEAK_NONE,
    LEAK_LOGIN_CLEAR,   /* takes logins in clear */
    LEAK_OFFER_CLEAR,   /* offers them there */
    LEAK_NO_STARTTLS,   /* does not offer the way into TLS */
    LEAK_COMMAND_CLEAR, /* other commands are answered in clear */
    LEAK_BUFFER,        /* what came behind STARTTLS is run inside TLS */
    LEAK_BUFFER_DROP,   /* is thrown away, and the session goes on */
    LEAK_BUFFER_CLEAR,  /* is answered in clear */
    LEAK_TLS11,
    LEAK_TLS10, /* but not 1.1 */
    LEAK_ONLY_12,
    LEAK_WEAK,        /* takes ciphers without authentication */
    LEAK_RENEGOTIATE, /* shakes hands again as often as one likes */
    LEAK_NO_NAME,     /* nothing for clients that ask for no name */
    LEAK_CHAIN,       /* of another CA */
    LEAK_EXPIRED,
    LEAK_OUTLIVES,  /* its issuer */
    LEAK_NAME,      /* a certificate for another name */
    LEAK_GREETING,  /* another name */
    LEAK_TLS_TALKS, /* a TLS endpoint that speaks in clear */
    LEAK_AGAIN,     /* offers STARTTLS under TLS */
    LEAK_NO_LOGIN,  /* all is open without login */
    LEAK_PASSWORD,  /* no password will do */
    LEAK_PROOF,     /* does not prove that it knows the password */
    LEAK_RELAY,
    LEAK_CHANGE, /* one byte of every message */
    LEAK_LOSE,   /* takes messages and forgets them */
    LEAK_KEEP,   /* does not delete */
    LEAK_HEALTH,
    LEAK_CA_PEM,
    LEAK_HTTP_CLEAR, /* all pages in clear */
    LEAK_MUTE,       /* closes without a greeting */
    LEAK_GARBAGE,    /* speaks no protocol at all */
    LEAK_RANDOM,     /* pieces of its protocol in any order */
};

/* ---- keys and certificates --------------------------------------------------------------- */

struct fake_ca {
    EVP_PKEY *root_key, *issuing_key, *leaf_key;
    struct certificate *root, *issuing;
    struct buf pem;
};

static struct certificate *fake_issue(struct fake_ca *ca, enum profile_id profile,
                                      const char *names, const struct certificate *issuer,
                                      EVP_PKEY *key, EVP_PKEY *signer, int days)
{
    int64_t now = (int64_t)time(NULL);
    struct err e = {""};
    struct certificate *c = world_issue(&(struct world_cert){.profile = profile,
                                                             .cn = names ? "localhost" : "Fake CA",
                                                             .names = names,
                                                             .from = now - 20 * WORLD_DAY,
                                                             .to = now + days * WORLD_DAY,
                                                             .issuer = issuer,
                                                             .key = key,
                                                             .signer = signer},
                                        &e);
    if (c == NULL)
        fprintf(stderr, "fake certificate: %s\n", e.text);
    CHECK(c != NULL);
    (void)ca;
    return c;
}

static void fake_ca_init(struct fake_ca *ca)
{
    struct chain one = CHAIN_NONE;

    ca->root_key = world_key("p256");
    ca->issuing_key = world_key("p256");
    ca->leaf_key = world_key("p256");
    ca->root = fake_issue(ca, PROFILE_ROOT, NULL, NULL, ca->root_key, NULL, 900);
    ca->issuing =
        fake_issue(ca, PROFILE_ISSUING, NULL, ca->root, ca->issuing_key, ca->root_key, 400);
    ca->pem = BUF(65536);
    one.v[0] = ca->root;
    one.n = 1;
    chain_write_pem(&one, &ca->pem);
}

static void fake_ca_done(struct fake_ca *ca)
{
    certificate_free(ca->root);
    certificate_free(ca->issuing);
    EVP_PKEY_free(ca->root_key);
    EVP_PKEY_free(ca->issuing_key);
    EVP_PKEY_free(ca->leaf_key);
    buf_done(&ca->pem);
}

/* ---- what all fakes of a test share ------------------------------------------------------ */

struct fake_post {
    pthread_mutex_t lock;
    struct {
        char *p;
        size_t n;
        bool gone;
    } v[64];
    unsigned n;
    const char *user, *password;
};

static int fake_post_add(struct fake_post *p, struct span text)
{
    int at;

    pthread_mutex_lock(&p->lock);
    CHECK(p->n < 64);
    at = (int)p->n++;
    p->v[at].p = malloc(text.n + 1);
    CHECK(p->v[at].p != NULL);
    memcpy(p->v[at].p, text.p ? text.p : "", text.n);
    p->v[at].n = text.n;
    p->v[at].gone = false;
    pthread_mutex_unlock(&p->lock);
    return at;
}

static void fake_post_done(struct fake_post *p)
{
    for (unsigned i = 0; i < p->n; i++)
        free(p->v[i].p);
    p->n = 0;
}

struct fake {
    enum conf_protocol protocol;
    enum conf_policy policy;
    enum conf_smtp_kind kind;
    enum leak leak;
    struct fake_post *post;
    const char *ca_pem;
    SSL_CTX *ctx;
    char serial[CERTIFICATE_SERIAL_MAX], spki[65];
    int listen_fd;
    uint16_t port;
    pthread_t thread;
    bool stopping;
    struct conf_vserver vserver;
    struct conf_endpoint endpoint;
    const char *names[1];
};

/* One connection. */
struct fake_conn {
    struct fake *f;
    int fd;
    SSL *ssl;
    char in[65536];
    size_t n;
    bool login, ended;
    char line[16384];
};

static bool fake_put(struct fake_conn *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static bool fake_write(struct fake_conn *c, const char *p, size_t n)
{
    int r = c->ssl ? SSL_write(c->ssl, p, (int)n) : (int)send(c->fd, p, n, MSG_NOSIGNAL);

    if (r != (int)n)
        c->ended = true;
    return !c->ended;
}

static bool fake_put(struct fake_conn *c, const char *fmt, ...)
{
    char text[8192];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    CHECK(n >= 0 && n < (int)sizeof text);
    return fake_write(c, text, (size_t)n);
}

/* The next line without its end, in c->line. */
static bool fake_line(struct fake_conn *c)
{
    while (!c->ended) {
        char *end = memchr(c->in, '\n', c->n);
        int r;
        if (end != NULL) {
            size_t n = (size_t)(end - c->in);
            CHECK(n < sizeof c->line);
            memcpy(c->line, c->in, n);
            c->line[n > 0 && c->line[n - 1] == '\r' ? n - 1 : n] = '\0';
            c->n -= n + 1;
            memmove(c->in, end + 1, c->n);
            return true;
        }
        CHECK(c->n < sizeof c->in);
        r = c->ssl ? SSL_read(c->ssl, c->in + c->n, (int)(sizeof c->in - c->n))
                   : (int)recv(c->fd, c->in + c->n, sizeof c->in - c->n, 0);
        if (r <= 0)
            c->ended = true;
        else
            c->n += (size_t)r;
    }
    return false;
}

static bool fake_tls(struct fake_conn *c)
{
    if (c->n > 0 && c->f->leak == LEAK_BUFFER_DROP)
        c->n = 0;
    if (c->n > 0 && c->f->leak != LEAK_BUFFER) {
        c->ended = true;
        return false;
    }
    ERR_clear_error();
    c->ssl = SSL_new(c->f->ctx);
    SSL_set_fd(c->ssl, c->fd);
    if (SSL_accept(c->ssl) != 1)
        c->ended = true;
    c->login = false;
    return !c->ended;
}

static bool is_word(const char *line, const char *word)
{
    return strncasecmp(line, word, strlen(word)) == 0;
}

static bool fake_open(const struct fake_conn *c) /* may this session do what needs a login? */
{
    return c->login || c->f->leak == LEAK_NO_LOGIN ||
           (c->f->leak == LEAK_COMMAND_CLEAR && c->ssl == NULL);
}

/* May it log in here? */
static bool fake_login_here(const struct fake_conn *c)
{
    return c->ssl != NULL || c->f->leak == LEAK_LOGIN_CLEAR;
}

/* PLAIN, the response on a line of its own behind `challenge`. */
static bool fake_plain(struct fake_conn *c, const char *challenge)
{
    struct buf token BUF_AUTO = BUF(4096), want BUF_AUTO = BUF(4096);

    if (!fake_put(c, "%s\r\n", challenge) || !fake_line(c) ||
        !base64_decode(&token, span_cstr(c->line)))
        return false;
    buf_putc(&want, '\0');
    buf_put_cstr(&want, c->f->post->user);
    buf_putc(&want, '\0');
    buf_put_cstr(&want, c->f->post->password);
    c->login = c->f->leak != LEAK_PASSWORD && span_eq(buf_span(&token), buf_span(&want));
    return c->login;
}

/* The server's side of SCRAM by the client's own arithmetic, which scram_test.c holds to RFC 7677.
 */
static bool fake_scram(struct fake_conn *c)
{
    struct buf in BUF_AUTO = BUF(4096), first BUF_AUTO = BUF(4096), out BUF_AUTO = BUF(4096);
    struct span s, nonce;
    struct scram mirror;
    char own[128];
    bool ok;

    if (!fake_put(c, "+ \r\n") || !fake_line(c) || !base64_decode(&in, span_cstr(c->line)))
        return false;
    s = buf_span(&in);
    nonce = span_skip(s, span_find_span(s, SPAN(",r=")) + 3);
    if (!span_to_cstr(nonce, own, sizeof own))
        return false;
    scram_init(&mirror, c->f->post->user, c->f->post->password);
    scram_first_with(&mirror, own, &out);
    buf_printf(&first, "r=%sSERVER,s=c2FsdHNhbHRzYWx0,i=4096", own);
    base64_encode((buf_clear(&out), &out), buf_span(&first));
    ok = fake_put(c, "+ %s\r\n", buf_cstr(&out)) && fake_line(c);
    buf_clear(&in);
    buf_clear(&out);
    ok = ok && base64_decode(&in, span_cstr(c->line)) &&
         scram_final(&mirror, buf_span(&first), &out) && span_eq(buf_span(&in), buf_span(&out));
    if (ok) {
        if (c->f->leak == LEAK_PROOF)
            mirror.server_signature[7] ^= 1;
        buf_clear(&first);
        buf_put_cstr(&first, "v=");
        base64_encode(&first, span_of(mirror.server_signature, 32));
        base64_encode((buf_clear(&out), &out), buf_span(&first));
        ok = fake_put(c, "+ %s\r\n", buf_cstr(&out)) && fake_line(c);
    }
    scram_done(&mirror);
    c->login = ok;
    return ok;
}

/* Lines to the dot; where the fault is such, with one byte changed. -1 or the message's place. */
static int fake_take_message(struct fake_conn *c)
{
    struct buf text BUF_AUTO = BUF(65536);

    while (fake_line(c) && strcmp(c->line, ".") != 0) {
        buf_put_cstr(&text, c->line[0] == '.' ? c->line + 1 : c->line);
        buf_put_cstr(&text, "\r\n");
    }
    if (c->f->leak == LEAK_CHANGE)
        text.p[text.n - 5] ^= 1;
    return c->f->leak == LEAK_LOSE ? 0 : fake_post_add(c->f->post, buf_span(&text));
}

static void fake_give_block(struct fake_conn *c, unsigned at, bool only_header)
{
    struct span rest = span_of(c->f->post->v[at].p, c->f->post->v[at].n), line;
    struct buf out BUF_AUTO = BUF(65536);

    while (span_split(&rest, '\n', &line)) {
        if (only_header && line.n <= 1)
            break;
        if (line.n > 0 && line.p[0] == '.')
            buf_putc(&out, '.');
        buf_put_span(&out, line);
        buf_putc(&out, '\n');
    }
    buf_put_cstr(&out, ".\r\n");
    fake_write(c, out.p, out.n);
}

/* The message that holds the text; 0: none, else its number from 1. */
static unsigned fake_find(struct fake_post *p, const char *text)
{
    for (unsigned i = p->n; i > 0; i--)
        if (!p->v[i - 1].gone &&
            span_find_span(span_of(p->v[i - 1].p, p->v[i - 1].n), span_cstr(text)) != SPAN_NONE)
            return i;
    return 0;
}

static const char *fake_host(const struct fake_conn *c)
{
    return c->f->leak == LEAK_GREETING ? "other.example" : "localhost";
}

static bool fake_offers_tls(const struct fake_conn *c)
{
    return c->f->policy != POLICY_TLS_ONLY && (c->ssl == NULL || c->f->leak == LEAK_AGAIN) &&
           c->f->leak != LEAK_NO_STARTTLS;
}

static bool fake_offers_login(const struct fake_conn *c)
{
    return c->f->kind != SMTP_MX && (c->ssl != NULL || c->f->leak == LEAK_OFFER_CLEAR);
}

/* ---- protocols --------------------------------------------------------------------------- */

static void fake_imap(struct fake_conn *c)
{
    char tag[32], id[200];
    unsigned uid;

    fake_put(c, "* OK [CAPABILITY IMAP4rev2] %s ready\r\n", fake_host(c));
    while (fake_line(c)) {
        char *rest = strchr(c->line, ' ');
        if (rest == NULL || rest - c->line > 20) {
            fake_put(c, "* BAD what?\r\n");
            continue;
        }
        *rest++ = '\0';
        snprintf(tag, sizeof tag, "%.20s", c->line);
        if (is_word(rest, "CAPABILITY")) {
            fake_put(c, "* CAPABILITY IMAP4rev2%s%s\r\n%s OK done\r\n",
                     fake_offers_tls(c) ? " STARTTLS" : "",
                     fake_offers_login(c) ? " AUTH=PLAIN AUTH=SCRAM-SHA-256" : " LOGINDISABLED",
                     tag);
        } else if (is_word(rest, "STARTTLS")) {
            fake_put(c, "%s OK go on\r\n", tag);
            if (c->f->leak == LEAK_BUFFER_CLEAR && c->n > 0)
                continue;
            fake_tls(c);
        } else if (is_word(rest, "LOGOUT")) {
            fake_put(c, "* BYE bye\r\n%s OK done\r\n", tag);
            return;
        } else if (is_word(rest, "LOGIN ") || is_word(rest, "AUTHENTICATE")) {
            bool ok = false;
            if (!fake_login_here(c)) {
                fake_put(c, "%s NO [PRIVACYREQUIRED] no\r\n", tag);
                continue;
            }
            if (is_word(rest, "LOGIN ") || strlen(rest) > 27)
                ok = c->f->leak == LEAK_LOGIN_CLEAR;
            else if (is_word(rest, "AUTHENTICATE SCRAM"))
                ok = fake_scram(c);
            else
                ok = fake_plain(c, "+ ");
            fake_put(c, ok ? "%s OK in\r\n" : "%s NO wrong\r\n", tag);
        } else if (!fake_open(c)) {
            fake_put(c, c->ssl ? "%s BAD log in first\r\n" : "%s NO [PRIVACYREQUIRED] no\r\n", tag);
        } else if (sscanf(rest, "UID SEARCH HEADER Message-ID \"%199[^\"]\"", id) == 1) {
            uid = fake_find(c->f->post, id);
            if (uid)
                fake_put(c, "* SEARCH %u\r\n%s OK done\r\n", uid, tag);
            else
                fake_put(c, "* SEARCH\r\n%s OK done\r\n", tag);
        } else if (sscanf(rest, "UID FETCH %u", &uid) == 1 && uid > 0 && uid <= c->f->post->n) {
            static const char trace[] = "Received: by fake\r\n";
            size_t n = c->f->post->v[uid - 1].n;
            fake_put(c, "* %u FETCH (UID %u BODY[] {%zu}\r\n%s", uid, uid, n + sizeof trace - 1,
                     trace);
            fake_write(c, c->f->post->v[uid - 1].p, n);
            fake_put(c, ")\r\n%s OK done\r\n", tag);
        } else if (sscanf(rest, "UID EXPUNGE %u", &uid) == 1 && uid > 0 && uid <= c->f->post->n) {
            c->f->post->v[uid - 1].gone = c->f->leak != LEAK_KEEP;
            fake_put(c, "%s OK done\r\n", tag);
        } else {
            fake_put(c, "%s OK done\r\n", tag);
        }
    }
}

static void fake_pop3(struct fake_conn *c)
{
    unsigned n;

    fake_put(c, "+OK %s ready\r\n", fake_host(c));
    while (fake_line(c)) {
        if (is_word(c->line, "CAPA")) {
            fake_put(c, "+OK\r\nTOP\r\n%s%s.\r\n", fake_offers_tls(c) ? "STLS\r\n" : "",
                     fake_offers_login(c) ? "USER\r\nSASL PLAIN\r\n" : "");
        } else if (is_word(c->line, "STLS")) {
            fake_put(c, "+OK\r\n");
            if (c->f->leak != LEAK_BUFFER_CLEAR || c->n == 0)
                fake_tls(c);
        } else if (is_word(c->line, "QUIT")) {
            fake_put(c, "+OK\r\n");
            return;
        } else if (is_word(c->line, "USER") || is_word(c->line, "AUTH")) {
            if (!fake_login_here(c))
                fake_put(c, "-ERR [AUTH] no\r\n");
            else if (is_word(c->line, "USER"))
                fake_put(c, "+OK\r\n");
            else
                fake_put(c, fake_plain(c, "+ ") ? "+OK\r\n" : "-ERR wrong\r\n");
        } else if (!fake_open(c)) {
            fake_put(c, c->ssl ? "-ERR log in first\r\n" : "-ERR [AUTH] no\r\n");
        } else if (is_word(c->line, "STAT")) {
            fake_put(c, "+OK %u 0\r\n", c->f->post->n);
        } else if (sscanf(c->line, "TOP %u", &n) == 1 && n > 0 && n <= c->f->post->n) {
            fake_put(c, "+OK\r\n");
            fake_give_block(c, n - 1, true);
        } else if (sscanf(c->line, "RETR %u", &n) == 1 && n > 0 && n <= c->f->post->n) {
            fake_put(c, "+OK\r\n");
            fake_give_block(c, n - 1, false);
        } else {
            fake_put(c, "+OK\r\n");
        }
    }
}

static void fake_smtp(struct fake_conn *c)
{
    bool mx = c->f->kind == SMTP_MX;

    fake_put(c, "220 %s ESMTP\r\n", fake_host(c));
    while (fake_line(c)) {
        if (is_word(c->line, "EHLO")) {
            fake_put(c, "250-%s\r\n%s%s250 8BITMIME\r\n", fake_host(c),
                     fake_offers_tls(c) ? "250-STARTTLS\r\n" : "",
                     fake_offers_login(c) ? "250-AUTH PLAIN\r\n" : "");
        } else if (is_word(c->line, "STARTTLS")) {
            fake_put(c, "220 go on\r\n");
            if (c->f->leak != LEAK_BUFFER_CLEAR || c->n == 0)
                fake_tls(c);
        } else if (is_word(c->line, "QUIT")) {
            fake_put(c, "221 bye\r\n");
            return;
        } else if (is_word(c->line, "AUTH")) {
            if (!fake_login_here(c))
                fake_put(c, "538 5.7.11 no\r\n");
            else if (strlen(c->line) > 12)
                fake_put(c, "235 in\r\n");
            else
                fake_put(c, fake_plain(c, "334 ") ? "235 in\r\n" : "535 wrong\r\n");
        } else if (is_word(c->line, "NOOP")) {
            fake_put(c, "250 ok\r\n");
        } else if (!mx && !fake_open(c)) {
            fake_put(c, "530 5.7.0 no\r\n");
        } else if (is_word(c->line, "RCPT") && mx && c->f->leak != LEAK_RELAY &&
                   strstr(c->line, "example.test") == NULL) {
            fake_put(c, "550 5.7.1 relaying denied\r\n");
        } else if (is_word(c->line, "DATA")) {
            fake_put(c, "354 go on\r\n");
            fake_take_message(c);
            fake_put(c, "250 taken\r\n");
        } else {
            fake_put(c, "250 ok\r\n");
        }
    }
}

static void fake_nntp(struct fake_conn *c)
{
    char id[200];
    unsigned n;

    fake_put(c, "200 %s ready\r\n", fake_host(c));
    while (fake_line(c)) {
        if (is_word(c->line, "CAPABILITIES")) {
            fake_put(c, "101 list\r\nVERSION 2\r\n%s%s.\r\n",
                     fake_offers_tls(c) ? "STARTTLS\r\n" : "",
                     fake_offers_login(c) ? "AUTHINFO SASL\r\nSASL PLAIN\r\n" : "");
        } else if (is_word(c->line, "STARTTLS")) {
            fake_put(c, "382 go on\r\n");
            if (c->f->leak != LEAK_BUFFER_CLEAR || c->n == 0)
                fake_tls(c);
        } else if (is_word(c->line, "QUIT")) {
            fake_put(c, "205 bye\r\n");
            return;
        } else if (is_word(c->line, "AUTHINFO")) {
            if (!fake_login_here(c))
                fake_put(c, "483 no\r\n");
            else if (is_word(c->line, "AUTHINFO USER"))
                fake_put(c, "381 password\r\n");
            else
                fake_put(c, fake_plain(c, "383 =") ? "281 in\r\n" : "481 wrong\r\n");
        } else if (!fake_open(c)) {
            fake_put(c, c->ssl ? "480 log in\r\n" : "483 no\r\n");
        } else if (is_word(c->line, "LIST")) {
            fake_put(c, "215 list\r\n.\r\n");
        } else if (is_word(c->line, "POST")) {
            fake_put(c, "340 go on\r\n");
            fake_take_message(c);
            fake_put(c, "240 posted\r\n");
        } else if (sscanf(c->line, "ARTICLE %199s", id) == 1) {
            n = fake_find(c->f->post, id);
            fake_put(c, n ? "220 1 article\r\nPath: fake\r\n" : "430 none\r\n");
            if (n)
                fake_give_block(c, n - 1, false);
        } else {
            fake_put(c, "211 1 1 1 group\r\n");
        }
    }
}

static void fake_http(struct fake_conn *c)
{
    char path[200] = "";
    const char *body = "{\"status\":\"ok\"}\n";
    bool redirect;
    unsigned status = 200;

    if (!fake_line(c) || sscanf(c->line, "GET %199s", path) != 1)
        return;
    while (fake_line(c) && c->line[0] != '\0')
        ;
    redirect = c->ssl == NULL && strcmp(path, "/") == 0 && c->f->leak != LEAK_HTTP_CLEAR;
    if (strcmp(path, "/ca.pem") == 0)
        body = c->f->leak == LEAK_CA_PEM ? "no certificate" : c->f->ca_pem;
    if (strcmp(path, "/health") == 0 && c->f->leak == LEAK_HEALTH)
        status = 503;
    if (redirect)
        fake_put(c,
                 "HTTP/1.1 301 Moved\r\nLocation: https://localhost/\r\nContent-Length: 0\r\n\r\n");
    else
        fake_put(c, "HTTP/1.1 %u Word\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
                 status, strlen(body), body);
}

/* ---- life -------------------------------------------------------------------------------- */

static void fake_random(struct fake_conn *c)
{
    static const char *const pieces[] = {
        "250 ",
        "250-",
        "* ",
        "p1 OK ",
        "p2 OK ",
        "+OK ",
        "-ERR ",
        "+ ",
        "334 ",
        "{5}",
        "{70000}",
        "{0}",
        "\r\n",
        "\r\n",
        "\r\n",
        "\n",
        ".\r\n",
        "..",
        "HTTP/1.1 200 OK\r\n",
        "Content-Length: 7\r\n",
        "220 localhost\r\n",
        "* OK localhost\r\n",
        "200 localhost\r\n",
        "101 ",
        "382 ",
        "\x15\x03\x01",
        "\xff\xfe\x01",
        "aGk=",
        "STARTTLS",
        "LOGINDISABLED",
        "SEARCH 1",
        "-----BEGIN CERTIFICATE-----",
    };
    unsigned n = (unsigned)(unit_random() % 60);

    for (unsigned i = 0; i < n && !c->ended; i++) {
        const char *piece = pieces[unit_random() % ARRAY_LEN(pieces)];
        fake_write(c, piece, strlen(piece));
    }
    c->ended = true;
}

static void fake_serve(struct fake *f, int fd)
{
    static void (*const speak[PROTOCOL_COUNT])(struct fake_conn *
                                               c) = {[PROTOCOL_POP3] = fake_pop3,
                                                     [PROTOCOL_IMAP4] = fake_imap,
                                                     [PROTOCOL_SMTP] = fake_smtp,
                                                     [PROTOCOL_NNTP] = fake_nntp,
                                                     [PROTOCOL_HTTP] = fake_http};
    struct fake_conn *c = calloc(1, sizeof *c);

    CHECK(c != NULL);
    c->f = f;
    c->fd = fd;
    if (f->leak == LEAK_MUTE)
        c->ended = true;
    if (f->leak == LEAK_RANDOM) {
        if (f->policy == POLICY_TLS_ONLY && unit_random() % 4 != 0)
            fake_tls(c);
        fake_random(c);
    }
    if (f->leak == LEAK_GARBAGE)
        fake_put(c, "%c\x80\xff hello?\n\n\n", 1);
    if (f->policy == POLICY_TLS_ONLY && !c->ended && c->ssl == NULL) {
        char first = 0;
        if (recv(fd, &first, 1, MSG_PEEK) == 1 && first == 'N' && f->leak == LEAK_TLS_TALKS)
            fake_put(c, "220 welcome\r\n");
        fake_tls(c);
    }
    if (!c->ended)
        speak[f->protocol](c);
    if (c->ssl != NULL)
        SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    close(fd);
    free(c);
}

static void *fake_run(void *arg)
{
    struct fake *f = arg;

    for (;;) {
        struct timeval patience = {.tv_sec = 8};
        int fd = accept(f->listen_fd, NULL, NULL);
        if (fd < 0 || __atomic_load_n(&f->stopping, __ATOMIC_SEQ_CST)) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        int one = 1;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fake_serve(f, fd);
    }
}

static int fake_wants_name(SSL *ssl, int *alert, void *arg)
{
    (void)arg;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL ? SSL_TLSEXT_ERR_OK
                                                                      : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void fake_context(struct fake *f, struct fake_ca *ca, struct fake_ca *other)
{
    struct fake_ca *by = f->leak == LEAK_CHAIN ? other : ca;
    const char *names = f->leak == LEAK_NAME ? "other.example.org" : "localhost 127.0.0.1";
    struct certificate *leaf = fake_issue(by, PROFILE_SERVER, names, by->issuing, by->leaf_key,
                                          by->issuing_key, f->leak == LEAK_EXPIRED ? -1 : 60);

    f->ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(f->ctx, f->leak == LEAK_TLS11   ? TLS1_1_VERSION
                                          : f->leak == LEAK_TLS10 ? TLS1_VERSION
                                                                  : TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(f->ctx, "ECDHE+AESGCM:ECDHE+CHACHA20");
    if (f->leak == LEAK_TLS10)
        SSL_CTX_set_options(f->ctx, SSL_OP_NO_TLSv1_1);
    if (f->leak == LEAK_TLS11 || f->leak == LEAK_TLS10) {
        SSL_CTX_set_security_level(f->ctx, 0);
        SSL_CTX_set_cipher_list(f->ctx, "ALL:@SECLEVEL=0");
    }
    if (f->leak == LEAK_WEAK)
        SSL_CTX_set_cipher_list(f->ctx, "ALL:aNULL:@SECLEVEL=0");
    if (f->leak == LEAK_RENEGOTIATE)
        SSL_CTX_set_options(f->ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    if (f->leak == LEAK_NO_NAME)
        SSL_CTX_set_tlsext_servername_callback(f->ctx, fake_wants_name);
    if (f->leak == LEAK_ONLY_12)
        SSL_CTX_set_max_proto_version(f->ctx, TLS1_2_VERSION);
    CHECK(SSL_CTX_use_certificate(f->ctx, leaf->x509) == 1);
    CHECK(SSL_CTX_use_PrivateKey(f->ctx, by->leaf_key) == 1);
    /* the same CA and key, with less time left */
    struct certificate *brief =
        f->leak == LEAK_OUTLIVES
            ? fake_issue(by, PROFILE_ISSUING, NULL, by->root, by->issuing_key, by->root_key, 30)
            : NULL;
    CHECK(SSL_CTX_add1_chain_cert(f->ctx, (brief ? brief : by->issuing)->x509) == 1);
    certificate_free(brief);
    snprintf(f->serial, sizeof f->serial, "%s", leaf->serial);
    snprintf(f->spki, sizeof f->spki, "%s", leaf->spki_sha256);
    certificate_free(leaf);
}

static void fake_start(struct fake *f, struct fake_ca *ca, struct fake_ca *other,
                       struct fake_post *post)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;

    f->post = post;
    f->ca_pem = buf_cstr(&ca->pem);
    fake_context(f, ca, other);
    f->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(f->listen_fd >= 0 && bind(f->listen_fd, (struct sockaddr *)&a, sizeof a) == 0 &&
          listen(f->listen_fd, 16) == 0 &&
          getsockname(f->listen_fd, (struct sockaddr *)&a, &n) == 0);
    f->port = ntohs(a.sin_port);
    f->names[0] = "localhost";
    f->endpoint = (struct conf_endpoint){"127.0.0.1", f->port, (uint8_t)f->policy};
    f->vserver = (struct conf_vserver){
        .name = "fake",
        .protocol = (uint8_t)f->protocol,
        .enabled = true,
        .names = {f->names, 1},
        .endpoints = &f->endpoint,
        .endpoint_count = 1,
        .require_secure_channel = f->policy != POLICY_OPPORTUNISTIC,
        .smtp_kind = (uint8_t)f->kind
    };
    CHECK(pthread_create(&f->thread, NULL, fake_run, f) == 0);
}

static void fake_stop(struct fake *f)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons(f->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    __atomic_store_n(&f->stopping, true, __ATOMIC_SEQ_CST);
    connect(fd, (struct sockaddr *)&a, sizeof a);
    pthread_join(f->thread, NULL);
    close(fd);
    close(f->listen_fd);
    SSL_CTX_free(f->ctx);
}

#endif
