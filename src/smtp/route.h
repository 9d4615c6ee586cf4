/* route.h: which connector takes the mail of a domain, and what a smart host is written like. */
#ifndef SMTP_ROUTE_H
#define SMTP_ROUTE_H

#include "conf/conf.h"
#include <sys/socket.h>

/* The connector with the most specific address space that holds the domain (exact, ".below", "*"),
 * of equal ones the cheapest. NULL: by MX. */
const struct conf_connector *route_find(const struct conf *c, struct span domain);

struct route_host {
    char name[256]; /* a name, or an address literal in brackets */
    uint16_t port;
};
/* "host", "host:port", "[192.0.2.1]:port", "192.0.2.1:port" (the same), "[IPv6:2001:db8::1]" */
bool route_host_parse(const char *text, uint16_t default_port, struct route_host *ret);
/* "[192.0.2.1]", "[IPv6:::1]", "[::1]": the address, port 0. */
bool route_literal(const char *text, struct sockaddr_storage *ret);

#endif
