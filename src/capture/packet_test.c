#include "capture/packet.h"

#include "base/buf.h"
#include "unit/unit.h"

#include <stdlib.h>

/* An IPv4 packet with TCP: 127.0.0.1:1000 → 127.0.0.1:25, "hi". */
#define TCP_HI "\x03\xe8\x00\x19\x00\x00\x00\x07\x00\x00\x00\x09\x50\x18\x01\x00\x00\x00\x00\x00hi"
#define IP4 "\x45\x00\x00\x2a\x00\x00\x40\x00\x40\x06\x00\x00\x7f\x00\x00\x01\x7f\x00\x00\x01"
#define IP6(next, length)                                                                          \
    "\x60\x00\x00\x00\x00" length next "\x40"                                                      \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
#define MAC "\0\0\0\0\0\0\0\0\0\0\0\0"

static const struct {
    const char *name;
    int link;
    struct span frame;
    enum packet_kind want;
    unsigned missing;
} cases[] = {
    {"ethernet",        LINK_ETHERNET, SPAN(MAC "\x08\x00" IP4 TCP_HI),                                 PACKET_TCP,             0},
    {"padding",         LINK_ETHERNET, SPAN(MAC "\x08\x00" IP4 TCP_HI "padding"),                       PACKET_TCP,             0},
    {"vlan",            LINK_ETHERNET, SPAN(MAC "\x81\x00\x00\x01\x08\x00" IP4 TCP_HI),                 PACKET_TCP,             0},
    {"two vlans",       LINK_ETHERNET, SPAN(MAC "\x88\xa8\x00\x01\x81\x00\x00\x02\x08\x00" IP4 TCP_HI),
     PACKET_TCP,                                                                                                                0},
    {"arp",             LINK_ETHERNET, SPAN(MAC "\x08\x06" IP4 TCP_HI),                                 PACKET_OTHER,           0},
    {"short ethernet",  LINK_ETHERNET, SPAN(MAC "\x08"),                                                PACKET_BROKEN,          0},
    {"cooked",          LINK_SLL,      SPAN("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x08\x00" IP4 TCP_HI),         PACKET_TCP,             0},
    {"cooked 2",        LINK_SLL2,     SPAN("\x08\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" IP4 TCP_HI),
     PACKET_TCP,                                                                                                                0},
    {"null",            LINK_NULL,     SPAN("\x02\0\0\0" IP4 TCP_HI),                                   PACKET_TCP,             0},
    {"raw",             LINK_RAW,      SPAN(IP4 TCP_HI),                                                PACKET_TCP,             0},
    {"raw ipv6",        LINK_RAW,      SPAN(IP6("\x06",                                                 "\x16") TCP_HI),        PACKET_TCP,0},
    {"hop by hop",                 LINK_RAW,                   SPAN(IP6("\x00",                                                          "\x1e") "\x06\0\0\0\0\0\0\0" TCP_HI),                                               PACKET_TCP,0},
    {"ipv6 fragment",                LINK_RAW,                             SPAN(IP6("\x2c",                                                                              "\x1e") "\x06\0\0\1\0\0\0\0" TCP_HI),
     PACKET_FRAGMENT,                                                                                 0},
    {"ipv6 udp",   LINK_RAW,               SPAN(IP6("\x11",                                                                              "\x16") TCP_HI),                                                                                           PACKET_OTHER,0},
    {"snapped",  LINK_RAW,   {IP4 TCP_HI, 41},PACKET_TCP,1},
    {"half a header", LINK_RAW,  {IP4 TCP_HI, 39},                                                                             PACKET_BROKEN,                                                                                                                                                                                    0                                                                                         },
    {"half ip", LINK_RAW,{IP4, 19},PACKET_BROKEN,0},
    {"nothing",        LINK_RAW,         {"", 0},                                                                                      PACKET_BROKEN,                                                                                                                                                                                                                                                                                        0                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            },
    {"unknown link",          7777,  SPAN(IP4 TCP_HI),PACKET_OTHER,0},
    {"ipv4 fragment", LINK_RAW,
     SPAN(
         "\x45\x00\x00\x2a\x00\x00\x20\x00\x40\x06\x00\x00\x7f\x00\x00\x01\x7f\x00\x00\x01" TCP_HI),
     PACKET_FRAGMENT,                                                                                                                                                                                                                                                                                                                                                                                                  0                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   },
};

TEST(frames)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct packet p;
        unit_case(cases[i].name);
        EXPECT_INT(packet_parse(cases[i].link, cases[i].frame, &p), cases[i].want);
        if (cases[i].want != PACKET_TCP)
            continue;
        EXPECT_INT(p.from.port, 1000);
        EXPECT_INT(p.to.port, 25);
        EXPECT_INT(p.seq, 7);
        EXPECT_INT(p.ack, 9);
        EXPECT_INT(p.missing, cases[i].missing);
        EXPECT_SPAN(p.payload, span_head(SPAN("hi"), 2 - cases[i].missing));
        EXPECT(memcmp(cases[i].frame.p + p.payload_at, "hi", 2 - cases[i].missing) == 0);
    }
    unit_case(NULL);
}

TEST(names)
{
    struct packet p;
    char text[64];

    REQUIRE(packet_parse(LINK_RAW, SPAN(IP4 TCP_HI), &p) == PACKET_TCP);
    EXPECT_STR(packet_end_print(&p.to, text), "127.0.0.1:25");
    EXPECT(!packet_end_eq(&p.to, &p.from));
    REQUIRE(packet_parse(LINK_RAW, SPAN(IP6("\x06", "\x16") TCP_HI), &p) == PACKET_TCP);
    EXPECT_STR(packet_end_print(&p.from, text), "[::1]:1000");
}

/* Every frame cut at every place is judged without a look beyond its end (the sanitizer watches). */
TEST(cuts)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t n = 0; n <= cases[i].frame.n; n++) {
            char *copy = span_dup(span_head(cases[i].frame, n));
            struct packet p;
            if (packet_parse(cases[i].link, span_of(copy, n), &p) == PACKET_TCP)
                EXPECT(p.payload.n <= n);
            free(copy);
        }
}
