/*
 * capture_tap.h: where packets may not be captured: every byte of the probe's own connections, below TLS, put into frames for the parser.
 * On loopback these are the bytes that were on the wire; connections of others are not seen.
 */
#ifndef MANAGER_CAPTURE_TAP_H
#define MANAGER_CAPTURE_TAP_H

#include "base/err.h"
#include "capture/source.h"

#include <sys/socket.h>

struct capture_tap;
/* *ret_source is what the parser reads. */
int capture_tap_start(struct capture_tap **ret, struct source **ret_source, struct err *e);
/* As wire_tap tells it. */
void capture_tap_bytes(struct capture_tap *t, const struct sockaddr_storage *own,
                       const struct sockaddr_storage *peer, bool from_peer, struct span bytes);
void capture_tap_stop(struct capture_tap *t); /* NULL is fine */

#endif
