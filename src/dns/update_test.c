#include "base/base64.h"
#include "base/check.h"
#include "dns/update.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/hmac.h>

static const struct dns_key key = {
    "acme-key.", DNS_HMAC_SHA256, {"0123456789abcdef0123456789abcdef", 32}
};
static const struct dns_key none = {
    "", DNS_HMAC_SHA256, {NULL, 0}
};
static const struct dns_update add = {.zone = "example.test",
                                      .name = "_acme-challenge.WWW.example.test",
                                      .text = "value",
                                      .add = true,
                                      .ttl = 60};
enum { NOW = 1795498140, ID = 0x1234 };

static void put16(struct buf *b, unsigned v)
{
    buf_putc(b, (char)(v >> 8));
    buf_putc(b, (char)v);
}

/* Without a key the message is all header, zone and record. */
TEST(plain_message)
{
    static const char want[] = "123428000001000000010000076578616d706c650474657374000006"
                               "00010f5f61636d652d6368616c6c656e67650377777707657861"
                               "6d706c6504746573740000100001"
                               "0000003c00060576616c7565";
    struct buf out BUF_AUTO = BUF(DNS_UPDATE_MAX), hex BUF_AUTO = BUF(4096);
    struct dns_mac mac;
    struct err e = {""};

    REQUIRE(dns_update_build(&add, &none, ID, NOW, &out, &mac, &e) == 0);
    hex_encode(&hex, buf_span(&out));
    EXPECT_STR(buf_cstr(&hex), want);
    EXPECT_INT(mac.n, 0);
}

TEST(removing_names_exactly_that_record)
{
    struct dns_update u = add;
    struct buf out BUF_AUTO = BUF(DNS_UPDATE_MAX);
    struct dns_mac mac;
    struct err e = {""};

    u.add = false;
    REQUIRE(dns_update_build(&u, &none, ID, NOW, &out, &mac, &e) == 0);
    /* class NONE, TTL 0 */
    EXPECT(span_find_span(buf_span(&out), SPAN("\0\x10\0\xfe\0\0\0\0\0\6\5value")) != SPAN_NONE);
}

TEST(tlsa_record)
{
    static const char want[] = "123428000001000000010000076578616d706c650474657374000006"
                               "0001035f3235045f746370026d78076578616d706c65047465737400"
                               "00340001000000050006030101abcdef";
    struct dns_tlsa t = {
        .usage = 3, .selector = 1, .matching = 1, .data = {0xab, 0xcd, 0xef},
                   .bytes = 3
    };
    struct dns_update u = {.zone = "example.test",
                           .name = "_25._tcp.mx.example.test",
                           .tlsa = &t,
                           .add = true,
                           .ttl = 5};
    struct buf out BUF_AUTO = BUF(DNS_UPDATE_MAX), hex BUF_AUTO = BUF(4096);
    struct dns_mac mac;
    struct err e = {""};

    REQUIRE(dns_update_build(&u, &none, ID, NOW, &out, &mac, &e) == 0);
    hex_encode(&hex, buf_span(&out));
    EXPECT_STR(buf_cstr(&hex), want);
    buf_clear(&out);
    u.add = false;
    REQUIRE(dns_update_build(&u, &none, ID, NOW, &out, &mac, &e) == 0);
    EXPECT(span_find_span(buf_span(&out), SPAN("\0\x34\0\xfe\0\0\0\0\0\6\3\1\1\xab\xcd\xef")) !=
           SPAN_NONE);
}

TEST(too_long)
{
    struct dns_tlsa t = {.bytes = sizeof(t.data) + 1};
    char text[DNS_UPDATE_TEXT_MAX + 2];
    struct dns_update u = add;
    struct buf out BUF_AUTO = BUF(DNS_UPDATE_MAX);
    struct dns_mac mac;
    struct err e = {""};

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    u.text = text;
    EXPECT_INT(dns_update_build(&u, &none, ID, NOW, &out, &mac, &e), -EINVAL);
    u.text = NULL;
    u.tlsa = &t;
    EXPECT_INT(dns_update_build(&u, &none, ID, NOW, &out, &mac, &e), -EINVAL);
}

TEST(bad_names)
{
    static const char *const rows[] = {
        "", "a..b", ".", "0123456789012345678901234567890123456789012345678901234567890123.x"};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dns_update u = add;
        struct buf out BUF_AUTO = BUF(DNS_UPDATE_MAX);
        struct dns_mac mac;
        struct err e = {""};

        unit_case(rows[i]);
        u.name = rows[i];
        EXPECT_INT(dns_update_build(&u, &key, ID, NOW, &out, &mac, &e), -EINVAL);
    }
    unit_case(NULL);
}

