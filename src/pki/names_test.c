#include "pki/names.h"
#include "unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

TEST(names_by_kind)
{
    static const struct {
        const char *text;
        int type; /* -1: refused */
        const char *want;
    } cases[] = {
        {"Mail.Example.ORG",        CERT_NAME_DNS,   "mail.example.org"       },
        {"localhost",               CERT_NAME_DNS,   "localhost"              },
        {"*.example.org",           CERT_NAME_DNS,   "*.example.org"          },
        {"_dmarc.example.org",      CERT_NAME_DNS,   "_dmarc.example.org"     },
        {"xn--bcher-kva.example",   CERT_NAME_DNS,   "xn--bcher-kva.example"  },
        {"127.0.0.1",               CERT_NAME_IP,    "127.0.0.1"              },
        {"0:0:0:0:0:0:0:1",         CERT_NAME_IP,    "::1"                    },
        {"2001:DB8::A",             CERT_NAME_IP,    "2001:db8::a"            },
        {"Bob.Smith+x@Example.org", CERT_NAME_EMAIL, "Bob.Smith+x@example.org"},
        {"",                        -1,              NULL                     },
        {".",                       -1,              NULL                     },
        {"a..b",                    -1,              NULL                     },
        {".example.org",            -1,              NULL                     },
        {"example.org.",            -1,              NULL                     },
        {"-a.example",              -1,              NULL                     },
        {"a-.example",              -1,              NULL                     },
        {"a.example-",              -1,              NULL                     },
        {"*",                       -1,              NULL                     },
        {"a.*.example",             -1,              NULL                     },
        {"**.example",              -1,              NULL                     },
        {"b\xc3\xbc"
         "cher.example",   -1,              NULL                     },
        {"a b.example",             -1,              NULL                     },
        {"a\nb.example",            -1,              NULL                     },
        {"@example.org",            -1,              NULL                     },
        {"a@",                      -1,              NULL                     },
        {"a..b@example.org",        -1,              NULL                     },
        {"a@*.example.org",         -1,              NULL                     },
        {"a b@example.org",         -1,              NULL                     },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cert_names n = CERT_NAMES_EMPTY;
        unit_case(cases[i].text);
        int rc = cert_names_add_any(&n, span_cstr(cases[i].text));
        EXPECT_INT(rc, cases[i].type < 0 ? -EINVAL : 0);
        EXPECT_INT(n.n, cases[i].type < 0 ? 0 : 1);
        if (n.n == 1) {
            EXPECT_INT(n.v[0].type, cases[i].type);
            EXPECT_STR(n.v[0].text, cases[i].want);
        }
        cert_names_done(&n);
    }
}

TEST(names_bytes_that_c_strings_hide)
{
    struct cert_names n = CERT_NAMES_EMPTY;
    char label[70];

    EXPECT_INT(cert_names_add(&n, CERT_NAME_DNS, SPAN("good.example\0.evil.test")), -EINVAL);
    EXPECT_INT(cert_names_add(&n, CERT_NAME_IP, SPAN("127.0.0.1\0")), -EINVAL);
    memset(label, 'a', sizeof(label));
    EXPECT_INT(cert_names_add(&n, CERT_NAME_DNS, span_of(label, 63)), 0);
    EXPECT_INT(cert_names_add(&n, CERT_NAME_DNS, span_of(label, 64)), -EINVAL);
    cert_names_done(&n);
}

TEST(names_at_the_very_end_of_their_bytes)
{
    static const char *const texts[] = {"a@", "*", "*.", ".", "a.", "-", "@", "1.2.3.4/", "a@*"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct cert_names n = CERT_NAMES_EMPTY;
        struct permitted p = {.network_count = 0};
        size_t size = strlen(texts[i]);
        char *exact = malloc(size); /* no NUL behind it: a byte too far is seen */
        memcpy(exact, texts[i], size);
        unit_case(texts[i]);
        for (int type = 0; type < CERT_NAME_TYPES; type++)
            EXPECT_INT(cert_names_add(&n, (enum cert_name_type)type, span_of(exact, size)),
                       -EINVAL);
        EXPECT_INT(permitted_add_dns(&p, span_of(exact, size)), -EINVAL);
        EXPECT_INT(permitted_add_network(&p, span_of(exact, size)), -EINVAL);
        free(exact);
    }
}

