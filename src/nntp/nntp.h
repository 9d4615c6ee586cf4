/*
 * nntp.h: news for readers: RFC 3977, LIST variants of RFC 6048, STARTTLS (4642), AUTHINFO (4643),
 * XOVER/XHDR of RFC 2980. A newsgroup is a public folder of the store; its UIDs are the article
 * numbers.
 */
#ifndef NNTP_NNTP_H
#define NNTP_NNTP_H

#include "line/session.h"

extern const struct protocol nntp_protocol;

#endif
