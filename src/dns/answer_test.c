#include "dns/answer.h"

#include "base/check.h"
#include "base/span.h"
#include "unit/unit.h"
#include <netinet/in.h>
#include <openssl/sha.h>
#include <stdio.h>

#define WIRE(s) ((const unsigned char *)(s)), sizeof(s) - 1

TEST(names)
{
    static const struct {
        const char *wire;
        size_t n;
        const char *want; /* NULL: none */
    } cases[] = {
        {"\2mx\3One\4TEST\0",         13, "mx.one.test"},
        {"\0",                        1,  ""           },
        {"\4_25x\0",                  6,  "_25x"       },
        {"\2mx\3One\4TEST",           12, NULL         }, /* no end */
        {"\2m",                       2,  NULL         },
        {"",                          0,  NULL         },
        {"\3a.b\0",                   5,  NULL         }, /* a dot within a label */
        {"\3a\0b\0",                  5,  NULL         },
        {"\3a b\0",                   5,  NULL         },
        {"\3a\nb\0",                  5,  NULL         },
        {"\3\xc3\xa4z\0",             5,  NULL         },
        {"\xc0\x0c",                  2,  NULL         }, /* a pointer */
        {"\1a\0trailing is not read", 24, "a"          },
    };
    char name[DNS_NAME_MAX + 1];
    unsigned char longest[260] = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(name, sizeof(name), "untouched");
        unit_case(cases[i].want ? cases[i].want : "none");
        EXPECT_INT(answer_name((const unsigned char *)cases[i].wire, cases[i].n, name),
                   cases[i].want != NULL);
        EXPECT_STR(name, cases[i].want ? cases[i].want : "untouched");
    }
    unit_case(NULL);
    for (size_t at = 0; at + 64 <= 256; at += 64) {
        longest[at] = 63;
        memset(longest + at + 1, 'x', 63);
    }
    EXPECT(!answer_name(longest, sizeof(longest), name)); /* 255 characters and three dots */
    longest[192] = 61;
    longest[192 + 62] = 0;
    EXPECT(answer_name(longest, sizeof(longest), name));
    EXPECT_INT(strlen(name), 63 * 3 + 61 + 3);
}

TEST(mx_by_preference)
{
    char *const data[] = {(char[]){"\0\24\1b\0"}, (char[]){"\0\12\1a\0"}, (char[]){"\0\24\1c\0"},
                          (char[]){"\0\1\2?!\0"}, (char[]){"\0"},         NULL};
    const int len[] = {5, 5, 5, 6, 1};
    struct dns_records r = {data, len};
    bool b_first = false, c_first = false;

    for (int i = 0; i < 200; i++) {
        struct dns_mx_answer a = {0};
        answer_mx(r, &a);
        REQUIRE(a.count == 3);
        EXPECT(!a.null_mx);
        EXPECT_STR(a.mx[0].host, "a");
        EXPECT(a.mx[1].preference == 20 && a.mx[2].preference == 20);
        b_first = b_first || a.mx[1].host[0] == 'b';
        c_first = c_first || a.mx[1].host[0] == 'c';
    }
    EXPECT(b_first && c_first);
}

TEST(null_mx)
{
    char *const data[] = {(char[]){"\0\0\0"}, NULL};
    const int len[] = {3};
    struct dns_mx_answer a = {0};

    answer_mx((struct dns_records){data, len}, &a);
    EXPECT(a.null_mx && a.count == 0);
}

/* The best ones stay, wherever in the answer they are. */
TEST(too_many_mx)
{
    enum { N = 100 };
    static char rows[N][6];
    char *data[N + 1] = {NULL};
    int len[N];
    struct dns_mx_answer a = {0};

    for (int i = 0; i < N; i++) {
        rows[i][1] = (char)(N - i);
        rows[i][2] = 1;
        rows[i][3] = (char)('a' + i % 26);
        data[i] = rows[i];
        len[i] = 5;
    }
    answer_mx((struct dns_records){data, len}, &a);
    REQUIRE(a.count == DNS_MX_MAX);
    for (size_t i = 0; i < a.count; i++)
        EXPECT_INT(a.mx[i].preference, i + 1);
}

