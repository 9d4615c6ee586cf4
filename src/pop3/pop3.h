/* pop3.h: POP3, RFC 1939 with CAPA (2449), STLS (2595), SASL (5034), response codes (2449, 3206),
 * UTF8 (6856). */
#ifndef POP3_POP3_H
#define POP3_POP3_H

#include "line/session.h"

extern const struct protocol pop3_protocol;

#endif
