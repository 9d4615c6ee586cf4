#include "directory/name.h"

#include "base/check.h"
#include "unit/unit.h"

TEST(addresses_parse_to_one_form)
{
    static const struct {
        const char *in, *want; /* NULL: refused */
    } rows[] = {
        {"joe@example.org",             "joe@example.org"          },
        {"Joe.Smith@EXAMPLE.org",       "Joe.Smith@example.org"    },
        {"\"joe\"@example.org",         "joe@example.org"          },
        {"\"j\\oe\"@example.org",       "joe@example.org"          },
        {"\"joe smith\"@example.org",   "\"joe smith\"@example.org"},
        {"\"a@b\"@example.org",         "\"a@b\"@example.org"      },
        {"j\xc3\xb6rg@example.org",     "j\xc3\xb6rg@example.org"  },
        {"joe@[127.0.0.1]",             "joe@[127.0.0.1]"          },
        {"joe@[IPv6:::1]",              "joe@[ipv6:::1]"           },
        {"joe+x@example.org",           "joe+x@example.org"        },
        {"joe",                         NULL                       },
        {"@example.org",                NULL                       },
        {"joe@",                        NULL                       },
        {"joe@example..org",            NULL                       },
        {"joe@.org",                    NULL                       },
        {"joe@example.org.",            NULL                       },
        {"joe@-x.org",                  NULL                       },
        {".joe@example.org",            NULL                       },
        {"joe.@example.org",            NULL                       },
        {"j..e@example.org",            NULL                       },
        {"jo e@example.org",            NULL                       },
        {"jo\te@example.org",           NULL                       },
        {"\"joe@example.org",           NULL                       },
        {"\"jo\"e\"@example.org",       NULL                       },
        {"\"joe\\\"@example.org",       NULL                       },
        {"\"a\\\\\"b\"@example.org",    NULL                       },
        {"\"\"@example.org",            NULL                       },
        {"j\xc3@example.org",           NULL                       },
        {"j\xe2\x80\xaeoe@example.org", NULL                       }, /* right-to-left override */
        {"j\xe2\x80\x8boe@example.org", NULL                       }, /* zero width */
        {"joe@exa mple.org",            NULL                       },
        {"<joe@example.org>",           NULL                       },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mail_address a;
        char text[NAME_ADDRESS_MAX + 1];

        unit_case(rows[i].in);
        bool ok = name_address_parse(span_cstr(rows[i].in), &a);
        EXPECT_INT(ok, rows[i].want != NULL);
        if (ok && rows[i].want) {
            name_address_print(&a, text);
            EXPECT_STR(text, rows[i].want);
        }
    }
    unit_case(NULL);
}

TEST(addresses_have_limits)
{
    char text[400];
    struct mail_address a;

    memset(text, 'a', sizeof text);
    memcpy(text + 64, "@b.org", 6);
    EXPECT(name_address_parse(span_of(text, 70), &a));
    EXPECT(!name_local_parse(span_of(text, 65), "b.org", &a));
    memset(text, 'a', sizeof text);
    EXPECT(!name_local_parse(span_of(text, 65), "b.org", &a));
    EXPECT(name_local_parse(span_of(text, 64), "b.org", &a));
    EXPECT(!name_domain_valid(span_of(text, 64)));
    EXPECT(name_domain_valid(span_of(text, 63)));
    EXPECT(!name_address_parse(span_of("joe\0@b.org", 10), &a));
}

TEST(local_names_fold_and_get_the_domain)
{
    struct mail_address a;
    char text[NAME_ADDRESS_MAX + 1];

    REQUIRE(name_local_parse(SPAN("JOE"), "Example.ORG", &a));
    name_address_print(&a, text);
    EXPECT_STR(text, "joe@example.org");
    REQUIRE(name_local_parse(SPAN("JOE+News@B.org"), "example.org", &a));
    EXPECT(!name_address_is_own(&a));
    EXPECT(name_address_cut_detail(&a));
    EXPECT(!name_address_cut_detail(&a));
    name_address_print(&a, text);
    EXPECT_STR(text, "joe@b.org");
    EXPECT(name_address_is_own(&a));
    REQUIRE(name_local_parse(SPAN("+x@b.org"), "b.org", &a));
    EXPECT(!name_address_cut_detail(&a));
}

TEST(newsgroup_names)
{
    EXPECT(name_newsgroup_valid(SPAN("comp.lang.c")));
    EXPECT(name_newsgroup_valid(SPAN("local.c++")));
    EXPECT(!name_newsgroup_valid(SPAN("")));
    EXPECT(!name_newsgroup_valid(SPAN(".a")));
    EXPECT(!name_newsgroup_valid(SPAN("a..b")));
    EXPECT(!name_newsgroup_valid(SPAN("a.b.")));
    EXPECT(!name_newsgroup_valid(SPAN("a b")));
    EXPECT(!name_newsgroup_valid(SPAN("a,b")));
    EXPECT(!name_newsgroup_valid(span_of("a\0b", 3)));
}

TEST(passwords_are_prepared)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"pencil",            "pencil"     },
        {"I\xc2\xadX",        "IX"         }, /* RFC 4013 section 3: soft hyphen */
        {"user",              "user"       },
        {"USER",              "USER"       },
        {"a\xc2\xa0"
         "b",        "a b"        },
        {"a\xe3\x80\x80"
         "b",        "a b"        },
        {"\xef\xbb\xbfpw",    "pw"         },
        {"p\xc3\xa4ss",       "p\xc3\xa4ss"},
        {"a\x07",             NULL         },
        {"a\x7f",             NULL         },
        {"a\xc2\x85",         NULL         },
        {"a\xee\x80\x80",     NULL         }, /* private use */
        {"a\xef\xbf\xbf",     NULL         }, /* no character */
        {"a\xf0\x9f\xbf\xbf", NULL         }, /* no character */
        {"a\xe2\x80\xae",     NULL         },
        {"\xff",              NULL         },
        {"",                  NULL         },
        {"\xc2\xad",          NULL         }, /* nothing left */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        BUF_AUTO struct buf out = BUF(64);
        unit_case(rows[i].in);
        EXPECT_INT(name_password_prepare(span_cstr(rows[i].in), &out), rows[i].want != NULL);
        if (rows[i].want)
            EXPECT_SPAN(buf_span(&out), span_cstr(rows[i].want));
    }
    unit_case(NULL);
}

TEST(long_passwords_are_refused)
{
    char text[NAME_PASSWORD_MAX + 1];
    BUF_AUTO struct buf out = BUF(4 * NAME_PASSWORD_MAX);

    memset(text, 'x', sizeof text);
    EXPECT(name_password_prepare(span_of(text, NAME_PASSWORD_MAX), &out));
    EXPECT(!name_password_prepare(span_of(text, NAME_PASSWORD_MAX + 1), &out));
}

TEST(titles)
{
    EXPECT(name_title_valid(SPAN("")));
    EXPECT(name_title_valid(SPAN("J\xc3\xb6rg M\xc3\xbcller")));
    EXPECT(!name_title_valid(SPAN("a\r\nb")));
    EXPECT(!name_title_valid(SPAN("a\xe2\x80\xae"
                                  "b")));
}
