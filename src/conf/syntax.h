/* syntax.h: what one text of the configuration must look like. Each check gives NULL, or what is
 * wrong and the remedy. */
#ifndef CONF_SYNTAX_H
#define CONF_SYNTAX_H

#include "base/span.h"

const char *check_none(struct span s);
const char *check_name(struct span s);          /* of a virtual server or connector */
const char *check_domain(struct span s);        /* a DNS name, internationalised ones as xn-- */
const char *check_host(struct span s);          /* a DNS name or a numeric address */
const char *check_mx(struct span s);            /* a DNS name or a numeric address */
const char *check_ip(struct span s);            /* a numeric address */
const char *check_network(struct span s);       /* an address or prefix */
const char *check_address(struct span s);       /* user@domain */
const char *check_dns_server(struct span s);    /* address[@port] */
const char *check_smart_host(struct span s);    /* host, host:port, [address]:port */
const char *check_address_space(struct span s); /* "*", domain, ".domain" */
const char *check_key_type(struct span s);
const char *check_trust(struct span s);
const char *check_challenge(struct span s);
const char *check_web_address(struct span s); /* http: or https: */
const char *check_https_address(struct span s);
const char *check_program(struct span s); /* an absolute path */
const char *check_user_prefix(struct span s);
const char *check_group(struct span s);

/* Takes a smart host apart; port 0 where none is written. */
bool smart_host_split(struct span s, struct span *ret_host, uint16_t *ret_port);

#endif
