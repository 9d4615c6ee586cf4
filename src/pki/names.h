/*
 * names.h: the names that certificates speak of: DNS names, addresses and mail addresses (the
 * subject alternative names of RFC 5280 section 4.2.1.6), the fields of a subject, and the names
 * that a CA is permitted to certify (name constraints, section 4.2.1.10).
 */
#ifndef PKI_NAMES_H
#define PKI_NAMES_H

#include "base/buf.h"
#include "base/err.h"

enum cert_name_type { CERT_NAME_DNS, CERT_NAME_IP, CERT_NAME_EMAIL, CERT_NAME_TYPES };
enum { CERT_NAMES_MAX = 128, CERT_NAME_TEXT_MAX = 320 };

struct cert_name {
    uint8_t type; /* enum cert_name_type */
    char *text;   /* lower case but for the local part of a mail address; addresses in their usual
                     numeric form */
};

/* A set in the order of adding, without repetitions. Owns its texts. */
struct cert_names {
    struct cert_name *v;
    uint32_t n;
};

#define CERT_NAMES_EMPTY ((struct cert_names){NULL, 0})

void cert_names_done(struct cert_names *n); /* NULL is fine; leaves the empty set */
/*
 * Adds a name; one that is there already changes nothing. 0; -EINVAL: no name of that type (a DNS
 * name is letters, digits, '-' and '_' in labels, the first may be "*"; the local part of a mail
 * address is an atom with dots); -E2BIG: CERT_NAMES_MAX.
 */
int cert_names_add(struct cert_names *n, enum cert_name_type type, struct span text);
/* The type is seen from the text: a numeric address, something with '@', else a DNS name. */
int cert_names_add_any(struct cert_names *n, struct span text);
bool cert_names_has(const struct cert_names *n, enum cert_name_type type, struct span text);
bool cert_names_same(const struct cert_names *a, const struct cert_names *b); /* in any order */
int cert_names_copy(struct cert_names *dst, const struct cert_names *src);    /* adds */
void cert_names_print(const struct cert_names *n, struct buf *out); /* "a.example, 192.0.2.1" */
const char *cert_name_type_name(enum cert_name_type t);             /* "DNS", "IP", "email" */
/* The bytes of a numeric address: 4 or 16, or 0 when it is none. */
unsigned cert_name_ip_bytes(const char *text, unsigned char ret[16]);

/* The fields that the Certificate Wizard asks for. NULL or "": the field is left out. Longer than
 * X.520 allows: refused. */
struct cert_subject {
    const char *common_name, *organization, *unit, *country, *state, *locality;
};

/* The same, owned. */
enum { CERT_FIELD_BYTES = 512 };
struct cert_fields {
    char common_name[CERT_FIELD_BYTES + 1], organization[CERT_FIELD_BYTES + 1],
        unit[CERT_FIELD_BYTES + 1], country[CERT_FIELD_BYTES + 1], state[CERT_FIELD_BYTES + 1],
        locality[CERT_FIELD_BYTES + 1];
};
static inline struct cert_subject cert_fields_subject(const struct cert_fields *f)
{
    return (struct cert_subject){.common_name = f->common_name,
                                 .organization = f->organization,
                                 .unit = f->unit,
                                 .country = f->country,
                                 .state = f->state,
                                 .locality = f->locality};
}
/* Are the fields fit for a certificate: UTF-8 without control characters, no longer than X.520
 * allows, the country a code of ISO 3166? -EINVAL with the reason. */
int cert_subject_check(const struct cert_subject *s, struct err *e);
/* "Germany" for "DE"; NULL: no such code. */
const char *country_name(struct span code);
/* By code or name, without case: the code. NULL: none. */
const char *country_find(struct span text);
/* The i-th of the list; NULL behind its end. */
const char *country_code(unsigned i);

/* Name constraints: what is permitted, by kind. A name below a DNS entry is permitted too. */
enum { PERMITTED_MAX = 64 };
struct permitted_network {
    unsigned char address[16];
    uint8_t bytes; /* 4 or 16 */
    uint8_t bits;
};
struct permitted {
    struct cert_names dns;   /* without leading dot */
    struct cert_names email; /* domains, as DNS names */
    struct permitted_network networks[PERMITTED_MAX];
    uint32_t network_count;
};

void permitted_done(struct permitted *p);
int permitted_add_dns(struct permitted *p, struct span domain); /* a leading dot is dropped */
int permitted_add_email(struct permitted *p,
                        struct span domain); /* mailboxes of exactly that host */
int permitted_add_network(struct permitted *p,
                          struct span text); /* 10.0.0.0/8, ::1; host bits must be zero */
bool permitted_name(const struct permitted *p, const struct cert_name *n);
/* Is everything that `inner` permits permitted by `outer`? */
bool permitted_covers(const struct permitted *outer, const struct permitted *inner);
/* DNS, e-mail, IPv4 and IPv6 must all be listed: a kind that is not listed would be permitted
 * without bound. */
bool permitted_complete(const struct permitted *p);
void permitted_print(const struct permitted *p, struct buf *out);

#endif
