/*
 * smtp.h: the receiving side of SMTP: MX (port 25) and submission virtual servers. RFC 5321, 6409
 * with PIPELINING (2920), SIZE (1870), 8BITMIME (6152), SMTPUTF8 (6531), DSN (3461),
 * ENHANCEDSTATUSCODES (2034), CHUNKING (3030), STARTTLS (3207), AUTH (4954).
 */
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

#include "line/session.h"

extern const struct protocol smtp_protocol;

#endif
