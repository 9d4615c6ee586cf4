/*
 * secret.h: finds marked secrets in bytes that pass by, in every form in which mail software writes text: as it is, in the other
 * case, base64 (RFC 4648, all three alignments, also the URL alphabet), quoted-printable (RFC 2045), percent-encoded, hexadecimal,
 * UTF-16 of both byte orders. A search goes on over any cuts; `fold` looks a second time without line ends and soft line breaks, so that an
 * encoded body that breaks its lines is found too. The cost does not depend on the number of secrets (Aho and Corasick, 1975).
 */
#ifndef CAPTURE_SECRET_H
#define CAPTURE_SECRET_H

#include "base/span.h"

enum {
    SECRETS_MAX = 16,
    SECRET_BYTES_MIN = 8, /* shorter ones come up in ciphertext by chance */
    SECRET_BYTES_MAX = 128,
};

struct secrets;
struct secrets *secrets_new(void);
void secrets_free(struct secrets *s); /* wipes; NULL is fine */
/* False: too short, too long, or too many. `name` is what a hit is called ("the password of alice"). All secrets come before the
 * first scan. */
bool secrets_add(struct secrets *s, const char *name, struct span secret);
unsigned secrets_count(const struct secrets *s);

struct secret_scan { /* of one direction; zero at first */
    uint32_t raw, folded;
    bool soft; /* a '=' that may be a soft line break */
};
struct secret_hit {
    const char *name, *form;
    size_t length; /* of the form, in bytes */
    size_t end;    /* behind its last byte, in the bytes scanned */
};
/* Goes on at *at, which begins at 0; false: all were looked at. */
bool secrets_scan(const struct secrets *s, struct secret_scan *scan, struct span bytes, bool fold,
                  size_t *at, struct secret_hit *ret);

#endif
