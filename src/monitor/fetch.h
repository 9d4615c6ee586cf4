/*
 * fetch.h: one HTTP request to a server that something names (a certificate, DNS) and its whole
 * answer: lists of revoked certificates, OCSP, policies. HTTP/1.0, so that it comes in one piece;
 * redirections are not followed.
 */
#ifndef MONITOR_FETCH_H
#define MONITOR_FETCH_H

#include "dns/resolver.h"
#include "monitor/wire.h"

enum { FETCH_URL_MAX = 1000, FETCH_ADDRESSES_MAX = 4, FETCH_DEADLINE_MS = 8000 };

struct fetch_url {
    bool tls;
    char host[DNS_NAME_MAX + 1];
    uint16_t port;
    char path[FETCH_URL_MAX + 1];
};
/* http://… and https://…; -EINVAL, -ENOTSUP (another scheme) with the reason. */
int fetch_url_parse(struct span url, struct fetch_url *ret, struct err *e);

struct fetch {
    struct resolver *resolver;
    X509_STORE *roots[2]; /* https: the server's certificate must lead to one of them; NULL: none */
    const char *type;     /* of the body; NULL: it is a GET */
    struct span body;
};

struct fetched {
    unsigned status;
    char type[64]; /* Content-Type without parameters */
    struct buf body;
};

/* suspends. 0 with any status. ret->body has its limit from the caller. -EHOSTUNREACH, -EKEYREJECTED
 * (certificate), -EPROTO, -EMSGSIZE, -ETIMEDOUT, … with the reason. */
int fetch(const struct fetch *f, const char *url, struct fetched *ret, struct err *e);

#endif
