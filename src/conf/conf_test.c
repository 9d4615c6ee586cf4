#include "conf/conf.h"

#include "unit/unit.h"

TEST(networks)
{
    static const struct {
        const char *text, *printed; /* NULL: refused */
    } rows[] = {
        {"192.0.2.1",            "192.0.2.1"    },
        {"192.0.2.1/32",         "192.0.2.1"    },
        {"10.1.2.3/8",           "10.0.0.0/8"   },
        {"10.255.0.0/9",         "10.128.0.0/9" },
        {"0.0.0.0/0",            "0.0.0.0/0"    },
        {"::1",                  "::1"          },
        {"::1/128",              "::1"          },
        {"2001:db8::ff/32",      "2001:db8::/32"},
        {"::/0",                 "::/0"         },
        {"::ffff:192.0.2.0/120", "192.0.2.0/24" },
        {"192.0.2.1/33",         NULL           },
        {"::1/129",              NULL           },
        {"192.0.2.1/",           NULL           },
        {"192.0.2.1/+8",         NULL           },
        {"192.0.2.1/0008",       NULL           },
        {"192.0.2",              NULL           },
        {"/8",                   NULL           },
        {"localhost",            NULL           },
        {"",                     NULL           },
        {"192.0.2.1 ",           NULL           },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct conf_network n;
        BUF_AUTO struct buf b = BUF(100);
        unit_case(rows[i].text);
        bool ok = conf_network_parse(span_cstr(rows[i].text), &n);
        EXPECT(ok == (rows[i].printed != NULL));
        if (ok && rows[i].printed) {
            EXPECT(conf_network_print(&n, &b));
            EXPECT_STR(buf_cstr(&b), rows[i].printed);
        }
    }
    unit_case(NULL);
}

TEST(match)
{
    static const struct {
        const char *network, *address;
        bool match;
    } rows[] = {
        {"10.0.0.0/8",    "10.255.255.255",  true },
        {"10.0.0.0/8",    "11.0.0.0",        false},
        {"10.128.0.0/9",  "10.127.255.255",  false},
        {"10.128.0.0/9",  "10.128.0.0",      true },
        {"192.0.2.1",     "192.0.2.1",       true },
        {"192.0.2.1",     "192.0.2.2",       false},
        {"0.0.0.0/0",     "1.2.3.4",         true },
        {"0.0.0.0/0",     "::1",             false},
        {"::/0",          "1.2.3.4",         true },
        {"::1",           "::1",             true },
        {"2001:db8::/33", "2001:db8:8000::", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct conf_network n[2], a;
        struct conf_networks none = {NULL, 0}, one = {n, 1}, two = {n, 2};
        unit_case(rows[i].network);
        REQUIRE(conf_network_parse(span_cstr(rows[i].network), &n[0]));
        REQUIRE(conf_network_parse(span_cstr(rows[i].address), &a));
        n[1] = a;
        EXPECT(conf_networks_match(&one, &a.address) == rows[i].match);
        EXPECT(!conf_networks_match(&none, &a.address));
        EXPECT(conf_networks_match(&two, &a.address));
    }
    unit_case(NULL);
}

TEST(names)
{
    EXPECT_STR(conf_protocol_name(PROTOCOL_IMAP4), "imap4");
    EXPECT_STR(conf_protocol_name(PROTOCOL_HTTP), "http");
    EXPECT_STR(conf_policy_name(POLICY_TLS_ONLY), "tls");
    EXPECT_STR(conf_policy_name(POLICY_PUBLIC_HTTP), "public");
}
