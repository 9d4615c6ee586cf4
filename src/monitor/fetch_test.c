#include "monitor/fetch.h"

#include "unit/unit.h"

#include <string.h>

TEST(addresses)
{
    static const struct {
        const char *url, *host, *path; /* host NULL: none */
        bool tls;
        unsigned port;
    } rows[] = {
        {"http://ca.example/x.crl",           "ca.example",          "/x.crl", false, 80  },
        {"HTTP://ca.example",                 "ca.example",          "/",      false, 80  },
        {"https://mta-sts.example.org/a?b=c", "mta-sts.example.org", "/a?b=c", true,  443 },
        {"http://127.0.0.1:8080/ocsp",        "127.0.0.1",           "/ocsp",  false, 8080},
        {"http://[::1]:8080/ocsp",            "::1",                 "/ocsp",  false, 8080},
        {"http://[::1]/",                     "::1",                 "/",      false, 80  },
        {"http:///x",                         NULL,                  NULL,     false, 0   },
        {"http://a:0/x",                      NULL,                  NULL,     false, 0   },
        {"http://a:65536/x",                  NULL,                  NULL,     false, 0   },
        {"http://user@host/x",                NULL,                  NULL,     false, 0   },
        {"http://[::1/x",                     NULL,                  NULL,     false, 0   },
        {"http://[::1]x/",                    NULL,                  NULL,     false, 0   },
        {"http://a/b c",                      NULL,                  NULL,     false, 0   },
        {"http://a/b\r\nX: y",                NULL,                  NULL,     false, 0   },
        {"ldap://ca.example/cn=x",            NULL,                  NULL,     false, 0   },
        {"ftp://a",                           NULL,                  NULL,     false, 0   },
        {"",                                  NULL,                  NULL,     false, 0   },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fetch_url u;
        struct err e = {""};
        int r = fetch_url_parse(span_cstr(rows[i].url), &u, &e);
        unit_case(rows[i].url);
        EXPECT_INT(r == 0, rows[i].host != NULL);
        if (r != 0) {
            EXPECT(e.text[0] != '\0');
            continue;
        }
        EXPECT_STR(u.host, rows[i].host);
        EXPECT_STR(u.path, rows[i].path);
        EXPECT_INT(u.tls, rows[i].tls);
        EXPECT_INT(u.port, rows[i].port);
    }
    unit_case(NULL);
}
