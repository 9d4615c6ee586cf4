/*
 * packet.h: from a captured frame to the TCP segment in it: link layer (Ethernet with VLAN tags, Linux cooked v1 and v2, raw IP,
 * BSD loopback), IPv4 (RFC 791), IPv6 with extension headers (RFC 8200), TCP (RFC 9293). Nothing is copied; spans point into the
 * frame. Checksums are not looked at: on loopback and with offloading they are not yet made when a packet is captured.
 */
#ifndef CAPTURE_PACKET_H
#define CAPTURE_PACKET_H

#include "base/span.h"

#include <netinet/in.h>

/* Link types as the files and libpcap number them. */
enum link_type {
    LINK_NULL = 0,
    LINK_ETHERNET = 1,
    LINK_RAW_BSD = 12,
    LINK_RAW = 101,
    LINK_LOOP = 108,
    LINK_SLL = 113,
    LINK_IPV4 = 228,
    LINK_IPV6 = 229,
    LINK_SLL2 = 276,
};

enum packet_kind {
    PACKET_TCP,
    PACKET_OTHER,    /* no IP, or no TCP in it */
    PACKET_FRAGMENT, /* a part of an IP packet */
    PACKET_BROKEN,   /* breaks its own format, or ends before its headers do */
};

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };

struct packet_end {
    struct in6_addr address; /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
};

struct packet {
    struct packet_end from, to;
    uint32_t seq, ack;
    uint8_t flags;
    struct span payload;
    uint32_t payload_at; /* offset in the frame */
    uint32_t missing;    /* bytes of payload that were not captured */
};

enum packet_kind packet_parse(int link, struct span frame, struct packet *ret);
bool packet_end_eq(const struct packet_end *a, const struct packet_end *b);
/* "127.0.0.1:25", "[::1]:25" */
const char *packet_end_print(const struct packet_end *e, char ret[64]);

#endif
