/*
 * tap_frame.h: bytes of a connection as a tap passes them on: 8 bytes of time (microseconds, little-endian) and a TCP segment in an IPv6 packet,
 * IPv4 addresses as they stand in IPv6, so that whoever parses packets parses these, and sequence numbers tell what a tap has lost.
 */
#ifndef TLS_TAP_FRAME_H
#define TLS_TAP_FRAME_H

#include "base/span.h"

#include <sys/socket.h>

enum { TAP_FRAME_HEAD = 8 + 40 + 20, TAP_FRAME_PAYLOAD_MAX = 32768 };
enum { TAP_FIN = 1, TAP_SYN = 2, TAP_ACK = 16 };

struct tap_end {
    unsigned char address[16];
    uint16_t port; /* network order */
};
/* False: no address of the Internet. */
bool tap_end_of(const struct sockaddr_storage *a, struct tap_end *ret);
void tap_frame_head(const struct tap_end *from, const struct tap_end *to, uint32_t seq,
                    unsigned flags, size_t payload_bytes, unsigned char ret[TAP_FRAME_HEAD]);

#endif
