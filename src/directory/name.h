/*
 * name.h: what may be called what: mail addresses, display names, passwords. A small subset of
 * PRECIS (RFC 8264, 8265): well-formed UTF-8, nothing that cannot be seen (controls, direction
 * marks, zero width), limits; letters fold as ASCII only and nothing is normalised, so two
 * spellings of one glyph are two names.
 */
#ifndef DIRECTORY_NAME_H
#define DIRECTORY_NAME_H

#include "base/buf.h"

enum {
    NAME_LOCAL_MAX = 64, /* RFC 5321 section 4.5.3.1.1, octets */
    NAME_DOMAIN_MAX = 255,
    NAME_ADDRESS_MAX = NAME_LOCAL_MAX + 1 + NAME_DOMAIN_MAX,
    NAME_TITLE_MAX = 256,
    NAME_NEWSGROUP_MAX = 255,
    NAME_PASSWORD_MAX = 1024,
};

struct mail_address {
    char local[NAME_LOCAL_MAX + 1];   /* quotes gone where they were not needed */
    char domain[NAME_DOMAIN_MAX + 1]; /* lower case */
};

/* local@domain: the local part a dot-atom or a quoted string (RFC 5321 section 4.1.2, RFC 6531),
 * the domain dotted labels or an address literal in brackets. */
bool name_address_parse(struct span s, struct mail_address *ret);
/* As name_address_parse, but a name without '@' gets `domain`, and the local part is folded: for
 * names of this server. */
bool name_local_parse(struct span s, const char *domain, struct mail_address *ret);
void name_address_fold(struct mail_address *a); /* local part to lower case */
bool name_address_eq(const struct mail_address *a, const struct mail_address *b);
void name_address_print(const struct mail_address *a, char dst[NAME_ADDRESS_MAX + 1]);
/* user+detail → user. False: there is no detail, or nothing in front of it. */
bool name_address_cut_detail(struct mail_address *a);
/* May an account, alias or group be called so? Dot-atom without '+', not an address literal. */
bool name_address_is_own(const struct mail_address *a);

bool name_domain_valid(struct span s);    /* dotted labels */
bool name_title_valid(struct span s);     /* a display name; may be empty */
bool name_newsgroup_valid(struct span s); /* RFC 5536 section 3.1.4 */

/* What is hashed and compared for a password: SASLprep (RFC 4013) without its normalisation.
 * Appends to out. False: not UTF-8, empty, too long, or something in it is prohibited. */
bool name_password_prepare(struct span password, struct buf *out);
/* The same for user names of SASL mechanisms. */
bool name_user_prepare(struct span user, struct buf *out);

#endif
