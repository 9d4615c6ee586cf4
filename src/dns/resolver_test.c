/* The resolver against a DNS server of the test's own on loopback. */
#include "dns/resolver.h"
#include "unit/unit.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Names are written as in a zone; data: \nnn escapes none, hex of RDATA, with names spelt in wire
 * form. */
static const struct record {
    const char *name;
    uint16_t type;
    uint8_t rcode;
    const char *data; /* RDATA; NULL: no record, only the rcode */
    size_t bytes;
} zone[] = {
#define DATA(literal) literal, sizeof(literal) - 1
    {"two.test",      15,  0,                DATA("\0\x14\5later\4test\0")                 },
    {"two.test",      15,  0,                DATA("\0\x0a\5FIRST\4Test\0")                 },
    {"two.test",      15,  0,                DATA("\0\x0a\5other\4test\0")                 },
    {"null.test",     15,  0,                DATA("\0\0\0")                                },
    {"evil.test",     15,  0,                DATA("\0\1\7a b\r\n;x\4test\0")               },
    {"evil.test",     15,  0,                DATA("\0\2\4good\4test\0")                    },
    {"evil.test",     15,  0,                DATA("\0\3\5a.b.c\4test\0")                   },
    {"onlyevil.test", 15,  0,                DATA("\0\1\1!\4test\0")                       },
    {"host.test",     1,   0,                DATA("\xc0\0\2\1")                            },
    {"host.test",     1,   0,                DATA("\xc0\0\2\2")                            },
    {"host.test",     28,  0,                DATA("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1")},
    {"v4.test",       1,   0,                DATA("\xc0\0\2\3")                            },
    {"empty.test",    16,  0,                DATA("\1x")                                   },
    {"fail.test",     15,  2,                NULL,                                           0},
    {"_25._tcp.mx.test",               52, 0,
                                                      DATA("\3\1\1"
          "0123456789abcdef0123456789abcdef")                                             },
    {"_25._tcp.mx.test",               52, 0, DATA("\3\1\1")},
#undef DATA
};

struct server {
    int fd;
    struct watch *watch;
    bool mute;
};

static size_t put_u16(unsigned char *p, unsigned v)
{
    p[0] = (unsigned char)(v >> 8);
    p[1] = (unsigned char)v;
    return 2;
}

/* One question in, the records of its name and type out. */
static void on_question(void *arg, int events)
{
    struct server *s = arg;
    unsigned char q[512], a[2048];
    char name[256];
    struct sockaddr_in from;
    socklen_t from_bytes = sizeof(from);
    ssize_t got = recvfrom(s->fd, q, sizeof(q), 0, (struct sockaddr *)&from, &from_bytes);
    size_t at = 12, n = 0, answers = 0;
    bool known = false;
    unsigned rcode = 0;

    if (s->mute)
        return;

    (void)events;
    if (got < 17)
        return;
    while (at < (size_t)got && q[at]) {
        n += (size_t)snprintf(name + n, sizeof(name) - n, "%s%.*s", n ? "." : "", q[at],
                              (const char *)q + at + 1);
        at += 1 + (size_t)q[at];
    }
    name[n] = 0;
    for (char *p = name; *p; p++)
        *p = ascii_lower(*p);
    unsigned type = (unsigned)(q[at + 1] << 8 | q[at + 2]);
    size_t question = at + 5;
    memcpy(a, q, question);
    size_t out = question;
    for (size_t i = 0; i < sizeof(zone) / sizeof(zone[0]); i++) {
        const struct record *r = &zone[i];
        if (strcmp(r->name, name) != 0)
            continue;
        known = true;
        if (r->rcode)
            rcode = r->rcode;
        if (r->type != type || !r->data)
            continue;
        out += put_u16(a + out, 0xc00c);
        out += put_u16(a + out, type);
        out += put_u16(a + out, 1);
        out += put_u16(a + out, 0);
        out += put_u16(a + out, 60);
        out += put_u16(a + out, (unsigned)r->bytes);
        memcpy(a + out, r->data, r->bytes);
        out += r->bytes;
        answers++;
    }
    a[2] = 0x84; /* an answer, with authority */
    a[3] = (unsigned char)(0x80 | (known ? rcode : 3));
    put_u16(a + 4, 1);
    put_u16(a + 6, (unsigned)answers);
    put_u16(a + 8, 0);
    put_u16(a + 10, 0);
    sendto(s->fd, a, out, 0, (struct sockaddr *)&from, from_bytes);
}

static struct {
    struct loop *loop;
    struct resolver *r;
    struct server *server;
} rig;

static void mx_of_two(void)
{
    struct dns_mx_answer a;
    REQUIRE(dns_mx(rig.r, "two.test", &a) == DNS_FOUND);
    REQUIRE(a.count == 3);
    EXPECT_INT(a.mx[0].preference, 10);
    EXPECT_INT(a.mx[1].preference, 10);
    EXPECT_INT(a.mx[2].preference, 20);
    EXPECT_STR(a.mx[2].host, "later.test");
    bool swapped = strcmp(a.mx[0].host, "first.test") != 0;
    EXPECT_STR(a.mx[swapped].host, "first.test");
    EXPECT_STR(a.mx[!swapped].host, "other.test");
    EXPECT(!a.secure && !a.null_mx);
}

