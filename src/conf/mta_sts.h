/*
 * mta_sts.h: the MTA-STS policies of the local domains (RFC 8461): what is served, what senders
 * compare it with. A policy says which names the domain's mail servers have and that they show a
 * trusted certificate; a TXT record says that there is one, and with its id when it has changed.
 */
#ifndef CONF_MTA_STS_H
#define CONF_MTA_STS_H

#include "conf/conf.h"

enum { MTA_STS_TEXT_MAX = 32 << 10, MTA_STS_ID_MAX = 32 };

/* NULL: none is configured. */
const struct conf_mta_sts *conf_mta_sts_of(const struct conf *c, struct span domain);
/* The policy as it is served: lines with CRLF. */
void conf_mta_sts_print(const struct conf *c, const struct conf_mta_sts *p, struct buf *out);
/* Another one for each text: what stands as id in the TXT record at _mta-sts.DOMAIN. */
void conf_mta_sts_id(struct span policy, char ret[MTA_STS_ID_MAX + 1]);
const char *conf_mta_sts_mode_name(enum conf_mta_sts_mode m);

/* RFC 8461 section 4.1: equal without case, or "*." for exactly one label. */
bool mta_sts_matches(struct span pattern, struct span host);
/* Does the policy name that host? */
bool conf_mta_sts_names(const struct conf *c, const struct conf_mta_sts *p, struct span host);

#endif
