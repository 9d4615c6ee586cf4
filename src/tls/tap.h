/*
 * tap.h: the bytes of this process's connections as they go over the wire, for `sealpost capture` where packets may not be captured: below
 * TLS and before it, both directions, of the virtual servers that were asked for. Never a byte that was decrypted.
 *
 * A tap is a feed (ipc/feed.h) that somebody else has made and reads. A connection never waits for it: what does not fit is dropped and
 * counted, and the sequence numbers of what follows show the gap. Connections that are there already are in it from their next bytes on.
 */
#ifndef TLS_TAP_H
#define TLS_TAP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { TLS_TAPS_MAX = 4, TLS_TAP_VSERVERS_MAX = 64, TLS_TAP_NAME_MAX = 63 };

struct tls_tap_request {
    unsigned count;
    char vservers[TLS_TAP_VSERVERS_MAX][TLS_TAP_NAME_MAX + 1];
};
struct tls_tap_counts {
    uint64_t connections, records, bytes, dropped;
};

/* `owner` names it, one tap each. The descriptor is taken. -EBUSY: there are TLS_TAPS_MAX, or this owner has one; -EINVAL: it is no feed. */
int tls_tap_open(uint64_t owner, const struct tls_tap_request *q, int take_fd, struct err *e);
/* False: there is none. ret may be NULL. */
bool tls_tap_close(uint64_t owner, struct tls_tap_counts *ret);
unsigned tls_taps(void); /* how many are open */

#endif
