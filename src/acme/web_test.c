#include "acme/web.h"
#include "base/check.h"
#include "unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* clang-format off */

TEST(urls)
{
    static const struct {
        const char *text;
        bool ok, tls;
        const char *host;
        unsigned port;
        const char *target;
    } rows[] = {
        {"https://ca.example/dir", true, true, "ca.example", 443, "/dir"},
        {"https://ca.example", true, true, "ca.example", 443, "/"},
        {"https://ca.example:14000/d?x=1&y", true, true, "ca.example", 14000, "/d?x=1&y"},
        {"http://[2001:db8::1]:8080/x", true, false, "2001:db8::1", 8080, "/x"},
        {"HTTPS://ca.example/dir", true, true, "ca.example", 443, "/dir"},
        {"https://user@ca.example/", false, false, "", 0, ""},
        {"https://ca.example:0/", false, false, "", 0, ""},
        {"https://ca.example:99999/", false, false, "", 0, ""},
        {"https://ca.example/a b", false, false, "", 0, ""},
        {"https://ca.example/a\r\nHost: x", false, false, "", 0, ""},
        {"https://ca.example/\"", false, false, "", 0, ""},
        {"ftp://ca.example/", false, false, "", 0, ""},
        {"//ca.example/", false, false, "", 0, ""},
        {"/dir", false, false, "", 0, ""},
        {"https:///dir", false, false, "", 0, ""},
        {"", false, false, "", 0, ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct web_url u;
        bool ok = web_url_parse(span_cstr(rows[i].text), &u);

        unit_case(rows[i].text);
        EXPECT(ok == rows[i].ok);
        if (ok && rows[i].ok) {
            EXPECT(u.tls == rows[i].tls);
            EXPECT_STR(u.host, rows[i].host);
            EXPECT_INT(u.port, rows[i].port);
            EXPECT_STR(u.target, rows[i].target);
        }
    }
    unit_case(NULL);
}

TEST(private_addresses)
{
    static const struct {
        const char *text;
        bool private;
    } rows[] = {
        {"127.0.0.1", true}, {"127.255.0.9", true}, {"10.1.2.3", true}, {"172.16.0.1", true}, {"172.31.255.255", true}, {"172.32.0.1", false},
        {"192.168.1.1", true}, {"169.254.169.254", true}, {"100.64.0.1", true}, {"100.128.0.1", false}, {"0.0.0.0", true}, {"224.0.0.1", true},
        {"255.255.255.255", true}, {"192.0.2.1", true}, {"198.18.0.1", true}, {"8.8.8.8", false}, {"172.65.32.248", false},
        {"::1", true}, {"::", true}, {"fe80::1", true}, {"fc00::1", true}, {"fd12::1", true}, {"ff02::1", true}, {"2001:db8::1", true},
        {"::ffff:10.0.0.1", true}, {"::ffff:8.8.8.8", false}, {"64:ff9b::a00:1", true}, {"64:ff9b::808:808", false}, {"2002:7f00:1::1", true},
        {"2001::1", true}, {"2606:4700::1", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sockaddr_storage a = {.ss_family = AF_INET};

        unit_case(rows[i].text);
        if (inet_pton(AF_INET, rows[i].text, &((struct sockaddr_in *)(void *)&a)->sin_addr) != 1) {
            a.ss_family = AF_INET6;
            REQUIRE(inet_pton(AF_INET6, rows[i].text, &((struct sockaddr_in6 *)(void *)&a)->sin6_addr) == 1);
        }
        EXPECT(web_address_is_private(&a) == rows[i].private);
    }
    unit_case(NULL);
}

TEST(retry_after)
{
    static const struct {
        const char *text;
        uint32_t want;
    } rows[] = {
        {"0", 0}, {"17", 17}, {" 17 ", 17}, {"86401", 86400}, {"99999999999999999999999999", 86400}, {"-5", 0}, {"soon", 0}, {"", 0},
        {"Tue, 24 Nov 2026 05:30:00 GMT", 60}, {"Tue, 24 Nov 2026 05:28:00 GMT", 0}, {"Tue, 24 Nov 2099 05:28:00 GMT", 86400},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].text);
        EXPECT_INT(web_retry_after(span_cstr(rows[i].text), 1795498140), rows[i].want);
    }
    unit_case(NULL);
}
