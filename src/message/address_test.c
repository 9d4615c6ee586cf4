#include "message/address.h"
#include "unit/unit.h"
#include <time.h>

static const struct {
    const char *in, *want; /* display|route|local|domain|group; one a line */
} lists[] = {
    {"a@b",                                               "||a|b|\n"                                },
    {"John Doe <jdoe@machine.example>",                   "John Doe||jdoe|machine.example|\n"       },
    {"\"Joe Q. \\\"P\\\"\" <j@x>, b@c",                   "Joe Q. \"P\"||j|x|\n||b|c|\n"            },
    {"Joe Q. Public <j@x>",                               "Joe Q. Public||j|x|\n"                   },
    {"Pete(A wonderful \\) chap) <pete(his)@silly.test>", "Pete||pete|silly.test|\n"                },
    {"jdoe@machine(comment).  example",                   "comment||jdoe|machine.example|\n"        },
    {"mark@cb.att.com (Mark (the) Horton)",               "Mark (the) Horton||mark|cb.att.com|\n"   },
    {"<@a.org,@b.org:c@d.org>",                           "|@a.org,@b.org|c|d.org|\n"               },
    {"\"quoted local\"@x.y",                              "||quoted local|x.y|\n"                   },
    {"<\"a@b\"@c>",                                       "||a@b|c|\n"                              },
    {"foo@[1.2.3.4], <x@[IPv6:::1]>",                     "||foo|[1.2.3.4]|\n||x|[IPv6:::1]|\n"     },
    {"G:a@b, C <c@d>;, e@f",                              "||a|b|G\nC||c|d|G\n||e|f|\n"             },
    {"Undisclosed recipients:;",                          ""                                        },
    {"root",                                              "||root||\n"                              },
    {"Mary Smith",                                        "Mary Smith||||\n"                        },
    {"Big Bug bb@bug.com",                                "Big Bug||bb|bug.com|\n"                  },
    {"Mikel@Lindsaar <r@g.com>, tom@g.com",               "Mikel@Lindsaar||r|g.com|\n||tom|g.com|\n"},
    {"a@b@c",                                             "||a@b|c|\n"                              },
    {"a@b c@d, e@f",                                      "||a|b|\n||e|f|\n"                        },
    {"a <a@b> b <c@d>",                                   "a||a|b|\nb||c|d|\n"                      },
    {"<a@b> junk, <c@d>",                                 "||a|b|\n||c|d|\n"                        },
    {",,a@b,, ,c@d,",                                     "||a|b|\n||c|d|\n"                        },
    {"a@b; c@d",                                          "||a|b;|\n"                               },
    {"<a@b, c@d",                                         "||a|b|\n||c|d|\n"                        },
    {"<a@b\r\n >, \r\n\tX\r\n Y <c@d>",                   "||a|b|\nX Y||c|d|\n"                     },
    {"<>",                                                ""                                        },
    {"",                                                  ""                                        },
    {"\"unclosed <a@b>",                                  "||unclosed <a@b>||\n"                    },
    {"(unclosed a@b",                                     ""                                        },
    {"=?utf-8?q?J=C3=B6?= <j@x>",                         "=?utf-8?q?J=C3=B6?=||j|x|\n"             },
    {"G: a@b",                                            "||a|b|G\n"                               },
    {"G: H: a@b;",                                        "H:||a|b|G\n"                             },
};

static void put_list(struct span value, size_t max, struct buf *got)
{
    struct arena *a = arena_new(1 << 20);
    struct address *list;
    size_t n = address_list_parse(value, a, max, &list);
    for (size_t i = 0; i < n; i++) {
        struct span parts[] = {list[i].display, list[i].route, list[i].local, list[i].domain};
        for (size_t k = 0; k < 4; k++) {
            buf_put_span(got, parts[k]);
            buf_putc(got, '|');
        }
        buf_put_span(got, list[i].group);
        buf_putc(got, '\n');
    }
    arena_free(a);
}

TEST(address_lists)
{
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct buf got BUF_AUTO = BUF(4096);
        unit_case(lists[i].in);
        put_list(span_cstr(lists[i].in), 100, &got);
        EXPECT_SPAN(buf_span(&got), span_cstr(lists[i].want));
    }
    unit_case(NULL);
    struct buf got BUF_AUTO = BUF(4096);
    put_list(SPAN("a@b, c@d, e@f"), 2, &got);
    EXPECT_SPAN(buf_span(&got), SPAN("||a|b|\n||c|d|\n"));
}