static void odd_mx(void)
{
    struct dns_mx_answer a = {0};
    EXPECT_INT(dns_mx(rig.r, "null.test", &a), DNS_FOUND);
    EXPECT(a.null_mx && a.count == 0);
    /* names that are none never come through */
    EXPECT_INT(dns_mx(rig.r, "evil.test", &a), DNS_FOUND);
    EXPECT_INT(a.count, 1);
    EXPECT_STR(a.mx[0].host, "good.test");
    EXPECT_INT(dns_mx(rig.r, "onlyevil.test", &a), DNS_FOUND); /* its address is no way round */
    EXPECT(a.count == 0 && !a.null_mx);
    EXPECT_INT(dns_mx(rig.r, "none.test", &a), DNS_NO_NAME);
    EXPECT_INT(dns_mx(rig.r, "empty.test", &a), DNS_NO_DATA);
    EXPECT_INT(dns_mx(rig.r, "fail.test", &a), DNS_TEMPORARY);
    EXPECT_INT(dns_mx(rig.r, "not a name..", &a), DNS_NO_NAME);
}

static void addresses(void)
{
    struct dns_addresses a = {0};
    EXPECT_INT(dns_addresses(rig.r, "host.test", &a), DNS_FOUND);
    EXPECT_INT(a.count, 3);
    EXPECT_INT(a.a[0].ss_family, AF_INET6);
    EXPECT_INT(a.a[1].ss_family, AF_INET);
    EXPECT_INT(dns_addresses(rig.r, "v4.test", &a), DNS_FOUND);
    EXPECT_INT(a.count, 1);
    EXPECT_INT(ntohl(((struct sockaddr_in *)(void *)&a.a[0])->sin_addr.s_addr), 0xc0000203);
    EXPECT_INT(dns_addresses(rig.r, "none.test", &a), DNS_NO_NAME);
    EXPECT_INT(dns_addresses(rig.r, "empty.test", &a), DNS_NO_DATA);
}

static void tlsa(void)
{
    struct dns_tlsa_answer a = {0};
    EXPECT_INT(dns_tlsa(rig.r, "_25._tcp.mx.test", &a), DNS_FOUND);
    EXPECT_INT(a.count, 1); /* the one without data is left out */
    EXPECT_INT(a.v[0].usage, 3);
    EXPECT_INT(a.v[0].bytes, 32);
    EXPECT(!a.secure);
    EXPECT(a.ttl_s >= 58 && a.ttl_s <= 60);
    EXPECT_INT(dns_tlsa(rig.r, "_25._tcp.none.test", &a), DNS_NO_NAME);
}

static void impatient(void)
{
    struct dns_tlsa_answer a = {0};

    resolver_patience(rig.r, 50);
    rig.server->mute = true;
    EXPECT_INT(dns_tlsa(rig.r, "_25._tcp.silent.test", &a), DNS_TEMPORARY);
    rig.server->mute = false;
    resolver_patience(rig.r, 0);
    EXPECT_INT(dns_tlsa(rig.r, "_25._tcp.mx.test", &a), DNS_FOUND);
}

static void play(void *arg)
{
    (void)arg;
    mx_of_two();
    odd_mx();
    addresses();
    tlsa();
    impatient();
    loop_stop(rig.loop);
}

TEST(questions)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(a);
    struct server s = {.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    char address[40];
    const char *servers[] = {address};
    struct err e = {""};

    CHECK(bind(s.fd, (struct sockaddr *)&a, n) == 0);
    CHECK(getsockname(s.fd, (struct sockaddr *)&a, &n) == 0);
    snprintf(address, sizeof(address), "127.0.0.1@%u", ntohs(a.sin_port));
    rig.loop = loop_new();
    rig.server = &s;
    s.watch = watch_new(rig.loop, s.fd, on_question, &s);
    watch_set(s.watch, WATCH_READ);
    rig.r = resolver_new(rig.loop, servers, 1, "", &e);
    REQUIRE(rig.r);
    fiber_start(rig.loop, play, NULL, "play");
    loop_run(rig.loop);
    resolver_free(rig.r);
    watch_free(s.watch);
    loop_free(rig.loop);
    close(s.fd);
}

TEST(wrong_settings)
{
    struct err e = {""};
    struct loop *l = loop_new();
    const char *servers[] = {"not an address"};
    EXPECT(!resolver_new(l, servers, 1, "", &e));
    EXPECT(e.text[0]);
    EXPECT(!resolver_new(l, NULL, 0, "/no/such/file", &e));
    EXPECT(strstr(e.text, "/no/such/file") != NULL);
    struct resolver *r = resolver_new(l, NULL, 0, "", &e);
    REQUIRE(r);
    EXPECT_INT(resolver_add_anchor(r, SPAN("; nothing\n\n"), &e), -EINVAL);
    EXPECT_INT(resolver_add_anchor(r, SPAN("what is this\n"), &e), -EINVAL);
    EXPECT_INT(resolver_add_anchor(r,
                                   SPAN("; a comment\n. IN DS 20326 8 2 "
                                        "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7"
                                        "F8EC8D ; and another\n"),
                                   &e),
               0);
    resolver_free(r);
    loop_free(l);
}
