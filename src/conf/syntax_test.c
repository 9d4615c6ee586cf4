#include "conf/syntax.h"

#include "unit/unit.h"

typedef const char *check(struct span s);

TEST(texts)
{
    static const struct {
        check *fn;
        const char *text;
        bool ok;
    } rows[] = {
        {check_name,          "imap4-default",           true },
        {check_name,          "a",                       true },
        {check_name,          "",                        false},
        {check_name,          "a b",                     false},
        {check_name,          "-a",                      false},
        {check_name,          "a_b",                     false},
        {check_domain,        "example.org",             true },
        {check_domain,        "localhost",               true },
        {check_domain,        "xn--bcher-kva.example",   true },
        {check_domain,        "a.1b",                    true },
        {check_domain,        "",                        false},
        {check_domain,        "*",                       false},
        {check_domain,        "*.example.org",           false},
        {check_domain,        ".",                       false},
        {check_domain,        "example.org.",            false},
        {check_domain,        ".example.org",            false},
        {check_domain,        "a..b",                    false},
        {check_domain,        "a-.b",                    false},
        {check_domain,        "1.2.3.4",                 false},
        {check_domain,
         "b\xc3\xbc"
         "cher.example",                                 false},
        {check_domain,        "a/b",                     false},
        {check_host,          "192.0.2.1",               true },
        {check_host,          "2001:db8::1",             true },
        {check_host,          "mail.example.org",        true },
        {check_host,          "192.0.2.300",             false},
        {check_ip,            "::",                      true },
        {check_ip,            "0.0.0.0",                 true },
        {check_ip,            "localhost",               false},
        {check_ip,            "192.0.2.1/32",            false},
        {check_network,       "192.0.2.1/32",            true },
        {check_network,       "192.0.2.1/99",            false},
        {check_address,       "postmaster@example.org",  true },
        {check_address,       "a.b+c@example.org",       true },
        {check_address,       "@example.org",            false},
        {check_address,       "a@",                      false},
        {check_address,       "a",                       false},
        {check_address,       "a b@example.org",         false},
        {check_address,       "<a@example.org>",         false},
        {check_address,       "a@b@example.org",         false},
        {check_dns_server,    "127.0.0.1",               true },
        {check_dns_server,    "::1@5353",                true },
        {check_dns_server,    "::1@0",                   false},
        {check_dns_server,    "::1@",                    false},
        {check_dns_server,    "ns.example.org",          false},
        {check_smart_host,    "relay.example.org",       true },
        {check_smart_host,    "relay.example.org:587",   true },
        {check_smart_host,    "[192.0.2.1]:25",          true },
        {check_smart_host,    "[2001:db8::1]",           true },
        {check_smart_host,    "2001:db8::1",             true },
        {check_smart_host,    "192.0.2.1:25",            true },
        {check_smart_host,    "relay.example.org:",      false},
        {check_smart_host,    "relay.example.org:0",     false},
        {check_smart_host,    "relay.example.org:65536", false},
        {check_smart_host,    "[relay.example.org]",     false},
        {check_smart_host,    "[192.0.2.1",              false},
        {check_smart_host,    "[192.0.2.1]25",           false},
        {check_smart_host,    ":25",                     false},
        {check_address_space, "*",                       true },
        {check_address_space, ".example.org",            true },
        {check_address_space, "example.org",             true },
        {check_address_space, "*.example.org",           false},
        {check_address_space, "",                        false},
        {check_address_space, ".",                       false},
        {check_key_type,      "p256",                    true },
        {check_challenge,     "dns-01",                  true },
        {check_challenge,     "tls-alpn-01",             true },
        {check_challenge,     "dns-02",                  false},
        {check_key_type,      "rsa4096",                 true },
        {check_key_type,      "rsa1024",                 false},
        {check_key_type,      "P256",                    false},
        {check_https_address, "https://ca.example/dir",  true },
        {check_https_address, "https://[::1]:14000/d?x", true },
        {check_https_address, "http://ca.example/dir",   false},
        {check_https_address, "https:///dir",            false},
        {check_https_address, "https://u@ca.example/",   false},
        {check_https_address, "https://ca example/",     false},
        {check_https_address, "ca.example",              false},
        {check_web_address,   "http://hook.example/x",   true },
        {check_web_address,   "ftp://hook.example/x",    false},
        {check_program,       "/usr/local/bin/dns",      true },
        {check_program,       "bin/dns",                 false},
        {check_program,       "/usr/local/",             false},
        {check_trust,         "own-ca",                  true },
        {check_trust,         "partner_1.pem",           true },
        {check_trust,         ".hidden",                 false},
        {check_trust,         "../keys/x",               false},
        {check_trust,         "a/b",                     false},
        {check_user_prefix,   "sealpost-",               true },
        {check_user_prefix,   "9a",                      false},
        {check_user_prefix,   "a:b",                     false},
        {check_group,         "mail_admin",              true },
        {check_group,         "Admin",                   false},
        {check_none,          "anything",                true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *wrong = rows[i].fn(span_cstr(rows[i].text));
        unit_case(rows[i].text);
        EXPECT(!wrong == rows[i].ok);
        /* every refusal names a remedy */
        if (wrong)
            EXPECT(strstr(wrong, ". Write ") || strstr(wrong, ". Use "));
    }
    unit_case(NULL);
}

TEST(domain_lengths)
{
    char label[65], name[260];

    memset(label, 'a', sizeof label);
    EXPECT(!check_domain(span_of(label, 63)));
    EXPECT(check_domain(span_of(label, 64)));
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 ? '.' : 'a';
    EXPECT(!check_domain(span_of(name, 253)));
    EXPECT(check_domain(span_of(name, 255)));
}

TEST(smart_host)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } rows[] = {
        {"relay.example.org",     "relay.example.org", 0   },
        {"relay.example.org:587", "relay.example.org", 587 },
        {"[2001:db8::1]:2525",    "2001:db8::1",       2525},
        {"2001:db8::1",           "2001:db8::1",       0   },
        {"[192.0.2.1]",           "192.0.2.1",         0   },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct span host = SPAN_EMPTY;
        uint16_t port = 77;
        unit_case(rows[i].text);
        EXPECT(smart_host_split(span_cstr(rows[i].text), &host, &port));
        EXPECT_SPAN(host, span_cstr(rows[i].host));
        EXPECT_INT(port, rows[i].port);
    }
    unit_case(NULL);
}