/* Any bytes: no item is longer than the text it came from, and the scan ends. */
TEST(address_scan_takes_any_bytes)
{
    static const char alphabet[] = "aB.@<>,;:\"\\()[] \t\r\n\0\xe9";
    for (int round = 0; round < 5000; round++) {
        char text[40];
        size_t n = unit_random() % sizeof(text);
        for (size_t i = 0; i < n; i++)
            text[i] = alphabet[unit_random() % (sizeof(alphabet) - 1)];
        struct buf scratch BUF_AUTO = BUF(0);
        struct address_scan s;
        struct address a;
        size_t events = 0;
        address_scan_init(&s, span_of(text, n), &scratch);
        while (address_scan_next(&s, &a) != ADDRESS_END && events < 100) {
            events++;
            EXPECT(a.display.n + a.route.n + a.local.n + a.domain.n <= 2 * n);
        }
        EXPECT(events <= n + 1);
    }
}

TEST(address_scan_is_linear)
{
    static const char *const traps[] = {"<",    "<@",   "(",  "\"", "a:",     ",",
                                        "<@a,", "a@b ", ":;", "@",  "<a@b>x "};
    for (size_t t = 0; t < sizeof(traps) / sizeof(traps[0]); t++) {
        struct buf text BUF_AUTO = BUF(1 << 21), scratch BUF_AUTO = BUF(0);
        while (text.n < 1 << 20)
            buf_put_cstr(&text, traps[t]);
        struct address_scan s;
        struct address a;
        clock_t start = clock();
        address_scan_init(&s, buf_span(&text), &scratch);
        while (address_scan_next(&s, &a) != ADDRESS_END)
            ;
        unit_case(traps[t]);
        EXPECT((clock() - start) * 1000 / CLOCKS_PER_SEC < 2000);
    }
}

TEST(address_parse_mailbox)
{
    static const struct {
        const char *in;
        bool utf8;
        const char *local, *domain; /* NULL: refused */
    } rows[] = {
        {"a@b",              false, "a",           "b"          },
        {"a.b+c@d-e.org",    false, "a.b+c",       "d-e.org"    },
        {"\"a b\\\"\"@c",    false, "\"a b\\\"\"", "c"          },
        {"a@[127.0.0.1]",    false, "a",           "[127.0.0.1]"},
        {"a@[IPv6:::1]",     false, "a",           "[IPv6:::1]" },
        {"\xc3\xa9@x",       true,  "\xc3\xa9",    "x"          },
        {"\xc3\xa9@x",       false, NULL,          NULL         },
        {"\xe9@x",           true,  NULL,          NULL         },
        {"",                 false, NULL,          NULL         },
        {"a",                false, NULL,          NULL         },
        {"@b",               false, NULL,          NULL         },
        {"a@",               false, NULL,          NULL         },
        {".a@b",             false, NULL,          NULL         },
        {"a.@b",             false, NULL,          NULL         },
        {"a..b@c",           false, NULL,          NULL         },
        {"a@b.",             false, NULL,          NULL         },
        {"a@-b",             false, NULL,          NULL         },
        {"a@b-.c",           false, NULL,          NULL         },
        {"a@b c",            false, NULL,          NULL         },
        {"a@b\r\nX",         false, NULL,          NULL         },
        {"\"a@b",            false, NULL,          NULL         },
        {"\"a\r\"@b",        false, NULL,          NULL         },
        {"\"a\\",            false, NULL,          NULL         },
        {"a@b@c",            false, NULL,          NULL         },
        {"a@[1.2.3.4",       false, NULL,          NULL         },
        {"a@[1.2.3]",        false, NULL,          NULL         },
        {"a@[]",             false, NULL,          NULL         },
        {"a@[",              false, NULL,          NULL         },
        {"a@[IPv6:1.2.3.4]", false, NULL,          NULL         },
        {"a@[2(@]",          false, NULL,          NULL         },
        {"a@[x400:c=de]",    false, NULL,          NULL         },
        {"<a@b>",            false, NULL,          NULL         },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span local = SPAN_EMPTY, domain = SPAN_EMPTY;
        unit_case(rows[i].in);
        bool ok = address_parse_mailbox(span_cstr(rows[i].in), rows[i].utf8, &local, &domain);
        EXPECT(ok == (rows[i].local != NULL));
        EXPECT_SPAN(local, span_cstr(rows[i].local));
        EXPECT_SPAN(domain, span_cstr(rows[i].domain));
    }
}
