#include "tls/tap_frame.h"

#include "base/check.h"

#include <netinet/in.h>
#include <string.h>
#include <time.h>

bool tap_end_of(const struct sockaddr_storage *a, struct tap_end *ret)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)(const void *)a;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)(const void *)a;

    *ret = (struct tap_end){.port = 0};
    if (a->ss_family == AF_INET6) {
        memcpy(ret->address, &a6->sin6_addr, 16);
        ret->port = a6->sin6_port;
    } else if (a->ss_family == AF_INET) {
        ret->address[10] = ret->address[11] = 0xff;
        memcpy(ret->address + 12, &a4->sin_addr, 4);
        ret->port = a4->sin_port;
    }
    return a->ss_family == AF_INET6 || a->ss_family == AF_INET;
}

void tap_frame_head(const struct tap_end *from, const struct tap_end *to, uint32_t seq,
                    unsigned flags, size_t payload_bytes, unsigned char ret[TAP_FRAME_HEAD])
{
    unsigned n = 20 + (unsigned)payload_bytes;
    unsigned char *ip = ret + 8, *tcp = ip + 40;
    struct timespec now;
    uint64_t us;

    CHECK(payload_bytes <= TAP_FRAME_PAYLOAD_MAX);
    clock_gettime(CLOCK_REALTIME, &now);
    us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    memset(ret, 0, TAP_FRAME_HEAD);
    for (unsigned i = 0; i < 8; i++)
        ret[i] = (unsigned char)(us >> (8 * i));
    ip[0] = 0x60;
    ip[4] = (unsigned char)(n >> 8);
    ip[5] = (unsigned char)n;
    ip[6] = IPPROTO_TCP;
    ip[7] = 64;
    memcpy(ip + 8, from->address, 16);
    memcpy(ip + 24, to->address, 16);
    memcpy(tcp, &from->port, 2);
    memcpy(tcp + 2, &to->port, 2);
    for (unsigned i = 0; i < 4; i++)
        tcp[4 + i] = (unsigned char)(seq >> (24 - 8 * i));
    tcp[12] = 0x50;
    tcp[13] = (unsigned char)flags;
}
