#include "base/check.h"
#include "smtp/route.h"
#include "unit/unit.h"

#include <arpa/inet.h>

TEST(find)
{
    struct conf_connector k[] = {
        {.name = "all",       .address_space = "*",              .cost = 10},
        {.name = "all-cheap", .address_space = "*",              .cost = 5 },
        {.name = "below",     .address_space = ".example.org",   .cost = 50},
        {.name = "deep",      .address_space = ".a.example.org", .cost = 90},
        {.name = "exact",     .address_space = "a.example.org",  .cost = 99},
    };
    struct conf c = {.connectors = k, .connector_count = ARRAY_LEN(k)};
    static const struct {
        const char *domain, *want;
    } rows[] = {
        {"other.net",       "all-cheap"},
        {"example.org",     "all-cheap"},
        {"b.example.org",   "below"    },
        {"x.a.example.org", "deep"     },
        {"a.example.org",   "exact"    },
        {"A.Example.ORG",   "exact"    },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unit_case(rows[i].domain);
        const struct conf_connector *got = route_find(&c, span_cstr(rows[i].domain));
        REQUIRE(got);
        EXPECT_STR(got->name, rows[i].want);
    }
    c.connector_count = 0;
    EXPECT(route_find(&c, SPAN("other.net")) == NULL);
}

TEST(host)
{
    static const struct {
        const char *text, *name;
        int port;
    } rows[] = {
        {"mail.example.org",     "mail.example.org",   25  },
        {"mail.example.org:587", "mail.example.org",   587 },
        {"[192.0.2.1]:2525",     "[192.0.2.1]",        2525},
        {"[IPv6:2001:db8::1]",   "[IPv6:2001:db8::1]", 25  },
        {"192.0.2.1:2525",       "[192.0.2.1]",        2525},
        {"192.0.2.1",            "[192.0.2.1]",        25  },
        {"2001:db8::25",         "[2001:db8::25]",     25  },
        {"192.0.2.1.example",    "192.0.2.1.example",  25  },
        {"host:",                NULL,                 0   },
        {"host:0",               NULL,                 0   },
        {"host:65536",           NULL,                 0   },
        {":25",                  NULL,                 0   },
        {"",                     NULL,                 0   },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct route_host h;
        unit_case(rows[i].text);
        bool good = route_host_parse(rows[i].text, 25, &h);
        EXPECT_INT(good, rows[i].name != NULL);
        if (good && rows[i].name) {
            EXPECT_STR(h.name, rows[i].name);
            EXPECT_INT(h.port, rows[i].port);
        }
    }
}

TEST(literal)
{
    struct sockaddr_storage a;
    EXPECT(route_literal("[192.0.2.1]", &a) && a.ss_family == AF_INET);
    EXPECT(route_literal("[IPv6:2001:db8::1]", &a) && a.ss_family == AF_INET6);
    EXPECT(!route_literal("192.0.2.1", &a));
    EXPECT(!route_literal("[300.1.1.1]", &a));
    EXPECT(!route_literal("[", &a));
}