/* An answer as a server makes it: header, zone, TSIG over the request's MAC. */
static void answer(struct buf *out, const struct dns_key *k, unsigned rcode,
                   const struct dns_mac *request, int64_t time, unsigned error)
{
    struct buf text BUF_AUTO = BUF(4096);
    unsigned char mac[64];
    unsigned n = 0;
    size_t before;

    put16(out, ID);
    put16(out, 0xa800 | rcode);
    put16(out, 1);
    put16(out, 0);
    put16(out, 0);
    put16(out, 0);
    buf_put(out, "\7example\4test\0\0\6\0\1", 18);
    before = out->n;
    put16(&text, (unsigned)request->n);
    buf_put(&text, request->bytes, request->n);
    buf_put(&text, out->p, before);
    buf_put(&text, "\10acme-key\0\0\xff\0\0\0\0\13hmac-sha256\0", 29);
    put16(&text, (unsigned)(time >> 32));
    put16(&text, (unsigned)(time >> 16) & 0xffff);
    put16(&text, (unsigned)time & 0xffff);
    put16(&text, 300);
    put16(&text, error);
    put16(&text, 0);
    HMAC(EVP_sha256(), k->secret.p, (int)k->secret.n, (unsigned char *)text.p, text.n, mac, &n);
    out->p[11] = 1;
    buf_put(out, "\10acme-key\0\0\xfa\0\xff\0\0\0\0", 18);
    put16(out, 13 + 10 + n + 6);
    buf_put(out, "\13hmac-sha256\0", 13);
    put16(out, (unsigned)(time >> 32));
    put16(out, (unsigned)(time >> 16) & 0xffff);
    put16(out, (unsigned)time & 0xffff);
    put16(out, 300);
    put16(out, n);
    buf_put(out, mac, n);
    put16(out, ID);
    put16(out, error);
    put16(out, 0);
}

TEST(answers)
{
    static const struct {
        const char *name;
        unsigned rcode;
        int64_t time;
        int rc;
    } rows[] = {
        {"done",              0, NOW + 5,   0            },
        {"refused",           5, NOW,       -EREMOTEIO   },
        {"not authoritative", 9, NOW,       -EREMOTEIO   },
        {"too old",           0, NOW - 301, -EKEYREJECTED},
        {"from the future",   0, NOW + 301, -EKEYREJECTED},
    };
    struct buf q BUF_AUTO = BUF(DNS_UPDATE_MAX);
    struct dns_mac mac;
    struct err e = {""};

    REQUIRE(dns_update_build(&add, &key, ID, NOW, &q, &mac, &e) == 0);
    EXPECT_INT(mac.n, 32);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf a BUF_AUTO = BUF(4096);

        unit_case(rows[i].name);
        answer(&a, &key, rows[i].rcode, &mac, rows[i].time, 0);
        EXPECT_INT(dns_update_read(buf_span(&a), &key, ID, &mac, NOW, &e), rows[i].rc);
        EXPECT_INT(dns_update_read(buf_span(&a), &key, ID + 1, &mac, NOW, &e), -EAGAIN);
    }
    unit_case(NULL);
}

/* No byte of a signed answer may differ, and nothing may be cut off. */
TEST(every_byte_counts)
{
    struct buf q BUF_AUTO = BUF(DNS_UPDATE_MAX), a BUF_AUTO = BUF(4096);
    struct dns_mac mac;
    struct err e = {""};

    REQUIRE(dns_update_build(&add, &key, ID, NOW, &q, &mac, &e) == 0);
    answer(&a, &key, 0, &mac, NOW, 0);
    REQUIRE(dns_update_read(buf_span(&a), &key, ID, &mac, NOW, &e) == 0);
    for (size_t i = 0; i < a.n; i++) {
        EXPECT(dns_update_read(span_head(buf_span(&a), i), &key, ID, &mac, NOW, &e) < 0);
        for (int bit = 0; bit < 8; bit++) {
            int rc;
            a.p[i] ^= (char)(1 << bit);
            rc = dns_update_read(buf_span(&a), &key, ID, &mac, NOW, &e);
            /* names are equal without case, and class and TTL of TSIG are not looked at: the MAC covers what we know they are */
            if (rc == 0 && !((bit == 5 && ascii_is_alpha(a.p[i])) || (i >= 42 && i < 48)))
                unit_fail(__FILE__, __LINE__, "byte %zu bit %d", i, bit);
            a.p[i] ^= (char)(1 << bit);
        }
    }
    mac.bytes[3] ^= 1;
    EXPECT_INT(dns_update_read(buf_span(&a), &key, ID, &mac, NOW, &e), -EKEYREJECTED);
}

TEST(not_signed)
{
    struct buf a BUF_AUTO = BUF(4096);
    struct dns_mac mac = {.n = 32};
    struct err e = {""};

    buf_put(&a, "\x12\x34\xa8\0\0\0\0\0\0\0\0\0", 12);
    EXPECT_INT(dns_update_read(buf_span(&a), &none, ID, &mac, NOW, &e), 0);
    EXPECT_INT(dns_update_read(buf_span(&a), &key, ID, &mac, NOW, &e), -EKEYREJECTED);
    a.p[3] = 5;
    EXPECT_INT(dns_update_read(buf_span(&a), &none, ID, &mac, NOW, &e), -EREMOTEIO);
}

TEST(servers)
{
    static const struct {
        const char *text;
        bool ok;
        int family;
        unsigned port;
    } rows[] = {
        {"127.0.0.1",       true,  AF_INET,  53  },
        {"127.0.0.1@5353",  true,  AF_INET,  5353},
        {"::1@53",          true,  AF_INET6, 53  },
        {"ns.example",      false, 0,        0   },
        {"127.0.0.1@x",     false, 0,        0   },
        {"127.0.0.1@70000", false, 0,        0   },
        {"",                false, 0,        0   },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sockaddr_storage a;
        bool ok = dns_server_parse(rows[i].text, &a);

        unit_case(rows[i].text);
        EXPECT(ok == rows[i].ok);
        if (ok) {
            EXPECT_INT(a.ss_family, rows[i].family);
            EXPECT_INT(ntohs(((struct sockaddr_in *)(void *)&a)->sin_port), rows[i].port);
        }
    }
    unit_case(NULL);
}
