#include "capture/packet.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { ETHERTYPE_4 = 0x0800, ETHERTYPE_6 = 0x86dd, HEADERS_MAX = 8 };

static unsigned byte_at(struct span s, size_t i)
{
    return (unsigned char)s.p[i];
}

static unsigned u16_at(struct span s, size_t i)
{
    return byte_at(s, i) << 8 | byte_at(s, i + 1);
}

static uint32_t u32_at(struct span s, size_t i)
{
    return (uint32_t)u16_at(s, i) << 16 | u16_at(s, i + 2);
}

/* ---- link layer -------------------------------------------------------------------------- */

static enum packet_kind ethernet(struct span *s, unsigned *ret_type)
{
    size_t at = 12;

    for (unsigned tags = 0; tags < 3; tags++) {
        unsigned type;
        if (s->n < at + 2)
            return PACKET_BROKEN;
        type = u16_at(*s, at);
        at += 2;
        if (type != 0x8100 && type != 0x88a8 && type != 0x9100) {
            *ret_type = type;
            *s = span_skip(*s, at);
            return PACKET_TCP;
        }
        at += 2;
    }
    return PACKET_OTHER;
}

static enum packet_kind skip_header(struct span *s, size_t header, size_t type_at,
                                    unsigned *ret_type)
{
    if (s->n < header)
        return PACKET_BROKEN;
    *ret_type = u16_at(*s, type_at);
    *s = span_skip(*s, header);
    return PACKET_TCP;
}

/* PACKET_TCP: s begins with the IP header, if its type is one of the two. */
static enum packet_kind link_layer(int link, struct span *s, unsigned *ret_type)
{
    switch (link) {
    case LINK_ETHERNET:
        return ethernet(s, ret_type);
    case LINK_SLL:
        return skip_header(s, 16, 14, ret_type);
    case LINK_SLL2:
        return skip_header(s, 20, 0, ret_type);
    case LINK_NULL:
    case LINK_LOOP:
        if (s->n < 4)
            return PACKET_BROKEN;
        *s = span_skip(*s, 4);
        break;
    case LINK_RAW:
    case LINK_RAW_BSD:
    case LINK_IPV4:
    case LINK_IPV6:
        break;
    default:
        return PACKET_OTHER;
    }
    if (s->n < 1)
        return PACKET_BROKEN;
    *ret_type = byte_at(*s, 0) >> 4 == 4 ? ETHERTYPE_4 : byte_at(*s, 0) >> 4 == 6 ? ETHERTYPE_6 : 0;
    return PACKET_TCP;
}

/* ---- IP ---------------------------------------------------------------------------------- */

/* What the IP packet says of its payload: *s becomes that, *ret_missing what was cut off. Padding
 * of the link layer goes away. */
static void take_payload(struct span *s, size_t header, size_t said, uint32_t *ret_missing)
{
    *s = span_skip(*s, header);
    *ret_missing = said > s->n ? (uint32_t)(said - s->n) : 0;
    *s = span_head(*s, said);
}

static enum packet_kind ipv4(struct span *s, struct packet *ret)
{
    size_t header, total;

    if (s->n < 20)
        return PACKET_BROKEN;
    header = (size_t)(byte_at(*s, 0) & 15) * 4;
    total = u16_at(*s, 2);
    if (total == 0) /* segmentation offload: longer than the field */
        total = s->n;
    if (header < 20 || header > s->n || total < header)
        return PACKET_BROKEN;
    if ((u16_at(*s, 6) & 0x3fff) != 0)
        return PACKET_FRAGMENT;
    if (byte_at(*s, 9) != IPPROTO_TCP)
        return PACKET_OTHER;
    for (unsigned i = 0; i < 2; i++) {
        struct in6_addr *a = i ? &ret->to.address : &ret->from.address;
        *a = (struct in6_addr)IN6ADDR_ANY_INIT;
        a->s6_addr[10] = a->s6_addr[11] = 0xff;
        memcpy(a->s6_addr + 12, s->p + 12 + 4 * i, 4);
    }
    take_payload(s, header, total - header, &ret->missing);
    return PACKET_TCP;
}

