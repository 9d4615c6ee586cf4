/*
 * web.h: one HTTP request (RFC 9112) to a server outside and its whole answer, over TLS that is verified, within limits
 * for size and time. Every address that is dialled is looked at: loopback, private and link-local ones are refused
 * unless they are allowed, so that nobody who answers can make us ask our own network. Redirections of a GET are
 * followed a few times, under the same rules.
 */
#ifndef ACME_WEB_H
#define ACME_WEB_H

#include "base/buf.h"
#include "base/err.h"
#include "dns/resolver.h"
#include "tls/context.h"

enum {
    WEB_URL_MAX = 1000,
    WEB_BODY_MAX = 256 * 1024,
    WEB_HEADER_MAX = 32 * 1024,
    WEB_REDIRECTS_MAX = 3,
    WEB_TIMEOUT_MS = 30000, /* one request, redirections aside */
};

struct web {
    struct loop *loop;
    struct resolver *resolver;
    struct tls_client_context *tls; /* the roots that its server is verified by */
    bool private;                   /* private addresses are fine */
    bool clear;                     /* http: URLs are fine (webhooks) */
    /* Decides about an address, port included, instead of `private`; NULL: that does. */
    bool (*may_connect)(void *arg, const struct sockaddr_storage *a);
    void *may_connect_arg;
    bool unverified; /* TLS without looking at the certificate (http-01 that leads to https) */
};

struct web_request {
    const char *method; /* NULL: GET */
    const char *url;
    const char *type, *accept; /* Content-Type, Accept; NULL: none */
    const char *encoding;      /* Content-Transfer-Encoding; NULL: none */
    const char *authorization; /* Authorization; NULL: none */
    struct span body;
    uint64_t timeout_ms; /* 0: WEB_TIMEOUT_MS */
};

struct web_answer {
    unsigned status;
    char type[128];    /* Content-Type, without parameters, lower case */
    char encoding[32]; /* Content-Transfer-Encoding */
    char location[WEB_URL_MAX + 1], nonce[256];
    uint32_t retry_after; /* seconds; 0: none was given; never more than a day */
    struct buf body;
};

/* suspends. 0 with any HTTP status (then web_answer_done); -EINVAL the URL, -EACCES an address that is not allowed,
 * -EPROTO TLS or HTTP, -EMSGSIZE, -ETIMEDOUT, -EHOSTUNREACH, each with the reason. */
int web_ask(const struct web *w, const struct web_request *q, struct web_answer *ret,
            struct err *e);
void web_answer_done(struct web_answer *a);

struct web_url {
    bool tls;
    char host[256];
    uint16_t port;
    char target[WEB_URL_MAX + 1]; /* path and query, at least "/" */
};
/* http: and https: without user information; false: none of these. */
bool web_url_parse(struct span s, struct web_url *ret);
/* Loopback, private, link-local, shared, multicast, documentation …: not out in the Internet. */
bool web_address_is_private(const struct sockaddr_storage *a);
/* Seconds from now, of a number or an HTTP date; 0: neither. */
uint32_t web_retry_after(struct span s, int64_t now);

#endif
