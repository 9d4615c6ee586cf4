/*
 * throttle.h: slows down who guesses passwords. Failures are counted per address (IPv6: per /64)
 * and per user name, whether the user exists or not. Past the limit each further try waits longer
 * before it is looked at, then tries are refused for a while.
 *
 * Three things keep it from hurting the innocent: the same wrong password from the same place
 * counts once (a forgotten telephone), an address that a user logged in from lately is not slowed
 * by what others try on that name, and trusted networks are exempt. Bounded: the entry unused for
 * longest gives way. Times come from clock_mono_ms.
 */
#ifndef DIRECTORY_THROTTLE_H
#define DIRECTORY_THROTTLE_H

#include "base/span.h"
#include <netinet/in.h>

struct throttle;

struct throttle_limits {
    uint32_t failures;       /* without delay; 0: never throttles */
    uint32_t window_seconds; /* failures are forgotten this long after the last one; refusals last
                                as long */
    uint32_t entries_max;
};

struct throttle_try {
    struct in6_addr peer;
    bool trusted;
    struct span user; /* folded */
};

enum {
    THROTTLE_DELAY_FIRST_MS = 250,
    THROTTLE_DELAY_MAX_MS = 8000,
    THROTTLE_REFUSED_AT = 3 /* times the limit */
};

struct throttle *throttle_new(const struct throttle_limits *limits);
void throttle_free(struct throttle *t); /* NULL is fine */
void throttle_set_limits(struct throttle *t, const struct throttle_limits *limits);

/* Before a password is looked at: false: refused. *ret_delay_ms is what to wait first. Tries under
 * way count as failures until throttle_end, so many at once gain nothing; each allowed begin needs
 * its end. */
bool throttle_begin(struct throttle *t, const struct throttle_try *y, uint32_t *ret_delay_ms);
enum throttle_outcome { THROTTLE_GOOD, THROTTLE_BAD, THROTTLE_NEITHER /* not looked at */ };
/* `digest` of what was tried (0: none): seen again from there it does not count again. */
void throttle_end(struct throttle *t, const struct throttle_try *y, enum throttle_outcome outcome,
                  uint64_t digest);
/* Was just this tried from there, and wrong? Then it need not be hashed again. */
bool throttle_is_repeat(const struct throttle *t, const struct throttle_try *y, uint64_t digest);
void throttle_forget_user(struct throttle *t, struct span user); /* new password */
size_t throttle_size(const struct throttle *t);

#endif