/* Headers between IPv6 and TCP (RFC 8200 section 4). */
static enum packet_kind extension_headers(struct span *s, unsigned next)
{
    for (unsigned i = 0; i < HEADERS_MAX; i++) {
        size_t n;
        if (next == IPPROTO_TCP)
            return PACKET_TCP;
        if (next == IPPROTO_FRAGMENT)
            return PACKET_FRAGMENT;
        if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
            next != 135 && next != 51)
            return PACKET_OTHER;
        if (s->n < 8)
            return PACKET_BROKEN;
        n = next == 51 ? (byte_at(*s, 1) + 2) * 4u : (byte_at(*s, 1) + 1) * 8u;
        if (n > s->n)
            return PACKET_BROKEN;
        next = byte_at(*s, 0);
        *s = span_skip(*s, n);
    }
    return PACKET_OTHER;
}

static enum packet_kind ipv6(struct span *s, struct packet *ret)
{
    unsigned next;
    size_t said;

    if (s->n < 40)
        return PACKET_BROKEN;
    said = u16_at(*s, 4);
    next = byte_at(*s, 6);
    memcpy(&ret->from.address, s->p + 8, 16);
    memcpy(&ret->to.address, s->p + 24, 16);
    if (said == 0) /* segmentation offload, jumbo */
        said = s->n - 40;
    take_payload(s, 40, said, &ret->missing);
    return extension_headers(s, next);
}

/* ---- TCP --------------------------------------------------------------------------------- */

static enum packet_kind tcp(struct span s, struct packet *ret)
{
    size_t header;

    if (s.n < 20)
        return PACKET_BROKEN;
    header = (size_t)(byte_at(s, 12) >> 4) * 4;
    if (header < 20 || header > s.n)
        return PACKET_BROKEN;
    ret->from.port = (uint16_t)u16_at(s, 0);
    ret->to.port = (uint16_t)u16_at(s, 2);
    ret->seq = u32_at(s, 4);
    ret->ack = u32_at(s, 8);
    ret->flags = (uint8_t)byte_at(s, 13);
    ret->payload = span_skip(s, header);
    return PACKET_TCP;
}

enum packet_kind packet_parse(int link, struct span frame, struct packet *ret)
{
    struct packet p;
    struct span s = frame;
    unsigned type = 0;
    enum packet_kind k = link_layer(link, &s, &type);

    memset(&p, 0, sizeof p);
    if (k == PACKET_TCP && type != ETHERTYPE_4 && type != ETHERTYPE_6)
        k = PACKET_OTHER;
    if (k == PACKET_TCP)
        k = type == ETHERTYPE_4 ? ipv4(&s, &p) : ipv6(&s, &p);
    if (k == PACKET_TCP)
        k = tcp(s, &p);
    if (k != PACKET_TCP)
        return k;
    p.payload_at = p.payload.n > 0 ? (uint32_t)(p.payload.p - frame.p) : (uint32_t)frame.n;
    *ret = p;
    return PACKET_TCP;
}

bool packet_end_eq(const struct packet_end *a, const struct packet_end *b)
{
    return a->port == b->port && memcmp(&a->address, &b->address, sizeof a->address) == 0;
}

const char *packet_end_print(const struct packet_end *e, char ret[64])
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr a4;

    if (IN6_IS_ADDR_V4MAPPED(&e->address)) {
        memcpy(&a4, e->address.s6_addr + 12, 4);
        inet_ntop(AF_INET, &a4, text, sizeof text);
        snprintf(ret, 64, "%s:%u", text, e->port);
    } else {
        inet_ntop(AF_INET6, &e->address, text, sizeof text);
        snprintf(ret, 64, "[%s]:%u", text, e->port);
    }
    return ret;
}
