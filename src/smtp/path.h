/*
 * path.h: the arguments of MAIL and RCPT: a path in angle brackets and parameters (RFC 5321
 * section 4.1.2).
 */
#ifndef SMTP_PATH_H
#define SMTP_PATH_H

#include "base/buf.h"

enum { SMTP_ADDRESS_MAX = 320, SMTP_PARAMETERS_MAX = 20 };

struct smtp_parameter {
    struct span keyword, value; /* value.p NULL: no '=' */
};
struct smtp_path {
    struct span address; /* "local@domain" as typed, source route taken off; empty for <> */
    struct span local, domain;
    struct smtp_parameter parameters[SMTP_PARAMETERS_MAX];
    size_t parameter_count;
};
enum smtp_path_error { PATH_OK, PATH_SYNTAX, PATH_ADDRESS, PATH_NOT_ASCII, PATH_PARAMETERS };

/* args: what follows the verb; prefix: "FROM:" or "TO:". `postmaster` allows <postmaster> without a
 * domain (then domain is empty). UTF-8 addresses are PATH_NOT_ASCII unless the SMTPUTF8 parameter
 * is present or `utf8`. */
enum smtp_path_error smtp_path_parse(struct span args, const char *prefix, bool postmaster,
                                     bool utf8, struct smtp_path *ret);
/* RFC 3461 section 4: xtext. False: malformed. */
bool xtext_decode(struct span s, struct buf *out);
bool xtext_encode(struct span s, struct buf *out);
/* RFC 6533 section 3, utf-8-addr-unitext: the same, with UTF-8 as it is. */
bool xtext_decode_utf8(struct span s, struct buf *out);
/* EHLO argument: a domain or an address literal; lenient about underscores, never about bytes that
 * do not belong into a header field. */
bool smtp_host_valid(struct span s);

#endif