TEST(addresses)
{
    char *const data[] = {(char[]){"\177\0\0\1"}, (char[]){"123"}, (char[]){"0123456789abcdef"},
                          NULL};
    const int len[] = {4, 3, 16};
    struct dns_addresses a = {0};

    answer_addresses((struct dns_records){data, len}, AF_INET6, &a);
    answer_addresses((struct dns_records){data, len}, AF_INET, &a);
    REQUIRE(a.count == 2);
    EXPECT(a.a[0].ss_family == AF_INET6 && a.a[1].ss_family == AF_INET);
    EXPECT_INT(ntohl(((struct sockaddr_in *)(void *)&a.a[1])->sin_addr.s_addr), 0x7f000001);
    for (int i = 0; i < DNS_ADDRESSES_MAX; i++)
        answer_addresses((struct dns_records){data, len}, AF_INET, &a);
    EXPECT_INT(a.count, DNS_ADDRESSES_MAX);
}

TEST(tlsa)
{
    static char large[80];
    char *const data[] = {(char[]){"\3\1\1hash"}, (char[]){"\3\1\1"}, large, NULL};
    const int len[] = {7, 3, 68};
    struct dns_tlsa_answer a = {0};

    answer_tlsa((struct dns_records){data, len}, &a);
    REQUIRE(a.count == 2);
    EXPECT(a.v[0].usage == 3 && a.v[0].selector == 1 && a.v[0].matching == 1 && a.v[0].bytes == 4);
    EXPECT_INT(a.v[0].whole, 0);
    EXPECT_INT(a.v[1].whole, 65);
}

/* Matching type 0: a whole certificate, as far as there are such; a digest is never so long. */
TEST(tlsa_of_whole_certificates)
{
    static const struct {
        const char *name;
        unsigned char matching;
        int n;
        size_t count, bytes, whole;
    } rows[] = {
        {"as much as a digest", 0, 64,    1, 64, 0    },
        {"a short key",         0, 65,    1, 64, 65   },
        {"a certificate",       0, 900,   1, 64, 900  },
        {"the largest",         0, 16384, 1, 64, 16384},
        {"too large",           0, 16385, 0, 0,  0    },
        {"no SHA-256",          1, 65,    0, 0,  0    },
        {"no SHA-512",          2, 900,   0, 0,  0    },
    };
    static char record[3 + 16385];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *const data[] = {record, NULL};
        const int len[] = {rows[i].n + 3};
        struct dns_tlsa_answer a = {0};
        unsigned char digest[SHA512_DIGEST_LENGTH];
        unit_case(rows[i].name);
        memset(record, 'x', sizeof record);
        record[0] = 3;
        record[1] = 0;
        record[2] = (char)rows[i].matching;
        answer_tlsa((struct dns_records){data, len}, &a);
        EXPECT_INT(a.count, rows[i].count);
        EXPECT_INT(a.v[0].bytes, rows[i].bytes);
        EXPECT_INT(a.v[0].whole, rows[i].whole);
        SHA512((const unsigned char *)record + 3, (size_t)rows[i].n, digest);
        if (rows[i].whole > 0)
            EXPECT(memcmp(a.v[0].data, digest, sizeof digest) == 0);
    }
    unit_case(NULL);
}

TEST(txt)
{
    static char longest[1100];
    char *const data[] = {(char[]){"\3abc\2de"}, (char[]){"\3ab"}, (char[]){"\0"},
                          (char[]){"\2a\0"},     longest,          NULL};
    const int len[] = {7, 3, 1, 3, sizeof(longest)};
    struct dns_txt_answer a = {.count = 0};

    memset(longest, 255, sizeof(longest));
    answer_txt((struct dns_records){data, len}, &a);
    REQUIRE(a.count == 2); /* cut off, with a NUL, too long: left out */
    EXPECT_STR(a.v[0], "abcde");
    EXPECT_STR(a.v[1], "");
}