TEST(names_are_a_set_with_a_limit)
{
    struct cert_names a = CERT_NAMES_EMPTY, b = CERT_NAMES_EMPTY;
    char text[32];

    cert_names_add_any(&a, SPAN("a.example"));
    cert_names_add_any(&a, SPAN("A.EXAMPLE"));
    cert_names_add_any(&a, SPAN("b.example"));
    EXPECT_INT(a.n, 2);
    cert_names_add_any(&b, SPAN("b.example"));
    EXPECT(!cert_names_same(&a, &b));
    cert_names_add_any(&b, SPAN("a.example"));
    EXPECT(cert_names_same(&a, &b));
    for (unsigned i = 0; i < CERT_NAMES_MAX; i++) {
        snprintf(text, sizeof(text), "n%u.example", i);
        EXPECT_INT(cert_names_add_any(&a, span_cstr(text)), i < CERT_NAMES_MAX - 2 ? 0 : -E2BIG);
    }
    cert_names_done(&a);
    cert_names_done(&b);
}

static void fill(struct permitted *p, const char *const *dns, const char *email,
                 const char *const *net)
{
    for (; *dns; dns++)
        EXPECT_INT(permitted_add_dns(p, span_cstr(*dns)), 0);
    EXPECT_INT(permitted_add_email(p, span_cstr(email)), 0);
    for (; *net; net++)
        EXPECT_INT(permitted_add_network(p, span_cstr(*net)), 0);
}

TEST(permitted_names)
{
    static const struct {
        const char *name;
        bool want;
    } cases[] = {
        {"example.org",          true },
        {"mail.example.org",     true },
        {"*.example.org",        true },
        {"notexample.org",       false},
        {"example.com",          false},
        {"org",                  false},
        {"10.1.2.3",             true },
        {"11.1.2.3",             false},
        {"::1",                  true },
        {"::2",                  false},
        {"bob@example.org",      true },
        {"bob@mail.example.org", false},
        {"bob@notexample.org",   false},
    };
    struct permitted p = {.network_count = 0};

    fill(&p, (const char *const[]){".example.org", NULL}, "example.org",
         (const char *const[]){"10.0.0.0/8", "::1", NULL});
    EXPECT(permitted_complete(&p));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cert_names n = CERT_NAMES_EMPTY;
        unit_case(cases[i].name);
        REQUIRE(cert_names_add_any(&n, span_cstr(cases[i].name)) == 0);
        EXPECT_INT(permitted_name(&p, &n.v[0]), cases[i].want);
        cert_names_done(&n);
    }
    unit_case(NULL);
    EXPECT_INT(permitted_add_network(&p, SPAN("10.0.0.1/8")), -EINVAL);
    EXPECT_INT(permitted_add_network(&p, SPAN("10.0.0.0/33")), -EINVAL);
    EXPECT_INT(permitted_add_network(&p, SPAN("10.0.0.0/")), -EINVAL);
    EXPECT_INT(permitted_add_network(&p, SPAN("ten")), -EINVAL);
    EXPECT_INT(permitted_add_dns(&p, SPAN("*.example.org")), -EINVAL);
    permitted_done(&p);
}

TEST(permitted_sets)
{
    struct permitted wide = {.network_count = 0}, narrow = {.network_count = 0},
                     v4 = {.network_count = 0};

    fill(&wide, (const char *const[]){"example.org", "localhost", NULL}, "example.org",
         (const char *const[]){"0.0.0.0/0", "::/0", NULL});
    fill(&narrow, (const char *const[]){"mail.example.org", NULL}, "example.org",
         (const char *const[]){"127.0.0.1/32", "::1/128", NULL});
    EXPECT(permitted_covers(&wide, &narrow));
    EXPECT(!permitted_covers(&narrow, &wide));
    EXPECT(permitted_covers(&wide, &wide));
    permitted_add_email(&narrow, SPAN("example.com"));
    EXPECT(!permitted_covers(&wide, &narrow));
    fill(&v4, (const char *const[]){"a.example", NULL}, "a.example",
         (const char *const[]){"127.0.0.1", NULL});
    EXPECT(!permitted_complete(&v4));
    permitted_done(&wide);
    permitted_done(&narrow);
    permitted_done(&v4);
}
